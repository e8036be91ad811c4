//! The z-score with every convention that frameworks disagree about as a field.

mod conventions;
mod moments;

use fireproof_trajectory::{GroupView, StepView};

pub use self::conventions::AllEqual;
pub use self::conventions::Arithmetic;
pub use self::conventions::Baseline;
pub use self::conventions::Ddof;
pub use self::conventions::EpsilonPlace;
pub use self::conventions::Scale;
pub use self::conventions::Singleton;
use self::moments::{Moments, Rounding, ToDouble, ToSingle};
use crate::estimator::AdvantageEstimator;
use crate::groups::all_equal;

/// `A_i = (r_i - baseline) / (std + epsilon)`: GRPO (arXiv 2402.03300, confidence HIGH).
///
/// The default is the group's mean and sample standard deviation with epsilon 1e-6. The other fields
/// hold what frameworks do differently, so that each one's numbers come out; they are the departures:
/// 1. The variance takes two passes in `f64`, so large offsets do not cancel ([`Arithmetic`]).
/// 2. A group whose rewards are all equal (compared exactly) gives 0. Frameworks divide by epsilon
///    there, which turns rounding noise into advantages of any size ([`AllEqual`]).
/// 3. A group of one completion gives 0 ([`Singleton`]).
/// 4. `epsilon` is added to the standard deviation, not to the variance ([`EpsilonPlace`]).
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
/// let sample = ZScore { epsilon: 0.0, ..ZScore::default() };
/// assert_eq!(sample.advantages(&step), [[1.5, -0.5, -0.5, -0.5]]);
/// // Over 4 it is 3/16, so the std is sqrt(3)/4.
/// let population = ZScore { ddof: Ddof::Population, ..sample };
/// assert!((population.advantages(&step)[0][0] - 3f32.sqrt()).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ZScore {
    /// Which variance.
    pub ddof: Ddof,
    /// Added to the standard deviation (verl 1e-6, TRL 1e-4, AReaL 1e-5, OpenRLHF 1e-9).
    pub epsilon: f64,
    /// Where `epsilon` goes.
    pub epsilon_place: EpsilonPlace,
    /// The variance is at least this (1e-6 in earlier versions of verl's vectorised form, 1e-8 in
    /// OpenRLHF's whitening); 0 for no floor.
    pub variance_floor: f64,
    /// What is subtracted.
    pub baseline: Baseline,
    /// What is divided by.
    pub scale: Scale,
    /// What a group of one completion gets.
    pub singleton: Singleton,
    /// What constant rewards get.
    pub all_equal: AllEqual,
    /// How means and variances are computed.
    pub arithmetic: Arithmetic,
}

impl ZScore {
    /// The group's mean and sample standard deviation, epsilon 1e-6 after the root as in verl, and
    /// exactly 0 for constant and single rewards.
    pub const DEFAULT: Self = Self {
        ddof: Ddof::Sample,
        epsilon: 1e-6,
        epsilon_place: EpsilonPlace::AfterRoot,
        variance_floor: 0.0,
        baseline: Baseline::Group,
        scale: Scale::Group,
        singleton: Singleton::Zero,
        all_equal: AllEqual::Zero,
        arithmetic: Arithmetic::Double,
    };
}

impl Default for ZScore {
    /// [`Self::DEFAULT`].
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl AdvantageEstimator for ZScore {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        match self.arithmetic {
            Arithmetic::Double => self.rows::<ToDouble>(step),
            Arithmetic::Single | Arithmetic::SingleOnePass => self.rows::<ToSingle>(step),
        }
    }
}

/// What a z-score needs to know of the whole step.
struct OfStep {
    mean: f64,
    divisor: f64,
    all_equal: bool,
}

impl ZScore {
    fn rows<R: Rounding>(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        let of_step = self.of_step::<R>(step);
        step.groups.iter().map(|group| self.row::<R>(group.rewards, &of_step)).collect()
    }

    fn row<R: Rounding>(&self, rewards: &[f32], of_step: &OfStep) -> Vec<f32> {
        if self.is_zero(rewards, of_step.all_equal) {
            return vec![0.0; rewards.len()];
        }
        let group = self.group_moments::<R>(rewards);
        let baseline = if self.baseline == Baseline::Step { of_step.mean } else { group.mean };
        let divisor = match self.scale {
            Scale::Step | Scale::StepCentered => of_step.divisor,
            Scale::Group | Scale::LeaveOneOut => self.divisor::<R>(group.variance),
        };
        if self.baseline == Baseline::LeaveOneOut || self.scale == Scale::LeaveOneOut {
            let advantage = |(index, reward): (usize, &f32)| {
                let others = self.other_moments::<R>(rewards, index, &group);
                let left_out = self.baseline == Baseline::LeaveOneOut;
                let baseline = if left_out { others.mean } else { baseline };
                let divisor = match self.scale {
                    Scale::LeaveOneOut if others.variance == 0.0 => 1.0,
                    Scale::LeaveOneOut => self.divisor::<R>(others.variance),
                    Scale::Group | Scale::Step | Scale::StepCentered => divisor,
                };
                R::round(R::round(f64::from(*reward) - baseline) / divisor) as f32
            };
            return rewards.iter().enumerate().map(advantage).collect();
        }
        let advantage = |reward: &f32| R::round(f64::from(*reward) - baseline) / divisor;
        rewards.iter().map(|reward| R::round(advantage(reward)) as f32).collect()
    }

