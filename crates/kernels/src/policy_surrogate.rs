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
use crate::primitive::{accumulate, bool_dtype, greater, indicator, keep_where, lower};

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
        epsilon_low: f32,
        /// Clip above `1 + epsilon_high`.
        epsilon_high: f32,
        /// Hard dual clip (arXiv 1912.09729, verl): for `A < 0` the loss is at most `-A cap`, and
        /// above it there is no gradient.
        dual_clip: Option<f32>,
    },
    /// ASPO (arXiv 2510.06062), paper form: the ratio flipped for positive advantages, a hard mask
    /// and a soft dual clip that keeps the gradient.
    Aspo {
        /// Mask below `1 - epsilon_low` for negative advantages.
        epsilon_low: f32,
        /// Mask above `1 + epsilon_high` for positive advantages.
        epsilon_high: f32,
        /// The weight is at most this.
        cap: f32,
    },
}

/// A surrogate with its guard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurrogateRule {
    /// Which surrogate.
    pub kind: SurrogateKind,
    /// Log-ratios are held within plus or minus this (verl 20; TRL none). Outside, the clipped
    /// surrogate has no gradient, as for a clamp; ASPO's capped weight keeps its own.
    pub log_ratio_limit: Option<f32>,
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
/// ```
///
/// Sources: PPO's clip (arXiv 1707.06347), the dual clip (arXiv 1912.09729), ASPO (arXiv 2510.06062).
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
/// Only `logprobs` receives a gradient; the other inputs are constants. Where `mask` is 0 the loss
/// and its gradient are exactly 0, whatever stands in the other inputs (NaN and infinity included).
///
/// Departure: for ASPO the *value* of the loss is the continuous `-A min(w, cap)` with `w` held at
/// the mask's edge; papers and released code differ in it, and only gradients are comparable.
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

type Outputs<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// The body for every backend.
pub(crate) fn reference<B: Backend>(
    logprobs: FloatTensor<B>,
    behaviour: FloatTensor<B>,
    advantages: FloatTensor<B>,
    mask: FloatTensor<B>,
    rule: SurrogateRule,
) -> Outputs<B> {
    let difference = B::float_sub(accumulate::<B>(logprobs), accumulate::<B>(behaviour));
    let difference = keep_where::<B>(difference, &mask, 0.0);
    let advantages = keep_where::<B>(accumulate::<B>(advantages), &mask, 0.0);
    let (limited, outside) = limit::<B>(difference, rule.log_ratio_limit);
    let ratio = B::float_exp(limited);
    let (loss, derivative, clip) = match rule.kind {
        SurrogateKind::Clipped { epsilon_low, epsilon_high, dual_clip } => {
            let bounds = [epsilon_low, epsilon_high];
            let (loss, derivative, clip) =
                clipped::<B>(&ratio, advantages.clone(), bounds, dual_clip);
            let derivative = match outside {
                Some(outside) => B::float_mask_fill(derivative, outside, 0.0f32.into()),
                None => derivative,
            };
            // Without a limit a ratio can be infinite, and infinity times 0 is NaN.
            let keep = B::float_abs(advantages);
            (keep_where::<B>(loss, &keep, 0.0), keep_where::<B>(derivative, &keep, 0.0), clip)
        }
        // Beyond any sensible limit its tokens are masked or at the cap, whose gradient stays.
        SurrogateKind::Aspo { epsilon_low, epsilon_high, cap } => {
            aspo::<B>(&ratio, advantages, [epsilon_low, epsilon_high], cap)
        }
    };
    (loss, derivative, ratio, clip)
}

/// The log-ratio within its limit, and where it lay outside.
fn limit<B: Backend>(
    difference: FloatTensor<B>,
    limit: Option<f32>,
) -> (FloatTensor<B>, Option<burn::backend::tensor::BoolTensor<B>>) {
    let Some(limit) = limit else { return (difference, None) };
    let outside = greater::<B>(B::float_abs(difference.clone()), limit);
    (B::float_clamp(difference, (-limit).into(), limit.into()), Some(outside))
}

