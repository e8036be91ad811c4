//! Do the gold solutions of GSM8K verify themselves?

use std::fmt;
use std::path::{Path, PathBuf};

use fireproof_tasks::{Layout, ReadError, ReadReport, Record, TaskReader};
use fireproof_verifier::{CheckVerifier, Verifier};

/// What came of judging the worked solution of every task of a folder.
#[derive(Debug, Default)]
pub struct GoldTally {
    /// Each file with what was read of it.
    pub files: Vec<(PathBuf, ReadReport)>,
    /// Solutions whose own answer is right.
    pub right: u64,
    /// What is wrong with the others: a place and what the judge or the reader says.
    pub problems: Vec<String>,
}

/// Why the folder could not be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoldError {
    /// The folder could not be listed.
    #[error("reading {path}: {reason}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// There is no JSONL file in it.
    #[error("there are no .jsonl files in {path}", path = path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A file could not be opened.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Reads every JSONL file of a folder as GSM8K and judges each worked solution as if a policy had
/// written it: its answer is extracted from the text and compared with the task's.
///
/// # Errors
/// [`GoldError`] if there is nothing to read.
pub fn verify_gsm8k(folder: &Path) -> Result<GoldTally, GoldError> {
    let list = std::fs::read_dir(folder).map_err(|error| GoldError::Folder {
        path: folder.to_owned(),
        reason: error.to_string(),
    })?;
    let paths = list.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).collect();
    paths.sort();
    if paths.is_empty() {
        return Err(GoldError::Empty { path: folder.to_owned() });
    }
    let mut tally = GoldTally::default();
    for path in paths {
        let mut reader = TaskReader::open(&path, Layout::gsm8k())?;
        for row in &mut reader {
            match row {
                Ok(record) => tally.judge(&path, &record),
                Err(error) => tally.problems.push(error.to_string()),
            }
        }
        tally.files.push((path, reader.report().clone()));
    }
    Ok(tally)
}

impl GoldTally {
    fn judge(&mut self, path: &Path, record: &Record) {
        let solution = record.demonstration.as_deref().unwrap_or_default();
        let problem = match CheckVerifier.verify(&record.task, solution) {
            Ok(verdict) if verdict.correct() => {
                self.right += 1;
                return;
            }
            Ok(verdict) => format!("{:?}, answer {:?}", verdict.outcome, verdict.answer),
            Err(error) => error.to_string(),
        };
        self.problems.push(format!("{}:{}: {problem}", path.display(), record.line));
    }
}

impl fmt::Display for GoldTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, report) in &self.files {
            writeln!(f, "{}: {report}", path.display())?;
        }
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        let tasks: u64 = self.files.iter().map(|(_, report)| report.tasks).sum();
        write!(f, "{} of {tasks} gold solutions verify themselves", self.right)
    }
}
