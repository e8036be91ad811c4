//! Tasks with one number as the answer: addition, arithmetic modulo p.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, Task};
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily, exact_solution};

/// Add two numbers: `57+68>` → `125`. The level is the number of digits of each.
#[derive(Clone, Copy, Debug)]
pub struct Addition;

/// Compute modulo p: `5*4%7>` → `6`. Level 1 to 6 is p = 5, 7, 11, 23, 47, 97.
///
/// The answer is one number below p, so chance level is `1/p` and known exactly.
#[derive(Clone, Copy, Debug)]
pub struct Modular;

const MODULI: [u32; 6] = [5, 7, 11, 23, 47, 97];

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
        number_instance(self, level, format!("{a}+{b}>"), a + b)
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        exact_solution(self, task)
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
        number_instance(self, level, format!("{a}{operator}{b}%{modulus}>"), answer)
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        exact_solution(self, task)
    }
}

fn number_instance(family: &dyn TaskFamily, level: u32, prompt: String, answer: u32) -> Instance {
    let answer = answer.to_string();
    let check = CheckSpec::Exact { answer: answer.clone() };
    Instance::new(family, level, prompt, check, answer).with_solutions(1)
}
