//! A linear map with an optional bias.

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor, module::linear};

use crate::lora::Adapter;
use crate::norm::in_dtype;

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
        let Some(adapter) = &self.adapter else { return linear(x, self.weight.val(), bias) };
        let dtype = x.dtype();
        let y = in_dtype(linear(x.clone(), self.weight.val(), bias), DType::F32);
        // The sum is rounded once.
        in_dtype(y + adapter.forward(x), dtype)
    }

    /// Weight and bias, if the fused operations can take them: in `f32` and without an adapter.
    pub(crate) fn plain(&self) -> Option<(Tensor<2>, Option<Tensor<1>>)> {
        let weight = self.weight.val();
        let is_plain = self.adapter.is_none() && weight.dtype() == DType::F32;
        is_plain.then(|| (weight, self.bias.as_ref().map(Param::val)))
    }

    /// [`plain`](Self::plain) without a bias.
    pub(crate) fn bare(&self) -> Option<Tensor<2>> {
        match self.plain()? {
            (weight, None) => Some(weight),
            _ => None,
        }
    }

    /// Width of the output.
    pub(crate) fn output(&self) -> usize {
        self.weight.dims()[1]
    }
}
