//! Prompt weightings on the small transformer: who reaches a held-out success rate first?

use std::error::Error;

use fireproof::lab::asymmetric::race::{Lane, Run, table};
use fireproof::lab::asymmetric::{Arm, Scheme};
use fireproof::lab::{Axis, Block, Criterion, Figure, Job, Panel, Series};
use fireproof::prelude::*;
use fireproof::trainer::RecipeName;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::arguments::{Lab, watch};
use super::transformer::{Starts, train};
use crate::data::TaskSet;
use crate::run_file::RunFile;

/// Settings of a race.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Race {
    /// Seeds reported.
    pub seeds: u64,
    /// The first of them.
    pub first_seed: u64,
    /// All learning rates are multiplied by it, to tune them on other seeds.
    pub factor: f64,
    /// Steps between evaluations.
    pub check_every: u64,
    /// Where runs begin.
    pub starts: Vec<WarmStart>,
    /// What all runs have in common. Its recipe is the base: arms change the estimator alone.
    pub run: RunFile,
}

/// A start, with what it costs and the learning rates found for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmStart {
    /// As tables call it.
    pub name: String,
    /// Supervised steps.
    pub warm_steps: u64,
    /// Held-out pass@1 at which a run has arrived.
    pub target: f64,
    /// Steps after which arms are compared at equal completions.
    pub budget: u64,
    /// Learning rates of GRPO, Linear-R and Sqrt-R.
    pub rates: [f64; 3],
}

/// The arms: GRPO first, the others without their all-wrong term.
const ARMS: [Arm; 3] = [
    Arm { scheme: Scheme::Grpo, drop: false },
    Arm { scheme: Scheme::LinearR, drop: true },
    Arm { scheme: Scheme::SqrtR, drop: true },
];

/// Findings of the part with the transformer.
#[derive(Debug)]
pub struct Found {
    /// For the report.
    pub blocks: Vec<Block>,
    /// For `summary.json`.
    pub data: Value,
}

impl Default for Race {
    fn default() -> Self {
        let mut run =
            RunFile { recipe: RecipeName::Grpo, check_memory: false, ..Default::default() };
        run.task.easiest = 2;
        run.task.hardest = 4;
        (run.model.width, run.model.mlp_width) = (32, 96);
        run.trainer.steps = 150;
        run.trainer.prompts_per_step = 16;
        run.trainer.prompts_per_update = 16;
        run.trainer.max_new_tokens = 8;
        run.warm_start.demonstrations_per_step = 32;
        run.evaluation.prompts = 32;
        run.evaluation.samples = 8;
        let start = |name: &str, (warm_steps, target, budget), rates| WarmStart {
            name: name.to_owned(),
            warm_steps,
            target,
            budget,
            rates,
        };
        Self {
            seeds: 8,
            // The learning rate was chosen on smaller ones.
            first_seed: 11,
            factor: 1.0,
            check_every: 5,
            starts: vec![
                start("about 0.1", (42, 0.4, 80), [1.5e-3; 3]),
                start("about 0.5", (110, 0.7, 50), [1.5e-3; 3]),
            ],
            run,
        }
    }
}

/// One run: a start, an arm, a seed.
struct Runner<'a> {
    start: &'a WarmStart,
    arm: Arm,
    rate: f64,
    seed: u64,
}

impl Race {
    /// Runs every arm from every start with every seed.
    ///
    /// # Errors
    /// If a setting is impossible, a run fails or results cannot be kept.
    pub fn run(&self, lab: &Lab) -> Result<Found, Box<dyn Error>> {
        let starts = Starts::default();
        let seeds = self.first_seed..self.first_seed + self.seeds;
        let mut jobs = Vec::new();
        // Seeds outermost: if it is cut short, all arms have the same ones.
        for seed in seeds {
            for start in &self.starts {
                for (arm, rate) in ARMS.into_iter().zip(start.rates) {
                    let rate = rate * self.factor;
                    let name = format!("warm{}-{}-seed{seed}", start.warm_steps, arm.slug());
                    jobs.push(Job { name, input: Runner { start, arm, rate, seed } });
                }
            }
        }
        // More seeds are no other setting.
        let kept = Self { seeds: 0, first_seed: 0, ..self.clone() };
        let runs = lab.jobs("transformer", &kept)?.run(
            &jobs,
            |runner| self.one(runner, &starts, lab),
            watch("transformer"),
        )?;
        let lane = |start: &WarmStart, arm: Arm, rate: f64| {
            let of = |runner: &Runner<'_>| runner.arm == arm && runner.start == start;
            let own = jobs.iter().zip(&runs).filter(|(job, _)| of(&job.input));
            let runs = own.map(|(_, run)| run.clone()).collect();
            Lane { name: arm.name(), rate: rate * self.factor, runs }
        };
        let lanes = |start: &WarmStart| -> Vec<Lane> {
            ARMS.into_iter().zip(start.rates).map(|(arm, rate)| lane(start, arm, rate)).collect()
        };
        let heats: Vec<Vec<Lane>> = self.starts.iter().map(lanes).collect();
        Ok(Found { blocks: self.blocks(&heats), data: self.data(&heats) })
    }

