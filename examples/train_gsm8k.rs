//! Trains a Hugging Face checkpoint on GSM8K by verifiable rewards.
//!
//! The questions of `train.jsonl` (`{"question", "answer"}`, `#### 72` at the end of an answer) go
//! into the checkpoint's own chat template; a completion is right if its answer (in the last
//! `\boxed{}`, if it has one) is that number. Adapters train beside the frozen weights (`--full`: all parameters).
//! At the end the run folder holds the adapters in PEFT's files, or the whole model as a Hugging Face
//! checkpoint.
//!
//! ```text
//! cargo run --release --example train_gsm8k -- --model Qwen2.5-0.5B-Instruct \
//!     --data gsm8k/train.jsonl --test gsm8k/test.jsonl
//! cargo run --release --example train_gsm8k -- --model DIR --data FILE --recipe dr-grpo --full
//! cargo run --release --example train_gsm8k -- --resume runs/gsm8k-grpo-seed1
//! ```
//!
//! Departures from the published runs:
//! 1. One answer format, `\boxed{}`, asked for in the user's message (`data.instruction`).
//! 2. No length penalty and no reward for the format alone.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use fireproof::prelude::*;
use fireproof::trainer::{
    Bytes, EVALUATION_AFTER, EVALUATION_BEFORE, Evaluation, Paired, RecipeName, Report,
    latest_checkpoint, run_config, run_has_begun, run_result,
};
use fireproof_examples::gsm8k::{Checkpoint, Gsm8kFile, PromptReader, PromptSet, find_checkpoint};
use fireproof_examples::{Display, INTERRUPTED, Interrupt, QuickTrainer, TaskSet, machine};

/// Programs of this workspace keep freed memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Train a Hugging Face checkpoint on GSM8K by verifiable rewards.
#[derive(Parser, Debug)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Ctrl-C finishes the step and writes a checkpoint.\n\
                  Environment: BURN_DEVICE chooses the backend if --device does not; \
                  RAYON_NUM_THREADS the number of CPU threads."
)]
struct Arguments {
    /// Folder of a Hugging Face checkpoint: config.json, safetensors, tokenizer.json
    #[arg(long, value_name = "DIR", required_unless_present_any = ["resume", "config"])]
    model: Option<PathBuf>,
    /// Let --model name a model of the hub, `owner/name`, and download what the cache of Hugging
    /// Face's tools lacks of it (needs `--features hub`)
    #[arg(long)]
    download: bool,
    /// Questions to train on, JSON lines of `question` and `answer`
    #[arg(long, value_name = "FILE", required_unless_present_any = ["resume", "config"])]
    data: Option<PathBuf>,
    /// Questions to evaluate on before and after
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// The algorithm: grpo, dr-grpo, dapo, rloo, ... (a wrong name lists all)
    #[arg(long, value_name = "NAME")]
    recipe: Option<RecipeName>,
    /// Train all parameters and not adapters
    #[arg(long)]
    full: bool,
    /// With adapters: write the whole model too, adapters merged
    #[arg(long)]
    merge: bool,
    /// Seed of everything random
    #[arg(long)]
    seed: Option<u64>,
    /// A TOML run file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting of the run file, such as `trainer.steps=300`; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Folder of the run [default: the first free one of `runs/gsm8k-RECIPE-seedN`, `...-2`, ...]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continue the run in this folder from its last checkpoint
    #[arg(
        long, value_name = "DIR",
        conflicts_with_all = ["model", "data", "test", "full", "seed", "config", "out"]
    )]
    resume: Option<PathBuf>,
    /// Where to compute: flex, ndarray, wgpu, cuda, cuda:1, ...
    #[arg(long)]
    device: Option<String>,
}

