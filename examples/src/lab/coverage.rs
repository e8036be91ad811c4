//! The exact parts on focal scaling as jobs: one categorical policy, and prompts with many answers.

use std::error::Error;

use fireproof::lab::Job;
use fireproof::lab::coverage::arms::{ArmRuns, Crossings, Seen};
use fireproof::lab::coverage::report::{ARMS, Cell, Field};
use fireproof::lab::coverage::{Categorical, CategoricalRun, Form, ManyAnswers};
use serde::{Deserialize, Serialize};

use super::arguments::{Lab, watch};

/// The categorical policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnePrompt {
    /// Seeds of each cell.
    pub seeds: u64,
    /// Completions of a group.
    pub sizes: Vec<usize>,
    /// Focal exponents.
    pub gammas: Vec<f64>,
    /// The policy and its steps.
    pub world: Categorical,
}

/// The task with many answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManyPrompts {
    /// Seeds of each arm.
    pub seeds: u64,
    /// Seeds that learning rates are matched on.
    pub tuning_seeds: u64,
    /// Completions of a group; the first one is drawn.
    pub sizes: Vec<usize>,
    /// The prompts and the run.
    pub world: ManyAnswers,
}

/// Tuning seeds begin here, far from those that are reported.
const TUNING: u64 = 1000;

impl OnePrompt {
    /// The categorical policy under both forms, all group sizes and exponents.
    ///
    /// # Errors
    /// If results cannot be kept.
    pub fn run(&self, lab: &Lab) -> Result<Vec<Cell>, Box<dyn Error>> {
        let mut cells = Vec::new();
        for form in [Form::Count, Form::Distinct] {
            for size in &self.sizes {
                cells.extend(self.gammas.iter().map(|gamma| (form, *size, *gamma)));
            }
        }
        let job = |(form, size, gamma): &(Form, usize, f64), seed| {
            let name = format!("{}-G{size}-gamma{gamma}-seed{seed}", form.name().replace(' ', "-"));
            Job { name, input: (*form, *size, *gamma, seed) }
        };
        let jobs: Vec<Job<_>> = cells
            .iter()
            .flat_map(|cell| (1..=self.seeds).map(move |seed| job(cell, seed)))
            .collect();
        let runs: Vec<CategoricalRun> = lab.jobs("categorical", &self.world)?.run(
            &jobs,
            |(form, size, gamma, seed)| {
                Ok::<_, String>(self.world.run(*form, *size, *gamma, *seed))
            },
            watch("categorical"),
        )?;
        let runs = runs.chunks(self.seeds as usize);
        let cell = |((form, size, gamma), runs): ((Form, usize, f64), &[CategoricalRun])| Cell {
            form,
            size,
            gamma,
            runs: runs.to_vec(),
        };
        Ok(cells.into_iter().zip(runs).map(cell).collect())
    }
}

impl ManyPrompts {
    /// Matches the learning rates of all arms, then runs them on the seeds that are reported.
    ///
    /// # Errors
    /// If results cannot be kept.
    pub fn run(&self, lab: &Lab) -> Result<Vec<Field>, Box<dyn Error>> {
        let Self { seeds, tuning_seeds, sizes, world } = self;
        let slug = |name: &str| name.replace(", ", "-").replace(' ', "-");
        let arms: Vec<_> = sizes.iter().flat_map(|size| ARMS.map(|arm| (*size, arm))).collect();
        let kept = (world, tuning_seeds);
        let named = |size: usize, name: &str| format!("G{size}-{}", slug(name));
        let jobs: Vec<Job<_>> = arms
            .iter()
            .map(|(size, arm)| Job { name: named(*size, arm.0), input: (*size, arm.1, arm.2) })
            .collect();
        let tuning = TUNING..TUNING + tuning_seeds;
        let rates: Vec<f64> = lab.jobs("matching", &kept)?.run(
            &jobs,
            |(size, gamma, rule)| {
                Ok::<_, String>(world.matched(*size, *gamma, *rule, tuning.clone()))
            },
            watch("matching"),
        )?;
        let mut jobs = Vec::new();
        for ((size, (name, gamma, _)), rate) in arms.iter().zip(&rates) {
            let job = |seed| Job {
                name: format!("{}-seed{seed}", named(*size, name)),
                input: (*size, *gamma, *rate, seed),
            };
            jobs.extend((1..=*seeds).map(job));
        }
        let runs: Vec<(Crossings, Seen)> = lab.jobs("answers", &kept)?.run(
            &jobs,
            |(size, gamma, rate, seed)| Ok::<_, String>(world.run(*size, *gamma, *rate, *seed)),
            watch("many answers"),
        )?;
        let mut all = Vec::new();
        for ((runs, rate), (_, arm)) in runs.chunks(*seeds as usize).zip(&rates).zip(&arms) {
            let (crossings, fixed) = runs.iter().cloned().unzip();
            all.push(ArmRuns { name: arm.0.to_owned(), rate: *rate, crossings, fixed });
        }
        let field = |(size, arms): (&usize, &[ArmRuns])| Field { size: *size, arms: arms.to_vec() };
        Ok(sizes.iter().zip(all.chunks(ARMS.len())).map(field).collect())
    }
}
