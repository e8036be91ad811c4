//! Estimators of the KL divergence from the reference policy, token by token.

use burn::tensor::Tensor;

/// An estimator of `KL(policy || reference)` from one sampled token, with `d = logprob - reference`.
///
/// Source: Schulman, "Approximating KL divergence" (2020); names and forms as in TRL and verl.
/// Departure: verl and SkyRL clamp the exponent of k3 to ±20 and its value to ±10; nothing is
/// clamped here, as in TRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kl {
    /// `d`: unbiased, can be negative.
    K1,
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
            Self::K2 => difference * difference / 2.0,
            Self::K3 => (-difference).exp_m1() + difference,
        }
    }
}
