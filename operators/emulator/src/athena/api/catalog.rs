//! The catalog through Athena's own calls: one data catalog, its databases, and what is known of tables.

use lake::catalog::{Column, Database, Table, View};
use lake::name::TableName;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{input, list};
use crate::athena::refusal::{ErrorCode, failed, invalid, metadata};
use crate::athena::{Athena, CATALOG};
use crate::error::ApiResult;
use crate::glue::name_pattern;
use crate::json::seconds;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CatalogOf {
    #[serde(alias = "Name")]
    catalog_name: String,
    database_name: Option<String>,
    table_name: Option<String>,
    expression: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Answers `GetDataCatalog`.
pub(in crate::athena) fn get_data_catalog(body: Value) -> ApiResult<Value> {
    let asked: CatalogOf = input(body)?;
    checked(&asked.catalog_name)?;
    Ok(json!({ "DataCatalog": { "Name": CATALOG, "Type": "GLUE", "Parameters": { "catalog-id": crate::ACCOUNT } } }))
}

/// Answers `ListDataCatalogs`.
pub(in crate::athena) fn list_data_catalogs() -> Value {
    json!({ "DataCatalogsSummary": [{ "CatalogName": CATALOG, "Type": "GLUE" }] })
}

fn checked(catalog: &str) -> ApiResult<()> {
    if catalog.eq_ignore_ascii_case(CATALOG) {
        return Ok(());
    }
    Err(invalid(ErrorCode::InvalidInput, format!("Data catalog {catalog} was not found: there is {CATALOG}")))
}

impl Athena {
    async fn database_of(&self, asked: &CatalogOf) -> ApiResult<Database> {
        checked(&asked.catalog_name)?;
        let name = asked.database_name.as_deref().unwrap_or_default();
        let found = self.inner.lake.catalog.database(name).await.map_err(failed)?;
        found.ok_or_else(|| metadata(format!("Database {name} not found.")))
    }

    pub(in crate::athena) async fn get_database(&self, body: Value) -> ApiResult<Value> {
        let asked: CatalogOf = input(body)?;
        Ok(json!({ "Database": database(&self.database_of(&asked).await?) }))
    }

    pub(in crate::athena) async fn list_databases(&self, body: Value) -> ApiResult<Value> {
        let asked: CatalogOf = input(body)?;
        checked(&asked.catalog_name)?;
        let all = self.inner.lake.catalog.databases().await.map_err(failed)?;
        let items = all.iter().map(|found| (found.name.clone(), database(found))).collect();
        list::page(items, "DatabaseList", asked.max_results, 50, asked.next_token.as_deref())
    }

    pub(in crate::athena) async fn get_table_metadata(&self, body: Value) -> ApiResult<Value> {
        let asked: CatalogOf = input(body)?;
        let database = self.database_of(&asked).await?;
        let table_name = asked.table_name.as_deref().unwrap_or_default();
        let name = TableName::new(&database.name, table_name).map_err(failed)?;
        let found = self.inner.lake.catalog.table(&name).await.map_err(failed)?;
        let found = found.ok_or_else(|| metadata(format!("Table {table_name} not found.")))?;
        Ok(json!({ "TableMetadata": table(&View::shown(found)) }))
    }

    pub(in crate::athena) async fn list_table_metadata(&self, body: Value) -> ApiResult<Value> {
        let asked: CatalogOf = input(body)?;
        let database = self.database_of(&asked).await?;
        let pattern = asked
            .expression
            .as_deref()
            .filter(|expression| !expression.is_empty())
            .map(name_pattern)
            .transpose()
            .map_err(|error| invalid(ErrorCode::InvalidInput, error.message))?;
        let all = self.inner.lake.catalog.tables(&database.name).await.map_err(failed)?;
        let items = all
            .into_iter()
            .filter(|found| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&found.name.table)))
            .map(|found| (found.name.table.clone(), table(&View::shown(found))))
            .collect();
        list::page(items, "TableMetadataList", asked.max_results, 50, asked.next_token.as_deref())
    }
}

fn database(found: &Database) -> Value {
    let mut output = Map::from_iter([("Name".to_owned(), json!(found.name))]);
    if let Some(description) = &found.description {
        output.insert("Description".to_owned(), json!(description));
    }
    if !found.parameters.is_empty() {
        output.insert("Parameters".to_owned(), json!(found.parameters));
    }
    Value::Object(output)
}

fn table(found: &Table) -> Value {
    let mut parameters: Map<String, Value> =
        found.parameters.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    if let Some(location) = &found.location {
        // Without the `/` at the end, as the service says it.
        parameters.insert("location".to_owned(), json!(location.to_string().trim_end_matches('/')));
    }
    if !found.is_view() {
        for (key, value) in [
            ("inputformat", &found.storage.input_format),
            ("outputformat", &found.storage.output_format),
            ("serde.serialization.lib", &found.storage.serde),
        ] {
            parameters.insert(key.to_owned(), json!(value));
        }
        for (key, value) in &found.storage.serde_parameters {
            parameters.insert(format!("serde.param.{key}"), json!(value));
        }
    }
    let columns = |columns: &[Column]| -> Vec<Value> {
        columns
            .iter()
            .map(|column| {
                let mut output = json!({ "Name": column.name, "Type": column.hive_type });
                if let (Some(comment), Some(members)) = (&column.comment, output.as_object_mut()) {
                    members.insert("Comment".to_owned(), json!(comment));
                }
                output
            })
            .collect()
    };
    json!({
        "Name": found.name.table,
        "CreateTime": seconds(found.created_ms),
        "TableType": found.table_type,
        "Columns": columns(&found.columns),
        "PartitionKeys": columns(&found.partition_keys),
        "Parameters": parameters,
    })
}
