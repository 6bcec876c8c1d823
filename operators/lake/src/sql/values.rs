//! Values of several parts: building rows and arrays, taking rows and instants apart.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, StructArray, UInt64Array, new_empty_array};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{interleave, nullif, take};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use datafusion::logical_expr::lit;

use super::error::UNSUPPORTED;
use super::function::{Argument, Call, EvalError, Nulls, Session};
use super::operator::compare;
use super::scope::Typed;
use super::types::Type;
use super::udf::KernelUdf;

/// `ROW(a, b)`: a row without names.
pub(super) fn row(items: Vec<Typed>, session: &Arc<Session>) -> Typed {
    let returns = Type::Row(items.iter().map(|item| (None, item.data_type.clone())).collect());
    KernelUdf::call("row", row_kernel, Nulls::Called, items, returns, session)
}

/// `ARRAY[a, b]` of elements of one type.
pub(super) fn array(elements: Vec<Typed>, element: Type, session: &Arc<Session>) -> Typed {
    KernelUdf::call("array", array_kernel, Nulls::Called, elements, Type::Array(Arc::new(element)), session)
}

/// A row's field by its position from 0. The caller knows that there is one.
pub(super) fn field(value: Typed, index: usize, session: &Arc<Session>) -> Typed {
    let returns = match &value.data_type {
        Type::Row(fields) => fields.get(index).map_or(Type::Unknown, |(_, data_type)| data_type.clone()),
        _ => Type::Unknown,
    };
    let position = Typed::new(lit(i64::try_from(index).unwrap_or(i64::MAX)), Type::Bigint);
    KernelUdf::call("field", field_kernel, Nulls::ReturnNull, vec![value, position], returns, session)
}

/// The instant of a timestamp with time zone, in UTC: what it is compared, ordered and grouped by.
pub(super) fn instant(value: Typed, session: &Arc<Session>) -> Typed {
    KernelUdf::call("instant", instant_kernel, Nulls::ReturnNull, vec![value], Type::Timestamp(6), session)
}

/// The zone of a timestamp with time zone.
pub(super) fn zone(value: Typed, session: &Arc<Session>) -> Typed {
    KernelUdf::call("zone", zone_kernel, Nulls::ReturnNull, vec![value], Type::Varchar(None), session)
}

/// A timestamp with time zone of its instant and zone.
pub(super) fn zoned(instant: Typed, zone: Typed, returns: Type, session: &Arc<Session>) -> Typed {
    KernelUdf::call("zoned", zoned_kernel, Nulls::ReturnNull, vec![instant, zone], returns, session)
}

/// What a value is grouped and ordered by: zones fall away, floating point has one zero and one NaN.
pub(super) fn key(value: Typed, session: &Arc<Session>) -> Typed {
    if matches!(value.data_type, Type::TimestampTz(_)) {
        return instant(value, session);
    }
    if !compare::needs_key(&value.data_type) {
        return value;
    }
    let returns = compare::key_type(&value.data_type);
    KernelUdf::call("key", key_kernel, Nulls::ReturnNull, vec![value], returns, session)
}

/// What a floating-point number is ordered by where NaN is the smallest one; else as [`key`].
pub(super) fn key_from_nan(value: Typed, session: &Arc<Session>) -> Typed {
    let returns = value.data_type.clone();
    KernelUdf::call("key from NaN", key_from_nan_kernel, Nulls::ReturnNull, vec![value], returns, session)
}

/// An array or a row that has an order of its own; computing one with a NULL inside stops the query. Trino stops where two values
/// differ in no place before one, which a sort of keys does not see.
pub(super) fn without_nulls_inside(value: Typed, session: &Arc<Session>) -> Typed {
    let returns = value.data_type.clone();
    KernelUdf::call(
        "without NULL inside",
        without_nulls_inside_kernel,
        Nulls::ReturnNull,
        vec![value],
        returns,
        session,
    )
}

/// A floating-point number, or NULL for NaN: Trino's `min` and `max` pass over NaN.
pub(super) fn number(value: Typed, session: &Arc<Session>) -> Typed {
    let returns = value.data_type.clone();
    KernelUdf::call("number", number_kernel, Nulls::ReturnNull, vec![value], returns, session)
}

fn key_kernel(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let ([value], [data_type]) = (arguments, call.arguments) else { return Err(EvalError::layout("a key")) };
    let array = compare::key(data_type, &value.array)?;
    expanded(&Argument { array, constant: value.constant }, call.rows)
}

fn key_from_nan_kernel(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let ([value], [data_type]) = (arguments, call.arguments) else { return Err(EvalError::layout("a key")) };
    let keys = compare::key(data_type, &value.array)?;
    // A NaN with a sign comes before everything else in the total order of IEEE 754, which Arrow sorts by.
    let array: ArrayRef = if let Some(keys) = keys.as_primitive_opt::<Float64Type>() {
        Arc::new(keys.unary::<_, Float64Type>(|key| if key.is_nan() { -f64::NAN } else { key }))
    } else if let Some(keys) = keys.as_primitive_opt::<Float32Type>() {
        Arc::new(keys.unary::<_, Float32Type>(|key| if key.is_nan() { -f32::NAN } else { key }))
    } else {
        return Err(EvalError::layout("a floating-point number"));
    };
    expanded(&Argument { array, constant: value.constant }, call.rows)
}

