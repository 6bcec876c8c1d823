//! `CAST` and `TRY_CAST`: which pairs of types there are, and the code of each.
//!
//! Implicit conversions run through the same code. <https://trino.io/docs/476/functions/conversion.html>

mod from_json;
mod nested;
mod number;
mod temporal;
mod text;
mod to_json;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};

use super::error::{SqlError, UNSUPPORTED};
use super::function::{Argument, Call, EvalError, Kernel, Session};
use super::operator::arguments::{argument, expand};
use super::types::Type;

/// Returns the code that casts one type to another; none when Trino has no such cast.
///
/// # Errors
/// Unsupported when Trino has the cast and this engine cannot hold the result.
pub fn kernel(from: &Type, to: &Type) -> Result<Option<Kernel>, SqlError> {
    Ok(if exists(from, to)? { Some(run) } else { None })
}

/// As [`kernel`], where a value that cannot be cast becomes NULL.
///
/// # Errors
/// As [`kernel`].
pub fn try_kernel(from: &Type, to: &Type) -> Result<Option<Kernel>, SqlError> {
    Ok(if exists(from, to)? { Some(try_run) } else { None })
}

/// Casts an array.
///
/// # Errors
/// The error of the first value that cannot be cast.
pub fn cast(session: &Session, from: &Type, to: &Type, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    convert(&Conversion { session, from, to }, array)
}

fn run(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    apply(call, arguments, convert)
}

fn try_run(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    apply(call, arguments, convert_or_null)
}

fn apply(
    call: &Call<'_>,
    arguments: &[Argument],
    code: fn(&Conversion<'_>, &ArrayRef) -> Result<ArrayRef, EvalError>,
) -> Result<ArrayRef, EvalError> {
    let value = argument(arguments, 0)?;
    let from = call.arguments.first().ok_or_else(|| EvalError::layout("a value to cast"))?;
    let converted = code(&Conversion { session: call.session, from, to: call.returns }, &value.array)?;
    expand(&Argument { array: converted, constant: value.constant }, call.rows)
}

/// What is cast to what.
#[derive(Debug, Clone, Copy)]
struct Conversion<'a> {
    session: &'a Session,
    from: &'a Type,
    to: &'a Type,
}

/// Tells whether there is a cast.
///
/// # Errors
/// Unsupported when Trino has the cast and this engine cannot hold the result.
fn exists(from: &Type, to: &Type) -> Result<bool, SqlError> {
    use Type::{
        Array, Char, Date, Decimal, Double, IntervalDayToSecond, IntervalYearToMonth, IpAddress, Json, Map, Real, Row,
        Time, TimeTz, Timestamp, TimestampTz, Unknown, Uuid, Varbinary, Varchar,
    };
    held(to)?;
    let simple = |operand: &Type| *operand == Type::Boolean || operand.is_numeric();
    Ok(match (from, to) {
        (_, Unknown) => *from == Unknown,
        (Unknown, _) => true,
        (Array(from), Array(to)) => exists(from, to)?,
        (Map(from_key, from_value), Map(to_key, to_value)) => {
            exists(from_key, to_key)? && exists(from_value, to_value)?
        }
        (Row(from), Row(to)) => {
            if from.len() != to.len() {
                return Ok(false);
            }
            for ((_, from), (_, to)) in from.iter().zip(to.iter()) {
                if !exists(from, to)? {
                    return Ok(false);
                }
            }
            true
        }
        (from, Json) => to_json::exists(from),
        (Json, to) => from_json::exists(to),
        (from, to) if simple(from) && simple(to) => true,
        (
            Type::Boolean
            | Type::Tinyint
            | Type::Smallint
            | Type::Integer
            | Type::Bigint
            | Real
            | Double
            | Decimal(..)
            | Date
            | Time(_)
            | TimeTz(_)
            | Timestamp(_)
            | TimestampTz(_)
            | IntervalDayToSecond
            | IntervalYearToMonth
            | Varchar(_)
            | Char(_),
            Varchar(_),
        )
        | (Uuid | IpAddress, Varchar(None))
        | (Varchar(_) | Char(_), Char(_))
        | (Varchar(_) | Uuid | IpAddress | Varbinary, Varbinary)
        | (Varchar(_), Date | Time(_) | TimeTz(_) | Timestamp(_) | TimestampTz(_))
        | (Varchar(_) | Varbinary | Uuid, Uuid)
        | (Varchar(_) | Varbinary | IpAddress, IpAddress)
        | (Date | Timestamp(_) | TimestampTz(_), Date)
        | (Date | Time(_) | TimeTz(_) | Timestamp(_) | TimestampTz(_), Timestamp(_) | TimestampTz(_))
        | (Time(_) | TimeTz(_) | Timestamp(_) | TimestampTz(_), Time(_) | TimeTz(_))
        | (IntervalDayToSecond, IntervalDayToSecond)
        | (IntervalYearToMonth, IntervalYearToMonth) => true,
        (Varchar(_), to) => simple(to),
        _ => false,
    })
}

