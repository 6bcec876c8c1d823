//! `metrics.write>`: rows of a query or of an input become points of a tier.

mod input;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use engine::operator::{
    ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskProgress, TaskReport, TaskResult,
    TypedOperator,
};
use engine::params::Params as EngineParams;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use lake::load::config::{InputConfig, MaxRejected};
use lake::query::{Destination, Query, QueryId, QueryOptions, QueryStatus};
use metrics::Merged;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batch::{BATCH_ROWS, Rows};
use super::door::{MetricsDoor, Opened, tier};
use super::inspect;
use super::output::{number, path, store};
use super::params::TiersParams;
use super::route::Work;
use super::rows::{Columns, InputColumns};
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
    /// (or `ts`, `time`) and `value`.
    #[serde(default)]
    query: Option<String>,
    /// In place of `query`: the files whose rows are points, with their `parser`, as `load>` has it.
    // It is read when the task begins, so that its problems have their places.
    #[serde(default, rename = "in")]
    #[schemars(with = "Option<InputConfig>")]
    input: Option<Value>,
    /// Of `in`: which columns are a point; others are passed over.
    #[serde(default)]
    columns: Option<InputColumns>,
    /// Of `in`: how many lines that cannot be read, or are no points, may be left out and kept apart, as `load>` has it: `10` or
    /// `0.1%`. Not given: one such line is an error.
    #[serde(default)]
    #[schemars(with = "Option<MaxRejected>")]
    max_rejected: Option<Value>,
    /// The database of tables without one.
    #[serde(default)]
    database: Option<String>,
    #[serde(flatten)]
    tiers: TiersParams,
}

/// How far the task is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Progress {
    Query(Box<QueryProgress>),
    Input(Box<input::Progress>),
}

/// How far a query is.
#[derive(Debug, Serialize, Deserialize)]
struct QueryProgress {
    sql: String,
    token: String,
    /// The query's id, once it is known.
    query: Option<QueryId>,
    polls: usize,
}

impl TypedOperator for Write {
    const NAME: &'static str = "metrics.write";
    const SUMMARY: &'static str =
        "Writes the rows of a query or of files as points into a tier; again and again without harm.";
    const COMMAND: Option<&'static str> = Some("the tier that takes the points");
    const DETAILS: &'static str = "\
The same series, time and value any number of times is one point; of two values of one time `duplicate` in the file of tiers chooses. \
Every value is kept as a double: every \"not a number\" is the same, and −0 is 0. A row with NULL, a time before 1970 or one that is no \
whole millisecond is an error that names the row.

With `in`, files are read as by `load>`: the same inputs and parsers, guessed columns, gzip and zstd. A line that cannot be read, or whose \
row is no point, is an error that names the first ten as `file:line: reason`; with `max_rejected` such lines are kept in \
`<table>__rejected` of the points' `parquet` tier, as by `load>`, and more of them fail with exit code 3. All of the input is read before \
the first point is written, so that nothing is written of an input that is refused.

Points that come to a window which is archived already reopen it: the next `metrics.dump>` writes it again, whole, as a new version.

Stores `metrics.last_write`: `rows`, `added`, `same` (times that had the value already), `changed` (times that had another one); of \
an input also `rejected`, `skipped`, `files` and `bytes_read`.";
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
        problems.extend(input::one_source(params));
        problems.extend(input::inspect(params, inspect::known(params, surroundings).as_ref()));
        if let Some(query) = params.get("query").and_then(serde_json::Value::as_str) {
            crate::inspect::sql(&"query".into(), query, surroundings, self.door.lake_door(), &mut problems);
        }
        problems
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let named = [("_command", params.command.as_str())];
        let opened = self.door.open(context, &params.tiers, Work::Write, &named).await?;
        let found = state::read::<Progress>(context)?;
        let Some(sql) = &params.query else {
            let found = match found {
                Some(Progress::Input(progress)) => Some(*progress),
                _ => None,
            };
            return Box::pin(input::Progress::run(context, &opened, &params, found)).await;
        };
        let lake = &opened.lake;
        let mut progress = if let Some(Progress::Query(progress)) = found {
            *progress
        } else {
            let sql = sql_text::resolve(lake, context, sql, &EngineParams::new()).await.at_param("query")?;
            let token = context.token("query", 1, &sql);
            let progress = QueryProgress { sql, token, query: None, polls: 0 };
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
                let (columns, batches) = lake.engine.fetch(&id).await.map_err(task_error)?;
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                let columns = Columns::of(&names).map_err(task_error).at_param("query")?;
                let batches = batches.map_err(|error| task_error(lake::sql::from_execution(error))).boxed();
                let written = write_rows(context, &opened, &params.command, (columns, "query"), batches).await?;
                let report = TaskReport { scanned_bytes: Some(stats.scanned_bytes), ..TaskReport::default() };
                Ok(done(written, EngineParams::new(), report))
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
        match state::read::<Progress>(context)? {
            Some(Progress::Query(progress)) => {
                let Some(id) = progress.query else { return Ok(()) };
                self.door.lake().await?.engine.cancel(&id).await.map_err(task_error)
            }
            Some(Progress::Input(progress)) => progress.cancel(self.door.lake().await?).await,
            None => Ok(()),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Written {
    rows: u64,
    added: u64,
    same: u64,
    changed: u64,
}

/// Writes rows as points; a row that is none is the fault of a parameter.
async fn write_rows(
    context: &TaskContext,
    opened: &Opened,
    to: &str,
    (columns, param): (Columns, &str),
    mut batches: BoxStream<'_, Result<RecordBatch, TaskError>>,
) -> Result<Written, TaskError> {
    let to = tier(to)?;
    let rule = opened.config.duplicate;
    let (mut rows, mut n_rows, mut merged) = (Rows::default(), 0_u64, Merged::default());
    loop {
        let next = batches.try_next().await?;
        if let Some(batch) = &next {
            columns.add(batch, n_rows, &mut rows).map_err(task_error).at_param(param)?;
            n_rows += number(batch.num_rows());
        }
        if rows.len() >= BATCH_ROWS || (next.is_none() && rows.len() > 0) {
            let (batch, repeated) = rows.take(rule).map_err(task_error)?;
            merged += repeated;
            merged += opened.write(context, &to, &batch).await?;
            context.host.progress(TaskProgress { rows: n_rows, bytes: 0, bytes_total: None });
        }
        if next.is_none() {
            return Ok(Written { rows: n_rows, added: merged.added, same: merged.same, changed: merged.changed });
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

/// Tells what was written; `more` of it stands beside the figures.
fn done(written: Written, more: EngineParams, report: TaskReport) -> TaskOutcome {
    let mut last_write = EngineParams::new();
    for (key, value) in
        [("rows", written.rows), ("added", written.added), ("same", written.same), ("changed", written.changed)]
    {
        last_write.insert(key.to_owned(), json!(value));
    }
    last_write.extend(more);
    TaskResult {
        store: store("last_write", json!(last_write)),
        reset: vec![path("last_write")],
        report: TaskReport { rows: Some(written.rows), ..report },
        ..TaskResult::default()
    }
    .done()
}