    /// Whether a group gets exactly 0.
    fn is_zero(&self, rewards: &[f32], step_all_equal: bool) -> bool {
        let group_matters = self.baseline != Baseline::Step
            || matches!(self.scale, Scale::Group | Scale::LeaveOneOut);
        if rewards.len() == 1 && group_matters {
            return self.singleton == Singleton::Zero;
        }
        let equal = step_all_equal || group_matters && all_equal(rewards);
        self.all_equal == AllEqual::Zero && equal
    }

    /// Moments of a group; mean 0 and variance 1 for one completion.
    fn group_moments<R: Rounding>(&self, rewards: &[f32]) -> Moments {
        if rewards.len() == 1 {
            return Moments { mean: 0.0, variance: 1.0 };
        }
        self.moments::<R>(rewards.iter().copied().map(f64::from), rewards.len())
    }

    /// Moments of a group without one completion.
    fn other_moments<R: Rounding>(
        &self,
        rewards: &[f32],
        left_out: usize,
        group: &Moments,
    ) -> Moments {
        let reward = f64::from(rewards[left_out]);
        let (count, double) = (rewards.len(), self.arithmetic == Arithmetic::Double);
        let shortcut = double.then(|| group.without(reward, count, self.ddof)).flatten();
        shortcut.unwrap_or_else(|| {
            let (before, after) = (&rewards[..left_out], &rewards[left_out + 1..]);
            let others = before.iter().chain(after).copied().map(f64::from);
            self.moments::<R>(others, count - 1)
        })
    }

    fn moments<R: Rounding>(
        &self,
        values: impl Iterator<Item = f64> + Clone,
        count: usize,
    ) -> Moments {
        match self.arithmetic {
            Arithmetic::SingleOnePass => Moments::one_pass::<R>(values, count, self.ddof),
            Arithmetic::Double | Arithmetic::Single => {
                Moments::two_pass::<R>(values, count, self.ddof)
            }
        }
    }

    fn divisor<R: Rounding>(&self, variance: f64) -> f64 {
        let variance = R::round(variance.max(self.variance_floor));
        let epsilon = R::round(self.epsilon);
        match self.epsilon_place {
            EpsilonPlace::AfterRoot => R::round(R::round(variance.sqrt()) + epsilon),
            EpsilonPlace::UnderRoot => R::round(R::round(variance + epsilon).sqrt()),
        }
    }

    /// Nothing where only the group counts, so that no pass over the step is wasted.
    fn of_step<R: Rounding>(&self, step: &StepView<'_>) -> OfStep {
        let step_scale = matches!(self.scale, Scale::Step | Scale::StepCentered);
        if self.baseline != Baseline::Step && !step_scale {
            return OfStep { mean: 0.0, divisor: 1.0, all_equal: false };
        }
        let groups = step.groups.iter();
        let rewards = groups.clone().flat_map(|group| group.rewards).copied();
        let count = groups.clone().map(GroupView::len).sum();
        let first = rewards.clone().next();
        let all_equal = rewards.clone().all(|reward| Some(reward) == first);
        let Moments { mean, variance } = self.moments::<R>(rewards.map(f64::from), count);
        let variance = if self.scale == Scale::StepCentered {
            let centred = groups.flat_map(|group| self.centred::<R>(group.rewards, mean));
            self.moments::<R>(centred, count).variance
        } else {
            variance
        };
        OfStep { mean, divisor: self.divisor::<R>(variance), all_equal }
    }

    /// A group minus its baseline.
    fn centred<'a, R: Rounding>(
        &'a self,
        rewards: &'a [f32],
        step_mean: f64,
    ) -> impl Iterator<Item = f64> + Clone + 'a {
        let zero = self.is_zero(rewards, false);
        let group = self.group_moments::<R>(rewards);
        rewards.iter().enumerate().map(move |(index, reward)| {
            let baseline = match self.baseline {
                Baseline::LeaveOneOut => self.other_moments::<R>(rewards, index, &group).mean,
                Baseline::Group => group.mean,
                Baseline::Step => step_mean,
            };
            if zero { 0.0 } else { R::round(f64::from(*reward) - baseline) }
        })
    }
}
