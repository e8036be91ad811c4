//! The trait of policy losses, the two that stand on the fused kernel, and plain REINFORCE.

use std::fmt::Debug;

use burn::tensor::Tensor;
use fireproof_kernels::{
    CLIP_DUAL, CLIP_HIGH, CLIP_LOW, SurrogateKind, SurrogateRule, policy_surrogate,
};

use crate::batch::PolicyBatch;

/// What must be computed before a loss can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Differentiable entropies of the current policy.
    pub entropies: bool,
    /// Log-probabilities under the reference policy.
    pub reference: bool,
}

/// A policy loss over tokens, written in tensor operations.
///
/// The `Debug` text is part of a recipe's fingerprint, so it must show every setting.
///
/// ```
/// use fireproof_losses::{PolicyBatch, PolicyLoss, Surrogate, SurrogateStats};
///
/// /// Cloning of what was right, whatever the policy has become since: `-max(A, 0) logprob`.
/// #[derive(Debug)]
/// struct CloneTheGood;
///
/// impl PolicyLoss for CloneTheGood {
///     fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
///         let ratio = (batch.logprobs.clone() - batch.behaviour_logprobs.clone()).exp().detach();
///         let loss = -(batch.advantages.clone().clamp_min(0.0) * batch.logprobs.clone());
///         Surrogate { loss, stats: SurrogateStats::unclipped(ratio) }
///     }
/// }
/// ```
pub trait PolicyLoss: Debug + Send + Sync {
    /// The loss of each token, to be minimised, before any weight.
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate;

    /// What the batch must hold beyond log-probabilities.
    fn needs(&self) -> Needs {
        Needs::default()
    }
}

/// Per-token loss with what people log about it.
#[derive(Clone, Debug)]
pub struct Surrogate {
    /// Loss of each token, `[B, T]`.
    pub loss: Tensor<2>,
    /// Statistics, still on the device and without a gradient.
    pub stats: SurrogateStats,
}

/// What a surrogate did to each token, `[B, T]`.
#[derive(Clone, Debug)]
pub struct SurrogateStats {
    /// Importance ratio; 1 where masked.
    pub ratio: Tensor<2>,
    /// `fireproof_kernels::CLIP_*` code.
    pub clip: Tensor<2>,
}

impl SurrogateStats {
    /// Names of the numbers in [`totals`](Self::totals), in order.
    pub const TOTALS: [&'static str; 7] = [
        "tokens",
        "clip_low",
        "clip_high",
        "clip_dual",
        "ratio",
        "kl_behaviour_k1",
        "kl_behaviour_k3",
    ];

    /// Statistics of a loss that clips nothing.
    #[must_use]
    pub fn unclipped(ratio: Tensor<2>) -> Self {
        let clip = ratio.zeros_like();
        Self { ratio, clip }
    }

    /// Sums over the tokens of the batch, `[7]`: their number, how many were clipped low, high and
    /// by the dual clip, the ratio, and `KL(behaviour || policy)` by k1 = `-log R` and
    /// k3 = `R - 1 - log R`.
    ///
    /// The ratio and both KL terms are those of the surrogate, so a limit on its log-ratio shows.
    #[must_use]
    pub fn totals(&self, mask: &Tensor<2>) -> Tensor<1> {
        let outside = mask.clone().lower_equal_scalar(0.0);
        let sum = |tensor: Tensor<2>| tensor.mask_fill(outside.clone(), 0.0).sum();
        let coded = |code: f32| sum(self.clip.clone().equal_scalar(code).float());
        let log = self.ratio.clone().log();
        Tensor::cat(
            vec![
                mask.clone().sum(),
                coded(CLIP_LOW),
                coded(CLIP_HIGH),
                coded(CLIP_DUAL),
                sum(self.ratio.clone()),
                sum(-log.clone()),
                sum(self.ratio.clone() - 1.0 - log),
            ],
            0,
        )
    }
}

/// The clipped importance-ratio surrogate: `-min(R A, clip(R, 1 - low, 1 + high) A)`.
///
/// PPO and GRPO (arXiv 2402.03300) use 0.2 and 0.2; DAPO (arXiv 2503.14476) 0.2 and 0.28. With a
/// dual clip (arXiv 1912.09729; verl's default cap is 3) the loss of a token with `A < 0` is at
/// most `-A cap`, and there is no gradient above it.
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, ClippedSurrogate, PolicyBatch, PolicyLoss};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 3]| Tensor::<2>::from_data([values], &device);
/// let constants = BatchConstants {
///     behaviour_logprobs: row([0.0; 3]),
///     reference_logprobs: None,
///     advantages: row([1.0, 1.0, -1.0]),
///     weights: row([1.0; 3]),
///     mask: row([1.0; 3]),
/// };
/// // Ratios 1.1, 1.5 and 1.5.
/// let batch = PolicyBatch::new(row([1.1f32.ln(), 1.5f32.ln(), 1.5f32.ln()]), None, constants);
/// let loss = ClippedSurrogate::default().surrogate(&batch).loss;
/// let loss: Vec<f32> = loss.into_data().try_to_vec().unwrap();
/// // -1.1, held at -1.2, and not clipped: the bad token has become likelier.
/// for (found, expected) in loss.iter().zip([-1.1, -1.2, 1.5]) {
///     assert!((found - expected).abs() < 1e-5);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClippedSurrogate {
    /// Ratios are clipped below `1 - epsilon_low`.
    pub epsilon_low: f32,
    /// Ratios are clipped above `1 + epsilon_high`.
    pub epsilon_high: f32,
    /// Cap of the hard dual clip, above 1.
    pub dual_clip: Option<f32>,
    /// Limit on the absolute log-ratio (verl 20).
    pub log_ratio_limit: Option<f32>,
}

