//! `load>`: files become partitions of a table, or Parquet files.

mod config_file;
mod inspect;

use std::sync::Arc;
use std::time::Duration;

use engine::diagnostic::code;
use engine::operator::error::Retry;
use engine::operator::{
    ParamProblem, Published, Surroundings, TaskContext, TaskError, TaskErrorKind, TaskOutcome, TaskProgress,
    TaskReport, TaskResult, TypedOperator,
};
use engine::params::{ParamPath, Params as EngineParams};
use lake::load::{self, LoadConfig, LoadControl, LoadReport, LoadState, LoadToken, PublishedPart};
use lake::words::counted;
use lake::{Lake, Place};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

pub(crate) use config_file::inline as read_inline_config;
pub use config_file::{config_error, read_config};

use crate::door::LakeDoor;
use crate::error::{AtParam as _, task_error};
use crate::{config, state};

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
    // It is read when the load begins, so that its problems have their places.
    Inline(#[schemars(with = "LoadConfig")] Value),
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(path) => Self::File(path),
            config => Self::Inline(config),
        })
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

A line that cannot be read is never dropped without a word: the message and the task's log name the first ten as \
`file:line: reason`, and `max_rejected` says what happens.

| `max_rejected` | lines that cannot be read | the task |
|---|---|---|
| not given | are an error of the input, as a truncated archive is | fails with exit code 2, nothing is published or kept |
| given, and no more of them | are kept in the table `<table>__rejected` | publishes the other rows |
| given, and more of them | are kept in the table `<table>__rejected` | fails with exit code 3, nothing is published |

`<table>__rejected` has the columns `file`, `line_number`, `reason` and `line`, and the partition key `load`, the task and session \
(with `suiro load run`, the config's file and the parameters). Running the same load again replaces its rejected lines.

What is written becomes visible at once, all partitions together, when all of it is written and checked. A load that is stopped \
goes on where it was; running it again for the same session replaces what it wrote, also with other parameters. In a \
`for_each>` a turn is known by its values, wherever they stand in the list; of turns with the same values each is a load of its own.

An input without rows is an error (exit code 3) where `mode: replace` would empty a table that has rows, or `mode: append` \
take away all that the load added before; `on_empty` beside `mode` says \
otherwise.

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

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        inspect::config(params, surroundings)
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let lake = tokio::select! {
            lake = self.door.open() => lake?,
            () = context.cancellation.cancelled() => return Err(left()),
        };
        let mut progress = if let Some(progress) = state::read::<Progress>(context)? {
            progress
        } else {
            let config = match &params.command {
                Source::Inline(config) => config_file::inline(config)?,
                Source::File(path) => config::load(context, path, "_command").await?,
            };
            // The session, not the attempt, names what a load adds: running it again replaces it.
            let scope = format!("{}@{}", context.lasting_name, context.session_time.strftime("%Y-%m-%dT%H:%M:%S%:z"));
            let token = LoadToken { token: context.token("load", 1, &scope), scope: scope.clone() };
            let mut of_config = None;
            let plan = async {
                let planned = load::plan(&config, lake, token, &context.work_dir).await;
                planned.inspect_err(|error| of_config = config_file::of_config(error))
            };
            let state = match answered(lake, context, plan).await {
                Ok(state) => state,
                Err(error) => return Err(placed(context, &params.command, error, of_config).await),
            };
            log_files(context, &state);
            let progress = Progress { name: scope, state };
            state::write(context, &progress).await?;
            progress
        };
        let control = control(context);
        loop {
            if let Some(report) = progress.state.report() {
                return Ok(done(context, report));
            }
            let is_written = progress.state.written().is_some();
            progress.state = Box::pin(answered(lake, context, load::advance(lake, progress.state, &control))).await?;
            if let Some(report) = progress.state.written().filter(|_| !is_written) {
                log_written(context, report);
            }
            state::write(context, &progress).await?;
        }
    }

    async fn cancel(&self, context: &TaskContext) -> Result<(), TaskError> {
        // The work runs inside the step and ends with it; what it wrote and did not publish is given up here.
        let Some(progress) = state::read::<Progress>(context)? else { return Ok(()) };
        load::give_up(self.door.open().await?, &progress.state).await.map_err(task_error)
    }
}

/// Points the error of a load at what its config says, when it is about that.
async fn placed(
    context: &TaskContext,
    command: &Source,
    error: TaskError,
    of_config: Option<ParamProblem>,
) -> TaskError {
    let Some(problem) = of_config else { return error };
    match command {
        Source::Inline(_) => TaskError::wrong_params(vec![config_file::below_command(problem)]),
        Source::File(path) => match tokio::fs::read_to_string(context.work_dir.join(path)).await {
            Ok(text) => config::found_wrong::<LoadConfig>(path, &text, problem).at_param("_command"),
            // It is gone since it was read.
            Err(_) => error.at_param("_command"),
        },
    }
}

