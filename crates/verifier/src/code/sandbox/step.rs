//! What a child does to itself between `clone` and `exec`, as data.
//!
//! The child shares the host's memory until it executes the interpreter, so it must neither
//! allocate nor take a lock. Everything is therefore prepared by the host as a list of steps; the
//! child only walks it, and every step is a system call or two.

use std::ffi::{CStr, CString};
use std::os::fd::RawFd;

use libc::{c_int, c_long, c_uint, c_ulong};
use seccompiler::BpfProgram;

/// One thing that the child does to itself.
#[derive(Debug)]
pub(super) enum Step {
    /// Writes a file that exists, such as a uid map.
    Write(&'static CStr, Vec<u8>),
    /// Keeps all mounts to this mount namespace.
    PrivateMounts,
    /// Mounts an empty tmpfs with these options.
    Tmpfs(CString, CString),
    /// Makes a folder; one that is there is fine.
    Folder(CString),
    /// Makes an empty file, as a place to mount one.
    File(CString),
    /// Makes a symbolic link (target, place).
    Link(CString, CString),
    /// Shows a file or folder (source) at another place (target), with what is mounted below it.
    Bind(CString, CString),
    /// Takes rights from a mount, and from those below it where the flag says so.
    Restrict { place: CString, attributes: u64, below: bool },
    /// Makes a folder the root of the file system and forgets the old one.
    Root(CString),
    /// Changes the working folder.
    Enter(CString),
    /// Sets a resource limit, soft and hard, or keeps a lower hard limit.
    Limit(i64, u64),
    /// Sets the soft resource limit only: the program may raise it.
    SoftLimit(i64, u64),
    /// Leaves the host's session and with it the terminal.
    Session,
    /// Becomes another user and group without any other group.
    User(libc::uid_t),
    /// Dies when the host's thread dies.
    DieWithParent,
    /// No program run from here on gains rights.
    NoNewPrivileges,
    /// Gives up all capabilities; with the step before, no program run from here on regains them.
    NoCapabilities,
    /// Puts a file descriptor of the host at a number below ten.
    Place(RawFd, RawFd),
    /// Allows a folder in a Landlock ruleset (ruleset, folder, access rights).
    LandlockAllow(RawFd, CString, u64),
    /// Restricts itself by a Landlock ruleset.
    Landlock(RawFd),
    /// Closes all file descriptors from this number on.
    CloseFrom(c_uint),
    /// Installs a seccomp filter.
    Seccomp(BpfProgram),
}

impl Step {
    /// What the step is, for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Seccomp(_) => "Seccomp".to_owned(),
            step => format!("{step:?}"),
        }
    }

    /// Does it, in the child.
    ///
    /// Returns a negative number if it failed; `errno` says why.
    #[expect(unsafe_code, reason = "system calls that the standard library does not offer")]
    pub(super) fn take(&self) -> c_long {
        // SAFETY: every pointer handed to the kernel comes from a live `CString`, `Vec` or local
        // of the right layout, and the calls change nothing but the child itself.
        unsafe {
            match self {
                Self::Write(path, bytes) => write_file(path, bytes),
                Self::PrivateMounts => {
                    mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)
                }
                Self::Tmpfs(place, options) => {
                    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
                    mount(Some(c"tmpfs"), place, Some(c"tmpfs"), flags, Some(options))
                }
                Self::Folder(path) => existing(libc::mkdir(path.as_ptr(), 0o755)),
                Self::File(path) => existing(libc::mknod(path.as_ptr(), libc::S_IFREG | 0o644, 0)),
                Self::Link(target, place) => {
                    c_long::from(libc::symlink(target.as_ptr(), place.as_ptr()))
                }
                Self::Bind(from, to) => {
                    mount(Some(from), to, None, libc::MS_BIND | libc::MS_REC, None)
                }
                Self::Restrict { place, attributes, below } => restrict(place, *attributes, *below),
                Self::Root(place) => root(place),
                Self::Enter(place) => c_long::from(libc::chdir(place.as_ptr())),
                Self::Limit(resource, value) => limit(*resource, *value, true),
                Self::SoftLimit(resource, value) => limit(*resource, *value, false),
                Self::Session => c_long::from(libc::setsid()),
                Self::User(id) => user(*id),
                Self::DieWithParent => prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong),
                Self::NoNewPrivileges => prctl(libc::PR_SET_NO_NEW_PRIVS, 1),
                Self::NoCapabilities => no_capabilities(),
                Self::Place(from, to) => c_long::from(libc::dup2(*from, *to)),
                Self::LandlockAllow(ruleset, folder, access) => {
                    landlock_allow(*ruleset, folder, *access)
                }
                Self::Landlock(ruleset) => {
                    libc::syscall(libc::SYS_landlock_restrict_self, *ruleset, 0)
                }
                Self::CloseFrom(first) => close_from(*first),
                Self::Seccomp(filter) => seccomp(filter),
            }
        }
    }
}

/// An error that says that something exists already is none.
fn existing(result: c_int) -> c_long {
    let exists = result < 0 && errno() == libc::EEXIST;
    c_long::from(if exists { 0 } else { result })
}

/// The calling thread's last error.
#[expect(unsafe_code, reason = "errno without an allocation")]
pub(super) fn errno() -> c_int {
    // SAFETY: the pointer is to the thread's own errno and always valid.
    unsafe { *libc::__errno_location() }
}

