//! Leaving out wrong completions that the policy has already moved away from.

use crate::batch::PolicyBatch;
use crate::policy_loss::{Needs, PolicyLoss, Surrogate};
use crate::update::{TokenField, UpdateView};

/// Off-policy sequence mask (DeepSeek-V3.2, in TRL; confidence HIGH for TRL's form): a completion
/// with `A < 0` and `mean over its tokens of (behaviour - logprob) > limit` does not train.
///
/// Its tokens keep their share of the denominator, as in TRL. The base loss may be any other.
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, ClippedSurrogate, OffPolicyMasked, PolicyBatch, PolicyLoss};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let column = |values: [f32; 2]| Tensor::<1>::from_data(values, &device).reshape([2, 1]);
/// // Both wrong; the first has become e^-0.6 as likely, the second e^-0.1.
/// let constants = BatchConstants::new(column([-1.0, -1.0]), column([-1.0, -1.0]));
/// let batch = PolicyBatch::new(column([-1.6, -1.1]), None, constants);
/// let loss = OffPolicyMasked::new(ClippedSurrogate::default()).surrogate(&batch).loss;
/// let loss: Vec<f32> = loss.into_data().try_to_vec().unwrap();
/// assert!(loss[0] == 0.0 && (loss[1] - (-0.1f32).exp()).abs() < 1e-6);
/// ```
#[derive(Debug)]
pub struct OffPolicyMasked {
    /// Largest mean fall of the log-probability, in nats a token (TRL suggests 0.5).
    pub limit: f64,
    /// The loss of the other completions.
    pub base: Box<dyn PolicyLoss>,
}

impl OffPolicyMasked {
    /// TRL's limit of 0.5 around a loss.
    pub fn new(base: impl PolicyLoss + 'static) -> Self {
        Self { limit: 0.5, base: Box::new(base) }
    }
}

impl PolicyLoss for OffPolicyMasked {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let fall = batch.behaviour_logprobs.clone() - batch.logprobs.clone().detach();
        let far = batch.row_mean(fall).greater_scalar(self.limit).expand(batch.logprobs.dims());
        let out = far.bool_and(batch.advantages.clone().lower_scalar(0.0));
        let advantages = batch.advantages.clone().mask_fill(out.clone(), 0.0);
        let Surrogate { loss, stats } =
            self.base.surrogate(&PolicyBatch { advantages, ..batch.clone() });
        Surrogate { loss: loss.mask_fill(out, 0.0), stats }
    }

    fn needs(&self) -> Needs {
        self.base.needs()
    }

    fn plan(&self, update: &UpdateView<'_>) -> Vec<TokenField> {
        self.base.plan(update)
    }
}
