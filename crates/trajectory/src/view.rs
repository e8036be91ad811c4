//! Borrowed views of groups, steps and tokens: all that advantage and selection rules may see.

use crate::task::PromptId;

/// One group of completions as a rule sees it. The four slices have equal lengths.
#[derive(Clone, Copy, Debug)]
pub struct GroupView<'a> {
    /// The prompt of the group.
    pub prompt: PromptId,
    /// Reward of each completion.
    pub rewards: &'a [f32],
    /// Whether each completion is right. Success rates come from here, never from rewards.
    pub correct: &'a [bool],
    /// Tokens in each completion.
    pub lengths: &'a [usize],
    /// Whether each completion was cut off.
    pub truncated: &'a [bool],
}

impl GroupView<'_> {
    /// Completions in the group, `G`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// True if the group holds no completions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// Right completions in the group, `k`.
    #[must_use]
    pub fn successes(&self) -> usize {
        self.correct.iter().filter(|correct| **correct).count()
    }

    /// Success rate `rho = k / G`; 0 for an empty group.
    #[must_use]
    pub fn success_rate(&self) -> f32 {
        if self.is_empty() { 0.0 } else { self.successes() as f32 / self.len() as f32 }
    }
}

/// The groups of one step, so that a rule can use batch statistics, pairs and schedules.
#[derive(Clone, Copy, Debug)]
pub struct StepView<'a> {
    /// All groups of the step that training uses.
    pub groups: &'a [GroupView<'a>],
    /// This step, from 0.
    pub step: u64,
    /// Steps planned for the whole run.
    pub steps: u64,
}

/// One completion of a step, token by token, as credit assignment, token selection and losses see
/// it: values of the behaviour policy, so that a rule does not depend on how an update is split.
#[derive(Clone, Copy, Debug)]
pub struct TokenView<'a> {
    /// Index of its group within the step.
    pub group: usize,
    /// Success rate of its group, from correctness.
    pub success_rate: f32,
    /// Whether it is right.
    pub correct: bool,
    /// Whether it was cut off.
    pub truncated: bool,
    /// Log-probability of each token under the behaviour policy.
    pub logprobs: &'a [f32],
    /// Entropy in nats of the distribution that each token was drawn from.
    pub entropies: &'a [f32],
    /// What each token costs beside the completion's reward (a KL inside the reward); empty if
    /// nothing does.
    pub costs: &'a [f32],
}

impl TokenView<'_> {
    /// Tokens in the completion.
    #[must_use]
    pub fn len(&self) -> usize {
        self.logprobs.len()
    }

    /// True if the completion has no tokens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.logprobs.is_empty()
    }
}

/// All completions that a step trains on, token by token, group after group.
#[derive(Clone, Copy, Debug)]
pub struct TokenStep<'a> {
    /// The completions.
    pub rows: &'a [TokenView<'a>],
    /// This step, from 0.
    pub step: u64,
    /// Steps planned for the whole run.
    pub steps: u64,
}

/// A completion with the advantages that credit assignment gave its tokens.
#[derive(Clone, Copy, Debug)]
pub struct CreditedView<'a> {
    /// The completion.
    pub tokens: TokenView<'a>,
    /// Advantage of each token.
    pub advantages: &'a [f32],
}
