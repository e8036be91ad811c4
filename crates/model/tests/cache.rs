//! Cached decoding equals the full forward pass: ragged prompts, forks, retired and admitted rows.

#![allow(clippy::print_stdout, reason = "a failed test shows its device")]

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireproof_kernels::test_devices;
use fireproof_model::{CausalLm, KvCache, TabularPolicy, Transformer, TransformerConfig};

const TOLERANCE: f32 = 2e-5;

fn on_every_device(check: impl Fn(&Device)) {
    for resolved in test_devices() {
        println!("on {resolved}");
        check(&resolved.device);
    }
}

fn transformer(device: &Device) -> Transformer {
    TransformerConfig { vocabulary: 23, context: 24, initial_std: 0.3, ..TransformerConfig::tiny() }
        .init(5, device)
}

/// The values of a vector of numbers.
fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec_as().expect("float data")
}

fn ints(rows: &[Vec<u32>], device: &Device) -> Tensor<2, Int> {
    let width = rows.iter().map(Vec::len).max().expect("rows");
    let mut flat = Vec::new();
    for row in rows {
        flat.extend(row.iter().map(|t| *t as i32));
        // Garbage in the padding must not matter.
        flat.extend((row.len()..width).map(|i| (i % 7) as i32));
    }
    Tensor::from_data(TensorData::new(flat, [rows.len(), width]), device)
}

/// Logits after the last token of a row, by the full forward pass on that row alone.
fn full<M: CausalLm>(model: &M, row: &[u32], device: &Device) -> Vec<f32> {
    let time = row.len();
    let positions: Vec<u32> = (0..time as u32).collect();
    let hidden = model.hidden(ints(&[row.to_vec()], device), ints(&[positions], device));
    let width = hidden.dims()[2];
    let last = hidden.narrow(1, time - 1, 1).reshape([1, width]);
    values(model.logits(last))
}

#[track_caller]
fn assert_rows<M: CausalLm>(model: &M, rows: &[Vec<u32>], logits: Tensor<2>, device: &Device) {
    let vocabulary = model.limits().vocabulary;
    let logits = values(logits);
    assert_eq!(logits.len(), rows.len() * vocabulary);
    for (row, found) in rows.iter().zip(logits.chunks(vocabulary)) {
        for (a, b) in found.iter().zip(full(model, row, device)) {
            assert!((a - b).abs() < TOLERANCE * b.abs().max(1.0), "{row:?}: {a} is not {b}");
        }
    }
}

/// Reads one more token of every row through the cache and checks the logits after it.
fn step<M: CausalLm>(
    model: &M,
    cache: &mut M::Cache,
    rows: &mut [Vec<u32>],
    salt: u32,
    device: &Device,
) {
    let vocabulary = model.limits().vocabulary as u32;
    let new: Vec<Vec<u32>> =
        rows.iter().enumerate().map(|(i, _)| vec![(7 * i as u32 + salt) % vocabulary]).collect();
    let positions: Vec<Vec<u32>> = cache.lengths().iter().map(|n| vec![*n as u32]).collect();
    let hidden = model.extend(ints(&new, device), ints(&positions, device), cache);
    rows.iter_mut().zip(&new).for_each(|(row, new)| row.extend(new));
    let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
    assert_eq!(cache.lengths(), lengths);
    assert_rows(model, rows, model.logits(hidden.squeeze_dim(1)), device);
}

fn prompts() -> Vec<Vec<u32>> {
    vec![vec![3, 1, 4, 1, 5], vec![9], vec![2, 6, 5]]
}

fn check_a_whole_life<M: CausalLm>(model: &M, device: &Device) {
    let mut rows = prompts();
    let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
    let (hidden, cache) = model.prefill(ints(&rows, device), &lengths);
    assert_rows(model, &rows, model.logits(hidden), device);
    assert_eq!(cache.lengths(), lengths);

    let parents = [0, 0, 1, 2, 2, 2];
    let mut cache = cache.fork(&parents, 6);
    rows = parents.iter().map(|i| rows[*i].clone()).collect();
    step(model, &mut cache, &mut rows, 1, device);
    step(model, &mut cache, &mut rows, 5, device);

    let keep = [5, 0, 2];
    cache.retain(&keep);
    rows = keep.iter().map(|i| rows[*i].clone()).collect();
    step(model, &mut cache, &mut rows, 2, device);

    // New rows with longer and shorter prompts than the columns in use.
    for new in [vec![vec![8; 11], vec![7, 7]], vec![vec![1]]] {
        let lengths: Vec<usize> = new.iter().map(Vec::len).collect();
        let (_, prefilled) = model.prefill(ints(&new, device), &lengths);
        let all: Vec<usize> = (0..new.len()).collect();
        cache.admit(prefilled.fork(&all, 6));
        rows.extend(new);
        step(model, &mut cache, &mut rows, 3, device);
    }
}

