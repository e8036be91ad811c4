//! Advantages for at least one right completion among `k` (arXiv 2508.10751).

use fireproof_trajectory::StepView;

use crate::estimator::AdvantageEstimator;
use crate::groups::{by_correctness, each_group, success_rate};

/// The analytic advantage of Pass@k training (arXiv 2508.10751, section 2.4), for binary outcomes.
///
/// With `n` completions of which `w` are wrong:
///
/// ```text
/// R = 1 - C(w, k) / C(n, k)           pass@k of the group        std = sqrt(R (1 - R))
/// A(right) = (1 - R) / std            A(wrong) = (1 - R - C(w-1, k-1) / C(n-1, k-1)) / std
/// ```
///
/// Confidence HIGH (two independent readings agree). Since `C(w, k) / C(n, k) = (w/n) q` with
/// `q = C(w-1, k-1) / C(n-1, k-1)`, this is the centred advantage times `q / std`:
/// `A(right) = (1 - rho) q / std`, `A(wrong) = -rho q / std`. So it sums to 0, and at `k = 1` it is
/// the z-score with the population deviation.
///
/// Departures:
/// 1. Where the deviation is 0 (all wrong, or fewer than `k` wrong) the advantages are 0.
/// 2. `k` is at most the group's size and at least 1.
/// 3. No epsilon; the paper's use of one is NOT FOUND.
///
/// ```
/// use fireproof_advantage::{AdvantageEstimator, PassAtK};
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
/// // 3 of the 6 pairs hold the right one, so R = std = 1/2; q = C(2,1)/C(3,1) = 2/3.
/// let found = PassAtK { k: 2 }.advantages(&step).remove(0);
/// for (found, expected) in found.iter().zip([1.0, -1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0]) {
///     assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PassAtK {
    /// Completions that are drawn, at least 1.
    pub k: usize,
}

impl AdvantageEstimator for PassAtK {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        each_group(step, |group| {
            let (count, successes) = (group.len(), group.successes());
            let ratio = wrong_ratio(count, count - successes, self.k.min(count));
            let rho = success_rate(group);
            let missed = (1.0 - rho) * ratio;
            let variance = missed * (1.0 - missed);
            let scale = if variance > 0.0 { ratio / variance.sqrt() } else { 0.0 };
            by_correctness(group.correct, (1.0 - rho) * scale, -rho * scale)
        })
    }

    fn uses_rewards(&self) -> bool {
        false
    }
}

/// `C(w-1, k-1) / C(n-1, k-1)`: how often `k - 1` further draws after a wrong one are wrong too.
fn wrong_ratio(count: usize, wrong: usize, k: usize) -> f64 {
    let draw = |drawn: usize| wrong.saturating_sub(drawn) as f64 / (count - drawn) as f64;
    (1..k).map(draw).product()
}
