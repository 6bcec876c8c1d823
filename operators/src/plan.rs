//! What a task of the lake would do: the SQL that would run, what it would change, how much it would read at most.
//!
//! For `suiro plan`: nothing is run and nothing is changed. What earlier tasks of the same run would make is not there yet, so
//! a table that is missing is said, and is no error.

mod effect;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use engine::diagnostic::code;
use engine::operator::TaskError;
use engine::operator::surroundings::constant;
use engine::operator::typed::is_unevaluated;
use engine::params::Params;
use engine::params::scope::{Layer, Scope};
use engine::params::template::TemplateSettings;
use engine::run::plan::{PlannedTask, Unknown};
use engine::schedule;
use lake::catalog::Table;
use lake::load;
use lake::load::config::{InputConfig, OutputConfig};
use lake::publish::{PublishOptions, Target, plain, publishable};
use lake::query::{ResultColumn, meaning, partition_of};
use lake::sql::SqlError;
use lake::sql::error::UNSUPPORTED;
use lake::storage::Storage;
use lake::{ErrorKind, Lake, words};
use serde::Serialize;
use serde_json::Value;

pub use self::effect::Effect;
use crate::athena::access::AccessParams;
use crate::athena::{apas, drop_table_multi};
use crate::door::{Access, LakeDoor};
use crate::error::task_error;
use crate::load::{read_config, read_inline_config};
use crate::metrics::{self, PlannedWindows};
use crate::partition::{PartitionKv, Use, check_values, in_lower_case, table_name};
use crate::sql_text::{self, Files};

/// What a task of the lake would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LakePlan {
    /// What it would change: `web.daily_summary dt=2024-03-01`; expressions that are not known yet as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether the target is there now; none when that cannot be known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
    /// What becomes of the target, when it is not simply changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// What would go wrong because the target is there, or is not, unless a task above changes that.
    #[serde(skip)]
    pub target_problem: Option<String>,
    /// The SQL, rendered as far as it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// The bytes it would read at most, after partition pruning and without its checks; none when that is not known.
    pub predicted_bytes: Option<u64>,
    /// Whether it has checks. What they read is not known before there is something to check.
    #[serde(skip)]
    pub has_checks: bool,
    /// What it would do with windows of metric tiers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<PlannedWindows>,
    /// Further lines for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// Expressions in its files that are not known yet.
    #[serde(skip)]
    pub unknown: Vec<Unknown>,
    /// What would go wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Says what a task would do; none for a task that has nothing to do with the lake.
///
/// `is_there` tells whether the project has a lake already: else nothing is in it, and none is made.
pub async fn plan(door: &LakeDoor, is_there: bool, project: &Path, task: &PlannedTask) -> Option<LakePlan> {
    let operator = task.operator.as_deref()?;
    if operator != "load" && !operator.starts_with("athena.") && !metrics::plan::PLANNED.contains(&operator) {
        return None;
    }
    let mut plan = LakePlan::default();
    let filled = async {
        let params = with_defaults(operator, task);
        let access =
            if operator.starts_with("athena.") { AccessParams::of(&params).access()? } else { Access::default() };
        let lake = if is_there {
            Some(door.open_as(&access).await?)
        } else {
            door.can_be_made()?;
            None
        };
        let lake = lake.as_ref();
        match operator {
            "load" => load_of_files(lake, project, task, &params, &mut plan).await,
            _ if operator.starts_with("metrics.") => metric_tiers(lake, project, task, operator, &mut plan).await,
            _ => {
                let reads_sql = matches!(operator, "athena.query" | "athena.apas" | "athena.ctas");
                let before =
                    if reads_sql && !is_there { door.storage_before_lake().map_err(task_error)? } else { None };
                let storage = lake.map(|lake| &lake.storage).or(before.as_ref());
                athena(lake, storage, project, task, &params, &mut plan).await
            }
        }
    };
    if let Err(error) = filled.await {
        plan.problem = Some(error.message);
    }
    Some(plan)
}

/// The parameters with the exported defaults of their operator below them.
fn with_defaults(operator: &str, task: &PlannedTask) -> Params {
    let mut all = Params::new();
    for name in ["athena", operator] {
        if let Some(Value::Object(defaults)) = task.scope.get(name) {
            all.extend(defaults.clone());
        }
    }
    all.extend(task.params.clone());
    all
}

