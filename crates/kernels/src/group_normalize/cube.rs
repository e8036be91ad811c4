//! The Cube kernel of `group_normalize`: one unit a group, which reads its rewards three times.
//!
//! A group is a few rewards long, so the second and third reading come from the cache, the sums have
//! one order on every device, and no unit waits for another.

#![allow(clippy::too_many_arguments, reason = "a kernel binds every buffer by itself")]

use burn::tensor::DType;
use burn_cubecl::cubecl;
use burn_cubecl::{CubeBackend, kernel::into_contiguous, tensor::CubeTensor};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};

use super::{GroupEstimator, GroupNormalization, HUGE, Outputs, ddof};
use crate::launch::{address_type, element, empty, scalar, vector_size};
use crate::primitive::{accumulate_dtype, dims2};

/// Which estimator a kernel is compiled with; its settings are arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Estimator {
    Centered,
    LeaveOneOut,
    ZScore,
    ZScoreUnderRoot,
    LinearR,
    SqrtR,
    UniformR,
}

/// What a kernel is compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Compiled {
    estimator: Estimator,
    is_focal: bool,
    /// Without a mask every completion counts, and no mask is read.
    is_masked: bool,
}

impl Compiled {
    fn of(rule: GroupNormalization, is_masked: bool) -> Self {
        let estimator = match rule.estimator {
            GroupEstimator::Centered => Estimator::Centered,
            GroupEstimator::LeaveOneOut => Estimator::LeaveOneOut,
            GroupEstimator::ZScore { .. } => Estimator::ZScore,
            GroupEstimator::ZScoreUnderRoot { .. } => Estimator::ZScoreUnderRoot,
            GroupEstimator::LinearR => Estimator::LinearR,
            GroupEstimator::SqrtR => Estimator::SqrtR,
            GroupEstimator::UniformR => Estimator::UniformR,
        };
        Self { estimator, is_focal: rule.focal_gamma != 0.0, is_masked }
    }

    fn is_weighted(self) -> bool {
        matches!(self.estimator, Estimator::LinearR | Estimator::SqrtR | Estimator::UniformR)
    }
}

/// The numbers of a rule.
#[derive(CubeType, Clone, Copy)]
#[expand(derive(Clone, Copy))]
struct Settings<A: Float> {
    ddof: A,
    epsilon: A,
    gamma: A,
}

/// What one reading of a group finds.
#[derive(CubeType, Clone, Copy)]
#[expand(derive(Clone, Copy))]
struct Moments<A: Float> {
    /// Valid rewards, at least 1.
    count: A,
    mean: A,
    std: A,
    /// Largest minus smallest valid reward; not positive if there are fewer than two.
    spread: A,
    rho: A,
}

/// The mask at a place, 1 without a mask.
#[cube]
fn weights<M: Float, A: Float, N: Size>(
    mask: &LinearView<'_, Vector<M, N>>,
    place: usize,
    #[comptime] is_masked: bool,
) -> Vector<A, N> {
    if comptime!(is_masked) {
        Vector::<A, N>::cast_from(mask.read(place))
    } else {
        Vector::<A, N>::new(A::new(1.0))
    }
}

#[cube]
fn moments<R: Float, C: Float, M: Float, A: Float, N: Size>(
    rewards: &LinearView<'_, Vector<R, N>>,
    correct: &LinearView<'_, Vector<C, N>>,
    mask: &LinearView<'_, Vector<M, N>>,
    start: usize,
    vectors: usize,
    ddof: A,
    #[comptime] is_masked: bool,
) -> Moments<A> {
    let (zero, one) = (A::new(0.0), A::new(1.0));
    let mut count = A::new(0.0);
    let mut sum = A::new(0.0);
    let mut right = A::new(0.0);
    let mut largest = A::new(-HUGE);
    let mut smallest = A::new(HUGE);
    for i in start..start + vectors {
        let reward = Vector::<A, N>::cast_from(rewards.read(i));
        let flag = Vector::<A, N>::cast_from(correct.read(i));
        let weight = weights::<M, A, N>(mask, i, is_masked);
        #[unroll]
        for lane in 0..N::value() {
            let w = weight.extract(lane);
            let r = reward.extract(lane);
            count += w;
            sum += select(w > zero, r, zero);
            right += select(w > zero, flag.extract(lane), zero);
            largest = max(largest, select(w > zero, r, A::new(-HUGE)));
            smallest = min(smallest, select(w > zero, r, A::new(HUGE)));
        }
    }
    let count = max(count, one);
    let mean = sum / count;
    let mut squares = A::new(0.0);
    for i in start..start + vectors {
        let reward = Vector::<A, N>::cast_from(rewards.read(i));
        let weight = weights::<M, A, N>(mask, i, is_masked);
        #[unroll]
        for lane in 0..N::value() {
            let inside = weight.extract(lane) > zero;
            let deviation = select(inside, reward.extract(lane) - mean, zero);
            squares += deviation * deviation;
        }
    }
    let std = (squares / max(count - ddof, one)).sqrt();
    Moments::<A> { count, mean, std, spread: largest - smallest, rho: right / count }
}

