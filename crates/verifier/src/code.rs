//! Programs judged by tests, in a sandbox.
//!
//! ```text
//! completion ─extract─▶ program ─┬─▶ input and output ─▶ a process per test ─▶ output ─┐
//!                                ├─▶ calls, asserts ────▶ one process ───────▶ values ─┼─▶ compared here
//!                                └─▶ other test code ───▶ a second process that only asks ─▶ results
//! ```

mod assertion;
mod extract;
mod judging;
mod literal;
mod report;
pub(crate) mod sandbox;
mod verifier;
mod wire;

pub use extract::extract_code;
pub use judging::Extent;
pub use judging::judge_code;
pub use report::CodeError;
pub use report::CodeReport;
pub use report::TestVerdict;
pub use verifier::CodeSource;
pub use verifier::CodeVerifier;
pub use wire::CodeRequest;
pub use wire::CodeResponse;
pub use wire::CodeStyle;
pub use wire::RequestError;
pub use wire::WireLimits;
pub use wire::WireTest;
pub use wire::judge_request;
