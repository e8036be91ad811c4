//! Golden cases: numbers measured from the functions of other frameworks (torch 2.15, trl 1.16.0,
//! verl and others from their sources) or worked out by hand, never from our own output.

use fireproof_advantage::{
    AdvantageEstimator, BatchCentered, Centered, Ddof, Focal, LeaveOneOut, LinearR, NormScope,
    PairWeighted, PromptWeighted, PromptWeighting, SqrtR, ZScore, ZeroSuccess, focal_factor,
};
use fireproof_trajectory::{GroupView, PromptId, StepView};

/// Advantages of groups of rewards; a reward above 1/2 counts as right.
fn advantages_at(
    estimator: &dyn AdvantageEstimator,
    groups: &[&[f32]],
    step: u64,
) -> Vec<Vec<f32>> {
    let correct: Vec<Vec<bool>> =
        groups.iter().map(|rewards| rewards.iter().map(|r| *r > 0.5).collect()).collect();
    let (lengths, truncated) = (vec![1; 16], vec![false; 16]);
    let views: Vec<GroupView<'_>> = groups
        .iter()
        .zip(&correct)
        .map(|(rewards, correct)| GroupView {
            prompt: PromptId(1),
            rewards,
            correct,
            lengths: &lengths[..rewards.len()],
            truncated: &truncated[..rewards.len()],
        })
        .collect();
    estimator.advantages(&StepView { groups: &views, step, steps: 100 })
}

fn advantages(estimator: &dyn AdvantageEstimator, rewards: &[f32]) -> Vec<f32> {
    advantages_at(estimator, &[rewards], 0).remove(0)
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{found:?} is not {expected:?}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{found:?} is not {expected:?}");
    }
}

const VERL: ZScore = ZScore { ddof: Ddof::Sample, epsilon: 1e-6 };
const TRL: ZScore = ZScore { ddof: Ddof::Sample, epsilon: 1e-4 };
const NANO: ZScore = ZScore { ddof: Ddof::Population, epsilon: 1e-4 };
const OPEN_INSTRUCT: ZScore = ZScore { ddof: Ddof::Population, epsilon: 1e-8 };

#[test]
fn z_scores_are_those_of_verl_trl_nano_aha_and_open_instruct() {
    let one_of_four = [1.0, 0.0, 0.0, 0.0];
    let three_of_four = [1.0, 1.0, 1.0, 0.0];
    let two_of_eight = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let shaped = [0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.95];
    for (estimator, rewards, first, last) in [
        (VERL, &one_of_four[..], 1.499997, -0.499999),
        (VERL, &three_of_four, 0.499999, -1.499997),
        (VERL, &two_of_eight, 1.620182, -0.540061),
        (VERL, &shaped, -0.353552, 2.474862),
        (TRL, &one_of_four, 1.4997, -0.4999),
        (TRL, &two_of_eight, 1.619835, -0.539945),
        (TRL, &shaped, -0.353387, 2.473707),
        (NANO, &one_of_four, 1.731651, -0.577217),
        (NANO, &shaped, -0.377774, 2.644419),
        (OPEN_INSTRUCT, &two_of_eight, 1.732051, -0.57735),
        (OPEN_INSTRUCT, &shaped, -0.377964, 2.645751),
    ] {
        let found = advantages(&estimator, rewards);
        assert_close(&[found[0], *found.last().unwrap()], &[first, last], 2e-6);
    }
}

#[test]
fn baselines_are_those_of_rloo_and_dr_grpo() {
    assert_close(
        &advantages(&LeaveOneOut, &[1.0, 0.0, 0.0, 0.0]),
        &[1.0, -0.333333, -0.333333, -0.333333],
        1e-6,
    );
    assert_close(
        &advantages(&LeaveOneOut, &[0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.95]),
        &[-0.085714, -0.085714, -0.085714, -0.085714, -0.085714, -0.085714, -0.085714, 0.6],
        1e-6,
    );
    assert_close(&advantages(&Centered, &[1.0, 1.0, 1.0, 0.0]), &[0.25, 0.25, 0.25, -0.75], 1e-6);
}

#[test]
fn the_batch_baseline_is_the_mean_of_the_whole_step_by_hand() {
    // 1 + 0.5 of seven rewards: the mean is 3/14.
    let groups: [&[f32]; 3] = [&[1.0, 0.0, 0.0], &[0.0, 0.5], &[0.0, 0.0]];
    let found = advantages_at(&BatchCentered, &groups, 0);
    assert_close(&found[0], &[11.0 / 14.0, -3.0 / 14.0, -3.0 / 14.0], 1e-6);
    assert_close(&found[1], &[-3.0 / 14.0, 4.0 / 14.0], 1e-6);
    assert_close(&found[2], &[-3.0 / 14.0, -3.0 / 14.0], 1e-6);
    // 0.1 is not a binary number: its sum over eleven divided by eleven is not 0.1.
    let constant: [&[f32]; 2] = [&[0.1; 4], &[0.1; 7]];
    assert!(advantages_at(&BatchCentered, &constant, 0).concat().iter().all(|a| *a == 0.0));
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
        let rewards: Vec<f32> = (0..8).map(|i| f32::from(i < k)).collect();
        for (ddof, expected) in [(Ddof::Population, population), (Ddof::Sample, sample)] {
            for estimator in [
                Box::new(ZScore { ddof, epsilon: 0.0 }) as Box<dyn AdvantageEstimator>,
                Box::new(PairWeighted { ddof, epsilon: 0.0, ..PairWeighted::default() }),
            ] {
                let found = advantages(&estimator, &rewards);
                assert_close(&[found[0], found[7]], &expected, 5e-5);
            }
        }
    }
}

