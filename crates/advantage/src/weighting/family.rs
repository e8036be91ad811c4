//! The prompt weightings themselves: symmetric, asymmetric and focal.

use super::PromptWeighting;
use crate::focal::focal_factor;

/// `c = rho (1 - rho)`, `omega = 1`: the mean-centred advantages of Dr.GRPO (arXiv 2503.20783), and
/// those of RLOO (arXiv 2402.14740) but for `G/(G-1)`. `A(right) = 1-rho`, `A(wrong) = -rho`.
///
/// Confidence HIGH. The name is that of the outcome's variance.
///
/// ```
/// use fireproof_advantage::{PromptWeighting, VarianceR};
/// assert_eq!((VarianceR.right(0.25), VarianceR.wrong(0.25)), (0.75, -0.25));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct VarianceR;

/// `c = sqrt(rho (1 - rho))`, `omega = 1/sqrt(rho (1-rho))`: the z-score of GRPO (arXiv 2402.03300)
/// with the population deviation and epsilon 0. `A(right) = sqrt((1-rho)/rho)`,
/// `A(wrong) = -sqrt(rho/(1-rho))`.
///
/// Confidence HIGH. The name is that of the outcome's standard deviation.
///
/// ```
/// use fireproof_advantage::{DeviationR, PromptWeighting};
/// assert!((DeviationR.right(0.8) - 0.5).abs() < 1e-12);
/// assert_eq!(DeviationR.wrong(0.5), -1.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DeviationR;

/// Linear-R: `c = 1 - rho`, `omega = 1/rho`. `A(right) = (1-rho)/rho`, `A(wrong) = -1`.
///
/// Source: arXiv 2602.11128 (confidence HIGH: several independent readings agree).
///
/// ```
/// use fireproof_advantage::{LinearR, PromptWeighting};
/// assert_eq!((LinearR.right(0.25), LinearR.wrong(0.25)), (3.0, -1.0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LinearR;

/// Sqrt-R: `c = sqrt(1 - rho)`, `omega = 1/(rho sqrt(1-rho))`.
/// `A(right) = sqrt(1-rho)/rho`, `A(wrong) = -1/sqrt(1-rho)`.
///
/// Source: arXiv 2602.11128 (confidence MED-HIGH: combined from two readings).
///
/// ```
/// use fireproof_advantage::{PromptWeighting, SqrtR};
/// assert_eq!((SqrtR.right(0.75), SqrtR.wrong(0.75)), (2.0 / 3.0, -2.0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SqrtR;

/// Uniform-R: `c = 1`, `omega = 1/(rho (1-rho))`. `A(right) = 1/rho`, `A(wrong) = -1/(1-rho)`.
///
/// Source: arXiv 2602.11128, where only the name was read: the formula is DERIVED from it. An
/// all-right group trains too, with advantage 1 for every completion.
///
/// ```
/// use fireproof_advantage::{PromptWeighting, UniformR};
/// assert_eq!((UniformR.right(0.25), UniformR.wrong(0.75)), (4.0, -4.0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct UniformR;

/// Plateau-R: `c = min(1, (1 - rho) / (1 - knee))`, flat up to the knee and then falling to 0.
///
/// Source: arXiv 2602.11128, whose formula is NOT FOUND: this one and its knee of 1/2 are DERIVED
/// from the description "flat at low success rates, then falling". At knee 0 it is [`LinearR`].
///
/// ```
/// use fireproof_advantage::{PlateauR, PromptWeighting};
/// let coefficients = [0.0, 0.5, 0.75, 1.0].map(|rho| PlateauR::default().coefficient(rho));
/// assert_eq!(coefficients, [1.0, 1.0, 0.5, 0.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PlateauR {
    /// Success rate at which the fall begins, from 0 and below 1.
    pub knee: f64,
}

impl Default for PlateauR {
    /// Knee 1/2.
    fn default() -> Self {
        Self { knee: 0.5 }
    }
}

/// A base weighting times `(1 - rho)^gamma`: the weighting that [`Focal`](crate::Focal) is for binary
/// rewards. Around [`DeviationR`] it is F-GRPO (arXiv 2602.06717):
/// `omega = (1-rho)^(gamma-1/2) rho^(-1/2)`.
///
/// ```
/// use fireproof_advantage::{FocalR, PromptWeighting, VarianceR};
/// assert_eq!(FocalR { gamma: 1.0, base: VarianceR }.coefficient(0.5), 0.125);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FocalR<W> {
    /// Exponent, at least 0; 0 is the base weighting.
    pub gamma: f64,
    /// The weighting that is scaled.
    pub base: W,
}

impl PromptWeighting for VarianceR {
    fn coefficient(&self, rho: f64) -> f64 {
        rho * (1.0 - rho)
    }
}

impl PromptWeighting for DeviationR {
    fn coefficient(&self, rho: f64) -> f64 {
        (rho * (1.0 - rho)).sqrt()
    }
}

impl PromptWeighting for LinearR {
    fn coefficient(&self, rho: f64) -> f64 {
        1.0 - rho
    }
}

impl PromptWeighting for SqrtR {
    fn coefficient(&self, rho: f64) -> f64 {
        (1.0 - rho).sqrt()
    }
}

impl PromptWeighting for UniformR {
    fn coefficient(&self, _rho: f64) -> f64 {
        1.0
    }
}

impl PromptWeighting for PlateauR {
    fn coefficient(&self, rho: f64) -> f64 {
        if rho <= self.knee { 1.0 } else { (1.0 - rho) / (1.0 - self.knee) }
    }
}

impl<W: PromptWeighting> PromptWeighting for FocalR<W> {
    fn coefficient(&self, rho: f64) -> f64 {
        self.base.coefficient(rho) * focal_factor(rho, self.gamma)
    }
}
