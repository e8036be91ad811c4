//! What a machine with a GPU needs to run the parity tests and the benchmarks: the programs, built
//! here, in one archive, and one script.

mod llvm;
mod pack;

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::{Artifact, Message, MetadataCommand};

/// Tests that compare devices with each other, by target name.
const TESTS: [&str; 1] = ["every_device"];
/// The package whose benchmarks go along.
const BENCHES: &str = "fireproof-benches";

/// How the folder for a GPU machine is made.
#[derive(Debug)]
pub struct GpuFolder {
    /// The root of the workspace.
    pub root: PathBuf,
    /// Where the folder goes; what an earlier call left there is replaced.
    pub folder: PathBuf,
    /// The backends, as in `--features`.
    pub features: String,
    /// An installed `llvm-config` that stands in for the LLVM which burn's build script would
    /// download.
    pub llvm_config: Option<PathBuf>,
    /// The folder may be no larger, in MiB.
    pub limit: u64,
}

/// Why the folder could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// Something could not be read, written or started.
    #[error("{doing}: {reason}")]
    Machine {
        /// What was tried.
        doing: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A program that was started failed.
    #[error("`{program}` failed, with {status}")]
    Failed {
        /// The program.
        program: String,
        /// Its exit status.
        status: std::process::ExitStatus,
    },
    /// The workspace could not be read.
    #[error(transparent)]
    Workspace(#[from] cargo_metadata::Error),
    /// Cargo built none of the tests and benchmarks.
    #[error("cargo built no tests and benchmarks")]
    Nothing,
    /// The folder is larger than allowed.
    #[error("{folder} has {size} MiB, more than the {limit} MiB that were asked for", folder = folder.display())]
    TooLarge {
        /// The folder.
        folder: PathBuf,
        /// Its size in MiB, rounded up.
        size: u64,
        /// What was asked for in MiB.
        limit: u64,
    },
}

/// Says what was being done when the system reported an error.
fn machine(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> GpuError {
    let doing = doing.into();
    |reason| GpuError::Machine { doing, reason }
}

/// A program for the other machine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Program {
    /// `tests/kernels-every_device` or `benches/surrogate`.
    name: String,
    /// Where cargo put it.
    path: PathBuf,
}

/// Builds the parity tests and benchmarks without symbols and packs them with the script that runs
/// them. Returns the size of the folder in MiB, rounded up.
///
/// # Errors
/// [`GpuError`] if something does not build or the folder is too large.
pub fn make_gpu_folder(wanted: &GpuFolder) -> Result<u64, GpuError> {
    let programs = build(wanted)?;
    if programs.is_empty() {
        return Err(GpuError::Nothing);
    }
    let size = pack::pack(&programs, &wanted.folder)?.div_ceil(1 << 20);
    if size > wanted.limit {
        let folder = wanted.folder.clone();
        return Err(GpuError::TooLarge { folder, size, limit: wanted.limit });
    }
    Ok(size)
}

/// Only checks that the programs of a GPU machine compile, which takes a fraction of the time.
///
/// # Errors
/// [`GpuError`] if they do not.
pub fn check_gpu_features(wanted: &GpuFolder) -> Result<(), GpuError> {
    let mut cargo = cargo(wanted, &["check", "--workspace"])?;
    let status = cargo.status().map_err(machine("starting cargo"))?;
    succeeded("cargo check", status)
}

/// `cargo` with the features, and with an LLVM in the place where burn's build script looks.
fn cargo(wanted: &GpuFolder, arguments: &[&str]) -> Result<Command, GpuError> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&wanted.root).args(arguments).args(["--features", &wanted.features]);
    for name in TESTS {
        command.args(["--test", name]);
    }
    for name in benches(&wanted.root)? {
        command.args(["--bench", &name]);
    }
    if let Some(config) = &wanted.llvm_config {
        let data = wanted.root.join("target/stand-in-llvm");
        llvm::stand_in(config, &data)?;
        command.env("XDG_DATA_HOME", data);
    }
    Ok(command)
}

