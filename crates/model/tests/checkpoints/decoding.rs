//! Decoding through the cache, of every family.

use burn::tensor::Device;
use fireproof_model::{CausalLm, KvCache, Transformer};

use crate::golden::{assert_near, cases, ints, on_every_device, padded, values};

/// Logits after each row's last token, by the full forward pass on that row alone.
fn full(model: &Transformer, row: &[u32], device: &Device) -> Vec<f32> {
    let (tokens, positions) = padded(&[row.to_vec()], device);
    let hidden = model.hidden(tokens, positions);
    let [_, time, width] = hidden.dims();
    values(model.logits(hidden.narrow(1, time - 1, 1).reshape([1, width])))
}

#[test]
fn greedy_continuations_equal_those_of_transformers() {
    on_every_device(|case, device| {
        let model = case.load(device);
        let greedy = case.golden().greedy;
        let (tokens, _) = padded(std::slice::from_ref(&greedy.prompt), device);
        let (hidden, cache) = model.prefill(tokens, &[greedy.prompt.len()]);
        let mut cache = cache.fork(&[0], greedy.ids.len());
        let mut logits = values(model.logits(hidden));
        for (expected, margin) in greedy.ids.iter().zip(&greedy.margins) {
            let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
            assert_eq!(best, Some(*expected as usize), "{case}: decided by {margin}");
            let position = vec![vec![cache.lengths()[0] as u32]];
            let token = ints(&[vec![*expected]], device);
            let hidden = model.extend(token, ints(&position, device), &mut cache);
            logits = values(model.logits(hidden.squeeze_dim(1)));
        }
    });
}

#[test]
fn decoding_ragged_rows_equals_the_full_forward_pass() {
    on_every_device(|case, device| {
        let model = case.load(device);
        let mut rows = case.golden().rows;
        let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
        let (tokens, _) = padded(&rows, device);
        let (_, cache) = model.prefill(tokens, &lengths);
        // A row is read twice, one ends, and one comes in that is longer than the columns in use.
        let mut cache = cache.fork(&[2, 0, 1, 1], 5);
        rows = [2, 0, 1, 1].map(|row| rows[row].clone()).to_vec();
        cache.retain(&[0, 2, 3]);
        rows.remove(1);
        let new = vec![(1..=13).collect::<Vec<u32>>()];
        let (_, prefilled) = model.prefill(padded(&new, device).0, &[13]);
        cache.admit(prefilled.fork(&[0], 5));
        rows.extend(new);
        // One token, then three at once.
        for width in [1, 3] {
            let next: Vec<Vec<u32>> =
                (0..4).map(|row| (0..width).map(|i| 5 * row + i + 1).collect()).collect();
            let position = |n: &usize| (*n as u32..*n as u32 + width).collect();
            let positions: Vec<Vec<u32>> = cache.lengths().iter().map(position).collect();
            let tokens = ints(&next, device);
            let hidden = model.extend(tokens, ints(&positions, device), &mut cache);
            rows.iter_mut().zip(&next).for_each(|(row, next)| row.extend(next));
            let [_, time, width] = hidden.dims();
            for (number, row) in rows.iter().enumerate() {
                let last = hidden.clone().slice([number..number + 1, time - 1..time, 0..width]);
                let found = values(model.logits(last.reshape([1, width])));
                assert_near(&found, &full(&model, row, device), 5e-5, case);
            }
        }
    });
}

#[test]
#[should_panic(expected = "row 1 has positions [0, 0, 1], which do not count from 0: pad rows on")]
fn left_padding_is_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let model = cases()[0].load(device);
    let tokens = ints(&[vec![5, 6, 7], vec![0, 6, 7]], device);
    let positions = ints(&[vec![0, 1, 2], vec![0, 0, 1]], device);
    let _ = model.hidden(tokens, positions);
}
