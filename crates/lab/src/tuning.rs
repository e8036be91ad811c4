//! Learning rates to choose from.

/// `count` learning rates from `lowest` upwards, each 1.5 times the one before.
///
/// Wider spacing decides rankings by itself: an arm whose best rate falls between two grid points
/// looks worse than one whose best rate is a grid point.
///
/// ```
/// assert_eq!(fireproof_lab::rates(0.2, 3), [0.2, 0.30000000000000004, 0.45]);
/// ```
#[must_use]
pub fn rates(lowest: f64, count: u32) -> Vec<f64> {
    (0..count).map(|step| lowest * 1.5f64.powi(step as i32)).collect()
}
