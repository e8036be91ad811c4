//! The selection rules on the small transformer.

use std::error::Error;

use fireproof::kernels::ResolvedDevice;
use fireproof::lab::selecting::{
    ForecastBin, Recorded, SelectionOutcome, SelectionPoint, SelectionRule,
};
use fireproof::prelude::*;
use fireproof::selection::SelectError;
use fireproof::trainer::RecipeName;
use serde::{Deserialize, Serialize};

use super::transformer::{Starts, train};
use crate::data::TaskSet;
use crate::run_file::RunFile;

/// Settings of the part with the transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectionRun {
    /// Task, sizes, warm start and steps; recipe, selector and seed are the arm's.
    pub run: RunFile,
    /// Held-out pass@1 to reach.
    pub target: f64,
    /// Steps from one held-out evaluation to the next.
    pub evaluate_every: u64,
    /// A run ends after so many completions, probes included.
    pub cap: u64,
}

impl Default for SelectionRun {
    fn default() -> Self {
        let mut run = RunFile::short();
        run.trainer.optimizer.learning_rate = 7.5e-4;
        run.evaluation.samples = 8;
        Self { run, target: 0.55, evaluate_every: 4, cap: 24_576 }
    }
}

impl SelectionRun {
    /// One rule with one seed: held-out pass@1 over completions, until the target or the cap. Pairing
    /// ends early where its pool has too few pairs for a step: a miss.
    ///
    /// # Errors
    /// If a setting is impossible or training fails.
    pub fn of(
        &self,
        rule: SelectionRule,
        seed: u64,
        starts: &Starts,
        device: &ResolvedDevice,
    ) -> Result<SelectionOutcome, Box<dyn Error>> {
        let mut file = self.run.clone();
        file.recipe = RecipeName::Grpo;
        file.trainer.seed = seed;
        let (setup, policy) = starts.policy(&file, device)?;
        let level = |task: &Task| (task.id, task.metadata.level.unwrap_or(0));
        let pool: Vec<(PromptId, u32)> = setup.tasks.train.iter().map(level).collect();
        let (selector, notes) = Recorded::new(rule.selector(&pool)?, &pool)?;
        let mut recipe = Recipe::grpo(Box::new(selector));
        if rule.batches() > 1 {
            recipe.filter = Box::new(MixedOutcomes);
            recipe.generation_batches = rule.batches();
        }
        let held_out = TaskSet::ids(&setup.tasks.held_out);
        let samples = file.evaluation.samples;
        let mut before = notes.counts();
        let mut curve: Vec<SelectionPoint> = Vec::new();
        let trained = train(&setup, policy, recipe, |trainer, _| {
            let now = notes.counts();
            if !trainer.steps_done().is_multiple_of(self.evaluate_every) {
                return Ok(now.completions < self.cap);
            }
            let success = trainer.evaluate(&held_out, samples)?.pass_at(1).mean;
            let dead = (now.dead - before.dead) as f64 / (now.groups - before.groups).max(1) as f64;
            curve.push(SelectionPoint { completions: now.completions, success, dead });
            before = now;
            Ok(success < self.target && now.completions < self.cap)
        });
        match trained {
            Err(error) if !ran_out_of_pairs(error.as_ref()) => return Err(error),
            _ => {}
        }
        let counts = notes.counts();
        let reached = curve.last().filter(|point| point.success >= self.target);
        Ok(SelectionOutcome {
            to_target: reached.map(|point| point.completions),
            dead: counts.dead as f64 / counts.groups.max(1) as f64,
            probes: counts.probes,
            forecasts: notes.forecasts()?,
            picks: Vec::new(),
            curve,
        })
    }
}

/// True if pairing found too few prompts that are rarely right or rarely wrong.
fn ran_out_of_pairs(error: &(dyn Error + 'static)) -> bool {
    let found = error.downcast_ref::<TrainError>();
    matches!(found, Some(TrainError::Select(SelectError::TooFewPairs { .. })))
}

/// What nothing was forecast for has no bins.
#[must_use]
pub fn forecasts(outcomes: &[SelectionOutcome]) -> Vec<Vec<ForecastBin>> {
    outcomes.iter().map(|outcome| outcome.forecasts.clone()).collect()
}
