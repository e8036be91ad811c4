//! A linear map with an optional bias.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, module::linear};

/// `x W + b` with `W` of `[in, out]`: checkpoints of Hugging Face hold it transposed.
#[derive(Module, Debug)]
pub(crate) struct Projection {
    pub(crate) weight: Param<Tensor<2>>,
    pub(crate) bias: Option<Param<Tensor<1>>>,
}

impl Projection {
    /// `[N, in]` -> `[N, out]`.
    ///
    /// Two dimensions only: with three, the gradient of the weight would be a product for each row
    /// of the batch and a sum over them.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        linear(x, self.weight.val(), self.bias.as_ref().map(Param::val))
    }

    /// Width of the output.
    pub(crate) fn output(&self) -> usize {
        self.weight.dims()[1]
    }
}
