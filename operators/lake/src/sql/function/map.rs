//! Maps: made of arrays and entries, read by key, taken apart and joined.
//!
//! A key is neither NULL nor there twice. Keys are found by equality, so what is no number is never found.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::DataType;

use super::array::{interleaved, span};
use super::array_set::Identities;
use super::kernel::{Column, Evaluated, argument, broken, form, invalid, is_null, list, list_of, map, map_of};
use super::{Argument, Call, EvalError, Function};
use crate::sql::operator::compare::is_equal;
use crate::sql::text;
use crate::sql::types::Type;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function {
        name: "map",
        overloads: &[form("() -> map(unknown,unknown)", empty), form("(array(K), array(V)) -> map(K,V)", of_arrays)],
    },
    Function { name: "map_keys", overloads: &[form("(map(K,V)) -> array(K)", keys)] },
    Function { name: "map_values", overloads: &[form("(map(K,V)) -> array(V)", values)] },
    Function { name: "map_entries", overloads: &[form("(map(K,V)) -> array(row(K,V))", entries)] },
    Function { name: "map_from_entries", overloads: &[form("(array(row(K,V))) -> map(K,V)", from_entries)] },
    Function {
        name: "multimap_from_entries",
        overloads: &[form("(array(row(K,V))) -> map(K,array(V))", multimap_from_entries)],
    },
    Function { name: "map_concat", overloads: &[form("(map(K,V)...) -> map(K,V)", concat)] },
];

/// Where a row's entries are among all entries; nothing for NULL.
fn entry_span(column: &Column<&MapArray>, row: usize) -> Option<std::ops::Range<usize>> {
    let array = *column.array();
    let index = column.index(row);
    if array.is_null(index) {
        return None;
    }
    let offsets = array.value_offsets();
    Some(usize::try_from(offsets[index]).ok()?..usize::try_from(offsets[index + 1]).ok()?)
}

/// The types of a map's keys and values.
fn key_type(of: &Type) -> Result<&Type, EvalError> {
    match of {
        Type::Map(key, _) => Ok(key),
        _ => Err(broken("another type than a map")),
    }
}

/// Rows from their fields.
pub(super) fn rows_of(of: &Type, fields: Vec<ArrayRef>) -> Evaluated {
    let DataType::Struct(layout) = of.to_arrow() else { return Err(broken("another type than a row")) };
    Ok(Arc::new(StructArray::try_new(layout, fields, None).map_err(|_| broken("fields of other types"))?))
}

/// A key that a map has twice.
fn duplicate(of: &Type, keys: &ArrayRef, index: usize) -> EvalError {
    let shown = text::display(of, keys, index).unwrap_or_default();
    invalid(format!("Duplicate map keys ({shown}) are not allowed"))
}

fn empty(call: &Call<'_>, _: &[Argument]) -> Evaluated {
    let nothing: ArrayRef = Arc::new(arrow::array::NullArray::new(0));
    map_of(call.returns, Arc::clone(&nothing), nothing, &vec![Some(0); call.rows])
}

fn of_arrays(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let (key_lists, value_lists) = (list(arguments, 0)?, list(arguments, 1)?);
    let of = key_type(call.returns)?;
    let (keys, values) = (key_lists.array().values(), value_lists.array().values());
    let identities = Identities::new(of, &[keys])?;
    let (mut key_indices, mut value_indices) = (Vec::new(), Vec::new());
    let mut lengths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(key_span), Some(value_span)) = (span(&key_lists, row), span(&value_lists, row)) else {
            lengths.push(None);
            continue;
        };
        if key_span.len() != value_span.len() {
            return Err(invalid("Key and value arrays must be the same length"));
        }
        lengths.push(Some(key_span.len()));
        let mut seen = HashSet::with_capacity(key_span.len());
        for (key, value) in key_span.zip(value_span) {
            if is_null(keys, key) {
                return Err(invalid("map key cannot be null"));
            }
            if !seen.insert(identities.of(0, key)) {
                return Err(duplicate(of, keys, key));
            }
            key_indices.push(key as u64);
            value_indices.push(value as u64);
        }
    }
    let keys = take(keys, &UInt64Array::from(key_indices), None).map_err(|_| broken("a bad index"))?;
    let values = take(values, &UInt64Array::from(value_indices), None).map_err(|_| broken("a bad index"))?;
    map_of(call.returns, keys, values, &lengths)
}

/// `element_at` of a map: the value of a key, or NULL.
pub(super) fn value_at(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let (column, wanted) = (map(arguments, 0)?, argument(arguments, 1)?);
    let of = key_type(call.arguments.first().ok_or_else(|| broken("too few arguments"))?)?;
    let keys = column.array().keys();
    let mut indices: Vec<Option<u64>> = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let at = wanted.index(row);
        let (Some(span), false) = (entry_span(&column, row), is_null(&wanted.array, at)) else {
            indices.push(None);
            continue;
        };
        let mut found = None;
        for index in span {
            if is_equal(of, keys, index, &wanted.array, at)? == Some(true) {
                found = Some(index as u64);
                break;
            }
        }
        indices.push(found);
    }
    take(column.array().values(), &UInt64Array::from(indices), None).map_err(|_| broken("a bad index"))
}

