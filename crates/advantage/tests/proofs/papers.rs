//! The rules of the papers by hand and from their tables.

use fireproof_advantage::theory::amplification;
use fireproof_advantage::{
    AdvantageEstimator, BatchCentered, Centered, Ddof, DeviationR, Focal, FocalR, LinearR,
    NormScope, OverlongShaped, PairWeighted, PassAtK, PlateauR, PromptWeighted, PromptWeighting,
    RelativeToMean, RewardIfMixed, SqrtR, UniformR, VarianceR, ZScore, ZeroSuccess, focal_factor,
    overlong_penalty,
};
use fireproof_trajectory::{GroupView, PromptId, StepView};

use crate::common::{assert_close, boxed, mixed, rewarded, run, run_at};

const POPULATION: ZScore = ZScore { ddof: Ddof::Population, epsilon: 0.0, ..ZScore::DEFAULT };

fn one(estimator: &dyn AdvantageEstimator, rewards: &[f32]) -> Vec<f32> {
    run(estimator, &[rewarded(rewards)]).remove(0)
}

#[test]
fn the_batch_baseline_is_the_mean_of_the_whole_step_by_hand() {
    // 1 + 0.5 of seven rewards: the mean is 3/14.
    let groups = [&[1.0, 0.0, 0.0][..], &[0.0, 0.5], &[0.0, 0.0]].map(rewarded);
    let found = run(&BatchCentered, &groups);
    assert_close(&found[0], &[11.0 / 14.0, -3.0 / 14.0, -3.0 / 14.0], 1e-6);
    assert_close(&found[1], &[-3.0 / 14.0, 4.0 / 14.0], 1e-6);
    assert_close(&found[2], &[-3.0 / 14.0, -3.0 / 14.0], 1e-6);
    // 0.1 is not a binary number.
    let constant = [rewarded(&[0.1; 4]), rewarded(&[0.1; 7])];
    assert!(run(&BatchCentered, &constant).concat().iter().all(|a| *a == 0.0));
}

#[test]
fn rare_outcomes_are_amplified_as_in_the_papers_table_for_eight_completions() {
    // k right of 8: (A right, A wrong) by population and by sample deviation.
    for (k, population, sample) in [
        (1, [2.6458, -0.3780], [2.4749, -0.3536]),
        (2, [1.7321, -0.5774], [1.6202, -0.5401]),
        (4, [1.0000, -1.0000], [0.9354, -0.9354]),
        (7, [0.3780, -2.6458], [0.3536, -2.4749]),
    ] {
        for (ddof, expected) in [(Ddof::Population, population), (Ddof::Sample, sample)] {
            let (right, wrong) = amplification(k, 8, ddof);
            assert_close(&[right as f32, wrong as f32], &expected, 5e-5);
            for estimator in [
                boxed(ZScore { ddof, ..POPULATION }),
                boxed(PairWeighted { ddof, epsilon: 0.0, ..PairWeighted::default() }),
            ] {
                let found = run(&estimator, &[mixed(k, 8)]).remove(0);
                assert_close(&[found[0], found[7]], &expected, 5e-5);
            }
        }
    }
}

#[test]
fn weightings_by_hand_at_two_of_eight() {
    let rows: [(&dyn PromptWeighting, f32, f32); 6] = [
        (&VarianceR, 0.75, -0.25),
        (&DeviationR, 3f32.sqrt(), -1.0 / 3f32.sqrt()),
        (&LinearR, 3.0, -1.0),
        // sqrt(3/4) / (1/4) = 2 sqrt(3) and -1 / sqrt(3/4)
        (&SqrtR, 3.464_101_6, -1.154_700_5),
        (&UniformR, 4.0, -4.0 / 3.0),
        // Below the knee c = 1, as Uniform-R; above it (1 - 1/4) / (1 - 1/5) = 15/16.
        (&PlateauR { knee: 0.2 }, 3.75, -1.25),
    ];
    for (weighting, right, wrong) in rows {
        let found = [weighting.right(0.25) as f32, weighting.wrong(0.25) as f32];
        assert_close(&found, &[right, wrong], 1e-6);
        // The gap between right and wrong is omega.
        assert!((weighting.weight(0.25) as f32 - (right - wrong)).abs() < 1e-6, "{weighting:?}");
    }
    assert_eq!(PlateauR::default().coefficient(0.25), UniformR.coefficient(0.25));
}

#[test]
fn weightings_are_finite_at_both_ends() {
    let rows: [(&dyn PromptWeighting, [f64; 2]); 8] = [
        (&VarianceR, [0.0, 0.0]),
        (&DeviationR, [0.0, 0.0]),
        (&LinearR, [1.0, 0.0]),
        (&SqrtR, [1.0, 0.0]),
        (&UniformR, [1.0, 1.0]),
        (&PlateauR { knee: 0.5 }, [1.0, 0.0]),
        (&PlateauR { knee: 0.0 }, [1.0, 0.0]),
        (&FocalR { gamma: 0.5, base: LinearR }, [1.0, 0.0]),
    ];
    for (weighting, ends) in rows {
        assert_eq!([weighting.coefficient(0.0), weighting.coefficient(1.0)], ends, "{weighting:?}");
        assert_eq!((weighting.right(0.0), weighting.wrong(0.0)), (0.0, -ends[0]), "{weighting:?}");
        assert_eq!((weighting.right(1.0), weighting.wrong(1.0)), (ends[1], 0.0), "{weighting:?}");
    }
}

