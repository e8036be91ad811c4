//! The Cube kernel of `policy_objective`: every element of every output in one launch.

#![allow(clippy::too_many_arguments, reason = "a kernel binds every buffer by itself")]

use burn::backend::TensorMetadata;
use burn::tensor::DType;
use burn_cubecl::cubecl;
use burn_cubecl::{CubeBackend, tensor::CubeTensor};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};

use super::{Inputs, KlEstimator, ObjectiveRule, Outputs};
use crate::launch::{address_type, element, empty, scalar, vector_size};
use crate::policy_surrogate::cube::{Formula, Settings, settings, token};
use crate::policy_surrogate::formula::{
    TokenKl, kl_absolute, kl_exponential, kl_linear, kl_square, kl_within, limited,
};
use crate::primitive::accumulate_dtype;

/// What a kernel is compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Compiled {
    formula: Formula,
    is_limited: bool,
    has_wide: bool,
    estimator: Option<KlEstimator>,
    has_exponent_limit: bool,
    has_value_limit: bool,
}

/// The numbers of a penalty.
#[derive(CubeType, Clone, Copy)]
#[expand(derive(Clone, Copy))]
struct Penalty<A: Float> {
    coefficient: A,
    exponent_limit: A,
    value_limit: A,
}

#[cube]
fn plain<A: Float>(difference: A, #[comptime] estimator: KlEstimator) -> TokenKl<A> {
    match estimator {
        KlEstimator::Linear => kl_linear::<A>(difference),
        KlEstimator::Absolute => kl_absolute::<A>(difference),
        KlEstimator::Square => kl_square::<A>(difference),
        KlEstimator::Exponential => kl_exponential::<A>(difference, (-difference).exp()),
    }
}

/// The estimate within its limits; a limit that is not there is the number itself.
#[cube]
fn estimate<A: Float>(
    difference: A,
    penalty: Penalty<A>,
    #[comptime] estimator: KlEstimator,
    #[comptime] compiled: Compiled,
) -> TokenKl<A> {
    let held = if comptime!(compiled.has_exponent_limit) {
        limited::<A>(difference, penalty.exponent_limit)
    } else {
        difference
    };
    let found = plain::<A>(held, estimator);
    let size = select(found.value < A::new(0.0), -found.value, found.value);
    let limit = if comptime!(compiled.has_value_limit) { penalty.value_limit } else { size };
    kl_within::<A>(found, difference, held, limit)
}

#[cube(launch, address_type = "dynamic")]
fn policy_objective_kernel<
    L: Float,
    B: Float,
    D: Float,
    M: Float,
    W: Float,
    R: Float,
    A: Float,
    N: Size,
>(
    logprobs: LinearView<'_, Vector<L, N>>,
    behaviour: LinearView<'_, Vector<B, N>>,
    advantages: LinearView<'_, Vector<D, N>>,
    mask: LinearView<'_, Vector<M, N>>,
    wide: LinearView<'_, Vector<W, N>>,
    reference: LinearView<'_, Vector<R, N>>,
    mut losses: LinearViewMut<'_, Vector<A, N>>,
    mut derivatives: LinearViewMut<'_, Vector<A, N>>,
    mut ratios: LinearViewMut<'_, Vector<A, N>>,
    mut clips: LinearViewMut<'_, Vector<A, N>>,
    mut penalties: LinearViewMut<'_, Vector<A, N>>,
    first: InputScalar,
    second: InputScalar,
    third: InputScalar,
    wide_first: InputScalar,
    wide_second: InputScalar,
    limit: InputScalar,
    coefficient: InputScalar,
    exponent_limit: InputScalar,
    value_limit: InputScalar,
    #[comptime] compiled: Compiled,
    #[define(L, B, D, M, W, R, A)] _dtypes: [ElemType; 7],
) {
    let position = ABSOLUTE_POS;
    if !losses.is_in_bounds(position) {
        terminate!();
    }
    let penalty = Penalty::<A> {
        coefficient: coefficient.get::<A>(),
        exponent_limit: exponent_limit.get::<A>(),
        value_limit: value_limit.get::<A>(),
    };
    let zero = A::new(0.0);
    let logprobs = Vector::<A, N>::cast_from(logprobs.read(position));
    let behaviour = Vector::<A, N>::cast_from(behaviour.read(position));
    let advantages = Vector::<A, N>::cast_from(advantages.read(position));
    let reference = Vector::<A, N>::cast_from(reference.read(position));
    let mask = mask.read(position);
    let wide = wide.read(position);
    let mut loss = Vector::<A, N>::empty();
    let mut derivative = Vector::<A, N>::empty();
    let mut ratio = Vector::<A, N>::empty();
    let mut clip = Vector::<A, N>::empty();
    let mut added = Vector::<A, N>::empty();
    #[unroll]
    for lane in 0..N::value() {
        // What stands at masked places is replaced before anything is computed from it.
        let outside = mask.extract(lane) <= M::new(0.0);
        let logprob = select(outside, zero, logprobs.extract(lane));
        let advantage = select(outside, zero, advantages.extract(lane));
        let log_ratio = select(outside, zero, logprob - behaviour.extract(lane));
        let flagged = comptime!(compiled.has_wide).runtime() && wide.extract(lane) > W::new(0.0);
        let settings = Settings::<A> {
            first: select(flagged, wide_first.get::<A>(), first.get::<A>()),
            second: select(flagged, wide_second.get::<A>(), second.get::<A>()),
            third: third.get::<A>(),
            limit: limit.get::<A>(),
        };
        let (formula, is_limited) = comptime!((compiled.formula, compiled.is_limited));
        let one = token::<A>(log_ratio, advantage, logprob, settings, formula, is_limited);
        let difference = select(outside, zero, logprob - reference.extract(lane));
        let mut value = zero;
        let mut slope = zero;
        if comptime!(compiled.estimator.is_some()) {
            let estimator = comptime!(compiled.estimator.unwrap_or(KlEstimator::Linear));
            let kl = estimate::<A>(difference, penalty, estimator, compiled);
            value = kl.value * penalty.coefficient;
            slope = select(outside, zero, kl.slope * penalty.coefficient);
        }
        loss.insert(lane, one.token.loss + value);
        derivative.insert(lane, one.token.derivative + slope);
        ratio.insert(lane, one.ratio);
        clip.insert(lane, one.token.clip);
        added.insert(lane, value);
    }
    losses.write(position, loss);
    derivatives.write(position, derivative);
    ratios.write(position, ratio);
    clips.write(position, clip);
    penalties.write(position, added);
}

