//! The folder of a run: its settings, its metrics, its checkpoints.
//!
//! ```text
//! runs/name/config.toml                the resolved settings
//!          /metrics.jsonl              one line a step
//!          /NAME.json                  results, such as evaluations
//!          /checkpoints/step-000050/   one folder a checkpoint
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{CheckpointError, read_state};
use crate::error::TrainError;
use crate::metrics::StepMetrics;

const CONFIG: &str = "config.toml";
const METRICS: &str = "metrics.jsonl";
const CHECKPOINTS: &str = "checkpoints";

/// The folder of a run, open for writing.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
}

impl RunFolder {
    /// Starts a new run in a folder that does not exist or is empty.
    ///
    /// # Errors
    /// [`TrainError::RunExists`] if a run with a checkpoint is there, [`TrainError::FolderInUse`] if
    /// anything else is; [`TrainError::File`] if it cannot be written.
    pub fn create(path: &Path, config: &str) -> Result<Self, TrainError> {
        let taken = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if taken {
            let path = path.to_owned();
            let resumable = checkpoints(&path).is_ok_and(|found| !found.is_empty());
            return Err(match resumable {
                true => TrainError::RunExists { path },
                false => TrainError::FolderInUse { path },
            });
        }
        let checkpoints = path.join(CHECKPOINTS);
        fs::create_dir_all(&checkpoints).map_err(TrainError::file("creating", &checkpoints))?;
        let config_path = path.join(CONFIG);
        fs::write(&config_path, config).map_err(TrainError::file("writing", &config_path))?;
        Self::append_to(path)
    }

    /// Continues a run after `steps` steps: metrics of later steps are removed.
    ///
    /// # Errors
    /// If the folder cannot be read or written, or its metrics are not those of a run.
    pub fn resume(path: &Path, steps: u64) -> Result<Self, TrainError> {
        let metrics = path.join(METRICS);
        let text = fs::read_to_string(&metrics).map_err(TrainError::file("reading", &metrics))?;
        let kept = lines_before(&metrics, &text, steps)?;
        replace(&metrics, &kept)?;
        Self::append_to(path)
    }

    fn append_to(path: &Path) -> Result<Self, TrainError> {
        let file = path.join(METRICS);
        let opened = OpenOptions::new().create(true).append(true).open(&file);
        let metrics = opened.map_err(TrainError::file("writing", &file))?;
        Ok(Self { path: path.to_owned(), metrics })
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
        let file = self.path.join(METRICS);
        let line = serde_json::to_string(metrics).map_err(std::io::Error::from);
        let line = line.map_err(TrainError::file("writing", &file))? + "\n";
        // One write, so that a killed run leaves at most one incomplete line.
        self.metrics.write_all(line.as_bytes()).map_err(TrainError::file("writing", &file))
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

    /// Reads `NAME.json`.
    ///
    /// # Errors
    /// If it cannot be read or does not hold a `T`.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, TrainError> {
        let path = self.path.join(format!("{name}.json"));
        let text = fs::read_to_string(&path).map_err(TrainError::file("reading", &path))?;
        serde_json::from_str(&text).map_err(|error| TrainError::Malformed {
            path,
            line: error.line(),
            reason: error.to_string(),
        })
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

/// The lines of the first `steps` steps. An incomplete last line, as a killed run leaves one, is
/// dropped; any other damage is an error.
fn lines_before(path: &Path, text: &str, steps: u64) -> Result<String, TrainError> {
    #[derive(Deserialize)]
    struct Line {
        step: u64,
    }
    let mut kept = String::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        match serde_json::from_str::<Line>(line) {
            Ok(parsed) if parsed.step < steps => kept.push_str(line),
            Ok(_) => {}
            Err(_) if !line.ends_with('\n') => {}
            Err(error) => {
                let (path, line) = (path.to_owned(), index + 1);
                return Err(TrainError::Malformed { path, line, reason: error.to_string() });
            }
        }
    }
    Ok(kept)
}
