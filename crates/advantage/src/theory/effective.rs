//! The weighting that an arbitrary advantage rule amounts to.

use fireproof_trajectory::{GroupView, PromptId, StepView};

use crate::estimator::AdvantageEstimator;

/// `omega` of any estimator on a group with `successes` right of `completions`: the gap
/// `A(right) - A(wrong)`.
///
/// Source: arXiv 2602.11128 (confidence HIGH). A constant added to all advantages of a prompt does
/// not move the population gradient, because the mean score is 0; so the gap is all that counts, and
/// the gradient is `rho (1-rho) omega * (mean score of right - mean score of wrong)`.
///
/// # Panics
/// Unless the group is mixed: `0 < successes < completions`.
///
/// ```
/// use fireproof_advantage::{LinearR, PositiveReward, PromptWeighted, theory::effective_weight};
/// // Linear-R: 1/rho. Without any baseline the gap is 1, as with the mean.
/// assert_eq!(effective_weight(&PromptWeighted::new(LinearR), 2, 8), 4.0);
/// assert_eq!(effective_weight(&PositiveReward, 2, 8), 1.0);
/// ```
#[must_use]
pub fn effective_weight(
    estimator: &dyn AdvantageEstimator,
    successes: usize,
    completions: usize,
) -> f64 {
    assert!(0 < successes && successes < completions, "{successes} of {completions}: not mixed");
    let correct: Vec<bool> = (0..completions).map(|index| index < successes).collect();
    let rewards: Vec<f32> = correct.iter().map(|correct| f32::from(*correct)).collect();
    let group = GroupView {
        prompt: PromptId(0),
        rewards: &rewards,
        correct: &correct,
        lengths: &vec![1; completions],
        truncated: &vec![false; completions],
    };
    let advantages = estimator.advantages(&StepView { groups: &[group], step: 0, steps: 1 });
    f64::from(advantages[0][0]) - f64::from(advantages[0][completions - 1])
}

/// `c(rho) = rho (1 - rho) omega` of any estimator, with `rho = successes / completions`; see
/// [`effective_weight`].
///
/// # Panics
/// Unless the group is mixed: `0 < successes < completions`.
///
/// ```
/// use fireproof_advantage::{Centered, theory::effective_coefficient};
/// assert_eq!(effective_coefficient(&Centered, 2, 8), 3.0 / 16.0);
/// ```
#[must_use]
pub fn effective_coefficient(
    estimator: &dyn AdvantageEstimator,
    successes: usize,
    completions: usize,
) -> f64 {
    let rho = successes as f64 / completions as f64;
    rho * (1.0 - rho) * effective_weight(estimator, successes, completions)
}
