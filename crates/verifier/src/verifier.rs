//! The trait of verifiers and the one that follows the task's own check.

use std::fmt::Debug;

use fireproof_trajectory::{CheckSpec, PromptId, Task, Verdict};

use crate::code::CodeVerifier;
use crate::constraint::ConstraintVerifier;
use crate::exact::ExactMatch;
use crate::expression::IntegerExpression;
use crate::family::FamilyInstance;
use crate::math::{GoldError, MathAnswer};

/// Judges the text of a completion against its task.
pub trait Verifier: Debug + Send + Sync {
    /// The verdict over `response`, the completion's text without prompt and stop token.
    ///
    /// # Errors
    /// Only if the judge cannot work: the task's check is not one that it understands, or something
    /// it depends on failed. A bad answer is never an error.
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError>;
}

/// Why a verifier could not judge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The verifier does not understand this kind of check.
    #[error("task {task}: {verifier} cannot judge a check of this kind: {check}")]
    UnsupportedCheck {
        /// The task.
        task: PromptId,
        /// Name of the verifier.
        verifier: &'static str,
        /// The check, as it stands in the task.
        check: String,
    },
    /// The task's own answer cannot be judged, so nothing can be compared with it.
    #[error("task {task}: {error}")]
    Gold {
        /// The task.
        task: PromptId,
        /// What is wrong with the answer.
        error: GoldError,
    },
    /// Something that the judge depends on failed (for verifiers outside this crate).
    #[error("task {task}: the judge failed: {reason}")]
    Infrastructure {
        /// The task.
        task: PromptId,
        /// What happened.
        reason: String,
    },
}

impl VerifyError {
    pub(crate) fn unsupported(verifier: &'static str, task: &Task) -> Self {
        Self::UnsupportedCheck { task: task.id, verifier, check: format!("{:?}", task.check) }
    }

    pub(crate) fn infrastructure(task: &Task, reason: impl std::fmt::Display) -> Self {
        Self::Infrastructure { task: task.id, reason: reason.to_string() }
    }
}

/// Judges by the task's own check: [`ExactMatch`], [`IntegerExpression`], [`MathAnswer`],
/// [`FamilyInstance`], [`ConstraintVerifier`] or [`CodeVerifier`] (in its shared sandbox).
#[derive(Clone, Copy, Debug)]
pub struct CheckVerifier;

impl Verifier for CheckVerifier {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        match &task.check {
            CheckSpec::Exact { .. } => ExactMatch.verify(task, response),
            CheckSpec::Expression(_) => IntegerExpression.verify(task, response),
            CheckSpec::Family(_) => FamilyInstance.verify(task, response),
            CheckSpec::Constraints { .. } => ConstraintVerifier.verify(task, response),
            CheckSpec::Tests(_) => CodeVerifier::shared()
                .map_err(|error| VerifyError::infrastructure(task, error))?
                .verify(task, response),
            CheckSpec::Math { .. } => MathAnswer::default().verify(task, response),
            _ => Err(VerifyError::unsupported("CheckVerifier", task)),
        }
    }
}

impl Verifier for Box<dyn Verifier> {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        (**self).verify(task, response)
    }
}
