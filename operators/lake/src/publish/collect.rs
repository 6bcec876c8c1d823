//! Collection: deletes versions whose tombstone is due, and those that were written and never published.
//!
//! Nothing goes that the catalog points to, and nothing that is not in the ledger.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::Result;
use crate::lake::Lake;
use crate::name::Location;
use crate::query::RESULTS;
use crate::storage::MARKER;

use super::versions::{VersionState, WrittenVersion};

/// How old a version must be that was written, or about to be published, by an attempt that never came back.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(48);

/// What a collection did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// The prefixes that are gone.
    pub versions: Vec<Location>,
    /// The objects that are gone.
    pub objects: usize,
}

impl Lake {
    /// Deletes the versions that are due. Repeating it after a stop goes on where it stopped.
    ///
    /// # Errors
    /// Those of the catalog and the storage; what was deleted by then is forgotten.
    pub async fn collect(&self) -> Result<Collected> {
        let mut candidates = self.versions.due().await?;
        candidates.extend(self.versions.unfinished(FORGOTTEN_AFTER).await?);
        let referenced = if candidates.is_empty() { BTreeSet::new() } else { self.referenced().await? };
        candidates.retain(|version| version.state != VersionState::Published || !is_referenced(&referenced, version));
        let points = &self.settings.crash_points;
        let mut claimed = Vec::new();
        for version in candidates {
            if points.around("collect: claim a version", self.versions.claim(&version)).await? {
                claimed.push(version);
            }
        }
        let mut collected = Collected::default();
        // Once more, now that nobody can point to what is claimed: an undo may have come between.
        let referenced = if claimed.is_empty() { BTreeSet::new() } else { self.referenced().await? };
        for version in claimed {
            if is_referenced(&referenced, &version) {
                points.around("collect: give a version back", self.versions.give_back(&version.location)).await?;
                continue;
            }
            let delete = self.storage.delete_prefix(&version.location);
            collected.objects += points.around("collect: delete the objects", delete).await?;
            points.around("collect: forget the version", self.versions.forget(&version.location)).await?;
            collected.versions.push(version.location);
        }
        self.collect_results().await?;
        Ok(collected)
    }

    /// Deletes kept results of queries that are older than their retention.
    async fn collect_results(&self) -> Result<()> {
        let results = Location::parse(RESULTS)?;
        let retention_ms = i64::try_from(self.settings.result_retention.as_millis()).unwrap_or(i64::MAX);
        let before_ms = self.settings.clock.now().as_millisecond().saturating_sub(retention_ms);
        for object in self.storage.list(&results).await? {
            if object.location.file_name() == MARKER
                && object.modified_ms < before_ms
                && let Some(prefix) = object.location.parent()
            {
                let delete = self.storage.delete_prefix(&prefix);
                self.settings.crash_points.around("collect: delete a result", delete).await?;
            }
        }
        Ok(())
    }

    /// Lists every location that the catalog points to.
    async fn referenced(&self) -> Result<BTreeSet<Location>> {
        let mut referenced = BTreeSet::new();
        for database in self.catalog.databases().await? {
            for table in self.catalog.tables(&database.name).await? {
                referenced.extend(table.location.iter().map(Location::as_prefix));
                if !table.partition_keys.is_empty() {
                    let partitions = self.catalog.partitions(&table.name).await?;
                    referenced.extend(partitions.iter().map(|partition| partition.location.as_prefix()));
                }
            }
        }
        Ok(referenced)
    }
}

/// Tells whether the catalog points to a version, or to something below it.
fn is_referenced(referenced: &BTreeSet<Location>, version: &WrittenVersion) -> bool {
    referenced
        .range(version.location.clone()..)
        .next()
        .is_some_and(|next| *next == version.location || version.location.contains(next))
}
