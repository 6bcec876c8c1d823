//! Values as text: what a user reads, and what Trino's REST protocol sends.

pub mod number;

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use arrow::datatypes::{
    Date32Type, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalYearMonthType, Time64MicrosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use base64::Engine;
use serde_json::Value;

use super::temporal::{
    Zones, format,
    zoned::{Instants, OffsetTimes},
};
use super::types::Type;

/// Writes a value as Athena's results and CSV show it: `[1, 2]`, `{a=1}`, `41 42`, `1.0E10`; none for NULL.
#[must_use]
pub fn display(data_type: &Type, array: &ArrayRef, row: usize) -> Option<String> {
    let mut out = String::new();
    write_value(&mut out, data_type, array.as_ref(), row)?;
    Some(out)
}

/// Returns a value as Trino's REST protocol gives it: numbers, texts, arrays, and objects for maps.
#[must_use]
pub fn json_value(array: &dyn Array, row: usize, data_type: &Type) -> Value {
    json(array, row, data_type).unwrap_or(Value::Null)
}

fn json(array: &dyn Array, row: usize, data_type: &Type) -> Option<Value> {
    if is_null(array, row) {
        return None;
    }
    Some(match data_type {
        Type::Boolean => Value::Bool(array.as_boolean_opt()?.value(row)),
        Type::Tinyint => array.as_primitive_opt::<Int8Type>()?.value(row).into(),
        Type::Smallint => array.as_primitive_opt::<Int16Type>()?.value(row).into(),
        Type::Integer => array.as_primitive_opt::<Int32Type>()?.value(row).into(),
        Type::Bigint => array.as_primitive_opt::<Int64Type>()?.value(row).into(),
        Type::Real => {
            let value = array.as_primitive_opt::<Float32Type>()?.value(row);
            // The shortest text of the 32 bits, not their exact value.
            float(value.is_finite().then(|| value.to_string().parse().ok()).flatten(), f64::from(value))
        }
        Type::Double => {
            let value = array.as_primitive_opt::<Float64Type>()?.value(row);
            float(value.is_finite().then_some(value), value)
        }
        Type::Varbinary => {
            Value::String(base64::engine::general_purpose::STANDARD.encode(array.as_binary_opt::<i32>()?.value(row)))
        }
        Type::Array(element) => {
            let items = array.as_any().downcast_ref::<ListArray>()?.value(row);
            Value::Array((0..items.len()).map(|at| json_value(items.as_ref(), at, element)).collect())
        }
        Type::Row(fields) => {
            let columns = array.as_any().downcast_ref::<StructArray>()?;
            Value::Array(
                fields
                    .iter()
                    .enumerate()
                    .map(|(at, (_, field))| json_value(columns.column(at).as_ref(), row, field))
                    .collect(),
            )
        }
        Type::Map(key, value) => {
            let entries = array.as_any().downcast_ref::<MapArray>()?.value(row);
            let mut object = serde_json::Map::new();
            for at in 0..entries.len() {
                let name = display(key, entries.column(0), at).unwrap_or_default();
                object.insert(name, json_value(entries.column(1).as_ref(), at, value));
            }
            Value::Object(object)
        }
        _ => {
            let mut out = String::new();
            write_value(&mut out, data_type, array, row)?;
            Value::String(out)
        }
    })
}

/// A number where it is one; `NaN` and the infinities are texts.
fn float(finite: Option<f64>, value: f64) -> Value {
    match finite.and_then(serde_json::Number::from_f64) {
        Some(number) => Value::Number(number),
        None => Value::String(number::java_double(value)),
    }
}

/// Writes a value; none for NULL.
fn write_value(out: &mut String, data_type: &Type, array: &dyn Array, row: usize) -> Option<()> {
    if is_null(array, row) {
        return None;
    }
    // Writing to a string cannot fail.
    match data_type {
        Type::Unknown => return None,
        Type::Boolean => out.push_str(if array.as_boolean_opt()?.value(row) { "true" } else { "false" }),
        Type::Tinyint => {
            let _ = write!(out, "{}", array.as_primitive_opt::<Int8Type>()?.value(row));
        }
        Type::Smallint => {
            let _ = write!(out, "{}", array.as_primitive_opt::<Int16Type>()?.value(row));
        }
        Type::Integer => {
            let _ = write!(out, "{}", array.as_primitive_opt::<Int32Type>()?.value(row));
        }
        Type::Bigint => {
            let _ = write!(out, "{}", array.as_primitive_opt::<Int64Type>()?.value(row));
        }
        Type::Real => out.push_str(&number::java_float(array.as_primitive_opt::<Float32Type>()?.value(row))),
        Type::Double => out.push_str(&number::java_double(array.as_primitive_opt::<Float64Type>()?.value(row))),
        Type::Decimal(_, scale) => number::decimal(out, array.as_primitive_opt::<Decimal128Type>()?.value(row), *scale),
        Type::Varchar(_) | Type::Json => out.push_str(array.as_string_opt::<i32>()?.value(row)),
        Type::Char(length) => {
            out.push_str(&pad(
                array.as_string_opt::<i32>()?.value(row),
                usize::try_from(*length).unwrap_or(usize::MAX),
            ));
        }
        Type::Varbinary => {
            for (at, byte) in array.as_binary_opt::<i32>()?.value(row).iter().enumerate() {
                let _ = write!(out, "{}{byte:02x}", if at > 0 { " " } else { "" });
            }
        }
        Type::Date => {
            format::date(out, array.as_primitive_opt::<Date32Type>()?.value(row).into(), format::FarYear::Signed);
        }
        Type::Time(precision) => {
            format::time(out, array.as_primitive_opt::<Time64MicrosecondType>()?.value(row) * 1_000, *precision);
        }
        Type::TimeTz(precision) => {
            let parts = OffsetTimes::new(array).ok()?;
            format::time(out, parts.times.value(row) * 1_000, *precision);
            format::offset(out, parts.offsets.value(row).into());
        }
        Type::Timestamp(precision) if *precision > 6 => {
            format::timestamp_nanos(out, array.as_primitive_opt::<TimestampNanosecondType>()?.value(row), *precision);
        }
        Type::Timestamp(precision) => {
            // Stored columns are in milliseconds.
            let micros = match array.as_primitive_opt::<TimestampMillisecondType>() {
                Some(millis) => millis.value(row).checked_mul(1_000)?,
                None => array.as_primitive_opt::<TimestampMicrosecondType>()?.value(row),
            };
            format::timestamp_micros(out, micros, *precision);
        }
        Type::TimestampTz(precision) => {
            let (instant, zone) = Instants::new(array).ok()?.row(row);
            zoned(out, instant, zone, *precision, &mut Zones::default());
        }
        Type::IntervalDayToSecond => {
            format::interval_day_to_second(out, array.as_primitive_opt::<DurationMillisecondType>()?.value(row));
        }
        Type::IntervalYearToMonth => {
            format::interval_year_to_month(out, array.as_primitive_opt::<IntervalYearMonthType>()?.value(row));
        }
        Type::Uuid => {
            let bytes: [u8; 16] = array.as_fixed_size_binary_opt()?.value(row).try_into().ok()?;
            let _ = write!(out, "{}", uuid::Uuid::from_bytes(bytes));
        }
        Type::IpAddress => {
            let bytes: [u8; 16] = array.as_fixed_size_binary_opt()?.value(row).try_into().ok()?;
            out.push_str(&ip_address(bytes));
        }
        Type::Array(element) => {
            let items = array.as_any().downcast_ref::<ListArray>()?.value(row);
            out.push('[');
            for at in 0..items.len() {
                separate(out, at);
                write_nested(out, element, items.as_ref(), at);
            }
            out.push(']');
        }
        Type::Map(key, value) => {
            let entries = array.as_any().downcast_ref::<MapArray>()?.value(row);
            out.push('{');
            for at in 0..entries.len() {
                separate(out, at);
                write_nested(out, key, entries.column(0).as_ref(), at);
                out.push('=');
                write_nested(out, value, entries.column(1).as_ref(), at);
            }
            out.push('}');
        }
        Type::Row(fields) => {
            let columns = array.as_any().downcast_ref::<StructArray>()?;
            out.push('{');
            for (at, (name, field)) in fields.iter().enumerate() {
                separate(out, at);
                match name {
                    Some(name) => out.push_str(name),
                    None => {
                        let _ = write!(out, "field{at}");
                    }
                }
                out.push('=');
                write_nested(out, field, columns.column(at).as_ref(), row);
            }
            out.push('}');
        }
    }
    Some(())
}

fn separate(out: &mut String, at: usize) {
    if at > 0 {
        out.push_str(", ");
    }
}

fn write_nested(out: &mut String, data_type: &Type, array: &dyn Array, row: usize) {
    if write_value(out, data_type, array, row).is_none() {
        out.push_str("null");
    }
}

/// Writes an instant as its zone's clock shows it, and the zone.
pub(crate) fn zoned(out: &mut String, instant: i64, zone: &str, precision: u8, zones: &mut Zones) {
    let local = zones.get(zone).map_or(instant, |zone| zone.to_local(instant));
    format::timestamp_micros(out, local, precision);
    out.push(' ');
    out.push_str(zone);
}

/// Writes an address; one of IPv4 in its own form.
pub(crate) fn ip_address(bytes: [u8; 16]) -> String {
    match Ipv6Addr::from(bytes).to_ipv4_mapped() {
        Some(four) => Ipv4Addr::to_string(&four),
        None => Ipv6Addr::from(bytes).to_string(),
    }
}

/// Returns a `char` with its blanks.
pub(crate) fn pad(text: &str, width: usize) -> String {
    let mut padded = text.to_owned();
    padded.extend(std::iter::repeat_n(' ', width.saturating_sub(text.chars().count())));
    padded
}

fn is_null(array: &dyn Array, row: usize) -> bool {
    // An array of type Null has no mask.
    array.data_type() == &arrow::datatypes::DataType::Null || array.is_null(row)
}
