//! `partition_kv`: the values of a partition by key, fitted to a table's keys.

use engine::diagnostic::code;
use engine::operator::{ParamProblem, TaskError};
use engine::params::ParamPath;
use indexmap::IndexMap;
use indexmap::map::Entry;
use lake::catalog::{Partition, PartitionValues, Table};
use lake::name::{HIVE_DEFAULT_PARTITION, TableName, check_partition_value};
use lake::query::{meaning, partition_of};
use lake::{ErrorKind, Lake};

use crate::error::{AtParam as _, task_error};

/// A partition's values by key, as written.
pub(crate) type PartitionKv = IndexMap<String, String>;

/// What a partition is named for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// To make it.
    Write,
    /// To look for it or to drop it: rows without a value are in a partition, too, which a load or `ctas>` made.
    Find,
}

/// Says why a value cannot be one of a partition; none when it can.
pub(crate) fn value_problem(path: &ParamPath, key: &str, value: &str, purpose: Use) -> Option<ParamProblem> {
    let (message, help) = if value.is_empty() {
        (format!("expected a value for the partition key `{key}`, found an empty text"), None)
    } else if value == HIVE_DEFAULT_PARTITION && purpose == Use::Write {
        let help = "choose a value of your own for rows without one, such as `none`";
        let message = format!(
            "the value `{value}` of partition key `{key}` cannot be used: it is Hive's word for NULL, and readers would \
             find NULL in its place"
        );
        (message, Some(help))
    } else if let Err(error) = check_partition_value(key, value) {
        (error.message, Some("values become names of folders: take a plain one, such as `2024-03-01`"))
    } else {
        return None;
    };
    let problem = ParamProblem::new(path.clone(), message).code(code::BAD_NAME);
    Some(match help {
        Some(help) => problem.help(help),
        None => problem,
    })
}

/// Says why a text cannot be a key of a partition; none when it can.
pub(crate) fn key_problem(path: &ParamPath, key: &str) -> Option<ParamProblem> {
    let is_bad =
        |character: char| character.is_control() || matches!(character, '/' | '\\' | '=' | '%' | '\'' | '"' | '`');
    if !key.trim().is_empty() && key.trim() == key && !key.contains(is_bad) {
        return None;
    }
    let message = format!("`{}` cannot be a key of a partition: folders are named `key=value`", key.escape_debug());
    let problem = ParamProblem::new(path.clone(), message).code(code::BAD_NAME);
    Some(problem.help("take letters, digits and `_`"))
}

/// Finds the keys that stand there already in other letters: keys of partitions are the same in upper and lower case.
pub(crate) fn repeated_keys<'k>(path: &ParamPath, keys: impl Iterator<Item = &'k str>) -> Vec<ParamProblem> {
    let mut seen: IndexMap<String, &str> = IndexMap::new();
    let mut problems = Vec::new();
    for key in keys {
        match seen.entry(key.to_lowercase()) {
            Entry::Vacant(entry) => {
                entry.insert(key);
            }
            Entry::Occupied(entry) => {
                let first = *entry.get();
                let message = format!(
                    "the partition key `{}` stands twice, as `{first}` and as `{key}`: upper and lower case make no other key",
                    entry.key()
                );
                problems.push(ParamProblem::again(path.key(key), path.key(first), message));
            }
        }
    }
    problems
}

/// Refuses keys that stand twice and values that cannot be those of a partition, and with them keys that are not those of its table, when that is given:
/// all at once. Keys that do not fit are no matter here when all values are good: they are compared when the table is.
///
/// # Errors
/// Of the workflow's author, at each value.
pub(crate) fn check_values(table: Option<&Table>, partition_kv: &PartitionKv, purpose: Use) -> Result<(), TaskError> {
    let path = ParamPath::from("partition_kv");
    let mut problems: Vec<ParamProblem> =
        partition_kv.iter().filter_map(|(key, value)| value_problem(&path.key(key), key, value, purpose)).collect();
    problems.extend(partition_kv.keys().filter_map(|key| key_problem(&path.key(key), key)));
    problems.extend(repeated_keys(&path, partition_kv.keys().map(String::as_str)));
    if problems.is_empty() {
        return Ok(());
    }
    let misfit = table.and_then(|table| table.check_partition_keys(&in_lower_case(partition_kv)).err());
    problems.extend(misfit.map(|error| ParamProblem::new(path, error.message).code(code::BAD_NAME)));
    Err(TaskError::wrong_params(problems))
}

/// As [`check_values`], with the table of a name, if it is there.
///
/// # Errors
/// As [`check_values`]; those of the catalog.
pub(crate) async fn check_values_for(
    lake: &Lake,
    name: &TableName,
    partition_kv: &PartitionKv,
    purpose: Use,
) -> Result<(), TaskError> {
    // The catalog is asked when there is something to say.
    if check_values(None, partition_kv, purpose).is_ok() {
        return Ok(());
    }
    let table = lake.catalog.table(name).await.map_err(task_error)?;
    check_values(table.as_ref(), partition_kv, purpose)
}

/// Puts the values in the order of the table's keys.
///
/// DIFFERENCE(digdag-operator-athena): a key too many is an error as well as a missing one.
///
/// # Errors
/// Of the workflow's author, with all missing and extra keys and unusable values at once.
pub(crate) fn values(table: &Table, partition_kv: &PartitionKv, purpose: Use) -> Result<PartitionValues, TaskError> {
    check_values(Some(table), partition_kv, purpose)?;
    let values = table.partition_values(&in_lower_case(partition_kv)).map_err(task_error).at_param("partition_kv")?;
    if purpose == Use::Write {
        let written = meaning(table, &values).map_err(|error| lake::Error { kind: ErrorKind::InvalidInput, ..error });
        written.map_err(task_error).at_param("partition_kv")?;
    }
    Ok(values)
}

/// Names a partition in a message.
pub(crate) fn told(name: &TableName, partition_kv: &PartitionKv) -> String {
    let pairs: Vec<String> = in_lower_case(partition_kv).iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("the partition {} of `{name}`", pairs.join("/"))
}

/// Returns the values by the keys as catalogs have them.
pub(crate) fn in_lower_case(partition_kv: &PartitionKv) -> IndexMap<String, String> {
    partition_kv.iter().map(|(key, value)| (key.to_lowercase(), value.clone())).collect()
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
    let values = values(&table, partition_kv, Use::Find)?;
    partition_of(lake.catalog.as_ref(), &table, &values).await.map_err(task_error)
}

/// Says that a table's name holds its database, which has a parameter of its own; none when it does not.
pub(crate) fn qualified(table: &str) -> Option<ParamProblem> {
    let (database, name) = table.split_once('.')?;
    let message = format!("the name `{table}` of a table cannot be used: it holds a `.`");
    let problem = ParamProblem::new(ParamPath::from("table"), message).code(code::BAD_NAME);
    Some(problem.help(format!("the database has a parameter of its own: `database: {database}`, `table: {name}`")))
}

/// Reads a table's name from the parameters `database` and `table`.
///
/// # Errors
/// Of the workflow's author.
pub(crate) fn table_name(database: &str, table: &str) -> Result<TableName, TaskError> {
    if let Some(problem) = qualified(table) {
        return Err(TaskError::wrong_params(vec![problem]));
    }
    // A name that is right with any other part is not the one to blame.
    let wrong = if TableName::new(database, "t").is_err() { "database" } else { "table" };
    TableName::new(database, table).map_err(task_error).at_param(wrong)
}
