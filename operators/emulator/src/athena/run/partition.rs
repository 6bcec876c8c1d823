//! Partitions: added, dropped, renamed, moved, and found in the storage.

use indexmap::IndexMap;
use lake::catalog::{Column, Expect, Partition, Table};
use lake::name::{Location, TableName};
use lake::sql::Type;
use lake::{Error, ErrorKind, Result};

use super::ddl::semantic;
use super::outcome::Outcome;
use crate::athena::Athena;
use crate::athena::statement::PartitionSpec;

impl Athena {
    pub(super) async fn add_partitions(
        &self,
        table: &Table,
        if_not_exists: bool,
        partitions: &[(PartitionSpec, Option<String>)],
    ) -> Result<Outcome> {
        // All of them are read before the first is added.
        let mut made: Vec<Partition> = Vec::with_capacity(partitions.len());
        for (spec, location) in partitions {
            let values = table.partition_values(spec)?;
            check_types(table, &values)?;
            let location = match location {
                Some(text) => Location::parse(text)?,
                None => table.hive_location(&values)?,
            };
            made.push(table.new_partition(values, location));
        }
        for partition in made {
            match self.inner.lake.catalog.put_partition(&table.name, &partition, Expect::Absent).await {
                Ok(_kept) => {}
                Err(error) if error.kind == ErrorKind::AlreadyExists && if_not_exists => {}
                Err(error) if error.kind == ErrorKind::AlreadyExists => {
                    return Err(Error::new(
                        ErrorKind::AlreadyExists,
                        "add a partition",
                        format!(
                            "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. \
                             AlreadyExistsException(message:Partition already exists: {})",
                            shown(table, &partition.values)
                        ),
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Outcome::nothing())
    }

    pub(super) async fn drop_partitions(
        &self,
        table: &Table,
        if_exists: bool,
        partitions: &[PartitionSpec],
    ) -> Result<Outcome> {
        let all = self.inner.lake.catalog.partitions(&table.name).await?;
        let mut dropped: Vec<&Partition> = Vec::new();
        for spec in partitions {
            check_keys(table, spec)?;
            let matching: Vec<&Partition> = all.iter().filter(|partition| matches(table, partition, spec)).collect();
            if matching.is_empty() && !if_exists {
                return Err(no_partition(spec));
            }
            dropped.extend(matching);
        }
        for partition in dropped {
            self.inner.lake.catalog.drop_partition(&table.name, &partition.values).await?;
        }
        Ok(Outcome::nothing())
    }

    pub(super) async fn rename_partition(
        &self,
        table: &Table,
        from: &PartitionSpec,
        to: &PartitionSpec,
    ) -> Result<Outcome> {
        let catalog = &self.inner.lake.catalog;
        let old = table.partition_values(from)?;
        let mut partition = catalog.partition(&table.name, &old).await?.ok_or_else(|| no_partition(from))?;
        partition.values = table.partition_values(to)?;
        check_types(table, &partition.values)?;
        // The new name is there before the old one goes: a stop between the two leaves both, and loses nothing.
        catalog.put_partition(&table.name, &partition, Expect::Absent).await?;
        catalog.drop_partition(&table.name, &old).await?;
        Ok(Outcome::nothing())
    }

    pub(super) async fn set_partition_location(
        &self,
        table: &Table,
        spec: &PartitionSpec,
        location: &str,
    ) -> Result<Outcome> {
        let catalog = &self.inner.lake.catalog;
        let values = table.partition_values(spec)?;
        let mut partition = catalog.partition(&table.name, &values).await?.ok_or_else(|| no_partition(spec))?;
        partition.location = Location::parse(location)?.into_prefix();
        let version = partition.version;
        catalog.put_partition(&table.name, &partition, Expect::Version(version)).await?;
        Ok(Outcome::nothing())
    }

    /// Adds the partitions whose folders are below the table's place, as `MSCK REPAIR TABLE` does; none is ever dropped.
    pub(super) async fn repair(&self, name: TableName) -> Result<Outcome> {
        let table = self.table(&name).await?;
        let Some(root) = table.location.as_ref().filter(|_| !table.partition_keys.is_empty()) else {
            return Err(semantic(ErrorKind::InvalidInput, format_args!("table {name} is not partitioned")));
        };
        let mut found: IndexMap<Vec<String>, Location> = IndexMap::new();
        for object in self.inner.lake.storage.list_data(root).await? {
            let below = object.location.key().strip_prefix(root.key()).unwrap_or_default();
            let mut folders = below.split('/');
            let mut values = Vec::with_capacity(table.partition_keys.len());
            let mut path = String::new();
            for (key, folder) in table.partition_keys.iter().zip(folders.by_ref()) {
                // A folder that names no value is no partition's.
                let own = |(name, value): &(&str, &str)| *name == key.name && !value.is_empty();
                let Some((_, value)) = folder.split_once('=').filter(own) else {
                    break;
                };
                values.push(unescaped(value));
                path.push_str(folder);
                path.push('/');
            }
            if values.len() == table.partition_keys.len() && folders.next().is_some() {
                let location = root.join(&path)?;
                found.entry(values).or_insert(location);
            }
        }
        // All of them are looked at before the first is added: with one that does not fit no query could read the table.
        for values in found.keys() {
            check_types(&table, values).map_err(|error| error.with("partition", shown(&table, values)))?;
        }
        let mut lines = Vec::new();
        for (values, location) in found {
            let shown = shown(&table, &values);
            let partition = table.new_partition(values, location);
            match self.inner.lake.catalog.put_partition(&name, &partition, Expect::Absent).await {
                Ok(_kept) => lines.push(shown),
                Err(error) if error.kind == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        let mut report = Vec::new();
        if !lines.is_empty() {
            report.push(format!(
                "Partitions not in metastore:\t{}",
                lines.iter().map(|line| format!("{}:{line}", name.table)).collect::<Vec<_>>().join("\t")
            ));
            report
                .extend(lines.iter().map(|line| format!("Repair: Added partition to metastore {}:{line}", name.table)));
        }
        let mut outcome = Outcome::nothing();
        outcome.body = super::outcome::Body::Lines(report);
        Ok(outcome)
    }
}

/// Tells whether a partition has all the values of a specification that may leave keys out.
pub(super) fn matches(table: &Table, partition: &Partition, spec: &PartitionSpec) -> bool {
    table.pairs(&partition.values).all(|(key, value)| spec.get(key).is_none_or(|wanted| wanted == value))
}

/// Refuses a value that is none of its key's type: no query could read the table with it.
fn check_types(table: &Table, values: &[String]) -> Result<()> {
    for (key, value) in table.partition_keys.iter().zip(values) {
        if lake::query::check_partition_value(&key.name, &key.hive_type, value).is_err() {
            let (name, hive_type) = (&key.name, &key.hive_type);
            return Err(semantic(
                ErrorKind::InvalidInput,
                format_args!(
                    "[Error 10248]: Cannot add partition column {name} of type string as it cannot be converted to type {hive_type}"
                ),
            ));
        }
    }
    Ok(())
}

/// Refuses partition keys of types that no folder's name is a value of.
pub(super) fn check_key_types(keys: &[Column]) -> Result<()> {
    for key in keys {
        if matches!(Type::from_hive(&key.hive_type)?, Type::Array(_) | Type::Map(..) | Type::Row(_) | Type::Varbinary) {
            return Err(semantic(
                ErrorKind::InvalidInput,
                format_args!(
                    "partition column {} is of type {}: expected one that a path can hold",
                    key.name, key.hive_type
                ),
            ));
        }
    }
    Ok(())
}

/// Refuses a specification with a key that the table does not have.
pub(super) fn check_keys(table: &Table, spec: &PartitionSpec) -> Result<()> {
    let unknown = spec.keys().find(|key| !table.partition_keys.iter().any(|known| known.name == **key));
    match unknown {
        None => Ok(()),
        Some(key) => Err(semantic(
            ErrorKind::InvalidInput,
            format_args!("[Error 10098]: Non-Partition column appears in the partition specification: {key}"),
        )),
    }
}

/// Makes the error of a partition that is not there.
pub(super) fn no_partition(spec: &PartitionSpec) -> Error {
    let pairs: Vec<String> = spec.iter().map(|(key, value)| format!("{key}={value}")).collect();
    semantic(ErrorKind::NotFound, format_args!("[Error 10006]: Partition not found ({})", pairs.join(", ")))
}

/// Writes a partition as `SHOW PARTITIONS` does: `dt=2026-01-01/hour=1`.
pub(super) fn shown(table: &Table, values: &[String]) -> String {
    lake::name::hive_path(table.pairs(values)).map_or_else(
        |_| table.pairs(values).map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("/"),
        |path| path.trim_end_matches('/').to_owned(),
    )
}

/// Takes Hive's `%XX` out of the name of a folder.
fn unescaped(folder: &str) -> String {
    let mut bytes = Vec::with_capacity(folder.len());
    let mut rest = folder.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        if let (b'%', Some(byte)) = (first, code.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_as_hive_escapes_them() {
        assert_eq!(unescaped("2026-01-02 03%3A04"), "2026-01-02 03:04");
        assert_eq!(unescaped("50%25%3Da%3F"), "50%=a?");
        assert_eq!(unescaped("100%"), "100%");
        assert_eq!(unescaped("S%C3%A3o"), "São");
    }
}
