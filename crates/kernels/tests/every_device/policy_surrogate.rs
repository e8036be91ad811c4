//! `policy_surrogate` against golden gradients, against a scalar oracle in f64, and at its kinks.

use burn::tensor::{Device, Tensor, TensorData};
use fireproof_kernels::{
    CLIP_DUAL, CLIP_HIGH, CLIP_LOW, CLIP_NONE, PolicySurrogate, SurrogateKind, SurrogateRule,
    policy_surrogate,
};
use proptest::prelude::*;

use crate::{assert_close, matrix, noise, on_every_device, values};

const ASPO: SurrogateKind = SurrogateKind::Aspo { epsilon_low: 0.2, epsilon_high: 0.2, cap: 3.0 };
const DUAL: SurrogateKind =
    SurrogateKind::Clipped { epsilon_low: 0.2, epsilon_high: 0.2, dual_clip: Some(3.0) };
const PLAIN: SurrogateKind =
    SurrogateKind::Clipped { epsilon_low: 0.2, epsilon_high: 0.28, dual_clip: None };

const CISPO: SurrogateKind = SurrogateKind::Cispo { lowest: 0.5, highest: 2.0 };
const SAPO: SurrogateKind = SurrogateKind::Sapo { tau_positive: 1.0, tau_negative: 1.05 };
const KINDS: [SurrogateKind; 5] = [ASPO, DUAL, PLAIN, CISPO, SAPO];

fn unlimited(kind: SurrogateKind) -> SurrogateRule {
    SurrogateRule { kind, log_ratio_limit: None }
}

struct Run {
    out: PolicySurrogate,
    gradient: Vec<f32>,
}

/// Runs on one row of ratios and advantages; everything counts.
fn run(ratios: &[f32], advantages: &[f32], rule: SurrogateRule, device: &Device) -> Run {
    let logprobs: Vec<f32> = ratios.iter().map(|r| r.ln() - 1.0).collect();
    let ones = vec![1.0; ratios.len()];
    run_masked(&logprobs, &vec![-1.0; ratios.len()], advantages, &ones, rule, device)
}

fn run_masked(
    logprobs: &[f32],
    behaviour: &[f32],
    advantages: &[f32],
    mask: &[f32],
    rule: SurrogateRule,
    device: &Device,
) -> Run {
    let logprobs = matrix(&[logprobs], &device.clone().autodiff()).require_grad();
    let [behaviour, advantages, mask] =
        [behaviour, advantages, mask].map(|row| matrix(&[row], device));
    let out = policy_surrogate(logprobs.clone(), behaviour, advantages, mask, rule);
    let gradient = logprobs.grad(&out.loss.clone().sum().backward()).expect("tracked");
    Run { out, gradient: values(gradient) }
}

#[test]
fn the_eight_aspo_gradients() {
    on_every_device(|device| {
        let up = run(&[0.2, 0.5, 1.1, 1.9], &[1.0; 4], unlimited(ASPO), device);
        assert_close(&up.gradient, &[-3.0, -2.0, -0.909_091, 0.0], 1e-5);
        assert_eq!(values(up.out.clip), [CLIP_DUAL, CLIP_NONE, CLIP_NONE, CLIP_HIGH]);
        let down = run(&[4.0, 1.5, 0.9, 0.5], &[-1.0; 4], unlimited(ASPO), device);
        assert_close(&down.gradient, &[3.0, 1.5, 0.9, 0.0], 1e-5);
        assert_eq!(values(down.out.clip), [CLIP_DUAL, CLIP_NONE, CLIP_NONE, CLIP_LOW]);
    });
}

#[test]
fn verls_dual_clip_on_the_same_eight_tokens() {
    on_every_device(|device| {
        let up = run(&[0.2, 0.5, 1.1, 1.9], &[1.0; 4], unlimited(DUAL), device);
        assert_close(&up.gradient, &[-0.2, -0.5, -1.1, 0.0], 1e-5);
        let down = run(&[4.0, 1.5, 0.9, 0.5], &[-1.0; 4], unlimited(DUAL), device);
        assert_close(&down.gradient, &[0.0, 1.5, 0.9, 0.0], 1e-5);
        assert_close(&values(down.out.loss), &[3.0, 1.5, 0.9, 0.8], 1e-5);
        assert_eq!(values(down.out.clip), [CLIP_DUAL, CLIP_NONE, CLIP_NONE, CLIP_LOW]);
    });
}

