//! For tests of families: calls a form of a function on one row and gives the value as text.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array,
    Int64Array, ListArray, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::{Argument, Call, EvalError, Session, TABLE};
use crate::sql::types::Type;

/// A value with its type.
pub(super) type Value = (Type, ArrayRef);

pub(super) fn text(value: &str) -> Value {
    (Type::Varchar(None), Arc::new(StringArray::from(vec![value])))
}

pub(super) fn character(value: &str, width: u32) -> Value {
    (Type::Char(width), Arc::new(StringArray::from(vec![value])))
}

pub(super) fn no_text() -> Value {
    (Type::Varchar(None), Arc::new(StringArray::from(vec![None::<&str>])))
}

pub(super) fn bytes(value: &[u8]) -> Value {
    (Type::Varbinary, Arc::new(BinaryArray::from(vec![value])))
}

pub(super) fn boolean(value: bool) -> Value {
    (Type::Boolean, Arc::new(BooleanArray::from(vec![value])))
}

pub(super) fn integer(value: i32) -> Value {
    (Type::Integer, Arc::new(Int32Array::from(vec![value])))
}

pub(super) fn bigint(value: i64) -> Value {
    (Type::Bigint, Arc::new(Int64Array::from(vec![value])))
}

/// An array of bigints.
pub(super) fn integers(values: &[Option<i64>]) -> Value {
    let array = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(values.to_vec())]);
    (Type::Array(Arc::new(Type::Bigint)), Arc::new(array))
}

pub(super) fn real(value: f32) -> Value {
    (Type::Real, Arc::new(Float32Array::from(vec![value])))
}

pub(super) fn double(value: f64) -> Value {
    (Type::Double, Arc::new(Float64Array::from(vec![value])))
}

pub(super) fn decimal(unscaled: i128, precision: u8, scale: u8) -> Value {
    let of = Type::Decimal(precision, scale);
    let array = Decimal128Array::from(vec![unscaled]).with_data_type(of.to_arrow());
    (of, Arc::new(array))
}

pub(super) fn date(value: &str) -> Value {
    let day: jiff::civil::Date = value.parse().expect("a date");
    let days = day.since(jiff::civil::date(1970, 1, 1)).expect("days").get_days();
    (Type::Date, Arc::new(Date32Array::from(vec![days])))
}

pub(super) fn timestamp(value: &str, precision: u8) -> Value {
    let civil: jiff::civil::DateTime = value.parse().expect("a date and time");
    let instant = civil.to_zoned(jiff::tz::TimeZone::UTC).expect("in range").timestamp();
    (Type::Timestamp(precision), Arc::new(TimestampMicrosecondArray::from(vec![instant.as_microsecond()])))
}

/// A session in a zone, at the start of 2024.
pub(super) fn session(time_zone: &str) -> Session {
    Session { time_zone: time_zone.to_owned(), start_us: 1_704_067_200_000_000, database: None }
}

/// Calls the form at a position in the function's list, with the result's type, in UTC.
pub(super) fn evaluate(name: &str, form: usize, returns: Type, values: &[Value]) -> Result<String, EvalError> {
    let function =
        TABLE.iter().flat_map(|family| family.iter()).find(|function| function.name == name).expect("listed");
    let overload = &function.overloads[form];
    let types: Vec<Type> = values.iter().map(|(of, _)| of.clone()).collect();
    let returns = overload.returns.and_then(|returns| returns(&types)).unwrap_or(returns);
    let arguments: Vec<Argument> =
        values.iter().map(|(_, array)| Argument { array: Arc::clone(array), constant: true }).collect();
    let call = Call { arguments: &types, returns: &returns, rows: 2, session: &session("UTC") };
    let array = (overload.kernel)(&call, &arguments)?;
    assert_eq!(array.len(), 2, "one value a row");
    assert_eq!(array.data_type(), &returns.to_arrow(), "{name} gives the type it says");
    let options = FormatOptions::default().with_null("null");
    let formatter = ArrayFormatter::try_new(&array, &options).expect("printable");
    assert_eq!(formatter.value(0).to_string(), formatter.value(1).to_string(), "constants stand for every row");
    Ok(formatter.value(0).to_string())
}

/// As [`evaluate`], where the value is expected.
pub(super) fn value(name: &str, form: usize, returns: Type, values: &[Value]) -> String {
    evaluate(name, form, returns, values).expect("a value")
}

/// As [`evaluate`], where an error is expected: its name and sentence.
pub(super) fn error(name: &str, form: usize, returns: Type, values: &[Value]) -> String {
    evaluate(name, form, returns, values).expect_err("an error").to_string()
}
