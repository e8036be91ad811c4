//! Groups of any sizes, one after the other: `group_normalize` by offsets.
//!
//! The body for every backend lays the groups out as the rows of a rectangle, calls the operation on
//! rectangles and picks the advantages out of it; the gradient goes the same way. The Cube kernel
//! reads the groups where they lie.

use std::sync::Arc;

use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    get_or_init_device_settings,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Device, Shape, Tensor, TensorData};

use super::{GroupNormalization, Outputs, Saved, ddof, gradient};
use crate::ops::TokenKernels;
use crate::primitive::{accumulate, accumulate_dtype};

/// Where each of some groups begins in a row of completions; the last number is where the last one
/// ends. Groups may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffsets(Arc<[usize]>);

/// Why offsets are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupOffsetsError {
    /// The first is not 0, or there is none.
    #[error("offsets begin with 0, not with {0:?}")]
    Start(Option<usize>),
    /// A group would end before it begins.
    #[error("group {group} would begin at {start} and end at {end}")]
    Descending {
        /// The group, from 0.
        group: usize,
        /// Its offset.
        start: usize,
        /// The next one.
        end: usize,
    },
}

impl GroupOffsets {
    /// Checks offsets.
    ///
    /// ```
    /// use fireproof_kernels::GroupOffsets;
    /// assert_eq!(GroupOffsets::new(vec![0, 3, 3, 5]).unwrap(), GroupOffsets::of_sizes([3, 0, 2]));
    /// let error = GroupOffsets::new(vec![0, 3, 2]).unwrap_err();
    /// assert_eq!(error.to_string(), "group 1 would begin at 3 and end at 2");
    /// ```
    ///
    /// # Errors
    /// If they do not begin with 0 or descend.
    pub fn new(offsets: Vec<usize>) -> Result<Self, GroupOffsetsError> {
        if offsets.first() != Some(&0) {
            return Err(GroupOffsetsError::Start(offsets.first().copied()));
        }
        match offsets.windows(2).position(|pair| pair[1] < pair[0]) {
            None => Ok(Self(offsets.into())),
            Some(group) => {
                let (start, end) = (offsets[group], offsets[group + 1]);
                Err(GroupOffsetsError::Descending { group, start, end })
            }
        }
    }

    /// From the number of completions in each group.
    #[must_use]
    pub fn of_sizes(sizes: impl IntoIterator<Item = usize>) -> Self {
        let ends = sizes.into_iter().scan(0, |end, size| {
            *end += size;
            Some(*end)
        });
        Self(std::iter::once(0).chain(ends).collect())
    }

    /// The number of groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.0.len() - 1
    }

    /// The number of completions in all groups together.
    #[must_use]
    pub fn completions(&self) -> usize {
        self.0[self.groups()]
    }

    fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        self.0.windows(2).map(|pair| pair[0]..pair[1])
    }

    /// The size of the largest group, at least 1.
    fn width(&self) -> usize {
        self.ranges().map(|range| range.len()).max().unwrap_or(0).max(1)
    }
}

/// What [`group_normalize_ragged`] gives.
#[derive(Clone, Debug)]
pub struct RaggedNormalized {
    /// Advantages, `[N]`. Differentiable in the rewards.
    pub advantages: Tensor<1>,
    /// Mean reward of each group, `[P]`; 0 for an empty one.
    pub means: Tensor<1>,
    /// Standard deviation of each group's rewards, `[P]` (the z-scores' ddof, else 0).
    pub stds: Tensor<1>,
    /// Success rate of each group, `[P]`.
    pub success_rates: Tensor<1>,
}

/// [`group_normalize`](crate::group_normalize) of groups of any sizes that lie one after the other:
/// the same formulas, the same edge cases, no mask.
///
/// ```
/// use burn::tensor::Tensor;
/// use fireproof_kernels::{GroupEstimator, GroupOffsets, group_normalize_ragged, resolve_device};
///
/// let device = resolve_device(Some("flex")).unwrap().device;
/// // A group of three and one of two.
/// let rewards = Tensor::<1>::from_data([3.0f32, 0.0, 0.0, 1.0, 0.0], &device);
/// let offsets = GroupOffsets::new(vec![0, 3, 5]).unwrap();
/// let correct = rewards.clone().greater_scalar(0.5).float();
/// let out = group_normalize_ragged(rewards, correct, &offsets, GroupEstimator::Centered);
/// let found: Vec<f32> = out.advantages.into_data().try_to_vec().unwrap();
/// assert_eq!(found, [2.0, -1.0, -1.0, 0.5, -0.5]);
/// ```
///
/// # Shapes
/// - `rewards`, `correct`: `[N]`, `N` the number of completions that the offsets end with
/// - output: `[N]` and three times `[P]`
///
/// # Panics
/// If the shapes differ, or ddof is neither 0 nor 1.
#[must_use]
pub fn group_normalize_ragged(
    rewards: Tensor<1>,
    correct: Tensor<1>,
    offsets: &GroupOffsets,
    rule: impl Into<GroupNormalization>,
) -> RaggedNormalized {
    let rule = rule.into();
    let (groups, completions) = (offsets.groups(), offsets.completions());
    for (name, found) in [("rewards", rewards.dims()), ("correctness", correct.dims())] {
        assert!(
            found == [completions],
            "the offsets end with {completions} completions but {name} have shape {found:?}"
        );
    }
    assert!(ddof(rule) <= 1, "ddof is 0 or 1, not {}", ddof(rule));
    if groups == 0 {
        return empty(&rewards.device());
    }
    let (advantages, statistics) = <Dispatch as TokenKernels>::group_normalize_ragged(
        rewards.into_dispatch(),
        correct.into_dispatch(),
        offsets.clone(),
        rule,
    );
    let statistics = Tensor::<2>::from_dispatch(statistics);
    let column = |i| statistics.clone().narrow(1, i, 1).reshape([groups]);
    RaggedNormalized {
        advantages: Tensor::from_dispatch(advantages),
        means: column(0),
        stds: column(1),
        success_rates: column(2),
    }
}

