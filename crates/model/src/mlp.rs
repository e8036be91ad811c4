//! The gated layer of a block.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::module::Module;
use burn::tensor::{DType, Tensor, activation};
use fireproof_kernels::{FeedForward, feed_forward, swiglu};

use crate::architecture::Activation;
use crate::norm::RmsNorm;
use crate::projection::Projection;

/// `(activation(x gate) * (x up)) down`.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    pub(crate) gate_proj: Projection,
    pub(crate) up_proj: Projection,
    pub(crate) down_proj: Projection,
    #[module(skip)]
    pub(crate) activation: Activation,
}

impl Mlp {
    /// `x + forward(norm(x))` as one operation; `None` where it does not exist: for other
    /// activations and precisions, and beside adapters and biases.
    pub(crate) fn fused(&self, norm: &RmsNorm, x: &Tensor<2>) -> Option<Tensor<2>> {
        if !matches!(self.activation, Activation::Silu) || x.dtype() != DType::F32 {
            return None;
        }
        let (gate, up) = (self.gate_proj.bare()?, self.up_proj.bare()?);
        let parameters =
            FeedForward { gamma: norm.factor()?, gate, up, down: self.down_proj.bare()? };
        Some(feed_forward(x.clone(), parameters, norm.epsilon))
    }

    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let gate = self.gate_proj.forward(x.clone());
        let up = self.up_proj.forward(x);
        let gated = match self.activation {
            Activation::Silu if gate.dtype() == DType::F32 => swiglu(gate, up),
            Activation::Silu => activation::silu(gate) * up,
            Activation::Gelu => gelu(gate) * up,
            Activation::GeluTanh => activation::gelu_approximate(gate) * up,
        };
        self.down_proj.forward(gated)
    }
}

/// `x (1 + erf(x / sqrt 2)) / 2`.
///
/// Not burn's own: outside flex its gradient is that of the tanh approximation (burn 0.22.1), which
/// is 1e-4 off.
fn gelu(x: Tensor<2>) -> Tensor<2> {
    let share = (x.clone() * FRAC_1_SQRT_2).erf() + 1.0;
    x * share * 0.5
}
