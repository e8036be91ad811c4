//! Trains a small transformer from scratch by verifiable rewards, in minutes on a laptop's CPU.
//!
//! The task is `sort`: write the digits of a number in ascending order (`3141>` → `1134`). A short
//! supervised warm start gets some answers right; reinforcement learning does the rest, with nothing
//! but a program that checks the answer. At the end the policy is compared with itself before, on
//! prompts that it never trained on.
//!
//! ```text
//! cargo run --release --example quickstart
//! cargo run --release --example quickstart -- --recipe linear-r --seed 2
//! cargo run --release --example quickstart -- --set task.family=countdown --set task.hardest=4
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use burn::module::Module;
use clap::Parser;
use fireproof::kernels::ResolvedDevice;
use fireproof::prelude::*;
use fireproof::trainer::{Evaluation, RecipeName, latest_checkpoint, run_config};
use fireproof_examples::{DemonstrationStream, RunFile, TaskSet, before_after};

/// An allocator that keeps freed memory: with one that returns it, a third of a training step is
/// the kernel mapping the same pages again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Train a small transformer from scratch by verifiable rewards.
#[derive(Parser, Debug)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Environment: BURN_DEVICE chooses the backend if --device does not; \
                  RAYON_NUM_THREADS the number of CPU threads (default: one up to a model.width of \
                  128, else one a core)."
)]
struct Arguments {
    /// The algorithm: grpo, linear-r, f-grpo or aspo
    #[arg(long, value_name = "NAME")]
    recipe: Option<RecipeName>,
    /// Seed of everything random
    #[arg(long)]
    seed: Option<u64>,
    /// A smoke run of seconds
    #[arg(long)]
    quick: bool,
    /// A TOML run file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting of the run file, such as `trainer.steps=300`; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Folder of the run [default: the first free one of `runs/RECIPE-seedN`, `...-2`, ...]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continue the run in this folder from its last checkpoint
    #[arg(long, value_name = "DIR", conflicts_with_all = ["recipe", "seed", "quick", "config", "settings", "out"])]
    resume: Option<PathBuf>,
    /// Where to compute: flex, ndarray, wgpu, cuda, cuda:1, wgpu:cpu, ...
    #[arg(long)]
    device: Option<String>,
}

type QuickTrainer = Trainer<Transformer, InProcessEngine<Transformer>>;

/// The evaluation before reinforcement learning, in the run folder.
const BEFORE: &str = "evaluation-before";
/// The evaluation after it.
const AFTER: &str = "evaluation-after";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let file = run_file(arguments)?;
    choose_threads(&file);
    let resolved = resolve_device(arguments.device.as_deref())?;
    let tasks = TaskSet::new(&file)?;
    let policy = new_policy(&file, &tasks, &resolved)?;
    introduce(&file, &tasks, &resolved, &policy);

    let (mut trainer, mut folder) = match &arguments.resume {
        Some(path) => resumed(path, policy, &file, &tasks)?,
        None => started_afresh(arguments, policy, &file, &tasks)?,
    };
    println!("run      {}\n", folder.path().display());
    train(&mut trainer, &file, &mut folder)?;

    let after = held_out(&mut trainer, &file, &tasks)?;
    folder.write_json(AFTER, &after)?;
    let (prompts, samples) = (file.evaluation.prompts, file.evaluation.samples);
    println!("\n{prompts} held-out prompts x {samples} samples, mean ± 95% interval over prompts");
    println!("{}", before_after(&folder.read_json(BEFORE)?, &after));
    println!("finished in {:.0} s; run folder {}", seconds(started), folder.path().display());
    Ok(())
}

