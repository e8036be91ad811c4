//! The loops of `attend` on the CPU: for each row of the batch and each head, scores, weights and
//! sums in the nearest cache.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

use super::{Gradient, Saved, gradient, reference};
use crate::flex::heads::{Heads, by_token};
use crate::flex::math::exp;
use crate::flex::{LANES, are_f32, dot, largest, load, rows, simd, store, sum};

/// More columns than this go through matrix products: their blocking pays then.
pub(crate) const MOST_COLUMNS: usize = 256;

/// Queries of a key head from which on its keys are turned, so that a score is a lane.
const QUERIES_TO_TURN: usize = 4;

/// Queries whose scores are computed side by side.
const TILE: usize = 4;

/// A column is hidden by a bias of at most this, whatever its score.
const UNSEEN: f32 = -1e8;

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
    let [q, k, v, bias] = inputs.each_ref().map(Heads::of);
    let inputs = Inputs { q, k, v, bias, scale: scale as f32 };
    let [batch, heads, time, head] = inputs.q.shape;
    let width = time * heads * head;
    let cost = width * inputs.k.shape[2] / 8;
    let [output] = rows(batch, cost, [width], |range, [output]| {
        inputs.mix(range, output);
    });
    by_token(output, [batch, heads, time, head])
}

pub(crate) fn backward(saved: Saved<Flex>, upstream: FloatTensor<Flex>) -> Gradient<Flex> {
    let Saved { q, k, v, bias, scale } = &saved;
    if !are_f32(&[q, k, v, bias, &upstream]) || k.shape()[2] > MOST_COLUMNS {
        return gradient::<Flex>(saved, upstream);
    }
    let tensors = [q, k, v, bias].map(|tensor| Heads::rows_of(tensor.clone()));
    let upstream = Heads::rows_of(upstream);
    let [q, k, v, bias] = tensors.each_ref().map(Heads::of);
    let (inputs, upstream) = (Inputs { q, k, v, bias, scale: *scale as f32 }, Heads::of(&upstream));
    let ([batch, heads, time, head], [_, kv_heads, columns, _]) = (q.shape, k.shape);
    let (of_q, of_k) = (time * heads * head, columns * kv_heads * head);
    let cost = of_q * columns / 3;
    let [to_q, to_k, to_v] = rows(batch, cost, [of_q, of_k, of_k], |range, places| {
        inputs.gradients(range, upstream, places);
    });
    let keys = |numbers| by_token(numbers, [batch, kv_heads, columns, head]);
    (by_token(to_q, [batch, heads, time, head]), keys(to_k), keys(to_v))
}

/// Where everything lies.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) q: Heads<'a>,
    pub(crate) k: Heads<'a>,
    pub(crate) v: Heads<'a>,
    pub(crate) bias: Heads<'a>,
    pub(crate) scale: f32,
}

/// Room for the work on one head.
struct Room {
    /// Columns, up to a whole number of lanes.
    padded: usize,
    /// Keys and values turned, `[d, padded]`.
    turned: [Vec<f32>; 2],
    /// Weights, and what pulls at the scores, `[T, padded]`.
    weights: Vec<f32>,
    pulls: Vec<f32>,
    /// For each query the columns up to the last one that it sees.
    ends: Vec<usize>,
    /// For each column the first query that may see it.
    begins: Vec<usize>,
}

impl Room {
    fn new(inputs: &Inputs<'_>) -> Self {
        let ([_, _, time, head], [_, _, columns, _]) = (inputs.q.shape, inputs.k.shape);
        let padded = columns.next_multiple_of(LANES);
        let matrix = || vec![0.0; time * padded];
        let turned = [vec![0.0; head * padded], vec![0.0; head * padded]];
        let (ends, begins) = (vec![0; time], vec![0; columns]);
        Self { padded, turned, weights: matrix(), pulls: matrix(), ends, begins }
    }

    /// Finds out who sees what in a row of the batch.
    #[inline(always)]
    fn look(&mut self, bias: Heads<'_>, row: usize) {
        let columns = self.begins.len();
        self.begins.fill(self.ends.len());
        let mut seen = 0;
        for (t, end) in self.ends.iter_mut().enumerate() {
            let bias = &bias.row(row, 0, t)[..columns];
            let last = bias.iter().rposition(|bias| *bias > UNSEEN);
            // Who sees nothing has equal weights everywhere.
            *end = last.map_or(columns, |last| last + 1);
            for begin in self.begins.iter_mut().take(*end).skip(seen) {
                *begin = t;
            }
            seen = seen.max(*end);
        }
    }
}

