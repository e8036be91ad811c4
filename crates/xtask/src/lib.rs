//! Tasks of the workspace itself: `cargo xtask tidy` checks the rules of the house, `cargo xtask
//! verify-gsm8k DIR` that the gold solutions of GSM8K verify themselves, `cargo xtask leaderboard`
//! writes the README's figures, and `cargo xtask gpu` packs the parity tests and benchmarks for a
//! machine with a GPU.
//!
//! Beside the floors. The first check sees only manifests and sources; it runs as a test too, so
//! `cargo test --workspace` fails when a rule is broken.

mod gpu;
mod gsm8k;
mod leaderboard;
mod tidy;

pub use gpu::GpuError;
pub use gpu::GpuFolder;
pub use gpu::check_gpu_features;
pub use gpu::make_gpu_folder;
pub use gsm8k::GoldError;
pub use gsm8k::GoldTally;
pub use gsm8k::verify_gsm8k;
pub use leaderboard::LeaderboardError;
pub use leaderboard::readme_with_leaderboard;
pub use leaderboard::write_leaderboard;
pub use tidy::Problem;
pub use tidy::TidyError;
pub use tidy::tidy;
