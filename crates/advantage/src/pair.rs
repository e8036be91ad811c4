//! Weighted GRPO over positive-negative pairs (arXiv 2602.03452).

use fireproof_trajectory::{GroupView, StepView};

use crate::baseline::{Ddof, scaled_deviations, z_scores};
use crate::estimator::AdvantageEstimator;

/// Which completions share a mean and a standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormScope {
    /// Those of one group: the usual z-score.
    Group,
    /// Those of one group, without dividing by the standard deviation.
    GroupMeanOnly,
    /// Those of two neighbouring groups (0 and 1, 2 and 3, ...); an odd last group stands alone.
    Pair,
}

/// WGRPO: outcomes weighted `lambda_positive` / `lambda_negative`, then normalised.
///
/// ```text
/// weight_after_norm = false:  r~_i = lambda_positive if right else -lambda_negative;  A = norm(r~)
/// weight_after_norm = true:   z = norm(1 if right else 0);  A_i = lambda_positive z_i if z_i > 0
///                                                                  lambda_negative z_i if z_i < 0
/// ```
///
/// Source: arXiv 2602.03452. The reward mapping is confidence MED. The value of `lambda_negative`
/// and the scope of the normalisation are NOT FOUND; the defaults (1, 1, group scope, weights after
/// the norm) are our choice, DERIVED from this algebra: under a z-score of each group, any two
/// reward values give the same advantages `sqrt((G-k)/k)` and `-sqrt(k/(G-k))`, so weights applied
/// before it cancel. Pooling over the pair keeps them, but its success rate is near 1/2, which takes
/// away the amplification of rare outcomes that the paper is about.
///
/// ```
/// # use fireproof_advantage::{AdvantageEstimator, Ddof, PairWeighted};
/// # use fireproof_trajectory::{GroupView, PromptId, StepView};
/// let group = GroupView {
///     prompt: PromptId(1),
///     rewards: &[1.0, 1.0, 0.0, 0.0],
///     correct: &[true, true, false, false],
///     lengths: &[1; 4],
///     truncated: &[false; 4],
/// };
/// let step = StepView { groups: &[group], step: 0, steps: 1 };
/// // Mean and population std are 1/2, so z is 1 and -1; the wrong half is halved.
/// let found = PairWeighted { lambda_negative: 0.5, ddof: Ddof::Population, epsilon: 0.0, ..Default::default() }.advantages(&step).remove(0);
/// for (found, expected) in found.iter().zip([1.0, 1.0, -0.5, -0.5]) {
///     assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PairWeighted {
    /// Weight of right completions, at least 0.
    pub lambda_positive: f64,
    /// Weight of wrong completions, at least 0.
    pub lambda_negative: f64,
    /// Which completions are normalised together.
    pub scope: NormScope,
    /// Whether the weights act after the normalisation (they cancel under [`NormScope::Group`]
    /// otherwise).
    pub weight_after_norm: bool,
    /// Which variance.
    pub ddof: Ddof,
    /// Added to the standard deviation.
    pub epsilon: f64,
}

impl Default for PairWeighted {
    fn default() -> Self {
        Self {
            lambda_positive: 1.0,
            lambda_negative: 1.0,
            scope: NormScope::Group,
            weight_after_norm: true,
            ddof: Ddof::Sample,
            epsilon: 1e-6,
        }
    }
}

impl PairWeighted {
    fn normalise(&self, outcomes: &[f64]) -> Vec<f64> {
        match self.scope {
            NormScope::GroupMeanOnly => scaled_deviations(outcomes, |_| 1.0),
            NormScope::Group | NormScope::Pair => z_scores(outcomes, self.ddof, self.epsilon),
        }
    }

    /// Advantages of groups that are normalised together.
    fn together(&self, groups: &[GroupView<'_>]) -> Vec<Vec<f32>> {
        let (right, wrong) = if self.weight_after_norm {
            (1.0, 0.0)
        } else {
            (self.lambda_positive, -self.lambda_negative)
        };
        let outcomes: Vec<f64> = groups
            .iter()
            .flat_map(|group| group.correct)
            .map(|correct| if *correct { right } else { wrong })
            .collect();
        let mut advantages = self.normalise(&outcomes).into_iter().map(|a| match a {
            _ if !self.weight_after_norm => a,
            _ if a > 0.0 => a * self.lambda_positive,
            _ => a * self.lambda_negative,
        });
        let take = |group: &GroupView<'_>| {
            advantages.by_ref().take(group.len()).map(|a| a as f32).collect()
        };
        groups.iter().map(take).collect()
    }
}

impl AdvantageEstimator for PairWeighted {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        let size = if self.scope == NormScope::Pair { 2 } else { 1 };
        step.groups.chunks(size).flat_map(|groups| self.together(groups)).collect()
    }

    fn uses_rewards(&self) -> bool {
        false
    }
}
