//! `athena.drop_table_multi>`: takes all tables out of the catalog whose names match.

use std::sync::Arc;
use std::time::Duration;

use engine::diagnostic::code;
use engine::operator::surroundings::constant;
use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TypedOperator};
use engine::params::{Params as EngineParams, duration};
use lake::Lake;
use lake::catalog::Table;
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::access::AccessParams;
use super::removal::{Entry, Removal, prefixes};
use crate::door::LakeDoor;
use crate::error::task_error;

/// The operator.
#[derive(Debug)]
pub(crate) struct DropTableMulti {
    door: Arc<LakeDoor>,
}

impl DropTableMulti {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `athena.drop_table_multi>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// Takes no value.
    #[serde(rename = "_command", default)]
    _command: Option<Value>,
    /// The database.
    database: String,
    /// The regular expression that a table's whole name must match: `tmp_\d+`.
    regexp: String,
    /// Also delete the tables' objects. Only what suiro wrote, unless `force` is set.
    #[serde(default)]
    with_location: bool,
    /// With `with_location`: delete the objects whoever wrote them.
    #[serde(default)]
    force: bool,
    /// The most tables to drop, in the order of their names; protected ones do not count.
    #[serde(default)]
    limit: Option<usize>,
    /// Tables to keep although they match; any match keeps.
    #[serde(default)]
    protect: Option<Protect>,
    /// In whose name it acts.
    #[serde(flatten)]
    access: AccessParams,
}

/// Which tables are kept.
#[expect(clippy::struct_field_names, reason = "the names are digdag-operator-athena's")]
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Protect {
    /// Tables made less than this ago: `1h`, `2d 12h`.
    created_within: Option<String>,
    /// Tables changed less than this ago.
    updated_within: Option<String>,
    /// Tables read less than this ago. The embedded catalog keeps no times of access: a table counts as read when it changed.
    accessed_within: Option<String>,
}

impl TypedOperator for DropTableMulti {
    const NAME: &'static str = "athena.drop_table_multi";
    const SUMMARY: &'static str = "Takes all tables out of the catalog whose names match.";
    const COMMAND: Option<&'static str> = None;
    const DETAILS: &'static str = "\
`regexp` is required: without one every table of the database would go. The list of tables is made and stored before the first \
is dropped; a stop in between is made good by the next run.

IAM actions on AWS: `glue:GetTables`, `glue:GetPartitions`, `glue:DeleteTable`, `s3:ListBucket`, `s3:DeleteObject`.";
    const EXAMPLE: &'static str = "\
+tidy:
  athena.drop_table_multi>:
  database: web
  regexp: 'scratch_\\d+'
  with_location: true
  protect: {created_within: 1d}
";
    const DEFAULTS: &'static [&'static str] = &[super::DEFAULTS, "athena.drop_table_multi"];
    const WORKS_ELSEWHERE: bool = true;

    type Params = Params;

    fn inspect(&self, params: &EngineParams, _: &Surroundings<'_>) -> Vec<ParamProblem> {
        let regexp = params.get("regexp").and_then(Value::as_str).and_then(constant);
        let wrong = regexp.and_then(|regexp| pattern(&regexp).err());
        wrong.into_iter().map(|message| ParamProblem::new("regexp".into(), message)).collect()
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let lake = &self.door.open_as(&params.access.access()?).await?;
        let find = async {
            let chosen = chosen(lake, &params, context.clock.now().as_millisecond()).await?;
            let mut removal = Removal { entries: Vec::new(), prefixes: Vec::new(), force: params.force };
            for table in chosen {
                if params.with_location {
                    removal.prefixes.extend(prefixes(lake, &table).await?);
                }
                removal.entries.push(Entry { table: table.name, partition: None });
            }
            Ok::<_, TaskError>(Some(removal))
        };
        let what = format!("the tables of `{}`", params.database);
        Removal::run(lake, context, (&what, true), "regexp", find).await
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

/// Finds the tables to drop, in the order of their names.
async fn chosen(lake: &Lake, params: &Params, now_ms: i64) -> Result<Vec<Table>, TaskError> {
    let pattern = pattern(&params.regexp).map_err(|message| problem("regexp", message))?;
    let protect = Windows::read(params.protect.as_ref().unwrap_or(&Protect::default()))?;
    let tables = lake.catalog.tables(&params.database.to_lowercase()).await.map_err(task_error)?;
    let wanted = |table: &Table| pattern.is_match(&table.name.table) && !protect.keep(table, now_ms);
    Ok(tables.into_iter().filter(wanted).take(params.limit.unwrap_or(usize::MAX)).collect())
}

/// Reads `regexp`; it must match the whole name.
fn pattern(regexp: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{regexp})$")).map_err(|error| {
        // The last line says what is wrong; those above draw where, in a pattern that is not quite the written one.
        let reason = error.to_string().lines().last().unwrap_or_default().replace("error: ", "");
        format!("expected a regular expression, found `{regexp}`: {reason}")
    })
}

/// Says which tables a task would drop now; nothing for parameters that a run refuses.
pub(crate) async fn planned(lake: Option<&Lake>, params: &EngineParams) -> Result<Vec<String>, TaskError> {
    let Ok(known) = serde_json::from_value::<Params>(Value::Object(params.clone())) else { return Ok(Vec::new()) };
    let names: Vec<String> = match lake {
        None => Vec::new(),
        Some(lake) => {
            let tables = chosen(lake, &known, lake.settings.clock.now().as_millisecond()).await?;
            tables.iter().map(|table| table.name.to_string()).collect()
        }
    };
    let now = if names.is_empty() { "none is there now".to_owned() } else { format!("now {}", names.join(", ")) };
    let database = known.database.to_lowercase();
    Ok(vec![format!("drops the tables of {database} whose whole names match `{}`: {now}", known.regexp)])
}

/// The windows of `protect`.
#[derive(Debug)]
struct Windows {
    created: Option<Duration>,
    changed: Option<Duration>,
}

impl Windows {
    fn read(protect: &Protect) -> Result<Self, TaskError> {
        let window = |path: &str, text: &Option<String>| {
            text.as_deref()
                .map(|text| duration::parse(text).map_err(|error| problem(path, error.to_string())))
                .transpose()
        };
        let updated = window("protect.updated_within", &protect.updated_within)?;
        let accessed = window("protect.accessed_within", &protect.accessed_within)?;
        Ok(Self { created: window("protect.created_within", &protect.created_within)?, changed: updated.max(accessed) })
    }

    fn keep(&self, table: &Table, now_ms: i64) -> bool {
        let within = |window: Option<Duration>, at_ms: i64| {
            window.is_some_and(|window| {
                i128::from(now_ms) - i128::from(at_ms) < i128::try_from(window.as_millis()).unwrap_or(i128::MAX)
            })
        };
        within(self.created, table.created_ms) || within(self.changed, table.updated_ms)
    }
}

fn problem(path: &str, message: String) -> TaskError {
    TaskError::config(code::PARAM_VALUE, message.clone()).param(ParamProblem::new(path.into(), message))
}
