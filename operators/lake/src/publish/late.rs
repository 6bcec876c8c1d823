//! A call of Glue that came too late: one that was on its way when its writer's lease ended, and arrived after the next writer
//! had published. Glue compares nothing, so it cannot be kept out; it is found and put right.
//!
//! Whoever publishes a partition notes the number of the lease under which it read its version back. When the partition then
//! shows another version of ours under a lower number, that is a late write: every later publish, undo or redo has a higher one,
//! and other programs have none.

use super::lease::{Lease, fence_of};
use super::record::Record;
use crate::catalog::{Expect, Partition};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::{Location, TableName};

use super::commit::{read_back, under, within};

impl Lake {
    /// Notes the number of the lease under which a version became visible.
    pub(super) async fn note_visible(&self, version: &Location, partition: &Partition) -> Result<()> {
        let Some(fence) = fence_of(&partition.parameters).filter(|_| self.leases.are_needed()) else { return Ok(()) };
        let noted = self.versions.became_visible(version, fence);
        self.settings.crash_points.around("aws: note that a version is visible", noted).await
    }

    /// Points a partition back to the version that this lake published last, when a late write has hidden it; returns the
    /// partition as it is then. Repeating it after a stop is fine.
    ///
    /// # Errors
    /// Those of the catalog; `Conflict` when another writer comes between.
    pub(super) async fn put_right(
        &self,
        table: &TableName,
        values: &[String],
        current: Option<Partition>,
    ) -> Result<Option<Partition>> {
        if !self.leases.are_needed() {
            return Ok(current);
        }
        let Some(hidden) = self.hidden_by(table, values, current.as_ref()).await? else { return Ok(current) };
        let lease = self.leases.take(&hidden).await?;
        let done = Box::pin(self.point_back(table, values, &hidden, lease.as_ref())).await;
        self.leases.end(lease, done).await
    }

    /// Returns the version that a late write has hidden.
    async fn hidden_by(
        &self,
        table: &TableName,
        values: &[String],
        current: Option<&Partition>,
    ) -> Result<Option<Location>> {
        let Some(current) = current else { return Ok(None) };
        let Some(fence) = fence_of(&current.parameters) else { return Ok(None) };
        // Where another program pointed it elsewhere and kept our parameters, that is not our call.
        let is_ours = Record::read(&current.parameters)?.is_some_and(|record| record.version == current.location);
        let last = self.versions.last_visible(table, values).await?;
        Ok(last
            .filter(|(version, later)| is_ours && *later > fence && *version != current.location)
            .map(|(version, _)| version))
    }

    async fn point_back(
        &self,
        table: &TableName,
        values: &[String],
        hidden: &Location,
        lease: Option<&Lease>,
    ) -> Result<Option<Partition>> {
        let current = self.catalog.partition(table, values).await?;
        if self.hidden_by(table, values, current.as_ref()).await?.as_ref() != Some(hidden) {
            return Ok(current);
        }
        let Some(current) = current else { return Ok(None) };
        let marker = self.storage.marker(hidden).await?;
        let record =
            marker.and_then(|marker| marker.record).and_then(|value| serde_json::from_value::<Record>(value).ok());
        let record = record.ok_or_else(|| {
            let message = format!("the version `{hidden}`, which a late write has hidden, has lost its record");
            Error::new(ErrorKind::Conflict, "publish a version", message)
        })?;
        tracing::warn!(%table, version = %hidden, late = %current.location, "a late write had hidden a version: it is put right");
        let mut restored = Partition { location: hidden.clone(), ..current.clone() };
        record.put_instead(&mut restored.parameters);
        under(lease, Some(&current.parameters), &mut restored.parameters)?;
        let put = within(lease, self.catalog.put_partition(table, &restored, Expect::Version(current.version)));
        self.settings.crash_points.around("aws: put a late write right", put).await?;
        let kept = self.catalog.partition(table, values).await?;
        read_back(hidden, kept.as_ref().map(|kept| kept.location.clone()))?;
        if let Some(kept) = &kept {
            self.note_visible(hidden, kept).await?;
        }
        Ok(kept)
    }
}
