//! Every recipe on one task at an equal budget of completions: the runs, and their ranking.

use std::error::Error;

use fireproof::kernels::ResolvedDevice;
use fireproof::lab::statistics::{Estimate, bootstrap, mean, nested_bootstrap, pass_at_k};
use fireproof::lab::{Axis, Block, Figure, Panel, Series, Table};
use fireproof::trainer::{Evaluation, RecipeName};
use serde::{Deserialize, Serialize};

use super::transformer::{Starts, train};
use crate::data::TaskSet;
use crate::run_file::RunFile;

/// What a recipe came to with one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finish {
    /// Right ones of the samples of each held-out prompt.
    pub correct: Vec<u64>,
    /// Completions of each of them.
    pub samples: u64,
    /// Completions trained with, dropped groups included.
    pub completions: u64,
    /// Steps made.
    pub steps: u64,
}

impl Finish {
    /// From the evaluation at the end.
    #[must_use]
    pub fn new(evaluation: &Evaluation, completions: u64, steps: u64) -> Self {
        let samples = evaluation.prompts.first().map_or(0, |result| result.samples);
        let correct = evaluation.prompts.iter().map(|result| result.correct).collect();
        Self { correct, samples, completions, steps }
    }

    /// pass@k of each prompt.
    fn pass_at(&self, k: u64) -> Vec<f64> {
        self.correct.iter().map(|correct| pass_at_k(self.samples, *correct, k)).collect()
    }

    /// Mean pass@1.
    #[must_use]
    pub fn score(&self) -> f64 {
        mean(&self.pass_at(1))
    }
}

/// Settings of the part with the transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RankedRun {
    /// Task, sizes and warm start; recipe, learning rate and seed are the arm's.
    pub run: RunFile,
    /// Completions that a run may train with; the step that reaches it is the last.
    pub budget: u64,
}

impl Default for RankedRun {
    fn default() -> Self {
        Self { run: RunFile::short(), budget: 12_288 }
    }
}

impl RankedRun {
    /// A recipe at a learning rate with one seed, evaluated on held-out prompts at the end; the
    /// warm-started policy itself without one.
    ///
    /// # Errors
    /// If a setting is impossible or training fails.
    pub fn of(
        &self,
        recipe: Option<(RecipeName, f64)>,
        seed: u64,
        starts: &Starts,
        device: &ResolvedDevice,
    ) -> Result<Finish, Box<dyn Error>> {
        let mut file = self.run.clone();
        file.trainer.seed = seed;
        if let Some((recipe, rate)) = recipe {
            file.recipe = recipe;
            file.trainer.optimizer.learning_rate = rate;
        }
        let (setup, policy) = starts.policy(&file, device)?;
        let held_out = TaskSet::ids(&setup.tasks.held_out);
        let samples = setup.file.evaluation.samples;
        if recipe.is_none() {
            let evaluation = setup.trainer(policy)?.evaluate(&held_out, samples)?;
            return Ok(Finish::new(&evaluation, 0, 0));
        }
        let mut spent = 0;
        let mut trainer = train(&setup, policy, setup.recipe(), |_, record| {
            spent += record.groups.iter().map(|group| group.rewards.len() as u64).sum::<u64>();
            Ok(spent < self.budget)
        })?;
        let steps = trainer.steps_done();
        Ok(Finish::new(&trainer.evaluate(&held_out, samples)?, spent, steps))
    }
}

/// A recipe's place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The recipe.
    pub recipe: RecipeName,
    /// Its learning rate, the best of those tried.
    pub rate: f64,
    /// Held-out pass@1, interval over seeds and prompts.
    pub pass_at_1: Estimate,
    /// pass@8.
    pub pass_at_8: Estimate,
    /// pass@1 less GRPO's with the same seed, mean and interval over seeds.
    pub against_grpo: Estimate,
    /// pass@1 less that of the same seed's start.
    pub gain: Estimate,
    /// Mean steps that the budget lasted for.
    pub steps: f64,
}

/// All recipes, the best first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// Seeds of each recipe.
    pub seeds: usize,
    /// Mean pass@1 before training.
    pub before: f64,
    /// Best first.
    pub places: Vec<Place>,
}

