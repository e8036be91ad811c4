//! `score` against what `transformers` computed from the same checkpoint.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{refused, run, text_of};

fn fixture(name: &str) -> PathBuf {
    let families = "../crates/model/tests/golden/families";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(families).join(name)
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON")
}

/// A folder with lines to score.
fn input(lines: &[Value]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lines.jsonl");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&path, text).expect("written");
    let path = path.to_str().expect("a plain path").to_owned();
    (folder, path)
}

fn score(model: &Path, input: &str, more: &[&str]) -> std::process::Output {
    let model = model.to_str().expect("a plain path");
    run("score", &[&["--device", "flex", "--model", model, "--input", input], more].concat())
}

#[track_caller]
fn assert_near(found: &Value, expected: &Value, tolerance: f64) {
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().expect("a list").iter().map(|n| n.as_f64().expect("a number")).collect()
    };
    let (found, expected) = (numbers(found), numbers(expected));
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).abs() < tolerance, "{found:?} is not {expected:?}");
    }
}

#[test]
fn scores_equal_those_of_transformers_however_they_are_batched() {
    let model = fixture("gemma2");
    let golden = json_of(&model.join("golden.json"));
    let rows = golden["rows"].as_array().expect("a list");
    let lines: Vec<Value> =
        (0..3).map(|row| json!({"id": [row], "token_ids": rows[row]})).collect();
    let (_folder, path) = input(&lines);
    let temperature = golden["temperature"].to_string();
    for (batch, dtype, tolerance) in
        [("1", "f32", 2e-4), ("22", "f32", 2e-4), ("999", "f32", 2e-4), ("999", "bf16", 0.2)]
    {
        let more = ["--temperature", &temperature, "--batch-tokens", batch, "--dtype", dtype];
        let text = text_of(&score(&model, &path, &more));
        assert_eq!(text.lines().count(), 3);
        for (row, line) in text.lines().enumerate() {
            let found: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!((&found["id"], &found["token_ids"]), (&json!([row]), &rows[row]));
            assert_near(&found["logprobs"], &golden["logprobs"][row], tolerance);
            assert_near(&found["entropies"], &golden["entropies"][row], tolerance);
        }
    }
}

#[test]
fn a_text_is_scored_as_its_tokens() {
    let model = tempfile::tempdir().expect("a folder");
    for name in ["config.json", "model.safetensors"] {
        fs::copy(fixture("qwen2").join(name), model.path().join(name)).expect("copied");
    }
    let vocabulary = json!({"?": 0, "<eos>": 1, "two": 2, "and": 3, "four": 4});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "?"},
    });
    let write = |name: &str, json: Value| {
        fs::write(model.path().join(name), json.to_string()).expect("written");
    };
    write("tokenizer.json", tokenizer);
    write("generation_config.json", json!({"eos_token_id": 1}));
    let lines = [
        json!({"id": "text", "text": "two and two"}),
        json!({"id": "tokens", "token_ids": [2, 3, 2]}),
        json!({"text": "four"}),
    ];
    let (_folder, path) = input(&lines);
    let text = text_of(&score(model.path(), &path, &[]));
    let found: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(found[0]["token_ids"], json!([2, 3, 2]));
    assert_eq!(found[0]["logprobs"], found[1]["logprobs"]);
    let alone = json!({"id": null, "token_ids": [4], "logprobs": [], "entropies": []});
    assert_eq!(found[2], alone);
}

#[test]
fn what_is_wrong_is_named_with_file_and_line() {
    let model = fixture("qwen2");
    let good = json!({"id": 1, "token_ids": [1, 2]});
    for (line, parts) in [
        (json!({"id": 2}), ["lines.jsonl, line 2", "has neither `text` nor `token_ids`"]),
        (json!({"text": "a", "token_ids": [1]}), ["line 2", "has both"]),
        (json!({"token_ids": []}), ["line 2", "has no tokens"]),
        (json!({"token_ids": [28, 29]}), ["token 29 at position 1", "vocabulary of 29"]),
        (json!({"token_ids": vec![1; 65]}), ["65 tokens", "context of 64"]),
        (json!({"text": "a"}), ["line 2", "tokenizer.json"]),
        (json!({"token_ids": [-1]}), ["line 2", "-1"]),
        (json!([1]), ["line 2", "invalid"]),
    ] {
        let (_folder, path) = input(&[good.clone(), line]);
        refused(&score(&model, &path, &[]), &parts);
    }
    let (_folder, path) = input(&[good]);
    refused(&score(&model, &path, &["--temperature", "0"]), &["--temperature", "positive"]);
    refused(&score(&model, "nothing.jsonl", &[]), &["reading nothing.jsonl"]);
    refused(&score(Path::new("nowhere"), &path, &[]), &["reading nowhere", "config.json"]);
}
