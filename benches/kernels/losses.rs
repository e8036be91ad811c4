//! Surrogates, group statistics and scores.

use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use fireproof_kernels::{
    GroupEstimator, SurrogateKind, SurrogateRule, group_normalize, linear_token_logprobs,
    policy_surrogate, resolve_device, surrogate_totals, token_logprobs,
};

use crate::{Case, Work};

pub(crate) const CASES: [Case; 9] = [
    Case {
        name: "surrogate-1M",
        fused: || fused_surrogate(1 << 20),
        plain: Some(|| plain_surrogate(1 << 20)),
    },
    Case {
        name: "surrogate-4M",
        fused: || fused_surrogate(1 << 22),
        plain: Some(|| plain_surrogate(1 << 22)),
    },
    Case {
        name: "surrogate-16M",
        fused: || fused_surrogate(1 << 24),
        plain: Some(|| plain_surrogate(1 << 24)),
    },
    // Forward only: rewards are constants.
    Case { name: "groups-of-8", fused: || fused_groups(8), plain: Some(|| plain_groups(8)) },
    Case { name: "groups-of-16", fused: || fused_groups(16), plain: Some(|| plain_groups(16)) },
    Case {
        name: "logprobs-3072x32",
        fused: || scores([3072, 32], fused_scores),
        plain: Some(|| scores([3072, 32], plain_scores)),
    },
    Case {
        name: "logprobs-2048x151936",
        fused: || scores([2048, 151_936], fused_scores),
        plain: Some(|| scores([2048, 151_936], plain_scores)),
    },
    Case {
        name: "linear-2048x128x32768",
        fused: || linear([2048, 128, 32_768], true),
        plain: Some(|| linear([2048, 128, 32_768], false)),
    },
    Case {
        name: "linear-256x896x151936",
        fused: || linear([256, 896, 151_936], true),
        plain: Some(|| linear([256, 896, 151_936], false)),
    },
];

/// The device of the run; `BURN_DEVICE` chooses it.
pub(crate) fn device() -> Device {
    resolve_device(None).unwrap_or_else(|error| panic!("{error}")).device
}