#[test]
fn the_golden_batch_of_the_clipped_surrogate() {
    // lp, old, mask and A of the batch on which verl, TRL, Liger and OpenRLHF agree: token mean
    // 0.120168, clip region 3/7 (low 1/7, high 2/7), mean of -log ratio 0.241097.
    on_every_device(|device| {
        let logprobs = [&[-1.69315, -1.0, -0.59453, -2.0][..], &[-0.5, -1.2, -3.0, 0.0]];
        let behaviour = [&[-1.0, -1.0, -1.0, -2.3][..], &[-1.0, -1.0, -1.0, 0.0]];
        let advantages = [&[1.0; 4][..], &[-1.5; 4]];
        let mask = [&[1.0, 1.0, 1.0, 1.0][..], &[1.0, 1.0, 1.0, 0.0]];
        let [logprobs, behaviour, advantages, mask] =
            [logprobs, behaviour, advantages, mask].map(|rows| matrix(&rows, device));
        let out = policy_surrogate(logprobs, behaviour, advantages, mask.clone(), unlimited(PLAIN));
        assert_close(&[values(out.loss).iter().sum::<f32>() / 7.0], &[0.120168], 1e-5);
        let clip = values(out.clip);
        let count = |code| clip.iter().filter(|c| **c == code).count();
        assert_eq!((count(CLIP_LOW), count(CLIP_HIGH), count(CLIP_DUAL)), (1, 2, 0));
        let minus_log = values(-(out.ratio.log() * mask).sum() / 7.0);
        assert_close(&minus_log, &[0.241097], 1e-5);
    });
}

#[test]
fn whatever_stands_at_masked_places_has_no_effect() {
    let garbage = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38];
    on_every_device(|device| {
        for kind in KINDS {
            for limit in [None, Some(20.0)] {
                let rule = SurrogateRule { kind, log_ratio_limit: limit };
                let run = run_masked(&garbage, &garbage, &garbage, &[0.0; 4], rule, device);
                assert_eq!(values(run.out.loss), [0.0; 4], "{rule:?}");
                assert_eq!(run.gradient, [0.0; 4], "{rule:?}");
                assert_eq!(values(run.out.ratio), [1.0; 4]);
                assert_eq!(values(run.out.clip), [CLIP_NONE; 4]);
            }
        }
    });
}

#[test]
fn outside_the_log_ratio_limit_the_clipped_surrogate_has_no_gradient() {
    on_every_device(|device| {
        let rule = SurrogateRule { kind: PLAIN, log_ratio_limit: Some(2.0) };
        // Log-ratios 3 and 1 with a negative advantage: neither is clipped by the surrogate.
        let run = run(&[3f32.exp(), 1f32.exp()], &[-1.0, -1.0], rule, device);
        assert_close(&run.gradient, &[0.0, 1f32.exp()], 1e-5);
        assert_close(&values(run.out.loss), &[2f32.exp(), 1f32.exp()], 1e-5);
    });
}

#[test]
fn outside_the_log_ratio_limit_aspo_keeps_the_gradient_of_its_cap() {
    on_every_device(|device| {
        let rule = SurrogateRule { kind: ASPO, log_ratio_limit: Some(20.0) };
        // Fallen far behind on a good token; far ahead on a bad one; and the two masked corners.
        let logprobs = [-26.0, 24.0, 24.0, -26.0];
        let advantages = [1.0, -1.0, 1.0, -1.0];
        let run = run_masked(&logprobs, &[-1.0; 4], &advantages, &[1.0; 4], rule, device);
        assert_close(&run.gradient, &[-3.0, 3.0, 0.0, 0.0], 1e-5);
        assert!(values(run.out.ratio).iter().all(|ratio| ratio.is_finite()));
    });
}

#[test]
fn an_infinite_ratio_without_an_advantage_is_no_nan() {
    on_every_device(|device| {
        for kind in KINDS {
            let row = ([99.0, -120.0], [-1.0; 2], [0.0; 2], [1.0; 2]);
            let run = run_masked(&row.0, &row.1, &row.2, &row.3, unlimited(kind), device);
            assert!(run.gradient.iter().all(|g| *g == 0.0), "{kind:?}: {:?}", run.gradient);
            assert!(values(run.out.loss).iter().all(|l| *l == 0.0), "{kind:?}");
        }
    });
}

