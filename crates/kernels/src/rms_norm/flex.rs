//! The loops of `rms_norm` on the CPU.

use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

use super::{gradient, reference};
use crate::flex::blocks::{groups, sum_of};
use crate::flex::{are_f32, dense, dot, numbers, rows, simd, tensor};
use crate::primitive::dims2;

pub(crate) fn fused(
    x: FloatTensor<Flex>,
    gamma: FloatTensor<Flex>,
    epsilon: f64,
) -> FloatTensor<Flex> {
    if !are_f32(&[&x, &gamma]) {
        return reference::<Flex>(x, gamma, epsilon);
    }
    let [count, width] = dims2(&x, "rows");
    let [x, gamma] = [x, gamma].map(dense);
    let [x, gamma] = [&x, &gamma].map(numbers);
    let [output] = rows(count, width, [width], |range, [output]| {
        normalize(&x[range.start * width..range.end * width], gamma, epsilon as f32, output);
    });
    tensor(output, [count, width])
}

/// Normalises rows.
pub(crate) fn normalize(x: &[f32], gamma: &[f32], epsilon: f32, output: &mut [f32]) {
    let width = gamma.len();
    simd(
        #[inline(always)]
        || {
            for (x, places) in x.chunks_exact(width).zip(output.chunks_exact_mut(width)) {
                let inverse = inverse(x, epsilon);
                for ((place, x), gamma) in places.iter_mut().zip(x).zip(gamma) {
                    *place = x * inverse * gamma;
                }
            }
        },
    );
}

#[inline(always)]
fn inverse(row: &[f32], epsilon: f32) -> f32 {
    1.0 / (dot(row, row) / row.len() as f32 + epsilon).sqrt()
}

pub(crate) fn backward(
    x: FloatTensor<Flex>,
    gamma: FloatTensor<Flex>,
    upstream: FloatTensor<Flex>,
    epsilon: f64,
) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
    if !are_f32(&[&x, &gamma, &upstream]) {
        return gradient::<Flex>(x, gamma, upstream, epsilon);
    }
    let [count, width] = dims2(&x, "rows");
    let [x, gamma, upstream] = [x, gamma, upstream].map(dense);
    let [x, gamma, upstream] = [&x, &gamma, &upstream].map(numbers);
    let mut to_x = vec![0.0; count * width];
    let part = groups(count, width, 1, width).rows * width;
    let parts = x.par_chunks(part).zip(upstream.par_chunks(part)).zip(to_x.par_chunks_mut(part));
    let sums = parts.map(|((x, upstream), to_x)| {
        let mut to_gamma = vec![0.0; width];
        normalize_backward([x, gamma, upstream], epsilon as f32, to_x, &mut to_gamma);
        [to_gamma]
    });
    let [to_gamma] = sum_of(sums.collect(), [width]);
    (tensor(to_x, [count, width]), tensor(to_gamma, [width]))
}

/// Adds the gradients of rows and of gamma to what stands in their places; inputs are the rows, gamma
/// and the upstream gradient.
pub(crate) fn normalize_backward(
    [x, gamma, upstream]: [&[f32]; 3],
    epsilon: f32,
    to_x: &mut [f32],
    to_gamma: &mut [f32],
) {
    let width = gamma.len();
    let mut inner = vec![0.0; width];
    simd(
        #[inline(always)]
        || {
            let rows = x.chunks_exact(width).zip(upstream.chunks_exact(width));
            for ((x, upstream), places) in rows.zip(to_x.chunks_exact_mut(width)) {
                let inverse = inverse(x, epsilon);
                inner.iter_mut().zip(upstream).zip(gamma).for_each(|((h, u), g)| *h = u * g);
                let along = dot(&inner, x) * inverse * inverse / width as f32;
                let cells = places.iter_mut().zip(&inner).zip(x);
                cells.for_each(|((place, h), x)| *place += (h - x * along) * inverse);
                let cells = to_gamma.iter_mut().zip(x).zip(upstream);
                cells.for_each(|((sum, x), u)| *sum = (x * inverse).mul_add(*u, *sum));
            }
        },
    );
}
