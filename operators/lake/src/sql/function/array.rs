//! Arrays: sizes, elements, parts, searching, and arrays made of others.
//!
//! Most results are a choice of elements of an argument, so kernels choose indices and take the elements at once. Sets of
//! elements (`array_distinct`, …) are in `array_set`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, Int64Builder, ListArray, StringBuilder, UInt64Array};
use arrow::compute::{SortOptions, interleave, sort_to_indices, take};
use arrow::datatypes::{Float32Type, Float64Type};

use super::kernel::{
    Column, Evaluated, argument, bigint, broken, called, each, form, integer, invalid, is_null, list, list_of, map,
    text, unsupported,
};
use super::map::value_at;
use super::{Argument, Call, EvalError, Function};
use crate::sql::cast::cast;
use crate::sql::operator::compare::{is_equal, is_identical, key};
use crate::sql::types::Type;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function {
        name: "cardinality",
        overloads: &[form("(array(E)) -> bigint", cardinality), form("(map(K,V)) -> bigint", cardinality_of_map)],
    },
    Function {
        name: "element_at",
        overloads: &[form("(array(E), bigint) -> E", element_at), form("(map(K,V), K) -> V", value_at)],
    },
    Function { name: "contains", overloads: &[form("(array(T), T) -> boolean", contains)] },
    Function { name: "array_position", overloads: &[form("(array(T), T) -> bigint", position)] },
    Function { name: "array_remove", overloads: &[form("(array(E), E) -> array(E)", remove)] },
    Function { name: "array_sort", overloads: &[form("(array(E)) -> array(E)", sort)] },
    Function { name: "array_max", overloads: &[form("(array(T)) -> T", max)] },
    Function { name: "array_min", overloads: &[form("(array(T)) -> T", min)] },
    Function {
        name: "array_join",
        overloads: &[
            form("(array(E), varchar) -> varchar", join),
            form("(array(E), varchar, varchar) -> varchar", join_with_null),
        ],
    },
    Function { name: "slice", overloads: &[form("(array(E), bigint, bigint) -> array(E)", slice)] },
    Function { name: "trim_array", overloads: &[form("(array(E), bigint) -> array(E)", trim)] },
    Function { name: "flatten", overloads: &[form("(array(array(E))) -> array(E)", flatten)] },
    Function { name: "repeat", overloads: &[called("(T, bigint) -> array(T)", repeat)] },
    Function { name: "ngrams", overloads: &[form("(array(T), integer) -> array(array(T))", ngrams)] },
    Function { name: "combinations", overloads: &[form("(array(T), integer) -> array(array(T))", combinations)] },
    Function { name: "contains_sequence", overloads: &[form("(array(T), array(T)) -> boolean", contains_sequence)] },
    Function {
        name: "zip",
        overloads: &[
            form("(array(T1), array(T2)) -> array(row(T1,T2))", zip),
            form("(array(T1), array(T2), array(T3)) -> array(row(T1,T2,T3))", zip),
            form("(array(T1), array(T2), array(T3), array(T4)) -> array(row(T1,T2,T3,T4))", zip),
            form("(array(T1), array(T2), array(T3), array(T4), array(T5)) -> array(row(T1,T2,T3,T4,T5))", zip),
        ],
    },
];

/// The type of an array's elements.
pub(super) fn element_type<'a>(call: &'a Call<'_>, position: usize) -> Result<&'a Type, EvalError> {
    match call.arguments.get(position) {
        Some(Type::Array(element)) => Ok(element),
        _ => Err(broken("another type than an array")),
    }
}

/// Where a row's elements are among all elements; nothing for NULL.
pub(super) fn span(column: &Column<&ListArray>, row: usize) -> Option<std::ops::Range<usize>> {
    let array = *column.array();
    let index = column.index(row);
    if array.is_null(index) {
        return None;
    }
    let offsets = array.value_offsets();
    // Offsets of valid arrays are never negative.
    Some(usize::try_from(offsets[index]).ok()?..usize::try_from(offsets[index + 1]).ok()?)
}

/// An index as the engine's arrays count.
fn as_index(index: usize) -> u64 {
    index as u64
}

/// Arrays made of elements of one argument, chosen by index.
pub(super) struct Chosen {
    indices: Vec<Option<u64>>,
    lengths: Vec<Option<usize>>,
    row_start: usize,
}

