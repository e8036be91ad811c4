//! Losses whose ratio belongs to the whole completion: GSPO and GMPO.

use burn::tensor::Tensor;
use fireproof_kernels::{SurrogateKind, SurrogateRule};

use crate::batch::PolicyBatch;
use crate::policy_loss::{PolicyLoss, Surrogate, SurrogateStats};
use crate::surrogate::{run, surrogate_of};

/// Where the gradient of a sequence ratio goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceGradient {
    /// Through the mean over the completion's tokens: `s = exp(mean(d))`. TRL.
    Mean,
    /// Through each token alone: `s_t = sg(s) pi / sg(pi)` (GSPO-token). verl.
    Token,
}

/// GSPO (arXiv 2507.18071; confidence HIGH): the clipped surrogate with one ratio a completion.
///
/// ```text
/// s = exp(mean over the completion's tokens of logprob - behaviour)
/// loss of each token = -min(s A, clip(s, 1 - epsilon_low, 1 + epsilon_high) A)
/// ```
///
/// Means are over training tokens. Use it with [`Reduction::SequenceMean`](crate::Reduction): then,
/// with one advantage a completion, both forms of the gradient are the same. With
/// [`Reduction::SequenceSum`](crate::Reduction) it is TRL's luspo.
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, PolicyBatch, PolicyLoss, SequenceRatio};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &device);
/// let batch = PolicyBatch::new(row([-0.9, -1.1]), None, BatchConstants::new(row([-1.0; 2]), row([3.0; 2])));
/// // The differences 0.1 and -0.1 cancel, so the ratio of the completion is 1.
/// let loss: Vec<f32> = SequenceRatio::default().surrogate(&batch).loss.into_data().try_to_vec().unwrap();
/// assert!(loss.iter().all(|loss| (loss + 3.0).abs() < 1e-6));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SequenceRatio {
    /// Ratios are clipped below `1 - epsilon_low`.
    pub epsilon_low: f64,
    /// Ratios are clipped above `1 + epsilon_high`.
    pub epsilon_high: f64,
    /// Where the gradient goes.
    pub gradient: SequenceGradient,
    /// Limit on the absolute log-ratio of the completion (verl 10, from above alone).
    pub log_ratio_limit: Option<f64>,
}

impl Default for SequenceRatio {
    /// The paper's 3e-4 and 4e-4, through the mean.
    fn default() -> Self {
        Self {
            epsilon_low: 3e-4,
            epsilon_high: 4e-4,
            gradient: SequenceGradient::Mean,
            log_ratio_limit: None,
        }
    }
}

impl PolicyLoss for SequenceRatio {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let Self { epsilon_low, epsilon_high, log_ratio_limit, .. } = *self;
        let kind = SurrogateKind::Clipped { epsilon_low, epsilon_high, dual_clip: None };
        let shape = batch.logprobs.dims();
        let behaviour = batch.row_mean(batch.behaviour_logprobs.clone()).expand(shape);
        let logprobs = match self.gradient {
            SequenceGradient::Mean => batch.row_mean(batch.logprobs.clone()).expand(shape),
            SequenceGradient::Token => {
                let own = batch.logprobs.clone();
                let mean = batch.row_mean(own.clone().detach()).expand(shape);
                // The parenthesis is 0 and carries the gradient.
                mean + (own.clone() - own.detach())
            }
        };
        let rule = SurrogateRule { kind, log_ratio_limit };
        surrogate_of(run(batch, logprobs, behaviour, batch.advantages.clone(), rule))
    }
}

/// GMPO (arXiv 2507.20673; confidence HIGH): the geometric mean of a completion's ratios, each
/// clipped in log space before.
///
/// ```text
/// d = logprob - behaviour;   d' = min(d, epsilon_high) if A > 0,  max(d, -epsilon_low) if A < 0
/// loss of each token = -A exp(mean over the completion's tokens of d')
/// ```
///
/// Use it with [`Reduction::SequenceMean`](crate::Reduction). Departures from verl:
/// 1. A completion's advantage is that of its tokens (verl averages them first); they agree where a
///    completion has one advantage.
/// 2. Nothing is added to the number of tokens of a mean ([`Self::token_epsilon`]).
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, GeometricMean, PolicyBatch, PolicyLoss};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &device);
/// let batch = PolicyBatch::new(row([0.0, -1.0]), None, BatchConstants::new(row([-1.0; 2]), row([1.0; 2])));
/// // The differences are 1, held at 0.4, and 0: exp(0.2).
/// let loss: Vec<f32> = GeometricMean::default().surrogate(&batch).loss.into_data().try_to_vec().unwrap();
/// assert!((loss[0] + 0.2f32.exp()).abs() < 1e-6 && loss[0] == loss[1]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeometricMean {
    /// Lower bound of a log-ratio is `-epsilon_low`.
    pub epsilon_low: f64,
    /// Upper bound of a log-ratio.
    pub epsilon_high: f64,
    /// Added to a completion's number of tokens in the mean (verl 1e-8).
    pub token_epsilon: f64,
}

impl Default for GeometricMean {
    /// 0.4 on both sides, in log space.
    fn default() -> Self {
        Self { epsilon_low: 0.4, epsilon_high: 0.4, token_epsilon: 0.0 }
    }
}

impl PolicyLoss for GeometricMean {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let difference = batch.logprobs.clone() - batch.behaviour_logprobs.clone();
        let positive = batch.advantages.clone().greater_scalar(0.0);
        let negative = batch.advantages.clone().lower_scalar(0.0);
        let high = difference.clone().detach().greater_scalar(self.epsilon_high);
        let low = difference.clone().detach().lower_scalar(-self.epsilon_low);
        let (high, low) = (high.bool_and(positive), low.bool_and(negative));
        let clipped = difference
            .mask_fill(high.clone(), self.epsilon_high)
            .mask_fill(low.clone(), -self.epsilon_low);
        let mean = batch.row_mean_by(clipped, self.token_epsilon);
        let ratio = mean.exp().expand(batch.logprobs.dims());
        let loss = -(ratio.clone() * batch.advantages.clone());
        Surrogate { loss, stats: SurrogateStats::clipped(stats_ratio(batch, ratio), &low, &high) }
    }
}

/// Statistics count 1 where masked.
fn stats_ratio(batch: &PolicyBatch, ratio: Tensor<2>) -> Tensor<2> {
    ratio.detach().mask_fill(batch.mask.clone().lower_equal_scalar(0.0), 1.0)
}
