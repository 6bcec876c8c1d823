//! Who may move points: one at a time, in this process and in all others of the project.
//!
//! Writers and readers need no leave. Whoever moves points (flush, dump, verify, roll-up, expire) holds a lock on a file; the
//! system lets it go when the process ends, however it ends.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;

use lake::{Error, ErrorKind, Result};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

/// The name of the file below the state's folder.
pub(crate) const FILE: &str = "metrics.lock";

const LOCK: &str = "lock a file";

/// The leave to move points.
#[derive(Debug)]
pub(crate) struct Moving {
    _here: OwnedMutexGuard<()>,
    /// The lock ends with the file.
    _file: File,
}

/// Gives the leave.
#[derive(Debug, Clone)]
pub(crate) struct Movers {
    file: PathBuf,
    here: Arc<Mutex<()>>,
}

impl Movers {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file, here: Arc::default() }
    }

    /// Waits for the leave. Whoever gives up on this future waits no more; what it waited for is let go as soon as it comes.
    ///
    /// # Errors
    /// `PermissionDenied`, `ResourcesExhausted` or `External` when the file cannot be made or locked.
    pub(crate) async fn wait(&self) -> Result<Moving> {
        let here = Arc::clone(&self.here).lock_owned().await;
        let file = self.open()?;
        let file = match file.try_lock() {
            Ok(()) => file,
            Err(TryLockError::WouldBlock) => self.locked(file).await?,
            Err(TryLockError::Error(error)) => return Err(Error::io(LOCK, &self.file, error)),
        };
        Ok(Moving { _here: here, _file: file })
    }

    /// Waits for another process, on a thread that nobody waits for in turn: the system wakes it, and a process that is told to
    /// stop ends all the same.
    async fn locked(&self, file: File) -> Result<File> {
        let (sender, locked) = oneshot::channel();
        std::thread::Builder::new()
            .name("metrics-lock".to_owned())
            .spawn(move || {
                let locked = file.lock().map(|()| file);
                // Whoever waited may have given up: the lock goes with the file.
                let _given_up = sender.send(locked);
            })
            .map_err(|error| Error::io("start a thread", &self.file, error))?;
        match locked.await {
            Ok(locked) => locked.map_err(|error| Error::io(LOCK, &self.file, error)),
            Err(gone) => Err(Error::new(ErrorKind::External, LOCK, "the thread that waits for it ended").source(gone)),
        }
    }

    /// Takes the leave when nobody has it.
    ///
    /// # Errors
    /// As [`Movers::wait`].
    pub(crate) fn now(&self) -> Result<Option<Moving>> {
        let Ok(here) = Arc::clone(&self.here).try_lock_owned() else { return Ok(None) };
        let file = self.open()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Moving { _here: here, _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io(LOCK, &self.file, error)),
        }
    }

    fn open(&self) -> Result<File> {
        let opened = File::options().create(true).truncate(false).write(true).open(&self.file);
        opened.map_err(|error| Error::io("open a file", &self.file, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another process, as far as the system's locks know: another opening of the file.
    fn other(movers: &Movers) -> Movers {
        Movers::new(movers.file.clone())
    }

    #[tokio::test]
    async fn one_waits_for_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let first = Movers::new(folder.path().join(FILE));
        let second = other(&first);
        let moving = first.wait().await.unwrap();
        assert!(second.now().unwrap().is_none());
        let waiting = tokio::spawn({
            let second = second.clone();
            async move { second.wait().await }
        });
        // It has its place here, and waits for the file.
        while second.here.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        drop(moving);
        let moving = waiting.await.unwrap().unwrap();
        assert!(first.now().unwrap().is_none());
        drop(moving);
        assert!(first.now().unwrap().is_some());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_keeps_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        let first = Movers::new(folder.path().join(FILE));
        let second = other(&first);
        let moving = first.wait().await.unwrap();
        let waiting = tokio::spawn({
            let second = second.clone();
            async move { second.wait().await }
        });
        while second.here.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        drop(moving);
        // Whether the thread of the one that gave up has it for a moment or not: it comes.
        drop(other(&first).wait().await.unwrap());
        drop(second.wait().await.unwrap());
    }
}
