//! Casts of arrays, maps and rows: element by element.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, MapArray, StructArray, UInt64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::DataType;

use super::{Conversion, convert as convert_values};
use crate::sql::function::EvalError;
use crate::sql::operator::compare::is_equal;
use crate::sql::types::Type;

pub(super) fn convert(conversion: &Conversion<'_>, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    let layout = || EvalError::layout(&conversion.from.to_string());
    // A copy that holds nothing of other rows: what NULL rows and cut-off rows hide must not fail.
    let own = take(array, &UInt64Array::from_iter_values(0..u64::try_from(array.len()).map_err(|_| layout())?), None)?;
    let part = |from: &Type, to: &Type, values: &ArrayRef| {
        convert_values(&Conversion { session: conversion.session, from, to }, values)
    };
    match (conversion.from, conversion.to, conversion.to.to_arrow()) {
        (Type::Array(from), Type::Array(to), DataType::List(field)) => {
            let list = own.as_any().downcast_ref::<ListArray>().ok_or_else(layout)?;
            let values = part(from, to, list.values())?;
            Ok(Arc::new(ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned())?))
        }
        (Type::Map(from_key, from_value), Type::Map(to_key, to_value), DataType::Map(field, ordered)) => {
            let map = own.as_any().downcast_ref::<MapArray>().ok_or_else(layout)?;
            let keys = part(from_key, to_key, map.keys())?;
            let values = part(from_value, to_value, map.values())?;
            if from_key != to_key {
                refuse_duplicates(to_key, &keys, map.offsets())?;
            }
            let DataType::Struct(fields) = field.data_type() else { return Err(layout()) };
            let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
            Ok(Arc::new(MapArray::try_new(field, map.offsets().clone(), entries, map.nulls().cloned(), ordered)?))
        }
        (Type::Row(from), Type::Row(to), DataType::Struct(fields)) => {
            let row = own.as_any().downcast_ref::<StructArray>().ok_or_else(layout)?;
            let columns = from
                .iter()
                .zip(to.iter())
                .zip(row.columns())
                .map(|(((_, from), (_, to)), column)| part(from, to, &hidden(column, row.nulls())?))
                .collect::<Result<Vec<_>, _>>()?;
            if columns.is_empty() {
                return Ok(own);
            }
            Ok(Arc::new(StructArray::try_new(fields, columns, row.nulls().cloned())?))
        }
        _ => Err(layout()),
    }
}

/// Makes NULL what lies under a row that is NULL.
fn hidden(column: &ArrayRef, nulls: Option<&NullBuffer>) -> Result<ArrayRef, EvalError> {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 => {
            let mask = arrow::array::BooleanArray::new(!nulls.inner(), None);
            Ok(arrow::compute::nullif(column, &mask)?)
        }
        _ => Ok(Arc::clone(column)),
    }
}

/// Two keys may have become one.
fn refuse_duplicates(key: &Type, keys: &ArrayRef, offsets: &OffsetBuffer<i32>) -> Result<(), EvalError> {
    for window in offsets.windows(2) {
        let [from, to] = window else { continue };
        let range = usize::try_from(*from).unwrap_or(0)..usize::try_from(*to).unwrap_or(0);
        for first in range.clone() {
            for second in first + 1..range.end {
                if is_equal(key, keys.as_ref(), first, keys.as_ref(), second)? == Some(true) {
                    return Err(EvalError::invalid_cast("duplicate keys"));
                }
            }
        }
    }
    Ok(())
}
