//! From rewards to the loss without leaving the device.

use burn::tensor::Tensor;
use fireproof_kernels::{GroupNormalization, group_normalize};

use crate::batch::{BatchConstants, PolicyBatch};
use crate::policy_loss::PolicyLoss;
use crate::reduction::Reduction;
use crate::surrogate::{AspoSurrogate, ClippedSurrogate};

/// Whole groups of completions with their rewards; row `p G + g` is completion `g` of prompt `p`.
#[derive(Clone, Debug)]
pub struct GroupBatch {
    /// Log-probabilities under the current policy, `[P G, T]`; differentiable.
    pub logprobs: Tensor<2>,
    /// Log-probabilities under the behaviour policy, `[P G, T]`.
    pub behaviour_logprobs: Tensor<2>,
    /// 1 at tokens that train, `[P G, T]`.
    pub mask: Tensor<2>,
    /// Rewards, `[P, G]`.
    pub rewards: Tensor<2>,
    /// 1 for right completions, `[P, G]`.
    pub correct: Tensor<2>,
}

/// Weighted GRPO: advantages by `weighting`, the clipped surrogate, a reduction; all on the device.
///
/// ```text
/// A = group_normalize(rewards, correct, weighting)
/// loss = sum over tokens of -min(R A, clip(R, 1 - epsilon_low, 1 + epsilon_high) A) weight
/// ```
///
/// with the weights of the reduction ([`Reduction`]). `weighting` is a z-score (GRPO), a prompt weighting (arXiv 2602.11128) or either with a focal
/// factor (arXiv 2602.06717). Equal to the trainer's host path.
///
/// ```
/// # use burn::tensor::Tensor;
/// use fireproof_kernels::GroupEstimator;
/// use fireproof_losses::{ClippedSurrogate, GroupBatch, Reduction, weighted_grpo};
///
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let column = |values: [f32; 2]| Tensor::<1>::from_data(values, &device).reshape([2, 1]);
/// let rewards = Tensor::<2>::from_data([[1.0f32, 0.0]], &device);
/// let batch = GroupBatch {
///     // Two completions of one token, the right one 10% likelier than when it was sampled.
///     logprobs: column([1.1f32.ln() - 1.0, -1.0]),
///     behaviour_logprobs: column([-1.0, -1.0]),
///     mask: column([1.0, 1.0]),
///     rewards: rewards.clone(),
///     correct: rewards,
/// };
/// let rule = GroupEstimator::Centered;
/// let loss = weighted_grpo(batch, rule, ClippedSurrogate::default(), Reduction::SequenceMean);
/// // -(1.1 x 1/2 - 1 x 1/2) / 2
/// assert!((loss.into_scalar::<f32>() + 0.025).abs() < 1e-6);
/// ```
///
/// # Shapes
/// - output: `[1]`
///
/// # Panics
/// If the shapes disagree.
#[must_use]
pub fn weighted_grpo(
    batch: GroupBatch,
    weighting: impl Into<GroupNormalization>,
    surrogate: ClippedSurrogate,
    reduction: Reduction,
) -> Tensor<1> {
    from_rewards(batch, weighting.into(), &surrogate, reduction)
}

/// ASPO (arXiv 2510.06062): advantages by `weighting`, the flipped-ratio surrogate, a reduction; all
/// on the device. As [`weighted_grpo`], with the token loss of [`AspoSurrogate`].
///
/// # Shapes
/// - output: `[1]`
///
/// # Panics
/// If the shapes disagree, or the surrogate has an entropy split: entropies are on the host.
#[must_use]
pub fn aspo(
    batch: GroupBatch,
    weighting: impl Into<GroupNormalization>,
    surrogate: AspoSurrogate,
    reduction: Reduction,
) -> Tensor<1> {
    from_rewards(batch, weighting.into(), &surrogate, reduction)
}

fn from_rewards(
    batch: GroupBatch,
    weighting: GroupNormalization,
    loss: &dyn PolicyLoss,
    reduction: Reduction,
) -> Tensor<1> {
    let [prompts, group] = batch.rewards.dims();
    let [rows, tokens] = batch.logprobs.dims();
    assert!(
        rows == prompts * group,
        "{rows} rows are not {prompts} prompts of {group} completions"
    );
    let all = batch.rewards.ones_like();
    let advantages = group_normalize(batch.rewards, batch.correct, all, weighting).advantages;
    let constants = BatchConstants {
        behaviour_logprobs: batch.behaviour_logprobs,
        reference_logprobs: None,
        advantages: advantages.reshape([rows, 1]).expand([rows, tokens]),
        weights: reduction.device_weights(batch.mask.clone(), group),
        mask: batch.mask,
        plan: Vec::new(),
    };
    let batch = PolicyBatch::new(batch.logprobs, None, constants);
    let surrogate = loss.surrogate(&batch);
    (surrogate.loss * batch.weights).sum()
}
