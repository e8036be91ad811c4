//! The loops of `token_logprobs` on the CPU: one pass over a row forward, one pass backward.

use burn::backend::{
    Flex,
    tensor::{FloatTensor, IntTensor},
};

use super::{FLOOR, Saved, gradient, reference};
use crate::flex::math::exp;
use crate::flex::{LANES, are_f32, dense, ids, largest, numbers, rows, simd, tensor, total};
use crate::primitive::dims2;

/// Numbers of a row that are read twice while they are in the nearest cache.
const BLOCK: usize = 128 * LANES;

/// The operation on the CPU; tensor operations for types other than `f32`.
///
/// # Panics
/// If a target is no column.
pub(crate) fn fused(
    logits: FloatTensor<Flex>,
    targets: IntTensor<Flex>,
    temperature: f32,
) -> FloatTensor<Flex> {
    if !are_f32(&[&logits]) {
        return reference::<Flex>(logits, targets, temperature);
    }
    let [count, vocabulary] = dims2(&logits, "logits");
    let logits = dense(logits);
    let (logits, targets) = (numbers(&logits), ids(&targets, vocabulary, "target"));
    let inverse = 1.0 / temperature;
    let [output] = rows(count, vocabulary, [3], |range, [output]| {
        simd(
            #[inline(always)]
            || {
                for (row, places) in range.zip(output.chunks_exact_mut(3)) {
                    let row_logits = &logits[row * vocabulary..(row + 1) * vocabulary];
                    let sums = RowSums::of(row_logits, inverse);
                    let log_sum = sums.sum.ln();
                    places[0] = row_logits[targets[row]] * inverse - sums.largest - log_sum;
                    places[1] = log_sum - sums.weighted / sums.sum;
                    places[2] = sums.largest + log_sum;
                }
            },
        );
    });
    tensor(output, [count, 3])
}

/// Sums over a row with `s_v = z_v - largest`.
struct RowSums {
    largest: f32,
    /// `sum exp(s_v)`.
    sum: f32,
    /// `sum exp(s_v) s_v`.
    weighted: f32,
}

impl RowSums {
    /// Block after block: what was summed is scaled down when a larger logit comes.
    #[inline(always)]
    fn of(row: &[f32], inverse: f32) -> Self {
        let mut sums = Self { largest: f32::NEG_INFINITY, sum: 0.0, weighted: 0.0 };
        for block in row.chunks(BLOCK) {
            let largest = largest(block) * inverse;
            if largest > sums.largest {
                // exp(-inf) is 0: before the first block there is nothing to scale.
                let step = sums.largest - largest;
                let factor = exp(step);
                let moved = if sums.sum > 0.0 { sums.sum * step } else { 0.0 };
                sums.weighted = (sums.weighted + moved) * factor;
                sums.sum *= factor;
                sums.largest = largest;
            }
            let shift = if sums.largest == f32::NEG_INFINITY { 0.0 } else { sums.largest };
            let [sum, weighted] = block_sums(block, inverse, shift);
            sums.sum += sum;
            sums.weighted += weighted;
        }
        sums
    }
}

/// `sum exp(s)` and `sum exp(s) s` over a block, in lanes of their own.
#[inline(always)]
fn block_sums(block: &[f32], inverse: f32, shift: f32) -> [f32; 2] {
    let mut sums = [[0.0f32; LANES]; 2];
    let mut add = |part: &[f32; LANES]| {
        for lane in 0..LANES {
            let shifted = part[lane].mul_add(inverse, -shift);
            let exponential = exp(shifted);
            let floored = if shifted < FLOOR { FLOOR } else { shifted };
            sums[0][lane] += exponential;
            sums[1][lane] = exponential.mul_add(floored, sums[1][lane]);
        }
    };
    let (whole, rest) = block.as_chunks::<LANES>();
    whole.iter().for_each(&mut add);
    if !rest.is_empty() {
        let mut last = [f32::NEG_INFINITY; LANES];
        last[..rest.len()].copy_from_slice(rest);
        add(&last);
    }
    [total(sums[0]), total(sums[1])]
}

/// The gradient on the CPU, in one pass from the logits and the three columns.
pub(crate) fn backward(saved: Saved<Flex>, upstream: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if !are_f32(&[&saved.logits, &saved.output, &upstream]) {
        return gradient::<Flex>(saved, upstream);
    }
    let [count, vocabulary] = dims2(&saved.logits, "logits");
    let [logits, output, upstream] = [saved.logits, saved.output, upstream].map(dense);
    let [logits, output, upstream] = [&logits, &output, &upstream].map(numbers);
    let targets = ids(&saved.targets, vocabulary, "target");
    let inverse = 1.0 / saved.temperature;
    let [whole] = rows(count, vocabulary, [vocabulary], |range, [whole]| {
        simd(
            #[inline(always)]
            || {
                for (row, places) in range.zip(whole.chunks_exact_mut(vocabulary)) {
                    let to = &upstream[row * 3..row * 3 + 3];
                    if to == [0.0; 3] {
                        continue;
                    }
                    let [entropy, lse] = [output[row * 3 + 1], output[row * 3 + 2]];
                    let row = RowGradient { inverse, lse, entropy, to, target: targets[row], row };
                    row.write(logits, places);
                }
            },
        );
    });
    tensor(whole, [count, vocabulary])
}

/// `p ((g_lse - g_logprob) - (z - lse + entropy) g_entropy)`, and `g_logprob` at the target.
struct RowGradient<'a> {
    inverse: f32,
    lse: f32,
    entropy: f32,
    /// Upstream gradients of log-probability, entropy and log-sum-exp.
    to: &'a [f32],
    target: usize,
    row: usize,
}

impl RowGradient<'_> {
    #[inline(always)]
    fn write(&self, logits: &[f32], places: &mut [f32]) {
        let logits = &logits[self.row * places.len()..(self.row + 1) * places.len()];
        let [to_logprob, to_entropy, to_lse] = [self.to[0], self.to[1], self.to[2]];
        let plain = (to_lse - to_logprob - self.entropy * to_entropy) * self.inverse;
        let slope = -to_entropy * self.inverse;
        for (place, logit) in places.iter_mut().zip(logits) {
            let log = logit.mul_add(self.inverse, -self.lse);
            let floored = if log < FLOOR { FLOOR } else { log };
            *place = exp(log) * floored.mul_add(slope, plain);
        }
        places[self.target] += to_logprob * self.inverse;
    }
}