impl Chosen {
    pub(super) fn new(rows: usize) -> Self {
        Self { indices: Vec::new(), lengths: Vec::with_capacity(rows), row_start: 0 }
    }

    /// Adds an element to the present row.
    pub(super) fn push(&mut self, index: usize) {
        self.indices.push(Some(as_index(index)));
    }

    /// Ends a row.
    pub(super) fn end_row(&mut self) {
        self.lengths.push(Some(self.indices.len() - self.row_start));
        self.row_start = self.indices.len();
    }

    /// Ends a row that is NULL.
    pub(super) fn null_row(&mut self) {
        self.lengths.push(None);
    }

    /// The arrays.
    pub(super) fn finish(self, of: &Type, elements: &ArrayRef) -> Evaluated {
        let elements = take(elements, &UInt64Array::from(self.indices), None).map_err(|_| broken("a bad index"))?;
        list_of(of, elements, &self.lengths)
    }
}

fn cardinality(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let column = list(arguments, 0)?;
    let lengths: arrow::array::Int64Array =
        (0..call.rows).map(|row| span(&column, row).and_then(|span| i64::try_from(span.len()).ok())).collect();
    Ok(Arc::new(lengths))
}

fn cardinality_of_map(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, map(arguments, 0)?).bigint(|entries| i64::try_from(entries.len()).map_err(|_| broken("a large map")))
}

fn element_at(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let (column, positions) = (list(arguments, 0)?, bigint(arguments, 1)?);
    let mut indices: Vec<Option<u64>> = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(span), Some(position)) = (span(&column, row), positions.get(row)) else {
            indices.push(None);
            continue;
        };
        if position == 0 {
            return Err(invalid("SQL array indices start at 1"));
        }
        let length = i64::try_from(span.len()).map_err(|_| broken("a large array"))?;
        let offset = if position > 0 { position - 1 } else { length.saturating_add(position) };
        let inside = (0..length).contains(&offset);
        indices.push(usize::try_from(offset).ok().filter(|_| inside).map(|offset| as_index(span.start + offset)));
    }
    take(column.array().values(), &UInt64Array::from(indices), None).map_err(|_| broken("a bad index"))
}

fn contains(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let of = element_type(call, 0)?;
    let (column, needle) = (list(arguments, 0)?, argument(arguments, 1)?);
    let elements = column.array().values();
    let mut builder = BooleanBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        let wanted = needle.index(row);
        let (Some(span), false) = (span(&column, row), is_null(&needle.array, wanted)) else {
            builder.append_null();
            continue;
        };
        let mut found = Some(false);
        for index in span {
            if is_null(elements, index) {
                found = None;
                continue;
            }
            match is_equal(of, elements, index, &needle.array, wanted)? {
                Some(true) => {
                    found = Some(true);
                    break;
                }
                Some(false) => {}
                None => {
                    return Err(EvalError::new(
                        "NOT_SUPPORTED",
                        "contains does not support arrays with elements that are null or contain null",
                    ));
                }
            }
        }
        builder.append_option(found);
    }
    Ok(Arc::new(builder.finish()))
}

/// Whether an element equals a value; comparing a NULL within is refused.
fn equals(of: &Type, elements: &ArrayRef, index: usize, value: &ArrayRef, at: usize) -> Result<bool, EvalError> {
    if is_null(elements, index) {
        return Ok(false);
    }
    is_equal(of, elements, index, value, at)?.ok_or_else(|| unsupported("comparing elements with NULL within"))
}

fn position(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let of = element_type(call, 0)?;
    let (column, needle) = (list(arguments, 0)?, argument(arguments, 1)?);
    let elements = column.array().values();
    let mut builder = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        let wanted = needle.index(row);
        let (Some(span), false) = (span(&column, row), is_null(&needle.array, wanted)) else {
            builder.append_null();
            continue;
        };
        let mut position = 0;
        for (counted, index) in (1..).zip(span) {
            if equals(of, elements, index, &needle.array, wanted)? {
                position = counted;
                break;
            }
        }
        builder.append_value(position);
    }
    Ok(Arc::new(builder.finish()))
}

fn remove(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let of = element_type(call, 0)?;
    let (column, needle) = (list(arguments, 0)?, argument(arguments, 1)?);
    let elements = column.array().values();
    let mut chosen = Chosen::new(call.rows);
    for row in 0..call.rows {
        let wanted = needle.index(row);
        let (Some(span), false) = (span(&column, row), is_null(&needle.array, wanted)) else {
            chosen.null_row();
            continue;
        };
        for index in span {
            if !equals(of, elements, index, &needle.array, wanted)? {
                chosen.push(index);
            }
        }
        chosen.end_row();
    }
    chosen.finish(call.returns, elements)
}

