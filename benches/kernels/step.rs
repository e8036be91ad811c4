//! A whole training step of a transformer: forward, backward and AdamW.

use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor, TensorData};
use fireproof::model::{CausalLm, TransformerConfig};
use fireproof::trainer::{Optimizer, OptimizerConfig, global_norm};
use fireproof_kernels::token_logprobs;

use crate::losses::device;
use crate::{Case, Work};

pub(crate) const CASES: [Case; 3] = [
    Case { name: "step-0.43M-512x16", fused: || step(small(), [512, 16]), plain: None },
    Case { name: "step-0.43M-64x48", fused: || step(small(), [64, 48]), plain: None },
    Case { name: "step-10M-64x48", fused: || step(large(), [64, 48]), plain: None },
];

fn small() -> TransformerConfig {
    TransformerConfig {
        width: 128,
        heads: 4,
        kv_heads: 4,
        mlp_width: 384,
        ..TransformerConfig::tiny()
    }
}

fn large() -> TransformerConfig {
    let (layers, heads) = (6, 6);
    TransformerConfig { width: 384, layers, heads, kv_heads: heads, mlp_width: 1024, ..small() }
}

fn ids(count: usize, factor: usize) -> TensorData {
    let values: Vec<i32> = (0..count).map(|index| (index * factor % 31) as i32).collect();
    TensorData::new(values, [count])
}

fn step(config: TransformerConfig, [batch, time]: [usize; 2]) -> Work {
    let device = device();
    let mut model = Some(config.init(1, &device.clone().autodiff()));
    let settings =
        OptimizerConfig { learning_rate: 1e-3, weight_decay: 0.01, ..Default::default() };
    let mut optimizer = Optimizer::new(settings);
    let flat = |factor| Tensor::<1, Int>::from_data(ids(batch * time, factor), &device);
    let tokens = flat(7919).reshape([batch, time]);
    let positions = Tensor::<1, Int>::arange(0..time as i64, &device);
    let positions = positions.reshape([1, time]).expand([batch, time]);
    let targets = flat(104_729);
    Box::new(move || {
        let policy = model.take().expect("put back below");
        let hidden = policy.hidden(tokens.clone(), positions.clone());
        let width = hidden.dims()[2];
        let logits = policy.logits(hidden.reshape([batch * time, width]));
        let loss = -token_logprobs(logits, targets.clone(), 1.0).logprobs.mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &policy);
        let norm = global_norm(&policy, &gradients).expect("the device works");
        let policy = optimizer.step(policy, gradients, norm);
        let _ = loss.into_data();
        model = Some(policy);
    })
}
