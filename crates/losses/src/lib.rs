//! Policy losses over tokens: surrogates, KL estimators, reductions, penalties.
//!
//! Floor 1, on top of `kernels`. Rows are completions, right-padded; all per-token tensors are
//! `[B, T]` with `T` completion tokens. A loss is never collapsed before it is weighted: a
//! [`PolicyLoss`] gives one number a token, a [`Reduction`] gives each token its share on the host,
//! once for a whole update, and the loss of a micro-batch is `sum(loss * weight)`. So splitting an
//! update into other micro-batches changes nothing, and nothing here reads back to the host.
//!
//! | loss | source |
//! |---|---|
//! | [`ClippedSurrogate`] | PPO, GRPO 2402.03300, DAPO 2503.14476, dual clip 1912.09729 |
//! | [`AspoSurrogate`] | ASPO 2510.06062, paper form and released code |
//! | [`Reinforce`] | Williams 1992, importance-weighted |
//! | [`ClippedWeight`] | CISPO 2506.13585 |
//! | [`SoftGate`] | SAPO 2511.20347 |
//! | [`SequenceRatio`] | GSPO 2507.18071, by sequence and by token |
//! | [`GeometricMean`] | GMPO 2507.20673 |
//! | [`DivergenceMasked`] | DPPO 2602.04879, binary TV and KL |
//! | [`PrefixMinimum`] | MinPRO 2601.22718 |
//! | [`NegativeAware`] | NFT 2505.18116 |
//! | [`CovarianceClipped`], [`CovarianceKl`] | Clip-Cov and KL-Cov 2505.22617 |
//! | [`OffPolicyMasked`] | DeepSeek-V3.2's sequence mask, around any loss |
//! | [`SelfReward`] | LaSeR 2510.14943, added to any loss |
//!
//! [`weighted_grpo`] and [`aspo`] run from rewards to the loss without leaving the device.
//!
//! ```
//! use burn::tensor::Tensor;
//! use fireproof_losses::{BatchConstants, ClippedSurrogate, PolicyBatch, PolicyLoss};
//!
//! let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
//! let one = |value: f32| Tensor::<2>::from_data([[value]], &device);
//! let constants = BatchConstants::new(one(-1.0), one(2.0));
//! let batch = PolicyBatch::new(one(-1.0), None, constants);
//! // On policy the ratio is 1, so the loss is minus the advantage.
//! let loss: f32 = ClippedSurrogate::default().surrogate(&batch).loss.into_scalar();
//! assert_eq!(loss, -2.0);
//! ```

mod batch;
mod covariance;
mod divergence;
mod kl;
mod mismatch;
mod negative_aware;
mod off_policy;
mod on_device;
mod penalty;
mod policy_loss;
mod prefix;
mod quantile;
mod reduction;
mod self_reward;
mod sequence;
mod surrogate;
mod update;

pub use batch::BatchConstants;
pub use batch::PolicyBatch;
pub use covariance::CovarianceClipped;
pub use covariance::CovarianceKl;
pub use divergence::Divergence;
pub use divergence::DivergenceMasked;
pub use kl::Kl;
pub use kl::KlGuard;
pub use kl::RatioLevel;
pub use mismatch::MismatchCorrection;
pub use negative_aware::NegativeAware;
pub use negative_aware::PromptWeight;
pub use off_policy::OffPolicyMasked;
pub use on_device::GroupBatch;
pub use on_device::aspo;
pub use on_device::weighted_grpo;
pub use penalty::KlPlace;
pub use penalty::Objective;
pub use penalty::Penalty;
pub use penalty::objective;
pub use policy_loss::Needs;
pub use policy_loss::PolicyLoss;
pub use policy_loss::Surrogate;
pub use policy_loss::SurrogateStats;
pub use prefix::PrefixMinimum;
pub use reduction::CountedRows;
pub use reduction::Denominators;
pub use reduction::Reduction;
pub use reduction::RowShape;
pub use self_reward::SelfReward;
pub use sequence::GeometricMean;
pub use sequence::SequenceGradient;
pub use sequence::SequenceRatio;
pub use surrogate::AspoSurrogate;
pub use surrogate::ClippedSurrogate;
pub use surrogate::ClippedWeight;
pub use surrogate::EntropySplit;
pub use surrogate::FusedSurrogate;
pub use surrogate::Reinforce;
pub use surrogate::SoftGate;
pub use update::TokenField;
pub use update::UpdateRow;
pub use update::UpdateView;
