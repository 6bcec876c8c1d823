//! Publishing a whole table with its partitions: one catalog call for all of them. On Glue it takes several calls of the
//! service, and a publish that was stopped between them is completed by the same step.
//!
//! The table's location is the version, its partitions are the folders below it (or below its batches); each one has a record
//! of its own.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::catalog::{Expect, Partition, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::{Location, TableName};
use crate::query::WrittenObject;

use super::batch::without_batch;
use super::commit::{NewVersion, Published, read_back, under};
use super::lease::Lease;
use super::record::{Record, note_previous_storage, schema_hash};
use super::versions::VersionState;

/// A partition of a version, and what was written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrittenPartition {
    /// The partition, without a record.
    pub(super) partition: Partition,
    /// Its rows.
    pub(super) rows: u64,
    /// The bytes of its objects.
    pub(super) bytes: u64,
}

/// Groups the objects of a version by their partitions; none for a table without partition keys. The table's location is
/// the version.
///
/// # Errors
/// `InvalidData` for an object that is not where its partition is.
pub(super) fn partitions_of(table: &Table, objects: &[WrittenObject]) -> Result<Vec<WrittenPartition>> {
    let mut partitions: IndexMap<&[String], WrittenPartition> = IndexMap::new();
    if table.partition_keys.is_empty() {
        return Ok(Vec::new());
    }
    let root = table.location.as_ref().map(Location::as_prefix);
    for object in objects {
        let expected = table.hive_location(&object.partition)?;
        // Where it is in the version, whichever batch wrote it.
        let place = |location: &Location| {
            let below = location.key().strip_prefix(root.as_ref()?.key())?;
            Some(without_batch(below).to_owned())
        };
        let location = object.location.parent().filter(|parent| place(parent) == place(&expected));
        let known = partitions.get_mut(object.partition.as_slice());
        let is_elsewhere = known.as_ref().is_some_and(|known| Some(&known.partition.location) != location.as_ref());
        let location = location.filter(|_| object.partition.len() == table.partition_keys.len() && !is_elsewhere);
        let Some(location) = location else {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "publish a version",
                format!("expected the object `{}` below `{expected}`, where its partition is", object.location),
            ));
        };
        if let Some(found) = known {
            found.rows += object.rows;
            found.bytes += object.bytes;
        } else {
            let partition = table.new_partition(object.partition.clone(), location);
            let new = WrittenPartition { partition, rows: object.rows, bytes: object.bytes };
            partitions.insert(&object.partition, new);
        }
    }
    Ok(partitions.into_values().collect())
}

/// Returns the partitions of a version, each with a record of its own.
fn recorded(table: &Table, objects: &[WrittenObject], new: &NewVersion) -> Result<Vec<Partition>> {
    let partitions = partitions_of(table, objects)?.into_iter();
    Ok(partitions
        .map(|WrittenPartition { mut partition, rows, bytes }| {
            let record = Record {
                version: partition.location.clone(),
                previous_location: None,
                rows,
                bytes,
                schema_hash: schema_hash(&table.columns),
                ..new.record.clone()
            };
            record.put(&mut partition.parameters);
            partition
        })
        .collect())
}

impl Lake {
    /// Makes a table with the partitions of a version, or replaces it with all that it had: one catalog call. Repeating it
    /// after a lost answer is fine.
    ///
    /// `table` is the table as it shall be; its location becomes the version's, its parameters get the record.
    ///
    /// # Errors
    /// As [`Lake::publish_table`]; `InvalidData` for an object that is not where its partition is.
    pub async fn publish_whole(&self, table: &Table, objects: &[WrittenObject], new: &NewVersion) -> Result<Published> {
        let lease = self.leases.take(&new.record.version).await?;
        let published = Box::pin(self.point_whole_to(table, objects, new, lease.as_ref())).await;
        self.leases.end(lease, published).await
    }

    async fn point_whole_to(
        &self,
        table: &Table,
        objects: &[WrittenObject],
        new: &NewVersion,
        lease: Option<&Lease>,
    ) -> Result<Published> {
        let prefix = &new.record.version;
        let current = self.catalog.table(&table.name).await?;
        if let Some(current) = current.as_ref().filter(|current| current.location.as_ref() == Some(prefix)) {
            self.complete_partitions(current, objects, new).await?;
            let previous = Record::read(&current.parameters)?.and_then(|record| record.previous_location);
            let published = self.after_publish(prefix, previous, true).await?;
            self.retire_unused(&table.name, None).await?;
            return Ok(published);
        }
        let previous = current.as_ref().and_then(|current| current.location.clone());
        let record = Record { previous_location: previous.clone(), ..new.record.clone() };
        let mut table = Table { location: Some(prefix.clone()), ..table.clone() };
        record.put(&mut table.parameters);
        let before = current.as_ref().map(|current| &current.storage);
        note_previous_storage(before, &table.storage, &mut table.parameters)?;
        under(lease, current.as_ref().map(|current| &current.parameters), &mut table.parameters)?;
        let partitions = recorded(&table, objects, new)?;
        self.still_whole(&record).await?;
        self.before_publish(&record).await?;
        let put = self.catalog.replace_table(&table, &partitions, new.expect);
        self.settings.crash_points.around("publish: the catalog call", put).await?;
        let kept = self.catalog.table(&table.name).await?;
        read_back(prefix, kept.and_then(|kept| kept.location))?;
        let published = self.after_publish(prefix, previous, false).await?;
        self.retire_unused(&table.name, None).await?;
        Ok(published)
    }

    /// Makes the partitions of a table those of its version. A catalog that takes several calls for it may have been stopped
    /// between the one that points the table to the version and the rest.
    async fn complete_partitions(&self, table: &Table, objects: &[WrittenObject], new: &NewVersion) -> Result<()> {
        let wanted = recorded(table, objects, new)?;
        let there = self.catalog.partitions(&table.name).await?;
        let places = |partitions: &[Partition]| -> BTreeSet<(Vec<String>, Location)> {
            partitions.iter().map(|partition| (partition.values.clone(), partition.location.clone())).collect()
        };
        if places(&wanted) != places(&there) {
            let put = self.catalog.replace_table(table, &wanted, Expect::Version(table.version));
            self.settings.crash_points.around("aws: complete the partitions", put).await?;
        }
        Ok(())
    }

    /// Sets the tombstone of every published version of a table (of one of its partitions, when values are given) that the
    /// catalog does not point to any more. Whoever took it out of the catalog may have been stopped before the tombstone was
    /// set, so this asks the ledger, and repeating it is fine.
    ///
    /// # Errors
    /// Those of the catalog.
    pub async fn retire_unused(&self, name: &TableName, values: Option<&[String]>) -> Result<()> {
        let table = self.catalog.table(name).await?;
        let mut used: Vec<Location> = table.and_then(|table| table.location).into_iter().collect();
        used.extend(self.catalog.partitions(name).await?.into_iter().map(|partition| partition.location));
        for version in self.versions.of_table(name).await? {
            let is_used = used.iter().any(|location| version.location.contains(location));
            let is_meant = values.is_none_or(|values| version.values.as_deref() == Some(values));
            if version.state == VersionState::Published && !is_used && is_meant {
                let retire = self.versions.retire(&version.location, self.settings.retention);
                self.settings.crash_points.around("publish: set the tombstone of what is not used", retire).await?;
            }
        }
        Ok(())
    }
}
