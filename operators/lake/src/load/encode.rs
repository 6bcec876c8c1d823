//! Encodes Parquet row groups on worker threads and appends them to files in order.
//!
//! The bytes of a file depend on the rows and on constants, not on threads: row groups are cut by counted rows and bytes, each
//! is encoded as a whole by one thread, and they are appended in the order they were cut in.

use std::io::Write;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;

use super::sink::{Sink, WrittenFile};
use crate::error::{Error, ErrorKind, Result};

const OPERATION: &str = "write Parquet";

/// A row group to encode.
pub(crate) struct RowGroup {
    factory: Arc<ArrowRowGroupWriterFactory>,
    index: usize,
    schema: SchemaRef,
    /// The pieces of each column, in the order of the schema.
    columns: Vec<Vec<ArrayRef>>,
}

impl std::fmt::Debug for RowGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowGroup")
            .field("index", &self.index)
            .field("columns", &self.columns.len())
            .finish_non_exhaustive()
    }
}

impl RowGroup {
    /// Encodes the rows.
    ///
    /// # Errors
    /// `External` when Parquet refuses a value.
    pub(crate) fn encode(self) -> Result<Vec<ArrowColumnChunk>> {
        let writers = self.factory.create_column_writers(self.index).map_err(failed)?;
        // Column by column: the dictionary of one stays in the processor's cache, and its values leave the memory before those
        // of the next are encoded.
        let columns = self.schema.fields().iter().zip(self.columns).zip(writers);
        let encoded = columns.map(|((field, pieces), mut writer)| {
            for piece in pieces {
                for leaf in compute_leaves(field, &piece).map_err(failed)? {
                    writer.write(&leaf).map_err(failed)?;
                }
            }
            writer.close().map_err(failed)
        });
        encoded.collect()
    }
}

/// A file that row groups are appended to.
pub(crate) struct ParquetFile {
    writer: SerializedFileWriter<Sink>,
    factory: Arc<ArrowRowGroupWriterFactory>,
    schema: SchemaRef,
    cut: usize,
    rows: u64,
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetFile").field("cut", &self.cut).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl ParquetFile {
    /// Starts a file.
    ///
    /// # Errors
    /// `External` when the sink refuses the first bytes.
    pub(crate) fn new(sink: Sink, schema: &SchemaRef, properties: &WriterPropertiesPtr) -> Result<Self> {
        let converter = ArrowSchemaConverter::new().with_coerce_types(properties.coerce_types());
        let descriptor = converter.convert(schema).map_err(failed)?;
        let writer =
            SerializedFileWriter::new(sink, descriptor.root_schema_ptr(), Arc::clone(properties)).map_err(failed)?;
        let factory = Arc::new(ArrowRowGroupWriterFactory::new(&writer, Arc::clone(schema)));
        Ok(Self { writer, factory, schema: Arc::clone(schema), cut: 0, rows: 0 })
    }

    /// Cuts the next row group.
    pub(crate) fn row_group(&mut self, batches: &[RecordBatch]) -> RowGroup {
        let index = self.cut;
        self.cut += 1;
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        self.rows += u64::try_from(rows).unwrap_or(u64::MAX);
        let piece = |column: usize| batches.iter().map(move |batch| Arc::clone(batch.column(column)));
        let columns = (0..self.schema.fields().len()).map(|column| piece(column).collect()).collect();
        RowGroup { factory: Arc::clone(&self.factory), index, schema: Arc::clone(&self.schema), columns }
    }

    /// Appends an encoded row group; they come in the order in which they were cut.
    ///
    /// # Errors
    /// Those of the sink.
    pub(crate) fn append(&mut self, columns: Vec<ArrowColumnChunk>) -> Result<()> {
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for column in columns {
            column.append_to_row_group(&mut group).map_err(failed)?;
        }
        group.close().map_err(failed)?;
        Ok(())
    }

    /// Ends the file; when it returns, the file survives the loss of power.
    ///
    /// # Errors
    /// Those of the sink.
    pub(crate) fn finish(self) -> Result<WrittenFile> {
        let mut sink = self.writer.into_inner().map_err(failed)?;
        sink.flush().map_err(|error| failed(ParquetError::from(error)))?;
        sink.finish(self.rows)
    }
}

/// Makes our error of Parquet's; one of ours inside it comes out again.
fn failed(error: ParquetError) -> Error {
    let text = format!("cannot write Parquet: {error}");
    let ParquetError::External(inner) = error else { return Error::new(ErrorKind::External, OPERATION, text) };
    let inner = match inner.downcast::<std::io::Error>() {
        Ok(io) => match io.downcast::<Error>() {
            Ok(ours) => return ours,
            Err(io) => return super::sink::io_error(OPERATION, io),
        },
        Err(inner) => inner,
    };
    match inner.downcast::<Error>() {
        Ok(ours) => *ours,
        Err(other) => Error::new(ErrorKind::External, OPERATION, text).source(other),
    }
}
