//! Finding the strongest plan that works, by running a program that attempts what is forbidden.

use std::collections::HashMap;
use std::path::PathBuf;

use super::interpreter::Interpreter;
use super::layers::Layer;
use super::plan::{Namespaces, Plan, effective_user};
use super::scratch::Scratch;
use super::{End, Finished, Limits, Sandbox, SandboxConfig, SandboxError, Wish, ruleset, seccomp};

const ATTEMPTS: &str = include_str!("selfcheck.py");
/// What an honest program reads back.
const GREETING: &str = "grüße";

/// The strongest sandbox whose check passes.
pub(super) fn strongest(
    interpreter: &Interpreter,
    config: &SandboxConfig,
) -> Result<Sandbox, SandboxError> {
    let landlock = landlock(config)?;
    let seccomp = seccomp(config)?;
    let outside = Outside::create()?;
    let mut namespaces_failed: Vec<String> = Vec::new();
    let mut failed: Option<SandboxError> = None;
    for namespaces in candidates(config.namespaces) {
        for spare_user in spare_users(namespaces) {
            let draft = Draft { namespaces, spare_user, landlock: &landlock, seccomp: &seccomp };
            let why = namespaces_failed.join("; ");
            let mut plan = draft.plan(if why.is_empty() { "not wanted" } else { &why });
            // Root runs programs as itself only if another user could not.
            if let (Some(error), 0) = (&failed, effective_user()) {
                plan.explain(Layer::SpareUser, error.to_string());
            }
            contained(&plan, config)?;
            let sandbox = Sandbox { interpreter: interpreter.clone(), plan };
            // Twice, lest something that passes leave us with weaker walls for good.
            let checked = check(&sandbox, &outside).or_else(|_| check(&sandbox, &outside));
            match checked {
                Ok(()) => return Ok(sandbox),
                Err(error) => {
                    if namespaces != Namespaces::None {
                        let whose = match namespaces {
                            Namespaces::Privileged => "by root's right",
                            _ => "in a user namespace",
                        };
                        namespaces_failed.push(format!("{whose}: {error}"));
                    }
                    failed = Some(error);
                }
            }
        }
    }
    if config.namespaces == Wish::Required {
        let reason = namespaces_failed.join("; ");
        return Err(SandboxError::Refused { layer: "namespaces", reason });
    }
    Err(failed.unwrap_or_else(|| SandboxError::start("there is no plan to try")))
}

/// Namespaces to try, the best first.
fn candidates(wish: Wish) -> Vec<Namespaces> {
    let mut all = Vec::new();
    if wish != Wish::Never {
        if effective_user() == 0 {
            all.push(Namespaces::Privileged);
        }
        all.push(Namespaces::User);
    }
    if wish != Wish::Required {
        all.push(Namespaces::None);
    }
    all
}

/// Root gives every child a user of its own if it can. A user namespace maps one user only.
fn spare_users(namespaces: Namespaces) -> Vec<bool> {
    let root = effective_user() == 0;
    match namespaces {
        Namespaces::Privileged => vec![true],
        Namespaces::None if root => vec![true, false],
        Namespaces::User | Namespaces::None => vec![false],
    }
}

/// Landlock's version, or why it is not used.
fn landlock(config: &SandboxConfig) -> Result<Result<i32, String>, SandboxError> {
    let found = match config.landlock {
        Wish::Never => Err("not wanted".to_owned()),
        _ => ruleset::abi().ok_or_else(|| "the kernel has none".to_owned()),
    };
    match (config.landlock, found) {
        (Wish::Required, Err(reason)) => Err(SandboxError::Refused { layer: "Landlock", reason }),
        (_, found) => Ok(found),
    }
}

fn seccomp(config: &SandboxConfig) -> Result<Result<(), String>, SandboxError> {
    let found = match config.seccomp {
        Wish::Never => Err("not wanted".to_owned()),
        _ if !seccomp::available() => Err("the kernel has none".to_owned()),
        _ => seccomp::filters(true, true).map(drop),
    };
    match (config.seccomp, found) {
        (Wish::Required, Err(reason)) => Err(SandboxError::Refused { layer: "seccomp", reason }),
        (_, found) => Ok(found),
    }
}

/// A plan to be.
struct Draft<'a> {
    namespaces: Namespaces,
    spare_user: bool,
    landlock: &'a Result<i32, String>,
    seccomp: &'a Result<(), String>,
}

