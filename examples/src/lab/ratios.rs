//! The small transformer under several weights of its importance ratios (ASPO, arXiv 2510.06062).

use std::error::Error;

use fireproof::lab::ratios::{Arm, ArmResult, Comparison, Point, Side, Trained};
use fireproof::lab::statistics::mean;
use fireproof::lab::{Job, rates};
use fireproof::losses::ClippedSurrogate;
use fireproof::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Lab, Starts, train, watch};
use crate::data::TaskSet;
use crate::run_file::{EvaluationConfig, RunFile, TaskConfig};
use crate::setup::{QuickTrainer, Setup};

/// Settings of the part with the transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatiosSetting {
    /// Task, model, warm start, epochs, sizes. Its recipe and learning rate are the arm's.
    pub run: RunFile,
    /// Steps from one evaluation to the next.
    pub every: u64,
    /// Held-out pass@1 to be reached.
    pub target: f64,
    /// Smallest and largest mean |R - 1| of a learning rate that counts as several epochs.
    pub drift: [f64; 2],
    /// Seeds that the learning rate is tuned on, others than those reported.
    pub tuning_seeds: u64,
    /// Lowest learning rate.
    pub lowest_rate: f64,
    /// Learning rates, each 1.5 times the one before.
    pub rates: u32,
}

impl Default for RatiosSetting {
    fn default() -> Self {
        let mut run = RunFile {
            task: TaskConfig { easiest: 3, hardest: 6, ..TaskConfig::default() },
            evaluation: EvaluationConfig { prompts: 64, samples: 64 },
            ..RunFile::default()
        };
        run.trainer.steps = 30;
        run.trainer.prompts_per_step = 16;
        run.trainer.prompts_per_update = 8;
        run.trainer.epochs_per_step = 4;
        run.trainer.max_new_tokens = 8;
        Self {
            run,
            every: 10,
            target: 0.4,
            drift: [0.03, 0.1],
            tuning_seeds: 2,
            lowest_rate: 1.5e-4,
            rates: 3,
        }
    }
}

/// One run.
#[derive(Clone, Copy, Debug)]
struct Input {
    arm: Arm,
    rate: f64,
    seed: u64,
    /// Whether only the end is evaluated.
    tuning: bool,
}

/// Seeds for tuning begin here.
const TUNING: u64 = 1_000_000;

/// Tunes the learning rate of each arm, then runs each with `seeds` seeds.
///
/// # Errors
/// If a setting is impossible or a run fails.
pub fn ratios_study(
    lab: &Lab,
    setting: &RatiosSetting,
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
                let input = Input { arm, rate: *rate, seed: TUNING + seed, tuning: true };
                tuning.push(Job { name, input });
            }
        }
    }
    let tuned: Vec<Trained> = jobs.run(&tuning, work, watch("tuning"))?;
    let tried = |arm: Arm| -> Vec<(f64, Vec<Trained>)> {
        let own = |rate: f64| {
            let pairs = tuning.iter().zip(&tuned);
            let own = pairs.filter(|(job, _)| job.input.arm == arm && job.input.rate == rate);
            own.map(|(_, run)| run.clone()).collect()
        };
        grid.iter().map(|rate| (*rate, own(*rate))).collect()
    };
    let mut arms: Vec<(Arm, ArmResult)> =
        Arm::ALL.map(|arm| (arm, ArmResult::tuned(arm, tried(arm), setting.drift))).to_vec();
    // Seed by seed, so that a run that was cut short has all arms of its seeds.
    let mut reported = Vec::new();
    for seed in 0..seeds {
        for (arm, ArmResult { rate, .. }) in &arms {
            let name = format!("{}-{seed}", arm.name());
            reported
                .push(Job { name, input: Input { arm: *arm, rate: *rate, seed, tuning: false } });
        }
    }
    let found: Vec<Trained> = jobs.run(&reported, work, watch("transformer"))?;
    for (run, place) in found.into_iter().zip((0..arms.len()).cycle()) {
        arms[place].1.seeds.push(run);
    }
    Ok(Comparison { name: "transformer".to_owned(), arms, target: setting.target })
}

