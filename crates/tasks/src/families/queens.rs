//! Queens that do not attack each other.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, FamilyCheck, Task};
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

/// Place a queen in every row so that none attacks another: `6:24>` → `6135`.
///
/// The prompt gives the size of the board and the columns of the queens in the first rows; the
/// answer is the columns in the other rows. Level 1 to 5 is a board of 4 to 8; there are 2, 10, 4,
/// 40 and 92 placements of all queens.
#[derive(Clone, Copy, Debug)]
pub struct Queens;

impl TaskFamily for Queens {
    fn name(&self) -> &'static str {
        "queens"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=5
    }

    fn alphabet(&self) -> &'static str {
        "0123456789:>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        level as usize + 3
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let size = level as u8 + 3;
        let all = placements(size, &[]);
        let whole = all[rng.random_range(0..all.len())].as_bytes();
        let given = rng.random_range(0..usize::from(size));
        let placed: Vec<u8> = whole[..given].iter().map(|digit| digit - b'0').collect();
        let shown: String = placed.iter().map(u8::to_string).collect();
        let answers = placements(size, &placed);
        let check = CheckSpec::Family(FamilyCheck::Queens { size, placed });
        Instance::among(self, level, (format!("{size}:{shown}>"), check), &answers, rng)
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        match &task.check {
            CheckSpec::Family(FamilyCheck::Queens { size, placed })
                if task.metadata.source == self.name() && placed.len() <= usize::from(*size) =>
            {
                Some(placements(*size, placed))
            }
            _ => None,
        }
    }
}

/// The columns of the rows after those placed, in every way there is.
fn placements(size: u8, placed: &[u8]) -> Vec<String> {
    fn search(size: u8, given: usize, columns: &mut Vec<u8>, found: &mut Vec<String>) {
        if columns.len() == usize::from(size) {
            found.push(columns[given..].iter().map(u8::to_string).collect());
            return;
        }
        for column in 1..=size {
            let mut above = columns.iter().rev().zip(1..);
            let free = |(other, rows): (&u8, u8)| {
                let apart = other.abs_diff(column);
                apart != 0 && apart != rows
            };
            if above.all(free) {
                columns.push(column);
                search(size, given, columns, found);
                columns.pop();
            }
        }
    }
    let mut found = Vec::new();
    search(size, placed.len(), &mut placed.to_vec(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placements_are_the_known_numbers() {
        assert_eq!([4, 5, 6, 7, 8].map(|size| placements(size, &[]).len()), [2, 10, 4, 40, 92]);
        assert_eq!(placements(4, &[]), ["2413", "3142"]);
        assert_eq!(placements(4, &[2]), ["413"]);
        assert_eq!(placements(4, &[1]), [""; 0]);
    }
}
