//! Judges answers from the command line: JSON lines in, one JSON line out for each.
//!
//! The same verifiers as in training, for looking at a data set, comparing with another judge or
//! serving a program in another language through a pipe. Every answer is flushed as soon as it and
//! all answers before it are known, so a caller may wait for one before it writes the next line.
//!
//! ```text
//! echo '{"id":1,"gold":"1/2","pred":"0.5"}' | cargo run --release --example verify -- math
//! cargo run --release --example verify -- --help
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::io::{self, BufRead, Read, Write};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use clap::{Parser, Subcommand};
use fireproof_verifier::math::{
    self, Comparison, Extracted, Extraction, Gold, Policy, Reason, Tier,
};
use fireproof_verifier::{
    CodeRequest, CodeResponse, CodeVerifier, Sandbox, SandboxConfig, judge_request,
};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Longest line that is read, in bytes: 32 MiB.
const LONGEST_LINE: u64 = 32 << 20;

/// Judge answers: JSON lines in, one JSON line out for each.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Lines judged at a time; the answers keep the order of the lines
    #[arg(long, global = true, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Is a bare answer equal to the gold answer?
    Math,
    /// Which answer does a completion give, and is it right?
    Extract,
    /// Does a Python program pass its tests?
    Code {
        /// Print the layers of the sandbox and end
        #[arg(long)]
        layers: bool,
        /// The interpreter
        #[arg(long, value_name = "PATH", default_value = "python3")]
        interpreter: PathBuf,
        /// Run programs even where nothing contains them: only for programs that are trusted
        #[arg(long)]
        allow_uncontained: bool,
    },
}

/// The modes of [`Extraction::mode`].
const MODES: [&str; 9] =
    ["auto", "tags", "boxed", "gsm8k", "phrase", "choice", "dollars", "last_number", "whole"];

const EXAMPLES: &str = "\
Lines, and what comes out:
  verify math
    in  {\"id\":1,\"gold\":\"1/2\",\"pred\":\"0.5\"}
    out {\"id\":1,\"equal\":true,\"tier\":\"exact\",\"reason\":\"same\"}
  verify extract
    in  {\"id\":2,\"completion\":\"So it is \\\\boxed{7}.\",\"mode\":\"auto\",\"gold\":\"7\"}
    out {\"id\":2,\"extracted\":\"7\",\"correct\":true}
  verify code
    in  {\"id\":3,\"style\":\"stdin\",\"code\":\"print(int(input())+1)\",\"tests\":[{\"stdin\":\"1\",\"stdout\":\"2\"}]}
    out {\"id\":3,\"reward\":1,\"pass_frac\":1.0,\"verdict\":\"passed\"}
A line that cannot be judged:
    out {\"id\":null,\"line\":4,\"error\":\"the line is not a JSON object\"}

  cargo run --release --example verify -- math < pairs.jsonl";

/// Why a line has no answer.
struct Refusal(String);

impl<E: Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let judge = match arguments.what {
        What::Math => Judge::Math,
        What::Extract => Judge::Extract,
        What::Code { layers, interpreter, allow_uncontained } => {
            let config = SandboxConfig { interpreter, allow_uncontained, ..Default::default() };
            let sandbox = Sandbox::new(&config)?;
            if layers {
                println!("Python {}\n{}", sandbox.python_version(), sandbox.layers());
                return Ok(());
            }
            Judge::Code(CodeVerifier::new(Arc::new(sandbox)))
        }
    };
    Ok(serve(&judge, arguments.jobs.get())?)
}

/// What the lines are, with what it takes to judge them.
enum Judge {
    Math,
    Extract,
    Code(CodeVerifier),
}

/// A numbered line on its way to a worker, and where its answer is awaited.
struct Job {
    number: u64,
    line: Result<Vec<u8>, Refusal>,
    answer: Sender<String>,
}

/// Reads, judges and writes at the same time until the input ends or nobody reads the output.
fn serve(judge: &Judge, jobs: usize) -> io::Result<()> {
    let (give, take) = sync_channel::<Job>(jobs);
    let take = Mutex::new(take);
    // The writer holds the places of the answers in the order of the lines.
    let (order, ordered) = sync_channel(4 * jobs);
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| work(judge, &take));
        }
        let writer = scope.spawn(move || write(&ordered, &mut io::stdout().lock()));
        let read = read(&mut io::stdin().lock(), &give, &order);
        drop((give, order));
        let written = writer.join().expect("the writer does not panic");
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => read.and(written),
        }
    })
}

/// Hands out the lines of the input until it ends or nobody waits for answers.
fn read(
    input: &mut dyn BufRead,
    give: &SyncSender<Job>,
    order: &SyncSender<Receiver<String>>,
) -> io::Result<()> {
    for number in 1.. {
        let Some(line) = next_line(input)? else { break };
        let (answer, awaited) = channel();
        if order.send(awaited).is_err() || give.send(Job { number, line, answer }).is_err() {
            break;
        }
    }
    Ok(())
}

fn next_line(input: &mut dyn BufRead) -> io::Result<Option<Result<Vec<u8>, Refusal>>> {
    let mut line = Vec::new();
    let count = input.take(LONGEST_LINE + 1).read_until(b'\n', &mut line)?;
    if count == 0 {
        return Ok(None);
    }
    if count as u64 > LONGEST_LINE && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
        return Ok(Some(Err(Refusal(format!("the line is longer than {LONGEST_LINE} bytes")))));
    }
    Ok(Some(Ok(line)))
}

