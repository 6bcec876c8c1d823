//! What would keep a run from using the directory of its state, as far as can be seen without making or changing anything.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use super::error::EngineError;
use super::{Obstacle, STATE_FILE};
use crate::store::{StoreError, Trouble};

/// Finds what would keep an engine from working in a directory of the state: something else in its place, or a refused access.
/// None when nothing is seen; what only an effect shows (a full disk, a damaged file) is not.
pub fn state_trouble(dir: &Path) -> Option<EngineError> {
    if let Some(by) = Obstacle::to(dir) {
        return Some(EngineError::StateDirTaken { path: dir.to_owned(), by });
    }
    let file = dir.join(STATE_FILE);
    // Opened to append, a file stays as it is.
    let unavailable = |trouble, message| {
        EngineError::from(StoreError::Unavailable { path: file.display().to_string(), trouble, message })
    };
    match OpenOptions::new().append(true).open(&file) {
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            Some(unavailable(Trouble::InTheWay, "it is a directory".to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => refused(dir),
        Err(error) => Some(unavailable(Trouble::of_io(&error), error.to_string())),
    }
}

/// Finds that nothing may be made in a directory, or in the nearest one above it that is there: a file without a name could not
/// (<https://man7.org/linux/man-pages/man2/open.2.html>, `O_TMPFILE`). Where the system has no such files nothing is found.
#[cfg(target_os = "linux")]
fn refused(dir: &Path) -> Option<EngineError> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let nearest = dir.ancestors().find(|path| path.is_dir())?;
    let source = OpenOptions::new().write(true).custom_flags(nix::libc::O_TMPFILE).open(nearest).err()?;
    let error = EngineError::state_dir(dir, source);
    error.is_refused().then_some(error)
}

#[cfg(not(target_os = "linux"))]
fn refused(_dir: &Path) -> Option<EngineError> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::code;

    #[test]
    fn what_would_stop_a_run_is_found_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let told = |name: &str| {
            let found = state_trouble(&folder.path().join(name));
            found.map(|found| {
                assert_eq!(found.code(), code::STORE_UNAVAILABLE);
                (found.is_refused(), found.to_string().replace(&format!("{}/", folder.path().display()), ""))
            })
        };
        assert_eq!(told("new/below"), None);
        std::fs::create_dir_all(folder.path().join("there")).unwrap();
        assert_eq!(told("there"), None);
        std::fs::write(folder.path().join("there/state.db"), "").unwrap();
        assert_eq!(told("there"), None);
        std::fs::write(folder.path().join("file"), "").unwrap();
        let taken = "`file` cannot be the directory of the state: `file` is a file";
        assert_eq!(told("file"), Some((false, taken.to_owned())));
        std::fs::create_dir_all(folder.path().join("odd/state.db")).unwrap();
        let directory = "cannot open the state store `odd/state.db`: it is a directory";
        assert_eq!(told("odd"), Some((false, directory.to_owned())));
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["file", "odd", "there"]);
    }
}
