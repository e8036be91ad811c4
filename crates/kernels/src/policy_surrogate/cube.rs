//! The Cube kernel of `policy_surrogate`: every element of every output in one launch.

#![allow(clippy::too_many_arguments, reason = "a kernel binds every buffer by itself")]

use burn::backend::TensorMetadata;
use burn::tensor::DType;
use burn_cubecl::cubecl;
use burn_cubecl::{CubeBackend, tensor::CubeTensor};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};

use super::formula::{
    TokenLoss, aspo, capped, cispo, clipped, held, limited, sapo, sapo_exponent, without_advantage,
};
use super::{Outputs, SurrogateKind, SurrogateRule};
use crate::launch::{address_type, element, empty, scalar, vector_size};
use crate::primitive::accumulate_dtype;

/// Which formula a kernel is compiled with; its settings are arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Formula {
    Clipped,
    DualClipped,
    Aspo,
    Cispo,
    Sapo,
}

/// The settings of a formula, in its order, and the limit of the log-ratio.
#[derive(CubeType, Clone, Copy)]
#[expand(derive(Clone, Copy))]
pub(crate) struct Settings<A: Float> {
    pub(crate) first: A,
    pub(crate) second: A,
    pub(crate) third: A,
    pub(crate) limit: A,
}

/// Everything about one token: what the surrogate makes of it, and its ratio.
#[derive(CubeType, Clone, Copy)]
#[expand(derive(Clone, Copy))]
pub(crate) struct Token<A: Float> {
    pub(crate) token: TokenLoss<A>,
    pub(crate) ratio: A,
}

#[cube]
fn formula_of<A: Float>(
    ratio: A,
    advantage: A,
    logprob: A,
    settings: Settings<A>,
    #[comptime] formula: Formula,
) -> TokenLoss<A> {
    let (a, b, c) = (settings.first, settings.second, settings.third);
    match formula {
        Formula::Clipped => clipped::<A>(ratio, advantage, a, b),
        Formula::DualClipped => capped::<A>(clipped::<A>(ratio, advantage, a, b), advantage, c),
        Formula::Aspo => aspo::<A>(ratio, advantage, a, b, c),
        Formula::Cispo => cispo::<A>(ratio, advantage, logprob, a, b),
        Formula::Sapo => {
            let exponent = sapo_exponent::<A>(ratio, advantage, a, b);
            let gate = A::new(1.0) / (A::new(1.0) + (-exponent).exp());
            sapo::<A>(ratio, gate, advantage, a, b)
        }
    }
}

/// Does a limit on the log-ratio take the gradient away? Not where a weight carries none.
fn holds(formula: Formula) -> bool {
    matches!(formula, Formula::Clipped | Formula::DualClipped | Formula::Sapo)
}

#[cube]
pub(crate) fn token<A: Float>(
    log_ratio: A,
    advantage: A,
    logprob: A,
    settings: Settings<A>,
    #[comptime] formula: Formula,
    #[comptime] is_limited: bool,
) -> Token<A> {
    let exponent =
        if comptime!(is_limited) { limited::<A>(log_ratio, settings.limit) } else { log_ratio };
    let ratio = exponent.exp();
    let free = formula_of::<A>(ratio, advantage, logprob, settings, formula);
    let one = if comptime!(is_limited && holds(formula)) {
        held::<A>(free, log_ratio, exponent)
    } else {
        free
    };
    Token::<A> { token: without_advantage::<A>(one, advantage), ratio }
}

