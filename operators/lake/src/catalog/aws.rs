//! The catalog on Glue.
//!
//! Glue guards tables (`UpdateTable` with a `VersionId`), but not partitions: there the version is compared before the call and
//! the partition is read back after it, writers of one process go one by one, and those of several machines take a lease
//! (`publish::lease`). What remains is a foreign writer between our look and our call; the next publish sees that it was
//! there.
//!
//! - A table's [`Table::version`] is its time of change (milliseconds) and its `VersionId`: a table that was dropped and made
//!   again does not look like the old one, as with the `VersionId` alone, which then begins anew.
//! - A partition's [`Partition::version`] is a number that we keep in its parameter `suiro.revision`, which grows with each of
//!   our writes, and a hash of its content, which tells foreign ones. The parameter is not shown.
//! - `replace_table` takes several calls, see there.
//!
//! Which catalog it is, is known by its account, which STS tells (see `identity.rs`).
//!
//! It needs the IAM actions `glue:GetDatabase`, `glue:GetDatabases`, `glue:GetTable`, `glue:GetTables`, `glue:GetPartition`,
//! `glue:GetPartitions`, and for writing `glue:CreateDatabase`, `glue:DeleteDatabase`, `glue:CreateTable`, `glue:UpdateTable`,
//! `glue:DeleteTable`, `glue:CreatePartition`, `glue:BatchCreatePartition`, `glue:UpdatePartition`,
//! `glue:BatchUpdatePartition`, `glue:DeletePartition`, `glue:BatchDeletePartition`.

mod convert;
mod identity;
mod locks;
mod partition;
mod replace;
mod revision;
mod table;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_glue::Client;
use aws_sdk_glue::types::DatabaseInput;

use super::{Catalog, CatalogIdentity, Database, Expect, Partition, Table, validate};
use crate::aws::error::of as failed;
use crate::aws::{AwsClients, Call};
use crate::clock::Clock;
use crate::crash::CrashPoints;
use crate::error::{Error, ErrorKind, Result};
use crate::name::TableName;
use identity::Identity;
use locks::Locks;

/// The catalog of an AWS account.
#[derive(Debug, Clone)]
pub struct AwsCatalog {
    glue: Client,
    catalog_id: Option<String>,
    identity: Identity,
    clock: Arc<dyn Clock>,
    locks: Locks,
    crash_points: CrashPoints,
}

impl AwsCatalog {
    /// Makes the catalog; nothing is sent.
    pub fn new(clients: &AwsClients, clock: Arc<dyn Clock>, crash_points: CrashPoints) -> Self {
        Self {
            glue: clients.glue.clone(),
            catalog_id: clients.settings.catalog_id.clone(),
            identity: Identity::of(clients),
            clock,
            locks: Locks::default(),
            crash_points,
        }
    }

    fn catalog_id(&self) -> Option<String> {
        self.catalog_id.clone()
    }
}

/// Makes an error of "it is not there" into none.
fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes an error of an answer without what was asked for.
fn missing(call: Call, what: &str) -> Error {
    let message = format!("cannot {}: Glue answered without {what}", call.operation);
    Error::new(ErrorKind::External, call.operation, message)
}

#[async_trait]
impl Catalog for AwsCatalog {
    async fn identity(&self) -> Result<Option<CatalogIdentity>> {
        self.identity.get().await.map(Some)
    }

    async fn make_identity(&self) -> Result<CatalogIdentity> {
        self.identity.get().await
    }

