//! A completion: the tokens that a policy produced, with what was known when they were sampled.

use serde::{Deserialize, Serialize};

/// Counts the updates of a policy: the parameters that produced a completion.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PolicyVersion(pub u64);

/// Why a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// A stop token was produced; it is the last token of the completion.
    Stop,
    /// The limit on new tokens was reached: the completion is truncated.
    Length,
}

/// How tokens were drawn from the policy's distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingParams {
    /// Logits are divided by this before the softmax; 0 means greedy decoding.
    pub temperature: f32,
    /// Only so many of the likeliest tokens can be drawn; all if absent.
    #[serde(default)]
    pub top_k: Option<usize>,
    /// Only tokens whose likelier ones have less than this probability together can be drawn: the
    /// nucleus (arXiv 1904.09751). Above 0 and at most 1, where all can.
    #[serde(default)]
    pub top_p: Option<f32>,
    /// Only tokens with at least this share of the likeliest one's probability can be drawn
    /// (arXiv 2407.01082). Above 0 and at most 1.
    #[serde(default)]
    pub min_p: Option<f32>,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: None, min_p: None }
    }
}

/// The tokens that each token of a completion was drawn among, in top-k sampling.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Support {
    /// Tokens at each place, `K`.
    pub width: usize,
    /// `K` tokens for each token of the completion, one place after the other.
    pub tokens: Vec<u32>,
}

impl Support {
    /// The tokens that token `place` of the completion was drawn among.
    #[must_use]
    pub fn at(&self, place: usize) -> &[u32] {
        &self.tokens[place * self.width..][..self.width]
    }
}

/// One completion of a prompt. All per-token fields have the length of `tokens`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The new tokens; the stop token is included when there is one.
    pub tokens: Vec<u32>,
    /// Natural-log probability of each token under the unmodified distribution at the sampling
    /// temperature, as the behaviour policy saw it.
    pub logprobs: Vec<f32>,
    /// The same among the tokens that each was drawn among, if those were not all.
    #[serde(default)]
    pub sampling_logprobs: Option<Vec<f32>>,
    /// Those tokens, in top-k sampling. A nucleus can be most of the vocabulary, so under `top_p` and
    /// `min_p` they are not kept.
    #[serde(default)]
    pub support: Option<Support>,
    /// Entropy in nats of the distribution that each token was drawn from; under `top_p` and `min_p`
    /// that of the unmodified one.
    pub entropies: Vec<f32>,
    /// Why it ended.
    pub finish: FinishReason,
    /// How it was sampled.
    pub sampling: SamplingParams,
    /// Which parameters produced it.
    pub version: PolicyVersion,
}

impl Completion {
    /// True if the limit on new tokens cut the completion off.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.finish == FinishReason::Length
    }

    /// The log-probabilities that a trainer's own are compared with: those among the support where
    /// its tokens are kept, so that the trainer can take the same softmax, and else the unmodified.
    #[must_use]
    pub fn behaviour_logprobs(&self) -> &[f32] {
        match (&self.support, &self.sampling_logprobs) {
            (Some(_), Some(among)) => among,
            _ => &self.logprobs,
        }
    }
}
