//! The archive of the programs and the script beside it.

use std::path::Path;
use std::process::Command;

use super::{GpuError, Program, machine, make_folder, succeeded};

/// The script that runs on the other machine.
const SCRIPT: &str = include_str!("run.sh");

/// A dictionary that is longer than one program: each holds the same compiler, and is little more
/// than its differences from the one before.
const COMPRESSION: &str = "xz --threads=1 --lzma2=preset=6,dict=256MiB";

/// Fills the folder with `programs.tar.xz` and `run.sh`. Returns its size in bytes.
pub(super) fn pack(programs: &[Program], folder: &Path) -> Result<u64, GpuError> {
    let clearing = format!("clearing {}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(machine(clearing))?;
    }
    let stage = folder.join("programs");
    for program in programs {
        let copy = stage.join(&program.name);
        make_folder(copy.parent().unwrap_or(&stage))?;
        std::fs::copy(&program.path, &copy)
            .map_err(machine(format!("copying {}", program.path.display())))?;
    }
    let archive = folder.join("programs.tar.xz");
    let mut tar = Command::new("tar");
    tar.args(["--create", "--use-compress-program", COMPRESSION, "--file"]);
    tar.arg(&archive).arg("--directory").arg(&stage).args(["--sort=name", "."]);
    succeeded("tar", tar.status().map_err(machine("starting tar"))?)?;
    std::fs::remove_dir_all(&stage).map_err(machine(format!("removing {}", stage.display())))?;
    let script = folder.join("run.sh");
    std::fs::write(&script, SCRIPT).map_err(machine(format!("writing {}", script.display())))?;
    let packed = std::fs::metadata(&archive);
    let packed = packed.map_err(machine(format!("reading {}", archive.display())))?;
    Ok(packed.len() + SCRIPT.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that says what it was called with, and fails if told to.
    fn said(folder: &Path, name: &str, code: u8) -> Program {
        let path = folder.join(name.replace('/', "-"));
        std::fs::write(&path, format!("#!/bin/sh\necho {name} \"$@\"\nexit {code}\n")).unwrap();
        let mode = Command::new("chmod").arg("755").arg(&path).status().unwrap();
        assert!(mode.success());
        Program { name: name.to_owned(), path }
    }

    fn run(folder: &Path) -> (bool, String) {
        let output = Command::new("bash").arg(folder.join("run.sh")).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn the_script_runs_every_program_of_the_archive() {
        let made = tempfile::tempdir().unwrap();
        let folder = made.path().join("gpu");
        let programs = [said(made.path(), "tests/a", 0), said(made.path(), "benches/b", 0)];
        let size = pack(&programs, &folder).unwrap();
        assert!(size > SCRIPT.len() as u64);
        let (succeeded, output) = run(&folder);
        assert!(succeeded && output.contains("tests/a --test-threads=1"), "{output}");
        assert!(output.contains("benches/b --bench"), "{output}");
        let log = std::fs::read_to_string(folder.join("results/benches-b.txt")).unwrap();
        assert!(log.contains("benches/b --bench"), "{log}");
    }

    #[test]
    fn a_failed_test_fails_the_script_after_everything_ran() {
        let made = tempfile::tempdir().unwrap();
        let folder = made.path().join("gpu");
        let programs = [said(made.path(), "tests/a", 1), said(made.path(), "benches/b", 0)];
        pack(&programs, &folder).unwrap();
        let (succeeded, output) = run(&folder);
        assert!(!succeeded && output.contains("benches/b --bench"), "{output}");
        assert!(output.contains("FAILED: tests-a"), "{output}");
    }
}