/// Types whose values Arrow orders as the dialect does, given their keys.
fn orders_by_key(of: &Type) -> Result<(), EvalError> {
    match of {
        Type::Array(_) | Type::Map(..) | Type::Row(_) | Type::Json => {
            Err(unsupported(format!("ordering elements of type {of} is not supported")))
        }
        _ => Ok(()),
    }
}

fn sort(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let of = element_type(call, 0)?;
    orders_by_key(of)?;
    let column = list(arguments, 0)?;
    let elements = column.array().values();
    let keys = key(of, elements)?;
    let options = Some(SortOptions { descending: false, nulls_first: false });
    let mut chosen = Chosen::new(call.rows);
    for row in 0..call.rows {
        let Some(span) = span(&column, row) else {
            chosen.null_row();
            continue;
        };
        if *of == Type::Unknown {
            span.for_each(|index| chosen.push(index));
        } else {
            let order = sort_to_indices(&keys.slice(span.start, span.len()), options, None)
                .map_err(|_| broken("elements without an order"))?;
            for index in order.values() {
                chosen.push(span.start + usize::try_from(*index).map_err(|_| broken("a large array"))?);
            }
        }
        chosen.end_row();
    }
    chosen.finish(call.returns, elements)
}

/// Whether a value is no number.
fn is_nan(of: &Type, elements: &ArrayRef, index: usize) -> bool {
    match of {
        Type::Double => elements.as_primitive_opt::<Float64Type>().is_some_and(|values| values.value(index).is_nan()),
        Type::Real => elements.as_primitive_opt::<Float32Type>().is_some_and(|values| values.value(index).is_nan()),
        _ => false,
    }
}

/// The largest or smallest element; NULL when one is NULL or there is none. What is no number is passed over.
fn extreme(call: &Call<'_>, arguments: &[Argument], descending: bool) -> Evaluated {
    let of = element_type(call, 0)?;
    orders_by_key(of)?;
    let column = list(arguments, 0)?;
    let elements = column.array().values();
    let keys = key(of, elements)?;
    let options = Some(SortOptions { descending, nulls_first: false });
    let mut indices: Vec<Option<u64>> = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let span = span(&column, row).filter(|span| !span.is_empty() && *of != Type::Unknown);
        let Some(span) = span.filter(|span| span.clone().all(|index| !is_null(elements, index))) else {
            indices.push(None);
            continue;
        };
        let numbers: Vec<u64> = span.clone().filter(|index| !is_nan(of, elements, *index)).map(as_index).collect();
        if numbers.is_empty() {
            indices.push(Some(as_index(span.start)));
            continue;
        }
        let candidates = UInt64Array::from(numbers);
        let values = take(&keys, &candidates, None).map_err(|_| broken("a bad index"))?;
        let best = sort_to_indices(&values, options, Some(1)).map_err(|_| broken("elements without an order"))?;
        let best = best.values().first().and_then(|best| usize::try_from(*best).ok());
        indices.push(best.map(|best| candidates.value(best)));
    }
    take(elements, &UInt64Array::from(indices), None).map_err(|_| broken("a bad index"))
}

fn max(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    extreme(call, arguments, true)
}

fn min(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    extreme(call, arguments, false)
}

/// Joins the texts of elements.
fn joined(call: &Call<'_>, arguments: &[Argument], has_null_text: bool) -> Evaluated {
    let of = element_type(call, 0)?;
    let column = list(arguments, 0)?;
    let elements = column.array().values();
    let texts = match of {
        Type::Unknown => arrow::array::new_null_array(&arrow::datatypes::DataType::Utf8, elements.len()),
        Type::Varchar(_) => Arc::clone(elements),
        _ => cast(call.session, of, &Type::Varchar(None), elements)?,
    };
    let texts = texts.as_string_opt::<i32>().ok_or_else(|| broken("elements without a text"))?;
    let delimiters = text(arguments, 1)?;
    let null_texts = if has_null_text { Some(text(arguments, 2)?) } else { None };
    let mut builder = StringBuilder::new();
    let mut out = String::new();
    for row in 0..call.rows {
        let null_text = null_texts.as_ref().map(|texts| texts.get(row));
        let (Some(span), Some(delimiter), false) = (span(&column, row), delimiters.get(row), null_text == Some(None))
        else {
            builder.append_null();
            continue;
        };
        out.clear();
        let mut is_first = true;
        for index in span {
            let shown = if texts.is_null(index) { null_text.flatten() } else { Some(texts.value(index)) };
            if let Some(shown) = shown {
                if !is_first {
                    out.push_str(delimiter);
                }
                is_first = false;
                out.push_str(shown);
            }
        }
        builder.append_value(&out);
    }
    Ok(Arc::new(builder.finish()))
}

