//! The one catalog call that readers see, what is noted before it, and the tombstone after it.

use futures::{StreamExt as _, TryStreamExt as _};
use indexmap::IndexMap;

use crate::catalog::{Expect, Partition, PartitionValues, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::{Location, TableName};
use crate::storage::{Marker, MarkerKind};

use super::Layout;
use super::lease::Lease;
use super::record::{Record, note_previous_storage};
use super::versions::IntendedVersion;

/// A version that is ready for its readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// What is published; `previous_location` is filled in by the call.
    pub record: Record,
    /// What must be in the catalog for the call to go through: the state that the version was planned on.
    pub expect: Expect,
    /// What the partition's parameters say besides the record; a table's stand in the table itself.
    pub parameters: IndexMap<String, String>,
    /// How its rows are laid out in objects.
    pub layout: Layout,
}

/// A version of one partition that is ready for its readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartition {
    /// The partition's values in the order of the keys.
    pub values: PartitionValues,
    /// The version.
    pub version: NewVersion,
}

/// How many partitions are looked up at a time.
const READS_AT_ONCE: usize = 8;

/// What a publish did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Where readers were pointed before.
    pub previous_location: Option<Location>,
    /// Whether it had been published before this call, by a try whose answer was lost.
    pub repeated: bool,
}

impl Lake {
    /// Prepares a prefix for its first byte: notes it in the ledger and marks its version root as ours. Repeating it is fine.
    ///
    /// # Errors
    /// `Conflict` when the prefix belongs to something else; those of the storage.
    pub async fn begin_version(
        &self,
        root: &Location,
        prefix: &Location,
        table: &TableName,
        values: Option<&[String]>,
    ) -> Result<()> {
        let intended = IntendedVersion { location: prefix.clone(), values: values.map(<[String]>::to_vec) };
        self.begin_versions(root, table, &[intended]).await
    }

    /// Prepares prefixes of a table below one version root for their first bytes, all in one step of the ledger. Repeating it
    /// is fine.
    ///
    /// # Errors
    /// As [`Lake::begin_version`]; then none is noted.
    pub async fn begin_versions(&self, root: &Location, table: &TableName, intended: &[IntendedVersion]) -> Result<()> {
        let points = &self.settings.crash_points;
        points.around("version: note it", self.versions.intend_all(root, table, intended)).await?;
        if self.storage.marker(root).await?.is_none() {
            let marker = Marker::new(MarkerKind::VersionRoot, None);
            points.around("version: mark the root", self.storage.mark(root, &marker)).await?;
        }
        Ok(())
    }