/// Says what a task of metric tiers would do.
async fn metric_tiers(
    lake: Option<&Lake>,
    project: &Path,
    task: &PlannedTask,
    operator: &str,
    plan: &mut LakePlan,
) -> Result<(), TaskError> {
    let params = &task.params;
    if params.values().any(is_unevaluated) {
        plan.lines.push("which windows is not known yet".to_owned());
        return Ok(());
    }
    let file = text(params, "tiers").unwrap_or_else(|| metrics::TIERS_FILE.to_owned());
    let tiers = files(project, task).read(&file).await.map_err(|why| {
        TaskError::config(code::UNREADABLE_FILE, format!("cannot read the file of tiers `{file}`: {why}"))
    })?;
    let session = session_instant(&task.scope);
    let sources = metrics::plan::Sources { lake, operator, params, session, tiers: (&file, &tiers) };
    let mut unknown = Vec::new();
    let mut evaluate = |text: &str| {
        let (text, found) = render_known(task, text)?;
        unknown.extend(found);
        Ok(text)
    };
    let planned = metrics::plan::plan(&sources, &mut evaluate).await;
    plan.unknown = unknown;
    match planned {
        // A value that is not known yet is of no type.
        Err(_) if !plan.unknown.is_empty() => plan.lines.push(format!("works on the tiers of {file}")),
        planned => {
            let planned = planned?;
            plan.windows = planned.windows;
            plan.lines.extend(planned.lines);
        }
    }
    Ok(())
}

async fn athena(
    lake: Option<&Lake>,
    storage: Option<&Storage>,
    project: &Path,
    task: &PlannedTask,
    params: &Params,
    plan: &mut LakePlan,
) -> Result<(), TaskError> {
    let operator = task.operator.as_deref().unwrap_or_default();
    let database = text(params, "database").or_else(|| (operator == "athena.ctas").then(|| "default".to_owned()));
    if text(params, "table_mode").as_deref() == Some("data_only") {
        plan.lines
            .extend(text(params, "location").map(|location| format!("writes objects below {location}, and no table")));
    } else if let (Some(database), Some(table)) = (database, text(params, "table")) {
        target(lake, &database, &table, params, plan).await?;
        effect::find(lake, operator, params, plan).await?;
    }
    if operator == "athena.drop_table_multi" && !params.values().any(is_unevaluated) {
        plan.lines.extend(drop_table_multi::planned(lake, params).await?);
    }
    if !matches!(operator, "athena.query" | "athena.apas" | "athena.ctas") {
        return Ok(());
    }
    let Some(command) = text(params, "_command") else { return Ok(()) };
    let files = files(project, task);
    if is_unknown(&command) && sql_text::is_path(command.trim()) {
        plan.lines.push(format!("runs the SQL of {}", command.trim()));
        return Ok(());
    }
    let unknown = Mutex::new(Vec::new());
    let render_sql = |text: &str| {
        let (text, found) = render_known(task, text)?;
        unknown.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        Ok(text)
    };
    let sql = sql_text::read(storage, &files, &command, &render_sql).await?;
    plan.unknown = unknown.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(lake) = lake.filter(|_| !is_unknown(&sql) && plan.effect != Some(Effect::Leaves)) {
        match lake.engine.describe(&sql, text(params, "database").as_deref()).await {
            Ok(description) => {
                plan.predicted_bytes = description.predicted_bytes;
                if description.predicted_bytes.is_none() {
                    plan.lines.push("what it scans is unknown: suiro does not know the statement".to_owned());
                }
                plan.problem = misfit(lake, operator, params, &sql, &description.columns).await?;
            }
            Err(error) if is_about_a_missing_table(&error) => plan.lines.push(missing_table(&error.message)),
            Err(error) => plan.problem = Some(error.to_string()),
        }
    } else if !is_unknown(&sql) {
        // Without a lake there are no tables, and what is left as it is is not written: what the text alone tells is looked at.
        plan.predicted_bytes = (plan.effect == Some(Effect::Leaves)).then_some(0);
        let is_known_elsewhere =
            |error: &SqlError| error.name() == UNSUPPORTED && lake.is_some_and(|lake| !lake.settings.queries_here());
        let wrong = lake::sql::examine(&sql).err().filter(|error| !is_known_elsewhere(error));
        plan.problem = wrong.map(|error| error.to_string());
    }
    if let Some(Value::Array(checks)) = params.get("checks") {
        plan.has_checks = !checks.is_empty() && plan.effect != Some(Effect::Leaves);
        for check in checks.iter().filter_map(Value::as_str) {
            let check = check.trim();
            plan.lines.push(format!("checks {}", check.lines().next().unwrap_or_default()));
            // A check that is a file is read now, so that a missing one is said.
            if sql_text::is_path(check) && !is_unknown(check) {
                sql_text::read(storage, &files, check, &|text| Ok(render_known(task, text)?.0)).await?;
            }
        }
    }
    plan.sql = Some(sql);
    Ok(())
}

