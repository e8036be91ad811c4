//! A task with what a file knows about it, and its way back into a file.

use std::io::{self, Write};

use fireproof_trajectory::Task;
use serde::{Deserialize, Serialize};

use super::error::ReadProblem;
use super::fields::not_json;
use crate::family::Instance;

/// One row of a task set.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The task.
    pub task: Task,
    /// A right answer or a worked solution to learn from, where the set has one.
    pub demonstration: Option<String>,
    /// The line (JSONL) or row (Parquet), from 1; 0 if it does not come from a file.
    pub line: u64,
}

impl From<Instance> for Record {
    fn from(instance: Instance) -> Self {
        Self { task: instance.task, demonstration: Some(instance.demonstration), line: 0 }
    }
}

/// The fields that stand beside the task's own.
#[derive(Serialize, Deserialize)]
struct Beside {
    #[serde(default)]
    demonstration: Option<String>,
}

/// A record that [`write_jsonl`] wrote, and a plain task.
pub(super) fn parse(row: &str) -> Result<(Task, Option<String>), ReadProblem> {
    let task = serde_json::from_str(row).map_err(|error| not_json(&error, row))?;
    let beside: Beside = serde_json::from_str(row).map_err(|error| not_json(&error, row))?;
    Ok((task, beside.demonstration))
}

/// Writes tasks one to a line, for [`Layout::Tasks`](crate::Layout::Tasks) to read back.
///
/// ```
/// use fireproof_tasks::{Layout, Partition, Record, Split, TaskReader, generate, write_jsonl};
///
/// let made: Vec<Record> =
///     generate(&Split, 1..=2, 5, Partition::Train, 1).into_iter().map(Record::from).collect();
/// let mut file = Vec::new();
/// write_jsonl(&mut file, &made).unwrap();
/// let read = TaskReader::jsonl("split.jsonl", std::io::Cursor::new(file), Layout::Tasks);
/// assert!(read.map(Result::unwrap).map(|record| record.task).eq(made.into_iter().map(|r| r.task)));
/// ```
///
/// # Errors
/// What `out` says.
pub fn write_jsonl<'a>(
    out: &mut dyn Write,
    records: impl IntoIterator<Item = &'a Record>,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(flatten)]
        task: &'a Task,
        #[serde(skip_serializing_if = "Option::is_none")]
        demonstration: Option<&'a str>,
    }
    for Record { task, demonstration, .. } in records {
        serde_json::to_writer(&mut *out, &Line { task, demonstration: demonstration.as_deref() })?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
