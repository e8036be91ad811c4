//! Where the policy is the one that sampled, every surrogate is the policy gradient.

use fireproof_advantage::{AdvantageEstimator, Centered, Ddof, ZScore};
use fireproof_losses::{NegativeAware, PromptWeight};
use fireproof_trajectory::{GroupView, PromptId, StepView};
use proptest::prelude::*;

use crate::batch::{Found, Row, WIDTH, rows, run, weight};
use crate::surrogates;

/// The rows on policy, with one advantage and one weight for each.
fn even(rows: &[Row]) -> Vec<Row> {
    let even = |row: &Row| Row {
        behaviour: row.logprobs.clone(),
        advantages: vec![row.advantages[0]; WIDTH],
        flags: vec![0.0; WIDTH],
        ..row.clone()
    };
    rows.iter().map(even).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_surrogate_has_the_gradient_of_the_advantage(rows in rows()) {
        for loss in surrogates() {
            for row in even(&rows) {
                // A sequence's ratio spreads the gradient over its tokens, so their sum is compared
                // where weights differ, and each where they are alike.
                let Found { gradient, .. } = run(&*loss, std::slice::from_ref(&row), 0);
                let trains = |token: &usize| row.mask[*token];
                let expected: f64 =
                    (0..WIDTH).filter(trains).map(|token| -row.advantages[0] * weight(0, token)).sum();
                let sum: f64 = gradient.iter().sum();
                prop_assert!((sum - expected).abs() < 1e-12, "{loss:?}: {sum} is not {expected}");
                let single = Row { mask: (0..WIDTH).map(|token| token == 1).collect(), ..row };
                let Found { gradient, .. } = run(&*loss, std::slice::from_ref(&single), 0);
                let expected = -single.advantages[0] * weight(0, 1);
                prop_assert!((gradient[1] - expected).abs() < 1e-12, "{loss:?}: {gradient:?}");
            }
        }
    }

    #[test]
    fn negative_aware_training_is_dr_grpo_or_grpo(
        correct in prop::collection::vec(any::<bool>(), 2..9), logprob in -3.0..-0.1,
    ) {
        let right = correct.iter().filter(|correct| **correct).count();
        prop_assume!((1..correct.len()).contains(&right));
        let success_rate = right as f64 / correct.len() as f64;
        let rewards: Vec<f32> = correct.iter().map(|correct| f32::from(*correct)).collect();
        let (lengths, truncated) = (vec![1; correct.len()], vec![false; correct.len()]);
        let group = GroupView {
            prompt: PromptId(1),
            rewards: &rewards,
            correct: &correct,
            lengths: &lengths,
            truncated: &truncated,
        };
        let step = StepView { groups: &[group], step: 0, steps: 1 };
        let z_score = ZScore { ddof: Ddof::Population, epsilon: 0.0, ..ZScore::default() };
        for (prompt_weight, estimator) in [
            (PromptWeight::Failures, &Centered as &dyn AdvantageEstimator),
            (PromptWeight::Odds, &z_score),
        ] {
            let advantages = estimator.advantages(&step).remove(0);
            let loss = NegativeAware { prompt_weight, ..NegativeAware::default() };
            let rows: Vec<Row> = correct.iter().map(|correct| Row {
                logprobs: vec![logprob],
                behaviour: vec![logprob],
                advantages: vec![0.0],
                mask: vec![true],
                flags: vec![f64::from(*correct)],
                success_rate,
            }).collect();
            let found = run(&loss, &rows, 0);
            for (row, advantage) in advantages.iter().enumerate() {
                let expected = -f64::from(*advantage) * weight(row, 0);
                prop_assert!((found.gradient[row] - expected).abs() < 1e-6, "{loss:?}: {found:?}");
            }
        }
    }
}
