//! The loops of `rms_norm` on the CPU.

use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

use super::{gradient, reference};
use crate::flex::{are_f32, dense, dot, numbers, rows, simd, tensor};
use crate::primitive::dims2;

/// Rows whose share of gamma's gradient is summed by one task; a constant, so that the order of the
/// sum does not depend on the machine.
const ROWS_A_SUM: usize = 512;

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
        simd(
            #[inline(always)]
            || {
                for (row, places) in range.zip(output.chunks_exact_mut(width)) {
                    let x = &x[row * width..(row + 1) * width];
                    let inverse = inverse(x, epsilon as f32);
                    for ((place, x), gamma) in places.iter_mut().zip(x).zip(gamma) {
                        *place = x * inverse * gamma;
                    }
                }
            },
        );
    });
    tensor(output, [count, width])
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
    let [to_x, inverses] = rows(count, width, [width, 1], |range, [to_x, inverses]| {
        simd(
            #[inline(always)]
            || {
                let places = to_x.chunks_exact_mut(width).zip(inverses);
                for (row, (places, kept)) in range.zip(places) {
                    let cells = row * width..(row + 1) * width;
                    let (x, upstream) = (&x[cells.clone()], &upstream[cells]);
                    let inverse = inverse(x, epsilon as f32);
                    *kept = inverse;
                    places.iter_mut().zip(upstream).zip(gamma).for_each(|((p, u), g)| *p = u * g);
                    let along = dot(places, x) * inverse * inverse / width as f32;
                    places.iter_mut().zip(x).for_each(|(p, x)| *p = (*p - x * along) * inverse);
                }
            },
        );
    });
    let sums = (0..count.div_ceil(ROWS_A_SUM)).into_par_iter().map(|part| {
        let rows = part * ROWS_A_SUM..count.min((part + 1) * ROWS_A_SUM);
        let mut sum = vec![0.0f32; width];
        simd(
            #[inline(always)]
            || {
                for row in rows {
                    let cells = row * width..(row + 1) * width;
                    let cells = sum.iter_mut().zip(&x[cells.clone()]).zip(&upstream[cells]);
                    cells.for_each(|((sum, x), u)| *sum = (x * inverses[row]).mul_add(*u, *sum));
                }
            },
        );
        sum
    });
    let mut to_gamma = vec![0.0f32; width];
    for sum in sums.collect::<Vec<_>>() {
        to_gamma.iter_mut().zip(sum).for_each(|(whole, part)| *whole += part);
    }
    (tensor(to_x, [count, width]), tensor(to_gamma, [width]))
}
