//! What can go wrong around an experiment.

use std::path::PathBuf;

/// Why an experiment stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// A file or folder could not be read or written.
    #[error("{action} {path}: {source}", path = path.display())]
    File {
        /// What was tried, such as `reading`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder holds results of other settings.
    #[error(
        "{path} holds results with `{key}` = {found}, now it is {asked}: choose another folder with \
         --out, or remove this one",
        path = path.display()
    )]
    OtherSettings {
        /// The folder.
        path: PathBuf,
        /// The first setting that differs.
        key: String,
        /// Its value there.
        found: String,
        /// Its value now.
        asked: String,
    },
    /// A stored result is not what a job writes.
    #[error("{path} is damaged ({reason}): remove it, and its job runs again", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A job failed.
    #[error("{job}: {reason}")]
    Job {
        /// Name of the job.
        job: String,
        /// What it said.
        reason: String,
    },
    /// A figure could not be drawn.
    #[error("drawing {figure}: {reason}")]
    Figure {
        /// Its name.
        figure: String,
        /// What plotters said.
        reason: String,
    },
}

impl LabError {
    /// Adds what was tried and where to an error of the system.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
