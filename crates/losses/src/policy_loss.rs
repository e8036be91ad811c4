//! The trait of policy losses and what a loss tells about its tokens.

use std::fmt::Debug;

use burn::tensor::{Bool, Tensor};
use fireproof_kernels::{CLIP_HIGH, CLIP_LOW, surrogate_totals};

use crate::batch::PolicyBatch;
use crate::surrogate::FusedSurrogate;
use crate::update::{TokenField, UpdateView};

/// What must be computed before a loss can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Differentiable entropies of the current policy.
    pub entropies: bool,
    /// Log-probabilities under the reference policy.
    pub reference: bool,
    /// Log-probabilities of the whole update under the policy as it is before the update, on the
    /// host ([`UpdateRow::current`](crate::UpdateRow)): one more scoring pass an update.
    pub current: bool,
}

impl Needs {
    /// What either asks for.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            entropies: self.entropies || other.entropies,
            reference: self.reference || other.reference,
            current: self.current || other.current,
        }
    }
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

    /// Decides on the host, for a whole update at once, what depends on more than one token: a
    /// quantile, a covariance, a random choice, what is known of a token's group. Each field
    /// arrives at the device as one tensor of [`PolicyBatch::plan`], in order. Because it sees the
    /// update and not a micro-batch, splitting the update changes nothing.
    fn plan(&self, update: &UpdateView<'_>) -> Vec<TokenField> {
        let _ = update;
        Vec::new()
    }

    /// The fused operation that computes this loss, if it is one of the batch's own log-probabilities
    /// and nothing else: a penalty for the divergence from the reference is then computed in its
    /// pass. Must give what [`surrogate`](Self::surrogate) gives.
    fn fused(&self, batch: &PolicyBatch) -> Option<FusedSurrogate> {
        let _ = batch;
        None
    }
}

impl PolicyLoss for Box<dyn PolicyLoss> {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        (**self).surrogate(batch)
    }

    fn needs(&self) -> Needs {
        (**self).needs()
    }

    fn plan(&self, update: &UpdateView<'_>) -> Vec<TokenField> {
        (**self).plan(update)
    }

    fn fused(&self, batch: &PolicyBatch) -> Option<FusedSurrogate> {
        (**self).fused(batch)
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
    pub const TOTALS: [&'static str; 12] = [
        "tokens",
        "clip_low",
        "clip_high",
        "clip_dual",
        "ratio",
        "kl_behaviour_k1",
        "kl_behaviour_k3",
        "ratio_distance",
        "positive_tokens",
        "positive_ratio",
        "negative_tokens",
        "negative_ratio",
    ];

    /// Statistics of a loss that clips nothing.
    #[must_use]
    pub fn unclipped(ratio: Tensor<2>) -> Self {
        let clip = ratio.zeros_like();
        Self { ratio, clip }
    }

    /// Statistics of a loss that clips where the flags say.
    #[must_use]
    pub fn clipped(ratio: Tensor<2>, low: &Tensor<2, Bool>, high: &Tensor<2, Bool>) -> Self {
        let none = ratio.zeros_like();
        let clip = none.mask_fill(low.clone(), CLIP_LOW).mask_fill(high.clone(), CLIP_HIGH);
        Self { ratio, clip }
    }

    /// Sums over the tokens of the batch, `[12]`: their number, how many were clipped low, high and
    /// by the dual clip, the ratio, and `KL(behaviour || policy)` by k1 = `-log R` and
    /// k3 = `R - 1 - log R`; then `|R - 1|`, and the number and the ratio of the tokens with a
    /// positive and of those with a negative advantage.
    ///
    /// The ratio and both KL terms are those of the surrogate, so a limit on its log-ratio shows.
    /// Advantages must be 0 where masked, as those of a [`PolicyBatch`] are.
    #[must_use]
    pub fn totals(&self, advantages: &Tensor<2>, mask: &Tensor<2>) -> Tensor<1> {
        let ratio = self.ratio.clone().detach();
        let all = surrogate_totals(ratio.clone(), self.clip.clone(), mask.clone());
        let distance = (ratio.clone() - 1.0).abs().sum();
        let side = |of_sign: Tensor<2, Bool>| {
            // Filled, not multiplied: without a limit a ratio may be infinite.
            let ratio = ratio.clone().mask_fill(of_sign.clone().bool_not(), 0.0);
            [of_sign.float().sum(), ratio.sum()]
        };
        let [tokens, ratios] = side(advantages.clone().greater_scalar(0.0));
        let [others, other_ratios] = side(advantages.clone().lower_scalar(0.0));
        Tensor::cat(vec![all, distance, tokens, ratios, others, other_ratios], 0)
    }
}
