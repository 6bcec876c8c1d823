//! The folder that queries spill to: one for each process, removed when the process is gone.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A folder of this process; its lock is held as long as the process lives, however it ends.
#[derive(Debug)]
pub(crate) struct TemporaryFolder {
    folder: PathBuf,
    lock_file: PathBuf,
    _lock: File,
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
        Self::make(parent, "")
    }

    /// Makes a folder below the system's own for temporary files, where others have theirs too, and removes those of processes
    /// of ours that are gone.
    ///
    /// # Errors
    /// As [`TemporaryFolder::open`].
    pub(crate) fn open_in_system() -> Result<Self> {
        let parent = std::env::temp_dir();
        remove_left_over_named(&parent, |name| name.strip_prefix(NAME_IN_SYSTEM).is_some_and(is_number));
        Self::make(&parent, NAME_IN_SYSTEM)
    }

    fn make(parent: &Path, name: &str) -> Result<Self> {
        let failed = |error| Error::io("open the folder of temporary files", parent, error);
        loop {
            let name = format!("{name}{}", uuid::Uuid::new_v4().simple());
            let lock_file = parent.join(format!("{name}.lock"));
            let folder = parent.join(name);
            let lock = File::create_new(&lock_file).map_err(failed)?;
            lock.lock().map_err(failed)?;
            // Another process that tidied up may have taken the file for an abandoned one before it was locked.
            if is_same_file(&lock, &lock_file) {
                // Rows that are spilled are nobody else's business.
                DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
                return Ok(Self { folder, lock_file, _lock: lock });
            }
        }
    }

    /// Removes the folders below `parent` of processes that are gone.
    pub(crate) fn remove_left_over(parent: &Path) {
        remove_left_over_named(parent, is_number);
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

/// What the names of folders in the system's own folder begin with.
const NAME_IN_SYSTEM: &str = "suiro-";

/// Removes the folders below `parent` of processes that are gone, by their names.
fn remove_left_over_named(parent: &Path, is_ours: impl Fn(&str) -> bool) {
    // Nothing there is nothing left over; what cannot be read is said by whoever needs it.
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        // Others stand beside them that are none of ours.
        if !path.file_stem().and_then(|name| name.to_str()).is_some_and(&is_ours) {
            continue;
        }
        match path.extension() {
            Some(extension) if extension == "lock" => remove_abandoned(&path),
            // A folder is made after its lock and removed before it: without one, nobody is left to remove it.
            None if !path.with_extension("lock").try_exists().unwrap_or(true) => {
                remove(&path);
            }
            _ => {}
        }
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next process.
        if std::fs::remove_dir_all(&self.folder).is_ok() {
            let _next_process_tries_again = std::fs::remove_file(&self.lock_file);
        }
    }
}

/// Removes the folder of a lock that nobody holds.
fn remove_abandoned(lock_file: &Path) {
    // Where anybody may put something, a pipe would keep whoever opens it.
    if !lock_file.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return;
    }
    let Ok(lock) = File::open(lock_file) else { return };
    if lock.try_lock().is_err() {
        return;
    }
    if remove(&lock_file.with_extension("")) {
        let _gone_or_next_time = std::fs::remove_file(lock_file);
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

/// Tells whether a name, or its end, is a number as folders here are called by.
fn is_number(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Tells whether a path still leads to an open file.
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(file), Ok(found)) => (file.dev(), file.ino()) == (found.dev(), found.ino()),
        _ => false,
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
        remove_left_over_named(parent.path(), |name| name.strip_prefix(NAME_IN_SYSTEM).is_some_and(is_number));
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
