//! `athena.drop_partition>`: takes a partition out of the catalog.

use std::sync::Arc;

use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TypedOperator};
use engine::params::Params as EngineParams;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::access::AccessParams;
use super::removal::{Entry, Removal};
use crate::door::LakeDoor;
use crate::inspect;
use crate::partition::{self, PartitionKv, Use, table_name};

/// The operator.
#[derive(Debug)]
pub(crate) struct DropPartition {
    door: Arc<LakeDoor>,
}

impl DropPartition {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `athena.drop_partition>`.
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
    /// Also delete the objects at the partition's own location. Only what suiro wrote, unless `force` is set.
    #[serde(default)]
    with_location: bool,
    /// With `with_location`: delete the objects whoever wrote them.
    #[serde(default)]
    force: bool,
    /// Succeed when the partition (or the table) is not there.
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

impl TypedOperator for DropPartition {
    const NAME: &'static str = "athena.drop_partition";
    const SUMMARY: &'static str = "Takes a partition out of the catalog, with its data if wanted.";
    const COMMAND: Option<&'static str> = None;
    const DETAILS: &'static str = "\
The partition leaves the catalog first and its objects go afterwards: a reader sees the partition whole, or not at all. A stop \
in between is made good by the next run.

IAM actions on AWS: `glue:GetTable`, `glue:GetPartition`, `glue:DeletePartition`, `s3:ListBucket`, `s3:DeleteObject`.";
    const EXAMPLE: &'static str = "\
+forget:
  athena.drop_partition>:
  database: web
  table: access_log
  partition_kv: {dt: \"${moment(session_time).subtract(400, 'days').format('YYYY-MM-DD')}\"}
  with_location: true
";
    const DEFAULTS: &'static [&'static str] = &[super::DEFAULTS, "athena.drop_partition"];
    const WORKS_ELSEWHERE: bool = true;

    type Params = Params;

    fn inspect(&self, params: &EngineParams, _: &Surroundings<'_>) -> Vec<ParamProblem> {
        inspect::partition(params, Use::Find)
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let lake = &self.door.open_as(&params.access.access()?).await?;
        let name = table_name(&params.database, &params.table)?;
        let what = partition::told(&name, &params.partition_kv);
        let find = async {
            let Some(partition) = partition::find(lake, &name, &params.partition_kv).await? else { return Ok(None) };
            let prefixes = if params.with_location { vec![partition.location.as_prefix()] } else { Vec::new() };
            let entries = vec![Entry { table: name.clone(), partition: Some(partition.values) }];
            Ok::<_, TaskError>(Some(Removal { entries, prefixes, force: params.force }))
        };
        Removal::run(lake, context, (&what, params.ignore_if_not_exist), "partition_kv", find).await
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
