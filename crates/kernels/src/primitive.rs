//! Small helpers over backend primitives that several operations share.

use burn::backend::{
    Backend, TensorMetadata, get_or_init_device_settings,
    tensor::{BoolTensor, FloatTensor},
};
use burn::tensor::{BoolDType, DType, FloatDType};

/// Dimensions of a primitive known to have two.
///
/// # Panics
/// If it has another number of dimensions.
pub(crate) fn dims2<T: TensorMetadata>(tensor: &T, name: &str) -> [usize; 2] {
    let shape = tensor.shape();
    shape.as_slice().try_into().unwrap_or_else(|_| panic!("{name} has shape {shape:?}, not 2-d"))
}

/// Dimensions of a primitive known to have four.
///
/// # Panics
/// If it has another number of dimensions.
pub(crate) fn dims4<T: TensorMetadata>(tensor: &T, name: &str) -> [usize; 4] {
    let shape = tensor.shape();
    shape.as_slice().try_into().unwrap_or_else(|_| panic!("{name} has shape {shape:?}, not 4-d"))
}

/// The dtype that comparisons of this tensor's device give.
pub(crate) fn bool_dtype<B: Backend>(tensor: &FloatTensor<B>) -> BoolDType {
    get_or_init_device_settings::<B>(&tensor.device()).bool_dtype
}

/// `tensor > threshold`, element by element.
pub(crate) fn greater<B: Backend>(tensor: FloatTensor<B>, threshold: f64) -> BoolTensor<B> {
    let dtype = bool_dtype::<B>(&tensor);
    B::float_greater_elem(tensor, threshold.into(), dtype)
}

/// `tensor < threshold`, element by element.
pub(crate) fn lower<B: Backend>(tensor: FloatTensor<B>, threshold: f64) -> BoolTensor<B> {
    let dtype = bool_dtype::<B>(&tensor);
    B::float_lower_elem(tensor, threshold.into(), dtype)
}

/// The tensor with `value` wherever `mask` is not positive, whatever stands there (NaN included).
pub(crate) fn keep_where<B: Backend>(
    tensor: FloatTensor<B>,
    mask: &FloatTensor<B>,
    value: f32,
) -> FloatTensor<B> {
    let dtype = bool_dtype::<B>(mask);
    let outside = B::float_lower_equal_elem(mask.clone(), 0.0f32.into(), dtype);
    B::float_mask_fill(tensor, outside, value.into())
}

/// 1 where the flag is set, 0 elsewhere.
pub(crate) fn indicator<B: Backend>(flag: BoolTensor<B>, dtype: FloatDType) -> FloatTensor<B> {
    B::bool_into_float(flag, dtype)
}

/// The dtype to accumulate in: `f64` stays, everything narrower becomes `f32`.
pub(crate) fn accumulate_dtype(dtype: DType) -> FloatDType {
    if dtype == DType::F64 { FloatDType::F64 } else { FloatDType::F32 }
}

/// The tensor in the dtype to accumulate in.
pub(crate) fn accumulate<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let dtype = accumulate_dtype(tensor.dtype());
    if DType::from(dtype) == tensor.dtype() { tensor } else { B::float_cast(tensor, dtype) }
}
