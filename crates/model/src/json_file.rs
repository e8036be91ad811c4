//! JSON files of a checkpoint's folder, with errors that name the file and the field.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of a checkpoint's folder cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read or is not what its name says.
    #[error("{path}: {reason}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// One of its fields is wrong.
    #[error("{path}: `{field}` {reason}", path = path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl FileError {
    /// An unreadable file.
    pub(crate) fn unreadable(path: &Path, reason: impl ToString) -> Self {
        Self::Unreadable { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// A JSON object with the name of its file.
#[derive(Clone, Debug)]
pub(crate) struct JsonFile {
    path: PathBuf,
    fields: serde_json::Map<String, Value>,
}

impl JsonFile {
    /// Reads an object; `None` if there is no such file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, FileError> {
        let Some(text) = read_text(path)? else { return Ok(None) };
        let fields = serde_json::from_str(&text);
        let fields = fields.map_err(|error| FileError::unreadable(path, error))?;
        Ok(Some(Self { path: path.to_owned(), fields }))
    }

    /// A field that is there and not null.
    pub(crate) fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// All fields that are not null.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.fields.iter().filter(|(_, value)| !value.is_null());
        all.map(|(name, value)| (name.as_str(), value))
    }

    /// An error about a field.
    pub(crate) fn refuse(&self, field: &str, reason: impl ToString) -> FileError {
        let (path, field) = (self.path.clone(), field.to_owned());
        FileError::Field { path, field, reason: reason.to_string() }
    }
}

/// The text of a file; `None` if there is no such file.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::unreadable(path, error)),
    }
}
