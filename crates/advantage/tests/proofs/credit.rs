//! Token credit: by hand, against verl, and what must hold for all rules.

use fireproof_advantage::{
    CreditAssignment, CreditError, Ddof, EveryToken, PositiveReweighted, PositiveSchedule,
    PotentialCredit, ProbabilityWeighted, ProbedSteps, WhitenedReturns, checked_credit,
    fill_step_values, step_value_advantages, to_tokens,
};
use fireproof_trajectory::{TokenStep, TokenView};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::common::{assert_close, row};

const LOGPROBS: [f32; 16] = [-0.25; 16];

fn step<'a>(rows: &'a [TokenView<'a>]) -> TokenStep<'a> {
    TokenStep { rows, step: 0, steps: 100 }
}

const GUIDED: PositiveSchedule =
    PositiveSchedule::EntropyGuided { start: 1.0, increment: 0.05, entropy: 0.4 };

fn rules() -> Vec<Box<dyn CreditAssignment>> {
    vec![
        Box::new(EveryToken),
        Box::new(ProbabilityWeighted { alpha: 0.2 }),
        Box::new(WhitenedReturns::default()),
        Box::new(WhitenedReturns { gamma: 0.9, ddof: Ddof::Population, ..Default::default() }),
        Box::new(PositiveReweighted::new(EveryToken, PositiveSchedule::Stage)),
        Box::new(PositiveReweighted::new(
            ProbabilityWeighted { alpha: 0.3 },
            PositiveSchedule::Epoch { epochs: 4 },
        )),
        Box::new(PositiveReweighted::new(WhitenedReturns::default(), GUIDED)),
    ]
}

#[test]
fn every_token_and_probability_weights_by_hand() {
    let logprobs = [0.0, 0.5f32.ln(), 0.1f32.ln()];
    let rows = [row(&logprobs, &[])];
    assert_eq!(EveryToken.assign(&[-2.0], &step(&rows)), [[-2.0; 3]]);
    // 0.2 p + 0.8: 1, 0.9, 0.82
    let weighted = ProbabilityWeighted { alpha: 0.2 }.assign(&[2.0], &step(&rows));
    assert_close(&weighted[0], &[2.0, 1.8, 1.64], 1e-6);
}

#[test]
fn whitened_returns_are_those_of_verl() {
    // verl 0.9.1, compute_reinforce_plus_plus_outcome_advantage; a cost is a negative token reward.
    let rows = [
        row(&LOGPROBS[..3], &[]),
        row(&LOGPROBS[..2], &[0.0, 0.5]),
        row(&LOGPROBS[..3], &[0.1, 0.2, 0.3]),
    ];
    for (gamma, expected) in [
        (
            0.9,
            [
                0.703_041_1,
                0.856_292_6,
                1.026_572,
                -1.442_479_4,
                -1.527_619_2,
                -0.187_520_18,
                0.055_979_412,
                0.515_733_84,
            ],
        ),
        (
            1.0,
            [
                0.872_748_8,
                0.872_748_8,
                0.872_748_8,
                -1.507_475_4,
                -1.507_475_4,
                -0.079_340_82,
                0.079_340_78,
                0.396_703_96,
            ],
        ),
    ] {
        let credit = WhitenedReturns { gamma, ..Default::default() };
        let found = credit.assign(&[1.0, 0.0, 1.0], &step(&rows)).concat();
        assert_close(&found, &expected, 2e-6);
    }
    // compute_reinforce_plus_plus_baseline_outcome_advantage: groups [1, 0] and [0.7, 0.2], centred.
    let rows = [3, 2, 3, 2].map(|length| row(&LOGPROBS[..length], &[]));
    let found = WhitenedReturns::default().assign(&[0.5, -0.5, 0.25, -0.25], &step(&rows));
    let expected = [1.038_871, -1.405_531_4, 0.427_770_44, -0.794_430_8];
    for (row, expected) in found.iter().zip(expected) {
        assert_close(row, &vec![expected; row.len()], 2e-6);
    }
}

#[test]
fn openrlhfs_whitening_is_a_setting_and_constant_returns_are_zero() {
    let rows = [row(&LOGPROBS[..1], &[]), row(&LOGPROBS[..1], &[])];
    let floored = WhitenedReturns {
        ddof: Ddof::Population,
        epsilon: 0.0,
        variance_floor: 4.0,
        ..Default::default()
    };
    // Variance 1/4, floored at 4.
    assert_eq!(floored.assign(&[0.0, 1.0], &step(&rows)), [[-0.25], [0.25]]);
    let bare = WhitenedReturns { epsilon: 0.0, ..Default::default() };
    assert_eq!(bare.assign(&[0.1, 0.1], &step(&rows)), [[0.0], [0.0]]);
    assert_eq!(bare.assign(&[0.1], &step(&rows[..1])), [[0.0]]);
    assert!(bare.assign(&[], &step(&[])).is_empty());
}

#[test]
fn schedules_of_positive_advantages_by_hand() {
    let stage = PositiveReweighted::new(EveryToken, PositiveSchedule::Stage);
    let lambdas = [0, 49, 50, 74, 99, 100].map(|step| stage.lambda(step, 100));
    assert_close(&lambdas.map(|l| l as f32), &[0.0, 0.0, 0.02, 0.5, 1.0, 1.0], 1e-6);
    let epoch = PositiveReweighted::new(EveryToken, PositiveSchedule::Epoch { epochs: 3 });
    assert_eq!(
        [0, 3, 4, 7, 8, 11].map(|step| epoch.lambda(step, 12)),
        [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]
    );
    let single = PositiveReweighted::new(EveryToken, PositiveSchedule::Epoch { epochs: 1 });
    assert_eq!(single.lambda(0, 12), 1.0);
    let rows = [row(&LOGPROBS[..1], &[]); 3];
    let halfway = TokenStep { rows: &rows, step: 74, steps: 100 };
    assert_eq!(stage.assign(&[2.0, -2.0, 0.0], &halfway), [[1.0], [-2.0], [0.0]]);
}

#[test]
fn the_entropy_guided_schedule_follows_the_entropy_and_survives_a_checkpoint() {
    let sure = [TokenView { entropies: &[0.1, 0.3], ..row(&LOGPROBS[..2], &[]) }];
    let unsure = [TokenView { entropies: &[0.5, 0.7], ..row(&LOGPROBS[..2], &[]) }];
    let level = [TokenView { entropies: &[0.25, 0.75], ..row(&LOGPROBS[..2], &[]) }];
    let guided = PositiveSchedule::EntropyGuided { start: 0.5, increment: 0.25, entropy: 0.5 };
    let mut credit = PositiveReweighted::new(EveryToken, guided);
    let fingerprint = format!("{credit:?}");
    let mut lambdas = vec![];
    for rows in [&sure, &sure, &sure, &level, &unsure] {
        credit.observe(&step(rows));
        lambdas.push(credit.lambda(0, 1));
    }
    assert_eq!(lambdas, [0.25, 0.0, 0.0, 0.0, 0.25]);
    credit.observe(&step(&[]));
    assert_eq!(credit.lambda(0, 1), 0.25);
    assert_eq!(credit.state(), json!({ "lambda": 0.25, "base": null }));
    assert_eq!(format!("{credit:?}"), fingerprint, "the fingerprint shows nothing learned");
    let mut resumed: Box<dyn CreditAssignment> =
        Box::new(PositiveReweighted::new(EveryToken, guided));
    resumed.restore(credit.state()).unwrap();
    assert_eq!(resumed.assign(&[1.0], &step(&sure)), credit.assign(&[1.0], &step(&sure)));
    assert_eq!(resumed.assign(&[1.0], &step(&sure)), [[0.25, 0.25]]);
    // Never above 1.
    (0..9).for_each(|_| resumed.observe(&step(&unsure)));
    assert_eq!(resumed.state()["lambda"], json!(1.0));
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    let refused = |mut rule: Box<dyn CreditAssignment>, state: Value| {
        let before = rule.state();
        let error = rule.restore(state).unwrap_err();
        assert!(matches!(error, CreditError::State { .. }));
        assert_eq!(rule.state(), before);
        error.to_string()
    };
    let text = refused(Box::new(EveryToken), json!({ "lambda": 0.5 }));
    assert!(text.contains("EveryToken") && text.contains(r#"{"lambda":0.5}"#), "{text}");
    let guided = || Box::new(PositiveReweighted::new(EveryToken, GUIDED));
    for state in [
        Value::Null,
        json!({ "lambda": 0.5 }),
        json!({ "lambda": 1.5, "base": null }),
        json!({ "lambda": null, "base": null }),
        json!({ "lambda": 0.5, "base": 7 }),
    ] {
        refused(guided(), state);
    }
    let stage = PositiveReweighted::new(EveryToken, PositiveSchedule::Stage);
    refused(Box::new(stage), json!({ "lambda": 0.5, "base": null }));
}

#[test]
fn credit_that_cannot_be_used_is_named() {
    /// Returns what it is told to, whatever the step.
    #[derive(Debug)]
    struct Fixed(Vec<Vec<f32>>);
    impl CreditAssignment for Fixed {
        fn assign(&self, _: &[f32], _: &TokenStep<'_>) -> Vec<Vec<f32>> {
            self.0.clone()
        }
    }
    let rows = [row(&LOGPROBS[..2], &[]), TokenView { group: 7, ..row(&LOGPROBS[..1], &[]) }];
    let check = |rows: &[TokenView<'_>], fixed: Vec<Vec<f32>>, advantages: &[f32]| {
        checked_credit(&Fixed(fixed), advantages, &step(rows)).unwrap_err().to_string()
    };
    let good = vec![vec![1.0, 2.0], vec![3.0]];
    assert_eq!(checked_credit(&Fixed(good.clone()), &[1.0, 3.0], &step(&rows)).unwrap(), good);
    assert_eq!(check(&rows, good, &[1.0]), "1 advantages for the 2 completions of the step");
    let text = check(&rows, vec![vec![1.0, 2.0]], &[1.0, 3.0]);
    assert!(text.ends_with("returned advantages for 1 completions, the step has 2"), "{text}");
    let text = check(&rows, vec![vec![1.0, 2.0], vec![]], &[1.0, 3.0]);
    assert!(text.ends_with("0 advantages for the 1 tokens of completion 1 (group 7)"), "{text}");
    let text = check(&rows, vec![vec![1.0, 2.0], vec![f32::NAN]], &[1.0, 3.0]);
    assert!(
        text.contains("NaN for token 0 of completion 1 (group 7), whose advantage is 3"),
        "{text}"
    );
    let odd = [row(&LOGPROBS[..2], &[0.5])];
    let text = check(&odd, vec![], &[1.0]);
    assert_eq!(text, "completion 0 (group 0) has 1 costs for its 2 tokens");
}

#[test]
fn step_values_by_hand() {
    assert_eq!(step_value_advantages(&[0.0, 0.5, 1.0], &[0.25, 0.75, 0.5]), [0.5, 0.25, 0.5]);
    assert!(step_value_advantages(&[], &[]).is_empty());
    let filled = fill_step_values(&[0.0, 0.5, 1.0], &[Some(0.25), None, Some(0.75)]);
    assert_eq!(filled, [0.25, 1.25, 0.75]);
    assert_eq!(to_tokens(&[1.0, 2.0, 3.0], &[1, 0, 2]), [1.0, 3.0, 3.0]);
}

#[test]
fn potential_credit_by_hand() {
    // Potentials -0.5, 0.95, 1.0 | 0.5: changes 0, 1.45, 0.05 | 0, so m = 0, 1, 1/29 | 0.
    let rows = [
        ProbedSteps { advantage: 0.5, potentials: &[-0.5, 0.95, 1.0], lengths: &[1, 2, 1] },
        ProbedSteps { advantage: -0.5, potentials: &[0.5], lengths: &[1] },
    ];
    let found = PotentialCredit::default().assign(&rows);
    let e = std::f64::consts::E;
    let m = [1.0, e, (1f64 / 29.0).exp(), 1.0];
    let mean = m.iter().sum::<f64>() / 4.0;
    // The third step comes after one potential above 0.9: f = 1 - (1 - 1/e)/2.
    let f = 1.0 - 0.5 * (1.0 - 1.0 / e);
    let g = m.map(|m| 0.5 * (m - mean));
    let raw = [0.5 + g[0], 0.5 + g[1], 0.5 + g[1], 0.5 * f + g[2], -0.5 + g[3]];
    let center = raw.iter().sum::<f64>() / 5.0;
    let variance = raw.iter().map(|r| (r - center).powi(2)).sum::<f64>() / 4.0;
    let expected = raw.map(|r| ((r - center) / variance.sqrt()) as f32);
    assert_close(&found.concat(), &expected, 1e-6);
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [4, 1]);
    // Equal potentials shape nothing; without any step there is nothing to give.
    let flat = ProbedSteps { advantage: 0.5, potentials: &[0.2, 0.2], lengths: &[1, 1] };
    assert_eq!(PotentialCredit::default().assign(&[flat]), [[0.0, 0.0]]);
    let empty = ProbedSteps { advantage: 0.5, potentials: &[], lengths: &[] };
    assert_eq!(PotentialCredit::default().assign(&[empty]), [[0.0; 0]]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn credit_is_finite_and_keeps_signs_and_does_not_care_for_the_order_of_rows(
        lengths in prop::collection::vec(0usize..6, 1..8), seed: u32,
    ) {
        let advantage = |i: usize| ((seed as usize + i * 7) % 9) as f32 - 4.0;
        let advantages: Vec<f32> = (0..lengths.len()).map(advantage).collect();
        let rows: Vec<TokenView<'_>> =
            lengths.iter().map(|length| row(&LOGPROBS[..*length], &[])).collect();
        let reversed: Vec<TokenView<'_>> = rows.iter().rev().copied().collect();
        let backwards: Vec<f32> = advantages.iter().rev().copied().collect();
        for rule in rules() {
            let found = checked_credit(&rule, &advantages, &step(&rows)).unwrap();
            let mut other = checked_credit(&rule, &backwards, &step(&reversed)).unwrap();
            other.reverse();
            for (a, b) in found.concat().iter().zip(other.concat()) {
                prop_assert!((a - b).abs() < 1e-5, "{rule:?}");
            }
            let whitens = format!("{rule:?}").contains("Whitened");
            for (row, advantage) in found.iter().zip(&advantages).filter(|_| !whitens) {
                prop_assert!(row.iter().all(|a| a * advantage >= 0.0), "{rule:?}");
            }
        }
    }

    #[test]
    fn whitened_returns_have_mean_zero_and_variance_one(
        lengths in prop::collection::vec(1usize..6, 2..8), seed: u32,
    ) {
        let advantage = |i: usize| ((seed as usize + i * i * 7) % 9) as f32;
        let advantages: Vec<f32> = (0..lengths.len()).map(advantage).collect();
        prop_assume!(advantages.iter().any(|a| *a != advantages[0]));
        let rows: Vec<TokenView<'_>> =
            lengths.iter().map(|length| row(&LOGPROBS[..*length], &[])).collect();
        let credit = WhitenedReturns { epsilon: 0.0, ..Default::default() };
        let found = credit.assign(&advantages, &step(&rows)).concat();
        let (sum, squares) = (found.iter().sum::<f32>(), found.iter().map(|a| a * a).sum::<f32>());
        prop_assert!(sum.abs() < 1e-4, "{found:?}");
        prop_assert!((squares / (found.len() - 1) as f32 - 1.0).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn step_values_telescope(
        steps in prop::collection::vec((-1f32..1.0, 0f32..1.0), 1..12),
    ) {
        let (rewards, values): (Vec<f32>, Vec<f32>) = steps.into_iter().unzip();
        let sum: f32 = step_value_advantages(&rewards, &values).iter().sum();
        prop_assert!((sum - (rewards.iter().sum::<f32>() - values[0])).abs() < 1e-4);
        // Where nothing was measured, nothing is credited.
        let filled = fill_step_values(&rewards, &vec![None; rewards.len()]);
        let none = step_value_advantages(&rewards, &filled);
        prop_assert!(none.iter().all(|a| a.abs() < 1e-5), "{none:?}");
    }
}
