//! Tokens of high entropy.

use fireproof_trajectory::CreditedView;

use super::TokenSelector;
use crate::selector::SelectError;
use crate::setting::require_share;

/// Over which tokens a quantile is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantileScope {
    /// Those of all completions of the step, as in the papers.
    Batch,
    /// Those of each completion.
    Completion,
}

/// Only the tokens of highest entropy train (the 80/20 rule).
///
/// ```text
/// keep token t iff H_t >= quantile(H, 1 - share)       linear between order statistics
/// ```
///
/// Source: arXiv 2506.01939, share 0.2 over the batch; confidence HIGH (TRL's
/// `top_entropy_quantile`). `H` is the entropy at behaviour time, not the current one. Tokens equal
/// to the quantile are kept, so at least one of the batch is, and all are if all are equal.
///
/// ```
/// use fireproof_selection::{HighEntropy, TokenSelector};
/// use fireproof_trajectory::{CreditedView, TokenView};
/// let row = |entropies| CreditedView {
///     tokens: TokenView {
///         group: 0,
///         success_rate: 0.5,
///         correct: true,
///         truncated: false,
///         logprobs: &[-1.0, -1.0],
///         entropies,
///         costs: &[],
///     },
///     advantages: &[1.0, 1.0],
/// };
/// let rows = [row(&[0.1, 0.2]), row(&[0.3, 1.0])]; // median 0.25
/// let selector = HighEntropy::new(0.5).unwrap();
/// assert_eq!(selector.select(&rows), [[false, false], [true, true]]);
/// assert_eq!(selector.per_completion().select(&rows), [[false, true], [false, true]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HighEntropy {
    share: f64,
    scope: QuantileScope,
}

impl HighEntropy {
    /// Keeps this share of the step's tokens.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if the share is not from 0 to 1.
    pub fn new(share: f64) -> Result<Self, SelectError> {
        require_share("HighEntropy", "share", share)?;
        Ok(Self { share, scope: QuantileScope::Batch })
    }

    /// The same share of each completion by itself (a departure from the paper).
    #[must_use]
    pub fn per_completion(self) -> Self {
        Self { scope: QuantileScope::Completion, ..self }
    }
}

impl Default for HighEntropy {
    /// The paper's share, 0.2, over the batch.
    fn default() -> Self {
        Self { share: 0.2, scope: QuantileScope::Batch }
    }
}

impl TokenSelector for HighEntropy {
    fn select(&self, rows: &[CreditedView<'_>]) -> Vec<Vec<bool>> {
        let at = 1.0 - self.share;
        let whole = quantile(rows, at);
        let keep = |row: &CreditedView<'_>| {
            let least = match self.scope {
                QuantileScope::Batch => whole,
                QuantileScope::Completion => quantile(std::slice::from_ref(row), at),
            };
            row.tokens.entropies.iter().map(|entropy| f64::from(*entropy) >= least).collect()
        };
        rows.iter().map(keep).collect()
    }
}

/// The quantile of all entropies of the rows, `at` from 0 to 1, linear between order statistics; 0
/// if there are none.
pub(crate) fn quantile(rows: &[CreditedView<'_>], at: f64) -> f64 {
    let entropies = rows.iter().flat_map(|row| row.tokens.entropies);
    let mut sorted: Vec<f64> = entropies.map(|entropy| f64::from(*entropy)).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = at * last as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    // Without a part the upper neighbour does not count, even if it is infinite.
    if part > 0.0 { sorted[low] + part * (sorted[low + 1] - sorted[low]) } else { sorted[low] }
}
