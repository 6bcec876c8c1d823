//! Comparisons: IEEE for `real` and `double`, by instant for zoned types, blanks padded for `char`, three-valued for
//! arrays, maps and rows.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Datum, ListArray, MapArray, Scalar, StructArray, UInt32Array,
    new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::kernels::cmp;
use arrow::compute::take;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalYearMonthType, Time64MicrosecondType, TimestampMicrosecondType,
    TimestampNanosecondType,
};
use arrow::error::ArrowError;

use super::arguments::{Column, Nulls, argument, booleans};
use crate::sql::function::{Argument, Call, EvalError};
use crate::sql::temporal::zoned::{Instants, OffsetTimes};
use crate::sql::types::Type;

/// Tells whether Arrow's own kernels compare values of the type as Trino does.
fn arrow_agrees(operand: &Type) -> bool {
    !matches!(
        operand,
        Type::Unknown
            | Type::Real
            | Type::Double
            | Type::Char(_)
            | Type::TimeTz(_)
            | Type::TimestampTz(_)
            | Type::Array(_)
            | Type::Map(..)
            | Type::Row(_)
    )
}

type ArrowComparison = fn(&dyn Datum, &dyn Datum) -> Result<BooleanArray, ArrowError>;

fn by_arrow(call: &Call<'_>, arguments: &[Argument], comparison: ArrowComparison) -> Result<ArrayRef, EvalError> {
    let (left, right) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let result = match (left.constant, right.constant) {
        (false, false) => comparison(&left.array, &right.array)?,
        (false, true) => comparison(&left.array, &Scalar::new(&right.array))?,
        (true, false) => comparison(&Scalar::new(&left.array), &right.array)?,
        (true, true) => {
            let single = comparison(&left.array.slice(0, 1), &right.array.slice(0, 1))?;
            let single = Argument { array: Arc::new(single), constant: true };
            return super::arguments::expand(&single, call.rows);
        }
    };
    Ok(Arc::new(result))
}

fn operand<'a>(call: &Call<'a>) -> Result<&'a Type, EvalError> {
    call.arguments.first().ok_or_else(|| EvalError::layout("two operands"))
}

/// Compares floating point numbers.
fn floats(
    call: &Call<'_>,
    arguments: &[Argument],
    single: impl Fn(f32, f32) -> bool,
    double: impl Fn(f64, f64) -> bool,
) -> Result<ArrayRef, EvalError> {
    let nulls = Nulls::of(arguments);
    if matches!(nulls, Nulls::All) {
        return Ok(new_null_array(&call.returns.to_arrow(), call.rows));
    }
    let (left, right) = (argument(arguments, 0)?, argument(arguments, 1)?);
    if *operand(call)? == Type::Real {
        let (left, right) = (Column::<Float32Type>::new(left)?, Column::<Float32Type>::new(right)?);
        return booleans(call, nulls, |row| Ok(single(left.value(row), right.value(row))));
    }
    let (left, right) = (Column::<Float64Type>::new(left)?, Column::<Float64Type>::new(right)?);
    booleans(call, nulls, |row| Ok(double(left.value(row), right.value(row))))
}

#[expect(clippy::float_cmp, reason = "SQL's `=` is IEEE's")]
fn same_single(left: f32, right: f32) -> bool {
    left == right
}

#[expect(clippy::float_cmp, reason = "SQL's `=` is IEEE's")]
fn same_double(left: f64, right: f64) -> bool {
    left == right
}

/// `a = b`
pub(super) fn equal(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let operand = operand(call)?;
    match operand {
        Type::Char(_) => return by_arrow(call, arguments, cmp::eq),
        Type::Real | Type::Double => return floats(call, arguments, same_single, same_double),
        _ if arrow_agrees(operand) => return by_arrow(call, arguments, cmp::eq),
        _ => {}
    }
    let nulls = Nulls::of(arguments);
    if matches!(nulls, Nulls::All) {
        return Ok(new_null_array(&call.returns.to_arrow(), call.rows));
    }
    let (left, right) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let mut result = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        result.push(if nulls.is_valid(row) {
            is_equal(operand, left.array.as_ref(), left.index(row), right.array.as_ref(), right.index(row))?
        } else {
            None
        });
    }
    Ok(Arc::new(BooleanArray::from(result)))
}

