//! Returns of tokens, whitened over all tokens of the step: REINFORCE++.

use fireproof_trajectory::{TokenStep, TokenView};

use super::CreditAssignment;
use crate::z_score::Ddof;

/// REINFORCE++ (arXiv 2501.03262): the return from each token on, whitened over all tokens of the
/// step.
///
/// With `T` tokens, the completion's advantage `A` earned at the last one and costs `c_t` (a KL inside
/// the reward):
///
/// ```text
/// G_t = gamma^(T-1-t) A - sum over s >= t of gamma^(s-t) c_s
/// A_t = (G_t - mean(G)) / sqrt(max(var(G), variance_floor) + epsilon)      over all tokens of the step
/// ```
///
/// Confidence HIGH (verl's code and a full reading of the paper). With
/// [`RawReward`](crate::RawReward) it is REINFORCE++, with [`Centered`](crate::Centered)
/// REINFORCE++-baseline. The default is verl's: gamma 1, ddof 1, epsilon 1e-8 under the root;
/// OpenRLHF takes ddof 0 and a floor of 1e-8.
///
/// Departures:
/// 1. Returns that are all equal (compared exactly), and a step of one token, give 0.
/// 2. With costs, verl's REINFORCE++-baseline centres the reward minus the sum of all costs and gives
///    every token that number. Here the baseline knows no costs and each token pays those from itself
///    on; without costs and at gamma 1 both are the same.
/// 3. Long completions weigh more in mean and variance, as in the released code.
///
/// ```
/// use fireproof_advantage::{CreditAssignment, Ddof, WhitenedReturns};
/// use fireproof_trajectory::{TokenStep, TokenView};
/// let row = |logprobs, costs| TokenView {
///     group: 0,
///     success_rate: 0.5,
///     correct: true,
///     truncated: false,
///     logprobs,
///     entropies: &[],
///     costs,
/// };
/// let rows = [row(&[-0.1; 2], &[0.0, 1.0]), row(&[-0.1], &[]), row(&[-0.1], &[])];
/// let step = TokenStep { rows: &rows, step: 0, steps: 1 };
/// // Returns 3-1, 3-1, 1, 3: mean 2, variance (0 + 0 + 1 + 1) / 4.
/// let whitened = WhitenedReturns { ddof: Ddof::Population, epsilon: 0.0, ..Default::default() };
/// let found = whitened.assign(&[3.0, 1.0, 3.0], &step).concat();
/// for (found, expected) in found.iter().zip([0.0, 0.0, -2f32.sqrt(), 2f32.sqrt()]) {
///     assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
/// }
/// ```
#[doc(alias = "REINFORCE++")]
#[derive(Clone, Copy, Debug)]
pub struct WhitenedReturns {
    /// Discount of a token, from 0 to 1.
    pub gamma: f64,
    /// Which variance.
    pub ddof: Ddof,
    /// Added to the variance.
    pub epsilon: f64,
    /// The variance is at least this.
    pub variance_floor: f64,
}

impl Default for WhitenedReturns {
    /// As verl: gamma 1, sample variance, epsilon 1e-8, no floor.
    fn default() -> Self {
        Self { gamma: 1.0, ddof: Ddof::Sample, epsilon: 1e-8, variance_floor: 0.0 }
    }
}

impl CreditAssignment for WhitenedReturns {
    fn uses_costs(&self) -> bool {
        true
    }

    fn assign(&self, advantages: &[f32], step: &TokenStep<'_>) -> Vec<Vec<f32>> {
        let rows = advantages.iter().zip(step.rows);
        let returns: Vec<Vec<f64>> =
            rows.map(|(advantage, row)| self.returns(*advantage, row)).collect();
        whiten(&returns, self.ddof, self.epsilon, self.variance_floor)
    }
}

impl WhitenedReturns {
    fn returns(&self, advantage: f32, row: &TokenView<'_>) -> Vec<f64> {
        let mut returns = vec![0.0; row.len()];
        let mut after = f64::from(advantage);
        for (token, value) in returns.iter_mut().enumerate().rev() {
            if token + 1 < row.len() {
                after *= self.gamma;
            }
            after -= row.costs.get(token).copied().map_or(0.0, f64::from);
            *value = after;
        }
        returns
    }
}

/// Whitens over all numbers of all rows; 0 where they are all equal.
pub(super) fn whiten(rows: &[Vec<f64>], ddof: Ddof, epsilon: f64, floor: f64) -> Vec<Vec<f32>> {
    let values = || rows.iter().flatten();
    let first = values().next();
    if values().all(|value| Some(value) == first) {
        return rows.iter().map(|row| vec![0.0; row.len()]).collect();
    }
    let count = rows.iter().map(Vec::len).sum::<usize>();
    let mean = values().sum::<f64>() / count as f64;
    let squares: f64 = values().map(|value| (value - mean).powi(2)).sum();
    let variance = squares / (count - ddof.value()) as f64;
    let scale = 1.0 / (variance.max(floor) + epsilon).sqrt();
    let whitened = |value: &f64| ((value - mean) * scale) as f32;
    rows.iter().map(|row| row.iter().map(whitened).collect()).collect()
}
