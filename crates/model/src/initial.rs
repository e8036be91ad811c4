//! Initial parameters, drawn on the host so that a seed gives the same model on every backend.

use std::convert::Infallible;

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use crate::config::TransformerConfig;
use crate::parameters::{Matrix, ParameterSource, parameter};

/// Draws parameters in a fixed order.
pub(crate) struct Initial<'a> {
    rng: ChaCha8Rng,
    std: f32,
    /// The outputs that add to the residual stream start smaller the more of them there are.
    residual_std: f32,
    device: &'a Device,
}

impl<'a> Initial<'a> {
    pub(crate) fn new(seed: u64, config: &TransformerConfig, device: &'a Device) -> Self {
        let std = config.initial_std;
        let residual_std = std / (2.0 * config.layers as f32).sqrt();
        Self { rng: ChaCha8Rng::seed_from_u64(seed), std, residual_std, device }
    }
}

impl ParameterSource for Initial<'_> {
    type Error = Infallible;

    /// Independent normal numbers with mean 0.
    fn matrix(
        &mut self,
        _name: &str,
        shape: [usize; 2],
        kind: Matrix,
    ) -> Result<Param<Tensor<2>>, Infallible> {
        let std = if kind == Matrix::Residual { self.residual_std } else { self.std };
        let normal = Normal::new(0.0, std).expect("the configuration is validated");
        let count = shape[0] * shape[1];
        let values: Vec<f32> = (0..count).map(|_| normal.sample(&mut self.rng)).collect();
        Ok(parameter(TensorData::new(values, shape), self.device, DType::F32))
    }

    fn vector(
        &mut self,
        _name: &str,
        size: usize,
        value: f32,
    ) -> Result<Param<Tensor<1>>, Infallible> {
        Ok(parameter(TensorData::new(vec![value; size], [size]), self.device, DType::F32))
    }
}
