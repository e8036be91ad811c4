//! Groups as text with everything known about each token, for reports and for people.

use fireproof_trajectory::{Completion, Outcome, PromptId, ScoredGroup, Verdict};
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::error::TrainError;

/// A judged group as a line of `completions.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The step, from 0.
    pub step: u64,
    /// The prompt.
    pub prompt: PromptId,
    /// Its text.
    pub text: String,
    /// Its level, if it has one.
    pub level: Option<u32>,
    /// Its completions.
    pub completions: Vec<TranscriptCompletion>,
}

/// One completion of a [`Transcript`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TranscriptCompletion {
    /// The text of each token, special tokens included.
    pub tokens: Vec<String>,
    /// Log-probability of each token when it was sampled, in nats.
    pub logprobs: Vec<f32>,
    /// Entropy in nats of the distribution that each token was drawn from.
    pub entropies: Vec<f32>,
    /// What the verifier said.
    pub outcome: Outcome,
    /// The answer that it judged, if it found one.
    pub answer: Option<String>,
    /// The reward.
    pub reward: f32,
    /// The advantage; `None` if the filter dropped the group.
    pub advantage: Option<f32>,
}

impl Transcript {
    /// Spells out a group.
    pub(crate) fn of(
        environment: &Environment,
        step: u64,
        scored: &ScoredGroup,
        advantages: Option<&[f32]>,
    ) -> Result<Self, TrainError> {
        let task = environment.task(scored.group.prompt)?;
        let judged = scored.group.completions.iter().zip(&scored.verdicts).zip(&scored.rewards);
        let completion = |(sample, ((completion, verdict), reward))| {
            let (completion, verdict): (&Completion, &Verdict) = (completion, verdict);
            let reward: &f32 = reward;
            let piece = |token: &u32| environment.tokenizer().piece(*token);
            Ok(TranscriptCompletion {
                tokens: completion.tokens.iter().map(piece).collect::<Result<_, _>>()?,
                logprobs: completion.logprobs.clone(),
                entropies: completion.entropies.clone(),
                outcome: verdict.outcome,
                answer: verdict.answer.clone(),
                reward: *reward,
                advantage: advantages.map(|row: &[f32]| row[sample]),
            })
        };
        Ok(Self {
            step,
            prompt: task.id,
            text: task.prompt.clone(),
            level: task.metadata.level,
            completions: judged.enumerate().map(completion).collect::<Result<_, TrainError>>()?,
        })
    }
}
