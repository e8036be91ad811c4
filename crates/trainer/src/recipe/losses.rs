//! Recipes that differ in the loss of a token.

use fireproof_advantage::Centered;
use fireproof_losses::{
    AspoSurrogate, ClippedSurrogate, ClippedWeight, CovarianceClipped, CovarianceKl, Divergence,
    DivergenceMasked, EntropySplit, GeometricMean, NegativeAware, PrefixMinimum, Reduction,
    SequenceGradient, SequenceRatio, SoftGate,
};
use fireproof_selection::{MixedOutcomes, PromptSelector};

use super::Recipe;

impl Recipe {
    /// DAPO (arXiv 2503.14476; confidence HIGH): GRPO with the upper clip at 0.28, every token of an
    /// update alike, and dynamic sampling: groups of one outcome are left out, and up to ten times a
    /// step more prompts are drawn until there are enough groups.
    ///
    /// Departures: where ten batches are not enough the step trains on what there is (verl stops the
    /// run); no overlong shaping, because a truncated completion counts as wrong here (wrap the
    /// estimator into `OverlongShaped` for it, and set `judge_truncated`).
    #[must_use]
    pub fn dapo(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            filter: Box::new(MixedOutcomes),
            loss: Box::new(ClippedSurrogate { epsilon_high: 0.28, ..ClippedSurrogate::default() }),
            reduction: Reduction::TokenMean,
            generation_batches: 10,
            ..Self::grpo(selector)
        }
    }

    /// ASPO (arXiv 2510.06062; confidence HIGH), paper form with epsilon 0.2 and cap 3: GRPO with the
    /// importance ratio of positive tokens flipped. On policy (one update a step) it equals GRPO.
    ///
    /// Departures: no KL penalty (the released scripts use k3 with 0.001) and no rejection of
    /// constant groups (add the filter `MixedOutcomes`).
    #[must_use]
    pub fn aspo(selector: Box<dyn PromptSelector>) -> Self {
        Self { loss: Box::new(AspoSurrogate::default()), ..Self::grpo(selector) }
    }

    /// ASPO as its released code has it (arXiv 2510.06062; confidence HIGH): the fifth of a
    /// completion's tokens with the highest entropy has the range 0.4 instead of 0.2.
    ///
    /// Departures: as [`Recipe::aspo`].
    #[must_use]
    pub fn aspo_released(selector: Box<dyn PromptSelector>) -> Self {
        let entropy_split = Some(EntropySplit::default());
        let loss = AspoSurrogate { entropy_split, ..AspoSurrogate::default() };
        Self { loss: Box::new(loss), ..Self::grpo(selector) }
    }

    /// CISPO (arXiv 2506.13585; confidence HIGH): no token loses its gradient, the ratio is a weight
    /// of at most 5; every token of an update alike.
    ///
    /// The paper prints no bound; 5 is ScaleRL's and TRL's.
    #[must_use]
    pub fn cispo(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            loss: Box::new(ClippedWeight::default()),
            reduction: Reduction::TokenMean,
            ..Self::grpo(selector)
        }
    }

    /// GSPO (arXiv 2507.18071; confidence HIGH): one ratio a completion, clipped at 3e-4 and 4e-4.
    #[must_use]
    pub fn gspo(selector: Box<dyn PromptSelector>) -> Self {
        Self { loss: Box::new(SequenceRatio::default()), ..Self::grpo(selector) }
    }

    /// GSPO-token (arXiv 2507.18071; confidence HIGH): the completion's ratio with each token's own
    /// gradient. It differs from [`Recipe::gspo`] only where a completion's tokens differ in
    /// advantage or share.
    #[must_use]
    pub fn gspo_token(selector: Box<dyn PromptSelector>) -> Self {
        let loss = SequenceRatio { gradient: SequenceGradient::Token, ..SequenceRatio::default() };
        Self { loss: Box::new(loss), ..Self::grpo(selector) }
    }

    /// GMPO (arXiv 2507.20673; confidence HIGH): the geometric mean of a completion's ratios, each
    /// clipped at 0.4 in log space.
    #[must_use]
    pub fn gmpo(selector: Box<dyn PromptSelector>) -> Self {
        Self { loss: Box::new(GeometricMean::default()), ..Self::grpo(selector) }
    }

    /// SAPO (arXiv 2511.20347; confidence HIGH): a soft gate in place of the clip.
    #[must_use]
    pub fn sapo(selector: Box<dyn PromptSelector>) -> Self {
        Self { loss: Box::new(SoftGate::default()), ..Self::grpo(selector) }
    }

    /// DPPO (arXiv 2602.04879; confidence HIGH) with the binary total variation within 0.2.
    #[must_use]
    pub fn dppo(selector: Box<dyn PromptSelector>) -> Self {
        Self { loss: Box::new(DivergenceMasked::default()), ..Self::grpo(selector) }
    }

    /// DPPO (arXiv 2602.04879; confidence HIGH) with the binary KL within 0.05.
    #[must_use]
    pub fn dppo_kl(selector: Box<dyn PromptSelector>) -> Self {
        let divergence = Divergence::BinaryKl { limit: 0.05 };
        let loss = DivergenceMasked { divergence, ..DivergenceMasked::default() };
        Self { loss: Box::new(loss), ..Self::grpo(selector) }
    }

    /// MinPRO (arXiv 2601.22718; DERIVED/MED): a token's ratio together with the least ratio before
    /// it, clipped at 0.2. [`PrefixMinimum`] says what is NOT FOUND.
    #[must_use]
    pub fn minpro(selector: Box<dyn PromptSelector>) -> Self {
        Self { loss: Box::new(PrefixMinimum::default()), ..Self::grpo(selector) }
    }

    /// NFT (arXiv 2505.18116; confidence HIGH): supervised likelihood of right completions and of the
    /// implicit negative policy of wrong ones, with dynamic sampling as in [`Recipe::dapo`].
    ///
    /// The loss does not look at advantages (they are still computed, for the report). Departure: the
    /// released code divides the sum over tokens by 1000; here it is divided by `length` and by the
    /// number of completions, so that the learning rate of other recipes fits.
    #[must_use]
    pub fn nft(selector: Box<dyn PromptSelector>, length: usize) -> Self {
        Self {
            filter: Box::new(MixedOutcomes),
            estimator: Box::new(Centered),
            loss: Box::new(NegativeAware::default()),
            reduction: Reduction::Constant { length, per_sequence: true },
            generation_batches: 10,
            ..Self::grpo(selector)
        }
    }

    /// Clip-Cov (arXiv 2505.22617; confidence HIGH): one token in five thousand, drawn from those of
    /// high covariance, does not train.
    #[must_use]
    pub fn clip_cov(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            loss: Box::new(CovarianceClipped::default()),
            reduction: Reduction::TokenMean,
            ..Self::grpo(selector)
        }
    }

    /// KL-Cov (arXiv 2505.22617; confidence HIGH): no clip; the one token in five thousand with the
    /// highest covariance pays for moving.
    #[must_use]
    pub fn kl_cov(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            loss: Box::new(CovarianceKl::default()),
            reduction: Reduction::TokenMean,
            ..Self::grpo(selector)
        }
    }
}
