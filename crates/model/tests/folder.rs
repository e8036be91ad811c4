//! Checkpoints as files: what is wrong with one is named, and what is exported is what was loaded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use fireproof_model::{Export, ModelFolder, Transformer, WeightsError};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize_to_file};
use serde_json::Value;
use tempfile::TempDir;

/// Name, type, shape and bytes of every tensor.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn device() -> Device {
    fireproof_kernels::resolve_device(Some("flex")).expect("flex is compiled in").device
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families").join(name)
}

/// A copy of a fixture to damage.
fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(fixture(name)).expect("the fixture is there") {
        let entry = entry.expect("a file");
        fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    folder
}

fn load(folder: &Path) -> Result<Transformer, WeightsError> {
    ModelFolder::open(folder)?.load(DType::F32, &device())
}

#[track_caller]
fn assert_refused(folder: &Path, parts: &[&str]) {
    let error = load(folder).expect_err("refused").to_string();
    for part in parts {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

/// All tensors of a folder.
fn tensors(folder: &Path) -> Tensors {
    let mut found = Tensors::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            let bytes = fs::read(&path).expect("a file");
            let file = SafeTensors::deserialize(&bytes).expect("safetensors");
            for (name, view) in file.tensors() {
                let tensor = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
                assert!(found.insert(name, tensor).is_none(), "a tensor is there once");
            }
        }
    }
    found
}

/// Changes the tensors of a copy.
fn rewrite(folder: &Path, change: impl Fn(&mut Tensors)) {
    let mut all = tensors(folder);
    change(&mut all);
    let views = all.iter().map(|(name, (dtype, shape, bytes))| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor"))
    });
    let path = folder.join("model.safetensors");
    serialize_to_file(views.collect::<Vec<_>>(), None, &path).expect("written");
}

/// Sets a field of a copy's `config.json`.
fn configure(folder: &Path, field: &str, value: Value) {
    let path = folder.join("config.json");
    let mut json: Value =
        serde_json::from_str(&fs::read_to_string(&path).expect("a file")).expect("JSON");
    json[field] = value;
    fs::write(path, json.to_string()).expect("written");
}

#[test]
fn an_export_holds_the_tensors_that_were_loaded() {
    for name in ["qwen2", "llama3", "llama_linear", "mistral", "gemma3", "qwen3_sharded_dynamic"] {
        let source = ModelFolder::open(&fixture(name)).expect("the fixture is whole");
        let model = source.load(DType::F32, &device()).expect("the fixture is whole");
        let target = tempfile::tempdir().expect("a folder");
        // In shards of a few tensors each, and in one file.
        for shard_bytes in [5000, usize::MAX] {
            let folder = target.path().join(shard_bytes.to_string());
            let export = Export { shard_bytes, ..Export::new(&source.config) };
            export.write(&model, &folder).expect("written");
            assert_eq!(tensors(&folder), tensors(&fixture(name)), "{name}");
            let again = ModelFolder::open(&folder).expect("it is a checkpoint");
            assert_eq!(again.config, source.config, "{name}");
            assert_eq!(folder.join("model.safetensors").exists(), shard_bytes == usize::MAX);
            again.load(DType::F32, &device()).expect("it is whole");
        }
    }
}

#[test]
fn an_export_brings_the_tokenizer_and_names_the_precision() {
    let folder = copy("qwen2");
    fs::write(folder.path().join("tokenizer.json"), "{}").expect("written");
    let source = ModelFolder::open(folder.path()).expect("the fixture is whole");
    let model = source.load(DType::F32, &device()).expect("the fixture is whole");
    let target = tempfile::tempdir().expect("a folder");
    let companions = Some(folder.path());
    let export = Export { dtype: DType::F32, companions, ..Export::new(&source.config) };
    export.write(&model, target.path()).expect("written");
    assert_eq!(fs::read_to_string(target.path().join("tokenizer.json")).expect("a file"), "{}");
    let again = ModelFolder::open(target.path()).expect("it is a checkpoint");
    assert_eq!((source.config.dtype, again.config.dtype), (Some(DType::BF16), Some(DType::F32)));
    let error = export.write(&model, target.path()).expect_err("refused").to_string();
    assert!(error.contains("already holds weights"), "{error}");
}

#[test]
fn a_missing_tensor_is_named() {
    let folder = copy("qwen2");
    let name = "model.layers.1.self_attn.k_proj.bias";
    rewrite(folder.path(), |tensors| assert!(tensors.remove(name).is_some()));
    assert_refused(folder.path(), &["has no tensor", name]);
}

#[test]
fn a_superfluous_tensor_is_named() {
    let folder = copy("llama_linear");
    rewrite(folder.path(), |tensors| {
        let bias = (Dtype::F32, vec![16], vec![0; 64]);
        tensors.insert("model.layers.0.self_attn.q_proj.bias".to_owned(), bias);
    });
    let parts =
        ["model.safetensors", "holds `model.layers.0.self_attn.q_proj.bias`", "llama model"];
    assert_refused(folder.path(), &parts);
}

#[test]
fn rotary_frequencies_and_second_copies_of_a_tied_output_are_no_harm() {
    let folder = copy("llama_linear");
    rewrite(folder.path(), |tensors| {
        let frequencies = (Dtype::F32, vec![2], vec![0; 8]);
        tensors.insert("model.layers.0.self_attn.rotary_emb.inv_freq".to_owned(), frequencies);
        let embedding = tensors["model.embed_tokens.weight"].clone();
        tensors.insert("lm_head.weight".to_owned(), embedding);
    });
    load(folder.path()).expect("loaded");
    rewrite(folder.path(), |tensors| {
        tensors.get_mut("lm_head.weight").expect("it is there").2[5] ^= 1;
    });
    assert_refused(folder.path(), &["`lm_head.weight` that differs from the embedding"]);
}

