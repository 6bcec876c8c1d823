//! Column builders: the text of a cell goes straight into Arrow buffers, and a row that turns out bad is taken back.
//!
//! Arrow's own builders cannot take back a value, and a row is known to be good only after its last cell.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, NullBufferBuilder, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::config::ColumnType;
use super::guess::could_be;
use super::number::{boolean, decimal, double, integer, real};
use super::parse::json;
use super::time_format::{TimeDefaults, TimeFormat};
use crate::error::{Error, ErrorKind, Result};

/// A column with everything that is needed to read its cells.
#[derive(Debug, Clone)]
pub(crate) struct ReadColumn {
    /// The name, lower case.
    pub name: String,
    /// The type.
    pub column_type: ColumnType,
    /// The format of times.
    pub format: TimeFormat,
    /// What fills the gaps of times.
    pub defaults: TimeDefaults,
    /// Whether the type was guessed: then a value that it would change is none of it.
    pub is_guessed: bool,
}

/// Returns the Arrow schema of columns; every column may hold NULL.
pub(crate) fn schema(columns: &[ReadColumn]) -> SchemaRef {
    Arc::new(Schema::new(
        columns.iter().map(|column| Field::new(&column.name, column.column_type.to_arrow(), true)).collect::<Vec<_>>(),
    ))
}

#[derive(Debug)]
enum Values {
    Boolean(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal(Vec<i128>),
    Text { ends: Vec<i32>, bytes: Vec<u8> },
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
}

/// Builds one column.
#[derive(Debug)]
pub(crate) struct ColumnBuilder {
    column: ReadColumn,
    values: Values,
    nulls: NullBufferBuilder,
}

/// A cell's text is none of its column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadCell;

impl ColumnBuilder {
    /// Makes a builder with room for so many rows, and so many bytes of their texts.
    pub(crate) fn new(column: ReadColumn, rows: usize, text_bytes: usize) -> Self {
        let values = match column.column_type {
            ColumnType::Boolean => Values::Boolean(BooleanBufferBuilder::new(rows)),
            ColumnType::Tinyint => Values::Int8(Vec::with_capacity(rows)),
            ColumnType::Smallint => Values::Int16(Vec::with_capacity(rows)),
            ColumnType::Integer => Values::Int32(Vec::with_capacity(rows)),
            ColumnType::Bigint => Values::Int64(Vec::with_capacity(rows)),
            ColumnType::Real => Values::Float32(Vec::with_capacity(rows)),
            ColumnType::Double => Values::Float64(Vec::with_capacity(rows)),
            ColumnType::Decimal(..) => Values::Decimal(Vec::with_capacity(rows)),
            ColumnType::Varchar(_) | ColumnType::Json => {
                let mut ends = Vec::with_capacity(rows + 1);
                ends.push(0);
                Values::Text { ends, bytes: Vec::with_capacity(text_bytes) }
            }
            ColumnType::Date => Values::Date(Vec::with_capacity(rows)),
            ColumnType::Timestamp => Values::Timestamp(Vec::with_capacity(rows)),
        };
        Self { column, values, nulls: NullBufferBuilder::new(rows) }
    }

    /// Returns what it builds.
    pub(crate) fn column(&self) -> &ReadColumn {
        &self.column
    }

    /// Adds a NULL.
    pub(crate) fn append_null(&mut self) {
        match &mut self.values {
            Values::Boolean(values) => values.append(false),
            Values::Int8(values) => values.push(0),
            Values::Int16(values) => values.push(0),
            Values::Int32(values) | Values::Date(values) => values.push(0),
            Values::Int64(values) | Values::Timestamp(values) => values.push(0),
            Values::Float32(values) => values.push(0.0),
            Values::Float64(values) => values.push(0.0),
            Values::Decimal(values) => values.push(0),
            Values::Text { ends, bytes } => ends.push(text_end(bytes)),
        }
        self.nulls.append_null();
    }

