//! Rows of a query or of an input as points: three columns, by their names.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, StringArray, new_empty_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Float64Type, TimeUnit, TimestampMicrosecondType};
use lake::{Error, ErrorKind, Result};
use metrics::SeriesName;
use metrics::point::canonical;
use metrics::time::{WHOLE_MS, check_time};
use schemars::JsonSchema;
use serde::Deserialize;

use super::batch::Rows;

/// What the column of times may be called.
const TIMES: [&str; 3] = ["timestamp", "ts", "time"];

const NAME_TYPE: DataType = DataType::Utf8;
const TIME_TYPE: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
const VALUE_TYPE: DataType = DataType::Float64;

/// Which columns of an input are a point.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InputColumns {
    /// The column of the series' names: text. Default: `name`.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// The column of the times: `timestamp` or `date`. Default: `timestamp`, `ts` or `time`.
    #[serde(default)]
    pub(super) timestamp: Option<String>,
    /// The column of the values: numbers. Default: `value`.
    #[serde(default)]
    pub(super) value: Option<String>,
}

/// Which columns of a result are a point.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    name: Column,
    time: Column,
    value: Column,
}

/// A column of a result.
#[derive(Debug, Clone)]
struct Column {
    at: usize,
    /// What it is called there: rows of a query come without their names.
    called: String,
}

impl Column {
    fn new(at: usize, names: &[&str]) -> Self {
        Self { at, called: names.get(at).map_or_else(String::new, |name| (*name).to_owned()) }
    }
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
        let found = (find(&["name"]), find(&TIMES), find(&["value"]));
        match found {
            (Some(name), Some(time), Some(value)) if names.len() == 3 => {
                let column = |at| Column::new(at, names);
                Ok(Self { name: column(name), time: column(time), value: column(value) })
            }
            _ => {
                let message =
                    format!("expected the columns `name`, `timestamp` and `value`, found `{}`", names.join("`, `"));
                Err(Error::new(ErrorKind::SchemaMismatch, "read points", message)
                    .help("name them in the SELECT: `SELECT host AS name, at AS timestamp, load AS value FROM …`"))
            }
        }
    }

    /// Finds the columns of an input, whose other columns are passed over.
    ///
    /// # Errors
    /// `SchemaMismatch` with the columns that there are, or a column of a type that is none of a point.
    pub(super) fn of_input(named: &InputColumns, columns: &[(String, DataType)]) -> Result<Self> {
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let find = |what: &str, named: Option<&String>, usual: &[&str]| {
            let wanted: Vec<&str> = named.map_or_else(|| usual.to_vec(), |name| vec![name.as_str()]);
            let found =
                wanted.iter().find_map(|wanted| names.iter().position(|name| name.eq_ignore_ascii_case(wanted)));
            found.map(|at| Column::new(at, &names)).ok_or_else(|| {
                let message = format!("expected a column `{}` in the input, found `{}`", wanted[0], names.join("`, `"));
                Error::new(ErrorKind::SchemaMismatch, "read points", message)
                    .help(format!("say which one is it: `columns: {{{what}: …}}`"))
            })
        };
        let columns_of = Self {
            name: find("name", named.name.as_ref(), &["name"])?,
            time: find("timestamp", named.timestamp.as_ref(), &TIMES)?,
            value: find("value", named.value.as_ref(), &["value"])?,
        };
        for (column, data_type) in
            [(&columns_of.name, NAME_TYPE), (&columns_of.time, TIME_TYPE), (&columns_of.value, VALUE_TYPE)]
        {
            let (name, found) = &columns[column.at];
            as_type(&new_empty_array(found), name, &data_type)
                .map_err(|error| error.help("the parser's `columns` say the types: `{name: …, type: …}`"))?;
        }
        Ok(columns_of)
    }

    /// Says which rows of a batch are no points, and why not.
    ///
    /// # Errors
    /// `SchemaMismatch` for a column of another type.
    pub(super) fn refused(&self, batch: &RecordBatch) -> Result<BTreeMap<usize, String>> {
        let values = self.values(batch)?;
        let mut refused = BTreeMap::new();
        let mut last = None;
        for row in 0..batch.num_rows() {
            match values.point(row, last.take()) {
                Ok((name, ..)) => last = Some(name),
                Err(why) => drop(refused.insert(row, why.message)),
            }
        }
        Ok(refused)
    }

    /// Adds the rows of a batch; `before` rows came before it, for messages.
    ///
    /// # Errors
    /// `InvalidData` with the first row that is no point; `SchemaMismatch` for a column of another type.
    pub(super) fn add(&self, batch: &RecordBatch, before: u64, rows: &mut Rows) -> Result<()> {
        let values = self.values(batch)?;
        let mut last: Option<SeriesName> = None;
        for row in 0..batch.num_rows() {
            let (name, time_ms, value) = values.point(row, last.take()).map_err(|why| {
                let number = before.saturating_add(u64::try_from(row).unwrap_or(0)) + 1;
                let error = Error::new(ErrorKind::InvalidData, "read points", format!("row {number}: {}", why.message));
                match why.help {
                    Some(help) => error.help(help),
                    None => error,
                }
            })?;
            rows.add(&name, &[(time_ms, value)]);
            last = Some(name);
        }
        Ok(())
    }

    fn values(&self, batch: &RecordBatch) -> Result<PointColumns> {
        let column = |column: &Column, wanted| as_type(batch.column(column.at), &column.called, wanted);
        let (names, times) = (column(&self.name, &NAME_TYPE)?, column(&self.time, &TIME_TYPE)?);
        let values = column(&self.value, &VALUE_TYPE)?;
        Ok(PointColumns {
            names: names.as_string::<i32>().clone(),
            times: times.as_primitive::<TimestampMicrosecondType>().clone(),
            values: values.as_primitive::<Float64Type>().clone(),
        })
    }
}

