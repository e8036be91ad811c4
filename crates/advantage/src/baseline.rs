//! Baselines and scales: centred, z-score, leave-one-out, the mean of the whole step.

use fireproof_trajectory::{GroupView, StepView};

use crate::estimator::AdvantageEstimator;

/// Which variance a z-score divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ddof {
    /// Divide the sum of squares by `G` (ddof 0; NumPy's default).
    Population,
    /// Divide the sum of squares by `G - 1` (ddof 1; PyTorch's default, TRL, verl).
    Sample,
}

impl Ddof {
    /// The number subtracted from `G`.
    #[must_use]
    pub fn value(self) -> usize {
        match self {
            Self::Population => 0,
            Self::Sample => 1,
        }
    }
}

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
/// let found = Centered.advantages(&step).remove(0);
/// for (found, expected) in found.iter().zip([0.75, -0.25, -0.25, -0.25]) {
///     assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Centered;

/// `A_i = (r_i - mean(r)) / (std(r) + epsilon)`: GRPO (arXiv 2402.03300).
///
/// Departures and conventions:
/// 1. The variance takes two passes in `f64`, so large offsets do not cancel.
/// 2. A group whose rewards are all equal (compared exactly) gives 0. Peers divide by epsilon
///    alone there, which turns rounding noise into advantages of any size.
/// 3. A group of one completion gives 0; verl takes mean 0 and std 1 instead, so `A = r`.
/// 4. `epsilon` is added to the standard deviation, not to the variance.
///
/// ```
/// # use fireproof_advantage::{AdvantageEstimator, Ddof, ZScore};
/// # use fireproof_trajectory::{GroupView, PromptId, StepView};
/// let group = GroupView {
///     prompt: PromptId(1),
///     rewards: &[1.0, 0.0, 0.0, 0.0],
///     correct: &[true, false, false, false],
///     lengths: &[1; 4],
///     truncated: &[false; 4],
/// };
/// let step = StepView { groups: &[group], step: 0, steps: 1 };
/// // Squares 9/16 + 3/16 = 3/4, over 3 is 1/4, so the std is 1/2.
/// let found = ZScore { ddof: Ddof::Sample, epsilon: 0.0 }.advantages(&step).remove(0);
/// for (found, expected) in found.iter().zip([1.5, -0.5, -0.5, -0.5]) {
///     assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ZScore {
    /// Which variance.
    pub ddof: Ddof,
    /// Added to the standard deviation (verl 1e-6, TRL 1e-4).
    pub epsilon: f64,
}

impl Default for ZScore {
    /// Sample standard deviation and epsilon 1e-6, as verl.
    fn default() -> Self {
        Self { ddof: Ddof::Sample, epsilon: 1e-6 }
    }
}

/// `A_i = r_i - mean of r_j over j != i` = `G/(G-1) (r_i - mean(r))`: RLOO (arXiv 2402.14740).
///
/// A group of one completion gives 0, as in verl.
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
/// (compared exactly) gives 0. REINFORCE++ (arXiv 2501.03262) also divides by the step's standard
/// deviation and puts a KL into the reward; that is not here.
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

impl AdvantageEstimator for BatchCentered {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        let rewards = step.groups.iter().flat_map(|group| group.rewards);
        let rewards: Vec<f64> = rewards.map(|reward| f64::from(*reward)).collect();
        let mut centred = scaled_deviations(&rewards, |_| 1.0).into_iter().map(|a| a as f32);
        step.groups.iter().map(|group| centred.by_ref().take(group.len()).collect()).collect()
    }
}

impl AdvantageEstimator for Centered {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        each_group(step, |rewards| scaled_deviations(rewards, |_| 1.0))
    }
}

impl AdvantageEstimator for ZScore {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        each_group(step, |rewards| z_scores(rewards, self.ddof, self.epsilon))
    }
}

impl AdvantageEstimator for LeaveOneOut {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        each_group(step, |rewards| {
            let count = rewards.len() as f64;
            scaled_deviations(rewards, |_| count / (count - 1.0))
        })
    }
}

fn each_group(step: &StepView<'_>, function: impl Fn(&[f64]) -> Vec<f64>) -> Vec<Vec<f32>> {
    let of = |group: &GroupView<'_>| {
        let rewards: Vec<f64> = group.rewards.iter().map(|r| f64::from(*r)).collect();
        function(&rewards).into_iter().map(|a| a as f32).collect()
    };
    step.groups.iter().map(of).collect()
}

/// `(r_i - mean) / (std + epsilon)`, 0 where all rewards are equal.
pub(crate) fn z_scores(rewards: &[f64], ddof: Ddof, epsilon: f64) -> Vec<f64> {
    scaled_deviations(rewards, |squares| {
        let degrees = rewards.len() - ddof.value();
        1.0 / ((squares / degrees as f64).sqrt() + epsilon)
    })
}

/// `(r_i - mean) * scale(sum of squared deviations)`, exactly 0 where all rewards are equal.
///
/// `scale` is called only for groups with two different rewards, so with at least two completions
/// and a positive sum of squares.
pub(crate) fn scaled_deviations(rewards: &[f64], scale: impl Fn(f64) -> f64) -> Vec<f64> {
    if rewards.iter().all(|reward| *reward == rewards[0]) {
        return vec![0.0; rewards.len()];
    }
    let mean = rewards.iter().sum::<f64>() / rewards.len() as f64;
    let squares: f64 = rewards.iter().map(|r| (r - mean).powi(2)).sum();
    let scale = scale(squares);
    rewards.iter().map(|r| (r - mean) * scale).collect()
}
