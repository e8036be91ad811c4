//! The loops of `feed_forward` on the CPU: some rows at a time through everything.

use std::ops::Range;

use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

use super::{FeedForwardParameters, FeedForwardSaved, gradient, nothing, reference};
use crate::flex::blocks::{groups, part_rows, sum_of, with_room};
use crate::flex::product::{Matrix, Onto, product};
use crate::flex::{NUMBERS_A_TASK, are_f32, dense, numbers, rows, tensor};
use crate::primitive::dims2;
use crate::rms_norm::flex::{normalize, normalize_backward};
use crate::swiglu::flex::{activate, activate_backward};

/// Numbers of a weight from which on the products by themselves, on all cores, are faster.
const MOST_NUMBERS: usize = 1 << 20;

/// The weights in order.
struct Weights<'a> {
    gamma: &'a [f32],
    gate: Matrix<'a>,
    up: Matrix<'a>,
    down: Matrix<'a>,
    epsilon: f32,
    /// `D` and `F`.
    widths: [usize; 2],
}

impl<'a> Weights<'a> {
    fn of(parameters: &'a FeedForwardParameters<Flex>, epsilon: f64) -> Self {
        let [width, inner] = dims2(&parameters.gate, "gate");
        let FeedForwardParameters { gamma, gate, up, down } = parameters;
        Self {
            gamma: numbers(gamma),
            gate: Matrix::of_rows(numbers(gate), inner),
            up: Matrix::of_rows(numbers(up), inner),
            down: Matrix::of_rows(numbers(down), width),
            epsilon: epsilon as f32,
            widths: [width, inner],
        }
    }
}

/// Whether the loops are for these parameters, and they in order if so.
fn prepared(
    parameters: FeedForwardParameters<Flex>,
    others: &[&FloatTensor<Flex>],
) -> (bool, FeedForwardParameters<Flex>) {
    let FeedForwardParameters { gamma, gate, up, down } = &parameters;
    let [width, inner] = dims2(gate, "gate");
    let fits = width * inner <= MOST_NUMBERS && dims2(others[0], "rows")[0] > 1;
    if !fits || !are_f32(&[gamma, gate, up, down]) || !are_f32(others) {
        return (false, parameters);
    }
    let FeedForwardParameters { gamma, gate, up, down } = parameters;
    let [gamma, gate, up, down] = [gamma, gate, up, down].map(dense);
    (true, FeedForwardParameters { gamma, gate, up, down })
}

pub(crate) fn fused(
    x: FloatTensor<Flex>,
    parameters: FeedForwardParameters<Flex>,
    epsilon: f64,
    keep: bool,
) -> (FloatTensor<Flex>, FloatTensor<Flex>, FloatTensor<Flex>) {
    let (is_fused, parameters) = prepared(parameters, &[&x]);
    if !is_fused {
        return reference::<Flex>(x, parameters, epsilon);
    }
    let x = dense(x);
    let ([count, width], weights) = (dims2(&x, "rows"), Weights::of(&parameters, epsilon));
    let (input, inner) = (numbers(&x), weights.widths[1]);
    let kept = if keep { inner } else { 0 };
    let cost = NUMBERS_A_TASK / part_rows(inner);
    let [output, gate, up] = rows(count, cost, [width, kept, kept], |range, places| {
        let [output, gate, up] = places;
        let x = &input[range.start * width..range.end * width];
        output.copy_from_slice(x);
        if keep {
            return weights.forward(x, output, gate, up);
        }
        with_room([range.len() * inner; 2], |[gate, up]| weights.forward(x, output, gate, up));
    });
    let output = tensor(output, [count, width]);
    if !keep {
        let nothing = nothing::<Flex>(&output);
        return (output, nothing.clone(), nothing);
    }
    (output, tensor(gate, [count, inner]), tensor(up, [count, inner]))
}

impl Weights<'_> {
    /// Adds to `output` what the layer makes of `x`.
    fn forward(&self, x: &[f32], output: &mut [f32], gate: &mut [f32], up: &mut [f32]) {
        let [width, inner] = self.widths;
        with_room([x.len(), gate.len()], |[h, activations]| {
            normalize(x, self.gamma, self.epsilon, h);
            let h = Matrix::of_rows(h, width);
            product(gate, Onto::Nothing, h, self.gate);
            product(up, Onto::Nothing, h, self.up);
            activate(gate, up, activations);
            product(output, Onto::Present, Matrix::of_rows(activations, inner), self.down);
        });
    }
}

