//! Samplers: one row of logits and one uniform number give one token.

use std::fmt::Debug;

use burn::tensor::{Int, Tensor, activation};
use fireproof_kernels::{TokenLogprobs, token_logprobs};
use fireproof_trajectory::SamplingParams;

/// One token a row.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// Token ids, `[N]`.
    pub tokens: Tensor<1, Int>,
    /// Log-probability of each under the unmodified distribution at the temperature, `[N]`.
    pub logprobs: Tensor<1>,
    /// Entropy in nats of the distribution that each was drawn from, `[N]`.
    pub entropies: Tensor<1>,
    /// What they were drawn among, if not among all tokens.
    pub support: Option<SampledSupport>,
}

/// The tokens that some were drawn among.
#[derive(Clone, Debug)]
pub struct SampledSupport {
    /// Token ids, `[N, K]`, likeliest first.
    pub tokens: Tensor<2, Int>,
    /// Log-probability of each drawn token among them, `[N]`.
    pub logprobs: Tensor<1>,
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

/// Draws from the `k` likeliest tokens alone, as [`Categorical`] does from all (top-k sampling).
///
/// Log-probabilities are those of the unmodified distribution; the entropies and the
/// log-probabilities of the support are those of the restricted one.
#[derive(Clone, Copy, Debug)]
pub struct TopK {
    /// Tokens that can be drawn, at least 1; all if there are fewer.
    pub k: usize,
    /// Divides the logits; above 0.
    pub temperature: f32,
}

/// Takes the most likely token (the first of equals). Log-probabilities and entropies are those at
/// temperature 1.
#[derive(Clone, Copy, Debug)]
pub struct Greedy;

impl Sampler for Categorical {
    fn sample(&self, logits: Tensor<2>, uniforms: Tensor<1>) -> Sampled {
        let [rows, vocabulary] = logits.dims();
        let probabilities = activation::softmax(logits.clone() / self.temperature, 1);
        let cumulated = probabilities.cumsum(1);
        let whole = cumulated.clone().narrow(1, vocabulary - 1, 1);
        let threshold = whole * uniforms.reshape([rows, 1]);
        let below = cumulated.lower_equal(threshold).int().sum_dim(1).reshape([rows]);
        // Rounding could let the product reach the whole.
        let tokens = below.clamp_max(vocabulary as i32 - 1);
        let scored = token_logprobs(logits, tokens.clone(), self.temperature);
        let TokenLogprobs { logprobs, entropies, .. } = scored;
        Sampled { tokens, logprobs, entropies, support: None }
    }
}

impl Sampler for TopK {
    fn sample(&self, logits: Tensor<2>, uniforms: Tensor<1>) -> Sampled {
        let [rows, vocabulary] = logits.dims();
        let (kept, support) = logits.clone().topk_with_indices(self.k.min(vocabulary), 1);
        let among = Categorical { temperature: self.temperature }.sample(kept, uniforms);
        let tokens = support.clone().gather(1, among.tokens.reshape([rows, 1])).reshape([rows]);
        let logprobs = token_logprobs(logits, tokens.clone(), self.temperature).logprobs;
        let support = SampledSupport { tokens: support, logprobs: among.logprobs };
        Sampled { tokens, logprobs, entropies: among.entropies, support: Some(support) }
    }
}

impl Sampler for Greedy {
    fn sample(&self, logits: Tensor<2>, _uniforms: Tensor<1>) -> Sampled {
        let [rows, _] = logits.dims();
        let tokens = logits.clone().argmax(1).reshape([rows]);
        let TokenLogprobs { logprobs, entropies, .. } = token_logprobs(logits, tokens.clone(), 1.0);
        Sampled { tokens, logprobs, entropies, support: None }
    }
}

/// The sampler that some parameters ask for.
pub(crate) fn sampler_for(params: SamplingParams) -> Box<dyn Sampler> {
    let SamplingParams { temperature, top_k } = params;
    match top_k {
        _ if temperature == 0.0 => Box::new(Greedy),
        Some(k) => Box::new(TopK { k, temperature }),
        None => Box::new(Categorical { temperature }),
    }
}