/// The benchmarks of the workspace's own package for them, by target name.
fn benches(root: &Path) -> Result<Vec<String>, GpuError> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let package = metadata.packages.into_iter().find(|package| package.name.as_str() == BENCHES);
    let targets = package.into_iter().flat_map(|package| package.targets);
    Ok(targets.filter(|target| target.is_bench()).map(|target| target.name).collect())
}

/// Builds the programs in release mode.
fn build(wanted: &GpuFolder) -> Result<Vec<Program>, GpuError> {
    let arguments = [
        "test",
        "--no-run",
        "--release",
        "--workspace",
        "--message-format",
        "json-render-diagnostics",
    ];
    let mut cargo = cargo(wanted, &arguments)?;
    // The programs are carried elsewhere: names of functions would double their size.
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "symbols").stdout(Stdio::piped());
    let mut running = cargo.spawn().map_err(machine("starting cargo"))?;
    let mut programs = Vec::new();
    if let Some(output) = running.stdout.take() {
        for message in Message::parse_stream(BufReader::new(output)) {
            let message = message.map_err(machine("reading what cargo says"))?;
            if let Message::CompilerArtifact(artifact) = message {
                programs.extend(program(&artifact));
            }
        }
    }
    succeeded("cargo test --no-run", running.wait().map_err(machine("waiting for cargo"))?)?;
    Ok(programs)
}

/// The program of an artifact, if it is one.
fn program(artifact: &Artifact) -> Option<Program> {
    let path = artifact.executable.as_ref()?.as_std_path().to_owned();
    let target = artifact.target.name.as_str();
    let name = if artifact.target.is_bench() {
        format!("benches/{target}")
    } else {
        // The package's folder: `.../crates/kernels/Cargo.toml`.
        let folder = artifact.manifest_path.parent()?.file_name()?;
        format!("tests/{folder}-{target}")
    };
    Some(Program { name, path })
}

fn succeeded(program: &str, status: std::process::ExitStatus) -> Result<(), GpuError> {
    if status.success() {
        Ok(())
    } else {
        Err(GpuError::Failed { program: program.to_owned(), status })
    }
}

/// Makes a folder with everything above it.
fn make_folder(path: &Path) -> Result<(), GpuError> {
    std::fs::create_dir_all(path).map_err(machine(format!("making {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cargo says about one built target.
    fn artifact(kind: &str, name: &str, executable: &str) -> Artifact {
        let text = serde_json::json!({
            "package_id": "path+file:///w/crates/kernels#fireproof-kernels@0.1.0",
            "manifest_path": "/w/crates/kernels/Cargo.toml",
            "target": {
                "kind": [kind], "crate_types": ["bin"], "name": name, "src_path": "/w/x.rs",
                "edition": "2024", "doc": false, "doctest": false, "test": true
            },
            "profile": {
                "opt_level": "3", "debuginfo": 0, "debug_assertions": false,
                "overflow_checks": false, "test": true
            },
            "features": [], "filenames": [], "fresh": false,
            "executable": if executable.is_empty() { None } else { Some(executable) }
        });
        serde_json::from_value(text).expect("an artifact of cargo")
    }

    #[test]
    fn programs_are_named_after_their_package_and_target() {
        let found = program(&artifact("test", "every_device", "/t/every_device-1f")).unwrap();
        assert_eq!(found.name, "tests/kernels-every_device");
        assert_eq!(found.path, Path::new("/t/every_device-1f"));
        let found = program(&artifact("bench", "decode", "/t/decode-2e")).unwrap();
        assert_eq!(found.name, "benches/decode");
        assert_eq!(program(&artifact("lib", "fireproof_kernels", "")), None);
    }

    #[test]
    fn the_benchmarks_are_those_of_their_package() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let found = benches(&root).unwrap();
        assert!(found.contains(&"training_step".to_owned()), "{found:?}");
        assert!(!found.contains(&"estimators".to_owned()), "a bench of another crate: {found:?}");
    }

    #[test]
    fn a_failed_program_is_named_with_its_status() {
        let status = Command::new("false").status().unwrap();
        let error = succeeded("cargo check", status).unwrap_err();
        assert_eq!(error.to_string(), "`cargo check` failed, with exit status: 1");
    }
}
