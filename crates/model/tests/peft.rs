//! Adapters compute what PEFT computes and go back to it (`golden/make_peft.py`).

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use fireproof_model::{CausalLm, Export, ModelFolder, Transformer, trainable_parameters};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Golden {
    tokens: Vec<Vec<i32>>,
    base: Vec<Vec<Vec<f32>>>,
    adapted: Vec<Vec<Vec<f32>>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/peft/peft.json")).expect("a golden file")
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/peft").join(name)
}

fn base(dtype: DType) -> Transformer {
    let device = fireproof_kernels::resolve_device(Some("flex")).expect("flex is compiled in");
    let opened = ModelFolder::open(&folder("base")).expect("a golden checkpoint");
    opened.load(dtype, &device.device.autodiff()).expect("whole weights")
}

fn logits(model: &Transformer) -> Vec<f32> {
    let device: Device = model.devices()[0].clone().without_autodiff();
    let Golden { tokens, .. } = golden();
    let shape = [tokens.len(), tokens[0].len()];
    let positions: Vec<i32> = (0..shape[0] * shape[1]).map(|at| (at % shape[1]) as i32).collect();
    let ids = |values| Tensor::<2, Int>::from_data(TensorData::new(values, shape), &device);
    let hidden = model.hidden(ids(tokens.concat()), ids(positions));
    let width = hidden.dims()[2];
    let logits = model.logits(hidden.reshape([shape[0] * shape[1], width]));
    logits.into_data().try_to_vec_as().expect("floats")
}

fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// A copy of the adapter with a changed `adapter_config.json`.
fn configured(change: &dyn Fn(&mut Value)) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    let weights = "adapter_model.safetensors";
    fs::copy(folder("adapter").join(weights), copy.path().join(weights)).expect("a copy");
    let text = fs::read_to_string(folder("adapter").join("adapter_config.json"));
    let mut config = serde_json::from_str(&text.expect("a golden file")).expect("an object");
    change(&mut config);
    let path = copy.path().join("adapter_config.json");
    fs::write(path, config.to_string()).expect("a file");
    copy
}

#[test]
fn logits_with_an_adapter_are_those_of_peft() {
    let Golden { base: plain, adapted: expected, .. } = golden();
    let (plain, expected) = (plain.concat().concat(), expected.concat().concat());
    let model = base(DType::F32);
    let before = logits(&model);
    assert!(largest_difference(&before, &plain) < 2e-4);
    let adapted = model.load_lora(&folder("adapter")).unwrap();
    assert!(largest_difference(&logits(&adapted), &expected) < 2e-4);
    assert!(largest_difference(&logits(&adapted.clone().merged()), &expected) < 2e-4);
    assert_eq!(logits(&adapted.without_lora()), before);
}

#[test]
fn adapters_beside_weights_in_half_precision_stay_in_full_precision() {
    let Golden { adapted: expected, .. } = golden();
    let adapted = base(DType::BF16).load_lora(&folder("adapter")).unwrap();
    let difference = largest_difference(&logits(&adapted), &expected.concat().concat());
    // The logits reach 3. PEFT's own with a base in bf16 are 0.23 away from those in f32.
    assert!(difference < 0.3, "{difference}");
    let saved = tempfile::tempdir().unwrap();
    adapted.save_lora(saved.path(), "base").unwrap();
    let size = fs::metadata(saved.path().join("adapter_model.safetensors")).unwrap().len();
    assert!(size > 4 * trainable_parameters(&adapted) as u64);
}