/// On the CPU the tensors of a policy this small are so small that sharing them out among threads
/// costs more than it saves: at width 64 a run takes a fifth longer on two than on one.
/// `RAYON_NUM_THREADS` overrules.
fn choose_threads(file: &RunFile) {
    if file.model.width <= 128 && std::env::var_os("RAYON_NUM_THREADS").is_none() {
        // It fails only where a pool exists already, and then that one serves as well.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    }
}

/// Settings from the command line, or from the run that is resumed.
fn run_file(arguments: &Arguments) -> Result<RunFile, Box<dyn Error>> {
    if let Some(path) = &arguments.resume {
        return Ok(RunFile::parse(&path.join("config.toml"), &run_config(path)?)?);
    }
    let config = arguments.config.as_deref();
    let mut file = RunFile::layered(arguments.quick, config, &arguments.settings)?;
    file.recipe = arguments.recipe.unwrap_or(file.recipe);
    file.trainer.seed = arguments.seed.unwrap_or(file.trainer.seed);
    file.trainer.validate().map_err(|error| error.within("trainer"))?;
    file.warm_start.validate().map_err(|error| error.within("warm_start"))?;
    Ok(file)
}

fn tokenizer(file: &RunFile) -> Result<Tokenizer, Box<dyn Error>> {
    Ok(Tokenizer::characters(file.family()?.alphabet()))
}

/// A policy with random parameters.
fn new_policy(
    file: &RunFile,
    tasks: &TaskSet,
    resolved: &ResolvedDevice,
) -> Result<Transformer, Box<dyn Error>> {
    let config = TransformerConfig {
        vocabulary: tokenizer(file)?.vocabulary(),
        width: file.model.width,
        layers: file.model.layers,
        heads: file.model.heads,
        kv_heads: file.model.kv_heads,
        mlp_width: file.model.mlp_width,
        context: tasks.longest_prompt() + file.trainer.max_new_tokens,
        ..TransformerConfig::tiny()
    };
    config.validate()?;
    Ok(config.init(file.trainer.seed, &resolved.device.clone().autodiff()))
}

fn introduce(file: &RunFile, tasks: &TaskSet, resolved: &ResolvedDevice, policy: &Transformer) {
    let (train, held_out) = (tasks.train.len(), tasks.held_out.len());
    let task = &file.task;
    println!("fireproof {} quickstart", env!("CARGO_PKG_VERSION"));
    println!("device   {resolved}; CPU threads: {}", rayon::current_num_threads());
    println!(
        "task     {}, levels {} to {}: {train} prompts to train on, {held_out} held out",
        task.family, task.easiest, task.hardest
    );
    println!(
        "policy   transformer, {} layers of width {}, {} parameters",
        file.model.layers,
        file.model.width,
        policy.num_params()
    );
    println!("recipe   {}, seed {}", file.recipe, file.trainer.seed);
}

fn new_trainer(
    policy: Transformer,
    file: &RunFile,
    tasks: &TaskSet,
) -> Result<QuickTrainer, Box<dyn Error>> {
    let all = tasks.train.iter().chain(&tasks.held_out).cloned();
    let verifier = Box::new(CheckVerifier);
    let environment = Environment::new(all, tokenizer(file)?, verifier, RewardScale::default())?;
    let selector = UniformWithoutReplacement::new(TaskSet::ids(&tasks.train));
    let recipe = file.recipe.build(Box::new(selector));
    let rows = file.trainer.prompts_per_step * file.trainer.samples_per_prompt;
    let engine = InProcessEngine::new(rows);
    Ok(Trainer::new(policy, engine, recipe, environment, file.trainer.clone())?)
}

/// Warm start, first evaluation, first checkpoint.
fn started_afresh(
    arguments: &Arguments,
    policy: Transformer,
    file: &RunFile,
    tasks: &TaskSet,
) -> Result<(QuickTrainer, RunFolder), Box<dyn Error>> {
    // Before anything that takes time: an unwritable folder should say so at once.
    let path = arguments.out.clone().unwrap_or_else(|| free_folder(file));
    let folder = RunFolder::create(&path, &file.to_toml())?;

    let started = Instant::now();
    let mut stream = DemonstrationStream::new(file)?;
    let count = file.warm_start.demonstrations_per_step;
    let mut last = f32::NAN;
    let draw = |_| stream.draw(count);
    let report = |_, loss| last = loss;
    let policy = warm_start(policy, &tokenizer(file)?, &file.warm_start, draw, report)?;
    println!(
        "warm     {} supervised steps of {count} demonstrations, last loss {last:.3} nats a token, \
         {:.0} s",
        file.warm_start.steps,
        seconds(started)
    );
    let mut trainer = new_trainer(policy, file, tasks)?;
    let before = held_out(&mut trainer, file, tasks)?;
    println!("before   pass@1 {} on held-out prompts", before.pass_at(1));
    folder.write_json(BEFORE, &before)?;
    trainer.save(&folder.checkpoint_path(0))?;
    Ok((trainer, folder))
}

/// A trainer as the last complete checkpoint of a run left it.
fn resumed(
    path: &Path,
    policy: Transformer,
    file: &RunFile,
    tasks: &TaskSet,
) -> Result<(QuickTrainer, RunFolder), Box<dyn Error>> {
    let (checkpoint, damaged) = latest_checkpoint(path)?;
    for error in damaged {
        eprintln!("warning: passed over: {error}");
    }
    let mut trainer = new_trainer(policy, file, tasks)?;
    trainer.restore(&checkpoint)?;
    println!("resumed  after step {} from {}", trainer.steps_done(), checkpoint.display());
    let folder = RunFolder::resume(path, trainer.steps_done())?;
    Ok((trainer, folder))
}

/// Steps up to the planned number, with their metrics and checkpoints.
fn train(
    trainer: &mut QuickTrainer,
    file: &RunFile,
    folder: &mut RunFolder,
) -> Result<(), Box<dyn Error>> {
    let TrainerConfig { steps, checkpoint_every: every, keep_checkpoints, .. } = file.trainer;
    while trainer.steps_done() < steps {
        let record = trainer.step()?;
        println!("{}", record.metrics);
        if let Some(error) = record.verifier_error {
            eprintln!("warning: completions were dropped: {error}");
        }
        folder.write_metrics(&record.metrics)?;
        let done = trainer.steps_done();
        if done == steps || (every > 0 && done.is_multiple_of(every)) {
            trainer.save(&folder.checkpoint_path(done))?;
            folder.prune_checkpoints(keep_checkpoints)?;
        }
    }
    Ok(())
}

fn held_out(
    trainer: &mut QuickTrainer,
    file: &RunFile,
    tasks: &TaskSet,
) -> Result<Evaluation, TrainError> {
    trainer.evaluate(&TaskSet::ids(&tasks.held_out), file.evaluation.samples)
}

/// The first of `runs/RECIPE-seedN`, `runs/RECIPE-seedN-2`, ... that does not exist.
fn free_folder(file: &RunFile) -> PathBuf {
    let name = format!("{}-seed{}", file.recipe, file.trainer.seed);
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let names = std::iter::once(name.clone()).chain(numbered);
    let paths = names.map(|name| Path::new("runs").join(name));
    paths.into_iter().find(|path| !path.exists()).expect("the names never end")
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
