//! Encodes Parquet row groups on worker threads and appends them to files in order.
//!
//! A row group is never held as rows: each column has a writer that is fed as rows come, by whichever thread is free, so that
//! what stays in memory is encoded pages. The bytes of a file depend on the rows and on constants, not on threads: row groups
//! are cut by counted rows and bytes, a column's pieces are written one after the other, and row groups are appended in the
//! order they were cut in.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::ArrayRef;
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;

use super::pool::Permit;
use super::sink::{Sink, WrittenFile};
use crate::error::{Error, ErrorKind, Result};

const OPERATION: &str = "write Parquet";

/// A row group that takes rows.
pub(crate) struct RowGroup {
    columns: Vec<Arc<ColumnEncoder>>,
}

impl std::fmt::Debug for RowGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowGroup").field("columns", &self.columns.len()).finish()
    }
}

impl RowGroup {
    /// Adds rows; `schedule` hands the columns that wait for a thread to a worker. The permit is given back when the last
    /// column has encoded its piece.
    pub(crate) fn push(
        &self,
        batch: &RecordBatch,
        permit: Option<&Arc<Permit>>,
        schedule: &dyn Fn(Arc<ColumnEncoder>),
    ) {
        for (column, values) in self.columns.iter().zip(batch.columns()) {
            let piece = Piece { values: Arc::clone(values), _permit: permit.cloned() };
            column.change(schedule, |state| state.pieces.push_back(piece));
        }
    }

    /// No more rows come; returns how many columns will be encoded.
    pub(crate) fn end(self, schedule: &dyn Fn(Arc<ColumnEncoder>)) -> usize {
        for column in &self.columns {
            column.change(schedule, |state| state.is_whole = true);
        }
        self.columns.len()
    }
}

/// Which column of which row group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ColumnPlace {
    /// The number of the row group among all of a load.
    pub group: u64,
    /// The index of the column.
    pub column: usize,
}

/// The writer of one column of a row group, with the pieces that wait for it. One thread at a time works on it.
pub(crate) struct ColumnEncoder {
    place: ColumnPlace,
    field: FieldRef,
    state: Mutex<ColumnState>,
}

struct ColumnState {
    /// None while a thread writes, and after the end.
    writer: Option<ArrowColumnWriter>,
    pieces: VecDeque<Piece>,
    /// A thread works on the column, or it was handed to one.
    is_scheduled: bool,
    /// No more pieces come.
    is_whole: bool,
}

struct Piece {
    values: ArrayRef,
    /// Given back with the piece.
    _permit: Option<Arc<Permit>>,
}

impl std::fmt::Debug for ColumnEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ColumnEncoder").field("place", &self.place).finish_non_exhaustive()
    }
}

impl ColumnEncoder {
    /// Returns where the column stands.
    pub(crate) fn place(&self) -> ColumnPlace {
        self.place
    }

    /// A thread that panicked ends the load; what it left is dropped.
    fn lock(&self) -> MutexGuard<'_, ColumnState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(self: &Arc<Self>, schedule: &dyn Fn(Arc<Self>), change: impl FnOnce(&mut ColumnState)) {
        let mut state = self.lock();
        change(&mut state);
        let was_scheduled = std::mem::replace(&mut state.is_scheduled, true);
        drop(state);
        if !was_scheduled {
            schedule(Arc::clone(self));
        }
    }

    /// Encodes the pieces that wait; returns the column when it is whole.
    ///
    /// # Errors
    /// `External` when Parquet refuses a value; the column is of no use then.
    pub(crate) fn work(&self) -> Result<Option<ArrowColumnChunk>> {
        loop {
            let mut state = self.lock();
            let pieces = std::mem::take(&mut state.pieces);
            if pieces.is_empty() && !state.is_whole {
                state.is_scheduled = false;
                return Ok(None);
            }
            let Some(mut writer) = state.writer.take() else { return Ok(None) };
            drop(state);
            if pieces.is_empty() {
                return writer.close().map(Some).map_err(failed);
            }
            for piece in pieces {
                for leaf in compute_leaves(&self.field, &piece.values).map_err(failed)? {
                    writer.write(&leaf).map_err(failed)?;
                }
            }
            self.lock().writer = Some(writer);
        }
    }
}

/// A file that row groups are appended to.
pub(crate) struct ParquetFile {
    writer: SerializedFileWriter<Sink>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    begun: usize,
    rows: u64,
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetFile").field("begun", &self.begun).field("rows", &self.rows).finish_non_exhaustive()
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
        let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(schema));
        Ok(Self { writer, factory, schema: Arc::clone(schema), begun: 0, rows: 0 })
    }

    /// Begins the next row group, the `number`th of the load.
    ///
    /// # Errors
    /// `External` for a type that Parquet does not have.
    pub(crate) fn row_group(&mut self, number: u64) -> Result<RowGroup> {
        let writers = self.factory.create_column_writers(self.begun).map_err(failed)?;
        self.begun += 1;
        let columns = self.schema.fields().iter().zip(writers).enumerate().map(|(column, (field, writer))| {
            let state =
                ColumnState { writer: Some(writer), pieces: VecDeque::new(), is_scheduled: false, is_whole: false };
            let place = ColumnPlace { group: number, column };
            Arc::new(ColumnEncoder { place, field: Arc::clone(field), state: Mutex::new(state) })
        });
        Ok(RowGroup { columns: columns.collect() })
    }

    /// Appends an encoded row group; they come in the order in which they were begun.
    ///
    /// # Errors
    /// Those of the sink.
    pub(crate) fn append(&mut self, columns: Vec<ArrowColumnChunk>) -> Result<()> {
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for column in columns {
            column.append_to_row_group(&mut group).map_err(failed)?;
        }
        let rows = group.close().map_err(failed)?.num_rows();
        self.rows += u64::try_from(rows).unwrap_or(0);
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
