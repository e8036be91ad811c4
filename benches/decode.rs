//! Decoding a step of the quickstart: 32 prompts x 16 completions of 7 tokens.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fireproof::prelude::*;
use fireproof::rollout::{RolloutRequest, StopRules};
use fireproof::trajectory::{PolicyVersion, SamplingParams};
use fireproof_benches::{PROMPTS, SAMPLES, TOKENS, device, policy, tasks};

/// Programs of this workspace keep freed memory; so does what measures them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn decode(criterion: &mut Criterion) {
    let tokenizer = Tokenizer::characters(fireproof_benches::ALPHABET);
    let request = |task: &Task| RolloutRequest {
        prompt: task.id,
        prompt_tokens: tokenizer.encode(&task.prompt).expect("digits"),
        prefix: Vec::new(),
        samples: SAMPLES,
        sampling: SamplingParams::default(),
        // No stop token: every completion has the same length, so every run does the same work.
        stop: StopRules { max_tokens: TOKENS, stop_tokens: Vec::new() },
        seed: 1,
        step: 0,
    };
    let requests: Vec<RolloutRequest> = tasks().iter().map(request).collect();
    let mut engine = InProcessEngine::new(PROMPTS * SAMPLES);
    engine.publish(&policy(&device()), PolicyVersion(0));
    let mut bench = criterion.benchmark_group("decode");
    bench.sample_size(20).throughput(Throughput::Elements((PROMPTS * SAMPLES * TOKENS) as u64));
    bench.bench_function("512 rows", |b| b.iter(|| engine.generate(&requests).expect("served")));
    bench.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
