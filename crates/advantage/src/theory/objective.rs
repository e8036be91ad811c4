//! What a weighting maximises.

use super::dynamics::logit;
use super::quadrature::integral;
use crate::weighting::{
    DeviationR, FocalR, LinearR, PlateauR, PromptWeighting, SqrtR, UniformR, VarianceR,
};

/// The function `F` of the success rate with `F' = omega`: following a weighting is following the
/// gradient of `F(rho)`.
///
/// The column F of arXiv 2602.11128 is DERIVED. It agrees with arXiv 2510.13651 (confidence MED): on
/// binary rewards REINFORCE maximises `p`, GRPO `(2/pi) arcsin sqrt p` and rejection sampling
/// `1 + log p`. `F` is defined up to a constant.
pub trait Objective: PromptWeighting {
    /// `F(rho)` for `0 < rho < 1`; unless a closed form is known, the integral of `omega` from 1/2.
    fn objective(&self, rho: f64) -> f64 {
        integral(|rho| self.weight(rho), 0.5, rho)
    }
}

impl Objective for VarianceR {
    /// `rho`
    fn objective(&self, rho: f64) -> f64 {
        rho
    }
}

impl Objective for DeviationR {
    /// `2 arcsin sqrt rho`
    fn objective(&self, rho: f64) -> f64 {
        2.0 * rho.sqrt().asin()
    }
}

impl Objective for LinearR {
    /// `ln rho`
    fn objective(&self, rho: f64) -> f64 {
        rho.ln()
    }
}

impl Objective for SqrtR {
    /// `ln((1 - s)/(1 + s))` with `s = sqrt(1 - rho)`
    fn objective(&self, rho: f64) -> f64 {
        let s = (1.0 - rho).sqrt();
        ((1.0 - s) / (1.0 + s)).ln()
    }
}

impl Objective for UniformR {
    /// `logit rho`
    fn objective(&self, rho: f64) -> f64 {
        logit(rho)
    }
}

impl Objective for PlateauR {
    /// `logit rho` up to the knee, then `logit knee + ln(rho / knee) / (1 - knee)`
    fn objective(&self, rho: f64) -> f64 {
        if rho <= self.knee {
            logit(rho)
        } else if self.knee > 0.0 {
            logit(self.knee) + (rho / self.knee).ln() / (1.0 - self.knee)
        } else {
            rho.ln()
        }
    }
}

impl<W: PromptWeighting> Objective for FocalR<W> {}
