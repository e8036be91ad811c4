//! Groups: all completions of one prompt, before and after they are judged.

use serde::{Deserialize, Serialize};

use crate::completion::Completion;
use crate::error::TrajectoryError;
use crate::task::PromptId;
use crate::verdict::Verdict;
use crate::view::GroupView;

/// All completions of one prompt, as the rollout engine returns them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptGroup {
    /// The prompt.
    pub prompt: PromptId,
    /// Its tokens.
    pub prompt_tokens: Vec<u32>,
    /// Its completions.
    pub completions: Vec<Completion>,
}

impl PromptGroup {
    /// Checks that every completion has one log-probability and one entropy for each token.
    ///
    /// # Errors
    /// [`TrajectoryError::TokenCountMismatch`] names the completion and both numbers.
    pub fn validate(&self) -> Result<(), TrajectoryError> {
        for (completion, c) in self.completions.iter().enumerate() {
            let count = c.tokens.len();
            let support = c.support.as_ref();
            let places =
                support.map_or(count, |s| s.tokens.len().checked_div(s.width).unwrap_or(0));
            let among = c.sampling_logprobs.as_ref();
            // What a support is for: the log-probabilities among it.
            let without = if support.is_some() { 0 } else { count };
            for (what, found) in [
                ("logprobs", c.logprobs.len()),
                ("sampling_logprobs", among.map_or(without, Vec::len)),
                ("support.tokens", places),
                ("entropies", c.entropies.len()),
            ] {
                if found != count {
                    return Err(TrajectoryError::TokenCountMismatch {
                        prompt: self.prompt,
                        completion,
                        tokens: count,
                        what,
                        found,
                    });
                }
            }
        }
        Ok(())
    }
}

/// A group with the verdict and the reward of each completion.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredGroup {
    /// The completions.
    pub group: PromptGroup,
    /// One verdict for each completion.
    pub verdicts: Vec<Verdict>,
    /// One finite reward for each completion.
    pub rewards: Vec<f32>,
    // What a `GroupView` borrows and the public fields imply.
    correct: Vec<bool>,
    lengths: Vec<usize>,
    truncated: Vec<bool>,
}

impl ScoredGroup {
    /// Joins completions with their verdicts and rewards.
    ///
    /// # Errors
    /// Names the group if the counts differ, a reward is not finite, or a completion's per-token
    /// fields have other lengths than its tokens.
    pub fn new(
        group: PromptGroup,
        verdicts: Vec<Verdict>,
        rewards: Vec<f32>,
    ) -> Result<Self, TrajectoryError> {
        let (prompt, completions) = (group.prompt, group.completions.len());
        for (what, found) in [("verdicts", verdicts.len()), ("rewards", rewards.len())] {
            if found != completions {
                return Err(TrajectoryError::CountMismatch { prompt, completions, what, found });
            }
        }
        if let Some(completion) = rewards.iter().position(|reward| !reward.is_finite()) {
            let reward = rewards[completion];
            return Err(TrajectoryError::RewardNotFinite { prompt, completion, reward });
        }
        group.validate()?;
        let correct = verdicts.iter().map(Verdict::correct).collect();
        let lengths = group.completions.iter().map(|c| c.tokens.len()).collect();
        let truncated = group.completions.iter().map(Completion::truncated).collect();
        Ok(Self { group, verdicts, rewards, correct, lengths, truncated })
    }

    /// What advantage estimators and filters see of this group.
    #[must_use]
    pub fn view(&self) -> GroupView<'_> {
        GroupView {
            prompt: self.group.prompt,
            rewards: &self.rewards,
            correct: &self.correct,
            lengths: &self.lengths,
            truncated: &self.truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::completion::{FinishReason, PolicyVersion, SamplingParams};
    use crate::verdict::Outcome;

    fn group(lengths: &[usize]) -> PromptGroup {
        let completion = |&n: &usize| Completion {
            tokens: vec![1; n],
            logprobs: vec![-1.0; n],
            sampling_logprobs: None,
            support: None,
            entropies: vec![0.5; n],
            finish: FinishReason::Stop,
            sampling: SamplingParams::default(),
            version: PolicyVersion(3),
        };
        PromptGroup {
            prompt: PromptId(7),
            prompt_tokens: vec![1, 2],
            completions: lengths.iter().map(completion).collect(),
        }
    }

    fn verdicts(n: usize) -> Vec<Verdict> {
        vec![Verdict::new(Outcome::Wrong); n]
    }

    #[test]
    fn a_missing_reward_names_the_group() {
        let error = ScoredGroup::new(group(&[1, 2]), verdicts(2), vec![0.0]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "group of prompt 0000000000000007: 2 completions but 1 rewards"
        );
    }

    #[test]
    fn a_nan_reward_names_group_and_completion() {
        let error = ScoredGroup::new(group(&[1, 2]), verdicts(2), vec![0.0, f32::NAN]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "group of prompt 0000000000000007: reward NaN of completion 1 is not finite"
        );
    }

    #[test]
    fn a_completion_with_missing_logprobs_is_refused() {
        let mut broken = group(&[3]);
        broken.completions[0].logprobs.pop();
        let error = ScoredGroup::new(broken, verdicts(1), vec![0.0]).unwrap_err();
        assert!(error.to_string().contains("3 tokens but 2 logprobs"), "{error}");
    }

    #[test]
    fn the_view_reflects_the_verdicts_and_not_the_rewards() {
        let mut judged = verdicts(2);
        judged[1].outcome = Outcome::Correct;
        let scored = ScoredGroup::new(group(&[1, 4]), judged, vec![5.0, -5.0]).unwrap();
        let view = scored.view();
        assert_eq!(view.correct, [false, true]);
        assert_eq!(view.lengths, [1, 4]);
        assert_eq!(view.success_rate(), 0.5);
    }
}
