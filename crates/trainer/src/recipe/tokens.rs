//! Recipes that differ in which tokens train, and how much.

use fireproof_advantage::ProbabilityWeighted;
use fireproof_losses::{ClippedSurrogate, SelfReward};
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

    /// RLPT (arXiv 2602.03195; confidence MED): GRPO on the `k` likeliest tokens at each place alone:
    /// they are sampled from, and both sides of the importance ratio are renormalised over them.
    ///
    /// The paper's `k` is NOT FOUND; it reports that all tokens of successful samples were among the
    /// likeliest 8 and over 99.5 % of reference tokens among the likeliest 32. Departure: the paper
    /// also offers DAPO as the base.
    #[must_use]
    pub fn rlpt(selector: Box<dyn PromptSelector>, k: usize) -> Self {
        Self { top_k: Some(k), ..Self::grpo(selector) }
    }

    /// LaSeR (arXiv 2510.14943; confidence HIGH): GRPO whose policy also learns to judge itself, by
    /// the log-probability of a reserved token right after a completion ([`SelfReward`]).
    ///
    /// `token` must be one that completions never contain where it is scored: after the stop token.
    #[must_use]
    pub fn laser(selector: Box<dyn PromptSelector>, token: u32) -> Self {
        Self { self_reward: Some(SelfReward::new(token)), ..Self::grpo(selector) }
    }

    /// STAPO (arXiv 2602.15620; confidence MED: two readings agree): [`Recipe::dapo`] without rewarded
    /// tokens that were improbable although the policy was certain.
    #[must_use]
    pub fn stapo(selector: Box<dyn PromptSelector>) -> Self {
        Self { passes: vec![Box::new(NotSpurious::default())], ..Self::dapo(selector) }
    }
}
