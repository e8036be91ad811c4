//! Why do two frameworks give other numbers for the same batch? What each dialect computes, the rules
//! in which they differ, and how much each rule changes.
//!
//! ```text
//! cargo run --release --example explain -- --dialect trl --dialect verl
//! cargo run --release --example explain -- --dialect verl --dialect nemo-rl examples/batches/rewards.json
//! cargo run --release --example explain -- --dialect trl --tokens batch.json
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::Device;
use clap::Parser;
use fireproof::trainer::{Dialect, DialectBatch, DialectName, Explanation, Rule};

/// The batch that verl, TRL, Liger and OpenRLHF have been compared on.
const DEMONSTRATION: &str = include_str!("batches/hand.json");

/// What each dialect computes for a batch, which rules differ, and by how much.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100, after_help = FORM)]
struct Arguments {
    /// A dialect; give several to compare them with the first
    #[arg(long = "dialect", value_name = "NAME", default_values = ["fireproof", "trl", "verl"])]
    dialects: Vec<DialectName>,
    /// Show every token
    #[arg(long)]
    tokens: bool,
    /// The batch as JSON; without it a built-in one
    #[arg(value_name = "FILE")]
    batch: Option<PathBuf>,
}

const FORM: &str = "\
A batch:
  {\"groups\": [[{\"reward\": 1, \"logprobs\": [-0.7, -1.2], \"behaviour\": [-0.5, -1.2]}, ...], ...]}
Beside them a completion may have \"reference\" (log-probabilities), \"mask\" (true where a token
trains) and \"advantage\" (in place of a reward); the batch \"clip\" ([0.2, 0.28]: for all
dialects), \"kl_coefficient\" and \"max_length\" (what Dr.GRPO divides by).";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let batch = match &arguments.batch {
        Some(path) => read(path)?,
        None => serde_json::from_str(DEMONSTRATION)?,
    };
    // The only backend with f64 everywhere.
    let device = fireproof_kernels::resolve_device(Some("flex"))?.device;
    let explained: Vec<Explained> =
        arguments.dialects.iter().map(|name| Explained::new(*name, &batch, &device)).collect();
    let mut text = headline(&batch);
    text += &completions(&batch, &explained);
    text += &losses(&explained);
    let (first, others) = explained.split_first().ok_or("no dialect")?;
    for other in others {
        text += &differences(first, other, &batch, &device);
    }
    if arguments.tokens {
        explained.iter().for_each(|dialect| text += &tokens(dialect));
    }
    Ok(text)
}

fn read(path: &Path) -> Result<DialectBatch, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
}

/// A dialect with what it computes.
struct Explained {
    name: String,
    dialect: Dialect,
    explanation: Explanation,
}

impl Explained {
    fn new(name: DialectName, batch: &DialectBatch, device: &Device) -> Self {
        let dialect = name.build(batch.length());
        let explanation = dialect.explain(batch, device);
        Self { name: name.to_string(), dialect, explanation }
    }
}

fn headline(batch: &DialectBatch) -> String {
    let completions = batch.completions().count();
    let tokens: usize = batch.completions().map(|completion| completion.tokens()).sum();
    let groups = batch.groups.len();
    let clip = batch.clip.map_or("each dialect's own".to_owned(), |[l, h]| format!("-{l}, +{h}"));
    let kl = batch.kl_coefficient;
    format!(
        "{completions} completions in {groups} groups, {tokens} training tokens; \
         clip {clip}; KL {kl}\n\n"
    )
}

/// Advantage of each completion and share of each of its tokens.
fn completions(batch: &DialectBatch, explained: &[Explained]) -> String {
    let head = ["group", "tokens"].map(str::to_owned).into_iter();
    let pair = |dialect: &Explained| [dialect.name.clone(), "share".to_owned()];
    let mut rows = vec![head.chain(explained.iter().flat_map(pair)).collect()];
    let places = batch.groups.iter().enumerate();
    let places =
        places.flat_map(|(group, completions)| completions.iter().map(move |c| (group, c)));
    for (row, (group, completion)) in places.enumerate() {
        let head = [group.to_string(), completion.tokens().to_string()].into_iter();
        let cells = |dialect: &Explained| {
            let found = &dialect.explanation.completions[row];
            [number(found.advantage), number(found.weight)]
        };
        rows.push(head.chain(explained.iter().flat_map(cells)).collect());
    }
    format!("Advantage of each completion, share of each of its tokens\n{}\n", table(&rows))
}

