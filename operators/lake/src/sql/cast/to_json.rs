//! Casts to `json`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StringBuilder, StructArray};
use arrow::datatypes::{Decimal128Type, Float32Type, Float64Type};

use super::Conversion;
use crate::sql::function::EvalError;
use crate::sql::json;
use crate::sql::text;
use crate::sql::types::Type;

/// Tells whether there is a cast.
pub(super) fn exists(from: &Type) -> bool {
    match from {
        Type::Unknown
        | Type::Boolean
        | Type::Tinyint
        | Type::Smallint
        | Type::Integer
        | Type::Bigint
        | Type::Real
        | Type::Double
        | Type::Decimal(..)
        | Type::Varchar(_)
        | Type::Json
        | Type::Date
        | Type::Timestamp(_) => true,
        Type::Array(element) => exists(element),
        // Which keys there are is looked at when it runs.
        Type::Map(key, value) => exists(key) && exists(value),
        Type::Row(fields) => fields.iter().all(|(_, field)| exists(field)),
        _ => false,
    }
}

pub(super) fn convert(conversion: &Conversion<'_>, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    check_keys(conversion.from)?;
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut out = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
        } else {
            out.clear();
            write(&mut out, conversion.from, array.as_ref(), row)?;
            builder.append_value(&out);
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// Keys of objects are texts: some types have none.
fn check_keys(from: &Type) -> Result<(), EvalError> {
    match from {
        Type::Array(element) => check_keys(element),
        Type::Row(fields) => fields.iter().try_for_each(|(_, field)| check_keys(field)),
        Type::Map(key, value) => {
            let is_text = matches!(key.as_ref(), Type::Unknown | Type::Boolean | Type::Varchar(_)) || key.is_numeric();
            if !is_text {
                return Err(EvalError::invalid_cast(format!("Cannot cast {from} to JSON")));
            }
            check_keys(value)
        }
        _ => Ok(()),
    }
}

fn write(out: &mut String, from: &Type, array: &dyn Array, row: usize) -> Result<(), EvalError> {
    let layout = || EvalError::layout(&from.to_string());
    if *from == Type::Unknown || array.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match from {
        Type::Double => json::write_double(out, array.as_primitive_opt::<Float64Type>().ok_or_else(layout)?.value(row)),
        Type::Real => {
            let value = array.as_primitive_opt::<Float32Type>().ok_or_else(layout)?.value(row);
            let written = text::number::java_float(value);
            if value.is_finite() { out.push_str(&written) } else { json::write_text(out, &written) }
        }
        Type::Decimal(_, scale) => {
            let value = array.as_primitive_opt::<Decimal128Type>().ok_or_else(layout)?.value(row);
            out.push_str(&java_decimal(value, *scale));
        }
        Type::Varchar(_) => json::write_text(out, array.as_string_opt::<i32>().ok_or_else(layout)?.value(row)),
        Type::Json => out.push_str(array.as_string_opt::<i32>().ok_or_else(layout)?.value(row)),
        Type::Array(element) => {
            let items = array.as_any().downcast_ref::<ListArray>().ok_or_else(layout)?.value(row);
            out.push('[');
            for at in 0..items.len() {
                if at > 0 {
                    out.push(',');
                }
                write(out, element, items.as_ref(), at)?;
            }
            out.push(']');
        }
        Type::Row(fields) => {
            let columns = array.as_any().downcast_ref::<StructArray>().ok_or_else(layout)?;
            out.push('{');
            for (at, ((name, field), column)) in fields.iter().zip(columns.columns()).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                // A field without a name has an empty one.
                json::write_text(out, name.as_deref().unwrap_or_default());
                out.push(':');
                write(out, field, column.as_ref(), row)?;
            }
            out.push('}');
        }
        Type::Map(key, value) => {
            let entries = array.as_any().downcast_ref::<MapArray>().ok_or_else(layout)?.value(row);
            let mut pairs = Vec::with_capacity(entries.len());
            for at in 0..entries.len() {
                let name = text::display(key, entries.column(0), at).unwrap_or_default();
                let mut written = String::new();
                write(&mut written, value, entries.column(1).as_ref(), at)?;
                pairs.push((name, written));
            }
            out.push('{');
            for (at, (name, written)) in json::in_order(pairs).into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                json::write_text(out, &name);
                out.push(':');
                out.push_str(&written);
            }
            out.push('}');
        }
        Type::Date | Type::Timestamp(_) => {
            json::write_text(out, &written(from, array, row).ok_or_else(layout)?);
        }
        _ => out.push_str(&written(from, array, row).ok_or_else(layout)?),
    }
    Ok(())
}

/// Writes a decimal as Java's `BigDecimal.toString` does
/// (<https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/math/BigDecimal.html#toString()>): small ones with an exponent.
fn java_decimal(value: i128, scale: u8) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    // The power of ten of the first digit is above -7.
    if scale < digits.len() + 6 {
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        return if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}E-{}", scale + 1 - digits.len())
}

fn written(from: &Type, array: &dyn Array, row: usize) -> Option<String> {
    text::display(from, &array.slice(row, 1), 0)
}