fn main() -> ExitCode {
    machine::keep_freed_memory();
    run(&Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

// ANCHOR: run
fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let started = Instant::now();
    let mut file = run_file(arguments)?;
    file.validate()?;
    file.model.folder = find_checkpoint(&file.model.folder, arguments.download)?;
    let resolved = resolve_device(arguments.device.as_deref())?;
    println!("fireproof {} train_gsm8k", env!("CARGO_PKG_VERSION"));
    println!("device   {resolved}; CPU threads: {}", rayon::current_num_threads());
    let mut checkpoint = Checkpoint::open(&file.model.folder)?;
    let (train, test) = prompts(&file, &checkpoint)?;
    let longest = train.longest.max(test.longest);
    checkpoint.limit_context(longest + file.trainer.max_new_tokens)?;
    println!("model    {}", checkpoint.describe(&file));
    println!("prompt   {:?}", train.tasks[0].prompt);
    println!("recipe   {}, prompts {}, seed {}", file.recipe, file.selector, file.trainer.seed);

    let recipe = recipe(&file, &train)?;
    let memory = checkpoint.memory(&file, &recipe, longest);
    let free = machine::available(&resolved)
        .map_or("of the device's own".to_owned(), |free| format!("of {} free", Bytes(free)));
    println!("memory   {memory}; {free}");
    Checkpoint::check_memory(&file, &memory, &resolved)?;

    let mut folder = open_folder(arguments, &file)?;
    println!("run      {}\n", folder.path().display());
    let interrupt = Interrupt::listen(folder.path())?;
    let mut display = Display::new();
    let policy = checkpoint.load(&file, &resolved)?;
    let held_out: Vec<PromptId> = TaskSet::ids(&test.tasks);
    let mut trainer = trainer(policy, recipe, &file, checkpoint.tokenizer.clone(), train, test)?;
    match arguments.resume.as_deref().filter(|path| run_has_begun(path)) {
        Some(path) => resume(path, &mut trainer, &mut folder, &file, &mut display)?,
        None => begin(&mut trainer, &held_out, &folder, &file, &mut display)?,
    }
    interrupt.during(|| train_steps(&mut trainer, &file, &mut folder, &mut display, &interrupt))?;
    if trainer.steps_done() < file.trainer.steps {
        let (done, path) = (trainer.steps_done(), folder.path().display());
        println!("\nstopped after step {done}; continue with `--resume {path}`");
        return Ok(ExitCode::from(INTERRUPTED));
    }

    conclude(&mut trainer, &held_out, &folder, &file, &mut display)?;
    hand_back(&checkpoint, trainer.policy(), &file, arguments.merge, folder.path())?;
    let report = folder.path().join("report.html");
    println!("finished in {:.0} s; look at {}", started.elapsed().as_secs_f64(), report.display());
    Ok(ExitCode::SUCCESS)
}
// ANCHOR_END: run

/// Settings from the command line, or from the run that is resumed.
fn run_file(arguments: &Arguments) -> Result<Gsm8kFile, Box<dyn Error>> {
    let mut file = match &arguments.resume {
        Some(path) => Gsm8kFile::parse(&path.join("config.toml"), &run_config(path)?)?,
        None if arguments.full => Gsm8kFile::full(),
        None => Gsm8kFile::default(),
    };
    file = file.layered(arguments.config.as_deref(), &arguments.settings)?;
    file.model.full |= arguments.full;
    file.recipe = arguments.recipe.unwrap_or(file.recipe);
    file.trainer.seed = arguments.seed.unwrap_or(file.trainer.seed);
    let Arguments { model, data, test, .. } = arguments;
    file.model.folder = model.clone().unwrap_or(file.model.folder);
    // Whole paths, so that a run can be resumed from any folder.
    let whole = |path: &PathBuf| std::path::absolute(path);
    file.data.train = data.as_ref().map(whole).transpose()?.unwrap_or(file.data.train);
    file.data.test = test.as_ref().map(whole).transpose()?.or(file.data.test);
    Ok(file)
}

/// Prompts to train and to evaluate on, none of them in both.
fn prompts(
    file: &Gsm8kFile,
    checkpoint: &Checkpoint,
) -> Result<(PromptSet, PromptSet), Box<dyn Error>> {
    let reader = PromptReader::new(&file.model.folder, &file.data, &checkpoint.tokenizer)?;
    let mut train = reader.read(&file.data.train)?;
    let mut test = file.data.test.as_deref().map(|path| reader.read(path)).transpose()?;
    if let Some(test) = &mut test {
        test.tasks.truncate(file.evaluation.prompts);
    }
    let test = test.unwrap_or_default();
    let both = train.leave_out(&test);
    println!(
        "data     {} prompts to train on, {} held out; the longest has {} tokens",
        train.tasks.len(),
        test.tasks.len(),
        train.longest.max(test.longest)
    );
    let limit = file.data.longest_prompt;
    for (count, why) in [
        (both, "training prompts are held out too; they do not train".to_owned()),
        (
            train.too_long + test.too_long,
            format!("prompts have more than {limit} tokens; left out"),
        ),
    ] {
        if count > 0 {
            eprintln!("warning: {count} {why}");
        }
    }
    let (needed, found) = (file.trainer.prompts_per_step, train.tasks.len());
    if found < needed {
        return Err(
            format!("trainer.prompts_per_step: {needed} are asked for, there are {found}").into()
        );
    }
    Ok((train, test))
}

/// The recipe and the selector that the file names, over the training prompts.
fn recipe(file: &Gsm8kFile, train: &PromptSet) -> Result<Recipe, Box<dyn Error>> {
    let prompts = train.tasks.iter().map(|task| (task.id, task.metadata.level.unwrap_or(0)));
    let selector = file.selector.build(&prompts.collect::<Vec<_>>())?;
    Ok(file.recipe.build(selector, file.trainer.max_new_tokens))
}

/// A trainer at step 0.
fn trainer(
    policy: Transformer,
    recipe: Recipe,
    file: &Gsm8kFile,
    tokenizer: Tokenizer,
    train: PromptSet,
    test: PromptSet,
) -> Result<QuickTrainer, TrainError> {
    let tasks = train.tasks.into_iter().chain(test.tasks);
    let verifier = Box::new(CheckVerifier);
    let environment = Environment::new(tasks, tokenizer, verifier, RewardScale::default())?
        .watched(Duration::from_secs(10), |waiting| {
            waiting.iter().for_each(|judgement| eprintln!("warning: still judging {judgement}"));
        });
    let rows = file.trainer.prompts_per_step * file.trainer.samples_per_prompt;
    Trainer::new(policy, InProcessEngine::new(rows), recipe, environment, file.trainer.clone())
}

/// The folder of a new run, or of the one to continue.
fn open_folder(arguments: &Arguments, file: &Gsm8kFile) -> Result<RunFolder, TrainError> {
    if let Some(path) = &arguments.resume {
        return match run_has_begun(path) {
            true => RunFolder::reopen(path),
            false => RunFolder::resume(path, 0, &file.to_toml()),
        };
    }
    let name = format!("gsm8k-{}-seed{}", file.recipe, file.trainer.seed);
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    let free = names.find_map(|name| Some(Path::new("runs").join(name)).filter(|p| !p.exists()));
    let path = arguments.out.clone().or(free).expect("the names never end");
    RunFolder::create(&path, &file.to_toml())
}

/// First evaluation, first checkpoint.
fn begin(
    trainer: &mut QuickTrainer,
    held_out: &[PromptId],
    folder: &RunFolder,
    file: &Gsm8kFile,
    display: &mut Display,
) -> Result<(), TrainError> {
    if !held_out.is_empty() {
        let before = evaluated(trainer, held_out, file, display)?;
        display.line(format!("before   pass@1 {} on held-out prompts", before.pass_at(1)));
        folder.write_json(EVALUATION_BEFORE, &before)?;
    }
    trainer.save(&folder.checkpoint_path(0))
}

/// Continues from the last complete checkpoint of a run.
fn resume(
    path: &Path,
    trainer: &mut QuickTrainer,
    folder: &mut RunFolder,
    file: &Gsm8kFile,
    display: &mut Display,
) -> Result<(), TrainError> {
    let (checkpoint, damaged) = latest_checkpoint(path)?;
    for error in damaged {
        display.warn(format!("passed over: {error}"));
    }
    if let Some(note) = trainer.restore(&checkpoint)?.version_note() {
        display.warn(note);
    }
    let done = trainer.steps_done();
    display.line(format!("resumed  after step {done} from {}", checkpoint.display()));
    *folder = RunFolder::resume(path, done, &file.to_toml())?;
    Ok(())
}

/// Steps up to the planned number or to Ctrl-C, with their metrics and checkpoints.
fn train_steps(
    trainer: &mut QuickTrainer,
    file: &Gsm8kFile,
    folder: &mut RunFolder,
    display: &mut Display,
    interrupt: &Interrupt,
) -> Result<(), TrainError> {
    let TrainerConfig { steps, checkpoint_every: every, keep_checkpoints, .. } = file.trainer;
    display.begin("train", steps, trainer.steps_done());
    while trainer.steps_done() < steps && !interrupt.asked() {
        let record = trainer.step()?;
        display.step(&record.metrics, steps);
        folder.write_metrics(&record.metrics)?;
        let done = trainer.steps_done();
        let kept = file.report.every > 0 && (done == 1 || done.is_multiple_of(file.report.every));
        if kept {
            folder.write_transcripts(&trainer.transcripts(&record, file.report.groups)?)?;
        }
        if done == steps || (every > 0 && done.is_multiple_of(every)) || interrupt.asked() {
            trainer.save(&folder.checkpoint_path(done))?;
            folder.prune_checkpoints(keep_checkpoints)?;
            folder.write_text("report.html", &Report::read(folder.path())?.html())?;
        }
    }
    display.end();
    Ok(())
}

fn evaluated(
    trainer: &mut QuickTrainer,
    prompts: &[PromptId],
    file: &Gsm8kFile,
    display: &mut Display,
) -> Result<Evaluation, TrainError> {
    display.begin("evaluate", 0, 0);
    let evaluation = trainer.evaluate(prompts, file.evaluation.samples);
    display.end();
    evaluation
}

/// Second evaluation and the comparison with the first, prompt by prompt.
fn conclude(
    trainer: &mut QuickTrainer,
    held_out: &[PromptId],
    folder: &RunFolder,
    file: &Gsm8kFile,
    display: &mut Display,
) -> Result<(), TrainError> {
    if held_out.is_empty() {
        return Ok(());
    }
    let after = evaluated(trainer, held_out, file, display)?;
    folder.write_json(EVALUATION_AFTER, &after)?;
    folder.write_text("report.html", &Report::read(folder.path())?.html())?;
    println!("after    pass@1 {} on held-out prompts", after.pass_at(1));
    if let Some(before) = run_result::<Evaluation>(folder.path(), EVALUATION_BEFORE)? {
        let Paired { difference, better, equal, worse, p_value } = Paired::new(&before, &after, 1)?;
        let (mean, half) = (difference.mean, difference.half_width);
        println!(
            "change   {mean:+.3} ± {half:.3}, p {p_value:.4}: {better} prompts better, {equal} \
             equal, {worse} worse"
        );
    }
    Ok(())
}

/// What other programs can load.
fn hand_back(
    checkpoint: &Checkpoint,
    policy: &Transformer,
    file: &Gsm8kFile,
    merge: bool,
    run: &Path,
) -> Result<(), Box<dyn Error>> {
    if !file.model.full {
        let adapters = run.join("adapter");
        checkpoint.save_adapters(policy, &adapters)?;
        println!("wrote    {} (for PEFT)", adapters.display());
    }
    if file.model.full || merge {
        let whole = run.join("model");
        // A run that was finished before and is resumed writes it again.
        if whole.exists() {
            std::fs::remove_dir_all(&whole)?;
        }
        checkpoint.export(policy.clone(), &whole)?;
        println!("wrote    {} (a Hugging Face checkpoint)", whole.display());
    }
    Ok(())
}
