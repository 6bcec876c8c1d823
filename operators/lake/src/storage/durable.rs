//! `fsync` of files and of the folders that name them: a rename is on the disk only when its folder is.
//!
//! See fsync(2): syncing a file does not sync the entry of its folder.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// Makes a file and its name, and the names of all folders up to `root`, survive the loss of power.
pub(super) async fn sync(root: &Path, file: &Path) -> Result<()> {
    let (root, file) = (root.to_owned(), file.to_owned());
    blocking(move || {
        sync_path(&file)?;
        let mut folder = file.parent();
        while let Some(path) = folder {
            sync_path(path)?;
            if path == root {
                break;
            }
            folder = path.parent();
        }
        Ok(())
    })
    .await
}

/// Makes a folder and those above it, and syncs what it made.
pub(super) async fn create_dir_all(folder: &Path) -> Result<()> {
    let folder = folder.to_owned();
    blocking(move || {
        let mut missing: Vec<PathBuf> = Vec::new();
        let mut above = Some(folder.as_path());
        while let Some(path) = above {
            if path.as_os_str().is_empty()
                || path.try_exists().map_err(|error| Error::io("open a folder", path, error))?
            {
                break;
            }
            missing.push(path.to_owned());
            above = path.parent();
        }
        for path in missing.iter().rev() {
            match std::fs::create_dir(path) {
                Ok(()) => {}
                // Another process made it meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("make a folder", path, error)),
            }
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_path(parent)?;
            }
        }
        Ok(())
    })
    .await
}

/// Removes a folder with all in it, following no link; an absent one is fine.
pub(super) async fn remove_dir_all(folder: &Path) -> Result<()> {
    let folder = folder.to_owned();
    blocking(move || match std::fs::remove_dir_all(&folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("delete a folder", &folder, error)),
    })
    .await
}

fn sync_path(path: &Path) -> Result<()> {
    std::fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| Error::io("write to the disk", path, error))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::new(ErrorKind::External, "use the disk", "the work on the disk stopped").source(error)
    })?
}
