//! Float noise, empty groups and broken rewards cannot blow up, for every estimator.

use fireproof_advantage::{
    AdvantageError, AdvantageEstimator, AllEqual, PerGroup, ZScore, checked_advantages,
};
use fireproof_trajectory::{GroupView, PromptId, StepView};

use crate::common::{Group, assert_close, boxed, estimators, rewarded, run};

#[test]
fn constant_rewards_have_no_advantage_and_nothing_is_larger_than_its_reward() {
    for constant in [0.1, 0.7, 1e8 + 0.1, -3.3, 1e-40] {
        for (estimator, claims) in estimators() {
            let group = [vec![(constant, true); 8]];
            let found = run(&estimator, &group);
            if claims.zero_if_constant {
                assert_eq!(found, [[0.0; 8]], "{estimator:?} on {constant}");
            }
            let bound = constant.abs().max(1.0);
            assert!(found[0].iter().all(|a| a.abs() <= bound), "{estimator:?} on {constant}");
        }
    }
}

#[test]
fn one_reward_apart_from_seven_equal_ones_stays_bounded() {
    for (estimator, _) in estimators() {
        let found = run(&estimator, &[rewarded(&[0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.95])]);
        // Uniform-R has 1/rho = 8.
        assert!(found[0].iter().all(|a| a.abs() <= 8.0), "{estimator:?}: {found:?}");
    }
    // The smallest difference that f32 knows, next to 1: still a z-score, as long as epsilon is 0.
    let bare = ZScore { epsilon: 0.0, ..ZScore::DEFAULT };
    let found = run(&bare, &[rewarded(&[1.0, 1.0, 1.0, 1.0 + f32::EPSILON])]);
    assert_close(&found[0], &[-0.5, -0.5, -0.5, 1.5], 1e-6);
}

#[test]
fn a_large_offset_leaves_what_the_differences_give() {
    let offset = |offset: f32| -> Group {
        [0.0, 8.0, 8.0, 0.0, 16.0].iter().map(|r| (r + offset, *r > 4.0)).collect()
    };
    // 1e8 is a multiple of 8, the distance between neighbouring numbers there.
    for (estimator, _) in estimators().into_iter().filter(|(_, claims)| claims.shift) {
        let (far, near) = (run(&estimator, &[offset(1e8)]), run(&estimator, &[offset(0.0)]));
        assert_close(&far[0], &near[0], 1e-6);
    }
}

#[test]
fn single_completions_and_empty_groups_and_empty_steps_are_fine() {
    for (estimator, _) in estimators() {
        for step in [
            vec![],
            vec![vec![]],
            vec![vec![], vec![]],
            vec![vec![(0.3, false)]],
            vec![vec![(0.3, true)], vec![], vec![(1.0, true), (0.0, false)]],
            vec![vec![(0.3, true)]; 3],
        ] {
            let found = run(&estimator, &step);
            let sizes = |rows: &[Vec<f32>]| rows.iter().map(Vec::len).collect::<Vec<_>>();
            assert_eq!(sizes(&found), step.iter().map(Vec::len).collect::<Vec<_>>());
            assert!(found.concat().iter().all(|a| a.abs() <= 2.0), "{estimator:?}: {found:?}");
        }
    }
}

/// The error for a step whose second group has these two rewards.
fn refusal(estimator: &dyn AdvantageEstimator, rewards: [f32; 2]) -> AdvantageError {
    let view = |prompt, rewards| GroupView {
        prompt: PromptId(prompt),
        rewards,
        correct: &[true, false],
        lengths: &[1, 1],
        truncated: &[false, false],
    };
    let groups = [view(1, &[1.0, 0.0]), view(9, &rewards)];
    let step = StepView { groups: &groups, step: 0, steps: 1 };
    checked_advantages(estimator, &step).expect_err("a broken reward")
}

#[test]
fn broken_rewards_are_refused_by_name_before_any_estimator_sees_them() {
    let never = PerGroup::new("never", |_: &GroupView<'_>| panic!("the estimator ran"));
    let mut all = vec![boxed(never)];
    all.extend(estimators().into_iter().map(|(estimator, _)| estimator));
    for estimator in &all {
        for (broken, name) in
            [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")]
        {
            // The second time all rewards of the group are equal, which some rules test for.
            for (rewards, completion) in [([0.5, broken], 1), ([broken, broken], 0)] {
                assert_eq!(
                    refusal(estimator, rewards).to_string(),
                    format!(
                        "the reward of completion {completion} of prompt 0000000000000009 is {name}"
                    ),
                    "{estimator:?}"
                );
            }
        }
    }
}

#[test]
fn an_estimator_that_returns_something_unusable_is_named_with_group_and_reward() {
    let view = GroupView {
        prompt: PromptId(9),
        rewards: &[0.25],
        correct: &[false],
        lengths: &[1],
        truncated: &[false],
    };
    let step = StepView { groups: &[view], step: 0, steps: 1 };
    let broken = PerGroup::new("broken", |group: &GroupView<'_>| vec![f32::NAN; group.len()]);
    assert_eq!(
        checked_advantages(&broken, &step).unwrap_err().to_string(),
        "PerGroup(broken) returned NaN for completion 0 of prompt 0000000000000009, whose reward \
         is 0.25"
    );
    let short = PerGroup::new("short", |_: &GroupView<'_>| Vec::new());
    let error = checked_advantages(&short, &step).unwrap_err().to_string();
    assert!(error.contains("returned 0 advantages for the 1 completions"), "{error}");
    // 0/0, as a framework without epsilon has it.
    let plain = ZScore { epsilon: 0.0, all_equal: AllEqual::Divide, ..ZScore::DEFAULT };
    let pair = GroupView {
        rewards: &[0.5, 0.5],
        correct: &[false; 2],
        lengths: &[1; 2],
        truncated: &[false; 2],
        ..view
    };
    let error = checked_advantages(&plain, &StepView { groups: &[pair], ..step }).unwrap_err();
    assert!(matches!(error, AdvantageError::NotFinite { completion: 0, .. }), "{error}");
}
