//! A Hugging Face checkpoint: loading it, reading prompts, and forward and backward passes, beside
//! `checkpoint_rival.py`, which makes the checkpoints and measures `transformers` on them.
//!
//! ```text
//! python benches/checkpoint_rival.py make 10m DIR
//! cargo bench --bench checkpoint -- DIR               (or DIR and some of: load prefill train)
//! python benches/checkpoint_rival.py measure DIR
//! ```
//!
//! Both take `CLOCK=processor` for the time of processors, on one thread with `RAYON_NUM_THREADS=1` and
//! `TORCH_THREADS=1`: other programs change that less. Both print medians over the same shapes: see [`PREFILL`], [`TRAIN`] and [`REPEATS`].

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use fireproof::kernels::token_logprobs;
use fireproof::model::ModelFolder;
use fireproof::prelude::*;
use fireproof_benches::{Clock, device};

/// Programs of this workspace keep freed memory; so does what measures them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows and tokens that are read into a cache.
const PREFILL: [usize; 2] = [4, 256];
/// Rows and tokens that go forward and backward, all of them scored.
const TRAIN: [usize; 2] = [2, 128];
/// Every measurement is the median of so many, after one that does not count; the variable `REPEATS`
/// says another number.
const REPEATS: usize = 5;

fn main() {
    // Cargo adds `--bench`; without a folder there is nothing to measure.
    let words = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let words: Vec<String> = words.collect();
    let Some((folder, parts)) = words.split_first() else {
        eprintln!("no checkpoint given: see the head of benches/checkpoint.rs");
        return;
    };
    let asked = |part: &str| parts.is_empty() || parts.iter().any(|word| word == part);
    let (folder, device) = (PathBuf::from(folder), device().device);
    if asked("load") {
        measure_load(&folder, &device);
    }
    if asked("prefill") {
        let model = load(&folder, &device);
        let tokens = tokens(PREFILL, &model, &device);
        let seconds = median(|| {
            let (hidden, _cache) = model.prefill(tokens.clone(), &[PREFILL[1]; PREFILL[0]]);
            read(model.logits(hidden).sum());
        });
        report("prefill", PREFILL, seconds);
    }
    if asked("train") {
        let device = device.autodiff();
        let model = load(&folder, &device);
        report("forward and backward", TRAIN, median(|| train(&model, &device)));
    }
}

fn measure_load(folder: &Path, device: &Device) {
    let before = memory("VmRSS");
    let (clock, started) = started();
    let model = load(folder, device);
    let first = (clock.now() - started).as_secs_f64();
    let weights = 4 * model.config().parameters() as u64;
    if let (Some(before), Some(peak)) = (before, memory("VmHWM")) {
        let ratio = (peak - before) as f64 / weights as f64;
        println!("peak memory while loading  {ratio:.3} times the weights in f32");
    }
    drop(model);
    println!("load, first time           {first:.3} s");
    println!("load                       {:.3} s", median(|| drop(load(folder, device))));
}

fn load(folder: &Path, device: &Device) -> Transformer {
    let mut folder = ModelFolder::open(folder).unwrap_or_else(|error| panic!("{error}"));
    folder.config.transformer.context = PREFILL[1];
    folder.load(DType::F32, device).unwrap_or_else(|error| panic!("{error}"))
}

/// The mean negative log-probability of the next tokens, and its gradient.
fn train(model: &Transformer, device: &Device) {
    let [rows, time] = TRAIN;
    let tokens = tokens(TRAIN, model, device);
    let positions = Tensor::<1, Int>::arange(0..time as i64, device).reshape([1, time]);
    let hidden = model.hidden(tokens.clone(), positions.expand([rows, time]));
    let width = hidden.dims()[2];
    let states = hidden.narrow(1, 0, time - 1).reshape([rows * (time - 1), width]);
    let targets = tokens.narrow(1, 1, time - 1).reshape([rows * (time - 1)]);
    let loss = -token_logprobs(model.logits(states), targets, 1.0).logprobs.mean();
    let gradients = loss.backward();
    read(loss);
    drop(gradients);
}

fn tokens(shape: [usize; 2], model: &Transformer, device: &Device) -> Tensor<2, Int> {
    let vocabulary = model.limits().vocabulary;
    let tokens: Vec<i32> =
        (0..shape[0] * shape[1]).map(|i| (i * 7919 % vocabulary) as i32).collect();
    Tensor::from_data(TensorData::new(tokens, shape), device)
}

/// Waits for the device.
fn read(tensor: Tensor<1>) {
    let value: f32 = tensor.into_scalar();
    assert!(value.is_finite(), "{value}");
}

fn median(mut work: impl FnMut()) -> f64 {
    work();
    let asked = std::env::var("REPEATS").ok().and_then(|count| count.parse().ok());
    let repeats: usize = asked.unwrap_or(REPEATS);
    let mut seconds: Vec<f64> = (0..repeats)
        .map(|_| {
            let (clock, started) = started();
            work();
            (clock.now() - started).as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[repeats / 2]
}

fn started() -> (Clock, Duration) {
    let clock = Clock::chosen();
    (clock, clock.now())
}

fn report(what: &str, [rows, time]: [usize; 2], seconds: f64) {
    let speed = (rows * time) as f64 / seconds;
    println!("{what:20} {rows} x {time}  {seconds:8.3} s  {speed:9.1} tokens/s");
}

/// A field of Linux's record of this process, in bytes.
fn memory(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(1024 * kilobytes)
}
