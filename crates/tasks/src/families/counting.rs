//! Tasks that count: parity and majority of bits, occurrences of a digit.

use std::ops::RangeInclusive;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

/// 1 if the number of ones is odd, else 0: `10110>` → `1`. The level is the number of bits.
///
/// Guessing is right half the time, and a policy that reads all bits but one does no better.
#[derive(Clone, Copy, Debug)]
pub struct Parity;

/// The bit that occurs more often: `10110>` → `1`. Level `n` has `2n - 1` bits, so there is no tie.
#[derive(Clone, Copy, Debug)]
pub struct Majority;

/// How often a digit occurs: `30313:3>` → `3`. The level is the number of digits.
///
/// Every count from none to all is equally likely, so chance level at level `n` is `1/(n+1)`.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

impl TaskFamily for Parity {
    fn name(&self) -> &'static str {
        "parity"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=32
    }

    fn alphabet(&self) -> &'static str {
        "01>"
    }

    fn longest_answer(&self, _level: u32) -> usize {
        1
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let bits = random_bits(level, rng);
        let odd = bits.matches('1').count() % 2;
        Instance::exact(self, level, format!("{bits}>"), odd.to_string())
    }
}

impl TaskFamily for Majority {
    fn name(&self) -> &'static str {
        "majority"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=16
    }

    fn alphabet(&self) -> &'static str {
        "01>"
    }

    fn longest_answer(&self, _level: u32) -> usize {
        1
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let bits = random_bits(2 * level - 1, rng);
        let more = u8::from(2 * bits.matches('1').count() > bits.len());
        Instance::exact(self, level, format!("{bits}>"), more.to_string())
    }
}

impl TaskFamily for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=16
    }

    fn alphabet(&self) -> &'static str {
        "0123456789:>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        level.to_string().len()
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let asked = rng.random_range(0..10u8);
        let count = rng.random_range(0..=level);
        let mut other = || {
            let digit = rng.random_range(0..9u8);
            digit + u8::from(digit >= asked)
        };
        let mut digits: Vec<char> = (0..level)
            .map(|place| if place < count { asked } else { other() })
            .map(|digit| char::from(b'0' + digit))
            .collect();
        digits.shuffle(rng);
        let digits = String::from_iter(digits);
        Instance::exact(self, level, format!("{digits}:{asked}>"), count.to_string())
    }
}

fn random_bits(count: u32, rng: &mut dyn Rng) -> String {
    (0..count).map(|_| if rng.random_range(0..2) == 1 { '1' } else { '0' }).collect()
}
