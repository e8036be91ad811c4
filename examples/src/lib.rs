//! What the examples share: run files, task sets, command lines, tables.
//!
//! An example itself is one file beside this folder and reads from top to bottom; only what every
//! one of them would repeat is here.

// Programs talk to people on the terminal; libraries do not.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

pub mod arguments;
mod data;
mod display;
pub mod gsm8k;
mod interrupt;
pub mod lab;
mod layers;
mod lines;
pub mod machine;
mod run_file;
mod setup;
mod table;

pub use data::DemonstrationStream;
pub use data::TaskSet;
pub use display::Display;
pub use display::DisplayError;
pub use interrupt::INTERRUPTED;
pub use interrupt::Interrupt;
pub use lines::read_lines;
pub use lines::write_line;
pub use run_file::EvaluationConfig;
pub use run_file::ModelConfig;
pub use run_file::ReportConfig;
pub use run_file::RunFile;
pub use run_file::RunFileError;
pub use run_file::TaskConfig;
pub use setup::QuickTrainer;
pub use setup::Setup;
pub use table::before_after;
