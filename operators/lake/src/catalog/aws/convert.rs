//! Glue's words for databases, tables and partitions, and ours: every field of our model both ways.
//!
//! What Glue has besides (federated tables, schemas of a registry, definitions of multi-dialect views) is not in our model:
//! tables that carry it are not changed, see [`unchangeable`].

use std::collections::HashMap;

use aws_sdk_glue::error::BuildError;
use aws_sdk_glue::types as glue;
use aws_smithy_types::DateTime;
use indexmap::IndexMap;

use super::revision::{self, Stamp};
use crate::aws::Call;
use crate::catalog::detail::{Skewed, SortColumn, TableTarget};
use crate::catalog::{Column, Database, Partition, PartitionDetail, Storage, StorageDetail, Table, TableDetail};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{Location, TableName};

type Pairs = IndexMap<String, String>;

/// Makes the error of an input that lacks what Glue wants.
pub(super) fn unbuilt(call: Call, error: BuildError) -> Error {
    let message = format!("cannot {}: {error}", call.operation);
    Error::new(ErrorKind::InvalidInput, call.operation, message).source(error)
}

pub(super) fn pairs(pairs: &Pairs) -> HashMap<String, String> {
    pairs.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Puts pairs in the order of their keys: Glue keeps none.
fn in_order(pairs: Option<HashMap<String, String>>) -> Pairs {
    let mut pairs: Pairs = pairs.unwrap_or_default().into_iter().collect();
    pairs.sort_unstable_keys();
    pairs
}

fn milliseconds(time: Option<DateTime>) -> Option<i64> {
    time.and_then(|time| time.to_millis().ok())
}

/// Returns the text of a field that is not to be sent when it is empty.
fn text(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// Makes our description of a database. A place that is none of S3 counts as none: no table goes there by itself.
pub(super) fn database(database: glue::Database) -> Database {
    Database {
        description: database.description,
        location: database.location_uri.and_then(|text| Location::parse(&text).ok()),
        parameters: in_order(database.parameters),
        created_ms: milliseconds(database.create_time).unwrap_or_default(),
        ..Database::new(&database.name)
    }
}

/// What keeps us from changing a table: fields that we would lose.
pub(super) fn unchangeable(table: &glue::Table) -> Option<&'static str> {
    let descriptor = table.storage_descriptor.as_ref();
    if table.federated_table.is_some() {
        Some("it is a federated table")
    } else if table.view_definition.is_some() {
        Some("it is a view of several dialects")
    } else if descriptor.is_some_and(|descriptor| descriptor.schema_reference.is_some()) {
        Some("its columns are those of a schema registry")
    } else {
        None
    }
}

/// Makes our description of a table, and tells the location that cannot be read, if it is such.
pub(super) fn table(database: &str, found: glue::Table) -> Result<(Table, Option<Error>)> {
    let name = TableName::new(found.database_name.as_deref().unwrap_or(database), &found.name)?;
    let descriptor = found.storage_descriptor.unwrap_or_else(|| glue::StorageDescriptor::builder().build());
    let (location, unreadable) = match location(descriptor.location.as_deref()) {
        Ok(location) => (location, None),
        Err(error) => (None, Some(error.with("table", name.to_string()))),
    };
    let version = version(found.update_time.or(found.create_time), found.version_id.as_deref());
    let (columns, storage) = storage(descriptor);
    let table = Table {
        name,
        table_type: found.table_type.unwrap_or_default(),
        columns,
        partition_keys: found.partition_keys.into_iter().flatten().map(column).collect(),
        location,
        storage,
        parameters: in_order(found.parameters),
        view_text: found.view_original_text,
        detail: TableDetail {
            description: found.description,
            owner: found.owner,
            retention: Some(found.retention).filter(|days| *days != 0),
            last_access_ms: milliseconds(found.last_access_time),
            last_analyzed_ms: milliseconds(found.last_analyzed_time),
            view_expanded_text: found.view_expanded_text,
            target: found.target_table.map(|target| TableTarget {
                catalog_id: target.catalog_id,
                database: target.database_name.unwrap_or_default(),
                table: target.name.unwrap_or_default(),
                region: target.region,
            }),
        },
        created_ms: milliseconds(found.create_time).unwrap_or_default(),
        updated_ms: milliseconds(found.update_time.or(found.create_time)).unwrap_or_default(),
        version,
    };
    Ok((table, unreadable))
}

/// How many bits of a table's version are its `VersionId`; the others hold milliseconds since 1970 for 278 years.
const VERSION_ID_BITS: u32 = 20;

fn version(changed: Option<DateTime>, version_id: Option<&str>) -> i64 {
    let changed_ms = milliseconds(changed).unwrap_or_default();
    let id: i64 = version_id.and_then(|id| id.parse().ok()).unwrap_or_default();
    (changed_ms << VERSION_ID_BITS) | (id & ((1 << VERSION_ID_BITS) - 1))
}

/// Makes what Glue takes for a table.
pub(super) fn table_input(call: Call, table: &Table) -> Result<glue::TableInput> {
    let unbuilt = |error| unbuilt(call, error);
    let detail = &table.detail;
    let target = detail.target.as_ref().map(|target| {
        glue::TableIdentifier::builder()
            .set_catalog_id(target.catalog_id.clone())
            .database_name(&target.database)
            .name(&target.table)
            .set_region(target.region.clone())
            .build()
    });
    glue::TableInput::builder()
        .name(&table.name.table)
        .set_table_type(text(&table.table_type))
        .set_storage_descriptor(Some(descriptor(call, &table.columns, table.location.as_ref(), &table.storage)?))
        .set_partition_keys(Some(columns(&table.partition_keys).map_err(unbuilt)?))
        .set_parameters(Some(pairs(&table.parameters)))
        .set_view_original_text(table.view_text.clone())
        .set_view_expanded_text(detail.view_expanded_text.clone())
        .set_description(detail.description.clone())
        .set_owner(detail.owner.clone())
        .set_retention(detail.retention)
        .set_last_access_time(detail.last_access_ms.map(DateTime::from_millis))
        .set_last_analyzed_time(detail.last_analyzed_ms.map(DateTime::from_millis))
        .set_target_table(target)
        .build()
        .map_err(unbuilt)
}

/// Makes our description of a partition.
pub(super) fn partition(name: &TableName, found: glue::Partition) -> Result<Partition> {
    let values = found.values.unwrap_or_default();
    let unreadable = |error: Error| error.with("table", name.to_string()).with("partition", values.join("/"));
    let descriptor = found.storage_descriptor.unwrap_or_else(|| glue::StorageDescriptor::builder().build());
    let location = location(descriptor.location.as_deref()).map_err(unreadable)?.ok_or_else(|| {
        unreadable(Error::new(
            ErrorKind::InvalidData,
            "read a partition",
            "the partition has no location in the catalog",
        ))
    })?;
    let mut parameters = found.parameters.unwrap_or_default();
    let stamp = Stamp::take(&mut parameters);
    let (columns, storage) = storage(descriptor);
    let mut partition = Partition {
        values,
        columns,
        location,
        storage,
        parameters: in_order(Some(parameters)),
        detail: PartitionDetail {
            last_access_ms: milliseconds(found.last_access_time),
            last_analyzed_ms: milliseconds(found.last_analyzed_time),
        },
        created_ms: stamp.created_ms.or_else(|| milliseconds(found.creation_time)).unwrap_or_default(),
        version: 0,
    };
    partition.version = revision::version(stamp.number, &partition);
    Ok(partition)
}

/// Makes what Glue takes for a partition, with the stamp of this write.
pub(super) fn partition_input(call: Call, partition: &Partition, stamp: Stamp) -> Result<glue::PartitionInput> {
    let mut parameters = pairs(&partition.parameters);
    parameters.insert(revision::PARAMETER.to_owned(), stamp.text());
    let descriptor = descriptor(call, &partition.columns, Some(&partition.location), &partition.storage)?;
    Ok(glue::PartitionInput::builder()
        .set_values(Some(partition.values.clone()))
        .storage_descriptor(descriptor)
        .set_parameters(Some(parameters))
        .set_last_access_time(partition.detail.last_access_ms.map(DateTime::from_millis))
        .set_last_analyzed_time(partition.detail.last_analyzed_ms.map(DateTime::from_millis))
        .build())
}

fn column(found: glue::Column) -> Column {
    Column {
        comment: found.comment,
        parameters: in_order(found.parameters),
        ..Column::new(&found.name, &found.r#type.unwrap_or_default())
    }
}

fn columns(columns: &[Column]) -> std::result::Result<Vec<glue::Column>, BuildError> {
    columns
        .iter()
        .map(|column| {
            let parameters = Some(&column.parameters).filter(|parameters| !parameters.is_empty());
            glue::Column::builder()
                .name(&column.name)
                .set_type(text(&column.hive_type))
                .set_comment(column.comment.clone())
                .set_parameters(parameters.map(pairs))
                .build()
        })
        .collect()
}

fn storage(found: glue::StorageDescriptor) -> (Vec<Column>, Storage) {
    let columns = found.columns.into_iter().flatten().map(column).collect();
    let serde = found.serde_info.unwrap_or_else(|| glue::SerDeInfo::builder().build());
    let skewed = found.skewed_info.map(|skewed| Skewed {
        columns: skewed.skewed_column_names.unwrap_or_default(),
        values: skewed.skewed_column_values.unwrap_or_default(),
        locations: in_order(skewed.skewed_column_value_location_maps),
    });
    let storage = Storage {
        input_format: found.input_format.unwrap_or_default(),
        output_format: found.output_format.unwrap_or_default(),
        serde: serde.serialization_library.unwrap_or_default(),
        serde_parameters: in_order(serde.parameters),
        compressed: found.compressed,
        detail: StorageDetail {
            bucket_columns: found.bucket_columns.unwrap_or_default(),
            bucket_count: Some(found.number_of_buckets).filter(|count| *count != 0),
            sort_columns: found
                .sort_columns
                .into_iter()
                .flatten()
                .map(|order| SortColumn { column: order.column, order: order.sort_order })
                .collect(),
            stored_as_sub_directories: Some(found.stored_as_sub_directories).filter(|stored| *stored),
            skewed: skewed.filter(|skewed| *skewed != Skewed::default()),
            additional_locations: found.additional_locations.unwrap_or_default(),
            serde_name: serde.name,
            parameters: in_order(found.parameters),
        },
    };
    (columns, storage)
}

fn descriptor(
    call: Call,
    of_columns: &[Column],
    location: Option<&Location>,
    storage: &Storage,
) -> Result<glue::StorageDescriptor> {
    let unbuilt = |error| unbuilt(call, error);
    let detail = &storage.detail;
    let some = |pairs: &Pairs| Some(self::pairs(pairs)).filter(|pairs| !pairs.is_empty());
    let list = |list: &[String]| Some(list.to_vec()).filter(|list| !list.is_empty());
    let serde = glue::SerDeInfo::builder()
        .set_name(detail.serde_name.clone())
        .set_serialization_library(text(&storage.serde))
        .set_parameters(some(&storage.serde_parameters))
        .build();
    let sorted = detail
        .sort_columns
        .iter()
        .map(|sort| glue::Order::builder().column(&sort.column).sort_order(sort.order).build())
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(unbuilt)?;
    let skewed = detail.skewed.as_ref().map(|skewed| {
        glue::SkewedInfo::builder()
            .set_skewed_column_names(list(&skewed.columns))
            .set_skewed_column_values(list(&skewed.values))
            .set_skewed_column_value_location_maps(some(&skewed.locations))
            .build()
    });
    Ok(glue::StorageDescriptor::builder()
        .set_columns(Some(columns(of_columns).map_err(unbuilt)?))
        .set_location(location.map(ToString::to_string))
        .set_additional_locations(list(&detail.additional_locations))
        .set_input_format(text(&storage.input_format))
        .set_output_format(text(&storage.output_format))
        .compressed(storage.compressed)
        .set_number_of_buckets(detail.bucket_count)
        .serde_info(serde)
        .set_bucket_columns(list(&detail.bucket_columns))
        .set_sort_columns(Some(sorted).filter(|sorted| !sorted.is_empty()))
        .set_parameters(some(&detail.parameters))
        .set_skewed_info(skewed)
        .set_stored_as_sub_directories(detail.stored_as_sub_directories)
        .build())
}

/// Reads a place; an empty text is none, as clients of views write it.
fn location(text: Option<&str>) -> Result<Option<Location>> {
    text.filter(|text| !text.is_empty()).map(Location::parse).transpose()
}

#[cfg(test)]
mod tests;