    /// Reads the text of a cell. The text is valid UTF-8.
    ///
    /// # Errors
    /// `BadCell` when the text is none of the type; nothing is added then.
    pub(crate) fn append_text(&mut self, text: &[u8]) -> Result<(), BadCell> {
        if self.column.is_guessed && !could_be(self.column.column_type, text) {
            return Err(BadCell);
        }
        match &mut self.values {
            Values::Text { ends, bytes } => {
                let fits = match self.column.column_type {
                    ColumnType::Varchar(Some(most)) => characters_at_most(text, most),
                    ColumnType::Json => json::is_value(text),
                    _ => true,
                };
                if !fits {
                    return Err(BadCell);
                }
                bytes.extend_from_slice(text);
                ends.push(text_end(bytes));
            }
            Values::Int64(values) => values.push(integer(text).ok_or(BadCell)?),
            Values::Int32(values) => values.push(narrow(text)?),
            Values::Int16(values) => values.push(narrow(text)?),
            Values::Int8(values) => values.push(narrow(text)?),
            Values::Float64(values) => values.push(double(text).ok_or(BadCell)?),
            Values::Float32(values) => values.push(real(text).ok_or(BadCell)?),
            Values::Boolean(values) => values.append(boolean(text).ok_or(BadCell)?),
            Values::Decimal(values) => {
                let ColumnType::Decimal(precision, scale) = self.column.column_type else { return Err(BadCell) };
                values.push(decimal(text, precision, scale).ok_or(BadCell)?);
            }
            Values::Date(values) => {
                values.push(self.column.format.parse_day(text, &self.column.defaults).ok_or(BadCell)?);
            }
            Values::Timestamp(values) => {
                values.push(self.column.format.parse(text, &self.column.defaults).ok_or(BadCell)?);
            }
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Adds a time that was read already, in microseconds since 1970.
    ///
    /// # Errors
    /// `BadCell` when this is no column of times.
    pub(crate) fn append_micros(&mut self, micros: i64) -> Result<(), BadCell> {
        let Values::Timestamp(values) = &mut self.values else { return Err(BadCell) };
        values.push(micros);
        self.nulls.append_non_null();
        Ok(())
    }

    /// Reads a JSON number into the column: `1.0` and `1e3` are whole numbers too.
    ///
    /// # Errors
    /// As [`ColumnBuilder::append_text`].
    pub(crate) fn append_number(&mut self, text: &[u8]) -> Result<(), BadCell> {
        let whole = matches!(self.values, Values::Int8(_) | Values::Int16(_) | Values::Int32(_) | Values::Int64(_));
        if whole && text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
            let value = decimal(text, 19, 0).ok_or(BadCell)?;
            return self.append_text(value.to_string().as_bytes());
        }
        self.append_text(text)
    }

    /// Takes back what was added after the first `rows` values.
    pub(crate) fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Boolean(values) => values.truncate(rows),
            Values::Int8(values) => values.truncate(rows),
            Values::Int16(values) => values.truncate(rows),
            Values::Int32(values) | Values::Date(values) => values.truncate(rows),
            Values::Int64(values) | Values::Timestamp(values) => values.truncate(rows),
            Values::Float32(values) => values.truncate(rows),
            Values::Float64(values) => values.truncate(rows),
            Values::Decimal(values) => values.truncate(rows),
            Values::Text { ends, bytes } => {
                ends.truncate(rows + 1);
                bytes.truncate(ends.last().and_then(|end| usize::try_from(*end).ok()).unwrap_or(0));
            }
        }
        self.nulls.truncate(rows);
    }

