//! Where a model's parameters come from: the structure is written once ([`Transformer::build`]) and
//! asks a source for each parameter by its Hugging Face name.
//!
//! [`Transformer::build`]: crate::Transformer

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// What kind of matrix is asked for: it decides the layout in files and the initial size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matrix {
    /// Rows of tokens, `[V, D]`, in files too.
    Tokens,
    /// `[in, out]` of a linear map; files hold `[out, in]`.
    Inner,
    /// As [`Inner`](Self::Inner), adding to the residual stream.
    Residual,
}

impl Matrix {
    /// True if files hold it transposed.
    pub(crate) fn is_transposed(self) -> bool {
        self != Self::Tokens
    }
}

/// Gives parameters by name.
pub(crate) trait ParameterSource {
    /// Why a parameter is not to be had.
    type Error;

    /// A matrix of the shape that the model uses.
    fn matrix(
        &mut self,
        name: &str,
        shape: [usize; 2],
        kind: Matrix,
    ) -> Result<Param<Tensor<2>>, Self::Error>;

    /// A vector, which starts as `value` everywhere where parameters are new.
    fn vector(
        &mut self,
        name: &str,
        size: usize,
        value: f32,
    ) -> Result<Param<Tensor<1>>, Self::Error>;
}

/// A trainable parameter of exactly this precision, whatever the device's default is.
pub(crate) fn parameter<const D: usize>(
    data: TensorData,
    device: &Device,
    dtype: DType,
) -> Param<Tensor<D>> {
    device.memory_persistent_allocations(data, |data| {
        Param::from_tensor(Tensor::from_data(data, (device, dtype)))
    })
}
