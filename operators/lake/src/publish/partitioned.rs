//! Writes rows to a folder per partition, `key=value/…/part-00000.parquet` or of another format, as Hive lays out a partitioned table.
//!
//! The last columns are the keys: they are in the path, as text, and not in the objects. Where rows are bucketed, each bucket of a
//! partition has objects of its own, `000003_0.parquet`. The same rows in the same order give the same bytes: what is cut where depends on rows alone, also when the memory makes row groups end early.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray, UInt32Array};
use arrow::compute::{BatchCoalescer, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::Format;
use super::buckets::{BucketHash, Layout, ObjectNames};
use super::objects::ObjectsWriter;
use super::parquet::{StoredColumn, relabel, stored_type};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{HIVE_DEFAULT_PARTITION, Location, hive_path};
use crate::query::WrittenObject;
use crate::sql::Type;
use crate::sql::cast::cast;
use crate::sql::function::Session;
use crate::storage::Storage;

/// How many partitions one query may write unless the settings say otherwise: Athena's limit of a CTAS. It bounds the open objects.
pub(crate) const PARTITIONS: usize = 100;

/// Rows that are dealt out at a time.
const DEALT_ROWS: usize = 8192;

/// Rows that each partition holds before it encodes them.
const PIECE_ROWS: usize = 1024;

/// Bytes that all open row groups hold together; above them the largest one ends.
const OPEN_BYTES: usize = 256 << 20;

const OPERATION: &str = "write partitions";

/// What partitions are written to.
#[derive(Debug)]
pub(crate) struct PartitionsTarget {
    /// The prefix that they are below.
    pub(crate) prefix: Location,
    /// All columns, the keys last.
    pub(crate) columns: Vec<StoredColumn>,
    /// The names of the keys.
    pub(crate) keys: Vec<String>,
    /// The objects.
    pub(crate) layout: Layout,
    /// How many they may be; of buckets, all of all partitions.
    pub(crate) most: usize,
}

/// Writes rows to the partitions that they belong to.
pub(crate) struct PartitionedWriter {
    storage: Storage,
    prefix: Location,
    columns: Vec<StoredColumn>,
    keys: Vec<StoredColumn>,
    format: Format,
    buckets: Option<BucketHash>,
    most: usize,
    session: Session,
    schema: SchemaRef,
    dealt: BatchCoalescer,
    /// By the encoded values of the keys, and the bucket.
    known: HashMap<Vec<u8>, usize>,
    /// In the order of their first rows.
    partitions: Vec<ObjectsWriter>,
    open_bytes: usize,
}

impl PartitionedWriter {
    /// Makes a writer of partitions.
    ///
    /// # Errors
    /// `InvalidInput` when the keys are not the last columns or cannot be in a path, and for columns that rows cannot be bucketed by.
    pub(crate) fn new(storage: &Storage, target: PartitionsTarget, session: Session) -> Result<Self> {
        let PartitionsTarget { prefix, mut columns, keys: partition_by, layout, most } = target;
        let names: Vec<String> = columns.iter().map(|column| column.name.to_lowercase()).collect();
        super::schema::keys_are_last(&names, &partition_by)?;
        let keys = columns.split_off(columns.len().saturating_sub(partition_by.len()));
        let unusable: Vec<String> =
            keys.iter().filter_map(|key| super::schema::unusable_key(&key.name, &key.data_type)).collect();
        if !unusable.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, unusable.join("; ")));
        }
        layout.format.check(&columns)?;
        let buckets = layout.buckets.as_ref().map(|buckets| buckets.hash(&columns)).transpose()?;
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| Field::new(&column.name, stored_type(&column.data_type), true))
            .chain(keys.iter().map(|key| Field::new(&key.name, DataType::Utf8, true)))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        Ok(Self {
            storage: storage.clone(),
            prefix,
            columns,
            keys,
            format: layout.format,
            buckets,
            most,
            session,
            dealt: BatchCoalescer::new(Arc::clone(&schema), DEALT_ROWS),
            schema,
            known: HashMap::new(),
            partitions: Vec::new(),
            open_bytes: OPEN_BYTES,
        })
    }

    /// Takes rows: the columns in order, the keys last, of the Arrow types of their [`Type`]s.
    ///
    /// # Errors
    /// `TooManyPartitions` for more partitions than the target allows; `InvalidInput` for a value that cannot be in a path; those of
    /// the storage.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut arrays = Vec::with_capacity(batch.num_columns());
        for (index, array) in batch.columns().iter().enumerate() {
            arrays.push(match self.columns.get(index) {
                Some(column) => relabel(array, &stored_type(&column.data_type))?,
                None => self.key_text(index - self.columns.len(), array)?,
            });
        }
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(|error| broken(&error))?;
        self.dealt.push_batch(rows).map_err(|error| broken(&error))?;
        self.deal().await
    }

    /// Ends all objects and returns them in the order of their partitions: they survive the loss of power.
    ///
    /// # Errors
    /// As [`PartitionedWriter::write`].
    pub(crate) async fn finish(mut self) -> Result<Vec<WrittenObject>> {
        self.dealt.finish_buffered_batch().map_err(|error| broken(&error))?;
        self.deal().await?;
        let mut objects = Vec::new();
        for partition in self.partitions {
            objects.extend(partition.finish().await?);
        }
        objects.sort_by(|left, right| left.location.cmp(&right.location));
        Ok(objects)
    }

    /// Writes the values of a key as the text that Trino casts them to.
    fn key_text(&self, index: usize, array: &ArrayRef) -> Result<ArrayRef> {
        let Some(key) = self.keys.get(index) else {
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, "a row has more columns than the query"));
        };
        let text = cast(&self.session, &key.data_type, &Type::Varchar(None), array).map_err(|error| {
            Error::new(
                ErrorKind::QueryFailed,
                OPERATION,
                format!("a value of partition key `{}` has no text: {}", key.name, error.message),
            )
        })?;
        arrow::compute::cast(&text, &DataType::Utf8).map_err(|error| broken(&error))
    }

    /// Deals the whole pieces out to their partitions.
    async fn deal(&mut self) -> Result<()> {
        while let Some(piece) = self.dealt.next_completed_batch() {
            let rows_of = self.rows_of(&piece)?;
            let data = piece.project(&(0..self.columns.len()).collect::<Vec<_>>()).map_err(|error| broken(&error))?;
            for (partition, rows) in self.partitions.iter_mut().zip(rows_of) {
                if rows.len() == data.num_rows() {
                    partition.write(&data).await?;
                } else if !rows.is_empty() {
                    let taken = take_record_batch(&data, &UInt32Array::from(rows)).map_err(|error| broken(&error))?;
                    partition.write(&taken).await?;
                }
            }
            self.end_largest().await?;
        }
        Ok(())
    }

    /// Returns the rows of a piece by partition; opens those that are new.
    fn rows_of(&mut self, piece: &RecordBatch) -> Result<Vec<Vec<u32>>> {
        let keys: Vec<StringArray> =
            piece.columns().iter().skip(self.columns.len()).map(|key| key.as_string::<i32>().clone()).collect();
        let mut rows_of = vec![Vec::new(); self.partitions.len()];
        let mut name = Vec::new();
        for row in 0..piece.num_rows() {
            name.clear();
            for key in &keys {
                if key.is_valid(row) {
                    let text = key.value(row).as_bytes();
                    name.push(1);
                    name.extend(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
                    name.extend(text);
                } else {
                    name.push(0);
                }
            }
            let bucket = self.buckets.as_ref().map(|buckets| buckets.bucket(piece.columns(), row));
            name.extend(bucket.map(u32::to_be_bytes).into_iter().flatten());
            let index = if let Some(index) = self.known.get(&name) {
                *index
            } else {
                let values = keys.iter().map(|key| key.is_valid(row).then(|| key.value(row))).collect::<Vec<_>>();
                let writer = self.open(&values, bucket)?;
                self.partitions.push(writer);
                rows_of.push(Vec::new());
                self.known.insert(name.clone(), self.partitions.len() - 1);
                self.partitions.len() - 1
            };
            if let (Some(rows), Ok(row)) = (rows_of.get_mut(index), u32::try_from(row)) {
                rows.push(row);
            }
        }
        Ok(rows_of)
    }

    /// Opens a partition, or a bucket of one.
    fn open(&self, values: &[Option<&str>], bucket: Option<u32>) -> Result<ObjectsWriter> {
        let names = || self.keys.iter().map(|key| format!("`{}`", key.name)).collect::<Vec<_>>().join(", ");
        if self.partitions.len() >= self.most {
            let what = if bucket.is_some() { "buckets of partitions" } else { "partitions" };
            return Err(Error::new(
                ErrorKind::TooManyPartitions,
                OPERATION,
                format!(
                    "HIVE_TOO_MANY_OPEN_PARTITIONS: expected at most {} {what} by {}, found more: write fewer at a time with \
                     WHERE",
                    self.most,
                    names()
                ),
            ));
        }
        let mut texts = Vec::with_capacity(values.len());
        for (key, value) in self.keys.iter().zip(values) {
            let why = match value {
                Some("") => "it is empty, which a path cannot tell from NULL: use NULLIF or another value",
                Some(HIVE_DEFAULT_PARTITION) => "it is Hive's word for NULL",
                _ => {
                    texts.push(value.unwrap_or(HIVE_DEFAULT_PARTITION).to_owned());
                    continue;
                }
            };
            return Err(Error::new(
                ErrorKind::InvalidInput,
                OPERATION,
                format!("the value `{}` of partition key `{}` cannot be used: {why}", value.unwrap_or(""), key.name),
            ));
        }
        let path = hive_path(self.keys.iter().map(|key| key.name.as_str()).zip(texts.iter().map(String::as_str)))?;
        let prefix = if path.is_empty() { self.prefix.clone() } else { self.prefix.join(&path)? };
        let writer = ObjectsWriter::new(&self.storage, &prefix, &self.columns, self.format)?;
        Ok(writer.partition(texts, ObjectNames(bucket), PIECE_ROWS))
    }

    /// Ends row groups, the largest first, until what is open fits the memory.
    async fn end_largest(&mut self) -> Result<()> {
        while self.partitions.iter().map(ObjectsWriter::memory).sum::<usize>() > self.open_bytes {
            // The first of the largest: which one ends must depend on rows alone.
            let largest = self.partitions.iter_mut().rev().max_by_key(|partition| partition.memory());
            let Some(largest) = largest else { return Ok(()) };
            let before = largest.memory();
            largest.let_go().await?;
            if largest.memory() >= before {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn broken(error: &arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::External, OPERATION, format!("cannot deal rows out to partitions: {error}"))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn column(name: &str, data_type: Type) -> StoredColumn {
        StoredColumn { name: name.to_owned(), data_type }
    }

    async fn write(cut: usize, open_bytes: usize) -> Vec<(WrittenObject, bytes::Bytes)> {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).await.unwrap();
        let columns = vec![column("n", Type::Bigint), column("k", Type::Varchar(None))];
        let session = Session { time_zone: "UTC".to_owned(), start_us: 0, database: None };
        let target = PartitionsTarget {
            prefix: Location::parse("s3://b/v/").unwrap(),
            columns,
            keys: vec!["k".to_owned()],
            layout: Layout::default(),
            most: PARTITIONS,
        };
        let mut writer = PartitionedWriter::new(&storage, target, session).unwrap();
        writer.open_bytes = open_bytes;
        let numbers: Vec<i64> = (0..30_000).collect();
        let texts: Vec<String> = numbers.iter().map(|number| format!("k{}", number * number % 7)).collect();
        let rows = RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from(numbers)) as ArrayRef),
            ("k", Arc::new(StringArray::from(texts)) as ArrayRef),
        ])
        .unwrap();
        for from in (0..rows.num_rows()).step_by(cut) {
            writer.write(&rows.slice(from, cut.min(rows.num_rows() - from))).await.unwrap();
        }
        let mut objects = Vec::new();
        for object in writer.finish().await.unwrap() {
            let bytes = storage.read(&object.location).await.unwrap();
            objects.push((object, bytes));
        }
        objects
    }

    #[tokio::test]
    async fn the_same_rows_give_the_same_bytes_however_they_come() {
        let whole = write(30_000, OPEN_BYTES).await;
        assert_eq!(whole, write(999, OPEN_BYTES).await);
        let values: Vec<&str> = whole.iter().map(|(object, _)| object.partition[0].as_str()).collect();
        assert_eq!(values, ["k0", "k1", "k2", "k4"]);
        assert_eq!(whole.iter().map(|(object, _)| object.rows).sum::<u64>(), 30_000);

        let small = write(30_000, 50_000).await;
        assert_eq!(small, write(1_001, 50_000).await);
        assert_ne!(small, whole, "row groups end early when there is little room");
    }
}