/// The rows of one key head as columns, `[d, padded]`.
#[inline(always)]
fn turn(heads: Heads<'_>, [row, number]: [usize; 2], padded: usize, places: &mut [f32]) {
    let [_, _, columns, _] = heads.shape;
    for column in 0..columns {
        let key = heads.row(row, number, column);
        key.iter().enumerate().for_each(|(i, x)| places[i * padded + column] = *x);
    }
}

/// The products of each query with the first `ends[t]` keys, and some more, `[T, padded]`.
#[inline(always)]
fn products(
    queries: Heads<'_>,
    [row, number]: [usize; 2],
    turned: &[f32],
    room: (&[usize], usize),
    places: &mut [f32],
) {
    let ((ends, padded), time) = (room, room.0.len());
    for first in (0..time).step_by(TILE) {
        let tile: [&[f32]; TILE] = [
            queries.row(row, number, first),
            queries.row(row, number, (first + 1).min(time - 1)),
            queries.row(row, number, (first + 2).min(time - 1)),
            queries.row(row, number, (first + 3).min(time - 1)),
        ];
        let last = (first + TILE).min(time);
        let end = ends[first..last].iter().fold(0, |most, end| most.max(*end));
        for start in (0..end).step_by(LANES) {
            let mut lanes = [[0.0f32; LANES]; TILE];
            for i in 0..tile[0].len() {
                let keys = load(turned, i * padded + start);
                for (lanes, query) in lanes.iter_mut().zip(&tile) {
                    let x = query[i];
                    for lane in 0..LANES {
                        lanes[lane] = keys[lane].mul_add(x, lanes[lane]);
                    }
                }
            }
            for (t, lanes) in (first..last).zip(&lanes) {
                store(&mut places[..(t + 1) * padded], t * padded + start, lanes);
            }
        }
    }
}

/// `places += sum of weight(i) row(i)`.
#[inline(always)]
fn combine<'a>(
    places: &mut [f32],
    terms: std::ops::Range<usize>,
    weight: impl Fn(usize) -> f32,
    row: impl Fn(usize) -> &'a [f32],
) {
    let (mut start, width) = (0, places.len());
    while start + 2 * LANES <= width {
        let [mut first, mut second] = [load(places, start), load(places, start + LANES)];
        for i in terms.clone() {
            let (weight, row) = (weight(i), row(i));
            let [a, b] = [load(row, start), load(row, start + LANES)];
            for lane in 0..LANES {
                first[lane] = a[lane].mul_add(weight, first[lane]);
                second[lane] = b[lane].mul_add(weight, second[lane]);
            }
        }
        store(places, start, &first);
        store(places, start + LANES, &second);
        start += 2 * LANES;
    }
    while start < width {
        let mut sums = load(places, start);
        for i in terms.clone() {
            let (weight, row) = (weight(i), load(row(i), start));
            for lane in 0..LANES {
                sums[lane] = row[lane].mul_add(weight, sums[lane]);
            }
        }
        store(places, start, &sums);
        start += LANES;
    }
}

