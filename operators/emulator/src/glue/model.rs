//! Glue's words for databases, tables and partitions, and the catalog's.
//!
//! The structures are those of <https://docs.aws.amazon.com/glue/latest/webapi/API_Types.html>.

use indexmap::IndexMap;
use lake::catalog::detail::{Skewed, SortColumn, TableTarget};
use lake::catalog::{self, PartitionDetail, StorageDetail, TableDetail};
use lake::name::{Location, TableName};
use serde::{Deserialize, Serialize};

use crate::ACCOUNT;
use crate::error::{ApiError, ApiResult};
use crate::json::seconds;

type Pairs = IndexMap<String, String>;

/// A column.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Column {
    name: String,
    #[serde(default, rename = "Type", skip_serializing_if = "Option::is_none")]
    hive_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameters: Option<Pairs>,
}

/// A storage descriptor.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct StorageDescriptor {
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<Column>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_locations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compressed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number_of_buckets: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serde_info: Option<SerDeInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket_columns: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sort_columns: Option<Vec<Order>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Pairs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skewed_info: Option<SkewedInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_as_sub_directories: Option<bool>,
}

/// A `SerDe`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SerDeInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serialization_library: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Pairs>,
}

/// A column that rows are sorted by.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Order {
    column: String,
    sort_order: i32,
}

/// Values that stand in very many rows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(clippy::struct_field_names, reason = "the names are the service's")]
struct SkewedInfo {
    skewed_column_names: Vec<String>,
    skewed_column_values: Vec<String>,
    skewed_column_value_location_maps: Pairs,
}

/// A database as clients put it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DatabaseInput {
    pub(super) name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    location_uri: Option<String>,
    #[serde(default)]
    parameters: Option<Pairs>,
}

/// A database as clients get it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Database {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location_uri: Option<String>,
    parameters: Pairs,
    create_time: f64,
    catalog_id: &'static str,
}

/// A table as clients put it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TableInput {
    pub(super) name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    last_access_time: Option<f64>,
    #[serde(default)]
    last_analyzed_time: Option<f64>,
    #[serde(default)]
    retention: Option<i32>,
    #[serde(default)]
    storage_descriptor: Option<StorageDescriptor>,
    #[serde(default)]
    partition_keys: Option<Vec<Column>>,
    #[serde(default)]
    view_original_text: Option<String>,
    #[serde(default)]
    view_expanded_text: Option<String>,
    #[serde(default)]
    table_type: Option<String>,
    #[serde(default)]
    parameters: Option<Pairs>,
    #[serde(default)]
    target_table: Option<TargetTable>,
}

/// The table that a resource link leads to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TargetTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catalog_id: Option<String>,
    #[serde(default)]
    database_name: String,
    #[serde(default)]
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
}

/// A table as clients get it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_field_names, reason = "the names are the service's")]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) database_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    create_time: f64,
    update_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_access_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_analyzed_time: Option<f64>,
    retention: i32,
    storage_descriptor: StorageDescriptor,
    partition_keys: Vec<Column>,
    #[serde(skip_serializing_if = "Option::is_none")]
    view_original_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    view_expanded_text: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    table_type: String,
    pub(super) parameters: Pairs,
    created_by: &'static str,
    is_registered_with_lake_formation: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_table: Option<TargetTable>,
    catalog_id: &'static str,
    version_id: String,
}

/// A partition as clients put it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PartitionInput {
    pub(super) values: Vec<String>,
    last_access_time: Option<f64>,
    last_analyzed_time: Option<f64>,
    storage_descriptor: Option<StorageDescriptor>,
    parameters: Option<Pairs>,
}

/// A partition as clients get it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Partition {
    values: Vec<String>,
    database_name: String,
    table_name: String,
    creation_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_access_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_analyzed_time: Option<f64>,
    storage_descriptor: StorageDescriptor,
    parameters: Pairs,
    catalog_id: &'static str,
}

impl DatabaseInput {
    pub(super) fn into_catalog(self) -> ApiResult<catalog::Database> {
        Ok(catalog::Database {
            description: self.description,
            location: location(self.location_uri.as_deref())?,
            parameters: self.parameters.unwrap_or_default(),
            ..catalog::Database::new(&self.name)
        })
    }
}

