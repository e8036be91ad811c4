//! Rows that go through several operations together, and sums over them.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

/// Rows of up to so many numbers go through everything in parts of [`ROWS`].
const NARROW: usize = 512;

/// Rows that go through everything together, where the widest has `width` numbers: few enough for a
/// core's cache, enough for products with weights of that width.
pub(crate) fn part_rows(width: usize) -> usize {
    if width <= NARROW { ROWS } else { 2 * ROWS }
}

/// Rows of a part, if they are narrow.
const ROWS: usize = 256;

/// Numbers that all partial sums of gradients may have together.
const SUMS: usize = 1 << 25;

/// The most partial sums.
const GROUPS: usize = 16;

/// How rows are divided where their gradients are summed: groups that are summed apart, which go on
/// in parts of [`part_rows`]. It does not depend on the machine, so neither do the sums.
pub(crate) struct Groups {
    /// Rows of each group but the last.
    pub(crate) rows: usize,
    /// Rows of a part.
    part: usize,
}

/// For `count` rows of at most `width` numbers, of which each `unit` belong together, with so many
/// numbers to sum.
pub(crate) fn groups(count: usize, width: usize, unit: usize, sums: usize) -> Groups {
    let most = (SUMS / sums.max(1)).clamp(1, GROUPS);
    let rows = count.div_ceil(most).max(2 * ROWS).next_multiple_of(unit);
    Groups { rows, part: (part_rows(width) / unit).max(1) * unit }
}

impl Groups {
    /// The parts of a group's rows, with the places of each.
    pub(crate) fn parts<'a>(
        &self,
        rows: Range<usize>,
        places: &'a mut [f32],
        width: usize,
    ) -> impl Iterator<Item = (Range<usize>, &'a mut [f32])> + use<'a> {
        let part = self.part;
        places.chunks_mut(part * width).enumerate().map(move |(number, places)| {
            let start = rows.start + number * part;
            (start..start + places.len() / width, places)
        })
    }
}

thread_local! {
    /// What parts before left behind.
    static ROOM: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Room for intermediate numbers, in pieces of these sizes; what stands there is whatever was left
/// behind.
pub(crate) fn with_room<const K: usize, R>(
    sizes: [usize; K],
    work: impl FnOnce([&mut [f32]; K]) -> R,
) -> R {
    // Taken out, so that work within work gets room of its own.
    let mut room = ROOM.take();
    let whole = sizes.iter().sum();
    if room.len() < whole {
        room.resize(whole, 0.0);
    }
    let mut rest = room.as_mut_slice();
    let pieces = sizes.map(|size| {
        let (piece, after) = std::mem::take(&mut rest).split_at_mut(size);
        rest = after;
        piece
    });
    let result = work(pieces);
    ROOM.set(room);
    result
}

/// The sums of all groups, in their order.
pub(crate) fn sum_of<const K: usize>(
    groups: Vec<[Vec<f32>; K]>,
    sizes: [usize; K],
) -> [Vec<f32>; K] {
    const PART: usize = 16 * 1024;
    let mut groups = groups.into_iter();
    let mut whole = groups.next().unwrap_or_else(|| sizes.map(|size| vec![0.0; size]));
    let rest: Vec<[Vec<f32>; K]> = groups.collect();
    for (index, whole) in whole.iter_mut().enumerate() {
        whole.par_chunks_mut(PART).enumerate().for_each(|(number, places)| {
            for group in &rest {
                let part = &group[index][number * PART..];
                places.iter_mut().zip(part).for_each(|(place, x)| *place += x);
            }
        });
    }
    whole
}