impl Default for ClippedSurrogate {
    /// 0.2 on both sides, no dual clip, no limit on the log-ratio.
    fn default() -> Self {
        Self { epsilon_low: 0.2, epsilon_high: 0.2, dual_clip: None, log_ratio_limit: None }
    }
}

/// ASPO (arXiv 2510.06062), paper form: for positive advantages the importance ratio is flipped, so
/// that tokens the policy has fallen behind on get a larger weight instead of a smaller one.
///
/// ```text
/// A < 0: weight R,   no gradient if R < 1 - epsilon_low
/// A > 0: weight 1/R, no gradient if R > 1 + epsilon_high
/// d loss / d logprob = -A min(weight, cap)
/// ```
///
/// The dual clip is soft: above the cap the gradient keeps the cap's size instead of vanishing. The
/// released code adds clip ranges by entropy, which are not here. Cap 3 is the released code's; the
/// paper prints no number. Losses of different forms are comparable by gradient only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AspoSurrogate {
    /// Negative advantages: no gradient below `1 - epsilon_low`.
    pub epsilon_low: f32,
    /// Positive advantages: no gradient above `1 + epsilon_high`.
    pub epsilon_high: f32,
    /// Largest weight.
    pub cap: f32,
    /// Limit on the absolute log-ratio.
    pub log_ratio_limit: Option<f32>,
}

impl Default for AspoSurrogate {
    /// 0.2 on both sides, cap 3, log-ratios within ±20.
    fn default() -> Self {
        Self { epsilon_low: 0.2, epsilon_high: 0.2, cap: 3.0, log_ratio_limit: Some(20.0) }
    }
}

/// REINFORCE (Williams 1992) with an importance weight that carries no gradient, and no clip.
///
/// ```text
/// loss = -sg(R) A logprob          d loss / d logprob = -A R
/// ```
///
/// On policy (one update a step) `R = 1` and this is the textbook estimator. In later updates of a
/// step the weight corrects for the parameters having moved, token by token, without any limit on
/// how far. The gradient is that of `-R A`; losses of different forms are comparable by gradient
/// only.
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, PolicyBatch, PolicyLoss, Reinforce};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &device);
/// let constants = BatchConstants {
///     behaviour_logprobs: row([-1.0, -1.0]),
///     reference_logprobs: None,
///     advantages: row([2.0, -1.0]),
///     weights: row([1.0; 2]),
///     mask: row([1.0; 2]),
/// };
/// // On policy: R = 1, so -2 x -1 and 1 x -1.
/// let batch = PolicyBatch::new(row([-1.0, -1.0]), None, constants);
/// let loss: Vec<f32> = Reinforce.surrogate(&batch).loss.into_data().try_to_vec().unwrap();
/// assert_eq!(loss, [2.0, -1.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reinforce;

impl PolicyLoss for Reinforce {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let log_ratio = batch.logprobs.clone().detach() - batch.behaviour_logprobs.clone();
        let ratio = log_ratio.exp();
        let loss = -(ratio.clone() * batch.advantages.clone() * batch.logprobs.clone());
        Surrogate { loss, stats: SurrogateStats::unclipped(ratio) }
    }
}

impl PolicyLoss for ClippedSurrogate {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let Self { epsilon_low, epsilon_high, dual_clip, log_ratio_limit } = *self;
        let kind = SurrogateKind::Clipped { epsilon_low, epsilon_high, dual_clip };
        by_kernel(batch, SurrogateRule { kind, log_ratio_limit })
    }
}

impl PolicyLoss for AspoSurrogate {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let Self { epsilon_low, epsilon_high, cap, log_ratio_limit } = *self;
        let kind = SurrogateKind::Aspo { epsilon_low, epsilon_high, cap };
        by_kernel(batch, SurrogateRule { kind, log_ratio_limit })
    }
}

fn by_kernel(batch: &PolicyBatch, rule: SurrogateRule) -> Surrogate {
    let out = policy_surrogate(
        batch.logprobs.clone(),
        batch.behaviour_logprobs.clone(),
        batch.advantages.clone(),
        batch.mask.clone(),
        rule,
    );
    Surrogate { loss: out.loss, stats: SurrogateStats { ratio: out.ratio, clip: out.clip } }
}
