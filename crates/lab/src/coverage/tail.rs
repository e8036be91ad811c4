//! Groups that train but hold none of the rare right answers, counted.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// The share of `groups` sampled groups with right and wrong completions but no rare right one: the
/// Monte Carlo estimate of [`fireproof_advantage::theory::tail_miss_probability`], Lemma 3.1 of
/// arXiv 2602.06717.
///
/// A completion is a rare right one with probability `rare`, another right one with `right - rare`.
///
/// ```
/// use fireproof_advantage::theory::tail_miss_probability;
/// use fireproof_lab::coverage::tail_miss_by_sampling;
/// let (formula, found) =
///     (tail_miss_probability(0.5, 0.05, 8), tail_miss_by_sampling(0.5, 0.05, 8, 20_000, 1));
/// assert!((formula - 0.6578).abs() < 5e-5 && (found - formula).abs() < 0.02);
/// ```
#[must_use]
pub fn tail_miss_by_sampling(right: f64, rare: f64, size: u32, groups: u32, seed: u64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut misses = || {
        let mut seen = [false; 3];
        for _ in 0..size {
            let place: f64 = rng.random();
            seen[usize::from(place >= rare) + usize::from(place >= right)] = true;
        }
        seen == [false, true, true]
    };
    let missed = (0..groups).filter(|_| misses()).count();
    missed as f64 / f64::from(groups)
}
