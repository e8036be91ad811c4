//! Which prompts, groups and tokens a step trains on.
//!
//! Floor 1: sees `trajectory` only. A rule holds no random generator: seeds come in, so the same
//! calls always choose the same prompts. What a selector has learned is its
//! [`state`](PromptSelector::state), which goes into checkpoints.
//!
//! | trait | chooses | rules here |
//! |---|---|---|
//! | [`PromptSelector`] | the prompts of a step | [`UniformWithoutReplacement`], [`InOrder`] |
//! | [`GroupFilter`] | the groups that train | [`KeepAll`], [`MixedOutcomes`] |
//! | [`TokenSelector`] | the tokens that train | [`AllTokens`], [`HighEntropy`] |
//!
//! ```
//! use fireproof_selection::{PromptSelector, UniformWithoutReplacement};
//! use fireproof_trajectory::PromptId;
//!
//! let mut selector = UniformWithoutReplacement::new((0..10).map(PromptId).collect());
//! let mut seen = selector.select(6, 1).unwrap();
//! seen.extend(selector.select(4, 2).unwrap());
//! seen.sort();
//! assert_eq!(seen, (0..10).map(PromptId).collect::<Vec<_>>(), "each prompt once an epoch");
//! ```

mod filter;
mod order;
mod selector;
mod token;
mod uniform;

pub use filter::GroupFilter;
pub use filter::KeepAll;
pub use filter::MixedOutcomes;
pub use order::InOrder;
pub use selector::Need;
pub use selector::Observation;
pub use selector::PromptSelector;
pub use selector::SelectError;
pub use token::AllTokens;
pub use token::HighEntropy;
pub use token::TokenSelector;
pub use uniform::UniformWithoutReplacement;
