//! Evaluates a checkpoint on held-out prompts: pass@k, pass^k and maj@k with intervals, and two
//! checkpoints prompt by prompt.
//!
//! ```text
//! cargo run --release --example evaluate -- runs/grpo-seed1
//! cargo run --release --example evaluate -- runs/grpo-seed1 --against runs/aspo-seed1 --samples 64
//! cargo run --release --example evaluate -- runs/grpo-seed1/checkpoints/step-000200 --k 1,4
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use fireproof::kernels::ResolvedDevice;
use fireproof::prelude::*;
use fireproof::trainer::{Evaluation, Paired, latest_checkpoint, run_config};
use fireproof_examples::{Display, RunFile, Setup, TaskSet};

/// Programs of this workspace keep freed memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Evaluate a checkpoint, or compare two, on held-out prompts.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// A run folder (its last checkpoint) or the folder of one checkpoint
    run: PathBuf,
    /// Another one, to compare with prompt by prompt
    #[arg(long, value_name = "RUN")]
    against: Option<PathBuf>,
    /// Completions of each prompt
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..))]
    samples: u64,
    /// Held-out prompts [default: as many as the run evaluated on]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    prompts: Option<u64>,
    /// Values of k [default: powers of 4 up to --samples]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..))]
    k: Vec<u64>,
    /// Write the counts of every prompt to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where to compute: flex, ndarray, wgpu, cuda, ...
    #[arg(long)]
    device: Option<String>,
}

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
    let ks = values_of_k(arguments)?;
    let resolved = resolve_device(arguments.device.as_deref())?;
    println!("device   {resolved}");
    let evaluation = evaluated(&arguments.run, arguments, &resolved)?;
    print_table(&evaluation, &ks);
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string(&evaluation)? + "\n";
        std::fs::write(path, text).map_err(|e| format!("writing {}: {e}", path.display()))?;
    }
    if let Some(against) = &arguments.against {
        let other = evaluated(against, arguments, &resolved)?;
        print_table(&other, &ks);
        println!("\n{} minus {}, prompt by prompt", arguments.run.display(), against.display());
        print_comparison(&other, &evaluation, &ks)?;
    }
    Ok(())
}

fn values_of_k(arguments: &Arguments) -> Result<Vec<u64>, String> {
    if arguments.k.is_empty() {
        let powers = (0..32).map(|power| 4u64.pow(power));
        return Ok(powers.take_while(|k| *k <= arguments.samples).collect());
    }
    match arguments.k.iter().find(|k| **k > arguments.samples) {
        Some(k) => Err(format!("--k {k}: needs at least {k} --samples, not {}", arguments.samples)),
        None => Ok(arguments.k.clone()),
    }
}

/// Samples from one checkpoint.
fn evaluated(
    path: &Path,
    arguments: &Arguments,
    resolved: &ResolvedDevice,
) -> Result<Evaluation, Box<dyn Error>> {
    let (run, checkpoint) = find_checkpoint(path)?;
    let mut file = RunFile::parse(&run.join("config.toml"), &run_config(&run)?)?;
    if let Some(prompts) = arguments.prompts {
        file.evaluation.prompts = usize::try_from(prompts)?;
    }
    let setup = Setup::new(file)?;
    let mut trainer = setup.trainer(setup.new_policy(resolved))?;
    trainer.restore(&checkpoint)?;
    let prompts = TaskSet::ids(&setup.tasks.held_out);
    println!(
        "\n{} after step {} ({}): {} held-out prompts x {} samples",
        run.display(),
        trainer.steps_done(),
        setup.file.recipe,
        prompts.len(),
        arguments.samples
    );
    let mut display = Display::new();
    display.begin("sample", 0, 0);
    let evaluation = trainer.evaluate(&prompts, usize::try_from(arguments.samples)?);
    display.end();
    Ok(evaluation?)
}

/// The run and the checkpoint that a path names.
fn find_checkpoint(path: &Path) -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    if path.join("state.json").exists() {
        let path = std::path::absolute(path)?;
        let run = path.ancestors().nth(2).ok_or("a checkpoint lies in RUN/checkpoints/")?;
        return Ok((run.to_owned(), path.clone()));
    }
    let (checkpoint, damaged) = latest_checkpoint(path)?;
    damaged.iter().for_each(|error| eprintln!("warning: passed over: {error}"));
    Ok((path.to_owned(), checkpoint))
}

fn print_table(evaluation: &Evaluation, ks: &[u64]) {
    println!("{:>6}  {:<16}  {:<16}  maj@k", "k", "pass@k", "pass^k");
    for k in ks {
        let row = [evaluation.pass_at(*k), evaluation.pass_hat(*k), evaluation.majority_at(*k)];
        let [any, all, majority] = row.map(|interval| interval.to_string());
        println!("{k:>6}  {any:<16}  {all:<16}  {majority}");
    }
    println!("mean ± 95% interval over prompts; one training run, so nothing about other seeds");
}

fn print_comparison(a: &Evaluation, b: &Evaluation, ks: &[u64]) -> Result<(), TrainError> {
    println!("{:>6}  {:<17}  {:<8}better  equal  worse", "k", "pass@k", "p");
    for k in ks {
        let Paired { difference, better, equal, worse, p_value } = Paired::new(a, b, *k)?;
        let text = format!("{:+.3} ± {:.3}", difference.mean, difference.half_width);
        println!("{k:>6}  {text:<17}  {p_value:<8.4}{better:>6}  {equal:>5}  {worse:>5}");
    }
    println!("p: sign-flip permutation test over prompts, two-sided");
    Ok(())
}
