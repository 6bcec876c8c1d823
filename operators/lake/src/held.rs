//! Files that a process holds while it lives, however it ends: by them, what a dead process left is told from what a living
//! one works with.
//!
//! The system lets go of a lock when the last process that has the file open is gone (flock(2)).

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The end of such a file's name.
const ENDING: &str = "lock";

/// A file whose lock this process holds. Dropped, it is let go and stays there, so that the next process finds it.
#[derive(Debug)]
pub(crate) struct HeldFile {
    path: PathBuf,
    file: File,
}

impl HeldFile {
    /// Makes a file in a folder that is there, of a new name that begins with `start`.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn make(folder: &Path, start: &str) -> io::Result<Self> {
        loop {
            let path = folder.join(format!("{start}{}.{ENDING}", uuid::Uuid::new_v4().simple()));
            let file = File::create_new(&path)?;
            file.lock()?;
            // Another process that tidied up may have taken the file for an abandoned one before it was locked.
            if is_same_file(&file, &path) {
                return Ok(Self { path, file });
            }
        }
    }

    /// Takes over the files of a folder whose names begin with `start` and whose holders are gone.
    pub(crate) fn abandoned(folder: &Path, start: &str) -> Vec<Self> {
        // Nothing there is nothing abandoned; what cannot be read is said by whoever needs it.
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let paths = entries.flatten().map(|entry| entry.path());
        paths
            .filter(|path| path.extension().is_some_and(|extension| extension == ENDING) && is_named_after(path, start))
            .filter_map(Self::take)
            .collect()
    }

    fn take(path: PathBuf) -> Option<Self> {
        // Where anybody may put something, a pipe would keep whoever opens it.
        if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return None;
        }
        let file = File::open(&path).ok()?;
        file.try_lock().ok()?;
        // Its holder may have removed it between.
        is_same_file(&file, &path).then_some(Self { path, file })
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what the file says to the disk; it says nothing before.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.file.write_all(text)?;
        self.file.sync_all()
    }

    /// Reads what the file says.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        self.file.read_to_end(&mut text)?;
        Ok(text)
    }

    /// Removes the file: nothing is left that it stood for. What cannot be removed is found by the next process.
    pub(crate) fn remove(self) {
        let _next_process_tries_again = std::fs::remove_file(&self.path);
    }
}

/// Tells whether a file or folder has a name of ours: the start and a number, before any ending. Others stand beside them.
pub(crate) fn is_named_after(path: &Path, start: &str) -> bool {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix(start)
        .is_some_and(|number| number.len() == 32 && number.bytes().all(|byte| byte.is_ascii_hexdigit()))
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
    fn only_files_that_nobody_holds_are_abandoned() {
        let folder = tempfile::tempdir().unwrap();
        let mut dead = HeldFile::make(folder.path(), "").unwrap();
        dead.write(b"what it did").unwrap();
        let living = HeldFile::make(folder.path(), "").unwrap();
        drop(dead);
        let mut found = HeldFile::abandoned(folder.path(), "");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].read().unwrap(), b"what it did");
        assert!(HeldFile::abandoned(folder.path(), "").is_empty(), "one takes it over");
        for file in found {
            file.remove();
        }
        living.remove();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(HeldFile::abandoned(&folder.path().join("absent"), "").is_empty());
    }
}
