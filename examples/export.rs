//! Writes a Hugging Face checkpoint anew: in another precision, in files of another size.
//!
//! ```text
//! cargo run --release --example export -- --model Qwen2.5-0.5B --out half --dtype bf16
//! ```
//!
//! The weights go through the model as after training, so this also shows what another tool gets.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use burn::tensor::DType;
use clap::Parser;
use fireproof::model::{Export, ModelFolder};
use fireproof::prelude::*;
use fireproof_examples::arguments::{WeightPrecision, positive};

/// Programs of this workspace keep freed memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Write a Hugging Face checkpoint anew, in another precision or in files of another size.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// Folder of a Hugging Face checkpoint
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The folder to write, which must not hold weights yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Precision of the files: f32, bf16, f16 [default: that of the checkpoint]
    #[arg(long, value_enum, hide_possible_values = true)]
    dtype: Option<WeightPrecision>,
    /// Megabytes of weights from which on a further file is begun
    #[arg(long, value_name = "MB", default_value_t = 5000.0, value_parser = positive::<f64>)]
    shard_mb: f64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut folder = ModelFolder::open(&arguments.model)?;
    let config = folder.config.clone();
    // Nothing is computed: positions would only take memory.
    folder.config.transformer.context = 1;
    // F32 holds every number of the other two.
    let model = folder.load(DType::F32, &resolve_device(Some("flex"))?.device)?;
    let published = config.dtype.unwrap_or(DType::F32);
    let dtype = arguments.dtype.map_or(published, WeightPrecision::dtype);
    let export = Export {
        dtype,
        shard_bytes: (arguments.shard_mb * 1e6) as usize,
        companions: Some(folder.path()),
        ..Export::new(&config)
    };
    export.write(&model, &arguments.out)?;
    let parameters = config.transformer.parameters();
    println!("{} {parameters} parameters in {dtype:?}", arguments.out.display());
    Ok(())
}
