//! The clipped importance-ratio surrogate of PPO, GRPO and DAPO.

use fireproof_kernels::{SurrogateKind, SurrogateRule};

use super::FusedSurrogate;
use crate::batch::PolicyBatch;
use crate::policy_loss::{PolicyLoss, Surrogate};

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
/// let constants = BatchConstants::new(row([0.0; 3]), row([1.0, 1.0, -1.0]));
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
    pub epsilon_low: f64,
    /// Ratios are clipped above `1 + epsilon_high`.
    pub epsilon_high: f64,
    /// Cap of the hard dual clip, above 1. TRL's and Liger's `delta`, which holds the unclipped ratio
    /// at most there, is the same wherever it is at least `1 + epsilon_high`.
    pub dual_clip: Option<f64>,
    /// Limit on the absolute log-ratio (verl 20).
    pub log_ratio_limit: Option<f64>,
}

impl Default for ClippedSurrogate {
    /// 0.2 on both sides, no dual clip, no limit on the log-ratio.
    fn default() -> Self {
        Self { epsilon_low: 0.2, epsilon_high: 0.2, dual_clip: None, log_ratio_limit: None }
    }
}

impl ClippedSurrogate {
    fn rule(&self) -> FusedSurrogate {
        let Self { epsilon_low, epsilon_high, dual_clip, log_ratio_limit } = *self;
        let kind = SurrogateKind::Clipped { epsilon_low, epsilon_high, dual_clip };
        SurrogateRule { kind, log_ratio_limit }.into()
    }
}

impl PolicyLoss for ClippedSurrogate {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        self.rule().surrogate(batch)
    }

    fn fused(&self, _batch: &PolicyBatch) -> Option<FusedSurrogate> {
        Some(self.rule())
    }
}