/// Says how the columns of a query do not fit what they are published as; none when they do, or when that is not known yet.
async fn misfit(
    lake: &Lake,
    operator: &str,
    params: &Params,
    sql: &str,
    columns: &[ResultColumn],
) -> Result<Option<String>, TaskError> {
    let is_known = |key: &str| params.get(key).is_none_or(|value| !is_unevaluated(value));
    let known = ["database", "table", "partition_kv", "partitioned_by", "save_mode"].into_iter().all(is_known);
    let (Some(table), true) = (text(params, "table"), known) else { return Ok(None) };
    let database = text(params, "database").unwrap_or_else(|| "default".to_owned());
    let name = table_name(&database, &table)?;
    let found = lake.catalog.table(&name).await.map_err(task_error)?;
    let (target, options) = match operator {
        "athena.apas" => {
            let Some(options) = apas::planned_options(params) else { return Ok(None) };
            (Target::Partition { table: name, values: in_lower_case(&partition_kv(params)) }, options)
        }
        "athena.ctas" => {
            let keys = params.get("partitioned_by").and_then(Value::as_array).into_iter().flatten();
            let partitioned_by = keys.filter_map(Value::as_str).map(str::to_lowercase).collect();
            (Target::Table { table: name, partitioned_by }, PublishOptions::default())
        }
        _ => return Ok(None),
    };
    let columns = target.own_columns(sql, columns);
    let refused = match (&target, &found) {
        (Target::Partition { values, .. }, Some(table)) => {
            let written = || table.partition_values(values).and_then(|values| meaning(table, &values)).map(drop);
            publishable(table, &options).and_then(|()| written()).err()
        }
        (Target::Table { .. }, Some(table)) => plain(table).err(),
        _ => None,
    };
    let problem = refused.or_else(|| target.plan_columns(found.as_ref(), &columns, &options).err());
    Ok(problem.map(|error| error.to_string()))
}

/// Tells whether a query only waits for a table that an earlier task would make.
fn is_about_a_missing_table(error: &lake::Error) -> bool {
    error.kind == ErrorKind::NotFound || error.message.contains("does not exist")
}

fn missing_table(message: &str) -> String {
    format!("what it scans is not known yet: {message}")
}

/// Tells whether a text holds an expression that could not be evaluated.
fn is_unknown(text: &str) -> bool {
    constant(text).is_none()
}

/// Reads `partition_kv`.
fn partition_kv(params: &Params) -> PartitionKv {
    let pairs = match params.get("partition_kv") {
        Some(Value::Object(pairs)) => pairs.clone(),
        // What an expression gives is text, and read as the mapping that it holds.
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        _ => Params::new(),
    };
    pairs.iter().map(|(key, value)| (key.clone(), plain_text(value))).collect()
}

/// Says which table or partition a task names, and whether it is there. Returns the table that is there.
async fn target(
    lake: Option<&Lake>,
    database: &str,
    table: &str,
    params: &Params,
    plan: &mut LakePlan,
) -> Result<Option<Table>, TaskError> {
    let written = partition_kv(params);
    let pairs = in_lower_case(&written);
    let partition: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let named = format!("{}.{} {}", database.to_lowercase(), table.to_lowercase(), partition.join("/"));
    plan.target = Some(named.trim_end().to_owned());
    if [database, table].into_iter().chain(pairs.values().map(String::as_str)).any(is_unknown) {
        return Ok(None);
    }
    let name = table_name(database, table)?;
    let Some(lake) = lake else {
        check_values(None, &written, Use::Find)?;
        plan.exists = Some(false);
        return Ok(None);
    };
    let found = lake.catalog.table(&name).await.map_err(task_error)?;
    check_values(found.as_ref(), &written, Use::Find)?;
    plan.exists = Some(match &found {
        Some(table) if !pairs.is_empty() => {
            let values = table.partition_values(&pairs).map_err(task_error)?;
            partition_of(lake.catalog.as_ref(), table, &values).await.map_err(task_error)?.is_some()
        }
        found => found.is_some(),
    });
    Ok(found)
}

