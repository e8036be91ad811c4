//! Checkpoints: a folder that is written whole or not at all.
//!
//! A checkpoint is written under a temporary name, every file flushed to disk, and then renamed. Its
//! `state.json` holds a checksum of every file with tensors and `state.crc32` its own, so damage is
//! recognised. It holds the parameters that train; frozen ones stay where they came from.

mod trained;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use burn::module::Module;
use serde::{Deserialize, Serialize};

use crate::optimizer::{LoadError, Optimizer};
use trained::Trained;

/// Version of the layout.
const FORMAT: u32 = 2;
const STATE: &str = "state.json";
const STATE_CHECK: &str = "state.crc32";
const POLICY: &str = "policy.bpk";
const REFERENCE: &str = "reference.bpk";
const OPTIMIZER: &str = "optimizer.safetensors";

/// Why a checkpoint cannot be used or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// There is none.
    #[error("there is no checkpoint in {path}", path = path.display())]
    Missing {
        /// Where one was looked for.
        path: PathBuf,
    },
    /// A file is damaged or missing.
    #[error(
        "checkpoint file {path} is damaged: {reason}. Delete its folder to continue from an earlier \
         checkpoint",
        path = path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It belongs to something else.
    #[error("checkpoint {path} has another {what}:\n{difference}", path = path.display())]
    Incompatible {
        /// The checkpoint.
        path: PathBuf,
        /// What differs: `format`, `recipe`, `model` or `optimiser`.
        what: &'static str,
        /// What differs, `-` the checkpoint's and `+` the run's.
        difference: String,
    },
    /// It could not be written; nothing that looks like a checkpoint was left behind.
    #[error("writing checkpoint {path}: {reason}", path = path.display())]
    Write {
        /// The checkpoint.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
}

/// Everything in a checkpoint that is not a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    format: u32,
    /// Version of the package that wrote it.
    pub(crate) package: String,
    /// Steps completed.
    pub(crate) step: u64,
    /// Version of the policy.
    pub(crate) version: u64,
    /// Optimiser updates made.
    pub(crate) updates: u64,
    /// The recipe's fingerprint.
    recipe: String,
    /// Path and shape of every parameter; of frozen ones a checksum too.
    model: Vec<String>,
    /// The selector's state.
    pub(crate) selector: serde_json::Value,
    /// Credit assignment's state.
    pub(crate) credit: serde_json::Value,
    /// What the controller of each penalty has come to.
    pub(crate) penalties: Vec<f64>,
    /// Length and checksum of every other file.
    files: BTreeMap<String, Check>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Check {
    bytes: u64,
    crc32: u32,
}

/// What a checkpoint is made of.
pub(crate) struct Parts<'a, M> {
    pub(crate) policy: &'a M,
    pub(crate) reference: Option<&'a M>,
    pub(crate) optimizer: &'a Optimizer,
    pub(crate) recipe: String,
    pub(crate) selector: serde_json::Value,
    pub(crate) credit: serde_json::Value,
    pub(crate) penalties: Vec<f64>,
    pub(crate) step: u64,
    pub(crate) version: u64,
}

/// Writes a checkpoint to `path`, replacing one that stands there.
pub(crate) fn save<M: Module>(parts: Parts<'_, M>, path: &Path) -> Result<(), CheckpointError> {
    let failed = |reason: String| CheckpointError::Write { path: path.to_owned(), reason };
    let temporary = sibling(path, "partial");
    let written = write_files(&parts, &temporary)
        .and_then(|()| publish(&temporary, path).map_err(|error| error.to_string()));
    written.map_err(|reason| {
        // Best effort: what is left carries a name that nothing takes for a checkpoint.
        let _ = fs::remove_dir_all(&temporary);
        failed(reason)
    })
}

fn write_files<M: Module>(parts: &Parts<'_, M>, folder: &Path) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(text)?;
    }
    fs::create_dir_all(folder).map_err(text)?;
    let trained = Trained::of(parts.policy);
    let record = |module: &M, name: &str| {
        trained.save(module, &folder.join(name)).map_err(|error| error.to_string())
    };
    record(parts.policy, POLICY)?;
    parts.reference.map_or(Ok(()), |reference| record(reference, REFERENCE))?;
    parts.optimizer.save(&folder.join(OPTIMIZER))?;

    let names = [POLICY, REFERENCE, OPTIMIZER].into_iter().filter(|n| folder.join(n).exists());
    let check = |name: &str| {
        let check = Check::of(&folder.join(name)).map_err(text)?;
        Ok((name.to_owned(), check))
    };
    let state = State {
        format: FORMAT,
        package: env!("CARGO_PKG_VERSION").to_owned(),
        step: parts.step,
        version: parts.version,
        updates: parts.optimizer.updates,
        recipe: parts.recipe.clone(),
        model: trained.description,
        selector: parts.selector.clone(),
        credit: parts.credit.clone(),
        penalties: parts.penalties.clone(),
        files: names.map(check).collect::<Result<_, String>>()?,
    };
    let json = serde_json::to_string_pretty(&state).map_err(|error| error.to_string())?;
    fs::write(folder.join(STATE_CHECK), checksum(&json)).map_err(text)?;
    fs::write(folder.join(STATE), json).map_err(text)?;
    flush(folder).map_err(text)
}