fn join(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    joined(call, arguments, false)
}

fn join_with_null(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    joined(call, arguments, true)
}

fn slice(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let (column, starts, lengths) = (list(arguments, 0)?, bigint(arguments, 1)?, bigint(arguments, 2)?);
    let mut chosen = Chosen::new(call.rows);
    for row in 0..call.rows {
        let (Some(span), Some(start), Some(length)) = (span(&column, row), starts.get(row), lengths.get(row)) else {
            chosen.null_row();
            continue;
        };
        if length < 0 {
            return Err(invalid("length must be greater than or equal to 0"));
        }
        if start == 0 {
            return Err(invalid("SQL array indices start at 1"));
        }
        let count = i64::try_from(span.len()).map_err(|_| broken("a large array"))?;
        let first = if start > 0 { start } else { count.saturating_add(start).saturating_add(1) };
        // As in Trino, an end beyond all numbers wraps around and leaves nothing.
        let end = first.wrapping_add(length).min(count + 1);
        if first >= 1 {
            for position in first..end {
                chosen.push(span.start + usize::try_from(position - 1).map_err(|_| broken("a bad position"))?);
            }
        }
        chosen.end_row();
    }
    chosen.finish(call.returns, column.array().values())
}

fn trim(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let (column, sizes) = (list(arguments, 0)?, bigint(arguments, 1)?);
    let mut chosen = Chosen::new(call.rows);
    for row in 0..call.rows {
        let (Some(span), Some(size)) = (span(&column, row), sizes.get(row)) else {
            chosen.null_row();
            continue;
        };
        if size < 0 {
            return Err(invalid(format!("size must not be negative: {size}")));
        }
        let kept = usize::try_from(size)
            .ok()
            .and_then(|size| span.len().checked_sub(size))
            .ok_or_else(|| invalid(format!("size must not exceed array cardinality {}: {size}", span.len())))?;
        span.take(kept).for_each(|index| chosen.push(index));
        chosen.end_row();
    }
    chosen.finish(call.returns, column.array().values())
}

fn flatten(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let column = list(arguments, 0)?;
    let inner = column.array().values().as_list_opt::<i32>().ok_or_else(|| broken("another type than an array"))?;
    let inner = Column::every(inner);
    let mut chosen = Chosen::new(call.rows);
    for row in 0..call.rows {
        let Some(outer) = span(&column, row) else {
            chosen.null_row();
            continue;
        };
        for index in outer {
            span(&inner, index).into_iter().flatten().for_each(|index| chosen.push(index));
        }
        chosen.end_row();
    }
    chosen.finish(call.returns, inner.array().values())
}

fn repeat(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    /// As many entries as an array made by a function may have.
    const MOST: i64 = 10_000;
    let (element, counts) = (argument(arguments, 0)?, bigint(arguments, 1)?);
    let mut chosen = Chosen::new(call.rows);
    for row in 0..call.rows {
        let Some(count) = counts.get(row) else {
            chosen.null_row();
            continue;
        };
        if count > MOST {
            return Err(invalid(format!("count argument of repeat function must be less than or equal to {MOST}")));
        }
        if count < 0 {
            return Err(invalid("count argument of repeat function must be greater than or equal to 0"));
        }
        (0..count).for_each(|_| chosen.push(element.index(row)));
        chosen.end_row();
    }
    chosen.finish(call.returns, &element.array)
}

/// Arrays of arrays of elements of one argument.
struct ChosenLists {
    outer: Vec<Option<usize>>,
    inner: Chosen,
    row_start: usize,
}

impl ChosenLists {
    fn new(rows: usize) -> Self {
        Self { outer: Vec::with_capacity(rows), inner: Chosen::new(rows), row_start: 0 }
    }

