//! A training step on recorded completions: judging, advantages and four updates, without decoding.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fireproof::kernels::ResolvedDevice;
use fireproof::prelude::*;
use fireproof::rollout::ReplayEngine;
use fireproof::selection::InOrder;
use fireproof::trainer::RecipeName;
use fireproof::trajectory::PromptGroup;
use fireproof_benches::{ALPHABET, PROMPTS, SAMPLES, TOKENS, device, policy, recorded, tasks};

/// Programs of this workspace keep freed memory; so does what measures them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn training_step(criterion: &mut Criterion) {
    let (tasks, device) = (tasks(), device());
    let groups = recorded(&tasks);
    let lengths = groups.iter().flat_map(|group| {
        group.completions.iter().map(|c| group.prompt_tokens.len() + c.tokens.len())
    });
    let tokens: usize = lengths.sum();
    let mut bench = criterion.benchmark_group("training_step");
    bench.sample_size(20).throughput(Throughput::Elements(tokens as u64));
    for (name, recipe) in [("grpo", RecipeName::Grpo), ("aspo", RecipeName::Aspo)] {
        // A recording can be replayed once, so every step has a trainer of its own.
        let fresh = || trainer(recipe, &tasks, groups.clone(), &device);
        bench.bench_function(name, |b| {
            let step = |trainer: &mut Replay| trainer.step().expect("trains");
            b.iter_batched_ref(fresh, step, BatchSize::PerIteration);
        });
    }
    bench.finish();
}

type Replay = Trainer<Transformer, ReplayEngine<Transformer>>;

fn trainer(
    recipe: RecipeName,
    tasks: &[Task],
    recorded: Vec<PromptGroup>,
    device: &ResolvedDevice,
) -> Replay {
    let order = InOrder::new(tasks.iter().map(|task| task.id).collect());
    let (tokenizer, rewards) = (Tokenizer::characters(ALPHABET), RewardScale::default());
    let verifier = Box::new(CheckVerifier);
    let environment = Environment::new(tasks.to_vec(), tokenizer, verifier, rewards);
    let config = TrainerConfig {
        prompts_per_step: PROMPTS,
        samples_per_prompt: SAMPLES,
        prompts_per_update: PROMPTS / 4,
        ..TrainerConfig::default()
    };
    let (engine, environment) = (ReplayEngine::new(recorded), environment.expect("digits"));
    let recipe = recipe.build(Box::new(order), TOKENS);
    Trainer::new(policy(device), engine, recipe, environment, config).expect("possible")
}

criterion_group!(benches, training_step);
criterion_main!(benches);
