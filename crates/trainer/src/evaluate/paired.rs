//! Two evaluations of the same prompts, compared prompt by prompt.

use std::collections::BTreeMap;

use fireproof_lab::statistics::{pass_at_k, sign_flip_test};
use fireproof_trajectory::PromptId;

use super::{Evaluation, Interval, PromptResult};
use crate::error::TrainError;

/// The difference of pass@k between two policies on the same prompts.
///
/// Prompts are the unit: hard prompts are hard for both, so differences prompt by prompt vary far
/// less than the two means do. The interval and the test are over prompts; they say nothing about
/// another training seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// Mean of `pass@k(b) - pass@k(a)` with its 95% interval.
    pub difference: Interval,
    /// Prompts on which `b` does better.
    pub better: usize,
    /// Prompts on which both do alike.
    pub equal: usize,
    /// Prompts on which `b` does worse.
    pub worse: usize,
    /// Two-sided p-value of the sign-flip permutation test of a mean difference of 0: exact up to 16
    /// prompts, beyond that from 10,000 flips, the same ones every time.
    pub p_value: f64,
}

impl Paired {
    /// Compares `b` with `a` at pass@k.
    ///
    /// # Errors
    /// [`TrainError::OtherPrompts`] if they are not over the same prompts.
    ///
    /// # Panics
    /// If a prompt has fewer than `k` completions.
    pub fn new(a: &Evaluation, b: &Evaluation, k: u64) -> Result<Self, TrainError> {
        let scores = |evaluation: &Evaluation| -> BTreeMap<PromptId, f64> {
            let score = |r: &PromptResult| (r.prompt, pass_at_k(r.samples, r.correct, k));
            evaluation.prompts.iter().map(score).collect()
        };
        let (a, b) = (scores(a), scores(b));
        if !a.keys().eq(b.keys()) {
            let shared = a.keys().filter(|prompt| b.contains_key(prompt)).count();
            return Err(TrainError::OtherPrompts { first: a.len(), second: b.len(), shared });
        }
        let differences: Vec<f64> = a.values().zip(b.values()).map(|(a, b)| b - a).collect();
        let count = |is: fn(&f64) -> bool| differences.iter().filter(|d| is(d)).count();
        Ok(Self {
            difference: Interval::of(&differences),
            better: count(|d| *d > 0.0),
            equal: count(|d| *d == 0.0),
            worse: count(|d| *d < 0.0),
            p_value: sign_flip_test(&differences),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(correct: &[u64]) -> Evaluation {
        let result = |(prompt, correct)| PromptResult::new(PromptId(prompt), 4, correct);
        Evaluation { prompts: (0..).zip(correct.iter().copied()).map(result).collect() }
    }

    #[test]
    fn a_comparison_by_hand() {
        let (a, b) = (evaluation(&[0, 1, 2, 4]), evaluation(&[2, 1, 3, 3]));
        let paired = Paired::new(&a, &b, 1).unwrap();
        // Differences 1/2, 0, 1/4, -1/4.
        assert!((paired.difference.mean - 0.125).abs() < 1e-12);
        assert_eq!((paired.better, paired.equal, paired.worse), (2, 1, 1));
        // Of the 8 ways to sign 1/2, 1/4, 1/4, the sum is at least 1/2 away in all but two:
        // 1/2 - 1/4 - 1/4 and its mirror.
        assert!((paired.p_value - 0.75).abs() < 0.02, "{}", paired.p_value);
    }

    #[test]
    fn equal_policies_are_equal_and_clear_differences_clear() {
        let a = evaluation(&[1; 30]);
        assert_eq!(Paired::new(&a, &a, 1).unwrap().p_value, 1.0);
        let better = Paired::new(&a, &evaluation(&[3; 30]), 1).unwrap();
        assert!(better.p_value < 0.001 && better.better == 30, "{better:?}");
    }

    #[test]
    fn other_prompts_are_refused() {
        let error = Paired::new(&evaluation(&[1, 2]), &evaluation(&[1, 2, 3]), 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the evaluations are not over the same prompts: 2 and 3, of which 2 are shared"
        );
    }
}
