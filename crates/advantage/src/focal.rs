//! Difficulty-aware focal scaling, F-GRPO (arXiv 2602.06717).

use fireproof_trajectory::StepView;

use crate::estimator::AdvantageEstimator;
use crate::groups::success_rate;

/// `g(rho) = (1 - rho)^gamma`: 1 for every rho at gamma 0, and less for easy prompts above it.
///
/// ```
/// use fireproof_advantage::focal_factor;
/// assert_eq!(focal_factor(0.5, 1.0), 0.5);
/// assert_eq!(focal_factor(1.0, 0.0), 1.0);
/// ```
#[must_use]
pub fn focal_factor(rho: f64, gamma: f64) -> f64 {
    (1.0 - rho).powf(gamma)
}

/// F-GRPO: `A_i = (1 - rho)^gamma A_i(base)`, the same factor for all completions of a prompt.
///
/// Source: arXiv 2602.06717 (confidence HIGH). The paper's `mu_hat` is the success rate `rho = k/G`.
/// It selects gamma 0.5 in six of nine settings and 1 in the others; the default here is 0.5.
/// With two completions a group the factor is the constant `2^-gamma`, so `G = 2` shows nothing.
/// Around the population z-score it is [`FocalR`](crate::FocalR) of
/// [`DeviationR`](crate::DeviationR): `c = (1 - rho)^(gamma + 1/2) sqrt(rho)`.
///
/// ```
/// use fireproof_advantage::{AdvantageEstimator, Centered, Focal};
/// use fireproof_trajectory::{GroupView, PromptId, StepView};
///
/// let group = GroupView {
///     prompt: PromptId(1),
///     rewards: &[1.0, 0.0, 0.0, 0.0],
///     correct: &[true, false, false, false],
///     lengths: &[1; 4],
///     truncated: &[false; 4],
/// };
/// let step = StepView { groups: &[group], step: 0, steps: 1 };
/// // (1 - 1/4)^2 = 9/16 times 3/4 and -1/4.
/// let found = Focal { gamma: 2.0, base: Box::new(Centered) }.advantages(&step);
/// assert_eq!(found, [[0.421_875, -0.140_625, -0.140_625, -0.140_625]]);
/// ```
#[derive(Debug)]
pub struct Focal {
    /// Exponent, at least 0; 0 is the base estimator.
    pub gamma: f64,
    /// The estimator that is scaled.
    pub base: Box<dyn AdvantageEstimator>,
}

impl Focal {
    /// The paper's usual exponent 0.5 around a base estimator.
    pub fn new(base: impl AdvantageEstimator + 'static) -> Self {
        Self { gamma: 0.5, base: Box::new(base) }
    }
}

impl AdvantageEstimator for Focal {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        let mut advantages = self.base.advantages(step);
        for (row, group) in advantages.iter_mut().zip(step.groups) {
            let factor = focal_factor(success_rate(group), self.gamma);
            row.iter_mut().for_each(|a| *a = (f64::from(*a) * factor) as f32);
        }
        advantages
    }

    fn uses_rewards(&self) -> bool {
        self.base.uses_rewards()
    }
}