    fn end_row(&mut self) {
        self.outer.push(Some(self.inner.lengths.len() - self.row_start));
        self.row_start = self.inner.lengths.len();
    }

    fn finish(self, of: &Type, elements: &ArrayRef) -> Evaluated {
        let Type::Array(inner) = of else { return Err(broken("another result than an array")) };
        list_of(of, self.inner.finish(inner, elements)?, &self.outer)
    }
}

fn ngrams(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let (column, sizes) = (list(arguments, 0)?, integer(arguments, 1)?);
    let mut chosen = ChosenLists::new(call.rows);
    for row in 0..call.rows {
        let (Some(span), Some(size)) = (span(&column, row), sizes.get(row)) else {
            chosen.outer.push(None);
            continue;
        };
        let size = usize::try_from(size).ok().filter(|size| *size > 0).ok_or_else(|| invalid("N must be positive"))?;
        // A shorter array is its own only part.
        for start in span.start..=span.end.saturating_sub(size).max(span.start) {
            (start..(start + size).min(span.end)).for_each(|index| chosen.inner.push(index));
            chosen.inner.end_row();
        }
        chosen.end_row();
    }
    chosen.finish(call.returns, column.array().values())
}

fn combinations(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    const MOST_ELEMENTS: i32 = 5;
    const MOST: usize = 100_000;
    let (column, sizes) = (list(arguments, 0)?, integer(arguments, 1)?);
    let mut chosen = ChosenLists::new(call.rows);
    for row in 0..call.rows {
        let (Some(span), Some(size)) = (span(&column, row), sizes.get(row)) else {
            chosen.outer.push(None);
            continue;
        };
        if size > MOST_ELEMENTS {
            return Err(invalid(format!("combination size must not exceed {MOST_ELEMENTS}: {size}")));
        }
        let size =
            usize::try_from(size).map_err(|_| invalid(format!("combination size must not be negative: {size}")))?;
        let mut picked: Vec<usize> = (span.start..span.start + size).collect();
        let mut count = 0;
        while size <= span.len() {
            count += 1;
            if count > MOST {
                return Err(invalid("combinations exceed max size"));
            }
            for index in &picked {
                chosen.inner.push(*index);
            }
            chosen.inner.end_row();
            // The last place that can still move, moves; those behind it follow.
            let Some(place) = (0..size).rev().find(|place| picked[*place] < span.end - size + place) else { break };
            let next = picked[place] + 1;
            for (step, slot) in picked[place..].iter_mut().enumerate() {
                *slot = next + step;
            }
        }
        chosen.end_row();
    }
    chosen.finish(call.returns, column.array().values())
}

fn contains_sequence(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let of = element_type(call, 0)?;
    let (column, sequences) = (list(arguments, 0)?, list(arguments, 1)?);
    let (elements, wanted) = (column.array().values(), sequences.array().values());
    let mut builder = BooleanBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(span), Some(sequence)) = (span(&column, row), span(&sequences, row)) else {
            builder.append_null();
            continue;
        };
        let mut found = sequence.is_empty();
        if sequence.len() <= span.len() {
            for start in span.start..=span.end - sequence.len() {
                let mut same = true;
                for (index, wanted_index) in (start..).zip(sequence.clone()) {
                    same = same && is_identical(of, elements, index, wanted, wanted_index)?;
                }
                found |= same;
            }
        }
        builder.append_value(found);
    }
    Ok(Arc::new(builder.finish()))
}

fn zip(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (0..arguments.len()).map(|position| list(arguments, position)).collect::<Result<Vec<_>, _>>()?;
    let mut lengths = Vec::with_capacity(call.rows);
    let mut indices: Vec<Vec<Option<u64>>> = vec![Vec::new(); columns.len()];
    for row in 0..call.rows {
        let Some(spans) = columns.iter().map(|column| span(column, row)).collect::<Option<Vec<_>>>() else {
            lengths.push(None);
            continue;
        };
        let longest = spans.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        for (indices, span) in indices.iter_mut().zip(&spans) {
            indices.extend((0..longest).map(|at| (at < span.len()).then(|| as_index(span.start + at))));
        }
        lengths.push(Some(longest));
    }
    let fields = columns
        .iter()
        .zip(indices)
        .map(|(column, indices)| take(column.array().values(), &UInt64Array::from(indices), None))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| broken("a bad index"))?;
    let Type::Array(row) = call.returns else { return Err(broken("another result than an array")) };
    let rows = super::map::rows_of(row, fields)?;
    list_of(call.returns, rows, &lengths)
}

