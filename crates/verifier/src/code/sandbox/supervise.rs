//! Watching children: reading what they write, and ending those that go beyond their bounds.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use super::scratch::Scratch;
use super::spawn::{Child, Exit};
use super::{End, Finished, Limits};

/// Bytes of standard error that are kept, the last ones.
const KEPT_ERRORS: usize = 16 * 1024;
/// Longest time between two looks at a child's clocks and folder.
const LOOK: Duration = Duration::from_millis(20);
/// A child that waited for a processor is given up after this many times its bound.
const PATIENCE: u32 = 5;
/// Most reads of what an ended child left; a pipe holds less than that.
const DRAINS: usize = 64;
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// A child with everything that is known about it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) limits: Limits,
    /// Its standard output.
    pub(super) output: Stream,
    /// Its standard error.
    pub(super) errors: Stream,
    /// What its harness reports.
    pub(super) reply: Stream,
    /// True if it cannot have made other processes, which it would then wait for itself.
    pub(super) alone: bool,
    /// Its scratch folder, if that is one of the host's.
    pub(super) scratch: Option<Scratch>,
    pub(super) started: Instant,
    /// Why it was ended.
    pub(super) ended: Option<End>,
}

/// The reading end of a pipe and what came out of it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pipe: Option<OwnedFd>,
    bytes: Vec<u8>,
}

impl Stream {
    /// Reads from a pipe that does not block.
    pub(super) fn new(pipe: Option<OwnedFd>) -> Self {
        Self { pipe, bytes: Vec::new() }
    }

    /// Reads what is there, at most a chunk. True if there may be more.
    #[expect(unsafe_code, reason = "read(2) on a pipe that does not block")]
    fn read(&mut self) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        let length = self.bytes.len();
        self.bytes.resize(length + CHUNK, 0);
        // SAFETY: the buffer has `CHUNK` bytes from `length` on.
        let count = unsafe {
            libc::read(pipe.as_raw_fd(), self.bytes.as_mut_ptr().add(length).cast(), CHUNK)
        };
        let error = io::Error::last_os_error();
        self.bytes.truncate(length + usize::try_from(count).unwrap_or(0));
        let waits = [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted];
        if count == 0 || (count < 0 && !waits.contains(&error.kind())) {
            self.pipe = None;
        }
        count > 0
    }

    fn keep_last(&mut self, count: usize) {
        if self.bytes.len() > 2 * count {
            self.bytes.drain(..self.bytes.len() - count);
        }
    }
}

impl Running {
    /// Reads all three streams once. True if there may be more.
    fn read(&mut self) -> bool {
        let mut more = self.output.read();
        more |= self.reply.read();
        more |= self.errors.read();
        self.errors.keep_last(KEPT_ERRORS);
        let written = self.output.bytes.len() + self.reply.bytes.len();
        if written > self.limits.output {
            self.end(End::OutputLimit);
            return false;
        }
        more
    }

    /// Ends the child for the first reason there is.
    fn end(&mut self, reason: End) {
        if self.ended.is_none() {
            self.ended = Some(reason);
            self.child.kill();
        }
    }

    /// Ends the child if it is beyond a bound; otherwise the time until it can be.
    fn look(&mut self) -> Duration {
        let cpu = cpu_time(self.child.pid()).unwrap_or_default();
        let wall = self.started.elapsed();
        if cpu >= self.limits.time {
            self.end(End::TimeLimit);
        } else if wall >= self.limits.wall {
            let waited = waited_for_processor(self.child.pid()).filter(|_| self.alone);
            let waited = waited.unwrap_or_default();
            if wall.saturating_sub(waited) >= self.limits.wall {
                self.end(End::TimeLimit);
            } else if wall >= self.limits.wall * PATIENCE {
                self.end(End::Starved);
            }
        }
        if self.scratch.as_ref().is_some_and(|scratch| scratch.exceeds(self.limits.scratch)) {
            self.end(End::ScratchLimit);
        }
        self.limits.time.saturating_sub(cpu).min(LOOK).max(Duration::from_millis(1))
    }

