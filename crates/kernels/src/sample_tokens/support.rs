//! `support_logprobs`: scores under the distribution that `sample_tokens` draws from.

use burn::backend::{Backend, Dispatch, tensor::FloatTensor};
use burn::tensor::{DType, Int, Tensor};

use super::{SamplingRule, within_support};
use crate::ops::TokenKernels;
use crate::primitive::accumulate;
use crate::token_logprobs::{TokenLogprobs, token_logprobs};

/// What stands in the place of a logit outside the support. Not minus infinity, which shaders do not
/// know; its quotient with a small temperature may become that.
const OUTSIDE: f32 = -1e37;

/// [`token_logprobs`](crate::token_logprobs) of the distribution cut to a support: log-probability,
/// entropy and log-sum-exp of what [`sample_tokens`](crate::sample_tokens) draws from with the same
/// rule.
///
/// ```text
/// S = the support of softmax(logits / temperature)        z = logits / temperature
/// logprob = z_target - log sum_{v in S} exp z_v           and so for the other two
/// ```
///
/// A ratio of log-probabilities is only right if both are scored on one support: with `top_p = 0.8`
/// a policy scored on the whole vocabulary looks about 0.8 times as likely as it was when it
/// sampled. The support is that of *these* logits and has no gradient; a target outside it has a
/// log-probability below `-1e29`.
///
/// ```
/// use burn::tensor::Tensor;
/// use fireproof_kernels::{SamplingRule, resolve_device, support_logprobs};
///
/// let device = resolve_device(Some("flex")).unwrap().device;
/// // Probabilities 1/2, 1/4, 1/8, 1/8: the two likeliest have 2/3 and 1/3.
/// let logits = Tensor::<2>::from_data([[8f32, 4.0, 2.0, 2.0].map(f32::ln)], &device);
/// let rule = SamplingRule { top_k: Some(2), ..SamplingRule::at(1.0) };
/// let scored = support_logprobs(logits, Tensor::from_data([1], &device), rule);
/// let logprobs: Vec<f32> = scored.logprobs.into_data().try_to_vec().unwrap();
/// assert!((logprobs[0] + 3f32.ln()).abs() < 1e-6);
/// ```
///
/// # Shapes
/// - `logits`: `[N, V]`
/// - `targets`: `[N]`, each below `V`
/// - output: three times `[N]`, differentiable in the logits
///
/// # Panics
/// If the shapes disagree, a setting is outside its range, or, on the CPU, a target is not below `V`.
#[must_use]
pub fn support_logprobs(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    rule: SamplingRule,
) -> TokenLogprobs {
    rule.assert_possible();
    if rule == SamplingRule::at(rule.temperature) {
        return token_logprobs(logits, targets, rule.temperature);
    }
    // Half precision has no number as low as that.
    let logits = if logits.dtype() == DType::F64 { logits } else { logits.cast(DType::F32) };
    let inside = <Dispatch as TokenKernels>::support(logits.clone().detach().into_dispatch(), rule);
    let outside = Tensor::<2>::from_dispatch(inside).lower_equal_scalar(0.0);
    token_logprobs(logits.mask_fill(outside, OUTSIDE), targets, rule.temperature)
}

/// The body for every backend: positive where a token is in the support, 0 elsewhere.
pub(crate) fn reference<B: Backend>(logits: FloatTensor<B>, rule: SamplingRule) -> FloatTensor<B> {
    let scaled = B::float_div_scalar(accumulate::<B>(logits), rule.temperature.into());
    let shifted = B::float_sub(scaled.clone(), B::float_max_dim(scaled, 1));
    within_support::<B>(B::float_exp(shifted), rule)
}
