//! Programs that attack the machine. Each is contained, and its neighbours never notice.
//!
//! Every file of `programs/hostile` runs in the strongest sandbox, in ones that lack a layer, and as
//! an ordinary user. Its first line says how it must end; it prints `escaped` if anything worked
//! that must not.

#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use fireproof_verifier::{End, Finished, Layer, Limits, Sandbox, SandboxConfig, Wish};

const SECRET: &str = "nobody outside may read this";
/// An ordinary user for the part of the tests that root runs as somebody else.
const NOBODY: u32 = 65534;

/// Short for programs that must run into their bounds, long for those that must not.
fn limits(endless: bool) -> Limits {
    let (time, wall) = if endless { (150, 500) } else { (2000, 6000) };
    Limits {
        time: Duration::from_millis(time),
        wall: Duration::from_millis(wall),
        memory: 128 << 20,
        ..Limits::default()
    }
}

/// What hostile programs would harm: a file, a listener and a process of the host's user.
struct Surroundings {
    folder: tempfile::TempDir,
    listener: TcpListener,
    sibling: Child,
}

impl Surroundings {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("set-up");
        let surroundings = Self {
            listener: TcpListener::bind("127.0.0.1:0").expect("set-up"),
            sibling: Command::new("sleep").arg("600").spawn().expect("set-up"),
            folder,
        };
        surroundings.listener.set_nonblocking(true).expect("set-up");
        std::fs::write(surroundings.file(), SECRET).expect("set-up");
        // As open as can be: only the sandbox keeps it.
        for (path, mode) in [(surroundings.folder.path(), 0o777), (&surroundings.file(), 0o666)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set-up");
        }
        surroundings
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    /// What the program named is told about its targets.
    fn input(&self, name: &str) -> String {
        match name {
            "network" => self.listener.local_addr().expect("set-up").port().to_string(),
            "signals" => format!("{} {}", std::process::id(), self.sibling.id()),
            _ => self.file().to_str().expect("set-up").to_owned(),
        }
    }

    fn assert_unharmed(&mut self, name: &str) {
        assert_eq!(std::fs::read_to_string(self.file()).expect("set-up"), SECRET, "{name}");
        let metadata = std::fs::metadata(self.file()).expect("set-up");
        assert_eq!((metadata.mode() & 0o777, metadata.nlink()), (0o666, 1), "{name}");
        assert_eq!(std::fs::read_dir(self.folder.path()).expect("set-up").count(), 1, "{name}");
        assert!(self.listener.accept().is_err(), "{name} reached the host over the network");
        assert!(self.sibling.try_wait().expect("set-up").is_none(), "{name} ended another process");
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        self.sibling.kill().expect("set-up");
        self.sibling.wait().expect("set-up");
    }
}

fn programs() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/hostile");
    // The copy that an ordinary user runs is given them by root, who can read them.
    let folder = std::env::var_os("HOSTILE_PROGRAMS").map_or(folder, PathBuf::from);
    let mut all: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("set-up")
        .map(|entry| {
            let path = entry.expect("set-up").path();
            let name = path.file_stem().expect("set-up").to_str().expect("set-up").to_owned();
            (name, std::fs::read_to_string(path).expect("set-up"))
        })
        .collect();
    all.sort();
    assert!(all.len() >= 25);
    all
}

fn run(sandbox: &Sandbox, program: &str, input: &str) -> Finished {
    let limits = limits(program.starts_with("# end: TimeLimit"));
    sandbox.run(program, format!("{input}\n").as_bytes(), &limits).expect("set-up")
}

/// Runs every hostile program, and an honest one after it.
fn assert_contained(sandbox: &Sandbox) {
    let mut surroundings = Surroundings::new();
    for (name, program) in programs() {
        let run_of = run(sandbox, &program, &surroundings.input(&name));
        let output = String::from_utf8_lossy(&run_of.output);
        let errors = String::from_utf8_lossy(&run_of.errors);
        let expected =
            program.lines().next().expect("set-up").strip_prefix("# end: ").expect("set-up");
        let end = format!("{:?}", run_of.end);
        assert!(expected.split(" | ").any(|e| e == end), "{name}: {end}\n{output}\n{errors}");
        assert!(!output.contains("escaped"), "{name}: {output}\n{}", sandbox.layers());
        if run_of.end == End::Exited(0) {
            assert!(output.contains("contained"), "{name}: {output}");
        }
        if name == "memory_bomb" {
            assert!(errors.contains("MemoryError"), "{errors}");
        }
        surroundings.assert_unharmed(&name);
    }
    let honest = run(sandbox, "print(input())", "still here");
    assert_eq!((honest.end, honest.output.as_slice()), (End::Exited(0), &b"still here\n"[..]));
    // Other tests of this process have folders of their own meanwhile; an ordinary user's is alone.
    if std::env::var_os("HOSTILE_PROGRAMS").is_some() {
        assert_eq!(left_behind(), [""; 0]);
    }
}

