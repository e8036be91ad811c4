//! `cargo xtask`: tasks of the workspace itself.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// Tasks of the workspace itself.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask")]
enum Task {
    /// Check the rules of the house: layout, floors, sizes, docs, absences
    Tidy,
    /// Check that the gold solutions of GSM8K verify themselves
    VerifyGsm8k {
        /// The folder with `train.jsonl` and `test.jsonl`
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let passed = match Task::parse() {
        Task::Tidy => tidy(),
        Task::VerifyGsm8k { folder } => verify_gsm8k(&folder),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tidy() -> Result<bool, Box<dyn Error>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let problems = xtask::tidy(&root)?;
    for problem in &problems {
        println!("{problem}");
    }
    if problems.is_empty() {
        println!("tidy");
    } else {
        println!("{} problems", problems.len());
    }
    Ok(problems.is_empty())
}

fn verify_gsm8k(folder: &Path) -> Result<bool, Box<dyn Error>> {
    let tally = xtask::verify_gsm8k(folder)?;
    println!("{tally}");
    Ok(tally.problems.is_empty())
}
