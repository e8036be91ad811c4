//! From the advantage of a completion to the advantage of each of its tokens.

use std::fmt::Debug;

use fireproof_trajectory::TokenView;

/// Spreads the advantage of a completion over its tokens.
pub trait CreditAssignment: Debug + Send + Sync {
    /// One advantage for each token.
    fn assign(&self, advantage: f32, tokens: TokenView<'_>) -> Vec<f32>;
}

/// Every token gets the advantage of its completion: GRPO and most others.
#[derive(Clone, Copy, Debug)]
pub struct EveryToken;

/// Advantage reweighting: `A_t = (alpha p_t + 1 - alpha) A`, with `p_t` the token's probability
/// under the behaviour policy, so that rare tokens train less.
///
/// Source: arXiv 2505.12929 and its released code (confidence HIGH); alpha 0.2 when used alone.
///
/// ```
/// use fireproof_advantage::{CreditAssignment, ProbabilityWeighted};
/// use fireproof_trajectory::TokenView;
/// let tokens = TokenView { logprobs: &[0.0, f32::NEG_INFINITY], entropies: &[0.0; 2] };
/// // Probabilities 1 and 0.
/// assert_eq!(ProbabilityWeighted { alpha: 0.25 }.assign(2.0, tokens), [2.0, 1.5]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ProbabilityWeighted {
    /// From 0 (every token alike) to 1 (in proportion to the probability).
    pub alpha: f32,
}

impl CreditAssignment for EveryToken {
    fn assign(&self, advantage: f32, tokens: TokenView<'_>) -> Vec<f32> {
        vec![advantage; tokens.logprobs.len()]
    }
}

impl CreditAssignment for ProbabilityWeighted {
    fn assign(&self, advantage: f32, tokens: TokenView<'_>) -> Vec<f32> {
        let weight = |logprob: &f32| self.alpha * logprob.exp() + 1.0 - self.alpha;
        tokens.logprobs.iter().map(|logprob| weight(logprob) * advantage).collect()
    }
}
