//! Rare outcomes are amplified by a z-score (arXiv 2602.03452).

use crate::z_score::Ddof;

/// Advantages of right and of wrong completions under a z-score with epsilon 0, for `successes` right
/// of `completions`:
///
/// ```text
/// A(right) = sqrt((G - k)/k) sqrt((G - ddof)/G)      A(wrong) = -sqrt(k/(G - k)) sqrt((G - ddof)/G)
/// ```
///
/// Source: arXiv 2602.03452 (confidence HIGH: plain algebra). Any two reward values give the same.
///
/// # Panics
/// Unless the group is mixed: `0 < successes < completions`.
///
/// ```
/// use fireproof_advantage::{Ddof, theory::amplification};
/// assert_eq!(amplification(1, 5, Ddof::Population), (2.0, -0.5));
/// ```
#[must_use]
pub fn amplification(successes: usize, completions: usize, ddof: Ddof) -> (f64, f64) {
    assert!(0 < successes && successes < completions, "{successes} of {completions}: not mixed");
    let (right, all) = (successes as f64, completions as f64);
    let odds = ((all - right) / right).sqrt();
    let scale = ((all - ddof.value() as f64) / all).sqrt();
    (odds * scale, -scale / odds)
}