/// `a IS DISTINCT FROM b`
pub(super) fn is_distinct_from(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let operand = operand(call)?;
    if matches!(operand, Type::Char(_)) || arrow_agrees(operand) {
        return by_arrow(call, arguments, cmp::distinct);
    }
    let (left, right) = (argument(arguments, 0)?, argument(arguments, 1)?);
    booleans(call, Nulls::None, |row| {
        is_identical(operand, left.array.as_ref(), left.index(row), right.array.as_ref(), right.index(row))
            .map(|same| !same)
    })
}

/// `a < b`
pub(super) fn less_than(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    match operand(call)? {
        Type::Real | Type::Double => floats(call, arguments, |l, r| l < r, |l, r| l < r),
        operand if arrow_agrees(operand) => by_arrow(call, arguments, cmp::lt),
        operand => ordered(call, arguments, operand, Ordering::is_lt),
    }
}

/// `a <= b`
pub(super) fn less_than_or_equal(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    match operand(call)? {
        Type::Real | Type::Double => floats(call, arguments, |l, r| l <= r, |l, r| l <= r),
        operand if arrow_agrees(operand) => by_arrow(call, arguments, cmp::lt_eq),
        operand => ordered(call, arguments, operand, Ordering::is_le),
    }
}

fn ordered(
    call: &Call<'_>,
    arguments: &[Argument],
    operand: &Type,
    wanted: fn(Ordering) -> bool,
) -> Result<ArrayRef, EvalError> {
    let nulls = Nulls::of(arguments);
    if matches!(nulls, Nulls::All) {
        return Ok(new_null_array(&call.returns.to_arrow(), call.rows));
    }
    let (left, right) = (argument(arguments, 0)?, argument(arguments, 1)?);
    booleans(call, nulls, |row| {
        order(operand, left.array.as_ref(), left.index(row), right.array.as_ref(), right.index(row)).map(wanted)
    })
}

/// Compares two values that are not NULL by `=`; none is unknown: they hold a NULL that might decide.
///
/// # Errors
/// When an array is not in the layout of the type.
pub fn is_equal(
    operand: &Type,
    left: &dyn Array,
    i: usize,
    right: &dyn Array,
    j: usize,
) -> Result<Option<bool>, EvalError> {
    match operand {
        Type::Real => Ok(Some(same_single(number::<Float32Type>(left, i)?, number::<Float32Type>(right, j)?))),
        Type::Double => Ok(Some(same_double(number::<Float64Type>(left, i)?, number::<Float64Type>(right, j)?))),
        Type::Array(element) => {
            let (left, right) = (list(left, i)?, list(right, j)?);
            if left.len() != right.len() {
                return Ok(Some(false));
            }
            all_equal((0..left.len()).map(|at| is_equal_or_null(element, left.as_ref(), at, right.as_ref(), at)))
        }
        Type::Row(fields) => {
            let (left, right) = (structure(left)?, structure(right)?);
            all_equal(fields.iter().enumerate().map(|(at, (_, field))| {
                is_equal_or_null(field, left.column(at).as_ref(), i, right.column(at).as_ref(), j)
            }))
        }
        Type::Map(key, value) => {
            let (left, right) = (entries(left, i)?, entries(right, j)?);
            if left.len() != right.len() {
                return Ok(Some(false));
            }
            all_equal((0..left.len()).map(|at| {
                for other in 0..right.len() {
                    if is_equal(key, left.column(0), at, right.column(0), other)? == Some(true) {
                        return is_equal_or_null(value, left.column(1), at, right.column(1), other);
                    }
                }
                Ok(Some(false))
            }))
        }
        _ => order(operand, left, i, right, j).map(|found| Some(found == Ordering::Equal)),
    }
}

