//! What can be wrong with a checkpoint's files.

use std::io;
use std::path::{Path, PathBuf};

use crate::model_config::ConfigError;

/// Why a checkpoint cannot be loaded or exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// A file cannot be read.
    #[error("reading {path}: {reason}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// `config.json` cannot be used.
    #[error("{path}: {error}", path = path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: ConfigError,
    },
    /// There are no safetensors.
    #[error(
        "{path} holds neither model.safetensors nor model.safetensors.index.json{hint}",
        path = path.display()
    )]
    NoWeights {
        /// The folder.
        path: PathBuf,
        /// What to do, if that is known.
        hint: &'static str,
    },
    /// A header or the index is not what it should be.
    #[error("{path} is damaged: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file ends before its tensors do.
    #[error(
        "{path} is {what}: its header asks for {expected} bytes, it has {found}",
        path = path.display(), what = if found < expected { "truncated" } else { "too long" }
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes that its header asks for.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
    /// A tensor that the configuration asks for is in no file.
    #[error("{path} has no tensor `{name}`", path = path.display())]
    Missing {
        /// The tensor.
        name: String,
        /// The folder, or the shard in which the index places it.
        path: PathBuf,
    },
    /// A file holds a tensor that the model does not have.
    #[error("{path} holds `{name}`, which a {family} model of its config.json does not have", path = path.display())]
    Extra {
        /// The tensor.
        name: String,
        /// The file.
        path: PathBuf,
        /// The model's family.
        family: &'static str,
    },
    /// A tied checkpoint brings another output.
    #[error(
        "{path} holds a `lm_head.weight` that differs from the embedding, but config.json ties them \
         (`tie_word_embeddings`)",
        path = path.display()
    )]
    NotTied {
        /// The file.
        path: PathBuf,
    },
    /// A tensor has another shape.
    #[error("`{name}` in {path} has shape {found:?}, not {expected:?}", path = path.display())]
    Shape {
        /// The tensor.
        name: String,
        /// The file.
        path: PathBuf,
        /// The shape that the configuration asks for.
        expected: Vec<usize>,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A tensor is of another type.
    #[error("`{name}` in {path} is of {found}; F32, BF16 and F16 can be read", path = path.display())]
    Type {
        /// The tensor.
        name: String,
        /// The file.
        path: PathBuf,
        /// Its type.
        found: String,
    },
    /// The device cannot hold the type.
    #[error("weights in {dtype} cannot be kept on this device; F32 can")]
    Device {
        /// The type.
        dtype: String,
    },
    /// The target of an export already holds weights.
    #[error("{path} already holds weights; export to another folder", path = path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The model has adapters, which have files of their own.
    #[error(
        "the model has adapters: export `merged()`, or write the adapters alone with `save_lora`"
    )]
    Adapters,
    /// A file cannot be written.
    #[error("writing {path}: {reason}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl WeightsError {
    pub(super) fn read(path: &Path, error: &io::Error) -> Self {
        Self::Read { path: path.to_owned(), reason: error.to_string() }
    }

    pub(super) fn write(path: &Path, error: impl ToString) -> Self {
        Self::Write { path: path.to_owned(), reason: error.to_string() }
    }

    pub(super) fn damaged(path: &Path, reason: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }
}
