//! Soft punishment of long completions, as DAPO shapes rewards.

use fireproof_trajectory::{GroupView, StepView};

use crate::estimator::AdvantageEstimator;

/// What a completion of `length` tokens loses: 0 up to `limit - buffer`, then linear to -1 at
/// `limit`, and -1 beyond.
///
/// Source: DAPO, arXiv 2503.14476 (confidence HIGH: two released implementations agree).
///
/// ```
/// use fireproof_advantage::overlong_penalty;
/// let penalties = [80, 90, 100, 101].map(|length| overlong_penalty(length, 100, 20));
/// assert_eq!(penalties, [0.0, -0.5, -1.0, -1.0]);
/// ```
#[must_use]
pub fn overlong_penalty(length: usize, limit: usize, buffer: usize) -> f64 {
    if length > limit {
        return -1.0;
    }
    let excess = length as f64 + buffer as f64 - limit as f64;
    if excess > 0.0 { -excess / buffer as f64 } else { 0.0 }
}

/// A base estimator on `r_i + factor * penalty(length_i)` (see [`overlong_penalty`]): DAPO's overlong
/// shaping, arXiv 2503.14476 (confidence HIGH). DAPO: limit 20480, buffer 4096, factor 1.
///
/// Departures:
/// 1. Only rewards change: `correct` and so every success rate stay as they are.
/// 2. A base that does not look at rewards is not changed by it; then
///    [`uses_rewards`](AdvantageEstimator::uses_rewards) is false too.
///
/// ```
/// use fireproof_advantage::{AdvantageEstimator, Centered, OverlongShaped};
/// use fireproof_trajectory::{GroupView, PromptId, StepView};
///
/// let group = GroupView {
///     prompt: PromptId(1),
///     rewards: &[1.0, 1.0],
///     correct: &[true, true],
///     lengths: &[80, 100],
///     truncated: &[false, true],
/// };
/// let step = StepView { groups: &[group], step: 0, steps: 1 };
/// let shaped = OverlongShaped { base: Box::new(Centered), limit: 100, buffer: 20, factor: 1.0 };
/// // Rewards 1 and 0.
/// assert_eq!(shaped.advantages(&step), [[0.5, -0.5]]);
/// ```
#[derive(Debug)]
pub struct OverlongShaped {
    /// The estimator that sees the shaped rewards.
    pub base: Box<dyn AdvantageEstimator>,
    /// Tokens at which the whole penalty is due.
    pub limit: usize,
    /// Tokens before the limit over which the penalty grows.
    pub buffer: usize,
    /// Reward that the whole penalty takes away.
    pub factor: f64,
}

impl AdvantageEstimator for OverlongShaped {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        let shaped: Vec<f32> = step.groups.iter().flat_map(|group| self.shaped(group)).collect();
        let mut groups = Vec::with_capacity(step.groups.len());
        let mut rest = shaped.as_slice();
        for group in step.groups {
            let (rewards, after) = rest.split_at(group.len());
            groups.push(GroupView { rewards, ..*group });
            rest = after;
        }
        self.base.advantages(&StepView { groups: &groups, ..*step })
    }

    fn uses_rewards(&self) -> bool {
        self.base.uses_rewards()
    }
}

impl OverlongShaped {
    fn shaped<'a>(&'a self, group: &'a GroupView<'_>) -> impl Iterator<Item = f32> + 'a {
        group.rewards.iter().zip(group.lengths).map(|(reward, length)| {
            let penalty = overlong_penalty(*length, self.limit, self.buffer);
            (f64::from(*reward) + self.factor * penalty) as f32
        })
    }
}
