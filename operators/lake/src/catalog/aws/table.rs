//! Tables: read with what guards the next write, written under it.

use aws_sdk_glue::error::SdkError;
use aws_sdk_glue::operation::get_table::GetTableError;

use super::{AwsCatalog, convert, failed, found, missing};
use crate::aws::Call;
use crate::catalog::sqlite::{guard, same_keys};
use crate::catalog::{Expect, Table, validate};
use crate::error::{Error, ErrorKind, Result};
use crate::name::TableName;
use crate::publish::record::Record;

const READ: Call = Call { operation: "read a table", action: "glue:GetTable" };
const LIST: Call = Call { operation: "list tables", action: "glue:GetTables" };
const CREATE: Call = Call { operation: "write a table", action: "glue:CreateTable" };
const UPDATE: Call = Call { operation: "write a table", action: "glue:UpdateTable" };

/// How often a write that takes whatever is there is tried while others change the table.
pub(super) const UNGUARDED_TRIES: usize = 16;

/// A table, and what a write of it needs.
pub(super) struct ReadTable {
    pub(super) table: Table,
    /// What Glue compares.
    version_id: Option<String>,
    /// Why it must not be written.
    unchangeable: Option<&'static str>,
}

impl AwsCatalog {
    pub(super) async fn read_table(&self, name: &TableName) -> Result<Option<ReadTable>> {
        let call = self.glue.get_table().set_catalog_id(self.catalog_id());
        let call = call.database_name(&name.database).name(&name.table);
        let of_name = |error: SdkError<GetTableError>| failed(READ, error).with("table", name.to_string());
        let Some(answer) = found(call.send().await.map_err(of_name))? else { return Ok(None) };
        let read = answer.table.ok_or_else(|| missing(READ, "a table"))?;
        let (version_id, unchangeable) = (read.version_id.clone(), convert::unchangeable(&read));
        let (table, unreadable) = convert::table(&name.database, read)?;
        match unreadable {
            Some(error) => Err(error),
            None => Ok(Some(ReadTable { table, version_id, unchangeable })),
        }
    }

    /// Lists the tables of a database. One whose location is none of S3 stands there without a location: what somebody else
    /// keeps elsewhere must not hide the rest.
    pub(super) async fn list_tables(&self, database: &str) -> Result<Vec<Table>> {
        let database = database.to_lowercase();
        let call = self.glue.get_tables().set_catalog_id(self.catalog_id()).database_name(&database);
        let mut pages = call.into_paginator().send();
        let mut tables = Vec::new();
        while let Some(page) = pages.next().await {
            let page = found(page.map_err(|error| failed(LIST, error).with("database", &database)))?;
            let Some(page) = page else { return Ok(Vec::new()) };
            for read in page.table_list.unwrap_or_default() {
                let named = read.name.clone();
                match convert::table(&database, read) {
                    Ok((table, None)) => tables.push(table),
                    Ok((table, Some(error))) => {
                        tracing::debug!(%error, "a table whose location cannot be read");
                        tables.push(table);
                    }
                    Err(error) => tracing::warn!(%error, table = named, "a table with a name that cannot be used"),
                }
            }
        }
        tables.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(tables)
    }

