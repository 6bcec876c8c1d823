//! `SHOW` and `DESCRIBE`, in the text that Hive writes: cells of twenty characters with tabs between them.

use indexmap::IndexMap;
use lake::catalog::{Column, Partition, Storage, Table, View, ddl};
use lake::{ErrorKind, Result};

use super::ddl::{no_database, semantic};
use super::outcome::Outcome;
use super::partition::{check_keys, matches, no_partition, shown};
use crate::athena::Athena;
use crate::athena::statement::{Describe, Detail, Show};

/// The width that Hive gives its cells.
const WIDTH: usize = 20;

const DESCRIBED: [&str; 3] = ["col_name", "data_type", "comment"];

impl Athena {
    pub(super) async fn show(&self, database: &str, show: &Show) -> Result<Outcome> {
        let catalog = &self.inner.lake.catalog;
        let (columns, lines): (&[&str], Vec<String>) = match show {
            Show::Databases { like } => {
                let names = catalog.databases().await?.into_iter().map(|database| database.name);
                (&["database_name"], matching(names, like.as_deref()))
            }
            Show::Tables { database: of, like } => {
                let tables = self.tables_of(of.as_deref().unwrap_or(database)).await?;
                (&["tab_name"], matching(tables.into_iter().map(|table| table.name.table), like.as_deref()))
            }
            Show::Views { database: of, like } => {
                let tables = self.tables_of(of.as_deref().unwrap_or(database)).await?;
                let views = tables.into_iter().filter(Table::is_view).map(|table| table.name.table);
                (&["views"], matching(views, like.as_deref()))
            }
            Show::Partitions { table, partition } => {
                let table = self.table(&table.full(database)?).await?;
                if table.partition_keys.is_empty() {
                    return Err(semantic(
                        ErrorKind::InvalidInput,
                        format_args!("[Error 10241]: Table {} is not a partitioned table", table.name),
                    ));
                }
                let spec = partition.clone().unwrap_or_default();
                check_keys(&table, &spec)?;
                let all = catalog.partitions(&table.name).await?;
                let lines =
                    all.iter().filter(|found| matches(&table, found, &spec)).map(|found| shown(&table, &found.values));
                (&["partition"], lines.collect())
            }
            Show::Columns(name) => {
                let table = View::shown(self.table(&name.full(database)?).await?);
                let names = table.columns.iter().chain(&table.partition_keys).map(|column| padded(&column.name));
                (&["field"], names.collect())
            }
            Show::Properties { table, key } => {
                let table = self.table(&table.full(database)?).await?;
                let lines = match key {
                    Some(key) => vec![match table.parameters.get(key) {
                        Some(value) => format!("{key}\t{value}"),
                        None => format!("Table {} does not have property: {key}", table.name),
                    }],
                    None => table.parameters.iter().map(|(key, value)| format!("{key}\t{value}")).collect(),
                };
                (&["prpt_name", "prpt_value"], lines)
            }
            Show::CreateTable(name) => {
                let table = self.table(&name.full(database)?).await?;
                if table.is_view() {
                    return Err(semantic(
                        ErrorKind::InvalidInput,
                        format_args!("{} is a view: use SHOW CREATE VIEW", table.name),
                    ));
                }
                (&["createtab_stmt"], ddl::create_table(&table).lines().map(str::to_owned).collect())
            }
            Show::CreateView(name) => {
                let table = self.table(&name.full(database)?).await?;
                if !table.is_view() {
                    return Err(semantic(
                        ErrorKind::InvalidInput,
                        format_args!("{} is no view: use SHOW CREATE TABLE", table.name),
                    ));
                }
                let view = View::of(&table)?;
                let text = format!(
                    "CREATE VIEW {}.{} AS\n{}",
                    lake::publish::dml::identifier(&table.name.database),
                    lake::publish::dml::identifier(&table.name.table),
                    view.sql
                );
                (&["Create View"], text.lines().map(str::to_owned).collect())
            }
        };
        Ok(Outcome::lines(columns, lines, Some(0)))
    }

    async fn tables_of(&self, database: &str) -> Result<Vec<Table>> {
        if self.inner.lake.catalog.database(database).await?.is_none() {
            return Err(no_database(database));
        }
        self.inner.lake.catalog.tables(database).await
    }

    pub(super) async fn describe(&self, database: &str, describe: &Describe) -> Result<Outcome> {
        let table = View::shown(self.table(&describe.table.full(database)?).await?);
        let mut columns: &[Column] = &table.columns;
        let partition = match &describe.partition {
            None => None,
            Some(spec) => {
                let values = table.partition_values(spec)?;
                let found = self.inner.lake.catalog.partition(&table.name, &values).await?;
                Some(found.ok_or_else(|| no_partition(spec))?)
            }
        };
        if let Some(partition) = &partition {
            columns = &partition.columns;
        }
        if let Some(name) = &describe.column {
            let found = columns.iter().chain(&table.partition_keys).find(|column| column.name == *name);
            let Some(column) = found else {
                return Err(semantic(
                    ErrorKind::NotFound,
                    format_args!("[Error 10004]: Invalid column reference {name}"),
                ));
            };
            return Ok(Outcome::lines(&DESCRIBED, vec![described(column)], None));
        }
        let formatted = describe.detail == Detail::Formatted;
        let mut lines = Vec::new();
        if formatted {
            lines.push(heading());
            lines.push(blank());
        }
        lines.extend(columns.iter().map(described));
        if !formatted {
            lines.extend(table.partition_keys.iter().map(described));
        }
        if !table.partition_keys.is_empty() {
            lines.push(blank());
            lines.push(format!("# Partition Information{}", blank()));
            lines.push(heading());
            lines.push(blank());
            lines.extend(table.partition_keys.iter().map(described));
        }
        match describe.detail {
            Detail::Columns => {}
            Detail::Extended => {
                lines.push(blank());
                lines.push(match &partition {
                    Some(partition) => {
                        format!("Detailed Partition Information\t{}", extended_partition(&table, partition))
                    }
                    None => format!("Detailed Table Information\t{}", extended(&table)),
                });
            }
            Detail::Formatted => lines.extend(details(&table, partition.as_ref())),
        }
        Ok(Outcome::lines(&DESCRIBED, lines, None))
    }
}

