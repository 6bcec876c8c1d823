//! A table with all its partitions, in several calls: Glue has none for that.
//!
//! The order lets a reader see, at the worst, the new partitions beside old ones for a moment, and lets a call that is
//! repeated after a stop end as if it had not been stopped:
//!
//! 1. the partitions that are to be there, made or pointed to their new places, a hundred at a time;
//! 2. the table, guarded by its `VersionId`: the point from which the new version counts;
//! 3. what is not to be there any more, dropped, 25 at a time.
//!
//! A table that is not there yet is made first. With other partition keys the old partitions go before the table changes,
//! because their values do not fit it: for that moment the table is empty. Whoever needs a change of many partitions that
//! no reader can see half of puts a view before two tables.

use std::collections::{BTreeMap, HashSet};

use aws_sdk_glue::types::{BatchUpdatePartitionRequestEntry, PartitionValueList};

use super::revision::Stamp;
use super::table::UNGUARDED_TRIES;
use super::{AwsCatalog, convert, failed, found};
use crate::aws::Call;
use crate::aws::error::answered;
use crate::catalog::sqlite::{describe, same_keys};
use crate::catalog::{Expect, Partition, Table, validate};
use crate::error::{Error, ErrorKind, Result};
use crate::name::TableName;

const CREATE: Call = Call { operation: "write partitions", action: "glue:BatchCreatePartition" };
const UPDATE: Call = Call { operation: "write partitions", action: "glue:BatchUpdatePartition" };
const DELETE: Call = Call { operation: "drop partitions", action: "glue:BatchDeletePartition" };

/// How many partitions one call makes or changes: <https://docs.aws.amazon.com/glue/latest/webapi/API_BatchCreatePartition.html>.
const WRITTEN_AT_ONCE: usize = 100;

/// How many partitions one call drops: <https://docs.aws.amazon.com/glue/latest/webapi/API_BatchDeletePartition.html>.
const DROPPED_AT_ONCE: usize = 25;

impl AwsCatalog {
    pub(super) async fn replace(&self, table: &Table, partitions: &[Partition], expect: Expect) -> Result<Table> {
        check(table, partitions)?;
        let _turn = self.locks.hold(&table.name.to_string()).await;
        let mut tries = 0;
        loop {
            match self.replace_found(table, partitions, expect).await {
                // Somebody came between, or the client met its own first try whose answer was lost: what is there now is as
                // good.
                Err(error)
                    if expect == Expect::Any
                        && matches!(error.kind, ErrorKind::Conflict | ErrorKind::AlreadyExists)
                        && tries < UNGUARDED_TRIES =>
                {
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    /// Replaces what is found now.
    async fn replace_found(&self, table: &Table, partitions: &[Partition], expect: Expect) -> Result<Table> {
        let name = &table.name;
        let points = &self.crash_points;
        let old = self.replaceable(table, expect).await?;
        let there = self.list_partitions(name).await?;
        let keeps_keys = old.as_ref().is_some_and(|old| same_keys(&old.table.partition_keys, &table.partition_keys));
        let store = || Box::pin(self.store_table(table, old.as_ref()));
        if !keeps_keys {
            let gone: Vec<&Partition> = there.iter().collect();
            points.around("aws: drop the partitions of other keys", self.drop_partitions(name, &gone)).await?;
            let kept = points.around("aws: write the table of new keys", store()).await?;
            points.around("aws: write all partitions", self.write_partitions(name, partitions, &[])).await?;
            return Ok(kept);
        }
        points.around("aws: write the partitions", self.write_partitions(name, partitions, &there)).await?;
        let kept = points.around("aws: write the table", store()).await?;
        let wanted: HashSet<&[String]> = partitions.iter().map(|partition| partition.values.as_slice()).collect();
        let stale: Vec<&Partition> =
            there.iter().filter(|partition| !wanted.contains(partition.values.as_slice())).collect();
        points.around("aws: drop the partitions that are gone", self.drop_partitions(name, &stale)).await?;
        Ok(kept)
    }

    /// Makes partitions, or replaces those that are there.
    async fn write_partitions(&self, name: &TableName, partitions: &[Partition], there: &[Partition]) -> Result<()> {
        let there: BTreeMap<&[String], &Partition> =
            there.iter().map(|partition| (partition.values.as_slice(), partition)).collect();
        let now = self.clock.now().as_second();
        let is_there = |partition: &&Partition| there.contains_key(partition.values.as_slice());
        let (changed, new): (Vec<&Partition>, Vec<&Partition>) = partitions.iter().partition(is_there);
        let mut changed: Vec<(&Partition, Option<&Partition>)> =
            changed.into_iter().map(|partition| (partition, there.get(partition.values.as_slice()).copied())).collect();
        for some in new.chunks(WRITTEN_AT_ONCE) {
            // Somebody made them since the look: they are changed then.
            changed.extend(self.create_some(name, some, now).await?.into_iter().map(|partition| (partition, None)));
        }
        for some in changed.chunks(WRITTEN_AT_ONCE) {
            self.update_some(name, some, now).await?;
        }
        Ok(())
    }

    /// Makes partitions, and returns those that are there already.
    async fn create_some<'p>(&self, name: &TableName, some: &[&'p Partition], now: i64) -> Result<Vec<&'p Partition>> {
        let stamp = Stamp::next(None, now);
        let inputs = some
            .iter()
            .map(|partition| convert::partition_input(CREATE, partition, stamp))
            .collect::<Result<Vec<_>>>()?;
        let call = self.glue.batch_create_partition().set_catalog_id(self.catalog_id());
        let call = call.database_name(&name.database).table_name(&name.table);
        let answer = call.set_partition_input_list(Some(inputs)).send().await;
        let answer = answer.map_err(|error| failed(CREATE, error).with("table", name.to_string()))?;
        let mut there = Vec::new();
        for error in answer.errors.unwrap_or_default() {
            let values = error.partition_values.unwrap_or_default();
            let detail = error.error_detail.unwrap_or_else(|| aws_sdk_glue::types::ErrorDetail::builder().build());
            let failed = of_item(CREATE, name, &values, detail.error_code(), detail.error_message());
            match some.iter().find(|partition| partition.values == values) {
                Some(partition) if failed.kind == ErrorKind::AlreadyExists => there.push(*partition),
                _ => return Err(failed),
            }
        }
        Ok(there)
    }

    async fn update_some(&self, name: &TableName, some: &[(&Partition, Option<&Partition>)], now: i64) -> Result<()> {
        let entries = some
            .iter()
            .map(|(partition, old)| {
                BatchUpdatePartitionRequestEntry::builder()
                    .set_partition_value_list(Some(partition.values.clone()))
                    .partition_input(convert::partition_input(UPDATE, partition, Stamp::next(*old, now))?)
                    .build()
                    .map_err(|error| convert::unbuilt(UPDATE, error))
            })
            .collect::<Result<Vec<_>>>()?;
        let call = self.glue.batch_update_partition().set_catalog_id(self.catalog_id());
        let call = call.database_name(&name.database).table_name(&name.table);
        let answer = call.set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| failed(UPDATE, error).with("table", name.to_string()))?;
        match answer.errors.unwrap_or_default().into_iter().next() {
            Some(error) => {
                let values = error.partition_value_list.unwrap_or_default();
                let detail = error.error_detail.unwrap_or_else(|| aws_sdk_glue::types::ErrorDetail::builder().build());
                Err(of_item(UPDATE, name, &values, detail.error_code(), detail.error_message()))
            }
            None => Ok(()),
        }
    }

