//! Writes Parquet objects whose bytes depend on the rows and their order alone.
//!
//! Batches are cut anew into equal pieces, settings and the creator's name are constants, and objects are numbered: the same
//! rows give the same bytes, whatever ran before. Types are Parquet's own: DECIMAL, DATE, TIMESTAMP(MILLIS, local),
//! lists and maps by the specification (<https://parquet.apache.org/docs/file-format/types/logicaltypes/>).

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, ListArray, MapArray, StructArray};
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{
    DataType, Field, Fields, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::async_writer::{AsyncArrowWriter, AsyncFileWriter};
use parquet::basic::{Compression as ParquetCompression, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterVersion};
use tokio::io::AsyncWriteExt as _;

use super::Compression;
use super::buckets::ObjectNames;
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;
use crate::query::WrittenObject;
use crate::sql::Type;
use crate::storage::{ObjectWriter, Storage};

/// Rows that are encoded at a time.
const BATCH_ROWS: usize = 8192;

/// Rows of a row group at most: the unit that readers skip by statistics.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// Bytes of a row group at most, as estimated while encoding: what a writer holds in memory for each open object.
const ROW_GROUP_BYTES: usize = 128 << 20;

/// Bytes of an object, about: Athena's own target for written files.
const OBJECT_BYTES: usize = 512 << 20;

/// What stands in every object as its creator. A constant without a version, so that an upgrade writes the same bytes.
const CREATED_BY: &str = "suiro";

const OPERATION: &str = "write Parquet";

/// A column to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredColumn {
    /// The name.
    pub name: String,
    /// The type.
    pub data_type: Type,
}

/// Writes rows to `part-00000.parquet`, `part-00001.parquet`, … below a prefix. No rows, no object.
pub struct ParquetWriter {
    storage: Storage,
    prefix: Location,
    schema: SchemaRef,
    properties: WriterProperties,
    keep_arrow_schema: bool,
    object_bytes: usize,
    partition: Vec<String>,
    names: ObjectNames,
    pieces: BatchCoalescer,
    current: Option<AsyncArrowWriter<Sink>>,
    rows: u64,
    objects: Vec<WrittenObject>,
}

impl std::fmt::Debug for ParquetWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetWriter")
            .field("prefix", &self.prefix)
            .field("schema", &self.schema)
            .field("objects", &self.objects)
            .finish_non_exhaustive()
    }
}

/// The bytes of one object on their way to the storage.
#[derive(Debug)]
struct Sink(ObjectWriter);

