//! `athena.ctas>`: creates a table as a SELECT, or replaces it, so that readers see the old one or the new one, whole.

use std::sync::Arc;

use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use engine::params::Params as EngineParams;
use lake::Lake;
use lake::name::Location;
use lake::publish::{Contents, PublishOptions, PublishOutcome, PublishRequest, RowLimits, SaveMode, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::checks;
use super::format::{CompressionName, FormatName, format};
use super::job::{self, Job, Progress};
use super::options::{WritingParams, athena_scope, problem};
use super::output::{dollars, path, store};
use crate::door::LakeDoor;
use crate::error::AtParam as _;
use crate::partition::table_name;
use crate::{inspect, sql_text, state};

/// How long a default table name is: `suiro_` and 18 characters of the task's token.
const DEFAULT_NAME_CHARS: usize = 24;

/// The operator.
#[derive(Debug)]
pub(crate) struct Ctas {
    door: Arc<LakeDoor>,
}

impl Ctas {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `athena.ctas>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The SELECT, or a file (`….sql`) or object (`s3://…`) that holds it. `${…}` in a file is evaluated too.
    #[serde(rename = "_command")]
    command: String,
    /// The database. It is made when it is not there.
    #[serde(default = "default_database")]
    database: String,
    /// The table. Without it a name made of the task, the same on every retry.
    #[serde(default)]
    table: Option<String>,
    /// What to do when the table exists already.
    #[serde(default)]
    save_mode: SaveModeName,
    /// What is made.
    #[serde(default)]
    table_mode: TableMode,
    /// Where the table's versions go: `<location>--versions/…`. With `table_mode: data_only`, where the objects go themselves.
    #[serde(default)]
    location: Option<String>,
    /// Columns that become partition keys; they must be the last of the SELECT, in this order. More than 100 partitions, which one
    /// query may not write, are written by several.
    #[serde(default)]
    partitioned_by: Vec<String>,
    /// SELECTs, or files of them, that must return no rows. They run on the new version before anyone sees it: the table
    /// `new_version` holds its rows.
    #[serde(default)]
    checks: Vec<String>,
    /// The fewest rows that may be published.
    #[serde(default)]
    min_rows: Option<u64>,
    /// The format.
    #[serde(default)]
    format: Option<FormatName>,
    /// The compression of what is written; `zstd` unless given, and `gzip` of JSON and text. Without `format` it is one of Parquet's.
    #[serde(default)]
    compression: Option<CompressionName>,
    /// What it shares with its sibling.
    #[serde(flatten)]
    writing: WritingParams,
}

/// The default of `database`.
fn default_database() -> String {
    "default".to_owned()
}

/// What to do when the table exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SaveModeName {
    /// Fail, as Athena does.
    None,
    /// Fail.
    ErrorIfExists,
    /// Leave it, and run nothing.
    Ignore,
    /// Replace it by one catalog call.
    #[default]
    Overwrite,
}

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TableMode {
    /// The table with its rows.
    #[default]
    Default,
    /// The table without rows.
    Empty,
    /// The objects without a table, at `location`; `save_mode` is about what lies there.
    DataOnly,
}

impl TypedOperator for Ctas {
    const NAME: &'static str = "athena.ctas";
    const SUMMARY: &'static str = "Creates a table of what a SELECT returns, or replaces it.";
    const COMMAND: Option<&'static str> = Some("the SELECT, or a `.sql` file or `s3://` object that holds it");
    const DETAILS: &'static str = "\
A reader of the table sees it as it was or as it is now, whole: the SELECT is written below a fresh prefix where nobody looks, \
its objects and rows are counted, `checks` run on it, and then one catalog call makes the table or points it to the new version. \
The version before is kept for the retention (24 hours unless set).

More than 100 partitions are written in batches of up to 100, one query after the other. The SELECT itself runs once: its rows are \
written aside, and the batches come from there, so that they are of one result whatever it is made of. Readers see all of them at \
once, as ever.

| `save_mode` | table exists | not |
|---|---|---|
| `overwrite` | replaced | created |
| `ignore` | left, nothing runs | created |
| `error_if_exists`, `none` | the task fails | created |

Stores `athena.last_ctas`: `database`, `table`, `location`, `rows`, `bytes`, `scan_bytes`, `billed_bytes`, `cost_usd` (of all its queries, the checks too), `query_id`.

After a crash the task goes on where it stopped, under the same names. Differences from digdag-operator-athena: the old table and \
its data are not destroyed before the SELECT has run; the default name has nothing random in it; objects that lie at `location` \
without a table are no table.

IAM actions on AWS: `athena:StartQueryExecution`, `athena:GetQueryExecution`, `athena:StopQueryExecution`, `glue:GetTable`, \
`glue:CreateTable`, `glue:UpdateTable`, `s3:ListBucket`, `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject`; for the temporary tables of \
`checks` and of buckets `glue:DeleteTable`.";
    const EXAMPLE: &'static str = "\
+visitors:
  athena.ctas>: |
    SELECT remote_host, count(*) AS requests, max(dt) AS dt
    FROM access_log GROUP BY remote_host
  database: web
  table: visitors
  partitioned_by: [dt]
";
    const DEFAULTS: &'static [&'static str] = &[super::DEFAULTS, "athena.ctas"];
    const WORKS_ELSEWHERE: bool = true;

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        inspect::select(params, surroundings, &self.door)
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let access = params.writing.query().access()?;
        let lake = &self.door.open_as(&access).await?;
        let timeout = params.writing.query().timeout()?;
        match Box::pin(Job::step(lake, context, timeout, access, request(lake, context, &params))).await? {
            Progress::Wait(job, after) => state::wait(&job, after),
            Progress::Done(outcome) => Ok(done(context, &params, &outcome)),
        }
    }

    async fn cancel(&self, context: &TaskContext) -> Result<(), TaskError> {
        Job::cancel_of(&self.door, context).await
    }

    async fn leave(&self, context: &TaskContext) -> Result<(), TaskError> {
        Job::leave_of(&self.door, context).await
    }
}

