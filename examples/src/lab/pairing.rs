//! The small transformer trained on two prompts an update (arXiv 2602.03452).

use std::error::Error;

use fireproof::advantage::PairWeighted;
use fireproof::lab::pairing::{Arm, ArmResult, Comparison, Probe, Trained, selector};
use fireproof::lab::statistics::mean;
use fireproof::lab::{Job, rates};
use fireproof::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Lab, Starts, train, watch};
use crate::data::TaskSet;
use crate::run_file::{EvaluationConfig, ModelConfig, RunFile, TaskConfig};
use crate::setup::{QuickTrainer, Setup};

/// Settings of the part with the transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PairingSetting {
    /// Task, model, warm start, sizes. Its training prompts are the pool; its recipe, selector and
    /// learning rate are the arm's.
    pub run: RunFile,
    /// Most successes of a hard prompt, and failures of an easy one, in the probe.
    pub c: usize,
    /// Choices of prompts for each seed.
    pub draws: u64,
    /// Updates from one evaluation to the next.
    pub every: u64,
    /// Held-out pass@1 to be reached.
    pub target: f64,
    /// Seeds that the learning rate is tuned on, others than those reported.
    pub tuning_seeds: u64,
    /// Lowest learning rate.
    pub lowest_rate: f64,
    /// Learning rates, each 1.5 times the one before.
    pub rates: u32,
}

impl Default for PairingSetting {
    fn default() -> Self {
        let mut run = RunFile {
            task: TaskConfig {
                easiest: 3,
                hardest: 5,
                prompts_per_level: 64,
                ..Default::default()
            },
            model: ModelConfig::default(),
            evaluation: EvaluationConfig { prompts: 64, samples: 64 },
            ..RunFile::default()
        };
        run.warm_start.steps = 60;
        run.trainer.steps = 60;
        run.trainer.prompts_per_step = 2;
        run.trainer.prompts_per_update = 0;
        run.trainer.samples_per_prompt = 16;
        run.trainer.max_new_tokens = 8;
        Self {
            run,
            c: 2,
            draws: 2,
            every: 30,
            target: 0.5,
            tuning_seeds: 2,
            lowest_rate: 6.7e-5,
            rates: 4,
        }
    }
}

/// One run.
#[derive(Clone, Copy, Debug)]
struct Input {
    arm: Arm,
    rate: f64,
    seed: u64,
    draw: u64,
    /// Whether only the end is evaluated.
    tuning: bool,
}

/// Seeds for tuning begin here.
const TUNING: u64 = 1_000_000;

