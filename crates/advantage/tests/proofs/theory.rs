//! The theory of the papers: golden tables, closed forms, finite differences, simulation.

use fireproof_advantage::theory::{
    Action, Objective, count_logit_changes, distinct_logit_changes, effective_coefficient,
    effective_time, effective_weight, integral, likeliest_miss, mass_change, next_success_rate,
    regular_time, success_rates, tail_miss_probability, unsampled_right_change,
};
use fireproof_advantage::{
    AdvantageEstimator, Centered, Ddof, DeviationR, FocalR, LeaveOneOut, LinearR, PlateauR,
    PositiveReward, PromptWeighted, PromptWeighting, RawReward, RelativeToMean, SqrtR, UniformR,
    VarianceR, ZScore,
};
use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const FAMILY: [&dyn PromptWeighting; 5] = [&VarianceR, &DeviationR, &LinearR, &SqrtR, &UniformR];

#[track_caller]
fn assert_near(found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs();
    assert!(error <= tolerance * expected.abs().max(1.0), "{found} is not {expected}");
}

#[test]
fn times_are_those_of_the_table() {
    // Columns: RLOO, GRPO, Linear-R, Sqrt-R, Uniform-R; budget 1; checked there by closed forms.
    let rows: [([f64; 2], bool, [f64; 5], f64); 4] = [
        ([0.01, 0.9], false, [6.0452, 5.2797, 10.316, 7.2377, 6.0452], 5e-4),
        ([0.01, 0.9], true, [94.056, 44.193, 30.564, 28.425, 30.564], 5e-4),
        ([0.4, 0.9], false, [1.3013, 1.2739, 1.4530, 1.2913, 1.3013], 5e-5),
        ([0.4, 0.9], true, [1.9958, 2.0122, 2.1106, 1.9840, 2.1106], 5e-5),
    ];
    for ([from, to], effective, expected, tolerance) in rows {
        let time = if effective { effective_time } else { regular_time };
        for (weighting, expected) in FAMILY.iter().zip(expected) {
            let found = time(*weighting, from, to, 1.0);
            assert!((found - expected).abs() <= tolerance, "{weighting:?}: {found} {expected}");
            assert_near(time(*weighting, from, to, 4.0), found / 4.0, 1e-12);
        }
    }
}

#[test]
fn the_optima_have_closed_forms_and_the_ties_are_exact() {
    let s = |rho: f64| (1.0 - rho).sqrt();
    for (from, to) in [(0.01, 0.9), (0.4, 0.9), (0.001, 0.5)] {
        let arcs = 2.0 * (f64::sqrt(to).asin() - f64::sqrt(from).asin());
        assert_near(regular_time(&DeviationR, from, to, 1.0), arcs * arcs, 1e-9);
        let log = |rho: f64| ((1.0 - s(rho)) / (1.0 + s(rho))).ln();
        let distance = log(to) - log(from);
        assert_near(effective_time(&SqrtR, from, to, 1.0), distance * distance, 1e-9);
        let tie = regular_time(&UniformR, from, to, 1.0);
        assert_near(regular_time(&VarianceR, from, to, 1.0), tie, 1e-9);
        let tie = effective_time(&UniformR, from, to, 1.0);
        assert_near(effective_time(&LinearR, from, to, 1.0), tie, 1e-9);
    }
}

#[test]
fn scaling_a_weighting_does_not_change_its_time_under_a_budget() {
    /// Linear-R times seven.
    #[derive(Debug)]
    struct Louder;
    impl PromptWeighting for Louder {
        fn coefficient(&self, rho: f64) -> f64 {
            7.0 * LinearR.coefficient(rho)
        }
    }
    let (plain, louder) =
        (regular_time(&LinearR, 0.1, 0.9, 1.0), regular_time(&Louder, 0.1, 0.9, 1.0));
    assert_near(louder, plain, 1e-9);
}

#[test]
fn small_steps_of_the_dynamics_take_the_time_that_the_integral_says() {
    for weighting in FAMILY {
        let eta = 1e-4;
        let time = integral(|rho| 1.0 / weighting.coefficient(rho), 0.05, 0.9);
        let rates = success_rates(weighting, 0.05, eta, 1 + (time / eta).round() as usize);
        let last = *rates.last().unwrap();
        assert!((last - 0.9).abs() < 2e-3, "{weighting:?}: {last}");
        assert_eq!(rates[1], next_success_rate(weighting, 0.05, eta));
        assert!(rates.is_sorted(), "{weighting:?}");
    }
}

