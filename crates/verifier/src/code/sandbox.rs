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

mod interpreter;
mod layers;
mod limits;
mod plan;
mod ruleset;
mod scratch;
mod seccomp;
mod selfcheck;
mod spawn;
mod step;
mod supervise;

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Instant;

pub use layers::Layer;
pub use layers::Layers;
pub use limits::End;
pub use limits::Finished;
pub use limits::Limits;

use interpreter::Interpreter;
use plan::{Plan, Setting};
use scratch::Scratch;
use spawn::{Child, Command};
use supervise::{Running, Stream};

/// The part of a child that runs programs and answers calls.
const PROGRAM: &str = include_str!("sandbox/program.py");
/// The part that runs tests against another child.
const JUDGE: &str = include_str!("sandbox/judge.py");

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

/// Runs Python programs contained.
///
/// ```
/// use fireproof_verifier::{End, Limits, Sandbox, SandboxConfig};
///
/// let sandbox = Sandbox::new(&SandboxConfig::default()).unwrap();
/// let run = sandbox.run("print(int(input()) * 2)", b"21", &Limits::default()).unwrap();
/// assert_eq!((run.end, run.output.as_slice()), (End::Exited(0), &b"42\n"[..]));
///
/// let run = sandbox.run("open('/etc/passwd')", b"", &Limits::default()).unwrap();
/// assert_eq!(run.end, End::Exited(1));
/// ```
#[derive(Clone, Debug)]
pub struct Sandbox {
    interpreter: Interpreter,
    plan: Plan,
}

impl Sandbox {
    /// A sandbox of the strongest layers that the machine offers, after a check that they hold.
    ///
    /// Takes about a tenth of a second: make one and share it.
    ///
    /// # Errors
    /// If the interpreter does not work, a layer that is demanded is not to be had, or the layers do
    /// not hold.
    pub fn new(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let interpreter =
            Interpreter::probe(&config.interpreter, config.site_packages, &config.readable)?;
        selfcheck::strongest(&interpreter, config)
    }

    /// Which layers are active.
    #[must_use]
    pub fn layers(&self) -> Layers {
        self.plan.layers()
    }

    /// The interpreter's version, such as `3.11.7`.
    #[must_use]
    pub fn python_version(&self) -> &str {
        &self.interpreter.version
    }

    /// Runs a program as a script: `stdin` is its standard input.
    ///
    /// # Errors
    /// If the program could not be run; whatever it does itself is no error.
    pub fn run(
        &self,
        source: &str,
        stdin: &[u8],
        limits: &Limits,
    ) -> Result<Finished, SandboxError> {
        let files = [memory_file(stdin)?, memory_file(source.as_bytes())?];
        let [stdin, source] = files;
        let child = self.start(Role::Script, stdin, vec![source], None, limits)?;
        one(supervise::supervise(vec![child]))
    }

    /// Runs a program as a script once for each input, all in one process. Where a run ends, the
    /// output has [`END_OF_RUN`], or something else if the run failed.
    ///
    /// Only a success says anything about the program run by itself: the bounds are those of all
    /// runs together, and a run finds what the ones before it left.
    pub(crate) fn run_each(
        &self,
        source: &str,
        inputs: &[&str],
        limits: &Limits,
    ) -> Result<Finished, SandboxError> {
        let inputs = inputs.iter().map(|input| memory_file(input.as_bytes()));
        let files = [memory_file(source.as_bytes())].into_iter().chain(inputs);
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let child = self.start(Role::Scripts, memory_file(b"")?, files, None, limits)?;
        one(supervise::supervise(vec![child]))
    }

    /// Runs a program and then evaluates expressions in it. `requests` and the reply are in the
    /// form of the harness.
    pub(crate) fn serve(
        &self,
        source: &str,
        requests: &[u8],
        limits: &Limits,
    ) -> Result<Finished, SandboxError> {
        let (reader, writer) = pipe()?;
        let files = vec![memory_file(source.as_bytes())?, writer, memory_file(requests)?];
        let child = self.start(Role::Serve, memory_file(b"")?, files, Some(reader), limits)?;
        one(supervise::supervise(vec![child]))
    }

    /// Runs tests, which are trusted, in one child against a program in another, which is not. The
    /// two share nothing but a pipe in each direction that carries plain data.
    ///
    /// Returns how the tests ended, with their results as the reply, and how the program did.
    pub(crate) fn judge(
        &self,
        source: &str,
        tests: &[u8],
        limits: &Limits,
    ) -> Result<(Finished, Finished), SandboxError> {
        let (replies, reply_writer) = io::pipe().map_err(SandboxError::start)?;
        let (requests, request_writer) = io::pipe().map_err(SandboxError::start)?;
        let files = vec![memory_file(source.as_bytes())?, reply_writer.into(), requests.into()];
        let program = self.start(Role::Serve, memory_file(b"")?, files, None, limits)?;
        let (reader, writer) = pipe()?;
        let files = vec![memory_file(tests)?, writer, replies.into(), request_writer.into()];
        // Waiting for the program is part of the tests' time.
        let slack = Limits { wall: limits.wall * 2, ..limits.clone() };
        let tests = self.start(Role::Judge, memory_file(b"")?, files, Some(reader), &slack)?;
        let mut finished = supervise::supervise(vec![tests, program]).into_iter();
        let (Some(tests), Some(program)) = (finished.next(), finished.next()) else {
            return Err(SandboxError::start("a child was lost"));
        };
        Ok((undisturbed(tests)?, program))
    }

