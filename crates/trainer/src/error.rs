//! What can stop a training run.

use std::path::PathBuf;

use fireproof_advantage::{AdvantageError, CreditError};
use fireproof_model::TokenizerError;
use fireproof_rollout::RolloutError;
use fireproof_selection::{SelectError, TokenSelectError};
use fireproof_trajectory::{PromptId, TrajectoryError};

use crate::checkpoint::CheckpointError;

/// What can stop a training run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting is impossible.
    #[error("{setting}: {reason}")]
    Config {
        /// The setting, as in a run file.
        setting: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The selector named a prompt that is in no task.
    #[error("the selector chose prompt {0}, which is not among the tasks")]
    UnknownPrompt(PromptId),
    /// The parameters or gradients are no longer finite.
    #[error(
        "step {}: {what} is {value}; the update was not applied. Lower the learning rate, or continue \
         from the last checkpoint",
        step + 1
    )]
    Diverged {
        /// The step, from 0.
        step: u64,
        /// What is not finite.
        what: &'static str,
        /// Its value.
        value: f32,
    },
    /// Parameters that are not frozen got no gradient in the first update.
    #[error(
        "no gradient reached {} in the first update, so training would leave them as they are: freeze \
         them, or use them in the model",
        parameters.join(", ")
    )]
    NoGradient {
        /// Their paths.
        parameters: Vec<String>,
    },
    /// Every completion of a step was dropped because the verifier failed.
    #[error("step {}: the verifier could not judge a single group; its first error: {error}", step + 1)]
    NothingJudged {
        /// The step, from 0.
        step: u64,
        /// The verifier's first error.
        error: String,
    },
    /// The verifier failed during an evaluation.
    #[error("the verifier could not judge a completion of the evaluation: {error}")]
    NotJudged {
        /// The verifier's first error.
        error: String,
    },
    /// A file could not be read or written.
    #[error("{action} {path}: {source}", path = path.display())]
    File {
        /// What was attempted: `writing`, `reading`, `creating`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder already holds a run.
    #[error(
        "{path} already holds a run: continue it with `--resume {path}` or choose another folder",
        path = path.display()
    )]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// A folder holds something else.
    #[error(
        "{path} is not empty and holds no run that could be continued: choose another folder, or \
         delete it",
        path = path.display()
    )]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A group cannot be trained on.
    #[error("prompt {prompt}, completion {completion}: {reason}")]
    Group {
        /// The prompt.
        prompt: PromptId,
        /// Index of the completion.
        completion: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The selector did not do what was asked.
    #[error("the selector chose {found} prompts, not the {asked} that were asked for")]
    Selected {
        /// Prompts asked for.
        asked: usize,
        /// Prompts that came.
        found: usize,
    },
    /// A file of a run folder is not what a run writes.
    #[error("{path}, line {line}: {reason}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Two evaluations cannot be compared prompt by prompt.
    #[error(
        "the evaluations are not over the same prompts: {first} and {second}, of which {shared} are \
         shared"
    )]
    OtherPrompts {
        /// Prompts of the first.
        first: usize,
        /// Prompts of the second.
        second: usize,
        /// Prompts of both.
        shared: usize,
    },
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(String),
    /// A checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The estimator returned something unusable.
    #[error(transparent)]
    Advantage(#[from] AdvantageError),
    /// Credit assignment returned something unusable.
    #[error(transparent)]
    Credit(#[from] CreditError),
    /// The engine failed.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    /// The selector failed.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A token selector returned something unusable.
    #[error(transparent)]
    Tokens(#[from] TokenSelectError),
    /// A text could not be encoded or decoded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A group contradicts itself.
    #[error(transparent)]
    Trajectory(#[from] TrajectoryError),
}

impl TrainError {
    pub(crate) fn config(setting: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config { setting: setting.into(), reason: reason.into() }
    }

    /// The same with a setting named as part of a table of a run file: `steps` becomes
    /// `trainer.steps`.
    #[must_use]
    pub fn within(self, table: &str) -> Self {
        match self {
            Self::Config { setting, reason } => {
                Self::Config { setting: format!("{table}.{setting}"), reason }
            }
            other => other,
        }
    }

    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