pub(crate) fn backward(
    saved: FeedForwardSaved<Flex>,
    parameters: FeedForwardParameters<Flex>,
    upstream: FloatTensor<Flex>,
    epsilon: f64,
) -> (FloatTensor<Flex>, FeedForwardParameters<Flex>) {
    let FeedForwardSaved { x, gate, up } = &saved;
    let (is_fused, parameters) = prepared(parameters, &[&upstream, x, gate, up]);
    if !is_fused {
        return gradient::<Flex>(saved, parameters, upstream, epsilon);
    }
    let FeedForwardSaved { x, gate, up } = saved;
    let inputs = [x, gate, up, upstream].map(dense);
    let [x, gate, up, upstream] = inputs.each_ref().map(numbers);
    let ([count, width], weights) = (dims2(&inputs[0], "rows"), Weights::of(&parameters, epsilon));
    let inner = weights.widths[1];
    let inputs = Inputs { x, gate, up, upstream };
    let mut to_x = vec![0.0; count * width];
    let groups = groups(count, inner, 1, 3 * width * inner);
    let sizes = [width, width * inner, width * inner, inner * width];
    let parts = to_x.par_chunks_mut(groups.rows * width).enumerate().map(|(group, to_x)| {
        let mut sums = sizes.map(|size| vec![0.0; size]);
        let start = group * groups.rows;
        for (part, to_x) in groups.parts(start..start + to_x.len() / width, to_x, width) {
            let rows = inputs.rows(part, weights.widths);
            weights.backward(rows, to_x, &mut sums);
        }
        sums
    });
    let [gamma, gate, up, down] = sum_of(parts.collect(), sizes);
    let to_parameters = FeedForwardParameters {
        gamma: tensor(gamma, [width]),
        gate: tensor(gate, [width, inner]),
        up: tensor(up, [width, inner]),
        down: tensor(down, [inner, width]),
    };
    (tensor(to_x, [count, width]), to_parameters)
}

/// What the gradient starts from.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    x: &'a [f32],
    gate: &'a [f32],
    up: &'a [f32],
    upstream: &'a [f32],
}

impl Inputs<'_> {
    fn rows(self, rows: Range<usize>, [width, inner]: [usize; 2]) -> Self {
        let narrow = rows.start * width..rows.end * width;
        let wide = rows.start * inner..rows.end * inner;
        Self {
            x: &self.x[narrow.clone()],
            gate: &self.gate[wide.clone()],
            up: &self.up[wide],
            upstream: &self.upstream[narrow],
        }
    }
}

impl Weights<'_> {
    /// Writes the gradient of some rows and adds theirs to those of the parameters.
    fn backward(&self, inputs: Inputs<'_>, to_x: &mut [f32], sums: &mut [Vec<f32>; 4]) {
        let [width, inner] = self.widths;
        let Inputs { x, gate, up, upstream } = inputs;
        let [to_gamma, of_gate, of_up, of_down] = sums;
        let (narrow, wide) = (x.len(), gate.len());
        with_room([narrow, narrow, wide, wide, wide], |[h, to_h, to_gate, to_up, activations]| {
            normalize(x, self.gamma, self.epsilon, h);
            let h = Matrix::of_rows(h, width).turned();
            let upstream_rows = Matrix::of_rows(upstream, width);

            // First the gradient of the activations, then that of the gate in its place.
            product(to_gate, Onto::Nothing, upstream_rows, self.down.turned());
            activate_backward([gate, up], Some(activations), to_gate, to_up);
            let activations = Matrix::of_rows(activations, inner);
            product(of_down, Onto::Present, activations.turned(), upstream_rows);
            let [to_gate, to_up] = [to_gate, to_up].map(|to| Matrix::of_rows(to, inner));
            product(of_gate, Onto::Present, h, to_gate);
            product(of_up, Onto::Present, h, to_up);

            product(to_h, Onto::Nothing, to_gate, self.gate.turned());
            product(to_h, Onto::Present, to_up, self.up.turned());
            to_x.copy_from_slice(upstream);
            normalize_backward([x, self.gamma, to_h], self.epsilon, to_x, to_gamma);
        });
    }
}
