//! `SQLite` files: opening them, their tables, and what their errors mean. The lake's own is the catalog.
//!
//! `synchronous=FULL` in WAL mode: what a call has returned survives the loss of power (<https://sqlite.org/wal.html>).

mod look;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result, WHEN_FULL};

pub(crate) use look::open_to_look;

/// The form of the tables; a file with a higher number was written by a newer suiro.
const FORM: i64 = 4;

/// The name of the file below the state's folder.
pub(crate) const FILE: &str = "catalog.sqlite";

/// The lake's own file.
const CATALOG: FileKind = FileKind {
    name: "catalog",
    opening: "open the catalog",
    form: FORM,
    tables: include_str!("sqlite/tables.sql"),
    page_bytes: None,
    without_copy: MADE_ANEW,
};

/// How long a call waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it waits before it tries again to open a file that another process is making.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// A kind of file: what it is called, and what is in it.
#[derive(Debug, Clone, Copy)]
pub struct FileKind {
    /// What messages call it, without an article: `catalog`.
    pub name: &'static str,
    /// The operation of errors while it is opened: `open the catalog`.
    pub opening: &'static str,
    /// The form of the tables; a file with a higher number was written by a newer suiro.
    pub form: i64,
    /// The statements that make the tables where they are not there; the last one sets `user_version` to the form.
    pub tables: &'static str,
    /// The bytes of a page in a new file; none for `SQLite`'s own 4,096.
    pub page_bytes: Option<u32>,
    /// What to do about a damaged file of which there is no copy.
    pub without_copy: &'static str,
}

/// What to do about a file that tells of what lies elsewhere, and of which there is no copy.
pub const MADE_ANEW: &str = "move it away and run the workflows again: they make anew what it told of";

impl FileKind {
    /// Opens (or makes) a file of this kind, in WAL mode with `synchronous=FULL`.
    ///
    /// # Errors
    /// `PermissionDenied`, `ResourcesExhausted` or `External` with the path; `InvalidData` for a file that is damaged or of a
    /// newer suiro.
    pub async fn open(&self, file: &Path) -> Result<SqlitePool> {
        if let Some(folder) = file.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(|error| Error::folder("make a folder", folder, error))?;
        }
        let mut options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        if let Some(page_bytes) = self.page_bytes {
            options = options.page_size(page_bytes);
        }
        let pool = connect(&options)
            .await
            .map_err(|error| self.failed(self.opening, error).with("path", file.display().to_string()))?;
        self.prepare(&pool).await.map_err(|error| error.with("path", file.display().to_string()))?;
        Ok(pool)
    }

    async fn prepare(&self, pool: &SqlitePool) -> Result<()> {
        let failed = |error| self.failed(self.opening, error);
        let form = form_of(pool).await.map_err(failed)?;
        if form > self.form {
            return Err(self.newer(form));
        }
        if form < self.form {
            let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
            sqlx::raw_sql(self.tables).execute(&mut *transaction).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
        }
        Ok(())
    }

    /// Makes the error of a file that a newer suiro wrote.
    fn newer(&self, form: i64) -> Error {
        let (name, known) = (self.name, self.form);
        Error::new(
            ErrorKind::InvalidData,
            self.opening,
            format!("the {name} has form {form}, this suiro knows up to form {known}: use a newer suiro"),
        )
    }

    /// Makes our error of `SQLite`'s.
    pub fn failed(&self, operation: &'static str, error: sqlx::Error) -> Error {
        let name = self.name;
        let (kind, retryable, text) = match code(&error) {
            Some(5 | 6) => (ErrorKind::External, true, format!("the {name} is busy: another process is writing")),
            Some(13) => (ErrorKind::ResourcesExhausted, false, "the disk is full".to_owned()),
            Some(3 | 8 | 23) => (ErrorKind::PermissionDenied, false, format!("the {name} cannot be written")),
            Some(14) => (ErrorKind::PermissionDenied, false, format!("the file of the {name} cannot be opened")),
            Some(11 | 26) => {
                (ErrorKind::InvalidData, false, format!("the file of the {name} is damaged or no SQLite file"))
            }
            _ => (ErrorKind::External, false, format!("the {name} failed")),
        };
        let is_damaged = kind == ErrorKind::InvalidData;
        let mut made = Error::new(kind, operation, format!("cannot {operation}: {text} ({error})")).source(error);
        if is_damaged {
            made = made.help(format!("put a copy of the file back; without one {}", self.without_copy));
        }
        if kind == ErrorKind::ResourcesExhausted {
            made = made.help(WHEN_FULL);
        }
        if retryable {
            made = made.retryable();
        }
        made
    }
}

/// Opens (or makes) the catalog's file.
pub(crate) async fn open(file: &Path) -> Result<SqlitePool> {
    CATALOG.open(file).await
}

/// Opens the first connection, which makes the file.
async fn connect(options: &SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let given_up = Instant::now() + BUSY_TIMEOUT;
    loop {
        match SqlitePoolOptions::new().max_connections(4).connect_with(options.clone()).await {
            // Two processes that turn a new file into WAL mode at the same time: the busy timeout is not for that, because a
            // transaction that reads and then writes would wait for itself (<https://sqlite.org/c3ref/busy_handler.html>).
            Err(error) if is_busy(&error) && Instant::now() < given_up => tokio::time::sleep(BUSY_PAUSE).await,
            opened => return opened,
        }
    }
}

/// Opens a catalog that lives in memory.
pub(crate) async fn open_memory() -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
        .map_err(|error| failed("open the catalog", error))?;
    CATALOG.prepare(&pool).await?;
    Ok(pool)
}

/// Reads the form of the tables.
async fn form_of(pool: &SqlitePool) -> sqlx::Result<i64> {
    sqlx::query_scalar("PRAGMA user_version").fetch_one(pool).await
}

/// Makes the error of a catalog that a newer suiro wrote.
fn newer(form: i64) -> Error {
    CATALOG.newer(form)
}

/// Returns the primary result code of `SQLite` (<https://sqlite.org/rescode.html>).
fn code(error: &sqlx::Error) -> Option<u32> {
    match error.as_database_error()?.code()?.parse::<u32>().ok()? {
        // The shared memory of readers finds no room (SQLITE_IOERR_SHMSIZE): the disk is full (SQLITE_FULL).
        4874 => Some(13),
        code => Some(code & 0xff),
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(5 | 6))
}

/// Makes our error of the catalog's.
pub(crate) fn failed(operation: &'static str, error: sqlx::Error) -> Error {
    CATALOG.failed(operation, error)
}

/// Makes the error of a row that does not hold what we wrote.
pub(crate) fn undecodable(what: &'static str, name: &str, error: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "read the catalog",
        format!("the catalog's {what} `{name}` cannot be read: {error}"),
    )
    .source(error)
}

#[cfg(test)]
mod tests {
    #[tokio::test(flavor = "multi_thread")]
    async fn many_make_the_file_at_once() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("catalog.sqlite");
            let opening: Vec<_> = (0..8)
                .map(|_| {
                    let file = file.clone();
                    tokio::spawn(async move { super::open(&file).await })
                })
                .collect();
            for opened in opening {
                opened.await.unwrap().unwrap().close().await;
            }
        }
    }
}
