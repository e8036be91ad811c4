//! The loop of `rotate` on the CPU.

use burn::backend::{Flex, tensor::FloatTensor};

use super::reference;
use crate::flex::heads::{Heads, by_token};
use crate::flex::{are_f32, rows, simd};

pub(crate) fn fused(
    x: FloatTensor<Flex>,
    cos: FloatTensor<Flex>,
    sin: FloatTensor<Flex>,
    back: bool,
) -> FloatTensor<Flex> {
    if !are_f32(&[&x, &cos, &sin]) {
        return reference::<Flex>(x, cos, sin, back);
    }
    let inputs = [x, cos, sin].map(Heads::rows_of);
    let [x, cos, sin] = inputs.each_ref().map(Heads::of);
    let [batch, heads, time, head] = x.shape;
    let sign = if back { -1.0 } else { 1.0 };
    let [output] = rows(batch * time, heads * head, [heads * head], |range, [output]| {
        simd(
            #[inline(always)]
            || {
                for (token, places) in range.zip(output.chunks_exact_mut(heads * head)) {
                    let (row, time) = (token / time, token % time);
                    let (cos, sin) = (cos.row(row, 0, time), sin.row(row, 0, time));
                    for (number, places) in places.chunks_exact_mut(head).enumerate() {
                        let (first, second) = x.row(row, number, time).split_at(head / 2);
                        let (to_first, to_second) = places.split_at_mut(head / 2);
                        for i in 0..head / 2 {
                            to_first[i] = first[i] * cos[i] - second[i] * (sin[i] * sign);
                            to_second[i] = second[i] * cos[i] + first[i] * (sin[i] * sign);
                        }
                    }
                }
            },
        );
    });
    by_token(output, [batch, heads, time, head])
}

/// Turns the heads of tokens where they are, `[T, heads]` of them in each row of the batch, whose
/// cosines and sines are given.
pub(crate) fn turn(
    places: &mut [f32],
    [time, heads]: [usize; 2],
    [cos, sin]: [Heads<'_>; 2],
    back: bool,
) {
    let half = cos.shape[3];
    let sign = if back { -1.0 } else { 1.0 };
    simd(
        #[inline(always)]
        || {
            for (token, places) in places.chunks_exact_mut(2 * half * heads).enumerate() {
                let (row, time) = (token / time, token % time);
                let (cos, sin) = (cos.row(row, 0, time), sin.row(row, 0, time));
                for places in places.chunks_exact_mut(2 * half) {
                    let (first, second) = places.split_at_mut(half);
                    for i in 0..half {
                        let (a, b) = (first[i], second[i]);
                        first[i] = a * cos[i] - b * (sin[i] * sign);
                        second[i] = b * cos[i] + a * (sin[i] * sign);
                    }
                }
            }
        },
    );
}