fn without_nulls_inside_kernel(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let ([value], [data_type]) = (arguments, call.arguments) else {
        return Err(EvalError::layout("an array or a row"));
    };
    for row in (0..value.array.len()).filter(|row| value.array.is_valid(*row)) {
        if compare::has_null_inside(data_type, value.array.as_ref(), row)? {
            let message = format!("not supported yet: an order by {data_type} with NULL inside");
            return Err(EvalError { name: UNSUPPORTED, message });
        }
    }
    expanded(value, call.rows)
}

fn number_kernel(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let [value] = arguments else { return Err(EvalError::layout("a number")) };
    let nan: BooleanArray = if let Some(numbers) = value.array.as_primitive_opt::<Float64Type>() {
        BooleanArray::from_unary(numbers, f64::is_nan)
    } else if let Some(numbers) = value.array.as_primitive_opt::<Float32Type>() {
        BooleanArray::from_unary(numbers, f32::is_nan)
    } else {
        return Err(EvalError::layout("a floating-point number"));
    };
    let array = if nan.true_count() == 0 { Arc::clone(&value.array) } else { nullif(&value.array, &nan)? };
    expanded(&Argument { array, constant: value.constant }, call.rows)
}

/// Repeats a constant for every row.
pub(super) fn expanded(argument: &Argument, rows: usize) -> Result<ArrayRef, EvalError> {
    if !argument.constant {
        return Ok(Arc::clone(&argument.array));
    }
    let indices = UInt64Array::from(vec![0; rows]);
    Ok(take(&argument.array, &indices, None)?)
}

fn row_kernel(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let DataType::Struct(fields) = call.returns.to_arrow() else { return Err(EvalError::layout("a row")) };
    let columns = arguments.iter().map(|argument| expanded(argument, call.rows)).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(StructArray::try_new_with_length(fields, columns, None, call.rows)?))
}

fn array_kernel(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let DataType::List(item) = call.returns.to_arrow() else { return Err(EvalError::layout("an array")) };
    let arrays: Vec<&dyn Array> = arguments.iter().map(|argument| argument.array.as_ref()).collect();
    let indices: Vec<(usize, usize)> = (0..call.rows)
        .flat_map(|row| arguments.iter().enumerate().map(move |(which, argument)| (which, argument.index(row))))
        .collect();
    let values = if arrays.is_empty() { new_empty_array(item.data_type()) } else { interleave(&arrays, &indices)? };
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(arguments.len(), call.rows));
    Ok(Arc::new(ListArray::try_new(item, offsets, values, None)?))
}

fn field_kernel(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let [value, position] = arguments else { return Err(EvalError::layout("a row")) };
    let rows = value.array.as_struct_opt().ok_or_else(|| EvalError::layout("a row"))?;
    let position = position.array.as_primitive_opt::<Int64Type>().ok_or_else(|| EvalError::layout("a position"))?;
    let index = usize::try_from(position.value(0)).map_err(|_| EvalError::layout("a position"))?;
    let part = rows.columns().get(index).ok_or_else(|| EvalError::layout("a row"))?;
    let part = under(part, rows.nulls())?;
    expanded(&Argument { array: part, constant: value.constant }, call.rows)
}

/// A part of a row is NULL where the row is.
pub(super) fn under(part: &ArrayRef, nulls: Option<&NullBuffer>) -> Result<ArrayRef, EvalError> {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 && part.data_type() != &DataType::Null => {
            let missing = BooleanArray::new(!nulls.inner(), None);
            Ok(nullif(part, &missing)?)
        }
        _ => Ok(Arc::clone(part)),
    }
}

fn parts(argument: &Argument) -> Result<&StructArray, EvalError> {
    argument.array.as_struct_opt().ok_or_else(|| EvalError::layout("a timestamp with time zone"))
}

fn instant_kernel(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let [value] = arguments else { return Err(EvalError::layout("a timestamp with time zone")) };
    let rows = parts(value)?;
    let instant = under(rows.column(0), rows.nulls())?;
    let instant = instant
        .as_primitive_opt::<TimestampMicrosecondType>()
        .ok_or_else(|| EvalError::layout("a timestamp with time zone"))?
        .clone()
        .with_timezone_opt(None::<Arc<str>>);
    expanded(&Argument { array: Arc::new(instant), constant: value.constant }, call.rows)
}

fn zone_kernel(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let [value] = arguments else { return Err(EvalError::layout("a timestamp with time zone")) };
    let rows = parts(value)?;
    expanded(&Argument { array: under(rows.column(1), rows.nulls())?, constant: value.constant }, call.rows)
}

fn zoned_kernel(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let ([instant, zone], DataType::Struct(fields)) = (arguments, call.returns.to_arrow()) else {
        return Err(EvalError::layout("a timestamp with time zone"));
    };
    let instant = expanded(instant, call.rows)?;
    let nulls = instant.nulls().cloned();
    let instant = instant
        .as_primitive_opt::<TimestampMicrosecondType>()
        .ok_or_else(|| EvalError::layout("a timestamp"))?
        .clone()
        .with_timezone("UTC");
    let zone = expanded(zone, call.rows)?;
    Ok(Arc::new(StructArray::try_new(fields, vec![Arc::new(instant), zone], nulls)?))
}

/// Makes a list of these values with these lengths.
pub(super) fn list(values: ArrayRef, offsets: Vec<i32>, nulls: Option<NullBuffer>) -> Result<ArrayRef, EvalError> {
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(ListArray::try_new(item, offsets, values, nulls)?))
}