/// Says what is asked for, with every file read and every template rendered.
async fn request(lake: &Lake, context: &TaskContext, params: &Params) -> Result<PublishRequest, TaskError> {
    refuse(params)?;
    let table_text = params.table.clone().unwrap_or_else(|| {
        let token = context.token("table", 1, "").replace('-', "_");
        token.chars().take(DEFAULT_NAME_CHARS).collect()
    });
    let table = table_name(&params.database, &table_text)?;
    let extra = athena_scope(context, "athena.ctas");
    let sql = sql_text::resolve(lake, context, &params.command, &extra).await.at_param("_command")?;
    let location = match &params.location {
        Some(text) => Some(Location::parse(text).map_err(|error| problem("location", error.message))?.as_prefix()),
        None => None,
    };
    let options = PublishOptions {
        save_mode: match params.save_mode {
            SaveModeName::Overwrite => SaveMode::Overwrite,
            SaveModeName::Ignore => SaveMode::SkipIfExists,
            SaveModeName::ErrorIfExists | SaveModeName::None => SaveMode::ErrorIfExists,
        },
        location,
        format: format(params.format, params.compression, params.writing.field_delimiter())?,
        buckets: params.writing.buckets()?,
        contents: if params.table_mode == TableMode::Empty { Contents::Nothing } else { Contents::Rows },
        limits: RowLimits { min_rows: params.min_rows, ..RowLimits::default() },
        checks: checks::resolve(lake, context, &params.checks, &extra).await?,
        create_table: true,
        register: params.table_mode != TableMode::DataOnly,
        ..PublishOptions::default()
    };
    let partitioned_by = params.partitioned_by.iter().map(|name| name.to_lowercase()).collect();
    Ok(PublishRequest {
        database: Some(table.database.clone()),
        target: Target::Table { table, partitioned_by },
        sql,
        options,
        attempt: context.attempt_id.to_string(),
        token: context.token("publish", 1, ""),
        query: params.writing.query().options()?,
    })
}

/// Refuses options that do not fit together.
fn refuse(params: &Params) -> Result<(), TaskError> {
    if params.table_mode == TableMode::DataOnly && params.location.is_none() {
        let message = "`table_mode: data_only` needs a `location`: nothing else names its objects";
        return Err(problem("table_mode", message.to_owned()));
    }
    Ok(())
}

/// Tells what was made.
fn done(context: &TaskContext, params: &Params, outcome: &PublishOutcome) -> TaskOutcome {
    let last_ctas = json!({
        "database": outcome.table.database,
        "table": outcome.table.table,
        "location": outcome.location.as_ref().map(ToString::to_string),
        "rows": outcome.stats.rows,
        "bytes": outcome.stats.written_bytes,
        "scan_bytes": outcome.stats.scanned_bytes,
        "billed_bytes": outcome.stats.billed_bytes,
        "cost_usd": dollars(outcome.stats.cost_micro_usd),
        "query_id": outcome.query_id.as_ref().map(|id| id.0.clone()),
    });
    let mut report = job::report(context, outcome, "");
    if params.table_mode == TableMode::DataOnly {
        // Nothing that a query could look at.
        report.published.clear();
    }
    TaskResult { store: store("last_ctas", last_ctas), reset: vec![path("last_ctas")], report, ..TaskResult::default() }
        .done()
}