#[test]
fn estimators_have_the_coefficient_of_their_weighting() {
    let population = ZScore { ddof: Ddof::Population, epsilon: 0.0, ..ZScore::DEFAULT };
    let rows: [(&dyn AdvantageEstimator, &dyn PromptWeighting, f64); 8] = [
        (&Centered, &VarianceR, 1.0),
        (&LeaveOneOut, &VarianceR, 8.0 / 7.0),
        // No baseline: the same in expectation.
        (&RawReward, &VarianceR, 1.0),
        (&PositiveReward, &VarianceR, 1.0),
        (&population, &DeviationR, 1.0),
        (&RelativeToMean, &LinearR, 1.0),
        (&PromptWeighted::new(SqrtR), &SqrtR, 1.0),
        (&PromptWeighted::new(PlateauR { knee: 0.3 }), &PlateauR { knee: 0.3 }, 1.0),
    ];
    for (estimator, weighting, factor) in rows {
        for k in 1..8usize {
            let rho = k as f64 / 8.0;
            let found = effective_coefficient(estimator, k, 8);
            assert_near(found, factor * weighting.coefficient(rho), 1e-6);
            assert_near(effective_weight(estimator, k, 8), factor * weighting.weight(rho), 1e-6);
        }
    }
}

#[test]
fn objectives_have_the_weight_as_their_derivative() {
    let rows: [&dyn Objective; 8] = [
        &VarianceR,
        &DeviationR,
        &LinearR,
        &SqrtR,
        &UniformR,
        &PlateauR { knee: 0.5 },
        &PlateauR { knee: 0.0 },
        &FocalR { gamma: 0.5, base: DeviationR },
    ];
    for weighting in rows {
        for rho in [0.02, 0.3, 0.499, 0.501, 0.7, 0.98] {
            let h = 1e-5;
            let slope = (weighting.objective(rho + h) - weighting.objective(rho - h)) / (2.0 * h);
            assert_near(slope, weighting.weight(rho), 1e-5);
        }
        // The distance is the budget that the weighting spends.
        let spent = integral(|rho| weighting.weight(rho), 0.1, 0.8);
        assert_near(weighting.objective(0.8) - weighting.objective(0.1), spent, 1e-7);
    }
}

#[test]
fn objectives_are_those_of_davis_and_recht_and_of_the_focal_algebra() {
    for rho in [0.05f64, 0.3, 0.9] {
        // REINFORCE p, GRPO (2/pi) arcsin sqrt p, rejection sampling 1 + log p.
        assert_near(VarianceR.objective(rho), rho, 1e-12);
        let grpo = std::f64::consts::FRAC_2_PI * rho.sqrt().asin();
        assert_near(DeviationR.objective(rho) / std::f64::consts::PI, grpo, 1e-12);
        assert_near(LinearR.objective(rho) + 1.0, 1.0 + rho.ln(), 1e-12);
        // F-GRPO at gamma 1/2: omega = 1/sqrt(rho).
        let focal = FocalR { gamma: 0.5, base: DeviationR };
        assert_near(focal.objective(rho), 2.0 * rho.sqrt() - 2.0 * 0.5f64.sqrt(), 1e-9);
        let focal = FocalR { gamma: 1.0, base: VarianceR };
        assert_near(focal.objective(rho), rho - rho * rho / 2.0 - 0.375, 1e-9);
    }
}

#[test]
fn tail_misses_are_those_of_the_table() {
    // In ten-thousandths.
    let rows: [(f64, f64, [f64; 8], u32); 3] = [
        (0.5, 0.05, [4500.0, 7110.0, 6578.0, 4401.0, 1937.0, 375.0, 14.0, 0.0], 5),
        (0.8, 0.02, [3120.0, 5506.0, 7137.0, 7050.0, 5235.0, 2745.0, 753.0, 57.0], 11),
        (0.3, 0.01, [4060.0, 7134.0, 8650.0, 8481.0, 7250.0, 5256.0, 2763.0, 763.0], 10),
    ];
    for (right, rare, expected, argmax) in rows {
        for (power, expected) in (1..).zip(expected) {
            let found = tail_miss_probability(right, rare, 1 << power);
            assert!((1e4 * found - expected).abs() <= 0.5, "{right} {rare} 2^{power}: {found}");
        }
        assert_eq!(likeliest_miss(right, rare, 256), argmax);
    }
    // The paper's categorical simulation: 10k right of 128k actions, groups of 2^17.
    let rare = tail_miss_probability(10.0 / 128.0, 6.3e-5, 1 << 17);
    assert!((rare - 2.6e-4).abs() < 5e-6, "{rare}");
}

/// A softmax policy.
fn softmax(logits: &[f64]) -> Vec<f64> {
    let exponentials: Vec<f64> = logits.iter().map(|z| z.exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| e / sum).collect()
}

fn actions(logits: &[f64], correct: &[bool], counts: &[u32]) -> Vec<Action> {
    let of = |((probability, correct), count): ((f64, &bool), &u32)| Action {
        probability,
        correct: *correct,
        count: *count,
    };
    softmax(logits).into_iter().zip(correct).zip(counts).map(of).collect()
}

/// Central difference of `f` along `direction`.
fn slope(f: impl Fn(&[f64]) -> f64, at: &[f64], direction: &[f64]) -> f64 {
    let h = 1e-5;
    let moved =
        |step: f64| -> Vec<f64> { at.iter().zip(direction).map(|(z, d)| z + step * d).collect() };
    (f(&moved(h)) - f(&moved(-h))) / (2.0 * h)
}

