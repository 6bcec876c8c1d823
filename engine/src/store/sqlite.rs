//! The state store in one `SQLite` file, by `sqlx`.
//!
//! WAL with `synchronous=FULL`: what was committed survives the loss of power (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
//! One connection does everything, one transaction after the other; other processes wait for up to `BUSY_TIMEOUT`.

mod look;
mod task_rows;

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::record::{AttemptRecord, Claim, Holder, NewAttempt, SessionRecord, TaskRecord, Tick};
use super::{KillRequest, StateStore, StoreError, Trouble};
use crate::session::graph::StoredTask;
use crate::session::{AttemptId, AttemptState, SessionId, SessionKey};
use task_rows::ROWS_A_STATEMENT;

/// How long a commit waits for another process: far longer than any commit takes, shorter than a lease.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it waits before it tries again to open a file that another process is making.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// The steps from an empty file to the current format; step n brings `user_version` from n to n + 1.
const MIGRATIONS: [&str; 2] = [
    include_str!("sqlite/migration/001_sessions_attempts_tasks.sql"),
    include_str!("sqlite/migration/002_definition_once.sql"),
];

const ATTEMPT_COLUMNS: &str =
    "attempt.id, session_id, number, resumes, spec, state, kill_requested, created_at, finished_at, epoch, holder";

/// Keeps the state in one `SQLite` file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Mutex<SqliteConnection>,
}

impl SqliteStore {
    /// Opens the file, makes it when there is none, and brings it to the current format.
    ///
    /// # Errors
    /// When the directory is missing or cannot be written, the file is no database of ours, or a newer version wrote it.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let mut connection = connect(&options).await.map_err(|error| unavailable(path, &error))?;
        migrate(&mut connection, path).await?;
        Ok(Self { connection: Mutex::new(connection) })
    }
}

/// Opens the connection, which makes the file.
async fn connect(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    let given_up = Instant::now() + BUSY_TIMEOUT;
    loop {
        match options.connect().await {
            // Two processes that turn a new file into WAL mode at the same time: the busy timeout is not for that, because a
            // transaction that reads and then writes would wait for itself (<https://sqlite.org/c3ref/busy_handler.html>).
            Err(error) if is_busy(&error) && Instant::now() < given_up => tokio::time::sleep(BUSY_PAUSE).await,
            opened => return opened,
        }
    }
}

/// Makes the error of a file that cannot be opened.
fn unavailable(path: &Path, error: &sqlx::Error) -> StoreError {
    let (trouble, message) = if path.is_dir() {
        (Trouble::InTheWay, "it is a directory".to_owned())
    } else {
        (Trouble::of(error), error.to_string())
    };
    StoreError::Unavailable { path: path.display().to_string(), trouble, message }
}

/// Returns the primary result code of `SQLite` (<https://sqlite.org/rescode.html>).
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

/// Says whether another process has the file (<https://sqlite.org/rescode.html#busy>).
fn is_busy(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(5)
}

/// The format of this version.
fn supported_format() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Reads the format of a file.
async fn format_of(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query("PRAGMA user_version").fetch_one(connection).await.map(|row| row.get(0))
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let database = database("bring the file to the current format");
    let supported = supported_format();
    let found = format_of(connection).await.map_err(&database)?;
    if found == supported {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(&database)?;
    // Another process may have done it while this one waited for the file.
    let found = format_of(&mut transaction).await.map_err(&database)?;
    if found > supported || found < 0 {
        return Err(StoreError::Newer { path: path.display().to_string(), found, supported });
    }
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        sqlx::raw_sql(*step).execute(&mut *transaction).await.map_err(&database)?;
    }
    // A pragma takes no bound value; the number is ours.
    let version = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {supported}"));
    sqlx::raw_sql(version).execute(&mut *transaction).await.map_err(&database)?;
    transaction.commit().await.map_err(&database)
}

fn database(operation: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { operation, source }
}

fn select_attempts(rest: &str) -> sqlx::AssertSqlSafe<String> {
    // Safe: both parts are constants of this file.
    sqlx::AssertSqlSafe(format!("SELECT {ATTEMPT_COLUMNS} FROM attempt {rest}"))
}

