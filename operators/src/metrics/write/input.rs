//! `metrics.write>` with `in`: files are read as `load>` reads them, and their rows become points.
//!
//! All of the input is read before the first point is written: a broken input, or more lines that cannot be read than may be,
//! leaves the tier as it was. Until then the rows are in files below the project's state.

use std::path::PathBuf;
use std::sync::Arc;

use engine::operator::{ParamProblem, TaskContext, TaskError, TaskOutcome, TaskReport};
use engine::params::{ParamPath, Params as EngineParams};
use futures::{StreamExt as _, TryStreamExt as _};
use lake::load::config::{InputConfig, MaxRejected};
use lake::load::{self, LoadConfig, LoadControl, LoadReport, LoadState, LoadToken};
use lake::name::TableName;
use lake::publish::version::request_hash;
use lake::words::{counted, figure};
use lake::{Error, ErrorKind};
use metrics::config::{TierConfig, TiersConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Params, Written, write_rows};
use crate::config::{self, Config};
use crate::error::{AtParam as _, task_error};
use crate::load::{answered, control, log_files, log_published, log_written, rejected_part};
use crate::metrics::door::Opened;
use crate::metrics::params::wrong;
use crate::metrics::rows::Columns;
use crate::state;

/// The part of the parameters that is a load's config.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InputParams {
    #[serde(rename = "in")]
    input: InputConfig,
    #[serde(default)]
    max_rejected: Option<MaxRejected>,
}

impl Config for InputParams {
    const WHAT: &'static str = "input";
    const EXPECTED: &'static str = "a mapping with `in`";
    const INSTEAD: &'static str = "";

    fn text_problems(value: &Value, is_known: &dyn Fn(&str) -> bool) -> Vec<ParamProblem> {
        <LoadConfig as Config>::text_problems(value, is_known)
    }

    fn problems(&self) -> Vec<ParamProblem> {
        Config::problems(&LoadConfig::staged(self.input.clone(), self.max_rejected, &PathBuf::from("."), None))
    }
}

/// Puts the parameters that are a load's config together.
fn config_of(input: &Value, max_rejected: Option<&Value>) -> Value {
    match max_rejected {
        Some(max_rejected) => json!({"in": input, "max_rejected": max_rejected}),
        None => json!({"in": input}),
    }
}

/// Looks at the parameters before anything runs; `tiers` is none where their file cannot be known yet.
pub(super) fn inspect(params: &EngineParams, tiers: Option<&TiersConfig>) -> Vec<ParamProblem> {
    let max_rejected = params.get("max_rejected").filter(|value| !value.is_null());
    let mut problems = Vec::new();
    if let Some(input) = params.get("in").filter(|value| !value.is_null()) {
        problems.extend(config::meaning::<InputParams>(&config_of(input, max_rejected)));
    }
    if max_rejected.is_some() && tiers.is_some_and(|tiers| rejected_table(tiers).is_none()) {
        problems.push(nowhere_to_keep());
    }
    problems
}

/// Returns the table of the points' archive: `<table>__rejected` takes lines that cannot be read.
fn rejected_table(tiers: &TiersConfig) -> Option<TableName> {
    let archive = tiers.tiers.values().find_map(TierConfig::as_parquet)?;
    let (database, table) = archive.table.split_once('.')?;
    TableName::new(database, table).ok()
}

fn nowhere_to_keep() -> ParamProblem {
    let message =
        "lines that cannot be read are kept beside the table of the points' `parquet` tier, and there is none";
    ParamProblem::new("max_rejected".into(), message.to_owned())
        .help("add a `parquet` tier, or leave `max_rejected` out: then a line that cannot be read is an error")
}

/// Rows that were read are not where they were kept until they are points.
fn lost(report: &LoadReport, written: &Written) -> Error {
    let message = format!(
        "{} were read, and {} of them are still below the project's state",
        counted(report.rows, "row"),
        figure(written.rows)
    );
    Error::new(ErrorKind::InvalidData, "read points", message)
        .help("run it again with `--rerun`: the input is read anew, and points that were written stay as they are")
}

/// How far the task is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Progress {
    load: LoadState,
    /// What was written; from then on the rows are not needed any more.
    written: Option<Written>,
}

