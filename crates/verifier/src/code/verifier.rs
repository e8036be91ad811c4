//! The verifier of programs.

use std::sync::{Arc, OnceLock};

use fireproof_trajectory::{CheckSpec, Outcome, Task, TestsCheck, Verdict};

use super::extract::extract_code;
use super::judging::{Extent, judge_code};
use super::report::{CodeError, CodeReport};
use super::sandbox::{Limits, Sandbox, SandboxConfig, SandboxError};
use crate::verifier::{Verifier, VerifyError};

/// Where a completion's program is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodeSource {
    /// In its last code fence ([`extract_code`]).
    #[default]
    LastFence,
    /// It is the program, all of it.
    Whole,
}

/// Judges programs by the tests of [`CheckSpec::Tests`], in a sandbox.
///
/// The answer is correct if all tests pass. Where there is no program there is no answer. Errors of
/// the sandbox and broken tests are [`VerifyError::Infrastructure`].
#[derive(Clone, Debug)]
pub struct CodeVerifier {
    sandbox: Arc<Sandbox>,
    /// Bounds where a task has none of its own.
    pub limits: Limits,
    /// Where the program is.
    pub source: CodeSource,
}

impl CodeVerifier {
    /// Programs of completions' last fences, in this sandbox.
    #[must_use]
    pub fn new(sandbox: Arc<Sandbox>) -> Self {
        Self { sandbox, limits: Limits::default(), source: CodeSource::default() }
    }

    /// In a sandbox of default settings that is found once per process and shared from then on.
    ///
    /// # Errors
    /// What [`Sandbox::new`] says, every time anew.
    pub fn shared() -> Result<Self, SandboxError> {
        // What the machine offers does not change; a failure may be mended and is not kept.
        static SHARED: OnceLock<Arc<Sandbox>> = OnceLock::new();
        let sandbox = match SHARED.get() {
            Some(sandbox) => Arc::clone(sandbox),
            None => {
                let sandbox = Arc::new(Sandbox::new(&SandboxConfig::default())?);
                Arc::clone(SHARED.get_or_init(|| sandbox))
            }
        };
        Ok(Self::new(sandbox))
    }

    /// The sandbox.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// What came of each test; `None` if the completion has no program.
    ///
    /// # Errors
    /// As [`judge_code`].
    pub fn report(
        &self,
        check: &TestsCheck,
        completion: &str,
        extent: Extent,
    ) -> Result<Option<CodeReport>, CodeError> {
        let Some(program) = self.program(completion) else { return Ok(None) };
        judge_code(&self.sandbox, &program, check, &self.limits, extent).map(Some)
    }

    fn program(&self, completion: &str) -> Option<String> {
        match self.source {
            CodeSource::LastFence => extract_code(completion),
            CodeSource::Whole => Some(completion.to_owned()),
        }
        .filter(|program| !program.trim().is_empty())
    }
}

impl Verifier for CodeVerifier {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        let CheckSpec::Tests(check) = &task.check else {
            return Err(VerifyError::unsupported("CodeVerifier", task));
        };
        let Some(program) = self.program(response) else {
            return Ok(Verdict::new(Outcome::NoAnswer));
        };
        let extent = Extent::UntilFailure;
        let report = judge_code(&self.sandbox, &program, check, &self.limits, extent)
            .map_err(|error| VerifyError::infrastructure(task, error))?;
        Ok(Verdict::over(&program, report.passed()))
    }
}