/// (loss, derivative, clip code) of the clipped surrogate.
fn clipped<B: Backend>(
    ratio: &FloatTensor<B>,
    advantages: FloatTensor<B>,
    [epsilon_low, epsilon_high]: [f32; 2],
    dual_clip: Option<f32>,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let bounded =
        B::float_clamp(ratio.clone(), (1.0 - epsilon_low).into(), (1.0 + epsilon_high).into());
    let plain = B::float_mul(ratio.clone(), advantages.clone());
    let held = B::float_mul(bounded, advantages.clone());
    let dtype = bool_dtype::<B>(&plain);
    let active = B::float_lower(held.clone(), plain.clone(), dtype);
    let objective = B::float_mask_where(plain.clone(), active.clone(), held);
    let mut loss = B::float_neg(objective);
    let mut derivative = B::float_mask_fill(B::float_neg(plain), active.clone(), 0.0f32.into());

    let sided = clip_side::<B>(&advantages);
    let untouched = B::float_mul_scalar(sided.clone(), CLIP_NONE.into());
    let mut clip = B::float_mask_where(untouched, active, sided);
    if let Some(cap) = dual_clip {
        let bound = B::float_mul_scalar(advantages.clone(), (-cap).into());
        let above = B::float_greater(loss.clone(), bound.clone(), dtype);
        let capped = B::bool_and(above, lower::<B>(advantages, 0.0));
        loss = B::float_mask_where(loss, capped.clone(), bound);
        derivative = B::float_mask_fill(derivative, capped.clone(), 0.0f32.into());
        clip = B::float_mask_fill(clip, capped, CLIP_DUAL.into());
    }
    (loss, derivative, clip)
}

/// (loss, derivative, clip code) of ASPO.
fn aspo<B: Backend>(
    ratio: &FloatTensor<B>,
    advantages: FloatTensor<B>,
    [epsilon_low, epsilon_high]: [f32; 2],
    cap: f32,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let positive = greater::<B>(advantages.clone(), 0.0);
    let high = greater::<B>(ratio.clone(), 1.0 + epsilon_high);
    let low = lower::<B>(ratio.clone(), 1.0 - epsilon_low);
    let raised = B::float_clamp_min(ratio.clone(), (1.0 - epsilon_low).into());
    let flipped = B::float_recip(B::float_clamp_max(ratio.clone(), (1.0 + epsilon_high).into()));
    let weight = B::float_mask_where(raised, positive.clone(), flipped);
    let dual = greater::<B>(weight.clone(), cap);
    let weight = B::float_clamp_max(weight, cap.into());
    let loss = B::float_neg(B::float_mul(weight, advantages.clone()));

    let negative = lower::<B>(advantages.clone(), 0.0);
    let masked = B::bool_or(B::bool_and(positive, high), B::bool_and(negative, low));
    let derivative = B::float_mask_fill(loss.clone(), masked.clone(), 0.0f32.into());

    // A token without an advantage is never called clipped.
    let sided = clip_side::<B>(&advantages);
    let untouched = B::float_mul_scalar(sided.clone(), CLIP_NONE.into());
    let clip = B::float_mask_where(untouched, masked, sided.clone());
    let counted = B::bool_and(dual, greater::<B>(sided, 0.0));
    let clip = B::float_mask_fill(clip, counted, CLIP_DUAL.into());
    (loss, derivative, clip)
}

/// [`CLIP_LOW`] where the advantage is negative, [`CLIP_HIGH`] where it is positive, else 0.
fn clip_side<B: Backend>(advantages: &FloatTensor<B>) -> FloatTensor<B> {
    let dtype = advantages.dtype().into();
    let negative = indicator::<B>(lower::<B>(advantages.clone(), 0.0), dtype);
    let positive = indicator::<B>(greater::<B>(advantages.clone(), 0.0), dtype);
    B::float_add(
        B::float_mul_scalar(negative, CLIP_LOW.into()),
        B::float_mul_scalar(positive, CLIP_HIGH.into()),
    )
}

#[derive(Debug)]
struct PolicySurrogateBackward;

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
