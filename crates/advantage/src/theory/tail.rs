//! Groups that train but hold none of the rare right answers (F-GRPO, arXiv 2602.06717).

/// Probability that a group of `completions` has right and wrong completions, yet none of the rare
/// right ones: `(1 - tau)^N - (mu - tau)^N - (1 - mu)^N`.
///
/// `right` is `mu`, the probability of a right completion; `rare` is `tau <= mu`, that of a rare right
/// one. Source: arXiv 2602.06717, Lemma 3.1 (confidence HIGH).
///
/// ```
/// use fireproof_advantage::theory::tail_miss_probability;
/// // Two completions, mu = 1/2, tau = 1/4: 9/16 - 1/16 - 4/16.
/// assert_eq!(tail_miss_probability(0.5, 0.25, 2), 0.25);
/// ```
#[must_use]
pub fn tail_miss_probability(right: f64, rare: f64, completions: u32) -> f64 {
    let power = |base: f64| base.powf(f64::from(completions));
    power(1.0 - rare) - power(right - rare) - power(1.0 - right)
}

/// The group size from 1 to `limit` at which [`tail_miss_probability`] is largest.
///
/// ```
/// use fireproof_advantage::theory::likeliest_miss;
/// assert_eq!(likeliest_miss(0.5, 0.05, 256), 5);
/// ```
#[must_use]
pub fn likeliest_miss(right: f64, rare: f64, limit: u32) -> u32 {
    let miss = |completions: &u32| tail_miss_probability(right, rare, *completions);
    (1..=limit).max_by(|a, b| miss(a).total_cmp(&miss(b))).unwrap_or(1)
}