impl Progress {
    /// Reads the input, writes its points, and ends the task.
    pub(super) async fn run(
        context: &TaskContext,
        opened: &Opened,
        params: &Params,
        found: Option<Self>,
    ) -> Result<TaskOutcome, TaskError> {
        let lake = &opened.lake;
        let mut progress = match found {
            Some(progress) => progress,
            None => Self::begin(context, opened, params).await?,
        };
        let types: Vec<_> =
            load::columns(&progress.load).into_iter().map(|(name, found)| (name, found.to_arrow())).collect();
        let columns = Columns::of_input(&params.columns.clone().unwrap_or_default(), &types)
            .map_err(task_error)
            .at_param(if params.columns.is_some() { "columns" } else { "in" })?;
        let checked = columns.clone();
        let check = Arc::new(move |batch: &_| checked.refused(batch));
        let control = LoadControl { check: Some(check), ..control(context) };
        let report = loop {
            if let Some(report) = progress.load.report() {
                break report.clone();
            }
            let is_read = progress.load.written().is_some();
            progress.load =
                Box::pin(answered(lake, context, load::advance(lake, progress.load, &control))).await.at_param("in")?;
            if let Some(report) = progress.load.written().filter(|_| !is_read) {
                log_written(context, report);
            }
            state::write(context, &progress).await?;
        };
        let written = if let Some(written) = progress.written {
            written
        } else {
            let rows = load::staged_rows(&progress.load).map_err(task_error).boxed();
            let written = write_rows(context, opened, &params.command, (columns, "in"), rows).await?;
            if written.rows != report.rows {
                return Err(task_error(lost(&report, &written)));
            }
            progress.written = Some(written);
            state::write(context, &progress).await?;
            written
        };
        let points = &lake.settings.crash_points;
        let remove = load::remove_staged(&progress.load);
        points.around("metrics: remove the rows of an input", remove).await.map_err(task_error)?;
        log_published(context, &report);
        Ok(done(&report, written))
    }

    /// Finds the files, and stores what will be read.
    async fn begin(context: &TaskContext, opened: &Opened, params: &Params) -> Result<Self, TaskError> {
        let lake = &opened.lake;
        let input = params.input.as_ref().unwrap_or(&Value::Null);
        let config: InputParams =
            config::read_value(&config_of(input, params.max_rejected.as_ref())).map_err(TaskError::wrong_params)?;
        let rejected = rejected_table(&opened.config);
        if config.max_rejected.is_some() && rejected.is_none() {
            return Err(TaskError::wrong_params(vec![nowhere_to_keep()]));
        }
        // The session, not the attempt, names what is kept: running it again replaces it.
        let of_session = |name: &str| format!("{name}@{}", context.session_time.strftime("%Y-%m-%dT%H:%M:%S%:z"));
        let scope = of_session(&context.lasting_name);
        // Turns of a loop with the same values may run at once: the folder is the task's own.
        let folder = request_hash(&[of_session(&context.task_name)]);
        let folder = lake.settings.state_dir.join("metrics").join("incoming").join(folder);
        let folder = std::path::absolute(&folder)
            .map_err(|error| wrong("in", format!("cannot find `{}`: {error}", folder.display())))?;
        let config = LoadConfig::staged(config.input, config.max_rejected, &folder, rejected.as_ref());
        let token = LoadToken { token: context.token("load", 1, &scope), scope };
        let planned = answered(lake, context, load::plan(&config, lake, token, &context.work_dir));
        let progress = Self { load: planned.await.at_param("in")?, written: None };
        log_files(context, &progress.load);
        state::write(context, &progress).await?;
        Ok(progress)
    }

    /// Gives up what was read and not written.
    pub(super) async fn cancel(&self, lake: &lake::Lake) -> Result<(), TaskError> {
        load::give_up(lake, &self.load).await.map_err(task_error)?;
        load::remove_staged(&self.load).await.map_err(task_error)
    }
}

fn done(report: &LoadReport, written: Written) -> TaskOutcome {
    let mut last_write = EngineParams::new();
    for (key, value) in [
        ("rejected", report.rejected),
        ("skipped", report.skipped),
        ("files", report.files),
        ("bytes_read", report.bytes_read),
    ] {
        last_write.insert(key.to_owned(), json!(value));
    }
    let task_report = TaskReport {
        scanned_bytes: Some(report.bytes_read),
        rejected: Some(report.rejected),
        published: rejected_part(report).into_iter().collect(),
        ..TaskReport::default()
    };
    super::done(written, last_write, task_report)
}

/// Says what the parameters name wrongly together.
pub(super) fn one_source(params: &EngineParams) -> Option<ParamProblem> {
    let is_given = |name: &str| params.get(name).is_some_and(|value| !value.is_null());
    match (is_given("query"), is_given("in")) {
        (true, true) => Some(ParamProblem::new(
            ParamPath::from("in"),
            "expected rows of a query (`query`) or of an input (`in`), found both".to_owned(),
        )),
        (false, false) => Some(
            ParamProblem::new(
                ParamPath::from("_command"),
                "expected rows of a query (`query`) or of an input (`in`), found neither".to_owned(),
            )
            .help("`query: SELECT …`, or `in: {type: file, path: …, parser: …}` as `load>` has it"),
        ),
        (true, false) => ["columns", "max_rejected"].into_iter().find(|name| is_given(name)).map(|name| {
            ParamProblem::new(
                ParamPath::from(name),
                format!("`{name}` belongs to `in`: a query names its columns itself"),
            )
        }),
        (false, true) => is_given("database").then(|| {
            ParamProblem::new(
                ParamPath::from("database"),
                "`database` belongs to `query`: an input has none".to_owned(),
            )
        }),
    }
}
