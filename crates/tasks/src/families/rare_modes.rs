//! A bandit with many right answers of which a warm start shows most only rarely.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, FamilyCheck, PromptId, Task};
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

/// Write any of the accepted texts: `3:57>` → `04`.
///
/// The prompt is the number of accepted texts and a key from 0 to 999; the texts are different
/// numbers of two digits, hashed from the prompt, so there is nothing to work out and everything to
/// remember. Level `n` has `n + 1` accepted texts.
///
/// Demonstrations show text `i` (from 0) with chance `0.9 * 0.1^i`, the last one with what is left:
/// a policy warm-started on them holds that known mass on every right answer. What reinforcement
/// learning then does to the rare ones is what the family is for.
#[derive(Clone, Copy, Debug)]
pub struct RareModes;

impl TaskFamily for RareModes {
    fn name(&self) -> &'static str {
        "rare-modes"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=7
    }

    fn alphabet(&self) -> &'static str {
        "0123456789:>"
    }

    fn longest_answer(&self, _level: u32) -> usize {
        2
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let count = level as usize + 1;
        let prompt = format!("{count}:{}>", rng.random_range(0..1000));
        let answers = accepted(&prompt, count);
        let mut mode = 0;
        while mode + 1 < count && rng.random_range(0..10) == 0 {
            mode += 1;
        }
        let demonstration = answers[mode].clone();
        let check = CheckSpec::Family(FamilyCheck::OneOf { answers });
        Instance::new(self, level, prompt, check, demonstration).with_solutions(count as u64)
    }

    /// From the most to the least shown.
    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        match &task.check {
            CheckSpec::Family(FamilyCheck::OneOf { answers })
                if task.metadata.source == self.name() =>
            {
                Some(answers.clone())
            }
            _ => None,
        }
    }
}

fn accepted(prompt: &str, count: usize) -> Vec<String> {
    let mut texts = Vec::with_capacity(count);
    for round in 0.. {
        if texts.len() == count {
            break;
        }
        let text = format!("{:02}", PromptId::of(&format!("{prompt}{round}")).0 % 100);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;

    #[test]
    fn rare_answers_are_shown_as_rarely_as_stated() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut shown = [0; 3];
        for _ in 0..10_000 {
            let instance = RareModes.generate(2, &mut rng);
            let answers = RareModes.solutions(&instance.task).unwrap();
            shown[answers.iter().position(|a| *a == instance.demonstration).unwrap()] += 1;
        }
        // Five standard deviations around 9000, 900 and 100.
        assert!((8850..9150).contains(&shown[0]), "{shown:?}");
        assert!((750..1050).contains(&shown[1]), "{shown:?}");
        assert!((50..150).contains(&shown[2]), "{shown:?}");
    }

    #[test]
    fn the_prompt_alone_decides_what_is_accepted() {
        assert_eq!(accepted("3:57>", 3), accepted("3:57>", 3));
        assert_ne!(accepted("3:57>", 3), accepted("3:58>", 3));
    }
}
