//! How a success rate moves under a weighting (arXiv 2602.11128).

use crate::weighting::PromptWeighting;

/// `ln(rho / (1 - rho))`.
///
/// ```
/// use fireproof_advantage::theory::logit;
/// assert_eq!(logit(0.5), 0.0);
/// ```
#[must_use]
pub fn logit(rho: f64) -> f64 {
    (rho / (1.0 - rho)).ln()
}

/// The success rate after one step: `logit(rho') = logit(rho) + eta omega(rho)`.
///
/// Source: arXiv 2602.11128 (confidence MED): one prompt, population limit, binary reward,
/// KL-proximal step of size `eta`. In the limit of small steps `d rho / dt = c(rho)`.
///
/// ```
/// use fireproof_advantage::{VarianceR, theory::next_success_rate};
/// // omega = 1: the odds are multiplied by exp(ln 3) = 3.
/// let next = next_success_rate(&VarianceR, 0.25, 3f64.ln());
/// assert!((next - 0.5).abs() < 1e-12);
/// ```
#[must_use]
pub fn next_success_rate(weighting: &dyn PromptWeighting, rho: f64, eta: f64) -> f64 {
    let moved = logit(rho) + eta * weighting.weight(rho);
    1.0 / (1.0 + (-moved).exp())
}

/// The success rates of `steps` steps, the first of them `rho`; see [`next_success_rate`].
///
/// ```
/// use fireproof_advantage::{VarianceR, theory::success_rates};
/// let rates = success_rates(&VarianceR, 0.1, 9f64.ln(), 3);
/// // Odds 1/9, 1, 9.
/// assert!(rates.iter().zip([0.1, 0.5, 0.9]).all(|(a, b)| (a - b).abs() < 1e-12));
/// ```
#[must_use]
pub fn success_rates(
    weighting: &dyn PromptWeighting,
    rho: f64,
    eta: f64,
    steps: usize,
) -> Vec<f64> {
    let next = |rho: &f64| Some(next_success_rate(weighting, *rho, eta));
    std::iter::successors(Some(rho), next).take(steps).collect()
}
