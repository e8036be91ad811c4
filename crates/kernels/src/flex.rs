//! What the CPU loops share: vector instructions, functions that vectorise, and parallel rows.
//!
//! A loop is plain Rust. [`simd`] compiles it once more for the widest vectors this machine has, and
//! because fused multiply-adds and the order of sums are written out, every machine gets the same
//! bits.

#![allow(
    unsafe_code,
    reason = "outputs are written once, by several cores, without zeroing them first"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use burn::backend::{
    Flex,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Shape, TensorData};

pub(crate) mod blocks;
pub(crate) mod heads;
pub(crate) mod math;
pub(crate) mod product;

/// Numbers that are summed side by side: the partial sums of a row, whatever the machine.
pub(crate) const LANES: usize = 16;

/// A task on another core should have at least about this many numbers to work on.
pub(crate) const NUMBERS_A_TASK: usize = 16 * 1024;

/// Runs a loop with the widest vector instructions of this machine.
///
/// The closure and what it calls must be `#[inline(always)]`: a function that stays by itself is
/// compiled for the oldest machine, where a fused multiply-add is a call.
#[inline(always)]
pub(crate) fn simd<R>(run: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        if is_wide() {
            // SAFETY: the machine has the instructions.
            return unsafe { wide(run) };
        }
        // Not `pulp::Arch`: it knows these instructions only with a feature that would build burn's
        // matrix products anew.
        if let Some(narrow) = pulp::x86::V3::try_new() {
            return narrow.vectorize(run);
        }
    }
    run()
}

/// Whether this machine has vectors of 16 numbers.
#[cfg(target_arch = "x86_64")]
fn is_wide() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("fma")
}

/// Compiles a loop for vectors of 16 numbers.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn wide<R>(run: impl FnOnce() -> R) -> R {
    run()
}

/// The tensor with its numbers in order and nothing between them.
pub(crate) fn dense(tensor: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

/// Whether all are `f32`: the loops here are for that type, the tensor bodies for all others.
pub(crate) fn are_f32(tensors: &[&FloatTensor<Flex>]) -> bool {
    tensors.iter().all(|tensor| tensor.dtype() == burn::tensor::DType::F32)
}

/// The numbers of a dense `f32` tensor.
///
/// # Panics
/// If the tensor is not [`dense`] or not `f32`.
pub(crate) fn numbers(tensor: &FloatTensor<Flex>) -> &[f32] {
    tensor.as_slice().expect("made dense before")
}

/// The ids of an integer tensor, each below `limit`.
///
/// # Panics
/// If one is not: a gather would read elsewhere.
pub(crate) fn ids(tensor: &IntTensor<Flex>, limit: usize, name: &str) -> Vec<usize> {
    let checked = |(row, id): (usize, i64)| match usize::try_from(id) {
        Ok(id) if id < limit => id,
        _ => panic!("{name} {id} of row {row} is not among 0..{limit}"),
    };
    if let Some(ids) = tensor.as_slice::<i32>() {
        return ids.iter().map(|id| i64::from(*id)).enumerate().map(checked).collect();
    }
    tensor.clone().into_data().iter::<i64>().enumerate().map(checked).collect()
}

/// Numbers as a tensor.
pub(crate) fn tensor(numbers: Vec<f32>, shape: impl Into<Shape>) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(numbers, shape.into()))
}

/// The numbers from `start` on, a block of lanes; 0 beyond the end.
#[inline(always)]
pub(crate) fn load(numbers: &[f32], start: usize) -> [f32; LANES] {
    let rest = &numbers[start..];
    match rest.first_chunk() {
        Some(block) => *block,
        None => {
            let mut block = [0.0; LANES];
            block[..rest.len()].copy_from_slice(rest);
            block
        }
    }
}

/// Writes a block of lanes from `start` on, as far as there are places.
#[inline(always)]
pub(crate) fn store(places: &mut [f32], start: usize, block: &[f32; LANES]) {
    let rest = &mut places[start..];
    match rest.first_chunk_mut() {
        Some(places) => *places = *block,
        None => {
            let width = rest.len();
            rest.copy_from_slice(&block[..width]);
        }
    }
}

/// The product of two rows, summed in lanes.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for start in (0..a.len()).step_by(LANES) {
        let (a, b) = (load(a, start), load(b, start));
        for lane in 0..LANES {
            lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
        }
    }
    total(lanes)
}

/// The sum of all lanes: halves are added until one is left, so that few additions wait for others.
#[inline(always)]
pub(crate) fn total(mut lanes: [f32; LANES]) -> f32 {
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[0]
}

