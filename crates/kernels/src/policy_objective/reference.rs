//! The body of `policy_objective` for every backend, in tensor operations; the formulas stand in the
//! documentation of [`super::policy_objective`].

use burn::backend::{Backend, tensor::FloatTensor};

use super::{Inputs, KlEstimator, KlPenalty, ObjectiveRule, Outputs};
use crate::policy_surrogate::{self, SurrogateRule};
use crate::primitive::{accumulate, greater, keep_where};

/// The body for every backend.
pub(crate) fn reference<B: Backend>(
    (logprobs, constants): Inputs<B>,
    rule: ObjectiveRule,
) -> Outputs<B> {
    let [behaviour, advantages, mask, wide, reference] = constants;
    let surrogate = |rule| {
        let (logprobs, behaviour) = (logprobs.clone(), behaviour.clone());
        policy_surrogate::reference::<B>(
            logprobs,
            behaviour,
            advantages.clone(),
            mask.clone(),
            rule,
        )
    };
    let (mut loss, mut derivative, ratio, mut clip) = surrogate(rule.surrogate);
    if let Some(range) = rule.wide {
        let kind = rule.surrogate.kind.with_range(range);
        let (other_loss, other_derivative, _, other_clip) =
            surrogate(SurrogateRule { kind, ..rule.surrogate });
        let flag = greater::<B>(wide, 0.0);
        loss = B::float_mask_where(loss, flag.clone(), other_loss);
        derivative = B::float_mask_where(derivative, flag.clone(), other_derivative);
        clip = B::float_mask_where(clip, flag, other_clip);
    }
    let Some(penalty) = rule.penalty else {
        let none = B::float_mul_scalar(clip.clone(), 0.0f32.into());
        return (loss, derivative, ratio, clip, none);
    };
    let difference = B::float_sub(accumulate::<B>(logprobs), accumulate::<B>(reference));
    let difference = keep_where::<B>(difference, &mask, 0.0);
    let (value, slope) = estimate::<B>(difference, penalty);
    let scaled = |tensor| {
        keep_where::<B>(B::float_mul_scalar(tensor, penalty.coefficient.into()), &mask, 0.0)
    };
    let (value, slope) = (scaled(value), scaled(slope));
    loss = B::float_add(loss, value.clone());
    (loss, B::float_add(derivative, slope), ratio, clip, value)
}

/// The estimate of each token within its limits, and its slope.
fn estimate<B: Backend>(
    difference: FloatTensor<B>,
    penalty: KlPenalty,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let beyond = |tensor: &FloatTensor<B>, limit| greater::<B>(B::float_abs(tensor.clone()), limit);
    let held = match penalty.exponent_limit {
        Some(limit) => B::float_clamp(difference.clone(), (-limit).into(), limit.into()),
        None => difference.clone(),
    };
    let (mut value, mut slope) = plain::<B>(held, penalty.estimator);
    if let Some(limit) = penalty.exponent_limit {
        slope = B::float_mask_fill(slope, beyond(&difference, limit), 0.0f32.into());
    }
    if let Some(limit) = penalty.value_limit {
        slope = B::float_mask_fill(slope, beyond(&value, limit), 0.0f32.into());
        value = B::float_clamp(value, (-limit).into(), limit.into());
    }
    (value, slope)
}

fn plain<B: Backend>(
    difference: FloatTensor<B>,
    estimator: KlEstimator,
) -> (FloatTensor<B>, FloatTensor<B>) {
    match estimator {
        KlEstimator::Linear => {
            let none = B::float_mul_scalar(difference.clone(), 0.0f32.into());
            (difference, B::float_add_scalar(none, 1.0f32.into()))
        }
        KlEstimator::Absolute => (B::float_abs(difference.clone()), B::float_sign(difference)),
        KlEstimator::Square => {
            let square = B::float_mul(difference.clone(), difference.clone());
            (B::float_mul_scalar(square, 0.5f32.into()), difference)
        }
        KlEstimator::Exponential => {
            let below = B::float_exp(B::float_neg(difference.clone()));
            let below = B::float_sub_scalar(below, 1.0f32.into());
            (B::float_add(below.clone(), difference), B::float_neg(below))
        }
    }
}
