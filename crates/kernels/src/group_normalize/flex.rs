//! The loop of `group_normalize` on the CPU: a block of groups at a time.
//!
//! Groups of 2, 4, 8 .. 64 lie in a block as they do in memory, and neighbours are summed until one
//! number a group is left. Groups of another size are turned, one group a lane.

use burn::backend::{Flex, tensor::FloatTensor};

use super::{GroupEstimator, GroupNormalization, HUGE, ddof, reference};
use crate::flex::{LANES, are_f32, dense, numbers, rows, simd, tensor};
use crate::primitive::dims2;

mod neighbours;
mod turned;

use neighbours::Neighbours;
use turned::Turned;

/// The most groups of a block.
const GROUPS: usize = 128;

/// One number of each group of a block.
type Each = [f32; GROUPS];

// ANCHOR: fused
/// The operation on the CPU; tensor operations for types other than `f32`.
pub(crate) fn fused(
    rewards: FloatTensor<Flex>,
    correct: FloatTensor<Flex>,
    mask: FloatTensor<Flex>,
    rule: GroupNormalization,
) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
    if !are_f32(&[&rewards, &correct, &mask]) {
        return reference::<Flex>(rewards, correct, mask, rule);
    }
    let [groups, size] = dims2(&rewards, "rewards");
    let inputs = [rewards, correct, mask].map(dense);
    let inputs = inputs.each_ref().map(numbers);
    let [advantages, statistics] = rows(groups, size, [size, 3], |range, outputs| {
        let cells = range.start * size..range.end * size;
        let inputs = inputs.map(|input| &input[cells.clone()]);
        simd(
            #[inline(always)]
            || by_size(inputs, size, rule, outputs),
        );
    });
    (tensor(advantages, [groups, size]), tensor(statistics, [groups, 3]))
}
// ANCHOR_END: fused

/// One loop for each size that lies well.
#[inline(always)]
fn by_size(inputs: [&[f32]; 3], size: usize, rule: GroupNormalization, outputs: [&mut [f32]; 2]) {
    match size {
        2 => blocks(Neighbours::<2>::new(), inputs, size, rule, outputs),
        4 => blocks(Neighbours::<4>::new(), inputs, size, rule, outputs),
        8 => blocks(Neighbours::<8>::new(), inputs, size, rule, outputs),
        16 => blocks(Neighbours::<16>::new(), inputs, size, rule, outputs),
        32 => blocks(Neighbours::<32>::new(), inputs, size, rule, outputs),
        64 => blocks(Neighbours::<64>::new(), inputs, size, rule, outputs),
        _ => blocks(Turned::new(size), inputs, size, rule, outputs),
    }
}

/// Some groups, in an order of their own.
trait Block {
    /// Groups it has room for.
    fn room(&self) -> usize;

    /// Takes rewards, correctness and mask of up to as many groups; masked ones count as 0.
    fn read(&mut self, inputs: [&[f32]; 3]);

    fn totals(&self) -> Totals;

    /// The sum of squared deviations of each group.
    fn squares(&self, mean: &Each) -> Each;

    /// Writes `advantage(group, reward, correct)`, and 0 where masked.
    fn write(&self, advantages: &mut [f32], advantage: impl Fn(usize, f32, f32) -> f32);
}

/// Sums and extremes of the valid rewards of each group.
struct Totals {
    count: Each,
    sum: Each,
    right: Each,
    largest: Each,
    smallest: Each,
}

#[inline(always)]
fn blocks(
    mut block: impl Block,
    inputs: [&[f32]; 3],
    size: usize,
    rule: GroupNormalization,
    [advantages, statistics]: [&mut [f32]; 2],
) {
    let room = block.room();
    let cells = room * size.max(1);
    let places = advantages.chunks_mut(cells).zip(statistics.chunks_mut(room * 3));
    for (number, (advantages, statistics)) in places.enumerate() {
        let cells = number * cells..number * cells + advantages.len();
        let [rewards, correct, mask] = inputs;
        block.read([&rewards[cells.clone()], &correct[cells.clone()], &mask[cells]]);
        let moments = Moments::of(&block, room, ddof(rule));
        moments.advantages(&block, advantages, rule);
        for (group, places) in statistics.chunks_exact_mut(3).enumerate() {
            places[0] = moments.mean[group];
            places[1] = moments.std[group];
            places[2] = moments.rho[group];
        }
    }
}

