//! The trait of advantage estimators, the lift of a function of one group, and the check that a
//! trainer runs on whatever an estimator returns.

use std::fmt;

use fireproof_trajectory::{GroupView, PromptId, StepView};

/// Turns the rewards of a step into one advantage for each completion.
///
/// The `Debug` text is part of a recipe's fingerprint, so it must show every setting.
pub trait AdvantageEstimator: fmt::Debug + Send + Sync {
    /// One row for each group of the step, one advantage for each completion of the group.
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>>;

    /// False if correctness alone decides, so that shaping the rewards would do nothing. The trainer
    /// refuses such combinations.
    fn uses_rewards(&self) -> bool {
        true
    }
}

impl AdvantageEstimator for Box<dyn AdvantageEstimator> {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        (**self).advantages(step)
    }

    fn uses_rewards(&self) -> bool {
        (**self).uses_rewards()
    }
}

/// Lifts a function of one group to an estimator of the whole step.
///
/// ```
/// use fireproof_advantage::{AdvantageEstimator, PerGroup};
/// use fireproof_trajectory::GroupView;
///
/// // RAFT: only right completions train, all equally.
/// let raft = PerGroup::new("raft", |group: &GroupView<'_>| {
///     group.correct.iter().map(|&correct| f32::from(correct)).collect()
/// });
/// assert_eq!(format!("{raft:?}"), "PerGroup(raft)");
/// ```
pub struct PerGroup<F> {
    name: &'static str,
    function: F,
}

impl<F> PerGroup<F>
where
    F: Fn(&GroupView<'_>) -> Vec<f32> + Send + Sync,
{
    /// Names the function (the name is its fingerprint).
    pub fn new(name: &'static str, function: F) -> Self {
        Self { name, function }
    }
}

impl<F> fmt::Debug for PerGroup<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PerGroup({})", self.name)
    }
}

impl<F> AdvantageEstimator for PerGroup<F>
where
    F: Fn(&GroupView<'_>) -> Vec<f32> + Send + Sync,
{
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        step.groups.iter().map(&self.function).collect()
    }
}

/// Rewards that no estimator gets to see, or an estimator that returned something unusable.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvantageError {
    /// A reward is NaN or infinite.
    #[error("the reward of completion {completion} of prompt {prompt} is {reward}")]
    RewardNotFinite {
        /// The group.
        prompt: PromptId,
        /// Index of the completion.
        completion: usize,
        /// The reward.
        reward: f32,
    },
    /// The number of rows is not the number of groups.
    #[error("{estimator} returned advantages for {found} groups, the step has {groups}")]
    GroupCount {
        /// The estimator's `Debug` text.
        estimator: String,
        /// Rows returned.
        found: usize,
        /// Groups in the step.
        groups: usize,
    },
    /// A row has another length than its group.
    #[error(
        "{estimator} returned {found} advantages for the {completions} completions of {prompt}"
    )]
    CompletionCount {
        /// The estimator's `Debug` text.
        estimator: String,
        /// The group.
        prompt: PromptId,
        /// Advantages returned.
        found: usize,
        /// Completions in the group.
        completions: usize,
    },
    /// An advantage is NaN or infinite.
    #[error(
        "{estimator} returned {value} for completion {completion} of prompt {prompt}, \
         whose reward is {reward}"
    )]
    NotFinite {
        /// The estimator's `Debug` text.
        estimator: String,
        /// The group.
        prompt: PromptId,
        /// Index of the completion.
        completion: usize,
        /// The advantage.
        value: f32,
        /// The reward it was made from.
        reward: f32,
    },
}

/// Runs an estimator on finite rewards and checks that every completion got one finite advantage.
///
/// Rewards are checked before the estimator runs: a rule that compares rewards or takes a maximum
/// could turn NaN into an innocent 0.
///
/// # Errors
/// [`AdvantageError`] names the group and the reward, or the estimator, the group and the value.
pub fn checked_advantages(
    estimator: &dyn AdvantageEstimator,
    step: &StepView<'_>,
) -> Result<Vec<Vec<f32>>, AdvantageError> {
    for group in step.groups {
        if let Some(completion) = group.rewards.iter().position(|reward| !reward.is_finite()) {
            let (prompt, reward) = (group.prompt, group.rewards[completion]);
            return Err(AdvantageError::RewardNotFinite { prompt, completion, reward });
        }
    }
    let advantages = estimator.advantages(step);
    let name = || format!("{estimator:?}");
    if advantages.len() != step.groups.len() {
        return Err(AdvantageError::GroupCount {
            estimator: name(),
            found: advantages.len(),
            groups: step.groups.len(),
        });
    }
    for (row, group) in advantages.iter().zip(step.groups) {
        if row.len() != group.len() {
            return Err(AdvantageError::CompletionCount {
                estimator: name(),
                prompt: group.prompt,
                found: row.len(),
                completions: group.len(),
            });
        }
        if let Some(completion) = row.iter().position(|value| !value.is_finite()) {
            return Err(AdvantageError::NotFinite {
                estimator: name(),
                prompt: group.prompt,
                completion,
                value: row[completion],
                reward: group.rewards[completion],
            });
        }
    }
    Ok(advantages)
}
