//! Split: write a number as a sum. Every task has many right answers, and their number is known.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, ExpressionCheck, Operands, Task};
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

/// Write a number as a sum of positive terms: `20:2>` → `13+7`; with a digit that may not be used:
/// `57:2-4>` → `38+19`.
///
/// | level | number | terms | forbidden digit |
/// |---|---|---|---|
/// | 1 | 2-20 | 2 | none |
/// | 2 | 21-99 | 2 | none |
/// | 3 | 21-99 | 2 | one |
/// | 4 | 21-99 | 3 | one |
/// | 5 | 100-999 | 2 | none |
/// | 6 | 100-999 | 3 | one |
///
/// The right answers are the ordered sums without the digit. A demonstration is drawn uniformly
/// over them.
#[derive(Clone, Copy, Debug)]
pub struct Split;

struct Level {
    numbers: RangeInclusive<u32>,
    terms: usize,
    forbids: bool,
}

fn level(level: u32) -> Level {
    let (numbers, terms, forbids) = match level {
        1 => (2..=20, 2, false),
        2 => (21..=99, 2, false),
        3 => (21..=99, 2, true),
        4 => (21..=99, 3, true),
        5 => (100..=999, 2, false),
        _ => (100..=999, 3, true),
    };
    Level { numbers, terms, forbids }
}

impl TaskFamily for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=6
    }

    fn alphabet(&self) -> &'static str {
        "0123456789+:->"
    }

    fn longest_answer(&self, number: u32) -> usize {
        let Level { numbers, terms, .. } = level(number);
        terms * numbers.end().to_string().len() + terms - 1
    }

    fn generate(&self, number: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(number);
        let Level { numbers, terms, forbids } = level(number);
        let (whole, digit, solutions) = loop {
            let whole = rng.random_range(numbers.clone());
            let digit = forbids.then(|| char::from(b'0' + rng.random_range(0..10u8)));
            // A few numbers have no sum without their digit.
            let solutions = count(whole, terms, digit);
            if solutions > 0 {
                break (whole, digit, solutions);
            }
        };
        let demonstration = loop {
            // Every ordered sum has the same chance, so the first allowed one is uniform over the
            // allowed ones.
            let sum = sum(whole, &random_cuts(whole, terms - 1, rng));
            if allowed(&sum, digit) {
                break sum;
            }
        };
        let check = CheckSpec::Expression(ExpressionCheck {
            target: i64::from(whole),
            operators: "+".into(),
            forbidden_digits: digit.map(String::from).unwrap_or_default(),
            operands: Operands::Free { count: terms, minimum: 1, maximum: i64::from(whole) },
        });
        let rule = digit.map(|digit| format!("-{digit}")).unwrap_or_default();
        let prompt = format!("{whole}:{terms}{rule}>");
        Instance::new(self, number, prompt, check, demonstration).with_solutions(solutions)
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        let CheckSpec::Expression(check) = &task.check else { return None };
        let (Operands::Free { count, .. }, "split") =
            (&check.operands, task.metadata.source.as_str())
        else {
            return None;
        };
        let whole = u32::try_from(check.target).ok()?;
        let mut answers = Vec::new();
        every_cut(whole, count.checked_sub(1)?, &mut Vec::new(), &mut |cuts| {
            answers.push(sum(whole, cuts));
        });
        answers.retain(|answer| allowed(answer, check.forbidden_digits.chars().next()));
        Some(answers)
    }
}

fn allowed(sum: &str, digit: Option<char>) -> bool {
    digit.is_none_or(|digit| !sum.contains(digit))
}

/// `count` distinct cut points of `1..whole`, ascending, uniform over all such sets.
fn random_cuts(whole: u32, count: usize, rng: &mut dyn Rng) -> Vec<u32> {
    let mut cuts: Vec<u32> = Vec::with_capacity(count);
    while cuts.len() < count {
        let cut = rng.random_range(1..whole);
        if !cuts.contains(&cut) {
            cuts.push(cut);
        }
    }
    cuts.sort_unstable();
    cuts
}

/// The sum whose partial sums are the cut points: 20 with cuts 3, 8 is `3+5+12`.
fn sum(whole: u32, cuts: &[u32]) -> String {
    let ends = cuts.iter().chain(std::iter::once(&whole));
    let starts = std::iter::once(&0).chain(cuts);
    let terms: Vec<String> = starts.zip(ends).map(|(a, b)| (b - a).to_string()).collect();
    terms.join("+")
}

fn every_cut(whole: u32, left: usize, cuts: &mut Vec<u32>, found: &mut dyn FnMut(&[u32])) {
    if left == 0 {
        found(cuts);
        return;
    }
    for cut in cuts.last().map_or(1, |last| last + 1)..whole {
        cuts.push(cut);
        every_cut(whole, left - 1, cuts, found);
        cuts.pop();
    }
}

/// Number of ordered sums of `terms` positive terms (at least two) without the digit.
fn count(whole: u32, terms: usize, digit: Option<char>) -> u64 {
    let whole = whole as usize;
    let usable: Vec<bool> = (0..=whole).map(|n| n > 0 && allowed(&n.to_string(), digit)).collect();
    // `ways[total]`: ordered sums of so many terms with that total. The last term is only added for
    // the one total that matters.
    let mut ways: Vec<u64> = usable.iter().map(|usable| u64::from(*usable)).collect();
    let add = |ways: &[u64], total: usize| -> u64 {
        (1..=total).filter(|n| usable[*n]).map(|n| ways[total - n]).sum()
    };
    for _ in 2..terms {
        ways = (0..=whole).map(|total| add(&ways, total)).collect();
    }
    add(&ways, whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_points_spell_a_sum() {
        assert_eq!(sum(20, &[3, 8]), "3+5+12");
    }

    #[test]
    fn answers_are_counted_by_binomial_coefficients_where_no_digit_is_forbidden() {
        assert_eq!(count(20, 2, None), 19);
        assert_eq!(count(99, 3, None), 98 * 97 / 2);
        assert_eq!(count(999, 3, None), 998 * 997 / 2);
    }

    #[test]
    fn some_sums_cannot_be_written_without_a_digit() {
        let impossible: Vec<(u32, char)> = (21..=99)
            .flat_map(|whole| "0123456789".chars().map(move |digit| (whole, digit)))
            .filter(|(whole, digit)| count(*whole, 2, Some(*digit)) == 0)
            .collect();
        // Every sum of two that makes 21 has a 1 in it: 1+20, 2+19, ... 10+11.
        assert_eq!(impossible, [(21, '1')]);
    }

    #[test]
    fn a_forbidden_digit_takes_answers_away() {
        // Of 1+9, 2+8, ... 9+1 the digit 5 takes 5+5, and the digit 1 takes 1+9 and 9+1.
        assert_eq!(count(10, 2, Some('5')), 8);
        assert_eq!(count(10, 2, Some('1')), 7);
        assert_eq!(count(10, 2, Some('0')), 9);
    }
}