/// An action's logit, correctness and count.
type Drawn = (f64, bool, u32);

fn policy() -> impl Strategy<Value = Vec<Drawn>> {
    prop::collection::vec((-2f64..2.0, any::<bool>(), 0u32..3), 2..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn logit_changes_are_gradients_of_their_objectives(policy in policy(), wrong in -1f64..0.5) {
        let (logits, rest): (Vec<f64>, Vec<(bool, u32)>) =
            policy.iter().map(|(z, c, n)| (*z, (*c, *n))).unzip();
        let (correct, counts): (Vec<bool>, Vec<u32>) = rest.into_iter().unzip();
        let at = |logits: &[f64]| actions(logits, &correct, &counts);
        let pick = |action: &Action| if action.correct { 1.0 } else { wrong };
        let distinct = |logits: &[f64]| -> f64 {
            let drawn = at(logits).into_iter().filter(|action| action.count > 0);
            drawn.map(|action| action.probability * pick(&action)).sum()
        };
        let counted = |logits: &[f64]| -> f64 {
            let term = |a: Action| f64::from(a.count) * pick(&a) * a.probability.ln();
            at(logits).into_iter().map(term).sum()
        };
        let by_distinct = distinct_logit_changes(&at(&logits), 1.0, wrong, 0.5);
        let by_count = count_logit_changes(&at(&logits), 1.0, wrong, 0.5);
        for i in 0..logits.len() {
            let direction: Vec<f64> = (0..logits.len()).map(|j| f64::from(u8::from(i == j))).collect();
            let expected = 0.5 * slope(distinct, &logits, &direction);
            prop_assert!((by_distinct[i] - expected).abs() < 1e-8, "{by_distinct:?} {expected}");
            let expected = 0.5 * slope(counted, &logits, &direction);
            prop_assert!((by_count[i] - expected).abs() < 1e-7, "{by_count:?} {expected}");
        }
    }

    #[test]
    fn mass_moves_as_finite_differences_say_and_as_the_proposition_says(
        policy in policy(), wrong in -1f64..0.5,
    ) {
        let (logits, rest): (Vec<f64>, Vec<(bool, u32)>) =
            policy.iter().map(|(z, c, n)| (*z, (*c, *n))).unzip();
        let (correct, counts): (Vec<bool>, Vec<u32>) = rest.into_iter().unzip();
        let at = |logits: &[f64]| actions(logits, &correct, &counts);
        let hidden = |action: &Action| action.count == 0 && action.correct;
        let mass = |logits: &[f64]| -> f64 {
            at(logits).iter().filter(|a| hidden(a)).map(|a| a.probability).sum()
        };
        let now = at(&logits);
        let by_distinct = distinct_logit_changes(&now, 1.0, wrong, 0.5);
        let by_count = count_logit_changes(&now, 1.0, wrong, 0.5);
        for changes in [&by_distinct, &by_count] {
            let found = mass_change(&now, changes, hidden);
            prop_assert!((found - slope(mass, &logits, changes)).abs() < 1e-8);
        }
        let proposition = unsampled_right_change(&now, 1.0, wrong, 0.5);
        let found = mass_change(&now, &by_distinct, hidden);
        prop_assert!((found - proposition).abs() < 1e-12, "{found} {proposition}");
    }
}

#[test]
fn unsampled_right_answers_lose_while_right_answers_gain() {
    // The two right actions have 0.5 and 0.2, only the first was drawn, with the wrong one.
    let logits = [0.5f64.ln(), 0.2f64.ln(), 0.3f64.ln()];
    let drawn = actions(&logits, &[true, true, false], &[1, 0, 1]);
    // S = 1/2: -1/2 0.04 - 0.2 (1/2 0.25 - 1/2 0.09 - 1/2 0.04)
    assert_near(unsampled_right_change(&drawn, 1.0, 0.0, 1.0), -0.032, 1e-12);
    let changes = distinct_logit_changes(&drawn, 1.0, 0.0, 1.0);
    assert!(mass_change(&drawn, &changes, |action| action.correct) > 0.0);
    // With centred advantages the count form leaves the logit of what was not drawn alone.
    assert_eq!(count_logit_changes(&drawn, 0.5, -0.5, 1.0)[1], 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn tail_misses_happen_as_often_as_the_lemma_says(
        right in 0.05f64..0.95, share in 0.01f64..0.9, completions in 1u32..20, seed: u64,
    ) {
        let rare = right * share;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut missed = || {
            let draws: Vec<f64> = (0..completions).map(|_| rng.random::<f64>()).collect();
            let rights = draws.iter().filter(|u| **u < right).count();
            draws.iter().all(|u| *u >= rare) && rights > 0 && rights < draws.len()
        };
        let trials = 4000;
        let found = (0..trials).filter(|_| missed()).count() as f64 / f64::from(trials);
        let expected = tail_miss_probability(right, rare, completions);
        // Five standard deviations of a rate over that many trials, at most.
        prop_assert!((found - expected).abs() < 0.04, "{found} {expected}");
    }
}
