//! `sample_tokens` against a distribution worked out by hand and a scalar sampler in f64.

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireproof_kernels::{
    SampledTokens, SamplingRule, sample_tokens, support_logprobs, token_logprobs,
};
use proptest::prelude::*;

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
        let mut runner = crate::runner(24, device);
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

const RULES: [SamplingRule; 4] = [
    SamplingRule { temperature: 0.8, top_k: Some(5), top_p: None, min_p: None },
    SamplingRule { temperature: 1.3, top_k: None, top_p: Some(0.7), min_p: None },
    SamplingRule { temperature: 1.0, top_k: None, top_p: None, min_p: Some(0.1) },
    SamplingRule { temperature: 0.7, top_k: Some(9), top_p: Some(0.9), min_p: Some(0.02) },
];

#[test]
fn what_was_drawn_is_scored_on_the_support_that_it_was_drawn_from() {
    on_every_device(|device| {
        for (rule, seed) in RULES.into_iter().zip(1..) {
            let (rows, vocabulary) = (64, 37);
            let logits = noise(rows * vocabulary, seed).iter().map(|x| 4.0 * x).collect::<Vec<_>>();
            let logits =
                Tensor::<2>::from_data(TensorData::new(logits, [rows, vocabulary]), device);
            let uniforms: Vec<f32> = (0..rows).map(|i| (i as f32 + 0.5) / rows as f32).collect();
            let uniforms = Tensor::from_data(TensorData::new(uniforms, [rows]), device);
            let out = sample_tokens(logits.clone(), uniforms, rule);
            let scored = support_logprobs(logits.clone(), out.tokens.clone(), rule);
            assert_close(&values(scored.logprobs), &values(out.support_logprobs), 2e-5);
            let whole = token_logprobs(logits, out.tokens, rule.temperature);
            assert_close(&values(whole.logprobs), &values(out.logprobs), 2e-5);
            assert_close(&values(whole.entropies), &values(out.entropies), 2e-5);
        }
    });
}

#[test]
fn scores_on_a_support_are_those_of_the_tokens_in_it() {
    on_every_device(|device| {
        // Probabilities 1/8, 1/2, 1/8, 1/4; the two likeliest have two thirds and one.
        let leaf =
            matrix(&[&SHARES.map(f32::ln)[..]; 2], &device.clone().autodiff()).require_grad();
        let rule = SamplingRule { top_k: Some(2), ..SamplingRule::at(1.0) };
        let targets = crate::ids(&[3, 0], device);
        let out = support_logprobs(leaf.clone(), targets, rule);
        let [inside, outside] = values(out.logprobs.clone())[..] else { panic!("two rows") };
        assert_close(&[inside], &[(1f32 / 3.0).ln()], 1e-6);
        assert!(outside < -1e29, "{outside}");
        let entropy = 3f32.ln() - 2.0 / 3.0 * 2f32.ln();
        assert_close(&values(out.entropies), &[entropy; 2], 1e-6);
        assert_close(&values(out.log_sum_exp), &[0.75f32.ln(); 2], 1e-6);
        let gradient = leaf.grad(&out.logprobs.narrow(0, 0, 1).sum().backward()).expect("tracked");
        let expected = [0.0, -2.0 / 3.0, 0.0, 2.0 / 3.0, 0.0, 0.0, 0.0, 0.0];
        assert_close(&values(gradient), &expected, 1e-6);
    });
}

#[test]
fn tokens_of_every_rule_lie_in_the_support_of_a_scalar_sampler() {
    on_every_device(|device| {
        let mut runner = crate::runner(10, device);
        let cases = (2usize..60, 0usize..4, any::<u32>());
        let check = |(vocabulary, rule, seed): (usize, usize, u32)| {
            let rule = RULES[rule];
            let logits: Vec<f32> = noise(vocabulary, seed).iter().map(|x| 5.0 * x).collect();
            let scaled = |z: &f32| (f64::from(*z) / f64::from(rule.temperature)).exp();
            let shares: Vec<f64> = logits.iter().map(scaled).collect();
            let whole: f64 = shares.iter().sum();
            let uniforms = [0.0, 0.3, 0.6, 0.999];
            let out = sample(&[&logits[..]; 4], &uniforms, rule, device);
            for token in drawn(out.tokens) {
                let own = shares[token as usize];
                let likelier = shares.iter().filter(|share| **share > own);
                let before: f64 = likelier.clone().sum::<f64>() / whole;
                let largest = shares.iter().copied().fold(0.0, f64::max);
                // Up to rounding at the edges.
                assert!(rule.top_k.is_none_or(|k| likelier.count() < k));
                assert!(rule.top_p.is_none_or(|p| before < f64::from(p) + 1e-5));
                assert!(rule.min_p.is_none_or(|p| own >= f64::from(p) * largest * (1.0 - 1e-5)));
            }
            Ok(())
        };
        runner.run(&cases, check).expect("every case holds");
    });
}

#[test]
fn large_vocabularies_and_many_rows_are_sampled() {
    on_every_device(|device| {
        for (rows, vocabulary, top_p) in [(2, 151_936, Some(0.9)), (66_000, 2, None)] {
            let logits = noise(rows * vocabulary, 3).iter().map(|x| 3.0 * x).collect::<Vec<_>>();
            let logits =
                Tensor::<2>::from_data(TensorData::new(logits, [rows, vocabulary]), device);
            let uniforms: Vec<f32> = noise(rows, 9).iter().map(|x| 0.499 * x + 0.5).collect();
            let uniforms = Tensor::from_data(TensorData::new(uniforms, [rows]), device);
            let rule = SamplingRule { top_p, ..SamplingRule::at(1.0) };
            let out = sample_tokens(logits.clone(), uniforms, rule);
            let tokens = drawn(out.tokens.clone());
            assert!(tokens.iter().all(|token| (0..vocabulary as i64).contains(token)));
            let whole = token_logprobs(logits, out.tokens, 1.0);
            assert_close(&values(whole.logprobs), &values(out.logprobs), 5e-5);
        }
    });
}

#[cfg(feature = "flex")]
#[test]
fn on_the_cpu_a_row_is_sampled_to_the_bit_in_every_batch() {
    let device = Device::flex();
    let (rows, vocabulary) = (50, 3001);
    let logits: Vec<Vec<f32>> =
        (0..rows).map(|seed| noise(vocabulary, seed).iter().map(|x| 5.0 * x).collect()).collect();
    let logits: Vec<&[f32]> = logits.iter().map(Vec::as_slice).collect();
    let uniforms: Vec<f32> = (0..rows).map(|i| (i as f32 + 0.5) / rows as f32).collect();
    for rule in RULES.into_iter().chain([SamplingRule::at(0.9)]) {
        let run = |part: std::ops::Range<usize>| {
            let out = sample(&logits[part.clone()], &uniforms[part], rule, &device);
            let scores = [out.logprobs, out.support_logprobs, out.entropies].map(values);
            (drawn(out.tokens), scores)
        };
        let (tokens, scores) = run(0..rows as usize);
        for part in [0..1, 17..19, 30..37] {
            let (some, some_scores) = run(part.clone());
            assert_eq!(some, tokens[part.clone()]);
            for (some, all) in some_scores.iter().zip(&scores) {
                assert_eq!(some, &all[part.clone()], "{rule:?}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "logits have 2 rows but uniform numbers have shape [1]")]
fn another_number_of_uniform_numbers_is_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let _ = sample(&[&[0.0], &[0.0]], &[0.5], SamplingRule::at(1.0), device);
}