#[expect(unsafe_code, reason = "async-signal-safe system calls")]
unsafe fn write_file(path: &CStr, bytes: &[u8]) -> c_long {
    // SAFETY: path and bytes are live for the calls.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file < 0 {
            return -1;
        }
        let written = libc::write(file, bytes.as_ptr().cast(), bytes.len());
        let error = errno();
        libc::close(file);
        *libc::__errno_location() = error;
        if usize::try_from(written) == Ok(bytes.len()) { 0 } else { -1 }
    }
}

#[expect(unsafe_code, reason = "mount(2)")]
unsafe fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: c_ulong,
    options: Option<&CStr>,
) -> c_long {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: all strings are live for the call.
    c_long::from(unsafe {
        let options = pointer(options).cast();
        libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags, options)
    })
}

/// `struct mount_attr` of the kernel.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

#[expect(unsafe_code, reason = "mount_setattr(2)")]
unsafe fn restrict(place: &CStr, attributes: u64, below: bool) -> c_long {
    let change = MountAttributes { set: attributes, clear: 0, propagation: 0, user_namespace: 0 };
    let flags = if below { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the structure has the kernel's layout and the size that is passed.
    unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            place.as_ptr(),
            flags,
            &raw const change,
            size_of::<MountAttributes>(),
        )
    }
}

#[expect(unsafe_code, reason = "pivot_root(2)")]
unsafe fn root(place: &CStr) -> c_long {
    // SAFETY: strings are live. `pivot_root(".", ".")` stacks the old root on the new one.
    unsafe {
        if libc::chdir(place.as_ptr()) < 0 {
            return -1;
        }
        let here = c".".as_ptr();
        if libc::syscall(libc::SYS_pivot_root, here, here) < 0 {
            return -1;
        }
        if libc::umount2(here, libc::MNT_DETACH) < 0 {
            return -1;
        }
        c_long::from(libc::chdir(c"/".as_ptr()))
    }
}

#[expect(unsafe_code, reason = "prlimit(2)")]
unsafe fn limit(resource: i64, value: u64, hard: bool) -> c_long {
    // SAFETY: the structures are live locals.
    unsafe {
        let mut old = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        let none = std::ptr::null::<libc::rlimit64>();
        if libc::syscall(libc::SYS_prlimit64, 0, resource, none, &raw mut old) < 0 {
            return -1;
        }
        let value = value.min(old.rlim_max);
        let maximum = if hard { value } else { old.rlim_max };
        let new = libc::rlimit64 { rlim_cur: value, rlim_max: maximum };
        let none = std::ptr::null_mut::<libc::rlimit64>();
        libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const new, none)
    }
}

/// The raw calls change this thread alone; the C library's would tell all threads of the host.
#[expect(unsafe_code, reason = "setresuid(2) and friends of one thread")]
unsafe fn user(id: libc::uid_t) -> c_long {
    // SAFETY: no pointer but a null list of length zero.
    unsafe {
        if libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) < 0 {
            return -1;
        }
        if libc::syscall(libc::SYS_setresgid, id, id, id) < 0 {
            return -1;
        }
        libc::syscall(libc::SYS_setresuid, id, id, id)
    }
}

#[expect(unsafe_code, reason = "prctl(2)")]
unsafe fn prctl(option: c_int, value: c_ulong) -> c_long {
    let zero: c_ulong = 0;
    // SAFETY: the options used take integers.
    c_long::from(unsafe { libc::prctl(option, value, zero, zero, zero) })
}

#[expect(unsafe_code, reason = "capset(2)")]
unsafe fn no_capabilities() -> c_long {
    const VERSION_3: u32 = 0x2008_0522;
    // `struct __user_cap_header_struct` and two of `__user_cap_data_struct`.
    let (header, none) = ([VERSION_3, 0], [0u32; 6]);
    // SAFETY: both have the kernel's layout for this version.
    unsafe { libc::syscall(libc::SYS_capset, &raw const header, &raw const none) }
}

/// `struct landlock_path_beneath_attr` of the kernel.
#[repr(C, packed)]
struct PathBeneath {
    access: u64,
    parent: i32,
}

#[expect(unsafe_code, reason = "landlock_add_rule(2)")]
unsafe fn landlock_allow(ruleset: RawFd, folder: &CStr, access: u64) -> c_long {
    const PATH_BENEATH: c_int = 1;
    // SAFETY: the structure has the kernel's layout.
    unsafe {
        let parent = libc::open(folder.as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
        if parent < 0 {
            return -1;
        }
        let rule = PathBeneath { access, parent };
        libc::syscall(libc::SYS_landlock_add_rule, ruleset, PATH_BENEATH, &raw const rule, 0)
    }
}

#[expect(unsafe_code, reason = "close_range(2)")]
unsafe fn close_from(first: c_uint) -> c_long {
    // SAFETY: the child has its own table of file descriptors.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, c_uint::MAX, 0) == 0 {
            return 0;
        }
        // Before Linux 5.9: one by one.
        let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        if libc::getrlimit64(libc::RLIMIT_NOFILE, &raw mut limit) < 0 {
            return -1;
        }
        for number in i64::from(first)..limit.rlim_cur.min(1 << 20) as i64 {
            libc::close(number as c_int);
        }
        0
    }
}

#[expect(unsafe_code, reason = "seccomp(2)")]
unsafe fn seccomp(filter: &[seccompiler::sock_filter]) -> c_long {
    let program =
        libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut().cast() };
    // SAFETY: the program is live, and the kernel copies it.
    unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    }
}
