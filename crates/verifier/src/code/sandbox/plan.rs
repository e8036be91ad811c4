//! A plan: which layers to use, and the steps of a child that follow from it.

use std::ffi::{CString, OsStr};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::c_int;
use seccompiler::BpfProgram;

use super::Limits;
use super::layers::{Layer, Layers};
use super::ruleset;
use super::step::Step;

/// The scratch folder inside a file system of its own.
const INSIDE: &str = "/scratch";
/// Where the new root is put together; nothing the interpreter needs may lie below it.
const MOUNT_POINTS: [&str; 6] = ["/mnt", "/srv", "/media", "/opt", "/tmp", "/sys"];
/// File descriptors that a program may have.
const OPEN_FILES: u64 = 64;
/// Users that a child of root may become: those that systemd hands out for the same purpose.
const SPARE_USERS: std::ops::Range<u32> = 61_184..65_280;

/// How a child gets namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespaces {
    /// By root's own right.
    Privileged,
    /// In a user namespace, which an ordinary user may make.
    User,
    /// Not at all.
    None,
}

/// The layers to use. What is not used has a reason.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) namespaces: Namespaces,
    /// The version of Landlock.
    pub(super) landlock: Option<i32>,
    /// The filters of system calls, none if there are to be none.
    pub(super) filters: Vec<BpfProgram>,
    /// A spare user for each child.
    pub(super) spare_user: bool,
    pub(super) absent: Vec<(Layer, String)>,
}

impl Plan {
    pub(super) fn layers(&self) -> Layers {
        Layers { absent: self.absent.clone() }
    }

    /// Gives another reason for a layer that is absent.
    pub(super) fn explain(&mut self, layer: Layer, reason: String) {
        if let Some((_, old)) = self.absent.iter_mut().find(|(absent, _)| *absent == layer) {
            *old = reason;
        }
    }

    /// True if a child has its own mounts.
    pub(super) fn mounts(&self) -> bool {
        self.namespaces != Namespaces::None
    }

    /// True if a bound on threads and processes holds: the kernel counts them per user, unless that
    /// is root, and in a user namespace apart from all others.
    pub(super) fn bounds_processes(&self) -> bool {
        self.spare_user || (self.namespaces == Namespaces::User && effective_user() != 0)
    }

    /// Flags for `clone`.
    pub(super) fn flags(&self) -> c_int {
        use libc::{CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER};
        let namespaces = CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID;
        match self.namespaces {
            Namespaces::Privileged => namespaces,
            Namespaces::User => namespaces | CLONE_NEWUSER,
            Namespaces::None => 0,
        }
    }
}

/// A user for one child. Those of one process differ as long as fewer than four thousand run.
pub(super) fn spare_user() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id() * 61);
    SPARE_USERS.start + number % (SPARE_USERS.end - SPARE_USERS.start)
}

#[expect(unsafe_code, reason = "geteuid(2)")]
pub(super) fn effective_user() -> u32 {
    // SAFETY: always succeeds and touches nothing.
    unsafe { libc::geteuid() }
}

#[expect(unsafe_code, reason = "getegid(2)")]
fn effective_group() -> u32 {
    // SAFETY: always succeeds and touches nothing.
    unsafe { libc::getegid() }
}

/// What a child needs to know besides the plan.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) limits: &'a Limits,
    /// Paths that it reads, without symbolic links.
    pub(super) readable: &'a [PathBuf],
    /// Its scratch folder where it has no mounts of its own.
    pub(super) scratch: Option<&'a Path>,
    pub(super) user: Option<u32>,
    pub(super) ruleset: Option<RawFd>,
    /// File descriptors of the host, to stand at 0, 1, 2 and so on.
    pub(super) files: &'a [RawFd],
}

/// Everything a child does before it executes the interpreter.
pub(super) fn steps(plan: &Plan, setting: &Setting<'_>) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let numbers = 0..;
    steps.extend(setting.files.iter().zip(numbers).map(|(from, to)| Step::Place(*from, to)));
    if plan.namespaces == Namespaces::User {
        steps.extend(user_map());
    }
    let scratch =
        if plan.mounts() { Path::new(INSIDE) } else { setting.scratch.unwrap_or(Path::new("/")) };
    if plan.mounts() {
        steps.extend(file_system(setting)?);
    }
    steps.push(Step::Enter(text(scratch)?));
    steps.push(Step::Session);
    steps.extend(limits(plan, setting.limits));
    steps.extend(setting.user.map(Step::User));
    steps.push(Step::DieWithParent);
    steps.push(Step::NoNewPrivileges);
    steps.push(Step::NoCapabilities);
    if let (Some(abi), Some(ruleset)) = (plan.landlock, setting.ruleset) {
        let rights = ruleset::scratch_rights(abi);
        steps.push(Step::LandlockAllow(ruleset, text(scratch)?, rights));
        steps.push(Step::Landlock(ruleset));
    }
    steps.push(Step::CloseFrom(u32::try_from(setting.files.len()).unwrap_or(u32::MAX)));
    // Only now, because the host may have more files open than that.
    steps.push(Step::Limit(libc::RLIMIT_NOFILE.into(), OPEN_FILES));
    steps.extend(plan.filters.iter().cloned().map(Step::Seccomp));
    Ok(steps)
}

