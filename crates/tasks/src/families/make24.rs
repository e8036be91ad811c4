//! Make 24 out of cards.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, ExpressionCheck, Operands, Task};
use rand::{Rng, RngExt};

use super::expressions::expressions;
use crate::family::{Instance, TaskFamily};

/// Make 24, using each given number exactly once: `4,7,8,8>` → `(7-8/8)*4`.
///
/// | level | numbers | each from 1 to |
/// |---|---|---|
/// | 1 | 3 | 9 |
/// | 2 | 4 | 6 |
/// | 3 | 4 | 9 |
/// | 4 | 4 | 13 |
///
/// All four operators may be used, and a division must leave no remainder; hands that need fractions
/// on the way (`8/(3-8/3)`) do not occur. The number of right answers counts expressions in a
/// canonical spelling without needless parentheses; the verifier also accepts other spellings.
#[derive(Clone, Copy, Debug)]
pub struct Make24;

/// (numbers, largest of them) of each level.
const LEVELS: [(usize, i64); 4] = [(3, 9), (4, 6), (4, 9), (4, 13)];
const OPERATORS: &str = "+-*/";

impl TaskFamily for Make24 {
    fn name(&self) -> &'static str {
        "make-24"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=LEVELS.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        "0123456789+-*/(),>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        // As in countdown: the digits, the operators, and parentheses around all but two numbers.
        let (numbers, largest) = LEVELS[level as usize - 1];
        numbers * largest.to_string().len() + numbers - 1 + 2 * (numbers - 2)
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let (count, largest) = LEVELS[level as usize - 1];
        loop {
            let mut numbers: Vec<i64> = (0..count).map(|_| rng.random_range(1..=largest)).collect();
            numbers.sort_unstable();
            let answers = expressions(&numbers, OPERATORS, 24);
            if answers.is_empty() {
                continue;
            }
            let list: Vec<String> = numbers.iter().map(i64::to_string).collect();
            let check = CheckSpec::Expression(ExpressionCheck {
                target: 24,
                operators: OPERATORS.into(),
                forbidden_digits: String::new(),
                operands: Operands::Exactly { numbers },
            });
            let prompt = format!("{}>", list.join(","));
            return Instance::among(self, level, (prompt, check), &answers, rng);
        }
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        match &task.check {
            CheckSpec::Expression(ExpressionCheck {
                operands: Operands::Exactly { numbers },
                ..
            }) if task.metadata.source == self.name() => Some(expressions(numbers, OPERATORS, 24)),
            _ => None,
        }
    }
}
