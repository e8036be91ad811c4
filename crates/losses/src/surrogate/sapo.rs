//! SAPO: a soft gate in place of the clip.

use fireproof_kernels::{SurrogateKind, SurrogateRule};

use super::FusedSurrogate;
use crate::batch::PolicyBatch;
use crate::policy_loss::{PolicyLoss, Surrogate};

/// SAPO (arXiv 2511.20347; confidence HIGH): `-(4 / tau) sigmoid(tau (R - 1)) A`.
///
/// `tau` is `tau_positive` where `A > 0` and `tau_negative` elsewhere. On policy its gradient is that
/// of `-R A` exactly; away from it the gate closes smoothly on both sides.
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, PolicyBatch, PolicyLoss, SoftGate};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &device);
/// // On policy the gate is one half: -(4 / 1) / 2 and (4 / 1.05) / 2.
/// let constants = BatchConstants::new(row([-1.0; 2]), row([1.0, -1.0]));
/// let batch = PolicyBatch::new(row([-1.0; 2]), None, constants);
/// let loss: Vec<f32> = SoftGate::default().surrogate(&batch).loss.into_data().try_to_vec().unwrap();
/// assert!((loss[0] + 2.0).abs() < 1e-6 && (loss[1] - 2.0 / 1.05).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftGate {
    /// Steepness where the advantage is positive.
    pub tau_positive: f64,
    /// Steepness elsewhere.
    pub tau_negative: f64,
    /// Limit on the absolute log-ratio (verl 20).
    pub log_ratio_limit: Option<f64>,
}

impl Default for SoftGate {
    /// 1 and 1.05.
    fn default() -> Self {
        Self { tau_positive: 1.0, tau_negative: 1.05, log_ratio_limit: None }
    }
}

impl SoftGate {
    fn rule(&self) -> FusedSurrogate {
        let Self { tau_positive, tau_negative, log_ratio_limit } = *self;
        let kind = SurrogateKind::Sapo { tau_positive, tau_negative };
        SurrogateRule { kind, log_ratio_limit }.into()
    }
}

impl PolicyLoss for SoftGate {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        self.rule().surrogate(batch)
    }

    fn fused(&self, _batch: &PolicyBatch) -> Option<FusedSurrogate> {
        Some(self.rule())
    }
}
