//! Recipes that differ in which tokens train, and how much.

use fireproof_advantage::ProbabilityWeighted;
use fireproof_losses::ClippedSurrogate;
use fireproof_selection::{HighEntropy, LikelyTokens, NotSpurious, PromptSelector, UnlikelyTokens};

use super::Recipe;

/// The released scripts of advantage reweighting and Lopti clip at 0.2 and 0.24, and at 10.
const LOPTI: ClippedSurrogate = ClippedSurrogate {
    epsilon_low: 0.2,
    epsilon_high: 0.24,
    dual_clip: Some(10.0),
    log_ratio_limit: None,
};

impl Recipe {
    /// Advantage reweighting (arXiv 2505.12929; confidence HIGH): `A (0.2 p + 0.8)` with the token's
    /// probability `p`, so that rare tokens train less.
    ///
    /// Departure: no KL (the released scripts use 0.001).
    #[must_use]
    pub fn advantage_reweighting(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            credit: Box::new(ProbabilityWeighted { alpha: 0.2 }),
            loss: Box::new(LOPTI),
            ..Self::grpo(selector)
        }
    }

    /// Lopti (arXiv 2505.12929; confidence HIGH): two update passes over a step, first the tokens of
    /// probability below one half, then the others.
    ///
    /// Departure: no KL (the released scripts use 0.001).
    #[must_use]
    pub fn lopti(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            loss: Box::new(LOPTI),
            passes: vec![Box::new(UnlikelyTokens::default()), Box::new(LikelyTokens::default())],
            ..Self::grpo(selector)
        }
    }

    /// The 80/20 rule (arXiv 2506.01939; confidence HIGH): [`Recipe::dapo`] on the fifth of the tokens
    /// with the highest entropy.
    #[must_use]
    pub fn high_entropy(selector: Box<dyn PromptSelector>) -> Self {
        Self { passes: vec![Box::new(HighEntropy::default())], ..Self::dapo(selector) }
    }

    /// STAPO (arXiv 2602.15620; confidence MED: two readings agree): [`Recipe::dapo`] without rewarded
    /// tokens that were improbable although the policy was certain.
    #[must_use]
    pub fn stapo(selector: Box<dyn PromptSelector>) -> Self {
        Self { passes: vec![Box::new(NotSpurious::default())], ..Self::dapo(selector) }
    }
}