/// Arrays of something of all entries, by row.
fn by_row(call: &Call<'_>, column: &Column<&MapArray>, of_entries: &ArrayRef) -> Evaluated {
    let (mut indices, mut lengths) = (Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let span = entry_span(column, row);
        lengths.push(span.as_ref().map(ExactSizeIterator::len));
        indices.extend(span.into_iter().flatten().map(|index| index as u64));
    }
    let elements = take(of_entries, &UInt64Array::from(indices), None).map_err(|_| broken("a bad index"))?;
    list_of(call.returns, elements, &lengths)
}

fn keys(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let column = map(arguments, 0)?;
    by_row(call, &column, column.array().keys())
}

fn values(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let column = map(arguments, 0)?;
    by_row(call, &column, column.array().values())
}

fn entries(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let column = map(arguments, 0)?;
    let Type::Array(row) = call.returns else { return Err(broken("another result than an array")) };
    let rows = rows_of(row, vec![Arc::clone(column.array().keys()), Arc::clone(column.array().values())])?;
    by_row(call, &column, &rows)
}

/// The rows of arrays of entries, and their keys and values.
fn entry_fields<'a>(
    column: &Column<&'a ListArray>,
) -> Result<(&'a StructArray, &'a ArrayRef, &'a ArrayRef), EvalError> {
    let rows = column.array().values().as_struct_opt().ok_or_else(|| broken("another type than a row"))?;
    match rows.columns() {
        [keys, values] => Ok((rows, keys, values)),
        _ => Err(broken("rows of more than two fields")),
    }
}

/// An entry must be there and have a key.
fn check_entry(rows: &StructArray, keys: &ArrayRef, index: usize) -> Result<(), EvalError> {
    if rows.is_null(index) {
        return Err(invalid("map entry cannot be null"));
    }
    if is_null(keys, index) {
        return Err(invalid("map key cannot be null"));
    }
    Ok(())
}

fn from_entries(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let column = list(arguments, 0)?;
    let of = key_type(call.returns)?;
    let (rows, keys, values) = entry_fields(&column)?;
    let identities = Identities::new(of, &[keys])?;
    let (mut indices, mut lengths) = (Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let Some(span) = span(&column, row) else {
            lengths.push(None);
            continue;
        };
        lengths.push(Some(span.len()));
        let mut seen = HashSet::with_capacity(span.len());
        for index in span {
            check_entry(rows, keys, index)?;
            if !seen.insert(identities.of(0, index)) {
                return Err(duplicate(of, keys, index));
            }
            indices.push(index as u64);
        }
    }
    let indices = UInt64Array::from(indices);
    let keys = take(keys, &indices, None).map_err(|_| broken("a bad index"))?;
    let values = take(values, &indices, None).map_err(|_| broken("a bad index"))?;
    map_of(call.returns, keys, values, &lengths)
}

fn multimap_from_entries(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let column = list(arguments, 0)?;
    let Type::Map(of, lists) = call.returns else { return Err(broken("another result than a map")) };
    let (rows, keys, values) = entry_fields(&column)?;
    let identities = Identities::new(of, &[keys])?;
    let (mut key_indices, mut groups, mut lengths) = (Vec::new(), Vec::<Vec<u64>>::new(), Vec::new());
    for row in 0..call.rows {
        let Some(span) = span(&column, row) else {
            lengths.push(None);
            continue;
        };
        let before = groups.len();
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        for index in span {
            check_entry(rows, keys, index)?;
            let place = *places.entry(identities.of(0, index)).or_insert_with(|| {
                key_indices.push(index as u64);
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[place].push(index as u64);
        }
        lengths.push(Some(groups.len() - before));
    }
    let group_lengths: Vec<Option<usize>> = groups.iter().map(|group| Some(group.len())).collect();
    let flat: Vec<u64> = groups.into_iter().flatten().collect();
    let keys = take(keys, &UInt64Array::from(key_indices), None).map_err(|_| broken("a bad index"))?;
    let values = take(values, &UInt64Array::from(flat), None).map_err(|_| broken("a bad index"))?;
    map_of(call.returns, keys, list_of(lists, values, &group_lengths)?, &lengths)
}

fn concat(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    if arguments.len() < 2 {
        return Err(invalid("There must be two or more concatenation arguments to map_concat"));
    }
    let of = key_type(call.returns)?;
    let columns = (0..arguments.len()).map(|position| map(arguments, position)).collect::<Result<Vec<_>, _>>()?;
    let key_arrays: Vec<&ArrayRef> = columns.iter().map(|column| column.array().keys()).collect();
    let value_arrays: Vec<&ArrayRef> = columns.iter().map(|column| column.array().values()).collect();
    let identities = Identities::new(of, &key_arrays)?;
    let (mut picked, mut lengths) = (Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let Some(spans) = columns.iter().map(|column| entry_span(column, row)).collect::<Option<Vec<_>>>() else {
            lengths.push(None);
            continue;
        };
        let before = picked.len();
        // The last map that has a key gives its value.
        let mut seen = HashSet::new();
        for (argument, span) in spans.into_iter().enumerate().rev() {
            picked.extend(
                span.filter(|index| seen.insert(identities.of(argument, *index))).map(|index| (argument, index)),
            );
        }
        lengths.push(Some(picked.len() - before));
    }
    map_of(call.returns, interleaved(&key_arrays, &picked)?, interleaved(&value_arrays, &picked)?, &lengths)
}
