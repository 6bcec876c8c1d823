//! The one catalog call that readers see, what is noted before it, and the tombstone after it.

use indexmap::IndexMap;

use crate::catalog::{Expect, Partition, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::{Location, TableName};
use crate::storage::{Marker, MarkerKind};

use super::lease::Lease;
use super::record::Record;

/// A version that is ready for its readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// What is published; `previous_location` is filled in by the call.
    pub record: Record,
    /// What must be in the catalog for the call to go through: the state that the version was planned on.
    pub expect: Expect,
}

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
        let points = &self.settings.crash_points;
        points.around("version: note it", self.versions.intend(prefix, table, values)).await?;
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
        self.settings.crash_points.around("version: give it up", self.versions.abandon(prefix)).await?;
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
            return self.after_publish(prefix, previous, true).await;
        }
        let previous = current.as_ref().map(|current| current.location.clone());
        let record = Record { previous_location: previous.clone(), ..new.record.clone() };
        self.before_publish(&record).await?;
        let mut partition = table.new_partition(values.to_vec(), prefix.clone());
        partition.storage = super::Format::default().storage();
        record.put(&mut partition.parameters);
        under(lease, current.as_ref().map(|current| &current.parameters), &mut partition.parameters)?;
        let put = self.catalog.put_partition(&table.name, &partition, new.expect);
        self.settings.crash_points.around("publish: the catalog call", put).await?;
        let kept = self.catalog.partition(&table.name, values).await?;
        read_back(prefix, kept.map(|kept: Partition| kept.location))?;
        self.after_publish(prefix, previous, false).await
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
        self.before_publish(&record).await?;
        let mut table = Table { location: Some(prefix.clone()), ..table.clone() };
        record.put(&mut table.parameters);
        under(lease, current.as_ref().map(|current| &current.parameters), &mut table.parameters)?;
        let put = self.catalog.put_table(&table, new.expect);
        self.settings.crash_points.around("publish: the catalog call", put).await?;
        let kept = self.catalog.table(&table.name).await?;
        read_back(prefix, kept.and_then(|kept| kept.location))?;
        self.after_publish(prefix, previous, false).await
    }

    /// Leaves the record beside the objects, and takes the version out of reach of the collection.
    pub(super) async fn before_publish(&self, record: &Record) -> Result<()> {
        let points = &self.settings.crash_points;
        let value = serde_json::to_value(record).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "publish a version", "the record cannot be written as JSON")
                .source(error)
        })?;
        let marker = Marker::new(MarkerKind::Prefix, Some(value));
        points.around("publish: mark the version", self.storage.mark(&record.version, &marker)).await?;
        points.around("publish: note the version", self.versions.published(&record.version)).await
    }

    /// Sets the tombstone of what was replaced.
    pub(super) async fn after_publish(
        &self,
        prefix: &Location,
        previous: Option<Location>,
        repeated: bool,
    ) -> Result<Published> {
        if let Some(previous) = previous.as_ref().filter(|previous| *previous != prefix) {
            let retire = self.versions.retire(previous, self.settings.retention);
            self.settings.crash_points.around("publish: set the tombstone", retire).await?;
        }
        Ok(Published { previous_location: previous, repeated })
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
