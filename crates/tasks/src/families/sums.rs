//! Sums of given numbers: subset sum, coin change.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, ExpressionCheck, Operands, Task};
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

/// Reach a number with some of the given numbers: `2,3,5,8=10>` → `2+8`.
///
/// Level 1 to 5 gives 3 numbers up to 9, 4 up to 9, 5 up to 20, 6 up to 30, 8 up to 50. The right
/// answers are the choices with that sum, each spelled in ascending order; the verifier accepts any
/// order.
#[derive(Clone, Copy, Debug)]
pub struct SubsetSum;

/// Pay an amount with at most so many coins of the given values: `2,5,7:4=19>` → `5+7+7`.
///
/// | level | values | each from 1 to | coins at most |
/// |---|---|---|---|
/// | 1 | 2 | 5 | 3 |
/// | 2 | 3 | 9 | 3 |
/// | 3 | 3 | 9 | 5 |
/// | 4 | 4 | 12 | 5 |
/// | 5 | 4 | 20 | 6 |
///
/// The right answers are the handfuls of coins with that sum, each spelled in ascending order; the
/// verifier accepts any order.
#[derive(Clone, Copy, Debug)]
pub struct Coins;

/// (numbers, largest of them) of each level of [`SubsetSum`].
const SETS: [(usize, i64); 5] = [(3, 9), (4, 9), (5, 20), (6, 30), (8, 50)];
/// (values, largest of them, coins at most) of each level of [`Coins`].
const PURSES: [(usize, i64, usize); 5] = [(2, 5, 3), (3, 9, 3), (3, 9, 5), (4, 12, 5), (4, 20, 6)];
const ALPHABET: &str = "0123456789+,:=>";

impl TaskFamily for SubsetSum {
    fn name(&self) -> &'static str {
        "subset-sum"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=SETS.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        "0123456789+,=>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        let (count, largest) = SETS[level as usize - 1];
        count * (largest.to_string().len() + 1) - 1
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let (count, largest) = SETS[level as usize - 1];
        let mut numbers: Vec<i64> = (0..count).map(|_| rng.random_range(1..=largest)).collect();
        numbers.sort_unstable();
        // Which numbers make the sum: any choice but the empty one.
        let choice = rng.random_range(1..1u32 << count);
        let chosen = numbers.iter().enumerate().filter(|(place, _)| choice >> place & 1 == 1);
        let target = chosen.map(|(_, number)| number).sum();
        let answers = subsets(&numbers, target);
        let prompt = format!("{}={target}>", spelled(&numbers, ","));
        let check = sum_check(target, Operands::Subset { numbers });
        Instance::among(self, level, (prompt, check), &answers, rng)
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        match &task.check {
            CheckSpec::Expression(ExpressionCheck {
                target,
                operands: Operands::Subset { numbers },
                ..
            }) if task.metadata.source == self.name() => Some(subsets(numbers, *target)),
            _ => None,
        }
    }
}

impl TaskFamily for Coins {
    fn name(&self) -> &'static str {
        "coins"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=PURSES.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        ALPHABET
    }

    fn longest_answer(&self, level: u32) -> usize {
        let (_, largest, most) = PURSES[level as usize - 1];
        most * (largest.to_string().len() + 1) - 1
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let (count, largest, most) = PURSES[level as usize - 1];
        let mut numbers: Vec<i64> = Vec::with_capacity(count);
        while numbers.len() < count {
            let value = rng.random_range(1..=largest);
            if !numbers.contains(&value) {
                numbers.push(value);
            }
        }
        numbers.sort_unstable();
        let coins = rng.random_range(1..=most);
        let target = (0..coins).map(|_| numbers[rng.random_range(0..count)]).sum();
        let answers = handfuls(&numbers, most, target);
        let prompt = format!("{}:{most}={target}>", spelled(&numbers, ","));
        let check = sum_check(target, Operands::Repeated { numbers, most });
        Instance::among(self, level, (prompt, check), &answers, rng)
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        match &task.check {
            CheckSpec::Expression(ExpressionCheck {
                target,
                operands: Operands::Repeated { numbers, most },
                ..
            }) if task.metadata.source == self.name() => Some(handfuls(numbers, *most, *target)),
            _ => None,
        }
    }
}

fn sum_check(target: i64, operands: Operands) -> CheckSpec {
    let (operators, forbidden_digits) = ("+".into(), String::new());
    CheckSpec::Expression(ExpressionCheck { target, operators, forbidden_digits, operands })
}

fn spelled(numbers: &[i64], between: &str) -> String {
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    texts.join(between)
}

/// The choices out of ascending positive numbers that sum to the target.
fn subsets(numbers: &[i64], target: i64) -> Vec<String> {
    fn search(numbers: &[i64], left: i64, chosen: &mut Vec<i64>, found: &mut Vec<String>) {
        if left == 0 {
            found.push(spelled(chosen, "+"));
            return;
        }
        for (place, number) in numbers.iter().enumerate() {
            // Of equal numbers the first is taken first, so that no choice is found twice.
            let again = place > 0 && numbers[place - 1] == *number;
            if !again && *number <= left {
                chosen.push(*number);
                search(&numbers[place + 1..], left - number, chosen, found);
                chosen.pop();
            }
        }
    }
    let mut found = Vec::new();
    search(numbers, target, &mut Vec::new(), &mut found);
    found
}

/// The handfuls of at most `most` coins of ascending positive values that sum to the target.
fn handfuls(values: &[i64], most: usize, target: i64) -> Vec<String> {
    fn search(
        values: &[i64],
        most: usize,
        left: i64,
        hand: &mut Vec<i64>,
        found: &mut Vec<String>,
    ) {
        if left == 0 {
            found.push(spelled(hand, "+"));
            return;
        }
        if hand.len() == most {
            return;
        }
        for (place, value) in values.iter().enumerate().filter(|(_, value)| **value <= left) {
            hand.push(*value);
            search(&values[place..], most, left - value, hand, found);
            hand.pop();
        }
    }
    let mut found = Vec::new();
    search(values, most, target, &mut Vec::new(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_by_hand() {
        assert_eq!(subsets(&[2, 3, 5, 8], 10), ["2+3+5", "2+8"]);
        assert_eq!(subsets(&[5, 5, 5], 10), ["5+5"]);
        assert_eq!(subsets(&[2, 4], 5), [""; 0]);
    }

    #[test]
    fn handfuls_by_hand() {
        assert_eq!(handfuls(&[2, 5], 4, 10), ["5+5"]);
        assert_eq!(handfuls(&[2, 5], 5, 10), ["2+2+2+2+2", "5+5"]);
        assert_eq!(handfuls(&[1, 2], 2, 3), ["1+2"]);
    }

    #[test]
    fn ways_to_change_a_dollar_are_the_known_number() {
        // 292 ways to change a dollar into cents, nickels, dimes, quarters and halves.
        assert_eq!(handfuls(&[1, 5, 10, 25, 50], 100, 100).len(), 292);
    }
}
