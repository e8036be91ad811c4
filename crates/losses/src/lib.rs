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
//! | [`AspoSurrogate`] | ASPO 2510.06062, paper form |
//! | [`Reinforce`] | Williams 1992, importance-weighted |
//!
//! [`weighted_grpo`] and [`aspo`] run from rewards to the loss without leaving the device.
//!
//! ```
//! use burn::tensor::Tensor;
//! use fireproof_losses::{BatchConstants, ClippedSurrogate, PolicyBatch, PolicyLoss};
//!
//! let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
//! let one = |value: f32| Tensor::<2>::from_data([[value]], &device);
//! let constants = BatchConstants {
//!     behaviour_logprobs: one(-1.0),
//!     reference_logprobs: None,
//!     advantages: one(2.0),
//!     weights: one(1.0),
//!     mask: one(1.0),
//! };
//! let batch = PolicyBatch::new(one(-1.0), None, constants);
//! // On policy the ratio is 1, so the loss is minus the advantage.
//! let loss: f32 = ClippedSurrogate::default().surrogate(&batch).loss.into_scalar();
//! assert_eq!(loss, -2.0);
//! ```

mod batch;
mod kl;
mod on_device;
mod penalty;
mod reduction;
mod surrogate;

pub use batch::BatchConstants;
pub use batch::PolicyBatch;
pub use kl::Kl;
pub use on_device::GroupBatch;
pub use on_device::aspo;
pub use on_device::weighted_grpo;
pub use penalty::KlPlace;
pub use penalty::Objective;
pub use penalty::Penalty;
pub use penalty::objective;
pub use reduction::Reduction;
pub use reduction::RowShape;
pub use surrogate::AspoSurrogate;
pub use surrogate::ClippedSurrogate;
pub use surrogate::Needs;
pub use surrogate::PolicyLoss;
pub use surrogate::Reinforce;
pub use surrogate::Surrogate;
pub use surrogate::SurrogateStats;
