//! `athena.table_exists?>`: whether a table is in the catalog, and data at its location.

use std::sync::Arc;

use engine::operator::{TaskContext, TaskError, TaskOutcome, TypedOperator};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::access::AccessParams;
use super::exists::Found;
use super::removal::prefixes;
use crate::door::LakeDoor;
use crate::error::task_error;
use crate::partition::table_name;

/// The operator.
#[derive(Debug)]
pub(crate) struct TableExists {
    door: Arc<LakeDoor>,
}

impl TableExists {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `athena.table_exists?>`.
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
    /// The table.
    table: String,
    /// Also tell whether there are objects at the location of the table or of one of its partitions.
    #[serde(default)]
    with_location: bool,
    /// Fail when the table is missing (or, with `with_location`, its objects).
    #[serde(default)]
    error_if_not_exist: bool,
    /// In whose name it acts.
    #[serde(flatten)]
    access: AccessParams,
}

impl TypedOperator for TableExists {
    const NAME: &'static str = "athena.table_exists?";
    const SUMMARY: &'static str = "Tells whether a table exists.";
    const COMMAND: Option<&'static str> = None;
    const DETAILS: &'static str = "\
Stores `athena.last_table_exists.table_exists` (boolean) and `athena.last_table_exists.location_exists` (boolean with \
`with_location: true`, otherwise null).

An error of the catalog is an error of the task; it is never read as \"does not exist\".

IAM actions on AWS: `glue:GetTable`, `s3:ListBucket`.";
    const EXAMPLE: &'static str = "\
+ready:
  athena.table_exists?>:
  database: web
  table: access_log

+say:
  echo>: ${athena.last_table_exists.table_exists}
";
    const DEFAULTS: &'static [&'static str] = &[super::DEFAULTS, "athena.table_exists?"];
    const WORKS_ELSEWHERE: bool = true;

    type Params = Params;

    async fn run(&self, _context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let lake = &self.door.open_as(&params.access.access()?).await?;
        let name = table_name(&params.database, &params.table)?;
        let table = lake.catalog.table(&name).await.map_err(task_error)?;
        let location_exists = match (&table, params.with_location) {
            (_, false) => None,
            (Some(table), true) => {
                let mut any = false;
                for prefix in prefixes(lake, table).await? {
                    any = any || lake.storage.has_data(&prefix).await.map_err(task_error)?;
                }
                Some(any)
            }
            (None, true) => Some(false),
        };
        let owner = format!("`{name}`");
        let what = format!("the table {owner}");
        let found = Found {
            kind: "table",
            what: &what,
            owner: &owner,
            named_by: "table",
            exists: table.is_some(),
            location_exists,
        };
        found.outcome(params.error_if_not_exist)
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
