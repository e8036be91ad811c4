//! Numbers from seeds and prompts: what a mean is worth, and whether two arms differ.
//!
//! | question | function |
//! |---|---|
//! | of `n` completions `c` are right: the chance that one of `k` is, that all are, that most are | [`pass_at_k`], [`pass_hat_k`], [`majority_at_k`] |
//! | how far may a mean or median of seeds be off? | [`bootstrap`] |
//! | the same over seeds *and* the prompts of each | [`nested_bootstrap`] |
//! | do two arms on the same seeds differ? | [`paired`], [`paired_ratio`], [`sign_test`] |
//!
//! Intervals are 95 % percentile bootstraps of [`RESAMPLES`] draws. The random numbers are the same
//! every time, so a report does not change when it is written again.

mod samples;

use std::fmt;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

pub use samples::majority_at_k;
pub use samples::pass_at_k;
pub use samples::pass_hat_k;

/// Draws of a bootstrap.
pub const RESAMPLES: usize = 4000;

/// Up to so many pairs every way to sign their differences is counted.
const EXACT: usize = 16;

/// Sign flips that the test draws beyond that.
const FLIPS: usize = 10_000;

/// A number with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The statistic of the sample itself.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    /// True if the interval does not hold `number`.
    #[must_use]
    pub fn excludes(&self, number: f64) -> bool {
        number < self.low || number > self.high
    }

    /// The interval of a transformed number; `f` must be increasing.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self { value: f(self.value), low: f(self.low), high: f(self.high) }
    }
}

impl fmt::Display for Estimate {
    /// `0.312 [0.250, 0.371]`, with as many decimals as the format asks for (3 by default), and with
    /// signs if it asks for them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(3);
        let Self { value, low, high } = self;
        match f.sign_plus() {
            true => write!(f, "{value:+.decimals$} [{low:+.decimals$}, {high:+.decimals$}]"),
            false => write!(f, "{value:.decimals$} [{low:.decimals$}, {high:.decimals$}]"),
        }
    }
}

/// The mean; NaN of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The middle value, or the mean of both; NaN of nothing.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which a share `share` of the values lies, linearly between neighbours; NaN of
/// nothing.
///
/// # Panics
/// If `share` is not within 0 and 1.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    assert!((0.0..=1.0).contains(&share), "a share is within 0 and 1, not {share}");
    if values.is_empty() {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (place - place.floor()) * (sorted[above] - sorted[below])
}

/// A statistic of independent numbers (one a seed) with its interval: they are drawn anew, with
/// replacement.
///
/// ```
/// use fireproof_lab::statistics::{bootstrap, mean};
/// let found = bootstrap(&[0.4, 0.5, 0.6, 0.5], mean);
/// assert_eq!(found.value, 0.5);
/// assert!(found.low >= 0.4 && found.high <= 0.6);
/// ```
#[must_use]
pub fn bootstrap(values: &[f64], statistic: impl Fn(&[f64]) -> f64) -> Estimate {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let draws = (0..RESAMPLES).map(|_| statistic(&redrawn(values, &mut rng))).collect();
    interval(statistic(values), draws)
}

/// A statistic of all numbers of all seeds with its interval, where each seed has several numbers
/// (one a prompt): seeds are drawn anew, and within each its numbers.
///
/// Drawing prompts alone would say nothing about another seed; drawing seeds alone nothing about
/// other prompts.
#[must_use]
pub fn nested_bootstrap(seeds: &[Vec<f64>], statistic: impl Fn(&[f64]) -> f64) -> Estimate {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut draw = || -> Vec<f64> {
        let chosen = redrawn(seeds, &mut rng);
        chosen.iter().flat_map(|seed| redrawn(seed, &mut rng)).collect()
    };
    let draws = (0..RESAMPLES).map(|_| statistic(&draw())).collect();
    interval(statistic(&seeds.concat()), draws)
}

/// As many values, drawn with replacement.
fn redrawn<T: Clone>(values: &[T], rng: &mut ChaCha8Rng) -> Vec<T> {
    (0..values.len()).map(|_| values[rng.random_range(0..values.len())].clone()).collect()
}

fn interval(value: f64, draws: Vec<f64>) -> Estimate {
    let finite: Vec<f64> = draws.into_iter().filter(|draw| draw.is_finite()).collect();
    Estimate { value, low: quantile(&finite, 0.025), high: quantile(&finite, 0.975) }
}

/// Two arms on the same seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Mean of `b - a` over seeds, with its bootstrap interval.
    pub difference: Estimate,
    /// Two-sided p-value of the sign-flip permutation test of a mean difference of 0.
    pub p_value: f64,
}

/// Compares `b` with `a` seed by seed.
///
/// The p-value is exact up to 16 seeds; with `n` of them it is at least `2 / 2^n`. Beyond, 10,000
/// flips are drawn.
///
/// # Panics
/// If the arms have different numbers of seeds.
#[must_use]
pub fn paired(a: &[f64], b: &[f64]) -> Paired {
    assert_eq!(a.len(), b.len(), "the arms have {} and {} seeds", a.len(), b.len());
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
    Paired { difference: bootstrap(&differences, mean), p_value: sign_flip_test(&differences) }
}

/// The geometric mean of `b / a` over seeds with its interval, for positive numbers such as
/// completions to a target.
///
/// # Panics
/// If the arms have different numbers of seeds.
#[must_use]
pub fn paired_ratio(a: &[f64], b: &[f64]) -> Estimate {
    let logarithms = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<f64>>();
    paired(&logarithms(a), &logarithms(b)).difference.map(f64::exp)
}

