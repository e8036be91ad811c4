//! Trains a small transformer from scratch by verifiable rewards, in minutes on a laptop's CPU.
//!
//! The task is `sort`: write the digits of a number in ascending order (`3141>` → `1134`). A short
//! supervised warm start gets some answers right; reinforcement learning does the rest, with nothing
//! but a program that checks the answer. At the end the policy is compared with itself before, on
//! prompts that it never trained on, and `report.html` in the run folder shows how it went.
//!
//! ```text
//! cargo run --release --example quickstart
//! cargo run --release --example quickstart -- --recipe linear-r --seed 2
//! cargo run --release --example quickstart -- --set task.family=countdown --set task.hardest=4
//! cargo run --release --example quickstart -- --resume runs/grpo-seed1 --set trainer.steps=400
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use fireproof::kernels::ResolvedDevice;
use fireproof::prelude::*;
use fireproof::trainer::{
    Bytes, EVALUATION_AFTER, EVALUATION_BEFORE, Evaluation, RecipeName, Report, SelectorName,
    StepRecord, latest_checkpoint, run_config, run_has_begun, run_result,
};
use fireproof_examples::{
    DemonstrationStream, Display, INTERRUPTED, Interrupt, QuickTrainer, RunFile, Setup, TaskSet,
    before_after, machine,
};

/// An allocator that keeps freed memory: with one that returns it, a third of a training step is
/// the kernel mapping the same pages again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Train a small transformer from scratch by verifiable rewards.
#[derive(Parser, Debug)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Ctrl-C finishes the step and writes a checkpoint.\n\
                  Environment: BURN_DEVICE chooses the backend if --device does not; \
                  RAYON_NUM_THREADS the number of CPU threads (default: one up to a model.width of \
                  128, else one a core)."
)]
struct Arguments {
    /// The algorithm
    #[arg(long, value_name = "NAME", value_parser = recipes())]
    recipe: Option<RecipeName>,
    /// Which prompts a step is made of
    #[arg(long, value_name = "NAME", value_parser = selectors())]
    selector: Option<SelectorName>,
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
    /// Continue the run in this folder from its last checkpoint; `--set` may change what the
    /// checkpoint does not hold, such as `trainer.steps`
    #[arg(long, value_name = "DIR", conflicts_with_all = ["seed", "quick", "config", "out"])]
    resume: Option<PathBuf>,
    /// Where to compute: flex, ndarray, wgpu, cuda, cuda:1, wgpu:cpu, ...
    #[arg(long)]
    device: Option<String>,
    /// Show burn-train's dashboard while training (needs `--features tui`)
    #[arg(long)]
    tui: bool,
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
    if arguments.tui {
        Display::check_dashboard()?;
    }
    let setup = Setup::new(run_file(arguments)?)?;
    choose_threads(&setup.file);
    let resolved = resolve_device(arguments.device.as_deref())?;
    introduce(&setup, &resolved);
    setup.check_memory(&resolved)?;
    let policy = setup.new_policy(&resolved);

    // Before anything that takes time: an unwritable folder should say so at once.
    let mut folder = open_folder(arguments, &setup.file)?;
    println!("run      {}\n", folder.path().display());
    let interrupt = Interrupt::listen(folder.path())?;
    let mut display = Display::new();
    let mut trainer = match arguments.resume.as_deref().filter(|path| run_has_begun(path)) {
        Some(path) => resumed(path, policy, &setup, &mut folder, &mut display)?,
        None => started_afresh(policy, &setup, &folder, &mut display)?,
    };

    if arguments.tui {
        display.open_dashboard(&interrupt);
    }
    let trained =
        interrupt.during(|| train(&mut trainer, &setup, &mut folder, &mut display, &interrupt));
    display.close_dashboard();
    trained?;
    if trainer.steps_done() < setup.file.trainer.steps {
        let (done, path) = (trainer.steps_done(), folder.path().display());
        println!("\nstopped after step {done}; continue with `--resume {path}`");
        return Ok(ExitCode::from(INTERRUPTED));
    }

