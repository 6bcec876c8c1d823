//! `athena.query>`: runs a SELECT and keeps its result for `athena.preview>`.

use std::sync::Arc;
use std::time::Duration;

use engine::diagnostic::code;
use engine::operator::error::Retry;
use engine::operator::{
    ParamProblem, Surroundings, TaskContext, TaskError, TaskErrorKind, TaskOutcome, TaskProgress, TaskReport,
    TaskResult, TypedOperator,
};
use engine::params::Params as EngineParams;
use engine::workflow::TaskDef;
use lake::ErrorKind;
use lake::error::Retryable;
use lake::query::{Destination, Query as LakeQuery, QueryId, QueryStats, QueryStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::job::timed_out;
use super::left;
use super::options::{QueryParams, athena_scope};
use super::output::{dollars, path, store};
use super::poll::pause;
use crate::door::{Access, LakeDoor};
use crate::error::{AtParam as _, task_error};
use crate::{inspect, sql_text, state};

/// How many failures of a query are enough, of those that may go well the next time: as many as of one that writes.
const FAILURES: u32 = 5;

/// How many rows `preview: true` shows.
const PREVIEW_ROWS: u32 = 10;

/// The operator.
#[derive(Debug)]
pub(crate) struct Query {
    door: Arc<LakeDoor>,
}

impl Query {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `athena.query>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The SELECT, or a file (`….sql`) or object (`s3://…`) that holds it. `${…}` in a file is evaluated too.
    #[serde(rename = "_command")]
    command: String,
    /// The database of tables without one.
    #[serde(default)]
    database: Option<String>,
    /// What it may use.
    #[serde(flatten)]
    query: QueryParams,
    /// Also run `athena.preview>` on the result.
    #[serde(default)]
    preview: bool,
    /// What the query's token starts with. The rest makes it the same on every retry of this task.
    #[serde(default)]
    token_prefix: Option<String>,
}

/// How far the task is.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    sql: String,
    token: String,
    /// The query's id, once it is known.
    query: Option<QueryId>,
    submitted_ms: i64,
    /// When it was first seen to run.
    #[serde(default)]
    running_ms: Option<i64>,
    polls: u32,
    /// Which try it is, from 1: the token of a query that failed would give the failed query again.
    #[serde(default = "first_generation")]
    generation: u32,
    /// How many of them failed in a way that may go well the next time.
    #[serde(default)]
    failures: u32,
    /// In whose name it acts.
    #[serde(default)]
    access: Access,
}

impl TypedOperator for Query {
    const NAME: &'static str = "athena.query";
    const SUMMARY: &'static str = "Runs a SELECT and keeps its result.";
    const COMMAND: Option<&'static str> = Some("the SELECT, or a `.sql` file or `s3://` object that holds it");
    const DETAILS: &'static str = "\
What looks like a file is a file: a missing `daily.sql` is an error, never a query.

Stores `athena.last_query`: `id`, `database`, `workgroup` (the one it ran in), `query` (the text), `output` (where the result is kept), `scan_bytes`, \
`billed_bytes`, `cost_usd`, `exec_millis`, `state`, `state_change_reason`, `submitted_at`, `completed_at` (seconds since 1970).

A query that fails in a way that may go well the next time, as Athena says of it, is run again by a new one, up to four times.

The query is started once per attempt: after a crash the task finds the query that it started. A kill and a timeout stop it; \
after Ctrl-C it goes on where the next run can take it up, and is stopped elsewhere.

IAM actions on AWS: `athena:StartQueryExecution`, `athena:GetQueryExecution`, `athena:StopQueryExecution`, `glue:GetTable`, \
`glue:GetPartitions`, `s3:GetObject`, `s3:ListBucket`, `s3:PutObject`.";
    const EXAMPLE: &'static str = "\
+errors:
  athena.query>: |
    SELECT path, count(*) AS n FROM access_log
    WHERE dt = '${session_date}' AND status >= 500
    GROUP BY path ORDER BY n DESC
  database: web
  preview: true
";
    const DEFAULTS: &'static [&'static str] = &[super::DEFAULTS, "athena.query"];
    const WORKS_ELSEWHERE: bool = true;

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        inspect::select(params, surroundings, &self.door)
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let access = params.query.access()?;
        let lake = &self.door.open_as(&access).await?;
        let timeout = params.query.timeout()?;
        let mut progress = if let Some(progress) = state::read::<Progress>(context)? {
            progress
        } else {
            let extra = athena_scope(context, "athena.query");
            let sql = sql_text::resolve(lake, context, &params.command, &extra).await.at_param("_command")?;
            let progress = Progress::begin(context, &params, access, sql, first_generation());
            state::write(context, &progress).await?;
            progress
        };
        let Some(query) = progress.query.clone() else {
            let query = LakeQuery {
                sql: progress.sql.clone(),
                database: params.database.clone(),
                token: progress.token.clone(),
                destination: Destination::Keep,
                tables: Vec::new(),
                options: params.query.options()?,
            };
            let started = lake.engine.start(&query).await.map_err(|error| {
                // Athena tells at once of a statement without a form, other engines with the query's end.
                let is_of_statement = matches!(error.kind, ErrorKind::InvalidSql | ErrorKind::UnsupportedSql);
                let error = task_error(error);
                if is_of_statement { error.at_param("_command") } else { error }
            });
            progress.query = Some(started?);
            return state::wait(&progress, pause(0));
        };
        match lake.engine.poll(&query).await.map_err(task_error)? {
            QueryStatus::Queued => {}
            QueryStatus::Running(stats) => {
                context.host.progress(TaskProgress { rows: stats.rows, bytes: stats.scanned_bytes, bytes_total: None });
                let now_ms = context.clock.now().as_millisecond();
                let elapsed = now_ms.saturating_sub(*progress.running_ms.get_or_insert(now_ms));
                let elapsed = Duration::from_millis(u64::try_from(elapsed).unwrap_or(0));
                if let Some(timeout) = timeout.filter(|timeout| elapsed > *timeout) {
                    lake.engine.cancel(&query).await.map_err(task_error)?;
                    progress.begin_anew(context, &params).await?;
                    return Err(timed_out(timeout));
                }
            }
            QueryStatus::Succeeded(stats) => return Ok(done(context, &params, &progress, &query, &stats)),
            QueryStatus::Failed(error) if error.retryable == Retryable::Yes && progress.failures + 1 < FAILURES => {
                context.host.log(&format!("the query failed and is run again: {}", error.message));
                let failures = progress.failures + 1;
                let next = progress.next(context, &params);
                return state::wait(&Progress { failures, ..next }, pause(failures));
            }
            QueryStatus::Failed(error) => {
                progress.begin_anew(context, &params).await?;
                return Err(task_error(error).at_param("_command"));
            }
            QueryStatus::Canceled => {
                progress.begin_anew(context, &params).await?;
                let message = format!("the query {} was cancelled", query.0);
                return Err(TaskError::new(TaskErrorKind::Failed, Retry::AsTold, code::CANCELED, message));
            }
            // The process that ran it is gone: the same token starts it again.
            QueryStatus::Unknown => progress.query = None,
        }
        progress.polls = progress.polls.saturating_add(1);
        state::wait(&progress, pause(progress.polls))
    }

    async fn cancel(&self, context: &TaskContext) -> Result<(), TaskError> {
        let Some(progress) = state::read::<Progress>(context)? else { return Ok(()) };
        let Some(query) = progress.query else { return Ok(()) };
        self.door.open_as(&progress.access).await?.engine.cancel(&query).await.map_err(task_error)
    }

    async fn leave(&self, context: &TaskContext) -> Result<(), TaskError> {
        let Some(progress) = state::read::<Progress>(context)? else { return Ok(()) };
        if let (Some(lake), Some(query)) = (self.door.opened_as(&progress.access), progress.query) {
            left::leave(&lake, context, &query).await;
        }
        Ok(())
    }
}