fn losses(explained: &[Explained]) -> String {
    let names = ["", "policy", "penalties", "loss"].map(str::to_owned).to_vec();
    let mut rows = vec![names];
    for Explained { name, explanation, .. } in explained {
        let Explanation { policy, loss, .. } = *explanation;
        rows.push(vec![name.clone(), number(policy), number(loss - policy), number(loss)]);
    }
    format!("Loss\n{}\n", table(&rows))
}

/// The rules in which two dialects differ, and what the first becomes with each one of the other's.
fn differences(
    first: &Explained,
    other: &Explained,
    batch: &DialectBatch,
    device: &Device,
) -> String {
    let rules = Rule::differing(&first.dialect, &other.dialect);
    let title = format!("From {} to {}", first.name, other.name);
    if rules.is_empty() {
        return format!("{title}: no rule differs\n\n");
    }
    let head = ["rule", &first.name, &other.name, "loss", "change", "largest change of a gradient"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut row = |name: &str, texts: [String; 2], explanation: &Explanation| {
        let [loss, change, gradient] = change(&first.explanation, explanation);
        let [one, two] = texts;
        rows.push(vec![name.to_owned(), one, two, loss, change, gradient]);
    };
    for rule in rules {
        let mut dialect = first.dialect;
        rule.adopt(&mut dialect, &other.dialect);
        let text = |dialect| rule.text(dialect).unwrap_or_default();
        let texts = [text(&first.dialect), text(&other.dialect)];
        row(rule.name(), texts, &dialect.explain(batch, device));
    }
    row("all of them", [String::new(), String::new()], &other.explanation);
    format!("{title}, one rule at a time\n{}\n", table(&rows))
}

/// The loss, how it differs from another one, and the largest difference of a token's gradient.
fn change(from: &Explanation, to: &Explanation) -> [String; 3] {
    let gradients = |explanation: &Explanation| -> Vec<f64> {
        let tokens = explanation.completions.iter().flat_map(|completion| &completion.tokens);
        tokens.map(|token| token.map_or(0.0, |token| token.gradient)).collect()
    };
    let differences = gradients(from).into_iter().zip(gradients(to)).map(|(a, b)| (a - b).abs());
    let change = to.loss - from.loss;
    let sign = if change > 0.0 { "+" } else { "" };
    [number(to.loss), format!("{sign}{}", number(change)), number(differences.fold(0.0, f64::max))]
}

fn tokens(dialect: &Explained) -> String {
    let mut text = String::new();
    for (row, completion) in dialect.explanation.completions.iter().enumerate() {
        let advantage = number(completion.advantage);
        writeln!(text, "{}, completion {row}, advantage {advantage}", dialect.name)
            .expect("writing to a string cannot fail");
        let head = ["token", "ratio", "clip", "policy", "penalties", "share", "gradient"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for (place, token) in completion.tokens.iter().enumerate() {
            let mut cells = vec![place.to_string()];
            match token {
                Some(token) => cells.extend([
                    number(token.ratio),
                    token.clip.unwrap_or("").to_owned(),
                    number(token.policy),
                    number(token.penalty),
                    number(completion.weight),
                    number(token.gradient),
                ]),
                None => cells.push("does not train".to_owned()),
            }
            rows.push(cells);
        }
        text += &table(&rows);
        text.push('\n');
    }
    text
}

/// Six decimals, or two digits of what they would not show; nothing is `0`.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 1e-5 => format!("{value:.1e}"),
        _ => format!("{value:.6}"),
    }
}

/// Columns as wide as their longest cell: texts to the left, numbers to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let widths: Vec<usize> =
        (0..columns).map(|column| cells(column).map(String::len).max().unwrap_or(0)).collect();
    let right: Vec<bool> = (0..columns)
        .map(|column| cells(column).skip(1).all(|c| c.is_empty() || c.parse::<f64>().is_ok()))
        .collect();
    let mut text = String::new();
    for row in rows {
        let cell = |(column, cell): (usize, &String)| {
            let width = widths[column];
            if right[column] { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        };
        let line: Vec<String> = row.iter().enumerate().map(cell).collect();
        text += "  ";
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}
