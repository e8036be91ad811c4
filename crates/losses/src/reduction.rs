//! Reductions: what share of the loss each token has.

use burn::tensor::Tensor;

/// How the losses of an update's tokens become one number, as a share for each token.
///
/// With `n_i` training tokens in row `i`, `B` rows that have any, and `P` prompts that have any:
///
/// ```text
/// TokenMean     1 / sum_j n_j
/// SequenceMean  1 / (B n_i)
/// SequenceSum   1 / B
/// PromptMean    1 / (P sum of n_j over the rows of the prompt)
/// Constant      1 / length,  or 1 / (B length) with per_sequence
/// ```
///
/// The shares of `TokenMean`, `SequenceMean` and `PromptMean` sum to one over an update. Peers:
/// `TokenMean` is verl's token-mean and TRL's dapo; `SequenceMean` verl's seq-mean-token-mean and
/// TRL's grpo; `SequenceSum` verl's seq-mean-token-sum; `Constant` with `per_sequence` TRL's
/// `dr_grpo` and verl's seq-mean-token-sum-norm (since August 2026; without `per_sequence` before).
///
/// Departure from TRL: rows without tokens do not count in `B` (TRL divides by all rows;
/// [`Denominators`] hold what peers do).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Every token of the update counts alike.
    TokenMean,
    /// Every completion counts alike; within it every token.
    SequenceMean,
    /// The tokens of a completion are summed, completions averaged.
    SequenceSum,
    /// Every prompt counts alike; within it every token.
    PromptMean,
    /// Divided by a constant, so that neither length nor number of tokens matters (Dr.GRPO).
    Constant {
        /// The constant, usually the limit on completion tokens; at least 1.
        length: usize,
        /// Whether to divide by the number of completions as well.
        per_sequence: bool,
    },
}

/// What a reduction needs to know of one row of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowShape {
    /// Index of its prompt within the update, from 0 without gaps.
    pub prompt: usize,
    /// Its training tokens.
    pub tokens: usize,
}

/// Which rows a [`Reduction`] divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedRows {
    /// Those with training tokens (verl, OpenRLHF).
    Filled,
    /// All, those without training tokens too (TRL, Liger, GMPO in verl).
    All,
}

/// What peers put into the denominators of a [`Reduction`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Denominators {
    /// The `B` of [`Reduction`].
    pub rows: CountedRows,
    /// Added to each number of tokens (1e-8: verl in the mean of a completion, NeMo-RL in all).
    pub token_epsilon: f64,
    /// Added to the number of rows (NeMo-RL 1e-8).
    pub row_epsilon: f64,
}

impl Default for Denominators {
    /// Fireproof's: rows with tokens, no epsilon.
    fn default() -> Self {
        Self::EXACT
    }
}

impl Denominators {
    /// Rows with tokens, no epsilon: the shares of a mean sum to one.
    pub const EXACT: Self =
        Self { rows: CountedRows::Filled, token_epsilon: 0.0, row_epsilon: 0.0 };
}

impl Reduction {
    /// The share of each training token of each row, for the whole update at once; 0 for rows
    /// without tokens.
    ///
    /// ```
    /// use fireproof_losses::{Reduction, RowShape};
    /// let rows = [RowShape { prompt: 0, tokens: 1 }, RowShape { prompt: 0, tokens: 4 }];
    /// assert_eq!(Reduction::TokenMean.weights(&rows), [0.2, 0.2]);
    /// assert_eq!(Reduction::SequenceMean.weights(&rows), [0.5, 0.125]);
    /// ```
    ///
    /// # Panics
    /// If the length of a [`Reduction::Constant`] is 0.
    #[must_use]
    pub fn weights(self, rows: &[RowShape]) -> Vec<f32> {
        let weights = self.weights_by(rows, Denominators::default());
        weights.into_iter().map(|weight| weight as f32).collect()
    }

    /// The same in `f64`, with the denominators of a peer.
    ///
    /// ```
    /// use fireproof_losses::{CountedRows, Denominators, Reduction, RowShape};
    /// let rows = [RowShape { prompt: 0, tokens: 4 }, RowShape { prompt: 0, tokens: 0 }];
    /// let all = Denominators { rows: CountedRows::All, ..Denominators::default() };
    /// assert_eq!(Reduction::SequenceMean.weights_by(&rows, Denominators::default()), [0.25, 0.0]);
    /// assert_eq!(Reduction::SequenceMean.weights_by(&rows, all), [0.125, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the length of a [`Reduction::Constant`] is 0.
    #[must_use]
    pub fn weights_by(self, rows: &[RowShape], by: Denominators) -> Vec<f64> {
        self.assert_length();
        let tokens: usize = rows.iter().map(|row| row.tokens).sum();
        let counted = match by.rows {
            CountedRows::Filled => rows.iter().filter(|row| row.tokens > 0).count(),
            CountedRows::All => rows.len(),
        };
        let prompts = rows.iter().map(|row| row.prompt + 1).max().unwrap_or(0);
        let mut by_prompt = vec![0usize; prompts];
        rows.iter().for_each(|row| by_prompt[row.prompt] += row.tokens);
        let filled_prompts = by_prompt.iter().filter(|tokens| **tokens > 0).count();
        let sequences = counted as f64 + by.row_epsilon;
        let held = |tokens: usize| tokens as f64 + by.token_epsilon;
        let divisor = |row: &RowShape| match self {
            Self::TokenMean => held(tokens),
            Self::SequenceMean => sequences * held(row.tokens),
            Self::SequenceSum => sequences,
            Self::PromptMean => filled_prompts as f64 * held(by_prompt[row.prompt]),
            Self::Constant { length, per_sequence: false } => length as f64,
            Self::Constant { length, per_sequence: true } => sequences * length as f64,
        };
        let weight = |row: &RowShape| match row.tokens {
            0 => 0.0,
            _ => 1.0 / divisor(row),
        };
        rows.iter().map(weight).collect()
    }

    fn assert_length(self) {
        let zero = matches!(self, Self::Constant { length: 0, .. });
        assert!(!zero, "the length of Reduction::Constant must be at least 1, not 0");
    }

    /// The same on the device, from the mask alone: `[B, T]` shares, with `group` rows a prompt,
    /// prompt after prompt.
    ///
    /// # Panics
    /// If the rows cannot be divided into groups of `group`, or the length of a
    /// [`Reduction::Constant`] is 0.
    #[must_use]
    pub fn device_weights(self, mask: Tensor<2>, group: usize) -> Tensor<2> {
        self.assert_length();
        let [rows, _] = mask.dims();
        assert!(
            group > 0 && rows.is_multiple_of(group),
            "{rows} rows are not groups of {group} completions"
        );
        let lengths = mask.clone().sum_dim(1);
        let filled = lengths.clone().clamp_max(1.0).sum().reshape([1, 1]);
        let divisor = match self {
            Self::TokenMean => lengths.sum().reshape([1, 1]),
            Self::SequenceMean => lengths.clamp_min(1.0) * filled,
            Self::SequenceSum => filled,
            Self::PromptMean => {
                let prompts = rows / group;
                let by_prompt = lengths.reshape([prompts, group]).sum_dim(1);
                let count = by_prompt.clone().clamp_max(1.0).sum().reshape([1, 1]);
                let of_row = by_prompt.expand([prompts, group]).reshape([rows, 1]);
                of_row.clamp_min(1.0) * count
            }
            Self::Constant { length, per_sequence: false } => {
                Tensor::full([1, 1], length as f32, &mask.device())
            }
            Self::Constant { length, per_sequence: true } => filled * length as f32,
        };
        mask / divisor.clamp_min(1.0)
    }
}
