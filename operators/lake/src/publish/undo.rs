//! Goes back to the version before, while it is kept, and forward again.
//!
//! A command that is stopped is given again: what was undone is not undone once more, only what is still to do after the
//! catalog call is done.

use indexmap::IndexMap;

use crate::catalog::{Expect, Partition, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::{Location, TableName};

use super::commit::{under, within};
use super::record::{Record, table_hash};
use super::versions::VersionState;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the version before.
    Undo,
    /// To the version that was undone.
    Redo,
}

/// What an undo did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Where readers were pointed; none when there was nothing to do: an undo (a redo) was done already.
    pub from: Option<Location>,
    /// Where they are pointed now.
    pub to: Location,
}

impl Direction {
    /// Says whether parameters are already those of the version that this way leads to.
    fn is_done(self, parameters: &IndexMap<String, String>) -> bool {
        Record::is_undone(parameters) == (self == Self::Undo)
    }

    fn put(self, record: &Record, parameters: &mut IndexMap<String, String>) {
        match self {
            Self::Undo => record.put_undone(parameters),
            Self::Redo => record.put(parameters),
        }
    }
}

impl Lake {
    /// Points a partition back to the version before, or forward again. Repeating it after a stop is fine.
    ///
    /// # Errors
    /// `NotFound` when there is no partition, no version before it, or that version was collected; `Conflict` when another
    /// writer publishes at the same time.
    pub async fn undo_partition(&self, name: &TableName, values: &[String], direction: Direction) -> Result<Undone> {
        let current = self.catalog.partition(name, values).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "undo a publish",
                format!("table `{name}` has no partition `{}`", values.join("/")),
            )
        })?;
        if direction.is_done(&current.parameters) {
            self.retire_unused(name, Some(values)).await?;
            self.leases.clear(&current.location).await?;
            return Ok(Undone { from: None, to: current.location });
        }
        let (record, to) = self.previous(&current.parameters, &current.location).await?;
        self.keep(&to).await?;
        let mut restored = Partition { location: to.clone(), ..current.clone() };
        direction.put(&record, &mut restored.parameters);
        let lease = self.leases.take(&to).await?;
        let done = async {
            self.still_there(&to).await?;
            under(lease.as_ref(), Some(&current.parameters), &mut restored.parameters)?;
            let put =
                within(lease.as_ref(), self.catalog.put_partition(name, &restored, Expect::Version(current.version)));
            self.settings.crash_points.around("undo: the catalog call", put).await
        };
        let done = done.await;
        self.leases.end(lease, done).await?;
        self.retire_unused(name, Some(values)).await?;
        Ok(Undone { from: Some(current.location), to })
    }

    /// Points a table back to the version before, or forward again. Repeating it after a stop is fine.
    ///
    /// # Errors
    /// As [`Lake::undo_partition`].
    pub async fn undo_table(&self, name: &TableName, direction: Direction) -> Result<Undone> {
        let current = self.catalog.table(name).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "undo a publish", format!("table `{name}` is not in the catalog"))
        })?;
        let from = current.location.clone().ok_or_else(|| no_version("it is a view"))?;
        if !current.partition_keys.is_empty() {
            let message = format!("cannot undo: table `{name}` is partitioned, undo its partitions one by one");
            return Err(Error::new(ErrorKind::InvalidInput, "undo a publish", message));
        }
        if direction.is_done(&current.parameters) {
            self.retire_unused(name, None).await?;
            self.leases.clear(&from).await?;
            return Ok(Undone { from: None, to: from });
        }
        let (record, to) = self.previous(&current.parameters, &from).await?;
        if record.schema_hash != table_hash(&current) {
            let message = format!("cannot undo: the version before of table `{name}` has other columns or keys");
            return Err(Error::new(ErrorKind::InvalidInput, "undo a publish", message).with("location", to.to_string()));
        }
        self.keep(&to).await?;
        let mut restored = Table { location: Some(to.clone()), ..current.clone() };
        direction.put(&record, &mut restored.parameters);
        let lease = self.leases.take(&to).await?;
        let done = async {
            self.still_there(&to).await?;
            under(lease.as_ref(), Some(&current.parameters), &mut restored.parameters)?;
            let put = within(lease.as_ref(), self.catalog.put_table(&restored, Expect::Version(current.version)));
            self.settings.crash_points.around("undo: the catalog call", put).await
        };
        let done = done.await;
        self.leases.end(lease, done).await?;
        self.retire_unused(name, None).await?;
        Ok(Undone { from: Some(from), to })
    }

    /// Tells whether a location is below a version.
    async fn part_of_version(&self, location: &Location) -> Result<bool> {
        let mut above = location.parent();
        while let Some(prefix) = above {
            if self.versions.version(&prefix).await?.is_some() {
                return Ok(true);
            }
            above = prefix.parent();
        }
        Ok(false)
    }

    /// Checks, under the lease, that the collection of another machine has not begun to delete a version: its marker goes first.
    async fn still_there(&self, version: &Location) -> Result<()> {
        if self.leases.are_needed() && self.storage.marker(version).await?.is_none() {
            return Err(no_version("the version before it is no longer kept").with("location", version.to_string()));
        }
        Ok(())
    }

    /// Takes a version out of reach of the collection.
    async fn keep(&self, version: &Location) -> Result<()> {
        let noted = self.versions.published(version);
        self.settings.crash_points.around("undo: note the version", noted).await
    }

    /// Finds the version before.
    async fn previous(&self, parameters: &IndexMap<String, String>, current: &Location) -> Result<(Record, Location)> {
        let record = Record::read(parameters)?.ok_or_else(|| no_version("it was not published by suiro"))?;
        let to = record.previous_location.clone().ok_or_else(|| no_version("there is no version before it"))?;
        let kept = self.versions.version(&to).await?;
        if kept.is_none() && self.part_of_version(&to).await? {
            return Err(
                no_version("the version before it is a part of a table's version").with("location", to.to_string())
            );
        }
        if !kept.is_some_and(|kept| {
            matches!(kept.state, VersionState::Retired | VersionState::Published | VersionState::Lost)
        }) {
            return Err(no_version("the version before it is no longer kept").with("location", to.to_string()));
        }
        let marker = self.storage.marker(&to).await?;
        let earlier = marker
            .and_then(|marker| marker.record)
            .and_then(|value| serde_json::from_value::<Record>(value).ok())
            .ok_or_else(|| no_version("the version before it has lost its record").with("location", to.to_string()))?;
        Ok((Record { previous_location: Some(current.clone()), ..earlier }, to))
    }
}

fn no_version(why: &str) -> Error {
    Error::new(ErrorKind::NotFound, "undo a publish", format!("cannot undo: {why}")).help(
        "an undo needs a version before: one that a publish of suiro replaced, and that is kept until the retention is over",
    )
}
