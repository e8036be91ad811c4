//! Comparisons per second, beside math-verify on the same pairs in the same run.
//!
//! ```sh
//! cargo bench --package fireproof-verifier --bench math -- --python path/to/python
//! ```
//!
//! The pairs are the corpus in `tests/math` without hostile input and without golds that are an error.
//! Each pair is timed alone: the median of several repetitions, gold answer parsed anew every time. With
//! `--python`, an interpreter that has math-verify installed, the rival judges the same pairs once each.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use fireproof_verifier::math::{Policy, equal};

/// Repetitions of each pair.
const REPETITIONS: usize = 21;

struct Pair {
    gold: String,
    prediction: String,
    expected: bool,
}

/// What one judge did.
struct Run {
    equal: Vec<bool>,
    seconds: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let python = arguments.iter().position(|argument| argument == "--python");
    let pairs = pairs()?;
    println!("{} pairs", pairs.len());
    let ours = ours(&pairs)?;
    report("fireproof", &pairs, &ours);
    let Some(python) = python.and_then(|at| arguments.get(at + 1)) else {
        println!("math-verify: not measured; name an interpreter that has it with --python");
        return Ok(());
    };
    let rival = rival(python, &pairs)?;
    report("math-verify", &pairs, &rival);
    let ratio = quantile(&rival.seconds, 0.5) / quantile(&ours.seconds, 0.5);
    println!("ratio of the medians: {ratio:.0}");
    for (index, pair) in pairs.iter().enumerate() {
        if pair.expected && rival.equal[index] && !ours.equal[index] {
            println!("only math-verify accepts {} for {}", pair.prediction, pair.gold);
        }
    }
    Ok(())
}

fn pairs() -> Result<Vec<Pair>, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/math");
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .collect::<Result<Vec<_>, _>>()?
        .iter()
        .map(|file| file.path())
        .collect();
    files.sort();
    let mut pairs = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("hostile.tsv")) {
        let text = std::fs::read_to_string(file)?;
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [_, gold, prediction, expected @ ("equal" | "different"), _] = columns[..] else {
                continue;
            };
            let (gold, prediction) = (gold.to_owned(), prediction.to_owned());
            pairs.push(Pair { gold, prediction, expected: expected == "equal" });
        }
    }
    Ok(pairs)
}

fn ours(pairs: &[Pair]) -> Result<Run, Box<dyn Error>> {
    let policy = Policy::default();
    let mut run = Run { equal: Vec::new(), seconds: Vec::new() };
    for pair in pairs {
        let judge = || equal(black_box(&pair.gold), black_box(&pair.prediction), &policy);
        run.equal.push(judge()?.equal);
        let mut times: Vec<f64> = (0..REPETITIONS)
            .map(|_| {
                let start = Instant::now();
                let _ = black_box(judge());
                start.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        run.seconds.push(times[REPETITIONS / 2]);
    }
    Ok(run)
}

/// Feeds the pairs to the script beside this file.
fn rival(python: &str, pairs: &[Pair]) -> Result<Run, Box<dyn Error>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/math_verify_rival.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    let lines: String = pairs
        .iter()
        .map(|pair| format!("{}\t{}\t{}\n", pair.gold, pair.prediction, pair.expected))
        .collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writer failed")??;
    let mut run = Run { equal: Vec::new(), seconds: Vec::new() };
    for line in String::from_utf8(output.stdout)?.lines() {
        let (equal, seconds) = line.split_once('\t').ok_or("a malformed line")?;
        run.equal.push(equal == "1");
        run.seconds.push(seconds.parse()?);
    }
    if run.equal.len() != pairs.len() {
        return Err(
            format!("math-verify answered {} of {} pairs", run.equal.len(), pairs.len()).into()
        );
    }
    Ok(run)
}

fn quantile(seconds: &[f64], share: f64) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn report(name: &str, pairs: &[Pair], run: &Run) {
    let count = |expected: bool, equal: bool| {
        let both = pairs.iter().zip(&run.equal);
        both.filter(|(pair, found)| pair.expected == expected && **found == equal).count()
    };
    let time = |share| quantile(&run.seconds, share) * 1e6;
    println!(
        "{name}: median {:.1} us, 90% {:.1} us, 99% {:.1} us, slowest {:.0} us",
        time(0.5),
        time(0.9),
        time(0.99),
        time(1.0)
    );
    println!(
        "{name}: accepts {} of {} equal pairs and {} of {} different ones",
        count(true, true),
        count(true, true) + count(true, false),
        count(false, true),
        count(false, true) + count(false, false)
    );
}