#[test]
fn an_all_wrong_group_is_pushed_down_or_dropped_or_warmed_up() {
    let mut estimator = PromptWeighted::new(Box::new(SqrtR) as Box<dyn PromptWeighting>);
    let wrong = [mixed(0, 4)];
    assert_eq!(run_at(&estimator, &wrong, 0), [[-1.0; 4]]);
    estimator.zero_success_warmup = 50;
    assert_eq!(run_at(&estimator, &wrong, 49), [[0.0; 4]]);
    assert_eq!(run_at(&estimator, &wrong, 50), [[-1.0; 4]]);
    // The warm-up touches nothing else.
    let plain = PromptWeighted::new(SqrtR);
    assert_eq!(run_at(&estimator, &[mixed(1, 4)], 0), run_at(&plain, &[mixed(1, 4)], 0));
    estimator.zero_success = ZeroSuccess::Drop;
    assert_eq!(run_at(&estimator, &wrong, 50), [[0.0; 4]]);
}

#[test]
fn uniform_r_trains_all_right_groups_and_the_others_do_not() {
    let right = [mixed(4, 4)];
    assert_eq!(run(&PromptWeighted::new(UniformR), &right), [[1.0; 4]]);
    assert_eq!(run(&PromptWeighted::new(PlateauR::default()), &right), [[0.0; 4]]);
}

#[test]
fn focal_factors_are_those_of_the_table_for_eight_completions() {
    for (k, half, one) in [(1.0, 0.9354, 0.875), (4.0, 0.5f64.sqrt(), 0.5), (7.0, 0.3536, 0.125)] {
        assert!((focal_factor(k / 8.0, 0.5) - half).abs() < 5e-5);
        assert!((focal_factor(k / 8.0, 1.0) - one).abs() < 5e-5);
    }
    // Two completions: the constant 2^-gamma in every group that trains.
    assert_eq!(run(&Focal { gamma: 1.0, base: boxed(Centered) }, &[mixed(1, 2)]), [[0.25, -0.25]]);
}

#[test]
fn focal_z_score_is_the_prompt_weighting_that_its_algebra_says() {
    for gamma in [0.0, 0.5, 1.0, 2.0] {
        let estimator = Focal { gamma, base: boxed(POPULATION) };
        let weighting = FocalR { gamma, base: DeviationR };
        for k in 1..8usize {
            let rho = k as f64 / 8.0;
            let omega = (1.0 - rho).powf(gamma - 0.5) * rho.powf(-0.5);
            assert!((weighting.weight(rho) - omega).abs() < 1e-9 * omega, "{gamma} {k}");
            let found = run(&estimator, &[mixed(k, 8)]).remove(0);
            let expected = [omega * (1.0 - rho), -omega * rho].map(|a| a as f32);
            assert_close(&[found[0], found[7]], &expected, 1e-6);
            let same = run(&PromptWeighted::new(weighting), &[mixed(k, 8)]).remove(0);
            assert_close(&found, &same, 1e-6);
        }
    }
}

#[test]
fn maximum_likelihood_is_linear_r_without_the_all_wrong_groups() {
    let drop = PromptWeighted { zero_success: ZeroSuccess::Drop, ..PromptWeighted::new(LinearR) };
    for k in 0..=8 {
        let (relative, linear) = (run(&RelativeToMean, &[mixed(k, 8)]), run(&drop, &[mixed(k, 8)]));
        assert_close(&relative[0], &linear[0], 1e-6);
    }
    // A mean at or below 0.
    assert_eq!(one(&RelativeToMean, &[-1.0, 1.0]), [0.0, 0.0]);
    assert_eq!(one(&RelativeToMean, &[-1.0, 0.0]), [0.0, 0.0]);
}

#[test]
fn reinforce_rej_drops_by_correctness_and_not_by_spread() {
    let shaped = vec![(1.0, true), (0.8, true)];
    assert_eq!(run(&RewardIfMixed, &[shaped]), [[0.0, 0.0]]);
    let mixed = vec![(0.9, true), (-0.2, false)];
    assert_eq!(run(&RewardIfMixed, &[mixed]), [[0.9, -0.2]]);
}

/// `C(n, k)`.
fn choose(n: u64, k: u64) -> f64 {
    (0..k).map(|i| (n as f64 - i as f64) / (i + 1) as f64).product()
}