/// Scratch folders of this process.
fn left_behind() -> Vec<String> {
    let prefix = format!("fireproof-{}-", std::process::id());
    let folders = ["/dev/shm".into(), std::env::temp_dir()];
    let names = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let names =
        names.map(|entry| entry.expect("set-up").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(&prefix)).collect()
}

/// Every layer is active, or the report says why not.
fn assert_reported(sandbox: &Sandbox, lacking: &[Layer]) {
    let layers = sandbox.layers();
    for layer in Layer::ALL {
        let reason = layers.reason(layer);
        assert!(reason.is_none_or(|reason| !reason.is_empty()), "{layers}");
        if lacking.contains(&layer) {
            assert!(reason.is_some(), "{layer:?} should be absent\n{layers}");
        }
    }
    assert_eq!(layers.to_string().lines().count(), Layer::ALL.len());
}

fn config() -> SandboxConfig {
    let python = std::env::var_os("HOSTILE_PYTHON").unwrap_or_else(|| "python3".into());
    SandboxConfig { interpreter: python.into(), ..SandboxConfig::default() }
}

/// In the strongest sandbox, and then without namespaces: both, so that each half holds alone.
#[test]
fn hostile_programs_are_contained() {
    let strongest = Sandbox::new(&config()).unwrap();
    println!("{}", strongest.layers());
    assert_reported(&strongest, &[]);
    assert_contained(&strongest);
    let config = SandboxConfig { namespaces: Wish::Never, ..config() };
    match Sandbox::new(&config) {
        Ok(sandbox) => {
            let namespaces = [Layer::PidNamespace, Layer::MountNamespace, Layer::NetworkNamespace];
            assert_reported(&sandbox, &namespaces);
            assert_contained(&sandbox);
        }
        // A kernel without Landlock: then there must be no such sandbox.
        Err(error) => {
            assert!(!strongest.layers().is_active(Layer::Landlock), "{error}");
            assert!(error.to_string().contains("Landlock"), "{error}");
        }
    }
}

/// Namespaces hold without Landlock as well.
#[test]
fn hostile_programs_are_contained_without_landlock() {
    match Sandbox::new(&SandboxConfig { landlock: Wish::Never, ..config() }) {
        Ok(sandbox) => {
            assert_reported(&sandbox, &[Layer::Landlock, Layer::LandlockNetwork]);
            assert!(sandbox.layers().is_active(Layer::MountNamespace));
            assert_contained(&sandbox);
        }
        // A machine without namespaces: then there must be no such sandbox.
        Err(error) => assert!(error.to_string().contains("refused"), "{error}"),
    }
}

/// What root does above, an ordinary user does here: this test again, as somebody else.
#[test]
fn hostile_programs_are_contained_by_an_ordinary_user() {
    let folder = tempfile::tempdir_in(shared_folder()).unwrap();
    if std::fs::metadata(folder.path()).unwrap().uid() != 0 {
        // The tests above are this test already.
        let sandbox = Sandbox::new(&config()).unwrap();
        assert!(!sandbox.layers().is_active(Layer::SpareUser));
        return;
    }
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open.clone()).unwrap();
    let program = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let hostile = folder.path().join("hostile");
    std::fs::create_dir(&hostile).unwrap();
    for (name, text) in programs() {
        std::fs::write(hostile.join(name + ".py"), text).unwrap();
    }
    std::fs::set_permissions(&program, open).unwrap();
    let output = Command::new(&program)
        .args(["--exact", "hostile_programs_are_contained", "--nocapture"])
        .env_clear()
        .env("HOSTILE_PROGRAMS", &hostile)
        .env("HOSTILE_PYTHON", public_python())
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("1 passed"), "{text}");
    assert!(text.contains("SpareUser: absent (only root can take another user)"), "{text}");
}

/// A folder from which another user can run a program.
fn shared_folder() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    if shared.is_dir() { shared } else { std::env::temp_dir() }
}

/// An interpreter that every user can run.
fn public_python() -> PathBuf {
    let places = ["/usr/bin/python3", "/usr/local/bin/python3", "/bin/python3"];
    places.iter().map(PathBuf::from).find(|path| path.exists()).expect("set-up")
}
