//! `cargo xtask`: tasks of the workspace itself.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Tasks of the workspace itself.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask")]
enum Task {
    /// Check the rules of the house: layout, floors, sizes, docs, absences
    Tidy,
}

fn main() -> ExitCode {
    let Task::Tidy = Task::parse();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    match xtask::tidy(&root) {
        Ok(problems) if problems.is_empty() => {
            println!("tidy");
            ExitCode::SUCCESS
        }
        Ok(problems) => {
            for problem in &problems {
                println!("{problem}");
            }
            println!("{} problems", problems.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