#[async_trait]
impl StateStore for SqliteStore {
    async fn session(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        let database = database("read a session");
        let mut connection = self.connection.lock().await;
        let row = sqlx::query("SELECT id, project, workflow, session_time, uuid FROM session WHERE project = ? AND workflow = ? AND session_time = ?")
            .bind(&key.project)
            .bind(&key.workflow)
            .bind(key.session_time.to_string())
            .fetch_optional(&mut *connection)
            .await
            .map_err(&database)?;
        let Some(row) = row else { return Ok(None) };
        read_session(&mut connection, &row).await
    }

    async fn sessions(
        &self,
        project: &str,
        workflow: Option<&str>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let database = database("list sessions");
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(
            "SELECT id, project, workflow, session_time, uuid FROM session WHERE project = ?1 AND (?2 IS NULL OR workflow = ?2) ORDER BY session_time DESC, id DESC LIMIT ?3",
        )
        .bind(project)
        .bind(workflow)
        .bind(limit)
        .fetch_all(&mut *connection)
        .await
        .map_err(&database)?;
        let mut sessions = Vec::with_capacity(rows.len());
        for row in rows {
            sessions.extend(read_session(&mut connection, &row).await?);
        }
        Ok(sessions)
    }

    async fn recent_attempts(
        &self,
        project: &str,
        workflow: &str,
        limit: u32,
    ) -> Result<Vec<(SessionKey, AttemptRecord)>, StoreError> {
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {ATTEMPT_COLUMNS}, session_time FROM attempt JOIN (SELECT id AS of_session, session_time FROM session \
             WHERE project = ? AND workflow = ?) ON of_session = session_id ORDER BY id DESC LIMIT ?"
        )))
        .bind(project)
        .bind(workflow)
        .bind(limit)
        .fetch_all(&mut *connection)
        .await
        .map_err(database("list attempts"))?;
        let read = |row: &SqliteRow| {
            let session_time = time("session_time", row.get("session_time"))?;
            let key = SessionKey { project: project.to_owned(), workflow: workflow.to_owned(), session_time };
            Ok((key, read_attempt(row)?))
        };
        rows.iter().map(read).collect()
    }

    async fn create_attempt(
        &self,
        new: &NewAttempt,
        tasks: &[StoredTask],
        holder: &Holder,
    ) -> Result<Claim, StoreError> {
        let database = database("make an attempt");
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(&database)?;
        sqlx::query(
            "INSERT INTO session (project, workflow, session_time, uuid) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&new.key.project)
        .bind(&new.key.workflow)
        .bind(new.key.session_time.to_string())
        .bind(&new.session_uuid)
        .execute(&mut *transaction)
        .await
        .map_err(&database)?;
        let session: i64 =
            sqlx::query("SELECT id FROM session WHERE project = ? AND workflow = ? AND session_time = ?")
                .bind(&new.key.project)
                .bind(&new.key.workflow)
                .bind(new.key.session_time.to_string())
                .fetch_one(&mut *transaction)
                .await
                .map_err(&database)?
                .get(0);
        let last = sqlx::query(
            "SELECT id, number, finished_at FROM attempt WHERE session_id = ? ORDER BY number DESC LIMIT 1",
        )
        .bind(session)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(&database)?;
        let last_id = last.as_ref().map(|row| AttemptId(row.get(0)));
        let is_open = last.as_ref().is_some_and(|row| row.get::<Option<String>, _>(2).is_none());
        if last_id != new.after || is_open {
            return Err(StoreError::Conflict { what: "the session" });
        }
        let number = last.map_or(1, |row| row.get::<i64, _>(1) + 1);
        let attempt: i64 = sqlx::query(
            "INSERT INTO attempt (session_id, number, resumes, spec, state, created_at, epoch, holder) VALUES (?, ?, ?, ?, 'running', ?, 1, ?) RETURNING id",
        )
        .bind(session)
        .bind(number)
        .bind(new.resumes.map(|attempt| attempt.0))
        .bind(to_json(&*new.spec)?)
        .bind(new.created_at.to_string())
        .bind(to_json(holder)?)
        .fetch_one(&mut *transaction)
        .await
        .map_err(&database)?
        .get(0);
        task_rows::insert(&mut transaction, attempt, tasks).await?;
        transaction.commit().await.map_err(&database)?;
        Ok(Claim { attempt: AttemptId(attempt), session: SessionId(session), epoch: 1 })
    }

    async fn claim(&self, attempt: AttemptId, epoch: i64, holder: &Holder) -> Result<Claim, StoreError> {
        let database = database("take over an attempt");
        let mut connection = self.connection.lock().await;
        let row = sqlx::query(
            "UPDATE attempt SET epoch = epoch + 1, holder = ?3 WHERE id = ?1 AND epoch = ?2 AND finished_at IS NULL RETURNING session_id, epoch",
        )
        .bind(attempt.0)
        .bind(epoch)
        .bind(to_json(holder)?)
        // To the end: SQLite stores a change that gives rows when the last of them is taken, and says only then that the disk is full.
        .fetch_all(&mut *connection)
        .await
        .map_err(&database)?
        .pop();
        let row = row.ok_or(StoreError::Conflict { what: "the holder of the attempt" })?;
        Ok(Claim { attempt, session: SessionId(row.get(0)), epoch: row.get(1) })
    }

    async fn heartbeat(&self, claim: &Claim, until: Timestamp) -> Result<KillRequest, StoreError> {
        let database = database("extend a lease");
        let mut connection = self.connection.lock().await;
        let row = sqlx::query(
            "UPDATE attempt SET holder = json_set(holder, '$.lease_until', ?3) WHERE id = ?1 AND epoch = ?2 AND finished_at IS NULL RETURNING kill_requested",
        )
        .bind(claim.attempt.0)
        .bind(claim.epoch)
        .bind(until.to_string())
        // To the end, as in a claim.
        .fetch_all(&mut *connection)
        .await
        .map_err(&database)?
        .pop();
        match row {
            Some(row) if row.get::<bool, _>(0) => Ok(KillRequest::Requested),
            Some(_) => Ok(KillRequest::None),
            None => Err(lease_lost(&mut connection, claim).await),
        }
    }

    async fn release(&self, claim: &Claim) -> Result<(), StoreError> {
        let database = database("release a lease");
        let mut connection = self.connection.lock().await;
        let done = sqlx::query("UPDATE attempt SET holder = NULL WHERE id = ? AND epoch = ?")
            .bind(claim.attempt.0)
            .bind(claim.epoch)
            .execute(&mut *connection)
            .await
            .map_err(&database)?;
        if done.rows_affected() == 0 {
            return Err(lease_lost(&mut connection, claim).await);
        }
        Ok(())
    }

    async fn save(&self, claim: &Claim, tick: &Tick) -> Result<(), StoreError> {
        let database = database("store the progress of an attempt");
        let mut connection = self.connection.lock().await;
        if tick.inserted.is_empty() && tick.finished.is_none() && tick.updated.len() <= ROWS_A_STATEMENT {
            // The common tick is one statement, fenced in itself and a transaction of its own: a quarter of the ways to the
            // connection's thread and back.
            if task_rows::update(&mut connection, claim, &tick.updated).await? > 0 {
                return Ok(());
            }
            return fence(&mut connection, claim).await;
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(&database)?;
        // INVARIANT: the fence comes first, in the same transaction as everything that it guards.
        fence(&mut transaction, claim).await?;
        task_rows::insert(&mut transaction, claim.attempt.0, &tick.inserted).await?;
        for chunk in tick.updated.chunks(ROWS_A_STATEMENT) {
            task_rows::update(&mut transaction, claim, chunk).await?;
        }
        if let Some((state, at)) = tick.finished {
            sqlx::query("UPDATE attempt SET state = ?2, finished_at = ?3, holder = NULL WHERE id = ?1")
                .bind(claim.attempt.0)
                .bind(state.as_str())
                .bind(at.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(&database)?;
        }
        transaction.commit().await.map_err(&database)
    }

    async fn tasks(&self, attempt: AttemptId) -> Result<Vec<TaskRecord>, StoreError> {
        task_rows::read(&mut *self.connection.lock().await, attempt).await
    }

    async fn attempt(&self, attempt: AttemptId) -> Result<Option<AttemptRecord>, StoreError> {
        let mut connection = self.connection.lock().await;
        let row = sqlx::query(select_attempts("WHERE id = ?"))
            .bind(attempt.0)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database("read an attempt"))?;
        row.as_ref().map(read_attempt).transpose()
    }

    async fn attempts(&self, session: SessionId) -> Result<Vec<AttemptRecord>, StoreError> {
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(select_attempts("WHERE session_id = ? ORDER BY number DESC"))
            .bind(session.0)
            .fetch_all(&mut *connection)
            .await
            .map_err(database("list attempts"))?;
        rows.iter().map(read_attempt).collect()
    }

    async fn request_kill(&self, attempt: AttemptId) -> Result<bool, StoreError> {
        let mut connection = self.connection.lock().await;
        let done = sqlx::query("UPDATE attempt SET kill_requested = 1 WHERE id = ? AND finished_at IS NULL")
            .bind(attempt.0)
            .execute(&mut *connection)
            .await
            .map_err(database("request a kill"))?;
        Ok(done.rows_affected() == 1)
    }
}

/// Says whether a claim holds.
async fn fence(connection: &mut SqliteConnection, claim: &Claim) -> Result<(), StoreError> {
    let holds = sqlx::query("SELECT 1 FROM attempt WHERE id = ? AND epoch = ? AND finished_at IS NULL")
        .bind(claim.attempt.0)
        .bind(claim.epoch)
        .fetch_optional(&mut *connection)
        .await
        .map_err(database("read the holder of an attempt"))?;
    if holds.is_some() { Ok(()) } else { Err(lease_lost(connection, claim).await) }
}

/// Says who has the attempt now.
async fn lease_lost(connection: &mut SqliteConnection, claim: &Claim) -> StoreError {
    let holder =
        sqlx::query("SELECT holder FROM attempt WHERE id = ?").bind(claim.attempt.0).fetch_optional(connection).await;
    match holder {
        Ok(row) => {
            let text: Option<String> = row.and_then(|row| row.get(0));
            let by = text.and_then(|text| serde_json::from_str::<Holder>(&text).ok()).map(Box::new);
            StoreError::LeaseLost { attempt: claim.attempt, by }
        }
        Err(source) => StoreError::Database { operation: "read the holder of an attempt", source },
    }
}

async fn read_session(connection: &mut SqliteConnection, row: &SqliteRow) -> Result<Option<SessionRecord>, StoreError> {
    let id: i64 = row.get(0);
    let last = sqlx::query(select_attempts("WHERE session_id = ? ORDER BY number DESC LIMIT 1"))
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(database("read the latest attempt of a session"))?;
    let Some(last) = last else { return Ok(None) };
    let key = SessionKey { project: row.get(1), workflow: row.get(2), session_time: time("session_time", row.get(3))? };
    Ok(Some(SessionRecord { id: SessionId(id), key, uuid: row.get(4), last_attempt: read_attempt(&last)? }))
}

fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Corrupt { what: "value to be written".to_owned(), message: error.to_string() })
}

fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(what, error))
}

fn corrupt(what: &str, message: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what: format!("`{what}`"), message: message.to_string() }
}

fn time(what: &str, text: &str) -> Result<Timestamp, StoreError> {
    Timestamp::from_str(text).map_err(|error| corrupt(what, error))
}

fn optional_time(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    row.get::<Option<&str>, _>(column).map(|text| time(column, text)).transpose()
}

fn optional_json<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<Option<T>, StoreError> {
    row.get::<Option<&str>, _>(column).map(|text| from_json(column, text)).transpose()
}

fn number(row: &SqliteRow, column: &str) -> Result<u32, StoreError> {
    u32::try_from(row.get::<i64, _>(column)).map_err(|error| corrupt(column, error))
}

fn read_attempt(row: &SqliteRow) -> Result<AttemptRecord, StoreError> {
    let state: &str = row.get("state");
    Ok(AttemptRecord {
        id: AttemptId(row.get("id")),
        session: SessionId(row.get("session_id")),
        number: number(row, "number")?,
        resumes: row.get::<Option<i64>, _>("resumes").map(AttemptId),
        spec: Arc::new(from_json("spec", row.get("spec"))?),
        state: AttemptState::from_word(state).ok_or_else(|| corrupt("state", format!("unknown state `{state}`")))?,
        kill_requested: row.get("kill_requested"),
        created_at: time("created_at", row.get("created_at"))?,
        finished_at: optional_time(row, "finished_at")?,
        epoch: row.get("epoch"),
        holder: optional_json(row, "holder")?,
    })
}

#[cfg(test)]
mod tests;
