//! Balanced strings of brackets.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, FamilyCheck, Task};
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

/// Complete a balanced string of brackets of a given length: `()[]6:([>` → `])[]`.
///
/// The prompt names the kinds of brackets, the length of the whole string and how it begins; the
/// answer is the rest.
///
/// | level | pairs | kinds |
/// |---|---|---|
/// | 1 | 2 | `()` |
/// | 2 | 3 | `()` |
/// | 3 | 4 | `()` |
/// | 4 | 3 | `()[]` |
/// | 5 | 4 | `()[]` |
/// | 6 | 6 | `()[]` |
///
/// With `n` pairs of `k` kinds and no beginning there are `Catalan(n) k^n` right answers: 8,448 at
/// level 6. A demonstration is drawn uniformly over them.
#[derive(Clone, Copy, Debug)]
pub struct Brackets;

/// (pairs, kinds) of each level.
const LEVELS: [(usize, &str); 6] =
    [(2, "()"), (3, "()"), (4, "()"), (3, "()[]"), (4, "()[]"), (6, "()[]")];

impl TaskFamily for Brackets {
    fn name(&self) -> &'static str {
        "brackets"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=LEVELS.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        "0123456789:()[]>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        2 * LEVELS[level as usize - 1].0
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let (pairs, kinds) = LEVELS[level as usize - 1];
        let brackets: Vec<char> = kinds.chars().collect();
        let length = 2 * pairs;
        let whole = random_string(&brackets, length, rng);
        // At most half of the string is given, so that something is left to do.
        let given = rng.random_range(0..=pairs);
        let (prefix, rest) = whole.split_at(given);
        let prompt = format!("{kinds}{length}:{prefix}>");
        let open = open_after(&brackets, prefix).expect("it is cut off a balanced string");
        let solutions = ways(&brackets, open.len(), length - given);
        let (prefix, kinds) = (prefix.to_owned(), kinds.to_owned());
        let check = CheckSpec::Family(FamilyCheck::Brackets { prefix, length, kinds });
        Instance::new(self, level, prompt, check, rest.to_owned()).with_solutions(solutions)
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        match &task.check {
            CheckSpec::Family(FamilyCheck::Brackets { prefix, length, kinds })
                if task.metadata.source == self.name() =>
            {
                let brackets: Vec<char> = kinds.chars().collect();
                let mut search = Search { brackets: &brackets, found: Vec::new() };
                let open = open_after(&brackets, prefix)?;
                let left = length.checked_sub(prefix.chars().count())?;
                search.continue_from(&mut String::new(), &open, left);
                Some(search.found)
            }
            _ => None,
        }
    }
}

/// Number of ways to end a string with `open` brackets waiting and `left` characters to come: closing
/// is forced in kind, opening is not.
fn ways(brackets: &[char], open: usize, left: usize) -> u64 {
    let kinds = brackets.len() as u64 / 2;
    // `counts[depth]` for no characters left, then for one more each round.
    let mut counts = vec![0; open + left + 2];
    counts[0] = 1;
    for _ in 0..left {
        let opened = |depth: usize| counts.get(depth + 1).copied().unwrap_or(0) * kinds;
        let closed = |depth: usize| if depth > 0 { counts[depth - 1] } else { 0 };
        counts = (0..counts.len()).map(|depth| opened(depth) + closed(depth)).collect();
    }
    counts[open]
}

/// The brackets that a beginning leaves open, as places of their closing ones; nothing if no
/// balanced string begins so.
fn open_after(brackets: &[char], prefix: &str) -> Option<Vec<usize>> {
    let mut open = Vec::new();
    for bracket in prefix.chars() {
        let place = brackets.iter().position(|other| *other == bracket)?;
        if place % 2 == 0 {
            open.push(place + 1);
        } else if open.pop() != Some(place) {
            return None;
        }
    }
    // Each opening bracket needs its closing one.
    brackets.len().is_multiple_of(2).then_some(open)
}

/// A balanced string, uniform over all of that length.
fn random_string(brackets: &[char], length: usize, rng: &mut dyn Rng) -> String {
    let mut text = String::new();
    let mut open = Vec::new();
    for left in (0..length).rev() {
        let opening = ways(brackets, open.len() + 1, left) * (brackets.len() as u64 / 2);
        let closing = if open.is_empty() { 0 } else { ways(brackets, open.len() - 1, left) };
        let place = if rng.random_range(0..opening + closing) < opening {
            let place = 2 * rng.random_range(0..brackets.len() / 2);
            open.push(place + 1);
            place
        } else {
            open.pop().expect("closing has no chance when nothing is open")
        };
        text.push(brackets[place]);
    }
    text
}

struct Search<'a> {
    brackets: &'a [char],
    found: Vec<String>,
}

impl Search<'_> {
    fn continue_from(&mut self, text: &mut String, open: &[usize], left: usize) {
        if open.len() > left {
            return;
        }
        if left == 0 {
            self.found.push(text.clone());
            return;
        }
        for place in (0..self.brackets.len()).step_by(2) {
            text.push(self.brackets[place]);
            let deeper: Vec<usize> = open.iter().copied().chain([place + 1]).collect();
            self.continue_from(text, &deeper, left - 1);
            text.pop();
        }
        if let Some((place, rest)) = open.split_last() {
            text.push(self.brackets[*place]);
            self.continue_from(text, rest, left - 1);
            text.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_counted_by_catalan_numbers() {
        let counted =
            |kinds: &str, pairs: usize| ways(&kinds.chars().collect::<Vec<_>>(), 0, 2 * pairs);
        let catalan: Vec<u64> = (0..7).map(|pairs| counted("()", pairs)).collect();
        assert_eq!(catalan, [1, 1, 2, 5, 14, 42, 132]);
        assert_eq!(counted("()[]", 6), 132 * 64);
    }

    #[test]
    fn what_is_open_must_still_close() {
        let brackets = ['(', ')', '[', ']'];
        assert_eq!(open_after(&brackets, "([]["), Some(vec![1, 3]));
        assert_eq!(open_after(&brackets, "([)"), None);
        assert_eq!(ways(&brackets, 2, 2), 1);
        assert_eq!(ways(&brackets, 2, 1), 0);
        // Open one of two kinds and close it, before, between or after the two that wait.
        assert_eq!(ways(&brackets, 2, 4), 6);
    }
}
