//! Rewards relative to their mean, their positive part, and those of mixed groups: MaxRL, RAFT and
//! Reinforce-Rej.

use fireproof_trajectory::StepView;

use crate::estimator::AdvantageEstimator;
use crate::groups::{deviations, each_group, mean};

/// `A_i = (r_i - mean(r)) / mean(r)`, and 0 where the mean is not above 0: MaxRL (arXiv 2602.02710).
///
/// Confidence HIGH for the formula (prime-rl's code). For binary rewards it is
/// [`LinearR`](crate::LinearR) with all-wrong groups dropped: `(1 - rho)/rho` if right, -1 if wrong.
/// A group of one completion gives 0.
///
/// ```
/// # use fireproof_advantage::{AdvantageEstimator, RelativeToMean};
/// # use fireproof_trajectory::{GroupView, PromptId, StepView};
/// let group = GroupView {
///     prompt: PromptId(1),
///     rewards: &[1.0, 0.0, 0.0, 0.0],
///     correct: &[true, false, false, false],
///     lengths: &[1; 4],
///     truncated: &[false; 4],
/// };
/// let step = StepView { groups: &[group], step: 0, steps: 1 };
/// // The mean is 1/4: (3/4) / (1/4) and (-1/4) / (1/4).
/// assert_eq!(RelativeToMean.advantages(&step), [[3.0, -1.0, -1.0, -1.0]]);
/// ```
#[doc(alias = "MaxRL")]
#[derive(Clone, Copy, Debug)]
pub struct RelativeToMean;

/// `A_i = max(r_i, 0)`: RAFT and RAFT++ (arXiv 2504.11343).
///
/// Confidence HIGH (released code). Only what earned something trains: RAFT is the plain
/// log-likelihood with these advantages, RAFT++ the clipped surrogate. There is no baseline, so
/// neither a shift nor a constant group gives 0.
///
/// ```
/// # use fireproof_advantage::{AdvantageEstimator, PositiveReward};
/// # use fireproof_trajectory::{GroupView, PromptId, StepView};
/// let group = GroupView {
///     prompt: PromptId(1),
///     rewards: &[1.0, 0.0, -0.5],
///     correct: &[true, false, false],
///     lengths: &[1; 3],
///     truncated: &[false; 3],
/// };
/// let step = StepView { groups: &[group], step: 0, steps: 1 };
/// assert_eq!(PositiveReward.advantages(&step), [[1.0, 0.0, 0.0]]);
/// ```
#[doc(alias = "RAFT")]
#[derive(Clone, Copy, Debug)]
pub struct PositiveReward;

/// `A_i = r_i` in groups with a right and a wrong completion, else 0: Reinforce-Rej
/// (arXiv 2504.11343).
///
/// Confidence HIGH (released code). No baseline and no scale; groups all right or all wrong are
/// dropped, here or by a filter that leaves them out before training.
///
/// Departures:
/// 1. Whether a group is mixed is read off `correct`; the code asks whether the standard deviation of
///    the rewards is above 0, which shaped rewards always are.
///
/// ```
/// # use fireproof_advantage::{AdvantageEstimator, RewardIfMixed};
/// # use fireproof_trajectory::{GroupView, PromptId, StepView};
/// let group = |rewards, correct| GroupView {
///     prompt: PromptId(1),
///     rewards,
///     correct,
///     lengths: &[1; 2],
///     truncated: &[false; 2],
/// };
/// let (mixed, easy) = (group(&[1.0, -1.0], &[true, false]), group(&[1.0, 1.0], &[true, true]));
/// let step = StepView { groups: &[mixed, easy], step: 0, steps: 1 };
/// assert_eq!(RewardIfMixed.advantages(&step), [[1.0, -1.0], [0.0, 0.0]]);
/// ```
#[doc(alias = "Reinforce-Rej")]
#[derive(Clone, Copy, Debug)]
pub struct RewardIfMixed;

impl AdvantageEstimator for RelativeToMean {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        each_group(step, |group| {
            let mean = mean(group.rewards);
            if mean > 0.0 { deviations(group.rewards, 1.0 / mean) } else { vec![0.0; group.len()] }
        })
    }
}

impl AdvantageEstimator for PositiveReward {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        each_group(step, |group| group.rewards.iter().map(|reward| reward.max(0.0)).collect())
    }
}

impl AdvantageEstimator for RewardIfMixed {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        each_group(step, |group| {
            if (1..group.len()).contains(&group.successes()) {
                group.rewards.to_vec()
            } else {
                vec![0.0; group.len()]
            }
        })
    }
}