#[test]
fn a_wrong_shape_is_named_with_both() {
    let folder = copy("qwen2");
    rewrite(folder.path(), |tensors| {
        tensors.get_mut("model.layers.0.mlp.up_proj.weight").expect("it is there").1 = vec![16, 24];
    });
    let parts = ["`model.layers.0.mlp.up_proj.weight`", "has shape [16, 24], not [24, 16]"];
    assert_refused(folder.path(), &parts);
}

#[test]
fn a_type_that_cannot_be_read_is_named() {
    let folder = copy("llama_linear");
    rewrite(folder.path(), |tensors| {
        tensors.get_mut("model.norm.weight").expect("it is there").0 = Dtype::I32;
    });
    assert_refused(folder.path(), &["`model.norm.weight`", "is of I32"]);
}

#[test]
fn a_truncated_shard_is_named_with_both_lengths() {
    for (name, shard) in [
        ("qwen2", "model.safetensors"),
        ("qwen3_sharded_dynamic", "model-00002-of-00002.safetensors"),
    ] {
        let folder = copy(name);
        let path = folder.path().join(shard);
        let whole = fs::read(&path).expect("a file");
        for length in [whole.len() - 1, 100, 3] {
            fs::write(&path, &whole[..length]).expect("written");
            assert_refused(folder.path(), &[shard, "is truncated", &format!("it has {length}")]);
        }
        fs::write(&path, [whole, vec![0]].concat()).expect("written");
        assert_refused(folder.path(), &[shard, "is too long"]);
    }
}

#[test]
fn a_damaged_header_or_index_is_named() {
    let folder = copy("qwen2");
    let path = folder.path().join("model.safetensors");
    let mut bytes = fs::read(&path).expect("a file");
    bytes[9] = b'}';
    fs::write(&path, &bytes).expect("written");
    assert_refused(folder.path(), &["model.safetensors is damaged"]);

    let folder = copy("qwen3_sharded_dynamic");
    let path = folder.path().join("model.safetensors.index.json");
    let text = fs::read_to_string(&path).expect("a file");
    let other = "model-00002-of-00002.safetensors";
    let moved = text.replace("model-00001-of-00002.safetensors", other);
    fs::write(&path, moved).expect("written");
    assert_refused(folder.path(), &[other, "has no tensor"]);
    fs::write(&path, text.replace(other, "../model.safetensors")).expect("written");
    assert_refused(folder.path(), &["index.json is damaged", "is not the name of a file"]);
    fs::write(&path, text.replace(other, "model-3.safetensors")).expect("written");
    assert_refused(folder.path(), &["reading", "model-3.safetensors"]);
}

#[test]
fn a_folder_without_weights_says_what_is_looked_for() {
    let folder = copy("qwen2");
    fs::remove_file(folder.path().join("model.safetensors")).expect("removed");
    assert_refused(folder.path(), &["holds neither model.safetensors nor"]);
    fs::write(folder.path().join("pytorch_model.bin"), "").expect("written");
    assert_refused(folder.path(), &["pytorch_model.bin cannot be read: convert it"]);
    fs::remove_file(folder.path().join("config.json")).expect("removed");
    assert_refused(folder.path(), &["reading", "config.json"]);
}

#[test]
fn what_a_configuration_asks_for_in_vain_is_named() {
    for (fixture, field, value, parts) in [
        (
            "qwen2",
            "model_type",
            "gpt2".into(),
            vec!["`model_type` \"gpt2\" is not supported", "qwen3"],
        ),
        ("qwen2", "hidden_size", Value::Null, vec!["`hidden_size` is missing"]),
        ("qwen2", "num_hidden_layers", (-1).into(), vec!["`num_hidden_layers` is impossible: -1"]),
        (
            "qwen2",
            "num_key_value_heads",
            3.into(),
            vec!["heads 4 must be a multiple of kv_heads 3"],
        ),
        ("qwen2", "hidden_act", "relu".into(), vec!["`hidden_act`", "\"relu\"", "silu"]),
        ("qwen2", "torch_dtype", "float8".into(), vec!["`torch_dtype` \"float8\""]),
        ("qwen2", "quantization_config", serde_json::json!({}), vec!["`quantization_config`"]),
        (
            "llama3",
            "rope_scaling",
            serde_json::json!({"type": "su"}),
            vec!["`rope_type`", "\"su\""],
        ),
        (
            "llama3",
            "rope_scaling",
            serde_json::json!({"type": "linear"}),
            vec!["`factor` is missing"],
        ),
        ("llama3", "rope_scaling", 3.into(), vec!["`rope_scaling` must be an object"]),
        ("llama3", "rope_theta", (-2).into(), vec!["rope_theta must be positive, not -2"]),
        ("gemma3_new", "layer_types", serde_json::json!(["full_attention"]), vec!["1 layers of 2"]),
        ("gemma3", "attn_logit_softcapping", 5.into(), vec!["`attn_logit_softcapping`"]),
        ("gemma3", "use_bidirectional_attention", true.into(), vec!["bidirectional"]),
        ("gemma2", "sliding_window", Value::Null, vec!["`sliding_window`"]),
    ] {
        let folder = copy(fixture);
        configure(folder.path(), field, value);
        assert_refused(folder.path(), &[vec!["config.json"], parts].concat());
    }
}
