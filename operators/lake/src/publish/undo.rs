//! Goes back to the version before, while it is kept.

use crate::catalog::{Expect, Partition, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::{Location, TableName};

use super::record::{Record, table_hash};
use super::versions::VersionState;

/// What an undo did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Where readers were pointed.
    pub from: Location,
    /// Where they are pointed now.
    pub to: Location,
}

impl Lake {
    /// Points a partition back to the version before. Doing it again goes forward again.
    ///
    /// # Errors
    /// `NotFound` when there is no partition, no version before it, or that version was collected; `Conflict` when another
    /// writer publishes at the same time.
    pub async fn undo_partition(&self, name: &TableName, values: &[String]) -> Result<Undone> {
        let current = self.catalog.partition(name, values).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "undo a publish",
                format!("table `{name}` has no partition `{}`", values.join("/")),
            )
        })?;
        let (record, to) = self.previous(&current.parameters, &current.location).await?;
        self.keep(&to).await?;
        let mut restored = Partition { location: to.clone(), ..current.clone() };
        record.put(&mut restored.parameters);
        let put = self.catalog.put_partition(name, &restored, Expect::Version(current.version));
        self.settings.crash_points.around("undo: the catalog call", put).await?;
        self.versions.retire(&current.location, self.settings.retention).await?;
        Ok(Undone { from: current.location, to })
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

    /// Takes a version out of reach of the collection.
    async fn keep(&self, version: &Location) -> Result<()> {
        let noted = self.versions.published(version);
        self.settings.crash_points.around("undo: note the version", noted).await
    }

    /// Points a table back to the version before. Doing it again goes forward again.
    ///
    /// # Errors
    /// As [`Lake::undo_partition`].
    pub async fn undo_table(&self, name: &TableName) -> Result<Undone> {
        let current = self.catalog.table(name).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "undo a publish", format!("table `{name}` is not in the catalog"))
        })?;
        let from = current.location.clone().ok_or_else(|| no_version("it is a view"))?;
        if !current.partition_keys.is_empty() {
            let message = format!("cannot undo: table `{name}` is partitioned, undo its partitions one by one");
            return Err(Error::new(ErrorKind::InvalidInput, "undo a publish", message));
        }
        let (record, to) = self.previous(&current.parameters, &from).await?;
        if record.schema_hash != table_hash(&current) {
            let message = format!("cannot undo: the version before of table `{name}` has other columns or keys");
            return Err(Error::new(ErrorKind::InvalidInput, "undo a publish", message).with("location", to.to_string()));
        }
        self.keep(&to).await?;
        let mut restored = Table { location: Some(to.clone()), ..current.clone() };
        record.put(&mut restored.parameters);
        let put = self.catalog.put_table(&restored, Expect::Version(current.version));
        self.settings.crash_points.around("undo: the catalog call", put).await?;
        self.versions.retire(&from, self.settings.retention).await?;
        Ok(Undone { from, to })
    }

    /// Finds the version before.
    async fn previous(
        &self,
        parameters: &indexmap::IndexMap<String, String>,
        current: &Location,
    ) -> Result<(Record, Location)> {
        let record = Record::read(parameters)?.ok_or_else(|| no_version("it was not published by suiro"))?;
        let to = record.previous_location.clone().ok_or_else(|| no_version("there is no version before it"))?;
        let kept = self.versions.version(&to).await?;
        if kept.is_none() && self.part_of_version(&to).await? {
            return Err(
                no_version("the version before it is a part of a table's version").with("location", to.to_string())
            );
        }
        if !kept.is_some_and(|kept| matches!(kept.state, VersionState::Retired | VersionState::Published)) {
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
    Error::new(ErrorKind::NotFound, "undo a publish", format!("cannot undo: {why}"))
}
