//! Reads Avro's object container files: columns by their names in the schema that the file has, in lower case; what it does not have
//! is NULL.
//!
//! A reader schema of the table (`avro.schema.literal`) is not asked: the table's own columns say what is read.
//! <https://docs.aws.amazon.com/athena/latest/ug/avro-serde.html>.

mod container;

use std::io::{BufReader, Read};

use arrow_avro::reader::ReaderBuilder;
use datafusion::arrow::array::{ArrayRef, new_null_array};
use datafusion::arrow::record_batch::RecordBatch;
use serde_json::Value;

use self::container::Container;
pub(crate) use self::container::rows;
use super::adapt::{adapt, fits};
use super::line::cast_failed;
use super::stream::{Asked, Batches};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Type;

/// Reads one object; ends early when nobody reads the batches any more.
///
/// # Errors
/// `InvalidData` for an object that is no such file, or holds a column of another type.
pub(super) fn read(asked: &Asked, bytes: impl Read, batches: &Batches) -> Result<()> {
    let container = Container::open(BufReader::with_capacity(1 << 16, bytes)).map_err(|error| asked.failed(&error))?;
    let fields = fields(container.schema()).map_err(|why| asked.broken(&why))?;
    let wanted: Vec<(&(String, Type), Option<usize>)> = asked
        .wanted
        .iter()
        .filter_map(|index| asked.columns.get(*index))
        .map(|column| (column, fields.iter().position(|field| field.to_lowercase() == column.0)))
        .collect();
    let mut projection: Vec<usize> = wanted.iter().filter_map(|(_, field)| *field).collect();
    projection.sort_unstable();
    projection.dedup();
    let mut builder = ReaderBuilder::new().with_batch_size(asked.batch_rows);
    // Rows are counted by the columns that are read.
    if !projection.is_empty() {
        builder = builder.with_projection(projection.clone());
    }
    for batch in builder.build(container).map_err(|error| asked.failed(&error))? {
        let batch = batch.map_err(|error| asked.failed(&error))?;
        let arrays = wanted.iter().map(|((name, data_type), field)| {
            let place = field.and_then(|field| projection.binary_search(&field).ok());
            column(&batch, place, name, data_type).map_err(|error| asked.in_object(error))
        });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        if !asked.send(arrays, batch.num_rows(), batches)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Returns the names of the top-level fields.
fn fields(schema: &str) -> std::result::Result<Vec<String>, String> {
    let schema: Value = serde_json::from_str(schema).map_err(|error| format!("its schema is no JSON: {error}"))?;
    let Some(fields) = schema.get("fields").and_then(Value::as_array) else {
        return Err("its schema is not that of a record".to_owned());
    };
    Ok(fields.iter().filter_map(|field| field.get("name").and_then(Value::as_str)).map(str::to_owned).collect())
}

/// Turns what an object holds for a column into the column's type.
fn column(batch: &RecordBatch, place: Option<usize>, name: &str, data_type: &Type) -> Result<ArrayRef> {
    let Some(found) = place.and_then(|place| batch.columns().get(place)) else {
        return Ok(new_null_array(&data_type.to_arrow(), batch.num_rows()));
    };
    if !fits(found.data_type(), data_type) {
        return Err(Error::new(
            ErrorKind::InvalidData,
            "read Avro",
            format!("HIVE_BAD_DATA: column `{name}` is {data_type}, and the object holds `{}`", found.data_type()),
        ));
    }
    adapt(found, data_type).map_err(|error| cast_failed(name, &error))
}

#[cfg(test)]
mod tests;