    /// Drops partitions from the catalog; those that are not there are passed over.
    async fn drop_partitions(&self, name: &TableName, partitions: &[&Partition]) -> Result<()> {
        for some in partitions.chunks(DROPPED_AT_ONCE) {
            let values = some
                .iter()
                .map(|partition| PartitionValueList::builder().set_values(Some(partition.values.clone())).build())
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(|error| convert::unbuilt(DELETE, error))?;
            let call = self.glue.batch_delete_partition().set_catalog_id(self.catalog_id());
            let call = call.database_name(&name.database).table_name(&name.table);
            let answer = call.set_partitions_to_delete(Some(values)).send().await;
            let answer = found(answer.map_err(|error| failed(DELETE, error).with("table", name.to_string())))?;
            for error in answer.and_then(|answer| answer.errors).unwrap_or_default() {
                let values = error.partition_values.unwrap_or_default();
                let detail = error.error_detail.unwrap_or_else(|| aws_sdk_glue::types::ErrorDetail::builder().build());
                let failed = of_item(DELETE, name, &values, detail.error_code(), detail.error_message());
                if failed.kind != ErrorKind::NotFound {
                    return Err(failed);
                }
            }
        }
        Ok(())
    }
}

/// Refuses partitions that do not fit the table, or are there twice.
fn check(table: &Table, partitions: &[Partition]) -> Result<()> {
    validate::table(table)?;
    let mut seen = HashSet::new();
    for partition in partitions {
        validate::partition(table, partition)?;
        if !seen.insert(&partition.values) {
            let message = format!("table `{}` has two partitions {}", table.name, describe(table, &partition.values));
            return Err(Error::new(ErrorKind::InvalidInput, "replace a table", message));
        }
    }
    Ok(())
}

/// Makes the error of one item of a batch.
fn of_item(call: Call, name: &TableName, values: &[String], code: Option<&str>, message: Option<&str>) -> Error {
    answered(call, code.unwrap_or("an error without a name"), message.unwrap_or_default())
        .with("table", name.to_string())
        .with("partition", values.join("/"))
}
