//! The loop of `policy_surrogate` on the CPU: one pass over the tokens, a block of lanes at a time.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

use super::formula::{
    TokenLoss, aspo, capped, cispo, clipped, held, limited, sapo, sapo_exponent, without_advantage,
};
use super::{Outputs, SurrogateKind, SurrogateRule, reference};
use crate::flex::math::{exp, sigmoid};
use crate::flex::{LANES, are_f32, dense, load, numbers, rows, simd, store, tensor};

/// Log-probabilities, behaviour log-probabilities, advantages and mask.
type Inputs<'a> = [&'a [f32]; 4];

/// The operation on the CPU; tensor operations for types other than `f32`.
pub(crate) fn fused(
    logprobs: FloatTensor<Flex>,
    behaviour: FloatTensor<Flex>,
    advantages: FloatTensor<Flex>,
    mask: FloatTensor<Flex>,
    rule: SurrogateRule,
) -> Outputs<Flex> {
    if !are_f32(&[&logprobs, &behaviour, &advantages, &mask]) {
        return reference::<Flex>(logprobs, behaviour, advantages, mask, rule);
    }
    let shape = logprobs.shape();
    let inputs = [logprobs, behaviour, advantages, mask].map(dense);
    let inputs = inputs.each_ref().map(numbers);
    let outputs = rows(inputs[0].len(), 1, [1; 4], |range, outputs| {
        let inputs = inputs.map(|input| &input[range.clone()]);
        simd(
            #[inline(always)]
            || by_kind(inputs, outputs, rule),
        );
    });
    let [loss, derivative, ratio, clip] = outputs.map(|output| tensor(output, shape.clone()));
    (loss, derivative, ratio, clip)
}

/// One loop for each kind, its settings outside.
#[inline(always)]
fn by_kind(inputs: Inputs<'_>, outputs: [&mut [f32]; 4], rule: SurrogateRule) {
    let limit = rule.log_ratio_limit.map(|limit| limit as f32);
    let [low, high] = bounds(rule.kind);
    match rule.kind {
        SurrogateKind::Clipped { dual_clip: None, .. } => {
            each_token(
                inputs,
                outputs,
                limit,
                #[inline(always)]
                |ratio, a, _| clipped(ratio, a, low, high),
            );
        }
        SurrogateKind::Clipped { dual_clip: Some(cap), .. } => {
            let cap = cap as f32;
            each_token(
                inputs,
                outputs,
                limit,
                #[inline(always)]
                |ratio, a, _| capped(clipped(ratio, a, low, high), a, cap),
            );
        }
        SurrogateKind::Aspo { cap, .. } => {
            let cap = cap as f32;
            each_weight(
                inputs,
                outputs,
                limit,
                #[inline(always)]
                |ratio, a, _| aspo(ratio, a, low, high, cap),
            );
        }
        SurrogateKind::Cispo { .. } => {
            each_weight(
                inputs,
                outputs,
                limit,
                #[inline(always)]
                |ratio, a, logprob| cispo(ratio, a, logprob, low, high),
            );
        }
        SurrogateKind::Sapo { .. } => each_token(
            inputs,
            outputs,
            limit,
            #[inline(always)]
            |ratio, a, _| {
                let gate = sigmoid(sapo_exponent(ratio, a, low, high));
                sapo(ratio, gate, a, low, high)
            },
        ),
    }
}

/// The two settings that every kind has: bounds of the ratio, or the steepness of SAPO's gate.
#[inline(always)]
pub(crate) fn bounds(kind: SurrogateKind) -> [f32; 2] {
    match kind {
        SurrogateKind::Clipped { epsilon_low, epsilon_high, .. }
        | SurrogateKind::Aspo { epsilon_low, epsilon_high, .. } => {
            [(1.0 - epsilon_low) as f32, (1.0 + epsilon_high) as f32]
        }
        SurrogateKind::Cispo { lowest, highest } => [lowest as f32, highest as f32],
        SurrogateKind::Sapo { tau_positive, tau_negative } => {
            [tau_positive as f32, tau_negative as f32]
        }
    }
}

/// Tokens whose gradient ends at the limit of the log-ratio.
#[inline(always)]
fn each_token(
    inputs: Inputs<'_>,
    outputs: [&mut [f32]; 4],
    limit: Option<f32>,
    formula: impl Fn(f32, f32, f32) -> TokenLoss<f32>,
) {
    match limit {
        None => each_weight(inputs, outputs, None, formula),
        Some(limit) => blocks(
            inputs,
            outputs,
            #[inline(always)]
            |logprob, difference, a| {
                let within = limited(difference, limit);
                let ratio = exp(within);
                (held(formula(ratio, a, logprob), difference, within), ratio)
            },
        ),
    }
}

/// Tokens whose gradient does not end at the limit: a weight that is a constant keeps its own.
#[inline(always)]
fn each_weight(
    inputs: Inputs<'_>,
    outputs: [&mut [f32]; 4],
    limit: Option<f32>,
    formula: impl Fn(f32, f32, f32) -> TokenLoss<f32>,
) {
    let limit = limit.unwrap_or(f32::INFINITY);
    blocks(
        inputs,
        outputs,
        #[inline(always)]
        |logprob, difference, a| {
            let ratio = exp(limited(difference, limit));
            (formula(ratio, a, logprob), ratio)
        },
    );
}

/// The loop: log-probability, log-ratio and advantage of each token, all 0 where masked, whatever
/// stands there.
#[inline(always)]
fn blocks(
    inputs: Inputs<'_>,
    mut outputs: [&mut [f32]; 4],
    token: impl Fn(f32, f32, f32) -> (TokenLoss<f32>, f32),
) {
    for start in (0..inputs[0].len()).step_by(LANES) {
        let [logprobs, behaviour] = [load(inputs[0], start), load(inputs[1], start)];
        let [advantages, mask] = [load(inputs[2], start), load(inputs[3], start)];
        let mut found = [[0.0; LANES]; 4];
        for lane in 0..LANES {
            let kept = |value: f32| if mask[lane] > 0.0 { value } else { 0.0 };
            let difference = kept(logprobs[lane] - behaviour[lane]);
            let advantage = kept(advantages[lane]);
            let (loss, ratio) = token(kept(logprobs[lane]), difference, advantage);
            let loss = without_advantage(loss, advantage);
            found[0][lane] = loss.loss;
            found[1][lane] = loss.derivative;
            found[2][lane] = ratio;
            found[3][lane] = loss.clip;
        }
        outputs.iter_mut().zip(&found).for_each(|(output, found)| store(output, start, found));
    }
}
