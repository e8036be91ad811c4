//! Groups of any size, one group a lane.

use super::{Block, Each, GROUPS, HUGE, LANES, Totals};

/// One number of each group.
type Lanes = [f32; LANES];

/// The completions of the same number in each group of a block.
#[derive(Clone, Copy, Default)]
struct Column {
    reward: Lanes,
    correct: Lanes,
    mask: Lanes,
}

/// As many groups as there are lanes.
pub(super) struct Turned {
    columns: Vec<Column>,
}

impl Turned {
    pub(super) fn new(size: usize) -> Self {
        Self { columns: vec![Column::default(); size] }
    }
}

#[inline(always)]
fn each(lanes: Lanes) -> Each {
    let mut each = [0.0; GROUPS];
    each[..LANES].copy_from_slice(&lanes);
    each
}

impl Block for Turned {
    fn room(&self) -> usize {
        LANES
    }

    #[inline(always)]
    fn read(&mut self, [rewards, correct, mask]: [&[f32]; 3]) {
        let size = self.columns.len();
        if rewards.len() < LANES * size {
            self.columns.fill(Column::default());
        }
        for lane in 0..rewards.len() / size.max(1) {
            let cells = lane * size..(lane + 1) * size;
            let cells =
                rewards[cells.clone()].iter().zip(&correct[cells.clone()]).zip(&mask[cells]);
            for (column, ((reward, correct), mask)) in self.columns.iter_mut().zip(cells) {
                let kept = *mask > 0.0;
                column.reward[lane] = if kept { *reward } else { 0.0 };
                column.correct[lane] = if kept { *correct } else { 0.0 };
                column.mask[lane] = *mask;
            }
        }
    }

    #[inline(always)]
    fn totals(&self) -> Totals {
        let [mut count, mut sum, mut right] = [[0.0; LANES]; 3];
        let [mut largest, mut smallest] = [[-HUGE; LANES], [HUGE; LANES]];
        for column in &self.columns {
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
        let [count, sum, right] = [each(count), each(sum), each(right)];
        Totals { count, sum, right, largest: each(largest), smallest: each(smallest) }
    }

    #[inline(always)]
    fn squares(&self, mean: &Each) -> Each {
        let mut squares = [0.0; LANES];
        for column in &self.columns {
            for lane in 0..LANES {
                let deviation = column.reward[lane] - mean[lane];
                let deviation = if column.mask[lane] > 0.0 { deviation } else { 0.0 };
                squares[lane] += deviation * deviation;
            }
        }
        each(squares)
    }

    #[inline(always)]
    fn write(&self, advantages: &mut [f32], advantage: impl Fn(usize, f32, f32) -> f32) {
        let size = self.columns.len();
        for (lane, places) in advantages.chunks_exact_mut(size.max(1)).enumerate() {
            for (place, column) in places.iter_mut().zip(&self.columns) {
                let value = advantage(lane, column.reward[lane], column.correct[lane]);
                *place = if column.mask[lane] > 0.0 { value } else { 0.0 };
            }
        }
    }
}