fn run(
    lab: &Lab,
    setting: &RatiosSetting,
    starts: &Starts,
    input: Input,
) -> Result<Trained, Box<dyn Error>> {
    let mut file = setting.run.clone();
    file.trainer.seed = input.seed;
    file.trainer.optimizer.learning_rate = input.rate;
    let (mut setup, policy) = starts.policy(&file, &lab.device)?;
    let every = if input.arm == Arm::OneEpoch {
        one_epoch(&mut setup, setting.every)
    } else {
        setting.every
    };
    let recipe = Recipe { loss: loss(input.arm), ..setup.recipe() };
    let trainer = &setup.file.trainer;
    let (steps, completions) =
        (trainer.steps, trainer.prompts_per_step * trainer.samples_per_prompt);
    let mut seen = Seen::default();
    if !input.tuning {
        let mut start = setup.trainer_with(policy.clone(), setup.recipe())?;
        seen.points.push(Point { pass: held_out(&mut start, &setup)?, ..Point::default() });
    }
    train(&setup, policy, recipe, |trainer, record| {
        seen.add(&record.metrics);
        let done = trainer.steps_done();
        if done == steps || (!input.tuning && done.is_multiple_of(every)) {
            let pass = held_out(trainer, &setup)?;
            let entropy = record.metrics.entropy.into();
            let completions = done as usize * completions;
            seen.points.push(Point { completions, updates: seen.updates, pass, entropy });
        }
        Ok(true)
    })?;
    Ok(seen.trained())
}

/// As many updates of the same size, each on completions of its own. Gives the steps from one
/// evaluation to the next, after the same numbers of completions as the others.
fn one_epoch(setup: &mut Setup, every: u64) -> u64 {
    let trainer = &mut setup.file.trainer;
    let updates = trainer.prompts_per_step.div_ceil(trainer.update_size()) as u64;
    trainer.steps *= updates * trainer.epochs_per_step as u64;
    trainer.prompts_per_step = trainer.update_size();
    trainer.epochs_per_step = 1;
    every * updates
}

/// pass@1, pass@8 and pass@64 on held-out prompts.
fn held_out(trainer: &mut QuickTrainer, setup: &Setup) -> Result<[f64; 3], Box<dyn Error>> {
    let prompts = TaskSet::ids(&setup.tasks.held_out);
    let found = trainer.evaluate(&prompts, setup.file.evaluation.samples)?;
    Ok([1, 8, 64].map(|k| found.pass_at(k).mean))
}

/// The loss of an arm: the lab's rule, as the losses crate has it.
#[must_use]
pub fn loss(arm: Arm) -> Box<dyn PolicyLoss> {
    match arm {
        Arm::Grpo | Arm::OneEpoch => Box::new(ClippedSurrogate::default()),
        Arm::Dapo => Box::new(ClippedSurrogate { epsilon_high: 0.28, ..Default::default() }),
        Arm::Aspo => Box::new(AspoSurrogate::default()),
        Arm::Unweighted => Box::new(MaskAlone(ClippedSurrogate::default())),
    }
}

/// No importance weight: `-A logprob` where the clipped surrogate has a gradient, 0 elsewhere.
#[derive(Debug)]
struct MaskAlone(ClippedSurrogate);

impl PolicyLoss for MaskAlone {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let stats = self.0.surrogate(batch).stats;
        let masked = stats.clip.clone().greater_scalar(0.0);
        let loss = -(batch.advantages.clone() * batch.logprobs.clone());
        Surrogate { loss: loss.mask_fill(masked, 0.0), stats }
    }
}

