//! Which layers of protection there are, and which are active.

use std::fmt;

/// One layer of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Bounds on processor time, time by the clock, memory, file size and output; a session of its
    /// own; an empty environment; nothing inherited but the pipes.
    Bounds,
    /// No capabilities, and no program run inside gains rights.
    NoNewPrivileges,
    /// Only listed system calls: no processes, sockets, signals, `ptrace`, mounts.
    Seccomp,
    /// Files outside the scratch folder cannot be written, and only the interpreter's be read.
    Landlock,
    /// Landlock refuses TCP connections.
    LandlockNetwork,
    /// Landlock refuses signals to processes outside.
    LandlockSignals,
    /// A user of its own: the host's namespaces are entered by a user who has no rights there.
    UserNamespace,
    /// Other processes do not exist for it, and all of its own end with it.
    PidNamespace,
    /// A file system of its own: the interpreter's files, read-only, and the scratch folder.
    MountNamespace,
    /// A network without any device.
    NetworkNamespace,
    /// System V objects and message queues of its own.
    IpcNamespace,
    /// It runs as a user that nothing else runs as, not as the host's user.
    SpareUser,
    /// A bound on threads and processes that holds for every user, root included. Without it, a
    /// program may start no thread.
    ProcessLimit,
    /// The scratch folder is in memory and bounded by the kernel as a whole.
    BoundedScratch,
}

impl Layer {
    /// All layers, in the order of reports.
    pub const ALL: [Self; 14] = [
        Self::Bounds,
        Self::NoNewPrivileges,
        Self::Seccomp,
        Self::Landlock,
        Self::LandlockNetwork,
        Self::LandlockSignals,
        Self::UserNamespace,
        Self::PidNamespace,
        Self::MountNamespace,
        Self::NetworkNamespace,
        Self::IpcNamespace,
        Self::SpareUser,
        Self::ProcessLimit,
        Self::BoundedScratch,
    ];
}

/// The layers of a sandbox: each is active, or there is a reason why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    pub(super) absent: Vec<(Layer, String)>,
}

impl Layers {
    /// True if the layer is active.
    #[must_use]
    pub fn is_active(&self, layer: Layer) -> bool {
        self.reason(layer).is_none()
    }

    /// Why a layer is not active; `None` if it is.
    #[must_use]
    pub fn reason(&self, layer: Layer) -> Option<&str> {
        self.absent.iter().find(|(absent, _)| *absent == layer).map(|(_, reason)| reason.as_str())
    }
}

impl fmt::Display for Layers {
    /// One line per layer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for layer in Layer::ALL {
            match self.reason(layer) {
                None => writeln!(f, "{layer:?}: active")?,
                Some(reason) => writeln!(f, "{layer:?}: absent ({reason})")?,
            }
        }
        Ok(())
    }
}