#[test]
fn a_zero_advantage_has_no_loss_no_gradient_and_no_clip() {
    on_every_device(|device| {
        for kind in KINDS {
            let run = run(&[0.1, 1.0, 5.0], &[0.0; 3], unlimited(kind), device);
            assert_eq!(run.gradient.iter().map(|g| g.abs()).collect::<Vec<_>>(), [0.0; 3]);
            assert_eq!(values(run.out.clip), [CLIP_NONE; 3], "{kind:?}");
        }
    });
}

#[test]
fn on_policy_every_surrogate_has_the_gradient_of_reinforce() {
    on_every_device(|device| {
        for kind in KINDS {
            let run = run(&[1.0; 3], &[2.0, -0.5, 0.0], unlimited(kind), device);
            assert_close(&run.gradient, &[-2.0, 0.5, 0.0], 1e-6);
        }
    });
}

/// (loss, derivative) of one token in f64, written from the formulas and not from the tensor body.
fn oracle(kind: SurrogateKind, d: f64, a: f64) -> (f64, f64) {
    let r = d.exp();
    match kind {
        SurrogateKind::Clipped { epsilon_low, epsilon_high, dual_clip } => {
            let (low, high) = (1.0 - epsilon_low, 1.0 + epsilon_high);
            let clipped = (a > 0.0 && r > high) || (a < 0.0 && r < low);
            let (loss, derivative) = match clipped {
                true => (-a * r.clamp(low, high), 0.0),
                false => (-a * r, -a * r),
            };
            match dual_clip {
                Some(cap) if a < 0.0 && loss > -a * cap => (-a * cap, 0.0),
                _ => (loss, derivative),
            }
        }
        SurrogateKind::Aspo { epsilon_low, epsilon_high, cap } => {
            let (low, high) = (1.0 - epsilon_low, 1.0 + epsilon_high);
            let (weight, masked) = match a > 0.0 {
                true => (1.0 / r.min(high), r > high),
                false => (r.max(low), r < low && a < 0.0),
            };
            let weight = weight.min(cap);
            (-a * weight, if masked { 0.0 } else { -a * weight })
        }
        // The behaviour's log-probability is 0, so d is also the policy's.
        SurrogateKind::Cispo { lowest, highest } => {
            let weight = r.clamp(lowest, highest);
            (-a * weight * d, -a * weight)
        }
        SurrogateKind::Sapo { tau_positive, tau_negative } => {
            let tau = if a > 0.0 { tau_positive } else { tau_negative };
            let gate = 1.0 / (1.0 + (-tau * (r - 1.0)).exp());
            (-4.0 / tau * gate * a, -4.0 * gate * (1.0 - gate) * r * a)
        }
    }
}

#[test]
fn values_and_gradients_equal_the_scalar_oracle() {
    on_every_device(|device| {
        let mut runner = crate::runner(24, device);
        let cases = (1usize..9, 1usize..40, any::<u32>(), 0..KINDS.len());
        runner
            .run(&cases, |(rows, columns, seed, which)| {
                let kind = KINDS[which];
                let count = rows * columns;
                let d: Vec<f32> = noise(count, seed).iter().map(|x| 1.8 * x).collect();
                let a: Vec<f32> = noise(count, seed ^ 77).iter().map(|x| 2.0 * x).collect();
                let mask: Vec<f32> =
                    noise(count, seed ^ 99).iter().map(|x| f32::from(*x > -0.5)).collect();
                let tensor = |data: &[f32], device: &Device| {
                    Tensor::<2>::from_data(TensorData::new(data.to_vec(), [rows, columns]), device)
                };
                let logprobs = tensor(&d, &device.clone().autodiff()).require_grad();
                let out = policy_surrogate(
                    logprobs.clone(),
                    tensor(&vec![0.0; count], device),
                    tensor(&a, device),
                    tensor(&mask, device),
                    unlimited(kind),
                );
                let gradient = logprobs.grad(&out.loss.clone().sum().backward());
                let gradient = values(gradient.expect("tracked"));
                let expected: Vec<(f64, f64)> =
                    (0..count).map(|i| oracle(kind, d[i].into(), a[i].into())).collect();
                let masked = |f: &dyn Fn(&(f64, f64)) -> f64| -> Vec<f32> {
                    expected.iter().zip(&mask).map(|(e, m)| f(e) as f32 * m).collect()
                };
                assert_close(&values(out.loss), &masked(&|e| e.0), 1e-5);
                assert_close(&gradient, &masked(&|e| e.1), 1e-5);
                assert_close(&values(out.derivative), &masked(&|e| e.1), 1e-5);
                Ok(())
            })
            .expect("every case holds");
    });
}