impl Database {
    pub(super) fn of(database: catalog::Database) -> Self {
        Self {
            name: database.name,
            description: database.description,
            location_uri: database.location.map(String::from),
            parameters: database.parameters,
            create_time: seconds(database.created_ms),
            catalog_id: ACCOUNT,
        }
    }
}

impl TableInput {
    pub(super) fn into_catalog(self, database: &str) -> ApiResult<catalog::Table> {
        let name = TableName::new(database, &self.name)?;
        let (columns, location, storage) = self.storage_descriptor.unwrap_or_default().into_catalog()?;
        Ok(catalog::Table {
            name,
            table_type: self.table_type.unwrap_or_default(),
            columns,
            partition_keys: self.partition_keys.into_iter().flatten().map(Column::into_catalog).collect(),
            location,
            storage,
            parameters: self.parameters.unwrap_or_default(),
            view_text: self.view_original_text,
            detail: TableDetail {
                description: self.description,
                owner: self.owner,
                retention: self.retention,
                last_access_ms: self.last_access_time.map(milliseconds),
                last_analyzed_ms: self.last_analyzed_time.map(milliseconds),
                view_expanded_text: self.view_expanded_text,
                target: self.target_table.map(|target| TableTarget {
                    catalog_id: target.catalog_id,
                    database: target.database_name,
                    table: target.name,
                    region: target.region,
                }),
            },
            created_ms: 0,
            updated_ms: 0,
            version: 0,
        })
    }
}

impl Table {
    pub(super) fn of(table: catalog::Table) -> Self {
        let detail = table.detail;
        Self {
            name: table.name.table,
            database_name: table.name.database,
            description: detail.description,
            owner: detail.owner,
            create_time: seconds(table.created_ms),
            update_time: seconds(table.updated_ms),
            last_access_time: detail.last_access_ms.map(seconds),
            last_analyzed_time: detail.last_analyzed_ms.map(seconds),
            retention: detail.retention.unwrap_or_default(),
            storage_descriptor: StorageDescriptor::of(table.columns, table.location, table.storage),
            partition_keys: table.partition_keys.into_iter().map(Column::of).collect(),
            view_original_text: table.view_text,
            view_expanded_text: detail.view_expanded_text,
            table_type: table.table_type,
            parameters: table.parameters,
            created_by: "arn:aws:iam::000000000000:user/suiro",
            is_registered_with_lake_formation: false,
            target_table: detail.target.map(|target| TargetTable {
                catalog_id: target.catalog_id,
                database_name: target.database,
                name: target.table,
                region: target.region,
            }),
            catalog_id: ACCOUNT,
            version_id: table.version.to_string(),
        }
    }
}

impl PartitionInput {
    /// Makes the catalog's partition; what the client left out is the table's, and the place is the one of Hive.
    pub(super) fn into_catalog(self, table: &catalog::Table) -> ApiResult<catalog::Partition> {
        let descriptor = self.storage_descriptor.unwrap_or_default();
        let has_serde = descriptor.serde_info.is_some();
        let (columns, location, storage) = descriptor.into_catalog()?;
        let location = match location {
            Some(location) => location,
            None => table.hive_location(&self.values)?,
        };
        Ok(catalog::Partition {
            values: self.values,
            columns: if columns.is_empty() { table.columns.clone() } else { columns },
            location,
            storage: if has_serde { storage } else { table.storage.clone() },
            parameters: self.parameters.unwrap_or_default(),
            detail: PartitionDetail {
                last_access_ms: self.last_access_time.map(milliseconds),
                last_analyzed_ms: self.last_analyzed_time.map(milliseconds),
            },
            created_ms: 0,
            version: 0,
        })
    }
}

impl Partition {
    /// Makes the partition of an answer; without its columns when the client does not want them.
    pub(super) fn of(name: &TableName, partition: catalog::Partition, with_columns: bool) -> Self {
        let mut descriptor = StorageDescriptor::of(partition.columns, Some(partition.location), partition.storage);
        if !with_columns {
            descriptor.columns = None;
        }
        Self {
            values: partition.values,
            database_name: name.database.clone(),
            table_name: name.table.clone(),
            creation_time: seconds(partition.created_ms),
            last_access_time: partition.detail.last_access_ms.map(seconds),
            last_analyzed_time: partition.detail.last_analyzed_ms.map(seconds),
            storage_descriptor: descriptor,
            parameters: partition.parameters,
            catalog_id: ACCOUNT,
        }
    }
}

