//! From a verdict to a number.

use fireproof_trajectory::{Outcome, Verdict};

/// How much each outcome pays: `reward = correct | wrong  +  format_weight * format`.
///
/// The default is the binary reward 1 / 0 that the algorithms' theory assumes.
///
/// ```
/// use fireproof_trajectory::{Outcome, Verdict};
/// use fireproof_verifier::RewardScale;
///
/// let scale = RewardScale { format_weight: 0.1, ..RewardScale::default() };
/// let verdict = Verdict { format: Some(0.5), ..Verdict::new(Outcome::Correct) };
/// assert_eq!(scale.reward(&verdict), 1.05);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RewardScale {
    /// Reward of a right answer.
    pub correct: f32,
    /// Reward of everything else: wrong, missing and truncated answers.
    pub wrong: f32,
    /// Weight of the format score, where the verifier reports one.
    pub format_weight: f32,
}

impl Default for RewardScale {
    fn default() -> Self {
        Self { correct: 1.0, wrong: 0.0, format_weight: 0.0 }
    }
}

impl RewardScale {
    /// The reward of a verdict.
    #[must_use]
    pub fn reward(&self, verdict: &Verdict) -> f32 {
        let base = match verdict.outcome {
            Outcome::Correct => self.correct,
            Outcome::Wrong | Outcome::NoAnswer | Outcome::Truncated => self.wrong,
        };
        base + self.format_weight * verdict.format.unwrap_or(0.0)
    }
}
