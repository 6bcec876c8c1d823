//! What is computed of the collected values of a group: maps, histograms, percentiles, the mean of decimals.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, ListArray, MapArray, StructArray, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type};
use arrow::row::{OwnedRow, RowConverter, SortField};

use crate::sql::function::{Argument, Call, EvalError};
use crate::sql::types::Type;
use crate::sql::values::expanded;

type Evaluated = Result<ArrayRef, EvalError>;

/// A checked sum by a count, rounded half up (away from zero) at the scale of the argument.
pub(super) fn decimal_average(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let (Type::Decimal(precision, scale), [sum, count]) = (call.returns, arguments) else {
        return Err(EvalError::layout("a mean"));
    };
    let (sum, count) = (expanded(sum, call.rows)?, expanded(count, call.rows)?);
    let sums = sum.as_primitive_opt::<Decimal128Type>().ok_or_else(|| EvalError::layout("a decimal"))?;
    let counts = count.as_primitive_opt::<Int64Type>().ok_or_else(|| EvalError::layout("a count"))?;
    let means: Vec<Option<i128>> = sums
        .iter()
        .zip(counts)
        .map(|(sum, count)| {
            let (sum, count) = (sum?, i128::from(count?));
            if count == 0 {
                return None;
            }
            let (quotient, remainder) = (sum / count, sum % count);
            Some(if remainder.abs() * 2 >= count { quotient + sum.signum() } else { quotient })
        })
        .collect();
    let scale = i8::try_from(*scale).unwrap_or(i8::MAX);
    Ok(Arc::new(Decimal128Array::from(means).with_precision_and_scale(*precision, scale)?))
}

fn lists(argument: &Argument, rows: usize) -> Result<ListArray, EvalError> {
    let array = expanded(argument, rows)?;
    array.as_list_opt::<i32>().cloned().ok_or_else(|| EvalError::layout("an array"))
}

fn range(list: &ListArray, row: usize) -> std::ops::Range<usize> {
    if list.is_null(row) {
        return 0..0;
    }
    let offsets = list.value_offsets();
    let at = |index: usize| offsets.get(index).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    at(row)..at(row + 1)
}

/// The position of the first of each distinct value of a list, and for each value which of those it equals.
struct Distinct {
    firsts: Vec<usize>,
    groups: Vec<usize>,
}

fn distinct(keys: &ArrayRef, ranges: impl Iterator<Item = std::ops::Range<usize>>) -> Result<Vec<Distinct>, EvalError> {
    let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?;
    let rows = converter.convert_columns(&[Arc::clone(keys)])?;
    Ok(ranges
        .map(|range| {
            let mut seen: HashMap<OwnedRow, usize> = HashMap::new();
            let mut found = Distinct { firsts: Vec::new(), groups: Vec::new() };
            for position in range {
                let next = found.firsts.len();
                let group = *seen.entry(rows.row(position).owned()).or_insert(next);
                if group == next {
                    found.firsts.push(position);
                }
                found.groups.push(group);
            }
            found
        })
        .collect())
}

fn map_of(
    call: &Call<'_>,
    keys: ArrayRef,
    values: ArrayRef,
    lengths: impl Iterator<Item = usize>,
    nulls: Option<NullBuffer>,
) -> Evaluated {
    let DataType::Map(entries, ordered) = call.returns.to_arrow() else { return Err(EvalError::layout("a map")) };
    let DataType::Struct(fields) = entries.data_type() else { return Err(EvalError::layout("a map")) };
    let pairs = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    Ok(Arc::new(MapArray::try_new(entries, OffsetBuffer::from_lengths(lengths), pairs, nulls, ordered)?))
}

fn positions(positions: impl Iterator<Item = usize>) -> UInt64Array {
    positions.map(|position| u64::try_from(position).unwrap_or(u64::MAX)).collect()
}

/// A list of rows (key, value) as a map; the first of equal keys stays.
pub(super) fn map_agg(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let [entries] = arguments else { return Err(EvalError::layout("entries")) };
    let entries = lists(entries, call.rows)?;
    let pairs = entries.values().as_struct_opt().ok_or_else(|| EvalError::layout("entries"))?;
    let found = distinct(pairs.column(0), (0..call.rows).map(|row| range(&entries, row)))?;
    let kept = positions(found.iter().flat_map(|found| found.firsts.iter().copied()));
    let keys = take(pairs.column(0), &kept, None)?;
    let values = take(pairs.column(1), &kept, None)?;
    map_of(call, keys, values, found.iter().map(|found| found.firsts.len()), entries.nulls().cloned())
}

/// A list of rows (key, value) as a map of lists.
pub(super) fn multimap_agg(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let [entries] = arguments else { return Err(EvalError::layout("entries")) };
    let entries = lists(entries, call.rows)?;
    let pairs = entries.values().as_struct_opt().ok_or_else(|| EvalError::layout("entries"))?;
    let found = distinct(pairs.column(0), (0..call.rows).map(|row| range(&entries, row)))?;
    let keys = take(pairs.column(0), &positions(found.iter().flat_map(|found| found.firsts.iter().copied())), None)?;
    let mut order: Vec<usize> = Vec::with_capacity(pairs.len());
    let mut lengths: Vec<usize> = Vec::new();
    for (row, found) in found.iter().enumerate() {
        let start = range(&entries, row).start;
        for group in 0..found.firsts.len() {
            let before = order.len();
            let members = found.groups.iter().enumerate().filter(|(_, own)| **own == group);
            order.extend(members.map(|(offset, _)| start + offset));
            lengths.push(order.len() - before);
        }
    }
    let values = take(pairs.column(1), &positions(order.into_iter()), None)?;
    let item = Arc::new(arrow::datatypes::Field::new("item", values.data_type().clone(), true));
    let values = ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), values, None)?;
    map_of(call, keys, Arc::new(values), found.iter().map(|found| found.firsts.len()), entries.nulls().cloned())
}

