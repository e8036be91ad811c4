//! Every device against flex in `f64`, in one process: random ragged shapes, garbage at masked
//! places, strided and broadcast inputs, and every number type that a device has.

use burn::tensor::{DType, Device, Tensor, TensorData};
use fireproof_kernels::{
    GroupEstimator, GroupNormalization, KlEstimator, KlPenalty, ObjectiveInputs, PolicySurrogate,
    SurrogateKind, SurrogateRule, group_normalize, policy_objective, policy_surrogate,
    resolve_device, token_logprobs,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::{assert_close, ids, noise, values};

// ANCHOR: tolerances
/// Number types with what their values and their gradients may be off by, relative to the larger of
/// the number and 1. Everything is accumulated and returned in `f32`; only the gradient of an input
/// in half precision is rounded to its type.
const TOLERANCES: [(DType, f32, f32); 3] =
    [(DType::F32, 3e-5, 5e-5), (DType::F16, 3e-5, 2e-3), (DType::BF16, 3e-5, 1.6e-2)];
// ANCHOR_END: tolerances

/// Where a case runs and in which type.
struct Place {
    device: Device,
    dtype: DType,
}

/// How an input lies in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Rows,
    Columns,
    /// A part of something larger.
    Window,
}

const LAYOUTS: [Layout; 3] = [Layout::Rows, Layout::Columns, Layout::Window];

/// The numbers as a type holds them.
fn rounded(data: &[f32], dtype: DType) -> Vec<f32> {
    let flex = resolve_device(Some("flex")).expect("flex is compiled in").device;
    values(Tensor::<1>::from_data(data, &flex).cast(dtype))
}

/// The leaf that lies in memory, and the view of it with that shape that an operation sees.
fn input(data: &[f32], shape: [usize; 2], layout: Layout, on: &Place) -> (Tensor<2>, Tensor<2>) {
    let [rows, columns] = shape;
    let at = |row: usize, column: usize| data[row * columns + column];
    let (stored, stored_shape) = match layout {
        Layout::Rows => (data.to_vec(), shape),
        Layout::Columns => {
            ((0..data.len()).map(|i| at(i % rows, i / rows)).collect(), [columns, rows])
        }
        Layout::Window => {
            let wide = columns + 3;
            let inside = |i: usize| (1..=columns).contains(&(i % wide));
            let stored = |i: usize| if inside(i) { at(i / wide, i % wide - 1) } else { f32::NAN };
            ((0..rows * wide).map(stored).collect(), [rows, wide])
        }
    };
    let plain = on.device.clone().without_autodiff();
    let leaf = Tensor::<2>::from_data(TensorData::new(stored, stored_shape), &plain);
    let leaf = leaf.cast(on.dtype).autodiff().require_grad();
    let view = match layout {
        Layout::Rows => leaf.clone(),
        Layout::Columns => leaf.clone().transpose(),
        Layout::Window => leaf.clone().slice([0..rows, 1..columns + 1]),
    };
    (leaf, view)
}

/// A constant input.
fn constant(data: &[f32], shape: [usize; 2], layout: Layout, on: &Place) -> Tensor<2> {
    input(data, shape, layout, on).1.without_autodiff()
}

/// What a case gives on a place: its values, and the gradient of its first input.
type Outcome = (Vec<f32>, Vec<f32>);

/// The gradient of a sum of outputs, weighted so that no two elements have the same weight.
fn gradient(leaf: &Tensor<2>, outputs: Vec<Tensor<2>>) -> Vec<f32> {
    let weighted = outputs.into_iter().enumerate().map(|(i, output)| {
        let shape = output.dims();
        let weights = TensorData::new(noise(shape[0] * shape[1], 40 + i as u32), shape);
        let plain = output.device().without_autodiff();
        let weights = Tensor::<2>::from_data(weights, &plain).cast(output.dtype());
        (output * weights).sum()
    });
    let total = weighted.reduce(|a, b| a + b).expect("at least one output");
    values(leaf.grad(&total.backward()).expect("tracked"))
}

