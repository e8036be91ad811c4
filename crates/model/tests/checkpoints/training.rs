//! Gradients and steps of AdamW, of every family.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use fireproof_kernels::token_logprobs;
use fireproof_model::{CausalLm, Transformer};

use crate::golden::{Case, ints, on_every_device, padded, values};

/// The mean of the negative log-probabilities of all tokens but the first of each row, from one
/// right-padded batch.
fn loss(model: &Transformer, rows: &[Vec<u32>], device: &Device) -> Tensor<1> {
    let (tokens, positions) = padded(rows, device);
    let hidden = model.hidden(tokens, positions);
    let [batch, time, width] = hidden.dims();
    let index = |(row, tokens): (usize, &Vec<u32>)| -> Vec<u32> {
        (0..tokens.len() - 1).map(|at| (row * time + at) as u32).collect()
    };
    let index: Vec<u32> = rows.iter().enumerate().flat_map(index).collect();
    let targets: Vec<u32> = rows.iter().flat_map(|row| row[1..].to_vec()).collect();
    let count = targets.len();
    let vector = |numbers| ints(&[numbers], device).reshape([count]);
    let states = hidden.reshape([batch * time, width]).select(0, vector(index));
    -token_logprobs(model.logits(states), vector(targets), 1.0).logprobs.mean()
}

/// Norm, and product with a wave, of each parameter or of its gradient, by Hugging Face's names and
/// in the layout of Hugging Face's files.
struct Summaries<'a> {
    path: Vec<String>,
    gradients: Option<&'a GradientsParams>,
    found: BTreeMap<String, [f64; 2]>,
}

impl ModuleVisitor for Summaries<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = match self.path.join(".").as_str() {
            "embed_tokens" => "model.embed_tokens.weight".to_owned(),
            "lm_head" => "lm_head.weight".to_owned(),
            path => format!("model.{}", path.replace(".gamma", ".weight")),
        };
        let tensor = match self.gradients {
            Some(gradients) => gradients.get::<D>(param.id).expect("a gradient"),
            None => param.val().inner(),
        };
        let turned = D == 2 && name.contains("layers");
        let tensor = if turned { tensor.swap_dims(0, 1) } else { tensor };
        let numbers = values(tensor);
        let numbers = || numbers.iter().map(|number| f64::from(*number));
        let norm = numbers().map(|number| number * number).sum::<f64>().sqrt();
        let wave = numbers().enumerate().map(|(i, x)| x * (0.7 * i as f64 + 1.0).sin()).sum();
        self.found.insert(name, [norm, wave]);
    }
}

fn summaries(
    model: &Transformer,
    gradients: Option<&GradientsParams>,
) -> BTreeMap<String, [f64; 2]> {
    let mut visitor = Summaries { path: Vec::new(), gradients, found: BTreeMap::new() };
    model.visit(&mut visitor);
    visitor.found
}

/// Both numbers of each parameter within `tolerance` of its norm, or of `floor` where that is larger.
fn assert_summaries(
    found: &BTreeMap<String, [f64; 2]>,
    expected: &BTreeMap<String, [f64; 2]>,
    tolerance: f64,
    floor: f64,
    case: &Case,
) {
    assert!(found.keys().eq(expected.keys()), "{case}: {:?}", found.keys());
    for (name, expected) in expected {
        let found = found[name];
        for (a, b) in found.iter().zip(expected) {
            let bound = tolerance * expected[0].max(floor);
            assert!((a - b).abs() <= bound, "{case}: {name}: {found:?} is not {expected:?}");
        }
    }
}

#[test]
fn gradients_and_four_steps_of_adamw_equal_those_of_pytorch() {
    on_every_device(|case, device| {
        let device = &device.clone().autodiff();
        let mut model = case.load(device);
        let golden = case.golden();
        let training = golden.training;
        let mut optimizer = AdamWConfig::new()
            .with_beta_1(training.adamw.beta_1)
            .with_beta_2(training.adamw.beta_2)
            .with_epsilon(training.adamw.epsilon)
            .with_weight_decay(training.adamw.weight_decay)
            .init();
        for (step, expected) in training.losses.iter().enumerate() {
            let loss = loss(&model, &golden.rows, device);
            let found = values(loss.clone())[0];
            assert!(
                (found - expected).abs() < 2e-5,
                "{case}: step {step}: {found} is not {expected}"
            );
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            if step == 0 {
                let found = summaries(&model, Some(&gradients));
                let norm = found.values().map(|[norm, _]| norm * norm).sum::<f64>().sqrt();
                let expected = training.gradient_norm;
                assert!((norm / expected - 1.0).abs() < 1e-5, "{case}: {norm} is not {expected}");
                assert_summaries(&found, &training.gradients, 2e-5, expected / 10.0, case);
            }
            if step + 1 < training.losses.len() {
                model = optimizer.step(training.adamw.learning_rate, model, gradients);
            }
        }
        assert_summaries(&summaries(&model, None), &training.parameters, 2e-5, 1.0, case);
    });
}
