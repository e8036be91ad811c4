//! The loops of `self_attention` on the CPU: some rows of the batch at a time through everything.

use std::ops::Range;

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{
    Attended, AttentionConstants, AttentionParameters, AttentionRule, gradient, reference,
};
use crate::attend::flex::{Inputs, MOST_COLUMNS};
use crate::feed_forward::nothing;
use crate::flex::blocks::{groups, part_rows, sum_of, with_room};
use crate::flex::heads::Heads;
use crate::flex::product::{Matrix, Onto, product};
use crate::flex::{NUMBERS_A_TASK, add_scaled, are_f32, dense, numbers, rows, simd, tensor};
use crate::primitive::dims2;
use crate::rms_norm::flex::{normalize, normalize_backward};
use crate::rotate::flex::turn;

/// Numbers of a weight from which on the products by themselves, on all cores, are faster.
const MOST_NUMBERS: usize = 1 << 20;

/// Parameters and constants in order.
struct Layer<'a> {
    gamma: &'a [f32],
    query: Matrix<'a>,
    key: Matrix<'a>,
    value: Matrix<'a>,
    /// Of queries, keys and values.
    biases: [&'a [f32]; 3],
    output: Matrix<'a>,
    cos: Heads<'a>,
    sin: Heads<'a>,
    bias: Heads<'a>,
    rule: AttentionRule,
    sizes: Sizes,
}

/// Numbers of a token: in and out, of all queries and of all keys.
#[derive(Clone, Copy)]
struct Sizes {
    width: usize,
    queries: usize,
    keys: usize,
}

impl<'a> Layer<'a> {
    fn of(
        parameters: &'a AttentionParameters<Flex>,
        view: &'a AttentionConstants<Flex>,
        rule: AttentionRule,
    ) -> Self {
        let AttentionParameters { gamma, query, key, value, output, .. } = parameters;
        let AttentionParameters { query_bias, key_bias, value_bias, .. } = parameters;
        let ([width, queries], [_, keys]) = (dims2(query, "query"), dims2(key, "key"));
        Self {
            gamma: numbers(gamma),
            query: Matrix::of_rows(numbers(query), queries),
            key: Matrix::of_rows(numbers(key), keys),
            value: Matrix::of_rows(numbers(value), keys),
            biases: [query_bias, key_bias, value_bias].map(numbers),
            output: Matrix::of_rows(numbers(output), width),
            cos: Heads::of(&view.cos),
            sin: Heads::of(&view.sin),
            bias: Heads::of(&view.bias),
            rule,
            sizes: Sizes { width, queries, keys },
        }
    }

