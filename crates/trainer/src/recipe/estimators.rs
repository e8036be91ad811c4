//! Recipes that differ in how rewards become advantages.

use fireproof_advantage::{
    BatchCentered, Centered, EveryToken, LeaveOneOut, PassAtK, PositiveReward, RawReward,
    RelativeToMean, RewardIfMixed, WhitenedReturns, ZScore,
};
use fireproof_losses::{ClippedSurrogate, Kl, KlGuard, KlPlace, Penalty, Reduction, Reinforce};
use fireproof_selection::{AllTokens, KeepAll, MixedOutcomes, PromptSelector};

use super::Recipe;

impl Recipe {
    /// GRPO (arXiv 2402.03300): z-score of each group with the sample standard deviation, the
    /// surrogate clipped at 0.2, each completion's mean over its tokens.
    ///
    /// Departures: no KL penalty (add a [`Penalty`](fireproof_losses::Penalty)); no dual clip, which verl has on by default.
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
            top_k: None,
            self_reward: None,
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

    /// RLOO (arXiv 2402.14740): the mean of the *other* completions as baseline, and a completion's
    /// tokens summed, because the whole completion is the action.
    ///
    /// Departures: the clip at 0.2 of [`Recipe::grpo`], token by token, which matters from the
    /// second update of a step on (the paper is on policy); no KL in the reward (the paper has 0.03:
    /// add a [`Penalty`](fireproof_losses::Penalty)).
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
    /// the textbook estimator. [`Recipe::reinforce_pp`]
    /// whitens over the batch and has a KL.
    #[must_use]
    pub fn reinforce(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            estimator: Box::new(BatchCentered),
            loss: Box::new(Reinforce),
            reduction: Reduction::SequenceSum,
            ..Self::grpo(selector)
        }
    }

    /// REINFORCE++ (arXiv 2501.03262; confidence HIGH): the reward minus a KL at each token, summed
    /// from each token on and whitened over all tokens of the step; no group baseline.
    ///
    /// `-0.01 k1` is each token's KL; the paper's coefficient is NOT FOUND, 0.01 is our choice.
    /// Departure: the clip and the reduction are [`Recipe::dapo`]'s token mean with 0.2, verl's
    /// default.
    #[must_use]
    pub fn reinforce_pp(selector: Box<dyn PromptSelector>) -> Self {
        let kl = Penalty::ReferenceKl {
            estimator: Kl::K1,
            guard: KlGuard::default(),
            coefficient: 0.01,
            place: KlPlace::TokenReward,
        };
        Self {
            estimator: Box::new(RawReward),
            credit: Box::new(WhitenedReturns::default()),
            reduction: Reduction::TokenMean,
            penalties: vec![kl],
            ..Self::grpo(selector)
        }
    }

    /// REINFORCE++-baseline (arXiv 2501.03262; confidence HIGH): rewards centred on their group, then
    /// whitened over all tokens of the step.
    ///
    /// Departure: no KL (the paper has k2 in the loss: add a
    /// [`Penalty`](fireproof_losses::Penalty)).
    #[must_use]
    pub fn reinforce_pp_baseline(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            estimator: Box::new(Centered),
            credit: Box::new(WhitenedReturns::default()),
            reduction: Reduction::TokenMean,
            ..Self::grpo(selector)
        }
    }

    /// MaxRL (arXiv 2602.02710, and prime-rl): `(r - mean) / mean`, 0 where the mean is not positive. With binary
    /// rewards it is the prompt weighting Linear-R without its all-wrong term.
    #[must_use]
    pub fn max_rl(selector: Box<dyn PromptSelector>) -> Self {
        Self { estimator: Box::new(RelativeToMean), ..Self::grpo(selector) }
    }

    /// RAFT (arXiv 2504.11343; confidence HIGH): the likelihood of the right completions, nothing of
    /// the wrong ones.
    ///
    /// Departure: tokens carry the importance ratio as a weight without a gradient, as in
    /// [`Recipe::reinforce`]; with one update a step it is 1.
    #[must_use]
    pub fn raft(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            estimator: Box::new(PositiveReward),
            loss: Box::new(Reinforce),
            ..Self::grpo(selector)
        }
    }

    /// RAFT++ (arXiv 2504.11343; confidence HIGH): [`Recipe::raft`] with the importance ratio and the
    /// clip at 0.2.
    ///
    /// Departure: no KL (the released scripts use 0.001).
    #[must_use]
    pub fn raft_pp(selector: Box<dyn PromptSelector>) -> Self {
        Self { estimator: Box::new(PositiveReward), ..Self::grpo(selector) }
    }

    /// Reinforce-Rej (arXiv 2504.11343; confidence HIGH): the raw reward of groups with both
    /// outcomes; all-right and all-wrong groups are dropped, without a baseline or a scale.
    ///
    /// Departure: no KL (the released scripts use 0.001).
    #[must_use]
    pub fn reinforce_rej(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            filter: Box::new(MixedOutcomes),
            estimator: Box::new(RewardIfMixed),
            ..Self::grpo(selector)
        }
    }

    /// Pass@k training (arXiv 2508.10751): the closed-form advantage of drawing `k` completions and
    /// keeping the best; [`PassAtK`] has formula and confidence.
    #[must_use]
    pub fn pass_at_k(selector: Box<dyn PromptSelector>, k: usize) -> Self {
        Self { estimator: Box::new(PassAtK { k }), ..Self::grpo(selector) }
    }
}
