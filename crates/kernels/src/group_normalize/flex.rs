//! The loop of `group_normalize` on the CPU: a block of groups side by side, one group a lane.

use std::ops::Range;

use burn::backend::{Flex, tensor::FloatTensor};

use super::{GroupEstimator, GroupNormalization, HUGE, ddof, reference};
use crate::flex::{LANES, are_f32, dense, numbers, rows, simd, tensor};
use crate::primitive::dims2;

/// One number of each group of a block.
type Lanes = [f32; LANES];

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
    let [advantages, statistics] =
        rows(groups, size, [size, 3], |range, [advantages, statistics]| {
            let part = Part { inputs, size, groups: range };
            simd(
                #[inline(always)]
                || part.normalize(rule, advantages, statistics),
            );
        });
    (tensor(advantages, [groups, size]), tensor(statistics, [groups, 3]))
}
// ANCHOR_END: fused

/// Some of the groups.
struct Part<'a> {
    /// Rewards, correctness and mask.
    inputs: [&'a [f32]; 3],
    size: usize,
    groups: Range<usize>,
}

impl Part<'_> {
    #[inline(always)]
    fn normalize(self, rule: GroupNormalization, advantages: &mut [f32], statistics: &mut [f32]) {
        let mut columns = vec![Column::default(); self.size];
        let first = self.groups.start;
        for start in self.groups.clone().step_by(LANES) {
            let lanes = LANES.min(self.groups.end - start);
            self.read(start, lanes, &mut columns);
            let moments = Moments::of(&columns, ddof(rule));
            moments.advantages(&mut columns, rule);
            for lane in 0..lanes {
                let row = start - first + lane;
                let places = &mut advantages[row * self.size..(row + 1) * self.size];
                places.iter_mut().zip(&columns).for_each(|(a, column)| *a = column.reward[lane]);
                statistics[row * 3..row * 3 + 3].copy_from_slice(&moments.of_group(lane));
            }
        }
    }

    /// Groups as lanes; lanes without a group are masked.
    #[inline(always)]
    fn read(&self, start: usize, lanes: usize, columns: &mut [Column]) {
        for lane in 0..LANES {
            if lane >= lanes {
                columns.iter_mut().for_each(|column| column.clear(lane));
                continue;
            }
            let row = (start + lane) * self.size;
            let [rewards, correct, mask] = self.inputs.map(|input| &input[row..row + self.size]);
            let cells = rewards.iter().zip(correct).zip(mask);
            for (column, ((reward, correct), mask)) in columns.iter_mut().zip(cells) {
                let kept = *mask > 0.0;
                column.reward[lane] = if kept { *reward } else { 0.0 };
                column.correct[lane] = if kept { *correct } else { 0.0 };
                column.mask[lane] = *mask;
            }
        }
    }
}

/// The completions of the same number in each group of a block.
#[derive(Clone, Copy, Default)]
struct Column {
    reward: Lanes,
    correct: Lanes,
    mask: Lanes,
}

impl Column {
    fn clear(&mut self, lane: usize) {
        (self.reward[lane], self.correct[lane], self.mask[lane]) = (0.0, 0.0, 0.0);
    }
}

/// What the rewards of each group have in common.
struct Moments {
    count: Lanes,
    mean: Lanes,
    std: Lanes,
    rho: Lanes,
    /// Whether two valid rewards differ.
    varies: [bool; LANES],
}