    pub(super) async fn write_table(&self, table: &Table, expect: Expect) -> Result<Table> {
        validate::table(table)?;
        let _turn = self.locks.hold(&table.name.to_string()).await;
        let mut tries = 0;
        loop {
            let old = self.replaceable(table, expect).await?;
            if let Some(old) = old.as_ref().filter(|old| !same_keys(&old.table.partition_keys, &table.partition_keys)) {
                self.refuse_other_keys(&old.table, table).await?;
            }
            match self.store_table(table, old.as_ref()).await {
                Ok(kept) => return Ok(kept),
                // Somebody came between; what is there now is as good.
                Err(error)
                    if expect == Expect::Any
                        && matches!(error.kind, ErrorKind::Conflict | ErrorKind::AlreadyExists)
                        && tries < UNGUARDED_TRIES =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the table that a write replaces, if there is one, and refuses a write that does not find what it expects.
    pub(super) async fn replaceable(&self, table: &Table, expect: Expect) -> Result<Option<ReadTable>> {
        let name = &table.name;
        let old = self.read_table(name).await?;
        if old.is_none() && expect == Expect::Any {
            self.require_database(name).await?;
        }
        let version = old.as_ref().map(|old| old.table.version);
        guard(expect, version, || format!("table `{name}`"), UPDATE.operation)?;
        if let Some(why) = old.as_ref().and_then(|old| old.unchangeable) {
            let message = format!("table `{name}` cannot be changed by suiro: {why}");
            return Err(Error::new(ErrorKind::InvalidInput, UPDATE.operation, message));
        }
        Ok(old)
    }

    async fn require_database(&self, name: &TableName) -> Result<()> {
        use crate::catalog::Catalog as _;
        if self.database(&name.database).await?.is_some() {
            return Ok(());
        }
        let message = format!("database `{}` is not in the catalog", name.database);
        Err(Error::new(ErrorKind::NotFound, UPDATE.operation, message))
    }

    /// Makes a table, or replaces the one that was read, and returns it as kept.
    pub(super) async fn store_table(&self, table: &Table, old: Option<&ReadTable>) -> Result<Table> {
        let name = &table.name;
        let input = convert::table_input(UPDATE, table)?;
        let done = match old {
            None => {
                let call = self.glue.create_table().set_catalog_id(self.catalog_id()).database_name(&name.database);
                let made = call.table_input(input).send().await;
                made.map(|_| ()).map_err(|error| failed(CREATE, error))
            }
            Some(old) => {
                let call = self.glue.update_table().set_catalog_id(self.catalog_id()).database_name(&name.database);
                // The history of a table that is published every few minutes would reach its limit of 100,000 versions.
                let call = call.table_input(input).skip_archive(true).set_version_id(old.version_id.clone());
                call.send().await.map(|_| ()).map_err(|error| failed(UPDATE, error))
            }
        };
        let done = done.map_err(|error| error.with("table", name.to_string()));
        let kept = match &done {
            // The client repeats a call whose answer was lost, and then meets its own first try.
            Err(error) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::AlreadyExists) => {
                self.read_table(name).await?.map(|read| read.table).filter(|found| is_publish(table, found))
            }
            _ => None,
        };
        if let Some(kept) = kept {
            return Ok(kept);
        }
        done?;
        let kept = self.read_table(name).await?.map(|read| read.table);
        kept.filter(|kept| is_kept(table, kept)).ok_or_else(|| {
            let message = format!("table `{name}` was changed by another writer right after this one");
            Error::new(ErrorKind::Conflict, UPDATE.operation, message)
        })
    }

    async fn refuse_other_keys(&self, old: &Table, table: &Table) -> Result<()> {
        let partitions = self.list_partitions(&old.name).await?.len();
        if partitions == 0 {
            return Ok(());
        }
        let names =
            |table: &Table| table.partition_keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>().join(", ");
        let (name, before, after) = (&old.name, names(old), names(table));
        let message =
            format!("table `{name}` has {partitions} partitions: its keys ({before}) cannot become ({after})");
        Err(Error::new(ErrorKind::InvalidInput, UPDATE.operation, message))
    }
}

/// Tells whether what was found is this very publish: a version has a place of its own that no other writer knows.
fn is_publish(wanted: &Table, found: &Table) -> bool {
    let record = Record::read(&wanted.parameters).ok().flatten();
    record.is_some() && is_kept(wanted, found)
}

/// Tells whether what was found is what was written. Glue adds parameters, and may drop what is empty.
fn is_kept(wanted: &Table, found: &Table) -> bool {
    let columns = |table: &Table| -> Vec<(String, String)> {
        let all = table.columns.iter().chain(&table.partition_keys);
        all.map(|column| (column.name.clone(), column.hive_type.clone())).collect()
    };
    let kept = |(key, value): (&String, &String)| found.parameters.get(key) == Some(value);
    wanted.location == found.location && columns(wanted) == columns(found) && wanted.parameters.iter().all(kept)
}
