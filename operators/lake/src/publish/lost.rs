//! Versions that are in no ledger: the state of a machine was lost, or the machine. On AWS they are found by their place below
//! a root that carries our marker, taken into this ledger, and collected after the retention.
//!
//! Several machines publish a table, each with a ledger of its own, so what this one does not know may be somebody's: only what
//! is old, what nobody points to and nobody is about to point to counts as lost.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::collect::{FORGOTTEN_AFTER, is_referenced};
use super::version::{values_hash, version_root};
use super::versions::{IntendedVersion, VersionRoot, VersionState, WrittenVersion};
use crate::error::{ErrorKind, Result};
use crate::lake::Lake;
use crate::name::Location;
use crate::storage::{MarkerKind, Object, is_version_name};

/// How often lost versions are looked for below a root: all its objects are listed then.
const SEARCHED_EVERY: Duration = Duration::from_hours(24);

impl Lake {
    /// Takes the lost versions of the tables that this lake publishes into the ledger. What cannot be looked at is looked at
    /// another time.
    ///
    /// # Errors
    /// Those of the catalog's file; `PermissionDenied` when it may not be looked, which another time does not mend.
    pub(super) async fn adopt_lost(&self) -> Result<()> {
        // In a folder the ledger is in one file with the catalog: they are lost together.
        if !self.leases.are_needed() {
            return Ok(());
        }
        let every_ms = i64::try_from(SEARCHED_EVERY.as_millis()).unwrap_or(i64::MAX);
        let before_ms = self.settings.clock.now().as_millisecond().saturating_sub(every_ms);
        for root in self.versions.unsearched(before_ms).await? {
            let lost = match self.lost_below(&root).await {
                Err(error) if !matches!(error.kind, ErrorKind::Canceled | ErrorKind::PermissionDenied) => {
                    tracing::warn!(%error, help = error.help, root = %root.location, "lost versions could not be looked for");
                    continue;
                }
                lost => lost?,
            };
            for version in &lost {
                tracing::info!(version = %version.location, table = %root.table, "a version that nobody knows of is collected later");
            }
            let adopted = self.versions.adopt(&root, &lost, self.settings.retention);
            self.settings.crash_points.around("aws: adopt lost versions", adopted).await?;
        }
        Ok(())
    }

    /// Lists the versions of a table below its root that count as lost.
    async fn lost_below(&self, root: &VersionRoot) -> Result<Vec<IntendedVersion>> {
        let is_marked =
            self.storage.marker(&root.location).await?.is_some_and(|marker| marker.kind == MarkerKind::VersionRoot);
        if !is_marked {
            return Ok(Vec::new());
        }
        let old_ms =
            self.settings.clock.now().as_millisecond() - i64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap_or(i64::MAX);
        let newest = versions_below(&root.location, &self.storage.list(&root.location).await?);
        let mut unknown = Vec::new();
        for (location, newest_ms) in newest {
            if newest_ms < old_ms && self.versions.version(&location).await?.is_none() {
                unknown.push(location);
            }
        }
        if unknown.is_empty() {
            return Ok(Vec::new());
        }
        let found: Vec<WrittenVersion> = self
            .of_table(root, unknown)
            .await?
            .into_iter()
            .map(|(location, values)| WrittenVersion {
                location,
                table: root.table.clone(),
                values,
                state: VersionState::Lost,
                created_ms: old_ms,
                collect_after_ms: None,
            })
            .collect();
        let referenced = self.referenced(&found).await?;
        let mut lost = Vec::new();
        for version in found {
            if is_referenced(&referenced, &version)
                || self.leases.holder(&version.location).await? == Some(version.location.clone())
            {
                continue;
            }
            lost.push(IntendedVersion { location: version.location, values: version.values });
        }
        Ok(lost)
    }

    /// Finds the versions that are surely those of the table, with the values of their partitions where these can be told: their
    /// place has a hash of both. A root of its own, beside the table, has versions of no other.
    async fn of_table(
        &self,
        root: &VersionRoot,
        versions: Vec<Location>,
    ) -> Result<Vec<(Location, Option<Vec<String>>)>> {
        let table = self.catalog.table(&root.table).await?;
        let mut known: HashMap<String, Option<Vec<String>>> = HashMap::from([(values_hash(&root.table, None), None)]);
        if table.as_ref().is_some_and(|table| !table.partition_keys.is_empty()) {
            for partition in self.catalog.partitions(&root.table).await? {
                known.insert(values_hash(&root.table, Some(&partition.values)), Some(partition.values));
            }
        }
        let first = table.and_then(|table| super::step::plan::root_of(&table).ok());
        let is_its_own = match first {
            Some(first) => version_root(&first, None)? == root.location,
            None => false,
        };
        Ok(versions
            .into_iter()
            .filter_map(|location| {
                let hash = location.parent()?.file_name().to_owned();
                match known.get(&hash) {
                    Some(values) => Some((location, values.clone())),
                    None => is_its_own.then_some((location, None)),
                }
            })
            .collect())
    }
}

/// Returns the versions below a root, `<hash>/<version>/`, each with the time of its newest object.
fn versions_below(root: &Location, objects: &[Object]) -> BTreeMap<Location, i64> {
    let mut newest: BTreeMap<Location, i64> = BTreeMap::new();
    for object in objects {
        let Some(below) = object.location.key().strip_prefix(root.as_prefix().key()) else { continue };
        let mut parts = below.split('/');
        let (Some(hash), Some(name), Some(_)) = (parts.next(), parts.next(), parts.next()) else { continue };
        if !is_version_name(name) {
            continue;
        }
        let Ok(version) = root.join(&format!("{hash}/{name}/")) else { continue };
        let time = newest.entry(version).or_insert(object.modified_ms);
        *time = (*time).max(object.modified_ms);
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_the_form_of_a_version_is_one() {
        let root = Location::parse("s3://b/t--versions/").unwrap();
        let object = |below: &str, modified_ms| Object {
            location: root.join(below).unwrap(),
            bytes: 1,
            modified_ms,
            hidden: false,
        };
        let objects = [
            object("_suiro.json", 1),
            object("0123456789abcdef/_suiro_lease.json", 9),
            object("0123456789abcdef/20260102T030405Z-0123456789ab-g1/part-00000.parquet", 2),
            object("0123456789abcdef/20260102T030405Z-0123456789ab-g1/_suiro.json", 3),
            object("0123456789abcdef/20260102T030405Z-0123456789ab-g2/batch-00001/k=v/x", 4),
            object("0123456789abcdef/notes/x", 5),
            object("0123456789abcdef/20260102T030405Z-0123456789ab-g3", 5),
        ];
        let names: Vec<(String, i64)> = versions_below(&root, &objects)
            .into_iter()
            .map(|(location, newest)| (location.file_name().to_owned(), newest))
            .collect();
        let name = |generation: u32| format!("20260102T030405Z-0123456789ab-g{generation}");
        assert_eq!(names, [(name(1), 3), (name(2), 4)]);
    }
}
