//! Which tokens of the completions train.

pub(crate) mod entropy;
pub(crate) mod likelihood;
pub(crate) mod spurious;

use std::fmt::Debug;

use fireproof_trajectory::CreditedView;

/// Decides which tokens train, from behaviour-time values alone, so that the decision does not
/// depend on how a step is split into updates and micro-batches.
///
/// The `Debug` text is part of a recipe's fingerprint, so it must show every setting.
pub trait TokenSelector: Debug + Send + Sync {
    /// One flag for each token of each row; `rows` are all completions that the step trains on.
    fn select(&self, rows: &[CreditedView<'_>]) -> Vec<Vec<bool>>;
}

/// Every token trains.
#[derive(Clone, Copy, Debug)]
pub struct AllTokens;

/// Completions that were cut off do not train at all (overlong filtering).
///
/// Source: arXiv 2503.14476; confidence HIGH (TRL's `mask_truncated_completions`). Their groups
/// keep the baseline that they gave them.
///
/// ```
/// use fireproof_selection::{NotTruncated, TokenSelector};
/// use fireproof_trajectory::{CreditedView, TokenView};
/// let row = |truncated| CreditedView {
///     tokens: TokenView {
///         group: 0,
///         success_rate: 0.5,
///         correct: false,
///         truncated,
///         logprobs: &[-1.0, -1.0],
///         entropies: &[1.0, 1.0],
///         costs: &[],
///     },
///     advantages: &[1.0, 1.0],
/// };
/// assert_eq!(NotTruncated.select(&[row(true), row(false)]), [[false; 2], [true; 2]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct NotTruncated;

/// The tokens that all of these selectors select; every token if there are none.
///
/// Each sees all rows, whatever the others left out: a quantile is one over the whole step.
#[derive(Debug)]
pub struct AllOf(pub Vec<Box<dyn TokenSelector>>);

impl TokenSelector for AllTokens {
    fn select(&self, rows: &[CreditedView<'_>]) -> Vec<Vec<bool>> {
        rows.iter().map(|row| vec![true; row.tokens.len()]).collect()
    }
}

impl TokenSelector for NotTruncated {
    fn select(&self, rows: &[CreditedView<'_>]) -> Vec<Vec<bool>> {
        rows.iter().map(|row| vec![!row.tokens.truncated; row.tokens.len()]).collect()
    }
}

impl TokenSelector for AllOf {
    fn select(&self, rows: &[CreditedView<'_>]) -> Vec<Vec<bool>> {
        let mut selected = AllTokens.select(rows);
        for selector in &self.0 {
            let other = selector.select(rows);
            if require_shape(selector.as_ref(), rows, &other).is_err() {
                // `checked_selection` will name it.
                return other;
            }
            for (row, flags) in selected.iter_mut().zip(other) {
                row.iter_mut().zip(flags).for_each(|(all, this)| *all &= this);
            }
        }
        selected
    }
}

/// A token selector that returned something unusable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenSelectError {
    /// The number of rows is not the number of completions.
    #[error("{selector} returned flags for {found} completions, the step has {rows}")]
    RowCount {
        /// The selector's `Debug` text.
        selector: String,
        /// Rows returned.
        found: usize,
        /// Completions of the step.
        rows: usize,
    },
    /// A row has another length than its completion.
    #[error("{selector} returned {found} flags for the {tokens} tokens of completion {row}")]
    TokenCount {
        /// The selector's `Debug` text.
        selector: String,
        /// Index of the completion within the step.
        row: usize,
        /// Flags returned.
        found: usize,
        /// Tokens of the completion.
        tokens: usize,
    },
}

/// Runs a selector and checks that every token of every row got one flag.
///
/// # Errors
/// [`TokenSelectError`] names the selector, the row and both numbers.
pub fn checked_selection(
    selector: &dyn TokenSelector,
    rows: &[CreditedView<'_>],
) -> Result<Vec<Vec<bool>>, TokenSelectError> {
    let selected = selector.select(rows);
    require_shape(selector, rows, &selected).map(|()| selected)
}

fn require_shape(
    selector: &dyn TokenSelector,
    rows: &[CreditedView<'_>],
    selected: &[Vec<bool>],
) -> Result<(), TokenSelectError> {
    let name = || format!("{selector:?}");
    if selected.len() != rows.len() {
        let (selector, found) = (name(), selected.len());
        return Err(TokenSelectError::RowCount { selector, found, rows: rows.len() });
    }
    for (row, (flags, view)) in selected.iter().zip(rows).enumerate() {
        let (found, tokens) = (flags.len(), view.tokens.len());
        if found != tokens {
            return Err(TokenSelectError::TokenCount { selector: name(), row, found, tokens });
        }
    }
    Ok(())
}
