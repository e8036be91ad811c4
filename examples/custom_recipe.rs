//! An experiment of your own: task, verifier, prompt weighting, selector and loss, each in under 30
//! lines, composed into a recipe that trains.
//!
//! The task is `climb`: write digits that strictly increase and add up to the number asked for
//! (`15>` → `69` or `456` or `12345`). A warm start teaches to climb and hardly to add; reinforcement
//! learning does the rest.
//!
//! ```text
//! cargo run --release --example custom_recipe
//! cargo run --release --example custom_recipe -- --steps 20 --seed 2
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use fireproof::prelude::*;
use fireproof::selection::{Need, Observation, SelectError};
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// Programs of this workspace keep freed memory: a training step frees and takes the same sizes
/// again and again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// ANCHOR: task
/// `15>`: digits that add up to 15. The check is data; the verifier below reads it.
fn climb(sum: u32) -> Task {
    let prompt = format!("{sum}>");
    Task {
        id: PromptId::of(&prompt),
        prompt,
        check: CheckSpec::Custom { name: "climb".into(), data: sum.to_string() },
        metadata: TaskMetadata { source: "climb".into(), ..TaskMetadata::default() },
    }
}

/// Climbing digits, half of the time with the sum that the prompt asks for: a poor teacher.
fn demonstration(rng: &mut ChaCha8Rng) -> Demonstration {
    let mut digits: Vec<u32> = (1..=9).filter(|_| rng.random_bool(0.4)).collect();
    if digits.iter().sum::<u32>() < 3 {
        digits = vec![1, 2];
    }
    let sum = if rng.random() { digits.iter().sum() } else { rng.random_range(3..=35) };
    let answer = digits.iter().map(u32::to_string).collect();
    Demonstration { prompt: climb(sum).prompt, answer }
}
// ANCHOR_END: task

// ANCHOR: verifier
/// Digits that strictly increase and have the right sum.
#[derive(Debug)]
struct Climb;

impl Verifier for Climb {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        let CheckSpec::Custom { data, .. } = &task.check else {
            let reason = format!("{:?} is no climb", task.check);
            return Err(VerifyError::Infrastructure { task: task.id, reason });
        };
        let digits: Option<Vec<u32>> = response.chars().map(|c| c.to_digit(10)).collect();
        let Some(digits) = digits.filter(|digits| !digits.is_empty()) else {
            return Ok(Verdict::new(Outcome::NoAnswer));
        };
        let climbs = digits.is_sorted_by(|a, b| a < b);
        let right = climbs && digits.iter().sum::<u32>().to_string() == *data;
        Ok(Verdict::over(response, right))
    }
}
// ANCHOR_END: verifier

// ANCHOR: weighting
/// Pull hardest where about half of the completions are right: c(rho) = 4 rho (1 - rho).
#[derive(Debug)]
struct Middle;

impl PromptWeighting for Middle {
    fn coefficient(&self, rho: f64) -> f64 {
        4.0 * rho * (1.0 - rho)
    }
}
// ANCHOR_END: weighting

// ANCHOR: selector
/// The prompts whose success rate was last seen nearest to one half; unseen ones first.
struct NearHalf {
    pool: Vec<PromptId>,
    rates: BTreeMap<PromptId, f32>,
    taken: BTreeSet<PromptId>, // in this step
}

impl NearHalf {
    fn new(pool: Vec<PromptId>) -> Self {
        Self { pool, rates: BTreeMap::new(), taken: BTreeSet::new() }
    }
}

impl std::fmt::Debug for NearHalf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NearHalf") // settings only: this text is compared when a run resumes
    }
}

impl PromptSelector for NearHalf {
    fn need(&mut self, _step: u64, _seed: u64) -> Need {
        self.taken.clear(); // a step begins
        Need::None
    }

    fn observe(&mut self, seen: &[Observation<'_>]) {
        self.rates.extend(seen.iter().map(|o| (o.group.prompt, o.group.success_rate())));
    }

    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        if count > self.pool.len() {
            return Err(SelectError::PoolTooSmall { asked: count, available: self.pool.len() });
        }
        let distance = |prompt: &PromptId| self.rates.get(prompt).map_or(0.0, |r| (r - 0.5).abs());
        self.pool.shuffle(&mut ChaCha8Rng::seed_from_u64(seed)); // so that ties are broken fairly
        self.pool.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
        self.pool.sort_by_key(|prompt| self.taken.contains(prompt)); // stable
        self.taken.extend(&self.pool[..count]);
        Ok(self.pool[..count].to_vec())
    }

