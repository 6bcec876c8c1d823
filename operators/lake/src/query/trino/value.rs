//! From the JSON of Trino's answers to typed columns.
//!
//! Numbers and booleans come as such, bytes as base64, arrays and rows as arrays, maps as objects, everything else as the
//! text that CAST writes. A column whose type has no room in Arrow (`timestamp(12)`, `geometry`) is text.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, DurationMillisecondArray, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, IntervalYearMonthArray, ListArray, MapArray, NullArray, StringArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use base64::Engine as _;
use serde_json::Value;

use super::interval;
use super::page::PageColumn;
use crate::error::{Error, ErrorKind, Result};
use crate::query::ResultColumn;
use crate::query::typed::{TypedColumns, is_of_texts};
use crate::sql::Type;

/// Makes the columns of a result.
pub(super) fn columns_of(columns: &[PageColumn]) -> TypedColumns {
    let column = |(index, column): (usize, &PageColumn)| {
        ResultColumn::of_result(index, column.name.clone(), held(&column.data_type))
    };
    TypedColumns::new(columns.iter().enumerate().map(column).collect())
}

/// Makes a batch of rows.
///
/// # Errors
/// `InvalidData` for a value that is none of its type, and for a row that does not have them all.
pub(super) fn batch(columns: &TypedColumns, rows: &[Vec<Value>]) -> Result<RecordBatch> {
    let wanted = columns.columns.len();
    if let Some(row) = rows.iter().find(|row| row.len() < wanted) {
        let message =
            format!("cannot read what Trino answers: expected rows of {wanted} values, found one of {}", row.len());
        return Err(Error::new(ErrorKind::InvalidData, "read a result", message));
    }
    columns.batch_of(rows.len(), |index, data_type| {
        let values: Vec<Option<&Value>> = rows.iter().map(|row| row.get(index).and_then(present)).collect();
        Reader { columns }.array(data_type, &values)
    })
}

/// Reads values, those inside of others too.
#[derive(Debug, Clone, Copy)]
struct Reader<'c> {
    columns: &'c TypedColumns,
}

impl Reader<'_> {
    fn array(self, data_type: &Type, values: &[Option<&Value>]) -> Result<ArrayRef, String> {
        macro_rules! integers {
            ($array:ty, $number:ty) => {
                Arc::new(collected::<$array, _>(values, |value| {
                    value.as_i64().and_then(|number| <$number>::try_from(number).ok())
                })?)
            };
        }
        Ok(match data_type {
            Type::Unknown => Arc::new(NullArray::new(values.len())),
            Type::Boolean => Arc::new(collected::<BooleanArray, _>(values, Value::as_bool)?),
            Type::Tinyint => integers!(Int8Array, i8),
            Type::Smallint => integers!(Int16Array, i16),
            Type::Integer => integers!(Int32Array, i32),
            Type::Bigint => integers!(Int64Array, i64),
            #[expect(clippy::cast_possible_truncation, reason = "the text of a real, which its 32 bits are nearest to")]
            Type::Real => {
                Arc::new(collected::<Float32Array, _>(values, |value| float(value).map(|value| value as f32))?)
            }
            Type::Double => Arc::new(collected::<Float64Array, _>(values, float)?),
            Type::Varbinary => {
                let decoder = base64::engine::general_purpose::STANDARD;
                let bytes = collected::<Vec<Option<Vec<u8>>>, _>(values, |value| decoder.decode(value.as_str()?).ok())?;
                Arc::new(bytes.iter().map(Option::as_deref).collect::<BinaryArray>())
            }
            Type::IntervalDayToSecond => Arc::new(collected::<DurationMillisecondArray, _>(values, |value| {
                interval::day_to_second(value.as_str()?)
            })?),
            Type::IntervalYearToMonth => Arc::new(collected::<IntervalYearMonthArray, _>(values, |value| {
                interval::year_to_month(value.as_str()?)
            })?),
            Type::Array(element) => self.list(data_type, element, values)?,
            Type::Map(key, value) => self.map(data_type, key, value, values)?,
            Type::Row(fields) => self.row(data_type, fields, values)?,
            other => self.columns.of_texts(other, texts(values))?,
        })
    }

    fn list(self, data_type: &Type, element: &Type, values: &[Option<&Value>]) -> Result<ArrayRef, String> {
        let mut items = Vec::new();
        let mut lengths = Vec::with_capacity(values.len());
        for value in values {
            let list = match value {
                Some(value) => value.as_array().ok_or_else(|| unexpected(value))?.as_slice(),
                None => &[],
            };
            items.extend(list.iter().map(present));
            lengths.push(list.len());
        }
        let DataType::List(field) = data_type.to_arrow() else { return Err(layout(data_type)) };
        let items = self.array(element, &items)?;
        let list = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), items, Some(nulls(values)));
        Ok(Arc::new(list.map_err(|error| error.to_string())?))
    }

    fn map(self, data_type: &Type, key: &Type, value: &Type, values: &[Option<&Value>]) -> Result<ArrayRef, String> {
        let mut keys = Vec::new();
        let mut items = Vec::new();
        let mut lengths = Vec::with_capacity(values.len());
        for object in values {
            let Some(object) = object else {
                lengths.push(0);
                continue;
            };
            let object = object.as_object().ok_or_else(|| unexpected(object))?;
            for (name, item) in object {
                keys.push(key_value(key, name));
                items.push(present(item));
            }
            lengths.push(object.len());
        }
        let DataType::Map(entries, ordered) = data_type.to_arrow() else { return Err(layout(data_type)) };
        let DataType::Struct(fields) = entries.data_type() else { return Err(layout(data_type)) };
        let keys = self.array(key, &keys.iter().map(Some).collect::<Vec<_>>())?;
        let items = self.array(value, &items)?;
        let pairs = StructArray::try_new(fields.clone(), vec![keys, items], None).map_err(|error| error.to_string())?;
        let map = MapArray::try_new(entries, OffsetBuffer::from_lengths(lengths), pairs, Some(nulls(values)), ordered);
        Ok(Arc::new(map.map_err(|error| error.to_string())?))
    }

    fn row(
        self,
        data_type: &Type,
        fields: &[(Option<String>, Type)],
        values: &[Option<&Value>],
    ) -> Result<ArrayRef, String> {
        let mut columns: Vec<Vec<Option<&Value>>> = vec![Vec::with_capacity(values.len()); fields.len()];
        for value in values {
            let row = match value {
                Some(value) => {
                    Some(value.as_array().filter(|row| row.len() == fields.len()).ok_or_else(|| unexpected(value))?)
                }
                None => None,
            };
            for (index, column) in columns.iter_mut().enumerate() {
                column.push(row.and_then(|row| row.get(index)).and_then(present));
            }
        }
        let DataType::Struct(arrow_fields) = data_type.to_arrow() else { return Err(layout(data_type)) };
        let arrays = fields
            .iter()
            .zip(&columns)
            .map(|((_, field), column)| self.array(field, column))
            .collect::<Result<Vec<_>, _>>()?;
        let row = StructArray::try_new_with_length(arrow_fields, arrays, Some(nulls(values)), values.len());
        Ok(Arc::new(row.map_err(|error| error.to_string())?))
    }
}

