//! Finding the interpreter, and what of the file system it needs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::SandboxError;

/// Asks the interpreter, which is trusted, where its parts are. What it has mapped into memory
/// tells where the libraries are that it was linked with.
const QUESTION: &str = "\
import sys, zlib, math, _random, _struct, _bisect, _heapq, _datetime
print('version', sys.version.split()[0])
print('executable', sys.executable)
for path in sys.path: print('path', path)
for line in open('/proc/self/maps'):
    parts = line.split(None, 5)
    if len(parts) == 6 and parts[5].startswith('/'): print('mapped', parts[5].rstrip())
";

/// Places of the C library's loader and its cache that no interpreter names itself.
const LOADER: [&str; 7] = [
    "/lib64",
    "/usr/lib64",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
    "/lib/ld-linux-aarch64.so.1",
    "/etc/ld.so.cache",
    "/usr/share/zoneinfo",
];

/// A Python interpreter and everything that it reads.
#[derive(Clone, Debug)]
pub(super) struct Interpreter {
    /// The program itself, without symbolic links.
    pub(super) program: PathBuf,
    /// Its version, such as `3.11.7`.
    pub(super) version: String,
    /// Folders of modules, in the order of search.
    pub(super) modules: Vec<String>,
    /// Files and folders that it reads, without symbolic links; none lies in another.
    pub(super) readable: Vec<PathBuf>,
}

impl Interpreter {
    /// Finds out about `program`, a path or a name on the `PATH`.
    pub(super) fn probe(
        program: &Path,
        site_packages: bool,
        extra: &[PathBuf],
    ) -> Result<Self, SandboxError> {
        let missing =
            |reason: String| SandboxError::Interpreter { program: program.to_owned(), reason };
        let mut command = Command::new(program);
        command.arg("-I");
        if !site_packages {
            command.arg("-S");
        }
        let output = command.args(["-c", QUESTION]).output().map_err(|e| missing(e.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let all = |key: &str| {
            let prefix = format!("{key} ");
            let lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let executable = all("executable").pop().filter(|path| !path.is_empty());
        let (Some(executable), Some(version)) = (executable, all("version").pop()) else {
            let error = String::from_utf8_lossy(&output.stderr);
            let last = error.lines().last().unwrap_or("it printed nothing").to_owned();
            return Err(missing(last));
        };
        if !is_recent(&version) {
            return Err(missing(format!("version {version} is older than 3.8")));
        }
        let real = std::fs::canonicalize(&executable).map_err(|e| missing(e.to_string()))?;
        let modules = all("path");
        let mapped = all("mapped");
        let folders = mapped.iter().map(|path| with_neighbours(Path::new(path)));
        let paths = modules.iter().map(Path::new).chain(folders).chain(LOADER.map(Path::new));
        let paths = paths.chain(extra.iter().map(PathBuf::as_path)).chain([real.as_path()]);
        Ok(Self { readable: outermost(paths), program: real, version, modules })
    }
}

/// The folder of a library, because modules load others from there; a file anywhere else by itself,
/// because its folder may hold anything.
fn with_neighbours(file: &Path) -> &Path {
    let is_library = |part: std::path::Component<'_>| {
        part.as_os_str().to_str().is_some_and(|name| name.starts_with("lib"))
    };
    match file.parent() {
        Some(folder) if folder.components().any(is_library) => folder,
        _ => file,
    }
}

/// True from Python 3.8 on: the harness uses what came with it.
fn is_recent(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(3), Some(8))
}

/// The paths that exist, without symbolic links and without those that lie in another.
fn outermost<'a>(paths: impl Iterator<Item = &'a Path>) -> Vec<PathBuf> {
    let real = paths.filter_map(|path| std::fs::canonicalize(path).ok());
    let sorted: BTreeSet<PathBuf> = real.filter(|path| path.parent().is_some()).collect();
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in sorted {
        if !kept.iter().any(|outer| path.starts_with(outer)) {
            kept.push(path);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_and_missing_paths_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(root.path()).unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir(root.join("ab")).unwrap();
        let paths = ["a/b", "ab", "a", "missing"].map(|name| root.join(name));
        let found = outermost(paths.iter().map(PathBuf::as_path));
        assert_eq!(found, [root.join("a"), root.join("ab")]);
    }

    #[test]
    fn only_folders_of_libraries_are_opened() {
        let of = |path: &'static str| with_neighbours(Path::new(path));
        assert_eq!(
            of("/usr/lib/x86_64-linux-gnu/libc.so.6"),
            Path::new("/usr/lib/x86_64-linux-gnu")
        );
        assert_eq!(of("/home/ann/python/bin/python3"), Path::new("/home/ann/python/bin/python3"));
        assert_eq!(of("/home/ann/libz.so"), Path::new("/home/ann/libz.so"));
    }

    #[test]
    fn old_versions_are_told_from_recent_ones() {
        assert!(is_recent("3.8.18") && is_recent("3.14.0rc1") && is_recent("4.0"));
        assert!(!is_recent("3.7.16") && !is_recent("2.7.18") && !is_recent(""));
    }

    #[test]
    fn a_missing_interpreter_is_named() {
        let error = Interpreter::probe(Path::new("/no/such/python"), false, &[]).unwrap_err();
        assert!(error.to_string().contains("/no/such/python"), "{error}");
    }
}