fn padded(text: &str) -> String {
    format!("{text:<WIDTH$}")
}

fn described(column: &Column) -> String {
    let comment = column.comment.as_deref().unwrap_or_default();
    format!("{}\t{}\t{}", padded(&column.name), padded(&column.hive_type), padded(comment))
}

fn heading() -> String {
    format!("# {}\t{}\t{}", padded("col_name"), padded("data_type"), padded("comment"))
}

fn blank() -> String {
    "\t \t ".to_owned()
}

/// Writes all of a table in one line.
fn extended(table: &Table) -> String {
    format!(
        "Table(tableName:{}, dbName:{}, createTime:{}, {}, parameters:{{{}}}, tableType:{})",
        table.name.table,
        table.name.database,
        table.created_ms.div_euclid(1000),
        descriptor(&place(table), &table.storage),
        pairs(&table.parameters),
        table.table_type
    )
}

/// Writes all of a partition in one line.
fn extended_partition(table: &Table, partition: &Partition) -> String {
    format!(
        "Partition(values:[{}], dbName:{}, tableName:{}, createTime:{}, {}, parameters:{{{}}})",
        partition.values.join(", "),
        table.name.database,
        table.name.table,
        partition.created_ms.div_euclid(1000),
        descriptor(&partition.location.to_string(), &partition.storage),
        pairs(&partition.parameters),
    )
}

fn descriptor(location: &str, storage: &Storage) -> String {
    format!(
        "sd:StorageDescriptor(location:{location}, inputFormat:{}, outputFormat:{}, \
         serdeInfo:SerDeInfo(serializationLib:{}, parameters:{{{}}}))",
        storage.input_format,
        storage.output_format,
        storage.serde,
        pairs(&storage.serde_parameters),
    )
}

fn pairs(pairs: &IndexMap<String, String>) -> String {
    pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

fn place(table: &Table) -> String {
    table.location.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// Writes a table, or one of its partitions, line by line.
fn details(table: &Table, partition: Option<&Partition>) -> Vec<String> {
    let line = |name: &str, value: &str| format!("{}\t{}\t ", padded(name), padded(value));
    let titled = |name: &str| format!("{name}{}", blank());
    let all = |pairs: &IndexMap<String, String>| -> Vec<String> {
        pairs.iter().map(|(key, value)| format!("\t{}\t{}", padded(key), padded(value))).collect()
    };
    let mut lines = vec![blank()];
    let storage = if let Some(partition) = partition {
        lines.push(titled("# Detailed Partition Information"));
        lines.push(line("Partition Value:", &format!("[{}]", partition.values.join(", "))));
        lines.push(line("Database:", &table.name.database));
        lines.push(line("Table:", &table.name.table));
        lines.push(line("Location:", &partition.location.to_string()));
        lines.push(titled(&padded("Partition Parameters:")));
        lines.extend(all(&partition.parameters));
        &partition.storage
    } else {
        lines.push(titled("# Detailed Table Information"));
        lines.push(line("Database:", &table.name.database));
        lines.push(line("Location:", &place(table)));
        lines.push(line("Table Type:", &table.table_type));
        lines.push(titled(&padded("Table Parameters:")));
        lines.extend(all(&table.parameters));
        &table.storage
    };
    lines.push(blank());
    lines.push(titled("# Storage Information"));
    lines.push(line("SerDe Library:", &storage.serde));
    lines.push(line("InputFormat:", &storage.input_format));
    lines.push(line("OutputFormat:", &storage.output_format));
    lines.push(line("Compressed:", if storage.compressed { "Yes" } else { "No" }));
    lines.push(titled(&padded("Storage Desc Params:")));
    lines.extend(all(&storage.serde_parameters));
    lines
}

/// Keeps the names that match one of Hive's patterns: `*` for any characters, `|` between choices.
fn matching(names: impl Iterator<Item = String>, pattern: Option<&str>) -> Vec<String> {
    let Some(pattern) = pattern else { return names.collect() };
    let choices: Vec<String> =
        pattern.split('|').map(|choice| choice.split('*').map(regex::escape).collect::<Vec<_>>().join(".*")).collect();
    // A pattern of escaped texts and `.*` is always one.
    let Ok(pattern) = regex::Regex::new(&format!("(?i)^(?:{})$", choices.join("|"))) else { return Vec::new() };
    names.filter(|name| pattern.is_match(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_hives_patterns() {
        let names = || ["access_log", "daily.summary", "x"].map(str::to_owned).into_iter();
        assert_eq!(matching(names(), Some("*_log|X")), ["access_log", "x"]);
        assert_eq!(matching(names(), Some("daily.summary")), ["daily.summary"]);
        assert_eq!(matching(names(), Some("daily_summary")), Vec::<String>::new());
        assert_eq!(matching(names(), None).len(), 3);
    }
}
