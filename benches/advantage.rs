//! Host-side advantages of a step of 1024 groups of 16.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fireproof::prelude::*;

const GROUPS: usize = 1024;
const SIZE: usize = 16;

fn advantages(criterion: &mut Criterion) {
    let correct: Vec<[bool; SIZE]> = (0..GROUPS)
        .map(|group| std::array::from_fn(|index| index * 7 % SIZE < group % (SIZE + 1)))
        .collect();
    let rewards: Vec<[f32; SIZE]> = correct.iter().map(|group| group.map(f32::from)).collect();
    let (lengths, truncated) = ([8usize; SIZE], [false; SIZE]);
    let numbered = correct.iter().zip(&rewards).zip(0..);
    let views = numbered.map(|((correct, rewards), prompt)| GroupView {
        prompt: PromptId(prompt),
        rewards,
        correct,
        lengths: &lengths,
        truncated: &truncated,
    });
    let groups: Vec<GroupView<'_>> = views.collect();
    let step = StepView { groups: &groups, step: 0, steps: 1 };
    let estimators: [(&str, Box<dyn AdvantageEstimator>); 4] = [
        ("centered", Box::new(Centered)),
        ("z-score", Box::new(ZScore::default())),
        ("linear-r", Box::new(PromptWeighted::new(LinearR))),
        ("f-grpo", Box::new(Focal::new(ZScore::default()))),
    ];
    let mut bench = criterion.benchmark_group("advantages");
    bench.throughput(Throughput::Elements((GROUPS * SIZE) as u64));
    for (name, estimator) in estimators {
        bench.bench_function(name, |b| b.iter(|| estimator.advantages(black_box(&step))));
    }
    bench.finish();
}

criterion_group!(benches, advantages);
criterion_main!(benches);
