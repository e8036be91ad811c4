//! Properties of every estimator on random groups.

use fireproof_advantage::{
    AdvantageEstimator, BatchCentered, Centered, CreditAssignment, Ddof, EveryToken, Focal,
    LeaveOneOut, LinearR, NormScope, PairWeighted, PerGroup, ProbabilityWeighted, PromptWeighted,
    SqrtR, ZScore, checked_advantages,
};
use fireproof_trajectory::{GroupView, PromptId, StepView, TokenView};
use proptest::prelude::*;

fn estimators() -> Vec<Box<dyn AdvantageEstimator>> {
    vec![
        Box::new(Centered),
        Box::new(ZScore::default()),
        Box::new(ZScore { ddof: Ddof::Population, epsilon: 1e-8 }),
        Box::new(LeaveOneOut),
        Box::new(PromptWeighted::new(LinearR)),
        Box::new(PromptWeighted::new(SqrtR)),
        Box::new(Focal::new(ZScore::default())),
        Box::new(PairWeighted { lambda_negative: 0.5, ..PairWeighted::default() }),
        Box::new(PairWeighted { scope: NormScope::Pair, ..PairWeighted::default() }),
        Box::new(BatchCentered),
    ]
}

/// Runs an estimator on groups of (reward, correct).
fn run(estimator: &dyn AdvantageEstimator, groups: &[Vec<(f32, bool)>]) -> Vec<Vec<f32>> {
    let unzipped: Vec<(Vec<f32>, Vec<bool>)> =
        groups.iter().map(|group| group.iter().copied().unzip()).collect();
    let (lengths, truncated) = (vec![1; 32], vec![false; 32]);
    let views: Vec<GroupView<'_>> = unzipped
        .iter()
        .map(|(rewards, correct)| GroupView {
            prompt: PromptId(0),
            rewards,
            correct,
            lengths: &lengths[..rewards.len()],
            truncated: &truncated[..rewards.len()],
        })
        .collect();
    let step = StepView { groups: &views, step: 3, steps: 10 };
    checked_advantages(estimator, &step).expect("valid advantages")
}

fn binary(successes: &[bool]) -> Vec<(f32, bool)> {
    successes.iter().map(|correct| (f32::from(*correct), *correct)).collect()
}

