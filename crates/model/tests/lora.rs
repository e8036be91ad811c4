//! Adapters beside frozen weights.

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor};
use fireproof_model::{
    CausalLm, LoraConfig, LoraError, LoraTarget, Transformer, TransformerConfig,
    trainable_parameters,
};

fn config() -> TransformerConfig {
    TransformerConfig { layers: 2, mlp_width: 48, ..TransformerConfig::tiny() }
}

fn device() -> Device {
    fireproof_kernels::resolve_device(Some("flex")).expect("flex is compiled in").device
}

fn lora(targets: &[LoraTarget]) -> LoraConfig {
    LoraConfig { rank: 3, alpha: 6.0, targets: targets.to_vec(), ..LoraConfig::default() }
}

/// Logits of two rows of three tokens.
fn logits(model: &Transformer) -> Tensor<2> {
    let device = model.devices()[0].clone().without_autodiff();
    let tokens = Tensor::<2, Int>::from_data([[3, 1, 4], [1, 5, 9]], &device);
    let positions = Tensor::<2, Int>::from_data([[0, 1, 2], [0, 1, 2]], &device);
    let hidden = model.hidden(tokens, positions);
    model.logits(hidden.reshape([6, 64]))
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec_as().expect("floats")
}

/// A few steps of AdamW on some loss; the gradients of the first step.
fn trained(mut model: Transformer) -> (Transformer, usize) {
    let mut optimizer = AdamWConfig::new().init();
    let mut parameters_with_gradient = 0;
    for step in 0..3 {
        let loss = logits(&model).powf_scalar(2.0).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        if step == 0 {
            parameters_with_gradient = gradients.len();
        }
        model = optimizer.step(0.01, model, gradients);
    }
    (model, parameters_with_gradient)
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn fresh_adapters_and_adapters_taken_off_leave_the_model_as_it_was_to_the_bit() {
    let device = device().autodiff();
    let base = config().init(1, &device);
    let before = values(logits(&base));
    let adapted = base.clone().with_lora(&lora(&LoraTarget::ALL), 7).unwrap();
    assert!(adapted.has_lora() && !base.has_lora());
    assert_eq!(values(logits(&adapted)), before);
    let (adapted, _) = trained(adapted);
    assert!(largest_difference(&values(logits(&adapted)), &before) > 1e-3);
    let off = adapted.without_lora();
    assert_eq!(values(logits(&off)), before);
    assert_eq!(trainable_parameters(&off), config().parameters());
}

#[test]
fn only_adapters_train() {
    let device = device().autodiff();
    let base = config().init(1, &device);
    assert_eq!(trainable_parameters(&base), config().parameters());
    let targets = [LoraTarget::QProj, LoraTarget::VProj, LoraTarget::DownProj];
    let adapted = base.with_lora(&lora(&targets), 7).unwrap();
    // Two layers: 64 -> 64, 64 -> 32 and 48 -> 64 at rank 3.
    let count = 2 * 3 * ((64 + 64) + (64 + 32) + (48 + 64));
    assert_eq!(trainable_parameters(&adapted), count);
    assert_eq!(lora(&targets).parameters(&config()), count);
    let (trained, with_gradient) = trained(adapted);
    assert_eq!(with_gradient, 2 * 3 * 2);
    assert_eq!(trainable_parameters(&trained), count);
}

#[test]
fn merged_weights_compute_what_the_adapters_do() {
    let device = device().autodiff();
    let adapted = config().init(1, &device).with_lora(&lora(&LoraTarget::ALL), 7).unwrap();
    let (adapted, _) = trained(adapted);
    let with = values(logits(&adapted));
    let merged = adapted.merged();
    assert!(!merged.has_lora());
    assert!(largest_difference(&values(logits(&merged)), &with) < 1e-5);
    assert_eq!(trainable_parameters(&merged), config().parameters());
    // It trains like any other model.
    assert_eq!(trained(merged).1, 2 * (2 + 4 + 3 + 3) + 2);
}

#[test]
fn adapters_survive_the_files_of_peft_to_the_bit() {
    let device = device().autodiff();
    let base = config().init(1, &device);
    let folder = tempfile::tempdir().unwrap();
    let targets = [LoraTarget::OProj, LoraTarget::KProj];
    let config = LoraConfig { rank_stabilized: true, ..lora(&targets) };
    let (adapted, _) = trained(base.clone().with_lora(&config, 7).unwrap());
    adapted.save_lora(&folder.path().join("new"), "some/model").unwrap();
    let loaded = base.clone().load_lora(&folder.path().join("new")).unwrap();
    assert_eq!(values(logits(&loaded)), values(logits(&adapted)));
    assert_eq!(trainable_parameters(&loaded), trainable_parameters(&adapted));
    let error = base.save_lora(folder.path(), "").unwrap_err();
    assert!(matches!(error, LoraError::Absent), "{error}");
}

#[test]
fn the_same_seed_gives_the_same_adapters() {
    let device = device().autodiff();
    let first_step = |seed| {
        let base = config().init(1, &device);
        let adapted = base.with_lora(&lora(&LoraTarget::ALL), seed).expect("good settings");
        values(logits(&trained(adapted).0))
    };
    assert_eq!(first_step(7), first_step(7));
    assert_ne!(first_step(7), first_step(8));
}

#[test]
fn impossible_settings_are_named() {
    let refused = |config: LoraConfig, part: &str| {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(LoraConfig { rank: 0, ..LoraConfig::default() }, "rank must be at least 1, not 0");
    refused(LoraConfig { alpha: -1.0, ..LoraConfig::default() }, "alpha must be above 0, not -1");
    refused(lora(&[]), "targets is empty");
    refused(lora(&[LoraTarget::QProj, LoraTarget::QProj]), "targets names q_proj twice");
    let adapted = config().init(1, &device()).with_lora(&lora(&LoraTarget::ALL), 7).unwrap();
    let error = adapted.with_lora(&lora(&LoraTarget::ALL), 7).unwrap_err();
    assert!(matches!(error, LoraError::Taken), "{error}");
}
