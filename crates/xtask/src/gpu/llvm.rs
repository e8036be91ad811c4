//! An installed LLVM in the place of the one that burn's build script would download.

use std::path::Path;

use super::{GpuError, machine, make_folder};

/// Where `tracel-llvm-bundler`, which `cubecl-cuda` builds with, looks below the data folder.
const PLACE: &str = "tracel/tracel-llvm-23.1.0-4";

/// Puts a script there that calls the installed `llvm-config` and leaves out the libraries that
/// Debian's LLVM names although nobody needs them.
pub(super) fn stand_in(config: &Path, data: &Path) -> Result<(), GpuError> {
    let folder = data.join(PLACE);
    make_folder(&folder.join("bin"))?;
    let script = folder.join("bin/llvm-config");
    let text = format!(
        "#!/bin/sh\n'{}' \"$@\" |\n    sed -E 's/-lPollyISL//g; s/-lPolly//g; s/-lz3//g; \
         s#[^ ]*libz3\\.so[^ ]*##g'\n",
        config.display()
    );
    let writing = format!("writing {}", script.display());
    std::fs::write(&script, text).map_err(machine(&writing))?;
    executable(&script).map_err(machine(&writing))?;
    let mark = folder.join(".tracel-llvm-installed");
    std::fs::write(&mark, "").map_err(machine(format!("writing {}", mark.display())))
}

#[cfg(unix)]
fn executable(script: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(_script: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_stand_in_leaves_out_what_nobody_needs() {
        let folder = tempfile::tempdir().unwrap();
        let installed = folder.path().join("llvm-config-22");
        std::fs::write(
            &installed,
            "#!/bin/sh\necho \"$1\" -lLLVM -lPolly -lz3 /usr/libz3.so -lm\n",
        )
        .unwrap();
        executable(&installed).unwrap();
        let data = folder.path().join("data");
        stand_in(&installed, &data).unwrap();
        let place = data.join(PLACE);
        assert!(place.join(".tracel-llvm-installed").exists());
        let output = std::process::Command::new(place.join("bin/llvm-config"))
            .arg("--libs")
            .output()
            .unwrap();
        let words: Vec<&str> = str::from_utf8(&output.stdout).unwrap().split_whitespace().collect();
        assert_eq!(words, ["--libs", "-lLLVM", "-lm"]);
    }
}
