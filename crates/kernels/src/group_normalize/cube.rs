//! The Cube kernel of `group_normalize`: one unit a group, which reads its rewards three times.
//!
//! A group is a few rewards long, so the second and third reading come from the cache, the sums have
//! one order on every device, and no unit waits for another.

#![allow(clippy::too_many_arguments, reason = "a kernel binds every buffer by itself")]

use burn::tensor::DType;
use burn_cubecl::cubecl;
use burn_cubecl::{CubeBackend, tensor::CubeTensor};
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
    LinearR,
    SqrtR,
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

#[cube]
fn moments<R: Float, C: Float, M: Float, A: Float, N: Size>(
    rewards: &LinearView<'_, Vector<R, N>>,
    correct: &LinearView<'_, Vector<C, N>>,
    mask: &LinearView<'_, Vector<M, N>>,
    start: usize,
    vectors: usize,
    ddof: A,
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
        let weight = Vector::<A, N>::cast_from(mask.read(i));
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
        let weight = mask.read(i);
        #[unroll]
        for lane in 0..N::value() {
            let inside = weight.extract(lane) > M::new(0.0);
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
        _ => failure,
    };
    // The divisor of the other kind may be 0, and is never used then.
    let divisor = max(select(right, rho, failure), A::new(1e-9));
    select(right, coefficient, -coefficient) / divisor
}

// ANCHOR: kernel
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
    #[comptime] estimator: Estimator,
    #[comptime] is_focal: bool,
    #[define(R, C, M, A)] _dtypes: [ElemType; 4],
) {
    let group = ABSOLUTE_POS;
    if group * 3 >= statistics.len() {
        terminate!();
    }
    let start = group * vectors;
    let found =
        moments::<R, C, M, A, N>(&rewards, &correct, &mask, start, vectors, ddof.get::<A>());
    statistics[group * 3] = found.mean;
    statistics[group * 3 + 1] = found.std;
    statistics[group * 3 + 2] = found.rho;
    let scale = scale::<A>(found, epsilon.get::<A>(), estimator);
    let focal = if comptime!(is_focal) {
        (A::new(1.0) - found.rho).powf(gamma.get::<A>())
    } else {
        A::new(1.0)
    };
    let is_weighted = comptime!(matches!(estimator, Estimator::LinearR | Estimator::SqrtR));
    for i in start..start + vectors {
        let reward = Vector::<A, N>::cast_from(rewards.read(i));
        let flag = correct.read(i);
        let weight = mask.read(i);
        let mut advantage = Vector::<A, N>::empty();
        #[unroll]
        for lane in 0..N::value() {
            let one = if is_weighted {
                weighted::<A>(found.rho, flag.extract(lane) > C::new(0.5), estimator)
            } else {
                let scaled = (reward.extract(lane) - found.mean) * scale;
                select(found.spread > A::new(0.0), scaled, A::new(0.0))
            };
            let inside = weight.extract(lane) > M::new(0.0);
            advantage.insert(lane, select(inside, one * focal, A::new(0.0)));
        }
        advantages.write(i, advantage);
    }
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
    let (estimator, epsilon) = match rule.estimator {
        GroupEstimator::Centered => (Estimator::Centered, 0.0),
        GroupEstimator::LeaveOneOut => (Estimator::LeaveOneOut, 0.0),
        GroupEstimator::ZScore { epsilon, .. } => (Estimator::ZScore, epsilon),
        GroupEstimator::LinearR => (Estimator::LinearR, 0.0),
        GroupEstimator::SqrtR => (Estimator::SqrtR, 0.0),
    };
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
        scalar(ddof(rule).into(), dtype),
        scalar(epsilon.into(), dtype),
        scalar(rule.focal_gamma.into(), dtype),
        estimator,
        rule.focal_gamma != 0.0,
        elements,
    );
}
// ANCHOR_END: launch
