//! Estimators of the KL divergence from the reference policy, token by token.

use burn::tensor::Tensor;
use fireproof_kernels::{KlEstimator, KlPenalty};

/// An estimator of `KL(policy || reference)` from one sampled token, with `d = logprob - reference`.
///
/// Source: Schulman, "Approximating KL divergence" (2020); names and forms as in TRL and verl.
/// Nothing is clamped here, as in TRL; a [`KlGuard`] holds the values of verl and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kl {
    /// `d`: unbiased, can be negative.
    K1,
    /// `|d|`: biased, never negative (verl's `abs`).
    Absolute,
    /// `d^2 / 2`: biased, never negative.
    K2,
    /// `exp(-d) - 1 + d`: unbiased, never negative, can spike.
    K3,
}

impl Kl {
    /// The estimate of each token, `[B, T]`; differentiable.
    #[must_use]
    pub fn estimate(self, logprobs: Tensor<2>, reference: Tensor<2>) -> Tensor<2> {
        let difference = logprobs - reference;
        match self {
            Self::K1 => difference,
            Self::Absolute => difference.abs(),
            Self::K2 => difference.clone() * difference / 2.0,
            Self::K3 => (-difference.clone()).exp() - 1.0 + difference,
        }
    }

    /// The estimate of one token on the host, for a KL inside the reward.
    ///
    /// ```
    /// use fireproof_losses::Kl;
    /// assert_eq!(Kl::K1.of(-1.0, -1.5), 0.5);
    /// assert_eq!(Kl::K2.of(-1.0, -1.5), 0.125);
    /// // exp(-0.5) - 1 + 0.5
    /// assert!((Kl::K3.of(-1.0, -1.5) - 0.106_530_7).abs() < 1e-6);
    /// ```
    #[must_use]
    pub fn of(self, logprob: f32, reference: f32) -> f32 {
        let difference = logprob - reference;
        match self {
            Self::K1 => difference,
            Self::Absolute => difference.abs(),
            Self::K2 => difference * difference / 2.0,
            Self::K3 => (-difference).exp_m1() + difference,
        }
    }
}

/// Whose importance ratio multiplies an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatioLevel {
    /// The token's.
    Token,
    /// The completion's: `exp(mean(logprob - behaviour))` over its training tokens (TRL with sequence
    /// ratios).
    Completion,
}

/// What peers add to an estimate of the divergence. The default adds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KlGuard {
    /// `d` is held within plus or minus this before the estimate (verl and SkyRL: 20 for k3; NeMo-RL
    /// for all).
    pub exponent_limit: Option<f64>,
    /// The estimate is held within plus or minus this (verl and SkyRL: 10 for k3; OpenRLHF and
    /// NeMo-RL for all).
    pub value_limit: Option<f64>,
    /// The estimate is multiplied by an importance ratio, gradient included, which makes it
    /// unbiased off policy (DeepSeek-V3.2; TRL 1.16's default). Only in the loss.
    pub times_ratio: Option<RatioLevel>,
    /// The gradient is that of this estimator, without limits, under the value of the other (verl's
    /// `k1+` and `k3+`: K2, whose gradient is unbiased on policy). Only in the loss.
    pub gradient: Option<Kl>,
}

impl KlGuard {
    /// The penalty as the fused operation knows it; `None` with what it does not: a factor, another
    /// estimator's gradient.
    pub(crate) fn fused(self, kl: Kl, coefficient: f64) -> Option<KlPenalty> {
        let Self { exponent_limit, value_limit, times_ratio: None, gradient: None } = self else {
            return None;
        };
        let estimator = match kl {
            Kl::K1 => KlEstimator::Linear,
            Kl::Absolute => KlEstimator::Absolute,
            Kl::K2 => KlEstimator::Square,
            Kl::K3 => KlEstimator::Exponential,
        };
        Some(KlPenalty { estimator, coefficient, exponent_limit, value_limit })
    }

    /// The estimate of each token within its limits, `[B, T]`; differentiable.
    #[must_use]
    pub fn estimate(self, kl: Kl, logprobs: Tensor<2>, reference: Tensor<2>) -> Tensor<2> {
        let Some(other) = self.gradient else { return self.limited(kl, logprobs, reference) };
        let value = self.limited(kl, logprobs.clone().detach(), reference.clone());
        let pull = other.estimate(logprobs, reference);
        // The parenthesis is 0 and carries the gradient.
        value + (pull.clone() - pull.detach())
    }

    fn limited(self, kl: Kl, logprobs: Tensor<2>, reference: Tensor<2>) -> Tensor<2> {
        let difference = logprobs - reference;
        let held = match self.exponent_limit {
            Some(limit) => difference.clamp(-limit, limit),
            None => difference,
        };
        let zero = held.zeros_like();
        let estimate = kl.estimate(held, zero);
        match self.value_limit {
            Some(limit) => estimate.clamp(-limit, limit),
            None => estimate,
        }
    }

    /// The estimate of one token on the host, within its limits.
    ///
    /// ```
    /// use fireproof_losses::{Kl, KlGuard};
    /// let limits = (Some(20.0), Some(10.0));
    /// let verl = KlGuard { exponent_limit: limits.0, value_limit: limits.1, ..KlGuard::default() };
    /// // exp(5) - 1 - 5 is above 10.
    /// assert_eq!(verl.of(Kl::K3, -6.0, -1.0), 10.0);
    /// ```
    #[must_use]
    pub fn of(self, kl: Kl, logprob: f32, reference: f32) -> f32 {
        let within = |value: f32, limit: Option<f64>| match limit {
            Some(limit) => value.clamp(-limit as f32, limit as f32),
            None => value,
        };
        within(kl.of(within(logprob - reference, self.exponent_limit), 0.0), self.value_limit)
    }
}