/// How long a load on AWS may take to give up what it wrote when it is told to stop: nobody may answer any more. What stays is
/// collected later.
const STOPPING: Duration = Duration::from_secs(1);

/// Returns what a load of a task is told and asked: its words, its progress, and whether it is to end.
pub(crate) fn control(context: &TaskContext) -> LoadControl {
    let (host, teller) = (Arc::clone(&context.host), Arc::clone(&context.host));
    LoadControl {
        notice: Arc::new(move |notice| teller.warn(&notice.to_string())),
        progress: Arc::new(move |progress| {
            host.progress(TaskProgress {
                rows: progress.rows,
                bytes: progress.bytes_read,
                bytes_total: Some(progress.bytes_total),
            });
        }),
        cancel: context.cancellation.clone(),
        check: None,
    }
}

/// Waits for a part of the work, and not for a service that does not answer when the task is told to stop.
pub(crate) async fn answered<T>(
    lake: &Lake,
    context: &TaskContext,
    work: impl Future<Output = lake::Result<T>> + Send,
) -> Result<T, TaskError> {
    if matches!(lake.settings.place, Place::Folder { .. }) {
        return work.await.map_err(task_error);
    }
    let overdue = async {
        context.cancellation.cancelled().await;
        tokio::time::sleep(STOPPING).await;
    };
    tokio::select! {
        done = work => done.map_err(task_error),
        () = overdue => Err(left()),
    }
}

fn left() -> TaskError {
    let message = "the load was told to stop, and was left";
    TaskError::new(TaskErrorKind::Canceled, Retry::AsTold, code::TASK_STOPPED, message)
}

/// How many files are named in the log.
const LOGGED_FILES: usize = 100;

/// Says in the task's log what is going to be read.
pub(crate) fn log_files(context: &TaskContext, state: &LoadState) {
    let files = state.files();
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    context.host.log(&format!("reading {} with {bytes} bytes", n_files(files.len())));
    for file in files.iter().take(LOGGED_FILES) {
        context.host.log(&format!("  {} ({} bytes)", file.name.escape_debug(), file.bytes));
    }
    if files.len() > LOGGED_FILES {
        context.host.log(&format!("  … and {} more", files.len() - LOGGED_FILES));
    }
    if let Some(guess) = state.guess() {
        context.host.log(&guess.to_string());
    }
}

fn n_files(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

/// Says in the task's log what was read.
pub(crate) fn log_written(context: &TaskContext, report: &LoadReport) {
    context.host.log(&format!(
        "read {}: {}, {} rejected, {} skipped (headers, blank lines, comments)",
        counted(report.bytes_read, "byte"),
        counted(report.rows, "row"),
        counted(report.rejected, "line"),
        report.skipped
    ));
    for line in &report.first_rejected {
        context.host.log(&format!("rejected {line}"));
        context.host.log(&format!("  | {}", line.line));
    }
    let shown = u64::try_from(report.first_rejected.len()).unwrap_or(u64::MAX);
    if report.rejected > shown {
        context.host.log(&format!("rejected … and {} more", report.rejected - shown));
    }
}

/// Says in the task's log what was published.
pub(crate) fn log_published(context: &TaskContext, report: &LoadReport) {
    for part in &report.published {
        let what = part.table.as_deref().unwrap_or("files");
        let what = format!("{what} {}", pairs(part));
        context.host.log(&format!(
            "published {} with {} at {}",
            what.trim_end(),
            counted(part.rows, "row"),
            part.location
        ));
    }
    if let Some(part) = &report.rejected_kept {
        let place =
            part.table.as_deref().map_or_else(|| part.location.clone(), |table| format!("{table} {}", pairs(part)));
        context.host.log(&format!("kept {} rejected lines in {place}", part.rows));
    }
}

/// Writes a partition as users do: `dt=2024-03-01/hour=5`.
fn pairs(part: &PublishedPart) -> String {
    part.partition.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("/")
}

/// Tells what the load did.
fn done(context: &TaskContext, report: &LoadReport) -> TaskOutcome {
    log_published(context, report);
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
    let published = report.published.iter().chain(&report.rejected_kept).map(published);
    TaskResult {
        store,
        reset: vec![ParamPath("load.last_load".to_owned())],
        report: TaskReport {
            rows: Some(report.rows),
            bytes: Some(report.published.iter().map(|part| part.bytes).sum()),
            scanned_bytes: Some(report.bytes_read),
            cost_micro_usd: None,
            rejected: Some(report.rejected),
            published: published.collect(),
        },
        ..TaskResult::default()
    }
    .done()
}

/// Says where the rejected lines of a load were kept.
pub(crate) fn rejected_part(report: &LoadReport) -> Option<Published> {
    report.rejected_kept.as_ref().map(published)
}

fn published(part: &PublishedPart) -> Published {
    Published {
        table: part.table.clone().unwrap_or_default(),
        partition: pairs(part),
        rows: part.rows,
        bytes: part.bytes,
        location: part.location.clone(),
    }
}
