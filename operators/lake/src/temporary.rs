//! Folders of files that do not outlive their process, such as what queries spill: one for each process, removed when it is
//! gone.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::held::HeldFile;

/// A folder of this process; its lock is held as long as the process lives, however it ends.
#[derive(Debug)]
pub(crate) struct TemporaryFolder {
    folder: PathBuf,
    /// None once it is dropped.
    held: Option<HeldFile>,
}

impl TemporaryFolder {
    /// Makes a folder below `parent`, and removes those of processes that are gone.
    ///
    /// # Errors
    /// `PermissionDenied`, `ResourcesExhausted` or `External` with the path.
    pub(crate) fn open(parent: &Path) -> Result<Self> {
        let failed = |error| Error::io("open the folder of temporary files", parent, error);
        std::fs::create_dir_all(parent).map_err(failed)?;
        Self::remove_left_over(parent);
        let held = HeldFile::make(parent).map_err(failed)?;
        let folder = held.path().with_extension("");
        std::fs::create_dir(&folder).map_err(failed)?;
        Ok(Self { folder, held: Some(held) })
    }

    /// Removes the folders below `parent` of processes that are gone.
    pub(crate) fn remove_left_over(parent: &Path) {
        for held in HeldFile::abandoned(parent) {
            if remove(&held.path().with_extension("")) {
                held.remove();
            }
        }
        // Nothing there is nothing left over; what cannot be read is said by whoever needs it.
        let Ok(entries) = std::fs::read_dir(parent) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            // A folder is made after its lock and removed before it: without one, nobody is left to remove it.
            if is_ours(&path) && !path.with_extension("lock").try_exists().unwrap_or(true) {
                remove(&path);
            }
        }
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next process.
        if remove(&self.folder)
            && let Some(held) = self.held.take()
        {
            held.remove();
        }
    }
}

/// Removes a folder, if it is there; says whether it is gone.
fn remove(folder: &Path) -> bool {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(path = %folder.display(), %error, "cannot remove temporary files");
            false
        }
        _ => true,
    }
}

/// Tells whether a path is named as the folders here are: others stand beside them that are none of ours.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_dead_go_and_those_of_the_living_stay() {
        let parent = tempfile::tempdir().unwrap();
        let living = TemporaryFolder::open(parent.path()).unwrap();
        let dead = parent.path().join("dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join("spill"), "x").unwrap();
        std::fs::write(parent.path().join("dead.lock"), "").unwrap();
        let unlocked = parent.path().join("0123456789abcdef0123456789abcdef");
        std::fs::create_dir(&unlocked).unwrap();
        let of_a_task = parent.path().join("7-1");
        std::fs::create_dir(&of_a_task).unwrap();
        let second = TemporaryFolder::open(parent.path()).unwrap();
        assert!(living.path().is_dir() && second.path().is_dir());
        assert!(!dead.try_exists().unwrap() && !unlocked.try_exists().unwrap());
        assert!(of_a_task.is_dir(), "the engine's, not ours");
        std::fs::remove_dir(of_a_task).unwrap();
        drop((living, second));
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