impl Moments {
    // ANCHOR: moments
    #[inline(always)]
    fn of(columns: &[Column], ddof: u8) -> Self {
        let [mut count, mut sum, mut right, mut squares] = [[0.0; LANES]; 4];
        let [mut largest, mut smallest] = [[-HUGE; LANES], [HUGE; LANES]];
        for column in columns {
            for lane in 0..LANES {
                let (reward, kept) = (column.reward[lane], column.mask[lane] > 0.0);
                count[lane] += column.mask[lane];
                sum[lane] += reward;
                right[lane] += column.correct[lane];
                largest[lane] = if kept && reward > largest[lane] { reward } else { largest[lane] };
                smallest[lane] =
                    if kept && reward < smallest[lane] { reward } else { smallest[lane] };
            }
        }
        let count = count.map(|count: f32| if count < 1.0 { 1.0 } else { count });
        let mean: Lanes = std::array::from_fn(|lane| sum[lane] / count[lane]);
        for column in columns {
            for lane in 0..LANES {
                let deviation = column.reward[lane] - mean[lane];
                let deviation = if column.mask[lane] > 0.0 { deviation } else { 0.0 };
                squares[lane] += deviation * deviation;
            }
        }
        let degrees = count.map(|count| count - f32::from(ddof));
        let degrees = degrees.map(|degrees| if degrees < 1.0 { 1.0 } else { degrees });
        Self {
            std: std::array::from_fn(|lane| (squares[lane] / degrees[lane]).sqrt()),
            rho: std::array::from_fn(|lane| right[lane] / count[lane]),
            // Not "differs": a NaN is not constant either.
            varies: std::array::from_fn(|lane| {
                largest[lane] > smallest[lane] || sum[lane].is_nan()
            }),
            count,
            mean,
        }
    }
    // ANCHOR_END: moments

    /// Mean, standard deviation and success rate.
    fn of_group(&self, lane: usize) -> [f32; 3] {
        [self.mean[lane], self.std[lane], self.rho[lane]]
    }

    /// Puts the advantages in the place of the rewards.
    #[inline(always)]
    fn advantages(&self, columns: &mut [Column], rule: GroupNormalization) {
        let focal = self.focal(rule.focal_gamma);
        if rule.estimator.is_prompt_weight() {
            return self.prompt_weights(columns, rule.estimator, focal);
        }
        let scale = self.scale(rule.estimator);
        for column in columns {
            for lane in 0..LANES {
                let kept = column.mask[lane] > 0.0 && self.varies[lane];
                let deviation = column.reward[lane] - self.mean[lane];
                let scaled = deviation * scale[lane] * focal[lane];
                column.reward[lane] = if kept { scaled } else { 0.0 };
            }
        }
    }

    /// What a deviation is multiplied with.
    #[inline(always)]
    fn scale(&self, estimator: GroupEstimator) -> Lanes {
        let others = |count: f32| if count - 1.0 < 1.0 { 1.0 } else { count - 1.0 };
        let positive = |divisor: f32| if divisor < 1e-30 { 1e-30 } else { divisor };
        std::array::from_fn(|lane| match estimator {
            GroupEstimator::LeaveOneOut => self.count[lane] / others(self.count[lane]),
            GroupEstimator::ZScore { epsilon, .. } => 1.0 / positive(self.std[lane] + epsilon),
            GroupEstimator::ZScoreUnderRoot { epsilon, .. } => {
                1.0 / positive(self.std[lane].mul_add(self.std[lane], epsilon).sqrt())
            }
            _ => 1.0,
        })
    }

    /// `(1 - rho)^gamma`; a power a group and not a completion.
    #[inline(always)]
    fn focal(&self, gamma: f32) -> Lanes {
        if gamma == 0.0 { [1.0; LANES] } else { self.rho.map(|rho| (1.0 - rho).powf(gamma)) }
    }

    #[inline(always)]
    fn prompt_weights(&self, columns: &mut [Column], estimator: GroupEstimator, focal: Lanes) {
        let away = |value: f32| if value < 1e-9 { 1e-9 } else { value };
        let coefficient = self.rho.map(|rho| match estimator {
            GroupEstimator::SqrtR => (1.0 - rho).sqrt(),
            GroupEstimator::UniformR => 1.0,
            _ => 1.0 - rho,
        });
        for column in columns {
            for lane in 0..LANES {
                let rho = self.rho[lane];
                let right = coefficient[lane] / away(rho);
                let wrong = -(coefficient[lane] / away(1.0 - rho));
                let weight = if column.correct[lane] > 0.5 { right } else { wrong };
                let kept = column.mask[lane] > 0.0;
                column.reward[lane] = if kept { weight * focal[lane] } else { 0.0 };
            }
        }
    }
}
