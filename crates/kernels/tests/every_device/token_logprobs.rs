//! `token_logprobs` against hand-made numbers and against burn's autodiff of the plain expression.

use burn::tensor::{Device, Tensor, TensorData, activation};
use fireproof_kernels::{TokenLogprobs, token_logprobs};
use proptest::prelude::*;

use crate::{assert_close, ids, matrix, noise, on_every_device, values};

#[test]
fn values_are_those_worked_out_by_hand() {
    on_every_device(|device| {
        let logits = matrix(&[&[1.0, 2.0, 3.0], &[0.0, 0.0, 0.0]], device);
        let out = token_logprobs(logits.clone(), ids(&[2, 0], device), 1.0);
        // lse = 3 + ln(1 + e^-1 + e^-2); entropy = lse - (p . z), from Python's math in f64
        assert_close(&values(out.logprobs), &[-0.407_605_96, -1.098_612_3], 1e-6);
        assert_close(&values(out.entropies), &[0.832_395_8, 1.098_612_3], 1e-6);
        assert_close(&values(out.log_sum_exp), &[3.407_606, 1.098_612_3], 1e-6);
        let out = token_logprobs(logits, ids(&[2, 0], device), 0.5);
        assert_close(&values(out.logprobs), &[-0.142_931_65, -1.098_612_3], 1e-6);
    });
}

#[test]
fn a_logit_of_minus_infinity_has_probability_zero_and_no_gradient() {
    on_every_device(|device| {
        let logits = matrix(&[&[1.0, f32::NEG_INFINITY, 0.0]], &device.clone().autodiff());
        let logits = logits.require_grad();
        let out = token_logprobs(logits.clone(), ids(&[0], device), 1.0);
        let sum = (out.logprobs.clone() + out.entropies.clone() + out.log_sum_exp.clone()).sum();
        let gradient = values(logits.grad(&sum.backward()).expect("tracked"));
        assert_close(&values(out.logprobs), &[-0.313_261_7], 1e-6);
        assert_close(&values(out.entropies), &[0.582_203_1], 1e-6);
        assert!(gradient.iter().all(|g| g.is_finite()) && gradient[1] == 0.0, "{gradient:?}");
    });
}

#[test]
fn large_logits_do_not_overflow() {
    on_every_device(|device| {
        let logits = matrix(&[&[1e4, 1e4, -1e4]], device);
        let out = token_logprobs(logits, ids(&[1], device), 1.0);
        assert_close(&values(out.logprobs), &[-(2f32.ln())], 1e-6);
        assert_close(&values(out.entropies), &[2f32.ln()], 1e-6);
    });
}

/// Output and gradient of a weighted sum of the three columns.
fn run(
    function: impl Fn(Tensor<2>) -> TokenLogprobs,
    logits: &TensorData,
    device: &Device,
) -> (Vec<f32>, Vec<f32>) {
    let logits = Tensor::<2>::from_data(logits.clone(), &device.clone().autodiff()).require_grad();
    let out = function(logits.clone());
    let rows = out.logprobs.dims()[0];
    let weight = |seed| Tensor::<1>::from_data(TensorData::new(noise(rows, seed), [rows]), device);
    let columns = [out.logprobs, out.entropies, out.log_sum_exp];
    let all = columns.iter().flat_map(|column| values(column.clone())).collect();
    let [a, b, c] = columns;
    let loss = (a * weight(1) + b * weight(2) + c * weight(3)).sum();
    (all, values(logits.grad(&loss.backward()).expect("tracked")))
}

/// The same by plain tensor operations.
fn plain(logits: Tensor<2>, targets: &[i32], temperature: f32, device: &Device) -> TokenLogprobs {
    let rows = targets.len();
    let logprobs = activation::log_softmax(logits.clone() / temperature, 1);
    let index = ids(targets, device).reshape([rows, 1]);
    let entropies = -(logprobs.clone().exp() * logprobs.clone()).sum_dim(1);
    let lse = (logits / temperature - logprobs.clone()).mean_dim(1);
    TokenLogprobs {
        logprobs: logprobs.gather(1, index).reshape([rows]),
        entropies: entropies.reshape([rows]),
        log_sum_exp: lse.reshape([rows]),
    }
}

#[test]
fn values_and_gradients_equal_autodiff_of_the_plain_expression() {
    on_every_device(|device| {
        let mut runner = crate::runner(24, device);
        let cases = (1usize..20, 2usize..70, 0.3f32..3.0, any::<u32>());
        runner
            .run(&cases, |(rows, vocabulary, temperature, seed)| {
                let logits: Vec<f32> =
                    noise(rows * vocabulary, seed).iter().map(|x| 6.0 * x).collect();
                let logits = TensorData::new(logits, [rows, vocabulary]);
                let targets: Vec<i32> =
                    (0..rows).map(|row| ((row * 31 + seed as usize) % vocabulary) as i32).collect();
                let fused = |x| token_logprobs(x, ids(&targets, device), temperature);
                let (value, gradient) = run(fused, &logits, device);
                let (expected, expected_gradient) =
                    run(|x| plain(x, &targets, temperature, device), &logits, device);
                assert_close(&value, &expected, 1e-5);
                assert_close(&gradient, &expected_gradient, 1e-5);
                Ok(())
            })
            .expect("every case holds");
    });
}

