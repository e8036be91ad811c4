//! Why a row or a file could not be read.

use std::io;

/// A row or file that could not be read, with its place.
#[derive(Debug, thiserror::Error)]
#[error("{}{problem}", place(file, *line))]
pub struct ReadError {
    /// The file, as it was named to the reader.
    pub file: String,
    /// The line (JSONL) or row (Parquet), from 1, unless the whole file is to blame.
    pub line: Option<u64>,
    /// What is wrong.
    pub problem: ReadProblem,
}

fn place(file: &str, line: Option<u64>) -> String {
    line.map_or_else(|| format!("{file}: "), |line| format!("{file}:{line}: "))
}

/// What is wrong with a row or a file. Values are shown up to 60 characters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadProblem {
    /// The system could not read the file. No rows follow.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// No reader knows files with this ending.
    #[error("{reason}")]
    UnknownKind {
        /// What is known.
        reason: String,
    },
    /// A line is longer than the limit; it was skipped without being kept in memory.
    #[error("the line is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// A line is not UTF-8.
    #[error("not UTF-8 at byte {byte} of the line")]
    NotUtf8 {
        /// The first bad byte, from 1.
        byte: usize,
    },
    /// A row is not a JSON object, or a field of it not what it should be.
    #[error("{reason}, at column {column}: {value}")]
    NotJson {
        /// What the parser said.
        reason: String,
        /// Where, in bytes from 1.
        column: usize,
        /// The row.
        value: String,
    },
    /// A field that is needed is missing or null.
    #[error("field `{field}` is null or missing")]
    Missing {
        /// The names that were looked for, each a path through nested objects.
        field: String,
    },
    /// A field holds something else than it should.
    #[error("field `{field}` should hold {expected}, not {value}")]
    WrongValue {
        /// The path of the field.
        field: String,
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        value: String,
    },
    /// A Parquet file or row group is damaged or of a form that is not supported. No rows follow.
    #[error("{reason}")]
    Parquet {
        /// What the library said.
        reason: String,
    },
}

/// A value for a message: without control characters, and cut after 60 characters.
pub(super) fn shown(value: &str) -> String {
    let mut text = String::new();
    for letter in value.chars().take(60) {
        match letter {
            '"' | '\'' | '\\' => text.push(letter),
            _ => text.extend(letter.escape_debug()),
        }
    }
    if value.chars().nth(60).is_some() {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_odd_values_are_cut_and_escaped() {
        assert_eq!(shown(r#"{"a": 'b\n'}"#), r#"{"a": 'b\n'}"#);
        assert_eq!(shown("a\0b\u{1b}[2J"), "a\\0b\\u{1b}[2J");
        assert_eq!(shown(&"x".repeat(61)), format!("{}...", "x".repeat(60)));
    }

    #[test]
    fn an_error_says_where() {
        let problem = || ReadProblem::Missing { field: "answer".into() };
        let error = |line| ReadError { file: "a.jsonl".into(), line, problem: problem() };
        assert_eq!(error(Some(7)).to_string(), "a.jsonl:7: field `answer` is null or missing");
        assert_eq!(error(None).to_string(), "a.jsonl: field `answer` is null or missing");
    }
}
