//! `policy_objective`: `policy_surrogate` and, in the same pass, the penalty for the divergence from a
//! reference policy and a second clip range for some of the tokens.

use burn::backend::{
    Autodiff, AutodiffBackend, Dispatch, TensorMetadata,
    autodiff::{
        checkpoint::strategy::CheckpointStrategy,
        ops::{Backward, OpsKind},
    },
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

use crate::ops::TokenKernels;
use crate::policy_surrogate::{
    PolicySurrogate, PolicySurrogateBackward, SurrogateKind, SurrogateRule,
};

#[cfg(feature = "cube")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
mod reference;

pub(crate) use reference::reference;

/// An estimator of `KL(policy || reference)` from one sampled token, with `d = logprob - reference`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KlEstimator {
    /// k1: `d`.
    Linear,
    /// `|d|`.
    Absolute,
    /// k2: `d^2 / 2`.
    Square,
    /// k3: `e^-d - 1 + d`.
    Exponential,
}

/// The penalty for the divergence from a reference policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlPenalty {
    /// The estimator.
    pub estimator: KlEstimator,
    /// What an estimate is multiplied with.
    pub coefficient: f64,
    /// `d` is held within plus or minus this.
    pub exponent_limit: Option<f64>,
    /// The estimate is held within plus or minus this.
    pub value_limit: Option<f64>,
}

/// What a surrogate may look at beside its four inputs, each `[B, T]`.
#[derive(Clone, Debug, Default)]
pub struct ObjectiveInputs {
    /// Tokens that have another clip range: 1 there and 0 elsewhere, and the range's `epsilon_low`
    /// and `epsilon_high`.
    pub wide: Option<(Tensor<2>, [f64; 2])>,
    /// Log-probabilities under the reference policy, and the penalty.
    pub reference: Option<(Tensor<2>, KlPenalty)>,
}

/// What [`policy_objective`] gives.
#[derive(Clone, Debug)]
pub struct PolicyObjective {
    /// As without the penalty, but that the loss and the derivative contain it.
    pub surrogate: PolicySurrogate,
    /// The penalty in the loss of each token, `[B, T]`: coefficient times estimate; 0 where masked.
    /// Without a gradient of its own.
    pub penalty: Tensor<2>,
}

/// A rule with what concerns the inputs beside the four.
#[derive(Clone, Copy, Debug)]
pub struct ObjectiveRule {
    pub(crate) surrogate: SurrogateRule,
    /// The clip range of the tokens that are flagged.
    pub(crate) wide: Option<[f64; 2]>,
    pub(crate) penalty: Option<KlPenalty>,
}

impl SurrogateKind {
    /// The same surrogate with another clip range.
    ///
    /// # Panics
    /// If it has none.
    pub(crate) fn with_range(self, [low, high]: [f64; 2]) -> Self {
        match self {
            Self::Clipped { dual_clip, .. } => {
                Self::Clipped { epsilon_low: low, epsilon_high: high, dual_clip }
            }
            Self::Aspo { cap, .. } => Self::Aspo { epsilon_low: low, epsilon_high: high, cap },
            Self::Cispo { .. } | Self::Sapo { .. } => panic!("{self:?} has no clip range"),
        }
    }
}

