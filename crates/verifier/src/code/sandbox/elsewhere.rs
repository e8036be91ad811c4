//! Where there is no sandbox: programs are only run on Linux.

use super::{Finished, Layers, Limits, SandboxConfig, SandboxError};

/// Runs Python programs contained. There is none on this system.
#[derive(Clone, Debug)]
pub enum Sandbox {}

impl Sandbox {
    /// Is refused on this system.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: &SandboxConfig) -> Result<Self, SandboxError> {
        let reason = "the layers of the sandbox are Linux's".to_owned();
        Err(SandboxError::Refused { layer: "Linux", reason })
    }

    /// Which layers are active.
    #[must_use]
    pub fn layers(&self) -> Layers {
        match *self {}
    }

    /// The interpreter's version.
    #[must_use]
    pub fn python_version(&self) -> &str {
        match *self {}
    }

    /// Runs a program as a script.
    ///
    /// # Errors
    /// None: there is no sandbox to call this on.
    pub fn run(&self, _: &str, _: &[u8], _: &Limits) -> Result<Finished, SandboxError> {
        match *self {}
    }

    pub(crate) fn run_each(
        &self,
        _: &str,
        _: &[&str],
        _: &Limits,
    ) -> Result<Finished, SandboxError> {
        match *self {}
    }

    pub(crate) fn serve(&self, _: &str, _: &[u8], _: &Limits) -> Result<Finished, SandboxError> {
        match *self {}
    }

    pub(crate) fn judge(
        &self,
        _: &str,
        _: &[u8],
        _: &Limits,
    ) -> Result<(Finished, Finished), SandboxError> {
        match *self {}
    }
}
