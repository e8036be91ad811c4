//! A sandbox for Python programs that nobody trusts, made of Linux processes.
//!
//! A program runs in a process of its own. What the process may do is bounded in layers that do not
//! depend on each other ([`Layer`]); which of them a machine offers is found out by trying: a
//! program that attempts what is forbidden is run once, and a sandbox whose walls do not hold is
//! not given out. Nothing here needs root, and as root a program runs as a user of its own.
//!
//! ```text
//! clone, new namespaces ─▶ mounts ─▶ limits ─▶ spare user ─▶ Landlock ─▶ seccomp ─▶ exec python
//! ```

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod interpreter;
mod layers;
mod limits;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod ruleset;
#[cfg(target_os = "linux")]
mod scratch;
#[cfg(target_os = "linux")]
mod seccomp;
#[cfg(target_os = "linux")]
mod selfcheck;
#[cfg(target_os = "linux")]
mod spawn;
#[cfg(target_os = "linux")]
mod step;
#[cfg(target_os = "linux")]
mod supervise;

use std::path::PathBuf;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::Sandbox;
pub use layers::Layer;
pub use layers::Layers;
pub use limits::End;
pub use limits::Finished;
pub use limits::Limits;
#[cfg(target_os = "linux")]
pub use process::Sandbox;

/// What stands in the output after a run that ended well.
pub(crate) const END_OF_RUN: &[u8] = b"\0fine\0\n";
/// Most runs of one process: each takes a file descriptor.
pub(crate) const RUNS: usize = 32;

/// Whether to use a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// A sandbox without it is refused.
    Required,
    /// If the machine offers it.
    #[default]
    Available,
    /// Not even then.
    Never,
}

/// What a sandbox is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxConfig {
    /// The interpreter: a path, or a name on the `PATH`.
    pub interpreter: PathBuf,
    /// Whether programs may import installed packages, not only the standard library.
    pub site_packages: bool,
    /// More files and folders that programs may read.
    pub readable: Vec<PathBuf>,
    /// PID, mount, network and IPC namespaces.
    pub namespaces: Wish,
    /// Landlock.
    pub landlock: Wish,
    /// The filter of system calls.
    pub seccomp: Wish,
    /// Whether a sandbox may do without seccomp, or without both namespaces and Landlock. Then
    /// programs are bounded but not contained: only for programs that are trusted.
    pub allow_uncontained: bool,
}

impl Default for SandboxConfig {
    /// `python3` with the standard library, in every layer that the machine offers.
    fn default() -> Self {
        Self {
            interpreter: "python3".into(),
            site_packages: false,
            readable: Vec::new(),
            namespaces: Wish::Available,
            landlock: Wish::Available,
            seccomp: Wish::Available,
            allow_uncontained: false,
        }
    }
}

/// Why a sandbox cannot be had, or could not run a program. Never the program's fault.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The interpreter is missing or does not work.
    #[error("the interpreter `{}` cannot be used: {reason}", program.display())]
    Interpreter {
        /// The interpreter.
        program: PathBuf,
        /// Why.
        reason: String,
    },
    /// A layer that is demanded is not there.
    #[error("refused to run programs without {layer}: {reason}")]
    Refused {
        /// What is missing.
        layer: &'static str,
        /// Why.
        reason: String,
    },
    /// The layers do not hold what they promise, or honest programs do not run in them.
    #[error("the sandbox failed its own check: {reason}")]
    SelfCheck {
        /// What went wrong.
        reason: String,
    },
    /// A process could not be set up.
    #[error("cannot start a program: {reason}")]
    Start {
        /// Why.
        reason: String,
    },
    /// The machine gave the program no processor, or the program's end was not seen.
    #[error("a program was not judged: {reason}")]
    Disturbed {
        /// What happened.
        reason: String,
    },
}

impl SandboxError {
    fn start(error: impl std::fmt::Display) -> Self {
        Self::Start { reason: error.to_string() }
    }
}
