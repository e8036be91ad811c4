//! How long a weighting takes: closed forms, quadrature, steps, and random rivals.

use std::f64::consts::PI;

use fireproof_advantage::PromptWeighting;
use fireproof_advantage::theory::{
    effective_time, integral, logit, next_success_rate, regular_time,
};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::Scheme;

/// Times from one success rate to another under the budget `int omega d rho = 1`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Durations {
    /// `T = int d rho / c(rho)`.
    pub regular: f64,
    /// `Teff = int d rho / (rho c(rho))`: a step costs `1/rho`, the wait for a success.
    pub effective: f64,
}

/// Waves of a random weighting.
const WAVES: usize = 6;

/// From antiderivatives, written out by hand for each scheme. With `c` the effective coefficient
/// and `omega = c / (rho (1 - rho))`:
///
/// | scheme | `int d rho / c` | `int d rho / (rho c)` | `int omega d rho` |
/// |---|---|---|---|
/// | RLOO | `logit rho` | `logit rho - 1/rho` | `rho` |
/// | GRPO | `2 arcsin sqrt rho` | `-2 sqrt((1-rho)/rho)` | `2 arcsin sqrt rho` |
/// | Linear-R | `-ln(1-rho)` | `logit rho` | `ln rho` |
/// | Sqrt-R | `-2 s` | `ln((1-s)/(1+s))` | `ln((1-s)/(1+s))` |
/// | Uniform-R | `rho` | `ln rho` | `logit rho` |
///
/// with `s = sqrt(1 - rho)`. Source: arXiv 2602.11128 for the two optima; the others are DERIVED.
///
/// ```
/// use fireproof_lab::asymmetric::{Scheme, closed_form};
/// let times = closed_form(Scheme::Grpo, 0.01, 0.9);
/// assert!((times.regular - 5.2797).abs() < 5e-5 && (times.effective - 44.193).abs() < 5e-4);
/// ```
#[must_use]
pub fn closed_form(scheme: Scheme, from: f64, to: f64) -> Durations {
    let over = |f: fn(f64) -> f64| f(to) - f(from);
    let arcsin = |rho: f64| 2.0 * rho.sqrt().asin();
    let root = |rho: f64| {
        let s = (1.0 - rho).sqrt();
        ((1.0 - s) / (1.0 + s)).ln()
    };
    let [regular, effective, budget] = match scheme {
        Scheme::Rloo => [over(logit), over(|rho| logit(rho) - 1.0 / rho), to - from],
        Scheme::Grpo => [over(arcsin), over(|rho| -2.0 * ((1.0 - rho) / rho).sqrt()), over(arcsin)],
        Scheme::LinearR => [over(|rho| -(1.0 - rho).ln()), over(logit), over(f64::ln)],
        Scheme::SqrtR => [over(|rho| -2.0 * (1.0 - rho).sqrt()), over(root), over(root)],
        Scheme::UniformR => [to - from, over(f64::ln), over(logit)],
    };
    Durations { regular: regular * budget, effective: effective * budget }
}

/// By the numerical integrals of `fireproof_advantage::theory`.
#[must_use]
pub fn by_quadrature(scheme: Scheme, from: f64, to: f64) -> Durations {
    let weighting = scheme.weighting();
    Durations {
        regular: regular_time(weighting, from, to, 1.0),
        effective: effective_time(weighting, from, to, 1.0),
    }
}

/// `int omega d rho`, by which a weighting is divided so that all have one budget.
#[must_use]
pub fn budget(weighting: &dyn PromptWeighting, from: f64, to: f64) -> f64 {
    integral(|rho| weighting.weight(rho), from, to)
}

/// By following the success rate, `logit(rho') = logit(rho) + eta omega(rho)`, in about `steps`
/// small steps: the trajectory as `(T so far, Teff so far, rho)`, its last point at `to`.
///
/// # Panics
/// If there are no steps or not `0 < from < to < 1`.
#[must_use]
pub fn by_steps(scheme: Scheme, from: f64, to: f64, steps: usize) -> Vec<(Durations, f64)> {
    assert!(steps > 0 && 0.0 < from && from < to && to < 1.0, "{steps} steps, {from} to {to}");
    let weighting = scheme.weighting();
    let budget = budget(weighting, from, to);
    // With omega divided by the budget, the same path takes `budget` times as long.
    let eta = regular_time(weighting, from, to, budget) / steps as f64;
    let mut path = vec![(Durations { regular: 0.0, effective: 0.0 }, from)];
    let (mut now, mut rho) = path[0];
    while rho < to {
        let next = next_success_rate(weighting, rho, eta);
        let share = ((logit(to) - logit(rho)) / (logit(next) - logit(rho))).min(1.0);
        let (next, time) = (next.min(to), share * eta * budget);
        now.regular += time;
        // The clock's rate 1/rho in the middle of the step.
        now.effective += time * f64::midpoint(1.0 / rho, 1.0 / next);
        rho = next;
        path.push((now, rho));
    }
    path
}

/// A smooth random weighting: a scheme's `omega` times `exp(sum of a_k cos(k pi u))`, with `u` from
/// 0 to 1 along the logit.
#[derive(Clone, Debug)]
pub struct RandomWeighting {
    base: Scheme,
    ends: (f64, f64),
    waves: [f64; WAVES],
}