    async fn databases(&self) -> Result<Vec<Database>> {
        const CALL: Call = Call { operation: "list databases", action: "glue:GetDatabases" };
        let mut pages = self.glue.get_databases().set_catalog_id(self.catalog_id()).into_paginator().send();
        let mut databases = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(CALL, error))?;
            databases.extend(page.database_list.into_iter().map(convert::database));
        }
        databases.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(databases)
    }

    async fn database(&self, name: &str) -> Result<Option<Database>> {
        const CALL: Call = Call { operation: "read a database", action: "glue:GetDatabase" };
        let call = self.glue.get_database().set_catalog_id(self.catalog_id()).name(name.to_lowercase());
        let answer = found(call.send().await.map_err(|error| failed(CALL, error).with("database", name)))?;
        Ok(answer.and_then(|answer| answer.database).map(convert::database))
    }

    async fn create_database(&self, database: &Database) -> Result<()> {
        const CALL: Call = Call { operation: "make a database", action: "glue:CreateDatabase" };
        validate::database(database)?;
        let parameters = Some(&database.parameters).filter(|parameters| !parameters.is_empty());
        let input = DatabaseInput::builder()
            .name(database.name.to_lowercase())
            .set_description(database.description.clone())
            .set_location_uri(database.location.as_ref().map(ToString::to_string))
            .set_parameters(parameters.map(convert::pairs))
            .build()
            .map_err(|error| convert::unbuilt(CALL, error))?;
        let call = self.glue.create_database().set_catalog_id(self.catalog_id()).database_input(input);
        match call.send().await.map_err(|error| failed(CALL, error).with("database", &database.name)) {
            Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(()),
            made => made.map(|_| ()),
        }
    }

    /// Glue deletes a database with all that is in it, so it is looked at first. A table that is made between the look and
    /// the call goes with it: from the catalog, not from S3.
    async fn drop_database(&self, name: &str) -> Result<bool> {
        const CALL: Call = Call { operation: "drop a database", action: "glue:DeleteDatabase" };
        let name = name.to_lowercase();
        let tables = self.tables(&name).await?.len();
        if tables > 0 {
            let message = format!("database `{name}` is not empty: it has {tables} tables");
            return Err(Error::new(ErrorKind::Conflict, CALL.operation, message));
        }
        let call = self.glue.delete_database().set_catalog_id(self.catalog_id()).name(&name);
        let done = found(call.send().await.map_err(|error| failed(CALL, error).with("database", &name)))?;
        Ok(done.is_some())
    }

    async fn tables(&self, database: &str) -> Result<Vec<Table>> {
        self.list_tables(database).await
    }

    async fn table(&self, name: &TableName) -> Result<Option<Table>> {
        Ok(self.read_table(name).await?.map(|read| read.table))
    }

    async fn put_table(&self, table: &Table, expect: Expect) -> Result<Table> {
        Box::pin(self.write_table(table, expect)).await
    }

    async fn replace_table(&self, table: &Table, partitions: &[Partition], expect: Expect) -> Result<Table> {
        Box::pin(self.replace(table, partitions, expect)).await
    }

    async fn drop_table(&self, name: &TableName) -> Result<bool> {
        const CALL: Call = Call { operation: "drop a table", action: "glue:DeleteTable" };
        let _turn = self.locks.hold(&name.to_string()).await;
        let call = self.glue.delete_table().set_catalog_id(self.catalog_id());
        let call = call.database_name(&name.database).name(&name.table);
        let done = found(call.send().await.map_err(|error| failed(CALL, error).with("table", name.to_string())))?;
        Ok(done.is_some())
    }

    async fn partition(&self, name: &TableName, values: &[String]) -> Result<Option<Partition>> {
        self.read_partition(name, values).await
    }

    async fn partitions(&self, name: &TableName) -> Result<Vec<Partition>> {
        self.list_partitions(name).await
    }

    async fn put_partition(&self, name: &TableName, partition: &Partition, expect: Expect) -> Result<Partition> {
        Box::pin(self.write_partition(name, partition, expect)).await
    }

    async fn drop_partition(&self, name: &TableName, values: &[String]) -> Result<bool> {
        const CALL: Call = Call { operation: "drop a partition", action: "glue:DeletePartition" };
        let _turn = self.locks.hold(&partition::lock_name(name, values)).await;
        let call = self.glue.delete_partition().set_catalog_id(self.catalog_id());
        let call = call.database_name(&name.database).table_name(&name.table);
        let call = call.set_partition_values(Some(values.to_vec()));
        let done = found(call.send().await.map_err(|error| failed(CALL, error).with("table", name.to_string())))?;
        Ok(done.is_some())
    }
}
