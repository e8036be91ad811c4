//! Initial parameters, drawn on the host so that a seed gives the same model on every backend.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// Draws parameters in a fixed order.
pub(crate) struct Initial<'a> {
    rng: ChaCha8Rng,
    device: &'a Device,
}

impl<'a> Initial<'a> {
    pub(crate) fn new(seed: u64, device: &'a Device) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), device }
    }

    /// A matrix of independent normal numbers with mean 0.
    pub(crate) fn normal(&mut self, shape: [usize; 2], std: f32) -> Param<Tensor<2>> {
        let normal = Normal::new(0.0, std).expect("the configuration is validated");
        let count = shape[0] * shape[1];
        let values: Vec<f32> = (0..count).map(|_| normal.sample(&mut self.rng)).collect();
        Param::from_data(TensorData::new(values, shape), self.device)
    }

    /// A vector of one value.
    pub(crate) fn constant(&self, size: usize, value: f32) -> Param<Tensor<1>> {
        Param::from_data(TensorData::new(vec![value; size], [size]), self.device)
    }
}