/// Tunes the learning rate of each arm, then runs each with `seeds` seeds.
///
/// # Errors
/// If a setting is impossible, a probe finds too few pairs or a run fails.
pub fn pairing_study(
    lab: &Lab,
    setting: &PairingSetting,
    seeds: u64,
) -> Result<Comparison, Box<dyn Error>> {
    let jobs = lab.jobs("transformer", setting)?;
    let starts = Starts::default();
    let work = |input: &Input| run(lab, setting, &starts, *input);
    let grid = rates(setting.lowest_rate, setting.rates);
    let mut tuning = Vec::new();
    for arm in Arm::ALL {
        for (number, rate) in grid.iter().enumerate() {
            for seed in 0..setting.tuning_seeds {
                let name = format!("tune-{}-{number}-{seed}", arm.name());
                let input = Input { arm, rate: *rate, seed: TUNING + seed, draw: 0, tuning: true };
                tuning.push(Job { name, input });
            }
        }
    }
    let tuned: Vec<Trained> = jobs.run(&tuning, work, watch("tuning"))?;
    let mut arms = Vec::new();
    for arm in Arm::ALL {
        let runs = tuning.iter().zip(&tuned).filter(|(job, _)| job.input.arm == arm);
        let ends = runs.map(|(job, run)| (job.input.rate, run.pass.last().map_or(0.0, |p| p[0])));
        let ends: Vec<(f64, f64)> = ends.collect();
        let score = |rate: &f64| {
            let own = ends.iter().filter(|(own, _)| own == rate).map(|(_, score)| *score);
            (*rate, mean(&own.collect::<Vec<f64>>()))
        };
        let tried: Vec<(f64, f64)> = grid.iter().map(score).collect();
        let best = tried.iter().max_by(|(_, a), (_, b)| a.total_cmp(b));
        let rate = best.map_or(setting.lowest_rate, |(rate, _)| *rate);
        arms.push((arm, ArmResult { rate, tried, seeds: Vec::new() }));
    }
    // Seed by seed, so that a run that was cut short has all arms of its seeds.
    let mut reported = Vec::new();
    for seed in 0..seeds {
        for (arm, ArmResult { rate, .. }) in &arms {
            for draw in 0..setting.draws {
                let name = format!("{}-{seed}-{draw}", arm.name());
                let input = Input { arm: *arm, rate: *rate, seed, draw, tuning: false };
                reported.push(Job { name, input });
            }
        }
    }
    let found: Vec<Trained> = jobs.run(&reported, work, watch("transformer"))?;
    for (runs, place) in found.chunks(setting.draws as usize).zip((0..arms.len()).cycle()) {
        arms[place].1.seeds.push(runs.to_vec());
    }
    let trainer = &setting.run.trainer;
    let update = trainer.prompts_per_step * trainer.samples_per_prompt;
    let completions = setting.every as usize * update;
    Ok(Comparison { name: "transformer".to_owned(), arms, completions, target: setting.target })
}

fn run(
    lab: &Lab,
    setting: &PairingSetting,
    starts: &Starts,
    input: Input,
) -> Result<Trained, Box<dyn Error>> {
    let mut file = setting.run.clone();
    file.trainer.seed = input.seed;
    file.trainer.optimizer.learning_rate = input.rate;
    let (mut setup, policy) = starts.policy(&file, &lab.device)?;
    let probe = probe(&setup, policy.clone())?;
    // Tasks and start belong to the seed; what is drawn from here on belongs to the choice too.
    setup.file.trainer.seed = input.seed + (input.draw << 32);
    let selector = selector(input.arm, &probe, setting.c, setup.file.trainer.seed)?;
    let estimator = Box::new(PairWeighted::default());
    let recipe = Recipe { estimator, ..Recipe::grpo(selector) };

    let (steps, every) = (setup.file.trainer.steps, setting.every);
    let mut trained = Trained { pass: Vec::new(), dead: Vec::new() };
    if !input.tuning {
        let mut start = setup.trainer_with(policy.clone(), setup.recipe())?;
        trained.pass.push(held_out(&mut start, &setup)?);
    }
    train(&setup, policy, recipe, |trainer, record| {
        trained.dead.push(record.metrics.dead_groups.into());
        let done = trainer.steps_done();
        if done == steps || (!input.tuning && done.is_multiple_of(every)) {
            trained.pass.push(held_out(trainer, &setup)?);
        }
        Ok(true)
    })?;
    Ok(trained)
}

/// How often each prompt of the pool is right at the start.
fn probe(setup: &Setup, policy: Transformer) -> Result<Probe, Box<dyn Error>> {
    let mut trainer = setup.trainer_with(policy, setup.recipe())?;
    let samples = setup.file.trainer.samples_per_prompt;
    let found = trainer.evaluate(&TaskSet::ids(&setup.tasks.train), samples)?;
    let right = found.prompts.iter().map(|prompt| (prompt.prompt, prompt.correct as usize));
    Ok(Probe { samples, right: right.collect() })
}

/// pass@1, pass@8 and pass@64 on held-out prompts.
fn held_out(trainer: &mut QuickTrainer, setup: &Setup) -> Result<[f64; 3], Box<dyn Error>> {
    let prompts = TaskSet::ids(&setup.tasks.held_out);
    let found = trainer.evaluate(&prompts, setup.file.evaluation.samples)?;
    Ok([1, 8, 64].map(|k| found.pass_at(k).mean))
}
