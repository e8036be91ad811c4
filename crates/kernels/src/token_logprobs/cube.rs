//! The Cube kernels of `token_logprobs`: one reading of the logits forward, one backward.
//!
//! Some units share a row: each goes through its columns with an online log-sum-exp (arXiv
//! 1805.02867) that carries the entropy along, and a tree of merges in shared memory makes one
//! result of them. Short rows share a cube.

#![allow(clippy::too_many_arguments, reason = "a kernel binds every buffer by itself")]

use burn::tensor::DType;
use burn_cubecl::cubecl;
use burn_cubecl::{CubeBackend, kernel::into_contiguous, tensor::CubeTensor};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::{FLOOR, Saved};
use crate::launch::{address_type, element, empty, scalar, vector_size};
use crate::primitive::{accumulate_dtype, dims2};

/// Units of a cube, over all of its rows.
const UNITS: usize = 256;

/// Columns that a unit goes through at the least, unless a row would have fewer units than two.
const COLUMNS: usize = 4;

/// `max`, `sum exp(z - max)` and `sum exp(z - max) (z - max)` of some columns.
#[derive(CubeType, CubeTypeMut, Clone, Copy)]
#[expand(derive(Clone, Copy))]
struct Partial<A: Float> {
    largest: A,
    sum: A,
    weighted: A,
}

/// Two sets of columns as one. An empty set has its largest at the floor and sums of 0.
#[cube]
fn merged<A: Float>(a: Partial<A>, b: Partial<A>) -> Partial<A> {
    let largest = max(a.largest, b.largest);
    let (down_a, down_b) = (a.largest - largest, b.largest - largest);
    let (factor_a, factor_b) = (down_a.exp(), down_b.exp());
    Partial::<A> {
        largest,
        sum: factor_a * a.sum + factor_b * b.sum,
        weighted: factor_a * (a.weighted + down_a * a.sum)
            + factor_b * (b.weighted + down_b * b.sum),
    }
}

/// One more column, with one exponential whichever of the two is larger.
#[cube]
fn extended<A: Float>(partial: Partial<A>, z: A) -> Partial<A> {
    // Minus infinity counts as twice the floor, whose exponential is 0 too; a NaN stays one.
    let lowest = A::new(2.0 * FLOOR);
    let step = select(z < lowest, lowest, z) - partial.largest;
    let is_larger = step > A::new(0.0);
    let factor = select(is_larger, -step, step).exp();
    let below = partial.weighted - step * partial.sum;
    Partial::<A> {
        largest: select(is_larger, z, partial.largest),
        sum: select(is_larger, factor * partial.sum + A::new(1.0), partial.sum + factor),
        weighted: select(is_larger, factor * below, partial.weighted + factor * step),
    }
}

/// The partial results of a row's units as one, in the first of their slots.
#[cube]
fn reduced<A: Float>(
    partial: Partial<A>,
    #[comptime] units: usize,
    #[comptime] rows_a_cube: usize,
) -> Partial<A> {
    let unit = UNIT_POS_X as usize;
    let slot = UNIT_POS_Y as usize * units + unit;
    let mut largest = Shared::<[A]>::new_slice(comptime!(units * rows_a_cube));
    let mut sum = Shared::<[A]>::new_slice(comptime!(units * rows_a_cube));
    let mut weighted = Shared::<[A]>::new_slice(comptime!(units * rows_a_cube));
    largest[slot] = partial.largest;
    sum[slot] = partial.sum;
    weighted[slot] = partial.weighted;
    sync_cube();
    let mut half = comptime!(units / 2).runtime();
    while half > 0 {
        if unit < half {
            let other = slot + half;
            let mine =
                Partial::<A> { largest: largest[slot], sum: sum[slot], weighted: weighted[slot] };
            let theirs = Partial::<A> {
                largest: largest[other],
                sum: sum[other],
                weighted: weighted[other],
            };
            let both = merged::<A>(mine, theirs);
            largest[slot] = both.largest;
            sum[slot] = both.sum;
            weighted[slot] = both.weighted;
        }
        sync_cube();
        half /= 2;
    }
    Partial::<A> { largest: largest[slot], sum: sum[slot], weighted: weighted[slot] }
}

#[cube(launch, address_type = "dynamic")]
fn token_logprobs_kernel<L: Float, I: Int, A: Float, N: Size>(
    logits: &Tensor<Vector<L, N>>,
    targets: &[I],
    output: &mut [A],
    inverse_temperature: InputScalar,
    #[comptime] units: usize,
    #[comptime] rows_a_cube: usize,
    #[define(L, I, A)] _dtypes: [ElemType; 3],
) {
    let row = CUBE_POS * rows_a_cube + UNIT_POS_Y as usize;
    let (rows, columns) = (logits.shape(0), logits.shape(1));
    let stride = logits.stride(1);
    // Units beyond the last row go along, for every unit takes part in the merging.
    let start = min(row, rows - 1) * logits.stride(0);
    let inverse = inverse_temperature.get::<A>();
    let unit = UNIT_POS_X as usize;

    let mut partial =
        Partial::<A> { largest: A::new(FLOOR), sum: A::new(0.0), weighted: A::new(0.0) };
    for column in range_stepped(unit * N::value(), columns, units * N::value()) {
        let read = logits[(start + column * stride) / N::value()];
        let scaled = Vector::<A, N>::cast_from(read);
        #[unroll]
        for lane in 0..N::value() {
            partial = extended::<A>(partial, scaled.extract(lane) * inverse);
        }
    }
    let whole = reduced::<A>(partial, units, rows_a_cube);

    if unit == 0 && row < rows {
        let target = usize::cast_from(targets[row]);
        let place = start + min(target, columns - 1) * stride;
        let read = logits[place / N::value()];
        let z = A::cast_from(read.extract_dynamic(place % N::value())) * inverse;
        // A target that does not exist has no probability; nothing is read elsewhere for it.
        let shifted = select(target < columns, z - whole.largest, A::new(FLOOR));
        let log_sum = whole.sum.ln();
        output[row * 3] = shifted - log_sum;
        output[row * 3 + 1] = log_sum - whole.weighted / whole.sum;
        output[row * 3 + 2] = whole.largest + log_sum;
    }
}

