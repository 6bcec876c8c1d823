//! `athena.add_partition>`: registers a partition whose objects are already there.

use std::sync::Arc;

use engine::diagnostic::code;
use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use engine::params::Params as EngineParams;
use lake::ErrorKind;
use lake::catalog::Expect;
use lake::name::Location;
use lake::query::partition_of;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::AccessParams;
use crate::door::LakeDoor;
use crate::error::{AtParam as _, task_error};
use crate::inspect;
use crate::partition::{PartitionKv, Use, table_name, values};
use crate::state;

/// The operator.
#[derive(Debug)]
pub(crate) struct AddPartition {
    door: Arc<LakeDoor>,
}

impl AddPartition {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `athena.add_partition>`.
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
    /// The table; it must have partition keys.
    table: String,
    /// The partition's values by key: `{dt: "2024-03-01"}`. All keys of the table and no other.
    partition_kv: PartitionKv,
    /// Where the partition's objects are: `s3://bucket/prefix/`. Without it, where the partition is registered already, else
    /// `TABLE LOCATION/key=value/…`.
    #[serde(default)]
    location: Option<String>,
    /// What to do when the partition is registered already.
    #[serde(default)]
    save_mode: SaveMode,
    /// Let the registration follow the objects: without objects at the location, add nothing, and (with
    /// `save_mode: overwrite`) drop the registration.
    #[serde(default = "yes")]
    follow_location: bool,
    /// In whose name it acts.
    #[serde(flatten)]
    access: AccessParams,
}

/// What to do when the partition is registered already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SaveMode {
    /// Register it anew.
    #[default]
    Overwrite,
    /// Leave it as it is.
    SkipIfExists,
    /// Fail.
    ErrorIfExists,
}

/// The default of `follow_location`.
fn yes() -> bool {
    true
}

impl TypedOperator for AddPartition {
    const NAME: &'static str = "athena.add_partition";
    const SUMMARY: &'static str = "Registers a partition whose objects are already there.";
    const COMMAND: Option<&'static str> = None;
    const DETAILS: &'static str = "\
| objects at the location | registered | `follow_location` | what happens |
|---|---|---|---|
| no | no | `true` | nothing |
| no | yes | `true` | `overwrite` drops the registration, `skip_if_exists` leaves it, `error_if_exists` fails |
| no | either | `false` | as with objects, and the log says that there are none |
| yes | no | either | the partition is registered |
| yes | yes | either | `overwrite` registers it at the location, `skip_if_exists` leaves it, `error_if_exists` fails |

The partition takes the table's columns and format, and none of the table's parameters: its counts are not the partition's. \
A version that suiro published and that is replaced this way is kept for the retention and then collected.

IAM actions on AWS: `glue:GetTable`, `glue:GetPartition`, `glue:CreatePartition`, `glue:UpdatePartition`, \
`glue:DeletePartition`, `s3:ListBucket`.";
    const EXAMPLE: &'static str = "\
+register:
  athena.add_partition>:
  database: web
  table: raw_log
  partition_kv: {dt: \"${session_date}\"}
  location: s3://raw/logs/${session_date}/
";
    const DEFAULTS: &'static [&'static str] = &[super::DEFAULTS, "athena.add_partition"];
    const WORKS_ELSEWHERE: bool = true;

    type Params = Params;

    fn inspect(&self, params: &EngineParams, _: &Surroundings<'_>) -> Vec<ParamProblem> {
        inspect::partition(params, Use::Write)
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let lake = &self.door.open_as(&params.access.access()?).await?;
        let catalog = &lake.catalog;
        let name = table_name(&params.database, &params.table)?;
        let table = catalog
            .table(&name)
            .await
            .map_err(task_error)?
            .ok_or_else(|| TaskError::config(code::NOT_FOUND, format!("the table `{name}` does not exist")))
            .at_param("table")?;
        let values = values(&table, &params.partition_kv, Use::Write)?;
        let registered = partition_of(catalog.as_ref(), &table, &values).await.map_err(task_error)?;
        // As it is registered: another text of the same value would be a second partition with the same rows.
        let values = registered.as_ref().map_or(values, |registered| registered.values.clone());
        let points = &lake.settings.crash_points;
        if let Some(intent) = state::read::<Intent>(context)?
            && registered.as_ref().map(|registered| &registered.location) == intent.location.as_ref()
        {
            // A stop after the catalog call.
            lake.retire_unused(&name, Some(&values)).await.map_err(task_error)?;
            return Ok(TaskResult::default().done());
        }
        // DIFFERENCE(digdag-operator-athena): without `location`, a registered partition is looked for where it is, not at its
        // Hive path: a published version would be dropped otherwise.
        let location = match (&params.location, &registered) {
            (Some(location), _) => Location::parse(location).map_err(task_error).at_param("location")?.as_prefix(),
            (None, Some(registered)) => registered.location.clone(),
            (None, None) => table.hive_location(&values).map_err(task_error)?,
        };
        let partition = values.join("/");
        let has_objects = lake.storage.has_data(&location).await.map_err(task_error)?;
        if let (Some(_), SaveMode::ErrorIfExists) = (&registered, params.save_mode) {
            return Err(TaskError::config(
                code::EXISTS,
                format!("the partition {partition} of `{name}` is registered already"),
            )
            .at_param("partition_kv")
            .help("say `save_mode: overwrite` or `save_mode: skip_if_exists`"));
        }
        if let (Some(_), SaveMode::SkipIfExists) = (&registered, params.save_mode) {
            context.host.log(&format!("{name} partition {partition} is registered already: left as it is"));
            return Ok(TaskResult::default().done());
        }
        if !has_objects && params.follow_location {
            context.host.log(&format!("no objects below {location}: {name} partition {partition} is not registered"));
            if registered.is_some() {
                state::write(context, &Intent { location: None }).await?;
                let dropped = catalog.drop_partition(&name, &values);
                points.around("add_partition: drop", dropped).await.map_err(task_error)?;
                lake.retire_unused(&name, Some(&values)).await.map_err(task_error)?;
            }
            return Ok(TaskResult::default().done());
        }
        if !has_objects {
            context.host.log(&format!("no objects below {location}: {name} partition {partition} is registered empty"));
        }
        let expect = registered.as_ref().map_or(Expect::Absent, |registered| Expect::Version(registered.version));
        let partition_values = values.clone();
        let new = table.new_partition(values, location.clone());
        state::write(context, &Intent { location: Some(location) }).await?;
        let put = catalog.put_partition(&name, &new, expect);
        let added = match points.around("add_partition: the catalog call", put).await {
            // Another writer was here in between: what counts is what the catalog says when this is tried again.
            Err(error) if matches!(error.kind, ErrorKind::AlreadyExists | ErrorKind::Conflict) => {
                return Err(task_error(error.retryable()));
            }
            other => other.map_err(task_error)?,
        };
        context.host.log(&format!("registered {name} partition {partition} at {}", added.location));
        // A version that nothing points to any more is collected after the retention; other places are left alone.
        lake.retire_unused(&name, Some(&partition_values)).await.map_err(task_error)?;
        Ok(TaskResult::default().done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

/// What is going to be in the catalog: stored before it is.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    /// Where the partition is; none when it is dropped.
    location: Option<Location>,
}
