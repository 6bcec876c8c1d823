//! Partitions: compared before a write, read back after it.

use aws_sdk_glue::error::SdkError;
use aws_sdk_glue::operation::get_partition::GetPartitionError;

use super::revision::{self, Stamp};
use super::{AwsCatalog, convert, failed, found, missing};
use crate::aws::Call;
use crate::catalog::sqlite::{describe, guard};
use crate::catalog::{Expect, Partition, Table, validate};
use crate::error::{Error, ErrorKind, Result};
use crate::name::TableName;

const READ: Call = Call { operation: "read a partition", action: "glue:GetPartition" };
const LIST: Call = Call { operation: "list partitions", action: "glue:GetPartitions" };
const CREATE: Call = Call { operation: "write a partition", action: "glue:CreatePartition" };
const UPDATE: Call = Call { operation: "write a partition", action: "glue:UpdatePartition" };

/// How often a write that takes whatever is there is tried while others change the partition.
const UNGUARDED_TRIES: usize = 16;

/// Names a partition among the locks.
pub(super) fn lock_name(name: &TableName, values: &[String]) -> String {
    // Values hold no control characters.
    format!("{name}\0{}", values.join("\0"))
}

impl AwsCatalog {
    pub(super) async fn read_partition(&self, name: &TableName, values: &[String]) -> Result<Option<Partition>> {
        let call = self.glue.get_partition().set_catalog_id(self.catalog_id());
        let call = call.database_name(&name.database).table_name(&name.table);
        let call = call.set_partition_values(Some(values.to_vec()));
        let of_name = |error: SdkError<GetPartitionError>| {
            failed(READ, error).with("table", name.to_string()).with("partition", values.join("/"))
        };
        let Some(answer) = found(call.send().await.map_err(of_name))? else { return Ok(None) };
        let read = answer.partition.ok_or_else(|| missing(READ, "a partition"))?;
        convert::partition(name, read).map(Some)
    }

    /// Lists the partitions of a table; one that cannot be read is an error, because a reader must not miss it.
    pub(super) async fn list_partitions(&self, name: &TableName) -> Result<Vec<Partition>> {
        let call = self.glue.get_partitions().set_catalog_id(self.catalog_id());
        let call = call.database_name(&name.database).table_name(&name.table);
        let mut pages = call.into_paginator().send();
        let mut partitions = Vec::new();
        while let Some(page) = pages.next().await {
            let page = found(page.map_err(|error| failed(LIST, error).with("table", name.to_string())))?;
            let Some(page) = page else { return Ok(Vec::new()) };
            for read in page.partitions.unwrap_or_default() {
                partitions.push(convert::partition(name, read)?);
            }
        }
        partitions.sort_by(|left, right| left.values.cmp(&right.values));
        // Pages that overlap give one twice.
        partitions.dedup_by(|left, right| left.values == right.values);
        Ok(partitions)
    }

    pub(super) async fn write_partition(
        &self,
        name: &TableName,
        partition: &Partition,
        expect: Expect,
    ) -> Result<Partition> {
        let read = self.read_table(name).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, UPDATE.operation, format!("table `{name}` is not in the catalog"))
        })?;
        let table = read.table;
        validate::partition(&table, partition)?;
        let _turn = self.locks.hold(&lock_name(name, &partition.values)).await;
        let mut tries = 0;
        loop {
            let old = self.read_partition(name, &partition.values).await?;
            let what = || format!("partition {} of table `{name}`", describe(&table, &partition.values));
            guard(expect, old.as_ref().map(|old| old.version), what, UPDATE.operation)?;
            match self.store_partition(&table, partition, old.as_ref()).await {
                Err(error)
                    if expect == Expect::Any
                        && matches!(
                            error.kind,
                            ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::NotFound
                        )
                        && tries < UNGUARDED_TRIES =>
                {
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn store_partition(
        &self,
        table: &Table,
        partition: &Partition,
        old: Option<&Partition>,
    ) -> Result<Partition> {
        let (name, values) = (&table.name, &partition.values);
        let stamp = Stamp::next(old, self.clock.now().as_second());
        let input = convert::partition_input(UPDATE, partition, stamp)?;
        let done = if old.is_some() {
            let call = self.glue.update_partition().set_catalog_id(self.catalog_id());
            let call = call.database_name(&name.database).table_name(&name.table);
            let call = call.set_partition_value_list(Some(values.clone())).partition_input(input);
            call.send().await.map(|_| ()).map_err(|error| failed(UPDATE, error))
        } else {
            let call = self.glue.create_partition().set_catalog_id(self.catalog_id());
            let call = call.database_name(&name.database).table_name(&name.table).partition_input(input);
            call.send().await.map(|_| ()).map_err(|error| failed(CREATE, error))
        };
        let done = done.map_err(|error| error.with("table", name.to_string()).with("partition", values.join("/")));
        let done = match done {
            Err(error) if error.kind != ErrorKind::AlreadyExists => return Err(error),
            done => done,
        };
        // Read back after `AlreadyExists` too: the client repeats a call whose answer was lost, and then meets its own first
        // try. The number tells that it was ours, because nobody else writes the same one to the same place.
        let kept = self.read_partition(name, values).await?;
        let is_ours = |kept: &Partition| {
            kept.location == partition.location
                && revision::number_of(kept.version) == stamp.number
                && partition.parameters.iter().all(|(key, value)| kept.parameters.get(key) == Some(value))
        };
        if let Some(kept) = kept.filter(is_ours) {
            return Ok(kept);
        }
        done?;
        let what = describe(table, values);
        let message = format!("partition {what} of table `{name}` was changed by another writer right after this one");
        Err(Error::new(ErrorKind::Conflict, UPDATE.operation, message))
    }
}