    fn state(&self) -> serde_json::Value {
        serde_json::json!((&self.pool, &self.rates))
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        let refuse = |e: serde_json::Error| SelectError::State {
            selector: "NearHalf",
            reason: e.to_string(),
        };
        (self.pool, self.rates) = serde_json::from_value(state).map_err(refuse)?;
        Ok(())
    }
}
// ANCHOR_END: selector

// ANCHOR: loss
/// Policy gradient whose importance weight is held within a cap: `-sg(min(R, cap)) A logprob`.
#[derive(Debug)]
struct CappedWeight {
    cap: f32,
}

impl PolicyLoss for CappedWeight {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let ratio = (batch.logprobs.clone() - batch.behaviour_logprobs.clone()).exp().detach();
        let weight = ratio.clone().clamp_max(self.cap);
        let loss = -(weight * batch.advantages.clone() * batch.logprobs.clone());
        Surrogate { loss, stats: SurrogateStats::unclipped(ratio) }
    }
}
// ANCHOR_END: loss

/// Train with a task, verifier, weighting, selector and loss of one's own.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// Training steps
    #[arg(long, default_value_t = 200)]
    steps: u64,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to compute: flex, ndarray, wgpu, cuda, ...
    #[arg(long)]
    device: Option<String>,
}

// ANCHOR: recipe
/// The parts above with the rest of GRPO.
fn recipe(prompts: Vec<PromptId>) -> Recipe {
    Recipe {
        estimator: Box::new(PromptWeighted::new(Middle)),
        loss: Box::new(CappedWeight { cap: 2.0 }),
        reduction: Reduction::TokenMean,
        penalties: vec![Penalty::Entropy { coefficient: 0.01 }],
        ..Recipe::grpo(Box::new(NearHalf::new(prompts)))
    }
}
// ANCHOR_END: recipe

// ANCHOR: run
fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let tasks: Vec<Task> = (3..=35).map(climb).collect();
    let prompts: Vec<PromptId> = tasks.iter().map(|task| task.id).collect();
    let tokenizer = Tokenizer::characters("0123456789>");
    let device = resolve_device(arguments.device.as_deref())?.device;
    let model = TransformerConfig {
        vocabulary: tokenizer.vocabulary(),
        context: 16,
        ..TransformerConfig::tiny()
    };
    let policy = model.init(arguments.seed, &device.autodiff());

    let mut rng = ChaCha8Rng::seed_from_u64(arguments.seed);
    let draw = |_| (0..64).map(|_| demonstration(&mut rng)).collect();
    let warm = WarmStartConfig { steps: 60, ..WarmStartConfig::default() };
    let policy = warm_start(policy, &tokenizer, &warm, draw, |_, _| {})?;

    let environment = Environment::new(tasks, tokenizer, Box::new(Climb), RewardScale::default())?;
    let mut config =
        TrainerConfig { seed: arguments.seed, steps: arguments.steps, ..TrainerConfig::default() };
    (config.prompts_per_step, config.prompts_per_update, config.max_new_tokens) = (16, 8, 9);
    config.optimizer.learning_rate = 3e-4;
    let engine = InProcessEngine::new(256);
    let mut trainer = Trainer::new(policy, engine, recipe(prompts.clone()), environment, config)?;

    let before = trainer.evaluate(&prompts, 32)?.pass_at(1);
    for step in 1..=arguments.steps {
        let metrics = trainer.step()?.metrics;
        if step % 10 == 0 || step == arguments.steps {
            println!("{metrics}");
        }
    }
    let after = trainer.evaluate(&prompts, 32)?.pass_at(1);
    println!("\npass@1 over all {} prompts: {before} before, {after} after", prompts.len());
    Ok(())
}
// ANCHOR_END: run

fn main() -> ExitCode {
    // Tensors this small are computed fastest on one thread; it fails only if a pool exists.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
