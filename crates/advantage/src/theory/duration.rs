//! How long a weighting takes from one success rate to another (arXiv 2602.11128).

use super::quadrature::integral;
use crate::weighting::PromptWeighting;

/// Time from success rate `from` to `to` under a budget: `T = int d rho / c(rho)`, with `omega` scaled
/// so that `int omega d rho = budget`.
///
/// ```text
/// T = int d rho / (rho (1 - rho) omega) * int omega d rho / budget
/// ```
///
/// Source: arXiv 2602.11128; the dynamics are confidence MED, the integral budget is DERIVED: it is
/// the one under which both published optima come out. By Cauchy-Schwarz
/// [`DeviationR`](crate::DeviationR) is the fastest:
/// `T* = (2 [arcsin sqrt rho])^2 / budget`.
///
/// # Panics
/// Unless `0 < from < to < 1`.
///
/// ```
/// use fireproof_advantage::{VarianceR, theory::{logit, regular_time}};
/// // omega = 1: the logit moves at a constant pace, and the budget is the distance 0.8.
/// let time = regular_time(&VarianceR, 0.1, 0.9, 1.0);
/// assert!((time - 0.8 * (logit(0.9) - logit(0.1))).abs() < 1e-9);
/// ```
#[must_use]
pub fn regular_time(weighting: &dyn PromptWeighting, from: f64, to: f64, budget: f64) -> f64 {
    clock(weighting, from, to, |_| 1.0) / budget
}

/// As [`regular_time`], by the clock that charges `1/rho` for waiting for a success:
/// `Teff = int d rho / (rho c(rho))`.
///
/// Here [`SqrtR`](crate::SqrtR) is the fastest:
/// `Teff* = ([ln((1 - s)/(1 + s))])^2 / budget` with `s = sqrt(1 - rho)`.
///
/// # Panics
/// Unless `0 < from < to < 1`.
///
/// ```
/// use fireproof_advantage::{VarianceR, theory::effective_time};
/// // omega = 1: int d rho / (rho^2 (1 - rho)) = [logit rho - 1/rho], times the budget 0.5.
/// let expected = 0.5 * ((3f64.ln() - 4.0 / 3.0) - ((1f64 / 3.0).ln() - 4.0));
/// assert!((effective_time(&VarianceR, 0.25, 0.75, 1.0) - expected).abs() < 1e-9);
/// ```
#[must_use]
pub fn effective_time(weighting: &dyn PromptWeighting, from: f64, to: f64, budget: f64) -> f64 {
    clock(weighting, from, to, |rho| 1.0 / rho) / budget
}

/// `int rate / c d rho * int omega d rho`.
fn clock(weighting: &dyn PromptWeighting, from: f64, to: f64, rate: impl Fn(f64) -> f64) -> f64 {
    assert!(0.0 < from && from < to && to < 1.0, "0 < {from} < {to} < 1");
    let time = integral(|rho| rate(rho) / weighting.coefficient(rho), from, to);
    time * integral(|rho| weighting.weight(rho), from, to)
}
