//! Baselines without a scale: none, the group's mean, the others' mean, the mean of the step.

use fireproof_trajectory::{GroupView, StepView};

use crate::estimator::AdvantageEstimator;
use crate::groups::{deviations, each_group};

/// `A_i = r_i`: REINFORCE (Williams 1992) without a baseline.
///
/// The first half of REINFORCE++ (arXiv 2501.03262), whose other half whitens over the tokens of the
/// step: [`WhitenedReturns`](crate::WhitenedReturns).
///
/// ```
/// # use fireproof_advantage::{AdvantageEstimator, RawReward};
/// # use fireproof_trajectory::{GroupView, PromptId, StepView};
/// let group = GroupView {
///     prompt: PromptId(1),
///     rewards: &[1.0, -0.5],
///     correct: &[true, false],
///     lengths: &[1; 2],
///     truncated: &[false; 2],
/// };
/// let step = StepView { groups: &[group], step: 0, steps: 1 };
/// assert_eq!(RawReward.advantages(&step), [[1.0, -0.5]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RawReward;

/// `A_i = r_i - mean(r)`: the baseline of Dr.GRPO (arXiv 2503.20783), without a scale.
///
/// ```
/// # use fireproof_advantage::{AdvantageEstimator, Centered};
/// # use fireproof_trajectory::{GroupView, PromptId, StepView};
/// let group = GroupView {
///     prompt: PromptId(1),
///     rewards: &[1.0, 0.0, 0.0, 0.0],
///     correct: &[true, false, false, false],
///     lengths: &[1; 4],
///     truncated: &[false; 4],
/// };
/// let step = StepView { groups: &[group], step: 0, steps: 1 };
/// // The mean is 1/4.
/// assert_eq!(Centered.advantages(&step), [[0.75, -0.25, -0.25, -0.25]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Centered;

/// `A_i = r_i - mean of r_j over j != i` = `G/(G-1) (r_i - mean(r))`: RLOO (arXiv 2402.14740).
///
/// A group of one completion gives 0 (as in SkyRL; verl 0.9.1 leaves it its reward).
///
/// ```
/// # use fireproof_advantage::{AdvantageEstimator, LeaveOneOut};
/// # use fireproof_trajectory::{GroupView, PromptId, StepView};
/// let group = GroupView {
///     prompt: PromptId(1),
///     rewards: &[1.0, 0.0, 0.0, 0.0],
///     correct: &[true, false, false, false],
///     lengths: &[1; 4],
///     truncated: &[false; 4],
/// };
/// let step = StepView { groups: &[group], step: 0, steps: 1 };
/// // The others of the first have mean 0, those of each other one 1/3.
/// let found = LeaveOneOut.advantages(&step).remove(0);
/// for (found, expected) in found.iter().zip([1.0, -1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0]) {
///     assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LeaveOneOut;

/// `A_i = r_i - mean of the rewards of all completions of the step`: REINFORCE (Williams 1992) with
/// the step's mean reward as baseline.
///
/// The baseline knows nothing of prompts, so a right completion of an easy prompt counts as much as
/// one of a hard prompt, and an all-right group still trains. A step whose rewards are all equal
/// (compared exactly) gives 0.
///
/// ```
/// # use fireproof_advantage::{AdvantageEstimator, BatchCentered};
/// # use fireproof_trajectory::{GroupView, PromptId, StepView};
/// let group = |rewards, correct| GroupView {
///     prompt: PromptId(1),
///     rewards,
///     correct,
///     lengths: &[1; 2],
///     truncated: &[false; 2],
/// };
/// let (hard, easy) = (group(&[1.0, 0.0], &[true, false]), group(&[1.0, 1.0], &[true, true]));
/// let step = StepView { groups: &[hard, easy], step: 0, steps: 1 };
/// // The mean over both groups is 3/4.
/// assert_eq!(BatchCentered.advantages(&step), [[0.25, -0.75], [0.25, 0.25]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BatchCentered;

impl AdvantageEstimator for RawReward {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        each_group(step, |group| group.rewards.to_vec())
    }
}

impl AdvantageEstimator for Centered {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        each_group(step, |group| deviations(group.rewards, 1.0))
    }
}

impl AdvantageEstimator for LeaveOneOut {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        each_group(step, |group| {
            let count = group.len() as f64;
            deviations(group.rewards, count / (count - 1.0).max(1.0))
        })
    }
}

impl AdvantageEstimator for BatchCentered {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        let mean = step_mean(step);
        each_group(step, |group| {
            group.rewards.iter().map(|reward| (f64::from(*reward) - mean) as f32).collect()
        })
    }
}

/// The mean of all rewards of the step; NaN for a step without any.
fn step_mean(step: &StepView<'_>) -> f64 {
    let sum: f64 = step.groups.iter().flat_map(|group| group.rewards).copied().map(f64::from).sum();
    sum / step.groups.iter().map(GroupView::len).sum::<usize>() as f64
}