fn is_equal_or_null(
    operand: &Type,
    left: &dyn Array,
    i: usize,
    right: &dyn Array,
    j: usize,
) -> Result<Option<bool>, EvalError> {
    if is_null(left, i) || is_null(right, j) {
        return Ok(None);
    }
    is_equal(operand, left, i, right, j)
}

/// One difference decides; otherwise one unknown does.
fn all_equal(parts: impl Iterator<Item = Result<Option<bool>, EvalError>>) -> Result<Option<bool>, EvalError> {
    let mut all = Some(true);
    for part in parts {
        match part? {
            Some(true) => {}
            Some(false) => return Ok(Some(false)),
            None => all = None,
        }
    }
    Ok(all)
}

/// Tells whether two values are the same where NULL is the same as NULL and NaN as NaN: `IS NOT DISTINCT FROM`, GROUP BY,
/// DISTINCT.
///
/// # Errors
/// When an array is not in the layout of the type.
pub fn is_identical(
    operand: &Type,
    left: &dyn Array,
    i: usize,
    right: &dyn Array,
    j: usize,
) -> Result<bool, EvalError> {
    match (is_null(left, i), is_null(right, j)) {
        (true, true) => return Ok(true),
        (false, false) => {}
        _ => return Ok(false),
    }
    match operand {
        Type::Array(element) => {
            let (left, right) = (list(left, i)?, list(right, j)?);
            if left.len() != right.len() {
                return Ok(false);
            }
            for at in 0..left.len() {
                if !is_identical(element, left.as_ref(), at, right.as_ref(), at)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Type::Row(fields) => {
            let (left, right) = (structure(left)?, structure(right)?);
            for (at, (_, field)) in fields.iter().enumerate() {
                if !is_identical(field, left.column(at).as_ref(), i, right.column(at).as_ref(), j)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Type::Map(key, value) => {
            let (left, right) = (entries(left, i)?, entries(right, j)?);
            if left.len() != right.len() {
                return Ok(false);
            }
            for at in 0..left.len() {
                let mut found = false;
                for other in 0..right.len() {
                    if is_identical(key, left.column(0), at, right.column(0), other)? {
                        found = is_identical(value, left.column(1), at, right.column(1), other)?;
                        break;
                    }
                }
                if !found {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => order(operand, left, i, right, j).map(|found| found == Ordering::Equal),
    }
}

/// Orders two values that are not NULL; NaN is the greatest number.
///
/// # Errors
/// `NOT_SUPPORTED` when a NULL inside would decide; when an array is not in the layout of the type.
pub fn order(operand: &Type, left: &dyn Array, i: usize, right: &dyn Array, j: usize) -> Result<Ordering, EvalError> {
    fn by<T: ArrowPrimitiveType<Native: Ord>>(
        l: &dyn Array,
        i: usize,
        r: &dyn Array,
        j: usize,
    ) -> Result<Ordering, EvalError> {
        Ok(number::<T>(l, i)?.cmp(&number::<T>(r, j)?))
    }
    let layout = || EvalError::layout(&operand.to_string());
    match operand {
        Type::Unknown => Ok(Ordering::Equal),
        Type::Boolean => {
            let (left, right) = (left.as_boolean_opt().ok_or_else(layout)?, right.as_boolean_opt().ok_or_else(layout)?);
            Ok(left.value(i).cmp(&right.value(j)))
        }
        Type::Tinyint => by::<Int8Type>(left, i, right, j),
        Type::Smallint => by::<Int16Type>(left, i, right, j),
        Type::Integer => by::<Int32Type>(left, i, right, j),
        Type::Bigint => by::<Int64Type>(left, i, right, j),
        Type::Decimal(..) => by::<Decimal128Type>(left, i, right, j),
        Type::Date => by::<Date32Type>(left, i, right, j),
        Type::Time(_) => by::<Time64MicrosecondType>(left, i, right, j),
        Type::Timestamp(precision) if *precision > 6 => by::<TimestampNanosecondType>(left, i, right, j),
        Type::Timestamp(_) => by::<TimestampMicrosecondType>(left, i, right, j),
        Type::IntervalDayToSecond => by::<DurationMillisecondType>(left, i, right, j),
        Type::IntervalYearToMonth => by::<IntervalYearMonthType>(left, i, right, j),
        Type::Real => {
            let (l, r) = (number::<Float32Type>(left, i)?, number::<Float32Type>(right, j)?);
            Ok(total(l.into(), r.into()))
        }
        Type::Double => Ok(total(number::<Float64Type>(left, i)?, number::<Float64Type>(right, j)?)),
        Type::Varchar(_) | Type::Json => {
            let left = left.as_string_opt::<i32>().ok_or_else(layout)?;
            let right = right.as_string_opt::<i32>().ok_or_else(layout)?;
            Ok(left.value(i).cmp(right.value(j)))
        }
        Type::Char(_) => {
            let left = left.as_string_opt::<i32>().ok_or_else(layout)?;
            let right = right.as_string_opt::<i32>().ok_or_else(layout)?;
            Ok(padded_order(left.value(i), right.value(j)))
        }
        Type::Varbinary => {
            let left = left.as_binary_opt::<i32>().ok_or_else(layout)?;
            let right = right.as_binary_opt::<i32>().ok_or_else(layout)?;
            Ok(left.value(i).cmp(right.value(j)))
        }
        Type::Uuid | Type::IpAddress => {
            let left = left.as_fixed_size_binary_opt().ok_or_else(layout)?;
            let right = right.as_fixed_size_binary_opt().ok_or_else(layout)?;
            Ok(left.value(i).cmp(right.value(j)))
        }
        Type::TimestampTz(_) => {
            let (left, right) = (Instants::new(left)?, Instants::new(right)?);
            Ok(left.instants.value(i).cmp(&right.instants.value(j)))
        }
        Type::TimeTz(_) => Ok(OffsetTimes::new(left)?.utc(i).cmp(&OffsetTimes::new(right)?.utc(j))),
        Type::Array(element) => {
            let (left, right) = (list(left, i)?, list(right, j)?);
            for at in 0..left.len().min(right.len()) {
                if is_null(left.as_ref(), at) || is_null(right.as_ref(), at) {
                    return Err(no_order("ARRAY comparison not supported for arrays with null elements"));
                }
                let found = order(element, left.as_ref(), at, right.as_ref(), at)?;
                if found != Ordering::Equal {
                    return Ok(found);
                }
            }
            Ok(left.len().cmp(&right.len()))
        }
        Type::Row(fields) => {
            let (left, right) = (structure(left)?, structure(right)?);
            for (at, (_, field)) in fields.iter().enumerate() {
                let (left, right) = (left.column(at).as_ref(), right.column(at).as_ref());
                if is_null(left, i) || is_null(right, j) {
                    return Err(no_order("ROW comparison not supported for fields with null elements"));
                }
                let found = order(field, left, i, right, j)?;
                if found != Ordering::Equal {
                    return Ok(found);
                }
            }
            Ok(Ordering::Equal)
        }
        Type::Map(..) => Err(no_order("MAP comparison is not supported")),
    }
}

fn no_order(message: &str) -> EvalError {
    EvalError::new("NOT_SUPPORTED", message)
}

/// Orders numbers with -0 the same as 0 and NaN last.
fn total(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// Orders texts as if the shorter one had blanks behind it.
fn padded_order(left: &str, right: &str) -> Ordering {
    let shared = left.len().min(right.len());
    let (left, right) = (left.as_bytes(), right.as_bytes());
    left[..shared].cmp(&right[..shared]).then_with(|| {
        let against_blanks =
            |rest: &[u8]| rest.iter().find(|byte| **byte != b' ').map_or(Ordering::Equal, |byte| byte.cmp(&b' '));
        against_blanks(&left[shared..]).then(against_blanks(&right[shared..]).reverse())
    })
}

/// Tells whether a part of a value that is not NULL is: an element of an array, a field of a row.
///
/// # Errors
/// When the array is not in the layout of the type.
pub fn has_null_inside(operand: &Type, array: &dyn Array, row: usize) -> Result<bool, EvalError> {
    let is_or_has = |operand: &Type, array: &dyn Array, row: usize| {
        if is_null(array, row) { Ok(true) } else { has_null_inside(operand, array, row) }
    };
    match operand {
        Type::Array(element) => {
            let items = list(array, row)?;
            for at in 0..items.len() {
                if is_or_has(element, items.as_ref(), at)? {
                    return Ok(true);
                }
            }
        }
        Type::Row(fields) => {
            for ((_, field), column) in fields.iter().zip(structure(array)?.columns()) {
                if is_or_has(field, column.as_ref(), row)? {
                    return Ok(true);
                }
            }
        }
        _ => {}
    }
    Ok(false)
}

fn is_null(array: &dyn Array, row: usize) -> bool {
    // An array of type Null has no mask.
    array.data_type() == &arrow::datatypes::DataType::Null || array.is_null(row)
}

fn number<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> Result<T::Native, EvalError> {
    Ok(array.as_primitive_opt::<T>().ok_or_else(|| EvalError::layout("a number"))?.value(row))
}

fn list(array: &dyn Array, row: usize) -> Result<ArrayRef, EvalError> {
    Ok(array.as_any().downcast_ref::<ListArray>().ok_or_else(|| EvalError::layout("an array"))?.value(row))
}

fn structure(array: &dyn Array) -> Result<&StructArray, EvalError> {
    array.as_any().downcast_ref().ok_or_else(|| EvalError::layout("a row"))
}

fn entries(array: &dyn Array, row: usize) -> Result<StructArray, EvalError> {
    Ok(array.as_any().downcast_ref::<MapArray>().ok_or_else(|| EvalError::layout("a map"))?.value(row))
}

/// Tells whether Arrow would group or sort values of the type otherwise than Trino, unless they are replaced by [`key`].
#[must_use]
pub fn needs_key(operand: &Type) -> bool {
    match operand {
        Type::Real | Type::Double | Type::Char(_) | Type::TimestampTz(_) | Type::TimeTz(_) | Type::Map(..) => true,
        Type::Array(element) => needs_key(element),
        Type::Row(fields) => fields.iter().any(|(_, field)| needs_key(field)),
        _ => false,
    }
}

/// Returns the type of [`key`].
#[must_use]
pub fn key_type(operand: &Type) -> Type {
    match operand {
        Type::Char(_) => Type::Varchar(None),
        Type::TimestampTz(_) => Type::Timestamp(6),
        Type::TimeTz(_) => Type::Time(6),
        Type::Array(element) => Type::Array(Arc::new(key_type(element))),
        Type::Row(fields) => Type::Row(fields.iter().map(|(name, field)| (name.clone(), key_type(field))).collect()),
        Type::Map(key, value) => {
            let entry = [key, value].map(|part| (None, key_type(part)));
            Type::Array(Arc::new(Type::Row(entry.into_iter().collect())))
        }
        other => other.clone(),
    }
}

/// Returns an array that Arrow groups and sorts as Trino does the original: zoned types as instants, floating point
/// numbers with one zero and one NaN, `char` with its blanks, maps as the list of their entries in the order of the keys, also
/// within arrays and rows; other arrays as they are.
///
/// # Errors
/// When the array is not in the layout of the type.
pub fn key(operand: &Type, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    let layout = || EvalError::layout(&operand.to_string());
    if !needs_key(operand) {
        return Ok(Arc::clone(array));
    }
    Ok(match operand {
        Type::Real => {
            let numbers = array.as_primitive_opt::<Float32Type>().ok_or_else(layout)?;
            Arc::new(numbers.unary::<_, Float32Type>(|x| if x.is_nan() { f32::NAN } else { x + 0.0 }))
        }
        Type::Double => {
            let numbers = array.as_primitive_opt::<Float64Type>().ok_or_else(layout)?;
            Arc::new(numbers.unary::<_, Float64Type>(|x| if x.is_nan() { f64::NAN } else { x + 0.0 }))
        }
        Type::Char(length) => {
            let texts = array.as_string_opt::<i32>().ok_or_else(layout)?;
            let width = usize::try_from(*length).unwrap_or(usize::MAX);
            let padded: arrow::array::StringArray =
                texts.iter().map(|text| text.map(|text| crate::sql::text::pad(text, width))).collect();
            Arc::new(padded)
        }
        Type::TimestampTz(_) => {
            let parts = Instants::new(array.as_ref())?;
            let nulls = NullBuffer::union(parts.nulls, parts.instants.nulls());
            Arc::new(arrow::array::TimestampMicrosecondArray::new(parts.instants.values().clone(), nulls))
        }
        Type::TimeTz(_) => {
            let parts = OffsetTimes::new(array.as_ref())?;
            let times: arrow::array::Time64MicrosecondArray =
                (0..array.len()).map(|row| array.is_valid(row).then(|| parts.utc(row))).collect();
            Arc::new(times)
        }
        Type::Array(element) => {
            let lists = array.as_any().downcast_ref::<ListArray>().ok_or_else(layout)?;
            let DataType::List(field) = key_type(operand).to_arrow() else { return Err(layout()) };
            let values = key(element, lists.values())?;
            Arc::new(ListArray::try_new(field, lists.offsets().clone(), values, lists.nulls().cloned())?)
        }
        Type::Row(fields) => {
            let rows = structure(array.as_ref())?;
            let DataType::Struct(arrow_fields) = key_type(operand).to_arrow() else { return Err(layout()) };
            let columns = fields
                .iter()
                .zip(rows.columns())
                .map(|((_, field), column)| key(field, column))
                .collect::<Result<Vec<_>, _>>()?;
            Arc::new(StructArray::try_new(arrow_fields, columns, rows.nulls().cloned())?)
        }
        Type::Map(key_of, value_of) => entries_in_order(operand, key_of, value_of, array)?,
        _ => Arc::clone(array),
    })
}

/// Returns maps as lists of their entries in the order of the keys.
fn entries_in_order(operand: &Type, key_of: &Type, value_of: &Type, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    let layout = || EvalError::layout(&operand.to_string());
    let maps = array.as_any().downcast_ref::<MapArray>().ok_or_else(layout)?;
    let DataType::List(item) = key_type(operand).to_arrow() else { return Err(layout()) };
    let DataType::Struct(fields) = item.data_type() else { return Err(layout()) };
    let (keys, values) = (key(key_of, maps.keys())?, key(value_of, maps.values())?);
    let key_of = key_type(key_of);
    let mut lengths = Vec::with_capacity(maps.len());
    let mut indices: Vec<u32> = Vec::with_capacity(keys.len());
    for row in 0..maps.len() {
        let (from, to) = match maps.value_offsets().get(row..row + 2) {
            Some(&[from, to]) if maps.is_valid(row) => (from, to),
            _ => (0, 0),
        };
        let mut own: Vec<u32> =
            (from..to).map(|at| u32::try_from(at).map_err(|_| layout())).collect::<Result<_, _>>()?;
        let mut failed = None;
        own.sort_by(|left, right| {
            let (left, right) = (*left as usize, *right as usize);
            order(&key_of, keys.as_ref(), left, keys.as_ref(), right).unwrap_or_else(|error| {
                failed = Some(error);
                Ordering::Equal
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        lengths.push(own.len());
        indices.extend(own);
    }
    let indices = UInt32Array::from(indices);
    let columns = vec![take(&keys, &indices, None)?, take(&values, &indices, None)?];
    let entries = StructArray::try_new_with_length(fields.clone(), columns, None, indices.len())?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(entries), maps.nulls().cloned())?))
}
