//! Cases that are not one loss of one batch: a series of steps, a mask by another policy, a part of the
//! vocabulary.

use burn::tensor::{DType, Int, Tensor, TensorData};
use fireproof_kernels::token_logprobs;
use fireproof_losses::{
    BatchConstants, ClippedSurrogate, OffPolicyMasked, Penalty, PolicyBatch, PolicyLoss, SelfReward,
};

use crate::case::{Case, Matrix, load};
use crate::compare::{number, numbers, rows, tensor, tolerance};
use crate::flex;

fn cases(file: &str, loss: &str) -> Vec<Case> {
    let named = |case: &Case| case.settings.text("loss") == Some(loss);
    let cases: Vec<Case> = load(file).into_iter().filter(named).collect();
    assert!(!cases.is_empty(), "{file} has no {loss}");
    cases
}

#[test]
fn the_adaptive_entropy_coefficient_goes_through_trls_steps() {
    for case in cases("entropy.json", "adaptive_entropy") {
        let settings = &case.settings;
        assert_eq!(settings.require("minimum"), 0.0);
        let bonus = Penalty::AdaptiveEntropy {
            initial: settings.require("coefficient"),
            target: settings.require("target"),
            change: settings.require("step"),
            highest: settings.require("maximum"),
        };
        let means: Vec<f64> = case.inputs.field("mean_entropies").unwrap();
        let [applied, after] =
            ["applied", "after"].map(|name| case.expected.field::<Vec<f64>>(name).unwrap());
        let mut state = bonus.initial_state();
        // TRL asks the entropy of the step before whether the bonus acts; before the first it is 0.
        let mut before = 0.0;
        for (step, mean) in means.iter().enumerate() {
            let Penalty::Entropy { coefficient } = bonus.adapt(state, before).0 else { panic!() };
            let (_, next) = bonus.adapt(state, *mean);
            before = *mean;
            let scale = settings.require("maximum");
            number("applied", coefficient, applied[step], scale, 1e-9).unwrap();
            number("after", next, after[step], scale, 1e-9).unwrap();
            state = next;
        }
    }
}

#[test]
fn lasers_self_rewards_and_their_loss_are_those_of_the_formula() {
    let device = flex();
    for case in cases("transcribed.json", "laser") {
        let settings = &case.settings;
        let rule = SelfReward {
            beta: settings.require("beta"),
            reference: settings.require("reference_constant"),
            coefficient: settings.require("coefficient"),
            ..SelfReward::new(0)
        };
        let field = |name| case.inputs.field::<Vec<f64>>(name).unwrap();
        let [scores, rewards, finished] = ["auxiliary_logprobs", "rewards", "finished"].map(field);
        let own: Vec<f64> = case.expected.field("self_rewards").unwrap();
        for (score, own) in scores.iter().zip(own) {
            number("self-reward", rule.score(*score as f32), own, 1.0, 1e-9).unwrap();
        }
        // Whether completions that were cut off count in a class is the fixture's; ours leave them out.
        let classes: Vec<f64> = case.expected.field("class_weights").unwrap();
        let count = scores.len() as f64;
        let weights = classes.iter().zip(&finished).map(|(w, f)| rule.coefficient * w * f / count);
        let row = |values: Vec<f64>| tensor(&vec![values], &device, DType::F64);
        let weights = row(weights.collect());
        let leaf = tensor(&vec![scores], &device.clone().autodiff(), DType::F64).require_grad();
        let loss = rule.loss(leaf.clone(), weights, row(rewards));
        let expected = case.expected.field("loss").unwrap();
        number("loss", numbers(loss.clone())[0], expected, 0.1, 1e-9).unwrap();
        let gradient = numbers(leaf.grad(&loss.backward()).unwrap());
        let expected = vec![case.expected.field::<Vec<f64>>("gradient").unwrap()];
        rows("gradient", &gradient, &expected, 1e-9).unwrap();
    }
}