async fn load_of_files(
    lake: Option<&Lake>,
    project: &Path,
    task: &PlannedTask,
    params: &Params,
    plan: &mut LakePlan,
) -> Result<(), TaskError> {
    let files = files(project, task);
    let config = match params.get("_command") {
        Some(Value::String(path)) if is_unknown(path) => {
            plan.lines.push(format!("loads what {path} says"));
            return Ok(());
        }
        Some(Value::String(path)) => {
            let text = files.read(path).await.map_err(|why| {
                TaskError::config(code::UNREADABLE_FILE, format!("cannot read the load's config `{path}`: {why}"))
            })?;
            let mut unknown = Vec::new();
            let config = read_config(path, &text, &mut |text| {
                let (text, found) = render_known(task, text)?;
                unknown.extend(found);
                Ok(text)
            });
            plan.unknown = unknown;
            match config {
                // A value that is not known yet is of no type.
                Err(_) if !plan.unknown.is_empty() => {
                    plan.lines.push(format!("loads what {path} says"));
                    return Ok(());
                }
                config => config?,
            }
        }
        Some(inline) if is_unevaluated(inline) => return Ok(()),
        Some(inline) => read_inline_config(inline)?,
        None => return Err(TaskError::config(code::PARAM_MISSING, "`load>` needs a config")),
    };
    let InputConfig::File(input) = &config.input;
    let path = input.path.as_ref().or(input.path_prefix.as_ref()).map_or("", String::as_str);
    match load::input_bytes(&config, &files.work_dir, lake.map(|lake| &lake.storage)).await {
        Ok(bytes) => {
            plan.predicted_bytes = bytes;
            let size = bytes.map_or_else(String::new, |count| format!(", {}", words::bytes(count)));
            plan.lines.push(format!("reads {path}{size}"));
        }
        // An earlier task may make it.
        Err(error) if error.kind == ErrorKind::NotFound => {
            plan.lines.push(format!("reads {path}, which is not there: {}", error.message));
        }
        Err(error) => plan.problem = Some(error.to_string()),
    }
    match &config.out {
        OutputConfig::Table(out) => {
            let table = target(lake, &out.database, &out.table, &Params::new(), plan).await?;
            let keys: Vec<String> =
                out.partition_by.iter().map(|(key, expression)| format!("{key} = {expression}")).collect();
            if !keys.is_empty() {
                let there = match (lake, &table) {
                    (Some(lake), Some(table)) => partitions_that_are_there(lake, table).await?,
                    _ => String::new(),
                };
                plan.lines.push(format!("partitions by {}{there}", keys.join(", ")));
            }
        }
        OutputConfig::File(out) => plan.lines.push(format!("writes files below {}", out.path)),
        // No config says that.
        OutputConfig::Staged(_) => {}
    }
    Ok(())
}

/// Says which partitions a load finds in its table: those it writes are known when its lines are read.
async fn partitions_that_are_there(lake: &Lake, table: &Table) -> Result<String, TaskError> {
    let partitions = lake.catalog.partitions(&table.name).await.map_err(task_error)?;
    let named = |values: &[String]| {
        let pairs = table.partition_keys.iter().zip(values).map(|(key, value)| format!("{}={value}", key.name));
        pairs.collect::<Vec<_>>().join("/")
    };
    let mut names: Vec<String> = partitions.iter().map(|partition| named(&partition.values)).collect();
    names.sort_unstable();
    let there = match names.as_slice() {
        [] => "none is there".to_owned(),
        [only] => format!("{only} is there"),
        [first, .., last] => {
            format!("{} are there, {first} to {last}", words::figure(u64::try_from(names.len()).unwrap_or(u64::MAX)))
        }
    };
    Ok(format!(", as its lines say: {there}"))
}

/// Where the files of a task are.
fn files(project: &Path, task: &PlannedTask) -> Files {
    let below = text(&task.scope, "_workdir").unwrap_or_default();
    Files { project: project.to_owned(), work_dir: project.join(PathBuf::from(below)) }
}

/// Evaluates the templates of a text with the parameters of a task, as far as they are known.
fn render_known(task: &PlannedTask, text: &str) -> Result<(String, Vec<Unknown>), TaskError> {
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
    let (text, errors) = params.render_text_known(text, &extra);
    Ok((text, errors.iter().map(|error| Unknown::of(error, &task.turn_names)).collect()))
}

/// The instant of the session; a plan's clock.
fn session_instant(scope: &Params) -> jiff::Timestamp {
    let seconds = scope.get("session_unixtime").and_then(Value::as_i64).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// A parameter as text.
fn text(params: &Params, key: &str) -> Option<String> {
    params.get(key).filter(|value| !value.is_null()).map(plain_text)
}

fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
