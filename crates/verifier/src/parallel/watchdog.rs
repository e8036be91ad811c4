//! A watchdog over judgements: it names those that take long.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fireproof_trajectory::PromptId;

/// Told while judgements take long.
pub struct Watchdog<'a> {
    /// How long a judgement may take before it is named, and the time between two reports.
    pub after: Duration,
    /// Called on a thread of its own with all judgements that take longer, the longest first.
    pub report: &'a (dyn Fn(&[Waiting]) + Sync),
}

impl fmt::Debug for Watchdog<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog").field("after", &self.after).finish_non_exhaustive()
    }
}

/// A judgement that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The task.
    pub task: PromptId,
    /// Number of the completion in its group, from 0.
    pub sample: usize,
    /// For how long.
    pub elapsed: Duration,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        write!(f, "task {}, sample {}, for {seconds:.1} s", self.task, self.sample)
    }
}

/// What is being judged.
#[derive(Debug, Default)]
pub(super) struct Board {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    running: BTreeMap<u64, (PromptId, usize, Instant)>,
    done: bool,
}

/// A judgement on the board, until it goes.
pub(super) struct Entry<'a> {
    board: &'a Board,
    key: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.board.lock().running.remove(&self.key);
    }
}

impl Board {
    pub(super) fn enter(&self, task: PromptId, sample: usize) -> Entry<'_> {
        let started = Instant::now();
        let mut state = self.lock();
        let key = state.next;
        state.next += 1;
        state.running.insert(key, (task, sample, started));
        Entry { board: self, key }
    }

    /// Does some work under a watchdog, if there is one.
    pub(super) fn watch<T>(&self, watchdog: Option<&Watchdog<'_>>, work: impl FnOnce() -> T) -> T {
        let Some(watchdog) = watchdog else { return work() };
        std::thread::scope(|scope| {
            scope.spawn(|| self.patrol(watchdog));
            // Also if the work panics, so that the patrol ends.
            let _end = End(self);
            work()
        })
    }

    /// Reports what takes long until all is done.
    fn patrol(&self, watchdog: &Watchdog<'_>) {
        let mut state = self.lock();
        while !state.done {
            let waited = self.bell.wait_timeout(state, watchdog.after);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            let waiting = state.waiting(watchdog.after);
            if !waiting.is_empty() && !state.done {
                drop(state);
                (watchdog.report)(&waiting);
                state = self.lock();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What takes longer than `after`, in the order in which it began.
    fn waiting(&self, after: Duration) -> Vec<Waiting> {
        let all = self.running.values().map(|(task, sample, started)| Waiting {
            task: *task,
            sample: *sample,
            elapsed: started.elapsed(),
        });
        all.filter(|waiting| waiting.elapsed >= after).collect()
    }
}

/// Ends the patrol when it goes.
struct End<'a>(&'a Board);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().done = true;
        self.0.bell.notify_all();
    }
}