/// The columns of some rows.
struct PointColumns {
    names: StringArray,
    times: PrimitiveArray<TimestampMicrosecondType>,
    values: PrimitiveArray<Float64Type>,
}

/// Why a row is no point.
struct Refusal {
    message: String,
    /// What helps where the row comes from a query.
    help: Option<&'static str>,
}

impl PointColumns {
    /// Reads a row; `last` is the series of the row before, most likely the same.
    fn point(&self, row: usize, last: Option<SeriesName>) -> std::result::Result<(SeriesName, i64, f64), Refusal> {
        let refused = |message: String| Refusal { message, help: None };
        for (column, is_null) in [
            ("name", self.names.is_null(row)),
            ("timestamp", self.times.is_null(row)),
            ("value", self.values.is_null(row)),
        ] {
            if is_null {
                let help = Some("leave such rows out in the SELECT: `WHERE value IS NOT NULL`");
                return Err(Refusal { message: format!("expected a {column}, found NULL"), help });
            }
        }
        let micros = self.times.value(row);
        if micros.rem_euclid(1_000) != 0 {
            return Err(Refusal {
                message: format!("{WHOLE_MS}, found {micros} microseconds since 1970"),
                help: Some("round it in the SELECT: `CAST(at AS timestamp(3)) AS timestamp`"),
            });
        }
        let time_ms = micros.div_euclid(1_000);
        check_time(time_ms).map_err(|error| refused(error.message))?;
        let text = self.names.value(row);
        let name = match last.filter(|last| last.as_str() == text) {
            Some(name) => name,
            None => SeriesName::new(text).map_err(|error| refused(error.message))?,
        };
        Ok((name, time_ms, canonical(self.values.value(row))))
    }
}

/// Returns what SQL calls a type.
fn word(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar".to_owned(),
        DataType::Dictionary(_, value) => word(value),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "varbinary".to_owned(),
        DataType::List(item) | DataType::LargeList(item) => format!("array({})", word(item.data_type())),
        DataType::Struct(fields) if is_zoned(fields) => "timestamp with time zone".to_owned(),
        DataType::Struct(_) => "row".to_owned(),
        DataType::Map(..) => "map".to_owned(),
        DataType::Null => "NULL".to_owned(),
        other => other.to_string(),
    }
}

/// Tells whether a row is what the embedded engine keeps a `timestamp with time zone` as.
fn is_zoned(fields: &Fields) -> bool {
    let is_timestamp = |field: &Field| matches!(field.data_type(), DataType::Timestamp(..));
    matches!(fields.iter().as_slice(), [instant, zone] if instant.name() == "instant" && zone.name() == "zone" && is_timestamp(instant))
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
        let message = format!("expected {expected} as `{name}`, found {}", word(found));
        let error = Error::new(ErrorKind::SchemaMismatch, "read points", message);
        match (wanted, word(found).as_str()) {
            (DataType::Timestamp(..), "timestamp with time zone") => {
                error.help(format!("take it in UTC in the SELECT: `CAST({name} AT TIME ZONE 'UTC' AS timestamp)`"))
            }
            (DataType::Timestamp(..), "bigint" | "integer") => error.help(format!(
                "make a time of it in the SELECT; of milliseconds since 1970: `CAST(from_unixtime({name} / 1e3) AT TIME ZONE 'UTC' AS \
                 timestamp)`"
            )),
            _ => error,
        }
    };
    if !fits {
        return Err(refused());
    }
    cast(column, wanted).map_err(|error| refused().source(error))
}
