//! `athena.apas>`: adds a partition as a SELECT, or replaces it, so that readers see the old one or the new one, whole.

use std::sync::Arc;

use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use engine::params::Params as EngineParams;
use lake::Lake;
use lake::name::Location;
use lake::publish::{
    Format, OnEmpty, OnMissingColumn, OnSchemaChange, PublishMode, PublishOptions, PublishOutcome, PublishRequest,
    PublishResult, RowLimits, SaveMode, Target,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::checks;
use super::format::{CompressionName, FormatName, compressed, format};
use super::job::{self, Job, Progress};
use super::options::{WritingParams, athena_scope, buckets, problem};
use super::output::{dollars, path, store};
use crate::door::LakeDoor;
use crate::error::{AtParam as _, task_error};
use crate::partition::{PartitionKv, Use, check_values_for, table_name};
use crate::{inspect, sql_text, state};

/// The operator.
#[derive(Debug)]
pub(crate) struct Apas {
    door: Arc<LakeDoor>,
}

impl Apas {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `athena.apas>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The SELECT, or a file (`….sql`) or object (`s3://…`) that holds it. `${…}` in a file is evaluated too.
    #[serde(rename = "_command")]
    command: String,
    /// The database. It is made when it is not there.
    database: String,
    /// The table. It is made when it is not there: its columns are those of the SELECT, its partition keys (text) those of
    /// `partition_kv`.
    table: String,
    /// The partition's values by key: `{dt: "${session_date}"}`. All keys of the table and no other; a value without `/`, `..`
    /// and control characters.
    partition_kv: PartitionKv,
    /// What to do when the partition is registered already.
    #[serde(default)]
    save_mode: SaveModeName,
    /// SELECTs, or files of them, that must return no rows. They run before anyone sees the new version: the table
    /// `new_version` holds its rows alone. One row, and nothing is published.
    #[serde(default)]
    checks: Vec<String>,
    /// The fewest rows that may be published.
    #[serde(default)]
    min_rows: Option<u64>,
    /// By how many per cent the rows may fall from the version before.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    max_drop_percent: Option<u8>,
    /// What to do when the SELECT returns no rows.
    #[serde(default)]
    on_empty: OnEmptyName,
    /// What to do when the SELECT has columns that the table has not.
    #[serde(default)]
    on_schema_change: SchemaChange,
    /// Fill columns of the table that the SELECT has not with NULL.
    #[serde(default)]
    null_fill: bool,
    /// The same as `on_schema_change: ignore` with `null_fill: true`; digdag-operator-athena's word.
    #[serde(default)]
    ignore_schema_diff: bool,
    /// `version` writes a new version and flips the partition to it by one catalog call. `in_place` replaces the objects at the
    /// partition's path, for readers that go by path: they can meet it half done, and the log says so.
    #[serde(default)]
    #[schemars(extend("default" = "version"))]
    publish: Option<Publish>,
    /// Where the partition's objects go with `publish: in_place`; naming a place means `in_place`. Without it
    /// `TABLE LOCATION/key=value/…`.
    #[serde(default)]
    location: Option<String>,
    /// Where versions go; beside the table, `TABLE LOCATION--versions/`, unless given.
    #[serde(default)]
    version_location: Option<String>,
    /// The format; the table's unless given.
    #[serde(default)]
    format: Option<FormatName>,
    /// The compression of what is written; `zstd` unless given, and `gzip` of JSON and text. Without `format` it is one of the table's
    /// format; of Parquet's for a new table.
    #[serde(default)]
    compression: Option<CompressionName>,
    /// What it shares with its sibling.
    #[serde(flatten)]
    writing: WritingParams,
}

/// What to do when the partition is registered already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SaveModeName {
    /// Replace it.
    #[default]
    Overwrite,
    /// Leave it, and run nothing.
    SkipIfExists,
    /// Fail.
    ErrorIfExists,
}

/// What to do with a result without rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnEmptyName {
    /// Publish it: "ran, and found nothing" can be told from "never ran".
    #[default]
    Publish,
    /// Fail.
    Error,
    /// Leave what is there.
    Skip,
    /// Drop the partition.
    Drop,
}

/// What to do with columns that the table has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SchemaChange {
    /// Fail, with every difference.
    #[default]
    Fail,
    /// Add them to the table.
    Append,
    /// Leave them out.
    Ignore,
}

/// How a partition becomes visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Publish {
    /// By pointing to a new version.
    Version,
    /// By replacing objects.
    InPlace,
}

