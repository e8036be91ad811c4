//! Scores given texts under a Hugging Face checkpoint: the log-probability of each token after the
//! first and the entropy of the distribution it was drawn from.
//!
//! ```text
//! echo '{"id":1,"text":"2 + 2 = 4"}' > lines.jsonl
//! cargo run --release --example score -- --model Qwen2.5-0.5B --input lines.jsonl
//! cargo run --release --example score -- --help
//! ```
//!
//! All lines are read and checked before anything is computed; the first that is wrong ends the
//! program with its number. What is written does not depend on how lines are batched, but for
//! rounding.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use burn::tensor::{Device, Int, Tensor, TensorData};
use clap::Parser;
use fireproof::kernels::token_logprobs;
use fireproof::model::ModelFolder;
use fireproof::prelude::*;
use fireproof_examples::arguments::{WeightPrecision, positive};
use fireproof_examples::{machine, read_lines, write_line};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Programs of this workspace keep freed memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Log-probabilities and entropies (in nats) of given texts under a model.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    /// Folder of a Hugging Face checkpoint: config.json, safetensors and, for texts, tokenizer.json
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Lines to score; `-` reads the standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Divides the logits
    #[arg(long, default_value_t = 1.0, value_parser = positive::<f32>)]
    temperature: f32,
    /// Precision of weights and activations (f32, bf16, f16); scores are computed in f32
    #[arg(long, value_enum, hide_possible_values = true, default_value_t = WeightPrecision::F32)]
    dtype: WeightPrecision,
    /// Tokens that are computed together at most, padding included (one line at least)
    #[arg(long, value_name = "N", default_value_t = 2048)]
    batch_tokens: usize,
    /// Where to compute: flex, ndarray, wgpu, cuda, ...
    #[arg(long)]
    device: Option<String>,
}

