//! MinPRO: a token's ratio together with the least ratio before it.

use burn::tensor::Tensor;
use fireproof_kernels::{SurrogateKind, SurrogateRule};

use crate::batch::PolicyBatch;
use crate::policy_loss::{PolicyLoss, Surrogate};
use crate::surrogate::{run, surrogate_of};

/// Larger than any log-ratio: what stands before the first token.
const NOTHING_YET: f32 = 1e30;

/// MinPRO (arXiv 2601.22718; confidence DERIVED/MED): the clipped surrogate of
/// `W_t = R_t min over s < t of R_s`, in place of the product of all ratios up to `t`.
///
/// ```text
/// W_1 = R_1;   loss = -min(W A, clip(W, 1 - epsilon_low, 1 + epsilon_high) A)
/// ```
///
/// NOT FOUND in what could be read of the paper, and so our choices: the minimum carries no gradient
/// and is not capped at 1; the clip is that of PPO with 0.2. Only training tokens count.
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, PolicyBatch, PolicyLoss, PrefixMinimum};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 3]| Tensor::<2>::from_data([values], &device);
/// // Ratios 0.9, 1.1 and 1: W is 0.9, 1.1 x 0.9 and 1 x 0.9.
/// let logprobs = row([0.9f32.ln(), 1.1f32.ln(), 0.0]);
/// let batch = PolicyBatch::new(logprobs, None, BatchConstants::new(row([0.0; 3]), row([1.0; 3])));
/// let loss: Vec<f32> = PrefixMinimum::default().surrogate(&batch).loss.into_data().try_to_vec().unwrap();
/// for (found, expected) in loss.iter().zip([-0.9, -0.99, -0.9]) {
///     assert!((found - expected).abs() < 1e-6);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrefixMinimum {
    /// Weights are clipped below `1 - epsilon_low`.
    pub epsilon_low: f64,
    /// Weights are clipped above `1 + epsilon_high`.
    pub epsilon_high: f64,
}

impl Default for PrefixMinimum {
    /// 0.2 on both sides.
    fn default() -> Self {
        Self { epsilon_low: 0.2, epsilon_high: 0.2 }
    }
}

impl PolicyLoss for PrefixMinimum {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let Self { epsilon_low, epsilon_high } = *self;
        let kind = SurrogateKind::Clipped { epsilon_low, epsilon_high, dual_clip: None };
        let logprobs = batch.logprobs.clone() + least_before(batch);
        let rule = SurrogateRule { kind, log_ratio_limit: None };
        let behaviour = batch.behaviour_logprobs.clone();
        surrogate_of(run(batch, logprobs, behaviour, batch.advantages.clone(), rule))
    }
}

/// The least log-ratio among the training tokens before each token; 0 where there are none.
fn least_before(batch: &PolicyBatch) -> Tensor<2> {
    let difference = batch.logprobs.clone().detach() - batch.behaviour_logprobs.clone();
    let outside = batch.mask.clone().lower_equal_scalar(0.0);
    let least = difference.mask_fill(outside, NOTHING_YET).cummin(1);
    let [rows, tokens] = least.dims();
    let first = least.clone().slice([0..rows, 0..1]).full_like(NOTHING_YET);
    let shifted = Tensor::cat(vec![first, least], 1).slice([0..rows, 0..tokens]);
    let none = shifted.clone().greater_scalar(NOTHING_YET / 2.0);
    shifted.mask_fill(none, 0.0)
}
