//! What time is: the wall's, or that of the processors.

use std::time::{Duration, Instant};

/// What a benchmark measures.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The time that passes, from a start.
    Wall(Instant),
    /// The time of processors that this process took, where the system tells: what other programs
    /// do matters less.
    Processor,
}

impl Clock {
    /// The variable `CLOCK=processor` chooses; the time that passes otherwise.
    #[must_use]
    pub fn chosen() -> Self {
        let asked = std::env::var("CLOCK").is_ok_and(|clock| clock == "processor");
        if asked { Self::Processor } else { Self::Wall(Instant::now()) }
    }

    /// The time so far; only differences mean something.
    #[must_use]
    pub fn now(&self) -> Duration {
        match self {
            Self::Wall(start) => start.elapsed(),
            Self::Processor => {
                let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
                let spent = |thread: std::fs::DirEntry| {
                    let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
                    text.split_whitespace().next()?.parse::<u64>().ok()
                };
                Duration::from_nanos(threads.filter_map(spent).sum())
            }
        }
    }
}
