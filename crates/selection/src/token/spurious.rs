//! All tokens but spurious ones (STAPO, arXiv 2602.15620).

use fireproof_trajectory::CreditedView;

use super::TokenSelector;
use super::entropy::quantile;
use crate::selector::SelectError;
use crate::setting::require_share;

/// Leaves out spurious tokens: rewarded although the policy, being sure, hardly ever takes them.
///
/// ```text
/// leave token t out iff A_t > 0  and  pi_old(t) < probability  and  H_t < quantile(H, entropy_quantile)
/// ```
///
/// with the quantile over all tokens of the step. Source: STAPO, arXiv 2602.15620; confidence MED
/// (two readings agree): probability 0.002, quantile 0.8; about 0.01 % of tokens are left out.
/// Departure: `pi` and `H` are those at behaviour time.
///
/// ```
/// use fireproof_selection::{NotSpurious, TokenSelector};
/// use fireproof_trajectory::{CreditedView, TokenView};
/// let tokens = TokenView {
///     group: 0,
///     success_rate: 0.5,
///     correct: true,
///     truncated: false,
///     logprobs: &[-7.0, -7.0, -1.0], // probabilities 0.0009, 0.0009, 0.37
///     entropies: &[0.1, 3.0, 0.1], // 0.8-quantile 0.1 + 0.6 * 2.9 = 1.84
///     costs: &[],
/// };
/// let rewarded = CreditedView { tokens, advantages: &[1.0; 3] };
/// assert_eq!(NotSpurious::default().select(&[rewarded]), [[false, true, true]]);
/// let punished = CreditedView { tokens, advantages: &[-1.0; 3] };
/// assert_eq!(NotSpurious::default().select(&[punished]), [[true; 3]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NotSpurious {
    probability: f64,
    entropy_quantile: f64,
}

impl NotSpurious {
    /// Bounds below which a rewarded token is spurious.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if one is not from 0 to 1.
    pub fn new(probability: f64, entropy_quantile: f64) -> Result<Self, SelectError> {
        require_share("NotSpurious", "probability", probability)?;
        require_share("NotSpurious", "entropy_quantile", entropy_quantile)?;
        Ok(Self { probability, entropy_quantile })
    }
}

impl Default for NotSpurious {
    /// The paper's 0.002 and 0.8.
    fn default() -> Self {
        Self { probability: 0.002, entropy_quantile: 0.8 }
    }
}

impl TokenSelector for NotSpurious {
    fn select(&self, rows: &[CreditedView<'_>]) -> Vec<Vec<bool>> {
        let low = quantile(rows, self.entropy_quantile);
        let keep = |row: &CreditedView<'_>| {
            let tokens = row.tokens.logprobs.iter().zip(row.tokens.entropies).zip(row.advantages);
            tokens
                .map(|((logprob, entropy), advantage)| {
                    let unlikely = f64::from(*logprob).exp() < self.probability;
                    !(*advantage > 0.0 && unlikely && f64::from(*entropy) < low)
                })
                .collect()
        };
        rows.iter().map(keep).collect()
    }
}
