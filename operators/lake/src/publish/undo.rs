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
use super::record::{Record, note_previous_storage, previous_storage, table_hash};
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

/// The other version of a partition: the one before it, or the one that was undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherVersion {
    /// The way that leads to it.
    pub direction: Direction,
    /// Where it is, or was.
    pub location: Location,
    /// Whether it is there to go to.
    pub is_there: bool,
}

/// What a location is that a publish replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A version in this ledger.
    Version(VersionState),
    /// It has the name of a version, and this ledger does not know it (any more).
    Unknown,
    /// It belongs to the version of a whole table.
    Part,
    /// Somebody else wrote it.
    Foreign,
}

impl Direction {
    /// Returns the way that leads away from a version, by its parameters.
    fn of(parameters: &IndexMap<String, String>) -> Self {
        if Record::is_undone(parameters) { Self::Redo } else { Self::Undo }
    }

    /// Says whether parameters are already those of the version that this way leads to.
    fn is_done(self, parameters: &IndexMap<String, String>) -> bool {
        Self::of(parameters) != self
    }

    fn put(self, record: &Record, parameters: &mut IndexMap<String, String>) {
        match self {
            Self::Undo => record.put_undone(parameters),
            Self::Redo => record.put_instead(parameters),
        }
    }

    /// What a user asks for.
    fn word(self) -> &'static str {
        match self {
            Self::Undo => "undo",
            Self::Redo => "redo",
        }
    }

    /// Where it leads.
    fn to(self) -> &'static str {
        match self {
            Self::Undo => "the version before it",
            Self::Redo => "the version that was undone",
        }
    }

    fn error(self, kind: ErrorKind, message: String) -> Error {
        let operation = match self {
            Self::Undo => "undo a publish",
            Self::Redo => "redo a publish",
        };
        Error::new(kind, operation, message)
    }

    /// Says that it cannot be done, because no version can be gone to.
    fn no_version(self, why: &str) -> Error {
        let help = match self {
            Self::Undo => {
                "an undo needs a version before: one that a publish of suiro replaced, and that is kept until the retention is over"
            }
            Self::Redo => "a redo needs the version that was undone, which is kept until the retention is over",
        };
        self.error(ErrorKind::NotFound, format!("cannot {}: {why}", self.word())).help(help)
    }
}

