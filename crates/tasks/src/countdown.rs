//! Countdown: reach a number with all of the given numbers.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, ExpressionCheck, Operands, Task};
use rand::{Rng, RngExt};

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

/// A sub-expression: its value, its spelling and the operator at its root (`' '` for a number).
#[derive(Clone)]
struct Part {
    value: i64,
    text: String,
    root: char,
}

impl Part {
    fn number(value: i64) -> Self {
        Self { value, text: value.to_string(), root: ' ' }
    }

    /// `None` if the operation does not stay within the integers.
    fn combine(&self, operator: char, right: &Self) -> Option<Self> {
        let value = apply(operator, self.value, right.value)?;
        let left_text = parenthesise(self, precedence(self.root) < precedence(operator));
        // The right side of `-` and `/` binds first; so does a quotient under `*`, because
        // `a*b/c` would divide the product.
        let same = precedence(right.root) == precedence(operator);
        let grouped = same && (matches!(operator, '-' | '/') || right.root == '/');
        let right_text =
            parenthesise(right, grouped || precedence(right.root) < precedence(operator));
        Some(Self { value, text: format!("{left_text}{operator}{right_text}"), root: operator })
    }
}

fn apply(operator: char, a: i64, b: i64) -> Option<i64> {
    match operator {
        '+' => a.checked_add(b),
        '-' => a.checked_sub(b),
        '*' => a.checked_mul(b),
        _ => (b != 0 && a % b == 0).then(|| a / b),
    }
}

fn precedence(root: char) -> u8 {
    match root {
        '+' | '-' => 1,
        '*' | '/' => 2,
        _ => 3,
    }
}

fn parenthesise(part: &Part, needed: bool) -> String {
    if needed { format!("({})", part.text) } else { part.text.clone() }
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

/// Every canonical expression over all numbers with the value `target`, sorted.
fn expressions(numbers: &[i64], operators: &str, target: i64) -> Vec<String> {
    let mut found = BTreeSet::new();
    search(numbers.iter().copied().map(Part::number).collect(), operators, target, &mut found);
    found.into_iter().collect()
}

fn search(parts: Vec<Part>, operators: &str, target: i64, found: &mut BTreeSet<String>) {
    if let [part] = parts.as_slice() {
        if part.value == target {
            found.insert(part.text.clone());
        }
        return;
    }
    for left in 0..parts.len() {
        for right in (0..parts.len()).filter(|right| *right != left) {
            let rest: Vec<Part> = (0..parts.len())
                .filter(|i| *i != left && *i != right)
                .map(|i| parts[i].clone())
                .collect();
            for operator in operators.chars() {
                if let Some(part) = parts[left].combine(operator, &parts[right]) {
                    let mut next = rest.clone();
                    next.push(part);
                    search(next, operators, target, found);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_counted_by_hand() {
        assert_eq!(expressions(&[3, 5], "+-*", 8), ["3+5", "5+3"]);
        assert_eq!(expressions(&[3, 5], "+-*", 2), ["5-3"]);
        assert_eq!(expressions(&[2, 2], "+-*", 4), ["2*2", "2+2"]);
    }

    #[test]
    fn sums_of_three_are_its_permutations() {
        let answers = expressions(&[1, 2, 4], "+", 7);
        assert_eq!(answers, ["1+2+4", "1+4+2", "2+1+4", "2+4+1", "4+1+2", "4+2+1"]);
    }

    #[test]
    fn parentheses_stand_only_where_they_matter() {
        let answers = expressions(&[1, 2, 9], "-", 6);
        assert_eq!(answers, ["9-1-2", "9-2-1"]);
        assert!(expressions(&[1, 2, 9], "-", 8).contains(&"9-(2-1)".to_owned()));
        assert!(expressions(&[2, 3, 4], "+*", 20).contains(&"(2+3)*4".to_owned()));
    }
}