#[test]
fn pass_at_k_is_the_formula_of_the_paper_in_binomial_coefficients() {
    for (n, k) in [(8u64, 1u64), (8, 2), (8, 4), (8, 7), (16, 4)] {
        for right in 1..n {
            let wrong = n - right;
            let mean = 1.0 - choose(wrong, k) / choose(n, k);
            let std = (mean * (1.0 - mean)).sqrt();
            let found = run(&PassAtK { k: k as usize }, &[mixed(right as usize, n as usize)]);
            let expected = if std > 0.0 {
                let offset = choose(wrong - 1, k - 1) / choose(n - 1, k - 1);
                [(1.0 - mean) / std, (1.0 - mean - offset) / std].map(|a| a as f32)
            } else {
                [0.0; 2]
            };
            assert_close(&[found[0][0], found[0][n as usize - 1]], &expected, 1e-6);
        }
    }
    // k = 1 is the z-score, and more draws than completions are all of them.
    for k in 1..8 {
        let found = run(&PassAtK { k: 1 }, &[mixed(k, 8)]).remove(0);
        assert_close(&found, &run(&POPULATION, &[mixed(k, 8)])[0], 1e-6);
        assert_eq!(run(&PassAtK { k: 9 }, &[mixed(k, 8)]), run(&PassAtK { k: 8 }, &[mixed(k, 8)]));
    }
}

#[test]
fn a_z_score_of_each_group_cancels_the_weights_before_it() {
    let rewards = [mixed(2, 8)];
    let plain = PairWeighted { epsilon: 0.0, weight_after_norm: false, ..PairWeighted::default() };
    let weighted = PairWeighted { lambda_negative: 7.0, ..plain };
    let (weighted, plain) = (run(&weighted, &rewards), run(&plain, &rewards));
    assert_close(&weighted[0], &plain[0], 1e-6);
}

#[test]
fn weights_after_the_norm_and_without_the_deviation_act() {
    let rewards = [1.0, 0.0, 0.0, 0.0];
    let after = PairWeighted { lambda_negative: 2.0, epsilon: 0.0, ..PairWeighted::default() };
    assert_close(&one(&after, &rewards), &[1.5, -1.0, -1.0, -1.0], 1e-6);
    let mean_only = PairWeighted {
        lambda_negative: 2.0,
        scope: NormScope::GroupMeanOnly,
        weight_after_norm: false,
        ..PairWeighted::default()
    };
    // outcomes 1, -2, -2, -2 with mean -1.25
    assert_close(&one(&mean_only, &rewards), &[2.25, -0.75, -0.75, -0.75], 1e-6);
}

#[test]
fn a_pair_is_normalised_together() {
    let pair = PairWeighted {
        scope: NormScope::Pair,
        ddof: Ddof::Population,
        epsilon: 0.0,
        ..PairWeighted::default()
    };
    // One right of four and three right of four: pooled mean 1/2, deviation 1/2.
    let found = run(&pair, &[mixed(1, 4), mixed(3, 4), mixed(1, 2)]);
    assert_eq!(found[0], [1.0, -1.0, -1.0, -1.0]);
    assert_eq!(found[1], [1.0, 1.0, 1.0, -1.0]);
    assert_eq!(found[2], [1.0, -1.0]);
    // Pooled, the weights before the norm cancel too.
    let weighted = PairWeighted { lambda_negative: 3.0, weight_after_norm: false, ..pair };
    assert_close(&run(&weighted, &[mixed(1, 4), mixed(3, 4)])[0], &found[0], 1e-6);
}

#[test]
fn overlong_shaping_changes_rewards_and_no_success_rate() {
    // DAPO's numbers: limit 20480, buffer 4096.
    for (length, penalty) in
        [(16384, 0.0), (17408, -0.25), (18432, -0.5), (20480, -1.0), (30000, -1.0)]
    {
        assert_eq!(overlong_penalty(length, 20480, 4096), penalty);
    }
    assert_eq!([10, 11].map(|length| overlong_penalty(length, 10, 0)), [0.0, -1.0]);
    let group = GroupView {
        prompt: PromptId(1),
        rewards: &[1.0, 1.0, 0.0, 0.0],
        correct: &[true, true, false, false],
        lengths: &[16384, 20480, 18432, 1],
        truncated: &[false, true, false, false],
    };
    let step = StepView { groups: &[group, group], step: 0, steps: 1 };
    let shaped = |base| OverlongShaped { base, limit: 20480, buffer: 4096, factor: 0.5 };
    // Rewards 1, 1/2, -1/4, 0 with mean 5/16.
    let found = shaped(boxed(Centered)).advantages(&step);
    assert_eq!(found, [[0.6875, 0.1875, -0.5625, -0.3125]; 2]);
    // The focal factor sees two of four right, whatever the rewards are.
    let focal = shaped(boxed(Focal { gamma: 1.0, base: boxed(Centered) })).advantages(&step);
    assert_eq!(focal, [[0.34375, 0.09375, -0.28125, -0.15625]; 2]);
    let blind = shaped(boxed(PromptWeighted::new(LinearR)));
    assert!(!blind.uses_rewards());
    assert_eq!(blind.advantages(&step), PromptWeighted::new(LinearR).advantages(&step));
}
