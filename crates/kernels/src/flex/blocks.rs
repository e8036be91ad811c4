//! Rows that go through several operations together, and sums over them.

use std::ops::Range;

use rayon::prelude::*;

/// Rows that go through everything together: few enough for a core's cache, enough for products.
pub(crate) const ROWS: usize = 256;

/// Numbers that all partial sums of gradients may have together.
const SUMS: usize = 1 << 25;

/// The most partial sums.
const GROUPS: usize = 16;

/// How rows are divided where their gradients are summed: groups that are summed apart, which go on
/// in parts of about [`ROWS`] rows. It does not depend on the machine, so neither do the sums.
pub(crate) struct Groups {
    /// Rows of each group but the last.
    pub(crate) rows: usize,
    /// Rows that belong together.
    unit: usize,
}

/// For `count` rows of which each `unit` belong together, with so many numbers to sum.
pub(crate) fn groups(count: usize, unit: usize, sums: usize) -> Groups {
    let most = (SUMS / sums.max(1)).clamp(1, GROUPS);
    let rows = count.div_ceil(most).max(2 * ROWS).next_multiple_of(unit);
    Groups { rows, unit }
}

impl Groups {
    /// The parts of a group's rows, with the places of each.
    pub(crate) fn parts<'a>(
        &self,
        rows: Range<usize>,
        places: &'a mut [f32],
        width: usize,
    ) -> impl Iterator<Item = (Range<usize>, &'a mut [f32])> + use<'a> {
        let part = (ROWS / self.unit).max(1) * self.unit;
        places.chunks_mut(part * width).enumerate().map(move |(number, places)| {
            let start = rows.start + number * part;
            (start..start + places.len() / width, places)
        })
    }
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