/// Returns the type that a column is read as.
pub(super) fn held(text: &str) -> Type {
    Type::from_trino(text).map_or(Type::Varchar(None), readable)
}

/// Makes text of what Arrow has no room for.
fn readable(data_type: Type) -> Type {
    match data_type {
        Type::Unknown | Type::Varbinary | Type::IntervalDayToSecond | Type::IntervalYearToMonth => data_type,
        Type::Array(element) => Type::Array(Arc::new(readable(element.as_ref().clone()))),
        Type::Map(key, value) => {
            Type::Map(Arc::new(readable(key.as_ref().clone())), Arc::new(readable(value.as_ref().clone())))
        }
        Type::Row(fields) => {
            Type::Row(fields.iter().map(|(name, field)| (name.clone(), readable(field.clone()))).collect())
        }
        other if is_of_texts(&other) => other,
        _ => Type::Varchar(None),
    }
}

fn present(value: &Value) -> Option<&Value> {
    (!value.is_null()).then_some(value)
}

/// Reads each value; one that cannot be read is said.
fn collected<A, T>(values: &[Option<&Value>], read: impl Fn(&Value) -> Option<T>) -> Result<A, String>
where
    A: FromIterator<Option<T>>,
{
    values.iter().map(|value| value.map(|value| read(value).ok_or_else(|| unexpected(value))).transpose()).collect()
}

/// Reads a number; those that JSON does not know are texts.
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            other => other.parse().ok(),
        },
        other => other.as_f64(),
    }
}

/// Reads texts; what is none, of a type that is not known here, stays JSON.
fn texts(values: &[Option<&Value>]) -> StringArray {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    values.iter().map(|value| value.map(text)).collect()
}

/// Reads the key of a map, which JSON knows as text only, as a value of its type.
fn key_value(data_type: &Type, name: &str) -> Value {
    let is_plain = matches!(data_type, Type::Boolean | Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint);
    let number = is_plain.then(|| serde_json::from_str(name).ok()).flatten();
    number.unwrap_or_else(|| Value::String(name.to_owned()))
}

fn nulls(values: &[Option<&Value>]) -> NullBuffer {
    values.iter().map(Option::is_some).collect()
}