#[test]
fn finite_differences_of_the_clipped_loss_agree_on_both_sides_of_every_edge() {
    let edges = [0.8f32, 1.2, 3.0];
    on_every_device(|device| {
        for edge in edges {
            for side in [0.97, 1.03] {
                for advantage in [1.0, -1.0] {
                    let (d, h) = ((edge * side).ln(), 1e-2);
                    let at = |d: f32| run(&[d.exp()], &[advantage], unlimited(DUAL), device);
                    let difference =
                        (values(at(d + h).out.loss)[0] - values(at(d - h).out.loss)[0]) / (2.0 * h);
                    assert_close(&at(d).gradient, &[difference], 2e-3);
                }
            }
        }
    });
}

#[test]
fn the_loss_of_sapo_has_its_derivative_everywhere() {
    on_every_device(|device| {
        for (ratio, advantage) in [(0.3f32, 1.0), (1.0, -2.0), (1.7, 1.5), (4.0, -1.0)] {
            let (d, h) = (ratio.ln(), 1e-2);
            let at = |d: f32| run(&[d.exp()], &[advantage], unlimited(SAPO), device);
            let difference =
                (values(at(d + h).out.loss)[0] - values(at(d - h).out.loss)[0]) / (2.0 * h);
            assert_close(&at(d).gradient, &[difference], 2e-3);
        }
    });
}

#[test]
fn cispo_flags_its_bounds_and_keeps_every_gradient() {
    on_every_device(|device| {
        let run = run(&[0.1, 1.0, 9.0, 9.0], &[1.0, -1.0, -3.0, 0.0], unlimited(CISPO), device);
        assert_close(&run.gradient, &[-0.5, 1.0, 6.0, 0.0], 1e-5);
        assert_eq!(values(run.out.clip), [CLIP_LOW, CLIP_NONE, CLIP_HIGH, CLIP_NONE]);
    });
}

#[test]
fn totals_are_sums_over_the_tokens_that_count() {
    on_every_device(|device| {
        let nan = f32::NAN;
        let ratio = matrix(&[&[0.5, 1.0, 2.0, nan, 4.0]], device);
        let clip = matrix(&[&[CLIP_LOW, CLIP_NONE, CLIP_HIGH, nan, CLIP_DUAL]], device);
        let mask = matrix(&[&[1.0, 1.0, 1.0, 0.0, 1.0]], device);
        let found = values(fireproof_kernels::surrogate_totals(ratio, clip, mask));
        let log = 2.0 * 2f32.ln();
        assert_close(&found, &[4.0, 1.0, 1.0, 1.0, 7.5, -log, 3.5 - log], 1e-5);
    });
}

#[test]
fn more_tokens_than_a_dimension_of_a_launch_has_places() {
    on_every_device(|device| {
        let rows = 70_001;
        let column = |value: f32| Tensor::<2>::full([rows, 1], value, device);
        // One advantage for all, without a copy for every row.
        let advantages = matrix(&[&[-1.0]], device).expand([rows, 1]);
        let (logprobs, behaviour) = (column(1.5f32.ln()), column(0.0));
        let out = policy_surrogate(logprobs, behaviour, advantages, column(1.0), unlimited(PLAIN));
        for column in [out.loss, out.derivative, out.ratio] {
            assert!(values(column).iter().all(|found| (found - 1.5).abs() < 1e-6));
        }
    });
}

#[test]
#[should_panic(expected = "log-probabilities have shape [1, 2] but advantages [1, 1]")]
fn advantages_of_another_shape_are_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let row = matrix(&[&[0.0, 0.0]], device);
    let advantages = matrix(&[&[0.0]], device);
    let _ = policy_surrogate(row.clone(), row.clone(), advantages, row, unlimited(PLAIN));
}