/// [`policy_surrogate`](crate::policy_surrogate) with more to look at, still in one pass.
///
/// With `d = logprob - reference`, held within `exponent_limit`:
///
/// ```text
/// loss = surrogate loss + coefficient kl      kl = d (k1), |d|, d^2/2 (k2) or e^-d - 1 + d (k3)
/// d loss / d logprob = that of the surrogate + coefficient (1, sign d, d or 1 - e^-d)
/// ```
///
/// where the estimate is held within `value_limit`, and has no gradient where a limit holds it. The
/// forms are those of Schulman, "Approximating KL divergence" (2020); limits as in verl (20 on `d`, 10
/// on k3). A flagged token has the second clip range in the place of `epsilon_low` and `epsilon_high`
/// (released code of ASPO, arXiv 2510.06062: the tokens of high entropy).
///
/// ```
/// use burn::tensor::Tensor;
/// use fireproof_kernels::{
///     KlEstimator, KlPenalty, ObjectiveInputs, SurrogateKind, SurrogateRule, policy_objective,
///     resolve_device,
/// };
///
/// let device = resolve_device(Some("flex")).unwrap().device;
/// let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &device);
/// let kind = SurrogateKind::Clipped { epsilon_low: 0.2, epsilon_high: 0.2, dual_clip: None };
/// let penalty = KlPenalty {
///     estimator: KlEstimator::Square,
///     coefficient: 0.5,
///     exponent_limit: None,
///     value_limit: None,
/// };
/// let inputs = ObjectiveInputs {
///     // The second token may go up to 1.6.
///     wide: Some((row([0.0, 1.0]), [0.4, 0.6])),
///     reference: Some((row([-1.0, 1.0]), penalty)),
/// };
/// let (logprobs, zeros, ones) = (row([1.5f32.ln(); 2]), row([0.0; 2]), row([1.0; 2]));
/// let rule = SurrogateRule { kind, log_ratio_limit: None };
/// let out = policy_objective(logprobs, zeros, ones.clone(), ones, rule, inputs);
/// let found: Vec<f32> = out.surrogate.loss.into_data().try_to_vec().unwrap();
/// let d = [1.5f32.ln() + 1.0, 1.5f32.ln() - 1.0];
/// assert!((found[0] - (-1.2 + 0.25 * d[0] * d[0])).abs() < 1e-6);
/// assert!((found[1] - (-1.5 + 0.25 * d[1] * d[1])).abs() < 1e-6);
/// ```
///
/// Only `logprobs` receives a gradient. Where `mask` is 0 everything is exactly 0, whatever stands in
/// the other inputs.
///
/// # Shapes
/// All inputs and outputs `[B, T]`.
///
/// # Panics
/// If the shapes differ, or tokens have another clip range of a surrogate that has none.
#[must_use]
pub fn policy_objective(
    logprobs: Tensor<2>,
    behaviour: Tensor<2>,
    advantages: Tensor<2>,
    mask: Tensor<2>,
    rule: SurrogateRule,
    inputs: ObjectiveInputs,
) -> PolicyObjective {
    let shape = logprobs.dims();
    let rule = ObjectiveRule {
        surrogate: rule,
        wide: inputs.wide.as_ref().map(|(_, range)| *range),
        penalty: inputs.reference.as_ref().map(|(_, penalty)| *penalty),
    };
    if let Some(range) = rule.wide {
        let _ = rule.surrogate.kind.with_range(range);
    }
    // What is not there is not read either: any tensor of the shape stands in for it.
    let wide = inputs.wide.map_or_else(|| mask.clone(), |(flags, _)| flags);
    let reference = inputs.reference.map_or_else(|| behaviour.clone(), |(logprobs, _)| logprobs);
    for (name, found) in [
        ("behaviour log-probabilities", behaviour.dims()),
        ("advantages", advantages.dims()),
        ("mask", mask.dims()),
        ("flags", wide.dims()),
        ("reference log-probabilities", reference.dims()),
    ] {
        assert!(found == shape, "log-probabilities have shape {shape:?} but {name} {found:?}");
    }
    let (loss, derivative, ratio, clip, penalty) = <Dispatch as TokenKernels>::policy_objective(
        logprobs.into_dispatch(),
        behaviour.into_dispatch(),
        advantages.into_dispatch(),
        mask.into_dispatch(),
        wide.into_dispatch(),
        reference.into_dispatch(),
        rule,
    );
    let [loss, derivative, ratio, clip, penalty] =
        [loss, derivative, ratio, clip, penalty].map(Tensor::from_dispatch);
    let surrogate = PolicySurrogate { loss, derivative, ratio, clip };
    PolicyObjective { surrogate, penalty }
}

/// Loss, derivative, ratio, clip code and penalty.
pub(crate) type Outputs<B> =
    (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// Log-probabilities, then behaviour, advantages, mask, flags and reference.
pub(crate) type Inputs<B> = (FloatTensor<B>, [FloatTensor<B>; 5]);

/// The operation with its gradient: that of the surrogate, whose derivative contains the penalty's.
pub(crate) fn tracked<B: TokenKernels, C: CheckpointStrategy>(
    (logprobs, constants): Inputs<Autodiff<B, C>>,
    rule: ObjectiveRule,
) -> Outputs<Autodiff<B, C>> {
    let (logprobs, guard) = logprobs.into_parts();
    let dtype = logprobs.dtype();
    let [behaviour, advantages, mask, wide, reference] = constants.map(|t| t.into_primitive());
    let (loss, derivative, ratio, clip, penalty) =
        B::policy_objective(logprobs, behaviour, advantages, mask, wide, reference, rule);
    let constant = |tensor| <Autodiff<B, C> as AutodiffBackend>::from_inner(tensor);
    let [gradient, ratio, clip, penalty] = [derivative.clone(), ratio, clip, penalty].map(constant);
    let loss = match PolicySurrogateBackward.prepare::<C>([guard]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((derivative, dtype), loss),
        OpsKind::UnTracked(prepared) => prepared.finish(loss),
    };
    (loss, gradient, ratio, clip, penalty)
}