fn empty(device: &Device) -> RaggedNormalized {
    let none = Tensor::<1>::zeros([0], device);
    RaggedNormalized {
        advantages: none.clone(),
        means: none.clone(),
        stds: none.clone(),
        success_rates: none,
    }
}

/// How the groups lie in a rectangle, and in order.
struct Rectangle<B: Backend> {
    shape: [usize; 2],
    /// For each place of the rectangle a completion; any where there is none.
    to: IntTensor<B>,
    /// For each completion its place in the rectangle.
    back: IntTensor<B>,
    /// 1 where there is a completion.
    mask: FloatTensor<B>,
}

impl<B: Backend> Rectangle<B> {
    fn of(offsets: &GroupOffsets, like: &FloatTensor<B>) -> Self {
        let shape = [offsets.groups(), offsets.width()];
        let (mut to, mut mask) =
            (vec![0i32; shape[0] * shape[1]], vec![0.0f32; shape[0] * shape[1]]);
        let mut back = Vec::with_capacity(offsets.completions());
        for (row, range) in offsets.ranges().enumerate() {
            for (column, completion) in range.enumerate() {
                let place = row * shape[1] + column;
                (to[place], mask[place]) = (completion as i32, 1.0);
                back.push(place as i32);
            }
        }
        let device = like.device();
        let dtype = get_or_init_device_settings::<B>(&device).int_dtype;
        let ints = |ids: Vec<i32>| {
            let count = ids.len();
            let data = TensorData::new(ids, [count]).convert_dtype(dtype.into());
            B::int_from_data(data, &device)
        };
        let mask = TensorData::new(mask, shape);
        let mask = mask.convert_dtype(accumulate_dtype(like.dtype()).into());
        Self { shape, to: ints(to), back: ints(back), mask: B::float_from_data(mask, &device) }
    }

    fn laid_out(&self, tensor: FloatTensor<B>) -> FloatTensor<B> {
        let rows = B::float_select(tensor, 0, self.to.clone());
        B::float_reshape(rows, Shape::new(self.shape))
    }

    fn in_order(&self, tensor: FloatTensor<B>) -> FloatTensor<B> {
        let places = Shape::new([self.shape[0] * self.shape[1]]);
        B::float_select(B::float_reshape(tensor, places), 0, self.back.clone())
    }
}

/// The body for every backend.
pub(crate) fn reference<B: TokenKernels>(
    rewards: FloatTensor<B>,
    correct: FloatTensor<B>,
    offsets: &GroupOffsets,
    rule: GroupNormalization,
) -> Outputs<B> {
    if offsets.completions() == 0 {
        let (device, dtype) = (rewards.device(), accumulate_dtype(rewards.dtype()));
        let statistics = B::float_zeros(Shape::new([offsets.groups(), 3]), &device, dtype);
        return (accumulate::<B>(rewards), statistics);
    }
    let rectangle = Rectangle::<B>::of(offsets, &rewards);
    let (rewards, correct) = (rectangle.laid_out(rewards), rectangle.laid_out(correct));
    let (advantages, statistics) =
        B::group_normalize(rewards, correct, rectangle.mask.clone(), rule);
    (rectangle.in_order(advantages), statistics)
}

#[derive(Debug)]
struct RaggedBackward;

impl<B: Backend> Backward<B, 1> for RaggedBackward {
    /// Rewards, correctness, offsets and the rule.
    type State = (FloatTensor<B>, FloatTensor<B>, GroupOffsets, GroupNormalization);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let (rewards, correct, offsets, rule) = ops.state;
            let rectangle = Rectangle::<B>::of(&offsets, &rewards);
            let (rewards, correct) = (rectangle.laid_out(rewards), rectangle.laid_out(correct));
            let upstream = rectangle.laid_out(upstream);
            let saved = Saved { rewards, correct, mask: rectangle.mask.clone(), rule };
            let whole = rectangle.in_order(gradient::<B>(saved, upstream));
            gradients.register::<B>(node.id, whole);
        }
    }
}

