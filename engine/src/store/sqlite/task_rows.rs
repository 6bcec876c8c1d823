//! Tasks on their way into their table and out of it.
//!
//! The rows of a tick travel as one JSON array and are taken apart by `json_each`: one statement, however many tasks.

use std::collections::HashMap;
use std::sync::Arc;

use futures::TryStreamExt;
use serde::Serialize;
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{corrupt, database, from_json, number, optional_json, optional_time, to_json};
use crate::session::graph::{Progress, StoredTask};
use crate::session::{AttemptId, RetryPolicy, Role, TaskId, TaskState};
use crate::store::StoreError;
use crate::store::record::{Claim, Failure, StoredResult, TaskRecord, TaskUpdate};
use crate::workflow::{Bound, TaskDef};

/// How many tasks one statement carries: keeps a statement's text below some megabytes whatever the tick is.
pub(super) const ROWS_A_STATEMENT: usize = 2_000;

/// The columns of [`Progress`] in a row that travels as JSON.
#[derive(Serialize)]
struct ProgressColumns<'a> {
    state: &'static str,
    retry_count: u32,
    retries_used: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<String>,
    retry: &'a RetryPolicy,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_as: Option<&'static str>,
    superseded: u8,
    skipped: u8,
}

impl<'a> From<&'a Progress> for ProgressColumns<'a> {
    fn from(progress: &'a Progress) -> Self {
        Self {
            state: progress.state.as_str(),
            retry_count: progress.retry_count,
            retries_used: progress.retries_used,
            retry_at: progress.retry_at.map(|at| at.to_string()),
            retry: &progress.retry,
            failed_as: progress.failed_as.map(TaskState::as_str),
            superseded: progress.superseded.into(),
            skipped: progress.skipped.into(),
        }
    }
}

#[derive(Serialize)]
struct InsertedRow<'a> {
    id: TaskId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<TaskId>,
    role: &'static str,
    name: &'a str,
    /// JSON, as a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<&'a str>,
    definition: TaskId,
    upstreams: &'a [TaskId],
    #[serde(flatten)]
    progress: ProgressColumns<'a>,
}

#[derive(Serialize)]
struct DefinitionRow<'a> {
    id: TaskId,
    def: &'a TaskDef,
}

#[derive(Serialize)]
struct UpdatedRow<'a> {
    id: TaskId,
    #[serde(flatten)]
    progress: Option<ProgressColumns<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_state: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a StoredResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
}

/// Adds tasks, and the definitions that they share.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    attempt: i64,
    tasks: &[StoredTask],
) -> Result<(), StoreError> {
    // By address: tasks of the same definition share it.
    let mut first_with: HashMap<usize, TaskId> = HashMap::new();
    for chunk in tasks.chunks(ROWS_A_STATEMENT) {
        let mut definitions = Vec::new();
        let mut rows = Vec::with_capacity(chunk.len());
        for task in chunk {
            let definition = *first_with.entry(Arc::as_ptr(&task.def).addr()).or_insert_with(|| {
                definitions.push(DefinitionRow { id: task.id, def: &task.def });
                task.id
            });
            rows.push(InsertedRow {
                id: task.id,
                parent: task.parent,
                role: task.role.as_str(),
                name: &task.name,
                bound: task.bound.as_json(),
                definition,
                upstreams: &task.upstreams,
                progress: (&task.progress).into(),
            });
        }
        let (definitions, rows) = (to_json(&definitions)?, to_json(&rows)?);
        for (statement, rows) in
            [(include_str!("insert_definitions.sql"), definitions), (include_str!("insert_tasks.sql"), rows)]
        {
            let insert = sqlx::query(statement).bind(attempt).bind(rows);
            insert.execute(&mut *connection).await.map_err(database("add tasks"))?;
        }
    }
    Ok(())
}

