//! `generate` against what `transformers` computed from the same checkpoint, and against the
//! distribution that its logits say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::common::{refused, run, text_of};

/// Token 28 of the fixtures' 29 is `<end>`; the text of token 5 is `t5`.
const END: u32 = 28;
const TEMPLATE: &str = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}\
                        {% if add_generation_prompt %}t1{% endif %}";

fn families() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/model/tests/golden/families")
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON")
}

/// A checkpoint of `transformers` with a tokenizer of words.
struct Checkpoint {
    folder: tempfile::TempDir,
    golden: Value,
}

impl Checkpoint {
    fn new(family: &str, stops: &[u32]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let source = families().join(family);
        for entry in fs::read_dir(&source).expect("the fixture is there") {
            let entry = entry.expect("a file");
            fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
        }
        let words: BTreeMap<String, u32> = (0..END).map(|id| (format!("t{id}"), id)).collect();
        let end = json!({
            "id": END, "content": "<end>", "special": true, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false,
        });
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [end],
            "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
            "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": words, "unk_token": "t0"},
        });
        let write = |name: &str, text: String| {
            fs::write(folder.path().join(name), text).expect("written");
        };
        write("tokenizer.json", tokenizer.to_string());
        write("generation_config.json", json!({"eos_token_id": stops}).to_string());
        Self { golden: json_of(&source.join("golden.json")), folder }
    }

    fn generate(&self, arguments: &[&str]) -> Output {
        let model = self.folder.path().to_str().expect("a plain path");
        run("generate", &[&["--device", "flex", "--model", model], arguments].concat())
    }

    /// The objects that are written for some lines.
    fn answers(&self, lines: &[Value], more: &[&str]) -> Vec<Value> {
        let path = self.folder.path().join("lines.jsonl");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, text).expect("written");
        let input = ["--json", "--input", path.to_str().expect("a plain path")];
        let text = text_of(&self.generate(&[&input, more].concat()));
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().expect("a list").iter().map(|id| id.as_u64().expect("an id") as u32).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
}

#[test]
fn greedy_continuations_of_every_family_are_those_of_transformers() {
    for entry in fs::read_dir(families()).expect("the fixtures are there") {
        let family = entry.expect("a folder").file_name().into_string().expect("a plain name");
        let golden = json_of(&families().join(&family).join("golden.json"));
        let greedy = ids(&golden["greedy"]["ids"]);
        let other = (0..END).find(|id| !greedy.contains(id)).expect("there are few");
        let line = [json!({"id": family, "token_ids": golden["greedy"]["prompt"]})];
        let count = greedy.len().to_string();
        let more = ["--temperature", "0", "--max-tokens", &count];
        let found = Checkpoint::new(&family, &[other]).answers(&line, &more);
        assert_eq!(found.len(), 1);
        assert_eq!(ids(&found[0]["token_ids"]), greedy, "{family}");
        assert_eq!((&found[0]["finish"], &found[0]["id"]), (&json!("length"), &json!(family)));
        // `<end>` is a special token, which is no text.
        let words = greedy.iter().filter(|id| **id != END);
        let words: Vec<String> = words.map(|id| format!("t{id}")).collect();
        assert_eq!(found[0]["text"], words.join(" "));

        // The first time that the third token stands there ends it.
        let stop = greedy[2];
        let until = greedy.iter().position(|id| *id == stop).expect("it is there");
        let found = Checkpoint::new(&family, &[other, stop]).answers(&line, &more);
        assert_eq!(ids(&found[0]["token_ids"]), greedy[..=until], "{family}");
        assert_eq!(found[0]["finish"], "stop");
    }
}

/// Probabilities of `transformers` for the token behind row 0.
fn shares(checkpoint: &Checkpoint, temperature: f64) -> Vec<f64> {
    let rows = checkpoint.golden["logits"][0].as_array().expect("a list");
    let logits = numbers(rows.last().expect("a row"));
    let weights: Vec<f64> = logits.iter().map(|z| (z / temperature).exp()).collect();
    let whole: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / whole).collect()
}

/// The likeliest tokens that have this probability together, and what they have.
fn nucleus(shares: &[f64], top_p: f64) -> (Vec<usize>, f64) {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]));
    let mut mass = 0.0;
    let inside = |token: &usize| {
        let is_inside = mass < top_p;
        mass += if is_inside { shares[*token] } else { 0.0 };
        is_inside
    };
    let tokens = order.into_iter().take_while(inside).collect();
    (tokens, mass)
}

