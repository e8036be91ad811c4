//! `policy_surrogate`: the per-token policy loss, its derivative and what people log about it.
//!
//! The derivative is computed together with the loss, so backward is one product and keeps one
//! tensor alive.

use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};
use burn::tensor::{DType, Tensor};

use crate::ops::TokenKernels;

#[cfg(feature = "cube")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
#[cfg(any(feature = "cube", feature = "flex", test))]
pub(crate) mod formula;
pub(crate) mod reference;
pub(crate) mod totals;

pub(crate) use reference::reference;

/// Nothing was clipped.
pub const CLIP_NONE: f32 = 0.0;
/// The ratio lay below `1 - epsilon_low` with a negative advantage: no gradient.
pub const CLIP_LOW: f32 = 1.0;
/// The ratio lay above `1 + epsilon_high` with a positive advantage: no gradient.
pub const CLIP_HIGH: f32 = 2.0;
/// The weight exceeded the cap: no gradient (clipped) or a gradient of the cap's size (ASPO).
pub const CLIP_DUAL: f32 = 3.0;

/// Which surrogate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SurrogateKind {
    /// The clipped importance-ratio surrogate of PPO, GRPO and DAPO.
    Clipped {
        /// Clip below `1 - epsilon_low`.
        epsilon_low: f64,
        /// Clip above `1 + epsilon_high`.
        epsilon_high: f64,
        /// Hard dual clip (arXiv 1912.09729, verl): for `A < 0` the loss is at most `-A cap`, and
        /// above it there is no gradient.
        dual_clip: Option<f64>,
    },
    /// ASPO (arXiv 2510.06062), paper form: the ratio flipped for positive advantages, a hard mask
    /// and a soft dual clip that keeps the gradient.
    Aspo {
        /// Mask below `1 - epsilon_low` for negative advantages.
        epsilon_low: f64,
        /// Mask above `1 + epsilon_high` for positive advantages.
        epsilon_high: f64,
        /// The weight is at most this.
        cap: f64,
    },
    /// The log-likelihood, weighted by the clipped ratio without a gradient in the weight: CISPO
    /// (arXiv 2506.13585), and with the bounds 0 and infinity importance-weighted REINFORCE.
    Cispo {
        /// The weight is at least this; 0 for no bound.
        lowest: f64,
        /// The weight is at most this; infinity for no bound.
        highest: f64,
    },
    /// A soft gate in place of the clip: SAPO (arXiv 2511.20347).
    Sapo {
        /// Steepness of the gate where the advantage is positive.
        tau_positive: f64,
        /// Steepness of the gate elsewhere.
        tau_negative: f64,
    },
}

/// A surrogate with its guard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurrogateRule {
    /// Which surrogate.
    pub kind: SurrogateKind,
    /// Log-ratios are held within plus or minus this (verl 20; TRL none). Outside, the clipped
    /// and SAPO's surrogates have no gradient, as for a clamp; a weight that carries no gradient
    /// (ASPO at its cap, CISPO) keeps its own.
    pub log_ratio_limit: Option<f64>,
}

/// What [`policy_surrogate`] gives, each `[B, T]`; only the loss is differentiable.
#[derive(Clone, Debug)]
pub struct PolicySurrogate {
    /// Loss of each token, to be weighted and summed; 0 where masked.
    pub loss: Tensor<2>,
    /// `d loss / d logprob` of each token; 0 where masked.
    pub derivative: Tensor<2>,
    /// Importance ratio `R` of each token; 1 where masked.
    pub ratio: Tensor<2>,
    /// [`CLIP_NONE`], [`CLIP_LOW`], [`CLIP_HIGH`] or [`CLIP_DUAL`] of each token.
    pub clip: Tensor<2>,
}

