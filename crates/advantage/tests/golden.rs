//! What frameworks compute, convention by convention: numbers measured from their own functions
//! (torch 2.15, trl 1.16.0, verl 0.9.1, others from their sources), never from our own output.

use fireproof_advantage::{
    AdvantageEstimator, AllEqual, Arithmetic, Baseline, Centered, Ddof, EpsilonPlace, LeaveOneOut,
    RelativeToMean, Scale, Singleton, ZScore,
};
use fireproof_trajectory::{GroupView, PromptId, StepView};

/// Advantages of groups of rewards; a reward above 1/2 counts as right.
fn step_advantages(estimator: &dyn AdvantageEstimator, groups: &[&[f32]]) -> Vec<Vec<f32>> {
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
    estimator.advantages(&StepView { groups: &views, step: 0, steps: 1 })
}

fn advantages(estimator: &dyn AdvantageEstimator, rewards: &[f32]) -> Vec<f32> {
    step_advantages(estimator, &[rewards]).remove(0)
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: {found:?} is not {expected:?}");
    for (a, b) in found.iter().zip(expected) {
        let error = (a - b).abs();
        assert!(error <= 2e-6 * b.abs().max(1.0), "{what}: {found:?} is not {expected:?}");
    }
}

/// As `torch.std` in verl, slime and SkyRL, noise and singletons included.
const VERL: ZScore = ZScore {
    singleton: Singleton::Reward,
    all_equal: AllEqual::Divide,
    arithmetic: Arithmetic::Single,
    ..ZScore::DEFAULT
};
const TRL: ZScore = ZScore { epsilon: 1e-4, singleton: Singleton::Zero, ..VERL };
const OPEN_RLHF: ZScore = ZScore { epsilon: 1e-9, ..TRL };
const AREAL: ZScore = ZScore { epsilon: 1e-5, arithmetic: Arithmetic::Double, ..VERL };
const NANO_AHA: ZScore = ZScore { ddof: Ddof::Population, ..TRL };
const OPEN_INSTRUCT: ZScore = ZScore { epsilon: 1e-8, ..NANO_AHA };
const NEMO: ZScore = ZScore {
    baseline: Baseline::LeaveOneOut,
    scale: Scale::LeaveOneOut,
    singleton: Singleton::Zero,
    arithmetic: Arithmetic::SingleOnePass,
    ..VERL
};