#[test]
fn samples_have_the_frequencies_of_the_renormalised_nucleus() {
    const COUNT: f64 = 1500.0;
    let checkpoint = Checkpoint::new("llama3", &[END]);
    let line = [json!({"token_ids": checkpoint.golden["rows"][0]})];
    let shares = shares(&checkpoint, 0.8);
    for (top_p, few) in [("1", false), ("0.9", false), ("0.5", true)] {
        let (support, mass) = nucleus(&shares, top_p.parse().expect("a number"));
        assert_eq!(support.len() < 8, few, "the fixture tells nuclei apart: {support:?}");
        let more = ["--temperature", "0.8", "--top-p", top_p, "--samples", "1500", "--seed", "5"];
        let found = checkpoint.answers(&line, &[&more[..], &["--max-tokens", "1"]].concat());
        let mut seen = vec![0.0; shares.len()];
        for answer in &found {
            let token = ids(&answer["token_ids"])[0] as usize;
            seen[token] += 1.0;
            let logprob = numbers(&answer["logprobs"])[0];
            assert!((logprob - shares[token].ln()).abs() < 1e-3, "{logprob} of token {token}");
        }
        assert_eq!(seen.iter().sum::<f64>(), COUNT);
        // Tokens that are expected less than five times count together.
        let (mut chi_squared, mut rare, mut freedom) = (0.0, [0.0; 2], 0.0_f64);
        let mut add = |seen: f64, expected: f64| {
            chi_squared += (seen - expected).powi(2) / expected;
            freedom += 1.0;
        };
        for (token, seen) in seen.into_iter().enumerate() {
            if !support.contains(&token) {
                assert_eq!(seen, 0.0, "{token} is outside the nucleus");
                continue;
            }
            let expected = COUNT * shares[token] / mass;
            if expected < 5.0 {
                rare = [rare[0] + seen, rare[1] + expected];
            } else {
                add(seen, expected);
            }
        }
        if rare[1] > 0.0 {
            add(rare[0], rare[1]);
        }
        // Three standard deviations above the mean of the distribution; the seed is fixed.
        let bound = freedom + 3.0 * (2.0 * freedom).sqrt();
        assert!(chi_squared < bound, "{top_p}: {chi_squared} with {freedom} cells");
    }
}

#[test]
fn a_sample_does_not_depend_on_what_it_is_batched_with() {
    let checkpoint = Checkpoint::new("qwen3", &[END]);
    let rows = checkpoint.golden["rows"].as_array().expect("a list");
    let all: Vec<Value> = (0..3).map(|i| json!({"id": i, "token_ids": rows[i]})).collect();
    let more = ["--samples", "3", "--max-tokens", "12", "--top-p", "0.9", "--seed", "3"];
    let together = checkpoint.answers(&all, &more);
    let places: Vec<(u64, u64)> = together
        .iter()
        .map(|a| (a["id"].as_u64().expect("given"), a["sample"].as_u64().expect("counted")))
        .collect();
    assert_eq!(places, [0, 1, 2].map(|id| [0, 1, 2].map(|sample| (id, sample))).concat());
    let rows = [&more[..], &["--batch-rows", "2"]].concat();
    assert_eq!(tokens(&checkpoint.answers(&all, &rows)), tokens(&together));
    for (index, line) in all.iter().enumerate() {
        let alone = checkpoint.answers(std::slice::from_ref(line), &more);
        assert_eq!(tokens(&alone), tokens(&together)[3 * index..][..3]);
    }
    let other = checkpoint.answers(&all, &[&more[..6], &["--seed", "4"]].concat());
    assert_ne!(tokens(&other), tokens(&together));
}

fn tokens(answers: &[Value]) -> Vec<Vec<u32>> {
    answers.iter().map(|answer| ids(&answer["token_ids"])).collect()
}

