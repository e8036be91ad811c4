//! The loop of `policy_objective` on the CPU: one pass over the tokens, a block of lanes at a time.

use burn::backend::{Flex, TensorMetadata};

use super::{Inputs, KlEstimator, KlPenalty, ObjectiveRule, Outputs, reference};
use crate::flex::math::{exp, sigmoid};
use crate::flex::{LANES, are_f32, dense, load, numbers, rows, simd, store, tensor};
use crate::policy_surrogate::SurrogateKind;
use crate::policy_surrogate::flex::bounds;
use crate::policy_surrogate::formula::{
    TokenKl, TokenLoss, aspo, capped, cispo, clipped, held, kl_absolute, kl_exponential, kl_linear,
    kl_square, kl_within, limited, sapo, sapo_exponent, without_advantage,
};

/// The operation on the CPU; tensor operations for types other than `f32`.
pub(crate) fn fused((logprobs, constants): Inputs<Flex>, rule: ObjectiveRule) -> Outputs<Flex> {
    let [behaviour, advantages, mask, wide, other] = constants;
    if !are_f32(&[&logprobs, &behaviour, &advantages, &mask, &wide, &other]) {
        let constants = [behaviour, advantages, mask, wide, other];
        return reference::<Flex>((logprobs, constants), rule);
    }
    let shape = logprobs.shape();
    let inputs = [logprobs, behaviour, advantages, mask, wide, other].map(dense);
    let inputs = inputs.each_ref().map(numbers);
    let outputs = rows(inputs[0].len(), 1, [1; 5], |range, outputs| {
        let inputs = inputs.map(|input| &input[range.clone()]);
        simd(
            #[inline(always)]
            || Part { inputs, rule }.by_kind(outputs),
        );
    });
    let [loss, derivative, ratio, clip, penalty] = outputs.map(|o| tensor(o, shape.clone()));
    (loss, derivative, ratio, clip, penalty)
}

/// Some of the tokens: their log-probabilities, behaviour, advantages, mask, flags and reference.
struct Part<'a> {
    inputs: [&'a [f32]; 6],
    rule: ObjectiveRule,
}

/// One number of each token of a block.
type Lanes = [f32; LANES];

impl Part<'_> {
    /// One loop for each kind.
    #[inline(always)]
    fn by_kind(self, outputs: [&mut [f32]; 5]) {
        match self.rule.surrogate.kind {
            SurrogateKind::Clipped { dual_clip: None, .. } => self.blocks(
                outputs,
                true,
                #[inline(always)]
                |ratio, a, _, [low, high]| clipped(ratio, a, low, high),
            ),
            SurrogateKind::Clipped { dual_clip: Some(cap), .. } => self.blocks(
                outputs,
                true,
                #[inline(always)]
                |ratio, a, _, [low, high]| capped(clipped(ratio, a, low, high), a, cap as f32),
            ),
            SurrogateKind::Aspo { cap, .. } => self.blocks(
                outputs,
                false,
                #[inline(always)]
                |ratio, a, _, [low, high]| aspo(ratio, a, low, high, cap as f32),
            ),
            SurrogateKind::Cispo { .. } => self.blocks(
                outputs,
                false,
                #[inline(always)]
                |ratio, a, logprob, [low, high]| cispo(ratio, a, logprob, low, high),
            ),
            SurrogateKind::Sapo { .. } => self.blocks(
                outputs,
                true,
                #[inline(always)]
                |ratio, a, _, [low, high]| {
                    let gate = sigmoid(sapo_exponent(ratio, a, low, high));
                    sapo(ratio, gate, a, low, high)
                },
            ),
        }
    }

    /// The loop; `ends` says whether a gradient ends at the limit of the log-ratio.
    #[inline(always)]
    fn blocks(
        self,
        mut outputs: [&mut [f32]; 5],
        ends: bool,
        formula: impl Fn(f32, f32, f32, [f32; 2]) -> TokenLoss<f32>,
    ) {
        let ObjectiveRule { surrogate, wide, penalty } = self.rule;
        let limit = surrogate.log_ratio_limit.map_or(f32::INFINITY, |limit| limit as f32);
        let narrow = bounds(surrogate.kind);
        let wide = wide.map_or(narrow, |range| bounds(surrogate.kind.with_range(range)));
        for start in (0..self.inputs[0].len()).step_by(LANES) {
            let [logprobs, behaviour, advantages, mask, flags, other] =
                self.inputs.map(|input| load(input, start));
            let mut found = [[0.0; LANES]; 5];
            let mut differences = [0.0; LANES];
            for lane in 0..LANES {
                let kept = |value: f32| if mask[lane] > 0.0 { value } else { 0.0 };
                let difference = kept(logprobs[lane] - behaviour[lane]);
                let (logprob, advantage) = (kept(logprobs[lane]), kept(advantages[lane]));
                let pick = |i: usize| if flags[lane] > 0.0 { wide[i] } else { narrow[i] };
                let within = limited(difference, limit);
                let ratio = exp(within);
                let token = formula(ratio, advantage, logprob, [pick(0), pick(1)]);
                let token = if ends { held(token, difference, within) } else { token };
                let token = without_advantage(token, advantage);
                found[0][lane] = token.loss;
                found[1][lane] = token.derivative;
                found[2][lane] = ratio;
                found[3][lane] = token.clip;
                differences[lane] = kept(logprobs[lane] - other[lane]);
            }
            if let Some(penalty) = penalty {
                let [values, slopes] = by_estimator(&differences, penalty);
                for lane in 0..LANES {
                    let counts = mask[lane] > 0.0;
                    found[0][lane] += values[lane];
                    found[1][lane] += if counts { slopes[lane] } else { 0.0 };
                }
                found[4] = values;
            }
            outputs.iter_mut().zip(&found).for_each(|(output, found)| store(output, start, found));
        }
    }
}

/// Penalties and their slopes.
#[inline(always)]
fn by_estimator(differences: &Lanes, penalty: KlPenalty) -> [Lanes; 2] {
    match penalty.estimator {
        KlEstimator::Linear => penalties(differences, penalty, kl_linear),
        KlEstimator::Absolute => penalties(differences, penalty, kl_absolute),
        KlEstimator::Square => penalties(differences, penalty, kl_square),
        KlEstimator::Exponential => penalties(
            differences,
            penalty,
            #[inline(always)]
            |difference| kl_exponential(difference, exp(-difference)),
        ),
    }
}

#[inline(always)]
fn penalties(
    differences: &Lanes,
    penalty: KlPenalty,
    estimate: impl Fn(f32) -> TokenKl<f32>,
) -> [Lanes; 2] {
    let limit = |limit: Option<f64>| limit.map_or(f32::INFINITY, |limit| limit as f32);
    let (exponent, value) = (limit(penalty.exponent_limit), limit(penalty.value_limit));
    let coefficient = penalty.coefficient as f32;
    let [mut values, mut slopes] = [[0.0; LANES]; 2];
    for lane in 0..LANES {
        let within = limited(differences[lane], exponent);
        let found = kl_within(estimate(within), differences[lane], within, value);
        values[lane] = found.value * coefficient;
        slopes[lane] = found.slope * coefficient;
    }
    [values, slopes]
}