#[test]
fn decoding_through_the_cache_equals_the_full_forward_pass() {
    on_every_device(|device| {
        check_a_whole_life(&transformer(device), device);
        let logits: Vec<f32> = (0..23 * 23 * 24).map(|i| ((i * 37) % 101) as f32 / 50.0).collect();
        check_a_whole_life(&TabularPolicy::from_logits(&logits, 23, device), device);
    });
}

#[test]
fn several_tokens_at_once_equal_one_after_the_other() {
    on_every_device(|device| {
        let model = transformer(device);
        let rows = prompts();
        let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
        let (_, cache) = model.prefill(ints(&rows, device), &lengths);
        let mut cache = cache.fork(&[0, 1, 2], 3);
        let new = vec![vec![1, 2, 3], vec![4, 5, 6], vec![7, 8, 9]];
        let positions: Vec<Vec<u32>> =
            lengths.iter().map(|n| (0..3).map(|i| (*n + i) as u32).collect()).collect();
        let hidden = model.extend(ints(&new, device), ints(&positions, device), &mut cache);
        for time in 0..3 {
            let so_far: Vec<Vec<u32>> =
                rows.iter().zip(&new).map(|(a, b)| [a, &b[..=time]].concat()).collect();
            let at = hidden.clone().narrow(1, time, 1).squeeze_dim(1);
            assert_rows(&model, &so_far, model.logits(at), device);
        }
    });
}

#[test]
#[should_panic(expected = "the cache has room for 5 columns and holds 5, so not for 1 more")]
fn a_full_cache_says_so() {
    let device = &test_devices()[0].device;
    let model = transformer(device);
    let rows = prompts();
    let (_, mut cache) = model.prefill(ints(&rows, device), &[5, 1, 3]);
    let one = ints(&[vec![1], vec![1], vec![1]], device);
    let _ = model.extend(one.clone(), one, &mut cache);
}

#[test]
fn the_same_seed_makes_the_same_model_on_every_device() {
    let logits = |device: &Device| full(&transformer(device), &[1, 2, 3], device);
    let devices = test_devices();
    let first = logits(&devices[0].device);
    for resolved in &devices {
        for (a, b) in logits(&resolved.device).iter().zip(&first) {
            assert!((a - b).abs() < TOLERANCE * b.abs().max(1.0), "{resolved}: {a} is not {b}");
        }
    }
    let device = &devices[0].device;
    assert_eq!(logits(device), first, "the same bits on the same device");
    let other = TransformerConfig { vocabulary: 23, ..TransformerConfig::tiny() }.init(6, device);
    assert_ne!(full(&other, &[1, 2, 3], device), first);
}

#[test]
fn later_tokens_do_not_change_earlier_states() {
    on_every_device(|device| {
        let model = transformer(device);
        let hidden = |row: &[u32]| {
            let positions: Vec<u32> = (0..row.len() as u32).collect();
            let out = model.hidden(ints(&[row.to_vec()], device), ints(&[positions], device));
            values(out.narrow(1, 0, 3))
        };
        let (a, b) = (hidden(&[1, 2, 3, 4, 5]), hidden(&[1, 2, 3, 9, 9]));
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() < TOLERANCE, "{a} is not {b}");
        }
    });
}

#[test]
fn impossible_sizes_are_named() {
    for (config, message) in [
        (TransformerConfig { heads: 0, ..TransformerConfig::tiny() }, "heads must be at least 1"),
        (
            TransformerConfig { width: 60, ..TransformerConfig::tiny() },
            "width 60 must be a multiple of 2 heads = 8",
        ),
        (
            TransformerConfig { kv_heads: 3, ..TransformerConfig::tiny() },
            "heads 4 must be a multiple of kv_heads 3",
        ),
        (
            TransformerConfig { initial_std: f32::NAN, ..TransformerConfig::tiny() },
            "initial_std must be positive, not NaN",
        ),
    ] {
        let error = config.validate().expect_err("refused").to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn tokens_outside_the_vocabulary_are_refused_on_the_host() {
    let limits = transformer(&test_devices()[0].device).limits();
    assert!(limits.check(&[0, 22], 22).is_ok());
    assert_eq!(
        limits.check(&[0, 23], 1).expect_err("refused").to_string(),
        "token 23 at position 1 is not in the vocabulary of 23"
    );
    assert_eq!(
        limits.check(&[0, 1], 23).expect_err("refused").to_string(),
        "2 tokens and up to 23 new ones exceed the context of 24"
    );
}