/// The per-token policy loss with its derivative, ratio and clip flags.
///
/// With `d = logprob - behaviour`, `R = exp(d)` and advantage `A`:
///
/// ```text
/// clipped  loss = -min(R A, clip(R, 1-low, 1+high) A);  dual clip, for A < 0: at most -A cap
///          d loss / d logprob = -R A, or 0 where a clip is active
///
/// ASPO     A < 0: w = R, masked for R < 1-low           A > 0: w = 1/R, masked for R > 1+high
///          loss = -A min(w, cap), w held at its value on the edge where masked
///          d loss / d logprob = -A min(w, cap), or 0 where masked
///
/// CISPO    w = clip(R, lowest, highest):  loss = -A w logprob;  d loss / d logprob = -A w
///
/// SAPO     s = sigmoid(tau (R - 1)):  loss = -(4 / tau) s A;  d loss / d logprob = -4 s (1 - s) R A
/// ```
///
/// Sources: PPO's clip (arXiv 1707.06347), the dual clip (arXiv 1912.09729), ASPO (arXiv 2510.06062),
/// CISPO (arXiv 2506.13585), SAPO (arXiv 2511.20347).
///
/// ```
/// use burn::tensor::Tensor;
/// use fireproof_kernels::{SurrogateKind, SurrogateRule, policy_surrogate, resolve_device};
///
/// let device = resolve_device(Some("flex")).unwrap().device;
/// let row = |values: [f32; 4]| Tensor::<2>::from_data([values], &device);
/// let ratios = [0.2f32, 0.5, 1.1, 1.9];
/// let kind = SurrogateKind::Aspo { epsilon_low: 0.2, epsilon_high: 0.2, cap: 3.0 };
/// let rule = SurrogateRule { kind, log_ratio_limit: None };
/// let out = policy_surrogate(row(ratios.map(f32::ln)), row([0.0; 4]), row([1.0; 4]), row([1.0; 4]), rule);
/// let found: Vec<f32> = out.derivative.into_data().try_to_vec().unwrap();
/// // A = 1: minus the flipped ratio, at most 3, nothing above 1.2.
/// for (found, expected) in found.iter().zip([-3.0, -2.0, -1.0 / 1.1, 0.0]) {
///     assert!((found - expected).abs() < 1e-5);
/// }
/// ```
///
/// A ratio of whole completions (GSPO, arXiv 2507.18071) is that of `logprobs` and `behaviour` that hold a
/// completion's mean in each of its tokens; the gradient goes on through the mean. A penalty for the
/// divergence from a reference and a second clip range for some tokens, still in one pass, are
/// [`policy_objective`](crate::policy_objective)'s.
///
/// Only `logprobs` receives a gradient; the other inputs are constants. Where `mask` is 0 the loss
/// and its gradient are exactly 0, whatever stands in the other inputs (NaN and infinity included).
///
/// Departure: for ASPO the *value* of the loss is the continuous `-A min(w, cap)` with `w` held at
/// the mask's edge; papers and released code differ in it, and only gradients are comparable. CISPO's value is the raw `-A w logprob`, as in TRL and verl.
///
/// # Shapes
/// All inputs and outputs `[B, T]`; `mask` is 1 at tokens that count and 0 elsewhere.
///
/// # Panics
/// If the shapes differ.
#[must_use]
pub fn policy_surrogate(
    logprobs: Tensor<2>,
    behaviour: Tensor<2>,
    advantages: Tensor<2>,
    mask: Tensor<2>,
    rule: SurrogateRule,
) -> PolicySurrogate {
    let shape = logprobs.dims();
    for (name, found) in [
        ("behaviour log-probabilities", behaviour.dims()),
        ("advantages", advantages.dims()),
        ("mask", mask.dims()),
    ] {
        assert!(found == shape, "log-probabilities have shape {shape:?} but {name} {found:?}");
    }
    let (loss, derivative, ratio, clip) = <Dispatch as TokenKernels>::policy_surrogate(
        logprobs.into_dispatch(),
        behaviour.into_dispatch(),
        advantages.into_dispatch(),
        mask.into_dispatch(),
        rule,
    );
    PolicySurrogate {
        loss: Tensor::from_dispatch(loss),
        derivative: Tensor::from_dispatch(derivative),
        ratio: Tensor::from_dispatch(ratio),
        clip: Tensor::from_dispatch(clip),
    }
}

pub(crate) type Outputs<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

#[derive(Debug)]
pub(crate) struct PolicySurrogateBackward;

impl<B: Backend> Backward<B, 1> for PolicySurrogateBackward {
    /// The derivative, computed with the loss, and the dtype of the log-probabilities.
    type State = (FloatTensor<B>, DType);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let [logprobs] = ops.parents;
        if let Some(node) = logprobs {
            let (derivative, dtype) = ops.state;
            let gradient = B::float_mul(upstream, derivative);
            let same = gradient.dtype() == dtype;
            let gradient = if same { gradient } else { B::float_cast(gradient, dtype.into()) };
            gradients.register::<B>(node.id, gradient);
        }
    }
}

/// The operation with its gradient.
pub(crate) fn tracked<B: TokenKernels, C: CheckpointStrategy>(
    logprobs: FloatTensor<Autodiff<B, C>>,
    behaviour: FloatTensor<Autodiff<B, C>>,
    advantages: FloatTensor<Autodiff<B, C>>,
    mask: FloatTensor<Autodiff<B, C>>,
    rule: SurrogateRule,
) -> Outputs<Autodiff<B, C>> {
    let (logprobs, guard) = logprobs.into_parts();
    let dtype = logprobs.dtype();
    let (loss, derivative, ratio, clip) = B::policy_surrogate(
        logprobs,
        behaviour.into_primitive(),
        advantages.into_primitive(),
        mask.into_primitive(),
        rule,
    );
    let constant = |tensor| <Autodiff<B, C> as AutodiffBackend>::from_inner(tensor);
    let statistics = (constant(derivative.clone()), constant(ratio), constant(clip));
    let loss = match PolicySurrogateBackward.prepare::<C>([guard]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((derivative, dtype), loss),
        OpsKind::UnTracked(prepared) => prepared.finish(loss),
    };
    (loss, statistics.0, statistics.1, statistics.2)
}
