//! How much of a token's advantage reaches its log-probability.

use serde::{Deserialize, Serialize};

/// The weight of a token in the gradient: `d loss / d logprob = -A weight(R)`.
///
/// In `f64`, these are the derivatives of the losses crate's `ClippedSurrogate` and `AspoSurrogate`,
/// whose kernels hold the formulas that train networks; the tests compare both with one table of
/// hand values. The third is the ablation without importance weights.
///
/// ```text
/// clipped     A > 0: R, or 0 if R > 1 + high     A < 0: R, or 0 if R < 1 - low
/// ASPO        A > 0: min(1/R, cap), or 0 if R > 1 + high
///             A < 0: min(R, cap), or 0 if R < 1 - low
/// unweighted  1, or 0 where the clip has 0
/// ```
///
/// ```
/// use fireproof_lab::ratios::TokenRule;
/// let aspo = TokenRule::Aspo { low: 0.2, high: 0.2, cap: 3.0 };
/// assert_eq!([0.2, 0.5, 1.9].map(|ratio| aspo.weight(ratio, 1.0)), [3.0, 2.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum TokenRule {
    /// PPO's, GRPO's and DAPO's clipped surrogate, without a dual clip.
    Clipped {
        /// No gradient below `1 - low` for a negative advantage.
        low: f64,
        /// No gradient above `1 + high` for a positive advantage.
        high: f64,
    },
    /// ASPO (arXiv 2510.06062), paper form.
    Aspo {
        /// As above.
        low: f64,
        /// As above.
        high: f64,
        /// Largest weight; the gradient stays.
        cap: f64,
    },
    /// The clip's mask alone.
    Unweighted {
        /// As above.
        low: f64,
        /// As above.
        high: f64,
    },
}

impl TokenRule {
    /// The weight at a ratio, for the sign of an advantage; 0 where there is no gradient.
    #[must_use]
    pub fn weight(self, ratio: f64, advantage: f64) -> f64 {
        let (low, high) = self.edges();
        let positive = advantage > 0.0;
        let masked = if positive { ratio > 1.0 + high } else { ratio < 1.0 - low };
        match self {
            _ if masked || advantage == 0.0 => 0.0,
            Self::Clipped { .. } => ratio,
            Self::Aspo { cap, .. } => if positive { 1.0 / ratio } else { ratio }.min(cap),
            Self::Unweighted { .. } => 1.0,
        }
    }

    fn edges(self) -> (f64, f64) {
        match self {
            Self::Clipped { low, high }
            | Self::Aspo { low, high, .. }
            | Self::Unweighted { low, high } => (low, high),
        }
    }
}
