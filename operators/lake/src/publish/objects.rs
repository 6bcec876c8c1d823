//! A writer of objects in whichever format.

use arrow::array::RecordBatch;

use super::Format;
use super::buckets::ObjectNames;
use super::encoded::EncodedWriter;
use super::parquet::{ParquetWriter, StoredColumn};
use crate::error::Result;
use crate::name::Location;
use crate::query::WrittenObject;
use crate::storage::Storage;

/// Writes rows to numbered objects below a prefix. No rows, no object.
#[derive(Debug)]
pub(crate) enum ObjectsWriter {
    Parquet(Box<ParquetWriter>),
    Encoded(Box<EncodedWriter>),
}

impl ObjectsWriter {
    /// Makes a writer of objects below a prefix.
    ///
    /// # Errors
    /// `InvalidInput` for two columns of one name or a type that the format has no form for.
    pub(crate) fn new(storage: &Storage, prefix: &Location, columns: &[StoredColumn], format: Format) -> Result<Self> {
        if let Format::Parquet(compression) = format {
            return Ok(Self::from(ParquetWriter::new(storage, prefix, columns, compression)?));
        }
        Ok(Self::Encoded(Box::new(EncodedWriter::new(storage, prefix, columns, format)?)))
    }

    /// Sets the values of the partition that the objects are of and their names, and encodes so many rows at a time.
    #[must_use]
    pub(super) fn partition(self, values: Vec<String>, names: ObjectNames, piece_rows: usize) -> Self {
        match self {
            Self::Parquet(writer) => Self::from(writer.partition(values, names, piece_rows)),
            Self::Encoded(writer) => Self::Encoded(Box::new(writer.partition(values, names, piece_rows))),
        }
    }

    /// Takes rows: the columns in order, of the Arrow types of their types.
    ///
    /// # Errors
    /// `InvalidInput` for a batch of other columns; `QueryFailed` for a value that the format has no form for; those of the
    /// storage.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Parquet(writer) => writer.write(batch).await,
            Self::Encoded(writer) => writer.write(batch).await,
        }
    }

    /// Returns about how many bytes it holds in memory.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Parquet(writer) => writer.memory(),
            Self::Encoded(writer) => writer.memory(),
        }
    }

    /// Ends what is held, so that its rows leave the memory.
    ///
    /// # Errors
    /// As [`ObjectsWriter::write`].
    pub(super) async fn let_go(&mut self) -> Result<()> {
        match self {
            Self::Parquet(writer) => writer.end_row_group().await,
            Self::Encoded(writer) => writer.end_stripe().await,
        }
    }

    /// Ends the last object and returns all: they survive the loss of power.
    ///
    /// # Errors
    /// As [`ObjectsWriter::write`].
    pub(crate) async fn finish(self) -> Result<Vec<WrittenObject>> {
        match self {
            Self::Parquet(writer) => writer.finish().await,
            Self::Encoded(writer) => writer.finish().await,
        }
    }
}

impl From<ParquetWriter> for ObjectsWriter {
    fn from(writer: ParquetWriter) -> Self {
        Self::Parquet(Box::new(writer))
    }
}
