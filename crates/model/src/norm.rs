//! RMSNorm (arXiv 1910.07467), computed in `f32` whatever the input is.

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor};
use fireproof_kernels::rms_norm;

/// `x / sqrt(mean(x^2) + epsilon) * w`, or `* (1 + w)` with an offset, over the last dimension.
#[derive(Module, Debug)]
pub(crate) struct RmsNorm {
    pub(crate) gamma: Param<Tensor<1>>,
    pub(crate) epsilon: f64,
    pub(crate) offset: bool,
}

impl RmsNorm {
    /// What is multiplied with, if the fused operations can take it: in `f32`.
    pub(crate) fn factor(&self) -> Option<Tensor<1>> {
        let gamma = self.gamma.val();
        let factor = if self.offset { gamma + 1.0 } else { gamma };
        (factor.dtype() == DType::F32).then_some(factor)
    }

    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let dtype = x.dtype();
        if dtype == DType::F32
            && let Some(factor) = self.factor()
        {
            return rms_norm(x, factor, self.epsilon);
        }
        let x = in_dtype(x, DType::F32);
        let rms = (x.clone().square().mean_dim(D - 1) + self.epsilon).sqrt();
        let normed = x / rms;
        let gamma = self.gamma.val();
        if self.offset {
            let factor = in_dtype(gamma, DType::F32) + 1.0;
            return in_dtype(normed * factor.unsqueeze(), dtype);
        }
        // Rounded before the product, as checkpoints without an offset were trained.
        in_dtype(normed, dtype) * gamma.unsqueeze()
    }
}

/// The tensor in another precision; itself, without an operation, if it has that one.
pub(crate) fn in_dtype<const D: usize>(tensor: Tensor<D>, dtype: DType) -> Tensor<D> {
    if tensor.dtype() == dtype { tensor } else { tensor.cast(dtype) }
}