    /// Returns the column.
    fn finish(mut self) -> Result<ArrayRef> {
        let nulls = self.nulls.finish();
        Ok(match self.values {
            Values::Boolean(mut values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Int8(values) => Arc::new(Int8Array::new(values.into(), nulls)),
            Values::Int16(values) => Arc::new(Int16Array::new(values.into(), nulls)),
            Values::Int32(values) => Arc::new(Int32Array::new(values.into(), nulls)),
            Values::Int64(values) => Arc::new(Int64Array::new(values.into(), nulls)),
            Values::Float32(values) => Arc::new(Float32Array::new(values.into(), nulls)),
            Values::Float64(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Values::Date(values) => Arc::new(Date32Array::new(values.into(), nulls)),
            Values::Timestamp(values) => Arc::new(TimestampMicrosecondArray::new(values.into(), nulls)),
            Values::Decimal(values) => {
                let array = Decimal128Array::new(values.into(), nulls);
                Arc::new(array.with_data_type(self.column.column_type.to_arrow()))
            }
            Values::Text { ends, bytes } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                let array = StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls);
                Arc::new(array.map_err(|error| {
                    Error::new(ErrorKind::InvalidData, "build a column", format!("expected text: {error}"))
                        .with("column", &self.column.name)
                })?)
            }
        })
    }
}

/// Builds record batches row by row.
#[derive(Debug)]
pub(crate) struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    rows: usize,
}

impl BatchBuilder {
    /// Makes a builder with room for so many rows, which are read from so many bytes.
    pub(crate) fn new(columns: &[ReadColumn], rows: usize, bytes: usize) -> Self {
        let text_bytes = bytes / columns.len().max(1);
        let builders = columns.iter().map(|column| ColumnBuilder::new(column.clone(), rows, text_bytes));
        Self { schema: schema(columns), columns: builders.collect(), rows: 0 }
    }

    /// Returns the builders; every row adds one value to each, then calls [`BatchBuilder::row_done`].
    pub(crate) fn columns(&mut self) -> &mut [ColumnBuilder] {
        &mut self.columns
    }

    /// The row is good.
    pub(crate) fn row_done(&mut self) {
        self.rows += 1;
    }

    /// The row is bad: takes back what was added of it.
    pub(crate) fn row_undone(&mut self) {
        for column in &mut self.columns {
            column.truncate(self.rows);
        }
    }

    /// Returns the rows.
    ///
    /// # Errors
    /// `InvalidData` when a text is not UTF-8, which parsers have looked at before.
    pub(crate) fn finish(self) -> Result<RecordBatch> {
        let columns = self.columns.into_iter().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(self.schema, columns, &options)
            .map_err(|error| Error::new(ErrorKind::InvalidData, "build a batch", error.to_string()).source(error))
    }
}

/// The end of the text so far. A chunk is far below 2 GiB (see `chunk::MAX_RECORD_BYTES`).
fn text_end(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).unwrap_or(i32::MAX)
}

fn characters_at_most(text: &[u8], most: u32) -> bool {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    text.len() <= most || text.iter().filter(|byte| (**byte & 0xC0) != 0x80).count() <= most
}

fn narrow<T: TryFrom<i64>>(text: &[u8]) -> Result<T, BadCell> {
    integer(text).and_then(|value| T::try_from(value).ok()).ok_or(BadCell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_row_is_taken_back() {
        let column = |name: &str, column_type| ReadColumn {
            name: name.to_owned(),
            column_type,
            format: TimeFormat::ISO,
            defaults: TimeDefaults::default(),
            is_guessed: false,
        };
        let columns = [column("a", ColumnType::Varchar(None)), column("b", ColumnType::Bigint)];
        let mut builder = BatchBuilder::new(&columns, 1, 0);
        for (a, b) in [("x", "1"), ("gone", "no"), ("y", "2")] {
            let good = builder.columns()[0].append_text(a.as_bytes()).is_ok()
                && builder.columns()[1].append_text(b.as_bytes()).is_ok();
            if good { builder.row_done() } else { builder.row_undone() }
        }
        builder.columns()[0].append_null();
        builder.columns()[1].append_null();
        builder.row_done();
        let batch = builder.finish().unwrap();
        let texts = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
        assert_eq!(texts.iter().collect::<Vec<_>>(), [Some("x"), Some("y"), None]);
        let numbers = batch.column(1).as_any().downcast_ref::<Int64Array>().unwrap();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [Some(1), Some(2), None]);
    }
}
