//! The rules of the house, each with the reason why it is one.

mod book;
mod graph;
mod layout;
mod source;
mod traits;

use std::fmt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file or folder, relative to the root.
    pub place: String,
    /// The line, from 1, if one is to blame.
    pub line: Option<usize>,
    /// What is wrong.
    pub text: String,
}

impl Problem {
    fn new(place: impl Into<String>, line: Option<usize>, text: impl Into<String>) -> Self {
        Self { place: place.into(), line, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.place, self.text),
            None => write!(f, "{}: {}", self.place, self.text),
        }
    }
}

/// Why the rules could not be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TidyError {
    /// A file or folder could not be read.
    #[error("reading {path}: {reason}", path = path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Cargo could not describe the workspace.
    #[error("cargo metadata: {0}")]
    Metadata(#[from] cargo_metadata::Error),
}

/// A source file of the workspace.
struct SourceFile {
    /// Relative to the root, with `/`.
    place: String,
    text: String,
}

/// All broken rules of the workspace at `root`.
///
/// # Errors
/// [`TidyError`] if the workspace cannot be read.
pub fn tidy(root: &Path) -> Result<Vec<Problem>, TidyError> {
    let sources = sources(root)?;
    let mut problems = layout::check(root)?;
    problems.extend(book::check(root)?);
    problems.extend(graph::check(root)?);
    problems.extend(sources.iter().flat_map(source::check));
    problems.extend(traits::check(&sources));
    problems.sort();
    Ok(problems)
}

/// Every Rust file of crates, examples and benches.
fn sources(root: &Path) -> Result<Vec<SourceFile>, TidyError> {
    let read = |path: &Path, reason: String| TidyError::Read { path: path.to_owned(), reason };
    let mut found = Vec::new();
    for folder in ["crates", "examples", "benches"].map(|name| root.join(name)) {
        for entry in WalkDir::new(&folder).sort_by_file_name() {
            let entry = entry.map_err(|error| read(&folder, error.to_string()))?;
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text =
                    std::fs::read_to_string(path).map_err(|error| read(path, error.to_string()))?;
                let place = path.strip_prefix(root).unwrap_or(path);
                let place = place.to_string_lossy().replace('\\', "/");
                found.push(SourceFile { place, text });
            }
        }
    }
    Ok(found)
}