    let after = held_out(&mut trainer, &setup, &mut display)?;
    folder.write_json(EVALUATION_AFTER, &after)?;
    write_report(&folder)?;
    conclude(&setup.file, folder.path(), &after)?;
    println!("finished in {:.0} s; look at {}", seconds(started), report_path(&folder).display());
    Ok(ExitCode::SUCCESS)
}
// ANCHOR_END: run

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
    let mut file = match &arguments.resume {
        Some(path) => {
            let file = RunFile::parse(&path.join("config.toml"), &run_config(path)?)?;
            file.with(&arguments.settings)?
        }
        None => {
            let config = arguments.config.as_deref();
            RunFile::layered(arguments.quick, config, &arguments.settings)?
        }
    };
    file.recipe = arguments.recipe.unwrap_or(file.recipe);
    file.selector = arguments.selector.unwrap_or(file.selector);
    file.trainer.seed = arguments.seed.unwrap_or(file.trainer.seed);
    Ok(file)
}

fn introduce(setup: &Setup, resolved: &ResolvedDevice) {
    let Setup { file, tasks, model } = setup;
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
        model.layers,
        model.width,
        model.parameters()
    );
    println!("recipe   {}, prompts {}, seed {}", file.recipe, file.selector, file.trainer.seed);
    let free = machine::available(resolved)
        .map_or("of the device's own".to_owned(), |free| format!("of {} free", Bytes(free)));
    println!("memory   about {} {free}", Bytes(setup.memory().total()));
}

/// The folder of a new run, or of the one to continue.
fn open_folder(arguments: &Arguments, file: &RunFile) -> Result<RunFolder, Box<dyn Error>> {
    if let Some(path) = &arguments.resume {
        // What the last checkpoint does not cover is removed once that is read.
        return Ok(match run_has_begun(path) {
            true => RunFolder::reopen(path)?,
            false => RunFolder::resume(path, 0, &file.to_toml())?,
        });
    }
    let path = arguments.out.clone().unwrap_or_else(|| free_folder(file));
    Ok(RunFolder::create(&path, &file.to_toml())?)
}

/// Warm start, first evaluation, first checkpoint.
fn started_afresh(
    policy: Transformer,
    setup: &Setup,
    folder: &RunFolder,
    display: &mut Display,
) -> Result<QuickTrainer, Box<dyn Error>> {
    let started = Instant::now();
    let config = &setup.file.warm_start;
    let mut stream = DemonstrationStream::new(&setup.file)?;
    let count = config.demonstrations_per_step;
    let mut last = f32::NAN;
    display.begin("warm", config.steps, 0);
    let report = |_, loss| {
        last = loss;
        display.advance(format!("loss {loss:.3} nats a token"));
    };
    let policy = warm_start(policy, &setup.tokenizer()?, config, |_| stream.draw(count), report)?;
    display.end();
    display.line(format!(
        "warm     {} supervised steps of {count} demonstrations, last loss {last:.3} nats a token, \
         {:.0} s",
        config.steps,
        seconds(started)
    ));
    let mut trainer = setup.trainer(policy)?;
    let before = held_out(&mut trainer, setup, display)?;
    display.line(format!("before   pass@1 {} on held-out prompts", before.pass_at(1)));
    folder.write_json(EVALUATION_BEFORE, &before)?;
    trainer.save(&folder.checkpoint_path(0))?;
    Ok(trainer)
}

/// A trainer as the last complete checkpoint of a run left it.
fn resumed(
    path: &Path,
    policy: Transformer,
    setup: &Setup,
    folder: &mut RunFolder,
    display: &mut Display,
) -> Result<QuickTrainer, Box<dyn Error>> {
    let (checkpoint, damaged) = latest_checkpoint(path)?;
    for error in damaged {
        display.warn(format!("passed over: {error}"));
    }
    let mut trainer = setup.trainer(policy)?;
    if let Some(note) = trainer.restore(&checkpoint)?.version_note() {
        display.warn(note);
    }
    let done = trainer.steps_done();
    display.line(format!("resumed  after step {done} from {}", checkpoint.display()));
    *folder = RunFolder::resume(path, done, &setup.file.to_toml())?;
    Ok(trainer)
}

