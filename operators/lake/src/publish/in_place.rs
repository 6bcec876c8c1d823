//! The old way: objects are copied to where readers look, and what was there is deleted.
//!
//! Not atomic: between the first copy and the last deletion a reader sees rows of both versions. For tables whose readers go
//! by path, or by partition projection.

use crate::catalog::{Expect, Table};
use crate::error::Result;
use crate::lake::Lake;
use crate::name::Location;
use crate::query::WrittenObject;

use super::commit::{NewVersion, Published};
use super::record::Record;

impl Lake {
    /// Replaces the objects at a place by those of a version, and points the catalog there. Repeating it after a stop is fine.
    pub(super) async fn publish_in_place(
        &self,
        table: &Table,
        values: Option<&[String]>,
        place: &Location,
        written: &[WrittenObject],
        new: &NewVersion,
    ) -> Result<Published> {
        let points = &self.settings.crash_points;
        tracing::warn!(table = %table.name, location = %place, "publishing in place: readers may see both versions for a moment");
        // The version's own name makes the copies' names: a repeated step writes the same ones, another publish others.
        let version = new.record.version.file_name();
        let mut copies = Vec::with_capacity(written.len());
        for object in written {
            let copy = place.join(&format!("{version}-{}", object.location.file_name()))?;
            points.around("publish in place: copy", self.storage.copy(&object.location, &copy)).await?;
            copies.push(copy);
        }
        let previous = match values {
            Some(values) => self.point_partition(table, values, place, new).await?,
            None => self.point_table(table, place, new).await?,
        };
        let old: Vec<Location> = self
            .storage
            .list_data(place)
            .await?
            .into_iter()
            .map(|object| object.location)
            .filter(|location| location.parent().as_ref() == Some(place) && !copies.contains(location))
            .collect();
        points.around("publish in place: delete the old objects", self.storage.delete(&old)).await?;
        self.abandon_version(&new.record.version).await?;
        if let Some(previous) = previous.as_ref().filter(|previous| *previous != place) {
            self.versions.retire(previous, self.settings.retention).await?;
        }
        Ok(Published { previous_location: previous, repeated: false })
    }

    async fn point_partition(
        &self,
        table: &Table,
        values: &[String],
        place: &Location,
        new: &NewVersion,
    ) -> Result<Option<Location>> {
        let current = self.catalog.partition(&table.name, values).await?;
        if let Some(current) = &current
            && Record::read(&current.parameters)?.is_some_and(|record| record.version == new.record.version)
        {
            return Ok(Some(current.location.clone()));
        }
        let mut partition = table.new_partition(values.to_vec(), place.clone());
        partition.storage = super::Format::default().storage();
        new.record.put(&mut partition.parameters);
        let put = self.catalog.put_partition(&table.name, &partition, new.expect);
        self.settings.crash_points.around("publish: the catalog call", put).await?;
        Ok(current.map(|current| current.location))
    }

    async fn point_table(&self, table: &Table, place: &Location, new: &NewVersion) -> Result<Option<Location>> {
        let current = self.catalog.table(&table.name).await?;
        if let Some(current) = &current
            && Record::read(&current.parameters)?.is_some_and(|record| record.version == new.record.version)
        {
            return Ok(current.location.clone());
        }
        let mut table = Table { location: Some(place.clone()), ..table.clone() };
        new.record.put(&mut table.parameters);
        let expect = if current.is_none() { Expect::Absent } else { new.expect };
        let put = self.catalog.put_table(&table, expect);
        self.settings.crash_points.around("publish: the catalog call", put).await?;
        Ok(current.and_then(|current| current.location))
    }
}
