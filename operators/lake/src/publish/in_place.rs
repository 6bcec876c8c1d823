//! The old way: objects are copied to where readers look, and those of the version before are deleted.
//!
//! Not atomic: between the first copy and the last deletion a reader sees rows of both versions. For tables whose readers go
//! by path, or by partition projection, and for objects without a table. The marker of the place lists what is ours there;
//! nothing else is ever deleted.

use std::collections::BTreeSet;

use crate::catalog::{Expect, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::Location;
use crate::query::WrittenObject;
use crate::storage::{Marker, MarkerKind, PlaceRecord};

use super::batch::without_batch;
use super::commit::{NewVersion, Published, under, within};
use super::lease::Lease;
use super::record::Record;

/// Foreign objects that a message names.
const SHOWN_OBJECTS: usize = 10;

/// Where objects are published in place, and who is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The prefix.
    pub(super) location: &'a Location,
    /// The table, as it shall be.
    pub(super) table: &'a Table,
    /// The values of the partition; none for a whole table.
    pub(super) values: Option<&'a [String]>,
    /// Whether the catalog is told.
    pub(super) register: bool,
}

impl Lake {
    /// Replaces our objects at a place by those of a version, and points the catalog there. Repeating it after a stop is fine.
    ///
    /// # Errors
    /// `InvalidInput` when objects that are not ours lie there: then nothing has changed. Those of the catalog and the
    /// storage.
    pub(super) async fn publish_in_place(
        &self,
        place: Place<'_>,
        written: &[WrittenObject],
        new: &NewVersion,
    ) -> Result<Published> {
        let lease = self.leases.take(&new.record.version).await?;
        let published = Box::pin(self.replace_in_place(place, written, new, lease.as_ref())).await;
        self.leases.end(lease, published).await
    }

    async fn replace_in_place(
        &self,
        place: Place<'_>,
        written: &[WrittenObject],
        new: &NewVersion,
        lease: Option<&Lease>,
    ) -> Result<Published> {
        let points = &self.settings.crash_points;
        let location = place.location;
        let old = self.ours_at(location).await?;
        tracing::warn!(table = %place.table.name, %location, "publishing in place: readers may see both versions for a moment");
        let copies = copies(&new.record.version, written)?;
        let coming = PlaceRecord { objects: copies.iter().map(|(_, name)| name.clone()).collect() };
        // What is there counts, not what is noted: the note is made before the copies. A copy that is there is whole, and when
        // all are, the version that they were made of may be collected by now.
        let missing = self.missing(location, &copies).await?;
        if !missing.is_empty() {
            let both = PlaceRecord { objects: old.objects.union(&coming.objects).cloned().collect() };
            points.around("publish in place: note the objects", self.mark_place(location, &both)).await?;
            for (from, copy) in &missing {
                points.around("publish in place: copy", self.storage.copy(from, copy)).await?;
            }
        }
        let previous = match place.values {
            _ if !place.register => None,
            Some(values) => self.point_partition(place.table, values, location, (new, lease)).await?,
            None => self.point_table(place.table, location, (new, lease)).await?,
        };
        if place.register {
            self.retire_unused(&place.table.name, place.values).await?;
        }
        let gone =
            old.objects.difference(&coming.objects).map(|name| location.join(name)).collect::<Result<Vec<_>>>()?;
        points.around("publish in place: delete the old objects", self.storage.delete(&gone)).await?;
        points.around("publish in place: note what is left", self.mark_place(location, &coming)).await?;
        self.abandon_version(&new.record.version).await?;
        Ok(Published { previous_location: previous, repeated: false })
    }

    /// Returns which objects at a place are ours.
    ///
    /// # Errors
    /// `InvalidInput` that names the objects that are not.
    pub(super) async fn ours_at(&self, place: &Location) -> Result<PlaceRecord> {
        let found: BTreeSet<String> = self
            .storage
            .list_data(place)
            .await?
            .iter()
            .map(|object| object.location.key().strip_prefix(place.key()).unwrap_or_default().to_owned())
            .collect();
        if found.is_empty() {
            return Ok(self.place_record(place).await?.unwrap_or_default());
        }
        let record = match self.place_record(place).await? {
            Some(record) => record,
            // Below a version, or at the place of another table of ours.
            None if self.storage.owns(place).await? => PlaceRecord { objects: found.clone() },
            None => PlaceRecord::default(),
        };
        let foreign: Vec<&String> = found.difference(&record.objects).collect();
        if foreign.is_empty() {
            return Ok(record);
        }
        let mut shown: Vec<String> = foreign.iter().take(SHOWN_OBJECTS).map(|name| format!("`{name}`")).collect();
        if foreign.len() > SHOWN_OBJECTS {
            shown.push(format!("and {} more", foreign.len() - SHOWN_OBJECTS));
        }
        Err(Error::new(
            ErrorKind::InvalidInput,
            "publish in place",
            format!(
                "expected no objects but our own below `{place}`, found {}: suiro did not write them and will not delete \
                 them, move them or publish elsewhere",
                shown.join(", ")
            ),
        ))
    }

