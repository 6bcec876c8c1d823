//! `athena.drop_table>`: takes a table out of the catalog.

use std::sync::Arc;

use engine::operator::{TaskContext, TaskError, TaskOutcome, TypedOperator};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::access::AccessParams;
use super::removal::{Entry, Removal, prefixes};
use crate::door::LakeDoor;
use crate::error::task_error;
use crate::partition::table_name;

/// The operator.
#[derive(Debug)]
pub(crate) struct DropTable {
    door: Arc<LakeDoor>,
}

impl DropTable {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `athena.drop_table>`.
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
    /// Also delete the table's objects: its partitions' and its own. Only what suiro wrote, unless `force` is set.
    #[serde(default)]
    with_location: bool,
    /// With `with_location`: delete the objects whoever wrote them.
    #[serde(default)]
    force: bool,
    /// Succeed when the table is not there.
    #[serde(default = "yes")]
    ignore_if_not_exist: bool,
    /// In whose name it acts.
    #[serde(flatten)]
    access: AccessParams,
}

/// The default of `ignore_if_not_exist`.
fn yes() -> bool {
    true
}

impl TypedOperator for DropTable {
    const NAME: &'static str = "athena.drop_table";
    const SUMMARY: &'static str = "Takes a table out of the catalog, with its data if wanted.";
    const COMMAND: Option<&'static str> = None;
    const DETAILS: &'static str = "\
The table leaves the catalog first and its objects go afterwards, so no reader meets a table whose data is going. A stop in \
between is made good by the next run.

A view has no objects.

IAM actions on AWS: `glue:GetTable`, `glue:GetPartitions`, `glue:DeleteTable`, `s3:ListBucket`, `s3:DeleteObject`.";
    const EXAMPLE: &'static str = "\
+tidy:
  athena.drop_table>:
  database: web
  table: scratch
  with_location: true
";
    const DEFAULTS: &'static [&'static str] = &[super::DEFAULTS, "athena.drop_table"];
    const WORKS_ELSEWHERE: bool = true;

    type Params = Params;

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let lake = &self.door.open_as(&params.access.access()?).await?;
        let name = table_name(&params.database, &params.table)?;
        let what = format!("the table `{name}`");
        let find = async {
            let Some(table) = lake.catalog.table(&name).await.map_err(task_error)? else { return Ok(None) };
            let prefixes = if params.with_location { prefixes(lake, &table).await? } else { Vec::new() };
            let entries = vec![Entry { table: name.clone(), partition: None }];
            Ok::<_, TaskError>(Some(Removal { entries, prefixes, force: params.force }))
        };
        Removal::run(lake, context, (&what, params.ignore_if_not_exist), "table", find).await
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