const ONE_OF_FOUR: &[f32] = &[1.0, 0.0, 0.0, 0.0];
const THREE_OF_FOUR: &[f32] = &[1.0, 1.0, 1.0, 0.0];
const TWO_OF_EIGHT: &[f32] = &[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
const SHAPED: &[f32] = &[0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.95];

/// Framework, estimator, and the first and last advantage of each of the four groups.
type Row = (&'static str, Box<dyn AdvantageEstimator>, [[f32; 2]; 4]);

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    vec![
        ("verl", Box::new(VERL), [[1.499997, -0.499999], [0.499999, -1.499997], [1.620182, -0.540061], [-0.353552, 2.474862]]),
        ("TRL", Box::new(TRL), [[1.4997, -0.4999], [0.4999, -1.4997], [1.619835, -0.539945], [-0.353387, 2.473707]]),
        ("OpenRLHF", Box::new(OPEN_RLHF), [[1.5, -0.5], [0.5, -1.5], [1.620185, -0.540062], [-0.353553, 2.474874]]),
        ("AReaL", Box::new(AREAL), [[1.49997, -0.49999], [0.49999, -1.49997], [1.62015, -0.54005], [-0.353537, 2.474757]]),
        ("nano-aha", Box::new(NANO_AHA), [[1.731651, -0.577217], [0.577217, -1.731651], [1.731651, -0.577217], [-0.377774, 2.644419]]),
        ("open-instruct", Box::new(OPEN_INSTRUCT), [[1.732051, -0.57735], [0.57735, -1.732051], [1.732051, -0.57735], [-0.377964, 2.645751]]),
        ("NeMo-RL", Box::new(NEMO), [[1.0, -0.577349], [0.577349, -1.0], [2.267781, -0.585539], [-0.377963, 3692.675]]),
        ("RLOO", Box::new(LeaveOneOut), [[1.0, -0.333333], [0.333333, -1.0], [0.857143, -0.285714], [-0.085714, 0.6]]),
        ("centred", Box::new(Centered), [[0.75, -0.25], [0.25, -0.75], [0.75, -0.25], [-0.075, 0.525]]),
        ("MaxRL", Box::new(RelativeToMean), [[3.0, -1.0], [0.333333, -1.0], [3.0, -1.0], [-0.176471, 1.235294]]),
    ]
}

#[test]
fn each_framework_gets_its_own_numbers() {
    for (framework, estimator, expected) in rows() {
        let groups = [ONE_OF_FOUR, THREE_OF_FOUR, TWO_OF_EIGHT, SHAPED];
        for (rewards, expected) in groups.iter().zip(expected) {
            let found = advantages(&estimator, rewards);
            let ends = [found[0], *found.last().unwrap()];
            assert_close(&ends, &expected, &format!("{framework} on {rewards:?}"));
        }
    }
}

#[test]
fn rounding_noise_of_frameworks_comes_out_where_asked_for_and_only_there() {
    // torch.std of eight 0.1 is 7.97e-9 and of eight 0.7 is 6.37e-8: the f32 mean is off by one unit
    // in the last place. verl 0.9.1 turns that into these advantages.
    for (reward, verl) in [(0.1, -0.007_391_705_6), (0.7, 0.056_034_148)] {
        assert_close(&advantages(&VERL, &[reward; 8]), &[verl; 8], "verl");
        // Without epsilon, deviation over sample deviation: sqrt(7/8).
        let bare = ZScore { epsilon: 0.0, ..VERL };
        assert_close(&advantages(&bare, &[reward; 8]), &[0.935_414_3 * verl.signum(); 8], "bare");
        for arithmetic in [Arithmetic::Double, Arithmetic::Single, Arithmetic::SingleOnePass] {
            let exact = ZScore { arithmetic, ..ZScore::DEFAULT };
            assert_eq!(advantages(&exact, &[reward; 8]), [0.0; 8], "{exact:?}");
        }
    }
    // Without noise the only right completion of a group falls into NeMo-RL's undivided branch.
    let exact = ZScore { arithmetic: Arithmetic::Double, ..NEMO };
    assert_close(&advantages(&exact, SHAPED)[7..], &[0.6], "NeMo-RL in f64");
}

#[test]
fn a_group_of_one_gets_nothing_or_its_reward() {
    // verl 0.9.1: 0.3 / (1 + 1e-6).
    assert_close(&advantages(&VERL, &[0.3]), &[0.299_999_7], "verl");
    for estimator in [&TRL as &dyn AdvantageEstimator, &NEMO, &LeaveOneOut, &Centered] {
        assert_eq!(advantages(estimator, &[0.3]), [0.0], "{estimator:?}");
    }
}

#[test]
fn scales_of_the_whole_step_by_hand() {
    let groups = [ONE_OF_FOUR, THREE_OF_FOUR];
    // Eight rewards, mean 1/2, squares 2: sample deviation sqrt(2/7).
    let batch = ZScore { scale: Scale::Step, ..TRL };
    let divisor = (2f32 / 7.0).sqrt() + 1e-4;
    let found = step_advantages(&batch, &groups);
    assert_close(&found[0], &[0.75, -0.25, -0.25, -0.25].map(|d: f32| d / divisor), "TRL batch");
    assert_close(&found[1], &[0.25, 0.25, 0.25, -0.75].map(|d: f32| d / divisor), "TRL batch");
    // AReaL's default: mean and deviation of the step.
    let areal = ZScore { baseline: Baseline::Step, scale: Scale::Step, ..AREAL };
    let one = 0.5 / ((2f32 / 7.0).sqrt() + 1e-5);
    let found = step_advantages(&areal, &groups);
    assert_close(
        &found.concat(),
        &[1., -1., -1., -1., 1., 1., 1., -1.].map(|s: f32| s * one),
        "AReaL",
    );
    // ms-swift's REINFORCE++-baseline: centred rewards have squares 3/4 + 3/4.
    let centred = ZScore { scale: Scale::StepCentered, epsilon: 0.0, ..ZScore::DEFAULT };
    let found = step_advantages(&centred, &groups);
    assert_close(&found[1][3..], &[-0.75 / (1.5f32 / 7.0).sqrt()], "ms-swift");
}

#[test]
fn epsilon_under_the_root_and_a_floor_by_hand() {
    // Variance 1/4 for two rewards 0 and 1 around 1/2 (population).
    let population = ZScore { ddof: Ddof::Population, ..ZScore::DEFAULT };
    let under = ZScore { epsilon: 0.75, epsilon_place: EpsilonPlace::UnderRoot, ..population };
    assert_close(&advantages(&under, &[0.0, 1.0]), &[-0.5, 0.5], "sqrt(1/4 + 3/4) = 1");
    let floored = ZScore { epsilon: 0.0, variance_floor: 4.0, ..population };
    assert_close(&advantages(&floored, &[0.0, 1.0]), &[-0.25, 0.25], "sqrt(4) = 2");
    // The group's mean over the deviation of the others, and the reverse.
    let mixed = ZScore { scale: Scale::LeaveOneOut, epsilon: 0.0, ..population };
    assert_close(&advantages(&mixed, &[3.0, 0.0, 2.0])[..1], &[4.0 / 3.0], "others 0 and 2: std 1");
    let mixed = ZScore { baseline: Baseline::LeaveOneOut, epsilon: 0.0, ..population };
    let scale = (14f32 / 9.0).sqrt();
    assert_close(&advantages(&mixed, &[3.0, 0.0, 2.0])[..1], &[2.0 / scale], "squares 42/9 over 3");
}
