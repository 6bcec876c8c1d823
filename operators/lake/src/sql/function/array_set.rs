//! Arrays as sets, joined, reversed and counted up: `array_distinct`, `array_union`, `concat`, `reverse`, `sequence`.
//!
//! Elements are one and the same by `IS NOT DISTINCT FROM`: NULL and what is no number have one place in a set.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanBuilder, Int64Array, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, DurationMillisecondType, Int64Type, IntervalYearMonthType, TimestampMicrosecondType,
};
use arrow::row::{RowConverter, Rows, SortField};

use super::array::{Chosen, element_type, interleaved, span};
use super::kernel::{
    Column, Columns, Evaluated, argument, bigint, broken, date, invalid, is_null, list, list_of, map_of, primitive,
    unsupported,
};
use super::{Argument, Call, EvalError};
use crate::sql::operator::compare::key;
use crate::sql::temporal::{MICROS_PER_DAY, add_months};
use crate::sql::types::Type;

use super::Function;
use super::kernel::form;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function { name: "array_distinct", overloads: &[form("(array(E)) -> array(E)", distinct)] },
    Function { name: "array_union", overloads: &[form("(array(E), array(E)) -> array(E)", union)] },
    Function { name: "array_intersect", overloads: &[form("(array(E), array(E)) -> array(E)", intersect)] },
    Function { name: "array_except", overloads: &[form("(array(E), array(E)) -> array(E)", except)] },
    Function { name: "arrays_overlap", overloads: &[form("(array(E), array(E)) -> boolean", overlap)] },
    Function { name: "array_histogram", overloads: &[form("(array(T)) -> map(T,bigint)", histogram)] },
    Function {
        name: "sequence",
        overloads: &[
            form("(bigint, bigint) -> array(bigint)", sequence_by_one),
            form("(bigint, bigint, bigint) -> array(bigint)", sequence),
            form("(date, date) -> array(date)", dates_by_one),
            form("(date, date, interval day to second) -> array(date)", dates_by_days),
            form("(date, date, interval year to month) -> array(date)", dates_by_months),
            form("(timestamp(p), timestamp(p), interval day to second) -> array(timestamp(p))", times_by_millis),
            form("(timestamp(p), timestamp(p), interval year to month) -> array(timestamp(p))", times_by_months),
        ],
    },
];

/// What makes elements of several arguments one and the same.
pub(super) struct Identities {
    columns: Vec<Rows>,
}

impl Identities {
    /// For elements of a type in arrays of each argument.
    pub(super) fn new(of: &Type, arrays: &[&ArrayRef]) -> Result<Self, EvalError> {
        if matches!(of, Type::Array(_) | Type::Map(..) | Type::Row(_)) {
            return Err(unsupported(format!("sets of elements of type {of} are not supported")));
        }
        let keys = arrays.iter().map(|array| key(of, array)).collect::<Result<Vec<_>, _>>()?;
        let layout = keys.first().map(|keys| keys.data_type().clone()).ok_or_else(|| broken("too few arguments"))?;
        let converter =
            RowConverter::new(vec![SortField::new(layout)]).map_err(|_| broken("elements that cannot be compared"))?;
        let columns = keys
            .into_iter()
            .map(|keys| converter.convert_columns(&[keys]))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| broken("elements that cannot be compared"))?;
        Ok(Self { columns })
    }

    /// The identity of an element of an argument.
    pub(super) fn of(&self, argument: usize, index: usize) -> &[u8] {
        self.columns[argument].row(index).data()
    }
}

fn distinct(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let column = list(arguments, 0)?;
    let elements = column.array().values();
    let identities = Identities::new(element_type(call, 0)?, &[elements])?;
    let mut chosen = Chosen::new(call.rows);
    for row in 0..call.rows {
        let Some(span) = span(&column, row) else {
            chosen.null_row();
            continue;
        };
        let mut seen = HashSet::with_capacity(span.len());
        span.filter(|index| seen.insert(identities.of(0, *index))).for_each(|index| chosen.push(index));
        chosen.end_row();
    }
    chosen.finish(call.returns, elements)
}