/// What the steps so far measured.
#[derive(Default)]
struct Seen {
    points: Vec<Point>,
    updates: usize,
    entropies: Vec<f64>,
    drifts: Vec<f64>,
    /// For positive and negative tokens: share of all, ratio, share of all that is clipped.
    sides: [Vec<[f64; 3]>; 2],
}

impl Seen {
    fn add(&mut self, metrics: &StepMetrics) {
        self.updates += metrics.updates as usize;
        self.entropies.push(metrics.entropy.into());
        self.drifts.push(metrics.ratio_distance.into());
        let [positive, negative] = [metrics.positive, metrics.negative];
        let clip = metrics.clip;
        for (side, tokens, clipped) in [(0, positive, clip.high), (1, negative, clip.low)] {
            self.sides[side].push([tokens.share, tokens.ratio, clipped].map(f64::from));
        }
    }

    fn trained(mut self) -> Trained {
        // The policy at the start is the one that the first step sampled from.
        if let (Some(point), Some(entropy)) = (self.points.first_mut(), self.entropies.first())
            && point.updates == 0
        {
            point.entropy = *entropy;
        }
        let [positive, negative] = self.sides.map(|steps| {
            let total = |of: &dyn Fn(&[f64; 3]) -> f64| steps.iter().map(of).sum::<f64>();
            let tokens = total(&|step| step[0]);
            let ratio = total(&|step| step[0] * step[1]) / tokens.max(1e-12);
            Side { tokens, ratio, clipped: total(&|step| step[2]) / tokens.max(1e-12) }
        });
        let (points, drift) = (self.points, mean(&self.drifts));
        Trained { points, drift, positive, negative, bins: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use fireproof::lab::ratios::TokenRule;
    use fireproof::losses::BatchConstants;

    use super::*;

    /// The simulation's weights against the derivatives of the losses that train the transformer.
    #[test]
    fn the_labs_rules_are_those_of_the_losses() {
        let device = resolve_device(Some("flex")).unwrap().device.autodiff();
        let ratios = [0.1f32, 0.25, 0.5, 0.75, 0.85, 1.0, 1.15, 1.25, 1.35, 2.0, 4.0];
        let count = ratios.len();
        let row = |values: Vec<f32>| {
            burn::tensor::Tensor::<2>::from_data(
                burn::tensor::TensorData::new(values, [1, count]),
                &device,
            )
        };
        for arm in Arm::ALL {
            for advantage in [1.5f32, -0.7] {
                let logprobs = row(ratios.map(f32::ln).to_vec()).require_grad();
                let constants =
                    BatchConstants::new(row(vec![0.0; count]), row(vec![advantage; count]));
                let batch = PolicyBatch::new(logprobs.clone(), None, constants);
                let total = loss(arm).surrogate(&batch).loss.sum();
                let found = logprobs.grad(&total.backward()).expect("tracked").into_data();
                let found: Vec<f32> = found.try_to_vec().unwrap();
                let rule: TokenRule = arm.rule();
                for (ratio, found) in ratios.iter().zip(found) {
                    let (ratio, advantage) = (f64::from(*ratio), f64::from(advantage));
                    let expected = -advantage * rule.weight(ratio, advantage);
                    let close = (f64::from(found) - expected).abs() < 1e-4;
                    assert!(close, "{arm:?} R={ratio} A={advantage}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn one_epoch_makes_as_many_updates() {
        let setting = RatiosSetting::default();
        let mut setup = Setup::new(setting.run).unwrap();
        let before = setup.file.trainer.clone();
        assert_eq!(one_epoch(&mut setup, 10), 20);
        let after = &setup.file.trainer;
        let updates = |t: &TrainerConfig| {
            t.steps * (t.epochs_per_step * t.prompts_per_step / t.update_size()) as u64
        };
        assert_eq!(updates(&before), updates(after));
        assert_eq!(after.update_size(), before.update_size());
        assert_eq!((after.epochs_per_step, after.steps), (1, 240));
    }
}
