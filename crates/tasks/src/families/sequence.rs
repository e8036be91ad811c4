//! Tasks on strings of digits: copy them, reverse them, sort them.

use std::ops::RangeInclusive;

use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

const ALPHABET: &str = "0123456789>";

/// Write the digits again: `31465>` → `31465`. The level is the number of digits.
#[derive(Clone, Copy, Debug)]
pub struct Copying;

/// Write the digits backwards: `31465>` → `56413`. The level is the number of digits.
#[derive(Clone, Copy, Debug)]
pub struct Reverse;

/// Write the digits in ascending order: `3141>` → `1134`. The level is the number of digits.
#[derive(Clone, Copy, Debug)]
pub struct Sort;

impl TaskFamily for Copying {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=16
    }

    fn alphabet(&self) -> &'static str {
        ALPHABET
    }

    fn longest_answer(&self, level: u32) -> usize {
        level as usize
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let digits = random_digits(level, rng);
        Instance::exact(self, level, format!("{digits}>"), digits)
    }
}

impl TaskFamily for Reverse {
    fn name(&self) -> &'static str {
        "reverse"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=16
    }

    fn alphabet(&self) -> &'static str {
        ALPHABET
    }

    fn longest_answer(&self, level: u32) -> usize {
        level as usize
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let digits = random_digits(level, rng);
        Instance::exact(self, level, format!("{digits}>"), digits.chars().rev().collect())
    }
}

impl TaskFamily for Sort {
    fn name(&self) -> &'static str {
        "sort"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=12
    }

    fn alphabet(&self) -> &'static str {
        ALPHABET
    }

    fn longest_answer(&self, level: u32) -> usize {
        level as usize
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let digits = random_digits(level, rng);
        let mut sorted: Vec<char> = digits.chars().collect();
        sorted.sort_unstable();
        Instance::exact(self, level, format!("{digits}>"), sorted.into_iter().collect())
    }
}

fn random_digits(count: u32, rng: &mut dyn Rng) -> String {
    (0..count).map(|_| char::from(b'0' + rng.random_range(0..10u8))).collect()
}
