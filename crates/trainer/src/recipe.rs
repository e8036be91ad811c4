//! A recipe: an algorithm as a value.

mod estimators;
mod losses;
mod name;
mod selector_name;
mod tokens;
mod weights;

use std::fmt;

use fireproof_advantage::{AdvantageEstimator, CreditAssignment};
use fireproof_losses::{
    KlPlace, MismatchCorrection, Needs, Penalty, PolicyLoss, Reduction, SelfReward,
};
use fireproof_selection::{GroupFilter, PromptSelector, TokenSelector};

pub use name::RecipeName;
pub use name::UnknownRecipe;
pub use selector_name::SelectorName;
pub use selector_name::UnknownSelector;

/// An algorithm: one strategy for each decision of a step.
///
/// A new algorithm is a new value; nothing is registered. The named constructors are the built-in
/// ones: each says what it puts together, its source and its departures, and has a row in the
/// README's table. All start from [`Recipe::grpo`] and change what their paper changes, so that two
/// of them differ in nothing else.
pub struct Recipe {
    /// Which prompts a step generates for.
    pub selector: Box<dyn PromptSelector>,
    /// Which groups train.
    pub filter: Box<dyn GroupFilter>,
    /// Rewards to advantages.
    pub estimator: Box<dyn AdvantageEstimator>,
    /// Advantages to tokens.
    pub credit: Box<dyn CreditAssignment>,
    /// The loss of each token.
    pub loss: Box<dyn PolicyLoss>,
    /// The share of each token.
    pub reduction: Reduction,
    /// Terms beside the loss.
    pub penalties: Vec<Penalty>,
    /// One update pass over the step's completions for each entry, on the tokens that it selects.
    pub passes: Vec<Box<dyn TokenSelector>>,
    /// How often a step may select and generate until enough groups pass the filter (dynamic
    /// sampling); with 1 what the filter drops is not replaced. If the bound is reached with fewer,
    /// the step trains on those.
    pub generation_batches: usize,
    /// Weights against a sampler whose log-probabilities are not the trainer's.
    pub mismatch: Option<MismatchCorrection>,
    /// Tokens are drawn from so many of the likeliest alone, and scored among those alone, so that
    /// the importance ratio compares like with like (RLPT); all tokens if absent. Evaluations draw
    /// from all.
    pub top_k: Option<usize>,
    /// Lets the policy learn to judge itself, beside the loss (LaSeR).
    pub self_reward: Option<SelfReward>,
}

impl fmt::Debug for Recipe {
    /// Every setting and nothing learned: the text is the recipe's fingerprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe")
            .field("selector", &self.selector)
            .field("filter", &self.filter)
            .field("estimator", &self.estimator)
            .field("credit", &self.credit)
            .field("loss", &self.loss)
            .field("reduction", &self.reduction)
            .field("penalties", &self.penalties)
            .field("passes", &self.passes)
            .field("generation_batches", &self.generation_batches)
            .field("mismatch", &self.mismatch)
            .field("top_k", &self.top_k)
            .field("self_reward", &self.self_reward)
            .finish()
    }
}

impl Recipe {
    /// Every setting as text. A checkpoint stores it, and resuming compares it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{self:#?}")
    }

    /// What must be computed beyond log-probabilities.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.penalties.iter().map(Penalty::needs).fold(self.loss.needs(), Needs::and)
    }

    /// True if a KL enters there.
    pub(crate) fn has_penalty_in(&self, wanted: KlPlace) -> bool {
        let enters = |penalty: &Penalty| matches!(penalty, Penalty::ReferenceKl { place, .. } if *place == wanted);
        self.penalties.iter().any(enters)
    }

    /// What each token takes from its completion's reward.
    pub(crate) fn reward_costs(&self, logprobs: &[f32], reference: &[f32]) -> Vec<f32> {
        self.costs(KlPlace::Reward, logprobs, reference)
    }

    /// What each token costs by itself, for credit assignment.
    pub(crate) fn token_costs(&self, logprobs: &[f32], reference: &[f32]) -> Vec<f32> {
        self.costs(KlPlace::TokenReward, logprobs, reference)
    }

    fn costs(&self, wanted: KlPlace, logprobs: &[f32], reference: &[f32]) -> Vec<f32> {
        let mut costs = vec![0.0; logprobs.len()];
        for penalty in &self.penalties {
            if let Penalty::ReferenceKl { estimator, guard, coefficient, place } = *penalty
                && place == wanted
            {
                for ((cost, own), other) in costs.iter_mut().zip(logprobs).zip(reference) {
                    *cost += coefficient as f32 * guard.of(estimator, *own, *other);
                }
            }
        }
        costs
    }
}
