//! Every built-in recipe learns, on every device, and the same seed gives the same run.

use burn::tensor::Device;
use fireproof_model::{Tokenizer, Transformer, TransformerConfig};
use fireproof_rollout::InProcessEngine;
use fireproof_selection::UniformWithoutReplacement;
use fireproof_trainer::{
    Demonstration, Recipe, RecipeName, StepMetrics, TrainError, Trainer, TrainerConfig,
    WarmStartConfig, warm_start,
};
use fireproof_verifier::CheckVerifier;

use crate::common::*;

fn uniform_selector() -> Box<UniformWithoutReplacement> {
    Box::new(UniformWithoutReplacement::new(prompts()))
}

/// Those that between them use every operation on the device.
const ON_EVERY_DEVICE: [RecipeName; 6] = [
    RecipeName::Grpo,
    RecipeName::LinearR,
    RecipeName::Aspo,
    RecipeName::Cispo,
    RecipeName::Sapo,
    RecipeName::Gspo,
];

#[test]
fn every_recipe_teaches_the_letters() {
    RecipeName::ALL.iter().for_each(|name| teaches_the_letters(*name, &any_device()));
}

#[test]
fn recipes_teach_the_letters_on_every_device() {
    on_every_device(|device| {
        ON_EVERY_DEVICE.into_iter().for_each(|name| teaches_the_letters(name, device));
    });
}

fn teaches_the_letters(name: RecipeName, device: &Device) {
    let config = TrainerConfig { prompts_per_update: 2, steps: 40, ..config(4, 16) };
    let recipe = name.build(uniform_selector(), config.max_new_tokens);
    let mut trainer = sampling(recipe, config, device);
    let before = trainer.evaluate(&prompts(), 64).expect("trains").pass_at(1).mean;
    for _ in 0..40 {
        trainer.step().expect("trains");
    }
    let after = trainer.evaluate(&prompts(), 64).expect("trains").pass_at(1).mean;
    // By chance: the right letter, then the stop token.
    assert!((before - 0.04).abs() < 0.04, "{name} starts at {before}");
    // Half of this run has no positive advantages at all.
    let enough = if name == RecipeName::PositiveReweighting { 0.15 } else { 0.9 };
    assert!(after > enough, "{name} ends at {after}");
}

fn transformer(seed: u64, device: &Device) -> Trainer<Transformer, InProcessEngine<Transformer>> {
    let model = TransformerConfig {
        vocabulary: VOCABULARY,
        width: 16,
        heads: 2,
        kv_heads: 1,
        mlp_width: 32,
        context: CONTEXT,
        ..TransformerConfig::tiny()
    };
    let policy = model.init(3, &device.clone().autodiff());
    let config = TrainerConfig { seed, prompts_per_update: 2, ..config(4, 8) };
    let recipe = Recipe::grpo(uniform_selector());
    let environment = environment(Box::new(CheckVerifier));
    Trainer::new(policy, InProcessEngine::new(16), recipe, environment, config).expect("possible")
}

fn run(seed: u64, device: &Device) -> Vec<StepMetrics> {
    let mut trainer = transformer(seed, device);
    (0..4).map(|_| timeless(&trainer.step().expect("trains").metrics)).collect()
}

#[test]
fn the_same_seed_gives_the_same_metrics_to_the_bit() {
    let device = any_device();
    assert_eq!(run(7, &device), run(7, &device));
    assert_ne!(run(7, &device), run(8, &device));
}

#[test]
fn sampling_and_training_agree_on_every_log_probability() {
    on_every_device(|device| {
        for metrics in run(7, device) {
            assert!(metrics.max_logprob_delta <= 1e-5, "{}", metrics.max_logprob_delta);
        }
    });
}

#[test]
fn the_split_into_microbatches_changes_nothing_but_rounding() {
    on_every_device(|device| {
        let with = |tokens_per_microbatch| {
            let config =
                TrainerConfig { tokens_per_microbatch, epochs_per_step: 2, ..config(4, 8) };
            let mut trainer = sampling(Recipe::grpo(in_order()), config, device);
            let norms: Vec<f32> =
                (0..3).map(|_| trainer.step().expect("trains").metrics.grad_norm).collect();
            (norms, values(trainer.policy().table()))
        };
        let (norms, whole) = with(100_000);
        let (split_norms, split) = with(24);
        for (a, b) in norms.iter().zip(&split_norms).chain(whole.iter().zip(&split)) {
            assert!((a - b).abs() < 1e-4, "{a} is not {b}");
        }
    });
}

#[test]
fn a_warm_start_learns_its_demonstrations() {
    on_every_device(|device| {
        let tokenizer = Tokenizer::characters(LETTERS);
        let demonstrations = ["a", "b", "c", "d"]
            .map(|letter| Demonstration { prompt: letter.into(), answer: letter.into() });
        let mut config = WarmStartConfig { steps: 60, ..WarmStartConfig::default() };
        config.optimizer.learning_rate = 0.3;
        let draw = |_| demonstrations.to_vec();
        let mut losses = Vec::new();
        let report = |_, loss| losses.push(loss);
        let policy = warm_start(uniform(device), &tokenizer, &config, draw, report).unwrap();
        assert_close(losses[0], 5f32.ln());
        assert!(losses[59] < 0.01, "{losses:?}");
        let environment = environment(Box::new(CheckVerifier));
        let (engine, recipe) = (InProcessEngine::new(64), centered());
        let mut trainer =
            Trainer::new(policy, engine, recipe, environment, crate::common::config(4, 2)).unwrap();
        assert!(trainer.evaluate(&prompts(), 16).unwrap().pass_at(8).mean > 0.99);
    });
}

#[test]
fn a_demonstration_that_does_not_fit_is_refused() {
    let tokenizer = Tokenizer::characters(LETTERS);
    let config = WarmStartConfig::default();
    let long = Demonstration { prompt: "a".into(), answer: "abcd".into() };
    let draw = |_| vec![long.clone()];
    let policy = uniform(&any_device());
    let error = warm_start(policy, &tokenizer, &config, draw, |_, _| {}).unwrap_err();
    assert!(matches!(error, TrainError::Config { .. }), "{error}");
    assert!(error.to_string().starts_with("warm_start: "), "{error}");
    let odd = Demonstration { prompt: "a".into(), answer: "z".into() };
    let draw = |_| vec![odd.clone()];
    let policy = uniform(&any_device());
    let error = warm_start(policy, &tokenizer, &config, draw, |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("'z' is not in the alphabet"), "{error}");
}
