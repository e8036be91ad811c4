//! Groups of a power of two as they lie in memory.

use super::{Block, Each, GROUPS, HUGE, Totals};

/// Numbers of a block.
const NUMBERS: usize = 2 * GROUPS;

/// `NUMBERS / S` groups of `S`.
pub(super) struct Neighbours<const S: usize> {
    rewards: [f32; NUMBERS],
    correct: [f32; NUMBERS],
    mask: [f32; NUMBERS],
}

impl<const S: usize> Neighbours<S> {
    pub(super) fn new() -> Self {
        let [rewards, correct, mask] = [[0.0; NUMBERS]; 3];
        Self { rewards, correct, mask }
    }

    /// One number for each group: neighbours are combined, and then neighbours of those.
    #[inline(always)]
    fn fold(numbers: &[f32; NUMBERS], combine: impl Fn(f32, f32) -> f32) -> Each {
        let [mut first, mut second] = [[0.0; GROUPS]; 2];
        halve(&mut first, numbers, &combine);
        let (mut from, mut to) = (&mut first, &mut second);
        let mut width = S / 2;
        while width > 1 {
            halve(&mut to[..GROUPS / 2], from, &combine);
            (from, to) = (to, from);
            width /= 2;
        }
        *from
    }
}

#[inline(always)]
fn halve(places: &mut [f32], numbers: &[f32], combine: &impl Fn(f32, f32) -> f32) {
    let pairs = numbers.as_chunks::<2>().0;
    places.iter_mut().zip(pairs).for_each(|(place, pair)| *place = combine(pair[0], pair[1]));
}

impl<const S: usize> Block for Neighbours<S> {
    fn room(&self) -> usize {
        NUMBERS / S
    }

    #[inline(always)]
    fn read(&mut self, [rewards, correct, mask]: [&[f32]; 3]) {
        let count = rewards.len();
        if count < NUMBERS {
            self.mask = [0.0; NUMBERS];
            (self.rewards, self.correct) = ([0.0; NUMBERS], [0.0; NUMBERS]);
        }
        let places = self.rewards.iter_mut().zip(&mut self.correct).zip(&mut self.mask);
        let cells = rewards.iter().zip(correct).zip(mask);
        for (((r, c), m), ((reward, correct), mask)) in places.zip(cells) {
            let kept = *mask > 0.0;
            *r = if kept { *reward } else { 0.0 };
            *c = if kept { *correct } else { 0.0 };
            *m = *mask;
        }
    }

    #[inline(always)]
    fn totals(&self) -> Totals {
        let [mut highest, mut lowest] = [self.rewards; 2];
        for ((high, low), mask) in highest.iter_mut().zip(&mut lowest).zip(&self.mask) {
            *high = if *mask > 0.0 { *high } else { -HUGE };
            *low = if *mask > 0.0 { *low } else { HUGE };
        }
        Totals {
            count: Self::fold(&self.mask, |a, b| a + b),
            sum: Self::fold(&self.rewards, |a, b| a + b),
            right: Self::fold(&self.correct, |a, b| a + b),
            largest: Self::fold(&highest, |a, b| if b > a { b } else { a }),
            smallest: Self::fold(&lowest, |a, b| if b < a { b } else { a }),
        }
    }

    #[inline(always)]
    fn squares(&self, mean: &Each) -> Each {
        let mut squares = [0.0; NUMBERS];
        for (group, squares) in squares.as_chunks_mut::<S>().0.iter_mut().enumerate() {
            for (square, cell) in squares.iter_mut().zip(group * S..group * S + S) {
                let deviation = self.rewards[cell] - mean[group];
                let deviation = if self.mask[cell] > 0.0 { deviation } else { 0.0 };
                *square = deviation * deviation;
            }
        }
        Self::fold(&squares, |a, b| a + b)
    }

    #[inline(always)]
    fn write(&self, advantages: &mut [f32], advantage: impl Fn(usize, f32, f32) -> f32) {
        for (group, places) in advantages.as_chunks_mut::<S>().0.iter_mut().enumerate() {
            for (place, cell) in places.iter_mut().zip(group * S..group * S + S) {
                let value = advantage(group, self.rewards[cell], self.correct[cell]);
                *place = if self.mask[cell] > 0.0 { value } else { 0.0 };
            }
        }
    }
}
