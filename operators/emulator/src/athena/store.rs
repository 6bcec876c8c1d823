//! What survives a restart: executions, the tokens that started them, workgroups, named queries, prepared statements, tags.
//!
//! One `SQLite` file beside the catalog; a body is the JSON of the record.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::model::{Execution, State};
use crate::error::{ApiError, ApiResult};

const TABLES: &str = include_str!("store/tables.sql");

/// The form of the tables; a file with a higher number was written by a newer suiro.
const FORM: i64 = 1;

/// How long a call waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// A kind of thing with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    WorkGroup,
    NamedQuery,
    /// What a named query was made by, under the id that follows from its token.
    NamedQueryRequest,
    PreparedStatement,
    Tag,
    /// The rows of an `INSERT` on their way to their places.
    Insertion,
    /// The table of a `CREATE TABLE … AS` on its way into the catalog.
    Creation,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::WorkGroup => "workgroup",
            Self::NamedQuery => "named_query",
            Self::NamedQueryRequest => "named_query_request",
            Self::PreparedStatement => "prepared_statement",
            Self::Tag => "tag",
            Self::Insertion => "insertion",
            Self::Creation => "creation",
        }
    }
}

/// What starting a query with a token came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Begun {
    /// It is new.
    New,
    /// The token started this one before, with the same request.
    Known(String),
    /// The token was used for another request.
    Mismatch,
}

