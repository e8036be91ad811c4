//! `group_normalize` against golden numbers, masks and burn's autodiff of the plain expression.

use burn::tensor::{Device, Tensor, TensorData};
use fireproof_kernels::{
    GroupEstimator, GroupNormalization, GroupOffsets, group_normalize, group_normalize_ragged,
};
use proptest::prelude::*;

use crate::{assert_close, matrix, noise, on_every_device, values};

const VERL: GroupEstimator = GroupEstimator::ZScore { ddof: 1, epsilon: 1e-6 };
const NANO: GroupEstimator = GroupEstimator::ZScore { ddof: 0, epsilon: 1e-4 };
const UNDER_ROOT: GroupEstimator = GroupEstimator::ZScoreUnderRoot { ddof: 1, epsilon: 0.01 };
const BASELINES: [GroupEstimator; 5] =
    [VERL, NANO, UNDER_ROOT, GroupEstimator::Centered, GroupEstimator::LeaveOneOut];
const PROMPT_WEIGHTS: [GroupEstimator; 3] =
    [GroupEstimator::LinearR, GroupEstimator::SqrtR, GroupEstimator::UniformR];

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
            (GroupEstimator::UniformR, &two_of_eight, 4.0, -4.0 / 3.0),
            // Variance 3/14: 3/4 and -1/4 over sqrt(3/14 + 1/100).
            (UNDER_ROOT, &two_of_eight, 1.583_654_6, -0.527_884_9),
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
        for rule in PROMPT_WEIGHTS {
            assert_eq!(advantages(&[0.0; 4], rule, device), [-1.0; 4], "{rule:?}");
            let all_right = f32::from(rule == GroupEstimator::UniformR);
            assert_eq!(advantages(&[1.0; 4], rule, device), [all_right; 4], "{rule:?}");
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
        GroupEstimator::ZScoreUnderRoot { ddof, epsilon } => {
            let squares = centred.clone().powi_scalar(2).sum_dim(1);
            centred / (squares / (count - f32::from(ddof)) + epsilon).sqrt()
        }
        _ => centred,
    }
}

