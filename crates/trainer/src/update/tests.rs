//! The gradient of an update, to the last parameter.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Int, TensorData};
use fireproof_advantage::Centered;
use fireproof_kernels::{GroupEstimator, test_devices};
use fireproof_losses::{
    AspoSurrogate, ClippedSurrogate, CovarianceKl, GroupBatch, Kl, NegativeAware, PolicyLoss,
    PrefixMinimum, Reduction, SequenceRatio, aspo, weighted_grpo,
};
use fireproof_model::{Transformer, TransformerConfig};
use fireproof_selection::InOrder;
use fireproof_trajectory::{Completion, FinishReason, PolicyVersion, SamplingParams};

use super::*;

/// All gradients of a model, one after the other.
struct Collect<'a> {
    gradients: &'a GradientsParams,
    found: Vec<f32>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(param.id).expect("every parameter has a gradient");
        self.found.extend(gradient.into_data().try_to_vec_as::<f32>().expect("floats"));
    }
}

fn policy(device: &Device) -> Transformer {
    let config = TransformerConfig {
        vocabulary: 7,
        width: 16,
        heads: 2,
        kv_heads: 1,
        mlp_width: 24,
        context: 24,
        initial_std: 0.3,
        ..TransformerConfig::tiny()
    };
    config.init(5, &device.clone().autodiff())
}

/// Ragged completions whose behaviour is a little off the policy's.
fn completions() -> Vec<Completion> {
    let completion = |row: usize| {
        let length = 1 + row * 7 % 12;
        let value = |time: usize, spread: f32| ((row * 5 + time * 3) % 11) as f32 / 11.0 * spread;
        Completion {
            tokens: (0..length).map(|time| ((row + time * 2) % 7) as u32).collect(),
            logprobs: (0..length).map(|time| -1.5 - value(time, 1.0)).collect(),
            sampling_logprobs: None,
            support: None,
            entropies: (0..length).map(|time| value(time, 1.9)).collect(),
            finish: FinishReason::Stop,
            sampling: SamplingParams::default(),
            version: PolicyVersion(0),
        }
    };
    (0..12).map(completion).collect()
}

fn rows(completions: &[Completion]) -> Vec<Row<'_>> {
    const PROMPTS: [&[u32]; 3] = [&[1], &[2, 3, 4, 5, 6], &[3, 1]];
    let numbered = completions.iter().enumerate();
    let row = numbered.map(|(index, completion)| Row {
        // The prompts of a later update of a step do not start at 0.
        prompt: 6 + index / 4,
        prompt_tokens: PROMPTS[index / 4],
        completion,
        correct: index % 4 == 0,
        success_rate: 0.25,
        costs: Vec::new(),
        trainer: None,
        advantages: vec![[1.0, -0.6, 0.3, -2.0][index % 4]; completion.tokens.len()],
        reference: Some(completion.logprobs.iter().map(|logprob| logprob - 0.1).collect()),
    });
    row.collect()
}

fn recipe(reduction: Reduction) -> Recipe {
    let kl = Penalty::reference_kl(Kl::K3, 0.1);
    Recipe {
        estimator: Box::new(Centered),
        loss: Box::new(AspoSurrogate::default()),
        reduction,
        penalties: vec![kl, Penalty::Entropy { coefficient: 0.05 }],
        ..Recipe::grpo(Box::new(InOrder::new(vec![])))
    }
}

