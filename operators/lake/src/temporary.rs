//! Folders of files that do not outlive their process, such as what queries spill: one for each process, removed when it is
//! gone.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::held::{HeldFile, is_named_after};

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
        let made = Self::make_with_parent(parent)?;
        // Only now: where nothing can be made, nothing can be removed either, and one error says so.
        Self::remove_left_over(parent);
        Ok(made)
    }

    fn make_with_parent(parent: &Path) -> Result<Self> {
        let failed = |error| helped(Error::folder(OPEN, parent, error));
        for _ in 1..TRIES {
            std::fs::create_dir_all(parent).map_err(failed)?;
            // Whoever used the parent last may have removed it between; once a lock is in it, it stays.
            match HeldFile::make(parent, "") {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                held => return Self::of(held, parent),
            }
        }
        std::fs::create_dir_all(parent).map_err(failed)?;
        Self::make(parent, "")
    }

    /// Removes a parent in which there are no folders any more.
    pub(crate) fn remove_parent(parent: &Path) {
        // In use, or not there: both are well.
        let _stays = std::fs::remove_dir(parent);
    }

    /// Makes a folder below the system's own for temporary files, where others have theirs too, and removes those of processes
    /// of ours that are gone.
    ///
    /// # Errors
    /// As [`TemporaryFolder::open`].
    pub(crate) fn open_in_system() -> Result<Self> {
        let parent = std::env::temp_dir();
        remove_left_over_named(&parent, NAME_IN_SYSTEM);
        Self::make(&parent, NAME_IN_SYSTEM)
    }

    fn make(parent: &Path, start: &str) -> Result<Self> {
        Self::of(HeldFile::make(parent, start), parent)
    }

    fn of(held: std::io::Result<HeldFile>, parent: &Path) -> Result<Self> {
        let failed = |error| helped(Error::io(OPEN, parent, error));
        let held = held.map_err(failed)?;
        let folder = held.path().with_extension("");
        // Rows that are spilled are nobody else's business.
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        Ok(Self { folder, held: Some(held) })
    }

    /// Removes the folders below `parent` of processes that are gone.
    pub(crate) fn remove_left_over(parent: &Path) {
        remove_left_over_named(parent, "");
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

const OPEN: &str = "open the folder of temporary files";

/// Says who can mend what is refused.
fn helped(error: Error) -> Error {
    match error.kind {
        ErrorKind::PermissionDenied => error.help("make the directory writable for whoever runs suiro"),
        _ => error,
    }
}

/// How often a parent is made that others remove when they need it no more.
const TRIES: usize = 10;

/// What the names of folders in the system's own folder begin with.
const NAME_IN_SYSTEM: &str = "suiro-";

/// Removes the folders below `parent` of processes that are gone whose names begin with `start`.
fn remove_left_over_named(parent: &Path, start: &str) {
    for held in HeldFile::abandoned(parent, start) {
        if remove(&held.path().with_extension("")) {
            held.remove();
        }
    }
    // Nothing there is nothing left over; what cannot be read is said by whoever needs it.
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        // A folder is made after its lock and removed before it: without one, nobody is left to remove it.
        if path.extension().is_none()
            && is_named_after(&path, start)
            && !path.with_extension("lock").try_exists().unwrap_or(true)
        {
            remove(&path);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_dead_go_and_those_of_the_living_stay() {
        let parent = tempfile::tempdir().unwrap();
        let living = TemporaryFolder::open(parent.path()).unwrap();
        let dead = parent.path().join("dead0000dead0000dead0000dead0000");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join("spill"), "x").unwrap();
        std::fs::write(dead.with_extension("lock"), "").unwrap();
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

    #[test]
    fn in_a_folder_of_many_only_ours_go() {
        let parent = tempfile::tempdir().unwrap();
        let number = "dead0000dead0000dead0000dead0000";
        let (other, ours) = (format!("other-{number}"), format!("suiro-{number}"));
        for name in ["other", number, other.as_str(), ours.as_str()] {
            std::fs::create_dir(parent.path().join(name)).unwrap();
            std::fs::write(parent.path().join(format!("{name}.lock")), "").unwrap();
        }
        remove_left_over_named(parent.path(), NAME_IN_SYSTEM);
        let mut left: Vec<_> =
            std::fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        let locks = [number, &other].map(|name| format!("{name}.lock"));
        let expected = [number, locks[0].as_str(), "other", other.as_str(), locks[1].as_str(), "other.lock"];
        assert_eq!(left, expected);
        let made = TemporaryFolder::make(parent.path(), NAME_IN_SYSTEM).unwrap();
        assert!(made.path().file_name().unwrap().to_str().unwrap().starts_with("suiro-"));
    }
}
