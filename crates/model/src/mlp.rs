//! The gated layer of a block.

use burn::module::Module;
use burn::tensor::{Tensor, activation};

use crate::architecture::Activation;
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
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let gate = self.gate_proj.forward(x.clone());
        let gate = match self.activation {
            Activation::Silu => activation::silu(gate),
            Activation::Gelu => activation::gelu(gate),
            Activation::GeluTanh => activation::gelu_approximate(gate),
        };
        self.down_proj.forward(gate * self.up_proj.forward(x))
    }
}
