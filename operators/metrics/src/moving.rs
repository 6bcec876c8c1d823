//! Who may move points: one at a time, in this process and in all others of the project.
//!
//! Writers and readers need no leave. Whoever moves points (flush, dump, verify, roll-up, expire) holds a lock on a file; the
//! system lets it go when the process ends, however it ends.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lake::{Error, Result};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The name of the file below the state's folder.
pub(crate) const FILE: &str = "metrics.lock";

/// How long to wait before another process is asked again.
const PAUSE: Duration = Duration::from_millis(20);

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

    /// Waits for the leave.
    ///
    /// # Errors
    /// `PermissionDenied`, `ResourcesExhausted` or `External` when the file cannot be made or locked.
    pub(crate) async fn wait(&self) -> Result<Moving> {
        let here = Arc::clone(&self.here).lock_owned().await;
        let file = self.open()?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Moving { _here: here, _file: file }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(Error::io("lock a file", &self.file, error)),
            }
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
            Err(TryLockError::Error(error)) => Err(Error::io("lock a file", &self.file, error)),
        }
    }

    fn open(&self) -> Result<File> {
        let opened = File::options().create(true).truncate(false).write(true).open(&self.file);
        opened.map_err(|error| Error::io("open a file", &self.file, error))
    }
}
