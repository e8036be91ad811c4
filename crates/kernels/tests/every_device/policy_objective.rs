//! `policy_objective`: the surrogate of `policy_surrogate` with a penalty and a second clip range,
//! against both worked out apart in `f64`.

use burn::tensor::{Device, Tensor, TensorData};
use fireproof_kernels::{
    CLIP_HIGH, CLIP_NONE, KlEstimator, KlPenalty, ObjectiveInputs, PolicyObjective, SurrogateKind,
    SurrogateRule, policy_objective, policy_surrogate,
};
use proptest::prelude::*;

use crate::{assert_close, matrix, noise, on_every_device, values};

const KINDS: [SurrogateKind; 5] = [
    SurrogateKind::Clipped { epsilon_low: 0.2, epsilon_high: 0.28, dual_clip: None },
    SurrogateKind::Clipped { epsilon_low: 0.2, epsilon_high: 0.2, dual_clip: Some(3.0) },
    SurrogateKind::Aspo { epsilon_low: 0.2, epsilon_high: 0.2, cap: 3.0 },
    SurrogateKind::Cispo { lowest: 0.5, highest: 2.0 },
    SurrogateKind::Sapo { tau_positive: 1.0, tau_negative: 1.05 },
];
/// Those with a clip range.
const RANGED: usize = 3;

const ESTIMATORS: [KlEstimator; 4] =
    [KlEstimator::Linear, KlEstimator::Absolute, KlEstimator::Square, KlEstimator::Exponential];

fn plain(estimator: KlEstimator, coefficient: f64) -> KlPenalty {
    KlPenalty { estimator, coefficient, exponent_limit: None, value_limit: None }
}

/// Coefficient times estimate, and times its slope, of one token.
fn oracle(penalty: KlPenalty, difference: f64) -> (f64, f64) {
    let exponent = penalty.exponent_limit.unwrap_or(f64::INFINITY);
    let d = difference.clamp(-exponent, exponent);
    let (value, slope) = match penalty.estimator {
        KlEstimator::Linear => (d, 1.0),
        KlEstimator::Absolute => (d.abs(), d.signum()),
        KlEstimator::Square => (d * d / 2.0, d),
        KlEstimator::Exponential => ((-d).exp() - 1.0 + d, 1.0 - (-d).exp()),
    };
    let limit = penalty.value_limit.unwrap_or(f64::INFINITY);
    let free = difference.abs() <= exponent && value.abs() <= limit;
    let slope = if free { slope } else { 0.0 };
    (value.clamp(-limit, limit) * penalty.coefficient, slope * penalty.coefficient)
}

struct Case {
    shape: [usize; 2],
    logprobs: Vec<f32>,
    behaviour: Vec<f32>,
    reference: Vec<f32>,
    advantages: Vec<f32>,
    mask: Vec<f32>,
    flags: Vec<f32>,
}

impl Case {
    /// Random numbers where the mask is 1, and what could do harm elsewhere.
    fn new(shape: [usize; 2], seed: u32) -> Self {
        let count = shape[0] * shape[1];
        let bit = |seed: u32| noise(count, seed).iter().map(|x| f32::from(*x > -0.3)).collect();
        let mask: Vec<f32> = bit(seed ^ 1);
        let garbage = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38];
        let numbers = |seed: u32, scale: f32| -> Vec<f32> {
            let numbers = noise(count, seed).into_iter().zip(&mask).enumerate();
            numbers.map(|(i, (x, m))| if *m > 0.0 { scale * x } else { garbage[i % 4] }).collect()
        };
        Self {
            shape,
            logprobs: numbers(seed ^ 2, 1.0),
            behaviour: numbers(seed ^ 3, 1.0),
            reference: numbers(seed ^ 4, 2.0),
            advantages: numbers(seed ^ 5, 2.0),
            flags: bit(seed ^ 6),
            mask,
        }
    }

    fn tensor(&self, data: &[f32], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(data.to_vec(), self.shape), device)
    }

    fn run(
        &self,
        rule: SurrogateRule,
        wide: Option<[f64; 2]>,
        penalty: Option<KlPenalty>,
        device: &Device,
    ) -> (PolicyObjective, Vec<f32>) {
        let leaf = self.tensor(&self.logprobs, &device.clone().autodiff()).require_grad();
        let inputs = ObjectiveInputs {
            wide: wide.map(|range| (self.tensor(&self.flags, device), range)),
            reference: penalty.map(|penalty| (self.tensor(&self.reference, device), penalty)),
        };
        let [behaviour, advantages, mask] =
            [&self.behaviour, &self.advantages, &self.mask].map(|data| self.tensor(data, device));
        let out = policy_objective(leaf.clone(), behaviour, advantages, mask, rule, inputs);
        let gradient = leaf.grad(&out.surrogate.loss.clone().sum().backward()).expect("tracked");
        (out, values(gradient))
    }

    /// Loss, derivative and clip code of the surrogate alone.
    fn surrogate(&self, rule: SurrogateRule, device: &Device) -> [Vec<f32>; 3] {
        let [logprobs, behaviour, advantages, mask] =
            [&self.logprobs, &self.behaviour, &self.advantages, &self.mask]
                .map(|data| self.tensor(data, device));
        let out = policy_surrogate(logprobs, behaviour, advantages, mask, rule);
        [out.loss, out.derivative, out.clip].map(values)
    }
}

