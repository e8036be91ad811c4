//! Tokens by their probability: the two passes of Lopti (arXiv 2505.12929).

use fireproof_trajectory::CreditedView;

use super::TokenSelector;
use crate::selector::SelectError;
use crate::setting::require_share;

/// Only tokens with `pi_old >= threshold` train: the second pass of Lopti.
///
/// Lopti takes two optimiser steps on the same batch, first over [`UnlikelyTokens`], then over
/// these; together they are all tokens. Source: arXiv 2505.12929 and its code, threshold 0.5;
/// confidence HIGH.
///
/// ```
/// use fireproof_selection::{LikelyTokens, TokenSelector, UnlikelyTokens};
/// use fireproof_trajectory::{CreditedView, TokenView};
/// let tokens = TokenView {
///     group: 0,
///     success_rate: 0.5,
///     correct: true,
///     truncated: false,
///     logprobs: &[-2.0, -0.1, 0.0], // probabilities 0.14, 0.90, 1
///     entropies: &[1.0; 3],
///     costs: &[],
/// };
/// let row = CreditedView { tokens, advantages: &[1.0; 3] };
/// let unlikely = UnlikelyTokens::default().select(&[row]);
/// assert_eq!(unlikely, [[true, false, false]]);
/// assert_eq!(LikelyTokens::default().select(&[row]), [[false, true, true]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LikelyTokens {
    threshold: f64,
}

/// Only tokens with `pi_old < threshold` train: the first pass of Lopti (see [`LikelyTokens`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnlikelyTokens {
    threshold: f64,
}

impl LikelyTokens {
    /// Tokens at least this likely.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if the threshold is not from 0 to 1.
    pub fn new(threshold: f64) -> Result<Self, SelectError> {
        require_share("LikelyTokens", "threshold", threshold)?;
        Ok(Self { threshold })
    }
}

impl UnlikelyTokens {
    /// Tokens less likely than this.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if the threshold is not from 0 to 1.
    pub fn new(threshold: f64) -> Result<Self, SelectError> {
        require_share("UnlikelyTokens", "threshold", threshold)?;
        Ok(Self { threshold })
    }
}

impl Default for LikelyTokens {
    /// The paper's threshold, 0.5.
    fn default() -> Self {
        Self { threshold: 0.5 }
    }
}

impl Default for UnlikelyTokens {
    /// The paper's threshold, 0.5.
    fn default() -> Self {
        Self { threshold: 0.5 }
    }
}

/// Whether each token is less likely than `threshold`.
fn unlikely(row: &CreditedView<'_>, threshold: f64) -> impl Iterator<Item = bool> {
    row.tokens.logprobs.iter().map(move |logprob| f64::from(*logprob).exp() < threshold)
}

impl TokenSelector for LikelyTokens {
    fn select(&self, rows: &[CreditedView<'_>]) -> Vec<Vec<bool>> {
        rows.iter().map(|row| unlikely(row, self.threshold).map(|is| !is).collect()).collect()
    }
}

impl TokenSelector for UnlikelyTokens {
    fn select(&self, rows: &[CreditedView<'_>]) -> Vec<Vec<bool>> {
        rows.iter().map(|row| unlikely(row, self.threshold).collect()).collect()
    }
}
