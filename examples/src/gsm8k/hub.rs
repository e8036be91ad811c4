//! Where a checkpoint is: in a folder, or, with the feature `hub`, under a name.

use std::error::Error;
use std::path::{Path, PathBuf};

/// The folder of a checkpoint that a path or a name of the hub stands for, downloaded if `download`.
///
/// # Errors
/// If there is no such checkpoint, or it would have to be downloaded and that was not asked for.
pub fn find_checkpoint(name: &Path, download: bool) -> Result<PathBuf, Box<dyn Error>> {
    if name.is_dir() {
        return Ok(std::path::absolute(name)?);
    }
    on_hub(name, download)
}

#[cfg(not(feature = "hub"))]
fn on_hub(name: &Path, download: bool) -> Result<PathBuf, Box<dyn Error>> {
    let name = name.display();
    Err(match download {
        true => {
            "--download: this program was built without it; build it with `--features hub`".into()
        }
        false => format!("--model {name}: there is no such folder").into(),
    })
}

#[cfg(feature = "hub")]
fn on_hub(name: &Path, download: bool) -> Result<PathBuf, Box<dyn Error>> {
    use fireproof::model::{Downloaded, Hub};
    use fireproof::trainer::Bytes;

    let hub = if download { Hub::from_env().online() } else { Hub::from_env() };
    let bar = indicatif::ProgressBar::new_spinner();
    let mut report = |piece: &Downloaded<'_>| {
        let (bytes, total) = (Bytes(piece.bytes), Bytes(piece.total));
        bar.set_message(format!("{}: {bytes} of {total}", piece.file));
        bar.tick();
    };
    let found = hub.checkpoint(&name.to_string_lossy(), "main", &mut report);
    bar.finish_and_clear();
    found.map_err(|error| match error {
        fireproof::model::HubError::NotCached { .. } => format!(
            "--model {}: there is no such folder, and {error}: add --download",
            name.display()
        )
        .into(),
        other => other.into(),
    })
}
