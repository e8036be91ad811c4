//! `group_normalize` against golden numbers, masks and burn's autodiff of the plain expression.

use burn::tensor::{Device, Tensor, TensorData};
use fireproof_kernels::{GroupEstimator, GroupNormalization, group_normalize};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::{assert_close, matrix, noise, on_every_device, values};

const VERL: GroupEstimator = GroupEstimator::ZScore { ddof: 1, epsilon: 1e-6 };
const NANO: GroupEstimator = GroupEstimator::ZScore { ddof: 0, epsilon: 1e-4 };
const BASELINES: [GroupEstimator; 4] =
    [VERL, NANO, GroupEstimator::Centered, GroupEstimator::LeaveOneOut];

/// Advantages of one group of valid rewards; rewards above 1/2 are right.
fn advantages(rewards: &[f32], rule: impl Into<GroupNormalization>, device: &Device) -> Vec<f32> {
    let correct: Vec<f32> = rewards.iter().map(|r| f32::from(*r > 0.5)).collect();
    let ones = vec![1.0; rewards.len()];
    let [rewards, correct, mask] = [rewards, &correct, &ones].map(|row| matrix(&[row], device));
    values(group_normalize(rewards, correct, mask, rule).advantages)
}

#[test]
fn advantages_are_the_golden_ones() {
    let two_of_eight = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let shaped = [0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.95];
    on_every_device(|device| {
        for (rule, rewards, first, last) in [
            (VERL, &two_of_eight, 1.620182, -0.540061),
            (VERL, &shaped, -0.353552, 2.474862),
            (NANO, &two_of_eight, 1.731651, -0.577217),
            (NANO, &shaped, -0.377774, 2.644419),
            (GroupEstimator::LeaveOneOut, &two_of_eight, 0.857143, -0.285714),
            (GroupEstimator::Centered, &two_of_eight, 0.75, -0.25),
            (GroupEstimator::LinearR, &two_of_eight, 3.0, -1.0),
            (GroupEstimator::SqrtR, &two_of_eight, 3.464_101_6, -1.154_700_5),
        ] {
            let found = advantages(rewards, rule, device);
            assert_close(&[found[0], found[7]], &[first, last], 5e-6);
        }
        // Focal with gamma 1 at rho = 1/4: three quarters of the z-score.
        let focal = GroupNormalization { estimator: VERL, focal_gamma: 1.0 };
        let found = advantages(&two_of_eight, focal, device);
        assert_close(&[found[0], found[7]], &[1.215_136_5, -0.405_045_8], 5e-6);
    });
}

#[test]
fn constant_groups_are_exactly_zero_whatever_the_rounding() {
    on_every_device(|device| {
        for rule in BASELINES {
            for constant in [0.1, 0.7, 1e8, -3.3, 0.0] {
                assert_eq!(advantages(&[constant; 8], rule, device), [0.0; 8], "{rule:?}");
            }
            assert_eq!(advantages(&[0.7], rule, device), [0.0], "{rule:?}");
        }
    });
}

#[test]
fn prompt_weights_are_finite_at_both_ends() {
    on_every_device(|device| {
        for rule in [GroupEstimator::LinearR, GroupEstimator::SqrtR] {
            assert_eq!(advantages(&[0.0; 4], rule, device), [-1.0; 4], "{rule:?}");
            assert_eq!(advantages(&[1.0; 4], rule, device), [0.0; 4], "{rule:?}");
        }
        let focal = GroupNormalization { estimator: VERL, focal_gamma: 0.5 };
        assert_eq!(advantages(&[1.0; 4], focal, device), [0.0; 4]);
    });
}

