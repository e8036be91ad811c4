//! Quantiles of per-token values on the host.

/// The `share`-quantile with linear interpolation between order statistics (the default of NumPy and
/// PyTorch); 0 of nothing.
pub(crate) fn quantile(values: &[f32], share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_interpolates_as_numpy_does() {
        // numpy.quantile([3, 1, 2, 10], [0, 0.25, 0.5, 0.8, 1])
        for (share, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 2.5), (0.8, 5.8), (1.0, 10.0)] {
            assert!((quantile(&[3.0, 1.0, 2.0, 10.0], share) - expected).abs() < 1e-9);
        }
        assert_eq!(quantile(&[], 0.5), 0.0);
        assert_eq!(quantile(&[7.0], 0.3), 7.0);
    }
}
