//! `mode: append`: what others wrote stays, what this load added before is replaced.
//!
//! An object is a load's by its name, `load-<id>-…`. Which loads have objects in a partition stands in the partition's
//! parameters, so that a load finds what it added to partitions that it has no rows for any more.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::job::Plan;
use crate::catalog::{PartitionValues, Table};
use crate::error::{ErrorKind, Result};
use crate::lake::Lake;
use crate::name::Location;
use crate::publish::record::{LOADS, Record};
use crate::publish::validate::{RowsAre, rows};
use crate::query::WrittenObject;

/// How many loads the parameter names; more are told as [`ANY`]. Glue takes 512,000 characters for a value, and a partition's
/// parameters are read with every list of partitions.
const MOST_LOADS: usize = 1_000;

/// Says that any load may have appended.
const ANY: &str = "*";

/// Copies the objects of the old version that another load (or query) wrote; returns how many rows of this load's own it left
/// behind.
pub(super) async fn take_over(
    lake: &Lake,
    plan: &Plan,
    old: &Location,
    prefix: &Location,
    objects: &mut Vec<WrittenObject>,
) -> Result<u64> {
    let mut left_behind = 0;
    for object in lake.storage.list_data(&old.as_prefix()).await? {
        let below = object.location.key().strip_prefix(old.as_prefix().key()).unwrap_or_default();
        // Objects in folders below belong to partitions of other layouts.
        if below.is_empty() || below.contains('/') {
            continue;
        }
        if is_of(below, plan) {
            left_behind += match rows(&lake.storage, &object.location, object.bytes, RowsAre::Described).await {
                Ok(rows) => rows,
                // It goes, whatever it is: a damaged one stops no load that brings its rows anew.
                Err(error) if error.kind == ErrorKind::InvalidData => 0,
                Err(error) => return Err(error),
            };
            continue;
        }
        let target = prefix.join(below)?;
        let copy = lake.storage.copy(&object.location, &target);
        lake.settings.crash_points.around("load: take over an object", copy).await?;
        let rows = rows(&lake.storage, &target, object.bytes, RowsAre::Described).await?;
        objects.push(WrittenObject { location: target, bytes: object.bytes, rows, partition: Vec::new() });
    }
    Ok(left_behind)
}

/// Returns the partitions, without those of `written`, that hold what this load added before.
pub(super) async fn left_in(
    lake: &Lake,
    plan: &Plan,
    table: &Table,
    written: &BTreeSet<PartitionValues>,
) -> Result<Vec<PartitionValues>> {
    let mut left = Vec::new();
    for partition in lake.catalog.partitions(&table.name).await? {
        if written.contains(&partition.values) || !may_hold(&partition.parameters, &plan.load_id())? {
            continue;
        }
        let objects = lake.storage.list_data(&partition.location.as_prefix()).await?;
        if objects.iter().any(|object| is_of(object.location.file_name(), plan)) {
            left.push(partition.values);
        }
    }
    Ok(left)
}

fn is_of(file_name: &str, plan: &Plan) -> bool {
    file_name.starts_with(&format!("load-{}-", plan.load_id()))
}

fn may_hold(parameters: &IndexMap<String, String>, load: &str) -> Result<bool> {
    match parameters.get(LOADS) {
        Some(loads) => Ok(loads == ANY || loads.split(',').any(|other| other == load)),
        // An undo took the parameter away, or it was published before there was one.
        None => Ok(Record::read(parameters)?.is_some_and(|record| record.query_id.starts_with("load-"))),
    }
}

/// Returns what the parameters of a partition say of the loads that its files are from; nothing where none is.
pub(super) fn parameters(files: &[String]) -> IndexMap<String, String> {
    let loads: BTreeSet<&str> = files.iter().filter_map(|file| load_of(file)).collect();
    let text = match loads.len() {
        0 => return IndexMap::new(),
        1..=MOST_LOADS => loads.into_iter().collect::<Vec<_>>().join(","),
        _ => ANY.to_owned(),
    };
    IndexMap::from_iter([(LOADS.to_owned(), text)])
}

/// Returns the id of the load that wrote a file, by its name.
fn load_of(file: &str) -> Option<&str> {
    let (_, name) = file.rsplit_once('/')?;
    name.strip_prefix("load-")?.split_once('-').map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_names_the_loads_of_its_files() {
        let file = |load: &str| format!("s3://b/t--versions/v/load-{load}-00000.parquet");
        assert!(parameters(&[]).is_empty());
        assert!(parameters(&["s3://b/t--versions/v/part-0.parquet".to_owned()]).is_empty());
        let two = parameters(&[file("bb"), file("aa"), file("bb")]);
        assert_eq!(two[LOADS], "aa,bb");
        assert!(may_hold(&two, "aa").unwrap() && may_hold(&two, "bb").unwrap() && !may_hold(&two, "a").unwrap());
        let many: Vec<String> = (0..=MOST_LOADS).map(|load| file(&format!("{load:012x}"))).collect();
        assert_eq!(parameters(&many[1..])[LOADS].len(), MOST_LOADS * 13 - 1);
        assert!(may_hold(&parameters(&many), "aa").unwrap());
        assert!(!may_hold(&IndexMap::new(), "aa").unwrap());
    }
}
