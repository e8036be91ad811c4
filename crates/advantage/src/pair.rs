//! Weighted GRPO over positive-negative pairs (arXiv 2602.03452).

use fireproof_trajectory::{GroupView, StepView};

use crate::estimator::AdvantageEstimator;
use crate::groups::by_correctness;
use crate::z_score::Ddof;

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
/// the norm) are our choice, DERIVED from this algebra: under a z-score any two reward values give the
/// same advantages (`sqrt((G-k)/k)` and `-sqrt(k/(G-k))` for one group), so weights applied before it
/// cancel, in a group as over a pair. Pooling also brings the success rate near 1/2, which takes away
/// the amplification of rare outcomes that the paper is about.
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
/// let population = PairWeighted { ddof: Ddof::Population, epsilon: 0.0, ..Default::default() };
/// let found = PairWeighted { lambda_negative: 0.5, ..population }.advantages(&step);
/// assert_eq!(found, [[1.0, 1.0, -0.5, -0.5]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PairWeighted {
    /// Weight of right completions, at least 0.
    pub lambda_positive: f64,
    /// Weight of wrong completions, at least 0.
    pub lambda_negative: f64,
    /// Which completions are normalised together.
    pub scope: NormScope,
    /// Whether the weights act after the normalisation. Before it they cancel, unless the scope is
    /// [`NormScope::GroupMeanOnly`].
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
    /// Advantages of right and of wrong completions of groups that are normalised together.
    fn values(&self, groups: &[GroupView<'_>]) -> (f64, f64) {
        let count = groups.iter().map(GroupView::len).sum::<usize>();
        let successes = groups.iter().map(GroupView::successes).sum::<usize>();
        if successes == 0 || successes == count {
            return (0.0, 0.0);
        }
        let rho = successes as f64 / count as f64;
        let gap =
            if self.weight_after_norm { 1.0 } else { self.lambda_positive + self.lambda_negative };
        // Two values, `gap` apart, of which the share `rho` is the upper one.
        let scale = match self.scope {
            NormScope::GroupMeanOnly => 1.0,
            NormScope::Group | NormScope::Pair => {
                let squares = gap * gap * rho * (1.0 - rho) * count as f64;
                let degrees = (count - self.ddof.value()) as f64;
                1.0 / ((squares / degrees).sqrt() + self.epsilon)
            }
        };
        let (right, wrong) = (gap * (1.0 - rho) * scale, -gap * rho * scale);
        if self.weight_after_norm {
            (self.lambda_positive * right, self.lambda_negative * wrong)
        } else {
            (right, wrong)
        }
    }
}

impl AdvantageEstimator for PairWeighted {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        let size = if self.scope == NormScope::Pair { 2 } else { 1 };
        let mut rows = Vec::with_capacity(step.groups.len());
        for together in step.groups.chunks(size) {
            let (right, wrong) = self.values(together);
            rows.extend(together.iter().map(|g| by_correctness(g.correct, right, wrong)));
        }
        rows
    }

    fn uses_rewards(&self) -> bool {
        false
    }
}
