//! Countdown: reach a number with all of the given numbers.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, ExpressionCheck, Operands, Task};
use rand::{Rng, RngExt};

use super::expressions::{apply, expressions};
use crate::family::{Instance, TaskFamily};

/// Reach a number, using each given number exactly once: `3,5,8=16>` → `8+5+3`.
///
/// | level | numbers | each from 1 to | operators |
/// |---|---|---|---|
/// | 1 | 2 | 20 | `+-` |
/// | 2 | 3 | 12 | `+-` |
/// | 3 | 3 | 9 | `+-*` |
/// | 4 | 3 | 9 | `+-*/` |
/// | 5 | 4 | 9 | `+-*` |
///
/// The target is 1 to 99 and always reachable. The number of right answers counts expressions in a
/// canonical spelling without needless parentheses; the verifier also accepts other spellings.
#[derive(Clone, Copy, Debug)]
pub struct Countdown;

/// (numbers, largest of them, operators) of each level.
const LEVELS: [(usize, i64, &str); 5] =
    [(2, 20, "+-"), (3, 12, "+-"), (3, 9, "+-*"), (3, 9, "+-*/"), (4, 9, "+-*")];
const TARGETS: RangeInclusive<i64> = 1..=99;

impl TaskFamily for Countdown {
    fn name(&self) -> &'static str {
        "countdown"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=LEVELS.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        "0123456789+-*/(),=>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        // The digits, an operator between two numbers, and a pair of parentheses for each number
        // after the second.
        let (numbers, largest, _) = LEVELS[level as usize - 1];
        let digits = numbers * largest.to_string().len();
        digits + numbers - 1 + 2 * (numbers - 2)
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let (count, largest, operators) = LEVELS[level as usize - 1];
        loop {
            let mut numbers: Vec<i64> = (0..count).map(|_| rng.random_range(1..=largest)).collect();
            numbers.sort_unstable();
            let Some(target) = random_value(&numbers, operators, rng) else { continue };
            if !TARGETS.contains(&target) {
                continue;
            }
            let answers = expressions(&numbers, operators, target);
            let demonstration = answers[rng.random_range(0..answers.len())].clone();
            let list: Vec<String> = numbers.iter().map(i64::to_string).collect();
            let check = CheckSpec::Expression(ExpressionCheck {
                target,
                operators: operators.into(),
                forbidden_digits: String::new(),
                operands: Operands::Exactly { numbers },
            });
            let prompt = format!("{}={target}>", list.join(","));
            return Instance::new(self, level, prompt, check, demonstration)
                .with_solutions(answers.len() as u64);
        }
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        match &task.check {
            _ if task.metadata.source != self.name() => None,
            CheckSpec::Expression(ExpressionCheck {
                target,
                operators,
                operands: Operands::Exactly { numbers },
                ..
            }) => Some(expressions(numbers, operators, *target)),
            _ => None,
        }
    }
}

/// The value of a random expression over all numbers, `None` if it leaves the integers.
fn random_value(numbers: &[i64], operators: &str, rng: &mut dyn Rng) -> Option<i64> {
    let operators: Vec<char> = operators.chars().collect();
    let mut values = numbers.to_vec();
    while values.len() > 1 {
        let a = values.swap_remove(rng.random_range(0..values.len()));
        let b = values.swap_remove(rng.random_range(0..values.len()));
        values.push(apply(operators[rng.random_range(0..operators.len())], a, b)?);
    }
    values.pop()
}