/// The largest number of a row, NaN left out.
#[inline(always)]
pub(crate) fn largest(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for part in whole {
        for lane in 0..LANES {
            lanes[lane] = if part[lane] > lanes[lane] { part[lane] } else { lanes[lane] };
        }
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            let other = lanes[lane + half];
            lanes[lane] = if other > lanes[lane] { other } else { lanes[lane] };
        }
    }
    rest.iter().fold(lanes[0], |largest, x| if *x > largest { *x } else { largest })
}

/// The sum of a row, in lanes.
#[inline(always)]
pub(crate) fn sum(row: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for start in (0..row.len()).step_by(LANES) {
        let part = load(row, start);
        (0..LANES).for_each(|lane| lanes[lane] += part[lane]);
    }
    total(lanes)
}

/// `places += factor * row`.
#[inline(always)]
pub(crate) fn add_scaled(places: &mut [f32], row: &[f32], factor: f32) {
    places.iter_mut().zip(row).for_each(|(place, x)| *place = x.mul_add(factor, *place));
}

/// Makes `K` arrays of `count` rows, `widths[k]` numbers a row, on all cores; a row costs about as
/// much as `cost` numbers.
///
/// `write` gets the rows of a part and the part of each array, filled with 0. It must not depend on
/// how the rows are divided.
pub(crate) fn rows<const K: usize>(
    count: usize,
    cost: usize,
    widths: [usize; K],
    write: impl Fn(Range<usize>, [&mut [f32]; K]) + Sync,
) -> [Vec<f32>; K] {
    let mut arrays = widths.map(|width| Vec::<f32>::with_capacity(count * width));
    let grain = (NUMBERS_A_TASK / cost.max(1)).max(1);
    if count > 0 {
        let parts = arrays.each_mut().map(Vec::spare_capacity_mut);
        divide(0..count, parts, Division { widths, grain }, &write);
    }
    for (array, width) in arrays.iter_mut().zip(widths) {
        // SAFETY: the capacity is at least this much, and `divide` has written 0 or a caller's
        // number to every place below it.
        unsafe { array.set_len(count * width) };
    }
    arrays
}

/// How rows are divided between cores.
#[derive(Clone, Copy)]
struct Division<const K: usize> {
    widths: [usize; K],
    /// Rows that are not divided any more.
    grain: usize,
}

fn divide<const K: usize>(
    rows: Range<usize>,
    parts: [&mut [MaybeUninit<f32>]; K],
    division: Division<K>,
    write: &(impl Fn(Range<usize>, [&mut [f32]; K]) + Sync),
) {
    if rows.len() <= division.grain {
        let mut widths = division.widths.into_iter();
        let zeroed = parts.map(|part| zeroed(part, rows.len() * widths.next().unwrap_or(0)));
        return write(rows, zeroed);
    }
    let half = rows.len() / 2;
    let middle = rows.start + half;
    let mut widths = division.widths.into_iter();
    let mut later = Vec::with_capacity(K);
    let first = parts.map(|part| {
        let (first, second) = part.split_at_mut(half * widths.next().unwrap_or(0));
        later.push(second);
        first
    });
    let Ok(second) = <[_; K]>::try_from(later) else { unreachable!("one is pushed for each") };
    rayon::join(
        || divide(rows.start..middle, first, division, write),
        || divide(middle..rows.end, second, division, write),
    );
}

/// The first `count` places with 0 in them. They stay in the cache for the loop that follows.
fn zeroed(places: &mut [MaybeUninit<f32>], count: usize) -> &mut [f32] {
    let places = &mut places[..count];
    places.iter_mut().for_each(|place| {
        place.write(0.0);
    });
    // SAFETY: every place has just been written.
    unsafe { places.assume_init_mut() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_written_once_however_it_is_divided() {
        for count in [0, 1, 7, 100_000] {
            let [ones, twos] = rows(count, 2, [1, 2], |range, [one, two]| {
                one.iter_mut().zip(range.clone()).for_each(|(place, row)| *place += row as f32);
                two.chunks_mut(2).zip(range).for_each(|(pair, row)| pair[1] += row as f32);
            });
            assert_eq!((ones.len(), twos.len()), (count, 2 * count));
            assert!(ones.iter().enumerate().all(|(row, found)| *found == row as f32));
            assert!(twos.chunks(2).enumerate().all(|(row, pair)| *pair == [0.0, row as f32]));
        }
    }
}
