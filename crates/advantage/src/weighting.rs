//! Asymmetric prompt weighting (arXiv 2602.11128): how hard each success rate pulls.

mod family;

use std::fmt::Debug;

use fireproof_trajectory::{GroupView, StepView};

pub use self::family::DeviationR;
pub use self::family::FocalR;
pub use self::family::LinearR;
pub use self::family::PlateauR;
pub use self::family::SqrtR;
pub use self::family::UniformR;
pub use self::family::VarianceR;
use crate::estimator::AdvantageEstimator;
use crate::groups::{by_correctness, success_rate};

/// How hard a prompt of success rate `rho` pulls: the effective coefficient `c(rho)`.
///
/// Any prompt weighting `A_i = omega(rho) (r_i - rho)` of binary rewards has the group gradient
/// `c(rho) * (mean score gradient of right - mean score gradient of wrong)` with
/// `c(rho) = omega(rho) rho (1 - rho)`. Written through `c`, the advantages are
///
/// ```text
/// A(right) = c(rho) / rho          A(wrong) = -c(rho) / (1 - rho)
/// ```
///
/// which stay finite at both ends, because a right completion exists only if `rho > 0` and a wrong
/// one only if `rho < 1`.
pub trait PromptWeighting: Debug + Send + Sync {
    /// `c(rho)` for `rho` from 0 to 1, finite at both ends.
    fn coefficient(&self, rho: f64) -> f64;

    /// `omega(rho) = c(rho) / (rho (1 - rho))`, the gap between the advantages of right and wrong;
    /// infinite or NaN at the ends.
    fn weight(&self, rho: f64) -> f64 {
        self.coefficient(rho) / (rho * (1.0 - rho))
    }

    /// Advantage of a right completion; 0 at `rho = 0`, where there is none.
    fn right(&self, rho: f64) -> f64 {
        if rho > 0.0 { self.coefficient(rho) / rho } else { 0.0 }
    }

    /// Advantage of a wrong completion; 0 at `rho = 1`, where there is none.
    ///
    /// At `rho = 0` this is `-c(0)`: with `c(0) = 1` every completion of an all-wrong group is
    /// pushed down with weight 1.
    fn wrong(&self, rho: f64) -> f64 {
        if rho < 1.0 { -self.coefficient(rho) / (1.0 - rho) } else { 0.0 }
    }
}

impl PromptWeighting for Box<dyn PromptWeighting> {
    fn coefficient(&self, rho: f64) -> f64 {
        (**self).coefficient(rho)
    }

    fn weight(&self, rho: f64) -> f64 {
        (**self).weight(rho)
    }

    fn right(&self, rho: f64) -> f64 {
        (**self).right(rho)
    }

    fn wrong(&self, rho: f64) -> f64 {
        (**self).wrong(rho)
    }
}

/// What a prompt without any right completion contributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroSuccess {
    /// The weighting's own `-c(0)` for every completion: push down all that was sampled.
    Weighted,
    /// Nothing.
    Drop,
}

/// An estimator from a prompt weighting: advantages from correctness alone.
/// `PromptWeighted::new(weighting)` weights all-wrong groups from the first step on.
///
/// Rewards are not looked at; the identity behind `c(rho)` holds for binary outcomes only.
///
/// ```
/// use fireproof_advantage::{AdvantageEstimator, LinearR, PromptWeighted};
/// use fireproof_trajectory::{GroupView, PromptId, StepView};
///
/// let group = GroupView {
///     prompt: PromptId(1),
///     rewards: &[1.0, 0.0, 0.0, 0.0],
///     correct: &[true, false, false, false],
///     lengths: &[3, 3, 3, 3],
///     truncated: &[false; 4],
/// };
/// let step = StepView { groups: &[group], step: 0, steps: 100 };
/// // rho = 1/4: (1 - 1/4) / (1/4) = 3 for the right one, -1 for the wrong ones
/// assert_eq!(PromptWeighted::new(LinearR).advantages(&step), [[3.0, -1.0, -1.0, -1.0]]);
/// ```
#[derive(Clone, Copy, Debug, derive_new::new)]
pub struct PromptWeighted<W> {
    /// The weighting.
    pub weighting: W,
    /// What an all-wrong group contributes after the warm-up.
    #[new(value = "ZeroSuccess::Weighted")]
    pub zero_success: ZeroSuccess,
    /// Steps at the start of the run during which all-wrong groups contribute nothing. The paper
    /// warms the term up over 50 or 100 steps on GSM8K (confidence MED).
    #[new(value = "0")]
    pub zero_success_warmup: u64,
}

impl<W: PromptWeighting> PromptWeighted<W> {
    fn group(&self, group: &GroupView<'_>, step: u64) -> Vec<f32> {
        let successes = group.successes();
        let keep_zero =
            self.zero_success == ZeroSuccess::Weighted && step >= self.zero_success_warmup;
        if successes == 0 && !keep_zero {
            return vec![0.0; group.len()];
        }
        let rho = success_rate(group);
        by_correctness(group.correct, self.weighting.right(rho), self.weighting.wrong(rho))
    }
}

impl<W: PromptWeighting> AdvantageEstimator for PromptWeighted<W> {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        step.groups.iter().map(|group| self.group(group, step.step)).collect()
    }

    fn uses_rewards(&self) -> bool {
        false
    }
}