impl StorageDescriptor {
    fn into_catalog(self) -> ApiResult<(Vec<catalog::Column>, Option<Location>, catalog::Storage)> {
        let columns = self.columns.into_iter().flatten().map(Column::into_catalog).collect();
        let serde = self.serde_info.unwrap_or_default();
        let storage = catalog::Storage {
            input_format: self.input_format.unwrap_or_default(),
            output_format: self.output_format.unwrap_or_default(),
            serde: serde.serialization_library.unwrap_or_default(),
            serde_parameters: serde.parameters.unwrap_or_default(),
            compressed: self.compressed.unwrap_or_default(),
            detail: StorageDetail {
                bucket_columns: self.bucket_columns.unwrap_or_default(),
                bucket_count: self.number_of_buckets,
                sort_columns: self
                    .sort_columns
                    .into_iter()
                    .flatten()
                    .map(|order| SortColumn { column: order.column, order: order.sort_order })
                    .collect(),
                stored_as_sub_directories: self.stored_as_sub_directories,
                skewed: self.skewed_info.map(|skewed| Skewed {
                    columns: skewed.skewed_column_names,
                    values: skewed.skewed_column_values,
                    locations: skewed.skewed_column_value_location_maps,
                }),
                additional_locations: self.additional_locations.unwrap_or_default(),
                serde_name: serde.name,
                parameters: self.parameters.unwrap_or_default(),
            },
        };
        Ok((columns, location(self.location.as_deref())?, storage))
    }

    fn of(columns: Vec<catalog::Column>, location: Option<Location>, storage: catalog::Storage) -> Self {
        let detail = storage.detail;
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            columns: Some(columns.into_iter().map(Column::of).collect()),
            location: Some(location.map(String::from).unwrap_or_default()),
            additional_locations: Some(detail.additional_locations).filter(|list| !list.is_empty()),
            input_format: text(storage.input_format),
            output_format: text(storage.output_format),
            compressed: Some(storage.compressed),
            number_of_buckets: Some(detail.bucket_count.unwrap_or_default()),
            serde_info: Some(SerDeInfo {
                name: detail.serde_name,
                serialization_library: text(storage.serde),
                parameters: Some(storage.serde_parameters),
            }),
            bucket_columns: Some(detail.bucket_columns),
            sort_columns: Some(
                detail
                    .sort_columns
                    .into_iter()
                    .map(|sort| Order { column: sort.column, sort_order: sort.order })
                    .collect(),
            ),
            parameters: Some(detail.parameters),
            skewed_info: detail.skewed.map(|skewed| SkewedInfo {
                skewed_column_names: skewed.columns,
                skewed_column_values: skewed.values,
                skewed_column_value_location_maps: skewed.locations,
            }),
            stored_as_sub_directories: Some(detail.stored_as_sub_directories.unwrap_or_default()),
        }
    }
}

impl Column {
    fn into_catalog(self) -> catalog::Column {
        catalog::Column {
            comment: self.comment,
            parameters: self.parameters.unwrap_or_default(),
            ..catalog::Column::new(&self.name, &self.hive_type.unwrap_or_default())
        }
    }

    fn of(column: catalog::Column) -> Self {
        Self {
            name: column.name,
            hive_type: Some(column.hive_type).filter(|hive_type| !hive_type.is_empty()),
            comment: column.comment,
            parameters: Some(column.parameters).filter(|parameters| !parameters.is_empty()),
        }
    }
}

/// Reads a place; an empty text is none, as clients of views write it.
fn location(text: Option<&str>) -> ApiResult<Option<Location>> {
    let text = text.filter(|text| !text.is_empty());
    text.map(Location::parse).transpose().map_err(|error| ApiError::invalid_input(error.to_string()))
}

#[expect(clippy::cast_possible_truncation, reason = "a time that is out of range is clipped")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}