fn first_generation() -> u32 {
    1
}

impl Progress {
    /// Begins a try.
    fn begin(context: &TaskContext, params: &Params, access: Access, sql: String, generation: u32) -> Self {
        let token = context.token("query", generation, &sql);
        let token = params.token_prefix.as_ref().map_or_else(|| token.clone(), |prefix| format!("{prefix}-{token}"));
        let submitted_ms = context.clock.now().as_millisecond();
        Self { sql, token, query: None, submitted_ms, running_ms: None, polls: 0, generation, failures: 0, access }
    }

    /// Makes the next try: the token of a query that failed would give the failed query again.
    fn next(self, context: &TaskContext, params: &Params) -> Self {
        Self::begin(context, params, self.access, self.sql, self.generation.saturating_add(1))
    }

    /// Stores that the next try, should the task be tried again, runs another query.
    async fn begin_anew(self, context: &TaskContext, params: &Params) -> Result<(), TaskError> {
        state::write(context, &self.next(context, params)).await
    }
}

/// Tells what the query did, and asks for a preview if wanted.
fn done(
    context: &TaskContext,
    params: &Params,
    progress: &Progress,
    query: &QueryId,
    stats: &QueryStats,
) -> TaskOutcome {
    let last_query = json!({
        "id": query.0,
        "database": params.database,
        "workgroup": stats.workgroup.as_ref().or(params.query.workgroup.as_ref()),
        "query": progress.sql,
        "output": stats.output.as_ref().map(ToString::to_string),
        "scan_bytes": stats.scanned_bytes,
        "billed_bytes": stats.billed_bytes,
        "cost_usd": dollars(stats.cost_micro_usd),
        "exec_millis": stats.elapsed_ms,
        "state": "SUCCEEDED",
        "state_change_reason": Value::Null,
        "submitted_at": progress.submitted_ms.div_euclid(1000),
        "completed_at": context.clock.now().as_second(),
    });
    let mut subtasks = Vec::new();
    if params.preview {
        let mut preview = EngineParams::new();
        preview.insert("_command".to_owned(), query.0.clone().into());
        preview.insert("max_rows".to_owned(), PREVIEW_ROWS.into());
        subtasks.push(TaskDef::action("^sub", "athena.preview", preview));
    }
    TaskResult {
        subtasks,
        store: store("last_query", last_query),
        reset: vec![path("last_query")],
        report: TaskReport {
            rows: Some(stats.rows),
            scanned_bytes: Some(stats.scanned_bytes),
            cost_micro_usd: Some(stats.cost_micro_usd).filter(|cost| *cost > 0),
            ..TaskReport::default()
        },
        ..TaskResult::default()
    }
    .done()
}
