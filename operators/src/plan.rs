//! What a task of the lake would do: the SQL that would run, what it would change, how much it would read at most.
//!
//! For `suiro plan`: nothing is run and nothing is changed. What earlier tasks of the same run would make is not there yet, so
//! a table that is missing is said, and is no error.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::diagnostic::code;
use engine::operator::TaskError;
use engine::params::Params;
use engine::params::scope::{Layer, Scope};
use engine::params::template::TemplateSettings;
use engine::run::plan::PlannedTask;
use engine::schedule;
use lake::catalog::Table;
use lake::load::config::{InputConfig, OutputConfig};
use lake::name::TableName;
use lake::{ErrorKind, Lake};
use serde::Serialize;
use serde_json::Value;

use crate::door::LakeDoor;
use crate::error::task_error;
use crate::load::read_config;
use crate::sql_text::{self, Files};

/// What a task of the lake would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LakePlan {
    /// What it would change: `web.daily_summary dt=2024-03-01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether the target is there; unknown when the lake was never opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
    /// The SQL, rendered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// The bytes it would read at most, after partition pruning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted_bytes: Option<u64>,
    /// Further lines for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// What would go wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Says what a task would do; none for a task that has nothing to do with the lake.
///
/// `lake` is none when the project has no lake yet: then nothing is known of what is there, and none is made.
pub async fn plan(lake: Option<&Arc<LakeDoor>>, project: &Path, task: &PlannedTask) -> Option<LakePlan> {
    let operator = task.operator.as_deref()?;
    let params = task.params.as_ref().ok()?;
    if operator != "load" && !operator.starts_with("athena.") {
        return None;
    }
    let mut plan = LakePlan::default();
    let filled = async {
        let lake = match lake {
            Some(door) => Some(door.open().await?),
            None => None,
        };
        let params = with_defaults(operator, task, params);
        match operator {
            "load" => load(lake, project, task, &params, &mut plan).await,
            _ => athena(lake, project, task, operator, &params, &mut plan).await,
        }
    };
    if let Err(error) = filled.await {
        plan.problem = Some(error.message);
    }
    Some(plan)
}

/// The parameters with the exported defaults of their operator below them.
fn with_defaults(operator: &str, task: &PlannedTask, params: &Params) -> Params {
    let mut all = Params::new();
    for name in ["athena", operator] {
        if let Some(Value::Object(defaults)) = task.scope.get(name) {
            all.extend(defaults.clone());
        }
    }
    all.extend(params.clone());
    all
}

async fn athena(
    lake: Option<&Lake>,
    project: &Path,
    task: &PlannedTask,
    operator: &str,
    params: &Params,
    plan: &mut LakePlan,
) -> Result<(), TaskError> {
    let table = match (text(params, "database"), text(params, "table")) {
        (Some(database), Some(table)) => Some(TableName::new(&database, &table).map_err(task_error)?),
        (None, Some(table)) if operator == "athena.ctas" => {
            Some(TableName::new("default", &table).map_err(task_error)?)
        }
        _ => None,
    };
    let found = match (lake, &table) {
        (Some(lake), Some(table)) => lake.catalog.table(table).await.map_err(task_error)?,
        _ => None,
    };
    if let Some(table) = &table {
        target(lake, table, found.as_ref(), params, plan).await?;
    }
    if matches!(operator, "athena.query" | "athena.apas" | "athena.ctas") {
        let command = text(params, "_command").unwrap_or_default();
        let database = text(params, "database");
        let sql = sql_text::read(lake, &files(project, task), &command, &|text| render(task, text)).await?;
        if let Some(lake) = lake {
            match lake.engine.describe(&sql, database.as_deref()).await {
                Ok(description) => plan.predicted_bytes = Some(description.predicted_bytes),
                // A task before this one may make it.
                Err(error) if error.kind == ErrorKind::NotFound || error.message.contains("does not exist") => {
                    plan.lines.push(format!("not known yet: {}", error.message));
                }
                Err(error) => plan.problem = Some(error.to_string()),
            }
        }
        plan.sql = Some(sql);
    }
    Ok(())
}

