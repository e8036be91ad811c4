//! Starting a child: `clone` with namespaces, the steps, `exec`.
//!
//! The child shares the host's memory and the calling thread waits until it has executed the
//! interpreter (as with `vfork`). A copy of the address space, as `fork` makes, would take longer
//! the more memory the trainer holds.

use std::ffi::{CString, c_void};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use libc::{c_char, c_int};

use super::step::{Step, errno};

/// Enough for the steps, none of which recurses.
const STACK_BYTES: usize = 64 * 1024;
/// Exit status of a child that could not be set up; nobody sees it.
const FAILED: c_int = 127;

/// Why a child could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpawnError {
    /// The kernel made no process.
    #[error("cannot make a process: {0}")]
    Clone(io::Error),
    /// A step failed.
    #[error("{step} failed: {error}")]
    Step {
        /// Which one.
        step: String,
        /// Why.
        error: io::Error,
    },
    /// The program could not be executed.
    #[error("cannot execute `{program}`: {error}")]
    Execute {
        /// The program.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// The process ran, but the host has no handle on it.
    #[error("cannot open a handle on a process: {0}")]
    Handle(io::Error),
}

/// A child to start.
#[derive(Debug)]
pub(super) struct Command {
    /// The program's path, as the child sees it.
    pub(super) program: CString,
    /// Its arguments, with the name in front.
    pub(super) arguments: Vec<CString>,
    /// `CLONE_NEW…` flags.
    pub(super) namespaces: c_int,
    /// What the child does before it executes the program.
    pub(super) steps: Vec<Step>,
}

/// A child that runs. It is killed and waited for when this value goes.
#[derive(Debug)]
pub(super) struct Child {
    pid: libc::pid_t,
    handle: OwnedFd,
    reaped: bool,
}

/// How a child ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    /// Its status as `wait` gives it.
    pub(super) status: c_int,
    /// Processor time in microseconds, user and system.
    pub(super) cpu_micros: u64,
}

/// What child and host share.
struct Shared<'a> {
    command: &'a Command,
    arguments: &'a [*const c_char],
    environment: &'a [*const c_char],
    /// How many steps were taken.
    taken: usize,
    /// The error of the step after those, or of `exec`.
    errno: c_int,
}

impl Child {
    /// Starts a child.
    pub(super) fn start(command: &Command) -> Result<Self, SpawnError> {
        let mut arguments: Vec<*const c_char> =
            command.arguments.iter().map(|argument| argument.as_ptr()).collect();
        arguments.push(std::ptr::null());
        let environment = [std::ptr::null()];
        let mut shared = Shared {
            command,
            arguments: &arguments,
            environment: &environment,
            taken: 0,
            errno: 0,
        };
        let pid = clone(&mut shared).map_err(SpawnError::Clone)?;
        if shared.errno != 0 {
            wait(pid);
            let error = io::Error::from_raw_os_error(shared.errno);
            return Err(match command.steps.get(shared.taken) {
                Some(step) => SpawnError::Step { step: step.name(), error },
                None => SpawnError::Execute {
                    program: command.program.to_string_lossy().into_owned(),
                    error,
                },
            });
        }
        match open_handle(pid) {
            Ok(handle) => Ok(Self { pid, handle, reaped: false }),
            Err(error) => {
                kill(pid);
                wait(pid);
                Err(SpawnError::Handle(error))
            }
        }
    }

    /// The host's number for it.
    pub(super) fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// Becomes readable when the child has ended.
    pub(super) fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// Ends it, and everything in its PID namespace if it has one.
    pub(super) fn kill(&self) {
        if !self.reaped {
            kill(self.pid);
        }
    }

    /// Waits until it has ended. A child with its own PID namespace ends after all others in it.
    pub(super) fn wait(&mut self) -> Option<Exit> {
        if self.reaped {
            return None;
        }
        self.reaped = true;
        wait(self.pid)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            kill(self.pid);
            wait(self.pid);
        }
    }
}

/// Clones the calling thread with all signals held back until the child executes its program.
#[expect(unsafe_code, reason = "clone(2) with the flags of vfork(2)")]
fn clone(shared: &mut Shared<'_>) -> io::Result<libc::pid_t> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | shared.command.namespaces;
    let mut stack = vec![0u128; STACK_BYTES / size_of::<u128>()];
    // SAFETY: the stack is as long as the child uses it, because the call returns only after the
    // child has executed or ended; `shared` lives longer than that. Signals are held back so that
    // no handler of the host runs in the child. Changing the user makes shared memory undumpable,
    // which is undone for the host.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let dumpable = libc::prctl(libc::PR_GET_DUMPABLE);
        let top = stack.as_mut_ptr().add(stack.len()).cast::<c_void>();
        let argument = std::ptr::from_mut(shared).cast::<c_void>();
        let pid = libc::clone(become_program, top, flags, argument);
        let error = io::Error::last_os_error();
        if dumpable == 1 && libc::prctl(libc::PR_GET_DUMPABLE) != 1 {
            libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        if pid < 0 { Err(error) } else { Ok(pid) }
    }
}

/// The child's whole life before `exec`.
#[expect(unsafe_code, reason = "runs in the child, between clone(2) and execve(2)")]
extern "C" fn become_program(argument: *mut c_void) -> c_int {
    // SAFETY: the host passes a `Shared` that outlives this function, and waits meanwhile. Nothing
    // here allocates, locks or unwinds.
    unsafe {
        let shared = &mut *argument.cast::<Shared<'_>>();
        let default: libc::sigaction = std::mem::zeroed();
        for signal in 1..65 {
            libc::sigaction(signal, &raw const default, std::ptr::null_mut());
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::umask(0o022);
        for step in &shared.command.steps {
            if step.take() < 0 {
                shared.errno = errno();
                libc::_exit(FAILED);
            }
            shared.taken += 1;
        }
        let program = shared.command.program.as_ptr();
        libc::execve(program, shared.arguments.as_ptr(), shared.environment.as_ptr());
        shared.errno = errno();
        libc::_exit(FAILED)
    }
}

#[expect(unsafe_code, reason = "pidfd_open(2)")]
fn open_handle(pid: libc::pid_t) -> io::Result<OwnedFd> {
    // SAFETY: the child is not waited for yet, so the number is still its own; the new descriptor
    // belongs to nobody else.
    unsafe {
        let handle = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        if handle < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(handle as c_int))
    }
}

#[expect(unsafe_code, reason = "kill(2)")]
fn kill(pid: libc::pid_t) {
    // SAFETY: the child is not waited for yet, so the number is still its own. Its session may
    // hold others if nothing forbade them; the group is killed with it.
    unsafe {
        libc::kill(-pid, libc::SIGKILL);
        libc::kill(pid, libc::SIGKILL);
    }
}

#[expect(unsafe_code, reason = "wait4(2)")]
fn wait(pid: libc::pid_t) -> Option<Exit> {
    // SAFETY: the structures are live locals.
    unsafe {
        let mut status = 0;
        let mut usage: libc::rusage = std::mem::zeroed();
        loop {
            let found = libc::wait4(pid, &raw mut status, libc::__WALL, &raw mut usage);
            if found == pid {
                let micros = |time: libc::timeval| {
                    time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_usec.unsigned_abs()
                };
                let cpu_micros = micros(usage.ru_utime) + micros(usage.ru_stime);
                return Some(Exit { status, cpu_micros });
            }
            if errno() != libc::EINTR {
                return None;
            }
        }
    }
}
