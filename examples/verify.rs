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

#![allow(clippy::print_stderr, reason = "programs talk to people")]

use std::io::{self, BufRead, Read, Write};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use clap::{Parser, ValueEnum};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Longest line that is read, in bytes: 64 MiB.
const LONGEST_LINE: u64 = 64 << 20;

/// Judge answers: JSON lines in, one JSON line out for each.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    /// What is judged
    #[arg(value_enum)]
    what: What,
    /// Lines judged at a time; the answers keep the order of the lines
    #[arg(long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Is a bare answer equal to the gold answer?
    Math,
    /// Which answer does a completion give, and is it right?
    Extract,
    /// Does a Python program pass its tests?
    Code,
}

const EXAMPLES: &str = "TODO";

/// Why a line has no answer.
struct Refusal(String);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match serve(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A numbered line on its way to a worker, and where its answer is awaited.
struct Job {
    number: u64,
    line: Result<Vec<u8>, Refusal>,
    answer: Sender<String>,
}

/// Reads, judges and writes at the same time until the input ends or nobody reads the output.
fn serve(arguments: &Arguments) -> io::Result<()> {
    let jobs = arguments.jobs.get();
    let (give, take) = sync_channel::<Job>(jobs);
    let take = Mutex::new(take);
    // The writer holds the places of the answers in the order of the lines.
    let (order, ordered) = sync_channel(4 * jobs);
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| work(arguments.what, &take));
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
fn work(what: What, take: &Mutex<Receiver<Job>>) {
    loop {
        let job = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { number, line, answer }) = job else { return };
        // Nobody waits any more once the output is closed.
        let _ = answer.send(respond(what, number, line));
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
fn respond(what: What, number: u64, line: Result<Vec<u8>, Refusal>) -> String {
    let mut id = None;
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let line = line?;
        let line = std::str::from_utf8(&line).map_err(|error| {
            Refusal(format!("not UTF-8 at byte {} of the line", error.valid_up_to() + 1))
        })?;
        // A line of the wrong form may still say whose answer it is.
        id = serde_json::from_str(line).map_or(None, |Identity { id }| id);
        match what {
            What::Math => math(&parse(line)?).map(Answer::Math),
            What::Extract => extract(&parse(line)?).map(Answer::Extract),
            What::Code => code(&parse(line)?).map(Answer::Code),
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
    if line.trim().is_empty() {
        return Err(Refusal("the line is empty".to_owned()));
    }
    serde_json::from_str(line).map_err(|error| {
        // The parser counts lines of its own, and there is only one.
        let error = error.to_string();
        let reason = error.split(" at line 1 column ").collect::<Vec<_>>().join(", at byte ");
        Refusal(reason)
    })
}