/// The file. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the file in a folder; makes it when it is not there.
    pub(super) async fn open(folder: &Path) -> lake::Result<Self> {
        let file = folder.join("athena.sqlite");
        let failed = |error: sqlx::Error| {
            lake::Error::new(
                lake::ErrorKind::External,
                "open the history of queries",
                format!("cannot open the history of queries: {error}"),
            )
            .with("path", file.display().to_string())
        };
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await.map_err(failed)?;
        let form: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&pool).await.map_err(failed)?;
        if form > FORM {
            return Err(lake::Error::new(
                lake::ErrorKind::InvalidData,
                "open the history of queries",
                format!("the history has form {form}, this suiro knows up to form {FORM}: use a newer suiro"),
            )
            .with("path", file.display().to_string()));
        }
        if form < FORM {
            sqlx::raw_sql(TABLES).execute(&pool).await.map_err(failed)?;
        }
        Ok(Self { pool })
    }

    /// Keeps a query before it starts, together with the token that names the request.
    pub(super) async fn begin(&self, token: &str, request: &str, execution: &Execution) -> ApiResult<Begun> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        if let Some(known) = sent_before(&mut *transaction, token, request).await? {
            return Ok(known);
        }
        sqlx::query("INSERT INTO execution (id, workgroup, ended, body) VALUES (?, ?, 0, ?)")
            .bind(&execution.id)
            .bind(&execution.workgroup)
            .bind(encode(execution)?)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO token (token, request, execution_id) VALUES (?, ?, ?)")
            .bind(token)
            .bind(request)
            .bind(&execution.id)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(Begun::New)
    }

    /// Returns what a token came to, if it was sent before.
    pub(super) async fn known(&self, token: &str, request: &str) -> ApiResult<Option<Begun>> {
        sent_before(&self.pool, token, request).await
    }

    /// Keeps how a query ended: nothing is on its way any more, but what an `INSERT` that failed placed and must take away.
    pub(super) async fn end(&self, execution: &Execution) -> ApiResult<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::query("UPDATE execution SET ended = 1, body = ? WHERE id = ? AND ended = 0")
            .bind(encode(execution)?)
            .bind(&execution.id)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        let insertion = Some(Kind::Insertion).filter(|_| execution.state == State::Succeeded);
        for kind in insertion.into_iter().chain([Kind::Creation]) {
            sqlx::query("DELETE FROM thing WHERE kind = ? AND scope = '' AND name = ?")
                .bind(kind.name())
                .bind(&execution.id)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Returns a query.
    pub(super) async fn execution(&self, id: &str) -> ApiResult<Option<Execution>> {
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM execution WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed)?;
        body.map(|body| decode(&body)).transpose()
    }

    /// Returns the queries of a workgroup with a text that have ended, the newest first.
    pub(super) async fn asked_before(&self, workgroup: &str, query: &str) -> ApiResult<Vec<Execution>> {
        let bodies: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM execution WHERE workgroup = ? AND ended = 1 AND json_extract(body, '$.query') = ? \
             ORDER BY number DESC",
        )
        .bind(workgroup)
        .bind(query)
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        bodies.iter().map(|body| decode(body)).collect()
    }

    /// Drops the queries of a workgroup that goes, so that none comes back with another one of its name. One that has not ended
    /// stays by its id until it has, and what it writes can be finished; no workgroup lists it.
    pub(super) async fn forget_executions(&self, workgroup: &str) -> ApiResult<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        for statement in [
            "DELETE FROM token WHERE execution_id IN (SELECT id FROM execution WHERE workgroup = ? AND ended = 1)",
            "DELETE FROM execution WHERE workgroup = ? AND ended = 1",
            // No workgroup has this name.
            "UPDATE execution SET workgroup = '' WHERE workgroup = ?",
        ] {
            sqlx::query(statement).bind(workgroup).execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Returns the queries that have not ended: those of an endpoint that stopped.
    pub(super) async fn unfinished(&self) -> ApiResult<Vec<Execution>> {
        let bodies: Vec<String> = sqlx::query_scalar("SELECT body FROM execution WHERE ended = 0 ORDER BY number")
            .fetch_all(&self.pool)
            .await
            .map_err(failed)?;
        bodies.iter().map(|body| decode(body)).collect()
    }

    /// Lists the ids of a workgroup's queries, the newest first, with the number to go on before.
    pub(super) async fn executions(
        &self,
        workgroup: &str,
        before: Option<i64>,
        limit: usize,
    ) -> ApiResult<Vec<(i64, String)>> {
        let rows = sqlx::query(
            "SELECT number, id FROM execution WHERE workgroup = ? AND number < ? ORDER BY number DESC LIMIT ?",
        )
        .bind(workgroup)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Returns a thing by its name.
    pub(super) async fn get<T: DeserializeOwned>(&self, kind: Kind, scope: &str, name: &str) -> ApiResult<Option<T>> {
        let body: Option<String> =
            sqlx::query_scalar("SELECT body FROM thing WHERE kind = ? AND scope = ? AND name = ?")
                .bind(kind.name())
                .bind(scope)
                .bind(name)
                .fetch_optional(&self.pool)
                .await
                .map_err(failed)?;
        body.map(|body| decode(&body)).transpose()
    }

    /// Makes or replaces a thing.
    pub(super) async fn put(&self, kind: Kind, scope: &str, name: &str, body: &impl Serialize) -> ApiResult<()> {
        sqlx::query(
            "INSERT INTO thing (kind, scope, name, body) VALUES (?, ?, ?, ?) \
             ON CONFLICT (kind, scope, name) DO UPDATE SET body = excluded.body",
        )
        .bind(kind.name())
        .bind(scope)
        .bind(name)
        .bind(encode(body)?)
        .execute(&self.pool)
        .await
        .map(|_done| ())
        .map_err(failed)
    }

    /// Makes a thing; false when there is one of the name already.
    pub(super) async fn create(&self, kind: Kind, scope: &str, name: &str, body: &impl Serialize) -> ApiResult<bool> {
        sqlx::query("INSERT INTO thing (kind, scope, name, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(kind.name())
            .bind(scope)
            .bind(name)
            .bind(encode(body)?)
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected() > 0)
            .map_err(failed)
    }

    /// Drops a thing; false when it was not there.
    pub(super) async fn delete(&self, kind: Kind, scope: &str, name: &str) -> ApiResult<bool> {
        sqlx::query("DELETE FROM thing WHERE kind = ? AND scope = ? AND name = ?")
            .bind(kind.name())
            .bind(scope)
            .bind(name)
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected() > 0)
            .map_err(failed)
    }

    /// Lists the things of a scope by name.
    pub(super) async fn list<T: DeserializeOwned>(&self, kind: Kind, scope: &str) -> ApiResult<Vec<(String, T)>> {
        let rows = sqlx::query("SELECT name, body FROM thing WHERE kind = ? AND scope = ? ORDER BY name")
            .bind(kind.name())
            .bind(scope)
            .fetch_all(&self.pool)
            .await
            .map_err(failed)?;
        rows.iter().map(|row| Ok((row.get(0), decode(row.get(1))?))).collect()
    }
}

/// Returns what a token came to, if it was sent before.
async fn sent_before(
    connection: impl sqlx::SqliteExecutor<'_>,
    token: &str,
    request: &str,
) -> ApiResult<Option<Begun>> {
    let known = sqlx::query("SELECT request, execution_id FROM token WHERE token = ?")
        .bind(token)
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
    Ok(known.map(|known| {
        let same = known.get::<String, _>(0) == request;
        if same { Begun::Known(known.get(1)) } else { Begun::Mismatch }
    }))
}

fn encode(value: &impl Serialize) -> ApiResult<String> {
    serde_json::to_string(value).map_err(|error| ApiError::internal(format!("a record cannot be written: {error}")))
}

fn decode<T: DeserializeOwned>(body: &str) -> ApiResult<T> {
    serde_json::from_str(body).map_err(|error| ApiError::internal(format!("a record cannot be read: {error}")))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn failed(error: sqlx::Error) -> ApiError {
    ApiError::internal(format!("the history of queries failed: {error}"))
}
