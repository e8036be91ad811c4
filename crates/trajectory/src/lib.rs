//! The nouns that every Fireproof crate shares.
//!
//! Floor 0 of the house: plain data with public fields, depending on `serde` alone. No tensors, no
//! I/O, no randomness. Every stage of a step has its own noun:
//!
//! ```text
//! Task ──rollout──▶ PromptGroup ──verifier──▶ ScoredGroup ──views──▶ advantage, selection
//! ```
//!
//! Letters used in all documentation: `P` prompts, `G` completions per prompt, `B` rows (one row is
//! one completion), `T` tokens, `V` vocabulary, `D` width, `H` heads.
//!
//! ```
//! use fireproof_trajectory::{
//!     Completion, FinishReason, Outcome, PolicyVersion, PromptGroup, PromptId, SamplingParams,
//!     ScoredGroup, Verdict,
//! };
//!
//! let completion = |token| Completion {
//!     tokens: vec![token],
//!     logprobs: vec![-0.7],
//!     sampling_logprobs: None,
//!     support: None,
//!     entropies: vec![0.69],
//!     finish: FinishReason::Stop,
//!     sampling: SamplingParams::default(),
//!     version: PolicyVersion(0),
//! };
//! let group = PromptGroup {
//!     prompt: PromptId::of("1+1>"),
//!     prompt_tokens: vec![3, 4],
//!     completions: vec![completion(7), completion(8)],
//! };
//! let verdicts = vec![Verdict::new(Outcome::Correct), Verdict::new(Outcome::Wrong)];
//! let scored = ScoredGroup::new(group, verdicts, vec![1.0, 0.0]).unwrap();
//! assert_eq!(scored.view().success_rate(), 0.5);
//! ```

mod completion;
mod constraint;
mod error;
mod family_check;
mod group;
mod task;
mod tests_check;
mod verdict;
mod view;

pub use completion::Completion;
pub use completion::FinishReason;
pub use completion::PolicyVersion;
pub use completion::SamplingParams;
pub use completion::Support;
pub use constraint::Constraint;
pub use constraint::Count;
pub use error::TrajectoryError;
pub use family_check::FamilyCheck;
pub use group::PromptGroup;
pub use group::ScoredGroup;
pub use task::CheckSpec;
pub use task::ExpressionCheck;
pub use task::Operands;
pub use task::PromptId;
pub use task::Task;
pub use task::TaskMetadata;
pub use tests_check::ProgramTest;
pub use tests_check::TestLimits;
pub use tests_check::TestsCheck;
pub use verdict::Outcome;
pub use verdict::Verdict;
pub use view::CreditedView;
pub use view::GroupView;
pub use view::StepView;
pub use view::TokenStep;
pub use view::TokenView;