#[cube(launch, address_type = "dynamic")]
fn token_logprobs_backward_kernel<L: Float, I: Int, A: Float, U: Float, N: Size>(
    logits: &Tensor<Vector<L, N>>,
    targets: &[I],
    output: &[A],
    upstream: &Tensor<U>,
    gradient: &mut [Vector<L, N>],
    inverse_temperature: InputScalar,
    #[comptime] units: usize,
    #[comptime] rows_a_cube: usize,
    #[define(L, I, A, U)] _dtypes: [ElemType; 4],
) {
    let row = CUBE_POS * rows_a_cube + UNIT_POS_Y as usize;
    if row >= logits.shape(0) {
        terminate!();
    }
    let columns = logits.shape(1);
    let stride = logits.stride(1);
    let start = row * logits.stride(0);
    let inverse = inverse_temperature.get::<A>();
    let target = usize::cast_from(targets[row]);
    let entropy = output[row * 3 + 1];
    let lse = output[row * 3 + 2];
    let from = row * upstream.stride(0);
    let to_logprob = A::cast_from(upstream[from]);
    let to_entropy = A::cast_from(upstream[from + upstream.stride(1)]);
    let to_lse = A::cast_from(upstream[from + 2 * upstream.stride(1)]);

    let unit = UNIT_POS_X as usize;
    for column in range_stepped(unit * N::value(), columns, units * N::value()) {
        let read = Vector::<A, N>::cast_from(logits[(start + column * stride) / N::value()]);
        let mut written = Vector::<A, N>::empty();
        #[unroll]
        for lane in 0..N::value() {
            // At the floor a probability is 0, and so is its product with the entropy's part.
            let below = read.extract(lane) * inverse - lse;
            let all = select(below < A::new(FLOOR), A::new(FLOOR), below);
            let dense = all.exp() * (to_lse - to_logprob - (all + entropy) * to_entropy);
            let hot = select(column + lane == target, to_logprob, A::new(0.0));
            written.insert(lane, (dense + hot) * inverse);
        }
        gradient[(row * columns + column) / N::value()] = Vector::<L, N>::cast_from(written);
    }
}

/// How the units of a launch share the rows.
struct Layout {
    /// Units a row, a power of two.
    units: usize,
    rows_a_cube: usize,
    dim: CubeDim,
    /// As many cubes as the rows need, over the dimensions that the device has.
    count: CubeCount,
}

impl Layout {
    fn new(logits: &CubeTensor, [rows, columns]: [usize; 2]) -> Self {
        let units = (columns / COLUMNS).next_power_of_two().clamp(2, UNITS);
        let rows_a_cube = UNITS / units;
        let (cubes, each) = (rows.div_ceil(rows_a_cube), CubeDim::new_single());
        let count = calculate_cube_count_elemwise(&logits.client, cubes, each);
        let dim = CubeDim::new_2d(units as u32, rows_a_cube as u32);
        Self { units, rows_a_cube, dim, count }
    }
}

/// The operation in one launch. The logits may be a strided view.
pub(crate) fn launch(logits: CubeTensor, targets: CubeTensor, temperature: f32) -> CubeTensor {
    let shape = dims2(&logits, "logits");
    let dtype = DType::from(accumulate_dtype(logits.dtype));
    let output = empty(&logits, [shape[0], 3], dtype);
    if shape[0] == 0 {
        return output;
    }
    let targets = into_contiguous(targets);
    let Layout { units, rows_a_cube, dim, count } = Layout::new(&logits, shape);
    let elements = [element(logits.dtype), element(targets.dtype), element(dtype)];
    token_logprobs_kernel::launch(
        &output.client,
        count,
        dim,
        address_type(&[&logits, &targets, &output]),
        vector_size(&[&logits]),
        logits.into_tensor_arg(),
        targets.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        scalar(1.0 / f64::from(temperature), dtype),
        units,
        rows_a_cube,
        elements,
    );
    output
}

/// The gradient of the logits in one launch.
pub(crate) fn launch_backward(saved: Saved<CubeBackend>, upstream: CubeTensor) -> CubeTensor {
    let Saved { logits, targets, output, temperature } = saved;
    let shape = dims2(&logits, "logits");
    let gradient = empty(&logits, shape, logits.dtype);
    if shape.contains(&0) {
        return gradient;
    }
    let (targets, output) = (into_contiguous(targets), into_contiguous(output));
    let Layout { units, rows_a_cube, dim, count } = Layout::new(&logits, shape);
    let dtype = output.dtype;
    let elements = [logits.dtype, targets.dtype, dtype, upstream.dtype].map(element);
    token_logprobs_backward_kernel::launch(
        &gradient.client,
        count,
        dim,
        address_type(&[&logits, &targets, &output, &upstream, &gradient]),
        vector_size(&[&logits, &gradient]),
        logits.into_tensor_arg(),
        targets.into_buffer_arg(),
        output.into_buffer_arg(),
        upstream.into_tensor_arg(),
        gradient.clone().into_buffer_arg(),
        scalar(1.0 / f64::from(temperature), dtype),
        units,
        rows_a_cube,
        elements,
    );
    gradient
}
