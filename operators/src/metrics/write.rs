//! `metrics.write>`: rows of a query become points of a tier.

use std::sync::Arc;
use std::time::Duration;

use engine::operator::{
    ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskProgress, TaskReport, TaskResult,
    TypedOperator,
};
use engine::params::Params as EngineParams;
use futures::TryStreamExt as _;
use lake::query::{Destination, Query, QueryId, QueryOptions, QueryStatus};
use metrics::Merged;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::batch::{BATCH_ROWS, Rows};
use super::door::{MetricsDoor, Opened, tier};
use super::inspect;
use super::output::{number, path, store};
use super::params::TiersParams;
use super::route::Work;
use super::rows::Columns;
use crate::error::{AtParam as _, task_error};
use crate::{sql_text, state};

/// How often a running query is looked at: local ones end in milliseconds, Athena's in seconds.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(20), Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];

/// The operator.
#[derive(Debug)]
pub(crate) struct Write {
    door: Arc<MetricsDoor>,
}

impl Write {
    pub(crate) fn new(door: Arc<MetricsDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `metrics.write>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The tier that takes the points: a store.
    #[serde(rename = "_command")]
    command: String,
    /// The SELECT whose rows are points, or a file (`….sql`) or object (`s3://…`) that holds it: the columns `name`, `timestamp`
    /// (or `ts`, `time`) and `value`. Files of any form become rows by `load>` into a table first.
    query: String,
    /// The database of tables without one.
    #[serde(default)]
    database: Option<String>,
    #[serde(flatten)]
    tiers: TiersParams,
}

/// How far the task is.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    sql: String,
    token: String,
    /// The query's id, once it is known.
    query: Option<QueryId>,
    polls: usize,
}

impl TypedOperator for Write {
    const NAME: &'static str = "metrics.write";
    const SUMMARY: &'static str = "Writes the rows of a query as points into a tier; again and again without harm.";
    const COMMAND: Option<&'static str> = Some("the tier that takes the points");
    const DETAILS: &'static str = "\
The same series, time and value any number of times is one point; of two values of one time `duplicate` in the file of tiers chooses. \
Every value is kept as a double: every \"not a number\" is the same, and −0 is 0. A row with NULL, a time before 1970 or one that is no \
whole millisecond is an error that names the row.

Points that come to a window which is archived already reopen it: the next `metrics.dump>` writes it again, whole, as a new version.

Stores `metrics.last_write`: `rows`, `added`, `same` (times that had the value already), `changed` (times that had another one).";
    const EXAMPLE: &'static str = "\
+write:
  metrics.write>: hot
  query: |
    SELECT host || '.errors' AS name, date_trunc('minute', time) AS timestamp, count(*) AS value
    FROM web.access_log WHERE dt = '${session_date}' AND status >= 500 GROUP BY 1, 2
";

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let mut problems = inspect::task(Some(Work::Write), &["_command"], params, surroundings);
        if let Some(query) = params.get("query").and_then(serde_json::Value::as_str) {
            crate::inspect::sql(&"query".into(), query, surroundings, &mut problems);
        }
        problems
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let named = [("_command", params.command.as_str())];
        let opened = self.door.open(context, &params.tiers, Work::Write, &named).await?;
        let lake = &opened.lake;
        let mut progress = if let Some(progress) = state::read::<Progress>(context)? {
            progress
        } else {
            let sql = sql_text::resolve(lake, context, &params.query, &EngineParams::new()).await.at_param("query")?;
            let token = context.token("query", 1, &sql);
            let progress = Progress { sql, token, query: None, polls: 0 };
            state::write(context, &progress).await?;
            progress
        };
        let Some(id) = progress.query.clone() else {
            let query = Query {
                sql: progress.sql.clone(),
                database: params.database.clone(),
                token: progress.token.clone(),
                destination: Destination::Keep,
                tables: Vec::new(),
                options: QueryOptions::default(),
            };
            progress.query = Some(lake.engine.start(&query).await.map_err(task_error).at_param("query")?);
            return state::wait(&progress, PAUSES[0]);
        };
        match lake.engine.poll(&id).await.map_err(task_error)? {
            QueryStatus::Succeeded(stats) => {
                let (rows, merged) = write(context, &opened, &params.command, &id).await?;
                Ok(done(rows, merged, stats.scanned_bytes))
            }
            QueryStatus::Failed(error) => Err(task_error(error).at_param("query")),
            QueryStatus::Canceled => {
                let message = format!("the query {} was cancelled", id.0);
                Err(task_error(lake::Error::new(lake::ErrorKind::Canceled, "write points", message)))
            }
            QueryStatus::Queued | QueryStatus::Running(_) => {
                progress.polls += 1;
                let pause = PAUSES.get(progress.polls).copied().unwrap_or(PAUSES[PAUSES.len() - 1]);
                state::wait(&progress, pause)
            }
            // The process that ran it is gone: the same token starts it again.
            QueryStatus::Unknown => {
                progress.query = None;
                state::wait(&progress, PAUSES[0])
            }
        }
    }

    async fn cancel(&self, context: &TaskContext) -> Result<(), TaskError> {
        let Some(id) = state::read::<Progress>(context)?.and_then(|progress| progress.query) else { return Ok(()) };
        self.door.lake().await?.engine.cancel(&id).await.map_err(task_error)
    }
}

/// Writes the rows of a result.
async fn write(context: &TaskContext, opened: &Opened, to: &str, id: &QueryId) -> Result<(u64, Merged), TaskError> {
    let to = tier(to)?;
    let rule = opened.config.duplicate;
    let (columns, mut batches) = opened.lake.engine.fetch(id).await.map_err(task_error)?;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let columns = Columns::of(&names).map_err(task_error).at_param("query")?;
    let (mut rows, mut n_rows, mut merged) = (Rows::default(), 0_u64, Merged::default());
    loop {
        let next = batches.try_next().await.map_err(|error| task_error(lake::sql::from_execution(error)))?;
        if let Some(batch) = &next {
            columns.add(batch, n_rows, &mut rows).map_err(task_error).at_param("query")?;
            n_rows += number(batch.num_rows());
        }
        if rows.len() >= BATCH_ROWS || (next.is_none() && rows.len() > 0) {
            let (batch, repeated) = rows.take(rule).map_err(task_error)?;
            merged += repeated;
            merged += opened.metrics.write(&to, &batch, opened.now).await.map_err(task_error)?;
            context.host.progress(TaskProgress { rows: n_rows, bytes: 0, bytes_total: None });
        }
        if next.is_none() {
            return Ok((n_rows, merged));
        }
        if context.cancellation.is_cancelled() {
            return Err(task_error(lake::Error::new(
                lake::ErrorKind::Canceled,
                "write points",
                "the writing was cancelled",
            )));
        }
    }
}

fn done(rows: u64, merged: Merged, scanned_bytes: u64) -> TaskOutcome {
    let last_write = json!({"rows": rows, "added": merged.added, "same": merged.same, "changed": merged.changed});
    TaskResult {
        store: store("last_write", last_write),
        reset: vec![path("last_write")],
        report: TaskReport { rows: Some(rows), scanned_bytes: Some(scanned_bytes), ..TaskReport::default() },
        ..TaskResult::default()
    }
    .done()
}