/// Runs a case in `f64` on flex and in a type on every device that has it.
fn agree(dtype: DType, case: impl Fn(&Place) -> Outcome) {
    let flex = resolve_device(Some("flex")).expect("flex is compiled in").device;
    let (expected, expected_gradient) = case(&Place { device: flex, dtype: DType::F64 });
    let (_, value, slope) =
        TOLERANCES.into_iter().find(|row| row.0 == dtype).expect("in the table");
    for resolved in fireproof_kernels::test_devices() {
        if resolved.device.supports_dtype(dtype) {
            println!("on {resolved} in {dtype:?}");
            let (found, gradient) = case(&Place { device: resolved.device, dtype });
            assert_close(&found, &expected, value);
            assert_close(&gradient, &expected_gradient, slope);
        }
    }
}

/// A mask with a prefix of valid places in every row; some rows are empty and some full.
fn ragged([rows, columns]: [usize; 2], seed: u32) -> Vec<f32> {
    let lengths = noise(rows, seed);
    let length = |row: usize| (lengths[row] + 1.0) * 0.7 * columns as f32 - 0.2 * columns as f32;
    (0..rows * columns).map(|i| f32::from(((i % columns) as f32) < length(i / columns))).collect()
}

/// Random numbers where the mask is 1 and what could do harm elsewhere.
fn with_garbage(scale: f32, mask: &[f32], seed: u32) -> Vec<f32> {
    let garbage = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38];
    let numbers = noise(mask.len(), seed).into_iter().zip(mask).enumerate();
    numbers.map(|(i, (x, m))| if *m > 0.0 { scale * x } else { garbage[i % 4] }).collect()
}

const SURROGATES: [SurrogateKind; 6] = [
    SurrogateKind::Clipped { epsilon_low: 0.2, epsilon_high: 0.28, dual_clip: None },
    SurrogateKind::Clipped { epsilon_low: 0.2, epsilon_high: 0.2, dual_clip: Some(3.0) },
    SurrogateKind::Aspo { epsilon_low: 0.2, epsilon_high: 0.2, cap: 3.0 },
    SurrogateKind::Cispo { lowest: 0.5, highest: 2.0 },
    SurrogateKind::Cispo { lowest: 0.0, highest: f64::INFINITY },
    SurrogateKind::Sapo { tau_positive: 1.0, tau_negative: 1.05 },
];

#[test]
fn surrogates_agree() {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(12));
    let cases =
        (1usize..6, 1usize..70, any::<u32>(), 0..SURROGATES.len(), 0..9usize, any::<bool>());
    runner
        .run(&cases, |(rows, columns, seed, kind, mix, limited)| {
            let (shape, dtype) = ([rows, columns], TOLERANCES[mix % 3].0);
            let log_ratio_limit = limited.then_some(2.0);
            let rule = SurrogateRule { kind: SURROGATES[kind], log_ratio_limit };
            let mask = ragged(shape, seed ^ 1);
            // Ratios up to e^8, and half of them near 1.
            let scale = if seed % 2 == 0 { 4.0 } else { 0.3 };
            let logprobs = rounded(&with_garbage(scale, &mask, seed ^ 2), dtype);
            let behaviour = rounded(&with_garbage(scale, &mask, seed ^ 3), dtype);
            let advantages = rounded(&noise(rows, seed ^ 4), dtype);
            agree(dtype, |on| {
                let (leaf, logprobs) = input(&logprobs, shape, LAYOUTS[mix / 3], on);
                let behaviour = constant(&behaviour, shape, LAYOUTS[mix % 3], on);
                // One advantage a row, without a copy for every token.
                let advantages = constant(&advantages, [rows, 1], Layout::Rows, on).expand(shape);
                let mask = constant(&mask, shape, Layout::Rows, on);
                let out = policy_surrogate(logprobs, behaviour, advantages, mask, rule);
                let columns = [&out.loss, &out.derivative, &out.ratio, &out.clip];
                let all = columns.iter().flat_map(|column| values((*column).clone())).collect();
                (all, gradient(&leaf, vec![out.loss]))
            });
            Ok(())
        })
        .expect("every case holds");
}