#[test]
fn the_off_policy_mask_leaves_out_trls_rows() {
    let device = flex();
    let masked = |case: &Case| case.settings.number("off_policy_threshold").is_some();
    let mut left_out = 0;
    for case in load("mismatch.json").into_iter().filter(masked) {
        let limit = case.settings.require("off_policy_threshold");
        let loss = OffPolicyMasked { limit, base: Box::new(ClippedSurrogate::default()) };
        let field = |name| tensor(&case.inputs.require(name), &device, DType::F64);
        // TRL's mask is by the sampler's log-probabilities.
        let constants = BatchConstants {
            mask: field("mask"),
            ..BatchConstants::new(field("sampler"), field("advantages"))
        };
        let batch = PolicyBatch::new(field("logprobs"), None, constants);
        let trains = numbers(loss.surrogate(&batch).loss).into_iter().map(|loss| loss != 0.0);
        let kept = case.expected.require("kept").concat();
        let advantages = case.inputs.require("advantages").concat();
        for ((trains, kept), advantage) in trains.zip(kept).zip(advantages) {
            assert_eq!(trains, kept > 0.0 && advantage != 0.0, "{}", case.name);
        }
        left_out += case.inputs.require("mask").concat().iter().sum::<f64>() as usize;
        left_out -= case.expected.require("kept").concat().iter().sum::<f64>() as usize;
    }
    assert!(left_out > 0);
}

/// Scores of the tokens over logits whose places outside the support are left out.
fn scored(
    logits: Tensor<2>,
    inside: &Matrix,
    tokens: &Tensor<1, Int>,
    shape: [usize; 2],
) -> Tensor<2> {
    let outside = tensor(inside, &logits.device(), DType::F64).lower_equal_scalar(0.0);
    let masked = logits.mask_fill(outside, f32::NEG_INFINITY);
    token_logprobs(masked, tokens.clone(), 1.0).logprobs.reshape(shape)
}

#[test]
fn a_clipped_loss_over_a_part_of_the_vocabulary_is_rlpts() {
    let (device, tolerance) = (flex(), tolerance(DType::F64));
    let partial = |case: &Case| case.settings.number("support").is_some();
    for case in load("transcribed.json").into_iter().filter(partial) {
        let flat = |name| case.inputs.field::<Vec<Matrix>>(name).unwrap().concat();
        let support: Vec<Vec<usize>> =
            case.inputs.field::<Vec<Vec<Vec<usize>>>>("support").unwrap().concat();
        let vocabulary = flat("logits")[0].len();
        let of_token = |kept: &Vec<usize>| -> Vec<f64> {
            (0..vocabulary).map(|id| f64::from(kept.contains(&id))).collect()
        };
        let inside: Matrix = support.iter().map(of_token).collect();
        let mask = case.inputs.require("mask");
        let shape = [mask.len(), mask[0].len()];
        let tokens = case.inputs.require("tokens").concat();
        let tokens: Vec<i64> = tokens.iter().map(|id| *id as i64).collect();
        let count = tokens.len();
        let tokens = Tensor::<1, Int>::from_data(TensorData::new(tokens, [count]), &device);

        let tracked = device.clone().autodiff();
        let logits = tensor(&flat("logits"), &tracked, DType::F64).require_grad();
        let before = tensor(&flat("behaviour_logits"), &device, DType::F64);
        let current = scored(logits.clone(), &inside, &tokens, shape);
        let before = scored(before, &inside, &tokens, shape);
        let expect = |name, found: Tensor<2>| {
            rows(name, &numbers(found), &case.expected.require(name), tolerance).unwrap();
        };
        expect("logprobs", current.clone());
        expect("behaviour", before.clone());
        let field = |name| tensor(&case.inputs.require(name), &device, DType::F64);
        let constants = BatchConstants {
            mask: field("mask"),
            ..BatchConstants::new(before, field("advantages"))
        };
        let batch = PolicyBatch::new(current, None, constants);
        let [epsilon_low, epsilon_high] =
            ["epsilon_low", "epsilon_high"].map(|name| case.settings.require(name));
        let clip = ClippedSurrogate { epsilon_low, epsilon_high, ..ClippedSurrogate::default() };
        let loss = clip.surrogate(&batch).loss;
        expect("token_loss", loss.clone());
        let total = loss.sum() / field("mask").sum();
        let expected = case.expected.field("loss").unwrap();
        number("loss", numbers(total.clone())[0], expected, 0.1, tolerance).unwrap();
        let gradient = numbers(logits.grad(&total.backward()).unwrap());
        let expected = case.expected.field::<Vec<Matrix>>("logits_gradient").unwrap().concat();
        rows("gradient", &gradient, &expected, tolerance).unwrap();
    }
}
