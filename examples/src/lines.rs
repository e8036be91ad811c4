//! Inputs of one JSON object a line.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

/// Reads all lines of a file, or of the standard input for `-`; empty ones are passed over.
///
/// # Errors
/// Names the file, and the number of the first line that `parse` refuses.
pub fn read_lines<T>(
    path: &Path,
    mut parse: impl FnMut(&str) -> Result<T, Box<dyn Error>>,
) -> Result<Vec<T>, Box<dyn Error>> {
    let name = path.display();
    let input: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).map_err(|error| format!("reading {name}: {error}"))?;
        Box::new(BufReader::new(file))
    };
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(input.lines()) {
        let refused = |error| format!("{name}, line {number}: {error}");
        let line = line.map_err(|error| refused(error.into()))?;
        if !line.trim().is_empty() {
            lines.push(parse(&line).map_err(refused)?);
        }
    }
    Ok(lines)
}

/// Writes a line at once; false if nobody reads any more.
///
/// # Errors
/// If it cannot be written for another reason.
pub fn write_line(out: &mut impl Write, line: &str) -> io::Result<bool> {
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}