/// Repeating numbers from `low` to `high`.
pub(crate) fn wave<const D: usize>(
    shape: [usize; D],
    [low, high]: [f32; 2],
    device: &Device,
) -> Tensor<D> {
    let value = |index: usize| low + (index * 7919 % 9973) as f32 / 9973.0 * (high - low);
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Reads a number of a tensor: waits for the device.
pub(crate) fn wait<const D: usize>(tensor: Tensor<D>) {
    let _ = tensor.flatten::<1>(0, D - 1).narrow(0, 0, 1).into_data();
}

/// Log-probabilities to train, and behaviour, advantages, weights and mask, each `[T / 1024, 1024]`.
fn tokens(count: usize) -> (Tensor<2>, [Tensor<2>; 4]) {
    let (device, shape) = (device(), [count / 1024, 1024]);
    let behaviour = wave(shape, [-2.0, 0.0], &device);
    let start = behaviour.clone() + wave(shape, [-0.4, 0.4], &device);
    let weights = Tensor::full(shape, 1.0 / count as f32, &device);
    let advantages = wave(shape, [-1.0, 1.0], &device).flip([0, 1]);
    (start, [behaviour, advantages, weights, Tensor::ones(shape, &device)])
}

/// Runs an objective of fresh leaves forward and backward.
fn trained(
    start: Tensor<2>,
    objective: impl Fn(Tensor<2>) -> (Tensor<1>, Tensor<1>) + 'static,
) -> Work {
    Box::new(move || {
        let leaf = start.clone().autodiff().require_grad();
        let (total, totals) = objective(leaf.clone());
        let gradient = leaf.grad(&total.backward()).expect("tracked");
        wait(gradient);
        wait(totals);
    })
}

fn fused_surrogate(count: usize) -> Work {
    let (start, [behaviour, advantages, weights, mask]) = tokens(count);
    let kind = SurrogateKind::Clipped { epsilon_low: 0.2, epsilon_high: 0.2, dual_clip: Some(3.0) };
    let rule = SurrogateRule { kind, log_ratio_limit: Some(20.0) };
    trained(start, move |logprobs| {
        let (behaviour, advantages) = (behaviour.clone(), advantages.clone());
        let out = policy_surrogate(logprobs, behaviour, advantages, mask.clone(), rule);
        let totals = surrogate_totals(out.ratio, out.clip, mask.clone());
        ((out.loss * weights.clone()).sum(), totals)
    })
}

fn plain_surrogate(count: usize) -> Work {
    let (start, [behaviour, advantages, weights, mask]) = tokens(count);
    trained(start, move |logprobs| {
        let difference = (logprobs - behaviour.clone()).clamp(-20.0, 20.0);
        let ratio = difference.clone().exp();
        let plain = -(advantages.clone() * ratio.clone());
        let held = -(advantages.clone() * ratio.clone().clamp(0.8, 1.2));
        let clipped = plain.clone().max_pair(held.clone());
        let bound = advantages.clone() * -3.0;
        let negative = advantages.clone().lower_scalar(0.0);
        let dual = bound.clone().min_pair(clipped.clone());
        let loss = clipped.clone().mask_where(negative.clone(), dual);
        let above = held.detach().greater(plain.detach());
        let positive = advantages.clone().greater_scalar(0.0);
        let count = |flag: Tensor<2, burn::tensor::Bool>| (flag.float() * mask.clone()).sum();
        let (ratio, difference) = (ratio.detach(), difference.detach());
        let totals = vec![
            mask.clone().sum(),
            count(above.clone().bool_and(negative.clone())),
            count(above.bool_and(positive)),
            count(clipped.detach().greater(bound).bool_and(negative)),
            (ratio.clone() * mask.clone()).sum(),
            (-difference.clone() * mask.clone()).sum(),
            ((ratio - 1.0 - difference) * mask.clone()).sum(),
        ];
        ((loss * weights.clone() * mask.clone()).sum(), Tensor::cat(totals, 0))
    })
}

fn rewards(size: usize) -> Tensor<2> {
    wave([(1 << 20) / size, size], [0.0, 1.0], &device()).greater_scalar(0.5).float()
}

// ANCHOR: groups
fn fused_groups(size: usize) -> Work {
    let (rewards, rule) = (rewards(size), GroupEstimator::ZScore { ddof: 1, epsilon: 1e-6 });
    let mask = rewards.ones_like();
    Box::new(move || {
        wait(group_normalize(rewards.clone(), rewards.clone(), mask.clone(), rule).advantages);
    })
}

fn plain_groups(size: usize) -> Work {
    let rewards = rewards(size);
    Box::new(move || {
        let mean = rewards.clone().mean_dim(1);
        let std = rewards.clone().var(1).sqrt();
        let rate = rewards.clone().greater_scalar(0.5).float().mean_dim(1);
        wait((rewards.clone() - mean.clone()) / (std + 1e-6));
        wait(mean + rate);
    })
}
// ANCHOR_END: groups

fn targets(rows: usize, vocabulary: usize, device: &Device) -> Tensor<1, Int> {
    let chosen: Vec<i32> = (0..rows).map(|row| (row * 7919 % vocabulary) as i32).collect();
    Tensor::from_data(TensorData::new(chosen, [rows]), device)
}

/// Logits and targets -> log-probabilities and entropies.
type Scores = fn(Tensor<2>, Tensor<1, Int>) -> (Tensor<1>, Tensor<1>);

fn fused_scores(logits: Tensor<2>, targets: Tensor<1, Int>) -> (Tensor<1>, Tensor<1>) {
    let out = token_logprobs(logits, targets, 1.0);
    (out.logprobs, out.entropies)
}

fn plain_scores(logits: Tensor<2>, targets: Tensor<1, Int>) -> (Tensor<1>, Tensor<1>) {
    let [rows, _] = logits.dims();
    let scores = activation::log_softmax(logits, 1);
    let entropies = -(scores.clone().exp() * scores.clone()).sum_dim(1).reshape([rows]);
    (scores.gather(1, targets.reshape([rows, 1])).reshape([rows]), entropies)
}

fn scores(shape: [usize; 2], score: Scores) -> Work {
    let device = device();
    let logits = wave(shape, [-4.0, 4.0], &device);
    let targets = targets(shape[0], shape[1], &device);
    trained(logits, move |logits| {
        let (logprobs, entropies) = score(logits, targets.clone());
        let total = (logprobs + entropies * 0.01).sum();
        (total.clone(), total.detach())
    })
}

fn linear([rows, width, vocabulary]: [usize; 3], is_fused: bool) -> Work {
    let device = device();
    let hidden = wave([rows, width], [-0.2, 0.2], &device);
    let head = wave([width, vocabulary], [-0.2, 0.2], &device);
    let targets = targets(rows, vocabulary, &device);
    Box::new(move || {
        let [hidden, head] = [&hidden, &head].map(|t| t.clone().autodiff().require_grad());
        let (logprobs, entropies) = if is_fused {
            let out = linear_token_logprobs(hidden.clone(), head.clone(), targets.clone(), 1.0);
            (out.logprobs, out.entropies)
        } else {
            plain_scores(hidden.clone().matmul(head.clone()), targets.clone())
        };
        let gradients = (logprobs + entropies * 0.01).sum().backward();
        wait(hidden.grad(&gradients).expect("tracked"));
        wait(head.grad(&gradients).expect("tracked"));
    })
}
