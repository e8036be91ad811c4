//! Verifiers: the text of a completion and its task in, a verdict out.
//!
//! Floor 1: sees `trajectory` only. A verifier never sees token ids or tensors and keeps no state.
//! A wrong or missing answer is a [`Verdict`](fireproof_trajectory::Verdict), not an error; a
//! [`VerifyError`] means that the *judge* could not work, and the trainer then drops the completion
//! and counts it instead of paying 0 for it.
//!
//! | verifier | judges |
//! |---|---|
//! | [`ExactMatch`] | the text equals the answer up to surrounding white space |
//! | [`IntegerExpression`] | the text is an arithmetic expression with the right value and numbers |
//! | [`FamilyInstance`] | the text solves an instance of a procedural family: a path, a word, ... |
//! | [`MathAnswer`](math::MathAnswer) | the answer in the text is mathematically equal to the task's |
//! | [`CodeVerifier`] | the text holds a Python program that passes tests, run in a [`Sandbox`] |
//! | [`ConstraintVerifier`] | the text meets constraints on its form |
//! | [`CheckVerifier`] | by the task's own check, one of those above |
//! | [`TaggedAnswer`] | the `<answer>` part through another verifier, and the tags as a format |
//! | [`Composite`] | by another verifier, with further scores beside it |
//! | `RemoteVerifier` | by asking a service over HTTP (feature `remote`) |
//!
//! [`verify_groups`] judges a whole step on all cores.
//!
//! ```
//! use fireproof_trajectory::{CheckSpec, Outcome, PromptId, Task, TaskMetadata};
//! use fireproof_verifier::{CheckVerifier, Verifier};
//!
//! let task = Task {
//!     id: PromptId::of("57+68>"),
//!     prompt: "57+68>".into(),
//!     check: CheckSpec::Exact { answer: "125".into() },
//!     metadata: TaskMetadata::default(),
//! };
//! assert_eq!(CheckVerifier.verify(&task, " 125\n").unwrap().outcome, Outcome::Correct);
//! assert_eq!(CheckVerifier.verify(&task, "126").unwrap().outcome, Outcome::Wrong);
//! assert_eq!(CheckVerifier.verify(&task, "").unwrap().outcome, Outcome::NoAnswer);
//! ```

mod code;
mod composite;
mod constraint;
mod evaluate;
mod exact;
mod expression;
mod family;
mod format;
pub mod math;
mod parallel;
#[cfg(feature = "remote")]
mod remote;
mod repetition;
mod reward;
mod verifier;

pub use code::CodeError;
pub use code::CodeReport;
pub use code::CodeRequest;
pub use code::CodeResponse;
pub use code::CodeSource;
pub use code::CodeStyle;
pub use code::CodeVerifier;
pub use code::Extent;
pub use code::RequestError;
pub use code::TestVerdict;
pub use code::WireLimits;
pub use code::WireTest;
pub use code::extract_code;
pub use code::judge_code;
pub use code::judge_request;
pub use code::sandbox::End;
pub use code::sandbox::Finished;
pub use code::sandbox::Layer;
pub use code::sandbox::Layers;
pub use code::sandbox::Limits;
pub use code::sandbox::Sandbox;
pub use code::sandbox::SandboxConfig;
pub use code::sandbox::SandboxError;
pub use code::sandbox::Wish;
pub use composite::Composite;
pub use composite::Part;
pub use composite::Score;
pub use constraint::ConstraintError;
pub use constraint::ConstraintVerifier;
pub use constraint::constraints_met;
pub use constraint::meets;
pub use evaluate::EvaluateError;
pub use evaluate::Evaluation;
pub use evaluate::evaluate;
pub use exact::ExactMatch;
pub use expression::IntegerExpression;
pub use family::FamilyInstance;
pub use format::TaggedAnswer;
pub use format::tag_score;
pub use parallel::Response;
pub use parallel::Responses;
pub use parallel::Waiting;
pub use parallel::Watchdog;
pub use parallel::verify_groups;
#[cfg(feature = "remote")]
pub use remote::RemoteVerifier;
pub use repetition::repetition;
pub use reward::RewardScale;
pub use verifier::CheckVerifier;
pub use verifier::Verifier;
pub use verifier::VerifyError;