    /// Attention within some rows of the batch, from `first` on.
    fn inputs<'b>(&'b self, first: usize, heads: [&'b [f32]; 3]) -> Inputs<'b> {
        let AttentionRule { heads: of_queries, kv_heads, time, scale, .. } = self.rule;
        let [query, key, value] = heads;
        let head = self.sizes.queries / of_queries;
        let batch = query.len() / (time * self.sizes.queries);
        let split = |numbers, heads| Heads::by_token(numbers, [batch, heads, time, head]);
        Inputs {
            q: split(query, of_queries),
            k: split(key, kv_heads),
            v: split(value, kv_heads),
            bias: self.bias.starting_at(first),
            scale: scale as f32,
        }
    }

    fn turn(&self, first: usize, heads: usize, back: bool, places: &mut [f32]) {
        let angles = [self.cos.starting_at(first), self.sin.starting_at(first)];
        turn(places, [self.rule.time, heads], angles, back);
    }
}

/// Parameters and constants where the loops want them, or as they were if the loops are not for them.
fn prepared(
    parameters: AttentionParameters<Flex>,
    view: AttentionConstants<Flex>,
    rule: AttentionRule,
    others: &[&FloatTensor<Flex>],
) -> (bool, AttentionParameters<Flex>, AttentionConstants<Flex>) {
    let AttentionParameters { gamma, query, key, value, output, .. } = &parameters;
    let AttentionParameters { query_bias, key_bias, value_bias, .. } = &parameters;
    let [width, queries] = dims2(query, "query");
    let all = [gamma, query, key, value, output, query_bias, key_bias, value_bias];
    let fits = width * queries <= MOST_NUMBERS && rule.time <= MOST_COLUMNS;
    let is_some = dims2(others[0], "rows")[0] > 1;
    let constants = [&view.cos, &view.sin, &view.bias];
    if !fits || !is_some || !are_f32(&all) || !are_f32(&constants) || !are_f32(others) {
        return (false, parameters, view);
    }
    let parameters = AttentionParameters {
        gamma: dense(parameters.gamma),
        query: dense(parameters.query),
        key: dense(parameters.key),
        value: dense(parameters.value),
        query_bias: dense(parameters.query_bias),
        key_bias: dense(parameters.key_bias),
        value_bias: dense(parameters.value_bias),
        output: dense(parameters.output),
    };
    let [cos, sin, bias] = [view.cos, view.sin, view.bias].map(Heads::rows_of);
    (true, parameters, AttentionConstants { cos, sin, bias })
}

pub(crate) fn fused(
    x: FloatTensor<Flex>,
    parameters: AttentionParameters<Flex>,
    view: AttentionConstants<Flex>,
    rule: AttentionRule,
    keep: bool,
) -> Attended<Flex> {
    let (is_fused, parameters, view) = prepared(parameters, view, rule, &[&x]);
    if !is_fused {
        return reference::<Flex>(x, parameters, view, rule);
    }
    let x = dense(x);
    let layer = Layer::of(&parameters, &view, rule);
    let (shape, input, time) = (x.shape(), numbers(&x), rule.time);
    let Sizes { width, queries, keys } = layer.sizes;
    let batch = input.len() / (time * width);
    let kept = if keep { [queries, keys, keys, queries].map(|size| size * time) } else { [0; 4] };
    let [a, b, c, d] = kept;
    let cost = NUMBERS_A_TASK * time / part_rows(queries.max(width));
    let outputs = rows(batch, cost, [time * width, a, b, c, d], |range, places| {
        let [output, query, key, value, mixed] = places;
        let x = &input[range.start * time * width..range.end * time * width];
        output.copy_from_slice(x);
        if keep {
            return layer.forward(range.start, x, output, [query, key, value, mixed]);
        }
        let tokens = range.len() * time;
        let sizes = [queries, keys, keys, queries].map(|size| size * tokens);
        with_room(sizes, |places| layer.forward(range.start, x, output, places));
    });
    let [output, query, key, value, mixed] = outputs;
    let output = tensor(output, shape);
    if !keep {
        let nothing = nothing::<Flex>(&output);
        let [query, key, value, mixed] = [&nothing; 4].map(Clone::clone);
        return Attended { output, query, key, value, mixed };
    }
    let [of_queries, of_keys] = [queries, keys].map(|size| [batch * time, size]);
    Attended {
        output,
        query: tensor(query, of_queries),
        key: tensor(key, of_keys),
        value: tensor(value, of_keys),
        mixed: tensor(mixed, of_queries),
    }
}

impl Layer<'_> {
    /// Adds to `output` what the layer makes of the rows `x`, the first of which is `first`.
    fn forward(&self, first: usize, x: &[f32], output: &mut [f32], kept: [&mut [f32]; 4]) {
        let [query, key, value, mixed] = kept;
        let AttentionRule { heads, kv_heads, epsilon, .. } = self.rule;
        with_room([x.len()], |[h]| {
            normalize(x, self.gamma, epsilon as f32, h);
            let h = Matrix::of_rows(h, self.sizes.width);
            project(query, h, self.query, self.biases[0]);
            project(key, h, self.key, self.biases[1]);
            project(value, h, self.value, self.biases[2]);
        });
        self.turn(first, heads, false, query);
        self.turn(first, kv_heads, false, key);
        let inputs = self.inputs(first, [query, key, value]);
        inputs.mix(0..inputs.q.shape[0], mixed);
        let mixed = Matrix::of_rows(mixed, self.sizes.queries);
        product(output, Onto::Present, mixed, self.output);
    }
}

