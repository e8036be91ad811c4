//! Bounds on a program, and how one ended.

use std::time::Duration;

/// Bounds on one run of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processor time, all threads together. The kernel has a second bound at the next full second.
    pub time: Duration,
    /// Time by the clock, without what the program waited for a processor on a busy machine.
    pub wall: Duration,
    /// Address space in bytes.
    pub memory: u64,
    /// Bytes written to standard output and returned from calls, together.
    pub output: usize,
    /// Bytes in the scratch folder, and of the largest file.
    pub scratch: u64,
    /// Threads, the first included. Where no bound on them holds, a program may start none.
    pub threads: u32,
}

impl Default for Limits {
    /// 5 s of processor time, 15 s by the clock, 512 MiB of memory, 1 MiB of output, 16 MiB of
    /// files, 32 threads.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(5),
            wall: Duration::from_secs(15),
            memory: 512 << 20,
            output: 1 << 20,
            scratch: 16 << 20,
            threads: 32,
        }
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit status.
    Exited(i32),
    /// By this signal, not sent by us.
    Killed(i32),
    /// Processor time or time by the clock was used up.
    TimeLimit,
    /// It wrote too much.
    OutputLimit,
    /// It kept too much in its scratch folder.
    ScratchLimit,
    /// The machine gave it no processor for many times its bound: says nothing about the program.
    Starved,
    /// Somebody else in the host waited for it: says nothing about the program.
    Lost,
}

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How.
    pub end: End,
    /// Its standard output.
    pub output: Vec<u8>,
    /// The end of its standard error.
    pub errors: Vec<u8>,
    /// What it returned from calls, in the form of the harness.
    pub(crate) reply: Vec<u8>,
    /// Processor time it took, the interpreter's start included.
    pub cpu: Duration,
}

impl Limits {
    /// The same with another bound on processor time, and three times that plus 2 s by the clock.
    #[must_use]
    pub fn with_time_ms(mut self, millis: u64) -> Self {
        // A day is long enough; more would overflow where bounds are multiplied.
        self.time = Duration::from_millis(millis.min(86_400_000));
        self.wall = self.time * 3 + Duration::from_secs(2);
        self
    }
}