#[test]
fn masked_completions_do_not_exist() {
    let nan = f32::NAN;
    on_every_device(|device| {
        let rewards = matrix(&[&[1.0, nan, 0.0, 0.0, f32::INFINITY, 0.0], &[nan; 6]], device);
        let correct = matrix(&[&[1.0, nan, 0.0, 0.0, 1.0, 0.0], &[nan; 6]], device);
        let mask = matrix(&[&[1.0, 0.0, 1.0, 1.0, 0.0, 1.0], &[0.0; 6]], device);
        let out = group_normalize(rewards, correct, mask, VERL);
        let found = values(out.advantages);
        assert_close(&found[..6], &[1.499997, 0.0, -0.499999, -0.499999, 0.0, -0.499999], 1e-5);
        assert_eq!(found[6..], [0.0; 6], "an empty group");
        assert_close(&values(out.means), &[0.25, 0.0], 1e-6);
        assert_close(&values(out.stds), &[0.5, 0.0], 1e-6);
        assert_close(&values(out.success_rates), &[0.25, 0.0], 1e-6);
    });
}

/// The same by plain tensor operations, for groups without a mask and with two different rewards.
fn plain(rewards: Tensor<2>, rule: GroupEstimator) -> Tensor<2> {
    let count = rewards.dims()[1] as f32;
    let centred = rewards.clone() - rewards.mean_dim(1);
    match rule {
        GroupEstimator::LeaveOneOut => centred * (count / (count - 1.0)),
        GroupEstimator::ZScore { ddof, epsilon } => {
            let squares = centred.clone().powi_scalar(2).sum_dim(1);
            centred / ((squares / (count - f32::from(ddof))).sqrt() + epsilon)
        }
        _ => centred,
    }
}

// ANCHOR: gradients
#[test]
fn values_and_gradients_equal_autodiff_of_the_plain_expression() {
    on_every_device(|device| {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(16));
        runner
            .run(&(1usize..9, 2usize..17, any::<u32>(), 0..4usize), |(p, g, seed, which)| {
                let rule = BASELINES[which];
                let data = |seed| TensorData::new(noise(p * g, seed), [p, g]);
                let upstream = Tensor::<2>::from_data(data(seed ^ 5), device);
                let run = |function: &dyn Fn(Tensor<2>) -> Tensor<2>| {
                    let rewards = Tensor::<2>::from_data(data(seed), &device.clone().autodiff())
                        .require_grad();
                    let advantages = function(rewards.clone());
                    let loss = (advantages.clone() * upstream.clone()).sum();
                    let gradient = rewards.grad(&loss.backward()).expect("tracked");
                    (values(advantages), values(gradient))
                };
                let ones = Tensor::<2>::ones([p, g], device);
                let fused = |rewards: Tensor<2>| {
                    group_normalize(rewards, ones.clone(), ones.clone(), rule).advantages
                };
                let (value, gradient) = run(&fused);
                let (expected, expected_gradient) = run(&|rewards| plain(rewards, rule));
                assert_close(&value, &expected, 2e-5);
                assert_close(&gradient, &expected_gradient, 2e-4);
                Ok(())
            })
            .expect("every case holds");
    });
}
// ANCHOR_END: gradients

#[test]
fn the_gradient_is_finite_and_zero_where_nothing_varies() {
    on_every_device(|device| {
        for rule in [VERL, GroupEstimator::LinearR, GroupEstimator::Centered] {
            let rewards =
                matrix(&[&[0.1; 4], &[0.0, 1.0, f32::NAN, 0.0]], &device.clone().autodiff());
            let rewards = rewards.require_grad();
            let correct = matrix(&[&[0.0; 4], &[0.0, 1.0, 0.0, 0.0]], device);
            let mask = matrix(&[&[1.0; 4], &[1.0, 1.0, 0.0, 1.0]], device);
            let out = group_normalize(rewards.clone(), correct, mask, rule);
            let weighted = out.advantages * matrix(&[&[1.0, 2.0, 3.0, 4.0]], device);
            let gradient = values(rewards.grad(&weighted.sum().backward()).expect("tracked"));
            assert!(gradient.iter().all(|g| g.is_finite()), "{rule:?}: {gradient:?}");
            assert_eq!(gradient[..4], [0.0; 4], "{rule:?}");
            assert_eq!(gradient[6], 0.0, "{rule:?}");
        }
    });
}
