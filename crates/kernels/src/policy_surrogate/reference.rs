//! The body of `policy_surrogate` for every backend, in tensor operations; the formulas stand in the
//! documentation of [`super::policy_surrogate`].

use burn::backend::{
    Backend, TensorMetadata,
    tensor::{BoolTensor, FloatTensor},
};

use super::{CLIP_DUAL, CLIP_HIGH, CLIP_LOW, CLIP_NONE, Outputs, SurrogateKind, SurrogateRule};
use crate::primitive::{accumulate, bool_dtype, greater, indicator, keep_where, lower};

/// Loss, derivative and clip code.
type Parts<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// The body for every backend.
pub(crate) fn reference<B: Backend>(
    logprobs: FloatTensor<B>,
    behaviour: FloatTensor<B>,
    advantages: FloatTensor<B>,
    mask: FloatTensor<B>,
    rule: SurrogateRule,
) -> Outputs<B> {
    let logprobs = keep_where::<B>(accumulate::<B>(logprobs), &mask, 0.0);
    let difference = B::float_sub(logprobs.clone(), accumulate::<B>(behaviour));
    let difference = keep_where::<B>(difference, &mask, 0.0);
    let advantages = keep_where::<B>(accumulate::<B>(advantages), &mask, 0.0);
    let (limited, outside) = limit::<B>(difference, rule.log_ratio_limit);
    let ratio = B::float_exp(limited);
    let size = B::float_abs(advantages.clone());
    let (loss, derivative, clip) = match rule.kind {
        SurrogateKind::Clipped { epsilon_low, epsilon_high, dual_clip } => {
            let bounds = [epsilon_low, epsilon_high];
            let parts = clipped::<B>(&ratio, advantages, bounds, dual_clip);
            without_gradient::<B>(parts, outside)
        }
        // Beyond any sensible limit its tokens are masked or at the cap, whose gradient stays.
        SurrogateKind::Aspo { epsilon_low, epsilon_high, cap } => {
            aspo::<B>(&ratio, advantages, [epsilon_low, epsilon_high], cap)
        }
        SurrogateKind::Cispo { lowest, highest } => {
            cispo::<B>(&ratio, logprobs, advantages, [lowest, highest])
        }
        SurrogateKind::Sapo { tau_positive, tau_negative } => {
            let parts = sapo::<B>(&ratio, advantages, [tau_positive, tau_negative]);
            without_gradient::<B>(parts, outside)
        }
    };
    // Without a limit a ratio can be infinite, and infinity times 0 is NaN.
    (keep_where::<B>(loss, &size, 0.0), keep_where::<B>(derivative, &size, 0.0), ratio, clip)
}

/// The log-ratio within its limit, and where it lay outside.
fn limit<B: Backend>(
    difference: FloatTensor<B>,
    limit: Option<f64>,
) -> (FloatTensor<B>, Option<BoolTensor<B>>) {
    let Some(limit) = limit else { return (difference, None) };
    let outside = greater::<B>(B::float_abs(difference.clone()), limit);
    (B::float_clamp(difference, (-limit).into(), limit.into()), Some(outside))
}

/// The gradient of a clamped log-ratio is 0 where the clamp holds it.
fn without_gradient<B: Backend>(parts: Parts<B>, outside: Option<BoolTensor<B>>) -> Parts<B> {
    let (loss, derivative, clip) = parts;
    let derivative = match outside {
        Some(outside) => B::float_mask_fill(derivative, outside, 0.0f32.into()),
        None => derivative,
    };
    (loss, derivative, clip)
}

fn clipped<B: Backend>(
    ratio: &FloatTensor<B>,
    advantages: FloatTensor<B>,
    [epsilon_low, epsilon_high]: [f64; 2],
    dual_clip: Option<f64>,
) -> Parts<B> {
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

fn aspo<B: Backend>(
    ratio: &FloatTensor<B>,
    advantages: FloatTensor<B>,
    [epsilon_low, epsilon_high]: [f64; 2],
    cap: f64,
) -> Parts<B> {
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

fn cispo<B: Backend>(
    ratio: &FloatTensor<B>,
    logprobs: FloatTensor<B>,
    advantages: FloatTensor<B>,
    [lowest, highest]: [f64; 2],
) -> Parts<B> {
    // An infinite bound would have to be written into shaders, where it does not exist.
    let highest = highest.min(f64::from(f32::MAX));
    let weight = B::float_clamp(ratio.clone(), lowest.into(), highest.into());
    let derivative = B::float_neg(B::float_mul(weight, advantages.clone()));
    let loss = B::float_mul(derivative.clone(), logprobs);

    let trains = B::float_not_equal_elem(advantages, 0.0f32.into(), bool_dtype::<B>(ratio));
    let low = B::bool_and(lower::<B>(ratio.clone(), lowest), trains.clone());
    let high = B::bool_and(greater::<B>(ratio.clone(), highest), trains);
    let clip = B::float_zeros(ratio.shape(), &ratio.device(), ratio.dtype().into());
    let clip = B::float_mask_fill(clip, low, CLIP_LOW.into());
    let clip = B::float_mask_fill(clip, high, CLIP_HIGH.into());
    (loss, derivative, clip)
}

fn sapo<B: Backend>(
    ratio: &FloatTensor<B>,
    advantages: FloatTensor<B>,
    [tau_positive, tau_negative]: [f64; 2],
) -> Parts<B> {
    let positive = greater::<B>(advantages.clone(), 0.0);
    let by_sign = |tensor: FloatTensor<B>, tau: [f64; 2]| {
        let at = B::float_mul_scalar(tensor.clone(), tau[0].into());
        let other = B::float_mul_scalar(tensor, tau[1].into());
        B::float_mask_where(other, positive.clone(), at)
    };
    let centred = B::float_sub_scalar(ratio.clone(), 1.0f32.into());
    let gate = B::sigmoid(by_sign(centred, [tau_positive, tau_negative]));
    let scaled = by_sign(gate.clone(), [-4.0 / tau_positive, -4.0 / tau_negative]);
    let loss = B::float_mul(scaled, advantages.clone());

    // s (1 - s) R goes to 0 as R grows, although R may be infinite there.
    let shut = B::float_sub_scalar(B::float_neg(gate.clone()), (-1.0f32).into());
    let slope = B::float_mul(gate, shut);
    let closed = B::float_lower_equal_elem(slope.clone(), 0.0f32.into(), bool_dtype::<B>(ratio));
    let pull = B::float_mul(B::float_mul(slope, ratio.clone()), advantages);
    let derivative =
        B::float_mask_fill(B::float_mul_scalar(pull, (-4.0f32).into()), closed, 0.0f32.into());
    let clip = B::float_zeros(ratio.shape(), &ratio.device(), ratio.dtype().into());
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
