//! Tensors out of files: cast to the run's precision, and turned where the model holds the transpose.

use burn::tensor::{DType, TensorData};
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

use super::error::WeightsError;
use super::shards::Stored;

/// Bytes of a file that are mapped at once where a tensor is read from its start to its end.
const WINDOW: usize = 32 << 20;
/// Numbers that one task casts.
const PIECE: usize = 1 << 16;
/// Rows of the tiles in which a matrix is turned: 16 numbers of 4 bytes are a cache line.
const TILE: usize = 16;
/// Their columns: what is read of a row at once is several cache lines.
const COLUMNS: usize = 64;

/// A number of a weight file.
trait Number {
    const BYTES: usize;
    fn read(bytes: &[u8]) -> f32;
}

/// A number of the model.
trait Kept: Copy + Default + Send + Sync + burn::tensor::Element {
    fn of(value: f32) -> Self;
}

struct F32;
struct Bf16;
struct F16;

impl Number for F32 {
    const BYTES: usize = 4;

    fn read(bytes: &[u8]) -> f32 {
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

impl Number for Bf16 {
    const BYTES: usize = 2;

    fn read(bytes: &[u8]) -> f32 {
        f32::from_bits(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) << 16)
    }
}

impl Number for F16 {
    const BYTES: usize = 2;

    fn read(bytes: &[u8]) -> f32 {
        f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
    }
}

impl Kept for f32 {
    fn of(value: f32) -> Self {
        value
    }
}

impl Kept for bf16 {
    fn of(value: f32) -> Self {
        Self::from_f32(value)
    }
}

impl Kept for f16 {
    fn of(value: f32) -> Self {
        Self::from_f32(value)
    }
}

/// Reads a tensor as `dtype`; a transposed one in the layout `[columns, rows]` of the file's shape.
pub(super) fn tensor(
    stored: &Stored<'_>,
    transposed: bool,
    dtype: DType,
) -> Result<TensorData, WeightsError> {
    match dtype {
        DType::BF16 => kept::<bf16>(stored, transposed),
        DType::F16 => kept::<f16>(stored, transposed),
        _ => kept::<f32>(stored, transposed),
    }
}

fn kept<K: Kept>(stored: &Stored<'_>, transposed: bool) -> Result<TensorData, WeightsError> {
    let values = match stored.dtype() {
        Dtype::F32 => values::<F32, K>(stored, transposed)?,
        Dtype::BF16 => values::<Bf16, K>(stored, transposed)?,
        Dtype::F16 => values::<F16, K>(stored, transposed)?,
        other => {
            return Err(WeightsError::Type {
                name: stored.name.to_owned(),
                path: stored.path().to_owned(),
                found: format!("{other:?}"),
            });
        }
    };
    let mut shape = stored.shape().to_vec();
    if transposed {
        shape.reverse();
    }
    Ok(TensorData::new(values, shape))
}

fn values<S: Number, K: Kept>(
    stored: &Stored<'_>,
    transposed: bool,
) -> Result<Vec<K>, WeightsError> {
    let mut values = vec![K::default(); stored.bytes() / S::BYTES];
    if values.is_empty() {
        return Ok(values);
    }
    if transposed {
        let (rows, columns) = (stored.shape()[0], stored.shape()[1]);
        let bytes = stored.map(0..stored.bytes())?;
        let chunks = values.par_chunks_mut(COLUMNS * rows).enumerate();
        chunks.for_each(|(number, chunk)| {
            turn::<S, K>(&bytes, columns, number * COLUMNS, rows, chunk);
        });
        return Ok(values);
    }
    let mut start = 0;
    for window in values.chunks_mut(WINDOW / S::BYTES) {
        let end = start + window.len() * S::BYTES;
        let bytes = stored.map(start..end)?;
        let pieces = bytes.par_chunks(PIECE * S::BYTES).zip(window.par_chunks_mut(PIECE));
        pieces.for_each(|(bytes, values)| {
            let numbers = bytes.chunks_exact(S::BYTES);
            values
                .iter_mut()
                .zip(numbers)
                .for_each(|(value, bytes)| *value = K::of(S::read(bytes)));
        });
        start = end;
    }
    Ok(values)
}

/// Columns `first..` of a matrix of so many rows and columns, one after the other, until `turned` is
/// full.
///
/// A tile is read row by row and written column by column, whole cache lines on both sides.
fn turn<S: Number, K: Kept>(
    bytes: &[u8],
    columns: usize,
    first: usize,
    rows: usize,
    turned: &mut [K],
) {
    let width = turned.len() / rows;
    let mut tile = [[K::default(); COLUMNS]; TILE];
    for top in (0..rows).step_by(TILE) {
        let height = TILE.min(rows - top);
        for (row, cells) in (top..top + height).zip(&mut tile) {
            let start = (row * columns + first) * S::BYTES;
            let numbers = bytes[start..start + width * S::BYTES].chunks_exact(S::BYTES);
            cells.iter_mut().zip(numbers).for_each(|(cell, bytes)| *cell = K::of(S::read(bytes)));
        }
        for column in 0..width {
            let start = column * rows + top;
            let places = turned[start..start + height].iter_mut();
            places.zip(&tile).for_each(|(place, cells)| *place = cells[column]);
        }
    }
}

/// True if two tensors are of one type and shape and equal to the bit.
pub(super) fn same_bytes(a: &Stored<'_>, b: &Stored<'_>) -> Result<bool, WeightsError> {
    if (a.dtype(), a.shape()) != (b.dtype(), b.shape()) {
        return Ok(false);
    }
    for start in (0..a.bytes()).step_by(WINDOW) {
        let range = start..(start + WINDOW).min(a.bytes());
        if a.map(range.clone())?[..] != b.map(range)?[..] {
            return Ok(false);
        }
    }
    Ok(true)
}
