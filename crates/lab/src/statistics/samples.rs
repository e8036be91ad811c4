//! What can be said of one prompt from its completions.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

/// Subsets that maj@k looks at where it does not look at all completions.
const SUBSETS: usize = 256;

/// Unbiased pass@k of a prompt: `1 - C(n-c, k) / C(n, k)`, the chance that `k` of its `n`
/// completions, drawn without replacement, hold at least one of its `c` right ones (Chen et al.
/// 2021, arXiv 2107.03374, eq. 1).
///
/// ```
/// use fireproof_lab::statistics::pass_at_k;
/// // 1 - C(4, 2) / C(6, 2) = 1 - 6/15
/// assert!((pass_at_k(6, 2, 2) - 0.6).abs() < 1e-12);
/// ```
///
/// # Panics
/// If there are fewer than `k` completions.
#[must_use]
pub fn pass_at_k(samples: u64, correct: u64, k: u64) -> f64 {
    assert!(k <= samples, "pass@{k} needs at least {k} completions of each prompt, not {samples}");
    1.0 - chance_of_all(samples, samples - correct, k)
}

/// pass^k of a prompt: `C(c, k) / C(n, k)`, the chance that `k` of its `n` completions, drawn
/// without replacement, are *all* right (arXiv 2406.12045).
///
/// # Panics
/// If there are fewer than `k` completions.
#[must_use]
pub fn pass_hat_k(samples: u64, correct: u64, k: u64) -> f64 {
    assert!(k <= samples, "pass^{k} needs at least {k} completions of each prompt, not {samples}");
    chance_of_all(samples, correct, k)
}

/// The chance that `k` of `samples`, drawn without replacement, are all among `marked` of them:
/// the product of `(marked - i) / (samples - i)`, zero once `k` exceeds `marked`.
fn chance_of_all(samples: u64, marked: u64, k: u64) -> f64 {
    (0..k).map(|i| marked.saturating_sub(i) as f64 / (samples - i) as f64).product()
}

/// maj@k of a prompt: the chance that the most frequent answer of `k` of its completions is right
/// (self-consistency, arXiv 2203.11171).
///
/// `answers` holds how often each answer was given and whether it is right; completions beyond
/// their sum have no answer and do not vote. Where several are right, they share their votes; ties
/// are broken at random, in expectation. For `k` below `samples` it is the mean over 256 random
/// subsets, the same ones for the same `seed`.
///
/// # Panics
/// If there are fewer than `k` completions, or more answers than completions.
#[must_use]
pub fn majority_at_k(samples: u64, answers: &[(u64, bool)], k: u64, seed: u64) -> f64 {
    assert!(k <= samples, "maj@{k} needs at least {k} completions of each prompt, not {samples}");
    let counts: Vec<usize> = answers.iter().map(|(count, _)| *count as usize).collect();
    let given: usize = counts.iter().sum();
    assert!(given as u64 <= samples, "{given} answers of {samples} completions");
    if k == samples {
        return majority(answers, &counts);
    }
    // One ballot for each completion: the number of its answer, or one past the last for none.
    let mut ballots: Vec<usize> = Vec::new();
    for (answer, count) in counts.iter().enumerate() {
        ballots.extend(std::iter::repeat_n(answer, *count));
    }
    ballots.resize(samples as usize, counts.len());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut subset = || {
        let (drawn, _) = ballots.partial_shuffle(&mut rng, k as usize);
        let mut votes = vec![0; counts.len() + 1];
        drawn.iter().for_each(|answer| votes[*answer] += 1);
        majority(answers, &votes[..counts.len()])
    };
    (0..SUBSETS).map(|_| subset()).sum::<f64>() / SUBSETS as f64
}

/// The share of right answers among those with most votes; 0 if there are no votes.
fn majority(answers: &[(u64, bool)], votes: &[usize]) -> f64 {
    let most = votes.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return 0.0;
    }
    let winners = answers.iter().zip(votes).filter(|(_, votes)| **votes == most);
    let (right, all) = winners
        .fold((0, 0), |(right, all), ((_, correct), _)| (right + u32::from(*correct), all + 1));
    f64::from(right) / f64::from(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pass_at_k_by_counting_subsets() {
        assert_eq!(pass_at_k(4, 0, 4), 0.0);
        assert_eq!(pass_at_k(4, 4, 1), 1.0);
        assert!((pass_at_k(16, 3, 1) - 3.0 / 16.0).abs() < 1e-12);
        // C(4,2)/C(6,2) = 6/15
        assert!((pass_at_k(6, 2, 2) - 0.6).abs() < 1e-12);
        // More draws than wrong completions: one must be right.
        assert_eq!(pass_at_k(6, 2, 5), 1.0);
    }

    #[test]
    fn pass_hat_k_by_counting_subsets() {
        // C(4,2)/C(6,2) = 6/15; three right ones cannot fill four places.
        assert!((pass_hat_k(6, 4, 2) - 0.4).abs() < 1e-12);
        assert_eq!((pass_hat_k(8, 3, 4), pass_hat_k(8, 8, 8)), (0.0, 1.0));
        for (samples, correct) in [(8, 3), (8, 0), (5, 5)] {
            assert!(
                (pass_hat_k(samples, correct, 1) - pass_at_k(samples, correct, 1)).abs() < 1e-12
            );
        }
    }

    #[test]
    fn a_majority_is_counted_over_answers_and_ties_are_shared() {
        assert_eq!(majority_at_k(5, &[(3, true), (2, false)], 5, 7), 1.0);
        assert_eq!(majority_at_k(5, &[(3, false), (2, true)], 5, 7), 0.0);
        assert_eq!(majority_at_k(4, &[(2, false), (2, true)], 4, 7), 0.5);
        // Three completions have no answer: they do not vote.
        assert_eq!(majority_at_k(4, &[(1, true)], 4, 7), 1.0);
        assert_eq!(majority_at_k(4, &[], 4, 7), 0.0);
    }

    #[test]
    fn a_majority_of_one_is_pass_at_1_and_of_three_is_counted_by_hand() {
        let mixed = [(4, false), (3, true)];
        assert!((majority_at_k(8, &mixed, 1, 7) - 3.0 / 8.0).abs() < 0.1);
        // Of C(5,3) = 10 subsets of 3 right and 2 wrong, 1 + 6 have two or three right ones.
        let five = [(3, true), (2, false)];
        assert!((majority_at_k(5, &five, 3, 7) - 0.7).abs() < 0.1);
        assert_eq!(majority_at_k(5, &five, 3, 7), majority_at_k(5, &five, 3, 7));
    }

    #[test]
    #[should_panic(expected = "pass@8 needs at least 8 completions of each prompt, not 4")]
    fn too_few_completions_are_refused() {
        let _ = pass_at_k(4, 1, 8);
    }
}