#[cube(launch, address_type = "dynamic")]
fn policy_surrogate_kernel<L: Float, B: Float, D: Float, M: Float, A: Float, N: Size>(
    logprobs: LinearView<'_, Vector<L, N>>,
    behaviour: LinearView<'_, Vector<B, N>>,
    advantages: LinearView<'_, Vector<D, N>>,
    mask: LinearView<'_, Vector<M, N>>,
    mut losses: LinearViewMut<'_, Vector<A, N>>,
    mut derivatives: LinearViewMut<'_, Vector<A, N>>,
    mut ratios: LinearViewMut<'_, Vector<A, N>>,
    mut clips: LinearViewMut<'_, Vector<A, N>>,
    first: InputScalar,
    second: InputScalar,
    third: InputScalar,
    limit: InputScalar,
    #[comptime] formula: Formula,
    #[comptime] is_limited: bool,
    #[define(L, B, D, M, A)] _dtypes: [ElemType; 5],
) {
    let position = ABSOLUTE_POS;
    if !losses.is_in_bounds(position) {
        terminate!();
    }
    let settings = Settings::<A> {
        first: first.get::<A>(),
        second: second.get::<A>(),
        third: third.get::<A>(),
        limit: limit.get::<A>(),
    };
    let logprobs = Vector::<A, N>::cast_from(logprobs.read(position));
    let behaviour = Vector::<A, N>::cast_from(behaviour.read(position));
    let advantages = Vector::<A, N>::cast_from(advantages.read(position));
    let mask = mask.read(position);
    let mut loss = Vector::<A, N>::empty();
    let mut derivative = Vector::<A, N>::empty();
    let mut ratio = Vector::<A, N>::empty();
    let mut clip = Vector::<A, N>::empty();
    #[unroll]
    for lane in 0..N::value() {
        // What stands at masked places is replaced before anything is computed from it.
        let outside = mask.extract(lane) <= M::new(0.0);
        let logprob = select(outside, A::new(0.0), logprobs.extract(lane));
        let advantage = select(outside, A::new(0.0), advantages.extract(lane));
        let log_ratio = select(outside, A::new(0.0), logprob - behaviour.extract(lane));
        let one = token::<A>(log_ratio, advantage, logprob, settings, formula, is_limited);
        loss.insert(lane, one.token.loss);
        derivative.insert(lane, one.token.derivative);
        ratio.insert(lane, one.ratio);
        clip.insert(lane, one.token.clip);
    }
    losses.write(position, loss);
    derivatives.write(position, derivative);
    ratios.write(position, ratio);
    clips.write(position, clip);
}

/// The formula of a kind and its settings.
pub(crate) fn settings(kind: SurrogateKind) -> (Formula, [f64; 3]) {
    match kind {
        SurrogateKind::Clipped { epsilon_low, epsilon_high, dual_clip } => {
            let formula = if dual_clip.is_some() { Formula::DualClipped } else { Formula::Clipped };
            (formula, [1.0 - epsilon_low, 1.0 + epsilon_high, dual_clip.unwrap_or_default()])
        }
        SurrogateKind::Aspo { epsilon_low, epsilon_high, cap } => {
            (Formula::Aspo, [1.0 - epsilon_low, 1.0 + epsilon_high, cap])
        }
        // Shaders know no infinity.
        SurrogateKind::Cispo { lowest, highest } => {
            (Formula::Cispo, [lowest, highest.min(f32::MAX.into()), 0.0])
        }
        SurrogateKind::Sapo { tau_positive, tau_negative } => {
            (Formula::Sapo, [tau_positive, tau_negative, 0.0])
        }
    }
}

/// The operation in one launch. Inputs may be strided or broadcast views.
pub(crate) fn launch(
    logprobs: CubeTensor,
    behaviour: CubeTensor,
    advantages: CubeTensor,
    mask: CubeTensor,
    rule: SurrogateRule,
) -> Outputs<CubeBackend> {
    let shape = logprobs.shape();
    let dtype = DType::from(accumulate_dtype(logprobs.dtype));
    let outputs = [(); 4].map(|()| empty(&logprobs, shape.clone(), dtype));
    if shape.num_elements() > 0 {
        run([logprobs, behaviour, advantages, mask], &outputs, rule);
    }
    outputs.into()
}

fn run(inputs: [CubeTensor; 4], outputs: &[CubeTensor; 4], rule: SurrogateRule) {
    let all: Vec<&CubeTensor> = inputs.iter().chain(outputs).collect();
    let (vector, address) = (vector_size(&all), address_type(&all));
    let client = &outputs[0].client.clone();
    let dtype = outputs[0].dtype;
    let units = outputs[0].meta.num_elements() / vector;
    let dim = CubeDim::new(client, units);
    let count = calculate_cube_count_elemwise(client, units, dim);
    let elements = [&inputs[0], &inputs[1], &inputs[2], &inputs[3], &outputs[0]];
    let elements = elements.map(|tensor| element(tensor.dtype));
    let (formula, settings) = settings(rule.kind);
    let [first, second, third] = settings.map(|setting| scalar(setting, dtype));
    let [logprobs, behaviour, advantages, mask] =
        inputs.map(|tensor| tensor.into_linear_view_like(&outputs[0]));
    let [loss, derivative, ratio, clip] =
        [0, 1, 2, 3].map(|i| outputs[i].clone().into_linear_view());
    policy_surrogate_kernel::launch(
        client,
        count,
        dim,
        address,
        vector,
        logprobs,
        behaviour,
        advantages,
        mask,
        loss,
        derivative,
        ratio,
        clip,
        first,
        second,
        third,
        scalar(rule.log_ratio_limit.unwrap_or_default(), dtype),
        formula,
        rule.log_ratio_limit.is_some(),
        elements,
    );
}