    /// Starts a child. `files` stand at 3, 4 and so on; all of them are closed in the host.
    fn start(
        &self,
        role: Role,
        stdin: OwnedFd,
        files: Vec<OwnedFd>,
        reply: Option<OwnedFd>,
        limits: &Limits,
    ) -> Result<Running, SandboxError> {
        let (output, output_writer) = pipe()?;
        let (errors, errors_writer) = pipe()?;
        let mut all = vec![stdin, output_writer, errors_writer];
        all.extend(files);
        let high: Vec<OwnedFd> = all.iter().map(out_of_the_way).collect::<Result<_, _>>()?;
        let numbers: Vec<RawFd> = high.iter().map(AsRawFd::as_raw_fd).collect();
        let user = self.plan.spare_user.then(plan::spare_user);
        let scratch = if self.plan.mounts() {
            None
        } else {
            Some(Scratch::create(user).map_err(SandboxError::start)?)
        };
        let ruleset = match self.plan.landlock {
            Some(abi) => ruleset::create(abi, &self.interpreter.readable)
                .map_err(SandboxError::start)?
                .map(|ruleset| out_of_the_way(&ruleset))
                .transpose()?,
            None => None,
        };
        let setting = Setting {
            limits,
            readable: &self.interpreter.readable,
            scratch: scratch.as_ref().map(Scratch::path),
            user,
            ruleset: ruleset.as_ref().map(AsRawFd::as_raw_fd),
            files: &numbers,
        };
        let steps = plan::steps(&self.plan, &setting).map_err(SandboxError::start)?;
        let command = self.command(role, steps)?;
        let started = Instant::now();
        let child = Child::start(&command).map_err(SandboxError::start)?;
        Ok(Running {
            child,
            limits: limits.clone(),
            output: Stream::new(Some(output)),
            errors: Stream::new(Some(errors)),
            reply: Stream::new(reply),
            scratch,
            started,
            ended: None,
        })
    }

    fn command(&self, role: Role, steps: Vec<step::Step>) -> Result<Command, SandboxError> {
        let program = self.interpreter.program.as_path();
        let (harness, mode) = match role {
            Role::Script => (PROGRAM, "script"),
            Role::Scripts => (PROGRAM, "scripts"),
            Role::Serve => (PROGRAM, "serve"),
            Role::Judge => (JUDGE, "judge"),
        };
        let fixed = ["-I", "-S", "-B", "-X", "utf8", "-c", harness, mode];
        let modules = self.interpreter.modules.iter().map(String::as_str);
        let arguments = fixed.into_iter().chain(modules).map(CString::new);
        let arguments: Vec<CString> = [CString::new(program.as_os_str().as_bytes())]
            .into_iter()
            .chain(arguments)
            .collect::<Result<_, _>>()
            .map_err(SandboxError::start)?;
        let program = arguments[0].clone();
        Ok(Command { program, arguments, namespaces: self.plan.flags(), steps })
    }
}

/// What a child is for.
#[derive(Clone, Copy, Debug)]
enum Role {
    /// A program with input and output.
    Script,
    /// The same again and again.
    Scripts,
    /// A program whose functions are called.
    Serve,
    /// Tests that call another child's functions.
    Judge,
}

fn one(finished: Vec<Finished>) -> Result<Finished, SandboxError> {
    let finished = finished.into_iter().next();
    undisturbed(finished.ok_or_else(|| SandboxError::start("a child was lost"))?)
}

/// An end that says nothing about the program is an error.
fn undisturbed(finished: Finished) -> Result<Finished, SandboxError> {
    let reason = match finished.end {
        End::Starved => "the machine gave it no processor",
        End::Lost => "its end was not seen",
        _ => return Ok(finished),
    };
    Err(SandboxError::Disturbed { reason: reason.to_owned() })
}

/// A file in memory with these bytes, to be read from the start.
#[expect(unsafe_code, reason = "memfd_create(2)")]
fn memory_file(bytes: &[u8]) -> Result<OwnedFd, SandboxError> {
    // SAFETY: the name is a constant; the new descriptor belongs to nobody else.
    let mut file = unsafe {
        let number = libc::memfd_create(c"input".as_ptr(), libc::MFD_CLOEXEC);
        if number < 0 {
            return Err(SandboxError::start(io::Error::last_os_error()));
        }
        File::from_raw_fd(number)
    };
    file.write_all(bytes).and_then(|()| file.rewind()).map_err(SandboxError::start)?;
    Ok(file.into())
}

/// A pipe whose reading end does not block.
#[expect(unsafe_code, reason = "fcntl(2)")]
fn pipe() -> Result<(OwnedFd, OwnedFd), SandboxError> {
    let (reader, writer) = io::pipe().map_err(SandboxError::start)?;
    // SAFETY: changes a flag of a descriptor that is ours.
    let result = unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    if result < 0 {
        return Err(SandboxError::start(io::Error::last_os_error()));
    }
    Ok((reader.into(), writer.into()))
}

/// A copy of a descriptor at a number that no descriptor of the child has.
#[expect(unsafe_code, reason = "fcntl(2)")]
fn out_of_the_way(file: &OwnedFd) -> Result<OwnedFd, SandboxError> {
    // SAFETY: the new descriptor belongs to nobody else.
    unsafe {
        let number = libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 10);
        if number < 0 {
            return Err(SandboxError::start(io::Error::last_os_error()));
        }
        Ok(OwnedFd::from_raw_fd(number))
    }
}