#[test]
fn the_penalty_is_added_to_the_surrogate_with_its_derivative() {
    on_every_device(|device| {
        let mut runner = crate::runner(12, device);
        let cases = (1usize..6, 1usize..40, any::<u32>(), 0..KINDS.len(), 0..4usize, 0..3usize);
        runner
            .run(&cases, |(rows, columns, seed, kind, estimator, limits)| {
                let case = Case::new([rows, columns], seed);
                let rule = SurrogateRule { kind: KINDS[kind], log_ratio_limit: Some(20.0) };
                let penalty = KlPenalty {
                    exponent_limit: (limits > 0).then_some(1.5),
                    value_limit: (limits > 1).then_some(0.7),
                    ..plain(ESTIMATORS[estimator], 0.3)
                };
                let (out, gradient) = case.run(rule, None, Some(penalty), device);
                let [loss, derivative, clip] = case.surrogate(rule, device);
                let oracle = |i: usize| match case.mask[i] > 0.0 {
                    true => {
                        let difference = case.logprobs[i] - case.reference[i];
                        oracle(penalty, f64::from(difference))
                    }
                    false => (0.0, 0.0),
                };
                let count = case.mask.len();
                let values_of: Vec<f32> = (0..count).map(|i| oracle(i).0 as f32).collect();
                let sum = |a: &[f32], part: &dyn Fn(usize) -> f32| -> Vec<f32> {
                    a.iter().enumerate().map(|(i, a)| a + part(i)).collect()
                };
                assert_close(&values(out.penalty), &values_of, 1e-5);
                assert_close(
                    &values(out.surrogate.loss),
                    &sum(&loss, &|i| oracle(i).0 as f32),
                    1e-5,
                );
                let expected = sum(&derivative, &|i| oracle(i).1 as f32);
                assert_close(&values(out.surrogate.derivative), &expected, 1e-5);
                assert_close(&gradient, &expected, 1e-5);
                assert_eq!(values(out.surrogate.clip), clip);
                Ok(())
            })
            .expect("every case holds");
    });
}

