//! What a task does to a target that is there already, or is not there to be dropped.

use engine::operator::TaskError;
use engine::params::Params;
use lake::Lake;
use lake::name::Location;
use lake::query::partition_of;
use serde::Serialize;
use serde_json::Value;

use super::{LakePlan, is_unknown, partition_kv, text};
use crate::error::task_error;
use crate::partition::{in_lower_case, table_name};

/// What becomes of the target as the lake is now, where that is not what the operator is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It is there already, and left as it is.
    Leaves,
    /// Its registration is dropped, because nothing lies there.
    Drops,
    /// It is not there, and nothing is registered, because nothing lies there.
    Nothing,
}

/// Finds out what a task does to its target, whose presence `plan` tells.
pub(super) async fn find(
    lake: Option<&Lake>,
    operator: &str,
    params: &Params,
    plan: &mut LakePlan,
) -> Result<(), TaskError> {
    let Some(target) = plan.target.clone() else { return Ok(()) };
    let Some(is_there) = plan.exists else { return Ok(()) };
    let save_mode = text(params, "save_mode");
    match (operator, save_mode.as_deref()) {
        ("athena.drop_table" | "athena.drop_partition", _)
            if !is_there && params.get("ignore_if_not_exist") == Some(&Value::Bool(false)) =>
        {
            plan.target_problem = Some(format!("{target} is not there, and `ignore_if_not_exist` is `false`"));
        }
        ("athena.ctas" | "athena.apas" | "athena.add_partition", Some(mode @ ("none" | "error_if_exists")))
            if is_there =>
        {
            plan.target_problem = Some(format!("{target} is there already, and `save_mode` is `{mode}`"));
        }
        ("athena.ctas" | "athena.apas" | "athena.add_partition", Some("ignore" | "skip_if_exists")) if is_there => {
            plan.effect = Some(Effect::Leaves);
        }
        ("athena.add_partition", _) if params.get("follow_location") != Some(&Value::Bool(false)) => {
            follow_location(lake, params, is_there, plan).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Lets the registration of a partition follow its objects, as they are now.
async fn follow_location(
    lake: Option<&Lake>,
    params: &Params,
    is_there: bool,
    plan: &mut LakePlan,
) -> Result<(), TaskError> {
    let (Some(lake), Some(database), Some(table)) = (lake, text(params, "database"), text(params, "table")) else {
        return Ok(());
    };
    let name = table_name(&database, &table)?;
    let Some(table) = lake.catalog.table(&name).await.map_err(task_error)? else { return Ok(()) };
    let values = table.partition_values(&in_lower_case(&partition_kv(params))).map_err(task_error)?;
    let registered = partition_of(lake.catalog.as_ref(), &table, &values).await.map_err(task_error)?;
    let location = match (text(params, "location"), registered) {
        (Some(location), _) if is_unknown(&location) => return Ok(()),
        (Some(location), _) => Location::parse(&location).map_err(task_error)?.as_prefix(),
        (None, Some(registered)) => registered.location,
        (None, None) => table.hive_location(&values).map_err(task_error)?,
    };
    if !lake.storage.has_data(&location).await.map_err(task_error)? {
        plan.effect = Some(if is_there { Effect::Drops } else { Effect::Nothing });
        plan.lines.push(format!("no objects below {location} yet"));
    }
    Ok(())
}