/// Flushes every file of a folder and the folder itself to disk.
fn flush(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        File::open(entry?.path())?.sync_all()?;
    }
    File::open(folder)?.sync_all()
}

/// Gives a complete folder its name; the checkpoint that stood there stays if that fails.
fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    let replaced = sibling(path, "replaced");
    if path.exists() {
        // A run killed between the two renames leaves one.
        if replaced.exists() {
            fs::remove_dir_all(&replaced)?;
        }
        fs::rename(path, &replaced)?;
    }
    if let Err(error) = fs::rename(temporary, path) {
        let _ = fs::rename(&replaced, path);
        return Err(error);
    }
    // From here on the checkpoint stands; what follows only makes it last and tidies up.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let _ = File::open(parent.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
    let _ = fs::remove_dir_all(replaced);
    Ok(())
}

/// `.name.suffix` beside a folder: hidden, and no name of a checkpoint.
fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{suffix}"))
}

/// The content of `state.crc32`.
fn checksum(state: &str) -> String {
    format!("{:08x}\n", crc32fast::hash(state.as_bytes()))
}

impl Check {
    fn of(path: &Path) -> io::Result<Self> {
        let data = fs::read(path)?;
        Ok(Self { bytes: data.len() as u64, crc32: crc32fast::hash(&data) })
    }
}

/// Reads the state of a checkpoint and checks all of its files.
pub(crate) fn read_state(path: &Path) -> Result<State, CheckpointError> {
    let state_file = path.join(STATE);
    let corrupt = |path: PathBuf, reason: String| CheckpointError::Corrupt { path, reason };
    if !path.is_dir() {
        return Err(CheckpointError::Missing { path: path.to_owned() });
    }
    let text = fs::read_to_string(&state_file)
        .map_err(|error| corrupt(state_file.clone(), error.to_string()))?;
    let check_file = path.join(STATE_CHECK);
    let check = fs::read_to_string(&check_file)
        .map_err(|error| corrupt(check_file.clone(), error.to_string()))?;
    if check != checksum(&text) {
        let reason = format!("its checksum is not the one in {}", check_file.display());
        return Err(corrupt(state_file, reason));
    }
    let format: Format = serde_json::from_str(&text)
        .map_err(|error| corrupt(state_file.clone(), error.to_string()))?;
    if format.format != FORMAT {
        let difference = format!(
            "- format {} of package {}\n+ format {FORMAT} of package {}",
            format.format,
            format.package,
            env!("CARGO_PKG_VERSION")
        );
        return Err(CheckpointError::Incompatible {
            path: path.to_owned(),
            what: "format",
            difference,
        });
    }
    let state: State =
        serde_json::from_str(&text).map_err(|error| corrupt(state_file, error.to_string()))?;
    for (name, expected) in &state.files {
        let file = path.join(name);
        let found = Check::of(&file).map_err(|error| corrupt(file.clone(), error.to_string()))?;
        if found.bytes != expected.bytes {
            let reason = format!("it has {} bytes instead of {}", found.bytes, expected.bytes);
            return Err(corrupt(file, reason));
        }
        if found.crc32 != expected.crc32 {
            return Err(corrupt(file, "its checksum does not match".to_owned()));
        }
    }
    Ok(state)
}

/// The part of a state that every format has.
#[derive(Deserialize)]
struct Format {
    format: u32,
    package: String,
}

/// Tensors of a checkpoint.
pub(crate) struct Loaded<M> {
    pub(crate) policy: M,
    pub(crate) reference: Option<M>,
}

/// Loads a checkpoint whose state was read with [`read_state`] into modules like `policy`.
pub(crate) fn load<M: Module>(
    path: &Path,
    state: &State,
    policy: &M,
    optimizer: &mut Optimizer,
    recipe: &str,
) -> Result<Loaded<M>, CheckpointError> {
    let incompatible = |what, difference| CheckpointError::Incompatible {
        path: path.to_owned(),
        what,
        difference,
    };
    let trained = Trained::of(policy);
    if state.model != trained.description {
        return Err(incompatible("model", difference(&state.model, &trained.description)));
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    if state.recipe != recipe {
        let difference = difference(&lines(&state.recipe), &lines(recipe));
        return Err(incompatible("recipe", difference));
    }
    let module = |name: &str| {
        trained.load(policy, &path.join(name)).map_err(|error| CheckpointError::Corrupt {
            path: path.join(name),
            reason: error.to_string(),
        })
    };
    let reference = state.files.contains_key(REFERENCE).then(|| module(REFERENCE)).transpose()?;
    let loaded = Loaded { policy: module(POLICY)?, reference };
    let file = path.join(OPTIMIZER);
    optimizer.load(&file, policy, state.updates).map_err(|error| match error {
        LoadError::File(reason) => CheckpointError::Corrupt { path: file, reason },
        LoadError::Misfit(difference) => incompatible("optimiser", difference),
    })?;
    Ok(loaded)
}

/// The lines that only one side has.
fn difference(checkpoint: &[String], run: &[String]) -> String {
    let only = |a: &[String], b: &[String], sign: &str| -> Vec<String> {
        a.iter().filter(|line| !b.contains(line)).map(|line| format!("{sign} {line}")).collect()
    };
    [only(checkpoint, run, "-"), only(run, checkpoint, "+")].concat().join("\n")
}