/// Changes tasks if the claim holds, [`ROWS_A_STATEMENT`] of them at most; returns how many rows were found.
///
/// One statement: outside of a transaction it is one of its own.
pub(super) async fn update(
    connection: &mut SqliteConnection,
    claim: &Claim,
    tasks: &[TaskUpdate],
) -> Result<u64, StoreError> {
    let rows = tasks.iter().map(|task| UpdatedRow {
        id: task.id,
        progress: task.progress.as_ref().map(Into::into),
        operator_state: task.operator_state.as_ref(),
        result: task.result.as_ref(),
        failure: task.failure.as_ref(),
        started_at: task.started_at.map(|at| at.to_string()),
        finished_at: task.finished_at.map(|at| at.to_string()),
    });
    let done = sqlx::query(include_str!("update_tasks.sql"))
        .bind(claim.attempt.0)
        .bind(claim.epoch)
        .bind(to_json(&rows.collect::<Vec<_>>())?)
        .execute(connection)
        .await
        .map_err(database("store tasks"))?;
    Ok(done.rows_affected())
}

/// Reads all tasks of an attempt in the order of their ids.
pub(super) async fn read(connection: &mut SqliteConnection, attempt: AttemptId) -> Result<Vec<TaskRecord>, StoreError> {
    let database = database("read tasks");
    let mut definitions = HashMap::new();
    let mut rows =
        sqlx::query("SELECT id, def FROM definition WHERE attempt_id = ?").bind(attempt.0).fetch(&mut *connection);
    while let Some(row) = rows.try_next().await.map_err(&database)? {
        let def: TaskDef = from_json("def", row.get("def"))?;
        definitions.insert(number(&row, "id")?, Arc::new(def));
    }
    drop(rows);
    let mut tasks = Vec::new();
    // Row by row: all rows of a large attempt at once would take many times the memory of its tasks.
    let mut rows =
        sqlx::query("SELECT * FROM task WHERE attempt_id = ? ORDER BY id").bind(attempt.0).fetch(&mut *connection);
    while let Some(row) = rows.try_next().await.map_err(&database)? {
        tasks.push(read_task(&row, &definitions)?);
    }
    Ok(tasks)
}

fn read_task(row: &SqliteRow, definitions: &HashMap<u32, Arc<TaskDef>>) -> Result<TaskRecord, StoreError> {
    let role: &str = row.get("role");
    let parent: Option<i64> = row.get("parent_id");
    let bound: Option<&str> = row.get("bound");
    let definition = number(row, "definition")?;
    let operator_state = optional_json(row, "operator_state")?.unwrap_or(Value::Null);
    let task = StoredTask {
        id: TaskId(number(row, "id")?),
        parent: parent.map(u32::try_from).transpose().map_err(|error| corrupt("parent_id", error))?.map(TaskId),
        role: Role::from_word(role).ok_or_else(|| corrupt("role", format!("unknown role `{role}`")))?,
        name: row.get::<&str, _>("name").into(),
        bound: bound.map(Bound::from_json).transpose().map_err(|error| corrupt("bound", error))?.unwrap_or_default(),
        def: definitions
            .get(&definition)
            .cloned()
            .ok_or_else(|| corrupt("definition", format!("no `{definition}`")))?,
        upstreams: from_json("upstreams", row.get("upstreams"))?,
        progress: Progress {
            state: state(row, "state")?.ok_or_else(|| corrupt("state", "none"))?,
            retry_count: number(row, "retry_count")?,
            retries_used: number(row, "retries_used")?,
            retry_at: optional_time(row, "retry_at")?,
            retry: from_json("retry", row.get("retry"))?,
            failed_as: state(row, "failed_as")?,
            superseded: row.get("superseded"),
            skipped: row.get("skipped"),
            has_state: !operator_state.is_null(),
        },
    };
    Ok(TaskRecord {
        task,
        operator_state,
        result: optional_json(row, "result")?.map(Box::new),
        failure: optional_json(row, "failure")?.map(Box::new),
        started_at: optional_time(row, "started_at")?,
        finished_at: optional_time(row, "finished_at")?,
    })
}

fn state(row: &SqliteRow, column: &str) -> Result<Option<TaskState>, StoreError> {
    let word: Option<&str> = row.get(column);
    word.map(|word| TaskState::from_word(word).ok_or_else(|| corrupt(column, format!("unknown state `{word}`"))))
        .transpose()
}
