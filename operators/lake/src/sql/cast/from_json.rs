//! Casts from `json`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, MapArray, StringArray, StructArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;

use super::{Conversion, convert as convert_values};
use crate::sql::function::{EvalError, Session};
use crate::sql::json::Json;
use crate::sql::operator::compare::is_equal;
use crate::sql::text::number as number_text;
use crate::sql::types::Type;

/// Tells whether there is a cast.
pub(super) fn exists(to: &Type) -> bool {
    match to {
        Type::Boolean | Type::Varchar(_) | Type::Json => true,
        Type::Array(element) => exists(element),
        Type::Map(key, value) => {
            (matches!(key.as_ref(), Type::Boolean | Type::Varchar(_)) || key.is_numeric()) && exists(value)
        }
        Type::Row(fields) => fields.iter().all(|(_, field)| exists(field)),
        _ => to.is_numeric(),
    }
}

pub(super) fn convert(conversion: &Conversion<'_>, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    let texts = array.as_string_opt::<i32>().ok_or_else(|| EvalError::layout("json"))?;
    let values = texts
        .iter()
        .map(|text| text.map(|text| Json::parse(text).ok_or_else(|| EvalError::layout("json"))).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    let values: Vec<Option<&Json>> = values.iter().map(Option::as_ref).collect();
    column(conversion.session, conversion.to, &values)
}

/// Makes a column of JSON values; a JSON null is NULL.
fn column(session: &Session, to: &Type, values: &[Option<&Json>]) -> Result<ArrayRef, EvalError> {
    let values: Vec<Option<&Json>> = values.iter().map(|value| value.filter(|value| **value != Json::Null)).collect();
    let nulls = values.iter().map(Option::is_some).collect::<NullBuffer>();
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    let layout = || EvalError::layout(&to.to_string());
    match (to, to.to_arrow()) {
        (Type::Json, _) => Ok(Arc::new(values.iter().map(|value| value.map(Json::to_text)).collect::<StringArray>())),
        (Type::Array(element), DataType::List(field)) => {
            let mut items = Vec::new();
            let mut lengths = Vec::with_capacity(values.len());
            for value in &values {
                match value {
                    None => lengths.push(0),
                    Some(Json::Array(list)) => {
                        items.extend(list.iter().map(Some));
                        lengths.push(list.len());
                    }
                    Some(other) => return Err(expected(to, "array", other)),
                }
            }
            let items = column(session, element, &items)?;
            Ok(Arc::new(ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), items, nulls)?))
        }
        (Type::Map(key, value_type), DataType::Map(field, ordered)) => {
            let (mut names, mut items) = (Vec::new(), Vec::new());
            let mut lengths = Vec::with_capacity(values.len());
            for value in &values {
                match value {
                    None => lengths.push(0),
                    Some(Json::Object(entries)) => {
                        names.extend(entries.iter().map(|(name, _)| Json::Text(name.clone())));
                        items.extend(entries.iter().map(|(_, item)| Some(item)));
                        lengths.push(entries.len());
                    }
                    Some(other) => return Err(expected(to, "object", other)),
                }
            }
            let names: Vec<Option<&Json>> = names.iter().map(Some).collect();
            let keys = column(session, key, &names)?;
            let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
            for window in offsets.windows(2) {
                let range = usize::try_from(window[0]).unwrap_or(0)..usize::try_from(window[1]).unwrap_or(0);
                for first in range.clone() {
                    for second in first + 1..range.end {
                        if is_equal(key, keys.as_ref(), first, keys.as_ref(), second)? == Some(true) {
                            return Err(EvalError::invalid_cast(format!(
                                "Cannot cast to {to}. Duplicate map keys are not allowed"
                            )));
                        }
                    }
                }
            }
            let DataType::Struct(fields) = field.data_type() else { return Err(layout()) };
            let entries = StructArray::try_new(fields.clone(), vec![keys, column(session, value_type, &items)?], None)?;
            Ok(Arc::new(MapArray::try_new(field, offsets, entries, nulls, ordered)?))
        }
        (Type::Row(fields), DataType::Struct(arrow_fields)) => {
            let mut parts: Vec<Vec<Option<&Json>>> = vec![Vec::with_capacity(values.len()); fields.len()];
            for value in &values {
                match value {
                    None => parts.iter_mut().for_each(|part| part.push(None)),
                    Some(Json::Array(items)) if items.len() == fields.len() => {
                        parts.iter_mut().zip(items).for_each(|(part, item)| part.push(Some(item)));
                    }
                    Some(Json::Object(entries)) => {
                        for ((name, _), part) in fields.iter().zip(&mut parts) {
                            let found = entries
                                .iter()
                                .find(|(key, _)| name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(key)));
                            part.push(found.map(|(_, item)| item));
                        }
                    }
                    Some(other) => return Err(expected(to, "object or array of as many values", other)),
                }
            }
            let columns = fields
                .iter()
                .zip(&parts)
                .map(|((_, field), part)| column(session, field, part))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Arc::new(StructArray::try_new(arrow_fields, columns, nulls)?))
        }
        _ => scalars(session, to, &values),
    }
}

