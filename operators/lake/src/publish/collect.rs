//! Collection: deletes versions whose tombstone is due, and those that were written and never published.
//!
//! Nothing goes that the catalog points to, and nothing that is not in the ledger (where `lost.rs` puts what is in none).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::{ErrorKind, Result, Retryable};
use crate::lake::Lake;
use crate::name::Location;
use crate::storage::{MARKER, is_without_bucket};

use super::lease::Turn;
use super::versions::{VersionState, WrittenVersion};

/// How old a version must be that was written, or about to be published, by an attempt that never came back.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_hours(48);

/// What a collection did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// The prefixes that are gone.
    pub versions: Vec<Location>,
    /// The objects that are gone.
    pub objects: usize,
}

impl Lake {
    /// Deletes the versions that are due. Repeating it after a stop goes on where it stopped. A version that cannot be deleted
    /// keeps no other from it, and is tried again the next time.
    ///
    /// # Errors
    /// Those of the catalog and the storage, of versions the first; what was deleted by then is forgotten.
    pub async fn collect(&self) -> Result<Collected> {
        let adopted = match self.adopt_lost().await {
            // What is known can go all the same, and why the rest stays is said.
            Err(error) if error.kind == ErrorKind::PermissionDenied => Err(error),
            adopted => Ok(adopted?),
        };
        let mut candidates = self.versions.due().await?;
        candidates.extend(self.versions.unfinished(FORGOTTEN_AFTER).await?);
        let referenced = self.referenced(&candidates).await?;
        candidates.retain(|version| version.state != VersionState::Published || !is_referenced(&referenced, version));
        let points = &self.settings.crash_points;
        let mut claimed = Vec::new();
        for version in candidates {
            if version.state == VersionState::Published && self.leases.are_needed() {
                // Another machine has replaced it, perhaps just now: it is kept for the retention, as what this one replaces.
                if !self.was_hidden(&version).await? {
                    self.retire_versions(&[version.location]).await?;
                }
                continue;
            }
            if points.around("collect: claim a version", self.versions.claim(&version)).await? {
                claimed.push(version);
            }
        }
        let mut collected = Collected::default();
        let mut refused = None;
        // Once more, now that nobody can point to what is claimed: an undo may have come between.
        let referenced = self.referenced(&claimed).await?;
        for version in claimed {
            if is_referenced(&referenced, &version) {
                self.give_back(&version).await?;
                continue;
            }
            match self.delete_version(&version).await {
                Ok(Some(objects)) => {
                    collected.objects += objects;
                    points.around("collect: forget the version", self.versions.forget(&version.location)).await?;
                    collected.versions.push(version.location);
                }
                Ok(None) => {}
                // A service that does not answer, and a stop, are met by the others as well.
                Err(error) if error.retryable == Retryable::Yes || error.kind == ErrorKind::Canceled => {
                    return Err(error);
                }
                Err(error) => {
                    refused.get_or_insert(error);
                }
            }
        }
        self.collect_roots().await?;
        self.collect_results().await?;
        match refused {
            Some(error) => Err(error),
            None => adopted.map(|()| collected),
        }
    }

    /// Puts a late write right that has hidden a version; tells whether that was so.
    async fn was_hidden(&self, version: &WrittenVersion) -> Result<bool> {
        let Some(values) = &version.values else { return Ok(false) };
        if self.versions.last_visible(&version.table, values).await?.is_none() {
            return Ok(false);
        }
        let current = match self.catalog.partition(&version.table, values).await {
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::InvalidInput) => None,
            partition => partition?,
        };
        let kept = self.put_right(&version.table, values, current).await?;
        Ok(kept.is_some_and(|kept| kept.location == version.location))
    }

    /// Gives a claimed version back that the catalog points to.
    async fn give_back(&self, version: &WrittenVersion) -> Result<()> {
        let points = &self.settings.crash_points;
        if version.state == VersionState::Lost {
            // It is somebody else's, and in use again: when it is lost once more it is found once more.
            return points.around("aws: leave a version to others", self.versions.forget(&version.location)).await;
        }
        points.around("collect: give a version back", self.versions.give_back(&version.location)).await
    }

    /// Deletes the objects of a claimed version; none when it must not go now. A bucket that is not there holds nothing of it.
    async fn delete_version(&self, version: &WrittenVersion) -> Result<Option<usize>> {
        match self.delete_objects(version).await {
            Err(error) if is_without_bucket(&error) => Ok(Some(0)),
            deleted => deleted,
        }
    }

    /// Deletes the objects of a claimed version, as [`Self::delete_version`].
    ///
    /// A machine with another ledger could point to it again. Where that can be, it goes under the lease of its partition, its
    /// marker first: whoever wants to point to it looks for that under the lease.
    async fn delete_objects(&self, version: &WrittenVersion) -> Result<Option<usize>> {
        let points = &self.settings.crash_points;
        let location = &version.location;
        // What was given up was never visible.
        if version.state == VersionState::Abandoned {
            return points.around("collect: delete the objects", self.storage.delete_prefix(location)).await.map(Some);
        }
        match self.leases.take_to_collect(&version.location).await? {
            Turn::NotNeeded => {
                points.around("collect: delete the objects", self.storage.delete_prefix(location)).await.map(Some)
            }
            // The partition is being published: there is time.
            Turn::Others => Ok(None),
            Turn::Ours(lease) => {
                let deleted = async {
                    if self.is_pointed_to(version).await? {
                        return self.give_back(version).await.map(|()| None);
                    }
                    points.around("collect: delete the objects", self.delete_marker_first(location)).await.map(Some)
                };
                let deleted = deleted.await;
                self.leases.end(Some(*lease), deleted).await
            }
        }
    }

    async fn delete_marker_first(&self, version: &Location) -> Result<usize> {
        self.storage.delete(&[version.join(MARKER)?]).await?;
        self.storage.delete_prefix(version).await
    }

    /// Tells whether the partition or table of a version points to it now.
    async fn is_pointed_to(&self, version: &WrittenVersion) -> Result<bool> {
        let Some(values) = &version.values else {
            let referenced = self.referenced(std::slice::from_ref(version)).await?;
            return Ok(is_referenced(&referenced, version));
        };
        let partition = match self.catalog.partition(&version.table, values).await {
            // Its table is gone, or has other keys.
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::InvalidInput) => None,
            partition => partition?,
        };
        Ok(partition.is_some_and(|partition| version.location.contains(&partition.location.as_prefix())))
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
}

/// Tells whether the catalog points to a version, or to something below it.
pub(super) fn is_referenced(referenced: &BTreeSet<Location>, version: &WrittenVersion) -> bool {
    referenced
        .range(version.location.clone()..)
        .next()
        .is_some_and(|next| *next == version.location || version.location.contains(next))
}
