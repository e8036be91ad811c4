//! Reading task sets from files, row by row.
//!
//! A [`TaskReader`] yields one [`Record`] for each row of a JSONL file (or a Parquet file, with the
//! feature `parquet`) as a [`Layout`] says: GSM8K, MATH, DAPO, a user's own field names, or the tasks
//! that [`write_jsonl`] wrote. A row that cannot be read is an error with file, line and value, and
//! the rows after it still come; a second row with the same prompt and a row with an empty prompt
//! are left out and counted in the [`ReadReport`].
//!
//! ```
//! use fireproof_tasks::{Fields, Layout, TaskReader};
//!
//! let text = r#"{"q": "1+1?", "a": 2}
//! {"q": "1+1?", "a": 2}
//! {"q": "2+2?", "a": null}
//! "#;
//! let layout = Layout::Fields(Fields::new("sums", "q", "a"));
//! let mut reader = TaskReader::jsonl("sums.jsonl", text.as_bytes(), layout);
//! assert_eq!(reader.next().unwrap().unwrap().task.prompt, "1+1?");
//! assert_eq!(
//!     reader.next().unwrap().unwrap_err().to_string(),
//!     "sums.jsonl:3: field `a` is null or missing",
//! );
//! assert!(reader.next().is_none());
//! assert_eq!(reader.report().duplicates.first, [2]);
//! ```

mod error;
mod fields;
mod gold;
mod layout;
mod lines;
#[cfg(feature = "parquet")]
mod parquet;
mod record;
mod report;
mod task_reader;

pub use error::ReadError;
pub use error::ReadProblem;
pub use layout::Answer;
pub use layout::Fields;
pub use layout::Judge;
pub use layout::Layout;
pub use lines::LONGEST_LINE;
pub use record::Record;
pub use record::write_jsonl;
pub use report::ReadReport;
pub use report::Rows;
pub use task_reader::TaskReader;
