//! Properties of every estimator on random steps, each where the estimator claims it.

use fireproof_advantage::{Baseline, Scale, ZScore};
use proptest::prelude::*;

use crate::common::{Claimed, Claims, Group, estimators, mixed, run};

/// Quarters are exact in `f32`, so that shifted and scaled rewards differ by exact amounts.
fn group() -> impl Strategy<Value = Group> {
    let completion = (-32i32..32, any::<bool>()).prop_map(|(r, correct)| (r as f32 / 4.0, correct));
    prop::collection::vec(completion, 1..10)
}

fn step() -> impl Strategy<Value = Vec<Group>> {
    prop::collection::vec(group(), 1..6)
}

fn with_rewards(groups: &[Group], map: impl Fn(f32) -> f32) -> Vec<Group> {
    let of = |group: &Group| group.iter().map(|(r, correct)| (map(*r), *correct)).collect();
    groups.iter().map(of).collect()
}

/// A permutation of `0..count`.
fn order(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|i| (*i as u64 + 1).wrapping_mul(seed | 1));
    order
}

fn is_close(a: &[Vec<f32>], b: &[Vec<f32>]) -> bool {
    let (a, b) = (a.concat(), b.concat());
    a.len() == b.len() && a.iter().zip(&b).all(|(x, y)| (x - y).abs() <= 1e-4 * y.abs().max(1.0))
}

