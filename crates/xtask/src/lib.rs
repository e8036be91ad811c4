//! Tasks of the workspace itself: `cargo xtask tidy` checks the rules of the house.
//!
//! Beside the floors: sees no crate of the workspace, only their manifests and sources. The same
//! check runs as a test, so `cargo test --workspace` fails when a rule is broken.

mod tidy;

pub use tidy::Problem;
pub use tidy::TidyError;
pub use tidy::tidy;
