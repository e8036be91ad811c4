//! The folder of a run: its settings, its metrics, its checkpoints.
//!
//! ```text
//! runs/name/config.toml                the resolved settings
//!          /metrics.jsonl              one line a step
//!          /completions.jsonl          one line a group of those kept for people to read
//!          /NAME.json                  results, such as evaluations
//!          /checkpoints/step-000050/   one folder a checkpoint
//! ```

mod lines;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checkpoint::{CheckpointError, read_state};
use crate::error::TrainError;
use crate::metrics::StepMetrics;
use crate::transcript::Transcript;

use lines::{Lines, read_lines};

const CONFIG: &str = "config.toml";
const METRICS: &str = "metrics.jsonl";
const COMPLETIONS: &str = "completions.jsonl";
const CHECKPOINTS: &str = "checkpoints";

/// The folder of a run, open for writing.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: Lines,
    completions: Lines,
}

impl RunFolder {
    /// Starts a new run in a folder that does not exist or is empty.
    ///
    /// # Errors
    /// [`TrainError::RunExists`] if a run is there, [`TrainError::FolderInUse`] if anything else is;
    /// [`TrainError::File`] if it cannot be written.
    pub fn create(path: &Path, config: &str) -> Result<Self, TrainError> {
        // What a run leaves that was killed while it made its folder starts with a dot.
        let is_ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
        let taken = fs::read_dir(path).is_ok_and(|all| !all.flatten().all(|e| is_ours(&e)));
        if taken {
            let path = path.to_owned();
            return Err(match path.join(CONFIG).exists() {
                true => TrainError::RunExists { path },
                false => TrainError::FolderInUse { path },
            });
        }
        fs::create_dir_all(path).map_err(TrainError::file("creating", path))?;
        replace(&path.join(CONFIG), config)?;
        Self::open(path, 0)
    }

    /// Opens the folder of a run as it is, without changing anything yet.
    ///
    /// # Errors
    /// If it cannot be read or written, or its files are not those of a run.
    pub fn reopen(path: &Path) -> Result<Self, TrainError> {
        Self::open(path, u64::MAX)
    }

    /// Continues a run after `steps` steps: what later steps wrote is removed. The settings become
    /// `config`.
    ///
    /// # Errors
    /// If the folder cannot be read or written, or its files are not those of a run.
    pub fn resume(path: &Path, steps: u64, config: &str) -> Result<Self, TrainError> {
        replace(&path.join(CONFIG), config)?;
        Self::open(path, steps)
    }

    fn open(path: &Path, steps: u64) -> Result<Self, TrainError> {
        Ok(Self {
            path: path.to_owned(),
            metrics: Lines::after(path.join(METRICS), steps)?,
            completions: Lines::after(path.join(COMPLETIONS), steps)?,
        })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends the line of a step.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_metrics(&mut self, metrics: &StepMetrics) -> Result<(), TrainError> {
        self.metrics.append(metrics)
    }

    /// Appends groups for people to read.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write_transcripts(&mut self, transcripts: &[Transcript]) -> Result<(), TrainError> {
        transcripts.iter().try_for_each(|transcript| self.completions.append(transcript))
    }

    /// Writes `NAME.json`, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), TrainError> {
        let path = self.path.join(format!("{name}.json"));
        let text = serde_json::to_string(value).map_err(std::io::Error::from);
        let text = text.map_err(TrainError::file("writing", &path))?;
        replace(&path, &text)
    }

    /// Writes `NAME` (such as `report.html`), whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_text(&self, name: &str, text: &str) -> Result<(), TrainError> {
        replace(&self.path.join(name), text)
    }

    /// Removes all but the newest `keep` checkpoints; 0 keeps all.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn prune_checkpoints(&self, keep: usize) -> Result<(), TrainError> {
        let found = checkpoints(&self.path).unwrap_or_default();
        let old = if keep == 0 { 0 } else { found.len().saturating_sub(keep) };
        for path in &found[..old] {
            fs::remove_dir_all(path).map_err(TrainError::file("removing", path))?;
        }
        Ok(())
    }

    /// Where the checkpoint after `steps` steps belongs.
    #[must_use]
    pub fn checkpoint_path(&self, steps: u64) -> PathBuf {
        self.path.join(CHECKPOINTS).join(format!("step-{steps:06}"))
    }
}

/// The settings that a run was started with, as text.
///
/// # Errors
/// If the folder holds no run.
pub fn run_config(path: &Path) -> Result<String, TrainError> {
    let file = path.join(CONFIG);
    fs::read_to_string(&file).map_err(TrainError::file("reading", &file))
}

/// The metrics of a run, step by step.
///
/// # Errors
/// If they cannot be read, or a line is not one of metrics.
pub fn run_metrics(path: &Path) -> Result<Vec<StepMetrics>, TrainError> {
    read_lines(&path.join(METRICS))
}

/// The groups of a run that were kept for people to read.
///
/// # Errors
/// If they cannot be read, or a line is not one of theirs.
pub fn run_transcripts(path: &Path) -> Result<Vec<Transcript>, TrainError> {
    read_lines(&path.join(COMPLETIONS))
}

/// `NAME.json` of a run; `None` if there is no such file.
///
/// # Errors
/// If it cannot be read or does not hold a `T`.
pub fn run_result<T: DeserializeOwned>(path: &Path, name: &str) -> Result<Option<T>, TrainError> {
    let path = path.join(format!("{name}.json"));
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(TrainError::file("reading", &path))?,
    };
    serde_json::from_str(&text).map(Some).map_err(|error| TrainError::Malformed {
        path,
        line: error.line(),
        reason: error.to_string(),
    })
}

/// True if a run has anything to continue from: a checkpoint, be it damaged, or the metrics of a
/// step. A run that was killed before has lost nothing by starting again.
#[must_use]
pub fn run_has_begun(path: &Path) -> bool {
    let has_metrics = fs::metadata(path.join(METRICS)).is_ok_and(|file| file.len() > 0);
    has_metrics || checkpoints(path).is_ok_and(|found| !found.is_empty())
}

/// The newest complete checkpoint of a run, with the damaged newer ones that were passed over.
///
/// # Errors
/// [`CheckpointError::Missing`] if there is no checkpoint at all, or the error of the newest one if
/// none is complete.
pub fn latest_checkpoint(path: &Path) -> Result<(PathBuf, Vec<CheckpointError>), CheckpointError> {
    let folder = path.join(CHECKPOINTS);
    let missing = CheckpointError::Missing { path: folder };
    let Ok(found) = checkpoints(path) else { return Err(missing) };
    let mut damaged = Vec::new();
    for path in found.into_iter().rev() {
        match read_state(&path) {
            Ok(_) => return Ok((path, damaged)),
            Err(error) => damaged.push(error),
        }
    }
    Err(damaged.into_iter().next().unwrap_or(missing))
}

/// The checkpoints of a run, oldest first, complete or not.
fn checkpoints(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let numbered = |path: PathBuf| {
        let step: u64 = path.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok()?;
        Some((step, path))
    };
    let entries = fs::read_dir(path.join(CHECKPOINTS))?;
    let mut found: Vec<(u64, PathBuf)> =
        entries.flatten().filter_map(|entry| numbered(entry.path())).collect();
    // By number: as texts, a millionth step would come before the step 999950.
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Writes a file under another name and then gives it its own.
fn replace(path: &Path, text: &str) -> Result<(), TrainError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.partial"));
    fs::write(&temporary, text).map_err(TrainError::file("writing", &temporary))?;
    fs::rename(&temporary, path).map_err(TrainError::file("writing", path))
}