/// `h weight + bias`.
fn project(places: &mut [f32], h: Matrix<'_>, weight: Matrix<'_>, bias: &[f32]) {
    places.chunks_exact_mut(bias.len()).for_each(|row| row.copy_from_slice(bias));
    product(places, Onto::Present, h, weight);
}

pub(crate) fn backward(
    saved: Attended<Flex>,
    parameters: AttentionParameters<Flex>,
    view: AttentionConstants<Flex>,
    upstream: FloatTensor<Flex>,
    rule: AttentionRule,
) -> (FloatTensor<Flex>, AttentionParameters<Flex>) {
    let Attended { output: x, query, key, value, mixed } = &saved;
    let others = [&upstream, x, query, key, value, mixed];
    let (is_fused, parameters, view) = prepared(parameters, view, rule, &others);
    if !is_fused {
        return gradient::<Flex>(saved, parameters, view, upstream, rule);
    }
    let Attended { output: x, query, key, value, mixed } = saved;
    let tensors = [x, query, key, value, mixed, upstream].map(dense);
    let [x, query, key, value, mixed, upstream] = tensors.each_ref().map(numbers);
    let saved = Saved { x, heads: [query, key, value], mixed, upstream };
    let layer = Layer::of(&parameters, &view, rule);
    let Sizes { width, queries, keys } = layer.sizes;
    let mut to_x = vec![0.0; x.len()];
    let sizes = Sums::sizes(layer.sizes);
    let groups = groups(x.len() / width, queries.max(width), rule.time, sizes.iter().sum());
    let parts = to_x.par_chunks_mut(groups.rows * width).enumerate().map(|(group, to_x)| {
        let mut sums = sizes.map(|size| vec![0.0; size]);
        let start = group * groups.rows;
        for (part, to_x) in groups.parts(start..start + to_x.len() / width, to_x, width) {
            let first = part.start / rule.time;
            layer.backward(first, saved.rows(part, layer.sizes), to_x, Sums::of(&mut sums));
        }
        sums
    });
    let sums = sum_of(parts.collect(), sizes);
    let [gamma, query, key, value, query_bias, key_bias, value_bias, output] = sums;
    let to_parameters = AttentionParameters {
        gamma: tensor(gamma, [width]),
        query: tensor(query, [width, queries]),
        key: tensor(key, [width, keys]),
        value: tensor(value, [width, keys]),
        query_bias: tensor(query_bias, [queries]),
        key_bias: tensor(key_bias, [keys]),
        value_bias: tensor(value_bias, [keys]),
        output: tensor(output, [queries, width]),
    };
    (tensor(to_x, tensors[0].shape()), to_parameters)
}

/// What the gradient starts from.
#[derive(Clone, Copy)]
struct Saved<'a> {
    x: &'a [f32],
    /// Queries, keys and values.
    heads: [&'a [f32]; 3],
    mixed: &'a [f32],
    upstream: &'a [f32],
}

impl<'a> Saved<'a> {
    fn rows(self, rows: Range<usize>, sizes: Sizes) -> Self {
        let of = |numbers: &'a [f32], width| &numbers[rows.start * width..rows.end * width];
        let Sizes { width, queries, keys } = sizes;
        let [query, key, value] = self.heads;
        Self {
            x: of(self.x, width),
            heads: [of(query, queries), of(key, keys), of(value, keys)],
            mixed: of(self.mixed, queries),
            upstream: of(self.upstream, width),
        }
    }
}

