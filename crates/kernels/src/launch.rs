//! What the launches of the Cube kernels share.

use burn::backend::cubecl::dtype_to_storage_type;
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl;
use burn_cubecl::{ops::numeric::empty_device_contiguous_dtype, tensor::CubeTensor};
use cubecl::ir::{AddressType, ElemType, VectorSize};
use cubecl::prelude::InputScalar;
use cubecl::tensor_vector_size_parallel;

/// An uninitialised tensor beside another one, row after row without gaps.
pub(crate) fn empty(beside: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    let (client, device) = (beside.client.clone(), beside.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), dtype)
}

/// The element type that kernels are compiled for.
pub(crate) fn element(dtype: impl Into<DType>) -> ElemType {
    dtype_to_storage_type(dtype.into())
}

/// A setting in a number type of the device.
pub(crate) fn scalar(value: f64, dtype: impl Into<DType>) -> InputScalar {
    InputScalar::new(value, element(dtype))
}

/// The number of elements that all tensors can be read at once along their last dimension.
pub(crate) fn vector_size(tensors: &[&CubeTensor]) -> VectorSize {
    let size = |tensor: &&CubeTensor| {
        let sizes = tensor.client.io_optimized_vector_sizes(tensor.dtype.size());
        let (shape, strides) = (tensor.meta.shape(), tensor.meta.strides());
        tensor_vector_size_parallel(sizes, shape, strides, shape.num_dims() - 1)
    };
    tensors.iter().map(size).min().unwrap_or(1)
}

/// The width of the indices that all tensors need.
pub(crate) fn address_type(tensors: &[&CubeTensor]) -> AddressType {
    tensors.iter().map(|tensor| tensor.required_address_type()).max().unwrap_or_default()
}