#[test]
fn objectives_agree() {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(8));
    let cases = (1usize..6, 1usize..70, any::<u32>(), 0..SURROGATES.len(), 0..9usize, 0..4usize);
    runner
        .run(&cases, |(rows, columns, seed, kind, mix, estimator)| {
            let (shape, dtype) = ([rows, columns], TOLERANCES[mix % 3].0);
            let rule = SurrogateRule { kind: SURROGATES[kind], log_ratio_limit: Some(20.0) };
            let penalty = KlPenalty {
                estimator: KL[estimator],
                coefficient: 0.1,
                exponent_limit: (seed % 3 == 0).then_some(1.0),
                value_limit: (seed % 5 == 0).then_some(0.5),
            };
            let has_range = matches!(
                SURROGATES[kind],
                SurrogateKind::Clipped { .. } | SurrogateKind::Aspo { .. }
            );
            let mask = ragged(shape, seed ^ 1);
            let numbers = |seed: u32| rounded(&with_garbage(0.8, &mask, seed), dtype);
            let (logprobs, behaviour) = (numbers(seed ^ 2), numbers(seed ^ 3));
            let (reference, advantages) = (numbers(seed ^ 4), numbers(seed ^ 5));
            let flags: Vec<f32> =
                noise(rows * columns, seed ^ 6).iter().map(|x| f32::from(*x > 0.0)).collect();
            agree(dtype, |on| {
                let (leaf, logprobs) = input(&logprobs, shape, LAYOUTS[mix / 3], on);
                let [behaviour, reference] = [&behaviour, &reference]
                    .map(|data| constant(data, shape, LAYOUTS[mix % 3], on));
                let [advantages, mask, flags] = [&advantages, &mask, &flags]
                    .map(|data| constant(data, shape, Layout::Rows, on));
                let inputs = ObjectiveInputs {
                    wide: has_range.then_some((flags, [0.3, 0.5])),
                    reference: Some((reference, penalty)),
                };
                let out = policy_objective(logprobs, behaviour, advantages, mask, rule, inputs);
                let PolicySurrogate { loss, derivative, ratio, clip } = out.surrogate;
                let columns = [&loss, &derivative, &ratio, &clip, &out.penalty];
                let all = columns.iter().flat_map(|column| values((*column).clone())).collect();
                (all, gradient(&leaf, vec![loss]))
            });
            Ok(())
        })
        .expect("every case holds");
}

const KL: [KlEstimator; 4] =
    [KlEstimator::Linear, KlEstimator::Absolute, KlEstimator::Square, KlEstimator::Exponential];

const ESTIMATORS: [GroupEstimator; 8] = [
    GroupEstimator::Centered,
    GroupEstimator::LeaveOneOut,
    GroupEstimator::ZScore { ddof: 0, epsilon: 1e-4 },
    GroupEstimator::ZScore { ddof: 1, epsilon: 1e-6 },
    GroupEstimator::ZScoreUnderRoot { ddof: 1, epsilon: 1e-2 },
    GroupEstimator::LinearR,
    GroupEstimator::SqrtR,
    GroupEstimator::UniformR,
];

#[test]
fn group_normalisations_agree() {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(12));
    let cases = (1usize..40, 1usize..20, any::<u32>(), 0..ESTIMATORS.len(), 0..9usize, 0..3usize);
    runner
        .run(&cases, |(groups, group, seed, estimator, mix, gamma)| {
            let (shape, dtype) = ([groups, group], TOLERANCES[mix % 3].0);
            let focal_gamma = [0.0, 0.5, 2.0][gamma];
            let rule = GroupNormalization { estimator: ESTIMATORS[estimator], focal_gamma };
            let mask = ragged(shape, seed ^ 1);
            // Rewards in quarters, so that equal ones and groups of equal ones occur.
            let quarters = |x: &f32| (x * 2.0).round() / 4.0;
            let rewards: Vec<f32> = with_garbage(1.0, &mask, seed).iter().map(quarters).collect();
            let rewards = rounded(&rewards, dtype);
            let correct: Vec<f32> = rewards.iter().map(|r| f32::from(*r > 0.2)).collect();
            agree(dtype, |on| {
                let (leaf, rewards) = input(&rewards, shape, LAYOUTS[mix / 3], on);
                let correct = constant(&correct, shape, LAYOUTS[mix % 3], on);
                let mask = constant(&mask, shape, Layout::Rows, on);
                let out = group_normalize(rewards, correct, mask, rule);
                let statistics = [out.means, out.stds, out.success_rates];
                let mut all = values(out.advantages.clone());
                all.extend(statistics.into_iter().flat_map(values));
                (all, gradient(&leaf, vec![out.advantages]))
            });
            Ok(())
        })
        .expect("every case holds");
}

