//! Factor pairs: write a number as a product of two.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, ExpressionCheck, Operands, Task};
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

/// Write a number as a product of two numbers above one: `24>` → `4*6`.
///
/// The factors that it is made of are at most 9, 31 or 99. The right answers are the ordered pairs:
/// as many as the number has divisors, less two.
#[derive(Clone, Copy, Debug)]
pub struct Factors;

const LARGEST: [u32; 3] = [9, 31, 99];

impl TaskFamily for Factors {
    fn name(&self) -> &'static str {
        "factors"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=LARGEST.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        "0123456789*>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        // A product has at least one digit less than its factors together.
        LARGEST[level as usize - 1].pow(2).to_string().len() + 2
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let mut factor = || rng.random_range(2..=LARGEST[level as usize - 1]);
        let product = factor() * factor();
        let check = CheckSpec::Expression(ExpressionCheck {
            target: i64::from(product),
            operators: "*".into(),
            forbidden_digits: String::new(),
            operands: Operands::Free { count: 2, minimum: 2, maximum: i64::from(product / 2) },
        });
        Instance::among(self, level, (format!("{product}>"), check), &pairs(product), rng)
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        match &task.check {
            CheckSpec::Expression(check) if task.metadata.source == self.name() => {
                Some(pairs(u32::try_from(check.target).ok()?))
            }
            _ => None,
        }
    }
}

fn pairs(product: u32) -> Vec<String> {
    let divisors = (2..=product / 2).filter(|factor| product.is_multiple_of(*factor));
    divisors.map(|factor| format!("{factor}*{}", product / factor)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_by_hand() {
        assert_eq!(pairs(4), ["2*2"]);
        assert_eq!(pairs(12), ["2*6", "3*4", "4*3", "6*2"]);
        assert_eq!(pairs(7), [""; 0]);
    }
}