impl AsyncFileWriter for Sink {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, parquet::errors::Result<()>> {
        async move {
            match self.0.write_all(&bytes).await {
                Ok(()) => Ok(()),
                Err(error) => Err(ParquetError::External(Box::new(self.0.failed(error)))),
            }
        }
        .boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, parquet::errors::Result<()>> {
        // `ParquetWriter` finishes the object itself, because only then is it on the disk.
        async { Ok(()) }.boxed()
    }
}

impl ParquetWriter {
    /// Makes a writer of objects below a prefix.
    ///
    /// # Errors
    /// `InvalidInput` for two columns of one name or a type that Parquet has no form for.
    pub fn new(
        storage: &Storage,
        prefix: &Location,
        columns: &[StoredColumn],
        compression: Compression,
    ) -> Result<Self> {
        let schema = Arc::new(Schema::new(
            columns
                .iter()
                .map(|column| Field::new(&column.name, stored_type(&column.data_type), true))
                .collect::<Vec<_>>(),
        ));
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = columns.iter().find(|column| !seen.insert(column.name.to_lowercase())) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                OPERATION,
                format!("two columns are named `{}`: give one of them another name with AS", twice.name),
            ));
        }
        Ok(Self {
            storage: storage.clone(),
            prefix: prefix.as_prefix(),
            properties: properties(compression)?,
            keep_arrow_schema: false,
            object_bytes: OBJECT_BYTES,
            partition: Vec::new(),
            names: ObjectNames::default(),
            pieces: BatchCoalescer::new(Arc::clone(&schema), BATCH_ROWS),
            schema,
            current: None,
            rows: 0,
            objects: Vec::new(),
        })
    }

    /// Sets the size that objects have, about; a new one is begun at the next row group.
    #[must_use]
    pub fn object_bytes(mut self, bytes: usize) -> Self {
        self.object_bytes = bytes;
        self
    }

    /// Sets the values of the partition that the objects are of and their names, and encodes so many rows at a time: a writer of
    /// many partitions holds that many rows of each.
    #[must_use]
    pub(super) fn partition(mut self, values: Vec<String>, names: ObjectNames, piece_rows: usize) -> Self {
        self.partition = values;
        self.names = names;
        self.pieces = BatchCoalescer::new(Arc::clone(&self.schema), piece_rows);
        self
    }

    /// Keeps Arrow's own schema in the objects, so that types which Parquet does not know are read back as they were.
    #[must_use]
    pub(crate) fn keep_arrow_schema(mut self) -> Self {
        self.keep_arrow_schema = true;
        self
    }

    /// Takes rows: the columns in order, of the Arrow types of their [`Type`]s.
    ///
    /// # Errors
    /// `InvalidInput` for a batch of other columns; `ResourcesExhausted` on a full disk; `PermissionDenied`; `External`.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| relabel(column, field.data_type()))
            .collect::<Result<Vec<_>>>()?;
        let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, OPERATION, error.to_string()))?;
        self.pieces.push_batch(batch).map_err(|error| Error::new(ErrorKind::External, OPERATION, error.to_string()))?;
        self.encode().await
    }

    /// Encodes the pieces that are whole.
    async fn encode(&mut self) -> Result<()> {
        while let Some(piece) = self.pieces.next_completed_batch() {
            let writer = if let Some(writer) = self.current.take() { writer } else { self.open()? };
            let writer = self.current.insert(writer);
            writer.write(&piece).await.map_err(failed)?;
            self.rows += u64::try_from(piece.num_rows()).unwrap_or(u64::MAX);
            // Only at the end of a row group, so that the cut depends on rows alone.
            if writer.in_progress_rows() == 0 && writer.bytes_written() >= self.object_bytes {
                self.close().await?;
            }
        }
        Ok(())
    }

    fn open(&self) -> Result<AsyncArrowWriter<Sink>> {
        let location = self.prefix.join(&self.names.name(self.objects.len(), "parquet"))?;
        let sink = Sink(self.storage.writer(&location)?);
        let options = ArrowWriterOptions::new()
            .with_properties(self.properties.clone())
            .with_skip_arrow_metadata(!self.keep_arrow_schema);
        AsyncArrowWriter::try_new_with_options(sink, Arc::clone(&self.schema), options).map_err(failed)
    }

    async fn close(&mut self) -> Result<()> {
        let Some(mut writer) = self.current.take() else { return Ok(()) };
        writer.finish().await.map_err(failed)?;
        let sink = writer.into_inner().0;
        let location = sink.location().clone();
        let bytes = sink.finish().await?;
        self.objects.push(WrittenObject {
            location,
            bytes,
            rows: std::mem::take(&mut self.rows),
            partition: self.partition.clone(),
        });
        Ok(())
    }

    /// Returns about how many bytes it holds in memory.
    pub fn memory(&self) -> usize {
        self.current.as_ref().map_or(0, AsyncArrowWriter::memory_size)
    }

    /// Ends the row group, so that its rows leave the memory.
    ///
    /// # Errors
    /// As [`ParquetWriter::write`].
    pub(super) async fn end_row_group(&mut self) -> Result<()> {
        match &mut self.current {
            Some(writer) => writer.flush().await.map_err(failed),
            None => Ok(()),
        }
    }

    /// Ends the last object and returns all: they survive the loss of power.
    ///
    /// # Errors
    /// As [`ParquetWriter::write`].
    pub async fn finish(mut self) -> Result<Vec<WrittenObject>> {
        self.pieces
            .finish_buffered_batch()
            .map_err(|error| Error::new(ErrorKind::External, OPERATION, error.to_string()))?;
        self.encode().await?;
        self.close().await?;
        Ok(self.objects)
    }
}

/// Returns the constant settings of our Parquet.
pub(crate) fn properties(compression: Compression) -> Result<WriterProperties> {
    let level = |error: ParquetError| Error::new(ErrorKind::InvalidInput, OPERATION, error.to_string());
    let compression = match compression {
        Compression::Zstd => ParquetCompression::ZSTD(ZstdLevel::try_new(3).map_err(level)?),
        Compression::Snappy => ParquetCompression::SNAPPY,
        Compression::Gzip => ParquetCompression::GZIP(GzipLevel::try_new(6).map_err(level)?),
        Compression::None => ParquetCompression::UNCOMPRESSED,
    };
    Ok(WriterProperties::builder()
        // The form that every reader knows, Hive's and Athena's too.
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(compression)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_coerce_types(true)
        .build())
}