/// Says which table or partition a task names, and whether it is there.
async fn target(
    lake: Option<&Lake>,
    table: &TableName,
    found: Option<&Table>,
    params: &Params,
    plan: &mut LakePlan,
) -> Result<(), TaskError> {
    let Some(Value::Object(partition_kv)) = params.get("partition_kv") else {
        plan.target = Some(table.to_string());
        plan.exists = lake.map(|_| found.is_some());
        return Ok(());
    };
    let pairs: indexmap::IndexMap<String, String> = partition_kv
        .iter()
        .map(|(key, value)| (key.to_lowercase(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    let name: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    plan.target = Some(format!("{table} {}", name.join("/")));
    plan.exists = match (lake, found) {
        (Some(lake), Some(found)) => {
            let values = found.partition_values(&pairs).map_err(task_error)?;
            Some(lake.catalog.partition(table, &values).await.map_err(task_error)?.is_some())
        }
        (Some(_), None) => Some(false),
        (None, _) => None,
    };
    Ok(())
}

async fn load(
    lake: Option<&Lake>,
    project: &Path,
    task: &PlannedTask,
    params: &Params,
    plan: &mut LakePlan,
) -> Result<(), TaskError> {
    let files = files(project, task);
    let config = match params.get("_command") {
        Some(Value::String(path)) => {
            let text = files.read(path).await.map_err(|why| {
                TaskError::config(code::UNREADABLE_FILE, format!("cannot read the load's config `{path}`: {why}"))
            })?;
            read_config(path, &text, &mut |text| render(task, text))?
        }
        Some(inline) => serde_json::from_value(inline.clone())
            .map_err(|error| TaskError::config(code::PARAM_VALUE, error.to_string()))?,
        None => return Err(TaskError::config(code::PARAM_MISSING, "`load>` needs a config")),
    };
    let InputConfig::File(input) = &config.input;
    let path = input.path.as_ref().or(input.path_prefix.as_ref()).map_or("", String::as_str);
    plan.lines.push(format!("reads {path}"));
    match &config.out {
        OutputConfig::Table(out) => {
            let table = TableName::new(&out.database, &out.table).map_err(task_error)?;
            let keys: Vec<String> =
                out.partition_by.iter().map(|(key, expression)| format!("{key} = {expression}")).collect();
            if !keys.is_empty() {
                plan.lines.push(format!("partitions by {}", keys.join(", ")));
            }
            plan.target = Some(table.to_string());
            if let Some(lake) = lake {
                plan.exists = Some(lake.catalog.table(&table).await.map_err(task_error)?.is_some());
            }
        }
        OutputConfig::File(out) => plan.lines.push(format!("writes files below {}", out.path)),
    }
    Ok(())
}

/// Where the files of a task are.
fn files(project: &Path, task: &PlannedTask) -> Files {
    let below = text(&task.scope, "_workdir").unwrap_or_default();
    Files { project: project.to_owned(), work_dir: project.join(PathBuf::from(below)) }
}

/// Evaluates the templates of a text with the parameters of a task.
fn render(task: &PlannedTask, text: &str) -> Result<String, TaskError> {
    let zone = self::text(&task.scope, "timezone").unwrap_or_else(|| "UTC".to_owned());
    let zone = schedule::time_zone(&zone).map_err(|error| TaskError::config(code::TIME_ZONE, error.to_string()))?;
    let settings = TemplateSettings { zone, now: session_instant(&task.scope), seed: 0 };
    let mut scope = Scope::new();
    scope.push(Layer::generated(task.scope.clone()));
    let mut extra = Params::new();
    for name in ["athena", task.operator.as_deref().unwrap_or_default()] {
        if let Some(Value::Object(map)) = task.scope.get(name) {
            extra.extend(
                map.iter().filter(|(key, _)| !task.scope.contains_key(*key)).map(|(k, v)| (k.clone(), v.clone())),
            );
        }
    }
    let params = scope.task(&task.name, &Params::new(), &Params::new(), settings);
    params.render_text_with(text, &extra).map_err(|error| TaskError::from(*error))
}

/// The instant of the session; a plan's clock.
fn session_instant(scope: &Params) -> jiff::Timestamp {
    let seconds = scope.get("session_unixtime").and_then(Value::as_i64).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// A parameter as text.
fn text(params: &Params, key: &str) -> Option<String> {
    match params.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}
