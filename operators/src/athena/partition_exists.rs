//! `athena.partition_exists?>`: whether a partition is registered, and data at its location.

use std::sync::Arc;

use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TypedOperator};
use engine::params::Params as EngineParams;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::access::AccessParams;
use super::exists::Found;
use crate::door::LakeDoor;
use crate::error::task_error;
use crate::inspect;
use crate::partition::{self, PartitionKv, Use, table_name};

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
    /// The partition's values by key: `{dt: "2024-03-01"}`. All keys of the table and no other.
    partition_kv: PartitionKv,
    /// Also tell whether there are objects at the partition's location.
    #[serde(default)]
    with_location: bool,
    /// Fail when the partition is missing (or, with `with_location`, its objects).
    #[serde(default)]
    error_if_not_exist: bool,
    /// In whose name it acts.
    #[serde(flatten)]
    access: AccessParams,
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
    const WORKS_ELSEWHERE: bool = true;

    type Params = Params;

    fn inspect(&self, params: &EngineParams, _: &Surroundings<'_>) -> Vec<ParamProblem> {
        inspect::partition(params, Use::Find)
    }

    async fn run(&self, _context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let lake = &self.door.open_as(&params.access.access()?).await?;
        let name = table_name(&params.database, &params.table)?;
        let partition = partition::find(lake, &name, &params.partition_kv).await?;
        let location_exists = match (&partition, params.with_location) {
            (_, false) => None,
            (Some(partition), true) => Some(lake.storage.has_data(&partition.location).await.map_err(task_error)?),
            (None, true) => Some(false),
        };
        let what = partition::told(&name, &params.partition_kv);
        let found = Found {
            kind: "partition",
            what: &what,
            owner: &what,
            named_by: "partition_kv",
            exists: partition.is_some(),
            location_exists,
        };
        found.outcome(params.error_if_not_exist)
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