/// The operation in one launch. Inputs may be strided or broadcast views.
pub(crate) fn launch(
    (logprobs, constants): Inputs<CubeBackend>,
    rule: ObjectiveRule,
) -> Outputs<CubeBackend> {
    let shape = logprobs.shape();
    let dtype = DType::from(accumulate_dtype(logprobs.dtype));
    let outputs = [(); 5].map(|()| empty(&logprobs, shape.clone(), dtype));
    if shape.num_elements() > 0 {
        let [behaviour, advantages, mask, wide, reference] = constants;
        run([logprobs, behaviour, advantages, mask, wide, reference], &outputs, rule);
    }
    outputs.into()
}

fn compiled(rule: &ObjectiveRule) -> Compiled {
    let (formula, _) = settings(rule.surrogate.kind);
    let limit = |of: fn(&super::KlPenalty) -> Option<f64>| rule.penalty.as_ref().and_then(of);
    Compiled {
        formula,
        is_limited: rule.surrogate.log_ratio_limit.is_some(),
        has_wide: rule.wide.is_some(),
        estimator: rule.penalty.map(|penalty| penalty.estimator),
        has_exponent_limit: limit(|penalty| penalty.exponent_limit).is_some(),
        has_value_limit: limit(|penalty| penalty.value_limit).is_some(),
    }
}

/// The numbers of a rule, in the kernel's order; 0 for what is not there.
fn numbers(rule: &ObjectiveRule) -> [f64; 9] {
    let (_, [first, second, third]) = settings(rule.surrogate.kind);
    let kind = rule.wide.map(|range| rule.surrogate.kind.with_range(range));
    let [wide_first, wide_second, _] = kind.map_or([0.0; 3], |kind| settings(kind).1);
    let limit = rule.surrogate.log_ratio_limit.unwrap_or_default();
    let [coefficient, exponent, value] = rule.penalty.map_or([0.0; 3], |penalty| {
        let limits = [penalty.exponent_limit, penalty.value_limit].map(Option::unwrap_or_default);
        [penalty.coefficient, limits[0], limits[1]]
    });
    [first, second, third, wide_first, wide_second, limit, coefficient, exponent, value]
}

fn run(inputs: [CubeTensor; 6], outputs: &[CubeTensor; 5], rule: ObjectiveRule) {
    let all: Vec<&CubeTensor> = inputs.iter().chain(outputs).collect();
    let (vector, address) = (vector_size(&all), address_type(&all));
    let client = &outputs[0].client.clone();
    let dtype = outputs[0].dtype;
    let units = outputs[0].meta.num_elements() / vector;
    let dim = CubeDim::new(client, units);
    let count = calculate_cube_count_elemwise(client, units, dim);
    let of_inputs = inputs.each_ref().map(|tensor| element(tensor.dtype));
    let [l, b, d, m, w, r] = of_inputs;
    let [first, second, third, wide_first, wide_second, limit, coefficient, exponent, value] =
        numbers(&rule).map(|number| scalar(number, dtype));
    let [logprobs, behaviour, advantages, mask, wide, reference] =
        inputs.map(|tensor| tensor.into_linear_view_like(&outputs[0]));
    let [loss, derivative, ratio, clip, penalty] =
        [0, 1, 2, 3, 4].map(|i| outputs[i].clone().into_linear_view());
    policy_objective_kernel::launch(
        client,
        count,
        dim,
        address,
        vector,
        logprobs,
        behaviour,
        advantages,
        mask,
        wide,
        reference,
        loss,
        derivative,
        ratio,
        clip,
        penalty,
        first,
        second,
        third,
        wide_first,
        wide_second,
        limit,
        coefficient,
        exponent,
        value,
        compiled(&rule),
        [l, b, d, m, w, r, element(dtype)],
    );
}