/// Inside its user namespace the child is one user, who is not root and is the host's user outside.
fn user_map() -> [Step; 3] {
    let map = |id: u32| format!("1000 {id} 1\n").into_bytes();
    [
        Step::Write(c"/proc/self/setgroups", b"deny".to_vec()),
        Step::Write(c"/proc/self/uid_map", map(effective_user())),
        Step::Write(c"/proc/self/gid_map", map(effective_group())),
    ]
}

fn limits(plan: &Plan, limits: &Limits) -> Vec<Step> {
    let seconds = limits.time.as_secs() + 1;
    // Every thread gets a stack of this size unless it asks for another.
    let stack = (limits.memory / 32).clamp(1 << 20, 64 << 20);
    let mut all = vec![
        (libc::RLIMIT_CPU, seconds),
        (libc::RLIMIT_AS, limits.memory),
        (libc::RLIMIT_FSIZE, limits.scratch),
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_MEMLOCK, 0),
        (libc::RLIMIT_MSGQUEUE, 0),
    ];
    if plan.bounds_processes() {
        all.push((libc::RLIMIT_NPROC, u64::from(limits.threads)));
    }
    let hard = all.into_iter().map(|(resource, value)| Step::Limit(resource.into(), value));
    // Programs that recurse deeply raise it; the bound on memory holds for the stack as well.
    hard.chain([Step::SoftLimit(libc::RLIMIT_STACK.into(), stack)]).collect()
}

/// A root with the readable paths at their places, a few devices, and an empty scratch folder.
fn file_system(setting: &Setting<'_>) -> Result<Vec<Step>, String> {
    use libc::{MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY};
    let free = |point: &&&str| {
        Path::new(point).is_dir() && !setting.readable.iter().any(|path| path.starts_with(point))
    };
    let root = MOUNT_POINTS.iter().find(free).ok_or("there is no folder to mount a root on")?;
    let root = Path::new(root);
    let mut tree = Tree { root, steps: vec![Step::PrivateMounts] };
    tree.tmpfs(Path::new("/"), "size=1m,nr_inodes=1k,mode=755")?;
    for name in ["bin", "lib", "lib32", "lib64", "libx32"] {
        let place = Path::new("/").join(name);
        if let Ok(target) = std::fs::read_link(&place) {
            tree.steps.push(Step::Link(text(&target)?, text(tree.at(&place))?));
        }
    }
    for path in setting.readable {
        let attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
        tree.bind(path, attributes)?;
    }
    for device in ["/dev/null", "/dev/zero", "/dev/urandom"].map(Path::new) {
        if device.exists() {
            tree.bind(device, MOUNT_ATTR_NOSUID)?;
        }
    }
    // Where programs expect temporary files, unless the interpreter itself lives there.
    if !setting.readable.iter().any(|path| path.starts_with("/tmp")) {
        tree.steps.push(Step::Link(text(INSIDE)?, text(tree.at(Path::new("/tmp")))?));
    }
    let inside = Path::new(INSIDE);
    tree.folders(inside)?;
    let bytes = setting.limits.scratch;
    tree.tmpfs(inside, &format!("size={bytes},nr_inodes=1k,mode=1777"))?;
    let mut steps = tree.steps;
    steps.push(Step::Root(text(root)?));
    steps.push(Step::Restrict { place: c"/".into(), attributes: MOUNT_ATTR_RDONLY, below: false });
    Ok(steps)
}

/// Steps that put a file system together below `root`.
struct Tree<'a> {
    root: &'a Path,
    steps: Vec<Step>,
}

impl Tree<'_> {
    /// Where a path of the new file system is while it is put together.
    fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn tmpfs(&mut self, path: &Path, options: &str) -> Result<(), String> {
        self.steps.push(Step::Tmpfs(text(self.at(path))?, text(options)?));
        Ok(())
    }

    /// Makes a folder and those above it.
    fn folders(&mut self, path: &Path) -> Result<(), String> {
        let mut above: Vec<&Path> = path.ancestors().collect();
        above.reverse();
        for folder in above.into_iter().skip(1) {
            self.steps.push(Step::Folder(text(self.at(folder))?));
        }
        Ok(())
    }

    /// Shows a file or folder of the host at its own place.
    fn bind(&mut self, path: &Path, attributes: u64) -> Result<(), String> {
        let place = text(self.at(path))?;
        if path.is_dir() {
            self.folders(path)?;
        } else {
            self.folders(path.parent().unwrap_or(Path::new("/")))?;
            self.steps.push(Step::File(place.clone()));
        }
        self.steps.push(Step::Bind(text(path)?, place.clone()));
        self.steps.push(Step::Restrict { place, attributes, below: true });
        Ok(())
    }
}

/// A path or an option as the kernel takes it.
fn text(text: impl AsRef<OsStr>) -> Result<CString, String> {
    let text = text.as_ref();
    CString::new(text.as_bytes()).map_err(|_| format!("{text:?} holds a NUL byte"))
}
