//! Rotary position encoding, rotate-half layout (arXiv 2104.09864, as in Llama and Qwen2).
//!
//! ```text
//! [x1, x2] -> [x1 cos(p f) - x2 sin(p f), x2 cos(p f) + x1 sin(p f)]      at position p
//! ```
//!
//! with `x1` the first and `x2` the second half of a head and `f` as in [`rope`](crate::rope). burn's own encoding interleaves the
//! halves and takes one offset for the whole batch, so it fits neither the weights nor ragged rows.

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use fireproof_kernels::rotate;
use rayon::prelude::*;

use crate::rope::Frequencies;

/// Cosines and sines of every position, `[context, d/2]`.
#[derive(Module, Debug)]
pub(crate) struct Rotary {
    cos: Tensor<2>,
    sin: Tensor<2>,
}

/// Cosines and sines at the positions of a batch, `[B, 1, T, d/2]`.
#[derive(Clone)]
pub(crate) struct Angles {
    pub(crate) cos: Tensor<4>,
    pub(crate) sin: Tensor<4>,
}

impl Rotary {
    /// Tables for positions below `context`, in the given precision.
    pub(crate) fn new(
        context: usize,
        frequencies: &Frequencies,
        device: &Device,
        dtype: DType,
    ) -> Self {
        let half = frequencies.values.len();
        let table = |function: fn(f32) -> f32| {
            let mut values = vec![0.0f32; context * half];
            values.par_chunks_mut(half).enumerate().for_each(|(position, row)| {
                for (cell, frequency) in row.iter_mut().zip(&frequencies.values) {
                    *cell = function(position as f32 * frequency) * frequencies.factor;
                }
            });
            Tensor::from_data(TensorData::new(values, [context, half]), (device, dtype))
        };
        Self { cos: table(f32::cos), sin: table(f32::sin) }
    }

    /// The angles at `[B, T]` positions.
    pub(crate) fn at(&self, positions: Tensor<2, Int>) -> Angles {
        let [batch, time] = positions.dims();
        let half = self.cos.dims()[1];
        let index = positions.reshape([batch * time]);
        let select = |table: &Tensor<2>| {
            table.clone().select(0, index.clone()).reshape([batch, 1, time, half])
        };
        Angles { cos: select(&self.cos), sin: select(&self.sin) }
    }
}

impl Angles {
    /// Whether they are what the fused operations take.
    pub(crate) fn are_f32(&self) -> bool {
        self.cos.dtype() == DType::F32
    }

    /// Rotates `[B, H, T, d]`.
    pub(crate) fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        if x.dtype() == DType::F32 && self.are_f32() {
            return rotate(x, self.cos.clone(), self.sin.clone());
        }
        let half = x.dims()[3] / 2;
        let first = x.clone().narrow(3, 0, half);
        let second = x.narrow(3, half, half);
        let turned = [
            first.clone() * self.cos.clone() - second.clone() * self.sin.clone(),
            second * self.cos.clone() + first * self.sin.clone(),
        ];
        Tensor::cat(turned.to_vec(), 3)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tolerance;

    use super::*;
    use crate::rope::RopeScaling;

    #[test]
    fn halves_are_rotated_as_in_the_formula() {
        for resolved in fireproof_kernels::test_devices() {
            let device = &resolved.device;
            let frequencies = Frequencies::new(4, 100.0, RopeScaling::None);
            let rotary = Rotary::new(8, &frequencies, device, DType::F32);
            let positions = Tensor::<2, Int>::from_data([[3]], device);
            let x = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0, 4.0]]]], device);
            let turned = rotary.at(positions).rotate(x).reshape([4]);
            // f = [1, 100^(-1/2)] = [1, 0.1]; angles 3 and 0.3
            let (c0, s0, c1, s1) = (3f32.cos(), 3f32.sin(), 0.3f32.cos(), 0.3f32.sin());
            let expected = [c0 - 3.0 * s0, 2.0 * c1 - 4.0 * s1, 3.0 * c0 + s0, 4.0 * c1 + 2.0 * s1];
            let expected = Tensor::<1>::from_data(expected, device);
            let tolerance = Tolerance::<f32>::rel_abs(1e-5, 1e-5);
            turned.into_data().assert_approx_eq::<f32>(&expected.into_data(), tolerance);
        }
    }
}
