//! Integrals of smooth functions.

/// `int f(x) dx` from `from` to `to`: Simpson's rule, halving intervals until the error estimate is
/// below 1e-12 of the whole. `f` must be finite on the closed interval.
///
/// ```
/// use fireproof_advantage::theory::integral;
/// assert!((integral(|x| 1.0 / x, 1.0, 10.0) - 10f64.ln()).abs() < 1e-11);
/// ```
#[must_use]
pub fn integral(f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let whole = Panel::new(&f, [from, to], [f(from), f(to)]);
    let size = Panel::new(&|x: f64| f(x).abs(), [from, to], [f(from).abs(), f(to).abs()]).sum;
    refine(&f, &whole, 1e-12 * size.abs(), 48)
}

/// An interval with the values at its ends and in its middle.
struct Panel {
    ends: [f64; 2],
    at_ends: [f64; 2],
    middle: f64,
    at_middle: f64,
    /// Simpson's rule on it.
    sum: f64,
}

impl Panel {
    fn new(f: &impl Fn(f64) -> f64, ends: [f64; 2], at_ends: [f64; 2]) -> Self {
        let middle = f64::midpoint(ends[0], ends[1]);
        let at_middle = f(middle);
        let sum = (ends[1] - ends[0]) / 6.0 * (at_ends[0] + 4.0 * at_middle + at_ends[1]);
        Self { ends, at_ends, middle, at_middle, sum }
    }
}

fn refine(f: &impl Fn(f64) -> f64, panel: &Panel, tolerance: f64, depth: u32) -> f64 {
    let left = [panel.ends[0], panel.middle];
    let left = Panel::new(f, left, [panel.at_ends[0], panel.at_middle]);
    let right = [panel.middle, panel.ends[1]];
    let right = Panel::new(f, right, [panel.at_middle, panel.at_ends[1]]);
    let error = left.sum + right.sum - panel.sum;
    if error.abs() <= 15.0 * tolerance || depth == 0 {
        // Richardson: the error of Simpson's rule falls by 16 when the interval is halved.
        return left.sum + right.sum + error / 15.0;
    }
    let half = tolerance / 2.0;
    refine(f, &left, half, depth - 1) + refine(f, &right, half, depth - 1)
}
