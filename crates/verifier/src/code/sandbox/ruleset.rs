//! Landlock: which files the program may open, and no TCP and no signals beyond itself.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope,
};

/// What the running kernel's Landlock can do, from 1; `None` if it has none.
#[expect(unsafe_code, reason = "landlock_create_ruleset(2) only asks here")]
pub(super) fn abi() -> Option<i32> {
    const VERSION: u32 = 1;
    let nothing = std::ptr::null::<u8>();
    // SAFETY: with this flag the call takes no structure and makes nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0, VERSION) };
    i32::try_from(version).ok().filter(|version| *version >= 1)
}

/// The rights inside the scratch folder, as the kernel's bits.
pub(super) fn scratch_rights(abi: i32) -> u64 {
    let all = AccessFs::from_all(ABI::from(abi));
    let refused = AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock;
    (all & !refused).bits()
}

/// A ruleset that allows reading `readable` and the harmless devices; everything else that Landlock
/// knows is refused. The scratch folder is added by the child, which sees it at another place.
pub(super) fn create(abi: i32, readable: &[PathBuf]) -> Result<Option<OwnedFd>, RulesetError> {
    let abi = ABI::from(abi);
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    let read = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
    for path in readable {
        let rights = if path.is_dir() { read } else { read & AccessFs::from_file(abi) };
        ruleset = allow(ruleset, path, rights)?;
    }
    ruleset = allow(ruleset, "/dev/null", AccessFs::ReadFile | AccessFs::WriteFile)?;
    for device in ["/dev/zero", "/dev/urandom"] {
        ruleset = allow(ruleset, device, AccessFs::ReadFile.into())?;
    }
    Ok(ruleset.into())
}

/// Adds a rule; a path that is not there needs none.
fn allow(
    ruleset: landlock::RulesetCreated,
    path: impl AsRef<std::path::Path>,
    rights: BitFlags<AccessFs>,
) -> Result<landlock::RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(path) => ruleset.add_rule(PathBeneath::new(path, rights)),
        Err(_) => Ok(ruleset),
    }
}
