//! Every operation on every device compiled in: values and gradients against hand-made numbers,
//! against burn's own autodiff of the plain expression, and at the places where operations break.

#![allow(clippy::print_stdout, reason = "a failed test shows its device")]

mod agreement;
mod group_normalize;
mod linear_token_logprobs;
mod policy_objective;
mod policy_surrogate;
mod sample_tokens;
mod token_logprobs;
mod transformer;

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireproof_kernels::is_queued;
use proptest::prelude::ProptestConfig;
use proptest::test_runner::TestRunner;

/// Runs a check on every device.
fn on_every_device(check: impl Fn(&Device)) {
    for resolved in fireproof_kernels::test_devices() {
        println!("on {resolved}");
        check(&resolved.device);
    }
}

/// Runs that many random cases, a third of them where launches wait in a queue: there the cost is that of
/// the launch, and the code of a kernel is the same for all of them.
fn runner(cases: u32, device: &Device) -> TestRunner {
    let cases = if is_queued(device) { cases.div_ceil(3) } else { cases };
    TestRunner::new(ProptestConfig::with_cases(cases))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().expect("f32 data")
}

fn matrix(rows: &[&[f32]], device: &Device) -> Tensor<2> {
    let data = TensorData::new(rows.concat(), [rows.len(), rows[0].len()]);
    Tensor::from_data(data, device)
}

fn ids(ids: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(ids.to_vec(), [ids.len()]), device)
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{found:?} is not {expected:?}");
    for (a, b) in found.iter().zip(expected) {
        let allowed = tolerance * b.abs().max(1.0);
        assert!((a - b).abs() <= allowed, "{a} is not {b}: {found:?} is not {expected:?}");
    }
}

/// Pseudo-random numbers from -1 to 1, the same everywhere.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
