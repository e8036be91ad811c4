//! The trait of a procedural task family, and the list of the built-in ones.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, PromptId, Task, TaskMetadata};
use rand::{Rng, RngExt};

use crate::families::{
    Addition, Base, Brackets, Coins, Copying, Countdown, Counting, Equation, Factors, Gcd,
    GraphPath, Majority, Make24, Modular, Parity, Queens, RareModes, Reverse, Sort, Split,
    SubsetSum, Word,
};

/// A task with one right answer to learn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The task.
    pub task: Task,
    /// A right answer, drawn at random where there are several.
    pub demonstration: String,
}

impl Instance {
    /// Joins the parts; the id is the hash of the family's name and the prompt.
    pub(crate) fn new(
        family: &dyn TaskFamily,
        level: u32,
        prompt: String,
        check: CheckSpec,
        demonstration: String,
    ) -> Self {
        let id = PromptId::of(&format!("{}\n{prompt}", family.name()));
        let metadata = TaskMetadata {
            source: family.name().to_owned(),
            level: Some(level),
            ..TaskMetadata::default()
        };
        Self { task: Task { id, prompt, check, metadata }, demonstration }
    }

    /// A task whose only right answer is a text.
    pub(crate) fn exact(
        family: &dyn TaskFamily,
        level: u32,
        prompt: String,
        answer: String,
    ) -> Self {
        let check = CheckSpec::Exact { answer: answer.clone() };
        Self::new(family, level, prompt, check, answer).with_solutions(1)
    }

    /// A task whose right answers are listed; the demonstration is any of them.
    pub(crate) fn among(
        family: &dyn TaskFamily,
        level: u32,
        (prompt, check): (String, CheckSpec),
        answers: &[String],
        rng: &mut dyn Rng,
    ) -> Self {
        let demonstration = answers[rng.random_range(0..answers.len())].clone();
        Self::new(family, level, prompt, check, demonstration).with_solutions(answers.len() as u64)
    }

    /// Records the number of right answers.
    pub(crate) fn with_solutions(mut self, solutions: u64) -> Self {
        self.task.metadata.solutions = Some(solutions);
        self
    }
}

/// A family of tasks, made by a program at any of several levels of difficulty.
pub trait TaskFamily: Debug + Send + Sync {
    /// Short name, as in run files.
    fn name(&self) -> &'static str;

    /// The levels there are, easiest first.
    fn levels(&self) -> RangeInclusive<u32>;

    /// Every character that its prompts and answers use.
    fn alphabet(&self) -> &'static str;

    /// Length in characters of its longest right answer at `level`.
    fn longest_answer(&self, level: u32) -> usize;

    /// Makes one instance.
    ///
    /// # Panics
    /// If `level` is outside [`TaskFamily::levels`].
    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance;

    /// All right answers to a task of this family, in a canonical spelling without repeats.
    ///
    /// `None` if the task is not of this family. Their number is `metadata.solutions`. A family
    /// whose tasks have an exact check inherits this body.
    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        match &task.check {
            CheckSpec::Exact { answer } if task.metadata.source == self.name() => {
                Some(vec![answer.clone()])
            }
            _ => None,
        }
    }

    /// Panics with both sides printed unless there is such a level.
    #[doc(hidden)]
    fn assert_level(&self, level: u32) {
        let levels = self.levels();
        assert!(levels.contains(&level), "{} has levels {levels:?}, not {level}", self.name());
    }
}

/// The built-in families.
pub const FAMILIES: [&dyn TaskFamily; 22] = [
    &Copying, &Reverse, &Sort, &Parity, &Majority, &Counting, &Addition, &Modular, &Gcd, &Base,
    &Equation, &Split, &Factors, &Countdown, &Make24, &SubsetSum, &Coins, &GraphPath, &Brackets,
    &Queens, &Word, &RareModes,
];

/// The built-in family of that name.
///
/// ```
/// assert_eq!(fireproof_tasks::family("split").unwrap().name(), "split");
/// assert!(fireproof_tasks::family("chess").is_none());
/// ```
#[must_use]
pub fn family(name: &str) -> Option<&'static dyn TaskFamily> {
    FAMILIES.into_iter().find(|family| family.name() == name)
}
