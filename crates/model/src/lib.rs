//! Causal language models, their caches, and the tokenizer.
//!
//! Floor 1: knows nothing about rewards. One definition of a model samples and trains, so the only
//! difference between the log-probabilities of sampling and of training is rounding.
//!
//! - [`CausalLm`] separates hidden states from logits, so that scoring can work in chunks and
//!   `[B, T, V]` never exists.
//! - [`KvCache`] has ragged rows: [`fork`](KvCache::fork) shares a prompt's prefix among its
//!   completions, [`retain`](KvCache::retain) and [`admit`](KvCache::admit) batch continuously.
//! - [`Transformer`] is a decoder whose [`Architecture`] covers the families of [`Family`];
//!   [`ModelFolder`] loads one from a Hugging Face checkpoint and [`Export`] writes one.
//! - [`TabularPolicy`] is a softmax table, exact and instant, for tests and simulations.
//! - [`Tokenizer`] and [`ChatTemplate`] read those of Hugging Face checkpoints.
//!
//! Token ids are checked on the host before they are uploaded ([`ModelLimits::check`]): gathers on
//! a GPU read out of bounds silently.
//!
//! ```
//! use burn::tensor::{Int, Tensor};
//! use fireproof_model::{CausalLm, TransformerConfig};
//!
//! let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
//! let model = TransformerConfig { vocabulary: 16, ..TransformerConfig::tiny() }.init(1, &device);
//! let tokens = Tensor::<2, Int>::from_data([[3, 1, 4], [1, 5, 9]], &device);
//! let positions = Tensor::<2, Int>::from_data([[0, 1, 2], [0, 1, 2]], &device);
//! let hidden = model.hidden(tokens, positions);
//! assert_eq!(model.logits(hidden.reshape([6, 64])).dims(), [6, 16]);
//! ```

mod architecture;
mod attention;
mod build;
mod cache;
mod causal_lm;
mod chat;
mod config;
mod folder;
mod footprint;
#[cfg(feature = "hub")]
mod hub;
mod initial;
mod json_file;
mod lora;
mod mask;
mod mlp;
mod model_config;
mod norm;
mod parameters;
mod projection;
mod rope;
mod rotary;
mod tabular;
mod tokenizer;
mod transformer;

pub use architecture::Activation;
pub use architecture::Architecture;
pub use architecture::AttentionBias;
pub use architecture::SlidingWindow;
pub use cache::TransformerCache;
pub use causal_lm::CausalLm;
pub use causal_lm::KvCache;
pub use causal_lm::ModelError;
pub use causal_lm::ModelLimits;
pub use chat::ChatError;
pub use chat::ChatMessage;
pub use chat::ChatTemplate;
pub use chat::Conversation;
pub use config::TransformerConfig;
pub use folder::Export;
pub use folder::ModelFolder;
pub use folder::WeightsError;
#[cfg(feature = "hub")]
pub use hub::Downloaded;
#[cfg(feature = "hub")]
pub use hub::Hub;
#[cfg(feature = "hub")]
pub use hub::HubError;
pub use json_file::FileError;
pub use lora::LoraConfig;
pub use lora::LoraError;
pub use lora::LoraTarget;
pub use lora::trainable_parameters;
pub use model_config::ConfigError;
pub use model_config::Family;
pub use model_config::ModelConfig;
pub use rope::RopeScaling;
pub use tabular::TabularCache;
pub use tabular::TabularPolicy;
pub use tokenizer::Tokenizer;
pub use tokenizer::TokenizerError;
pub use transformer::Transformer;
