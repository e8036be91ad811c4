//! Device operations of RLVR, each with a backend-generic body and a hand-written gradient, and the
//! table of backends.
//!
//! Floor 0. In burn 0.22 and later tensors carry no backend parameter; a crate that adds operations
//! extends burn's `Backend` trait ([`TokenKernels`]) and burn routes a call to the backend of the
//! tensor at hand. Everything above this crate takes a `&Device` or reads it off a tensor and never
//! names a backend.
//!
//! | operation | in | out | gradient |
//! |---|---|---|---|
//! | [`group_normalize`] | rewards in groups | advantages, mean, std, success rate | in the rewards |
//! | [`group_normalize_ragged`] | rewards in groups of any sizes | the same | in the rewards |
//! | [`policy_surrogate`] | log-probabilities, advantages | per-token loss, ratio, clip flags | in the log-probabilities |
//! | [`policy_objective`] | the same, a second clip range, a reference | the same, with a KL penalty | in the log-probabilities |
//! | [`token_logprobs`] | logits, one token a row | log-probability, entropy, log-sum-exp | in the logits |
//! | [`support_logprobs`] | the same, top-k, top-p, min-p | the same under that support | in the logits |
//! | [`linear_token_logprobs`] | hidden states, output layer | the same, without logits | in both |
//! | [`surrogate_totals`] | ratio, clip codes | sums that people log | none |
//! | [`sample_tokens`] | logits, one uniform number a row | token, its log-probabilities, entropy | none |
//! | [`adamw`], [`square_sum`] | parameters, gradients, moments | the same after a step | none |
//! | [`swiglu`], [`rms_norm`], [`rotate`], [`attend`] | activations | activations | in all but constants |
//! | [`self_attention`], [`feed_forward`] | activations, parameters | activations | in all but constants |
//!
//! Which device a program runs on is decided by [`resolve_device`].
//!
//! ```
//! use burn::tensor::Tensor;
//! use fireproof_kernels::{resolve_device, token_logprobs};
//!
//! let device = resolve_device(Some("flex")).unwrap().device;
//! let logits = Tensor::<2>::from_data([[0.0, 0.0], [0.0, f32::NEG_INFINITY]], &device);
//! let targets = Tensor::from_data([0, 0], &device);
//! let scored = token_logprobs(logits, targets, 1.0);
//! let logprobs: Vec<f32> = scored.logprobs.into_data().try_to_vec().unwrap();
//! // an even choice: -ln 2; a certain one: 0
//! assert!((logprobs[0] + 2f32.ln()).abs() < 1e-6 && logprobs[1] == 0.0);
//! ```

mod adamw;
mod attend;
mod block_ops;
mod device;
mod feed_forward;
#[cfg(feature = "flex")]
mod flex;
mod group_normalize;
#[cfg(feature = "cube")]
mod launch;
mod linear_token_logprobs;
mod model_ops;
mod ops;
mod panic;
mod policy_objective;
mod policy_surrogate;
mod primitive;
mod rms_norm;
mod rotate;
mod sample_tokens;
mod self_attention;
mod swiglu;
mod token_logprobs;

pub use adamw::AdamWStep;
pub use adamw::Moments;
pub use adamw::OptimizerKernels;
pub use adamw::adamw;
pub use adamw::square_sum;
pub use attend::attend;
pub use block_ops::BlockKernels;
pub use device::BackendName;
pub use device::DeviceChoice;
pub use device::DeviceError;
pub use device::ResolvedDevice;
pub use device::choose_device;
pub use device::compiled_backends;
pub use device::is_queued;
pub use device::resolve_device;
pub use device::test_devices;
pub use feed_forward::FeedForward;
pub use feed_forward::FeedForwardParameters;
pub use feed_forward::FeedForwardSaved;
pub use feed_forward::feed_forward;
pub use group_normalize::GroupEstimator;
pub use group_normalize::GroupNormalization;
pub use group_normalize::GroupNormalized;
pub use group_normalize::group_normalize;
pub use group_normalize::ragged::GroupOffsets;
pub use group_normalize::ragged::GroupOffsetsError;
pub use group_normalize::ragged::RaggedNormalized;
pub use group_normalize::ragged::group_normalize_ragged;
pub use linear_token_logprobs::linear_token_logprobs;
pub use model_ops::ModelKernels;
pub use ops::TokenKernels;
pub use panic::catch_panic;
pub use policy_objective::KlEstimator;
pub use policy_objective::KlPenalty;
pub use policy_objective::ObjectiveInputs;
pub use policy_objective::ObjectiveRule;
pub use policy_objective::PolicyObjective;
pub use policy_objective::policy_objective;
pub use policy_surrogate::CLIP_DUAL;
pub use policy_surrogate::CLIP_HIGH;
pub use policy_surrogate::CLIP_LOW;
pub use policy_surrogate::CLIP_NONE;
pub use policy_surrogate::PolicySurrogate;
pub use policy_surrogate::SurrogateKind;
pub use policy_surrogate::SurrogateRule;
pub use policy_surrogate::policy_surrogate;
pub use policy_surrogate::totals::surrogate_totals;
pub use rms_norm::rms_norm;
pub use rotate::rotate;
pub use sample_tokens::SampledTokens;
pub use sample_tokens::SamplingRule;
pub use sample_tokens::sample_tokens;
pub use sample_tokens::support::support_logprobs;
pub use self_attention::Attended;
pub use self_attention::AttentionConstants;
pub use self_attention::AttentionParameters;
pub use self_attention::AttentionRule;
pub use self_attention::AttentionView;
pub use self_attention::SelfAttention;
pub use self_attention::self_attention;
pub use swiglu::swiglu;
pub use token_logprobs::TokenLogprobs;
pub use token_logprobs::token_logprobs;