// ANCHOR: train
/// Steps up to the planned number or to Ctrl-C, with their metrics and checkpoints.
fn train(
    trainer: &mut QuickTrainer,
    setup: &Setup,
    folder: &mut RunFolder,
    display: &mut Display,
    interrupt: &Interrupt,
) -> Result<(), Box<dyn Error>> {
    let TrainerConfig { steps, checkpoint_every: every, keep_checkpoints, .. } = setup.file.trainer;
    display.begin("train", steps, trainer.steps_done());
    while trainer.steps_done() < steps && !interrupt.asked() {
        let record = trainer.step()?;
        display.step(&record.metrics, steps);
        if let Some(error) = &record.verifier_error {
            display.warn(format!("completions were dropped: {error}"));
        }
        folder.write_metrics(&record.metrics)?;
        keep_completions(trainer, &record, setup, folder)?;
        let done = trainer.steps_done();
        let due = every > 0 && done.is_multiple_of(every);
        if done == steps || due || interrupt.asked() {
            trainer.save(&folder.checkpoint_path(done))?;
            folder.prune_checkpoints(keep_checkpoints)?;
            write_report(folder)?;
        }
    }
    display.end();
    Ok(())
}
// ANCHOR_END: train

/// Some groups of some steps, for people to read.
fn keep_completions(
    trainer: &QuickTrainer,
    record: &StepRecord,
    setup: &Setup,
    folder: &mut RunFolder,
) -> Result<(), TrainError> {
    let (every, groups) = (setup.file.report.every, setup.file.report.groups);
    let done = trainer.steps_done();
    if every > 0 && (done == 1 || done.is_multiple_of(every)) {
        folder.write_transcripts(&trainer.transcripts(record, groups)?)?;
    }
    Ok(())
}

fn write_report(folder: &RunFolder) -> Result<(), TrainError> {
    let report = Report::read(folder.path())?;
    folder.write_text("report.html", &report.html())?;
    folder.write_text("learning-curve.svg", &report.learning_curve_svg())
}

fn report_path(folder: &RunFolder) -> PathBuf {
    folder.path().join("report.html")
}

fn held_out(
    trainer: &mut QuickTrainer,
    setup: &Setup,
    display: &mut Display,
) -> Result<Evaluation, TrainError> {
    display.begin("evaluate", 0, 0);
    let prompts = TaskSet::ids(&setup.tasks.held_out);
    let evaluation = trainer.evaluate(&prompts, setup.file.evaluation.samples);
    display.end();
    evaluation
}

/// The comparison with the policy before.
fn conclude(file: &RunFile, path: &Path, after: &Evaluation) -> Result<(), TrainError> {
    let (prompts, samples) = (file.evaluation.prompts, file.evaluation.samples);
    println!("\n{prompts} held-out prompts x {samples} samples, mean ± 95% interval over prompts");
    if let Some(before) = run_result(path, EVALUATION_BEFORE)? {
        println!("{}", before_after(&before, after));
    }
    Ok(())
}

/// The names of recipes, listed in the help.
fn recipes() -> impl TypedValueParser<Value = RecipeName> {
    let names = RecipeName::ALL.iter().map(|recipe| recipe.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<RecipeName>())
}

/// The names of selectors, listed in the help.
fn selectors() -> impl TypedValueParser<Value = SelectorName> {
    let names = SelectorName::ALL.iter().map(|selector| selector.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<SelectorName>())
}

/// The first of `runs/RECIPE-seedN`, `runs/RECIPE-seedN-2`, ... that does not exist.
fn free_folder(file: &RunFile) -> PathBuf {
    let selector = match file.selector {
        SelectorName::Uniform => String::new(),
        other => format!("-{other}"),
    };
    let name = format!("{}{selector}-seed{}", file.recipe, file.trainer.seed);
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let names = std::iter::once(name.clone()).chain(numbered);
    let paths = names.map(|name| Path::new("runs").join(name));
    paths.into_iter().find(|path| !path.exists()).expect("the names never end")
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
