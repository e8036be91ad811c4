//! The loops of `attend` on the CPU: for each row of the batch, scores, weights and sums of one
//! query at a time, in the nearest cache.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

use super::{Gradient, Saved, gradient, reference};
use crate::flex::heads::{Heads, by_token};
use crate::flex::math::exp;
use crate::flex::{LANES, add_scaled, are_f32, dot, largest, rows, simd, sum};

/// More columns than this go through matrix products: their blocking pays then.
const MOST_COLUMNS: usize = 256;

/// Queries of a key head from which on its keys are turned, so that a score is a lane.
const QUERIES_TO_TURN: usize = 4;

pub(crate) fn fused(
    q: FloatTensor<Flex>,
    k: FloatTensor<Flex>,
    v: FloatTensor<Flex>,
    bias: FloatTensor<Flex>,
    scale: f64,
) -> FloatTensor<Flex> {
    if !are_f32(&[&q, &k, &v, &bias]) || k.shape()[2] > MOST_COLUMNS {
        return reference::<Flex>(q, k, v, bias, scale);
    }
    let inputs = [q, k, v, bias].map(Heads::rows_of);
    let inputs = Inputs::of(&inputs, scale);
    let [batch, heads, time, head] = inputs.q.shape;
    let width = time * heads * head;
    let cost = width * inputs.k.shape[2] / 8;
    let [output] = rows(batch, cost, [width], |range, [output]| {
        for (row, places) in range.zip(output.chunks_exact_mut(width)) {
            simd(
                #[inline(always)]
                || inputs.mix(row, places),
            );
        }
    });
    by_token(output, [batch, heads, time, head])
}

pub(crate) fn backward(saved: Saved<Flex>, upstream: FloatTensor<Flex>) -> Gradient<Flex> {
    let Saved { q, k, v, bias, scale } = &saved;
    if !are_f32(&[q, k, v, bias, &upstream]) || k.shape()[2] > MOST_COLUMNS {
        return gradient::<Flex>(saved, upstream);
    }
    let inputs = [q, k, v, bias].map(|tensor| Heads::rows_of(tensor.clone()));
    let upstream = Heads::rows_of(upstream);
    let (inputs, upstream) = (Inputs::of(&inputs, *scale), Heads::of(&upstream));
    let ([batch, heads, time, head], [_, kv_heads, columns, _]) = (inputs.q.shape, inputs.k.shape);
    let (of_q, of_k) = (time * heads * head, columns * kv_heads * head);
    let cost = of_q * columns / 3;
    let [to_q, to_k, to_v] = rows(batch, cost, [of_q, of_k, of_k], |range, [to_q, to_k, to_v]| {
        let places = to_q.chunks_exact_mut(of_q).zip(to_k.chunks_exact_mut(of_k));
        let places = places.zip(to_v.chunks_exact_mut(of_k));
        for (row, ((to_q, to_k), to_v)) in range.zip(places) {
            simd(
                #[inline(always)]
                || inputs.gradients(row, upstream, [to_q, to_k, to_v]),
            );
        }
    });
    let keys = |numbers| by_token(numbers, [batch, kv_heads, columns, head]);
    (by_token(to_q, [batch, heads, time, head]), keys(to_k), keys(to_v))
}

/// Where everything lies.
struct Inputs<'a> {
    q: Heads<'a>,
    k: Heads<'a>,
    v: Heads<'a>,
    bias: Heads<'a>,
    scale: f32,
}

/// The rows of one key head, as they are or turned to `[d, padded columns]`.
enum Keys<'a> {
    Rows(Heads<'a>),
    Turned { numbers: Vec<f32>, padded: usize },
}

impl<'a> Keys<'a> {
    #[inline(always)]
    fn of(heads: Heads<'a>, row: usize, number: usize, queries: usize) -> Self {
        if queries < QUERIES_TO_TURN {
            return Self::Rows(heads);
        }
        let [_, _, columns, head] = heads.shape;
        let padded = columns.next_multiple_of(LANES);
        let mut numbers = vec![0.0; head * padded];
        for column in 0..columns {
            let key = heads.row(row, number, column);
            key.iter().enumerate().for_each(|(i, x)| numbers[i * padded + column] = *x);
        }
        Self::Turned { numbers, padded }
    }

