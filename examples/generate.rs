//! Continues texts with a Hugging Face checkpoint, or answers in its chat format.
//!
//! ```text
//! cargo run --release --example generate -- --model Qwen2.5-0.5B-Instruct --chat \
//!     --prompt "What is 2+2?" --temperature 0.7 --top-p 0.8
//! cargo run --release --example generate -- --model DIR --input lines.jsonl --samples 4 --json
//! cargo run --release --example generate -- --help
//! ```
//!
//! All prompts are read and checked before anything is computed; the first that is wrong ends the
//! program with its line. Completions come in the order of the prompts, those of a batch as soon as
//! the last of them has ended. A prompt, a seed and the number of a sample decide its tokens, whatever
//! it is batched with.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{ArgGroup, Parser};
use fireproof::model::{
    ChatMessage, ChatTemplate, Conversation, ModelError, ModelFolder, ModelLimits,
};
use fireproof::prelude::*;
use fireproof::rollout::{RolloutError, RolloutRequest, StopRules};
use fireproof::trajectory::{Completion, FinishReason, PolicyVersion, PromptGroup, SamplingParams};
use fireproof_examples::arguments::{WeightPrecision, not_negative, share};
use fireproof_examples::{machine, read_lines, write_line};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Programs of this workspace keep freed memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Continue texts, or answer in the chat format, with a Hugging Face checkpoint.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
#[command(group(ArgGroup::new("prompts").required(true).args(["prompt", "input"])))]
struct Arguments {
    /// Folder of a Hugging Face checkpoint: config.json, safetensors, tokenizer.json
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// A text to continue
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Lines to continue; `-` reads the standard input
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Put each text into the checkpoint's chat template, as the message of a user
    #[arg(long)]
    chat: bool,
    /// The day that a chat template is told, such as 2026-03-07 [default: one of its own]
    #[arg(long, value_name = "DATE")]
    date: Option<jiff::civil::Date>,
    /// New tokens at most, a completion
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = at_least_1)]
    max_tokens: usize,
    /// Divides the logits; 0 takes the likeliest token each time
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = not_negative::<f32>)]
    #[arg(allow_negative_numbers = true)]
    temperature: f32,
    /// Draw from the likeliest tokens that have this probability together
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = share::<f32>)]
    top_p: f32,
    /// Draw from so many of the likeliest tokens [default: all]
    #[arg(long, value_name = "K", value_parser = at_least_1)]
    top_k: Option<usize>,
    /// Draw from tokens with at least this share of the likeliest one's probability [default: all]
    #[arg(long, value_name = "P", value_parser = share::<f32>)]
    min_p: Option<f32>,
    /// Completions of each prompt
    #[arg(long, value_name = "G", default_value_t = 1, value_parser = at_least_1)]
    samples: usize,
    /// Seed of what is drawn
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Write a JSON object a line and not text
    #[arg(long)]
    json: bool,
    /// Completions that are computed together at most (those of one prompt at least)
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_1)]
    batch_rows: usize,
    /// Precision of weights and activations (f32, bf16, f16); probabilities are computed in f32
    #[arg(long, value_enum, hide_possible_values = true, default_value_t = WeightPrecision::F32)]
    dtype: WeightPrecision,
    /// Where to compute: flex, ndarray, wgpu, cuda, ...
    #[arg(long)]
    device: Option<String>,
}

