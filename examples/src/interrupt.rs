//! Ctrl-C: the first one asks for an orderly end, the second one ends at once.

use std::path::Path;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a program that was interrupted: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Whether somebody wants the program to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    asked: Arc<AtomicBool>,
    /// Whether the program looks at `asked` now and then; if not, there is nothing to finish.
    waits: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens to Ctrl-C (and to SIGTERM and SIGHUP, which schedulers send) for a run in `folder`.
    ///
    /// While the program is between two steps' ends ([`during`](Self::during)) the first signal is
    /// noted for it; any other ends the program at once, which no checkpoint minds.
    ///
    /// # Errors
    /// If the process has a handler already.
    pub fn listen(folder: &Path) -> Result<Self, ctrlc::Error> {
        let interrupt = Self::default();
        let (own, folder) = (interrupt.clone(), folder.to_owned());
        ctrlc::set_handler(move || {
            if !own.waits.load(Ordering::SeqCst) || own.asked.swap(true, Ordering::SeqCst) {
                eprintln!("\nstopped; continue with `--resume {}`", folder.display());
                exit(INTERRUPTED.into());
            }
            eprintln!("\nfinishing this step and writing a checkpoint; Ctrl-C again stops at once");
        })?;
        Ok(interrupt)
    }

    /// Runs something that looks at [`asked`](Self::asked) from time to time.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.waits.store(true, Ordering::SeqCst);
        let result = work();
        self.waits.store(false, Ordering::SeqCst);
        result
    }

    /// Asks for the end, as the first Ctrl-C does.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// True once the end was asked for.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }
}