// ANCHOR: gradients
#[test]
fn values_and_gradients_equal_autodiff_of_the_plain_expression() {
    on_every_device(|device| {
        let mut runner = crate::runner(16, device);
        runner
            .run(&(1usize..9, 2usize..17, any::<u32>(), 0..5usize), |(p, g, seed, which)| {
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
        for rule in BASELINES.into_iter().chain(PROMPT_WEIGHTS) {
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

/// Ragged groups' advantages, statistics, and the gradient of a weighted sum of the advantages.
fn ragged(
    [rewards, weights]: [&[f32]; 2],
    sizes: &[usize],
    rule: GroupNormalization,
    device: &Device,
) -> [Vec<f32>; 3] {
    let row = |numbers: &[f32], device: &Device| {
        Tensor::<1>::from_data(TensorData::new(numbers.to_vec(), [numbers.len()]), device)
    };
    let correct: Vec<f32> = rewards.iter().map(|r| f32::from(*r > 0.0)).collect();
    let leaf = row(rewards, &device.clone().autodiff()).require_grad();
    let offsets = GroupOffsets::of_sizes(sizes.iter().copied());
    let out = group_normalize_ragged(leaf.clone(), row(&correct, device), &offsets, rule);
    let weighted = out.advantages.clone() * row(weights, device);
    let gradient = values(leaf.grad(&weighted.sum().backward()).expect("tracked"));
    let statistics = [out.means, out.stds, out.success_rates].map(values).concat();
    [values(out.advantages), statistics, gradient]
}

/// The same, each group by itself as a rectangle of one row.
fn one_by_one(
    [rewards, weights]: [&[f32]; 2],
    sizes: &[usize],
    rule: GroupNormalization,
    device: &Device,
) -> [Vec<f32>; 3] {
    let (mut advantages, mut gradients) = (Vec::new(), Vec::new());
    let mut statistics = [const { Vec::new() }; 3];
    let mut start = 0;
    for size in sizes {
        let part = start..start + size;
        start += size;
        if *size == 0 {
            statistics.iter_mut().for_each(|column| column.push(0.0));
            continue;
        }
        let correct: Vec<f32> = rewards[part.clone()].iter().map(|r| f32::from(*r > 0.0)).collect();
        let leaf = matrix(&[&rewards[part.clone()]], &device.clone().autodiff()).require_grad();
        let ones = Tensor::<2>::ones([1, *size], device);
        let out = group_normalize(leaf.clone(), matrix(&[&correct], device), ones, rule);
        let weighted = out.advantages.clone() * matrix(&[&weights[part]], device);
        gradients.extend(values(leaf.grad(&weighted.sum().backward()).expect("tracked")));
        advantages.extend(values(out.advantages));
        let columns = [out.means, out.stds, out.success_rates];
        statistics.iter_mut().zip(columns).for_each(|(all, column)| all.extend(values(column)));
    }
    [advantages, statistics.concat(), gradients]
}

#[test]
fn ragged_groups_are_normalised_as_each_by_itself() {
    on_every_device(|device| {
        let mut runner = crate::runner(8, device);
        let sizes = prop::collection::vec(0usize..12, 1..9);
        let cases = (sizes, any::<u32>(), 0..8usize, 0..2usize);
        runner
            .run(&cases, |(sizes, seed, which, gamma)| {
                let estimator =
                    *BASELINES.iter().chain(&PROMPT_WEIGHTS).nth(which).expect("a rule");
                let rule = GroupNormalization { estimator, focal_gamma: [0.0, 0.5][gamma] };
                let count = sizes.iter().sum();
                // In halves, so that groups of equal rewards occur.
                let halves = |x: &f32| (x * 2.0).round() / 2.0;
                let rewards: Vec<f32> = noise(count, seed).iter().map(halves).collect();
                let inputs = [&rewards[..], &noise(count, seed ^ 3)];
                let found = ragged(inputs, &sizes, rule, device);
                let expected = one_by_one(inputs, &sizes, rule, device);
                found.iter().zip(&expected).for_each(|(a, b)| assert_close(a, b, 1e-5));
                Ok(())
            })
            .expect("every case holds");
    });
}

#[test]
fn more_groups_than_a_dimension_of_a_launch_has_places() {
    let golden = [1.499_997, -0.499_999, -0.499_999, -0.499_999];
    on_every_device(|device| {
        let groups = 70_001;
        let rewards = [1.0f32, 0.0, 0.0, 0.0].repeat(groups);
        let rewards = Tensor::<1>::from_data(TensorData::new(rewards, [groups * 4]), device);
        let offsets = GroupOffsets::of_sizes([4].repeat(groups));
        let out = group_normalize_ragged(rewards.clone(), rewards.clone(), &offsets, VERL);
        let rectangle = rewards.reshape([groups, 4]);
        let mask = rectangle.ones_like();
        let all = group_normalize(rectangle.clone(), rectangle, mask, VERL);
        for found in [values(out.advantages), values(all.advantages)] {
            assert_eq!(found.len(), 4 * groups);
            found.chunks(4).for_each(|group| assert_close(group, &golden, 1e-5));
        }
    });
}

#[test]
fn ragged_groups_may_all_be_empty() {
    on_every_device(|device| {
        let none = Tensor::<1>::zeros([0], device);
        for groups in [0, 3] {
            let offsets = GroupOffsets::of_sizes(vec![0; groups]);
            let out = group_normalize_ragged(none.clone(), none.clone(), &offsets, VERL);
            assert_eq!((out.advantages.dims(), out.means.dims()), ([0], [groups]));
            assert_eq!(values(out.stds), vec![0.0; groups]);
        }
    });
}

#[test]
fn offsets_are_checked() {
    let text = |offsets: Vec<usize>| GroupOffsets::new(offsets).map_err(|error| error.to_string());
    assert_eq!(text(vec![]).unwrap_err(), "offsets begin with 0, not with None");
    assert_eq!(text(vec![1, 2]).unwrap_err(), "offsets begin with 0, not with Some(1)");
    assert_eq!(text(vec![0, 4, 3]).unwrap_err(), "group 1 would begin at 4 and end at 3");
    assert_eq!(text(vec![0, 2, 2]).expect("good").completions(), 2);
}

#[test]
#[should_panic(expected = "the offsets end with 3 completions but rewards have shape [2]")]
fn offsets_of_other_completions_are_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let two = Tensor::<1>::zeros([2], device);
    let _ = group_normalize_ragged(two.clone(), two, &GroupOffsets::of_sizes([3]), VERL);
}

#[test]
#[should_panic(expected = "rewards have shape [1, 2] but mask [2, 1]")]
fn a_mask_of_another_shape_is_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let row = matrix(&[&[1.0, 0.0]], device);
    let _ = group_normalize(row.clone(), row.clone(), row.transpose(), VERL);
}