const EXAMPLES: &str = "\
Lines, and what comes out of each with --json, a line a completion, the new tokens only:
  in  {\"id\":1,\"text\":\"2 + 2 =\"}
  in  {\"id\":\"b\",\"token_ids\":[17,488,220]}
  in  {\"id\":3,\"messages\":[{\"role\":\"user\",\"content\":\"What is 2+2?\"}]}
  out {\"id\":1,\"sample\":0,\"token_ids\":[220,19,13],\"text\":\" 4.\",\"logprobs\":[-0.1,-0.2,-0.9],
       \"finish\":\"stop\"}
Messages go through the chat template in any case. A text without --chat gets the special tokens that
the tokenizer adds. `logprobs` are those of the whole distribution at the temperature (at 1 where it is
0), `finish` is \"stop\" (its last token is one that ends a completion) or \"length\". A text leaves out
special tokens. Of generation_config.json only the tokens that end a completion are used, not what it
says about sampling.";

fn at_least_1(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("is not a whole number".to_owned()),
    }
}

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
    let config = &mut folder.config.transformer;
    let tokenizer = Tokenizer::from_folder(&arguments.model)?.for_model(config.vocabulary)?;
    let prompts = prompts(arguments, &tokenizer, config.limits())?;
    // Tables for positions that no completion reaches would only take memory.
    let longest = prompts.iter().map(|prompt| prompt.tokens.len()).max().unwrap_or(0);
    config.context = longest + arguments.max_tokens;
    let dtype = arguments.dtype.dtype();
    let model = folder.load(dtype, &resolved.device)?;
    eprintln!("model    {} parameters in {dtype:?}", folder.config.transformer.parameters());

    let started = Instant::now();
    let mut engine = InProcessEngine::new(arguments.batch_rows.max(arguments.samples));
    engine.publish(&model, PolicyVersion(0));
    let mut tokens = 0;
    let mut out = io::stdout().lock();
    let at_once = (arguments.batch_rows / arguments.samples).max(1);
    for batch in prompts.chunks(at_once) {
        let requests: Vec<RolloutRequest> =
            batch.iter().map(|prompt| request(arguments, &tokenizer, prompt)).collect();
        let groups = engine.generate(&requests).map_err(|error| named(error, batch))?;
        for (prompt, group) in batch.iter().zip(&groups) {
            tokens += group.completions.iter().map(|c| c.tokens.len()).sum::<usize>();
            for line in lines(arguments, &tokenizer, (prompt, prompts.len()), group)? {
                if !write_line(&mut out, &line)? {
                    return Ok(());
                }
            }
        }
    }
    let (count, seconds) = (prompts.len() * arguments.samples, started.elapsed().as_secs_f64());
    let speed = tokens as f64 / seconds;
    eprintln!("done     completions {count}, tokens {tokens}, {seconds:.1} s, {speed:.0} tokens/s");
    Ok(())
}

/// A prompt to continue.
struct Prompt {
    /// What it is called in the output.
    name: String,
    id: Option<Box<RawValue>>,
    tokens: Vec<u32>,
}

/// A line of the input as it is written.
#[derive(Deserialize)]
struct Given {
    id: Option<Box<RawValue>>,
    text: Option<String>,
    token_ids: Option<Vec<u32>>,
    messages: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Answer<'a> {
    id: &'a Option<Box<RawValue>>,
    sample: usize,
    token_ids: &'a [u32],
    text: String,
    logprobs: &'a [f32],
    finish: FinishReason,
}

/// All prompts, each with room for the new tokens.
fn prompts(
    arguments: &Arguments,
    tokenizer: &Tokenizer,
    limits: ModelLimits,
) -> Result<Vec<Prompt>, Box<dyn Error>> {
    let mut reader = Reader {
        folder: &arguments.model,
        chat: arguments.chat,
        date: arguments.date,
        tokenizer,
        template: None,
        limits,
        max_tokens: arguments.max_tokens,
    };
    if let Some(text) = &arguments.prompt {
        let tokens = reader.text(text).and_then(|tokens| reader.checked(tokens));
        let tokens = tokens.map_err(|error| format!("--prompt: {error}"))?;
        return Ok(vec![Prompt { name: "--prompt".to_owned(), id: None, tokens }]);
    }
    let input = arguments.input.as_deref().unwrap_or(Path::new("-"));
    let mut count = 0;
    read_lines(input, |line| {
        count += 1;
        let given: Given = serde_json::from_str(line)?;
        let id = given.id.clone();
        let name = id.as_ref().map_or(format!("prompt {count}"), |id| format!("id {id}"));
        Ok(Prompt { name, id, tokens: reader.line(given)? })
    })
}

/// Turns what is given into tokens.
struct Reader<'a> {
    folder: &'a Path,
    chat: bool,
    date: Option<jiff::civil::Date>,
    tokenizer: &'a Tokenizer,
    /// Read when the first prompt asks for it.
    template: Option<ChatTemplate>,
    limits: ModelLimits,
    max_tokens: usize,
}

impl Reader<'_> {
    fn line(&mut self, given: Given) -> Result<Vec<u32>, Box<dyn Error>> {
        let Given { text, token_ids, messages, .. } = given;
        let tokens = match (text, token_ids, messages) {
            (Some(text), None, None) => self.text(&text)?,
            (None, None, Some(messages)) => {
                self.render(&Conversation::from_json(messages.get())?)?
            }
            (None, Some(_), None) if self.chat => {
                return Err("has `token_ids`, which --chat cannot put into the template".into());
            }
            (None, Some(tokens), None) => tokens,
            (None, None, None) => {
                return Err("has neither `text` nor `token_ids` nor `messages`".into());
            }
            _ => return Err("has more than one of `text`, `token_ids` and `messages`".into()),
        };
        self.checked(tokens)
    }

    fn text(&mut self, text: &str) -> Result<Vec<u32>, Box<dyn Error>> {
        if !self.chat {
            return Ok(self.tokenizer.encode_document(text)?);
        }
        if let Some(token) = self.tokenizer.special_token_in(text) {
            return Err(
                format!("the text holds `{token}`, which would speak for the template").into()
            );
        }
        self.render(&Conversation::new(&[ChatMessage::user(text)]))
    }

    fn render(&mut self, conversation: &Conversation) -> Result<Vec<u32>, Box<dyn Error>> {
        let conversation = match self.date {
            Some(date) => &conversation.clone().at(date.at(0, 0, 0, 0)),
            None => conversation,
        };
        let template = match self.template.take() {
            Some(template) => template,
            None => ChatTemplate::from_folder(self.folder)?,
        };
        let text = self.template.insert(template).render(conversation)?;
        Ok(self.tokenizer.encode(&text)?)
    }

    fn checked(&self, tokens: Vec<u32>) -> Result<Vec<u32>, Box<dyn Error>> {
        if tokens.is_empty() {
            return Err("has no tokens".into());
        }
        match self.limits.check(&tokens, self.max_tokens) {
            Err(error @ ModelError::ContextExceeded { .. }) => {
                Err(format!("{error}: lower --max-tokens or shorten the prompt").into())
            }
            checked => Ok(checked.map(|()| tokens)?),
        }
    }
}