#[test]
fn a_row_does_not_depend_on_its_batch() {
    on_every_device(|device| {
        let logits = noise(64 * 33, 5);
        let whole = Tensor::<2>::from_data(TensorData::new(logits, [64, 33]), device);
        let all = values(token_logprobs(whole.clone(), ids(&[3; 64], device), 1.0).logprobs);
        for rows in [1, 2, 7] {
            let part = whole.clone().slice([0..rows, 0..33]);
            let some = values(token_logprobs(part, ids(&vec![3; rows], device), 1.0).logprobs);
            assert_close(&some, &all[..rows], 1e-6);
        }
    });
}

#[test]
fn logits_in_half_precision_are_scored_in_f32() {
    on_every_device(|device| {
        for dtype in [burn::tensor::DType::F16, burn::tensor::DType::BF16] {
            if !device.supports_dtype(dtype) {
                continue;
            }
            let logits = matrix(&[&[1.0, 2.0, 3.0]], device).cast(dtype);
            let out = token_logprobs(logits, ids(&[2], device), 1.0);
            assert_eq!(out.logprobs.dtype(), burn::tensor::DType::F32);
            assert_close(&values(out.logprobs), &[-0.407_605_96], 1e-6);
        }
    });
}

#[test]
fn a_target_that_does_not_exist_is_refused_on_the_cpu_and_impossible_on_a_gpu() {
    for resolved in fireproof_kernels::test_devices() {
        let device = resolved.device;
        let score = || {
            let logits = matrix(&[&[0.0; 3], &[0.0; 3], &[0.0; 3]], &device);
            token_logprobs(logits, ids(&[3, -1, 2], &device), 1.0)
        };
        if resolved.backend.is_cpu() {
            assert!(fireproof_kernels::catch_panic(|| values(score().logprobs)).is_err());
        } else {
            let found = values(score().logprobs);
            assert!(found[0] < -1e29 && found[1] < -1e29, "{found:?}");
            assert_close(&found[2..], &[-(3f32.ln())], 1e-6);
        }
    }
}

#[test]
#[should_panic(expected = "logits have 2 rows but targets have shape [1]")]
fn mismatched_rows_are_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let _ = token_logprobs(matrix(&[&[0.0], &[0.0]], device), ids(&[0], device), 1.0);
}

#[test]
#[should_panic(expected = "the temperature must be positive, not 0")]
fn a_temperature_of_zero_is_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let _ = token_logprobs(matrix(&[&[0.0]], device), ids(&[0], device), 0.0);
}

#[cfg(feature = "flex")]
#[test]
fn on_the_cpu_a_row_is_the_same_to_the_bit_in_every_batch() {
    let device = Device::flex();
    let (rows, vocabulary) = (70, 5003);
    let logits: Vec<f32> = noise(rows * vocabulary, 5).iter().map(|x| 9.0 * x).collect();
    let logits = TensorData::new(logits, [rows, vocabulary]);
    let fused = |x: Tensor<2>| {
        let rows = x.dims()[0];
        token_logprobs(x, ids(&vec![3; rows], &device), 0.9)
    };
    let (all, gradient) = run(fused, &logits, &device);
    for some in [1, 2, 7] {
        let part = Tensor::<2>::from_data(logits.clone(), &device).narrow(0, 0, some);
        let (found, found_gradient) = run(fused, &part.into_data(), &device);
        assert_eq!(found[..some], all[..some]);
        assert_eq!(found_gradient[..some * vocabulary], gradient[..some * vocabulary]);
    }
}

#[cfg(feature = "flex")]
#[test]
#[should_panic(expected = "target 2 of row 1 is not among 0..2")]
fn on_the_cpu_a_target_outside_the_vocabulary_is_refused() {
    let device = Device::flex();
    let _ = token_logprobs(matrix(&[&[0.0; 2], &[0.0; 2]], &device), ids(&[1, 2], &device), 1.0);
}

#[test]
fn a_nan_in_a_row_shows_in_all_its_numbers_and_in_no_other_row() {
    on_every_device(|device| {
        let logits = matrix(&[&[0.0, f32::NAN, 1.0], &[0.0, 0.0, 0.0]], device);
        let out = token_logprobs(logits, ids(&[0, 0], device), 1.0);
        for column in [out.logprobs, out.entropies, out.log_sum_exp] {
            let found = values(column);
            assert!(found[0].is_nan() && found[1].is_finite(), "{found:?}");
        }
    });
}