/// The gradients of the parameters so far.
struct Sums<'a> {
    gamma: &'a mut [f32],
    /// Of queries, keys and values.
    weights: [&'a mut [f32]; 3],
    biases: [&'a mut [f32]; 3],
    output: &'a mut [f32],
}

impl<'a> Sums<'a> {
    fn sizes(Sizes { width, queries, keys }: Sizes) -> [usize; 8] {
        let of_keys = width * keys;
        [width, width * queries, of_keys, of_keys, queries, keys, keys, queries * width]
    }

    fn of(sums: &'a mut [Vec<f32>; 8]) -> Self {
        let [gamma, query, key, value, query_bias, key_bias, value_bias, output] = sums;
        Self {
            gamma,
            weights: [query, key, value],
            biases: [query_bias, key_bias, value_bias],
            output,
        }
    }
}

impl Layer<'_> {
    /// Writes the gradient of some rows and adds theirs to those of the parameters.
    fn backward(&self, first: usize, saved: Saved<'_>, to_x: &mut [f32], sums: Sums<'_>) {
        let Saved { x, heads, mixed, upstream } = saved;
        let [query, key, value] = heads.map(<[f32]>::len);
        let sizes = [query, query, key, value, x.len(), x.len()];
        with_room(sizes, |[to_mixed, to_query, to_key, to_value, h, to_h]| {
            let upstream_rows = Matrix::of_rows(upstream, self.sizes.width);
            product(to_mixed, Onto::Nothing, upstream_rows, self.output.turned());
            let mixed = Matrix::of_rows(mixed, self.sizes.queries).turned();
            product(sums.output, Onto::Present, mixed, upstream_rows);
            let mut to_heads = [to_query, to_key, to_value];
            self.heads_backward(first, heads, to_mixed, &mut to_heads);

            normalize(x, self.gamma, self.rule.epsilon as f32, h);
            let (weights, biases) = (sums.weights, sums.biases);
            self.project_backward(h, to_heads, to_h, [weights, biases]);
            to_x.copy_from_slice(upstream);
            let inputs = [x, self.gamma, to_h];
            normalize_backward(inputs, self.rule.epsilon as f32, to_x, sums.gamma);
        });
    }

    /// The gradients of what was projected to queries, keys and values.
    fn heads_backward(
        &self,
        first: usize,
        heads: [&[f32]; 3],
        to_mixed: &[f32],
        [to_query, to_key, to_value]: &mut [&mut [f32]; 3],
    ) {
        let AttentionRule { heads: of_queries, kv_heads, .. } = self.rule;
        let inputs = self.inputs(first, heads);
        let upstream = Heads::by_token(to_mixed, inputs.q.shape);
        [&mut **to_query, to_key, to_value].into_iter().for_each(|places| places.fill(0.0));
        inputs.gradients(0..inputs.q.shape[0], upstream, [to_query, to_key, to_value]);
        self.turn(first, of_queries, true, to_query);
        self.turn(first, kv_heads, true, to_key);
    }

    /// The gradients of what is projected, and of weights and biases.
    fn project_backward(
        &self,
        h: &[f32],
        to_heads: [&mut [f32]; 3],
        to_h: &mut [f32],
        [to_weights, to_biases]: [[&mut [f32]; 3]; 2],
    ) {
        let Sizes { width, queries, keys } = self.sizes;
        let h = Matrix::of_rows(h, width).turned();
        let weights = [self.query, self.key, self.value];
        let parts = to_heads.into_iter().zip(weights).zip([queries, keys, keys]);
        let parts = parts.zip(to_weights).zip(to_biases).enumerate();
        for (number, ((((to, weight), width), to_weight), to_bias)) in parts {
            let rows = Matrix::of_rows(to, width);
            product(to_weight, Onto::Present, h, rows);
            simd(
                #[inline(always)]
                || to.chunks_exact(width).for_each(|row| add_scaled(to_bias, row, 1.0)),
            );
            let onto = if number == 0 { Onto::Nothing } else { Onto::Present };
            product(to_h, onto, rows, weight.turned());
        }
    }
}
