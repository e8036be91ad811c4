//! Tasks with one number as the answer: addition, arithmetic modulo p, greatest common divisor, other
//! bases.

use std::ops::RangeInclusive;

use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

/// Add two numbers: `57+68>` → `125`. The level is the number of digits of each.
#[derive(Clone, Copy, Debug)]
pub struct Addition;

/// Compute modulo p: `5*4%7>` → `6`. Level 1 to 6 is p = 5, 7, 11, 23, 47, 97.
///
/// The answer is one number below p, so chance level is `1/p` and known exactly.
#[derive(Clone, Copy, Debug)]
pub struct Modular;

/// The greatest common divisor: `12,18>` → `6`.
///
/// The numbers are multiples of a common factor up to 5, 12, 30 or 99 by numbers up to 4, 9, 33 or
/// 99, so the answer is not nearly always 1.
#[derive(Clone, Copy, Debug)]
pub struct Gcd;

/// Write a number in another base: `13:2>` → `1101`.
///
/// | level | number | base |
/// |---|---|---|
/// | 1 | 1-15 | 2 |
/// | 2 | 16-63 | 2 |
/// | 3 | 1-80 | 3-9 |
/// | 4 | 81-999 | 2-9 |
#[derive(Clone, Copy, Debug)]
pub struct Base;

const MODULI: [u32; 6] = [5, 7, 11, 23, 47, 97];
/// (largest common factor, largest other factor) of each level of [`Gcd`].
const FACTORS: [(u32, u32); 4] = [(5, 4), (12, 9), (30, 33), (99, 99)];
/// (numbers, bases) of each level of [`Base`].
const BASES: [(RangeInclusive<u32>, RangeInclusive<u32>); 4] =
    [(1..=15, 2..=2), (16..=63, 2..=2), (1..=80, 3..=9), (81..=999, 2..=9)];

impl TaskFamily for Addition {
    fn name(&self) -> &'static str {
        "addition"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=6
    }

    fn alphabet(&self) -> &'static str {
        "0123456789+>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        level as usize + 1
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let smallest = if level == 1 { 0 } else { 10u32.pow(level - 1) };
        let mut term = || rng.random_range(smallest..10u32.pow(level));
        let (a, b) = (term(), term());
        Instance::exact(self, level, format!("{a}+{b}>"), (a + b).to_string())
    }
}

impl TaskFamily for Modular {
    fn name(&self) -> &'static str {
        "modular"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=MODULI.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        "0123456789+-*%>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        if MODULI[level as usize - 1] > 10 { 2 } else { 1 }
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let modulus = MODULI[level as usize - 1];
        let (a, b) = (rng.random_range(0..modulus), rng.random_range(0..modulus));
        let (operator, answer) = match rng.random_range(0..3) {
            0 => ('+', (a + b) % modulus),
            1 => ('-', (a + modulus - b) % modulus),
            _ => ('*', a * b % modulus),
        };
        let prompt = format!("{a}{operator}{b}%{modulus}>");
        Instance::exact(self, level, prompt, answer.to_string())
    }
}

impl TaskFamily for Gcd {
    fn name(&self) -> &'static str {
        "gcd"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=FACTORS.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        "0123456789,>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        let (common, other) = FACTORS[level as usize - 1];
        (common * other).to_string().len()
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let (common, other) = FACTORS[level as usize - 1];
        let factor = rng.random_range(1..=common);
        let mut multiple = || factor * rng.random_range(1..=other);
        let (a, b) = (multiple(), multiple());
        Instance::exact(self, level, format!("{a},{b}>"), gcd(a, b).to_string())
    }
}

impl TaskFamily for Base {
    fn name(&self) -> &'static str {
        "base"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=BASES.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        "0123456789:>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        let (numbers, bases) = &BASES[level as usize - 1];
        digits(*numbers.end(), *bases.start()).len()
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let (numbers, bases) = &BASES[level as usize - 1];
        let (number, base) = (rng.random_range(numbers.clone()), rng.random_range(bases.clone()));
        Instance::exact(self, level, format!("{number}:{base}>"), digits(number, base))
    }
}

pub(super) fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A number in a base up to ten.
fn digits(mut number: u32, base: u32) -> String {
    let mut backwards = Vec::new();
    while number > 0 || backwards.is_empty() {
        backwards.extend(char::from_digit(number % base, base));
        number /= base;
    }
    backwards.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_other_bases_are_those_of_the_standard_library() {
        for number in 0..1000 {
            assert_eq!(digits(number, 2), format!("{number:b}"));
            assert_eq!(digits(number, 8), format!("{number:o}"));
            assert_eq!(digits(number, 10), number.to_string());
        }
        assert_eq!(digits(80, 3), "2222");
    }

    #[test]
    fn greatest_common_divisors_by_hand() {
        let cases = [(12, 18, 6), (7, 5, 1), (9, 9, 9), (4, 0, 4), (34, 51, 17)];
        for (a, b, expected) in cases {
            assert_eq!(gcd(a, b), expected);
            assert_eq!(gcd(b, a), expected);
        }
    }
}
