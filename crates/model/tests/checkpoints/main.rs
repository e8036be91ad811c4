//! Checkpoints of every family against `transformers`: the files that `golden/make_families.py` wrote
//! and what it computed from them.

#![allow(clippy::print_stdout, reason = "a failed test shows its device")]

mod decoding;
mod golden;
mod half;
mod training;

use burn::tensor::Tolerance;
use fireproof_kernels::token_logprobs;
use fireproof_model::{Activation, CausalLm, Family, ModelFolder, RopeScaling, TransformerConfig};

use golden::{Golden, assert_near, cases, ints, on_every_device, padded, values};

#[test]
fn every_family_has_a_case() {
    let mut families: Vec<&str> = cases().iter().map(|case| case.config().family.name()).collect();
    families.dedup();
    let all: Vec<&str> = Family::ALL.iter().map(|family| family.name()).collect();
    families.sort_unstable();
    let mut all = all;
    all.sort_unstable();
    assert_eq!(families, all);
}

#[test]
fn logits_equal_those_of_transformers_within_2e_4() {
    on_every_device(|case, device| {
        let model = case.load(device);
        let golden = case.golden();
        let lengths: Vec<usize> = golden.rows.iter().map(Vec::len).collect();
        let (tokens, positions) = padded(&golden.rows, device);
        let hidden = model.hidden(tokens, positions);
        let [batch, time, width] = hidden.dims();
        let logits = model.logits(hidden.reshape([batch * time, width]));
        let [_, vocabulary] = logits.dims();
        let logits = values(logits);
        for (row, length) in lengths.iter().enumerate() {
            let start = row * time * vocabulary;
            let found = &logits[start..start + length * vocabulary];
            assert_near(found, &golden.logits[row].concat(), 2e-4, case);
        }
    });
}

#[test]
fn log_probabilities_and_entropies_equal_those_of_transformers() {
    on_every_device(|case, device| {
        let model = case.load(device);
        let Golden { rows, temperature, logprobs, entropies, .. } = case.golden();
        for (number, row) in rows.iter().enumerate() {
            let (tokens, positions) = padded(&[row[..row.len() - 1].to_vec()], device);
            let hidden = model.hidden(tokens, positions).squeeze_dim(0);
            let targets = ints(&[row[1..].to_vec()], device).reshape([row.len() - 1]);
            let scored = token_logprobs(model.logits(hidden), targets, temperature);
            assert_near(&values(scored.logprobs), &logprobs[number], 2e-4, case);
            assert_near(&values(scored.entropies), &entropies[number], 2e-4, case);
        }
    });
}

#[test]
fn a_lower_context_changes_nothing_within_it() {
    let device = &fireproof_kernels::test_devices()[0].device;
    for case in cases() {
        let mut folder = ModelFolder::open(&case.path()).expect("the fixture is whole");
        folder.config.transformer.context = 11;
        let short = folder.load(burn::tensor::DType::F32, device).expect("the fixture is whole");
        let row = [case.golden().rows[0].clone()];
        let (tokens, positions) = padded(&row, device);
        let [a, b] = [&short, &case.load(device)]
            .map(|model| model.hidden(tokens.clone(), positions.clone()).into_data());
        a.assert_approx_eq::<f32>(&b, Tolerance::absolute(1e-6));
    }
}

/// Largest difference of a logit from `transformers` when an option is changed.
fn error_with(case: &str, change: impl Fn(&mut TransformerConfig)) -> f32 {
    let device = &fireproof_kernels::test_devices()[0].device;
    let case = cases().into_iter().find(|found| found.to_string() == case).expect("a fixture");
    let mut folder = ModelFolder::open(&case.path()).expect("the fixture is whole");
    change(&mut folder.config.transformer);
    let model = folder.load(burn::tensor::DType::F32, device).expect("the same parameters");
    let golden = case.golden();
    let (tokens, positions) = padded(&golden.rows[..1], device);
    let found = values(model.logits(model.hidden(tokens, positions).squeeze_dim(0)));
    let pairs = found.iter().zip(golden.logits[0].iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_option_shows_in_the_fixtures() {
    type Change = fn(&mut TransformerConfig);
    let changes: [(&str, Change); 16] = [
        ("qwen2_window_yarn", |c| c.architecture.window = None),
        ("qwen2_window_yarn", |c| c.architecture.rope_scaling = RopeScaling::None),
        ("qwen3", |c| c.rope_theta = 10_000.0),
        ("qwen3_sharded_dynamic", |c| {
            c.architecture.window.as_mut().expect("a window").layers.reverse();
        }),
        ("llama3", |c| c.architecture.rope_scaling = RopeScaling::None),
        ("llama_linear", |c| c.architecture.rope_scaling = RopeScaling::None),
        ("llama_linear", |c| c.architecture.activation = Activation::GeluTanh),
        ("mistral", |c| c.architecture.window.as_mut().expect("a window").width += 1),
        ("gemma", |c| c.architecture.activation = Activation::Silu),
        ("gemma", |c| c.architecture.embedding_scale = None),
        ("gemma", |c| c.architecture.norm_offset = false),
        ("gemma2", |c| c.architecture.attention_soft_cap = None),
        ("gemma2", |c| c.architecture.logit_soft_cap = None),
        ("gemma2", |c| c.architecture.attention_scale = None),
        ("gemma3", |c| c.architecture.window.as_mut().expect("a window").rope_theta = None),
        ("gemma3", |c| c.norm_epsilon = 1e-2),
    ];
    for (number, (case, change)) in changes.into_iter().enumerate() {
        let error = error_with(case, change);
        assert!(error > 1e-3, "change {number} of {case} makes a difference of {error} only");
    }
}
