//! From prompts and a policy to groups of completions.
//!
//! Floor 2: on top of `model` and `kernels`. It decodes; it neither verifies nor trains.
//!
//! - [`Sampler`]: logits and one uniform number a row -> a token; a pure function.
//! - [`UniformStream`]: that number, addressed by (run seed, step, prompt, sample, position), so a
//!   completion does not depend on what else is in its batch or on the order of requests.
//! - [`InProcessEngine`]: batched decoding with a forked KV cache; rows that ended are retired and
//!   waiting ones admitted. [`ReplayEngine`]: recorded groups.
//!
//! ```
//! use fireproof_model::TabularPolicy;
//! use fireproof_rollout::{InProcessEngine, RolloutEngine, RolloutRequest, StopRules};
//! use fireproof_trajectory::{PolicyVersion, PromptId, SamplingParams};
//!
//! let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
//! let mut engine = InProcessEngine::new(64);
//! engine.publish(&TabularPolicy::uniform(4, 8, &device), PolicyVersion(0));
//! let request = RolloutRequest {
//!     prompt: PromptId(1),
//!     prompt_tokens: vec![2],
//!     prefix: vec![],
//!     samples: 3,
//!     sampling: SamplingParams::default(),
//!     stop: StopRules { max_tokens: 5, stop_tokens: vec![0] },
//!     seed: 7,
//!     step: 0,
//! };
//! let groups = engine.generate(&[request]).unwrap();
//! assert_eq!(groups[0].completions.len(), 3);
//! ```

mod engine;
mod in_process;
mod replay;
mod row;
mod sampler;
mod uniform;

pub use engine::RolloutEngine;
pub use engine::RolloutError;
pub use engine::RolloutRequest;
pub use engine::StopRules;
pub use in_process::InProcessEngine;
pub use replay::ReplayEngine;
pub use sampler::Categorical;
pub use sampler::Greedy;
pub use sampler::Restricted;
pub use sampler::Sampled;
pub use sampler::Sampler;
pub use sampler::TopK;
pub use uniform::UniformStream;
