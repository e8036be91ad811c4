//! Tasks on strings of digits: reverse them, sort them.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, Task};
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily, exact_solution};

const ALPHABET: &str = "0123456789>";

/// Write the digits backwards: `31465>` → `56413`. The level is the number of digits.
#[derive(Clone, Copy, Debug)]
pub struct Reverse;

/// Write the digits in ascending order: `3141>` → `1134`. The level is the number of digits.
#[derive(Clone, Copy, Debug)]
pub struct Sort;

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
        sequence_instance(self, level, &digits, digits.iter().rev())
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        exact_solution(self, task)
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
        let mut sorted = digits.clone();
        sorted.sort_unstable();
        sequence_instance(self, level, &digits, sorted.iter())
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        exact_solution(self, task)
    }
}

fn random_digits(count: u32, rng: &mut dyn Rng) -> Vec<char> {
    (0..count).map(|_| char::from(b'0' + rng.random_range(0..10u8))).collect()
}

fn sequence_instance<'a>(
    family: &dyn TaskFamily,
    level: u32,
    digits: &[char],
    answer: impl Iterator<Item = &'a char>,
) -> Instance {
    let prompt = digits.iter().chain(['>'].iter()).collect();
    let answer: String = answer.collect();
    let check = CheckSpec::Exact { answer: answer.clone() };
    Instance::new(family, level, prompt, check, answer).with_solutions(1)
}