/// What a deviation is multiplied with.
#[cube]
fn scale<A: Float>(moments: Moments<A>, epsilon: A, #[comptime] estimator: Estimator) -> A {
    match estimator {
        Estimator::ZScore => A::new(1.0) / max(moments.std + epsilon, A::new(1e-30)),
        Estimator::ZScoreUnderRoot => {
            let root = (moments.std * moments.std + epsilon).sqrt();
            A::new(1.0) / max(root, A::new(1e-30))
        }
        Estimator::LeaveOneOut => moments.count / max(moments.count - A::new(1.0), A::new(1.0)),
        _ => A::new(1.0),
    }
}

/// The advantage of a right or a wrong completion where correctness alone decides.
#[cube]
fn weighted<A: Float>(rho: A, right: bool, #[comptime] estimator: Estimator) -> A {
    let failure = A::new(1.0) - rho;
    let coefficient = match estimator {
        Estimator::SqrtR => failure.sqrt(),
        Estimator::UniformR => A::new(1.0),
        _ => failure,
    };
    // The divisor of the other kind may be 0, and is never used then.
    let divisor = max(select(right, rho, failure), A::new(1e-9));
    select(right, coefficient, -coefficient) / divisor
}

// ANCHOR: kernel
/// One group: the places from `start` on.
#[cube]
fn normalize<R: Float, C: Float, M: Float, A: Float, N: Size>(
    rewards: &LinearView<'_, Vector<R, N>>,
    correct: &LinearView<'_, Vector<C, N>>,
    mask: &LinearView<'_, Vector<M, N>>,
    advantages: &mut LinearViewMut<'_, Vector<A, N>>,
    statistics: &mut [A],
    group: usize,
    start: usize,
    vectors: usize,
    settings: Settings<A>,
    #[comptime] compiled: Compiled,
) {
    let is_masked = comptime!(compiled.is_masked);
    let (ddof, zero) = (settings.ddof, A::new(0.0));
    let found = moments::<R, C, M, A, N>(rewards, correct, mask, start, vectors, ddof, is_masked);
    statistics[group * 3] = found.mean;
    statistics[group * 3 + 1] = found.std;
    statistics[group * 3 + 2] = found.rho;
    let scale = scale::<A>(found, settings.epsilon, comptime!(compiled.estimator));
    let focal = if comptime!(compiled.is_focal) {
        (A::new(1.0) - found.rho).powf(settings.gamma)
    } else {
        A::new(1.0)
    };
    for i in start..start + vectors {
        let reward = Vector::<A, N>::cast_from(rewards.read(i));
        let flag = correct.read(i);
        let weight = weights::<M, A, N>(mask, i, is_masked);
        let mut advantage = Vector::<A, N>::empty();
        #[unroll]
        for lane in 0..N::value() {
            let one = if comptime!(compiled.is_weighted()) {
                let right = flag.extract(lane) > C::new(0.5);
                weighted::<A>(found.rho, right, comptime!(compiled.estimator))
            } else {
                let scaled = (reward.extract(lane) - found.mean) * scale;
                select(found.spread > zero, scaled, zero)
            };
            advantage.insert(lane, select(weight.extract(lane) > zero, one * focal, zero));
        }
        advantages.write(i, advantage);
    }
}

#[cube(launch, address_type = "dynamic")]
fn group_normalize_kernel<R: Float, C: Float, M: Float, A: Float, N: Size>(
    rewards: LinearView<'_, Vector<R, N>>,
    correct: LinearView<'_, Vector<C, N>>,
    mask: LinearView<'_, Vector<M, N>>,
    mut advantages: LinearViewMut<'_, Vector<A, N>>,
    statistics: &mut [A],
    vectors: usize,
    ddof: InputScalar,
    epsilon: InputScalar,
    gamma: InputScalar,
    #[comptime] compiled: Compiled,
    #[define(R, C, M, A)] _dtypes: [ElemType; 4],
) {
    let group = ABSOLUTE_POS;
    if group * 3 >= statistics.len() {
        terminate!();
    }
    let settings = Settings::<A> {
        ddof: ddof.get::<A>(),
        epsilon: epsilon.get::<A>(),
        gamma: gamma.get::<A>(),
    };
    normalize::<R, C, M, A, N>(
        &rewards,
        &correct,
        &mask,
        &mut advantages,
        statistics,
        group,
        group * vectors,
        vectors,
        settings,
        compiled,
    );
}
// ANCHOR_END: kernel

