//! Lines of a file one at a time, whatever bytes it holds.

use std::io::{BufRead, Read};

use super::error::{ReadError, ReadProblem};
use super::task_reader::Row;

/// Longest line that is read, in bytes: 16 MiB. A longer one is an error and skipped.
pub const LONGEST_LINE: usize = 16 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of an input as text, numbered from 1, without line ends and byte-order mark.
pub(super) struct Lines<R> {
    input: R,
    file: String,
    line: u64,
    limit: usize,
    failed: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(file: &str, input: R) -> Self {
        Self { input, file: file.to_owned(), line: 0, limit: LONGEST_LINE, failed: false }
    }

    fn error(&self, problem: ReadProblem) -> ReadError {
        ReadError { file: self.file.clone(), line: Some(self.line), problem }
    }

    /// The bytes of the next line, or nothing at the end.
    fn next_bytes(&mut self) -> Result<Option<Vec<u8>>, ReadProblem> {
        let mut bytes = Vec::new();
        // One byte beyond the limit and the line end shows that a line is too long.
        let limit = self.limit as u64 + 1;
        if self.input.by_ref().take(limit).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        if bytes.len() as u64 == limit && bytes.last() != Some(&b'\n') {
            self.input.skip_until(b'\n')?;
            return Err(ReadProblem::TooLong { limit: self.limit });
        }
        Ok(Some(bytes))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Row, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        self.line += 1;
        let mut bytes = match self.next_bytes() {
            Ok(bytes) => bytes?,
            Err(problem) => {
                // After a failed read the next would fail too, for ever.
                self.failed = matches!(problem, ReadProblem::Io(_));
                return Some(Err(self.error(problem)));
            }
        };
        if self.line == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        Some(match String::from_utf8(bytes) {
            Ok(text) => Ok(Row { line: self.line, text }),
            Err(error) => {
                let byte = error.utf8_error().valid_up_to() + 1;
                Err(self.error(ReadProblem::NotUtf8 { byte }))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each line became: its text, or the error.
    fn read(bytes: &[u8], limit: usize) -> Vec<String> {
        let lines = Lines { limit, ..Lines::new("f", bytes) };
        lines.map(|row| row.map_or_else(|error| error.to_string(), |row| row.text)).collect()
    }

    #[test]
    fn a_byte_order_mark_is_no_text_and_bad_bytes_do_not_end_the_file() {
        let bytes = b"\xef\xbb\xbfone\r\nt\xffwo\n\xef\xbb\xbfthree\nfour";
        assert_eq!(
            read(bytes, 99),
            ["one\r\n", "f:2: not UTF-8 at byte 2 of the line", "\u{feff}three\n", "four"]
        );
    }

    #[test]
    fn a_line_beyond_the_limit_is_skipped_and_the_next_one_read() {
        let text = "12345678\n123456789\n1234\n123456789";
        let long = |line| format!("f:{line}: the line is longer than 8 bytes");
        assert_eq!(read(text.as_bytes(), 8), ["12345678\n", &long(2), "1234\n", &long(4)]);
    }

    #[test]
    fn an_input_that_fails_ends_after_the_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("the disk is gone"))
            }
        }
        let lines = Lines::new("f", std::io::BufReader::new(Broken));
        let errors: Vec<String> =
            lines.map(|row| row.map(|_| ()).unwrap_err().to_string()).collect();
        assert_eq!(errors, ["f:1: cannot be read: the disk is gone"]);
    }
}