fn union(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (list(arguments, 0)?, list(arguments, 1)?);
    let arrays = [columns.0.array().values(), columns.1.array().values()];
    let identities = Identities::new(element_type(call, 0)?, &arrays)?;
    let (mut picked, mut lengths) = (Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let (Some(left), Some(right)) = (span(&columns.0, row), span(&columns.1, row)) else {
            lengths.push(None);
            continue;
        };
        let before = picked.len();
        let mut seen = HashSet::with_capacity(left.len() + right.len());
        let both = left.map(|index| (0, index)).chain(right.map(|index| (1, index)));
        picked.extend(both.filter(|(argument, index)| seen.insert(identities.of(*argument, *index))));
        lengths.push(Some(picked.len() - before));
    }
    list_of(call.returns, interleaved(&arrays, &picked)?, &lengths)
}

/// The distinct elements that both arrays have, in the order of the longer one, the first of two as long.
fn intersect(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (list(arguments, 0)?, list(arguments, 1)?);
    let arrays = [columns.0.array().values(), columns.1.array().values()];
    let identities = Identities::new(element_type(call, 0)?, &arrays)?;
    let (mut picked, mut lengths) = (Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let (Some(left), Some(right)) = (span(&columns.0, row), span(&columns.1, row)) else {
            lengths.push(None);
            continue;
        };
        let ((longer, elements), (shorter, others)) =
            if left.len() >= right.len() { ((0, left), (1, right)) } else { ((1, right), (0, left)) };
        let before = picked.len();
        let mut wanted: HashSet<&[u8]> = others.map(|index| identities.of(shorter, index)).collect();
        picked
            .extend(elements.filter(|index| wanted.remove(identities.of(longer, *index))).map(|index| (longer, index)));
        lengths.push(Some(picked.len() - before));
    }
    list_of(call.returns, interleaved(&arrays, &picked)?, &lengths)
}

/// The distinct elements of the first array that are not in the second.
fn except(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (list(arguments, 0)?, list(arguments, 1)?);
    let arrays = [columns.0.array().values(), columns.1.array().values()];
    let identities = Identities::new(element_type(call, 0)?, &arrays)?;
    let mut chosen = Chosen::new(call.rows);
    for row in 0..call.rows {
        let (Some(left), Some(right)) = (span(&columns.0, row), span(&columns.1, row)) else {
            chosen.null_row();
            continue;
        };
        // What was taken once is not taken again.
        let mut unwanted: HashSet<&[u8]> = right.map(|index| identities.of(1, index)).collect();
        left.filter(|index| unwanted.insert(identities.of(0, *index))).for_each(|index| chosen.push(index));
        chosen.end_row();
    }
    chosen.finish(call.returns, arrays[0])
}

fn overlap(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (list(arguments, 0)?, list(arguments, 1)?);
    let arrays = [columns.0.array().values(), columns.1.array().values()];
    let identities = Identities::new(element_type(call, 0)?, &arrays)?;
    let mut builder = BooleanBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(left), Some(right)) = (span(&columns.0, row), span(&columns.1, row)) else {
            builder.append_null();
            continue;
        };
        if left.is_empty() || right.is_empty() {
            builder.append_value(false);
            continue;
        }
        let has_null =
            left.clone().any(|index| is_null(arrays[0], index)) || right.clone().any(|index| is_null(arrays[1], index));
        let others: HashSet<&[u8]> =
            right.filter(|index| !is_null(arrays[1], *index)).map(|index| identities.of(1, index)).collect();
        let found =
            left.filter(|index| !is_null(arrays[0], *index)).any(|index| others.contains(identities.of(0, index)));
        builder.append_option(if found || !has_null { Some(found) } else { None });
    }
    Ok(Arc::new(builder.finish()))
}

