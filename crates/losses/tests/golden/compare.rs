//! Comparison of what we found with what is expected.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::case::Matrix;

/// How exactly numbers of a type must agree.
pub(crate) fn tolerance(dtype: DType) -> f64 {
    if dtype == DType::F64 { 1e-9 } else { 1e-5 }
}

pub(crate) fn tensor(rows: &Matrix, device: &Device, dtype: DType) -> Tensor<2> {
    let width = rows.first().map_or(0, Vec::len);
    let data = TensorData::new(rows.concat(), [rows.len(), width]);
    Tensor::from_data(data, (device, dtype))
}

pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().try_to_vec_as().expect("float data")
}

/// Every number within the tolerance of its own size; beside numbers a thousand times as large (in f32
/// ten times: a k3 or a logarithm near 1 cancels), of theirs.
pub(crate) fn rows(
    what: &str,
    found: &[f64],
    expected: &Matrix,
    tolerance: f64,
) -> Result<(), String> {
    let expected = expected.concat();
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f64, |largest, value| largest.max(value.abs()));
    for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let floor = if tolerance > 1e-6 { 0.1 } else { 1e-3 };
        number(&format!("{what} {place}"), *found, *expected, floor * largest, tolerance)?;
    }
    Ok(())
}

/// One number within the tolerance of its own size, or of what it was summed from.
pub(crate) fn number(
    what: &str,
    found: f64,
    expected: f64,
    scale: f64,
    tolerance: f64,
) -> Result<(), String> {
    let allowed = tolerance * expected.abs().max(scale);
    // A NaN is not within anything.
    if (found - expected).abs() <= allowed {
        return Ok(());
    }
    Err(format!("{what}: {found} is not {expected} (within {allowed:e})"))
}
