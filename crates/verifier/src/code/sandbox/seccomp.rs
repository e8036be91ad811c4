//! Which system calls a program may make: a list of allowed ones, everything else fails.
//!
//! Absent on purpose: everything that makes a process (`fork`, `vfork`, `clone` but for threads),
//! sockets of any kind, signals (`kill` and its kin, owners of file descriptors), `ptrace` and other
//! processes' memory, mounts, namespaces, keys, `bpf`, `io_uring`, `memfd_create` (memory that no
//! limit counts), rights and owners of files (which Landlock does not watch), and whatever a kernel
//! adds after this was written.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Allowed with any arguments, on every processor.
const ALLOWED: &[libc::c_long] = &[
    // Files and folders; where they are is up to the mounts and to Landlock.
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_flock,
    libc::SYS_ftruncate,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_symlinkat,
    libc::SYS_linkat,
    libc::SYS_umask,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fadvise64,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    // Memory.
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_msync,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // Itself.
    libc::SYS_execve,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getcpu,
    libc::SYS_getrandom,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_futex,
    libc::SYS_restart_syscall,
    libc::SYS_wait4,
    libc::SYS_waitid,
    // Its own signal handlers, timers and clocks.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_getitimer,
    libc::SYS_setitimer,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    // Waiting for its own file descriptors.
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
];

/// The older names of the same calls, which only x86-64 has.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[libc::c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_symlink,
    libc::SYS_link,
    libc::SYS_rmdir,
    libc::SYS_getpgrp,
    libc::SYS_time,
    libc::SYS_alarm,
    libc::SYS_pause,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[libc::c_long] = &[];

/// Calls that make folders.
#[cfg(target_arch = "x86_64")]
const FOLDERS: &[libc::c_long] = &[libc::SYS_mkdirat, libc::SYS_mkdir];
#[cfg(not(target_arch = "x86_64"))]
const FOLDERS: &[libc::c_long] = &[libc::SYS_mkdirat];

/// Commands of `fcntl` that concern the caller's own file descriptors. Absent: owners and signals,
/// leases, larger pipes.
const FCNTL: [libc::c_int; 9] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
];

/// Commands of `ioctl` that ask whether something is a terminal, and flags of file descriptors.
const IOCTL: [u64; 6] = [0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451];

/// The filters in the order in which to install them, or why there are none for this processor.
pub(super) fn filters(threads: bool, folders: bool) -> Result<Vec<BpfProgram>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let arch: TargetArch = std::env::consts::ARCH.try_into().map_err(|e| text(&e))?;
    let rules = rules(threads, folders).map_err(|e| text(&e))?;
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let main = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch);
    // The C library makes threads by `clone3`, whose flags no filter can see, and falls back to
    // `clone` if the kernel does not know it. So this filter lets `clone3` through and the other
    // one, of which every refusal counts as well, pretends that there is none.
    let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let clone3 = SeccompFilter::new(clone3, SeccompAction::Allow, unknown, arch);
    let compile = |filter: Result<SeccompFilter, _>| {
        filter.and_then(BpfProgram::try_from).map_err(|e| text(&e))
    };
    // Installing a filter is a call that `main` does not allow, so that one comes last.
    Ok(vec![compile(clone3)?, compile(main)?])
}

type Rules = BTreeMap<libc::c_long, Vec<SeccompRule>>;

fn rules(threads: bool, folders: bool) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules =
        ALLOWED.iter().chain(ALLOWED_HERE).map(|call| (*call, Vec::new())).collect();
    if folders {
        rules.extend(FOLDERS.iter().map(|call| (*call, Vec::new())));
    }
    let equals = |argument, value| {
        use SeccompCmpArgLen::Dword;
        SeccompRule::new(vec![SeccompCondition::new(argument, Dword, SeccompCmpOp::Eq, value)?])
    };
    type Any = Result<Vec<SeccompRule>, seccompiler::BackendError>;
    let any = |argument, values: &[u64]| -> Any {
        values.iter().map(|value| equals(argument, *value)).collect()
    };
    rules.insert(libc::SYS_fcntl, any(1, &FCNTL.map(|command| command as u64))?);
    rules.insert(libc::SYS_ioctl, any(1, &IOCTL)?);
    let names = [libc::PR_SET_NAME, libc::PR_GET_NAME].map(|option| option as u64);
    rules.insert(libc::SYS_prctl, any(0, &names)?);
    // Limits of the caller only.
    rules.insert(libc::SYS_prlimit64, any(0, &[0])?);
    rules.insert(libc::SYS_clone3, Vec::new());
    if threads {
        let thread = libc::CLONE_THREAD as u64;
        let operator = SeccompCmpOp::MaskedEq(thread);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, operator, thread)?;
        rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![condition])?]);
    }
    Ok(rules)
}

/// True if the kernel filters system calls.
#[expect(unsafe_code, reason = "seccomp(2)")]
pub(super) fn available() -> bool {
    let action = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the pointer is to a live local; nothing changes.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action)
    };
    result == 0
}