proptest! {
    #[test]
    fn centred_estimators_sum_to_zero(
        rewards in prop::collection::vec(-100f32..100.0, 1..24),
        successes in prop::collection::vec(any::<bool>(), 1..24),
    ) {
        let shaped: Vec<(f32, bool)> = rewards.iter().map(|r| (*r, *r > 0.0)).collect();
        for estimator in &estimators()[..4] {
            let sum: f32 = run(estimator, std::slice::from_ref(&shaped))[0].iter().sum();
            prop_assert!(sum.abs() < 1e-3, "{estimator:?}: {sum}");
        }
        // Prompt weightings sum to zero wherever both outcomes occur.
        if successes.contains(&true) && successes.contains(&false) {
            for estimator in &estimators()[4..7] {
                let sum: f32 = run(estimator, &[binary(&successes)])[0].iter().sum();
                prop_assert!(sum.abs() < 1e-3, "{estimator:?}: {sum}");
            }
        }
    }

    #[test]
    fn the_batch_baseline_sums_to_zero_over_the_step_and_is_the_groups_own_over_one_group(
        groups in prop::collection::vec(prop::collection::vec(-100f32..100.0, 1..9), 1..5),
    ) {
        let groups: Vec<Vec<(f32, bool)>> =
            groups.iter().map(|g| g.iter().map(|r| (*r, *r > 0.0)).collect()).collect();
        let sum: f32 = run(&BatchCentered, &groups).concat().iter().sum();
        prop_assert!(sum.abs() < 1e-3, "{sum}");
        prop_assert_eq!(run(&BatchCentered, &groups[..1]), run(&Centered, &groups[..1]));
    }

    #[test]
    fn permuting_a_group_permutes_its_advantages(
        group in prop::collection::vec((-2f32..2.0, any::<bool>()), 2..16),
        seed: u64,
    ) {
        let order: Vec<usize> = {
            let mut order: Vec<usize> = (0..group.len()).collect();
            order.sort_by_key(|i| (*i as u64 + 1).wrapping_mul(seed | 1));
            order
        };
        let permuted: Vec<(f32, bool)> = order.iter().map(|i| group[*i]).collect();
        for estimator in estimators() {
            let plain = &run(&estimator, std::slice::from_ref(&group))[0];
            let after = &run(&estimator, std::slice::from_ref(&permuted))[0];
            for (to, from) in order.iter().enumerate() {
                prop_assert!((after[to] - plain[*from]).abs() < 1e-4, "{estimator:?}");
            }
        }
    }

    #[test]
    fn shifting_all_rewards_changes_nothing(
        steps in prop::collection::vec(-64i32..64, 2..16), shift in -1000i32..1000,
    ) {
        // Quarters are exact in f32, so the shifted rewards differ by the same amounts exactly.
        let group = |offset: i32| -> Vec<(f32, bool)> {
            steps.iter().map(|s| ((s + offset) as f32 / 4.0, *s > 0)).collect()
        };
        for estimator in &estimators()[..4] {
            let (a, b) = (&run(estimator, &[group(0)])[0], &run(estimator, &[group(shift)])[0]);
            for (x, y) in a.iter().zip(b) {
                prop_assert!((x - y).abs() < 1e-4, "{estimator:?}: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn success_rates_come_from_correctness_and_not_from_rewards(
        group in prop::collection::vec((-2f32..2.0, any::<bool>()), 1..16),
    ) {
        let flags: Vec<bool> = group.iter().map(|(_, correct)| *correct).collect();
        for estimator in [&estimators()[4], &estimators()[5], &estimators()[7]] {
            let shaped = run(estimator, std::slice::from_ref(&group));
            prop_assert_eq!(shaped, run(estimator, &[binary(&flags)]));
        }
    }

    #[test]
    fn constant_groups_have_zero_advantage(
        reward in -1e6f32..1e6, size in 1usize..20, correct: bool,
    ) {
        let group = vec![(reward, correct); size];
        for estimator in &estimators()[..4] {
            prop_assert_eq!(&run(estimator, std::slice::from_ref(&group))[0], &vec![0.0; size]);
        }
    }
}

#[test]
fn an_estimator_that_returns_nan_is_named_with_group_and_reward() {
    let broken = PerGroup::new("broken", |group: &GroupView<'_>| vec![f32::NAN; group.len()]);
    let view = GroupView {
        prompt: PromptId(9),
        rewards: &[0.25],
        correct: &[false],
        lengths: &[1],
        truncated: &[false],
    };
    let step = StepView { groups: &[view], step: 0, steps: 1 };
    assert_eq!(
        checked_advantages(&broken, &step).unwrap_err().to_string(),
        "PerGroup(broken) returned NaN for completion 0 of prompt 0000000000000009, whose reward \
         is 0.25"
    );
    let short = PerGroup::new("short", |_: &GroupView<'_>| Vec::new());
    let error = checked_advantages(&short, &step).unwrap_err().to_string();
    assert!(error.contains("returned 0 advantages for the 1 completions"), "{error}");
}

#[test]
fn credit_is_one_advantage_for_each_token() {
    let logprobs = [0.0, 0.5f32.ln(), 0.1f32.ln()];
    let tokens = TokenView { logprobs: &logprobs, entropies: &[0.1, 0.2, 0.3] };
    assert_eq!(EveryToken.assign(-2.0, tokens), [-2.0; 3]);
    // 0.2 p + 0.8: 1, 0.9, 0.82
    let weighted = ProbabilityWeighted { alpha: 0.2 }.assign(2.0, tokens);
    for (found, expected) in weighted.iter().zip([2.0, 1.8, 1.64]) {
        assert!((found - expected).abs() < 1e-6, "{weighted:?}");
    }
}
