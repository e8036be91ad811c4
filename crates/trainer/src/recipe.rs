//! A recipe: an algorithm as a value.

mod name;

use std::fmt;

use fireproof_advantage::{
    AdvantageEstimator, BatchCentered, Centered, CreditAssignment, EveryToken, Focal, LeaveOneOut,
    LinearR, PairWeighted, PromptWeighted, SqrtR, ZScore,
};
use fireproof_losses::{
    AspoSurrogate, ClippedSurrogate, KlPlace, MismatchCorrection, Needs, Penalty, PolicyLoss,
    Reduction, Reinforce,
};
use fireproof_selection::{
    AllTokens, GroupFilter, KeepAll, MixedOutcomes, PromptSelector, TokenSelector,
};

pub use name::RecipeName;
pub use name::UnknownRecipe;

/// An algorithm: one strategy for each decision of a step.
///
/// A new algorithm is a new value; nothing is registered. The named constructors are the built-in
/// ones, each with its formula in its own documentation and a row in the README's table.
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
            .finish()
    }
}

impl Recipe {
    /// GRPO (arXiv 2402.03300): z-score of each group with the sample standard deviation, the
    /// surrogate clipped at 0.2, each completion's mean over its tokens.
    ///
    /// Departures: no KL penalty (add a [`Penalty`]); no dual clip, which verl has on by default.
    #[must_use]
    pub fn grpo(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            selector,
            filter: Box::new(KeepAll),
            estimator: Box::new(ZScore::default()),
            credit: Box::new(EveryToken),
            loss: Box::new(ClippedSurrogate::default()),
            reduction: Reduction::SequenceMean,
            penalties: Vec::new(),
            passes: vec![Box::new(AllTokens)],
            generation_batches: 1,
            mismatch: None,
        }
    }

    /// Dr.GRPO (arXiv 2503.20783): rewards centred on the group's mean without a scale, and the
    /// tokens' losses summed and divided by a constant, so that neither a group's spread nor a
    /// completion's length changes a token's pull.
    ///
    /// `length` is the constant, usually the limit on completion tokens (the paper's 3000); the sum
    /// is also divided by the number of completions, as TRL and verl do.
    #[must_use]
    pub fn dr_grpo(selector: Box<dyn PromptSelector>, length: usize) -> Self {
        Self {
            estimator: Box::new(Centered),
            reduction: Reduction::Constant { length, per_sequence: true },
            ..Self::grpo(selector)
        }
    }

    /// DAPO (arXiv 2503.14476): GRPO with the upper clip at 0.28, every token of an update alike,
    /// and groups of one outcome left out.
    ///
    /// Departures: groups that are left out are not replaced by generating more (the paper fills the
    /// batch up); no overlong shaping of the reward, because a truncated completion counts as wrong
    /// here.
    #[must_use]
    pub fn dapo(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            filter: Box::new(MixedOutcomes),
            loss: Box::new(ClippedSurrogate { epsilon_high: 0.28, ..ClippedSurrogate::default() }),
            reduction: Reduction::TokenMean,
            ..Self::grpo(selector)
        }
    }

    /// RLOO (arXiv 2402.14740): the mean of the *other* completions as baseline, and a completion's
    /// tokens summed, because the whole completion is the action.
    ///
    /// Departures: the clip at 0.2 of [`Recipe::grpo`], token by token, which matters from the
    /// second update of a step on (the paper is on policy); no KL in the reward (the paper has 0.03:
    /// add a [`Penalty`]).
    #[must_use]
    pub fn rloo(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            estimator: Box::new(LeaveOneOut),
            reduction: Reduction::SequenceSum,
            ..Self::grpo(selector)
        }
    }

    /// REINFORCE (Williams 1992): the mean reward of the step as baseline, no clip, a completion's
    /// tokens summed.
    ///
    /// Departure: tokens carry the importance ratio as a weight without a gradient ([`Reinforce`]),
    /// so that the later updates of a step aim at the same objective; with one update a step this is
    /// the textbook estimator. Not REINFORCE++, which whitens over the batch and has a KL.
    #[must_use]
    pub fn reinforce(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            estimator: Box::new(BatchCentered),
            loss: Box::new(Reinforce),
            reduction: Reduction::SequenceSum,
            ..Self::grpo(selector)
        }
    }

    /// Linear-R prompt weighting (arXiv 2602.11128): a right completion gets `(1-rho)/rho`, a wrong
    /// one -1, so prompts with rare successes pull hardest. All-wrong groups are pushed down from
    /// the first step; see [`PromptWeighted`] for dropping or warming them up.
    ///
    /// Departures: the surrogate is clipped at 0.2 as in [`Recipe::grpo`], which matters from the
    /// second update of a step on; the paper's analysis is of one on-policy update a step.
    #[must_use]
    pub fn linear_r(selector: Box<dyn PromptSelector>) -> Self {
        Self { estimator: Box::new(PromptWeighted::new(LinearR)), ..Self::grpo(selector) }
    }

    /// Sqrt-R prompt weighting (arXiv 2602.11128): a right completion gets `sqrt(1-rho)/rho`, a wrong
    /// one `-1/sqrt(1-rho)`: between GRPO and [`Recipe::linear_r`].
    ///
    /// Departure: the clip, as in [`Recipe::linear_r`].
    #[must_use]
    pub fn sqrt_r(selector: Box<dyn PromptSelector>) -> Self {
        Self { estimator: Box::new(PromptWeighted::new(SqrtR)), ..Self::grpo(selector) }
    }

    /// Weighted GRPO (arXiv 2602.03452): the z-score of each group, right completions times 1 and
    /// wrong ones times 1/2.
    ///
    /// The paper's weight of wrong completions is NOT FOUND; 1/2 is our choice, so that the recipe
    /// differs from [`Recipe::grpo`] at all ([`PairWeighted`] says why the weight acts after the
    /// normalisation). Departure: the paper draws positive-negative pairs of prompts; here the
    /// selector is whatever is given.
    #[must_use]
    pub fn wgrpo(selector: Box<dyn PromptSelector>) -> Self {
        let weighted = PairWeighted { lambda_negative: 0.5, ..PairWeighted::default() };
        Self { estimator: Box::new(weighted), ..Self::grpo(selector) }
    }

    /// F-GRPO (arXiv 2602.06717): GRPO's advantage times `(1-rho)^0.5`, so easy prompts pull less.
    ///
    /// Departure: everything else is as in [`Recipe::grpo`], so there is no KL penalty.
    #[must_use]
    pub fn f_grpo(selector: Box<dyn PromptSelector>) -> Self {
        Self { estimator: Box::new(Focal::new(ZScore::default())), ..Self::grpo(selector) }
    }

    /// ASPO (arXiv 2510.06062), paper form with epsilon 0.2 and cap 3: GRPO with the importance
    /// ratio of positive tokens flipped. On policy (one update a step) it equals GRPO.
    ///
    /// Departures: no KL penalty (the released scripts use k3 with 0.001) and no rejection of
    /// constant groups (add the filter `MixedOutcomes`).
    #[must_use]
    pub fn aspo(selector: Box<dyn PromptSelector>) -> Self {
        Self { loss: Box::new(AspoSurrogate::default()), ..Self::grpo(selector) }
    }

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