/// The share of sign flips under which the sum of differences is as far from 0 as it is; the flip
/// that changes nothing counts.
#[must_use]
pub fn sign_flip_test(differences: &[f64]) -> f64 {
    let observed = differences.iter().sum::<f64>().abs();
    // Sums in another order differ in their last digits.
    let as_far = |sum: f64| sum.abs() >= observed - 1e-9;
    if differences.len() <= EXACT {
        let signs = 1u32 << differences.len();
        let sum = |signs: u32| -> f64 {
            let signed = |(i, d): (usize, &f64)| if signs >> i & 1 == 1 { -d } else { *d };
            differences.iter().enumerate().map(signed).sum()
        };
        let count = (0..signs).filter(|signs| as_far(sum(*signs))).count();
        return count as f64 / f64::from(signs);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut flipped =
        || differences.iter().map(|d| if rng.random() { *d } else { -d }).sum::<f64>();
    let count = (0..FLIPS).filter(|_| as_far(flipped())).count();
    (count + 1) as f64 / (FLIPS + 1) as f64
}

/// Two-sided sign test: of the pairs that differ, how surprising is it that so many differ in one
/// direction? 1 if none differs.
///
/// # Panics
/// If the arms have different numbers of seeds.
#[must_use]
pub fn sign_test(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "the arms have {} and {} seeds", a.len(), b.len());
    let better = a.iter().zip(b).filter(|(a, b)| b > a).count();
    let worse = a.iter().zip(b).filter(|(a, b)| b < a).count();
    let all = better + worse;
    // C(n, i) / 2^n, one after the other.
    let mut term = 0.5f64.powi(all as i32);
    let mut tail = 0.0;
    for i in 0..=better.min(worse) {
        tail += term;
        term *= (all - i) as f64 / (i + 1) as f64;
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_by_hand() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(
            (median(&values), quantile(&values, 0.0), quantile(&values, 1.0)),
            (2.5, 1.0, 4.0)
        );
        assert!((quantile(&values, 0.9) - 3.7).abs() < 1e-12);
        assert!(median(&[]).is_nan() && mean(&[]).is_nan());
    }

    #[test]
    fn a_bootstrap_of_a_mean_has_the_width_of_its_standard_error() {
        // 100 numbers 0 and 100 numbers 1: standard error 1/2 / sqrt(200) = 0.0354.
        let values: Vec<f64> = (0..200).map(|i| f64::from(i % 2)).collect();
        let found = bootstrap(&values, mean);
        assert!((found.high - 0.5 - 1.96 * 0.0354).abs() < 0.006, "{found}");
        assert!((0.5 - found.low - 1.96 * 0.0354).abs() < 0.006, "{found}");
        assert_eq!(bootstrap(&values, mean), found, "the same every time");
    }

    #[test]
    fn prompts_within_seeds_do_not_count_as_seeds() {
        // Two seeds that disagree whole: a hundred prompts each do not make that certain.
        let seeds = [vec![0.0; 100], vec![1.0; 100]];
        let found = nested_bootstrap(&seeds, mean);
        assert_eq!((found.value, found.low, found.high), (0.5, 0.0, 1.0));
    }

    #[test]
    fn a_sign_flip_test_by_hand() {
        // Of the 8 ways to sign 1/2, 1/4, 1/4 the sum is less than 1/2 away in two.
        assert_eq!(sign_flip_test(&[0.5, 0.25, -0.25]), 0.75);
        assert_eq!(sign_flip_test(&[0.1; 8]), 2.0 / 256.0);
        assert_eq!(sign_flip_test(&[0.0; 4]), 1.0);
        // Beyond the exact range: hardly ever do 20 equal differences flip alike.
        assert!(sign_flip_test(&[0.1; 20]) < 0.001);
    }

    #[test]
    fn a_sign_test_by_hand() {
        // 7 of 8 in one direction: 2 (C(8,0) + C(8,1)) / 2^8.
        let b = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0];
        assert!((sign_test(&[0.0; 8], &b) - 18.0 / 256.0).abs() < 1e-12);
        assert_eq!(sign_test(&[0.0; 2], &[0.0; 2]), 1.0);
        assert_eq!(sign_test(&[0.0, 0.0], &[1.0, -1.0]), 1.0);
    }

    #[test]
    fn a_ratio_is_geometric() {
        let found = paired_ratio(&[1.0, 2.0], &[2.0, 1.0]);
        assert!((found.value - 1.0).abs() < 1e-12 && found.low >= 0.5 && found.high <= 2.0);
        assert!(!found.excludes(1.0) && found.excludes(3.0));
        assert_eq!(format!("{:.1}", found.map(|_| 2.0)), "2.0 [2.0, 2.0]");
        assert_eq!(format!("{:+.1}", found.map(|_| 2.0)), "+2.0 [+2.0, +2.0]");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_test_does_not_depend_on_which_arm_comes_first(
            pairs in proptest::collection::vec((-5i32..5, -5i32..5), 1..12),
        ) {
            let a: Vec<f64> = pairs.iter().map(|(a, _)| f64::from(*a)).collect();
            let b: Vec<f64> = pairs.iter().map(|(_, b)| f64::from(*b)).collect();
            prop_assert_eq!(paired(&a, &b).p_value, paired(&b, &a).p_value);
            prop_assert!((sign_test(&a, &b) - sign_test(&b, &a)).abs() < 1e-12);
            let found = paired(&a, &b).difference;
            prop_assert!(found.low <= found.value + 1e-9 && found.value <= found.high + 1e-9);
        }
    }
}