/// One comparison of `token_logprobs`, with a few minus infinities among the logits.
fn scores_agree(shape: [usize; 2], seed: u32, temperature: f32, layout: Layout, dtype: DType) {
    let [rows, columns] = shape;
    let mut logits = noise(rows * columns, seed);
    for (i, logit) in logits.iter_mut().enumerate() {
        let forbidden = columns > 4 && i % columns > 2 && i % 7 == 0;
        *logit = if forbidden { f32::NEG_INFINITY } else { 6.0 * *logit };
    }
    let logits = rounded(&logits, dtype);
    let targets: Vec<i32> = (0..rows).map(|row| (row * 31 % columns.min(3)) as i32).collect();
    agree(dtype, |on| {
        let (leaf, logits) = input(&logits, shape, layout, on);
        let targets = ids(&targets, &on.device);
        let out = token_logprobs(logits, targets, temperature);
        let columns = [out.logprobs, out.entropies, out.log_sum_exp];
        let all = columns.iter().flat_map(|column| values(column.clone())).collect();
        (all, gradient(&leaf, columns.map(|column| column.unsqueeze()).into()))
    });
}

#[test]
fn scores_agree_on_small_vocabularies() {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(10));
    let cases = (1usize..40, 2usize..300, 0.3f32..3.0, any::<u32>(), 0..9usize);
    runner
        .run(&cases, |(rows, columns, temperature, seed, mix)| {
            let dtype = TOLERANCES[mix % 3].0;
            scores_agree([rows, columns], seed, temperature, LAYOUTS[mix / 3], dtype);
            Ok(())
        })
        .expect("every case holds");
}

#[test]
fn scores_agree_on_large_vocabularies_and_many_rows() {
    for (shape, layout) in [
        ([2, 151_936], Layout::Rows),
        ([3, 32_003], Layout::Columns),
        ([70_001, 2], Layout::Rows),
        ([66_000, 5], Layout::Window),
    ] {
        scores_agree(shape, 7, 0.7, layout, DType::F32);
    }
}

#[test]
fn empty_inputs_give_empty_outputs() {
    crate::on_every_device(|device| {
        let none = Tensor::<2>::zeros([0, 4], device);
        let rule = SurrogateRule { kind: SURROGATES[0], log_ratio_limit: None };
        let out = policy_surrogate(none.clone(), none.clone(), none.clone(), none.clone(), rule);
        assert_eq!(out.loss.dims(), [0, 4]);
        let out = group_normalize(none.clone(), none.clone(), none.clone(), ESTIMATORS[0]);
        assert_eq!((out.advantages.dims(), out.means.dims()), ([0, 4], [0]));
        let out = token_logprobs(none, ids(&[], device), 1.0);
        assert_eq!(out.logprobs.dims(), [0]);
    });
}

#[test]
fn a_logit_that_is_not_a_number_shows() {
    crate::on_every_device(|device| {
        let logits = crate::matrix(&[&[0.0, f32::NAN, 1.0, 0.0], &[0.0; 4]], device);
        let out = token_logprobs(logits, ids(&[0, 0], device), 1.0);
        let lse = values(out.log_sum_exp);
        assert!(lse[0].is_nan() && values(out.logprobs)[0].is_nan(), "{lse:?}");
        assert_close(&lse[1..], &[4f32.ln()], 1e-6);
    });
}
