//! The iterator over the tasks of a file.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use fireproof_trajectory::{CheckSpec, PromptId};

use super::error::{ReadError, ReadProblem};
use super::fields;
use super::layout::Layout;
use super::lines::Lines;
use super::record::{self, Record};
use super::report::ReadReport;

/// A row as JSON text.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) text: String,
}

/// Reads the tasks of a file one by one, as a [`Layout`] says.
///
/// A row that cannot be read is an error with file, line and value, and the rows after it still
/// come. A second row with the same prompt and a row with an empty prompt are left out and counted
/// in the [`ReadReport`]. Only one row is in memory at a time (of Parquet: one row group), and two
/// numbers for each prompt that was seen.
///
/// ```
/// use fireproof_tasks::{Fields, Layout, TaskReader};
///
/// let text = r#"{"q": "1+1?", "a": 2}
/// {"q": "1+1?", "a": 2}
/// {"q": "2+2?", "a": null}
/// "#;
/// let layout = Layout::Fields(Fields::new("sums", "q", "a"));
/// let mut reader = TaskReader::jsonl("sums.jsonl", text.as_bytes(), layout);
/// assert_eq!(reader.next().unwrap().unwrap().task.prompt, "1+1?");
/// assert_eq!(
///     reader.next().unwrap().unwrap_err().to_string(),
///     "sums.jsonl:3: field `a` is null or missing",
/// );
/// assert!(reader.next().is_none());
/// assert_eq!(reader.report().duplicates.first, [2]);
/// ```
pub struct TaskReader {
    rows: Box<dyn Iterator<Item = Result<Row, ReadError>> + Send>,
    file: String,
    layout: Layout,
    /// A fingerprint of the check of each prompt.
    seen: HashMap<PromptId, PromptId>,
    report: ReadReport,
}

impl TaskReader {
    /// Reads JSON objects from `input`, one to a line; blank lines do not count as rows.
    ///
    /// `file` is what error messages call it. A byte-order mark, carriage returns and lines of up to
    /// [`LONGEST_LINE`](crate::LONGEST_LINE) are fine.
    #[must_use]
    pub fn jsonl(file: &str, input: impl BufRead + Send + 'static, layout: Layout) -> Self {
        let blank =
            |row: &Result<Row, ReadError>| row.as_ref().is_ok_and(|row| row.text.trim().is_empty());
        let rows = Lines::new(file, input).filter(move |row| !blank(row));
        Self::over(file, Box::new(rows), layout)
    }

    /// Opens a file by its ending: `.jsonl` or `.ndjson`; `.parquet` with the feature `parquet`.
    ///
    /// # Errors
    /// If the file cannot be opened or has another ending.
    pub fn open(path: &Path, layout: Layout) -> Result<Self, ReadError> {
        let file = path.display().to_string();
        let error = |problem| ReadError { file: file.clone(), line: None, problem };
        let open = || File::open(path).map_err(|source| error(source.into()));
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("jsonl" | "ndjson") => Ok(Self::jsonl(&file, BufReader::new(open()?), layout)),
            #[cfg(feature = "parquet")]
            Some("parquet") => {
                let rows = super::parquet::rows(&file, open()?).map_err(error)?;
                Ok(Self::over(&file, Box::new(rows), layout))
            }
            #[cfg(not(feature = "parquet"))]
            Some("parquet") => Err(error(ReadProblem::UnknownKind {
                reason: "Parquet files need the feature `parquet` of fireproof-tasks".to_owned(),
            })),
            _ => Err(error(ReadProblem::UnknownKind {
                reason: "not a kind of file that is known: .jsonl, .ndjson, .parquet".to_owned(),
            })),
        }
    }

    fn over(
        file: &str,
        rows: Box<dyn Iterator<Item = Result<Row, ReadError>> + Send>,
        layout: Layout,
    ) -> Self {
        let (seen, report) = (HashMap::new(), ReadReport::default());
        Self { rows, file: file.to_owned(), layout, seen, report }
    }

    /// What became of the rows so far.
    #[must_use]
    pub fn report(&self) -> &ReadReport {
        &self.report
    }

    /// The task of a row, unless it is left out.
    fn record(&mut self, row: Row) -> Result<Option<Record>, ReadProblem> {
        let Row { line, text } = row;
        let (task, demonstration) = match &self.layout {
            Layout::Tasks => record::parse(&text)?,
            Layout::Fields(fields) => fields::task(fields, &text)?,
        };
        if task.prompt.trim().is_empty() {
            self.report.empty_prompts.add(line);
            return Ok(None);
        }
        let check = fingerprint(&task.check);
        if let Some(other) = self.seen.insert(task.id, check) {
            // The first one stays the one to compare with.
            self.seen.insert(task.id, other);
            let same = other == check;
            let rows =
                if same { &mut self.report.duplicates } else { &mut self.report.contradictions };
            rows.add(line);
            return Ok(None);
        }
        self.report.tasks += 1;
        Ok(Some(Record { task, demonstration, line }))
    }
}

impl Iterator for TaskReader {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = match self.rows.next()? {
                Ok(row) => row,
                Err(error) => {
                    self.report.failed.add(error.line.unwrap_or(0));
                    return Some(Err(error));
                }
            };
            let line = row.line;
            match self.record(row) {
                Ok(None) => {}
                Ok(Some(record)) => return Some(Ok(record)),
                Err(problem) => {
                    self.report.failed.add(line);
                    let file = self.file.clone();
                    return Some(Err(ReadError { file, line: Some(line), problem }));
                }
            }
        }
    }
}

impl fmt::Debug for TaskReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, layout, report, .. } = self;
        f.debug_struct("TaskReader")
            .field("file", file)
            .field("layout", layout)
            .field("report", report)
            .finish_non_exhaustive()
    }
}

fn fingerprint(check: &CheckSpec) -> PromptId {
    PromptId::of(&format!("{check:?}"))
}