#[test]
fn texts_tokens_and_messages_are_three_ways_to_say_the_same() {
    let checkpoint = Checkpoint::new("qwen2", &[END]);
    fs::write(checkpoint.folder.path().join("chat_template.jinja"), TEMPLATE).expect("written");
    let chat = "t0 t4 t5 t1";
    let lines = [
        json!({"text": chat, "id": {"a": 1}}),
        json!({"token_ids": [0, 4, 5, 1]}),
        json!({"messages": [{"role": "user", "content": "t4 t5"}], "id": "m"}),
    ];
    let more = ["--max-tokens", "6", "--seed", "9"];
    let found = checkpoint.answers(&lines, &more);
    // `user` is no word, so it is `t0`.
    assert_eq!(tokens(&found)[1], tokens(&found)[0]);
    assert_eq!(tokens(&found)[2], tokens(&found)[0]);
    assert_eq!(found[0]["id"], json!({"a": 1}));
    assert_eq!(found[1]["id"], Value::Null);
    let keys: Vec<&String> = found[0].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["finish", "id", "logprobs", "sample", "text", "token_ids"]);
    assert_eq!(numbers(&found[0]["logprobs"]).len(), ids(&found[0]["token_ids"]).len());

    let with_chat =
        checkpoint.answers(&[json!({"text": "t4 t5"})], &[&more[..], &["--chat"]].concat());
    assert_eq!(tokens(&with_chat)[0], tokens(&found)[0]);

    // As text: bare if it is the only one, under a headline otherwise.
    let words = found[0]["text"].as_str().expect("a text").to_owned();
    let bare = text_of(&checkpoint.generate(&[&more[..], &["--prompt", chat]].concat()));
    assert_eq!(bare, format!("{words}\n"));
    let chat =
        text_of(&checkpoint.generate(&[&more[..], &["--chat", "--prompt", "t4 t5"]].concat()));
    assert_eq!(chat, bare);
    let two = [&more[..], &["--prompt", "t0 t4 t5 t1", "--samples", "2"]].concat();
    let two = text_of(&checkpoint.generate(&two));
    let end = if found[0]["finish"] == "stop" { "ended" } else { "cut off" };
    let count = tokens(&found)[0].len();
    let first = format!("--- sample 0, {end} after {count} tokens\n{words}\n--- sample 1, ");
    assert!(two.starts_with(&first), "{two}");
}

#[test]
fn what_is_wrong_is_named_with_file_and_line() {
    let checkpoint = Checkpoint::new("qwen2", &[END]);
    let path = checkpoint.folder.path().join("lines.jsonl");
    let input = path.to_str().expect("a plain path").to_owned();
    let good = json!({"id": 1, "token_ids": [1, 2]});
    let chat = json!({"messages": [{"role": "user", "content": "t1"}]});
    for (line, more, parts) in [
        (json!({"id": 2}), "", ["lines.jsonl, line 2", "neither `text` nor `token_ids`"]),
        (json!({"text": "a", "token_ids": [1]}), "", ["line 2", "more than one of"]),
        (json!({"text": ""}), "", ["line 2", "has no tokens"]),
        (json!({"token_ids": [28, 29]}), "", ["token 29 at position 1", "vocabulary of 29"]),
        (json!({"token_ids": [-1]}), "", ["line 2", "-1"]),
        (json!({"messages": "hello"}), "", ["line 2", "messages"]),
        (chat, "", ["line 2", "has no chat template"]),
        (json!([1]), "", ["line 2", "invalid"]),
        (json!({"token_ids": vec![1; 50]}), "", ["50 tokens and up to 20", "--max-tokens"]),
        (json!({"token_ids": [1]}), "--chat", ["lines.jsonl, line 1", "has `token_ids`"]),
    ] {
        fs::write(&path, format!("{good}\n{line}\n")).expect("written");
        let more: Vec<&str> = more.split_whitespace().collect();
        let arguments = [&["--input", &input, "--max-tokens", "20"][..], &more].concat();
        refused(&checkpoint.generate(&arguments), &parts);
    }
    for (arguments, parts) in [
        (&["--prompt", "a", "--input", &input][..], ["--prompt", "cannot be used with"]),
        (&[], ["<--prompt <TEXT>|--input <FILE>>", "required"]),
        (&["--prompt", "t1", "--temperature", "-1"], ["--temperature", "0 or positive"]),
        (&["--prompt", "t1", "--top-p", "0"], ["--top-p", "must be positive"]),
        (&["--prompt", "t1", "--top-p", "1.5"], ["--top-p", "at most 1"]),
        (&["--prompt", "t1", "--min-p", "nan"], ["--min-p", "finite"]),
        (&["--prompt", "t1", "--top-k", "0"], ["--top-k", "at least 1"]),
        (&["--prompt", "t1", "--samples", "0"], ["--samples", "at least 1"]),
        (&["--prompt", "t1", "--max-tokens", "x"], ["--max-tokens", "not a whole number"]),
        (&["--prompt", "t1", "--max-tokens", "64"], ["--prompt: 1 tokens", "context of 64"]),
        (&["--prompt", "<end>", "--chat"], ["`<end>`", "would speak for the template"]),
        (&["--input", "nothing.jsonl"], ["reading nothing.jsonl", "No such file"]),
    ] {
        refused(&checkpoint.generate(arguments), &parts);
    }
    fs::remove_file(checkpoint.folder.path().join("tokenizer.json")).expect("removed");
    refused(&checkpoint.generate(&["--prompt", "a"]), &["tokenizer.json", "No such file"]);
}