impl TypedOperator for Apas {
    const NAME: &'static str = "athena.apas";
    const SUMMARY: &'static str = "Publishes what a SELECT returns as a partition of a table.";
    const COMMAND: Option<&'static str> = Some("the SELECT, or a `.sql` file or `s3://` object that holds it");
    const DETAILS: &'static str = "\
A reader of the table sees the partition as it was or as it is now, whole: the SELECT is written below a fresh prefix where \
nobody looks, its objects and rows are counted, `checks` run on it, and then one catalog call points the partition to it. The \
version before is kept for the retention (24 hours unless set), for queries that still read it and for `suiro partition undo`.

The columns of the SELECT are compared with the table's before anything is written, all differences are reported at once, and \
the rows are written in the table's order and types, and in its format, delimiter and buckets. Tables of other SerDes than Parquet's, ORC's, \
Avro's, Hive's JSON and delimited text, and text with a header or with separators of its own, are not written: `format` says then \
which format the partition has.

| `save_mode` | partition registered | not registered |
|---|---|---|
| `overwrite` | replaced | added |
| `skip_if_exists` | left, nothing runs | added |
| `error_if_exists` | the task fails | added |

Loose objects at the path are no partition: they change none of this.

Stores `athena.last_apas`: `database`, `table`, `partition`, `location`, `rows`, `bytes`, `scan_bytes`, `billed_bytes`, `cost_usd` (of all its queries, the checks too), `query_id`, `published` \
(false when `on_empty` left it).

After a crash the task goes on where it stopped, under the same names. Differences from digdag-operator-athena: nothing is \
deleted before the new partition stands; the table is made when it is missing; there is no time limit unless `timeout` sets one.

IAM actions on AWS: `athena:StartQueryExecution`, `athena:GetQueryExecution`, `athena:StopQueryExecution`, `glue:GetTable`, \
`glue:CreateTable`, `glue:GetPartition`, `glue:CreatePartition`, `glue:UpdatePartition`, `s3:ListBucket`, `s3:GetObject`, \
`s3:PutObject`, `s3:DeleteObject`; for the temporary tables of \
`checks` and of buckets `glue:DeleteTable`.";
    const EXAMPLE: &'static str = "\
+summary:
  athena.apas>: |
    SELECT status, count(*) AS requests
    FROM access_log WHERE dt = '${session_date}'
    GROUP BY status
  database: web
  table: daily_summary
  partition_kv: {dt: \"${session_date}\"}
  checks:
    - SELECT status FROM new_version WHERE requests < 1
";
    const DEFAULTS: &'static [&'static str] = &[super::DEFAULTS, "athena.apas"];
    const WORKS_ELSEWHERE: bool = true;

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let has_no_key = params.get("partition_kv").and_then(Value::as_object).is_some_and(EngineParams::is_empty);
        let mut problems = inspect::select(params, surroundings, &self.door);
        problems.extend(if has_no_key { no_key().params } else { Vec::new() });
        problems
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let access = params.writing.query().access()?;
        let lake = &self.door.open_as(&access).await?;
        let timeout = params.writing.query().timeout()?;
        match Box::pin(Job::step(lake, context, timeout, access, request(lake, context, &params))).await? {
            Progress::Wait(job, after) => state::wait(&job, after),
            Progress::Done(outcome) => Ok(done(context, &outcome)),
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
    let table = table_name(&params.database, &params.table)?;
    check_values_for(lake, &table, &params.partition_kv, Use::Write).await?;
    let extra = athena_scope(context, "athena.apas");
    let sql = sql_text::resolve(lake, context, &params.command, &extra).await.at_param("_command")?;
    let mode = mode(params.publish, params.location.is_some());
    if mode == PublishMode::InPlace {
        context.host.log("publishing in place: readers that go by path can meet the partition half done");
    }
    let written = match (params.format, params.compression) {
        // The compression is one of the table's format, which stays.
        (None, Some(_)) => {
            format(None, None, params.writing.field_delimiter())?;
            let standing = lake.catalog.table(&table).await.map_err(task_error)?;
            let format = standing.and_then(|table| Format::of_table(&table).ok()).unwrap_or_default();
            Some(compressed(format, params.compression)?)
        }
        _ => format(params.format, params.compression, params.writing.field_delimiter())?,
    };
    let (on_schema_change, on_missing_column) =
        schema_options(params.on_schema_change, params.null_fill, params.ignore_schema_diff);
    let options = PublishOptions {
        save_mode: match params.save_mode {
            SaveModeName::Overwrite => SaveMode::Overwrite,
            SaveModeName::SkipIfExists => SaveMode::SkipIfExists,
            SaveModeName::ErrorIfExists => SaveMode::ErrorIfExists,
        },
        on_empty: match params.on_empty {
            OnEmptyName::Publish => OnEmpty::Publish,
            OnEmptyName::Error => OnEmpty::Error,
            OnEmptyName::Skip => OnEmpty::Skip,
            OnEmptyName::Drop => OnEmpty::Drop,
        },
        on_schema_change,
        on_missing_column,
        mode,
        version_location: location("version_location", params.version_location.as_deref())?,
        location: location("location", params.location.as_deref())?,
        format: written,
        buckets: params.writing.buckets()?,
        limits: RowLimits { min_rows: params.min_rows, max_drop_percent: params.max_drop_percent },
        checks: checks::resolve(lake, context, &params.checks, &extra).await?,
        create_table: true,
        ..PublishOptions::default()
    };
    let values = params.partition_kv.iter().map(|(key, value)| (key.to_lowercase(), value.clone())).collect();
    Ok(PublishRequest {
        database: Some(table.database.clone()),
        target: Target::Partition { table, values },
        sql,
        options,
        attempt: context.attempt_id.to_string(),
        token: context.token("publish", 1, ""),
        query: params.writing.query().options()?,
    })
}

/// Says what is done about columns that differ.
fn schema_options(change: SchemaChange, null_fill: bool, ignore: bool) -> (OnSchemaChange, OnMissingColumn) {
    let on_schema_change = match change {
        _ if ignore => OnSchemaChange::Ignore,
        SchemaChange::Fail => OnSchemaChange::Fail,
        SchemaChange::Append => OnSchemaChange::Append,
        SchemaChange::Ignore => OnSchemaChange::Ignore,
    };
    (on_schema_change, if ignore || null_fill { OnMissingColumn::NullFill } else { OnMissingColumn::Fail })
}

/// Decides how it is published: naming a place means in place.
fn mode(publish: Option<Publish>, has_location: bool) -> PublishMode {
    match (publish, has_location) {
        (Some(Publish::Version), _) | (None, false) => PublishMode::Versioned,
        (Some(Publish::InPlace), _) | (None, true) => PublishMode::InPlace,
    }
}

/// What of the parameters decides which columns, and which tables, fit.
#[derive(Debug, Deserialize)]
struct SchemaParams {
    #[serde(default)]
    on_schema_change: SchemaChange,
    #[serde(default)]
    null_fill: bool,
    #[serde(default)]
    ignore_schema_diff: bool,
    #[serde(default)]
    publish: Option<Publish>,
    #[serde(default)]
    location: Option<String>,
    #[serde(default)]
    format: Option<FormatName>,
    #[serde(default)]
    bucketed_by: Vec<String>,
    #[serde(default)]
    bucket_count: Option<u32>,
}

/// Reads the options that decide which columns and tables fit, for a plan; none when they are not known yet or wrong, which is said elsewhere.
pub(crate) fn planned_options(params: &EngineParams) -> Option<PublishOptions> {
    let params = serde_json::from_value::<SchemaParams>(Value::Object(params.clone())).ok()?;
    let (on_schema_change, on_missing_column) =
        schema_options(params.on_schema_change, params.null_fill, params.ignore_schema_diff);
    let mode = mode(params.publish, params.location.is_some());
    let format = format(params.format, None, None).ok()?;
    let buckets = buckets(&params.bucketed_by, params.bucket_count).ok()?;
    Some(PublishOptions { on_schema_change, on_missing_column, mode, format, buckets, ..PublishOptions::default() })
}

/// Says that a partition has a key.
fn no_key() -> TaskError {
    problem("partition_kv", "expected at least one partition key".to_owned())
}

/// Refuses options that do not fit together.
fn refuse(params: &Params) -> Result<(), TaskError> {
    if params.partition_kv.is_empty() {
        return Err(no_key());
    }
    if params.publish == Some(Publish::Version) && params.location.is_some() {
        let message = "a version has a place of its own: leave out `location`, or say `publish: in_place`";
        return Err(problem("location", message.to_owned()));
    }
    Ok(())
}

/// Reads a location.
fn location(path: &str, text: Option<&str>) -> Result<Option<Location>, TaskError> {
    text.map(|text| Location::parse(text).map_err(|error| problem(path, error.message))).transpose()
}

/// Tells what was published.
fn done(context: &TaskContext, outcome: &PublishOutcome) -> TaskOutcome {
    let pairs = outcome.partition.iter().map(|(key, value)| format!("{key}={value}"));
    let partition = pairs.collect::<Vec<_>>().join("/");
    let last_apas = json!({
        "database": outcome.table.database,
        "table": outcome.table.table,
        "partition": partition,
        "location": outcome.location.as_ref().map(ToString::to_string),
        "rows": outcome.stats.rows,
        "bytes": outcome.stats.written_bytes,
        "scan_bytes": outcome.stats.scanned_bytes,
        "billed_bytes": outcome.stats.billed_bytes,
        "cost_usd": dollars(outcome.stats.cost_micro_usd),
        "query_id": outcome.query_id.as_ref().map(|id| id.0.clone()),
        "published": outcome.result == PublishResult::Published,
    });
    TaskResult {
        store: store("last_apas", last_apas),
        reset: vec![path("last_apas")],
        report: job::report(context, outcome, &partition),
        ..TaskResult::default()
    }
    .done()
}
