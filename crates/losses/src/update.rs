//! A whole update on the host, as a loss may look at it before it is split.

use fireproof_trajectory::CreditedView;

/// One number for each token of each row of an update.
pub type TokenField = Vec<Vec<f32>>;

/// All rows of one update.
#[derive(Clone, Copy, Debug)]
pub struct UpdateView<'a> {
    /// The rows.
    pub rows: &'a [UpdateRow<'a>],
    /// Seed of whatever is drawn at random for this update.
    pub seed: u64,
}

/// One row of an update.
#[derive(Clone, Copy, Debug)]
pub struct UpdateRow<'a> {
    /// Its tokens at behaviour time, with their advantages.
    pub credited: CreditedView<'a>,
    /// Which of its tokens train.
    pub selected: &'a [bool],
    /// Log-probabilities under the policy before this update; present if a loss
    /// [needs](crate::Needs) them.
    pub current: Option<&'a [f32]>,
}

impl UpdateView<'_> {
    /// The same value for all tokens of a row.
    #[must_use]
    pub fn each_row(&self, of: impl Fn(&UpdateRow<'_>) -> f32) -> TokenField {
        self.rows.iter().map(|row| vec![of(row); row.credited.tokens.len()]).collect()
    }
}