    fn descriptors(&self) -> [RawFd; 4] {
        let number = |pipe: &Stream| pipe.pipe.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        let handle = self.child.handle().as_raw_fd();
        [handle, number(&self.output), number(&self.errors), number(&self.reply)]
    }

    /// Waits for the child, which has ended or was killed, and reads what it left in the pipes.
    fn finish(mut self) -> Finished {
        // A child with its own PID namespace takes all others in it with it, and without one the
        // filter lets it make none: nobody holds the pipes any more or will write to them. The
        // bound is for programs that run without either.
        let exit = self.child.wait();
        let _ = (0..DRAINS).all(|_| self.read());
        let cpu = Duration::from_micros(exit.map_or(0, |exit| exit.cpu_micros));
        let end = self.ended.unwrap_or_else(|| end_of(exit, cpu, &self.limits));
        Finished {
            end,
            output: self.output.bytes,
            errors: self.errors.bytes,
            reply: self.reply.bytes,
            cpu,
        }
    }
}

/// How a child ended that was not ended by us.
fn end_of(exit: Option<Exit>, cpu: Duration, limits: &Limits) -> End {
    let Some(Exit { status, .. }) = exit else { return End::Lost };
    if libc::WIFEXITED(status) {
        return End::Exited(libc::WEXITSTATUS(status));
    }
    let signal = libc::WTERMSIG(status);
    // The kernel's own bound on processor time.
    if signal == libc::SIGXCPU || (signal == libc::SIGKILL && cpu >= limits.time) {
        return End::TimeLimit;
    }
    End::Killed(signal)
}

/// Watches children until the first of them has ended, then ends the others.
pub(super) fn supervise(mut children: Vec<Running>) -> Vec<Finished> {
    let mut gone = vec![false; children.len()];
    while !gone.first().copied().unwrap_or(true) {
        let looks = children.iter_mut().zip(&gone).filter(|(_, gone)| !**gone);
        let pause = looks.map(|(child, _)| child.look()).min().unwrap_or(LOOK);
        let mut polled: Vec<libc::pollfd> = Vec::with_capacity(4 * children.len());
        for (child, gone) in children.iter().zip(&gone) {
            let numbers = child.descriptors().map(|fd| if *gone { -1 } else { fd });
            let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            polled.extend(numbers.map(entry));
        }
        poll(&mut polled, pause);
        for ((child, gone), ready) in children.iter_mut().zip(&mut gone).zip(polled.chunks(4)) {
            if !*gone {
                child.read();
                *gone = ready[0].revents != 0;
            }
        }
    }
    for (child, gone) in children.iter().zip(&gone) {
        if !*gone {
            child.child.kill();
        }
    }
    children.into_iter().map(Running::finish).collect()
}

#[expect(unsafe_code, reason = "poll(2)")]
fn poll(entries: &mut [libc::pollfd], pause: Duration) {
    let millis = i32::try_from(pause.as_millis()).unwrap_or(1).max(1);
    // SAFETY: the entries are live; an interrupted call only means one more round.
    unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, millis) };
}

/// Processor time that a child has used so far, all its threads together.
#[expect(unsafe_code, reason = "clock_getcpuclockid(3)")]
fn cpu_time(pid: libc::pid_t) -> Option<Duration> {
    // SAFETY: the structures are live locals.
    unsafe {
        let mut clock = 0;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        if libc::clock_getcpuclockid(pid, &raw mut clock) != 0
            || libc::clock_gettime(clock, &raw mut time) != 0
        {
            return None;
        }
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
    }
}

/// How long a child was ready to run and got no processor, where the kernel counts it.
fn waited_for_processor(pid: libc::pid_t) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    let waited = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(waited))
}