/// Refuses the precisions that Arrow has no room for here.
fn held(to: &Type) -> Result<(), SqlError> {
    let kept = match to {
        Type::Time(precision) | Type::TimeTz(precision) | Type::TimestampTz(precision) => *precision <= 6,
        Type::Timestamp(precision) => *precision <= 9,
        _ => true,
    };
    if kept { Ok(()) } else { Err(SqlError::unsupported(format!("type `{to}`"))) }
}

fn convert(conversion: &Conversion<'_>, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    let Conversion { from, to, .. } = conversion;
    if from == to {
        return Ok(Arc::clone(array));
    }
    match (from, to) {
        (Type::Unknown, to) => Ok(new_null_array(&to.to_arrow(), array.len())),
        (_, Type::Json) => to_json::convert(conversion, array),
        (Type::Json, _) => from_json::convert(conversion, array),
        (Type::Array(_) | Type::Map(..) | Type::Row(_), _) => nested::convert(conversion, array),
        (_, Type::Varchar(_) | Type::Char(_)) => text::to_text(conversion, array),
        (Type::Varchar(_), _) => text::from_text(conversion, array),
        (
            Type::Date | Type::Time(_) | Type::TimeTz(_) | Type::Timestamp(_) | Type::TimestampTz(_),
            Type::Date | Type::Time(_) | Type::TimeTz(_) | Type::Timestamp(_) | Type::TimestampTz(_),
        ) => temporal::convert(conversion, array),
        (Type::Varbinary | Type::Uuid | Type::IpAddress, _) => text::bytes(conversion, array),
        _ => number::convert(conversion, array),
    }
}

/// Errors that `TRY_CAST` takes for NULL.
fn is_of_the_value(error: &EvalError) -> bool {
    matches!(
        error.name,
        "INVALID_CAST_ARGUMENT" | "NUMERIC_VALUE_OUT_OF_RANGE" | "INVALID_FUNCTION_ARGUMENT" | "DIVISION_BY_ZERO"
    ) && error.name != UNSUPPORTED
}

/// Casts what can be cast: halves a batch until only the bad rows are left alone.
fn convert_or_null(conversion: &Conversion<'_>, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    match convert(conversion, array) {
        Err(error) if is_of_the_value(&error) => {}
        result => return result,
    }
    if array.len() <= 1 {
        return Ok(new_null_array(&conversion.to.to_arrow(), array.len()));
    }
    let middle = array.len() / 2;
    let first = convert_or_null(conversion, &array.slice(0, middle))?;
    let second = convert_or_null(conversion, &array.slice(middle, array.len() - middle))?;
    Ok(arrow::compute::concat(&[first.as_ref(), second.as_ref()])?)
}

#[cfg(test)]
mod tests;
