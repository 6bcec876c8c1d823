//! Removing what the catalog pointed at: first the registration, then the objects, and only our own.
//!
//! DIFFERENCE(digdag-operator-athena): it deletes the objects first, at most 1,000 of them, whoever wrote them.

use engine::diagnostic::code;
use engine::operator::{TaskContext, TaskError, TaskOutcome, TaskResult};
use lake::catalog::{PartitionValues, Table};
use lake::name::{Location, TableName};
use lake::publish::VersionState;
use lake::{ErrorKind, Lake};
use serde::{Deserialize, Serialize};

use crate::error::{AtParam as _, task_error};
use crate::state;

/// What is going to be removed: stored before anything is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Removal {
    /// The tables or partitions to take out of the catalog.
    pub(super) entries: Vec<Entry>,
    /// The prefixes to delete then.
    pub(super) prefixes: Vec<Location>,
    /// Whether prefixes that suiro did not write are deleted too.
    pub(super) force: bool,
}

/// An entry of the catalog.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The table.
    pub(super) table: TableName,
    /// The partition; the whole table when there is none.
    pub(super) partition: Option<PartitionValues>,
}

impl Removal {
    /// Removes what `find` finds, `what` it is called: found and stored at the first step, carried out at every one. When nothing
    /// is found, that is said; or it is an error at the parameter `named_by`, unless it may be so.
    pub(super) async fn run(
        lake: &Lake,
        context: &TaskContext,
        (what, may_be_missing): (&str, bool),
        named_by: &'static str,
        find: impl Future<Output = Result<Option<Self>, TaskError>> + Send,
    ) -> Result<TaskOutcome, TaskError> {
        let removal = match state::read::<Self>(context)? {
            Some(removal) => removal,
            None => match find.await? {
                Some(removal) => {
                    removal.check(lake).await?;
                    state::write(context, &removal).await?;
                    removal
                }
                None if may_be_missing => {
                    context.host.log(&format!("{what} does not exist: nothing to drop"));
                    return Ok(TaskResult::default().done());
                }
                None => {
                    return Err(TaskError::config(code::NOT_FOUND, format!("{what} does not exist")).at_param(named_by));
                }
            },
        };
        removal.carry_out(lake, |line| context.host.log(line)).await?;
        Ok(TaskResult::default().done())
    }

    /// Refuses before anything is changed when objects are not ours to delete.
    async fn check(&self, lake: &Lake) -> Result<(), TaskError> {
        if self.force {
            return Ok(());
        }
        for prefix in &self.prefixes {
            let owned = lake.storage.owns(prefix).await.map_err(task_error)?;
            if !owned && !lake.storage.is_empty(prefix).await.map_err(task_error)? {
                return Err(TaskError::config(
                    code::NOT_OURS,
                    format!("refused to delete the objects below `{prefix}`: suiro did not write them"),
                )
                .at_param("with_location")
                .help("say `force: true` to delete them all the same, or leave out `with_location`"));
            }
        }
        Ok(())
    }

    /// Removes the entries, then the objects. Repeating it goes on where it stopped; when nobody does, the collection deletes
    /// what suiro wrote of them.
    async fn carry_out(&self, lake: &Lake, log: impl Fn(&str)) -> Result<(), TaskError> {
        let points = &lake.settings.crash_points;
        for prefix in &self.prefixes {
            // The tombstone first: after the drop nothing would lead to the version.
            let retire = lake.versions.retire(prefix, lake.settings.retention);
            points.around("drop: set the tombstone", retire).await.map_err(task_error)?;
        }
        for entry in &self.entries {
            let dropped = async {
                match &entry.partition {
                    Some(values) => lake.catalog.drop_partition(&entry.table, values).await,
                    None => lake.catalog.drop_table(&entry.table).await,
                }
            };
            let what =
                entry.partition.as_ref().map_or_else(String::new, |values| format!(" partition {}", values.join("/")));
            if points.around("drop: the catalog call", dropped).await.map_err(task_error)? {
                log(&format!("dropped {}{what}", entry.table));
            }
            if self.prefixes.is_empty() {
                entry.hand_over(lake).await.map_err(task_error)?;
            }
        }
        for prefix in &self.prefixes {
            let deleted =
                points.around("drop: delete the objects", self.delete(lake, prefix)).await.map_err(task_error)?;
            log(&deleted);
            let forget = lake.versions.forget(prefix);
            points.around("drop: forget the version", forget).await.map_err(task_error)?;
        }
        if !self.prefixes.is_empty() {
            lake.collect_roots().await.map_err(task_error)?;
        }
        Ok(())
    }

    /// Deletes the objects below a prefix; returns what to say about it.
    async fn delete(&self, lake: &Lake, prefix: &Location) -> lake::Result<String> {
        match lake.storage.delete_prefix(prefix).await {
            Ok(objects) => Ok(format!("deleted {objects} objects below {prefix}")),
            Err(error) if self.force && error.kind == ErrorKind::InvalidInput => {
                let objects = lake.storage.list(prefix).await?;
                let locations: Vec<Location> = objects.into_iter().map(|object| object.location).collect();
                lake.storage.delete(&locations).await?;
                Ok(format!("deleted {} objects below {prefix}, by force", locations.len()))
            }
            Err(error) => Err(error),
        }
    }
}

impl Entry {
    /// Hands what the catalog pointed to over to whoever dropped it without its objects: the collection must not take them for
    /// versions that were never published.
    async fn hand_over(&self, lake: &Lake) -> lake::Result<()> {
        for version in lake.versions.of_table(&self.table).await? {
            let is_meant = self.partition.is_none() || version.values == self.partition;
            if version.state == VersionState::Published && is_meant {
                let forget = lake.versions.forget(&version.location);
                lake.settings.crash_points.around("drop: hand the objects over", forget).await?;
            }
        }
        Ok(())
    }
}

/// Lists the prefixes of a table: its partitions' and its own; a view has none.
pub(super) async fn prefixes(lake: &Lake, table: &Table) -> Result<Vec<Location>, TaskError> {
    let partitions = lake.catalog.partitions(&table.name).await.map_err(task_error)?;
    let mut prefixes: Vec<Location> = partitions.into_iter().map(|partition| partition.location.as_prefix()).collect();
    prefixes.extend(table.location.as_ref().map(Location::as_prefix));
    prefixes.sort();
    prefixes.dedup();
    // A partition below the table's own prefix goes with it.
    let all = prefixes.clone();
    prefixes.retain(|prefix| !all.iter().any(|other| other != prefix && other.contains(prefix)));
    Ok(prefixes)
}

/// Drops one table outside of a workflow; returns how many prefixes were deleted.
pub(crate) async fn drop_table(lake: &Lake, table: &Table, with_location: bool) -> Result<usize, TaskError> {
    let prefixes = if with_location { prefixes(lake, table).await? } else { Vec::new() };
    let entries = vec![Entry { table: table.name.clone(), partition: None }];
    let removal = Removal { entries, prefixes, force: false };
    removal.check(lake).await?;
    removal.carry_out(lake, |_| {}).await?;
    Ok(removal.prefixes.len())
}