/// How often each value of a list is in it.
pub(super) fn histogram(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let [list] = arguments else { return Err(EvalError::layout("an array")) };
    let list = lists(list, call.rows)?;
    let found = distinct(list.values(), (0..call.rows).map(|row| range(&list, row)))?;
    let keys = take(list.values(), &positions(found.iter().flat_map(|found| found.firsts.iter().copied())), None)?;
    let mut counts: Vec<i64> = Vec::new();
    for found in &found {
        let start = counts.len();
        counts.resize(start + found.firsts.len(), 0);
        for group in &found.groups {
            if let Some(count) = counts.get_mut(start + group) {
                *count += 1;
            }
        }
    }
    let counts: ArrayRef = Arc::new(Int64Array::from(counts));
    map_of(call, keys, counts, found.iter().map(|found| found.firsts.len()), list.nulls().cloned())
}

/// A list of maps as one map; the first of equal keys stays.
pub(super) fn map_union(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let [list] = arguments else { return Err(EvalError::layout("an array of maps")) };
    let list = lists(list, call.rows)?;
    let maps = list.values().as_map_opt().ok_or_else(|| EvalError::layout("a map"))?;
    let offsets = maps.value_offsets();
    let at = |index: usize| offsets.get(index).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    let ranges = (0..call.rows).map(|row| {
        let maps = range(&list, row);
        at(maps.start)..at(maps.end)
    });
    let found = distinct(maps.keys(), ranges)?;
    let kept = positions(found.iter().flat_map(|found| found.firsts.iter().copied()));
    let keys = take(maps.keys(), &kept, None)?;
    let values = take(maps.values(), &kept, None)?;
    map_of(call, keys, values, found.iter().map(|found| found.firsts.len()), list.nulls().cloned())
}

/// The value at a share of an ordered list: exact where Trino's is an approximation.
pub(super) fn percentile(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let [list, percentages] = arguments else { return Err(EvalError::layout("an array")) };
    let list = lists(list, call.rows)?;
    let mut picked: Vec<ArrayRef> = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let range = range(&list, row);
        refuse_infinite(&list.values().slice(range.start, range.len()))?;
        let at = percentages.index(row);
        let shares: Vec<f64> = match percentages.array.as_list_opt::<i32>() {
            Some(lists) => {
                let shares = lists.value(at);
                shares.as_primitive::<Float64Type>().iter().flatten().collect()
            }
            None => percentages.array.as_primitive::<Float64Type>().iter().skip(at).take(1).flatten().collect(),
        };
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return Err(EvalError::invalid_argument("Percentile must be between 0 and 1"));
        }
        let indices: UInt64Array =
            shares.iter().map(|share| (!range.is_empty()).then(|| rank(*share, range.len(), range.start))).collect();
        picked.push(take(list.values(), &indices, None)?);
    }
    let slices: Vec<&dyn Array> = picked.iter().map(AsRef::as_ref).collect();
    let Type::Array(_) = call.returns else { return Ok(concat(&slices)?) };
    let DataType::List(item) = call.returns.to_arrow() else { return Err(EvalError::layout("an array")) };
    let nulls: NullBuffer = (0..call.rows).map(|row| !range(&list, row).is_empty()).collect();
    let offsets = OffsetBuffer::from_lengths(picked.iter().map(Array::len));
    Ok(Arc::new(ListArray::try_new(item, offsets, concat(&slices)?, Some(nulls))?))
}

/// Refuses what Trino's digest of values has no place for.
fn refuse_infinite(values: &ArrayRef) -> Result<(), EvalError> {
    let odd = if let Some(doubles) = values.as_primitive_opt::<Float64Type>() {
        doubles.iter().flatten().find(|value| !value.is_finite())
    } else {
        let reals = values.as_primitive_opt::<Float32Type>().into_iter().flatten().flatten();
        reals.map(f64::from).find(|value| !value.is_finite())
    };
    let Some(odd) = odd else { return Ok(()) };
    let odd = match odd {
        odd if odd.is_nan() => "NaN",
        odd if odd > 0.0 => "Infinity",
        _ => "-Infinity",
    };
    Err(EvalError::invalid_argument(format!("value must be finite; was {odd}")))
}

/// The position of the value that `share` of `count` ordered values do not exceed.
fn rank(share: f64, count: usize, start: usize) -> u64 {
    let last = count.saturating_sub(1);
    let mut rank = 0;
    // Counted up rather than converted: the number of values below the share.
    let mut low = 0;
    let mut high = last;
    while low <= high {
        let middle = usize::midpoint(low, high);
        let part = u32::try_from(middle).map_or(f64::MAX, f64::from) / u32::try_from(count).map_or(f64::MAX, f64::from);
        if part <= share {
            rank = middle;
            low = middle + 1;
        } else if middle == 0 {
            break;
        } else {
            high = middle - 1;
        }
    }
    u64::try_from(start + rank).unwrap_or(u64::MAX)
}
