//! What came of a program's tests.

use fireproof_trajectory::TestsCheck;
use serde::{Deserialize, Serialize};

use super::sandbox::{End, Finished, SandboxError};

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TestVerdict {
    /// The program did what the test demands.
    Passed,
    /// It gave another output or value.
    Wrong,
    /// It raised an exception, or is no Python.
    Raised {
        /// Name of the exception.
        exception: String,
    },
    /// It used up its time.
    TimeLimit,
    /// It asked for more memory than it may have.
    MemoryLimit,
    /// It wrote too much.
    OutputLimit,
    /// It kept too much in its scratch folder.
    ScratchLimit,
    /// It ended with an exit status other than 0, or before it answered.
    Exited {
        /// The status.
        status: i32,
    },
    /// It ended by a signal.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// An earlier test ended the run.
    NotRun,
}

impl TestVerdict {
    /// A short name: `passed`, `wrong`, `time-limit` ….
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Wrong => "wrong",
            Self::Raised { .. } => "raised",
            Self::TimeLimit => "time-limit",
            Self::MemoryLimit => "memory-limit",
            Self::OutputLimit => "output-limit",
            Self::ScratchLimit => "scratch-limit",
            Self::Exited { .. } => "exited",
            Self::Killed { .. } => "killed",
            Self::NotRun => "not-run",
        }
    }

    /// True if what happened would happen again, so that the rest need not be run.
    pub(crate) fn ends_the_run(&self) -> bool {
        matches!(self, Self::TimeLimit | Self::MemoryLimit | Self::OutputLimit | Self::ScratchLimit)
    }

    /// Why a program ended that should not have, or `None` if it ended well.
    pub(crate) fn of_end(finished: &Finished) -> Option<Self> {
        let errors = String::from_utf8_lossy(&finished.errors);
        let last = errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let exception = last.split([':', ' ']).next().unwrap_or_default();
        let is_name = exception.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
        match finished.end {
            End::Exited(0) => None,
            End::TimeLimit => Some(Self::TimeLimit),
            End::OutputLimit => Some(Self::OutputLimit),
            End::ScratchLimit => Some(Self::ScratchLimit),
            End::Exited(_) if exception == "MemoryError" => Some(Self::MemoryLimit),
            End::Exited(1) if is_name && exception.starts_with(|c: char| c.is_alphabetic()) => {
                Some(Self::Raised { exception: exception.chars().take(80).collect() })
            }
            End::Exited(status) => Some(Self::Exited { status }),
            End::Killed(signal) => Some(Self::Killed { signal }),
            // Errors of the infrastructure, which no caller makes a verdict of.
            End::Starved | End::Lost => Some(Self::NotRun),
        }
    }
}

/// What came of all tests of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeReport {
    /// One verdict per test, in their order.
    pub tests: Vec<TestVerdict>,
}

impl CodeReport {
    /// True if there are tests and all of them passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.tests.is_empty() && self.tests.iter().all(|test| *test == TestVerdict::Passed)
    }

    /// Share of the tests that passed, from 0 to 1. Those that were not run did not.
    #[must_use]
    pub fn pass_fraction(&self) -> f64 {
        let passed = self.tests.iter().filter(|test| **test == TestVerdict::Passed).count();
        passed as f64 / self.tests.len().max(1) as f64
    }

    /// The first verdict that is not `Passed`, or `Passed`.
    #[must_use]
    pub fn verdict(&self) -> TestVerdict {
        let first = self.tests.iter().find(|test| **test != TestVerdict::Passed);
        first.cloned().unwrap_or(TestVerdict::Passed)
    }
}

/// Why a program was not judged. Never the program's fault.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// The sandbox could not run it.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// There are no tests.
    #[error("there are no tests")]
    NoTests,
    /// A test is broken: an error of the task.
    #[error("test {index} is broken: {reason}")]
    BrokenTest {
        /// Which one, from 0.
        index: usize,
        /// Why.
        reason: String,
    },
}

/// Verdicts to fill in, one per test.
pub(crate) fn blank(check: &TestsCheck) -> Vec<TestVerdict> {
    vec![TestVerdict::NotRun; check.tests.len()]
}
