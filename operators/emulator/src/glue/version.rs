//! Versions of tables.

use lake::catalog;
use lake::name::TableName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::{ErrorDetail, check_size};
use super::model::Table;
use super::page::Paging;
use super::table::parse_version;
use super::{Glue, list, no_table, nothing};
use crate::error::{ApiError, ApiResult};
use crate::json::output;

/// How many versions a page holds.
const MAX_PAGE: usize = 100;

/// How many versions one call deletes.
const MAX_DELETED: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetTableVersion {
    database_name: String,
    table_name: String,
    #[serde(default)]
    version_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetTableVersions {
    database_name: String,
    table_name: String,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteTableVersion {
    database_name: String,
    table_name: String,
    version_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchDeleteTableVersion {
    database_name: String,
    table_name: String,
    version_ids: Vec<String>,
}

impl Glue {
    pub(super) async fn get_table_version(&self, call: GetTableVersion) -> ApiResult<Value> {
        let name = TableName::new(&call.database_name, &call.table_name)?;
        let versions = self.catalog.table_versions(&name).await?;
        let found = match call.version_id {
            // The newest stands first.
            None => versions.into_iter().next().ok_or_else(|| no_table(&name))?,
            Some(text) => {
                let version = parse_version(&text)?;
                let found = versions.into_iter().find(|table| table.version == version);
                found.ok_or_else(|| no_version(&name, &text))?
            }
        };
        Ok(json!({ "TableVersion": table_version(found)? }))
    }

    pub(super) async fn get_table_versions(&self, call: GetTableVersions) -> ApiResult<Value> {
        let name = TableName::new(&call.database_name, &call.table_name)?;
        let versions = self.catalog.table_versions(&name).await?;
        if versions.is_empty() {
            return Err(no_table(&name));
        }
        // Newest first: the key falls as the version grows.
        let page = call.paging.of(versions, MAX_PAGE, |table| format!("{:020}", i64::MAX - table.version))?;
        let items: Vec<Value> = page.items.into_iter().map(table_version).collect::<ApiResult<_>>()?;
        list("TableVersions", &items, page.next_token)
    }

    pub(super) async fn delete_table_version(&self, call: DeleteTableVersion) -> ApiResult<Value> {
        let name = TableName::new(&call.database_name, &call.table_name)?;
        let version = parse_version(&call.version_id)?;
        if self.catalog.drop_table_version(&name, version).await? {
            Ok(nothing())
        } else {
            Err(no_version(&name, &call.version_id))
        }
    }

    pub(super) async fn batch_delete_table_version(&self, call: BatchDeleteTableVersion) -> ApiResult<Value> {
        check_size("VersionIds", call.version_ids.len(), MAX_DELETED)?;
        let mut errors = Vec::new();
        for version in call.version_ids {
            let one = DeleteTableVersion {
                database_name: call.database_name.clone(),
                table_name: call.table_name.clone(),
                version_id: version.clone(),
            };
            if let Err(error) = self.delete_table_version(one).await {
                errors.push(json!({
                    "TableName": call.table_name,
                    "VersionId": version,
                    "ErrorDetail": output(&ErrorDetail::of(&error))?,
                }));
            }
        }
        Ok(json!({ "Errors": errors }))
    }
}

fn table_version(table: catalog::Table) -> ApiResult<Value> {
    let version = table.version.to_string();
    Ok(json!({"Table": output(&Table::of(table))?, "VersionId": version}))
}

fn no_version(name: &TableName, version: &str) -> ApiError {
    ApiError::not_found(format!("Version {version} of table {} not found in database {}.", name.table, name.database))
}
