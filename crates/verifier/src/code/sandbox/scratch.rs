//! The scratch folder of a child that has no mounts of its own.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Most files in the folder.
const FILES: usize = 1024;

/// An empty folder that is removed, with the files in it, when this value goes.
///
/// It holds no folders, because the seccomp filter lets the child make none: looking at it and
/// removing it are then bounded by the number of files.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

/// Names of folders of one process.
static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Scratch {
    /// Where scratch folders are made: on a tmpfs if there is one.
    pub(super) fn place() -> PathBuf {
        let shared = Path::new("/dev/shm");
        if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() }
    }

    /// Makes a folder that only `owner` may use.
    pub(super) fn create(owner: Option<u32>) -> io::Result<Self> {
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("fireproof-{}-{number}", std::process::id());
            let path = Self::place().join(name);
            match DirBuilder::new().mode(0o700).create(&path) {
                // Left by an earlier process of the same number, or by somebody else.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    let scratch = Self { path };
                    if owner.is_some() {
                        chown(&scratch.path, owner, owner)?;
                    }
                    return Ok(scratch);
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// True if the folder holds more than `bytes` or more files than allowed.
    pub(super) fn exceeds(&self, bytes: u64) -> bool {
        let Ok(entries) = std::fs::read_dir(&self.path) else { return false };
        let (mut files, mut total) = (0, 0);
        for entry in entries.flatten() {
            files += 1;
            total += entry.metadata().map_or(0, |data| data.blocks() * 512);
            if files > FILES || total > bytes {
                return true;
            }
        }
        false
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        for entry in entries {
            // What cannot be removed stays; there is nobody to tell.
            let _ = std::fs::remove_file(entry.path());
        }
        let _ = std::fs::remove_dir(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_private_measured_and_removed() {
        let scratch = Scratch::create(None).unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert!(!scratch.exceeds(0));
        std::fs::write(path.join("a"), vec![1; 5000]).unwrap();
        assert!(scratch.exceeds(4096) && !scratch.exceeds(1 << 20));
        std::os::unix::fs::symlink("/etc/passwd", path.join("b")).unwrap();
        drop(scratch);
        assert!(!path.exists() && Path::new("/etc/passwd").exists());
    }

    #[test]
    fn too_many_files_are_too_much() {
        let scratch = Scratch::create(None).unwrap();
        for number in 0..=FILES {
            std::fs::write(scratch.path().join(number.to_string()), "").unwrap();
        }
        assert!(scratch.exceeds(1 << 20));
    }
}