    fn one(&self, runner: &Runner<'_>, starts: &Starts, lab: &Lab) -> Result<Run, Box<dyn Error>> {
        let mut file = self.run.clone();
        file.trainer.seed = runner.seed;
        file.trainer.optimizer.learning_rate = runner.rate;
        file.warm_start.steps = runner.start.warm_steps;
        let (setup, policy) = starts.policy(&file, &lab.device)?;
        let recipe = Recipe { estimator: runner.arm.estimator(), ..setup.recipe() };
        let prompts = TaskSet::ids(&setup.tasks.held_out);
        let samples = file.evaluation.samples;
        let mut begun = setup.trainer_with(policy.clone(), setup.recipe())?;
        let mut run = Run::begun(begun.evaluate(&prompts, samples)?.pass_at(1).mean);
        let each = (file.trainer.prompts_per_step * file.trainer.samples_per_prompt) as u64;
        let budget = runner.start.budget * each;
        train(&setup, policy, recipe, |trainer, _| {
            let step = trainer.steps_done();
            if step.is_multiple_of(self.check_every) || step == file.trainer.steps {
                let success = trainer.evaluate(&prompts, samples)?.pass_at(1).mean;
                run.saw((step * each) as f64, success, runner.start.target, budget as f64);
            }
            Ok(!(run.reached && run.at_budget.is_some()))
        })?;
        Ok(run.ended((2 * file.trainer.steps * each) as f64))
    }

    fn blocks(&self, heats: &[Vec<Lane>]) -> Vec<Block> {
        let mut blocks = vec![Block::Heading("The small transformer".to_owned())];
        blocks.push(Block::Text(format!(
            "Task {}, levels {} to {}; {} prompts x {} completions a step, one update; held-out \
             pass@1 of {} prompts x {} samples every {} steps; seeds {} to {}.",
            self.run.task.family,
            self.run.task.easiest,
            self.run.task.hardest,
            self.run.trainer.prompts_per_step,
            self.run.trainer.samples_per_prompt,
            self.run.evaluation.prompts,
            self.run.evaluation.samples,
            self.check_every,
            self.first_seed,
            self.first_seed + self.seeds - 1,
        )));
        let mut panels = Vec::new();
        let mut criteria = Vec::new();
        for (number, (start, lanes)) in self.starts.iter().zip(heats).enumerate() {
            let begun = lanes[0].runs.iter().map(|run| run.curve[0].1).sum::<f64>();
            let begun = begun / lanes[0].runs.len() as f64;
            let caption = format!(
                "From {} ({begun:.3}) to {}: median completions, ratio to GRPO, success after {} steps \
                 and what it gains over GRPO",
                start.name, start.target, start.budget
            );
            blocks.push(Block::Table(table(&caption, lanes)));
            panels.push(panel(start, lanes));
            let low = number == 0;
            criteria.extend(lanes[1..].iter().map(|lane| criterion(start, lane, &lanes[0], low)));
        }
        blocks.push(Block::Figure {
            name: "transformer".to_owned(),
            caption: "Held-out pass@1 over the completions spent: median of the seeds, with the \
                      middle half of them around it."
                .to_owned(),
            figure: Figure { panels },
        });
        blocks.push(Block::Criteria(criteria));
        blocks
    }

    fn data(&self, heats: &[Vec<Lane>]) -> Value {
        let start = |(start, lanes): (&WarmStart, &Vec<Lane>)| {
            let arm = |lane: &Lane| {
                serde_json::json!({
                    "arm": lane.name,
                    "rate": lane.rate,
                    "completions": lane.completions(),
                    "reach": lane.reach(),
                    "ratio": lane.ratio(&lanes[0]),
                    "gain_at_budget": lane.gain(&lanes[0]),
                })
            };
            serde_json::json!({ "start": start.name, "arms": lanes.iter().map(arm).collect::<Vec<_>>() })
        };
        self.starts.iter().zip(heats).map(start).collect()
    }
}

fn panel(start: &WarmStart, lanes: &[Lane]) -> Panel {
    let ends = lanes.iter().flat_map(|lane| &lane.runs).filter_map(|run| run.curve.last());
    let end = ends.fold(0.0f64, |end, (at, _)| end.max(*at));
    let target = Series::dashed("target", vec![(0.0, start.target), (end, start.target)]);
    Panel {
        title: format!("from {}", start.name),
        x: Axis::named("completions"),
        y: Axis::named("pass@1").between(0.0, 1.0),
        series: lanes.iter().map(Lane::series).chain([target]).collect(),
    }
}

/// From the first, low start a gain is expected, from others none.
fn criterion(start: &WarmStart, lane: &Lane, baseline: &Lane, low: bool) -> Criterion {
    let ratio = lane.ratio(baseline);
    let (number, expected, met) = match low {
        true => (6, "below 1, and the interval excludes 1", ratio.high < 1.0),
        false => (7, "no effect: the interval holds 1", !ratio.excludes(1.0)),
    };
    Criterion {
        rule: format!(
            "{number}. transformer, {} against GRPO from {}: ratio of completions to target",
            lane.name, start.name
        ),
        expected: expected.into(),
        found: format!("{ratio:.2}"),
        met,
    }
}