fn histogram(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let column = list(arguments, 0)?;
    let elements = column.array().values();
    let identities = Identities::new(element_type(call, 0)?, &[elements])?;
    let (mut picked, mut counts, mut lengths) = (Vec::new(), Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let Some(span) = span(&column, row) else {
            lengths.push(None);
            continue;
        };
        let before = picked.len();
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        for index in span.filter(|index| !is_null(elements, *index)) {
            let place = *places.entry(identities.of(0, index)).or_insert_with(|| {
                picked.push((0, index));
                counts.push(0_i64);
                counts.len() - 1
            });
            counts[place] += 1;
        }
        lengths.push(Some(picked.len() - before));
    }
    let keys = interleaved(&[elements], &picked)?;
    map_of(call.returns, keys, Arc::new(Int64Array::from(counts)), &lengths)
}

/// Arrays behind one another.
pub(super) fn concat_arrays(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    if arguments.len() < 2 {
        return Err(invalid("There must be two or more arguments to concat"));
    }
    let columns = (0..arguments.len()).map(|position| list(arguments, position)).collect::<Result<Vec<_>, _>>()?;
    let arrays: Vec<&ArrayRef> = columns.iter().map(|column| column.array().values()).collect();
    let (mut picked, mut lengths) = (Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let Some(spans) = columns.iter().map(|column| span(column, row)).collect::<Option<Vec<_>>>() else {
            lengths.push(None);
            continue;
        };
        let before = picked.len();
        for (argument, span) in spans.into_iter().enumerate() {
            picked.extend(span.map(|index| (argument, index)));
        }
        lengths.push(Some(picked.len() - before));
    }
    list_of(call.returns, interleaved(&arrays, &picked)?, &lengths)
}

/// An array with an element before or behind it; NULL when either is.
fn extended(call: &Call<'_>, column: &Column<&arrow::array::ListArray>, element: &Argument, before: bool) -> Evaluated {
    let arrays = [column.array().values(), &element.array];
    let (mut picked, mut lengths) = (Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let index = element.index(row);
        let (Some(span), false) = (span(column, row), is_null(&element.array, index)) else {
            lengths.push(None);
            continue;
        };
        lengths.push(Some(span.len() + 1));
        if before {
            picked.push((1, index));
        }
        picked.extend(span.map(|index| (0, index)));
        if !before {
            picked.push((1, index));
        }
    }
    list_of(call.returns, interleaved(&arrays, &picked)?, &lengths)
}

/// `array || element`.
pub(super) fn append(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    extended(call, &list(arguments, 0)?, argument(arguments, 1)?, false)
}

/// `element || array`.
pub(super) fn prepend(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    extended(call, &list(arguments, 1)?, argument(arguments, 0)?, true)
}

/// `reverse` of an array.
pub(super) fn reverse_array(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let column = list(arguments, 0)?;
    let mut chosen = Chosen::new(call.rows);
    for row in 0..call.rows {
        match span(&column, row) {
            Some(span) => {
                span.rev().for_each(|index| chosen.push(index));
                chosen.end_row();
            }
            None => chosen.null_row(),
        }
    }
    chosen.finish(call.returns, column.array().values())
}

/// As many entries as a sequence may have.
const MOST_ENTRIES: usize = 10_000;

/// Checks that a step leads from a start to a stop.
fn check_step(start: i64, stop: i64, step: i64) -> Result<(), EvalError> {
    if step == 0 {
        return Err(invalid("step must not be zero"));
    }
    if (step > 0 && stop < start) || (step < 0 && stop > start) {
        return Err(invalid(
            "sequence stop value should be greater than or equal to start value if step is greater than zero otherwise \
             stop should be less than or equal to start",
        ));
    }
    Ok(())
}

