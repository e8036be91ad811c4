//! Focal scaling, F-GRPO (arXiv 2602.06717), in the exact and in the small: what training does to
//! right answers that are rare.
//!
//! | part | what it does |
//! |---|---|
//! | [`tail_miss_by_sampling`] | how often groups miss the rare right answers, by drawing groups |
//! | [`Categorical`] | one prompt, thousands of actions, the two forms of the update |
//! | [`ManyAnswers`] | prompts of mixed difficulty with up to twelve right answers of two tokens |
//! | [`arms`] | what both are measured by, and arms beside a baseline at equal pass@1 |
//! | [`report`] | tables, figures and criteria of these |
//!
//! Coverage is measured from exact probabilities, without sampling: [`distinct_share`] and
//! [`retained_mass`].

pub mod arms;
mod categorical;
mod many_answers;
pub mod report;
mod tail;

pub use categorical::Categorical;
pub use categorical::CategoricalRun;
pub use categorical::Form;
pub use many_answers::ManyAnswers;
pub use many_answers::Matching;
pub use tail::tail_miss_by_sampling;

/// The share of right answers that occur among `samples` completions, in expectation:
/// `mean of 1 - (1 - p_i)^samples` over the probabilities of the right answers (distinct-correct@k,
/// as a share).
///
/// ```
/// use fireproof_lab::coverage::distinct_share;
/// // One is certain, the other has 3/4 of appearing in two draws.
/// assert_eq!(distinct_share(&[1.0, 0.5], 2), 0.875);
/// ```
#[must_use]
pub fn distinct_share(right: &[f64], samples: i32) -> f64 {
    right.iter().map(|p| 1.0 - (1.0 - p).powi(samples)).sum::<f64>() / right.len() as f64
}

/// Retained mass of the right answers:
/// `1 - sum of max(0, p_before - p_now) / sum of p_before` (arXiv 2602.06717, toy simulation;
/// confidence MED). What one answer gains does not make up for what another lost.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use fireproof_lab::coverage::retained_mass;
/// // The second lost 0.1 of 0.4 in all.
/// assert!((retained_mass(&[0.2, 0.2], &[0.7, 0.1]) - 0.75).abs() < 1e-12);
/// ```
#[must_use]
pub fn retained_mass(before: &[f64], now: &[f64]) -> f64 {
    assert_eq!(before.len(), now.len(), "as many answers before as now");
    let lost: f64 = before.iter().zip(now).map(|(before, now)| (before - now).max(0.0)).sum();
    1.0 - lost / before.iter().sum::<f64>()
}
