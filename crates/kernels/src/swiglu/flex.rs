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
    let inputs = inputs.each_ref().map(numbers);
    let [output] = rows(inputs[0].len(), 1, [1], |range, [output]| {
        let inputs = inputs.map(|input| &input[range.clone()]);
        simd(
            #[inline(always)]
            || {
                for start in (0..output.len()).step_by(LANES) {
                    let [gate, up] = inputs.map(|input| load(input, start));
                    let gated = |lane: usize| gate[lane] * sigmoid(gate[lane]) * up[lane];
                    store(output, start, &std::array::from_fn(gated));
                }
            },
        );
    });
    tensor(output, shape)
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
    let inputs = inputs.each_ref().map(numbers);
    let outputs = rows(inputs[0].len(), 1, [1; 2], |range, [to_gate, to_up]| {
        let inputs = inputs.map(|input| &input[range.clone()]);
        simd(
            #[inline(always)]
            || {
                for start in (0..to_gate.len()).step_by(LANES) {
                    let [gate, up, upstream] = inputs.map(|input| load(input, start));
                    let [mut of_gate, mut of_up] = [[0.0; LANES]; 2];
                    for lane in 0..LANES {
                        let open = sigmoid(gate[lane]);
                        let silu = gate[lane] * open;
                        of_gate[lane] = upstream[lane] * up[lane] * silu.mul_add(1.0 - open, open);
                        of_up[lane] = upstream[lane] * silu;
                    }
                    store(to_gate, start, &of_gate);
                    store(to_up, start, &of_up);
                }
            },
        );
    });
    let [to_gate, to_up] = outputs.map(|output| tensor(output, shape.clone()));
    (to_gate, to_up)
}
