//! Task sets of a run: prompts to train on, held-out prompts, demonstrations.

use std::ops::RangeInclusive;

use fireproof::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::run_file::{RunFile, RunFileError};

/// The held-out prompts are the same in every run, whatever its seed.
const HELD_OUT_SEED: u64 = 0;

/// The tasks of a run.
#[derive(Clone, Debug)]
pub struct TaskSet {
    /// To train on.
    pub train: Vec<Task>,
    /// To evaluate on; none of them is trained on.
    pub held_out: Vec<Task>,
}

impl TaskSet {
    /// Draws the tasks that a run file asks for, levels mixed evenly.
    ///
    /// # Errors
    /// If the file is impossible or there are fewer prompts than it needs.
    pub fn new(file: &RunFile) -> Result<Self, RunFileError> {
        let family = file.family()?;
        let draw = |count, partition, seed| -> Vec<Task> {
            let levels = file.task.easiest..=file.task.hardest;
            let instances = generate(family, levels, count, partition, seed);
            instances.into_iter().map(|instance| instance.task).collect()
        };
        let train = draw(file.task.prompts_per_level, Partition::Train, file.trainer.seed);
        let mut held_out = draw(file.evaluation.prompts, Partition::HeldOut, HELD_OUT_SEED);
        held_out.truncate(file.evaluation.prompts);
        let short = |key, needed: usize, found: usize| RunFileError::Value {
            key,
            reason: format!(
                "{needed} prompts are asked for, but these levels of {} have only {found}",
                family.name()
            ),
        };
        if held_out.len() < file.evaluation.prompts {
            return Err(short("evaluation.prompts", file.evaluation.prompts, held_out.len()));
        }
        if train.len() < file.trainer.prompts_per_step {
            let needed = file.trainer.prompts_per_step;
            return Err(short("trainer.prompts_per_step", needed, train.len()));
        }
        Ok(Self { train, held_out })
    }

    /// Ids of some tasks.
    #[must_use]
    pub fn ids(tasks: &[Task]) -> Vec<PromptId> {
        tasks.iter().map(|task| task.id).collect()
    }

    /// Length in characters of the longest prompt.
    #[must_use]
    pub fn longest_prompt(&self) -> usize {
        let all = self.train.iter().chain(&self.held_out);
        all.map(|task| task.prompt.chars().count()).max().unwrap_or(0)
    }
}

/// An endless stream of demonstrations from the training part of a family, levels alike.
#[derive(Debug)]
pub struct DemonstrationStream {
    family: &'static dyn TaskFamily,
    levels: RangeInclusive<u32>,
    rng: ChaCha8Rng,
}

impl DemonstrationStream {
    /// The stream of a run file's family, levels and seed.
    ///
    /// # Errors
    /// If the file is impossible.
    pub fn new(file: &RunFile) -> Result<Self, RunFileError> {
        let mut rng = ChaCha8Rng::seed_from_u64(file.trainer.seed);
        // The initial parameters have stream 0, the training tasks those of their levels.
        rng.set_stream(u64::MAX);
        let levels = file.task.easiest..=file.task.hardest;
        Ok(Self { family: file.family()?, levels, rng })
    }

    /// The next demonstrations.
    pub fn draw(&mut self, count: usize) -> Vec<Demonstration> {
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count {
            let level = self.rng.random_range(self.levels.clone());
            let instance = self.family.generate(level, &mut self.rng);
            if Partition::of(instance.task.id) == Partition::Train {
                let (prompt, answer) = (instance.task.prompt, instance.demonstration);
                drawn.push(Demonstration { prompt, answer });
            }
        }
        drawn
    }
}