/// The operation with its gradient.
pub(crate) fn tracked<B: TokenKernels, C: CheckpointStrategy>(
    rewards: FloatTensor<Autodiff<B, C>>,
    correct: FloatTensor<Autodiff<B, C>>,
    offsets: GroupOffsets,
    rule: GroupNormalization,
) -> Outputs<Autodiff<B, C>> {
    let ((rewards, guard), correct) = (rewards.into_parts(), correct.into_primitive());
    let (advantages, statistics) =
        B::group_normalize_ragged(rewards.clone(), correct.clone(), offsets.clone(), rule);
    let advantages = match RaggedBackward.prepare::<C>([guard]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            prepared.finish((rewards, correct, offsets, rule), advantages)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(advantages),
    };
    (advantages, <Autodiff<B, C> as AutodiffBackend>::from_inner(statistics))
}

#[cfg(feature = "cube")]
pub(crate) mod cube {
    //! The offsets go to the device, where the kernel reads the groups in place.

    use burn::backend::{get_or_init_device_settings, ops::IntTensorOps};
    use burn::tensor::TensorData;
    use burn_cubecl::{CubeBackend, tensor::CubeTensor};

    use super::{GroupNormalization, GroupOffsets, Outputs};
    use crate::group_normalize::cube::launch_ragged;

    pub(crate) fn launch(
        rewards: CubeTensor,
        correct: CubeTensor,
        offsets: &GroupOffsets,
        rule: GroupNormalization,
    ) -> Outputs<CubeBackend> {
        let dtype = get_or_init_device_settings::<CubeBackend>(&rewards.device).int_dtype;
        let starts: Vec<i32> = offsets.0.iter().map(|start| *start as i32).collect();
        let starts = TensorData::new(starts, [offsets.0.len()]).convert_dtype(dtype.into());
        let starts = CubeBackend::int_from_data(starts, &rewards.device);
        launch_ragged(rewards, correct, starts, rule)
    }
}

#[cfg(feature = "flex")]
pub(crate) mod flex {
    //! Some groups at a time as a rectangle, in memory that stays in the cache, and back.

    use std::ops::Range;

    use burn::backend::{Flex, tensor::FloatTensor};

    use super::{GroupNormalization, GroupOffsets, Outputs, reference};
    use crate::flex::{are_f32, dense, numbers, tensor};
    use crate::group_normalize::flex::fused as rectangle;

    /// Groups of a rectangle.
    const GROUPS: usize = 1024;

    pub(crate) fn fused(
        rewards: FloatTensor<Flex>,
        correct: FloatTensor<Flex>,
        offsets: &GroupOffsets,
        rule: GroupNormalization,
    ) -> Outputs<Flex> {
        if !are_f32(&[&rewards, &correct]) {
            return reference::<Flex>(rewards, correct, offsets, rule);
        }
        let [rewards, correct] = [rewards, correct].map(dense);
        let inputs = [&rewards, &correct].map(numbers);
        let mut advantages = Vec::with_capacity(offsets.completions());
        let mut statistics = Vec::with_capacity(offsets.groups() * 3);
        for first in (0..offsets.groups()).step_by(GROUPS) {
            let starts = &offsets.0[first..=(first + GROUPS).min(offsets.groups())];
            let shape = [starts.len() - 1, width(starts)];
            let of = |input: &[f32]| {
                let row = |group: Range<usize>, row: &mut [f32]| row.copy_from_slice(&input[group]);
                tensor(laid_out(starts, shape[1], row), shape)
            };
            let [rewards, correct] = inputs.map(of);
            let mask = tensor(laid_out(starts, shape[1], |_, row| row.fill(1.0)), shape);
            let (found, of_groups) = rectangle(rewards, correct, mask, rule);
            let rows = numbers(&found).chunks(shape[1]).zip(starts.windows(2));
            rows.for_each(|(row, pair)| advantages.extend_from_slice(&row[..pair[1] - pair[0]]));
            statistics.extend_from_slice(numbers(&of_groups));
        }
        let shape = [offsets.completions()];
        (tensor(advantages, shape), tensor(statistics, [offsets.groups(), 3]))
    }

    /// The largest group, at least 1.
    fn width(starts: &[usize]) -> usize {
        starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0).max(1)
    }

    /// The groups as rows, 0 beyond their ends.
    fn laid_out(
        starts: &[usize],
        width: usize,
        write: impl Fn(Range<usize>, &mut [f32]),
    ) -> Vec<f32> {
        let mut places = vec![0.0; (starts.len() - 1) * width];
        for (row, pair) in places.chunks_mut(width).zip(starts.windows(2)) {
            write(pair[0]..pair[1], &mut row[..pair[1] - pair[0]]);
        }
        places
    }
}
