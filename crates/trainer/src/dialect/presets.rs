//! The frameworks' defaults.

use fireproof_advantage::{AllEqual, Arithmetic, Baseline, Ddof, Scale, Singleton, ZScore};
use fireproof_losses::{
    AspoSurrogate, ClippedSurrogate, CountedRows, Denominators, Divergence, DivergenceMasked, Kl,
    KlGuard, RatioLevel, Reduction,
};

use super::{AdvantageRule, Dialect, RatioAgainst, TokenLoss};

/// `torch.std` in f32, and what a division by it gives for constant rewards.
const TORCH: ZScore =
    ZScore { all_equal: AllEqual::Divide, arithmetic: Arithmetic::Single, ..ZScore::DEFAULT };

/// A lone completion has mean 0 and deviation 1.
const TORCH_VERL: ZScore = ZScore { singleton: Singleton::Reward, ..TORCH };

const CLIP: ClippedSurrogate = ClippedSurrogate {
    epsilon_low: 0.2,
    epsilon_high: 0.2,
    dual_clip: None,
    log_ratio_limit: None,
};

const GUARDED: ClippedSurrogate = ClippedSurrogate { log_ratio_limit: Some(20.0), ..CLIP };

const PLAIN_KL: KlGuard =
    KlGuard { exponent_limit: None, value_limit: None, times_ratio: None, gradient: None };

/// `low_var_kl` of verl, SkyRL and NeMo-RL.
const CLAMPED_KL: KlGuard =
    KlGuard { exponent_limit: Some(20.0), value_limit: Some(10.0), ..PLAIN_KL };

const ALL_ROWS: Denominators = Denominators { rows: CountedRows::All, ..Denominators::EXACT };

impl Dialect {
    /// This library's: two passes in f64, constant rewards exactly 0 by comparison, a lone completion
    /// 0, no guard and no dual clip, each completion's mean over its tokens ([`Recipe::grpo`]), k3
    /// without clamps.
    ///
    /// [`Recipe::grpo`]: crate::Recipe::grpo
    pub const FIREPROOF: Self = Self {
        advantage: AdvantageRule::ZScore(ZScore::DEFAULT),
        against: RatioAgainst::Behaviour,
        loss: TokenLoss::Clipped(CLIP),
        drift: 0.0,
        reduction: Reduction::SequenceMean,
        denominators: Denominators::EXACT,
        kl: Kl::K3,
        kl_guard: PLAIN_KL,
    };

    /// verl 0.9.1, `verl/trainer/ppo/core_algos.py`: `compute_grpo_outcome_advantage`,
    /// `compute_policy_loss_vanilla`, `agg_loss`, `kl_penalty`.
    ///
    /// Log-ratios within ±20, dual clip 3, token-mean. With seq-mean-token-mean it adds 1e-8 to a
    /// completion's tokens. seq-mean-token-sum-norm is `Reduction::Constant` with `per_sequence`
    /// since August 2026 (commit 1dda039, as in 0.9.1) and without before (commit b178a3c).
    pub const VERL: Self = Self {
        advantage: AdvantageRule::ZScore(TORCH_VERL),
        loss: TokenLoss::Clipped(ClippedSurrogate { dual_clip: Some(3.0), ..GUARDED }),
        reduction: Reduction::TokenMean,
        kl_guard: CLAMPED_KL,
        ..Self::FIREPROOF
    };

    /// verl, `compute_grpo_vectorized_outcome_advantage` with `verl/utils/groupwise.py`: the variance
    /// is at least 1e-6.
    ///
    /// Version 0.9.1 calls `group_mean_std` with `eps=0.0`, which takes the floor away again; there
    /// the numbers are [`Dialect::VERL`]'s.
    pub const VERL_VECTORIZED: Self = Self {
        advantage: AdvantageRule::ZScore(ZScore { variance_floor: 1e-6, ..TORCH_VERL }),
        ..Self::VERL
    };

    /// TRL 1.16.0, `trl/trainer/grpo_trainer.py`: `_generate_and_score_completions`,
    /// `_compute_loss`, with `loss_type="dapo"` and `scale_rewards="group"`.
    ///
    /// Epsilon 1e-4; k3 times the ratio (`use_bias_correction_kl`, off in earlier versions). Means over
    /// completions divide by all rows, empty ones too. Its `delta` is the dual clip.
    pub const TRL: Self = Self {
        advantage: AdvantageRule::ZScore(ZScore { epsilon: 1e-4, ..TORCH }),
        reduction: Reduction::TokenMean,
        denominators: ALL_ROWS,
        kl_guard: KlGuard { times_ratio: Some(RatioLevel::Token), ..PLAIN_KL },
        ..Self::FIREPROOF
    };

