//! Words under constraints.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, FamilyCheck, Task};
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

/// Write a word over some letters, with a number of one of them and without a pair:
/// `ab4:2a-bb>` → `abab`.
///
/// The prompt gives the letters and the length, then how often which letter occurs, then what may
/// not occur.
///
/// | level | letters | length |
/// |---|---|---|
/// | 1 | `ab` | 3-4 |
/// | 2 | `ab` | 5-7 |
/// | 3 | `abc` | 4-5 |
/// | 4 | `abc` | 6-7 |
/// | 5 | `abc` | 8-9 |
#[derive(Clone, Copy, Debug)]
pub struct Word;

/// (letters, lengths) of each level.
const LEVELS: [(&str, RangeInclusive<usize>); 5] =
    [("ab", 3..=4), ("ab", 5..=7), ("abc", 4..=5), ("abc", 6..=7), ("abc", 8..=9)];

impl TaskFamily for Word {
    fn name(&self) -> &'static str {
        "word"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=LEVELS.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        "0123456789abc:->"
    }

    fn longest_answer(&self, level: u32) -> usize {
        *LEVELS[level as usize - 1].1.end()
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let (letters, lengths) = &LEVELS[level as usize - 1];
        let choices: Vec<char> = letters.chars().collect();
        loop {
            let length = rng.random_range(lengths.clone());
            let count = rng.random_range(1..length);
            let mut letter = || choices[rng.random_range(0..choices.len())];
            let (counted, forbidden) = (letter(), String::from_iter([letter(), letter()]));
            let rules = Rules { letters, length, counted, count, forbidden: &forbidden };
            let answers = rules.words();
            // Some rules cannot be kept: four letters with one `a` and without `bb`.
            if answers.is_empty() {
                continue;
            }
            let prompt = format!("{letters}{length}:{count}{counted}-{forbidden}>");
            let letters = (*letters).to_owned();
            let check = FamilyCheck::Word { letters, length, counted, count, forbidden };
            return Instance::among(self, level, (prompt, CheckSpec::Family(check)), &answers, rng);
        }
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        match &task.check {
            CheckSpec::Family(FamilyCheck::Word { letters, length, counted, count, forbidden })
                if task.metadata.source == self.name() =>
            {
                let (length, counted, count) = (*length, *counted, *count);
                Some(Rules { letters, length, counted, count, forbidden }.words())
            }
            _ => None,
        }
    }
}

struct Rules<'a> {
    letters: &'a str,
    length: usize,
    counted: char,
    count: usize,
    forbidden: &'a str,
}

impl Rules<'_> {
    /// Every word that keeps the rules, in alphabetical order.
    fn words(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.search(&mut String::new(), self.length, self.count, &mut found);
        found
    }

    /// Continues a word by `left` letters, `count` of which must be the counted one.
    fn search(&self, word: &mut String, left: usize, count: usize, found: &mut Vec<String>) {
        let broken = !self.forbidden.is_empty() && word.ends_with(self.forbidden);
        if count > left || broken {
            return;
        }
        if left == 0 {
            found.push(word.clone());
            return;
        }
        for letter in self.letters.chars() {
            let Some(count) = count.checked_sub(usize::from(letter == self.counted)) else {
                continue;
            };
            word.push(letter);
            self.search(word, left - 1, count, found);
            word.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_by_hand() {
        let rules = |letters, length, count, forbidden| {
            Rules { letters, length, counted: 'a', count, forbidden }.words()
        };
        assert_eq!(rules("ab", 4, 2, "bb"), ["abab", "baab", "baba"]);
        assert_eq!(rules("ab", 3, 1, "bb"), ["bab"]);
        assert_eq!(rules("ab", 4, 1, "bb"), [""; 0]);
        assert_eq!(rules("abc", 2, 1, "ab"), ["ac", "ba", "ca"]);
        assert_eq!(rules("aé", 2, 1, ""), ["aé", "éa"]);
    }
}