impl RandomWeighting {
    /// A weighting around `base` between two success rates; `size` is the standard deviation of the
    /// first wave's amplitude, those of the others fall as `1/k`.
    #[must_use]
    pub fn draw(base: Scheme, (from, to): (f64, f64), size: f64, rng: &mut ChaCha8Rng) -> Self {
        let mut normal = || -> f64 { StandardNormal.sample(rng) };
        let waves = std::array::from_fn(|k| size * normal() / (k + 1) as f64);
        Self { base, ends: (logit(from), logit(to)), waves }
    }
}

impl PromptWeighting for RandomWeighting {
    fn coefficient(&self, rho: f64) -> f64 {
        let (low, high) = self.ends;
        let place = PI * (logit(rho) - low) / (high - low);
        let wave = |(k, size): (usize, &f64)| size * ((k + 1) as f64 * place).cos();
        let height: f64 = self.waves.iter().enumerate().map(wave).sum();
        self.base.weighting().coefficient(rho) * height.exp()
    }
}

/// How close random weightings of the same budget came to the two optima.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Challenge {
    /// Weightings tried on each clock.
    pub tried: usize,
    /// The smallest `T / T(GRPO)`.
    pub regular: f64,
    /// The smallest `Teff / Teff(Sqrt-R)`.
    pub effective: f64,
}

/// Measures random weightings against GRPO on the regular and Sqrt-R on the effective clock.
///
/// Half of them surround the optimum itself, the others the five schemes in turn; their sizes are
/// spread evenly in the logarithm from 0.01 to 2. By Cauchy-Schwarz no ratio can be below 1.
#[must_use]
pub fn challenge(from: f64, to: f64, tried: usize, seed: u64) -> Challenge {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut best = |optimum: Scheme, time: fn(&dyn PromptWeighting, f64, f64, f64) -> f64| {
        let shortest = time(optimum.weighting(), from, to, 1.0);
        let mut ratio = |number: usize| {
            let base = if number.is_multiple_of(2) { optimum } else { Scheme::ALL[number / 2 % 5] };
            let size = 0.01 * 200f64.powf(rng.random());
            let rival = RandomWeighting::draw(base, (from, to), size, &mut rng);
            time(&rival, from, to, 1.0) / shortest
        };
        (0..tried).map(&mut ratio).fold(f64::INFINITY, f64::min)
    };
    let regular = best(Scheme::Grpo, regular_time);
    Challenge { tried, regular, effective: best(Scheme::SqrtR, effective_time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By adaptive quadrature in another program; the optima also by their published closed forms.
    const GOLDEN: [(Scheme, [f64; 4]); 5] = [
        (Scheme::Rloo, [6.0452, 94.056, 1.3013, 1.9958]),
        (Scheme::Grpo, [5.2797, 44.193, 1.2739, 2.0122]),
        (Scheme::LinearR, [10.316, 30.564, 1.4530, 2.1106]),
        (Scheme::SqrtR, [7.2377, 28.425, 1.2913, 1.9840]),
        (Scheme::UniformR, [6.0452, 30.564, 1.3013, 2.1106]),
    ];

    #[track_caller]
    fn assert_close(found: f64, expected: f64, relative: f64) {
        assert!((found / expected - 1.0).abs() < relative, "{found} is not {expected}");
    }

    #[test]
    fn times_agree_with_the_golden_ones_three_ways() {
        for (scheme, golden) in GOLDEN {
            for (from, golden) in [(0.01, &golden[..2]), (0.4, &golden[2..])] {
                let exact = closed_form(scheme, from, 0.9);
                let quadrature = by_quadrature(scheme, from, 0.9);
                let (steps, end) = *by_steps(scheme, from, 0.9, 500_000).last().unwrap();
                assert_eq!(end, 0.9);
                assert_close(exact.regular, golden[0], 5e-5);
                assert_close(exact.effective, golden[1], 5e-5);
                assert_close(quadrature.regular, exact.regular, 1e-9);
                assert_close(quadrature.effective, exact.effective, 1e-9);
                assert_close(steps.regular, exact.regular, 5e-5);
                assert_close(steps.effective, exact.effective, 5e-5);
            }
        }
    }

    #[test]
    fn swapping_weight_and_inverse_weight_gives_ties() {
        let [rloo, uniform, linear] = [Scheme::Rloo, Scheme::UniformR, Scheme::LinearR]
            .map(|scheme| closed_form(scheme, 0.03, 0.8));
        assert_close(rloo.regular, uniform.regular, 1e-12);
        assert_close(linear.effective, uniform.effective, 1e-12);
    }

    #[test]
    fn no_random_weighting_beats_the_optima_and_some_come_close() {
        let found = challenge(0.05, 0.8, 40, 7);
        for ratio in [found.regular, found.effective] {
            assert!((1.0 - 1e-9..1.01).contains(&ratio), "{found:?}");
        }
        // The instrument can tell: another optimum's weighting is measurably slower.
        let worse = by_quadrature(Scheme::SqrtR, 0.05, 0.8).regular
            / by_quadrature(Scheme::Grpo, 0.05, 0.8).regular;
        assert!(worse > 1.05, "{worse}");
    }
}
