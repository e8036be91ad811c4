//! The sandbox of Linux processes.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use super::interpreter::Interpreter;
use super::layers::Layers;
use super::limits::{End, Finished, Limits};
use super::plan::{self, Plan, Setting};
use super::ruleset;
use super::scratch::Scratch;
use super::selfcheck;
use super::spawn::{Child, Command};
use super::step::Step;
use super::supervise::{self, Running, Stream};
use super::{SandboxConfig, SandboxError};

/// The part of a child that runs programs and answers calls.
const PROGRAM: &str = include_str!("program.py");
/// The part that runs tests against another child.
const JUDGE: &str = include_str!("judge.py");

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
    pub(super) interpreter: Interpreter,
    pub(super) plan: Plan,
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
    /// output has `END_OF_RUN`, or something else if the run failed.
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
        Ok((undisturbed(tests)?, undisturbed(program)?))
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
            alone: !self.plan.filters.is_empty(),
            scratch,
            started,
            ended: None,
        })
    }

    fn command(&self, role: Role, steps: Vec<Step>) -> Result<Command, SandboxError> {
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

/// A file in memory with these bytes, to be read from the start and never to be changed.
#[expect(unsafe_code, reason = "memfd_create(2) and its seals")]
fn memory_file(bytes: &[u8]) -> Result<OwnedFd, SandboxError> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a constant; the new descriptor belongs to nobody else.
    let mut file = unsafe {
        let number = libc::memfd_create(c"input".as_ptr(), flags);
        if number < 0 {
            return Err(SandboxError::start(io::Error::last_os_error()));
        }
        File::from_raw_fd(number)
    };
    file.write_all(bytes).and_then(|()| file.rewind()).map_err(SandboxError::start)?;
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
    // SAFETY: changes a file that is ours.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } < 0 {
        return Err(SandboxError::start(io::Error::last_os_error()));
    }
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
