//! Mean and variance, in double precision or rounded to single after each operation.

use super::Ddof;

/// What happens to the result of an operation. Rounding a sum, product, quotient or root of two
/// `f32` from `f64` gives exactly the `f32` operation, so one text serves both precisions.
pub(super) trait Rounding {
    fn round(value: f64) -> f64;
}

/// Keeps `f64`.
pub(super) struct ToDouble;

/// Rounds to `f32`.
pub(super) struct ToSingle;

impl Rounding for ToDouble {
    fn round(value: f64) -> f64 {
        value
    }
}

impl Rounding for ToSingle {
    fn round(value: f64) -> f64 {
        f64::from(value as f32)
    }
}

/// The mean of some numbers and their variance; the variance is 0 where there are too few of them.
#[derive(Clone, Copy)]
pub(super) struct Moments {
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Moments {
    /// Squares of deviations from the mean.
    pub(super) fn two_pass<R: Rounding>(
        values: impl Iterator<Item = f64> + Clone,
        count: usize,
        ddof: Ddof,
    ) -> Self {
        let mean = average::<R>(values.clone(), count);
        let squares = sum::<R>(values.map(|value| {
            let deviation = R::round(value - mean);
            R::round(deviation * deviation)
        }));
        let degrees = count.saturating_sub(ddof.value());
        let variance = if degrees == 0 { 0.0 } else { R::round(squares / degrees as f64) };
        Self { mean, variance }
    }

    /// `(E r^2 - (E r)^2) n / (n - ddof)`, and 0 where rounding makes that negative.
    pub(super) fn one_pass<R: Rounding>(
        values: impl Iterator<Item = f64> + Clone,
        count: usize,
        ddof: Ddof,
    ) -> Self {
        let mean = average::<R>(values.clone(), count);
        let square = average::<R>(values.map(|value| R::round(value * value)), count);
        let biased = R::round(square - R::round(mean * mean));
        let degrees = count.saturating_sub(ddof.value());
        let factor = R::round(count as f64 / degrees.max(1) as f64);
        let variance = if degrees == 0 { 0.0 } else { R::round(biased * factor) };
        Self { mean, variance: variance.max(0.0) }
    }

    /// The moments of `count` numbers without one of them, if that loses no digits: not where the rest
    /// varies much less than the whole, or is too small for a variance.
    pub(super) fn without(&self, value: f64, count: usize, ddof: Ddof) -> Option<Self> {
        let rest = count.checked_sub(1)?;
        let degrees = rest.checked_sub(ddof.value()).filter(|degrees| *degrees > 0)?;
        // Reciprocals of counts are the same for all completions of a group, quotients are not.
        let (per_rest, per_degree) = (1.0 / rest as f64, 1.0 / degrees as f64);
        let squares = self.variance * (count - ddof.value()) as f64;
        let deviation = value - self.mean;
        let left = squares - deviation * deviation * (count as f64 * per_rest);
        let mean = self.mean - deviation * per_rest;
        (left > 1e-6 * squares).then_some(Self { mean, variance: left * per_degree })
    }
}

fn sum<R: Rounding>(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| R::round(sum + value))
}

/// 0 for no values.
fn average<R: Rounding>(values: impl Iterator<Item = f64>, count: usize) -> f64 {
    R::round(sum::<R>(values) / count.max(1) as f64)
}
