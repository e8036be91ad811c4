//! A whole step of the quickstart: sampling, judging, advantages and four updates.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fireproof::prelude::*;
use fireproof_benches::{ALPHABET, PROMPTS, SAMPLES, TOKENS, device, policy, tasks};

/// Programs of this workspace keep freed memory; so does what measures them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn end_to_end(criterion: &mut Criterion) {
    let (tasks, device) = (tasks(), device());
    let prompts: Vec<PromptId> = tasks.iter().map(|task| task.id).collect();
    // An untrained policy rarely stops early, so nearly every completion has this many tokens.
    let tokens = PROMPTS * SAMPLES * TOKENS;
    let fresh = || {
        let (tokenizer, rewards) = (Tokenizer::characters(ALPHABET), RewardScale::default());
        let verifier = Box::new(CheckVerifier);
        let environment = Environment::new(tasks.clone(), tokenizer, verifier, rewards);
        let config = TrainerConfig {
            prompts_per_step: PROMPTS,
            samples_per_prompt: SAMPLES,
            prompts_per_update: PROMPTS / 4,
            max_new_tokens: TOKENS,
            ..TrainerConfig::default()
        };
        let recipe = Recipe::grpo(Box::new(UniformWithoutReplacement::new(prompts.clone())));
        let engine = InProcessEngine::new(PROMPTS * SAMPLES);
        let environment = environment.expect("digits");
        Trainer::new(policy(&device), engine, recipe, environment, config).expect("possible")
    };
    let mut bench = criterion.benchmark_group("end_to_end");
    bench.sample_size(20).throughput(Throughput::Elements(tokens as u64));
    bench.bench_function("step", |b| {
        b.iter_batched_ref(fresh, |t| t.step().expect("trains"), BatchSize::PerIteration);
    });
    bench.finish();
}

criterion_group!(benches, end_to_end);
criterion_main!(benches);