fn claiming(claim: impl Fn(&Claims) -> bool) -> impl Iterator<Item = Claimed> {
    estimators().into_iter().filter(move |(_, claims)| claim(claims))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn permuting_a_group_permutes_its_advantages(step in step(), seed: u64) {
        for (estimator, _) in estimators() {
            let orders: Vec<Vec<usize>> = step.iter().map(|g| order(g.len(), seed)).collect();
            let permuted: Vec<Group> = step
                .iter()
                .zip(&orders)
                .map(|(group, order)| order.iter().map(|i| group[*i]).collect())
                .collect();
            let expected: Vec<Vec<f32>> = run(&estimator, &step)
                .iter()
                .zip(&orders)
                .map(|(row, order)| order.iter().map(|i| row[*i]).collect())
                .collect();
            prop_assert!(is_close(&run(&estimator, &permuted), &expected), "{estimator:?}");
        }
    }

    #[test]
    fn permuting_groups_permutes_their_advantages(step in step(), seed: u64) {
        for (estimator, _) in claiming(|claims| !claims.paired) {
            let order = order(step.len(), seed);
            let permuted: Vec<Group> = order.iter().map(|i| step[*i].clone()).collect();
            let plain = run(&estimator, &step);
            let expected: Vec<Vec<f32>> = order.iter().map(|i| plain[*i].clone()).collect();
            prop_assert!(is_close(&run(&estimator, &permuted), &expected), "{estimator:?}");
        }
    }

    #[test]
    fn other_groups_do_not_matter(step in step()) {
        for (estimator, _) in claiming(|claims| claims.own_group) {
            let alone = step.iter().flat_map(|group| run(&estimator, std::slice::from_ref(group)));
            prop_assert_eq!(run(&estimator, &step), alone.collect::<Vec<_>>(), "{:?}", estimator);
        }
    }

    #[test]
    fn shifting_all_rewards_changes_nothing(step in step(), shift in -1000i32..1000) {
        let shifted = with_rewards(&step, |reward| reward + shift as f32);
        for (estimator, _) in claiming(|claims| claims.shift) {
            let (plain, shifted) = (run(&estimator, &step), run(&estimator, &shifted));
            prop_assert!(is_close(&shifted, &plain), "{estimator:?}: {plain:?} {shifted:?}");
        }
    }

    #[test]
    fn scaling_all_rewards_changes_nothing(step in step(), exponent in -8i32..8, three: bool) {
        let factor = 2f32.powi(exponent) * if three { 3.0 } else { 1.0 };
        let scaled = with_rewards(&step, |reward| reward * factor);
        for (estimator, _) in claiming(|claims| claims.scale) {
            let (plain, scaled) = (run(&estimator, &step), run(&estimator, &scaled));
            prop_assert!(is_close(&scaled, &plain), "{estimator:?}: {plain:?} {scaled:?}");
        }
    }

    #[test]
    fn groups_of_equal_completions_get_zero(
        step in step(), reward in -1e6f32..1e6, size in 1usize..20, correct: bool,
    ) {
        let mut step = step;
        step.push(vec![(reward, correct); size]);
        for (estimator, _) in claiming(|claims| claims.zero_if_constant) {
            let found = run(&estimator, &step);
            prop_assert_eq!(found.last().unwrap(), &vec![0.0; size], "{:?}", estimator);
        }
    }

    #[test]
    fn centred_estimators_sum_to_zero(step in step()) {
        for (estimator, _) in claiming(|claims| claims.group_sum) {
            for row in run(&estimator, &step) {
                let size: f32 = row.iter().map(|a| a.abs()).sum();
                let sum: f32 = row.iter().sum();
                prop_assert!(sum.abs() <= 1e-5 * size.max(1.0), "{estimator:?}: {row:?}");
            }
        }
        for (estimator, _) in claiming(|claims| claims.step_sum) {
            let all = run(&estimator, &step).concat();
            let size: f32 = all.iter().map(|a| a.abs()).sum();
            let sum: f32 = all.iter().sum();
            prop_assert!(sum.abs() <= 1e-5 * size.max(1.0), "{estimator:?}: {all:?}");
        }
    }

    #[test]
    fn success_rates_come_from_correctness_and_not_from_rewards(step in step()) {
        let binary: Vec<Group> = step
            .iter()
            .map(|group| group.iter().map(|(_, c)| (f32::from(*c), *c)).collect())
            .collect();
        for (estimator, claims) in estimators() {
            prop_assert_eq!(claims.blind, !estimator.uses_rewards(), "{:?}", estimator);
            if claims.blind {
                let (shaped, plain) = (run(&estimator, &step), run(&estimator, &binary));
                prop_assert_eq!(shaped, plain, "{:?}", estimator);
            }
        }
    }

    #[test]
    fn right_gains_and_wrong_loses_and_both_cancel(right in 1usize..8, wrong in 1usize..8) {
        let group = mixed(right, right + wrong);
        for (estimator, claims) in claiming(|claims| claims.blind || claims.shift) {
            let row = run(&estimator, std::slice::from_ref(&group)).remove(0);
            prop_assert!(row[0] >= 0.0 && row[right] <= 0.0, "{estimator:?}: {row:?}");
            // Prompt weightings that do not cancel in all-wrong groups cancel in mixed ones.
            if claims.blind && !format!("{estimator:?}").contains("lambda_negative: 0.5") {
                prop_assert!(row.iter().sum::<f32>().abs() < 1e-4, "{estimator:?}: {row:?}");
            }
        }
    }

    #[test]
    fn leaving_one_out_is_what_a_group_without_it_has(
        rewards in prop::collection::vec(-8i32..8, 3..10), apart in 0u32..7,
    ) {
        // One reward far from the others, so that the others' deviation is what is left of a sum.
        let mut rewards: Vec<f32> = rewards.into_iter().map(|r| r as f32 / 16.0).collect();
        rewards[0] += 10f32.powi(apart as i32);
        let rule = ZScore {
            baseline: Baseline::LeaveOneOut,
            scale: Scale::LeaveOneOut,
            epsilon: 0.0,
            ..ZScore::DEFAULT
        };
        let found = run(&rule, &[rewards.iter().map(|r| (*r, true)).collect()]).remove(0);
        for (index, found) in found.iter().enumerate() {
            let mut others: Vec<f64> = rewards.iter().map(|r| f64::from(*r)).collect();
            let reward = others.remove(index);
            let mean = others.iter().sum::<f64>() / others.len() as f64;
            let squares: f64 = others.iter().map(|r| (r - mean).powi(2)).sum();
            let std = (squares / (others.len() - 1) as f64).sqrt();
            let expected = (reward - mean) / if std > 0.0 { std } else { 1.0 };
            prop_assert!((f64::from(*found) - expected).abs() <= 1e-6 * expected.abs().max(1.0));
        }
    }
}
