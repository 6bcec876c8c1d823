//! Collection: deletes versions whose tombstone is due, and those that were written and never published.
//!
//! Nothing goes that the catalog points to, and nothing that is not in the ledger.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::Result;
use crate::lake::Lake;
use crate::name::{Location, TableName};
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
        let referenced = self.referenced(&candidates).await?;
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
        let referenced = self.referenced(&claimed).await?;
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
        let Some(results) = self.storage.results()? else { return Ok(()) };
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

    /// Lists the locations that the catalog points to and that could be those of versions: in a folder all. An account on AWS
    /// has thousands of tables that are none of ours: there it is the tables of the databases that versions were written for,
    /// and the partitions of their own tables.
    async fn referenced(&self, versions: &[WrittenVersion]) -> Result<BTreeSet<Location>> {
        let mut referenced = BTreeSet::new();
        if versions.is_empty() {
            return Ok(referenced);
        }
        let own: BTreeSet<&TableName> = versions.iter().map(|version| &version.table).collect();
        let has_all = self.storage.folder().is_some();
        let databases: BTreeSet<String> = if has_all {
            self.catalog.databases().await?.into_iter().map(|database| database.name).collect()
        } else {
            own.iter().map(|name| name.database.clone()).collect()
        };
        for database in databases {
            for table in self.catalog.tables(&database).await? {
                referenced.extend(table.location.iter().map(Location::as_prefix));
                if !table.partition_keys.is_empty() && (has_all || own.contains(&table.name)) {
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
