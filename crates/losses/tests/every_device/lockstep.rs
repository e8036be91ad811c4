//! A small model trained on every device at once: the same tokens and rewards, the same losses, twenty
//! steps, each device with parameters of its own. The model is one block of a transformer, so that
//! the trace goes through every fused operation of a step, forward and backward.

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireproof_kernels::{
    GroupEstimator, GroupNormalization, ResolvedDevice, attend, rms_norm, rotate, swiglu,
    test_devices, token_logprobs,
};
use fireproof_losses::{
    AspoSurrogate, ClippedSurrogate, GroupBatch, Reduction, aspo, weighted_grpo,
};

use crate::{matrix, values};

const STEPS: usize = 20;
/// Steps with one behaviour: the ratios leave 1 and reach the clips.
const STEPS_A_BEHAVIOUR: usize = 5;
const PROMPTS: usize = 4;
const GROUP: usize = 4;
const ROWS: usize = PROMPTS * GROUP;
const TOKENS: usize = 9;
const RATE: f64 = 0.2;

/// How far a loss and a log-probability may be from the first device's after any step. On flex, parameters
/// that differ by 2e-6 of their size at the start come to 1.4e-4 (weighted GRPO) and 1.7e-5 (ASPO);
/// exponentials of a GPU differ by several units in the last place.
const TOLERANCE: f32 = 2e-3;

const VOCABULARY: usize = 11;
const WIDTH: usize = 16;
const HEADS: usize = 2;
const HEAD: usize = WIDTH / HEADS;
const MLP: usize = 24;

/// Rows and columns of each matrix: embedding, queries, keys and values of one head, output, gate, up,
/// down, head.
const SHAPES: [[usize; 2]; 9] = [
    [VOCABULARY, WIDTH],
    [WIDTH, WIDTH],
    [WIDTH, HEAD],
    [WIDTH, HEAD],
    [WIDTH, WIDTH],
    [WIDTH, MLP],
    [WIDTH, MLP],
    [MLP, WIDTH],
    [WIDTH, VOCABULARY],
];

/// One block of a transformer between an embedding and a head.
#[derive(Clone)]
struct Policy([Tensor<2>; 9]);

impl Policy {
    fn new(device: &Device) -> Self {
        let mut seed = 0;
        Self(SHAPES.map(|[rows, columns]| {
            seed += 1;
            let scale = 1.5 / (rows as f32).sqrt();
            let numbers: Vec<f32> =
                crate::noise(rows * columns, seed).iter().map(|x| scale * x).collect();
            Tensor::from_data(TensorData::new(numbers, [rows, columns]), device).require_grad()
        }))
    }

    /// Tokens `[B, T]` -> logits `[B T, V]`.
    fn logits(&self, tokens: Tensor<2, Int>, device: &Device) -> Tensor<2> {
        let [embedding, queries, keys, values, output, gate, up, down, head] = self.0.clone();
        let [rows, time] = tokens.dims();
        let normed = |x: Tensor<2>| rms_norm(x, Tensor::<1>::ones([WIDTH], device), 1e-6);
        let x = embedding.select(0, tokens.reshape([rows * time]));
        let normal = normed(x.clone());
        let heads = |weights: Tensor<2>, count: usize| {
            let all = normal.clone().matmul(weights);
            all.reshape([rows, time, count, HEAD]).swap_dims(1, 2)
        };
        let [cos, sin] = [f32::cos, f32::sin].map(|of| angles(of, time, device));
        let turned = |x: Tensor<4>| rotate(x, cos.clone(), sin.clone());
        let (q, k) = (turned(heads(queries, HEADS)), turned(heads(keys, 1)));
        let mixed = attend(q, k, heads(values, 1), causal(time, device), (HEAD as f64).powf(-0.5));
        let mixed = mixed.swap_dims(1, 2).reshape([rows * time, WIDTH]);
        let x = x + mixed.matmul(output);
        let normal = normed(x.clone());
        let x = x + swiglu(normal.clone().matmul(gate), normal.matmul(up)).matmul(down);
        normed(x).matmul(head)
    }

    /// One step of gradient descent. (An optimiser that divides by the size of a gradient would make
    /// steps of rounding errors.)
    fn descend(&mut self, loss: &Tensor<1>) {
        let gradients = loss.backward();
        self.0 = self.0.clone().map(|parameter| {
            let gradient = parameter.grad(&gradients).expect("every parameter has a gradient");
            (parameter.inner() - gradient * RATE).autodiff().require_grad()
        });
    }
}

/// `[1, 1, T, HEAD / 2]` cosines or sines of position times frequency.
fn angles(of: fn(f32) -> f32, time: usize, device: &Device) -> Tensor<4> {
    let half = HEAD / 2;
    let angle = |i: usize| of((i / half) as f32 * 0.1f32.powi((i % half) as i32));
    let numbers: Vec<f32> = (0..time * half).map(angle).collect();
    Tensor::from_data(
        TensorData::new(numbers, [1, 1, time, half]),
        &device.clone().without_autodiff(),
    )
}

/// 0 where a position sees a column, a large negative number where it does not.
fn causal(time: usize, device: &Device) -> Tensor<4> {
    let bias = |i: usize| if i % time > i / time { -1e9 } else { 0.0f32 };
    let numbers: Vec<f32> = (0..time * time).map(bias).collect();
    Tensor::from_data(
        TensorData::new(numbers, [1, 1, time, time]),
        &device.clone().without_autodiff(),
    )
}

/// What is trained on: the same for every device and every step.
struct Data {
    /// `TOKENS + 1` a row.
    tokens: Vec<i32>,
    mask: Vec<f32>,
    rewards: Vec<f32>,
}

