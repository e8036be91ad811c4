//! Catching the panics of the tensor library where a program wants an error of its own.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Mutex, PoisonError};

/// One at a time: the hook belongs to the whole process.
static HOOK: Mutex<()> = Mutex::new(());

/// Runs a function that may panic because of the machine (a missing adapter, say) and returns the
/// panic's message in its place. Nothing is printed meanwhile, so that a user reads the caller's
/// error and not a backtrace.
///
/// ```
/// use fireproof_kernels::catch_panic;
/// assert_eq!(catch_panic(|| 1), Ok(1));
/// assert_eq!(catch_panic(|| panic!("no adapter")), Err::<(), _>("no adapter".to_owned()));
/// ```
///
/// # Errors
/// The message of the panic.
pub fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    let guard = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let outcome = catch_unwind(AssertUnwindSafe(run));
    set_hook(hook);
    drop(guard);
    outcome.map_err(|payload| message(&*payload))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("it gave no reason").trim().to_owned()
}
