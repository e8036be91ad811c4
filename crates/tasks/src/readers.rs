//! Reading task sets from files, row by row, and writing them back.
//!
//! ```text
//! lines (JSONL) ─┐
//!                ├─▶ rows as JSON text ─layout─▶ tasks ─▶ records, without what was seen before
//! rows (Parquet) ┘
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
