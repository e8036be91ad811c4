//! Sketches of gradients: few numbers that keep inner products.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, Transaction};

use crate::error::TrainError;

/// A count sketch of a gradient: number `i` of the flattened gradient is added, with a random sign,
/// to one of `size` numbers. Signs and places depend on `i` and the seed alone, so sketches of one
/// seed have, in expectation, the inner products of the gradients themselves, with a standard
/// deviation of about `|x| |y| / sqrt(size)` (Charikar, Chen and Farach-Colton 2002).
pub(crate) fn sketch<M: Module>(
    policy: &M,
    gradients: &GradientsParams,
    size: usize,
    seed: u64,
) -> Result<Vec<f32>, TrainError> {
    let mut flat = Flat { gradients, found: Vec::new() };
    policy.visit(&mut flat);
    let transaction = flat.found.into_iter().fold(Transaction::default(), |t, g| t.register(g));
    let data = transaction.try_execute().map_err(|error| TrainError::Device(error.to_string()))?;
    let mut sums = vec![0.0f64; size];
    let mut number = 0u64;
    for part in data {
        let values: Vec<f32> = part.try_to_vec_as().expect("gradients are floats");
        for value in values {
            let hash = mix(seed ^ mix(number));
            let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
            sums[(hash % size as u64) as usize] += sign * f64::from(value);
            number += 1;
        }
    }
    Ok(sums.into_iter().map(|sum| sum as f32).collect())
}

/// The finaliser of `SplitMix64`.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// All gradients, each as one row; zeros where a parameter has none, so that places stay the same.
struct Flat<'a> {
    gradients: &'a GradientsParams,
    found: Vec<Tensor<1>>,
}

impl ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(param.id);
        let gradient = gradient.unwrap_or_else(|| param.val().inner().zeros_like());
        let count = gradient.shape().num_elements();
        self.found.push(gradient.reshape([count]));
    }
}
