//! The loops of `swiglu` on the CPU.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

use super::{gradient, reference};
use crate::flex::math::sigmoid;
use crate::flex::{LANES, are_f32, dense, load, numbers, rows, simd, store, tensor};

pub(crate) fn fused(gate: FloatTensor<Flex>, up: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if !are_f32(&[&gate, &up]) {
        return reference::<Flex>(gate, up);
    }
    let shape = gate.shape();
    let inputs = [gate, up].map(dense);
    let [gate, up] = inputs.each_ref().map(numbers);
    let [output] = rows(gate.len(), 1, [1], |range, [output]| {
        activate(&gate[range.clone()], &up[range], output);
    });
    tensor(output, shape)
}

/// `silu(gate) up`.
pub(crate) fn activate(gate: &[f32], up: &[f32], output: &mut [f32]) {
    simd(
        #[inline(always)]
        || {
            for start in (0..output.len()).step_by(LANES) {
                let [mut gate, up] = [load(gate, start), load(up, start)];
                for lane in 0..LANES {
                    gate[lane] = gate[lane] * sigmoid(gate[lane]) * up[lane];
                }
                store(output, start, &gate);
            }
        },
    );
}

pub(crate) fn backward(
    gate: FloatTensor<Flex>,
    up: FloatTensor<Flex>,
    upstream: FloatTensor<Flex>,
) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
    if !are_f32(&[&gate, &up, &upstream]) {
        return gradient::<Flex>(gate, up, upstream);
    }
    let shape = gate.shape();
    let inputs = [gate, up, upstream].map(dense);
    let [gate, up, upstream] = inputs.each_ref().map(numbers);
    let outputs = rows(gate.len(), 1, [1; 2], |range, [to_gate, to_up]| {
        to_gate.copy_from_slice(&upstream[range.clone()]);
        activate_backward([&gate[range.clone()], &up[range]], None, to_gate, to_up);
    });
    let [to_gate, to_up] = outputs.map(|output| tensor(output, shape.clone()));
    (to_gate, to_up)
}

/// The gradients of gate and up, and the activations where they are asked for. `to_gate` has the
/// upstream gradient before.
pub(crate) fn activate_backward(
    [gate, up]: [&[f32]; 2],
    activations: Option<&mut [f32]>,
    to_gate: &mut [f32],
    to_up: &mut [f32],
) {
    // Two loops, so that neither asks in each round.
    match activations {
        Some(activations) => simd(
            #[inline(always)]
            || {
                slopes(
                    [gate, up],
                    to_gate,
                    to_up,
                    #[inline(always)]
                    |start, silu, up| {
                        let mut whole = *silu;
                        (0..LANES).for_each(|lane| whole[lane] *= up[lane]);
                        store(activations, start, &whole);
                    },
                );
            },
        ),
        None => simd(
            #[inline(always)]
            || slopes([gate, up], to_gate, to_up, |_, _, _| {}),
        ),
    }
}

#[inline(always)]
fn slopes(
    [gate, up]: [&[f32]; 2],
    to_gate: &mut [f32],
    to_up: &mut [f32],
    mut each: impl FnMut(usize, &[f32; LANES], &[f32; LANES]),
) {
    for start in (0..to_gate.len()).step_by(LANES) {
        let [gate, up] = [load(gate, start), load(up, start)];
        let upstream = load(to_gate, start);
        let [mut of_gate, mut of_up, mut silus] = [[0.0; LANES]; 3];
        for lane in 0..LANES {
            let open = sigmoid(gate[lane]);
            let silu = gate[lane] * open;
            of_gate[lane] = upstream[lane] * up[lane] * silu.mul_add(1.0 - open, open);
            of_up[lane] = upstream[lane] * silu;
            silus[lane] = silu;
        }
        each(start, &silus, &up);
        store(to_gate, start, &of_gate);
        store(to_up, start, &of_up);
    }
}
