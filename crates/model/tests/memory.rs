//! Loading takes at most 1.2 times the memory of the model. A binary of its own: the peak is that of
//! the whole process.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use burn::tensor::DType;
use fireproof_model::ModelFolder;
use serde_json::{Value, json};

const WIDTH: usize = 512;
const MLP: usize = 2048;
const VOCABULARY: usize = 32768;
const LAYERS: usize = 4;

/// The tensors of a tied Llama with one key head for each query head.
fn shapes() -> BTreeMap<String, Vec<usize>> {
    let mut shapes = BTreeMap::from([
        ("model.embed_tokens.weight".to_owned(), vec![VOCABULARY, WIDTH]),
        ("model.norm.weight".to_owned(), vec![WIDTH]),
    ]);
    for layer in 0..LAYERS {
        for (name, shape) in [
            ("input_layernorm", vec![WIDTH]),
            ("post_attention_layernorm", vec![WIDTH]),
            ("self_attn.q_proj", vec![WIDTH, WIDTH]),
            ("self_attn.k_proj", vec![WIDTH, WIDTH]),
            ("self_attn.v_proj", vec![WIDTH, WIDTH]),
            ("self_attn.o_proj", vec![WIDTH, WIDTH]),
            ("mlp.gate_proj", vec![MLP, WIDTH]),
            ("mlp.up_proj", vec![MLP, WIDTH]),
            ("mlp.down_proj", vec![WIDTH, MLP]),
        ] {
            shapes.insert(format!("model.layers.{layer}.{name}.weight"), shape);
        }
    }
    shapes
}

/// A checkpoint of zeros in bf16, which the file system need not even store.
fn write(folder: &Path) {
    let config = json!({
        "model_type": "llama", "vocab_size": VOCABULARY, "hidden_size": WIDTH,
        "intermediate_size": MLP, "num_hidden_layers": LAYERS, "num_attention_heads": 8,
        "num_key_value_heads": 8, "max_position_embeddings": 64, "tie_word_embeddings": true,
    });
    fs::write(folder.join("config.json"), config.to_string()).expect("written");
    let mut end = 0;
    let mut header = serde_json::Map::new();
    for (name, shape) in shapes() {
        let start = end;
        end += 2 * shape.iter().product::<usize>();
        let place = json!({"dtype": "BF16", "shape": shape, "data_offsets": [start, end]});
        header.insert(name, place);
    }
    let header = Value::from(header).to_string();
    let mut file = File::create(folder.join("model.safetensors")).expect("created");
    file.write_all(&(header.len() as u64).to_le_bytes()).expect("written");
    file.write_all(header.as_bytes()).expect("written");
    file.set_len((8 + header.len() + end) as u64).expect("written");
}

/// A field of the record of this process, in bytes.
fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a record");
    let line = status.lines().find(|line| line.starts_with(field)).expect("a field");
    let kilobytes: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("digits");
    1024 * kilobytes
}

#[test]
fn loading_takes_at_most_a_fifth_more_than_the_model() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path());
    let device = fireproof_kernels::resolve_device(Some("flex")).expect("compiled in").device;
    let source = ModelFolder::open(folder.path()).expect("a checkpoint");
    let count = source.config.transformer.parameters() as u64;
    for (dtype, size) in [(DType::BF16, 2), (DType::F32, 4)] {
        // Sets the peak back to what is resident now.
        fs::write("/proc/self/clear_refs", "5").expect("written");
        let before = memory("VmRSS");
        let model = source.load(dtype, &device).expect("whole");
        let taken = (memory("VmHWM") - before) as f64 / (size * count) as f64;
        assert!((0.99..1.2).contains(&taken), "{taken} times the weights in {dtype:?}");
        drop(model);
    }
}