/// All tokens, or about three in five.
fn selected(rows: &[Row<'_>], all: bool) -> Vec<Vec<bool>> {
    let of = |row: &Row<'_>| (0..row.completion.tokens.len()).map(|t| all || t % 5 < 3).collect();
    rows.iter().map(of).collect()
}

fn found(recipe: &Recipe, budget: usize, device: &Device) -> (Vec<f32>, UpdateStats) {
    let policy = policy(device);
    let completions = completions();
    let rows = rows(&completions);
    let selected = selected(&rows, false);
    let scoring = Scoring { tokens_per_microbatch: budget, temperature: 0.8 };
    let penalties = &recipe.penalties;
    let update = Update { rows: &rows, selected: &selected, penalties, seed: 3 };
    let (gradients, stats) = gradient(&policy, recipe, update, scoring, device)
        .expect("the device works")
        .expect("tokens are selected");
    (collected(&policy, &gradients), stats)
}

fn collected(policy: &Transformer, gradients: &GradientsParams) -> Vec<f32> {
    let mut collect = Collect { gradients, found: Vec::new() };
    policy.visit(&mut collect);
    collect.found
}

#[test]
fn the_gradient_does_not_depend_on_the_split_into_microbatches() {
    for resolved in test_devices() {
        for reduction in [
            Reduction::TokenMean,
            Reduction::SequenceMean,
            Reduction::SequenceSum,
            Reduction::PromptMean,
            Reduction::Constant { length: 16, per_sequence: true },
            Reduction::Constant { length: 16, per_sequence: false },
        ] {
            assert_any_split_agrees(&recipe(reduction), &resolved.device);
        }
    }
}

#[test]
fn neither_do_losses_over_rows_prefixes_and_whole_updates() {
    let device = test_devices().pop().expect("there is a device").device;
    let losses: [Box<dyn PolicyLoss>; 5] = [
        Box::new(AspoSurrogate {
            entropy_split: Some(Default::default()),
            ..AspoSurrogate::default()
        }),
        Box::new(SequenceRatio { epsilon_low: 0.3, epsilon_high: 0.3, ..Default::default() }),
        Box::new(PrefixMinimum::default()),
        Box::new(NegativeAware::default()),
        Box::new(CovarianceKl { share: 0.1, ..CovarianceKl::default() }),
    ];
    for loss in losses {
        assert_any_split_agrees(&Recipe { loss, ..recipe(Reduction::SequenceMean) }, &device);
    }
}

fn assert_any_split_agrees(recipe: &Recipe, device: &Device) {
    let (whole, stats) = found(recipe, 100_000, device);
    let largest = whole.iter().fold(0f32, |a, b| a.max(b.abs()));
    assert!(largest > 1e-3, "there is a gradient: {largest}");
    for budget in [1, 40, 90] {
        let (split, split_stats) = found(recipe, budget, device);
        for (a, b) in whole.iter().zip(&split) {
            assert!((a - b).abs() < 2e-5 * largest, "{recipe:?} {budget}: {a} {b}");
        }
        assert!((stats.loss - split_stats.loss).abs() < 1e-5 * stats.loss.abs().max(1.0));
        assert_eq!(stats.totals[0], split_stats.totals[0], "tokens");
        assert_eq!(stats.input_tokens, split_stats.input_tokens);
    }
}

/// The trainer's packing, masks, shares and gather against `weighted_grpo` and `aspo`, which go from
/// rewards to the loss on the device.
#[test]
fn the_gradient_equals_that_of_the_device_path() {
    for resolved in test_devices() {
        let device = &resolved.device;
        for use_aspo in [false, true] {
            let (loss, gradients) = on_the_device(use_aspo, device);
            let surrogate: Box<dyn PolicyLoss> = match use_aspo {
                true => Box::new(AspoSurrogate::default()),
                false => Box::new(ClippedSurrogate::default()),
            };
            let recipe =
                Recipe { penalties: vec![], loss: surrogate, ..recipe(Reduction::PromptMean) };
            // Centred advantages of one right completion of four.
            let advantages = [0.75, -0.25, -0.25, -0.25];
            let completions = completions();
            let rows = with_advantages(rows(&completions), advantages);
            let scoring = Scoring { tokens_per_microbatch: 60, temperature: 1.0 };
            let policy = policy(device);
            let selected = selected(&rows, true);
            let update = Update { rows: &rows, selected: &selected, penalties: &[], seed: 0 };
            let found = gradient(&policy, &recipe, update, scoring, device);
            let (found, stats) = found.expect("the device works").expect("tokens are selected");
            let found = collected(&policy, &found);
            let largest = gradients.iter().fold(0f32, |a, b| a.max(b.abs()));
            assert!(largest > 1e-3 && (stats.loss - loss).abs() < 1e-5, "{} {loss}", stats.loss);
            for (a, b) in found.iter().zip(&gradients) {
                assert!((a - b).abs() < 2e-5 * largest, "{a} is not {b}");
            }
        }
    }
}

fn with_advantages(mut rows: Vec<Row<'_>>, advantages: [f32; 4]) -> Vec<Row<'_>> {
    for (index, row) in rows.iter_mut().enumerate() {
        row.advantages.fill(advantages[index % 4]);
    }
    rows
}

/// Loss and gradient from rewards, every completion scored by a forward pass of its own.
fn on_the_device(use_aspo: bool, device: &Device) -> (f32, Vec<f32>) {
    let policy = policy(device);
    let completions = completions();
    let longest = completions.iter().map(|c| c.tokens.len()).max().expect("completions");
    let padded = |values: Tensor<2>| {
        let [rows, length] = values.dims();
        Tensor::cat(vec![values, Tensor::zeros([rows, longest - length], device)], 1)
    };
    let host = |values: &[f32]| {
        padded(Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), device))
    };
    let all = |rows: Vec<Tensor<2>>| Tensor::cat(rows, 0);
    let rewards = [1.0, 0.0, 0.0, 0.0].repeat(3);
    let rewards = Tensor::<2>::from_data(TensorData::new(rewards, [3, 4]), device);
    let batch = GroupBatch {
        logprobs: all(rows(&completions)
            .iter()
            .map(|row| padded(scored_alone(&policy, row, device)))
            .collect()),
        behaviour_logprobs: all(completions.iter().map(|c| host(&c.logprobs)).collect()),
        mask: all(completions.iter().map(|c| host(&vec![1.0; c.tokens.len()])).collect()),
        rewards: rewards.clone(),
        correct: rewards,
    };
    let centred = GroupEstimator::Centered;
    let total = match use_aspo {
        true => aspo(batch, centred, AspoSurrogate::default(), Reduction::PromptMean),
        false => weighted_grpo(batch, centred, ClippedSurrogate::default(), Reduction::PromptMean),
    };
    let loss: f32 = total.clone().into_scalar();
    let gradients = GradientsParams::from_grads(total.backward(), &policy);
    (loss, collected(&policy, &gradients))
}

