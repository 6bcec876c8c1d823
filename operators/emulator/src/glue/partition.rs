//! Partitions.

use lake::ErrorKind;
use lake::catalog::{self, Expect};
use lake::name::TableName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::{ErrorDetail, check_size};
use super::expression::Condition;
use super::model::{Partition, PartitionInput};
use super::page::Paging;
use super::{Glue, list, nothing};
use crate::error::{ApiError, ApiResult};
use crate::json::output;

/// How many partitions a page holds.
const MAX_PAGE: usize = 1000;

/// How many partitions one call makes or changes.
const MAX_PUT: usize = 100;

/// How many partitions one call deletes.
const MAX_DELETED: usize = 25;

/// How many partitions one call names to get.
const MAX_GOT: usize = 1000;

/// How many segments a list may be cut into.
const MAX_SEGMENTS: u32 = 10;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfTable {
    database_name: String,
    table_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreatePartition {
    #[serde(flatten)]
    table: OfTable,
    partition_input: PartitionInput,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OnePartition {
    #[serde(flatten)]
    table: OfTable,
    partition_values: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetPartitions {
    #[serde(flatten)]
    table: OfTable,
    #[serde(default)]
    expression: Option<String>,
    #[serde(default)]
    segment: Option<Segment>,
    #[serde(default)]
    exclude_column_schema: Option<bool>,
    #[serde(flatten)]
    paging: Paging,
}

/// A part of a list that one of several readers takes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Segment {
    segment_number: u32,
    total_segments: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdatePartition {
    #[serde(flatten)]
    table: OfTable,
    #[serde(flatten)]
    change: Change,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    partition_value_list: Vec<String>,
    partition_input: PartitionInput,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchCreatePartition {
    #[serde(flatten)]
    table: OfTable,
    partition_input_list: Vec<PartitionInput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchUpdatePartition {
    #[serde(flatten)]
    table: OfTable,
    entries: Vec<Change>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchDeletePartition {
    #[serde(flatten)]
    table: OfTable,
    partitions_to_delete: Vec<Values>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchGetPartition {
    #[serde(flatten)]
    table: OfTable,
    partitions_to_get: Vec<Values>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Values {
    values: Vec<String>,
}

impl Segment {
    fn check(self) -> ApiResult<Self> {
        let sound = (1..=MAX_SEGMENTS).contains(&self.total_segments) && self.segment_number < self.total_segments;
        sound.then_some(self).ok_or_else(|| {
            ApiError::invalid_input(format!(
                "expected `TotalSegments` from 1 to {MAX_SEGMENTS} and a smaller `SegmentNumber`, found {} and {}",
                self.total_segments, self.segment_number
            ))
        })
    }

    /// Tells whether a partition is in the segment: each is in one, whatever else is in the list.
    fn holds(self, values: &[String]) -> bool {
        let mut hash = crc32fast::Hasher::new();
        for value in values {
            hash.update(value.as_bytes());
            hash.update(&[0]);
        }
        hash.finalize() % self.total_segments == self.segment_number
    }
}

impl Glue {
    async fn of_table(&self, table: &OfTable) -> ApiResult<catalog::Table> {
        self.table(&TableName::new(&table.database_name, &table.table_name)?).await
    }

    pub(super) async fn create_partition(&self, call: CreatePartition) -> ApiResult<Value> {
        let table = self.of_table(&call.table).await?;
        self.insert(&table, call.partition_input).await?;
        Ok(nothing())
    }

    async fn insert(&self, table: &catalog::Table, partition: PartitionInput) -> ApiResult<()> {
        check_values(table, &partition.values)?;
        let partition = partition.into_catalog(table)?;
        match self.catalog.put_partition(&table.name, &partition, Expect::Absent).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::AlreadyExists => {
                Err(ApiError::already_exists("Partition already exists."))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn get_partition(&self, call: OnePartition) -> ApiResult<Value> {
        let table = self.of_table(&call.table).await?;
        check_values(&table, &call.partition_values)?;
        let found = self.catalog.partition(&table.name, &call.partition_values).await?;
        let found = found.ok_or_else(|| no_partition(&call.partition_values))?;
        Ok(json!({"Partition": output(&Partition::of(&table.name, found, true))?}))
    }

    pub(super) async fn get_partitions(&self, call: GetPartitions) -> ApiResult<Value> {
        let table = self.of_table(&call.table).await?;
        let condition = Condition::parse(call.expression.as_deref().unwrap_or_default(), &table.partition_keys)?;
        let segment = call.segment.map(Segment::check).transpose()?;
        let mut partitions = self.catalog.partitions(&table.name).await?;
        partitions.retain(|partition| {
            condition.as_ref().is_none_or(|condition| condition.holds(&partition.values))
                && segment.is_none_or(|segment| segment.holds(&partition.values))
        });
        // Values hold no control character, so that joined they are in the order of the list.
        let page = call.paging.of(partitions, MAX_PAGE, |partition| partition.values.join("\0"))?;
        let with_columns = call.exclude_column_schema != Some(true);
        let items: Vec<Partition> =
            page.items.into_iter().map(|partition| Partition::of(&table.name, partition, with_columns)).collect();
        list("Partitions", &items, page.next_token)
    }

    pub(super) async fn update_partition(&self, call: UpdatePartition) -> ApiResult<Value> {
        let table = self.of_table(&call.table).await?;
        self.replace(&table, call.change).await?;
        Ok(nothing())
    }

    /// Replaces a partition that is there; the last writer wins, as in Glue, which takes no version of partitions.
    async fn replace(&self, table: &catalog::Table, change: Change) -> ApiResult<()> {
        let Change { partition_value_list: values, partition_input: mut wanted } = change;
        check_values(table, &values)?;
        if wanted.values.is_empty() {
            wanted.values.clone_from(&values);
        } else if wanted.values != values {
            return Err(ApiError::invalid_input(format!(
                "a partition keeps its values: expected {values:?}, found {:?}",
                wanted.values
            )));
        }
        let wanted = wanted.into_catalog(table)?;
        loop {
            let current = self.catalog.partition(&table.name, &values).await?.ok_or_else(|| no_partition(&values))?;
            match self.catalog.put_partition(&table.name, &wanted, Expect::Version(current.version)).await {
                Ok(_) => return Ok(()),
                // Another writer came between; each turn of the loop is a change that somebody made.
                Err(error) if error.kind == ErrorKind::Conflict => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) async fn delete_partition(&self, call: OnePartition) -> ApiResult<Value> {
        let table = self.of_table(&call.table).await?;
        self.remove(&table, &call.partition_values).await?;
        Ok(nothing())
    }

    async fn remove(&self, table: &catalog::Table, values: &[String]) -> ApiResult<()> {
        check_values(table, values)?;
        if self.catalog.drop_partition(&table.name, values).await? { Ok(()) } else { Err(no_partition(values)) }
    }

    pub(super) async fn batch_create_partition(&self, call: BatchCreatePartition) -> ApiResult<Value> {
        check_size("PartitionInputList", call.partition_input_list.len(), MAX_PUT)?;
        let table = self.of_table(&call.table).await?;
        let mut errors = Vec::new();
        for partition in call.partition_input_list {
            let values = partition.values.clone();
            if let Err(error) = self.insert(&table, partition).await {
                errors.push(json!({"PartitionValues": values, "ErrorDetail": output(&ErrorDetail::of(&error))?}));
            }
        }
        Ok(json!({ "Errors": errors }))
    }

    pub(super) async fn batch_update_partition(&self, call: BatchUpdatePartition) -> ApiResult<Value> {
        check_size("Entries", call.entries.len(), MAX_PUT)?;
        let table = self.of_table(&call.table).await?;
        let mut errors = Vec::new();
        for change in call.entries {
            let values = change.partition_value_list.clone();
            if let Err(error) = self.replace(&table, change).await {
                errors.push(json!({"PartitionValueList": values, "ErrorDetail": output(&ErrorDetail::of(&error))?}));
            }
        }
        Ok(json!({ "Errors": errors }))
    }

    pub(super) async fn batch_delete_partition(&self, call: BatchDeletePartition) -> ApiResult<Value> {
        check_size("PartitionsToDelete", call.partitions_to_delete.len(), MAX_DELETED)?;
        let table = self.of_table(&call.table).await?;
        let mut errors = Vec::new();
        for partition in call.partitions_to_delete {
            if let Err(error) = self.remove(&table, &partition.values).await {
                errors.push(json!({
                    "PartitionValues": partition.values,
                    "ErrorDetail": output(&ErrorDetail::of(&error))?,
                }));
            }
        }
        Ok(json!({ "Errors": errors }))
    }

    /// Gets partitions by their values; those that are not there are left out.
    pub(super) async fn batch_get_partition(&self, call: BatchGetPartition) -> ApiResult<Value> {
        check_size("PartitionsToGet", call.partitions_to_get.len(), MAX_GOT)?;
        let table = self.of_table(&call.table).await?;
        let mut partitions = Vec::new();
        for wanted in call.partitions_to_get {
            check_values(&table, &wanted.values)?;
            if let Some(found) = self.catalog.partition(&table.name, &wanted.values).await? {
                partitions.push(Partition::of(&table.name, found, true));
            }
        }
        Ok(json!({"Partitions": output(&partitions)?, "UnprocessedKeys": []}))
    }
}

/// Refuses values that are not as many as the table's keys.
fn check_values(table: &catalog::Table, values: &[String]) -> ApiResult<()> {
    if values.len() == table.partition_keys.len() {
        return Ok(());
    }
    Err(ApiError::invalid_input(format!(
        "The number of partition keys do not match the number of partition values: table `{}` has {} keys, found {} values",
        table.name,
        table.partition_keys.len(),
        values.len()
    )))
}

fn no_partition(values: &[String]) -> ApiError {
    ApiError::not_found(format!("Cannot find partition {values:?}."))
}
