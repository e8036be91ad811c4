//! What the benchmarks share: the quickstart's policy and a batch of recorded completions.
//!
//! `cargo bench --package fireproof-benches` runs them all on flex; `--features wgpu` and the like
//! or the variable `BURN_DEVICE` choose another backend, as in every program.

mod clock;

use fireproof::kernels::ResolvedDevice;
use fireproof::prelude::*;
use fireproof::trajectory::{Completion, FinishReason, PolicyVersion, PromptGroup, SamplingParams};

pub use clock::Clock;

/// Digits and the sign that ends a prompt.
pub const ALPHABET: &str = "0123456789>";
/// Prompts of a step, as in the quickstart.
pub const PROMPTS: usize = 32;
/// Completions of each prompt.
pub const SAMPLES: usize = 16;
/// Tokens of each completion.
pub const TOKENS: usize = 7;

/// Keeps freed memory for good: giving it back and getting it again takes a tenth of a training step
/// or more.
#[allow(unsafe_code, reason = "the allocator is a C library and its crate wraps no options")]
pub fn keep_freed_memory() {
    /// `mi_option_purge_delay`: milliseconds until freed memory goes back to the system; below 0,
    /// never.
    const PURGE_DELAY: i32 = 15;
    // SAFETY: any thread may set an option at any time.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) }
}

/// The device that was asked for, named in the output.
///
/// # Panics
/// If there is no such device.
#[must_use]
#[allow(clippy::print_stderr, reason = "criterion owns standard output")]
pub fn device() -> ResolvedDevice {
    keep_freed_memory();
    let resolved = resolve_device(None).unwrap_or_else(|error| panic!("{error}"));
    eprintln!("device: {resolved}");
    resolved
}

/// The quickstart's policy, untrained.
#[must_use]
pub fn policy(resolved: &ResolvedDevice) -> Transformer {
    let vocabulary = Tokenizer::characters(ALPHABET).vocabulary();
    let config = TransformerConfig { vocabulary, context: 32, ..TransformerConfig::tiny() };
    config.init(1, &resolved.device.clone().autodiff())
}

/// `PROMPTS` numbers of six digits to sort.
#[must_use]
pub fn tasks() -> Vec<Task> {
    let numbers = (0..PROMPTS).map(|index| 100_000 + 26_041 * index);
    let task = |number: usize| {
        let mut digits: Vec<char> = number.to_string().chars().collect();
        digits.sort_unstable();
        let prompt = format!("{number}>");
        Task {
            id: PromptId::of(&prompt),
            prompt,
            check: CheckSpec::Exact { answer: digits.into_iter().collect() },
            metadata: TaskMetadata::default(),
        }
    };
    numbers.map(task).collect()
}

/// For every task, one right completion and others with a wrong first digit.
///
/// # Panics
/// Never: the texts are digits.
#[must_use]
pub fn recorded(tasks: &[Task]) -> Vec<PromptGroup> {
    let tokenizer = Tokenizer::characters(ALPHABET);
    let encode = |text: &str| tokenizer.encode(text).expect("digits");
    let group = |task: &Task| {
        let CheckSpec::Exact { answer } = &task.check else { unreachable!("made so above") };
        let completion = |sample: usize| {
            let mut tokens = encode(answer);
            if sample > 0 {
                tokens[0] = 1 + (tokens[0] + sample as u32) % 10;
            }
            tokens.push(tokenizer.stop());
            Completion {
                logprobs: vec![-2.0; tokens.len()],
                sampling_logprobs: None,
                support: None,
                entropies: vec![2.0; tokens.len()],
                tokens,
                finish: FinishReason::Stop,
                sampling: SamplingParams::default(),
                version: PolicyVersion(0),
            }
        };
        PromptGroup {
            prompt: task.id,
            prompt_tokens: encode(&task.prompt),
            completions: (0..SAMPLES).map(completion).collect(),
        }
    };
    tasks.iter().map(group).collect()
}
