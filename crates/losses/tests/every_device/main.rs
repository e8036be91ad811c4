//! The losses on every device compiled in: golden batches of peers, reductions, penalties, the
//! equality of the host path with the device path, and a training trace of all devices in lockstep.

#![allow(clippy::print_stdout, reason = "a failed test shows its device")]

mod golden;
mod host_path;
mod lockstep;
mod one_pass;
mod properties;

use burn::tensor::{Device, Tensor, TensorData};

fn on_every_device(check: impl Fn(&Device)) {
    for resolved in fireproof_kernels::test_devices() {
        println!("on {resolved}");
        check(&resolved.device);
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec_as().expect("float data")
}

fn matrix(data: &[f32], columns: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(data.to_vec(), [data.len() / columns, columns]), device)
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
