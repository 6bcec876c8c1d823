//! What a description must hold before a catalog keeps it.

use indexmap::{IndexMap, IndexSet};

use super::{Column, Database, Partition, PartitionValues, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{TableName, check_partition_value};

/// Checks the name of a database.
pub(super) fn database(database: &Database) -> Result<()> {
    // The same rules hold for both parts of a table's name.
    TableName::new(&database.name, "t").map(|_| ())
}

/// Checks a table: its name, its columns' names.
pub(super) fn table(table: &Table) -> Result<()> {
    let name = TableName::new(&table.name.database, &table.name.table)?;
    if name != table.name {
        return Err(invalid(format!("expected the name of a table in lower case, found `{}`", table.name)));
    }
    let mut seen = std::collections::HashSet::new();
    for column in table.columns.iter().chain(&table.partition_keys) {
        if column.name.is_empty() || column.name.chars().any(char::is_control) || column.name.len() > 255 {
            return Err(invalid(format!(
                "expected the name of a column (1 to 255 bytes, no control character), found `{}` in table `{name}`",
                column.name.escape_debug()
            )));
        }
        if column.name != column.name.to_lowercase() {
            return Err(invalid(format!(
                "expected the name of a column in lower case, found `{}` in table `{name}`",
                column.name
            )));
        }
        if !seen.insert(column.name.as_str()) {
            return Err(invalid(format!("table `{name}` has two columns named `{}`", column.name)));
        }
    }
    Ok(())
}

/// Checks a partition against its table.
pub(super) fn partition(table: &Table, partition: &Partition) -> Result<()> {
    if table.partition_keys.is_empty() {
        return Err(invalid(format!("table `{}` is not partitioned", table.name)));
    }
    if partition.values.len() != table.partition_keys.len() {
        return Err(invalid(format!(
            "expected {} partition values for table `{}`, found {}",
            table.partition_keys.len(),
            table.name,
            partition.values.len()
        )));
    }
    for (key, value) in table.pairs(&partition.values) {
        check_partition_value(key, value)?;
    }
    Ok(())
}

/// See [`Table::partition_values`].
pub(super) fn partition_values(table: &Table, pairs: &IndexMap<String, String>) -> Result<PartitionValues> {
    let mut problems = key_problems(table, pairs)?;
    let lower: IndexMap<String, &String> = pairs.iter().map(|(key, value)| (key.to_lowercase(), value)).collect();
    let mut values = Vec::with_capacity(table.partition_keys.len());
    for key in &table.partition_keys {
        if let Some(value) = lower.get(&key.name) {
            problems.extend(check_partition_value(&key.name, value).err().map(|error| error.message));
            values.push((*value).clone());
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(misfit(table, &problems)) }
}

/// See [`Table::check_partition_keys`].
pub(super) fn partition_keys(table: &Table, pairs: &IndexMap<String, String>) -> Result<()> {
    let problems = key_problems(table, pairs)?;
    if problems.is_empty() { Ok(()) } else { Err(misfit(table, &problems)) }
}

/// Lists the keys that are missing, and those that are too many.
fn key_problems(table: &Table, pairs: &IndexMap<String, String>) -> Result<Vec<String>> {
    if table.partition_keys.is_empty() {
        return Err(invalid(format!("table `{}` is not partitioned", table.name)));
    }
    let given: IndexSet<String> = pairs.keys().map(|key| key.to_lowercase()).collect();
    let is_missing = |key: &&Column| !given.contains(&key.name);
    let missing = table.partition_keys.iter().filter(is_missing).map(|key| format!("key `{}` is missing", key.name));
    let is_extra = |key: &&String| !table.partition_keys.iter().any(|known| known.name == **key);
    let extra = given.iter().filter(is_extra).map(|key| format!("key `{key}` is not a partition key"));
    Ok(missing.chain(extra).collect())
}

fn misfit(table: &Table, problems: &[String]) -> Error {
    let keys: Vec<String> = table.partition_keys.iter().map(|key| format!("`{}`", key.name)).collect();
    invalid(format!(
        "the partition does not fit table `{}` with the keys {}: {}",
        table.name,
        keys.join(", "),
        problems.join("; ")
    ))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "describe a table", message)
}