/// Elements of several arguments one after the other, by argument and index.
pub(super) fn interleaved(arrays: &[&ArrayRef], picked: &[(usize, usize)]) -> Evaluated {
    let arrays: Vec<&dyn Array> = arrays.iter().map(|array| &***array).collect();
    if picked.is_empty() {
        return arrays.first().map(|array| array.slice(0, 0)).ok_or_else(|| broken("too few arguments"));
    }
    interleave(&arrays, picked).map_err(|_| broken("arrays of several types"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{bigint, error, integer, integers, text, value};
    use crate::sql::types::Type;

    fn lists() -> Type {
        Type::Array(Arc::new(Type::Bigint))
    }

    #[test]
    fn parts_start_at_one_or_count_from_the_end() {
        let four = integers(&[Some(1), Some(2), Some(3), Some(4)]);
        let slice = |start, length| value("slice", 0, lists(), &[four.clone(), bigint(start), bigint(length)]);
        assert_eq!(slice(2, 2), "[2, 3]");
        assert_eq!(slice(-2, 5), "[3, 4]");
        assert_eq!(slice(-5, 2), "[]");
        assert_eq!(slice(2, i64::MAX), "[]");
        assert!(error("slice", 0, lists(), &[four.clone(), bigint(0), bigint(1)]).contains("indices start at 1"));
        assert_eq!(value("element_at", 0, Type::Bigint, &[four.clone(), bigint(-1)]), "4");
        assert_eq!(value("element_at", 0, Type::Bigint, &[four, bigint(5)]), "null");
    }

    #[test]
    fn searching_knows_what_is_unknown() {
        let contains = |of: &[Option<i64>], what| value("contains", 0, Type::Boolean, &[integers(of), bigint(what)]);
        assert_eq!(contains(&[Some(1), None], 5), "null");
        assert_eq!(contains(&[Some(1), None], 1), "true");
        assert_eq!(contains(&[], 1), "false");
        let position = value("array_position", 0, Type::Bigint, &[integers(&[Some(4), None, Some(5)]), bigint(5)]);
        assert_eq!(position, "3");
        assert_eq!(
            value("array_remove", 0, lists(), &[integers(&[Some(1), Some(2), Some(1), None]), bigint(1)]),
            "[2, null]"
        );
    }

    #[test]
    fn order_puts_null_last_and_extremes_are_null_with_one() {
        let of = integers(&[Some(3), None, Some(1)]);
        assert_eq!(value("array_sort", 0, lists(), std::slice::from_ref(&of)), "[1, 3, null]");
        assert_eq!(value("array_max", 0, Type::Bigint, &[of]), "null");
        assert_eq!(value("array_min", 0, Type::Bigint, &[integers(&[Some(3), Some(2)])]), "2");
    }

    #[test]
    fn texts_are_joined_without_nulls_or_with_a_word_for_them() {
        let of = integers(&[Some(1), None, Some(3)]);
        assert_eq!(value("array_join", 0, Type::Varchar(None), &[of.clone(), text(",")]), "1,3");
        assert_eq!(value("array_join", 1, Type::Varchar(None), &[of, text(","), text("-")]), "1,-,3");
    }

    #[test]
    fn parts_and_choices_of_arrays() {
        let nested = Type::Array(Arc::new(lists()));
        let three = integers(&[Some(1), Some(2), Some(3)]);
        assert_eq!(value("ngrams", 0, nested.clone(), &[three.clone(), integer(2)]), "[[1, 2], [2, 3]]");
        assert_eq!(value("ngrams", 0, nested.clone(), &[three.clone(), integer(5)]), "[[1, 2, 3]]");
        assert_eq!(value("combinations", 0, nested.clone(), &[three.clone(), integer(2)]), "[[1, 2], [1, 3], [2, 3]]");
        assert_eq!(value("combinations", 0, nested, &[three.clone(), integer(0)]), "[[]]");
        assert_eq!(value("trim_array", 0, lists(), &[three.clone(), bigint(1)]), "[1, 2]");
        assert!(
            error("trim_array", 0, lists(), &[three, bigint(4)]).contains("must not exceed array cardinality 3: 4")
        );
        assert_eq!(value("repeat", 0, lists(), &[bigint(7), bigint(2)]), "[7, 7]");
    }
}
