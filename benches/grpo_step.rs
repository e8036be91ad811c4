//! A whole step of GRPO beside TRL's: 32 prompts × 16 completions of up to 12 tokens, a transformer of
//! 0.2 million parameters, one update; with the share of each phase and of the arithmetic floor.
//!
//! ```text
//! PYTHON=python3 cargo bench --package fireproof-benches --bench grpo_step
//! ```
//!
//! `PYTHON` is a Python with `trl` (1.16.0), and runs `grpo_step_rival.py` in the same call: a model of
//! the same sizes, prompts of the same lengths, the same number of threads. Without it the rival is
//! left out. Medians of steps after the first ones.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::process::Command;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use fireproof::kernels::ResolvedDevice;
use fireproof::prelude::*;
use fireproof::trainer::StepTimes;
use fireproof_benches::{ALPHABET, PROMPTS, SAMPLES, device, tasks};

/// Programs of this workspace keep freed memory; so does what measures them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Most tokens of a completion.
const TOKENS: usize = 12;
/// Tokens of a prompt: six digits and a sign.
const PROMPT: usize = 7;
const WARM_UP: usize = 3;
const STEPS: usize = 15;
/// Side of the matrix product that the processors' speed is taken from, and how often it runs.
const SIDE: usize = 1024;
const PRODUCTS: usize = 8;

fn main() {
    let device = device();
    let mut trainer = trainer(&device);
    let parameters = config().parameters();
    let mut records = Vec::new();
    for step in 0..WARM_UP + STEPS {
        let record = trainer.step().unwrap_or_else(|error| panic!("{error}"));
        if step >= WARM_UP {
            records.push((record.metrics.time, record.metrics.length.mean));
        }
    }
    let of = |part: fn(&StepTimes) -> f64| median(records.iter().map(|(t, _)| part(t)).collect());
    let seconds = of(|time| time.step);
    let length = median(records.iter().map(|(_, length)| f64::from(*length)).collect());
    println!(
        "{PROMPTS} prompts x {SAMPLES} completions, {length:.1} of up to {TOKENS} tokens, {parameters} \
         parameters, {} threads",
        rayon::current_num_threads()
    );
    println!("a step               {:7.1} ms (median of {STEPS})", 1e3 * seconds);
    let (generate, train) = (of(|time| time.generate), of(|time| time.train));
    println!("  generate           {:7.1} ms", 1e3 * generate);
    println!("  judge              {:7.1} ms", 1e3 * of(|time| time.verify));
    println!("  score and train    {:7.1} ms", 1e3 * train);
    let rate = products_per_second(&device.device);
    let floor = operations(parameters, length) / rate;
    println!("arithmetic floor     {:7.1} ms at {:.0} GFLOP/s", 1e3 * floor, rate / 1e9);
    println!("share of the floor   {:7.1} %", 100.0 * floor / seconds);
    match std::env::var_os("PYTHON").map(|python| rival(Command::new(python))) {
        Some(Some(theirs)) => println!(
            "TRL's GRPOTrainer    {:7.1} ms: {:.1} times as long",
            1e3 * theirs,
            theirs / seconds
        ),
        Some(None) => eprintln!("the rival failed; run benches/grpo_step_rival.py by hand"),
        None => println!("TRL is not measured: PYTHON names no Python with trl"),
    }
}

fn config() -> TransformerConfig {
    let vocabulary = Tokenizer::characters(ALPHABET).vocabulary();
    let (width, mlp_width) = (88, 272);
    TransformerConfig {
        vocabulary,
        width,
        mlp_width,
        heads: 4,
        kv_heads: 4,
        context: PROMPT + TOKENS,
        ..TransformerConfig::tiny()
    }
}

fn trainer(device: &ResolvedDevice) -> Trainer<Transformer, InProcessEngine<Transformer>> {
    let tasks = tasks();
    let prompts: Vec<PromptId> = tasks.iter().map(|task| task.id).collect();
    let (tokenizer, rewards) = (Tokenizer::characters(ALPHABET), RewardScale::default());
    let environment = Environment::new(tasks, tokenizer, Box::new(CheckVerifier), rewards);
    let environment = environment.expect("digits");
    let settings = TrainerConfig {
        prompts_per_step: PROMPTS,
        samples_per_prompt: SAMPLES,
        max_new_tokens: TOKENS,
        ..TrainerConfig::default()
    };
    let recipe = Recipe::grpo(Box::new(UniformWithoutReplacement::new(prompts)));
    let policy = config().init(1, &device.device.clone().autodiff());
    let engine = InProcessEngine::new(PROMPTS * SAMPLES);
    Trainer::new(policy, engine, recipe, environment, settings).expect("possible")
}

/// Multiplications and additions that no implementation avoids: two for each parameter and token
/// forward, four backward, and two again for each token that is read or written while sampling.
fn operations(parameters: usize, length: f64) -> f64 {
    let completions = (PROMPTS * SAMPLES) as f64;
    let trained = completions * (PROMPT as f64 + length - 1.0);
    // A prompt is read once for all its completions.
    let sampled = (PROMPTS * PROMPT) as f64 + completions * (length - 1.0);
    parameters as f64 * (6.0 * trained + 2.0 * sampled)
}

/// The speed of a large matrix product on this machine, now.
fn products_per_second(device: &Device) -> f64 {
    let matrix = || Tensor::<2>::random([SIDE, SIDE], Distribution::Uniform(-1.0, 1.0), device);
    let (a, b) = (matrix(), matrix());
    let seconds = (0..PRODUCTS).map(|_| {
        let start = Instant::now();
        let value: f32 = a.clone().matmul(b.clone()).sum().into_scalar();
        assert!(value.is_finite(), "{value}");
        start.elapsed().as_secs_f64()
    });
    2.0 * (SIDE as f64).powi(3) / median(seconds.collect())
}

/// Seconds a step that the rival prints in its last line.
fn rival(mut python: Command) -> Option<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/grpo_step_rival.py");
    let threads = rayon::current_num_threads().to_string();
    let output = python.arg(script).env("TORCH_THREADS", threads).output().ok()?;
    eprint!("{}", String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default());
    String::from_utf8_lossy(&output.stdout).trim().lines().last()?.parse().ok()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