#[test]
fn linear_r_and_sqrt_r_by_hand() {
    let two_of_eight = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let found = advantages(&PromptWeighted::new(LinearR), &two_of_eight);
    assert_close(&[found[0], found[7]], &[3.0, -1.0], 1e-6);
    // sqrt(3/4) / (1/4) = 2 sqrt(3) and -1 / sqrt(3/4) = -2 / sqrt(3)
    let found = advantages(&PromptWeighted::new(SqrtR), &two_of_eight);
    assert_close(&[found[0], found[7]], &[3.464_101_6, -1.154_700_5], 1e-6);
}

#[test]
fn weightings_are_finite_at_both_ends() {
    for weighting in [&LinearR as &dyn PromptWeighting, &SqrtR] {
        assert_eq!((weighting.coefficient(0.0), weighting.coefficient(1.0)), (1.0, 0.0));
        assert_eq!((weighting.right(0.0), weighting.wrong(0.0)), (0.0, -1.0));
        assert_eq!((weighting.right(1.0), weighting.wrong(1.0)), (0.0, 0.0));
    }
}

#[test]
fn an_all_wrong_group_is_pushed_down_or_dropped_or_warmed_up() {
    let mut estimator = PromptWeighted::new(SqrtR);
    assert_eq!(advantages(&estimator, &[0.0; 4]), [-1.0; 4]);
    estimator.zero_success_warmup = 50;
    assert_eq!(advantages_at(&estimator, &[&[0.0; 4]], 49), [[0.0; 4]]);
    assert_eq!(advantages_at(&estimator, &[&[0.0; 4]], 50), [[-1.0; 4]]);
    estimator.zero_success = ZeroSuccess::Drop;
    assert_eq!(advantages_at(&estimator, &[&[0.0; 4]], 50), [[0.0; 4]]);
}

#[test]
fn focal_factors_are_those_of_the_table_for_eight_completions() {
    for (k, half, one) in [(1.0, 0.9354, 0.875), (4.0, 0.5f64.sqrt(), 0.5), (7.0, 0.3536, 0.125)] {
        assert!((focal_factor(k / 8.0, 0.5) - half).abs() < 5e-5);
        assert!((focal_factor(k / 8.0, 1.0) - one).abs() < 5e-5);
    }
}

#[test]
fn focal_z_score_is_the_prompt_weighting_that_its_algebra_says() {
    // omega = (1-rho)^(gamma-1/2) rho^(-1/2), so c = (1-rho)^(gamma+1/2) sqrt(rho).
    let base = ZScore { ddof: Ddof::Population, epsilon: 0.0 };
    for gamma in [0.0, 0.5, 1.0, 2.0] {
        let estimator = Focal { gamma, base: Box::new(base) };
        for k in 1..8 {
            let rewards: Vec<f32> = (0..8).map(|i| f32::from(i < k)).collect();
            let rho = f64::from(k) / 8.0;
            let c = (1.0 - rho).powf(gamma + 0.5) * rho.sqrt();
            let found = advantages(&estimator, &rewards);
            let expected = [(c / rho) as f32, (-c / (1.0 - rho)) as f32];
            assert_close(&[found[0], found[7]], &expected, 1e-6);
        }
    }
}

#[test]
fn a_z_score_of_each_group_cancels_the_weights_before_it() {
    let rewards = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let plain = PairWeighted { epsilon: 0.0, weight_after_norm: false, ..PairWeighted::default() };
    let weighted = PairWeighted { lambda_negative: 7.0, ..plain };
    assert_close(&advantages(&weighted, &rewards), &advantages(&plain, &rewards), 1e-6);
}

#[test]
fn weights_after_the_norm_and_without_the_deviation_act() {
    let rewards = [1.0, 0.0, 0.0, 0.0];
    let after = PairWeighted { lambda_negative: 2.0, epsilon: 0.0, ..PairWeighted::default() };
    assert_close(&advantages(&after, &rewards), &[1.5, -1.0, -1.0, -1.0], 1e-6);
    let mean_only = PairWeighted {
        lambda_negative: 2.0,
        scope: NormScope::GroupMeanOnly,
        weight_after_norm: false,
        ..PairWeighted::default()
    };
    // outcomes 1, -2, -2, -2 with mean -1.25
    assert_close(&advantages(&mean_only, &rewards), &[2.25, -0.75, -0.75, -0.75], 1e-6);
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
    let groups: [&[f32]; 3] = [&[1.0, 0.0, 0.0, 0.0], &[1.0, 1.0, 1.0, 0.0], &[1.0, 0.0]];
    let found = advantages_at(&pair, &groups, 0);
    assert_close(&found[0], &[1.0, -1.0, -1.0, -1.0], 1e-6);
    assert_close(&found[1], &[1.0, 1.0, 1.0, -1.0], 1e-6);
    assert_close(&found[2], &[1.0, -1.0], 1e-6);
}

#[test]
fn float_noise_does_not_become_an_advantage() {
    for estimator in [
        Box::new(ZScore { ddof: Ddof::Sample, epsilon: 1e-9 }) as Box<dyn AdvantageEstimator>,
        Box::new(Centered),
        Box::new(LeaveOneOut),
    ] {
        for constant in [0.1, 0.7, 1e8 + 0.1, -3.3] {
            assert_eq!(advantages(&estimator, &[constant; 8]), [0.0; 8], "{constant}");
        }
        assert_eq!(advantages(&estimator, &[0.3]), [0.0]);
        assert!(advantages(&estimator, &[]).is_empty());
    }
    // A large offset leaves the z-score of the differences (exact in f32: 1e8 and 1e8 + 8).
    let found = advantages(&OPEN_INSTRUCT, &[1e8, 1e8 + 8.0]);
    assert_close(&found, &[-1.0, 1.0], 1e-6);
}
