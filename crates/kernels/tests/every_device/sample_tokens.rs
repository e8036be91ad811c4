//! `sample_tokens` against a distribution worked out by hand and a scalar sampler in f64.

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireproof_kernels::{SampledTokens, SamplingRule, sample_tokens};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::{assert_close, matrix, noise, on_every_device, values};

/// Probabilities 1/2, 1/4, 1/8, 1/8, not in order.
const SHARES: [f32; 4] = [0.125, 0.5, 0.125, 0.25];

fn drawn(tokens: Tensor<1, Int>) -> Vec<i64> {
    tokens.into_data().iter::<i64>().collect()
}

fn sample(rows: &[&[f32]], uniforms: &[f32], rule: SamplingRule, device: &Device) -> SampledTokens {
    let uniforms = TensorData::new(uniforms.to_vec(), [uniforms.len()]);
    sample_tokens(matrix(rows, device), Tensor::from_data(uniforms, device), rule)
}

/// The tokens that evenly spread numbers draw from [`SHARES`].
fn support(rule: SamplingRule, device: &Device) -> Vec<i64> {
    let row = SHARES.map(f32::ln);
    let uniforms: Vec<f32> = (0..64).map(|i| (i as f32 + 0.5) / 64.0).collect();
    let mut tokens = drawn(sample(&[&row[..]; 64], &uniforms, rule, device).tokens);
    tokens.dedup();
    tokens
}

#[test]
fn each_rule_keeps_the_tokens_it_should() {
    on_every_device(|device| {
        let whole = SamplingRule::at(1.0);
        assert_eq!(support(whole, device), [0, 1, 2, 3]);
        let top_k = |top_k| SamplingRule { top_k: Some(top_k), ..whole };
        assert_eq!(support(top_k(1), device), [1]);
        assert_eq!(support(top_k(2), device), [1, 3]);
        // Ties at the edge are all in.
        assert_eq!(support(top_k(3), device), [0, 1, 2, 3]);
        assert_eq!(support(top_k(9), device), [0, 1, 2, 3]);
        let top_p = |top_p| SamplingRule { top_p: Some(top_p), ..whole };
        assert_eq!(support(top_p(0.3), device), [1]);
        assert_eq!(support(top_p(0.6), device), [1, 3]);
        assert_eq!(support(top_p(0.8), device), [0, 1, 2, 3]);
        let min_p = |min_p| SamplingRule { min_p: Some(min_p), ..whole };
        assert_eq!(support(min_p(0.9), device), [1]);
        assert_eq!(support(min_p(0.4), device), [1, 3]);
        assert_eq!(support(min_p(0.1), device), [0, 1, 2, 3]);
        let both = SamplingRule { top_k: Some(2), min_p: Some(0.9), ..whole };
        assert_eq!(support(both, device), [1]);
    });
}

#[test]
fn both_log_probabilities_and_the_entropy_are_those_worked_out_by_hand() {
    on_every_device(|device| {
        let row = SHARES.map(f32::ln);
        let rule = SamplingRule { top_k: Some(2), ..SamplingRule::at(1.0) };
        // In the order of ids the support is 1 (two thirds) and 3.
        let out = sample(&[&row, &row], &[0.6, 0.7], rule, device);
        assert_eq!(drawn(out.tokens), [1, 3]);
        assert_close(&values(out.logprobs), &[0.5, 0.25].map(f32::ln), 1e-6);
        assert_close(&values(out.support_logprobs), &[2.0 / 3.0, 1.0 / 3.0].map(f32::ln), 1e-6);
        assert_close(&values(out.entropies), &[1.75 * 2f32.ln(); 2], 1e-6);
    });
}

#[test]
fn tokens_are_those_of_a_scalar_sampler() {
    on_every_device(|device| {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(24));
        let cases = (2usize..90, 0.3f32..2.0, 0.0f32..1.0, any::<u32>());
        let check = |(vocabulary, temperature, uniform, seed): (usize, f32, f32, u32)| {
            let logits: Vec<f32> = noise(vocabulary, seed).iter().map(|x| 5.0 * x).collect();
            let exact: Vec<f64> =
                logits.iter().map(|z| (f64::from(*z) / f64::from(temperature)).exp()).collect();
            let threshold = exact.iter().sum::<f64>() * f64::from(uniform);
            let cumulated = |token: usize| exact[..=token].iter().sum::<f64>();
            let out = sample(&[&logits], &[uniform], SamplingRule::at(temperature), device);
            let token = drawn(out.tokens)[0] as usize;
            // Up to rounding: what is cumulated before it, and with it.
            let slack = 1e-5 * cumulated(vocabulary - 1);
            assert!(cumulated(token) > threshold - slack);
            assert!(cumulated(token) - exact[token] <= threshold + slack);
            Ok(())
        };
        runner.run(&cases, check).expect("every case holds");
    });
}

#[test]
fn a_row_is_sampled_alike_in_every_batch() {
    on_every_device(|device| {
        let rule = SamplingRule { top_p: Some(0.9), ..SamplingRule::at(0.8) };
        let logits: Vec<Vec<f32>> = (0..40).map(|seed| noise(130, seed)).collect();
        let rows: Vec<&[f32]> = logits.iter().map(Vec::as_slice).collect();
        let uniforms: Vec<f32> = (0..40).map(|i| (i as f32 + 0.5) / 40.0).collect();
        let all = sample(&rows, &uniforms, rule, device);
        let one = sample(&rows[17..18], &uniforms[17..18], rule, device);
        assert_eq!(drawn(one.tokens)[0], drawn(all.tokens)[17]);
        assert_close(&values(one.logprobs), &values(all.logprobs)[17..18], 1e-6);
    });
}

#[test]
fn a_nan_shows_in_the_log_probability() {
    on_every_device(|device| {
        let out = sample(&[&[0.0, f32::NAN, 1.0]], &[0.5], SamplingRule::at(1.0), device);
        assert!((0..3).contains(&drawn(out.tokens)[0]));
        assert!(values(out.logprobs)[0].is_nan());
    });
}

#[test]
#[should_panic(expected = "top_p must be above 0 and at most 1, not Some(1.5)")]
fn a_share_above_one_is_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let rule = SamplingRule { top_p: Some(1.5), ..SamplingRule::at(1.0) };
    let _ = sample(&[&[0.0]], &[0.5], rule, device);
}
