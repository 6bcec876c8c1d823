//! `array[index]` and `map[key]`: what is not there is an error.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, MapArray, UInt32Array, new_null_array};
use arrow::datatypes::Int64Type;

use super::arguments::{Column, Nulls, argument, typed};
use super::{Form, compare, form as make_form};
use crate::sql::coerce::can_coerce;
use crate::sql::error::SqlError;
use crate::sql::function::{Argument, Call, EvalError};
use crate::sql::text;
use crate::sql::types::Type;

pub(super) fn form(base: &Type, index: &Type) -> Result<Form, SqlError> {
    match base {
        Type::Array(element) if can_coerce(index, &Type::Bigint) => {
            Ok(make_form([base.clone(), Type::Bigint], element.as_ref().clone(), array_element))
        }
        Type::Map(key, value) => {
            if can_coerce(index, key) {
                return Ok(make_form([base.clone(), key.as_ref().clone()], value.as_ref().clone(), map_value));
            }
            // The map may widen to the key's type instead.
            match crate::sql::coerce::common_super_type(key, index) {
                Some(common) => {
                    let widened = Type::Map(Arc::new(common.clone()), Arc::clone(value));
                    Ok(make_form([widened, common], value.as_ref().clone(), map_value))
                }
                None => Err(refused(base, index)),
            }
        }
        _ => Err(refused(base, index)),
    }
}

fn refused(base: &Type, index: &Type) -> SqlError {
    SqlError::type_mismatch(format!("Cannot use {index} for subscript of {base}"))
}

fn array_element(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let nulls = Nulls::of(arguments);
    if matches!(nulls, Nulls::All) {
        return Ok(new_null_array(&call.returns.to_arrow(), call.rows));
    }
    let base = argument(arguments, 0)?;
    let lists = typed::<ListArray>(&base.array)?;
    let indexes = Column::<Int64Type>::new(argument(arguments, 1)?)?;
    let mut places = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if !nulls.is_valid(row) {
            places.push(None);
            continue;
        }
        let list = base.index(row);
        let (start, length) = (lists.value_offsets()[list], lists.value_length(list));
        let index = indexes.value(row);
        if index == 0 {
            return Err(EvalError::invalid_argument("SQL array indices start at 1"));
        }
        if index < 0 {
            return Err(EvalError::invalid_argument(format!("Array subscript is negative: {index}")));
        }
        if index > i64::from(length) {
            return Err(EvalError::invalid_argument(format!(
                "Array subscript must be less than or equal to array length: {index} > {length}"
            )));
        }
        places.push(u32::try_from(i64::from(start) + index - 1).ok());
    }
    Ok(arrow::compute::take(lists.values(), &UInt32Array::from(places), None)?)
}

fn map_value(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let nulls = Nulls::of(arguments);
    if matches!(nulls, Nulls::All) {
        return Ok(new_null_array(&call.returns.to_arrow(), call.rows));
    }
    let Some(key_type) = call.arguments.get(1) else { return Err(EvalError::layout("a map and its key")) };
    let (base, key) = (argument(arguments, 0)?, argument(arguments, 1)?);
    let maps = typed::<MapArray>(&base.array)?;
    let mut places = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if !nulls.is_valid(row) {
            places.push(None);
            continue;
        }
        let map = base.index(row);
        let (from, to) = (maps.value_offsets()[map], maps.value_offsets()[map + 1]);
        let mut found = None;
        for place in from..to {
            let place = usize::try_from(place).map_err(|_| EvalError::layout("a map"))?;
            if compare::is_equal(key_type, maps.keys().as_ref(), place, key.array.as_ref(), key.index(row))?
                == Some(true)
            {
                found = u32::try_from(place).ok();
                break;
            }
        }
        if found.is_none() {
            let shown = text::display(key_type, &key.array, key.index(row)).unwrap_or_default();
            return Err(EvalError::invalid_argument(format!("Key not present in map: {shown}")));
        }
        places.push(found);
    }
    Ok(arrow::compute::take(maps.values(), &UInt32Array::from(places), None)?)
}