impl Data {
    /// Rows of pseudo-random tokens, ragged; right are those that end in a low token.
    fn new() -> Self {
        let tokens = crate::noise(ROWS * (TOKENS + 1), 17).into_iter();
        let tokens: Vec<i32> = tokens.map(|x| ((x + 1.0) * 5.49) as i32).collect();
        let length = |row: usize| 3 + row * 5 % (TOKENS - 2);
        let mask = (0..ROWS * TOKENS).map(|i| f32::from(i % TOKENS < length(i / TOKENS)));
        let last = |row: usize| tokens[row * (TOKENS + 1) + length(row)];
        let rewards: Vec<f32> = (0..ROWS).map(|row| f32::from(last(row) < 5)).collect();
        let rights = rewards.chunks(GROUP).map(|group| group.iter().sum::<f32>());
        assert!(rights.clone().any(|right| right > 0.0 && right < GROUP as f32), "mixed groups");
        Self { mask: mask.collect(), rewards, tokens }
    }

    fn ints(&self, from: usize, device: &Device) -> Tensor<2, Int> {
        let rows = self.tokens.chunks(TOKENS + 1);
        let part: Vec<i32> = rows.flat_map(|row| row[from..from + TOKENS].to_vec()).collect();
        Tensor::from_data(TensorData::new(part, [ROWS, TOKENS]), device)
    }

    /// `[ROWS, TOKENS]`, differentiable.
    fn logprobs(&self, policy: &Policy, device: &Device) -> Tensor<2> {
        let logits = policy.logits(self.ints(0, device), device);
        let targets = self.ints(1, device).reshape([ROWS * TOKENS]);
        token_logprobs(logits, targets, 1.0).logprobs.reshape([ROWS, TOKENS])
    }
}

/// A device and its own policy.
struct Trained {
    on: ResolvedDevice,
    tracked: Device,
    policy: Policy,
}

/// Which of the two losses, and its prompt weighting.
#[derive(Clone, Copy, Debug)]
enum Loss {
    WeightedGrpo,
    Aspo,
}

impl Loss {
    fn of(self, batch: GroupBatch) -> Tensor<1> {
        let z_score = GroupEstimator::ZScore { ddof: 1, epsilon: 1e-6 };
        let reduction = Reduction::TokenMean;
        match self {
            Self::WeightedGrpo => {
                let rule = GroupNormalization { estimator: z_score, focal_gamma: 0.5 };
                weighted_grpo(batch, rule, ClippedSurrogate::default(), reduction)
            }
            Self::Aspo => aspo(batch, z_score, AspoSurrogate::default(), reduction),
        }
    }
}

/// The loss and the log-probabilities before the step.
fn step(trained: &mut Trained, data: &Data, behaviour: &[f32], loss: Loss) -> (f32, Vec<f32>) {
    let device = &trained.on.device;
    let logprobs = data.logprobs(&trained.policy, &trained.tracked);
    let found = values(logprobs.clone());
    let batch = GroupBatch {
        logprobs,
        behaviour_logprobs: matrix(behaviour, TOKENS, device),
        mask: matrix(&data.mask, TOKENS, device),
        rewards: matrix(&data.rewards, GROUP, device),
        correct: matrix(&data.rewards, GROUP, device),
    };
    let total = loss.of(batch);
    trained.policy.descend(&total);
    (total.into_scalar(), found)
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Trains on every device in lockstep; gives the first device's losses.
fn assert_lockstep(loss: Loss) -> Vec<f32> {
    let data = Data::new();
    let mut all: Vec<Trained> = test_devices()
        .into_iter()
        .map(|on| {
            let tracked = on.device.clone().autodiff();
            Trained { policy: Policy::new(&tracked), tracked, on }
        })
        .collect();
    let (mut behaviour, mut losses) = (Vec::new(), Vec::new());
    let mut worst = vec![0f32; all.len()];
    for number in 0..STEPS {
        if number % STEPS_A_BEHAVIOUR == 0 {
            behaviour = values(data.logprobs(&all[0].policy, &all[0].tracked));
        }
        let found: Vec<(f32, Vec<f32>)> =
            all.iter_mut().map(|trained| step(trained, &data, &behaviour, loss)).collect();
        let (first, logprobs) = &found[0];
        losses.push(*first);
        for ((other, others), worst) in found.iter().zip(&mut worst) {
            let apart = (other - first).abs().max(largest_difference(others, logprobs));
            *worst = worst.max(apart);
        }
    }
    for (trained, worst) in all.iter().zip(&worst) {
        println!(
            "{loss:?}: {STEPS} steps on {} within {worst:.1e} of those on {}, {TOLERANCE:.0e} allowed",
            trained.on, all[0].on,
        );
        assert!(*worst < TOLERANCE, "{}: {worst}", trained.on);
    }
    losses
}

#[test]
fn twenty_steps_of_weighted_grpo_are_the_same_on_every_device() {
    let losses = assert_lockstep(Loss::WeightedGrpo);
    // At the first step of a behaviour every ratio is 1; descending from there lowers the loss.
    assert!(losses[2] < losses[0] - 1e-4 && losses[17] < losses[15] - 1e-4, "{losses:?}");
}

#[test]
fn twenty_steps_of_aspo_are_the_same_on_every_device() {
    // The value of ASPO's loss does not tell whether it learns; the gradients are the same.
    let losses = assert_lockstep(Loss::Aspo);
    assert!(losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
    assert!((losses[2] - losses[0]).abs() > 1e-4, "it moves: {losses:?}");
}