    /// Lists the copies that are not at their place yet, each with the object it is made of.
    async fn missing(&self, place: &Location, copies: &[(Location, String)]) -> Result<Vec<(Location, Location)>> {
        let found: BTreeSet<Location> =
            self.storage.list(place).await?.into_iter().map(|object| object.location).collect();
        let mut missing = Vec::new();
        for (from, name) in copies {
            let copy = place.join(name)?;
            if !found.contains(&copy) {
                missing.push((from.clone(), copy));
            }
        }
        Ok(missing)
    }

    async fn place_record(&self, place: &Location) -> Result<Option<PlaceRecord>> {
        Ok(self.storage.marker(place).await?.and_then(|marker| PlaceRecord::of(&marker)))
    }

    async fn mark_place(&self, place: &Location, record: &PlaceRecord) -> Result<()> {
        let value = serde_json::to_value(record).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "publish in place", "the list of objects cannot be written as JSON")
                .source(error)
        })?;
        self.storage.mark(place, &Marker::new(MarkerKind::Place, Some(value))).await
    }

    async fn point_partition(
        &self,
        table: &Table,
        values: &[String],
        place: &Location,
        (new, lease): (&NewVersion, Option<&Lease>),
    ) -> Result<Option<Location>> {
        let current = self.catalog.partition(&table.name, values).await?;
        if let Some(current) = &current
            && Record::read(&current.parameters)?.is_some_and(|record| record.version == new.record.version)
        {
            return Ok(Some(current.location.clone()));
        }
        let mut partition = table.new_partition(values.to_vec(), place.clone());
        partition.storage = new.layout.storage(&table.columns);
        new.record.put(&mut partition.parameters);
        under(lease, current.as_ref().map(|current| &current.parameters), &mut partition.parameters)?;
        let put = within(lease, self.catalog.put_partition(&table.name, &partition, new.expect));
        self.settings.crash_points.around("publish: the catalog call", put).await?;
        Ok(current.map(|current| current.location))
    }

    async fn point_table(
        &self,
        table: &Table,
        place: &Location,
        (new, lease): (&NewVersion, Option<&Lease>),
    ) -> Result<Option<Location>> {
        let current = self.catalog.table(&table.name).await?;
        if let Some(current) = &current
            && Record::read(&current.parameters)?.is_some_and(|record| record.version == new.record.version)
        {
            return Ok(current.location.clone());
        }
        let mut table = Table { location: Some(place.clone()), ..table.clone() };
        new.record.put(&mut table.parameters);
        under(lease, current.as_ref().map(|current| &current.parameters), &mut table.parameters)?;
        let expect = if current.is_none() { Expect::Absent } else { new.expect };
        let put = within(lease, self.catalog.put_table(&table, expect));
        self.settings.crash_points.around("publish: the catalog call", put).await?;
        Ok(current.and_then(|current| current.location))
    }
}

/// Returns the objects of a version with the names that their copies get below the place. The version's own name is part of
/// them: a repeated step writes the same ones, another publish others.
fn copies(version: &Location, written: &[WrittenObject]) -> Result<Vec<(Location, String)>> {
    let mut copies = Vec::with_capacity(written.len());
    for object in written {
        let below = object.location.key().strip_prefix(version.key()).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidData,
                "publish in place",
                format!("expected the object `{}` below `{version}`", object.location),
            )
        })?;
        let below = without_batch(below);
        let (folder, file) = below.rsplit_once('/').map_or(("", below), |(folder, file)| (folder, file));
        let separator = if folder.is_empty() { "" } else { "/" };
        copies.push((object.location.clone(), format!("{folder}{separator}{}-{file}", version.file_name())));
    }
    Ok(copies)
}
