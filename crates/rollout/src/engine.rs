//! The trait of rollout engines, what they are asked and what can go wrong.

use fireproof_model::ModelError;
use fireproof_trajectory::{PolicyVersion, PromptGroup, PromptId, SamplingParams};

/// A request for completions of one prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutRequest {
    /// The prompt.
    pub prompt: PromptId,
    /// Its tokens; at least one.
    pub prompt_tokens: Vec<u32>,
    /// Tokens already produced, to continue from; not part of the returned completions.
    pub prefix: Vec<u32>,
    /// Completions to produce; at least one.
    pub samples: usize,
    /// How to draw tokens.
    pub sampling: SamplingParams,
    /// When to stop.
    pub stop: StopRules,
    /// Seed of the run.
    pub seed: u64,
    /// Step of the run; with the seed, the prompt and the sample's index it addresses randomness.
    pub step: u64,
}

/// When a completion ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopRules {
    /// After this many new tokens; at least one.
    pub max_tokens: usize,
    /// After any of these tokens, which stays part of the completion.
    pub stop_tokens: Vec<u32>,
}

/// Produces completions with the policy that was published last.
pub trait RolloutEngine {
    /// What can be published.
    type Policy;

    /// Makes a policy the one to sample from.
    fn publish(&mut self, policy: &Self::Policy, version: PolicyVersion);

    /// One group for each request, in their order.
    ///
    /// # Errors
    /// If a request cannot be served; nothing is returned in part.
    fn generate(&mut self, requests: &[RolloutRequest]) -> Result<Vec<PromptGroup>, RolloutError>;
}

/// Why completions could not be produced.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// No policy was published yet.
    #[error("no policy was published to the engine yet")]
    NotPublished,
    /// A request asks for nothing or for the impossible.
    #[error("prompt {prompt}: {reason}")]
    Request {
        /// The prompt.
        prompt: PromptId,
        /// What is wrong with the request.
        reason: String,
    },
    /// A prompt does not fit the model.
    #[error("prompt {prompt}: {source}")]
    Model {
        /// The prompt.
        prompt: PromptId,
        /// What does not fit.
        source: ModelError,
    },
    /// The model produced NaN or infinity.
    #[error(
        "prompt {prompt}, sample {sample}: the policy gave {logprob} as log-probability of token \
         {position}; its parameters are probably not finite any more (lower the learning rate)"
    )]
    NotFinite {
        /// The prompt.
        prompt: PromptId,
        /// Index of the completion.
        sample: usize,
        /// Position in the completion.
        position: usize,
        /// The log-probability.
        logprob: f32,
    },
    /// The device failed to return its results.
    #[error("the device failed: {0}")]
    Device(String),
    /// A replay holds no further group for a prompt.
    #[error("the recording holds no further group of prompt {prompt} with {samples} completions")]
    NotRecorded {
        /// The prompt.
        prompt: PromptId,
        /// Completions asked for.
        samples: usize,
    },
}

impl RolloutRequest {
    /// Refuses requests that cannot be served by any model.
    pub(crate) fn validate(&self) -> Result<(), RolloutError> {
        let SamplingParams { temperature, top_k, top_p, min_p } = self.sampling;
        let impossible = |share: &f32| !(*share > 0.0 && *share <= 1.0);
        let reason = if self.prompt_tokens.is_empty() {
            "the prompt has no tokens".to_owned()
        } else if self.samples == 0 {
            "0 samples were asked for".to_owned()
        } else if self.stop.max_tokens == 0 {
            "0 new tokens were asked for".to_owned()
        } else if !(temperature.is_finite() && temperature >= 0.0) {
            format!("the temperature must be 0 or positive, not {temperature}")
        } else if top_k == Some(0) {
            "top_k must be at least 1, not 0".to_owned()
        } else if let Some(share) = top_p.filter(impossible) {
            format!("top_p must be above 0 and at most 1, not {share}")
        } else if let Some(share) = min_p.filter(impossible) {
            format!("min_p must be above 0 and at most 1, not {share}")
        } else {
            return Ok(());
        };
        Err(RolloutError::Request { prompt: self.prompt, reason })
    }
}
