//! CISPO: the clipped ratio as a weight without a gradient.

use fireproof_kernels::{SurrogateKind, SurrogateRule};

use super::FusedSurrogate;
use crate::batch::PolicyBatch;
use crate::policy_loss::{PolicyLoss, Surrogate};

/// CISPO (arXiv 2506.13585; confidence HIGH): `-sg(clip(R, lowest, highest)) A logprob`.
///
/// Every token keeps a gradient; only the size of its weight is limited. MiniMax prints no upper
/// bound; TRL's example and ScaleRL use 5. verl clips at `1 - epsilon_low` below as well, the paper
/// does not. Losses of different forms are comparable by gradient only.
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, ClippedWeight, PolicyBatch, PolicyLoss};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &device);
/// // Ratios 2 and 20; the second is held at 5.
/// let logprobs = [2f32.ln() - 3.0, 20f32.ln() - 3.0];
/// let batch = PolicyBatch::new(row(logprobs), None, BatchConstants::new(row([-3.0; 2]), row([1.0; 2])));
/// let loss: Vec<f32> = ClippedWeight::default().surrogate(&batch).loss.into_data().try_to_vec().unwrap();
/// assert!((loss[0] + 2.0 * logprobs[0]).abs() < 1e-5 && (loss[1] + 5.0 * logprobs[1]).abs() < 1e-5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClippedWeight {
    /// The weight is at least this; 0 for none.
    pub lowest: f64,
    /// The weight is at most this.
    pub highest: f64,
    /// Limit on the absolute log-ratio (verl 20).
    pub log_ratio_limit: Option<f64>,
}

impl Default for ClippedWeight {
    /// At most 5, as in TRL's example; no lower bound.
    fn default() -> Self {
        Self { lowest: 0.0, highest: 5.0, log_ratio_limit: None }
    }
}

impl ClippedWeight {
    fn rule(&self) -> FusedSurrogate {
        let kind = SurrogateKind::Cispo { lowest: self.lowest, highest: self.highest };
        SurrogateRule { kind, log_ratio_limit: self.log_ratio_limit }.into()
    }
}

impl PolicyLoss for ClippedWeight {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        self.rule().surrogate(batch)
    }

    fn fused(&self, _batch: &PolicyBatch) -> Option<FusedSurrogate> {
        Some(self.rule())
    }
}
