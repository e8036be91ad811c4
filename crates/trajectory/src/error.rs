//! What can be wrong with a group of completions.

use crate::task::PromptId;

/// A group of completions that contradicts itself.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrajectoryError {
    /// There is not exactly one verdict or reward for each completion.
    #[error("group of prompt {prompt}: {completions} completions but {found} {what}")]
    CountMismatch {
        /// The group.
        prompt: PromptId,
        /// Completions in the group.
        completions: usize,
        /// What was counted: `verdicts` or `rewards`.
        what: &'static str,
        /// How many of them there are.
        found: usize,
    },
    /// A reward is NaN or infinite.
    #[error("group of prompt {prompt}: reward {reward} of completion {completion} is not finite")]
    RewardNotFinite {
        /// The group.
        prompt: PromptId,
        /// Index of the completion in the group.
        completion: usize,
        /// The reward.
        reward: f32,
    },
    /// A completion has another number of log-probabilities or entropies than of tokens.
    #[error(
        "group of prompt {prompt}, completion {completion}: {tokens} tokens but {found} {what}"
    )]
    TokenCountMismatch {
        /// The group.
        prompt: PromptId,
        /// Index of the completion in the group.
        completion: usize,
        /// Tokens in the completion.
        tokens: usize,
        /// What was counted: `logprobs`, `entropies` or a part of `support`.
        what: &'static str,
        /// How many of them there are.
        found: usize,
    },
}