#[test]
fn what_is_saved_is_what_peft_wrote() {
    let adapted = base(DType::F32).load_lora(&folder("adapter")).unwrap();
    let saved = tempfile::tempdir().unwrap();
    adapted.save_lora(saved.path(), "base").unwrap();
    let tensors = |folder: &Path| fs::read(folder.join("adapter_model.safetensors")).unwrap();
    let (own, theirs) = (tensors(saved.path()), tensors(&folder("adapter")));
    let own = safetensors::SafeTensors::deserialize(&own).unwrap();
    let theirs = safetensors::SafeTensors::deserialize(&theirs).unwrap();
    let sorted = |tensors: &safetensors::SafeTensors<'_>| {
        let mut names: Vec<String> = tensors.names().into_iter().map(str::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(sorted(&own), sorted(&theirs));
    for name in theirs.names() {
        assert_eq!(own.tensor(name).unwrap(), theirs.tensor(name).unwrap(), "{name}");
    }
    let text = fs::read_to_string(saved.path().join("adapter_config.json")).unwrap();
    let config: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&config["r"], &config["base_model_name_or_path"]), (&json!(3), &json!("base")));
    // 5 / sqrt(3) is written as the alpha of a plain scale, alpha / 3.
    let alpha = config["lora_alpha"].as_f64().unwrap();
    assert!((alpha / 3.0 - 5.0 / 3f64.sqrt()).abs() < 1e-12 && config["use_rslora"] == false);
    let again = base(DType::F32).load_lora(saved.path()).unwrap();
    assert_eq!(logits(&again), logits(&adapted));
}

#[test]
fn a_model_with_adapters_is_not_exported_as_if_it_had_none() {
    let opened = ModelFolder::open(&folder("base")).unwrap();
    let adapted = base(DType::F32).load_lora(&folder("adapter")).unwrap();
    let target = tempfile::tempdir().unwrap();
    let export = Export::new(&opened.config);
    let error = export.write(&adapted, target.path()).unwrap_err().to_string();
    assert!(error.contains("merged()"), "{error}");
    let expected = logits(&adapted.clone().merged());
    export.write(&adapted.merged(), target.path()).unwrap();
    let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
    let exported = ModelFolder::open(target.path()).unwrap().load(DType::F32, &device).unwrap();
    assert!(largest_difference(&logits(&exported), &expected) < 2e-5);
}

#[test]
fn other_adapters_are_refused_with_their_field_or_tensor() {
    let refused = |change: &dyn Fn(&mut Value), part: &str| {
        let copy = configured(change);
        let error = base(DType::F32).load_lora(copy.path()).unwrap_err().to_string();
        assert!(error.contains(part), "{part:?} is missing: {error}");
    };
    refused(&|c| c["peft_type"] = json!("IA3"), "`peft_type` is Some(\"IA3\"), not \"LORA\"");
    refused(&|c| c["use_dora"] = json!(true), "adapter_config.json: `use_dora` is true");
    refused(&|c| c["bias"] = json!("all"), "`bias` trains biases");
    refused(&|c| c["rank_pattern"] = json!({"q_proj": 8}), "`rank_pattern` is {\"q_proj\":8}");
    refused(&|c| c["new_variant"] = json!({"x": 1}), "`new_variant` is {\"x\":1}");
    refused(&|c| c["init_lora_weights"] = json!("pissa"), "`init_lora_weights` changes the base");
    refused(&|c| c["r"] = json!("three"), "`r` is no rank");
    refused(&|c| c["r"] = json!(4), "lora_A.weight` has shape [3, 16] instead of [4, 16]");
    refused(&|c| c["lora_alpha"] = json!(null), "`lora_alpha` is no number");
    refused(&|c| c["target_modules"] = json!("q.*"), "`target_modules` is \"q.*\"; a list");
    refused(
        &|c| c["target_modules"] = json!(["q_proj", "lm_head"]),
        "`target_modules` holds \"lm_head\", which is no projection of a block",
    );
    refused(
        &|c| c["target_modules"] = json!(["q_proj"]),
        "down_proj.lora_A.weight` belongs to none of its target_modules here",
    );
    let all = configured(&|c| c["target_modules"] = json!("all-linear"));
    assert!(base(DType::F32).load_lora(all.path()).is_ok());

    let broken = configured(&|_| ());
    fs::write(broken.path().join("adapter_model.safetensors"), "short").unwrap();
    let error = base(DType::F32).load_lora(broken.path()).unwrap_err().to_string();
    assert!(error.contains("adapter_model.safetensors: "), "{error}");
    let error = base(DType::F32).load_lora(&folder("base")).unwrap_err().to_string();
    assert!(error.contains("adapter_config.json: there is no such file"), "{error}");
}