    /// The products of one vector with all of them.
    #[inline(always)]
    fn products(&self, [row, number]: [usize; 2], x: &[f32], places: &mut [f32]) {
        match self {
            Self::Rows(heads) => {
                let columns = places.iter_mut().enumerate();
                columns.for_each(|(column, p)| *p = dot(x, heads.row(row, number, column)));
            }
            Self::Turned { numbers, padded } => {
                for start in (0..places.len()).step_by(LANES) {
                    let mut lanes = [0.0f32; LANES];
                    for (i, x) in x.iter().enumerate() {
                        let from = i * padded + start;
                        let keys = &numbers[from..from + LANES];
                        for lane in 0..LANES {
                            lanes[lane] = keys[lane].mul_add(*x, lanes[lane]);
                        }
                    }
                    crate::flex::store(places, start, &lanes);
                }
            }
        }
    }
}

impl<'a> Inputs<'a> {
    fn of([q, k, v, bias]: &'a [FloatTensor<Flex>; 4], scale: f64) -> Self {
        let [q, k, v, bias] = [q, k, v, bias].map(Heads::of);
        Self { q, k, v, bias, scale: scale as f32 }
    }

    /// Turns scores into weights that sum to 1.
    #[inline(always)]
    fn soften(&self, scores: &mut [f32], bias: &[f32]) {
        let places = scores.iter_mut().zip(bias);
        places.for_each(|(score, bias)| *score = score.mul_add(self.scale, *bias));
        let largest = largest(scores);
        scores.iter_mut().for_each(|score| *score = exp(*score - largest));
        let factor = 1.0 / sum(scores);
        scores.iter_mut().for_each(|score| *score *= factor);
    }

    /// The output of one row of the batch, `[T, H, d]`.
    #[inline(always)]
    fn mix(&self, row: usize, output: &mut [f32]) {
        let ([_, heads, time, head], [_, kv_heads, columns, _]) = (self.q.shape, self.k.shape);
        let group = heads / kv_heads;
        let mut weights = vec![0.0; columns];
        for kv in 0..kv_heads {
            let keys = Keys::of(self.k, row, kv, group * time);
            for number in kv * group..(kv + 1) * group {
                for t in 0..time {
                    keys.products([row, kv], self.q.row(row, number, t), &mut weights);
                    self.soften(&mut weights, self.bias.row(row, 0, t));
                    let start = (t * heads + number) * head;
                    let places = &mut output[start..start + head];
                    for (column, weight) in weights.iter().enumerate() {
                        // Hidden columns have weight 0, half of all in causal attention.
                        if *weight != 0.0 {
                            add_scaled(places, self.v.row(row, kv, column), *weight);
                        }
                    }
                }
            }
        }
    }

    /// The gradients of one row of the batch, `[T, H, d]` and twice `[C, K, d]`.
    #[inline(always)]
    fn gradients(&self, row: usize, upstream: Heads<'_>, [to_q, to_k, to_v]: [&mut [f32]; 3]) {
        let ([_, heads, time, head], [_, kv_heads, columns, _]) = (self.q.shape, self.k.shape);
        let group = heads / kv_heads;
        let [mut weights, mut pulls] = [vec![0.0; columns], vec![0.0; columns]];
        for kv in 0..kv_heads {
            let keys = Keys::of(self.k, row, kv, group * time);
            let values = Keys::of(self.v, row, kv, group * time);
            for number in kv * group..(kv + 1) * group {
                for t in 0..time {
                    let (q, up) = (self.q.row(row, number, t), upstream.row(row, number, t));
                    keys.products([row, kv], q, &mut weights);
                    self.soften(&mut weights, self.bias.row(row, 0, t));
                    values.products([row, kv], up, &mut pulls);
                    let mean = dot(&weights, &pulls);
                    let start = (t * heads + number) * head;
                    let to_q = &mut to_q[start..start + head];
                    for (column, weight) in weights.iter().enumerate() {
                        if *weight == 0.0 {
                            continue;
                        }
                        let pull = weight * (pulls[column] - mean) * self.scale;
                        let start = (column * kv_heads + kv) * head;
                        add_scaled(to_q, self.k.row(row, kv, column), pull);
                        add_scaled(&mut to_k[start..start + head], q, pull);
                        add_scaled(&mut to_v[start..start + head], up, *weight);
                    }
                }
            }
        }
    }
}
