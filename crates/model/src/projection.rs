//! A linear map with an optional bias.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, module::linear};

use crate::lora::Adapter;

/// `x W + b` with `W` of `[in, out]`: checkpoints of Hugging Face hold it transposed.
#[derive(Module, Debug)]
pub(crate) struct Projection {
    pub(crate) weight: Param<Tensor<2>>,
    pub(crate) bias: Option<Param<Tensor<1>>>,
    /// What is added beside the weight, if the model has adapters.
    pub(crate) adapter: Option<Adapter>,
}

impl Projection {
    /// `[N, in]` -> `[N, out]`.
    ///
    /// Two dimensions only: with three, the gradient of the weight would be a product for each row
    /// of the batch and a sum over them.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let bias = self.bias.as_ref().map(Param::val);
        match &self.adapter {
            Some(adapter) => linear(x.clone(), self.weight.val(), bias) + adapter.forward(x),
            None => linear(x, self.weight.val(), bias),
        }
    }

    /// Width of the output.
    pub(crate) fn output(&self) -> usize {
        self.weight.dims()[1]
    }
}
