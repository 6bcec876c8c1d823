//! `metrics.view>`: the Parquet tiers as one view for analysts.

use std::sync::Arc;

use engine::operator::surroundings::constant;
use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use engine::params::Params as EngineParams;
use lake::catalog::{Expect, ViewColumn};
use lake::name::TableName;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::door::{MetricsDoor, Opened};
use super::inspect;
use super::output::{path, store};
use super::params::{TiersParams, wrong};
use super::route::Work;
use crate::error::{AtParam as _, task_error};

/// The operator.
#[derive(Debug)]
pub(crate) struct View {
    door: Arc<MetricsDoor>,
}

impl View {
    pub(crate) fn new(door: Arc<MetricsDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `metrics.view>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The view: `database.view`. It is made anew when it is there; a table of that name stays and is an error.
    #[serde(rename = "_command")]
    command: String,
    #[serde(flatten)]
    tiers: TiersParams,
}

impl TypedOperator for View {
    const NAME: &'static str = "metrics.view";
    const SUMMARY: &'static str = "Makes one SQL view of all Parquet tiers.";
    const COMMAND: Option<&'static str> = Some("the view, `database.view`");
    const DETAILS: &'static str = "\
Columns: `step` (`1m`, `1h` …), `tier`, `name`, `ts`, `value` (the mean of a bucket), `count`, `sum`, `min`, `max`, and `dt`, the value of \
the partition: `2024-03-01` of a day, `2024-03` of a month. Choose one `step`: each has all the time that it covers.

```sql
SELECT ts, value FROM metrics.points WHERE step = '1h' AND dt = '2024-03' AND name = 'web-1.cpu' ORDER BY ts
```

A tier whose table is not there yet is left out; run the task again after its first window. Before the first \
window of all there is no view, and a warning says so. What is still in a store is not in it: \
`suiro metrics read` and `metrics.read>` read stores too.

Stores `metrics.last_view`: `view` (none when it was not made), `tiers`.

IAM actions on AWS: `glue:GetTable`, `glue:CreateTable`, `glue:UpdateTable`.";
    const EXAMPLE: &'static str = "\
+view:
  metrics.view>: metrics.points
";

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let mut problems = inspect::task(None, &[], params, surroundings);
        let view = params.get("_command").and_then(Value::as_str).and_then(constant);
        problems.extend(
            view.and_then(|text| view_name(&text).err()).map(|message| ParamProblem::new("_command".into(), message)),
        );
        problems
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let opened = self.door.open(context, &params.tiers, Work::Look, &[]).await?;
        let name = view_name(&params.command).map_err(|message| wrong("_command", message))?;
        let (sql, tiers) = select(&opened).await?;
        if tiers.is_empty() {
            let what =
                format!("the view {name} is not made: no Parquet tier has a table before the first window is dumped");
            context.host.warn(&what);
            return Ok(done(None, &tiers));
        }
        put(&opened, &name, sql).await.at_param("_command")?;
        context.host.log(&format!("made the view {name} of {}", tiers.join(", ")));
        Ok(done(Some(&name), &tiers))
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

/// Tells what was made, if anything.
fn done(view: Option<&TableName>, tiers: &[String]) -> TaskOutcome {
    TaskResult {
        store: store("last_view", json!({"view": view.map(ToString::to_string), "tiers": tiers})),
        reset: vec![path("last_view")],
        ..TaskResult::default()
    }
    .done()
}

/// Reads the name of a view.
///
/// # Errors
/// What is wrong with it, for people.
fn view_name(text: &str) -> Result<TableName, String> {
    let (database, view) =
        text.split_once('.').ok_or_else(|| format!("expected `database.view`, found `{}`", text.escape_debug()))?;
    TableName::new(database, view).map_err(|error| error.message)
}

/// Writes the SELECT over the tiers whose tables are there, and names these.
async fn select(opened: &Opened) -> Result<(String, Vec<String>), TaskError> {
    let (mut parts, mut names) = (Vec::new(), Vec::new());
    let mut is_raw = true;
    for (name, tier) in &opened.config.tiers {
        let Some(parquet) = tier.as_parquet() else { continue };
        let holds_points = std::mem::replace(&mut is_raw, false);
        let (database, table) = parquet.table.split_once('.').unwrap_or_default();
        let table = TableName::new(database, table).map_err(task_error)?;
        if opened.lake.catalog.table(&table).await.map_err(task_error)?.is_none() {
            continue;
        }
        let figures = if holds_points {
            "value, CAST(1 AS bigint) AS \"count\", value AS \"sum\", value AS \"min\", value AS \"max\""
        } else {
            "\"sum\" / \"count\" AS value, \"count\", \"sum\", \"min\", \"max\""
        };
        // The step and the tier are words of a grammar of ours.
        parts.push(format!(
            "SELECT CAST('{}' AS varchar) AS step, CAST('{name}' AS varchar) AS tier, name, ts, {figures}, {} AS dt FROM {}.{}",
            parquet.step,
            quoted(parquet.unit().key()),
            quoted(&table.database),
            quoted(&table.table)
        ));
        names.push(name.clone());
    }
    Ok((parts.join("\nUNION ALL\n"), names))
}

/// Quotes a name for SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// How often a view is put once more that somebody else made, or changed, in that moment.
const TRIES: usize = 3;

/// Puts the view into the catalog.
async fn put(opened: &Opened, name: &TableName, sql: String) -> Result<(), TaskError> {
    let lake = &opened.lake;
    let described = lake.engine.describe(&sql, None).await.map_err(task_error)?;
    let columns = described
        .columns
        .into_iter()
        .map(|column| ViewColumn { name: column.name, data_type: column.data_type.to_string() });
    let view = lake.view(sql, columns.collect(), "the Parquet tiers of metrics");
    let table = view.table(name.clone()).map_err(task_error)?;
    let mut tries = 1;
    loop {
        let standing = lake.catalog.table(name).await.map_err(task_error)?;
        if standing.as_ref().is_some_and(|table| !table.is_view()) {
            let message = format!("`{name}` is a table already");
            return Err(task_error(lake::Error::new(lake::ErrorKind::AlreadyExists, "make a view", message)));
        }
        let expect = standing.map_or(Expect::Absent, |table| Expect::Version(table.version));
        let put = lake.catalog.put_table(&table, expect);
        match lake.settings.crash_points.around("metrics: make a view", put).await {
            // Another run did so since this one looked: most likely it made the same.
            Err(error) if is_overtaken(&error) && tries < TRIES => tries += 1,
            put => return put.map(drop).map_err(task_error),
        }
    }
}

fn is_overtaken(error: &lake::Error) -> bool {
    matches!(error.kind, lake::ErrorKind::AlreadyExists | lake::ErrorKind::Conflict)
}
