//! `load>`: files become partitions of a table, or Parquet files.

mod config_file;

use std::sync::Arc;

use engine::operator::{Published, TaskContext, TaskError, TaskOutcome, TaskReport, TaskResult, TypedOperator};
use engine::params::{ParamPath, Params as EngineParams};
use lake::load::{self, LoadConfig, LoadControl, LoadReport, LoadState, LoadToken};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

pub use config_file::read_config;

use crate::door::LakeDoor;
use crate::error::task_error;
use crate::state;

/// The operator.
#[derive(Debug)]
pub(crate) struct Load {
    door: Arc<LakeDoor>,
}

impl Load {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `load>`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The file that says what to load, or the mapping itself.
    #[serde(rename = "_command")]
    command: Source,
}

/// Where the config of a load stands.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Source {
    /// In a YAML file of the project, relative to the task's folder. Every value in it may hold `${…}`.
    File(String),
    /// In the workflow.
    Inline(Box<LoadConfig>),
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if let Value::String(path) = value {
            return Ok(Self::File(path));
        }
        let config = LoadConfig::deserialize(value).map_err(D::Error::custom)?;
        let problems: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
        if problems.is_empty() {
            Ok(Self::Inline(Box::new(config)))
        } else {
            Err(D::Error::custom(problems.join("; ")))
        }
    }
}

/// How far the task is.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    /// The name of the config in messages and in the rejected lines' table.
    name: String,
    state: LoadState,
}

impl TypedOperator for Load {
    const NAME: &'static str = "load";
    const SUMMARY: &'static str = "Loads files into a table of the lake, or into Parquet files.";
    const COMMAND: Option<&'static str> = Some("the file that says what to load, or the mapping itself");
    const DETAILS: &'static str = "\
The config has Embulk's shape: `in` (where the bytes come from, and a `parser`), `filters`, `out` (where the rows go), and \
`max_rejected`. Embulk's own keys are accepted where they mean the same.

Lines that cannot be read are never dropped without a word: they are counted, and kept in the table `<table>__rejected` with \
file, line number, reason and the line itself. Over `max_rejected` (default 0) the task fails with exit code 3 and nothing is \
published.

What is written becomes visible at once, partition by partition, when all of it is written and checked. A load that is stopped \
goes on where it was; running it again for the same session replaces what it wrote.

Stores `load.last_load`: `database`, `table`, `rows`, `rejected`, `skipped`, `files`, `bytes_read`, and `partitions`, a list of the \
partitions that were published as `{key: value}`.

IAM actions on AWS: `s3:ListBucket`, `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject`, `glue:GetDatabase`, `glue:CreateDatabase`, \
`glue:GetTable`, `glue:CreateTable`, `glue:UpdateTable`, `glue:GetPartition`, `glue:GetPartitions`, `glue:CreatePartition`, \
`glue:UpdatePartition`, `glue:DeletePartition`.";
    const EXAMPLE: &'static str = "\
+load:
  load>:
    in:
      type: file
      path: logs/access-${session_date}*.gz
      parser: {type: apache_combined}
    out:
      type: table
      database: web
      table: access_log
      partition_by: {dt: \"date_format(time, '%Y-%m-%d')\"}
      mode: replace_partitions
    max_rejected: 0.1%
";

    type Params = Params;

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let lake = self.door.open().await?;
        let mut progress = if let Some(progress) = state::read::<Progress>(context)? {
            progress
        } else {
            let config = match params.command {
                Source::Inline(config) => *config,
                Source::File(path) => config_file::load(context, &path).await?,
            };
            // The session, not the attempt, names what a load adds: running it again replaces it.
            let scope = format!("{}@{}", context.task_name, context.session_time.strftime("%Y-%m-%dT%H:%M:%S%:z"));
            let token = LoadToken { token: context.token("load", 1, &scope), scope: scope.clone() };
            let state = load::plan(&config, lake, token, &context.work_dir).await.map_err(task_error)?;
            let progress = Progress { name: scope, state };
            state::write(context, &progress).await?;
            progress
        };
        let host = Arc::clone(&context.host);
        let control = LoadControl {
            progress: Arc::new(move |progress| host.progress(progress.rows, progress.bytes_read)),
            cancel: context.cancellation.clone(),
        };
        loop {
            if let Some(report) = progress.state.report() {
                return Ok(done(context, report));
            }
            progress.state = load::advance(lake, progress.state, &control).await.map_err(task_error)?;
            state::write(context, &progress).await?;
        }
    }

    async fn cancel(&self, context: &TaskContext) -> Result<(), TaskError> {
        // The work runs inside the step and ends with it; what it wrote and did not publish is given up here.
        let Some(progress) = state::read::<Progress>(context)? else { return Ok(()) };
        load::give_up(self.door.open().await?, &progress.state).await.map_err(task_error)
    }
}

/// Tells what the load did.
fn done(context: &TaskContext, report: &LoadReport) -> TaskOutcome {
    for line in &report.first_rejected {
        context.host.log(&format!("rejected: {line}"));
    }
    let last_load = json!({
        "database": report.database,
        "table": report.table,
        "rows": report.rows,
        "rejected": report.rejected,
        "skipped": report.skipped,
        "files": report.files,
        "bytes_read": report.bytes_read,
        "partitions": report.published.iter().map(|part| &part.partition).filter(|pairs| !pairs.is_empty()).collect::<Vec<_>>(),
    });
    let mut store = EngineParams::new();
    store.insert("load".to_owned(), json!({"last_load": last_load}));
    let published = report.published.iter().chain(&report.rejected_kept).map(|part| Published {
        table: part.table.clone().unwrap_or_default(),
        partition: part.partition.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("/"),
        rows: part.rows,
        bytes: part.bytes,
        location: part.location.clone(),
    });
    TaskResult {
        store,
        reset: vec![ParamPath("load.last_load".to_owned())],
        report: TaskReport {
            rows: Some(report.rows),
            bytes: Some(report.published.iter().map(|part| part.bytes).sum()),
            scanned_bytes: Some(report.bytes_read),
            rejected: Some(report.rejected),
            published: published.collect(),
        },
        ..TaskResult::default()
    }
    .done()
}
