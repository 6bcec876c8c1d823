//! `partition_kv`: the values of a partition by key, fitted to a table's keys.

use engine::operator::{ParamProblem, TaskError};
use lake::Lake;
use lake::catalog::{Partition, PartitionValues, Table};
use lake::name::TableName;

use crate::error::task_error;

/// A partition's values by key, as written.
pub(crate) type PartitionKv = indexmap::IndexMap<String, String>;

/// Puts the values in the order of the table's keys.
///
/// DIFFERENCE(digdag-operator-athena): a key too many is an error as well as a missing one.
///
/// # Errors
/// Of the workflow's author, with all missing and extra keys and unusable values at once.
pub(crate) fn values(table: &Table, partition_kv: &PartitionKv) -> Result<PartitionValues, TaskError> {
    let pairs = partition_kv.iter().map(|(key, value)| (key.to_lowercase(), value.clone())).collect();
    table.partition_values(&pairs).map_err(|error| {
        let problem = ParamProblem::new("partition_kv".into(), error.message.clone());
        task_error(error).param(problem)
    })
}

/// Finds a registered partition; none when it, or its table, is not in the catalog.
///
/// # Errors
/// Those of [`values`] and of the catalog.
pub(crate) async fn find(
    lake: &Lake,
    name: &TableName,
    partition_kv: &PartitionKv,
) -> Result<Option<Partition>, TaskError> {
    let Some(table) = lake.catalog.table(name).await.map_err(task_error)? else { return Ok(None) };
    let values = values(&table, partition_kv)?;
    lake.catalog.partition(name, &values).await.map_err(task_error)
}

/// Reads a table's name from two parameters.
///
/// # Errors
/// Of the workflow's author.
pub(crate) fn table_name(database: &str, table: &str) -> Result<TableName, TaskError> {
    TableName::new(database, table).map_err(task_error)
}
