//! Glue's API: `AWSGlue.…` calls over the lake's catalog.
//!
//! What is served is what clients of a data catalog call: <https://docs.aws.amazon.com/glue/latest/webapi/API_Operations.html>.

mod batch;
mod database;
mod expression;
mod model;
mod page;
mod partition;
mod search;
mod statistics;
mod table;
#[cfg(test)]
mod tests;
mod version;

use std::sync::Arc;

use lake::catalog::GlueCatalog;
use lake::name::TableName;
use serde::Serialize;
use serde_json::{Value, json};

use crate::ACCOUNT;
use crate::error::{ApiError, ApiResult};
use crate::json::{input, output};

pub(crate) use table::name_pattern;

/// The service.
#[derive(Debug)]
pub(crate) struct Glue {
    catalog: Arc<dyn GlueCatalog>,
}

impl Glue {
    /// Makes the service of a catalog.
    pub(crate) fn new(catalog: Arc<dyn GlueCatalog>) -> Self {
        Self { catalog }
    }

    /// Answers a call.
    pub(crate) async fn call(&self, operation: &str, body: Value) -> ApiResult<Value> {
        check_catalog(operation, &body)?;
        match operation {
            "CreateDatabase" => self.create_database(input(body)?).await,
            "GetDatabase" => self.get_database(input(body)?).await,
            "GetDatabases" => self.get_databases(input(body)?).await,
            "UpdateDatabase" => self.update_database(input(body)?).await,
            "DeleteDatabase" => self.delete_database(input(body)?).await,

            "CreateTable" => self.create_table(input(body)?).await,
            "GetTable" => self.get_table(input(body)?).await,
            "GetTables" => self.get_tables(input(body)?).await,
            "SearchTables" => self.search_tables(input(body)?).await,
            "UpdateTable" => self.update_table(input(body)?).await,
            "DeleteTable" => self.delete_table(input(body)?).await,
            "BatchDeleteTable" => self.batch_delete_table(input(body)?).await,

            "GetTableVersion" => self.get_table_version(input(body)?).await,
            "GetTableVersions" => self.get_table_versions(input(body)?).await,
            "DeleteTableVersion" => self.delete_table_version(input(body)?).await,
            "BatchDeleteTableVersion" => self.batch_delete_table_version(input(body)?).await,

            "CreatePartition" => self.create_partition(input(body)?).await,
            "GetPartition" => self.get_partition(input(body)?).await,
            "GetPartitions" => self.get_partitions(input(body)?).await,
            "UpdatePartition" => self.update_partition(input(body)?).await,
            "DeletePartition" => self.delete_partition(input(body)?).await,
            "BatchCreatePartition" => self.batch_create_partition(input(body)?).await,
            "BatchUpdatePartition" => self.batch_update_partition(input(body)?).await,
            "BatchDeletePartition" => self.batch_delete_partition(input(body)?).await,
            "BatchGetPartition" => self.batch_get_partition(input(body)?).await,

            "GetColumnStatisticsForTable" | "GetColumnStatisticsForPartition" => {
                self.get_column_statistics(input(body)?).await
            }
            "UpdateColumnStatisticsForTable" | "UpdateColumnStatisticsForPartition" => {
                self.update_column_statistics(input(body)?).await
            }
            "DeleteColumnStatisticsForTable" | "DeleteColumnStatisticsForPartition" => {
                self.delete_column_statistics(input(body)?).await
            }

            // This catalog has none of these; clients ask for them on their way to tables.
            "GetUserDefinedFunctions" => Ok(json!({"UserDefinedFunctions": []})),
            "GetUserDefinedFunction" => Err(ApiError::not_found("this catalog has no functions")),
            "GetPartitionIndexes" => Ok(json!({"PartitionIndexDescriptorList": []})),
            "GetTags" => Ok(json!({"Tags": {}})),
            "GetResourcePolicy" => Err(ApiError::not_found("this catalog has no policy")),
            "GetCatalogImportStatus" => Ok(json!({"ImportStatus": {"ImportCompleted": true}})),
            _ => Err(ApiError::client(
                "UnknownOperationException",
                format!(
                    "`{operation}` of Glue is not served here: the endpoint serves databases, tables and partitions"
                ),
            )),
        }
    }
}

/// Refuses a call for the catalog of another account: there is one here, and what is asked of another must not change it.
fn check_catalog(operation: &str, body: &Value) -> ApiResult<()> {
    match body.get("CatalogId").and_then(Value::as_str) {
        None | Some(ACCOUNT) => Ok(()),
        Some(other) => Err(ApiError::client(
            "AccessDeniedException",
            format!(
                "User: arn:aws:iam::{ACCOUNT}:user/suiro is not authorized to perform: glue:{operation} on the catalog {other}: this \
                 endpoint has the catalog {ACCOUNT} alone"
            ),
        )),
    }
}

/// Makes the output of a call that has none.
fn nothing() -> Value {
    json!({})
}

/// Makes the output of a list, with its token when there is more.
fn list(name: &str, items: &impl Serialize, next_token: Option<String>) -> ApiResult<Value> {
    let mut value = json!({ name: output(items)? });
    if let (Some(members), Some(token)) = (value.as_object_mut(), next_token) {
        members.insert("NextToken".to_owned(), Value::String(token));
    }
    Ok(value)
}

/// Makes the error of a database that is not there.
fn no_database(name: &str) -> ApiError {
    ApiError::not_found(format!("Database {name} not found."))
}

/// Makes the error of a table that is not there.
fn no_table(name: &TableName) -> ApiError {
    ApiError::not_found(format!("Table {} not found in database {}.", name.table, name.database))
}