// ANCHOR: launch
/// The operation in one launch. Inputs may be strided or broadcast views.
pub(crate) fn launch(
    rewards: CubeTensor,
    correct: CubeTensor,
    mask: CubeTensor,
    rule: GroupNormalization,
) -> Outputs<CubeBackend> {
    let [groups, group] = dims2(&rewards, "rewards");
    let dtype = DType::from(accumulate_dtype(rewards.dtype));
    let advantages = empty(&rewards, [groups, group], dtype);
    let statistics = empty(&rewards, [groups, 3], dtype);
    if groups > 0 {
        run([rewards, correct, mask], &advantages, &statistics, rule);
    }
    (advantages, statistics)
}

fn run(
    inputs: [CubeTensor; 3],
    advantages: &CubeTensor,
    statistics: &CubeTensor,
    rule: GroupNormalization,
) {
    let [groups, group] = dims2(advantages, "advantages");
    let (client, dtype) = (&advantages.client.clone(), advantages.dtype);
    let all = [&inputs[0], &inputs[1], &inputs[2], advantages];
    let (vector, address) = (vector_size(&all), address_type(&all));
    let elements = all.map(|tensor| element(tensor.dtype));
    let dim = CubeDim::new(client, groups);
    let [ddof, epsilon, gamma] = settings(rule).map(|setting| scalar(setting, dtype));
    let [rewards, correct, mask] = inputs.map(|tensor| tensor.into_linear_view_like(advantages));
    group_normalize_kernel::launch(
        client,
        calculate_cube_count_elemwise(client, groups, dim),
        dim,
        address,
        vector,
        rewards,
        correct,
        mask,
        advantages.clone().into_linear_view(),
        statistics.clone().into_buffer_arg(),
        group / vector,
        ddof,
        epsilon,
        gamma,
        Compiled::of(rule, true),
        elements,
    );
}
// ANCHOR_END: launch

/// The numbers of a rule: ddof, epsilon and the focal exponent.
fn settings(rule: GroupNormalization) -> [f64; 3] {
    let epsilon = match rule.estimator {
        GroupEstimator::ZScore { epsilon, .. }
        | GroupEstimator::ZScoreUnderRoot { epsilon, .. } => epsilon,
        _ => 0.0,
    };
    [ddof(rule).into(), epsilon.into(), rule.focal_gamma.into()]
}

/// As the other kernel, with the first place of each group read from memory.
#[cube(launch, address_type = "dynamic")]
fn group_normalize_ragged_kernel<R: Float, C: Float, A: Float, I: Int, N: Size>(
    rewards: LinearView<'_, Vector<R, N>>,
    correct: LinearView<'_, Vector<C, N>>,
    mut advantages: LinearViewMut<'_, Vector<A, N>>,
    statistics: &mut [A],
    starts: &[I],
    ddof: InputScalar,
    epsilon: InputScalar,
    gamma: InputScalar,
    #[comptime] compiled: Compiled,
    #[define(R, C, A, I)] _dtypes: [ElemType; 4],
) {
    let group = ABSOLUTE_POS;
    if group * 3 >= statistics.len() {
        terminate!();
    }
    let settings = Settings::<A> {
        ddof: ddof.get::<A>(),
        epsilon: epsilon.get::<A>(),
        gamma: gamma.get::<A>(),
    };
    let start = usize::cast_from(starts[group]);
    normalize::<R, C, R, A, N>(
        &rewards,
        &correct,
        &rewards,
        &mut advantages,
        statistics,
        group,
        start,
        usize::cast_from(starts[group + 1]) - start,
        settings,
        compiled,
    );
}

/// Ragged groups in one launch; `starts` has one number more than there are groups.
pub(crate) fn launch_ragged(
    rewards: CubeTensor,
    correct: CubeTensor,
    starts: CubeTensor,
    rule: GroupNormalization,
) -> Outputs<CubeBackend> {
    let groups = starts.meta.num_elements() - 1;
    let dtype = DType::from(accumulate_dtype(rewards.dtype));
    let advantages = empty(&rewards, [rewards.meta.num_elements()], dtype);
    let statistics = empty(&rewards, [groups, 3], dtype);
    if groups == 0 {
        return (advantages, statistics);
    }
    let client = &advantages.client.clone();
    let starts = into_contiguous(starts);
    let all = [&rewards, &correct, &advantages, &starts];
    let (address, elements) = (address_type(&all), all.map(|tensor| element(tensor.dtype)));
    let dim = CubeDim::new(client, groups);
    let [ddof, epsilon, gamma] = settings(rule).map(|setting| scalar(setting, dtype));
    let [rewards, correct] = [rewards, correct].map(|t| t.into_linear_view_like(&advantages));
    group_normalize_ragged_kernel::launch(
        client,
        calculate_cube_count_elemwise(client, groups, dim),
        dim,
        address,
        // Groups begin anywhere.
        1,
        rewards,
        correct,
        advantages.clone().into_linear_view(),
        statistics.clone().into_buffer_arg(),
        starts.into_buffer_arg(),
        ddof,
        epsilon,
        gamma,
        Compiled::of(rule, false),
        elements,
    );
    (advantages, statistics)
}