impl Draft<'_> {
    /// The plan, with a reason for every layer that it lacks.
    fn plan(&self, no_namespaces: &str) -> Plan {
        let mut absent = Vec::new();
        let mut lacks = |layers: &[Layer], reason: &str| {
            absent.extend(layers.iter().map(|layer| (*layer, reason.to_owned())));
        };
        match self.landlock {
            Ok(abi) if *abi < 4 => lacks(
                &[Layer::LandlockNetwork, Layer::LandlockSignals],
                &format!("version {abi} of the kernel's Landlock is older than 4"),
            ),
            Ok(abi) if *abi < 6 => lacks(
                &[Layer::LandlockSignals],
                &format!("version {abi} of the kernel's Landlock is older than 6"),
            ),
            Ok(_) => {}
            Err(reason) => {
                lacks(&[Layer::Landlock, Layer::LandlockNetwork, Layer::LandlockSignals], reason);
            }
        }
        if let Err(reason) = self.seccomp {
            lacks(&[Layer::Seccomp], reason);
        }
        use Layer::{IpcNamespace, MountNamespace, NetworkNamespace, PidNamespace};
        match self.namespaces {
            Namespaces::User => {}
            Namespaces::Privileged => {
                lacks(&[Layer::UserNamespace], "root makes the others without it");
            }
            Namespaces::None => {
                let own = [PidNamespace, MountNamespace, NetworkNamespace, IpcNamespace];
                lacks(&own, no_namespaces);
                lacks(&[Layer::UserNamespace], no_namespaces);
                lacks(&[Layer::BoundedScratch], "the scratch folder is one of the host's");
            }
        }
        if !self.spare_user {
            lacks(&[Layer::SpareUser], "only root can take another user");
        }
        let mut plan = Plan {
            namespaces: self.namespaces,
            landlock: self.landlock.as_ref().ok().copied(),
            filters: Vec::new(),
            spare_user: self.spare_user,
            absent,
        };
        if !plan.bounds_processes() {
            let reason = "the kernel would count the host's own processes, or count none for root";
            plan.absent.push((Layer::ProcessLimit, reason.to_owned()));
        }
        if self.seccomp.is_ok() {
            // That they can be built was found out before.
            let filters = seccomp::filters(plan.bounds_processes(), plan.mounts());
            plan.filters = filters.unwrap_or_default();
        }
        plan
    }
}

/// A plan without walls is refused unless the caller said otherwise.
fn contained(plan: &Plan, config: &SandboxConfig) -> Result<(), SandboxError> {
    if config.allow_uncontained {
        return Ok(());
    }
    let reason = |layer| plan.layers().reason(layer).unwrap_or_default().to_owned();
    if plan.filters.is_empty() {
        return Err(SandboxError::Refused { layer: "seccomp", reason: reason(Layer::Seccomp) });
    }
    if !plan.mounts() && plan.landlock.is_none() {
        let reason = format!(
            "namespaces: {}; Landlock: {}",
            reason(Layer::MountNamespace),
            reason(Layer::Landlock)
        );
        return Err(SandboxError::Refused { layer: "both namespaces and Landlock", reason });
    }
    Ok(())
}

/// A file of the host that any user could read and write.
struct Outside {
    folder: Scratch,
    file: PathBuf,
}

impl Outside {
    fn create() -> Result<Self, SandboxError> {
        use std::os::unix::fs::PermissionsExt;
        let folder = Scratch::create(None).map_err(SandboxError::start)?;
        let file = folder.path().join("outside");
        std::fs::write(&file, "secret").map_err(SandboxError::start)?;
        for (path, mode) in [(folder.path(), 0o755), (file.as_path(), 0o666)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
                .map_err(SandboxError::start)?;
        }
        Ok(Self { folder, file })
    }
}

/// Runs the attempts and compares what came of them with what the plan promises.
fn check(sandbox: &Sandbox, outside: &Outside) -> Result<(), SandboxError> {
    let plan = &sandbox.plan;
    let limits = Limits { threads: 8, ..Limits::default() };
    let stdin = format!("{} 16\n{GREETING}\n", outside.file.display());
    let run = sandbox.run(ATTEMPTS, stdin.as_bytes(), &limits)?;
    let text = String::from_utf8_lossy(&run.output).into_owned();
    let said: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    let mut expected = vec![("input", GREETING), ("write-scratch", "yes")];
    if !plan.filters.is_empty() {
        expected.extend(["fork", "socket", "signal", "gain"].map(|name| (name, "no")));
    }
    if plan.mounts() || plan.landlock.is_some() {
        let outside = ["read-outside", "list-outside", "write-outside", "write-root"];
        expected.extend(outside.map(|name| (name, "no")));
    }
    let wrong = expected.iter().find(|(name, value)| said.get(name) != Some(value));
    if run.end != End::Exited(0) || wrong.is_some() {
        return Err(failed(&run, wrong.map(|(name, _)| *name), outside));
    }
    // The first thread is the program's own. Fewer than allowed are started where something else
    // runs as the same spare user.
    let threads: u32 = said.get("threads").and_then(|n| n.parse().ok()).unwrap_or_default();
    let allowed = match (plan.bounds_processes(), plan.filters.is_empty()) {
        (true, _) => 1..=limits.threads - 1,
        (false, false) => 0..=0,
        (false, true) => 0..=u32::MAX,
    };
    if !allowed.contains(&threads) {
        let reason = format!("a program started {threads} threads where {allowed:?} are allowed");
        return Err(SandboxError::SelfCheck { reason });
    }
    Ok(())
}

fn failed(run: &Finished, attempt: Option<&str>, outside: &Outside) -> SandboxError {
    let errors = String::from_utf8_lossy(&run.errors);
    let last = errors.lines().last().unwrap_or_default();
    let attempt = attempt.unwrap_or("its end");
    let place = outside.folder.path().display();
    let reason = format!("`{attempt}` came out wrong (near {place}; {:?}: {last})", run.end);
    SandboxError::SelfCheck { reason }
}
