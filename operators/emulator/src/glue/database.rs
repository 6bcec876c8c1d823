//! Databases.

use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{Database, DatabaseInput};
use super::page::Paging;
use super::{Glue, list, no_database, nothing};
use crate::error::{ApiError, ApiResult};
use crate::json::output;

/// How many databases a page holds.
const MAX_PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateDatabase {
    database_input: DatabaseInput,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateDatabase {
    name: String,
    database_input: DatabaseInput,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DatabaseName {
    name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct GetDatabases {
    #[serde(flatten)]
    paging: Paging,
}

impl Glue {
    pub(super) async fn create_database(&self, call: CreateDatabase) -> ApiResult<Value> {
        self.catalog.insert_database(&call.database_input.into_catalog()?).await?;
        Ok(nothing())
    }

    pub(super) async fn get_database(&self, call: DatabaseName) -> ApiResult<Value> {
        let database = self.catalog.database(&call.name).await?.ok_or_else(|| no_database(&call.name))?;
        Ok(json!({"Database": output(&Database::of(database))?}))
    }

    pub(super) async fn get_databases(&self, call: GetDatabases) -> ApiResult<Value> {
        let databases = self.catalog.databases().await?;
        let page = call.paging.of(databases, MAX_PAGE, |database| database.name.clone())?;
        let items: Vec<Database> = page.items.into_iter().map(Database::of).collect();
        list("DatabaseList", &items, page.next_token)
    }

    pub(super) async fn update_database(&self, call: UpdateDatabase) -> ApiResult<Value> {
        if !call.database_input.name.eq_ignore_ascii_case(&call.name) {
            return Err(ApiError::invalid_input(format!(
                "a database keeps its name: expected `{}`, found `{}`",
                call.name, call.database_input.name
            )));
        }
        self.catalog.update_database(&call.database_input.into_catalog()?).await?;
        Ok(nothing())
    }

    /// Drops a database with its tables, as Glue does.
    pub(super) async fn delete_database(&self, call: DatabaseName) -> ApiResult<Value> {
        if self.catalog.database(&call.name).await?.is_none() {
            return Err(no_database(&call.name));
        }
        for table in self.catalog.tables(&call.name).await? {
            self.catalog.drop_table(&table.name).await?;
        }
        self.catalog.drop_database(&call.name).await?;
        Ok(nothing())
    }
}