/// Appends what a sequence has: the value so many steps from the start, as long as it is not beyond the stop.
fn append_steps(
    values: &mut Vec<i64>,
    stop: i64,
    upwards: bool,
    at: impl Fn(i64) -> Option<i64>,
) -> Result<usize, EvalError> {
    let mut count = 0;
    for step in 0.. {
        let Some(value) = at(step).filter(|value| if upwards { *value <= stop } else { *value >= stop }) else { break };
        if count == MOST_ENTRIES {
            return Err(invalid(format!("result of sequence function must not have more than {MOST_ENTRIES} entries")));
        }
        values.push(value);
        count += 1;
    }
    Ok(count)
}

/// Arrays of sequences, from start, stop and step of each row.
fn sequences<C: Columns, T: ArrowPrimitiveType>(
    call: &Call<'_>,
    columns: &C,
    mut append: impl FnMut(C::Item, &mut Vec<i64>) -> Result<usize, EvalError>,
    convert: impl Fn(i64) -> Option<T::Native>,
) -> Evaluated {
    let (mut values, mut lengths) = (Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        lengths.push(match columns.row(row) {
            Some(item) => Some(append(item, &mut values)?),
            None => None,
        });
    }
    let elements: PrimitiveArray<T> = values.into_iter().map(convert).collect();
    list_of(call.returns, Arc::new(elements), &lengths)
}

/// Appends a sequence with a fixed step.
fn append_arithmetic(start: i64, stop: i64, step: i64, values: &mut Vec<i64>) -> Result<usize, EvalError> {
    check_step(start, stop, step)?;
    append_steps(values, stop, step > 0, |count| start.checked_add(count.checked_mul(step)?))
}

/// One upwards or downwards.
fn one_towards(start: i64, stop: i64) -> i64 {
    if stop >= start { 1 } else { -1 }
}

fn sequence_by_one(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    sequences::<_, Int64Type>(
        call,
        &(bigint(arguments, 0)?, bigint(arguments, 1)?),
        |(start, stop), values| append_arithmetic(start, stop, one_towards(start, stop), values),
        Some,
    )
}

fn sequence(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    sequences::<_, Int64Type>(
        call,
        &(bigint(arguments, 0)?, bigint(arguments, 1)?, bigint(arguments, 2)?),
        |(start, stop, step), values| append_arithmetic(start, stop, step, values),
        Some,
    )
}

fn dates_by_one(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    sequences::<_, Date32Type>(
        call,
        &(date(arguments, 0)?, date(arguments, 1)?),
        |(start, stop), values| {
            let (start, stop) = (i64::from(start), i64::from(stop));
            append_arithmetic(start, stop, one_towards(start, stop), values)
        },
        |days| i32::try_from(days).ok(),
    )
}

fn dates_by_days(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    const MILLIS_PER_DAY: i64 = 86_400_000;
    sequences::<_, Date32Type>(
        call,
        &(date(arguments, 0)?, date(arguments, 1)?, primitive::<DurationMillisecondType>(arguments, 2)?),
        |(start, stop, step), values| {
            if step % MILLIS_PER_DAY != 0 {
                return Err(invalid("sequence step must be a day interval if start and end values are dates"));
            }
            append_arithmetic(i64::from(start), i64::from(stop), step / MILLIS_PER_DAY, values)
        },
        |days| i32::try_from(days).ok(),
    )
}

fn dates_by_months(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    sequences::<_, Date32Type>(
        call,
        &(date(arguments, 0)?, date(arguments, 1)?, primitive::<IntervalYearMonthType>(arguments, 2)?),
        |(start, stop, step), values| {
            let (start, stop, step) = (i64::from(start), i64::from(stop), i64::from(step));
            check_step(start, stop, step)?;
            append_steps(values, stop, step > 0, |count| Some(add_months(start, count.checked_mul(step)?)))
        },
        |days| i32::try_from(days).ok(),
    )
}

/// Microseconds are what sequences of times are held in.
fn check_precision(call: &Call<'_>) -> Result<(), EvalError> {
    match call.arguments.first() {
        Some(Type::Timestamp(7..)) => Err(unsupported("sequences of nanoseconds")),
        _ => Ok(()),
    }
}