impl Lake {
    /// Points a partition back to the version before, or forward again. Repeating it after a stop is fine.
    ///
    /// # Errors
    /// `NotFound` when there is no partition, no version to go to, or that version is no longer whole; `Conflict` when another
    /// writer publishes at the same time.
    pub async fn undo_partition(&self, name: &TableName, values: &[String], direction: Direction) -> Result<Undone> {
        let current = self.catalog.partition(name, values).await?.ok_or_else(|| {
            direction.error(ErrorKind::NotFound, format!("table `{name}` has no partition `{}`", values.join("/")))
        })?;
        if direction.is_done(&current.parameters) {
            self.retire_unused(name, Some(values)).await?;
            self.leases.clear(&current.location).await?;
            return Ok(Undone { from: None, to: current.location });
        }
        let (record, to) = self.other(direction, &current.parameters, &current.location).await?;
        self.keep(&to).await?;
        let storage = previous_storage(&current.parameters)?.unwrap_or_else(|| current.storage.clone());
        let mut restored = Partition { location: to.clone(), storage, ..current.clone() };
        direction.put(&record, &mut restored.parameters);
        note_previous_storage(Some(&current.storage), &restored.storage, &mut restored.parameters)?;
        let lease = self.leases.take(&to).await?;
        let done = async {
            self.still_there(direction, &to).await?;
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
        let current = self
            .catalog
            .table(name)
            .await?
            .ok_or_else(|| direction.error(ErrorKind::NotFound, format!("table `{name}` is not in the catalog")))?;
        let from = current.location.clone().ok_or_else(|| direction.no_version("it is a view"))?;
        if !current.partition_keys.is_empty() {
            let word = direction.word();
            let message = format!("cannot {word}: table `{name}` is partitioned, {word} its partitions one by one");
            return Err(direction.error(ErrorKind::InvalidInput, message));
        }
        if direction.is_done(&current.parameters) {
            self.retire_unused(name, None).await?;
            self.leases.clear(&from).await?;
            return Ok(Undone { from: None, to: from });
        }
        let (record, to) = self.other(direction, &current.parameters, &from).await?;
        if record.schema_hash != table_hash(&current) {
            let which = match direction {
                Direction::Undo => format!("the version before of table `{name}`"),
                Direction::Redo => format!("the version of table `{name}` that was undone"),
            };
            let message = format!("cannot {}: {which} has other columns or keys", direction.word());
            return Err(direction.error(ErrorKind::InvalidInput, message).with("location", to.to_string()));
        }
        self.keep(&to).await?;
        let storage = previous_storage(&current.parameters)?.unwrap_or_else(|| current.storage.clone());
        let mut restored = Table { location: Some(to.clone()), storage, ..current.clone() };
        direction.put(&record, &mut restored.parameters);
        note_previous_storage(Some(&current.storage), &restored.storage, &mut restored.parameters)?;
        let lease = self.leases.take(&to).await?;
        let done = async {
            self.still_there(direction, &to).await?;
            under(lease.as_ref(), Some(&current.parameters), &mut restored.parameters)?;
            let put = within(lease.as_ref(), self.catalog.put_table(&restored, Expect::Version(current.version)));
            self.settings.crash_points.around("undo: the catalog call", put).await
        };
        let done = done.await;
        self.leases.end(lease, done).await?;
        self.retire_unused(name, None).await?;
        Ok(Undone { from: Some(from), to })
    }

    /// Says which other version a partition can be pointed to by an undo or a redo, and whether it is there. None when there was
    /// never one of its own. Nothing is changed.
    ///
    /// # Errors
    /// Those of the ledger and of the storage; `InvalidData` when what is recorded of the partition cannot be read.
    pub async fn other_version(&self, partition: &Partition) -> Result<Option<OtherVersion>> {
        let record = Record::read(&partition.parameters)?;
        let Some(location) = record.and_then(|record| record.previous_location) else { return Ok(None) };
        let direction = Direction::of(&partition.parameters);
        let is_there = match self.before(&location).await? {
            Before::Part | Before::Foreign => return Ok(None),
            Before::Unknown => false,
            Before::Version(state) => match self.kept_record(direction, state, &location).await {
                Ok(_) => true,
                Err(error) if error.kind == ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            },
        };
        Ok(Some(OtherVersion { direction, location, is_there }))
    }

    /// Says what a location is that a publish replaced.
    async fn before(&self, location: &Location) -> Result<Before> {
        if let Some(version) = self.versions.version(location).await? {
            return Ok(Before::Version(version.state));
        }
        if self.part_of_version(location).await? {
            return Ok(Before::Part);
        }
        Ok(if crate::storage::is_version_name(location.file_name()) { Before::Unknown } else { Before::Foreign })
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
    async fn still_there(&self, direction: Direction, version: &Location) -> Result<()> {
        if self.leases.are_needed() && self.storage.marker(version).await?.is_none() {
            return Err(gone(direction, "is no longer kept", version));
        }
        Ok(())
    }

    /// Takes a version out of reach of the collection.
    async fn keep(&self, version: &Location) -> Result<()> {
        let noted = self.versions.published(version);
        self.settings.crash_points.around("undo: note the version", noted).await
    }

    /// Finds the version that a way leads to.
    async fn other(
        &self,
        direction: Direction,
        parameters: &IndexMap<String, String>,
        current: &Location,
    ) -> Result<(Record, Location)> {
        let record = Record::read(parameters)?.ok_or_else(|| direction.no_version("it was not published by suiro"))?;
        let to = record.previous_location.clone();
        let to = to.ok_or_else(|| direction.no_version("there is no version before it"))?;
        let earlier = match self.before(&to).await? {
            Before::Part => return Err(gone(direction, "is a part of a table's version", &to)),
            Before::Foreign => {
                return Err(gone(direction, "was not written by suiro, and stays where it is", &to)
                    .help("`athena.add_partition>` with its `location` points the partition to it again"));
            }
            Before::Unknown if self.storage.has_data(&to).await? => {
                return Err(gone(direction, "is in another ledger of versions than this one", &to)
                    .help("undo it with the project and the profile that published it"));
            }
            Before::Unknown => return Err(gone(direction, "is no longer kept", &to)),
            Before::Version(state) => self.kept_record(direction, state, &to).await?,
        };
        Ok((Record { previous_location: Some(current.clone()), ..earlier }, to))
    }

    /// Returns what was recorded of a version, which is there whole.
    async fn kept_record(&self, direction: Direction, state: VersionState, version: &Location) -> Result<Record> {
        if !matches!(state, VersionState::Retired | VersionState::Published | VersionState::Lost) {
            return Err(gone(direction, "is no longer kept", version));
        }
        let marker = self.storage.marker(version).await?;
        let record = marker
            .and_then(|marker| marker.record)
            .and_then(|value| serde_json::from_value::<Record>(value).ok())
            .ok_or_else(|| gone(direction, "has lost its record", version))?;
        let bytes: u64 = self.storage.list_data(version).await?.iter().map(|object| object.bytes).sum();
        if bytes < record.bytes {
            return Err(gone(direction, "has lost objects", version));
        }
        Ok(record)
    }
}

/// Says what became of the version that a way led to.
fn gone(direction: Direction, how: &str, version: &Location) -> Error {
    direction.no_version(&format!("{} {how}", direction.to())).with("location", version.to_string())
}