/// What the rewards of each group have in common.
struct Moments {
    /// Groups.
    room: usize,
    count: Each,
    mean: Each,
    std: Each,
    rho: Each,
    /// 1 if two valid rewards differ, else 0.
    varies: Each,
}

impl Moments {
    // ANCHOR: moments
    #[inline(always)]
    fn of(block: &impl Block, room: usize, ddof: u8) -> Self {
        let Totals { mut count, sum, right, largest, smallest } = block.totals();
        let [mut mean, mut std, mut rho, mut varies] = [[0.0; GROUPS]; 4];
        for group in 0..room {
            count[group] = if count[group] < 1.0 { 1.0 } else { count[group] };
            mean[group] = sum[group] / count[group];
            rho[group] = right[group] / count[group];
            // Not "differs": a NaN is not constant either.
            let is_constant = largest[group] <= smallest[group] && !sum[group].is_nan();
            varies[group] = if is_constant { 0.0 } else { 1.0 };
        }
        let squares = block.squares(&mean);
        for group in 0..room {
            let degrees = count[group] - f32::from(ddof);
            let degrees = if degrees < 1.0 { 1.0 } else { degrees };
            std[group] = (squares[group] / degrees).sqrt();
        }
        Self { room, count, mean, std, rho, varies }
    }
    // ANCHOR_END: moments

    #[inline(always)]
    fn advantages(&self, block: &impl Block, places: &mut [f32], rule: GroupNormalization) {
        let focal = self.focal(rule.focal_gamma);
        match rule.estimator {
            GroupEstimator::LinearR | GroupEstimator::SqrtR => {
                let [right, wrong] = self.prompt_weights(rule.estimator, &focal);
                block.write(
                    places,
                    #[inline(always)]
                    |group, _, correct| if correct > 0.5 { right[group] } else { wrong[group] },
                );
            }
            estimator => {
                let mut scale = self.scale(estimator);
                (0..self.room).for_each(|group| scale[group] *= focal[group]);
                let Self { mean, varies, .. } = self;
                block.write(
                    places,
                    #[inline(always)]
                    |group, reward, _| {
                        let scaled = (reward - mean[group]) * scale[group];
                        if varies[group] > 0.0 { scaled } else { 0.0 }
                    },
                );
            }
        }
    }

    /// What a deviation is multiplied with.
    #[inline(always)]
    fn scale(&self, estimator: GroupEstimator) -> Each {
        let mut scale = [1.0; GROUPS];
        match estimator {
            GroupEstimator::LeaveOneOut => {
                for (scale, count) in scale.iter_mut().zip(&self.count).take(self.room) {
                    let others = count - 1.0;
                    *scale = count / if others < 1.0 { 1.0 } else { others };
                }
            }
            GroupEstimator::ZScore { epsilon, .. } => {
                for (scale, std) in scale.iter_mut().zip(&self.std).take(self.room) {
                    let divisor = std + epsilon;
                    *scale = 1.0 / if divisor < 1e-30 { 1e-30 } else { divisor };
                }
            }
            _ => {}
        }
        scale
    }

    /// `(1 - rho)^gamma`; a power a group and not a completion.
    #[inline(always)]
    fn focal(&self, gamma: f32) -> Each {
        let mut focal = [1.0; GROUPS];
        if gamma != 0.0 {
            (0..self.room).for_each(|group| focal[group] = (1.0 - self.rho[group]).powf(gamma));
        }
        focal
    }

    /// The advantage of right and of wrong completions.
    #[inline(always)]
    fn prompt_weights(&self, estimator: GroupEstimator, focal: &Each) -> [Each; 2] {
        let away = |value: f32| if value < 1e-9 { 1e-9 } else { value };
        let [mut right, mut wrong] = [[0.0; GROUPS]; 2];
        for group in 0..self.room {
            let rho = self.rho[group];
            let coefficient = match estimator {
                GroupEstimator::SqrtR => (1.0 - rho).sqrt(),
                _ => 1.0 - rho,
            };
            right[group] = coefficient / away(rho) * focal[group];
            wrong[group] = -(coefficient / away(1.0 - rho)) * focal[group];
        }
        [right, wrong]
    }
}