impl Inputs<'_> {
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

    /// The weights of all queries of a head.
    #[inline(always)]
    fn weigh(&self, row: usize, [number, kv]: [usize; 2], room: &mut Room) {
        let [_, heads, time, _] = self.q.shape;
        let Room { padded, turned, weights, ends, .. } = room;
        let padded = *padded;
        if heads / self.k.shape[1] * time < QUERIES_TO_TURN {
            for t in 0..time {
                let query = self.q.row(row, number, t);
                let places = weights[t * padded..].iter_mut().take(ends[t]).enumerate();
                places.for_each(|(c, place)| *place = dot(query, self.k.row(row, kv, c)));
            }
        } else {
            products(self.q, [row, number], &turned[0], (ends, padded), weights);
        }
        for (t, end) in ends.iter().enumerate() {
            let scores = &mut weights[t * padded..t * padded + end];
            self.soften(scores, self.bias.row(row, 0, t));
        }
    }

    /// The output of some rows of the batch, `[T, H, d]` each.
    pub(crate) fn mix(&self, rows: std::ops::Range<usize>, output: &mut [f32]) {
        let [_, heads, time, head] = self.q.shape;
        let mut room = Room::new(self);
        for (row, places) in rows.zip(output.chunks_exact_mut(time * heads * head)) {
            simd(
                #[inline(always)]
                || self.mix_row(row, places, &mut room),
            );
        }
    }

    #[inline(always)]
    fn mix_row(&self, row: usize, output: &mut [f32], room: &mut Room) {
        let ([_, heads, time, head], kv_heads) = (self.q.shape, self.k.shape[1]);
        let group = heads / kv_heads;
        room.look(self.bias, row);
        output.fill(0.0);
        for number in 0..heads {
            let kv = number / group;
            if number % group == 0 && group * time >= QUERIES_TO_TURN {
                turn(self.k, [row, kv], room.padded, &mut room.turned[0]);
            }
            self.weigh(row, [number, kv], room);
            for t in 0..time {
                let start = (t * heads + number) * head;
                let weights = &room.weights[t * room.padded..];
                combine(
                    &mut output[start..start + head],
                    0..room.ends[t],
                    #[inline(always)]
                    |column| weights[column],
                    #[inline(always)]
                    |column| self.v.row(row, kv, column),
                );
            }
        }
    }

    /// Adds the gradients of some rows of the batch, `[T, H, d]` and twice `[C, K, d]` each.
    pub(crate) fn gradients(
        &self,
        rows: std::ops::Range<usize>,
        upstream: Heads<'_>,
        [to_q, to_k, to_v]: [&mut [f32]; 3],
    ) {
        let ([_, heads, time, head], [_, kv_heads, columns, _]) = (self.q.shape, self.k.shape);
        let of_k = columns * kv_heads * head;
        let mut room = Room::new(self);
        let places = to_q.chunks_exact_mut(time * heads * head).zip(to_k.chunks_exact_mut(of_k));
        for (row, ((to_q, to_k), to_v)) in rows.zip(places.zip(to_v.chunks_exact_mut(of_k))) {
            simd(
                #[inline(always)]
                || self.row_gradients(row, upstream, [to_q, to_k, to_v], &mut room),
            );
        }
    }

    #[inline(always)]
    fn row_gradients(
        &self,
        row: usize,
        upstream: Heads<'_>,
        [to_q, to_k, to_v]: [&mut [f32]; 3],
        room: &mut Room,
    ) {
        let ([_, heads, _, head], kv_heads) = (self.q.shape, self.k.shape[1]);
        let group = heads / kv_heads;
        room.look(self.bias, row);
        for number in 0..heads {
            let kv = number / group;
            if number % group == 0 {
                turn(self.k, [row, kv], room.padded, &mut room.turned[0]);
                turn(self.v, [row, kv], room.padded, &mut room.turned[1]);
            }
            self.weigh(row, [number, kv], room);
            self.pull(row, number, upstream, room);
            let (padded, time) = (room.padded, room.ends.len());
            for t in 0..time {
                let start = (t * heads + number) * head;
                let pulls = &room.pulls[t * padded..];
                combine(
                    &mut to_q[start..start + head],
                    0..room.ends[t],
                    #[inline(always)]
                    |column| pulls[column],
                    #[inline(always)]
                    |column| self.k.row(row, kv, column),
                );
            }
            for (column, begin) in room.begins.iter().enumerate() {
                let start = (column * kv_heads + kv) * head;
                combine(
                    &mut to_k[start..start + head],
                    *begin..time,
                    #[inline(always)]
                    |t| room.pulls[t * padded + column],
                    #[inline(always)]
                    |t| self.q.row(row, number, t),
                );
                combine(
                    &mut to_v[start..start + head],
                    *begin..time,
                    #[inline(always)]
                    |t| room.weights[t * padded + column],
                    #[inline(always)]
                    |t| upstream.row(row, number, t),
                );
            }
        }
    }

    /// The gradients of the scores of a head, times the scale.
    #[inline(always)]
    fn pull(&self, row: usize, number: usize, upstream: Heads<'_>, room: &mut Room) {
        let Room { padded, turned, weights, pulls, ends, .. } = room;
        let padded = *padded;
        products(upstream, [row, number], &turned[1], (ends, padded), pulls);
        for (t, end) in ends.iter().enumerate() {
            let weights = &mut weights[t * padded..(t + 1) * padded];
            let pulls = &mut pulls[t * padded..(t + 1) * padded];
            let mean = dot(&weights[..*end], &pulls[..*end]);
            for (pull, weight) in pulls.iter_mut().zip(&*weights).take(*end) {
                *pull = weight * (*pull - mean) * self.scale;
            }
            // Columns that a later query sees and this one does not.
            pulls[*end..].fill(0.0);
            weights[*end..].fill(0.0);
        }
    }
}
