//! `athena.preview>`: shows the first rows of a query's result.

use std::sync::Arc;

use engine::operator::{TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use futures::TryStreamExt;
use lake::query::{QueryId, ResultColumn};
use lake::sql::Type;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::AccessParams;
use super::output::{path, store};
use super::rows;
use crate::door::LakeDoor;
use crate::error::{AtParam as _, task_error};

/// The operator.
#[derive(Debug)]
pub(crate) struct Preview {
    door: Arc<LakeDoor>,
}

impl Preview {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `athena.preview>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The id of a query that `athena.query>` ran: `${athena.last_query.id}`.
    #[serde(rename = "_command")]
    command: String,
    /// The most rows to show and store.
    #[serde(default = "ten")]
    #[schemars(range(min = 0, max = 100))]
    max_rows: usize,
    /// In whose name it acts.
    #[serde(flatten)]
    access: AccessParams,
}

/// The default of `max_rows`.
fn ten() -> usize {
    10
}

impl TypedOperator for Preview {
    const NAME: &'static str = "athena.preview";
    const SUMMARY: &'static str = "Shows and stores the first rows of a query's result.";
    const COMMAND: Option<&'static str> = Some("the id of a query, `${athena.last_query.id}`");
    const DETAILS: &'static str = "\
At most `max_rows` rows are read, 0 to 100.

Stores `athena.last_preview`: `id`, `columns` (each with `name`, `label`, `type`, `precision`, `scale`, `nullable`, \
`case_sensitive`, `catalog`, `database`, `table`) and `rows` (lists of text, null for NULL), and prints them as a table.

IAM actions on AWS: `athena:GetQueryResults`, `s3:GetObject`.";
    const EXAMPLE: &'static str = "\
+ask:
  athena.query>: SELECT 1 AS one
+show:
  athena.preview>: ${athena.last_query.id}
  max_rows: 5
";
    const DEFAULTS: &'static [&'static str] = &[super::DEFAULTS, "athena.preview"];
    const WORKS_ELSEWHERE: bool = true;

    type Params = Params;

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let lake = &self.door.open_as(&params.access.access()?).await?;
        let id = QueryId(params.command);
        let (columns, mut batches) = lake.engine.fetch(&id).await.map_err(task_error).at_param("_command")?;
        let mut found: Vec<Vec<Option<String>>> = Vec::new();
        while found.len() < params.max_rows {
            let next = batches.try_next().await.map_err(|error| task_error(lake::sql::from_execution(error)))?;
            let Some(batch) = next else { break };
            for row in 0..batch.num_rows().min(params.max_rows - found.len()) {
                found.push(rows::values(&columns, &batch, row));
            }
        }
        context.host.output(table(&columns, &found).as_bytes());
        let preview = json!({
            "id": id.0,
            "columns": columns.iter().map(describe).collect::<Vec<_>>(),
            "rows": found,
        });
        Ok(TaskResult {
            store: store("last_preview", preview),
            reset: vec![path("last_preview")],
            ..TaskResult::default()
        }
        .done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

/// Describes a column as Athena's `ColumnInfo` does
/// (<https://docs.aws.amazon.com/athena/latest/APIReference/API_ColumnInfo.html>).
fn describe(column: &ResultColumn) -> Value {
    let (precision, scale) = match &column.data_type {
        Type::Decimal(precision, scale) => (i64::from(*precision), i64::from(*scale)),
        Type::Tinyint => (3, 0),
        Type::Smallint => (5, 0),
        Type::Integer => (10, 0),
        Type::Bigint => (19, 0),
        Type::Real | Type::Double => (17, 0),
        Type::Varchar(Some(length)) | Type::Char(length) => (i64::from(*length), 0),
        Type::Varchar(None) => (i64::from(i32::MAX), 0),
        _ => (0, 0),
    };
    let text = matches!(column.data_type, Type::Varchar(_) | Type::Char(_));
    json!({
        "catalog": "hive",
        "database": "",
        "table": "",
        "name": column.name,
        "label": column.name,
        "type": column.data_type.to_string(),
        "precision": precision,
        "scale": scale,
        "nullable": "UNKNOWN",
        "case_sensitive": text,
    })
}

/// Draws rows as a table: columns as wide as their widest value.
fn table(columns: &[ResultColumn], rows: &[Vec<Option<String>>]) -> String {
    let cell = |value: &Option<String>| value.clone().unwrap_or_default().replace(['\n', '\r', '\t'], " ");
    let mut widths: Vec<usize> = columns.iter().map(|column| column.name.chars().count()).collect();
    for row in rows {
        for (width, value) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell(value).chars().count());
        }
    }
    let line = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join(" | ").trim_end().to_owned() + "\n"
    };
    let mut text = line(columns.iter().map(|column| column.name.clone()).collect());
    text.push_str(&line(widths.iter().map(|width| "-".repeat(*width)).collect()).replace(" | ", "-+-"));
    for row in rows {
        text.push_str(&line(row.iter().map(cell).collect()));
    }
    text
}