const EXAMPLES: &str = "\
Lines, and what comes out (n - 1 numbers for n tokens):
  in  {\"id\":1,\"text\":\"2 + 2 = 4\"}
  in  {\"id\":\"b\",\"token_ids\":[17,488,220]}
  out {\"id\":\"b\",\"token_ids\":[17,488,220],\"logprobs\":[-3.1,-0.2],\"entropies\":[5.0,0.7]}
A text gets the special tokens that the tokenizer adds, as in `tokenizer(text)` of transformers.";

/// Rows of logits that are held at once.
const LOGIT_ROWS: usize = 256;

fn main() -> ExitCode {
    machine::keep_freed_memory();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let resolved = resolve_device(arguments.device.as_deref())?;
    eprintln!("device   {resolved}");
    let mut folder = ModelFolder::open(&arguments.model)?;
    let mut reader = Reader { folder: &folder, tokenizer: None };
    let lines = read_lines(&arguments.input, |line| reader.line(line))?;
    // Tables for positions that no line has would only take memory.
    let config = &mut folder.config.transformer;
    let longest = lines.iter().map(|line| line.token_ids.len()).max().unwrap_or(1);
    config.context = config.context.min(longest);
    let dtype = arguments.dtype.dtype();
    let model = folder.load(dtype, &resolved.device)?;
    eprintln!("model    {} parameters in {dtype:?}", folder.config.transformer.parameters());
    let mut out = io::stdout().lock();
    for batch in batches(&lines, arguments.batch_tokens) {
        let scores = score(&model, batch, arguments.temperature, &resolved.device);
        for (line, (logprobs, entropies)) in batch.iter().zip(scores) {
            let answer = Answer { id: &line.id, token_ids: &line.token_ids, logprobs, entropies };
            if !write_line(&mut out, &serde_json::to_string(&answer)?)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A line of the input as it is written.
#[derive(Deserialize)]
struct Given {
    id: Option<Box<RawValue>>,
    text: Option<String>,
    token_ids: Option<Vec<u32>>,
}

/// A line to score.
struct Line {
    id: Option<Box<RawValue>>,
    token_ids: Vec<u32>,
}

#[derive(Serialize)]
struct Answer<'a> {
    id: &'a Option<Box<RawValue>>,
    token_ids: &'a [u32],
    logprobs: Vec<f32>,
    entropies: Vec<f32>,
}

struct Reader<'a> {
    folder: &'a ModelFolder,
    /// Read when the first text asks for it.
    tokenizer: Option<Tokenizer>,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) -> Result<Line, Box<dyn Error>> {
        let given: Given = serde_json::from_str(line)?;
        let token_ids = match (given.text, given.token_ids) {
            (Some(text), None) => self.tokenizer()?.encode_document(&text)?,
            (None, Some(token_ids)) => token_ids,
            (None, None) => return Err("has neither `text` nor `token_ids`".into()),
            (Some(_), Some(_)) => return Err("has both `text` and `token_ids`".into()),
        };
        if token_ids.is_empty() {
            return Err("has no tokens".into());
        }
        self.folder.config.transformer.limits().check(&token_ids, 0)?;
        Ok(Line { id: given.id, token_ids })
    }

    fn tokenizer(&mut self) -> Result<&Tokenizer, Box<dyn Error>> {
        let tokenizer = match self.tokenizer.take() {
            Some(tokenizer) => tokenizer,
            None => Tokenizer::from_folder(self.folder.path())?,
        };
        Ok(self.tokenizer.insert(tokenizer))
    }
}

/// Neighbouring lines whose padded rows have at most `budget` tokens together.
fn batches(lines: &[Line], budget: usize) -> impl Iterator<Item = &[Line]> {
    let mut rest = lines;
    std::iter::from_fn(move || {
        let mut width = 0;
        let fits = |(count, line): &(usize, &Line)| {
            width = width.max(line.token_ids.len());
            *count == 0 || (count + 1) * width <= budget
        };
        let count = rest.iter().enumerate().take_while(fits).count();
        let (batch, left) = rest.split_at(count);
        rest = left;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Log-probabilities and entropies of all tokens of each line but the first.
fn score(
    model: &Transformer,
    lines: &[Line],
    temperature: f32,
    device: &Device,
) -> Vec<(Vec<f32>, Vec<f32>)> {
    let inputs = |line: &Line| line.token_ids.len() - 1;
    let time = lines.iter().map(inputs).max().unwrap_or(0);
    if time == 0 {
        return lines.iter().map(|_| (Vec::new(), Vec::new())).collect();
    }
    // Rows are padded on the right, where no token sees it.
    let mut tokens = vec![0; lines.len() * time];
    let (mut index, mut targets) = (Vec::new(), Vec::new());
    for (row, line) in lines.iter().enumerate() {
        let cells = &mut tokens[row * time..][..inputs(line)];
        cells.iter_mut().zip(&line.token_ids).for_each(|(cell, token)| *cell = *token as i32);
        index.extend((0..inputs(line)).map(|at| (row * time + at) as i32));
        targets.extend(line.token_ids[1..].iter().map(|token| *token as i32));
    }
    let vector = |values: Vec<i32>| {
        let count = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [count]), device)
    };
    let positions = vector((0..time as i32).collect()).reshape([1, time]);
    let shape = [lines.len(), time];
    let hidden = model.hidden(vector(tokens).reshape(shape), positions.expand(shape));
    let width = hidden.dims()[2];
    let states = hidden.reshape([lines.len() * time, width]);

    let (mut logprobs, mut entropies) = (Vec::new(), Vec::new());
    for (index, targets) in index.chunks(LOGIT_ROWS).zip(targets.chunks(LOGIT_ROWS)) {
        let logits = model.logits(states.clone().select(0, vector(index.to_vec())));
        let scored = token_logprobs(logits, vector(targets.to_vec()), temperature);
        logprobs.extend(host(scored.logprobs));
        entropies.extend(host(scored.entropies));
    }
    let (mut logprobs, mut entropies) = (logprobs.into_iter(), entropies.into_iter());
    let take = |line: &Line| {
        let count = inputs(line);
        (logprobs.by_ref().take(count).collect(), entropies.by_ref().take(count).collect())
    };
    lines.iter().map(take).collect()
}

fn host(tensor: Tensor<1>) -> Vec<f32> {
    tensor.into_data().try_to_vec_as().expect("scores are floats")
}
