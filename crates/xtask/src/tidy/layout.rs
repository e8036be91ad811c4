//! What stands at the root, so that the architecture shows in the folders.

use std::path::Path;

use super::{Problem, TidyError};

/// Everything that may stand at the root besides what git ignores.
const ROOT: [&str; 16] = [
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".config",
    ".deny.toml",
    ".gitignore",
    ".rustfmt.toml",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "book",
    "crates",
    "examples",
];

/// What tools leave there, all of it ignored by git.
fn is_left_by_tools(name: &str) -> bool {
    name == ".git" || name == "runs" || name == "target" || name.starts_with("target-")
}

pub(super) fn check(root: &Path) -> Result<Vec<Problem>, TidyError> {
    let entries = std::fs::read_dir(root)
        .map_err(|error| TidyError::Read { path: root.to_owned(), reason: error.to_string() })?;
    let names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let strangers = names
        .iter()
        .filter(|name| !ROOT.contains(&name.as_str()) && !is_left_by_tools(name))
        .map(|name| Problem::new(name, None, "does not belong at the root"));
    let missing = ROOT
        .iter()
        .filter(|name| !names.iter().any(|found| found == *name))
        .map(|name| Problem::new(*name, None, "is missing at the root"));
    Ok(strangers.chain(missing).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_and_a_missing_file_are_found() {
        let root = tempfile::tempdir().unwrap();
        for name in ROOT.iter().skip(1) {
            std::fs::write(root.path().join(name), "").unwrap();
        }
        std::fs::write(root.path().join("notes.txt"), "").unwrap();
        std::fs::create_dir(root.path().join("target-wgpu")).unwrap();
        let found: Vec<String> =
            check(root.path()).unwrap().iter().map(Problem::to_string).collect();
        assert_eq!(
            found,
            ["notes.txt: does not belong at the root", ".cargo: is missing at the root"]
        );
    }
}
