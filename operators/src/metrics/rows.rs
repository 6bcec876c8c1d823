//! Rows of a query or of a Parquet file as points: three columns, by their names.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};
use lake::{Error, ErrorKind, Result};
use metrics::SeriesName;
use metrics::point::canonical;
use metrics::time::check_time;

use super::batch::Rows;

/// Which columns of a result are a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    name: usize,
    time: usize,
    value: usize,
}

impl Columns {
    /// Finds the columns `name`, `timestamp` (or `ts`, `time`) and `value`; others are refused, as nobody would keep them.
    ///
    /// # Errors
    /// `SchemaMismatch` with the columns that there are.
    pub(super) fn of(names: &[&str]) -> Result<Self> {
        let find = |wanted: &[&str]| {
            names.iter().position(|name| wanted.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)))
        };
        let found = (find(&["name"]), find(&["timestamp", "ts", "time"]), find(&["value"]));
        match found {
            (Some(name), Some(time), Some(value)) if names.len() == 3 => Ok(Self { name, time, value }),
            _ => {
                let message =
                    format!("expected the columns `name`, `timestamp` and `value`, found `{}`", names.join("`, `"));
                Err(Error::new(ErrorKind::SchemaMismatch, "read points", message)
                    .help("name them in the SELECT: `SELECT host AS name, at AS timestamp, load AS value FROM …`"))
            }
        }
    }

    /// Adds the rows of a batch; `before` rows came before it, for messages.
    ///
    /// # Errors
    /// `InvalidData` with the first row that is no point; `SchemaMismatch` for a column of another type.
    pub(super) fn add(&self, batch: &RecordBatch, before: u64, rows: &mut Rows) -> Result<()> {
        let names = as_type(batch.column(self.name), "name", &DataType::Utf8)?;
        let times = as_type(batch.column(self.time), "timestamp", &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        let values = as_type(batch.column(self.value), "value", &DataType::Float64)?;
        let names = names.as_string::<i32>();
        let (times, values) = (times.as_primitive::<TimestampMicrosecondType>(), values.as_primitive::<Float64Type>());
        let mut last: Option<SeriesName> = None;
        for row in 0..batch.num_rows() {
            let wrong = |why: String| {
                let number = before.saturating_add(u64::try_from(row).unwrap_or(0)) + 1;
                Error::new(ErrorKind::InvalidData, "read points", format!("row {number}: {why}"))
            };
            for (column, is_null) in
                [("name", names.is_null(row)), ("timestamp", times.is_null(row)), ("value", values.is_null(row))]
            {
                if is_null {
                    return Err(wrong(format!("expected a {column}, found NULL"))
                        .help("leave such rows out in the SELECT: `WHERE value IS NOT NULL`"));
                }
            }
            let micros = times.value(row);
            if micros.rem_euclid(1_000) != 0 {
                return Err(wrong(format!(
                    "expected a time of whole milliseconds, found {micros} microseconds since 1970"
                ))
                .help("round it in the SELECT: `CAST(at AS timestamp(3)) AS timestamp`"));
            }
            let time_ms = micros.div_euclid(1_000);
            check_time(time_ms).map_err(|error| wrong(error.message))?;
            let text = names.value(row);
            let name = match last.take().filter(|last| last.as_str() == text) {
                Some(name) => name,
                None => SeriesName::new(text).map_err(|error| wrong(error.message))?,
            };
            rows.add(&name, &[(time_ms, canonical(values.value(row)))]);
            last = Some(name);
        }
        Ok(())
    }
}

/// Casts a column to a type that holds all its values.
fn as_type(column: &ArrayRef, name: &str, wanted: &DataType) -> Result<ArrayRef> {
    let found = column.data_type();
    let fits = match wanted {
        DataType::Utf8 => {
            matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..))
        }
        DataType::Float64 => found.is_numeric() && !matches!(found, DataType::Decimal256(..)),
        _ => matches!(found, DataType::Timestamp(_, None) | DataType::Date32),
    };
    let refused = || {
        let expected = match wanted {
            DataType::Utf8 => "a text",
            DataType::Float64 => "a number",
            _ => "a timestamp without a zone",
        };
        let message = format!("expected {expected} as `{name}`, found {found}");
        Error::new(ErrorKind::SchemaMismatch, "read points", message)
    };
    if !fits {
        return Err(refused());
    }
    cast(column, wanted).map_err(|error| refused().source(error))
}