fn times_by_millis(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    check_precision(call)?;
    let columns = (
        primitive::<TimestampMicrosecondType>(arguments, 0)?,
        primitive::<TimestampMicrosecondType>(arguments, 1)?,
        primitive::<DurationMillisecondType>(arguments, 2)?,
    );
    sequences::<_, TimestampMicrosecondType>(
        call,
        &columns,
        |(start, stop, step), values| {
            let step = step.checked_mul(1_000).ok_or_else(|| invalid("long overflow"))?;
            append_arithmetic(start, stop, step, values)
        },
        Some,
    )
}

fn times_by_months(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    check_precision(call)?;
    let columns = (
        primitive::<TimestampMicrosecondType>(arguments, 0)?,
        primitive::<TimestampMicrosecondType>(arguments, 1)?,
        primitive::<IntervalYearMonthType>(arguments, 2)?,
    );
    sequences::<_, TimestampMicrosecondType>(
        call,
        &columns,
        |(start, stop, step), values| {
            let step = i64::from(step);
            check_step(start, stop, step)?;
            let (days, time) = (start.div_euclid(MICROS_PER_DAY), start.rem_euclid(MICROS_PER_DAY));
            append_steps(values, stop, step > 0, |count| {
                add_months(days, count.checked_mul(step)?).checked_mul(MICROS_PER_DAY)?.checked_add(time)
            })
        },
        Some,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{bigint, error, integers, value};
    use crate::sql::types::Type;

    fn lists() -> Type {
        Type::Array(Arc::new(Type::Bigint))
    }

    #[test]
    fn sets_keep_the_order_and_one_null() {
        let of = |name, left: &[Option<i64>], right: &[Option<i64>]| {
            value(name, 0, lists(), &[integers(left), integers(right)])
        };
        assert_eq!(of("array_union", &[Some(3), Some(1), None, Some(1)], &[Some(2), None]), "[3, 1, null, 2]");
        assert_eq!(of("array_except", &[Some(3), Some(1), None, Some(1), Some(5)], &[Some(5)]), "[3, 1, null]");
        assert_eq!(of("array_intersect", &[Some(3), Some(1)], &[Some(1), Some(2), Some(3)]), "[1, 3]");
        assert_eq!(of("array_intersect", &[Some(3), Some(1), Some(3)], &[Some(1), Some(2), Some(3)]), "[3, 1]");
        assert_eq!(value("array_distinct", 0, lists(), &[integers(&[Some(3), None, Some(3), None])]), "[3, null]");
    }

    #[test]
    fn overlap_is_unknown_with_nulls() {
        let of = |left: &[Option<i64>], right: &[Option<i64>]| {
            value("arrays_overlap", 0, Type::Boolean, &[integers(left), integers(right)])
        };
        assert_eq!(of(&[Some(1), None], &[Some(1)]), "true");
        assert_eq!(of(&[Some(1), None], &[Some(2)]), "null");
        assert_eq!(of(&[], &[None]), "false");
    }

    #[test]
    fn sequences_are_bounded_and_lead_somewhere() {
        let sequence = |start, stop, step| value("sequence", 1, lists(), &[bigint(start), bigint(stop), bigint(step)]);
        assert_eq!(sequence(1, 10, 3), "[1, 4, 7, 10]");
        assert_eq!(sequence(5, 1, -2), "[5, 3, 1]");
        assert_eq!(value("sequence", 0, lists(), &[bigint(2), bigint(1)]), "[2, 1]");
        assert_eq!(
            error("sequence", 0, lists(), &[bigint(1), bigint(20_000)]),
            "INVALID_FUNCTION_ARGUMENT: result of sequence function must not have more than 10000 entries"
        );
        assert!(error("sequence", 1, lists(), &[bigint(1), bigint(5), bigint(-1)]).contains("stop value should be"));
        assert!(error("sequence", 1, lists(), &[bigint(1), bigint(5), bigint(0)]).contains("step must not be zero"));
    }
}