/// Makes our error of Parquet's; one of ours inside it comes out again.
fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::new(ErrorKind::External, OPERATION, format!("cannot write Parquet: {other}")),
        },
        other => Error::new(ErrorKind::External, OPERATION, format!("cannot write Parquet: {other}")),
    }
}

/// Returns the Arrow type of a stored column: as [`Type::to_arrow`], but the fields of rows have their names, and
/// `timestamp(3)` (all that Hive's `timestamp` holds) is in milliseconds, so that readers can compare it with statistics.
pub(crate) fn stored_type(data_type: &Type) -> DataType {
    match data_type {
        Type::Timestamp(0..=3) => DataType::Timestamp(TimeUnit::Millisecond, None),
        Type::Array(element) => DataType::List(Arc::new(Field::new("item", stored_type(element), true))),
        Type::Map(key, value) => DataType::Map(
            Arc::new(Field::new(
                "entries",
                DataType::Struct(Fields::from(vec![
                    Field::new("key", stored_type(key), false),
                    Field::new("value", stored_type(value), true),
                ])),
                false,
            )),
            false,
        ),
        Type::Row(fields) => DataType::Struct(
            fields
                .iter()
                .enumerate()
                .map(|(index, (name, field))| {
                    let name = name.clone().unwrap_or_else(|| format!("_{index}"));
                    Field::new(name, stored_type(field), true)
                })
                .collect(),
        ),
        other => other.to_arrow(),
    }
}

