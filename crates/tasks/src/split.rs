//! Split: write a number as a sum. Every task has many right answers, and their number is known.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, ExpressionCheck, Operands, Task};
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

/// Write a number as a sum of positive terms: `20:2>` → `13+7`.
///
/// | level | number | terms |
/// |---|---|---|
/// | 1 | 2-20 | 2 |
/// | 2 | 21-99 | 2 |
/// | 3 | 3-99 | 3 |
/// | 4 | 100-999 | 2 |
/// | 5 | 100-999 | 3 |
/// | 6 | 100-999 | 4 |
///
/// The right answers are the ordered sums: `n-1` choose `terms-1` of them. A demonstration is drawn
/// uniformly over the cut points, so every right answer has the same chance.
#[derive(Clone, Copy, Debug)]
pub struct Split;

/// (smallest number, largest number, terms) of each level.
const LEVELS: [(u32, u32, usize); 6] =
    [(2, 20, 2), (21, 99, 2), (3, 99, 3), (100, 999, 2), (100, 999, 3), (100, 999, 4)];

impl TaskFamily for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=LEVELS.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        "0123456789+:>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        let (_, largest, terms) = LEVELS[level as usize - 1];
        terms * largest.to_string().len() + terms - 1
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let (smallest, largest, terms) = LEVELS[level as usize - 1];
        let number = rng.random_range(smallest..=largest);
        let check = CheckSpec::Expression(ExpressionCheck {
            target: i64::from(number),
            operators: "+".into(),
            operands: Operands::Free { count: terms, minimum: 1, maximum: i64::from(number) },
        });
        let demonstration = sum(number, &random_cuts(number, terms - 1, rng));
        Instance::new(self, level, format!("{number}:{terms}>"), check, demonstration)
            .with_solutions(choose(u64::from(number) - 1, terms as u64 - 1))
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        let CheckSpec::Expression(ExpressionCheck { target, operands, .. }) = &task.check else {
            return None;
        };
        let (Operands::Free { count, .. }, "split") = (operands, task.metadata.source.as_str())
        else {
            return None;
        };
        let number = u32::try_from(*target).ok()?;
        let mut answers = Vec::new();
        every_cut(number, count - 1, &mut Vec::new(), &mut answers);
        Some(answers)
    }
}

/// `count` distinct cut points of `1..number`, ascending, uniform over all such sets.
fn random_cuts(number: u32, count: usize, rng: &mut dyn Rng) -> Vec<u32> {
    let mut cuts: Vec<u32> = Vec::with_capacity(count);
    while cuts.len() < count {
        let cut = rng.random_range(1..number);
        if !cuts.contains(&cut) {
            cuts.push(cut);
        }
    }
    cuts.sort_unstable();
    cuts
}

/// The sum whose partial sums are the cut points: number 20 with cuts 3, 8 is `3+5+12`.
fn sum(number: u32, cuts: &[u32]) -> String {
    let ends = cuts.iter().chain(std::iter::once(&number));
    let starts = std::iter::once(&0).chain(cuts);
    let terms: Vec<String> = starts.zip(ends).map(|(a, b)| (b - a).to_string()).collect();
    terms.join("+")
}

fn every_cut(number: u32, left: usize, cuts: &mut Vec<u32>, answers: &mut Vec<String>) {
    if left == 0 {
        answers.push(sum(number, cuts));
        return;
    }
    for cut in cuts.last().map_or(1, |last| last + 1)..number {
        cuts.push(cut);
        every_cut(number, left - 1, cuts, answers);
        cuts.pop();
    }
}

fn choose(n: u64, k: u64) -> u64 {
    (0..k).fold(1, |product, i| product * (n - i) / (i + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_points_spell_a_sum() {
        assert_eq!(sum(20, &[3, 8]), "3+5+12");
    }

    #[test]
    fn twenty_in_two_terms_has_nineteen_answers() {
        let mut answers = Vec::new();
        every_cut(20, 1, &mut Vec::new(), &mut answers);
        assert_eq!(answers.len(), 19);
        assert_eq!(choose(19, 1), 19);
    }

    #[test]
    fn binomial_coefficients_are_exact() {
        assert_eq!(choose(998, 3), 165_170_996);
    }
}
