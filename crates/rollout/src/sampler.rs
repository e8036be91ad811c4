//! Samplers: one row of logits and one uniform number give one token.

use std::fmt::Debug;

use burn::tensor::{Int, Tensor};
use fireproof_kernels::{SampledTokens, SamplingRule, sample_tokens, token_logprobs};
use fireproof_trajectory::SamplingParams;

/// One token a row.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// Token ids, `[N]`.
    pub tokens: Tensor<1, Int>,
    /// Log-probability of each under the unmodified distribution at the temperature, `[N]`.
    pub logprobs: Tensor<1>,
    /// Entropy in nats of that distribution, `[N]`.
    pub entropies: Tensor<1>,
}

/// Draws one token a row; pure, and each row on its own.
pub trait Sampler: Debug + Send + Sync {
    /// `[N, V]` logits and `[N]` uniform numbers -> `[N]` tokens.
    fn sample(&self, logits: Tensor<2>, uniforms: Tensor<1>) -> Sampled;
}

/// Draws from `softmax(logits / temperature)` by inverting its distribution function.
///
/// The token is the first whose cumulated probability exceeds `u` times the whole, so a token of
/// probability 0 is never drawn.
#[derive(Clone, Copy, Debug)]
pub struct Categorical {
    /// Divides the logits; above 0.
    pub temperature: f32,
}

/// Takes the most likely token (the first of equals). Log-probabilities and entropies are those at
/// temperature 1.
#[derive(Clone, Copy, Debug)]
pub struct Greedy;

impl Sampler for Categorical {
    fn sample(&self, logits: Tensor<2>, uniforms: Tensor<1>) -> Sampled {
        let drawn = sample_tokens(logits, uniforms, SamplingRule::at(self.temperature));
        let SampledTokens { tokens, logprobs, entropies, .. } = drawn;
        Sampled { tokens, logprobs, entropies }
    }
}

impl Sampler for Greedy {
    fn sample(&self, logits: Tensor<2>, _uniforms: Tensor<1>) -> Sampled {
        let [rows, _] = logits.dims();
        let tokens = logits.clone().argmax(1).reshape([rows]);
        let scored = token_logprobs(logits, tokens.clone(), 1.0);
        Sampled { tokens, logprobs: scored.logprobs, entropies: scored.entropies }
    }
}

/// The sampler that some parameters ask for.
pub(crate) fn sampler_for(params: SamplingParams) -> Box<dyn Sampler> {
    if params.temperature == 0.0 {
        Box::new(Greedy)
    } else {
        Box::new(Categorical { temperature: params.temperature })
    }
}