/// Gives an array's nested fields other names; the values stay.
pub(crate) fn relabel(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    let misfit = |error: arrow::error::ArrowError| Error::new(ErrorKind::InvalidInput, OPERATION, error.to_string());
    match (array.data_type(), target) {
        (DataType::Timestamp(TimeUnit::Microsecond, None), DataType::Timestamp(TimeUnit::Millisecond, None)) => {
            // Values of timestamp(3) are whole milliseconds already.
            let array = array.as_primitive::<TimestampMicrosecondType>();
            Ok(Arc::new(array.unary::<_, TimestampMillisecondType>(|micros| micros.div_euclid(1000))))
        }
        (DataType::Struct(found), DataType::Struct(fields)) if found.len() == fields.len() => {
            let array = array.as_struct();
            let columns = array
                .columns()
                .iter()
                .zip(fields)
                .map(|(column, field)| relabel(column, field.data_type()))
                .collect::<Result<Vec<_>>>()?;
            if fields.is_empty() {
                return Ok(Arc::new(StructArray::new_empty_fields(array.len(), array.nulls().cloned())));
            }
            Ok(Arc::new(StructArray::try_new(fields.clone(), columns, array.nulls().cloned()).map_err(misfit)?))
        }
        (DataType::List(_), DataType::List(field)) => {
            let array = array.as_list::<i32>();
            let values = relabel(array.values(), field.data_type())?;
            let made = ListArray::try_new(Arc::clone(field), array.offsets().clone(), values, array.nulls().cloned());
            Ok(Arc::new(made.map_err(misfit)?))
        }
        (DataType::Map(_, _), DataType::Map(field, sorted)) => {
            let array = array.as_map();
            let entries: ArrayRef = Arc::new(array.entries().clone());
            let entries = relabel(&entries, field.data_type())?.as_struct().clone();
            let made =
                MapArray::try_new(Arc::clone(field), array.offsets().clone(), entries, array.nulls().cloned(), *sorted);
            Ok(Arc::new(made.map_err(misfit)?))
        }
        (found, expected) => Err(Error::new(
            ErrorKind::InvalidInput,
            OPERATION,
            format!("expected a column of the Arrow type `{expected}`, found `{found}`"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn columns() -> Vec<StoredColumn> {
        let row = Type::Row(Arc::from([(Some("x".to_owned()), Type::Bigint)]));
        [
            ("n", Type::Bigint),
            ("s", Type::Varchar(None)),
            ("d", Type::Decimal(10, 2)),
            ("day", Type::Date),
            ("at", Type::Timestamp(3)),
            ("r", Type::Array(Arc::new(row))),
        ]
        .into_iter()
        .map(|(name, data_type)| StoredColumn { name: name.to_owned(), data_type })
        .collect()
    }

    fn rows(from: i64, to: i64) -> RecordBatch {
        let numbers: Vec<i64> = (from..to).collect();
        let row: ArrayRef = Arc::new(StructArray::from(vec![(
            Arc::new(Field::new("_0", DataType::Int64, true)),
            Arc::new(Int64Array::from(numbers.clone())) as ArrayRef,
        )]));
        let lists = ListArray::new(
            Arc::new(Field::new("item", row.data_type().clone(), true)),
            arrow::buffer::OffsetBuffer::from_lengths(numbers.iter().map(|_| 1)),
            row,
            None,
        );
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(numbers.clone())),
            Arc::new(StringArray::from_iter_values(numbers.iter().map(|n| format!("value {}", n % 97)))),
            Arc::new(
                Decimal128Array::from_iter_values(numbers.iter().map(|n| i128::from(*n)))
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
            Arc::new(Date32Array::from_iter_values(numbers.iter().map(|n| i32::try_from(*n % 20_000).unwrap()))),
            Arc::new(TimestampMicrosecondArray::from_iter_values(numbers.iter().map(|n| n * 1000))),
            Arc::new(lists),
        ];
        let fields: Vec<Field> = columns()
            .iter()
            .zip(&arrays)
            .map(|(column, array)| Field::new(&column.name, array.data_type().clone(), true))
            .collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
    }

    async fn written(cuts: &[i64], object_bytes: usize) -> Vec<(String, Bytes, u64)> {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).await.unwrap();
        let prefix = Location::parse("s3://b/v/").unwrap();
        let mut writer =
            ParquetWriter::new(&storage, &prefix, &columns(), Compression::Zstd).unwrap().object_bytes(object_bytes);
        for pair in cuts.windows(2) {
            writer.write(&rows(pair[0], pair[1])).await.unwrap();
        }
        let mut objects = Vec::new();
        for object in writer.finish().await.unwrap() {
            let bytes = storage.read(&object.location).await.unwrap();
            assert_eq!(u64::try_from(bytes.len()).unwrap(), object.bytes);
            objects.push((object.location.to_string(), bytes, object.rows));
        }
        objects
    }

    #[tokio::test]
    async fn bytes_depend_on_rows_alone() {
        let whole = written(&[0, 30_000], OBJECT_BYTES).await;
        assert_eq!(whole.len(), 1);
        assert_eq!(whole, written(&[0, 1, 500, 8191, 8193, 29_999, 30_000], OBJECT_BYTES).await);
    }

    #[tokio::test]
    async fn no_rows_no_object() {
        assert!(written(&[0], OBJECT_BYTES).await.is_empty());
        assert!(written(&[0, 0], OBJECT_BYTES).await.is_empty());
    }

    #[tokio::test]
    async fn types_are_parquets_own() {
        use parquet::file::reader::{FileReader as _, SerializedFileReader};
        let objects = written(&[0, 10], OBJECT_BYTES).await;
        let reader = SerializedFileReader::new(objects[0].1.clone()).unwrap();
        let metadata = reader.metadata().file_metadata();
        assert_eq!(metadata.created_by(), Some("suiro"));
        assert!(metadata.key_value_metadata().is_none());
        let mut text = Vec::new();
        parquet::schema::printer::print_schema(&mut text, metadata.schema());
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r"
        message arrow_schema {
          OPTIONAL INT64 n;
          OPTIONAL BYTE_ARRAY s (STRING);
          OPTIONAL INT64 d (DECIMAL(10,2));
          OPTIONAL INT32 day (DATE);
          OPTIONAL INT64 at (TIMESTAMP(MILLIS,false));
          OPTIONAL group r (LIST) {
            REPEATED group list {
              OPTIONAL group element {
                OPTIONAL INT64 x;
              }
            }
          }
        }
        ");
    }

    #[tokio::test]
    async fn columns_of_one_name_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).await.unwrap();
        let column = |name: &str| StoredColumn { name: name.to_owned(), data_type: Type::Bigint };
        let error = ParquetWriter::new(
            &storage,
            &Location::parse("s3://b/v/").unwrap(),
            &[column("a"), column("A")],
            Compression::None,
        )
        .unwrap_err();
        assert_eq!(error.to_string(), "two columns are named `A`: give one of them another name with AS");
    }
}