    /// Liger 0.8.5, `liger_kernel/chunked_loss/grpo_loss.py`: TRL's losses, with the plain k3 by
    /// default. It takes advantages as they are; these are TRL's.
    pub const LIGER: Self = Self { kl_guard: PLAIN_KL, ..Self::TRL };

    /// OpenRLHF (August 2026), `openrlhf/models/loss.py: PolicyLoss` and
    /// `openrlhf/trainer/ppo_utils/experience_maker.py` with `group_norm`.
    ///
    /// Epsilon 1e-9, log-ratios within ±20, token mean, every estimate of the KL within ±10. A lone
    /// completion has no deviation there (NaN); here it gets 0.
    pub const OPENRLHF: Self = Self {
        advantage: AdvantageRule::ZScore(ZScore { epsilon: 1e-9, ..TORCH }),
        loss: TokenLoss::Clipped(GUARDED),
        reduction: Reduction::TokenMean,
        kl_guard: KlGuard { value_limit: Some(10.0), ..PLAIN_KL },
        ..Self::FIREPROOF
    };

    /// Archer2.0 (commit b08d963), `compute_policy_loss_archer`: verl's advantages, ASPO's flipped
    /// ratio, 1e-8 added to the number of tokens.
    ///
    /// Departure: every token has the range 0.2; there the most uncertain fifth of a completion has
    /// 0.4, and a batch has no entropies.
    pub const ARCHER: Self = Self {
        loss: TokenLoss::Flipped(AspoSurrogate {
            epsilon_low: 0.2,
            epsilon_high: 0.2,
            cap: 3.0,
            log_ratio_limit: Some(20.0),
            entropy_split: None,
        }),
        denominators: Denominators { token_epsilon: 1e-8, ..Denominators::EXACT },
        ..Self::VERL
    };

    /// slime (August 2026), `slime/ray/rollout.py: _post_process_rewards`,
    /// `slime/utils/ppo_utils.py`: means of completions over the global batch, k3 within ±10.
    pub const SLIME: Self = Self {
        advantage: AdvantageRule::ZScore(TORCH),
        denominators: ALL_ROWS,
        kl_guard: KlGuard { value_limit: Some(10.0), ..PLAIN_KL },
        ..Self::FIREPROOF
    };

    /// NeMo-RL (August 2026), `nemo_rl/algorithms/utils.py:
    /// calculate_baseline_and_std_per_prompt`, `nemo_rl/algorithms/loss_functions.py:
    /// ClippedPGLossFn`.
    ///
    /// Baseline and deviation of the *other* completions, by the one-pass formula in f32; where that
    /// deviation is 0 nothing is divided, so the only right completion of a group keeps
    /// `r - baseline`. Adds 1e-8 to numbers of tokens and completions.
    pub const NEMO_RL: Self = Self {
        advantage: AdvantageRule::ZScore(ZScore {
            baseline: Baseline::LeaveOneOut,
            scale: Scale::LeaveOneOut,
            arithmetic: Arithmetic::SingleOnePass,
            ..TORCH
        }),
        reduction: Reduction::TokenMean,
        denominators: Denominators {
            token_epsilon: 1e-8,
            row_epsilon: 1e-8,
            ..Denominators::EXACT
        },
        kl_guard: CLAMPED_KL,
        ..Self::FIREPROOF
    };

    /// SkyRL (August 2026), `skyrl_train/utils/ppo_utils.py`: verl's advantages and clamps without
    /// the dual clip; it folds the denominator into the advantages, which changes no number.
    pub const SKYRL: Self = Self { loss: TokenLoss::Clipped(GUARDED), ..Self::VERL };

    /// AReaL (August 2026), `areal/utils/data.py: Normalization`, `areal/utils/functional.py:
    /// ppo_actor_loss_fn`: mean and deviation of the whole batch in f64, epsilon 1e-5.
    ///
    /// Both can be set to the group; then the numbers are a group's with epsilon 1e-5.
    pub const AREAL: Self = Self {
        advantage: AdvantageRule::ZScore(ZScore {
            baseline: Baseline::Step,
            scale: Scale::Step,
            epsilon: 1e-5,
            arithmetic: Arithmetic::Double,
            ..TORCH_VERL
        }),
        reduction: Reduction::TokenMean,
        ..Self::FIREPROOF
    };