impl Ranking {
    /// Ranks recipes by mean pass@1. `finishes` has the seeds of each recipe.
    #[must_use]
    pub fn new(before: &[Finish], arms: &[(RecipeName, f64)], finishes: &[Vec<Finish>]) -> Self {
        let scores = |finishes: &[Finish]| finishes.iter().map(Finish::score).collect::<Vec<f64>>();
        let less = |own: &[f64], other: &[f64]| {
            let gaps: Vec<f64> = own.iter().zip(other).map(|(own, other)| own - other).collect();
            bootstrap(&gaps, mean)
        };
        let start = scores(before);
        let grpo = arms.iter().position(|(recipe, _)| *recipe == RecipeName::Grpo).unwrap_or(0);
        let grpo = scores(&finishes[grpo]);
        let place = |((recipe, rate), runs): (&(RecipeName, f64), &Vec<Finish>)| {
            let pass =
                |k| nested_bootstrap(&runs.iter().map(|r| r.pass_at(k)).collect::<Vec<_>>(), mean);
            let own = scores(runs);
            Place {
                recipe: *recipe,
                rate: *rate,
                pass_at_1: pass(1),
                pass_at_8: pass(8),
                against_grpo: less(&own, &grpo),
                gain: less(&own, &start),
                steps: mean(&runs.iter().map(|run| run.steps as f64).collect::<Vec<_>>()),
            }
        };
        let mut places: Vec<Place> = arms.iter().zip(finishes).map(place).collect();
        places.sort_by(|a, b| b.pass_at_1.value.total_cmp(&a.pass_at_1.value));
        Self { seeds: before.len(), before: mean(&start), places }
    }

    /// The table and its picture.
    #[must_use]
    pub fn blocks(&self, name: &str, what: &str) -> [Block; 2] {
        let caption = format!(
            "{what}, best first: {} before training; {} seeds, 95 % intervals over seeds and prompts \
             (differences: over seeds)",
            format_args!("{:.3}", self.before),
            self.seeds
        );
        let columns = ["place", "recipe", "rate", "pass@1", "less grpo's", "pass@8", "steps"];
        let mut table = Table::new(caption.clone(), &columns);
        for (number, place) in self.places.iter().enumerate() {
            table.row([
                (number + 1).to_string(),
                place.recipe.to_string(),
                place.rate.to_string(),
                place.pass_at_1.to_string(),
                format!(
                    "{:+.3} [{:+.3}, {:+.3}]",
                    place.against_grpo.value, place.against_grpo.low, place.against_grpo.high
                ),
                place.pass_at_8.to_string(),
                format!("{:.0}", place.steps),
            ]);
        }
        let dots = |of: fn(&Place) -> Estimate| {
            let at = |(number, place): (usize, &Place)| (number as f64 + 1.0, of(place).value);
            let ends = self.places.iter().map(|place| (of(place).low, of(place).high)).collect();
            Series::dots("recipe", self.places.iter().enumerate().map(at).collect()).within(ends)
        };
        let panel = |title: &str, series| Panel {
            title: title.to_owned(),
            x: Axis::named("place in the table"),
            y: Axis::named(""),
            series: vec![series],
        };
        let figure = Figure {
            panels: vec![
                panel("pass@1", dots(|place| place.pass_at_1)),
                panel("pass@1 less grpo's, same seeds", dots(|place| place.against_grpo)),
            ],
        };
        [Block::Table(table), Block::Figure { name: name.to_owned(), caption, figure }]
    }

    /// A recipe's place.
    ///
    /// # Panics
    /// If it was not ranked.
    #[must_use]
    pub fn of(&self, recipe: RecipeName) -> &Place {
        self.places.iter().find(|place| place.recipe == recipe).expect("every recipe is ranked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(correct: &[u64]) -> Finish {
        Finish { correct: correct.to_vec(), samples: 8, completions: 64, steps: 4 }
    }

    #[test]
    fn the_best_comes_first_with_differences_seed_by_seed() {
        let before = [finish(&[0, 2]), finish(&[2, 2])];
        let arms = [(RecipeName::Grpo, 1e-3), (RecipeName::LinearR, 2e-3)];
        let grpo = vec![finish(&[2, 4]), finish(&[4, 4])];
        let linear = vec![finish(&[4, 6]), finish(&[6, 8])];
        let ranking = Ranking::new(&before, &arms, &[grpo, linear]);
        let first = &ranking.places[0];
        assert_eq!(
            (first.recipe, first.rate, first.pass_at_1.value),
            (RecipeName::LinearR, 2e-3, 0.75)
        );
        // Seed by seed: 10/16 - 6/16 and 14/16 - 8/16.
        assert!((first.against_grpo.value - 0.3125).abs() < 1e-12);
        assert_eq!(ranking.of(RecipeName::Grpo).against_grpo.value, 0.0);
        assert!((ranking.before - 3.0 / 16.0).abs() < 1e-12);
        assert!(
            ranking
                .blocks("x", "pass@1")
                .iter()
                .any(|block| matches!(block, Block::Table(t) if t.rows.len() == 2))
        );
    }
}