fn expected(to: &Type, what: &str, found: &Json) -> EvalError {
    EvalError::invalid_cast(format!("Cannot cast to {to}. Expected a json {what}, but got {}", found.to_text()))
}

fn cannot(found: &Json, to: &Type) -> EvalError {
    EvalError::invalid_cast(format!("Cannot cast '{}' to {to}", found.to_text()))
}

/// Casts texts as `varchar`, numbers with a point as `double`, booleans as `boolean`, so that their rules hold.
fn scalars(session: &Session, to: &Type, values: &[Option<&Json>]) -> Result<ArrayRef, EvalError> {
    let as_text = |value: &Json| -> Result<String, EvalError> {
        Ok(match (value, to) {
            (Json::Text(text), _) => text.clone(),
            (Json::Boolean(bit), Type::Boolean | Type::Varchar(_)) => bit.to_string(),
            (Json::Boolean(bit), _) => u8::from(*bit).to_string(),
            (Json::Integer(digits), Type::Boolean) => u8::from(digits != "0").to_string(),
            (Json::Integer(digits), _) => digits.clone(),
            (Json::Double(number), Type::Boolean) => u8::from(*number != 0.0).to_string(),
            (Json::Double(number), Type::Varchar(_)) => number_text::cast_double(*number),
            (Json::Double(number), _) => number_text::java_double(*number),
            _ => return Err(cannot(value, to)),
        })
    };
    if to.is_integer() {
        return whole_numbers(session, to, values);
    }
    let texts = values.iter().map(|value| value.map(&as_text).transpose()).collect::<Result<Vec<_>, _>>()?;
    if let Type::Varchar(limit) = to {
        let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        if let Some(long) = texts.iter().flatten().find(|text| text.chars().count() > limit) {
            return Err(EvalError::new(
                "GENERIC_INTERNAL_ERROR",
                format!("Character count exceeds length limit {limit}: {long}"),
            ));
        }
        return Ok(Arc::new(StringArray::from(texts)));
    }
    if *to == Type::Boolean && texts.is_empty() {
        return Ok(Arc::new(BooleanArray::from(Vec::<bool>::new())));
    }
    let from = Type::Varchar(None);
    let texts: ArrayRef = Arc::new(StringArray::from(texts));
    convert_values(&Conversion { session, from: &from, to }, &texts).map_err(|error| match to {
        Type::Decimal(precision, scale) if error.name == "INVALID_CAST_ARGUMENT" => {
            EvalError::invalid_cast(format!("Cannot cast input json to DECIMAL({precision},{scale})"))
        }
        _ => error,
    })
}

fn whole_numbers(session: &Session, to: &Type, values: &[Option<&Json>]) -> Result<ArrayRef, EvalError> {
    let one = |value: &Json| -> Result<ArrayRef, EvalError> {
        let (from, single): (Type, ArrayRef) = match value {
            Json::Text(text) => (Type::Varchar(None), Arc::new(StringArray::from(vec![text.as_str()]))),
            Json::Boolean(bit) => (Type::Boolean, Arc::new(BooleanArray::from(vec![*bit]))),
            Json::Integer(digits) => {
                let wide = digits.parse::<i64>().map_err(|_| cannot(value, to))?;
                (Type::Bigint, Arc::new(arrow::array::Int64Array::from(vec![wide])))
            }
            Json::Double(number) => (Type::Double, Arc::new(arrow::array::Float64Array::from(vec![*number]))),
            _ => return Err(cannot(value, to)),
        };
        convert_values(&Conversion { session, from: &from, to }, &single).map_err(|error| match error.name {
            // Out of range is a bad cast here.
            "NUMERIC_VALUE_OUT_OF_RANGE" => cannot(value, to),
            _ => error,
        })
    };
    let parts = values
        .iter()
        .map(|value| value.map_or_else(|| Ok(new_null_array(&to.to_arrow(), 1)), one))
        .collect::<Result<Vec<_>, _>>()?;
    if parts.is_empty() {
        return Ok(new_null_array(&to.to_arrow(), 0));
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(arrow::compute::concat(&parts)?)
}
