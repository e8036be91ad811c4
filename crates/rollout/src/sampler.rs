//! Samplers: one row of logits and one uniform number give one token.

use std::fmt::Debug;

use burn::tensor::{Int, Tensor, activation};
use fireproof_kernels::{SamplingRule, TokenLogprobs, sample_tokens, token_logprobs};
use fireproof_trajectory::SamplingParams;

/// One token a row.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// Token ids, `[N]`.
    pub tokens: Tensor<1, Int>,
    /// Log-probability of each under the unmodified distribution at the temperature, `[N]`.
    pub logprobs: Tensor<1>,
    /// Entropy in nats of the distribution that each was drawn from, `[N]`; of the unmodified one
    /// under [`Restricted`].
    pub entropies: Tensor<1>,
    /// Log-probability of each among the tokens that it was drawn among, `[N]`, if those were not
    /// all.
    pub sampling_logprobs: Option<Tensor<1>>,
    /// Those tokens, `[N, K]`, likeliest first, where each row has as many.
    pub support: Option<Tensor<2, Int>>,
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

/// Draws from the tokens that every part of a rule keeps (top-k, top-p, min-p), as [`Categorical`]
/// does from all.
///
/// Each part looks at the whole distribution at the temperature, so their order does not matter (in
/// `transformers` top-p looks at what top-k left). Tokens as likely as the last one kept are kept
/// too. Log-probabilities and entropies are those of the unmodified distribution.
#[derive(Clone, Copy, Debug)]
pub struct Restricted {
    /// What can be drawn, and the temperature.
    pub rule: SamplingRule,
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
        Sampled::among_all(tokens, scored)
    }
}

impl Sampler for TopK {
    fn sample(&self, logits: Tensor<2>, uniforms: Tensor<1>) -> Sampled {
        let [rows, vocabulary] = logits.dims();
        let (kept, support) = logits.clone().topk_with_indices(self.k.min(vocabulary), 1);
        let among = Categorical { temperature: self.temperature }.sample(kept, uniforms);
        let tokens = support.clone().gather(1, among.tokens.reshape([rows, 1])).reshape([rows]);
        let logprobs = token_logprobs(logits, tokens.clone(), self.temperature).logprobs;
        Sampled {
            tokens,
            logprobs,
            entropies: among.entropies,
            sampling_logprobs: Some(among.logprobs),
            support: Some(support),
        }
    }
}

impl Sampler for Restricted {
    fn sample(&self, logits: Tensor<2>, uniforms: Tensor<1>) -> Sampled {
        let drawn = sample_tokens(logits, uniforms, self.rule);
        Sampled {
            tokens: drawn.tokens,
            logprobs: drawn.logprobs,
            entropies: drawn.entropies,
            sampling_logprobs: Some(drawn.support_logprobs),
            support: None,
        }
    }
}

impl Sampler for Greedy {
    fn sample(&self, logits: Tensor<2>, _uniforms: Tensor<1>) -> Sampled {
        let [rows, _] = logits.dims();
        let tokens = logits.clone().argmax(1).reshape([rows]);
        let scored = token_logprobs(logits, tokens.clone(), 1.0);
        Sampled::among_all(tokens, scored)
    }
}

impl Sampled {
    /// Tokens drawn among all.
    fn among_all(tokens: Tensor<1, Int>, scored: TokenLogprobs) -> Self {
        let TokenLogprobs { logprobs, entropies, .. } = scored;
        Self { tokens, logprobs, entropies, sampling_logprobs: None, support: None }
    }
}

/// The sampler that some parameters ask for. The tokens of a support are recorded only where its
/// size alone restricts it.
pub(crate) fn sampler_for(params: SamplingParams) -> Box<dyn Sampler> {
    let SamplingParams { temperature, top_k, top_p, min_p } = params;
    // The whole distribution is its own nucleus, up to rounding.
    let top_p = top_p.filter(|share| *share < 1.0);
    match top_k {
        _ if temperature == 0.0 => Box::new(Greedy),
        _ if top_p.is_some() || min_p.is_some() => {
            Box::new(Restricted { rule: SamplingRule { temperature, top_k, top_p, min_p } })
        }
        Some(k) => Box::new(TopK { k, temperature }),
        None => Box::new(Categorical { temperature }),
    }
}