/// Judges lines until there are no more.
fn work(judge: &Judge, take: &Mutex<Receiver<Job>>) {
    loop {
        let job = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { number, line, answer }) = job else { return };
        // Nobody waits any more once the output is closed.
        let _ = answer.send(respond(judge, number, line));
    }
}

/// Writes each answer as soon as it is its turn.
fn write(ordered: &Receiver<Receiver<String>>, out: &mut dyn Write) -> io::Result<()> {
    for awaited in ordered {
        let answer = awaited.recv().expect("every job is answered");
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// The answer to one line as JSON.
fn respond(judge: &Judge, number: u64, line: Result<Vec<u8>, Refusal>) -> String {
    let mut id = None;
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let line = line?;
        let line = std::str::from_utf8(&line).map_err(|error| {
            Refusal(format!("not UTF-8 at byte {} of the line", error.valid_up_to() + 1))
        })?;
        // Some editors begin a file with a byte-order mark.
        let line = line.strip_prefix('\u{feff}').unwrap_or(line).trim();
        // A list would do for an object as far as the parser is concerned.
        if !line.starts_with('{') {
            return Err(Refusal(
                if line.is_empty() { "the line is empty" } else { "the line is not a JSON object" }
                    .to_owned(),
            ));
        }
        // A line of the wrong form may still say whose answer it is.
        id = serde_json::from_str(line).map_or(None, |Identity { id }| id);
        match judge {
            Judge::Math => Ok(Answer::Math(compare(&parse(line)?))),
            Judge::Extract => extract(&parse(line)?).map(Answer::Extract),
            Judge::Code(verifier) => code(verifier, &parse(line)?).map(Answer::Code),
        }
    }));
    let judged = judged.unwrap_or_else(|_| Err(Refusal("the judge failed: a bug".to_owned())));
    let answer = judged.unwrap_or_else(|Refusal(error)| Answer::Error { line: number, error });
    let line = Line { id: id.as_deref(), answer };
    serde_json::to_string(&line).expect("plain data has a JSON form")
}

/// What every line of the output holds.
#[derive(Serialize)]
struct Line<'a> {
    /// The id of the input line as it was written, `null` if it had none.
    id: Option<&'a RawValue>,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Math(MathAnswer),
    Extract(ExtractAnswer),
    Code(CodeAnswer),
    Error { line: u64, error: String },
}

#[derive(Deserialize)]
struct Identity {
    id: Option<Box<RawValue>>,
}

/// A bare answer against the gold answer.
#[derive(Deserialize)]
struct MathLine {
    gold: Text,
    pred: Text,
}

#[derive(Serialize)]
struct MathAnswer {
    equal: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<Tier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    /// What is wrong with the gold answer: an error of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

fn compare(line: &MathLine) -> MathAnswer {
    match math::equal(&line.gold.0, &line.pred.0, &Policy::default()) {
        Ok(Comparison { equal, tier, reason }) => {
            MathAnswer { equal, tier: Some(tier), reason: Some(reason), error: None }
        }
        Err(error) => {
            MathAnswer { equal: false, tier: None, reason: None, error: Some(error.to_string()) }
        }
    }
}

/// A completion, where to look for its answer, and the gold answer.
#[derive(Deserialize)]
struct ExtractLine {
    completion: String,
    mode: Option<String>,
    gold: Option<Text>,
}

#[derive(Serialize)]
struct ExtractAnswer {
    extracted: Option<String>,
    /// Nothing without a gold answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    correct: Option<bool>,
    /// What is wrong with the gold answer: an error of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

fn extract(line: &ExtractLine) -> Result<ExtractAnswer, Refusal> {
    let mode = line.mode.as_deref().unwrap_or("auto");
    let strategies = Extraction::mode(mode)
        .ok_or_else(|| Refusal(format!("`{mode}` is no mode: {}", MODES.join(", "))))?;
    let (gold, error) = match line.gold.as_ref().map(|gold| Gold::read(&gold.0)).transpose() {
        Ok(gold) => (gold, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let found = math::extract(&line.completion, &strategies, gold.as_ref());
    let equal = |gold: &Gold| {
        let equal = |found: &Extracted| gold.compare(&found.text, &Policy::default()).equal;
        found.as_ref().is_some_and(equal)
    };
    let correct = if error.is_some() { Some(false) } else { gold.as_ref().map(equal) };
    Ok(ExtractAnswer { extracted: found.map(|found| found.text), correct, error })
}

/// Calls, asserts or input and output, in the sandbox.
fn code(verifier: &CodeVerifier, request: &CodeRequest) -> Result<CodeAnswer, Refusal> {
    let CodeResponse { reward, pass_frac, verdict, .. } = judge_request(verifier, request)?;
    Ok(CodeAnswer { reward, pass_frac, verdict })
}

#[derive(Serialize)]
struct CodeAnswer {
    reward: u8,
    pass_frac: f64,
    verdict: &'static str,
}

/// A text, or a number as it is written.
#[derive(Debug)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get()).map(Self).map_err(D::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Self(raw.get().to_owned())),
            _ => Err(D::Error::custom("expected a text or a number")),
        }
    }
}

fn parse<T: DeserializeOwned>(line: &str) -> Result<T, Refusal> {
    serde_json::from_str(line).map_err(|error| {
        // The parser counts lines of its own, and there is only one.
        let error = error.to_string();
        let reason = error.split(" at line 1 column ").collect::<Vec<_>>().join(", at byte ");
        Refusal(reason)
    })
}