fn unexpected(value: &Value) -> String {
    let text: String = value.to_string().chars().take(100).collect();
    format!("found `{text}`")
}

fn layout(data_type: &Type) -> String {
    format!("`{data_type}` is not held as expected")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::text::{display, json_value};
    use serde_json::json;

    fn typed(data_type: &str) -> TypedColumns {
        columns_of(&[PageColumn { name: "c".to_owned(), data_type: data_type.to_owned() }])
    }

    #[test]
    fn values_become_arrow_and_print_as_trino_prints_them() {
        for (data_type, value, shown) in [
            ("boolean", json!(true), "true"),
            ("tinyint", json!(-7), "-7"),
            ("bigint", json!(i64::MIN), "-9223372036854775808"),
            ("real", json!(1.1), "1.1"),
            ("double", json!("Infinity"), "Infinity"),
            ("double", json!(1e10), "1.0E10"),
            (
                "decimal(38,2)",
                json!("123456789012345678901234567890123456.78"),
                "123456789012345678901234567890123456.78",
            ),
            ("varchar(3)", json!(""), ""),
            ("char(4)", json!("ab  "), "ab  "),
            ("varbinary", json!("QQr/"), "41 0a ff"),
            ("date", json!("2024-02-29"), "2024-02-29"),
            ("time(6)", json!("01:02:03.000004"), "01:02:03.000004"),
            ("timestamp(0)", json!("2024-02-29 01:02:03"), "2024-02-29 01:02:03"),
            ("timestamp(9)", json!("2024-02-29 01:02:03.000000456"), "2024-02-29 01:02:03.000000456"),
            ("timestamp(12)", json!("2024-02-29 01:02:03.000000000456"), "2024-02-29 01:02:03.000000000456"),
            (
                "timestamp(3) with time zone",
                json!("2024-02-29 01:02:03.004 Europe/Paris"),
                "2024-02-29 01:02:03.004 Europe/Paris",
            ),
            ("interval day to second", json!("-1 02:03:04.005"), "-1 02:03:04.005"),
            ("interval year to month", json!("1-2"), "1-2"),
            ("uuid", json!("12151fd2-7586-11e9-8f9e-2a86e4085a59"), "12151fd2-7586-11e9-8f9e-2a86e4085a59"),
            ("json", json!("{\"a\":1}"), "{\"a\":1}"),
            ("array(integer)", json!([1, null]), "[1, null]"),
            ("map(bigint, varchar)", json!({"7": "x"}), "{7=x}"),
            ("map(boolean, array(double))", json!({"true": [0.5]}), "{true=[0.5]}"),
            ("row(a integer, \"B\" varchar)", json!([1, "x"]), "{a=1, B=x}"),
            ("array(timestamp(12))", json!(["2024-02-29 01:02:03.000000000456"]), "[2024-02-29 01:02:03.000000000456]"),
            ("HyperLogLog", json!("AgwEAA=="), "AgwEAA=="),
        ] {
            let typed = typed(data_type);
            let batch = batch(&typed, &[vec![Value::Null], vec![value.clone()]]).unwrap();
            let column = &typed.columns[0].data_type;
            assert_eq!(display(column, batch.column(0), 0), None, "{data_type}");
            assert_eq!(display(column, batch.column(0), 1).as_deref(), Some(shown), "{data_type}");
            assert_eq!(json_value(batch.column(0), 1, column), value, "{data_type}");
        }
        assert_eq!(batch(&typed("unknown"), &[vec![Value::Null]]).unwrap().num_rows(), 1);
        assert_eq!(batch(&columns_of(&[]), &[vec![], vec![]]).unwrap().num_rows(), 2);
    }

    #[test]
    fn a_row_that_is_too_short_is_no_row() {
        let columns = ["one", "two"].map(|name| PageColumn { name: name.to_owned(), data_type: "integer".to_owned() });
        let error = batch(&columns_of(&columns), &[vec![json!(1), json!(2)], vec![json!(1)]]).unwrap_err();
        assert_eq!(error.to_string(), "cannot read what Trino answers: expected rows of 2 values, found one of 1");
    }

    #[test]
    fn a_value_that_does_not_fit_names_its_column() {
        for (data_type, value, message) in [
            (
                "integer",
                json!(5_000_000_000_i64),
                "column `c` of the result cannot be read as integer: found `5000000000`",
            ),
            (
                "array(integer)",
                json!({"a": 1}),
                "column `c` of the result cannot be read as array(integer): found `{\"a\":1}`",
            ),
        ] {
            let error = batch(&typed(data_type), &[vec![value]]).unwrap_err();
            assert_eq!(error.message, message);
        }
    }
}
