//! The loops of `adamw` on the CPU, in the buffers of parameter and moments where nobody else has
//! them.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{AdamWStep, Factors, reference, reference_square_sum};
use crate::flex::{LANES, are_f32, dense, load, numbers, simd, store, tensor};

/// Numbers of a task: a multiple of the lanes.
const PART: usize = 16 * 1024;

pub(super) fn fused(
    parameter: FloatTensor<Flex>,
    gradient: FloatTensor<Flex>,
    first: FloatTensor<Flex>,
    second: FloatTensor<Flex>,
    step: AdamWStep,
) -> (FloatTensor<Flex>, FloatTensor<Flex>, FloatTensor<Flex>) {
    if !are_f32(&[&parameter, &gradient, &first, &second]) {
        return reference::<Flex>(parameter, gradient, first, second, step);
    }
    let gradient = dense(gradient);
    let gradient = numbers(&gradient);
    let [mut parameter, mut first, mut second] = [parameter, first, second].map(whole);
    let rule = Rule::of(step);
    let parts = parameter.storage_mut::<f32>().par_chunks_mut(PART);
    let parts = parts.zip(first.storage_mut::<f32>().par_chunks_mut(PART));
    let parts = parts.zip(second.storage_mut::<f32>().par_chunks_mut(PART));
    parts.zip(gradient.par_chunks(PART)).for_each(|(((parameter, first), second), gradient)| {
        simd(
            #[inline(always)]
            || rule.step([parameter, first, second], gradient),
        );
    });
    (parameter, first, second)
}

/// The tensor in a buffer that holds its numbers and no more. Writing to it copies it if another
/// tensor shares it.
fn whole(numbers_of: FloatTensor<Flex>) -> FloatTensor<Flex> {
    let dense = dense(numbers_of);
    let count = dense.shape().num_elements();
    if dense.storage::<f32>().len() == count {
        return dense;
    }
    tensor(numbers(&dense).to_vec(), dense.shape())
}

/// The factors of a step in `f32`.
#[derive(Clone, Copy)]
struct Rule {
    scale: f32,
    beta_1: f32,
    beta_2: f32,
    /// `1 - beta_1` and `1 - beta_2`, rounded once.
    new: [f32; 2],
    epsilon: f32,
    kept: f32,
    rate: f32,
    root: f32,
}

impl Rule {
    fn of(step: AdamWStep) -> Self {
        let Factors { kept, rate, root } = Factors::of(step);
        Self {
            scale: step.gradient_scale as f32,
            beta_1: step.beta_1 as f32,
            beta_2: step.beta_2 as f32,
            new: [1.0 - step.beta_1, 1.0 - step.beta_2].map(|new| new as f32),
            epsilon: step.epsilon as f32,
            kept: kept as f32,
            rate: rate as f32,
            root: root as f32,
        }
    }

    /// Parameter, first and second moment.
    #[inline(always)]
    fn step(self, places: [&mut [f32]; 3], gradient: &[f32]) {
        let [parameter, first, second] = places;
        for start in (0..gradient.len()).step_by(LANES) {
            let gradient = load(gradient, start);
            let mut numbers = [load(parameter, start), load(first, start), load(second, start)];
            for lane in 0..LANES {
                let gradient = gradient[lane] * self.scale;
                let m = numbers[1][lane] * self.beta_1 + gradient * self.new[0];
                let v = numbers[2][lane] * self.beta_2 + gradient * gradient * self.new[1];
                let divisor = v.sqrt() * self.root + self.epsilon;
                numbers[0][lane] = numbers[0][lane] * self.kept - m / divisor * self.rate;
                numbers[1][lane] = m;
                numbers[2][lane] = v;
            }
            store(parameter, start, &numbers[0]);
            store(first, start, &numbers[1]);
            store(second, start, &numbers[2]);
        }
    }
}

/// Parts are summed in `f32` in lanes, and the parts in `f64`: the sum does not depend on the cores.
pub(super) fn square_sum(squared: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if !are_f32(&[&squared]) {
        return reference_square_sum::<Flex>(squared);
    }
    let squared = dense(squared);
    let parts = numbers(&squared).par_chunks(PART).map(|part| {
        simd(
            #[inline(always)]
            || squares(part),
        )
    });
    let parts: Vec<f64> = parts.collect();
    tensor(vec![parts.iter().sum::<f64>() as f32], [1])
}

#[inline(always)]
fn squares(part: &[f32]) -> f64 {
    // Four sums a lane, so that one does not wait for another.
    let mut sums = [[0.0f32; LANES]; 4];
    let (blocks, rest) = part.as_chunks::<{ 4 * LANES }>();
    for block in blocks {
        for (lanes, block) in sums.iter_mut().zip(block.as_chunks::<LANES>().0) {
            (0..LANES).for_each(|lane| lanes[lane] = block[lane].mul_add(block[lane], lanes[lane]));
        }
    }
    let rest: f64 = rest.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    sums.iter().flatten().map(|sum| f64::from(*sum)).sum::<f64>() + rest
}
