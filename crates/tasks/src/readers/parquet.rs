//! Rows of a Parquet file as JSON text, so that all layouts work on both kinds of file.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row as ParquetRow};

use super::error::{ReadError, ReadProblem};
use super::task_reader::Row;

/// The rows of a file, one row group in memory at a time, numbered from 1.
pub(super) fn rows(
    file: &str,
    input: File,
) -> Result<impl Iterator<Item = Result<Row, ReadError>> + Send + use<>, ReadProblem> {
    let reader = guarded(|| SerializedFileReader::new(input))?;
    let reader: Box<dyn FileReader> = Box::new(reader);
    let mut rows = RowIter::from_file_into(reader);
    let (mut line, mut failed, file) = (0, false, file.to_owned());
    Ok(std::iter::from_fn(move || {
        if failed {
            return None;
        }
        line += 1;
        let row = guarded(|| rows.next().transpose()).transpose()?;
        Some(row.map(|row| Row { line, text: object(&row) }).map_err(|problem| {
            // What follows a damaged page cannot be trusted.
            failed = true;
            ReadError { file: file.clone(), line: Some(line), problem }
        }))
    }))
}

/// The library's answer; it panics on some damaged files, and that is an answer too.
fn guarded<T>(call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ReadProblem> {
    // Nothing that was in use when it panicked is used again.
    let answer = catch_unwind(AssertUnwindSafe(call));
    let damaged = |reason: String| ReadProblem::Parquet { reason };
    match answer {
        Ok(answer) => answer.map_err(|error| damaged(error.to_string())),
        Err(_) => Err(damaged("damaged: the library gave up on it".to_owned())),
    }
}

fn object(row: &ParquetRow) -> String {
    let fields = row.get_column_iter();
    let fields: Vec<String> =
        fields.map(|(name, field)| format!("{}:{}", quoted(name), json(field))).collect();
    format!("{{{}}}", fields.join(","))
}

/// A field as JSON; numbers digit for digit, and text for all that JSON has no form for.
fn json(field: &Field) -> String {
    match field {
        Field::Null => "null".to_owned(),
        Field::Bool(_)
        | Field::Byte(_)
        | Field::Short(_)
        | Field::Int(_)
        | Field::Long(_)
        | Field::UByte(_)
        | Field::UShort(_)
        | Field::UInt(_)
        | Field::ULong(_) => field.to_string(),
        Field::Float(number) if number.is_finite() => number.to_string(),
        Field::Double(number) if number.is_finite() => number.to_string(),
        Field::Str(text) => quoted(text),
        // A picture, say: no text, so that a layout that needs it says that it is missing.
        Field::Bytes(bytes) => {
            std::str::from_utf8(bytes.data()).map_or_else(|_| "null".to_owned(), quoted)
        }
        Field::Group(row) => object(row),
        Field::ListInternal(list) => {
            let items: Vec<String> = list.elements().iter().map(json).collect();
            format!("[{}]", items.join(","))
        }
        Field::MapInternal(map) => {
            let key = |field: &Field| match field {
                Field::Str(text) => quoted(text),
                other => quoted(&other.to_string()),
            };
            let entries: Vec<String> =
                map.entries().iter().map(|(k, v)| format!("{}:{}", key(k), json(v))).collect();
            format!("{{{}}}", entries.join(","))
        }
        other => quoted(&other.to_string()),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