/// The same tokens, seed and sample address the same random numbers.
fn request(arguments: &Arguments, tokenizer: &Tokenizer, prompt: &Prompt) -> RolloutRequest {
    let Arguments { max_tokens, temperature, top_p, top_k, min_p, samples, seed, .. } = *arguments;
    RolloutRequest {
        prompt: PromptId::of(&format!("{:?}", prompt.tokens)),
        prompt_tokens: prompt.tokens.clone(),
        prefix: Vec::new(),
        samples,
        sampling: SamplingParams { temperature, top_k, top_p: Some(top_p), min_p },
        stop: StopRules { max_tokens, stop_tokens: tokenizer.stops().to_vec() },
        seed,
        step: 0,
    }
}

/// An error of the engine, which knows prompts by number only.
fn named(error: RolloutError, batch: &[Prompt]) -> Box<dyn Error> {
    let RolloutError::NotFinite { prompt, sample, position, logprob } = error else {
        return error.into();
    };
    let is_it = |other: &&Prompt| PromptId::of(&format!("{:?}", other.tokens)) == prompt;
    let name = batch.iter().find(is_it).map_or_else(|| prompt.to_string(), |p| p.name.clone());
    format!(
        "{name}, sample {sample}: the model gives {logprob} as log-probability of token {position}: \
         its weights are damaged or too large for this precision (--dtype), or the temperature is \
         too small"
    )
    .into()
}

/// The output for one prompt of so many: a text alone if it is the only one, else under a headline.
fn lines(
    arguments: &Arguments,
    tokenizer: &Tokenizer,
    (prompt, prompts): (&Prompt, usize),
    group: &PromptGroup,
) -> Result<Vec<String>, Box<dyn Error>> {
    let line = |(sample, completion): (usize, &Completion)| -> Result<String, Box<dyn Error>> {
        let Completion { tokens, logprobs, finish, .. } = completion;
        let text = tokenizer.decode(tokens)?;
        if arguments.json {
            let (id, finish) = (&prompt.id, *finish);
            let answer = Answer { id, sample, token_ids: tokens, text, logprobs, finish };
            return Ok(serde_json::to_string(&answer)?);
        }
        let name = if prompts > 1 { format!("{}, ", prompt.name) } else { String::new() };
        let end = if completion.truncated() { "cut off" } else { "ended" };
        Ok(match prompts * arguments.samples {
            1 => text,
            _ => format!("--- {name}sample {sample}, {end} after {} tokens\n{text}", tokens.len()),
        })
    };
    group.completions.iter().enumerate().map(line).collect()
}