    /// open-instruct (August 2026), `open_instruct/data_loader.py`, `open_instruct/grpo_utils.py`:
    /// rewards centred on the group's mean, clip 0.2 and 0.272, log-ratios within ±10, within ±40 for
    /// the KL.
    pub const OPEN_INSTRUCT: Self = Self {
        advantage: AdvantageRule::Centered,
        loss: TokenLoss::Clipped(ClippedSurrogate {
            epsilon_high: 0.272,
            log_ratio_limit: Some(10.0),
            ..CLIP
        }),
        reduction: Reduction::TokenMean,
        kl_guard: KlGuard { exponent_limit: Some(40.0), ..PLAIN_KL },
        ..Self::FIREPROOF
    };

    /// open-instruct with `"standard"` advantages: NumPy's deviation (ddof 0), epsilon 1e-8.
    pub const OPEN_INSTRUCT_STANDARD: Self = Self {
        advantage: AdvantageRule::ZScore(ZScore {
            ddof: Ddof::Population,
            epsilon: 1e-8,
            arithmetic: Arithmetic::Double,
            ..TORCH
        }),
        ..Self::OPEN_INSTRUCT
    };

    /// prime-rl (August 2026), `orchestrator/algo/grpo.py`, `trainer/rl/loss.py`: centred rewards; a
    /// token whose probability has moved outward by more than 0.2 does not train; `1e-3` times the
    /// squared log-ratio. The ratio is against the sampler.
    ///
    /// Departure: its value is `-A R` and here `-A R logprob` with `R` held; the gradient is the same.
    pub const PRIME_RL: Self = Self {
        advantage: AdvantageRule::Centered,
        loss: TokenLoss::Divergence(DivergenceMasked {
            divergence: Divergence::TotalVariation { low: 0.2, high: 0.2 },
            cap: f64::INFINITY,
            log_ratio_limit: None,
        }),
        drift: 1e-3,
        reduction: Reduction::TokenMean,
        ..Self::FIREPROOF
    };

    /// prime-rl with `max_rl`: `(r - mean) / mean`.
    pub const PRIME_RL_MAX_RL: Self =
        Self { advantage: AdvantageRule::RelativeToMean, ..Self::PRIME_RL };

    /// tinker-cookbook (August 2026), `rl/data_processing.py` with the loss `ppo`: centred rewards,
    /// ratios from 0.8 to 1.2, and the sum over all tokens of the batch, divided by nothing.
    pub const TINKER: Self = Self {
        advantage: AdvantageRule::Centered,
        reduction: Reduction::Constant { length: 1, per_sequence: false },
        ..Self::FIREPROOF
    };

    /// torchforge (November 2025), `losses/grpo_loss.py`: epsilon 1e-4, the ratio `exp(l - sg l)`,
    /// mean over completions of means. A lone completion gives NaN there and 0 here.
    pub const TORCHFORGE: Self = Self {
        advantage: AdvantageRule::ZScore(ZScore { epsilon: 1e-4, ..TORCH }),
        against: RatioAgainst::Current,
        loss: TokenLoss::Reinforce,
        denominators: ALL_ROWS,
        ..Self::FIREPROOF
    };

    /// nano-aha-moment and GRPO-Zero (2025): NumPy's deviation with epsilon 1e-4, REINFORCE, token
    /// mean over the step.
    pub const NANO_AHA: Self = Self {
        advantage: AdvantageRule::ZScore(ZScore {
            ddof: Ddof::Population,
            epsilon: 1e-4,
            arithmetic: Arithmetic::Double,
            ..TORCH
        }),
        against: RatioAgainst::Current,
        loss: TokenLoss::Reinforce,
        reduction: Reduction::TokenMean,
        ..Self::FIREPROOF
    };

    /// nanochat (August 2026), `scripts/chat_rl.py`: centred rewards, REINFORCE, token mean.
    pub const NANOCHAT: Self = Self { advantage: AdvantageRule::Centered, ..Self::NANO_AHA };

    /// RLOO (arXiv 2402.14740), as verl's estimator of that name: the mean of the others as baseline,
    /// with verl's loss. A lone completion gets 0, as in verl's vectorised form; the other gives its
    /// reward.
    pub const RLOO: Self = Self { advantage: AdvantageRule::LeaveOneOut, ..Self::VERL };

    /// Dr.GRPO (arXiv 2503.20783), as TRL's `dr_grpo` and oat's: centred rewards, the sum of all
    /// tokens divided by completions and by `length`, usually the limit on completion tokens.
    #[must_use]
    pub const fn dr_grpo(length: usize) -> Self {
        Self {
            advantage: AdvantageRule::Centered,
            reduction: Reduction::Constant { length, per_sequence: true },
            denominators: ALL_ROWS,
            ..Self::FIREPROOF
        }
    }
}