#[test]
fn flagged_tokens_have_the_other_clip_range() {
    let wide = [0.4, 0.6];
    on_every_device(|device| {
        for (kind, seed) in KINDS[..RANGED].iter().zip(1..) {
            let case = Case::new([3, 37], seed);
            let other = match *kind {
                SurrogateKind::Clipped { dual_clip, .. } => {
                    SurrogateKind::Clipped { epsilon_low: 0.4, epsilon_high: 0.6, dual_clip }
                }
                _ => SurrogateKind::Aspo { epsilon_low: 0.4, epsilon_high: 0.6, cap: 3.0 },
            };
            let rule = |kind| SurrogateRule { kind, log_ratio_limit: None };
            let (out, gradient) = case.run(rule(*kind), Some(wide), None, device);
            let narrow = case.surrogate(rule(*kind), device);
            let flagged = case.surrogate(rule(other), device);
            let found = [out.surrogate.loss, out.surrogate.derivative, out.surrogate.clip];
            let found = found.map(values);
            let mut differ = 0;
            for (column, found) in found.iter().enumerate() {
                let pick = |i: usize| match case.flags[i] > 0.0 {
                    true => flagged[column][i],
                    false => narrow[column][i],
                };
                let expected: Vec<f32> = (0..found.len()).map(pick).collect();
                assert_close(found, &expected, 1e-6);
                differ += expected.iter().zip(&narrow[column]).filter(|(a, b)| a != b).count();
            }
            assert!(differ > 0, "the range makes a difference");
            assert_close(&gradient, &found[1], 1e-6);
            assert_eq!(values(out.penalty), vec![0.0; 3 * 37]);
        }
    });
}

#[test]
fn finite_differences_agree_on_both_sides_of_every_limit() {
    let rule = SurrogateRule { kind: KINDS[0], log_ratio_limit: None };
    let penalty = KlPenalty {
        exponent_limit: Some(2.0),
        value_limit: Some(1.5),
        ..plain(KlEstimator::Exponential, 0.5)
    };
    on_every_device(|device| {
        // e^-d - 1 + d is 1.5 at d = -1.0487...; the exponent ends at 2.
        for d in [-1.2f32, -0.9, -0.2, 0.3, 1.9, 2.1] {
            let at = |logprob: f32| {
                let leaf = matrix(&[&[logprob]], &device.clone().autodiff()).require_grad();
                let row = |value: f32| matrix(&[&[value]], device);
                let reference = Some((row(0.0), penalty));
                let inputs = ObjectiveInputs { wide: None, reference };
                // Without an advantage the penalty is all there is.
                let out =
                    policy_objective(leaf.clone(), row(0.0), row(0.0), row(1.0), rule, inputs);
                let loss = out.surrogate.loss;
                let gradient = leaf.grad(&loss.clone().sum().backward()).expect("tracked");
                (values(loss)[0], values(gradient)[0])
            };
            let h = 1e-2;
            let difference = (at(d + h).0 - at(d - h).0) / (2.0 * h);
            assert_close(&[at(d).1], &[difference], 2e-3);
        }
    });
}

#[test]
fn a_reference_without_an_advantage_still_pulls() {
    on_every_device(|device| {
        let row = |values: [f32; 2]| matrix(&[&values], device);
        let rule = SurrogateRule { kind: KINDS[1], log_ratio_limit: None };
        let reference = Some((row([-1.0, 1.0]), plain(KlEstimator::Linear, 0.5)));
        let inputs = ObjectiveInputs { wide: None, reference };
        let (zeros, ones) = (row([0.0; 2]), row([1.0; 2]));
        let advantages = row([0.0, 1.0]);
        let logprobs = row([0.0, 1.0]);
        let out = policy_objective(logprobs, zeros, advantages, ones, rule, inputs);
        assert_close(&values(out.surrogate.loss), &[0.5, -1.2], 1e-6);
        assert_close(&values(out.surrogate.derivative), &[0.5, 0.5], 1e-6);
        assert_eq!(values(out.surrogate.clip), [CLIP_NONE, CLIP_HIGH]);
    });
}

#[test]
#[should_panic(expected = "has no clip range")]
fn a_surrogate_without_a_range_has_no_second_one() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let case = Case::new([1, 2], 1);
    let rule = SurrogateRule { kind: KINDS[4], log_ratio_limit: None };
    let _ = case.run(rule, Some([0.4, 0.4]), None, device);
}

#[test]
#[should_panic(expected = "log-probabilities have shape [1, 2] but flags [2, 1]")]
fn flags_of_another_shape_are_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let row = matrix(&[&[0.0, 0.0]], device);
    let inputs =
        ObjectiveInputs { wide: Some((row.clone().transpose(), [0.4; 2])), reference: None };
    let rule = SurrogateRule { kind: KINDS[0], log_ratio_limit: None };
    let _ = policy_objective(row.clone(), row.clone(), row.clone(), row, rule, inputs);
}
