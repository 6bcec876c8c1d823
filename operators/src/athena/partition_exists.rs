//! `athena.partition_exists?>`: whether a partition is registered, and data at its location.

use std::sync::Arc;

use engine::diagnostic::code;
use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use engine::params::Params as EngineParams;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::output::store;
use crate::door::LakeDoor;
use crate::error::{AtParam as _, task_error};
use crate::inspect;
use crate::partition::{PartitionKv, Use, table_name, values};

/// The operator.
#[derive(Debug)]
pub(crate) struct PartitionExists {
    door: Arc<LakeDoor>,
}

impl PartitionExists {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `athena.partition_exists?>`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Takes no value.
    #[serde(rename = "_command", default)]
    _command: Option<Value>,
    /// The database.
    database: String,
    /// The table.
    table: String,
    /// The partition's values by key: `{dt: "2024-03-01"}`. All keys of the table and no other.
    partition_kv: PartitionKv,
    /// Also tell whether there are objects at the partition's location.
    #[serde(default)]
    with_location: bool,
    /// Fail when the partition is missing (or, with `with_location`, its objects).
    #[serde(default)]
    error_if_not_exist: bool,
    /// The catalog, an AWS account id; on the embedded lake there is one catalog and this has no effect.
    #[serde(default)]
    #[expect(dead_code, reason = "part of the language; there is one catalog on the embedded lake")]
    catalog_id: Option<String>,
}

impl TypedOperator for PartitionExists {
    const NAME: &'static str = "athena.partition_exists?";
    const SUMMARY: &'static str = "Tells whether a partition is registered.";
    const COMMAND: Option<&'static str> = None;
    const DETAILS: &'static str = "\
Stores `athena.last_partition_exists.partition_exists` (boolean) and `athena.last_partition_exists.location_exists` (boolean \
with `with_location: true`, otherwise null). A partition of a table that does not exist does not exist.

An error of the catalog, or a key that is not the table's, is an error of the task; it is never read as \"does not exist\".

IAM actions on AWS: `glue:GetTable`, `glue:GetPartition`, `s3:ListBucket`.";
    const EXAMPLE: &'static str = "\
+ready:
  athena.partition_exists?>:
  database: web
  table: access_log
  partition_kv: {dt: \"${session_date}\"}

+go:
  if>: ${athena.last_partition_exists.partition_exists}
  _do:
    echo>: the day is there
";
    const DEFAULTS: &'static [&'static str] = &[super::DEFAULTS, "athena.partition_exists?"];

    type Params = Params;

    fn inspect(&self, params: &EngineParams, _: &Surroundings<'_>) -> Vec<ParamProblem> {
        inspect::partition(params, Use::Find)
    }

    async fn run(&self, _context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let lake = self.door.open().await?;
        let name = table_name(&params.database, &params.table)?;
        let partition = match lake.catalog.table(&name).await.map_err(task_error)? {
            Some(table) => {
                let values = values(&table, &params.partition_kv, Use::Find)?;
                lake.catalog.partition(&name, &values).await.map_err(task_error)?
            }
            None => None,
        };
        let location_exists = match (&partition, params.with_location) {
            (_, false) => None,
            (Some(partition), true) => {
                Some(!lake.storage.list_data(&partition.location).await.map_err(task_error)?.is_empty())
            }
            (None, true) => Some(false),
        };
        if params.error_if_not_exist {
            if partition.is_none() {
                let message = format!("the partition of `{name}` does not exist");
                return Err(TaskError::config(code::NOT_FOUND, message).at_param("partition_kv"));
            }
            if location_exists == Some(false) {
                let message = format!("there are no objects at the location of the partition of `{name}`");
                return Err(TaskError::config(code::NOT_FOUND, message).at_param("partition_kv"));
            }
        }
        let found = json!({"partition_exists": partition.is_some(), "location_exists": location_exists});
        Ok(TaskResult { store: store("last_partition_exists", found), ..TaskResult::default() }.done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
