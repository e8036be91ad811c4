//! Arguments that several programs take.

use std::fmt;
use std::str::FromStr;

use burn::tensor::DType;
use clap::ValueEnum;

/// Precision of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WeightPrecision {
    /// 32 bits.
    F32,
    /// 16 bits with the exponent of `F32`.
    Bf16,
    /// 16 bits of IEEE 754.
    F16,
}

impl WeightPrecision {
    /// As burn names it.
    #[must_use]
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }
}

/// A number above 0.
///
/// # Errors
/// Says what is wrong with it.
pub fn positive<T: Number>(text: &str) -> Result<T, String> {
    let value: T = number(text)?;
    if value.into() > 0.0 { Ok(value) } else { Err("must be positive".to_owned()) }
}

/// A number that is not below 0.
///
/// # Errors
/// Says what is wrong with it.
pub fn not_negative<T: Number>(text: &str) -> Result<T, String> {
    let value: T = number(text)?;
    if value.into() >= 0.0 { Ok(value) } else { Err("must be 0 or positive".to_owned()) }
}

/// A number above 0 and at most 1.
///
/// # Errors
/// Says what is wrong with it.
pub fn share<T: Number>(text: &str) -> Result<T, String> {
    let value: T = positive(text)?;
    if value.into() <= 1.0 { Ok(value) } else { Err("must be at most 1".to_owned()) }
}

/// What [`positive`] and the others read: `f32`, `f64`.
pub trait Number: Copy + FromStr + Into<f64> + fmt::Debug {}

impl<T: Copy + FromStr + Into<f64> + fmt::Debug> Number for T {}

fn number<T: Number>(text: &str) -> Result<T, String> {
    let value: T = text.parse().map_err(|_| "is not a number".to_owned())?;
    let is_finite = value.into().is_finite();
    if is_finite { Ok(value) } else { Err("must be finite".to_owned()) }
}
