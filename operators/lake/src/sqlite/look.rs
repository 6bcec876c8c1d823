//! Opening the file where nothing can be written: another user's project, a read-only file system.
//!
//! In WAL mode a reader needs the index `-shm` beside the file, and makes it when it is missing
//! (<https://sqlite.org/wal.html#read_only_databases>). Where it can neither be read nor made there is no writer at work.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use super::{BUSY_TIMEOUT, FILE, FORM, code, failed, form_of, newer};
use crate::error::{Error, Result};

/// Opens the file to read it; `scratch` is a folder for a copy, should one be needed.
///
/// What a writer has committed and not moved into the file yet is read too.
pub(crate) async fn open_to_look(file: &Path, scratch: &Path) -> Result<SqlitePool> {
    open(file, scratch).await.map_err(|error| error.with("path", file.display().to_string()))
}

async fn open(file: &Path, scratch: &Path) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true).busy_timeout(BUSY_TIMEOUT);
    let mut opened = connect(&options).await;
    if opened.as_ref().is_err_and(lacks_index) && !has_log(file)? {
        // All is in the file, and nobody at work could change it.
        opened = connect(&options.immutable(true)).await;
    }
    match opened {
        Ok((pool, FORM)) => return Ok(pool),
        Ok((_, form)) if form > FORM => return Err(newer(form)),
        // An earlier form is brought up to date in a copy.
        Ok((pool, _)) => pool.close().await,
        // A log without its index is read in a copy, too.
        Err(error) if lacks_index(&error) => {}
        Err(error) => return Err(failed("open the catalog", error)),
    }
    let copy = scratch.join(FILE);
    for (from, to) in [(file.to_owned(), copy.clone()), (log_of(file), log_of(&copy))] {
        match tokio::fs::copy(&from, &to).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && from != file => {}
            copied => {
                copied.map_err(|error| Error::io("read the catalog", &from, error))?;
            }
        }
    }
    super::open(&copy).await?.close().await;
    let options = SqliteConnectOptions::new().filename(&copy).read_only(true);
    let (pool, _) = connect(&options).await.map_err(|error| failed("open the catalog", error))?;
    Ok(pool)
}

/// Opens the first connection, and reads the form.
async fn connect(options: &SqliteConnectOptions) -> sqlx::Result<(SqlitePool, i64)> {
    let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options.clone()).await?;
    let form = form_of(&pool).await?;
    Ok((pool, form))
}

/// Says whether a file could not be read for want of its index (<https://sqlite.org/rescode.html>): `READONLY`, `CANTOPEN`.
fn lacks_index(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(8 | 14))
}

/// Says whether something may be in the log that is not in the file.
fn has_log(file: &Path) -> Result<bool> {
    let log = log_of(file);
    match log.metadata() {
        Ok(found) => Ok(found.len() > 0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("read the catalog", &log, error)),
    }
}

/// Returns the path of a file's write-ahead log.
fn log_of(file: &Path) -> PathBuf {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}
