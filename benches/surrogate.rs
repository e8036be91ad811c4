//! Surrogates: loss, statistics and gradient of many tokens, as an update computes them.

use burn::tensor::{Device, Tensor, TensorData};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fireproof::losses::{BatchConstants, Reinforce, objective};
use fireproof::prelude::*;
use fireproof_benches::device;

/// Programs of this workspace keep freed memory; so does what measures them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows and tokens of each: an update of the quickstart, and one of a language model.
const SIZES: [[usize; 2]; 2] = [[128, 8], [512, 1024]];

fn surrogate(criterion: &mut Criterion) {
    let device = device().device.autodiff();
    let losses: [(&str, Box<dyn PolicyLoss>); 3] = [
        ("clipped", Box::new(ClippedSurrogate::default())),
        ("aspo", Box::new(AspoSurrogate::default())),
        ("reinforce", Box::new(Reinforce)),
    ];
    for [rows, tokens] in SIZES {
        let mut bench = criterion.benchmark_group(format!("surrogate/{rows}x{tokens}"));
        bench.sample_size(20).throughput(Throughput::Elements((rows * tokens) as u64));
        let inputs = Inputs::new([rows, tokens], &device);
        for (name, loss) in &losses {
            let forward_backward = |(logprobs, batch): (Tensor<2>, PolicyBatch)| {
                let objective = objective(loss.as_ref(), &[], &batch);
                let totals = objective.stats.totals(&batch.advantages, &batch.mask);
                let gradient = logprobs.grad(&objective.total.backward()).expect("tracked");
                // Reading waits for the device.
                (totals.into_data(), gradient.sum().into_data())
            };
            bench.bench_function(*name, |b| {
                b.iter_batched(|| inputs.batch(), forward_backward, BatchSize::PerIteration);
            });
        }
        bench.finish();
    }
}

/// Log-probabilities around those at sampling, advantages of both signs.
struct Inputs {
    device: Device,
    logprobs: Tensor<2>,
    constants: [Tensor<2>; 4],
}

impl Inputs {
    fn new(shape: [usize; 2], device: &Device) -> Self {
        let plain = device.clone().inner();
        let wave = |scale: f32, shift: f32| {
            let value = |index: usize| ((index * 7919 % 997) as f32 / 997.0 - shift) * scale;
            let values: Vec<f32> = (0..shape[0] * shape[1]).map(value).collect();
            Tensor::<2>::from_data(TensorData::new(values, shape), &plain)
        };
        let behaviour = wave(2.0, 1.0);
        let weights = Tensor::full(shape, 1.0 / (shape[0] * shape[1]) as f32, &plain);
        let mask = Tensor::ones(shape, &plain);
        Self {
            device: device.clone(),
            logprobs: behaviour.clone() + wave(0.8, 0.5),
            constants: [behaviour, wave(2.0, 0.5), weights, mask],
        }
    }

    /// A fresh graph over the same numbers.
    fn batch(&self) -> (Tensor<2>, PolicyBatch) {
        let logprobs = self.logprobs.clone().into_data();
        let logprobs = Tensor::<2>::from_data(logprobs, &self.device).require_grad();
        let [behaviour_logprobs, advantages, weights, mask] = self.constants.clone();
        let constants = BatchConstants {
            behaviour_logprobs,
            reference_logprobs: None,
            advantages,
            weights,
            mask,
            plan: Vec::new(),
        };
        (logprobs.clone(), PolicyBatch::new(logprobs, None, constants))
    }
}

criterion_group!(benches, surrogate);
criterion_main!(benches);
