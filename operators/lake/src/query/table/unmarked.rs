//! Text of Parquet objects that does not say it is text: `BYTE_ARRAY` without the mark `STRING`, as old Hive, Impala and Spark
//! write it.
//!
//! The reader takes such bytes for the text that the catalog says they are, and looks whether they are UTF-8 only where the column
//! has the mark. What nobody looked at must not be used as text, so it is looked at here, once, before anything else sees it.
//!
//! <https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#string>.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, BinaryArray, LargeBinaryArray};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::DefaultParquetFileReaderFactory;
use datafusion::logical_expr::ColumnarValue;
use datafusion::parquet::arrow::ARROW_SCHEMA_META_KEY;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::basic::{ConvertedType, Type as PhysicalType};
use datafusion::parquet::errors::Result as ParquetResult;
use datafusion::parquet::file::metadata::{FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataBuilder};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::ObjectStore;

use crate::error::{Error, ErrorKind};
use crate::sql::Type;

/// What an object's schema has before the name of each column that has no mark.
const COLUMN: &str = "suiro.unmarked.";

/// What an object's schema has where one of its columns has no mark: where the object is.
const OBJECT: &str = "suiro.object";

/// Reads Parquet objects and tells of the columns that have no mark.
#[derive(Debug)]
pub(super) struct MarkingReaderFactory(DefaultParquetFileReaderFactory);

impl MarkingReaderFactory {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self(DefaultParquetFileReaderFactory::new(store))
    }
}

impl ParquetFileReaderFactory for MarkingReaderFactory {
    fn create_reader(
        &self,
        partition_index: usize,
        partitioned_file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::common::Result<Box<dyn AsyncFileReader + Send>> {
        let object = format!("s3://{}", partitioned_file.object_meta.location);
        let reader = self.0.create_reader(partition_index, partitioned_file, metadata_size_hint, metrics)?;
        Ok(Box::new(MarkingReader { reader, object }))
    }
}

struct MarkingReader {
    reader: Box<dyn AsyncFileReader + Send>,
    object: String,
}

impl AsyncFileReader for MarkingReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.reader.get_bytes(range)
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.reader.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move { Ok(told(self.reader.get_metadata(options).await?, &self.object)) }.boxed()
    }
}

/// Adds the columns without a mark to what an object says of itself.
fn told(metadata: Arc<ParquetMetaData>, object: &str) -> Arc<ParquetMetaData> {
    let file = metadata.file_metadata();
    let unmarked = file.schema_descr().columns().iter().filter(|column| {
        column.physical_type() == PhysicalType::BYTE_ARRAY && column.converted_type() != ConvertedType::UTF8
    });
    let (top, nested): (Vec<_>, Vec<_>) = unmarked.partition(|column| column.path().parts().len() == 1);
    if top.is_empty() && nested.is_empty() {
        return metadata;
    }
    let mut pairs: Vec<KeyValue> =
        top.iter().map(|column| KeyValue::new(format!("{COLUMN}{}", column.name()), String::new())).collect();
    pairs.push(KeyValue::new(OBJECT.to_owned(), object.to_owned()));
    // Arrow's own schema may call such a column text, which the reader believes unseen. Without it what is nested comes as bytes, and
    // is looked at where it becomes text.
    let is_believed = |pair: &&KeyValue| nested.is_empty() || pair.key != ARROW_SCHEMA_META_KEY;
    pairs.extend(file.key_value_metadata().into_iter().flatten().filter(is_believed).cloned());
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        Some(pairs),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let builder = ParquetMetaDataBuilder::new(file)
        .set_row_groups(metadata.row_groups().to_vec())
        .set_column_index(metadata.column_index().cloned())
        .set_offset_index(metadata.offset_index().cloned());
    Arc::new(builder.build())
}

/// Returns the column of an object, looked at where it is read as text and has no mark.
pub(super) fn looked_at(
    column: Arc<dyn PhysicalExpr>,
    found: (&str, &DataType),
    name: &str,
    data_type: &Type,
    file: &Schema,
) -> Arc<dyn PhysicalExpr> {
    let (found_name, found_type) = found;
    let is_text = matches!(found_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    if !is_text || !file.metadata().contains_key(&format!("{COLUMN}{found_name}")) {
        return column;
    }
    let object = file.metadata().get(OBJECT).cloned().unwrap_or_default();
    Arc::new(UnmarkedText { column, name: name.to_owned(), data_type: data_type.clone(), object })
}

/// A column whose bytes count as text only once they were looked at.
#[derive(Debug, Clone)]
struct UnmarkedText {
    column: Arc<dyn PhysicalExpr>,
    name: String,
    data_type: Type,
    object: String,
}

impl UnmarkedText {
    fn check(&self, array: &ArrayRef) -> datafusion::common::Result<()> {
        // As bytes: the values must not be taken for text yet.
        match array.data_type() {
            DataType::Utf8 => self.check_all(BinaryArray::from(array.as_string::<i32>().clone()).iter()),
            DataType::LargeUtf8 => self.check_all(LargeBinaryArray::from(array.as_string::<i64>().clone()).iter()),
            DataType::Utf8View => self.check_all(array.as_string_view().clone().to_binary_view().iter()),
            _ => Ok(()),
        }
    }

    fn check_all<'a>(&self, values: impl Iterator<Item = Option<&'a [u8]>>) -> datafusion::common::Result<()> {
        for value in values.flatten() {
            if std::str::from_utf8(value).is_err() {
                let shown = value.get(..80).unwrap_or(value);
                let message = format!(
                    "HIVE_BAD_DATA: column `{}` is {}, and the object holds bytes that are no UTF-8: `{}`",
                    self.name,
                    self.data_type,
                    shown.escape_ascii()
                );
                let error = Error::new(ErrorKind::InvalidData, "read Parquet", message);
                return Err(super::external(
                    error
                        .with("object", self.object.clone())
                        .help("declare the column as `binary`, or write the object anew"),
                ));
            }
        }
        Ok(())
    }
}

impl PartialEq for UnmarkedText {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && self.name == other.name && self.object == other.object
    }
}

impl Eq for UnmarkedText {}

impl Hash for UnmarkedText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.name.hash(state);
        self.object.hash(state);
    }
}

impl fmt::Display for UnmarkedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as text", self.column)
    }
}

impl PhysicalExpr for UnmarkedText {
    fn data_type(&self, schema: &Schema) -> datafusion::common::Result<DataType> {
        self.column.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> datafusion::common::Result<bool> {
        self.column.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> datafusion::common::Result<ColumnarValue> {
        let array = self.column.evaluate(batch)?.into_array(batch.num_rows())?;
        self.check(&array)?;
        Ok(ColumnarValue::Array(array))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> datafusion::common::Result<Arc<dyn PhysicalExpr>> {
        match children.pop() {
            Some(column) => Ok(Arc::new(Self { column, ..Self::clone(&self) })),
            None => Err(DataFusionError::Internal("a column that is looked at has one child".to_owned())),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests;