    /// Gives up a version that will not be published; it goes with the next collection.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub async fn abandon_version(&self, prefix: &Location) -> Result<()> {
        self.abandon_versions(std::slice::from_ref(prefix)).await
    }

    /// Gives up versions that will not be published, all in one step; they go with the next collection.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub async fn abandon_versions(&self, prefixes: &[Location]) -> Result<()> {
        if prefixes.is_empty() {
            return Ok(());
        }
        self.settings.crash_points.around("version: give it up", self.versions.abandon_all(prefixes)).await?;
        Ok(())
    }

    /// Points a partition to a new version: one catalog call. Repeating it after a lost answer is fine.
    ///
    /// # Errors
    /// `Conflict`, `AlreadyExists` or `NotFound` when another writer was there since the version was planned; then nothing
    /// has changed.
    pub async fn publish_partition(&self, table: &Table, values: &[String], new: &NewVersion) -> Result<Published> {
        let lease = self.leases.take(&new.record.version).await?;
        let published = Box::pin(self.point_partition_to(table, values, new, lease.as_ref())).await;
        self.leases.end(lease, published).await
    }

    async fn point_partition_to(
        &self,
        table: &Table,
        values: &[String],
        new: &NewVersion,
        lease: Option<&Lease>,
    ) -> Result<Published> {
        let prefix = &new.record.version;
        let current = self.catalog.partition(&table.name, values).await?;
        if let Some(current) = current.as_ref().filter(|current| current.location == *prefix) {
            let previous = Record::read(&current.parameters)?.and_then(|record| record.previous_location);
            self.note_visible(prefix, current).await?;
            return self.after_publish(prefix, previous, true).await;
        }
        let previous = current.as_ref().map(|current| current.location.clone());
        let record = Record { previous_location: previous.clone(), ..new.record.clone() };
        self.still_whole(&record).await?;
        self.before_publish(&record).await?;
        let mut partition = table.new_partition(values.to_vec(), prefix.clone());
        partition.storage = new.layout.storage(&table.columns);
        partition.parameters.clone_from(&new.parameters);
        record.put(&mut partition.parameters);
        let before = current.as_ref().map(|current| &current.storage);
        note_previous_storage(before, &partition.storage, &mut partition.parameters)?;
        under(lease, current.as_ref().map(|current| &current.parameters), &mut partition.parameters)?;
        let put = within(lease, self.catalog.put_partition(&table.name, &partition, new.expect));
        self.settings.crash_points.around("publish: the catalog call", put).await?;
        let kept = self.catalog.partition(&table.name, values).await?;
        read_back(prefix, kept.as_ref().map(|kept| kept.location.clone()))?;
        if let Some(kept) = &kept {
            self.note_visible(prefix, kept).await?;
        }
        self.after_publish(prefix, previous, false).await
    }

    /// Points partitions of a table to new versions, each to its own: one call of a catalog that can do it at once, so that
    /// readers see all of them or none. Repeating it after a lost answer is fine.
    ///
    /// # Errors
    /// As [`Lake::publish_partition`]; a catalog that does it one by one may have changed the ones before.
    pub async fn publish_partitions(&self, table: &Table, new: &[NewPartition]) -> Result<Vec<Published>> {
        if self.leases.are_needed() {
            // Writers on other machines are kept out of one partition after the other.
            let mut published = Vec::with_capacity(new.len());
            for NewPartition { values, version } in new {
                published.push(self.publish_partition(table, values, version).await?);
            }
            return Ok(published);
        }
        let points = &self.settings.crash_points;
        let current = self.partitions_of(table, new).await?;
        let mut published = Vec::with_capacity(new.len());
        let (mut puts, mut records) = (Vec::new(), Vec::new());
        for (NewPartition { values, version: new }, current) in new.iter().zip(current) {
            let prefix = &new.record.version;
            if let Some(current) = current.as_ref().filter(|current| current.location == *prefix) {
                let previous_location = Record::read(&current.parameters)?.and_then(|record| record.previous_location);
                published.push(Published { previous_location, repeated: true });
                continue;
            }
            let previous_location = current.as_ref().map(|current| current.location.clone());
            let record = Record { previous_location: previous_location.clone(), ..new.record.clone() };
            let mut partition = table.new_partition(values.clone(), prefix.clone());
            partition.storage = new.layout.storage(&table.columns);
            partition.parameters.clone_from(&new.parameters);
            record.put(&mut partition.parameters);
            let before = current.as_ref().map(|current| &current.storage);
            note_previous_storage(before, &partition.storage, &mut partition.parameters)?;
            puts.push((partition, new.expect));
            records.push(record);
            published.push(Published { previous_location, repeated: false });
        }
        if !puts.is_empty() {
            self.before_publish_all(&records).await?;
            points.around("publish: the catalog call", self.catalog.put_partitions(&table.name, &puts)).await?;
            for (new, kept) in new.iter().zip(self.partitions_of(table, new).await?) {
                read_back(&new.version.record.version, kept.map(|kept| kept.location))?;
            }
        }
        let replaced: Vec<Location> = new
            .iter()
            .zip(&published)
            .filter_map(|(new, published)| {
                published.previous_location.clone().filter(|previous| *previous != new.version.record.version)
            })
            .collect();
        self.retire_versions(&replaced).await?;
        Ok(published)
    }

    /// Reads partitions of a table, in the order in which they are asked for.
    async fn partitions_of(&self, table: &Table, new: &[NewPartition]) -> Result<Vec<Option<Partition>>> {
        let reads: Vec<_> = new.iter().map(|new| self.catalog.partition(&table.name, &new.values)).collect();
        futures::stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await
    }

    /// Points a table to a new version, or makes it: one catalog call. Repeating it after a lost answer is fine.
    ///
    /// `table` is the table as it shall be; its location becomes the version's, its parameters get the record.
    ///
    /// # Errors
    /// As [`Lake::publish_partition`].
    pub async fn publish_table(&self, table: &Table, new: &NewVersion) -> Result<Published> {
        let lease = self.leases.take(&new.record.version).await?;
        let published = Box::pin(self.point_table_to(table, new, lease.as_ref())).await;
        self.leases.end(lease, published).await
    }

    async fn point_table_to(&self, table: &Table, new: &NewVersion, lease: Option<&Lease>) -> Result<Published> {
        let prefix = &new.record.version;
        let current = self.catalog.table(&table.name).await?;
        if let Some(current) = current.as_ref().filter(|current| current.location.as_ref() == Some(prefix)) {
            let previous = Record::read(&current.parameters)?.and_then(|record| record.previous_location);
            return self.after_publish(prefix, previous, true).await;
        }
        let previous = current.as_ref().and_then(|current| current.location.clone());
        let record = Record { previous_location: previous.clone(), ..new.record.clone() };
        self.still_whole(&record).await?;
        self.before_publish(&record).await?;
        let mut table = Table { location: Some(prefix.clone()), ..table.clone() };
        record.put(&mut table.parameters);
        under(lease, current.as_ref().map(|current| &current.parameters), &mut table.parameters)?;
        let put = within(lease, self.catalog.put_table(&table, new.expect));
        self.settings.crash_points.around("publish: the catalog call", put).await?;
        let kept = self.catalog.table(&table.name).await?;
        read_back(prefix, kept.and_then(|kept| kept.location))?;
        self.after_publish(prefix, previous, false).await
    }

    /// Checks, under the lease, that a version which waited very long for its publish is there still: another machine, whose
    /// ledger does not know it, may have taken it for one that nobody comes back for.
    pub(super) async fn still_whole(&self, record: &Record) -> Result<()> {
        let now = self.settings.clock.now();
        let is_old = super::version::planned_at(&record.version)
            .is_some_and(|planned| now.duration_since(planned).unsigned_abs() > super::collect::FORGOTTEN_AFTER / 2);
        if !self.leases.are_needed() || !is_old {
            return Ok(());
        }
        let bytes: u64 = self.storage.list_data(&record.version).await?.iter().map(|object| object.bytes).sum();
        if bytes == record.bytes {
            return Ok(());
        }
        let message = format!("the version `{}` was collected meanwhile", record.version);
        Err(Error::new(ErrorKind::Conflict, "publish a version", message))
    }

    /// Leaves the record beside the objects, and takes the version out of reach of the collection.
    pub(super) async fn before_publish(&self, record: &Record) -> Result<()> {
        self.before_publish_all(std::slice::from_ref(record)).await
    }

    async fn before_publish_all(&self, records: &[Record]) -> Result<()> {
        let points = &self.settings.crash_points;
        let mut markers = Vec::with_capacity(records.len());
        for record in records {
            let value = serde_json::to_value(record).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, "publish a version", "the record cannot be written as JSON")
                    .source(error)
            })?;
            markers.push((record.version.clone(), Marker::new(MarkerKind::Prefix, Some(value))));
        }
        points.around("publish: mark the version", self.storage.mark_all(&markers)).await?;
        let versions: Vec<Location> = records.iter().map(|record| record.version.clone()).collect();
        points.around("publish: note the version", self.versions.published_all(&versions)).await
    }

    /// Sets the tombstone of what was replaced.
    pub(super) async fn after_publish(
        &self,
        prefix: &Location,
        previous: Option<Location>,
        repeated: bool,
    ) -> Result<Published> {
        let replaced: Vec<Location> = previous.iter().filter(|previous| *previous != prefix).cloned().collect();
        self.retire_versions(&replaced).await?;
        Ok(Published { previous_location: previous, repeated })
    }

    /// Sets the tombstones of versions that were replaced, all in one step; one that stands keeps its time.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub(crate) async fn retire_versions(&self, replaced: &[Location]) -> Result<()> {
        if replaced.is_empty() {
            return Ok(());
        }
        let retire = self.versions.retire_all(replaced, self.settings.retention);
        self.settings.crash_points.around("publish: set the tombstone", retire).await?;
        Ok(())
    }
}

/// Lets a catalog call go on under a lease, and leaves the lease's number in what it writes.
pub(super) fn under(lease: Option<&Lease>, current: Option<&Parameters>, wanted: &mut Parameters) -> Result<()> {
    if let Some(lease) = lease {
        lease.check(current)?;
        lease.stamp(wanted);
    }
    Ok(())
}

/// Carries out a catalog call within the lease, where there is one.
pub(super) async fn within<T>(lease: Option<&Lease>, call: impl Future<Output = Result<T>>) -> Result<T> {
    match lease {
        Some(lease) => lease.within(call).await,
        None => call.await,
    }
}

/// The parameters of a partition or table.
type Parameters = IndexMap<String, String>;

/// Checks that the catalog says what it was told.
pub(super) fn read_back(expected: &Location, found: Option<Location>) -> Result<()> {
    if found.as_ref() == Some(expected) {
        return Ok(());
    }
    let found = found.map_or_else(|| "none".to_owned(), |found| found.to_string());
    Err(Error::new(
        ErrorKind::Conflict,
        "publish a version",
        format!("another writer published meanwhile: expected the location `{expected}`, found `{found}`"),
    ))
}
