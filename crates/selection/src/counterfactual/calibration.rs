//! Predicted against observed success.

use super::bin;
use crate::selector::SelectError;
use crate::setting::{require, require_share};

const NAME: &str = "calibration";

/// A predicted success rate and what then happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// The prediction, from 0 to 1, such as
    /// [`PosteriorSampling::mean`](crate::PosteriorSampling::mean) before the group was observed.
    pub predicted: f64,
    /// Right completions.
    pub right: usize,
    /// All completions.
    pub completions: usize,
}

/// The forecasts of one interval of predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CalibrationBin {
    /// Completions.
    pub completions: usize,
    /// Mean prediction, each completion counting once; 0 in an empty bin.
    pub predicted: f64,
    /// Share of right completions; 0 in an empty bin.
    pub observed: f64,
}

/// How good predictions were.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Equal intervals of the predictions, from 0 to 1.
    pub bins: Vec<CalibrationBin>,
    /// Brier score: the mean of `(predicted - outcome)^2` over completions, the outcome 0 or 1.
    pub brier: f64,
    /// Expected calibration error: the mean over completions of `|predicted - observed|` of the bin.
    pub expected_error: f64,
}

/// Compares forecasts with outcomes, in `bins` intervals of the predictions.
///
/// ```text
/// Brier = sum_f [ k (1 - p)^2 + (n - k) p^2 ] / sum_f n
/// ECE   = sum_b n_b |mean p - k_b / n_b| / sum_b n_b
/// ```
///
/// # Errors
/// [`SelectError::Setting`] if there are no bins or completions, a prediction is not from 0 to 1, or
/// more completions are right than there are.
///
/// ```
/// use fireproof_selection::{Forecast, calibration};
/// let forecasts = [
///     Forecast { predicted: 0.25, right: 2, completions: 4 },
///     Forecast { predicted: 0.75, right: 3, completions: 4 },
/// ];
/// let found = calibration(&forecasts, 2).unwrap();
/// assert_eq!(found.brier, 0.25); // (2 * 9/16 + 2 * 1/16 + 3 * 1/16 + 9/16) / 8
/// assert_eq!(found.expected_error, 0.125); // (4 * 1/4 + 4 * 0) / 8
/// ```
pub fn calibration(forecasts: &[Forecast], bins: usize) -> Result<Calibration, SelectError> {
    require(NAME, "bins", bins, "at least 1", bins > 0)?;
    let mut sums = vec![CalibrationBin::default(); bins];
    let mut squares = 0.0;
    for Forecast { predicted, right, completions } in forecasts.iter().copied() {
        require_share(NAME, "a prediction", predicted)?;
        let wanted = "no more than the completions";
        require(NAME, "the number of right completions", right, wanted, right <= completions)?;
        let wrong = (completions - right) as f64;
        squares += right as f64 * (1.0 - predicted).powi(2) + wrong * predicted.powi(2);
        let sum = &mut sums[bin(predicted, bins)];
        sum.completions += completions;
        sum.predicted += predicted * completions as f64;
        sum.observed += right as f64;
    }
    let total: usize = sums.iter().map(|sum| sum.completions).sum();
    require(NAME, "the number of completions", total, "at least 1", total > 0)?;
    let gap = |sum: &CalibrationBin| (sum.predicted - sum.observed).abs();
    let expected_error = sums.iter().map(gap).sum::<f64>() / total as f64;
    let mean = |sum: CalibrationBin| {
        let count = sum.completions.max(1) as f64;
        let (predicted, observed) = (sum.predicted / count, sum.observed / count);
        CalibrationBin { predicted, observed, ..sum }
    };
    let bins = sums.into_iter().map(mean).collect();
    Ok(Calibration { bins, brier: squares / total as f64, expected_error })
}
