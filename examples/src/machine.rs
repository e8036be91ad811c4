//! What the machine has.

use fireproof::kernels::ResolvedDevice;
use fireproof::trainer::{Bytes, MemoryEstimate};
use sysinfo::System;

/// A run that cannot fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this run needs about {needed}, and only {available} of memory are free: {advice}, or set \
     `check_memory=false` if you know better"
)]
pub struct TooLarge {
    needed: Bytes,
    available: Bytes,
    advice: &'static str,
}

/// Keeps freed memory for good: giving it back and getting it again takes a tenth of a training step
/// or more.
#[allow(unsafe_code, reason = "the allocator is a C library and its crate wraps no options")]
pub fn keep_freed_memory() {
    /// `mi_option_purge_delay`: milliseconds until freed memory goes back to the system; below 0,
    /// never.
    const PURGE_DELAY: i32 = 15;
    // SAFETY: any thread may set an option at any time.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) }
}

/// Refuses what cannot fit into the memory that this process may still take.
///
/// The memory of a GPU is not known here (burn does not tell it), so only a device that computes in
/// the machine's own memory can be refused.
///
/// # Errors
/// If the estimate is more than what is free.
pub fn check(estimate: &MemoryEstimate, resolved: &ResolvedDevice) -> Result<(), TooLarge> {
    match available(resolved) {
        Some(available) if estimate.total() > available => Err(TooLarge {
            needed: Bytes(estimate.total()),
            available: Bytes(available),
            advice: estimate.advice(),
        }),
        _ => Ok(()),
    }
}

/// Bytes that this process may still take, the limit of its control group included; `None` if the
/// device has memory of its own.
#[must_use]
pub fn available(resolved: &ResolvedDevice) -> Option<u64> {
    if !resolved.backend.is_cpu() {
        return None;
    }
    let mut system = System::new();
    system.refresh_memory();
    let machine = system.available_memory();
    let group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    Some(machine.min(group))
}
