//! REINFORCE with an importance weight.

use crate::batch::PolicyBatch;
use crate::policy_loss::{PolicyLoss, Surrogate, SurrogateStats};

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
/// let constants = BatchConstants::new(row([-1.0, -1.0]), row([2.0, -1.0]));
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