/// Log-probabilities of one completion, `[1, T]`, by `log_softmax` over the whole row.
fn scored_alone(policy: &Transformer, row: &Row<'_>, device: &Device) -> Tensor<2> {
    let ints = |values: Vec<i32>| {
        let count = values.len();
        Tensor::<2, Int>::from_data(TensorData::new(values, [1, count]), device)
    };
    let text: Vec<i32> =
        row.prompt_tokens.iter().chain(&row.completion.tokens).map(|t| *t as i32).collect();
    let (prompt, length) = (row.prompt_tokens.len(), row.completion.tokens.len());
    let hidden = policy.hidden(ints(text.clone()), ints((0..text.len() as i32).collect()));
    let states: Tensor<2> = hidden.narrow(1, prompt - 1, length).squeeze_dim(0);
    let logprobs = burn::tensor::activation::log_softmax(policy.logits(states), 1);
    let targets = ints(text[prompt..].to_vec()).reshape([length, 1]);
    logprobs.gather(1, targets).reshape([1, length])
}

#[test]
fn no_selected_token_is_no_gradient() {
    let device = test_devices().pop().expect("there is a device").device;
    let completions = completions();
    let scoring = Scoring { tokens_per_microbatch: 64, temperature: 1.0 };
    let recipe = recipe(Reduction::TokenMean);
    let rows = rows(&completions);
    let selected: Vec<Vec<bool>> =
        rows.iter().map(|row| vec![false; row.completion.tokens.len()]).collect();
    let update = Update { rows: &rows, selected: &selected, penalties: &[], seed: 0 };
    let none = gradient(&policy(&device), &recipe, update, scoring, &device);
    assert!(none.expect("the device works").is_none());
}
