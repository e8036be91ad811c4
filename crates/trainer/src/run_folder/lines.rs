//! Files of JSON lines that a killed run may leave unfinished.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::replace;
use crate::error::TrainError;

/// A file of JSON lines, open for appending. Every line has a field `step`.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    /// Opens a file, keeping the lines of the first `steps` steps; makes it if there is none. A run
    /// killed before its first step may have made none.
    pub(super) fn after(path: PathBuf, steps: u64) -> Result<Self, TrainError> {
        match fs::read_to_string(&path) {
            Ok(text) => {
                let kept = lines_before(&path, &text, steps)?;
                if kept != text {
                    replace(&path, &kept)?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(TrainError::file("reading", &path)(error)),
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(TrainError::file("writing", &path))?;
        Ok(Self { path, file })
    }

    /// Appends one line, in one write, so that a killed run leaves at most one incomplete line.
    pub(super) fn append<T: Serialize>(&mut self, value: &T) -> Result<(), TrainError> {
        let line = serde_json::to_string(value).map_err(io::Error::from);
        let line = line.map_err(TrainError::file("writing", &self.path))? + "\n";
        self.file.write_all(line.as_bytes()).map_err(TrainError::file("writing", &self.path))
    }
}

/// All complete lines of a file; none if there is no file.
pub(super) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, TrainError> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(TrainError::file("reading", path))?,
    };
    let parsed = complete_lines::<T>(path, &text).map(|line| line.map(|(_, value)| value));
    parsed.collect()
}

/// The lines of the first `steps` steps.
fn lines_before(path: &Path, text: &str, steps: u64) -> Result<String, TrainError> {
    #[derive(Deserialize)]
    struct Line {
        step: u64,
    }
    let parsed = complete_lines::<Line>(path, text).collect::<Result<Vec<_>, _>>()?;
    let kept = parsed.into_iter().filter(|(_, parsed)| parsed.step < steps);
    Ok(kept.map(|(line, _)| line).collect())
}

/// Every line with its value. An incomplete last line, as a killed run leaves one, is passed over;
/// any other damage is an error.
fn complete_lines<'a, T: DeserializeOwned>(
    path: &'a Path,
    text: &'a str,
) -> impl Iterator<Item = Result<(&'a str, T), TrainError>> {
    let lines = text.split_inclusive('\n').enumerate();
    lines.filter_map(move |(index, line)| match serde_json::from_str(line) {
        Ok(value) => Some(Ok((line, value))),
        Err(_) if !line.ends_with('\n') => None,
        Err(error) => {
            let (path, line) = (path.to_owned(), index + 1);
            Some(Err(TrainError::Malformed { path, line, reason: error.to_string() }))
        }
    })
}
