//! One Parquet file outside of the lake, for whoever asks for a query's result as a file: the same types and settings as
//! published objects.

use std::fs::File;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;

use super::Compression;
use super::parquet::{properties, relabel, stored_type};
use crate::error::{Error, ErrorKind, Result};
use crate::query::ResultColumn;

const OPERATION: &str = "write a Parquet file";

/// A Parquet file that is being written.
#[derive(Debug)]
pub struct ParquetFile {
    writer: ArrowWriter<File>,
    schema: SchemaRef,
}

impl ParquetFile {
    /// Begins a file of a query's columns.
    ///
    /// # Errors
    /// `InvalidInput` for two columns of one name or a type that Parquet has no form for.
    pub fn create(file: File, columns: &[ResultColumn]) -> Result<Self> {
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = columns.iter().find(|column| !seen.insert(column.name.to_lowercase())) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                OPERATION,
                format!("two columns are named `{}`: give one of them another name with AS", twice.name),
            ));
        }
        let fields: Vec<Field> =
            columns.iter().map(|column| Field::new(&column.name, stored_type(&column.data_type), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let options =
            ArrowWriterOptions::new().with_properties(properties(Compression::Zstd)?).with_skip_arrow_metadata(true);
        let writer =
            ArrowWriter::try_new_with_options(file, Arc::clone(&schema), options).map_err(|error| failed(&error))?;
        Ok(Self { writer, schema })
    }

    /// Takes rows of the result.
    ///
    /// # Errors
    /// `External` when the file cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| relabel(column, field.data_type()))
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, OPERATION, error.to_string()))?;
        self.writer.write(&batch).map_err(|error| failed(&error))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// As [`ParquetFile::write`].
    pub fn finish(self) -> Result<()> {
        self.writer.close().map(drop).map_err(|error| failed(&error))
    }
}

fn failed(error: &ParquetError) -> Error {
    Error::new(ErrorKind::External, OPERATION, format!("cannot write the file: {error}"))
}
