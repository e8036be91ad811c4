//! `cargo xtask`: tasks of the workspace itself.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use xtask::GpuFolder;

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
    /// Write the README's figures of the recipes
    Leaderboard {
        /// The `summary.json` of a run of the example `leaderboard`; without one the kept one serves
        #[arg(value_name = "SUMMARY")]
        summary: Option<PathBuf>,
    },
    /// Pack the parity tests and benchmarks, with a script, for a machine with a GPU
    Gpu {
        /// Where they go
        #[arg(long, value_name = "DIR", default_value = "target/gpu")]
        out: PathBuf,
        /// The backends beside flex
        #[arg(long, default_value = "cuda")]
        features: String,
        /// An installed llvm-config (22 or 23) in the place of the LLVM that burn would download
        #[arg(long, value_name = "PATH")]
        llvm_config: Option<PathBuf>,
        /// The folder may have at most that many MiB
        #[arg(long, value_name = "MIB", default_value_t = 64)]
        limit: u64,
        /// Only check that everything compiles
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let passed = match Task::parse() {
        Task::Tidy => tidy(),
        Task::VerifyGsm8k { folder } => verify_gsm8k(&folder),
        Task::Leaderboard { summary } => leaderboard(summary.as_deref()),
        Task::Gpu { out, features, llvm_config, limit, check } => {
            gpu(&GpuFolder { root: root(), folder: out, features, llvm_config, limit }, check)
        }
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

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn tidy() -> Result<bool, Box<dyn Error>> {
    let problems = xtask::tidy(&root())?;
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

fn leaderboard(summary: Option<&Path>) -> Result<bool, Box<dyn Error>> {
    xtask::write_leaderboard(&root(), summary)?;
    println!("README.md has the figures");
    Ok(true)
}

fn gpu(wanted: &GpuFolder, check: bool) -> Result<bool, Box<dyn Error>> {
    if check {
        xtask::check_gpu_features(wanted)?;
        println!("the programs compile with {}", wanted.features);
    } else {
        let size = xtask::make_gpu_folder(wanted)?;
        println!("{}: {size} MiB; run run.sh there on the other machine", wanted.folder.display());
    }
    Ok(true)
}
