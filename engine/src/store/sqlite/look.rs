//! Opening the state to read it, also where nothing can be written: another user's project, a read-only file system.
//!
//! In WAL mode a reader needs the index `-shm` beside the file, and makes it when it is missing
//! (<https://sqlite.org/wal.html#read_only_databases>). Where it can neither be read nor made there is no writer at work.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;

use super::{BUSY_TIMEOUT, SqliteStore, format_of, primary_code, supported_format, unavailable};
use crate::store::{StoreError, Trouble};

impl SqliteStore {
    /// Opens a file that is there, to read it; nothing in it is changed, and whatever would change it fails. Where its directory
    /// can be written, `SQLite` may leave an index and an empty log beside it, as after a writer that was killed; the next writer
    /// takes them away.
    ///
    /// What a writer has committed and not moved into the file yet is read too. A file of an earlier format is brought to the
    /// current one in a copy, in the system's folder for temporary files.
    ///
    /// # Errors
    /// When the file cannot be read, is no database of ours, or a newer version wrote it.
    pub async fn open_to_look(path: &Path) -> Result<Self, StoreError> {
        let options = read_only(path);
        let mut opened = connect(&options).await;
        if opened.as_ref().is_err_and(lacks_index) && !has_log(path)? {
            // All is in the file, and nobody at work could change it.
            opened = connect(&options.immutable(true)).await;
        }
        let supported = supported_format();
        match opened {
            Ok((connection, found)) if found == supported => return Ok(Self { connection: Mutex::new(connection) }),
            Ok((_, found)) if found > supported || found < 0 => {
                return Err(StoreError::Newer { path: path.display().to_string(), found, supported });
            }
            Ok((connection, _)) => connection.close().await.map_err(|error| unavailable(path, &error))?,
            // A log without its index is read in a copy, too.
            Err(error) if lacks_index(&error) && path.is_file() => {}
            Err(error) => return Err(unavailable(path, &error)),
        }
        let folder = std::env::temp_dir().join(format!("suiro-state-{}", uuid::Uuid::new_v4().simple()));
        let opened = open_copy(path, &folder).await;
        // It is open, and needs its name no more.
        drop(std::fs::remove_dir_all(&folder));
        opened
    }
}

/// Copies the file and its log into a folder, which is made, and opens the copy in the current format.
async fn open_copy(path: &Path, folder: &Path) -> Result<SqliteStore, StoreError> {
    let copy = folder.join("state.db");
    let failed = |error: io::Error| io_failed(path, &error);
    // What tasks stored is nobody else's business.
    DirBuilder::new().mode(0o700).create(folder).map_err(failed)?;
    std::fs::copy(path, &copy).map_err(failed)?;
    match std::fs::copy(log_of(path), log_of(&copy)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        copied => {
            copied.map_err(failed)?;
        }
    }
    // Closed, the log is in the file.
    let whole = SqliteStore::open(&copy).await?.connection.into_inner();
    whole.close().await.map_err(|error| unavailable(path, &error))?;
    let (connection, _) =
        connect(&read_only(&copy).immutable(true)).await.map_err(|error| unavailable(path, &error))?;
    Ok(SqliteStore { connection: Mutex::new(connection) })
}

fn read_only(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT).disable_statement_logging()
}

/// Opens the connection, and reads the format.
async fn connect(options: &SqliteConnectOptions) -> sqlx::Result<(SqliteConnection, i64)> {
    let mut connection = options.connect().await?;
    let format = format_of(&mut connection).await?;
    Ok((connection, format))
}

/// Says whether a file could not be read for want of its index (<https://sqlite.org/rescode.html>): `READONLY`, `CANTOPEN`.
fn lacks_index(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(8 | 14))
}

/// Says whether something may be in the log that is not in the file.
fn has_log(path: &Path) -> Result<bool, StoreError> {
    match log_of(path).metadata() {
        Ok(found) => Ok(found.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_failed(path, &error)),
    }
}

/// Returns the path of a file's write-ahead log.
fn log_of(path: &Path) -> PathBuf {
    let mut log = OsString::from(path);
    log.push("-wal");
    PathBuf::from(log)
}

fn io_failed(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable {
        path: path.display().to_string(),
        trouble: Trouble::of_io(error),
        message: error.to_string(),
    }
}
