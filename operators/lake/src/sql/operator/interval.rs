//! Dates, times and intervals: `date + interval`, `timestamp - timestamp`, `interval * number`.
//!
//! Days are 24 hours on a zoned timestamp too; months keep the civil time.

use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, DurationMillisecondType, Float64Type, Int64Type, IntervalYearMonthType,
    Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType,
};

use super::arguments::{Column, Nulls, argument, binary, expand, unary};
use super::{Form, Operator, ambiguous, form as make_form};
use crate::sql::coerce::{can_coerce, common_super_type};
use crate::sql::error::SqlError;
use crate::sql::function::{Argument, Call, EvalError, Kernel};
use crate::sql::temporal::{
    MICROS_PER_DAY, MILLIS_PER_DAY, Zones, add_months, round_to,
    zoned::{self, Instants, OffsetTimes},
};
use crate::sql::types::Type;

/// Returns the form when a date, time or interval takes part; none otherwise.
pub(super) fn form(operator: Operator, left: &Type, right: &Type) -> Result<Option<Form>, SqlError> {
    use Operator::{Add, Divide, Multiply, Subtract};
    use Type::{Date, IntervalDayToSecond, IntervalYearToMonth, Time, TimeTz, Timestamp, TimestampTz, Unknown};
    let span = |operand: &Type| matches!(operand, IntervalDayToSecond | IntervalYearToMonth);
    let moment = |operand: &Type| matches!(operand, Date | Time(_) | TimeTz(_) | Timestamp(_) | TimestampTz(_));
    Ok(match (operator, left, right) {
        (Add, Unknown, other) | (Add | Subtract, other, Unknown) if moment(other) => {
            if operator == Subtract && *other != Date {
                return Err(ambiguous(operator, left, right));
            }
            let span = IntervalDayToSecond;
            let kernel: Kernel = if operator == Add { add_span } else { subtract_span };
            Some(make_form([other.clone(), span.clone()], moved(other, &span), kernel).swapped_if(*left == Unknown))
        }
        (Subtract, Unknown, other) if moment(other) => {
            Some(make_form([other.clone(), other.clone()], IntervalDayToSecond, difference))
        }
        (Add | Subtract, Unknown, other) | (Add, other, Unknown) if span(other) => {
            return Err(ambiguous(operator, left, right));
        }
        (Subtract, span_type, Unknown) if span(span_type) => {
            Some(make_form([span_type.clone(), span_type.clone()], span_type.clone(), subtract_spans))
        }
        (Add, first, second) if moment(first) && span(second) => takes_months(first, second)
            .then(|| make_form([first.clone(), second.clone()], moved(first, second), add_span)),
        (Add, first, second) if span(first) && moment(second) => takes_months(second, first)
            .then(|| make_form([first.clone(), second.clone()], moved(second, first), add_span_swapped)),
        (Subtract, first, second) if moment(first) && span(second) => takes_months(first, second)
            .then(|| make_form([first.clone(), second.clone()], moved(first, second), subtract_span)),
        (Subtract, first, second) if moment(first) && moment(second) => common_super_type(first, second)
            .map(|common| make_form([common.clone(), common], IntervalDayToSecond, difference)),
        (Add | Subtract, first, second) if span(first) && first == second => {
            let kernel: Kernel = if operator == Add { add_spans } else { subtract_spans };
            Some(make_form([first.clone(), second.clone()], first.clone(), kernel))
        }
        (Multiply, first, number) if span(first) => factor(number).map(|factor| {
            let kernel: Kernel = if factor == Type::Bigint { times_whole } else { times };
            make_form([first.clone(), factor], first.clone(), kernel)
        }),
        (Multiply, number, second) if span(second) => factor(number).map(|factor| {
            let kernel: Kernel = if factor == Type::Bigint { times_whole_swapped } else { times_swapped };
            make_form([factor, second.clone()], second.clone(), kernel)
        }),
        (Divide, first, number) if span(first) && can_coerce(number, &Type::Double) => {
            Some(make_form([first.clone(), Type::Double], first.clone(), divided))
        }
        _ => None,
    })
}

impl Form {
    /// Exchanges the operands of a sum whose NULL stands first.
    fn swapped_if(mut self, swap: bool) -> Self {
        if swap {
            self.arguments.reverse();
            self.kernel = add_span_swapped;
        }
        self
    }
}

/// A time of day has no months.
fn takes_months(moment: &Type, span: &Type) -> bool {
    *span == Type::IntervalDayToSecond || !matches!(moment, Type::Time(_) | Type::TimeTz(_))
}

/// An interval of days to seconds counts milliseconds, so the sum has three digits of a second at least.
fn moved(moment: &Type, span: &Type) -> Type {
    if *span == Type::IntervalYearToMonth {
        return moment.clone();
    }
    match moment {
        Type::Time(precision) => Type::Time(*precision.max(&3)),
        Type::TimeTz(precision) => Type::TimeTz(*precision.max(&3)),
        Type::Timestamp(precision) => Type::Timestamp(*precision.max(&3)),
        Type::TimestampTz(precision) => Type::TimestampTz(*precision.max(&3)),
        other => other.clone(),
    }
}

fn factor(number: &Type) -> Option<Type> {
    if can_coerce(number, &Type::Bigint) {
        Some(Type::Bigint)
    } else {
        can_coerce(number, &Type::Double).then_some(Type::Double)
    }
}

fn swap(call: &Call<'_>, arguments: &[Argument], kernel: Kernel) -> Result<ArrayRef, EvalError> {
    let types: Vec<Type> = call.arguments.iter().rev().cloned().collect();
    let arguments: Vec<Argument> = arguments.iter().rev().cloned().collect();
    kernel(&Call { arguments: &types, returns: call.returns, rows: call.rows, session: call.session }, &arguments)
}

fn add_span_swapped(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    swap(call, arguments, add_span)
}

fn times_whole_swapped(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    swap(call, arguments, times_whole)
}

fn times_swapped(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    swap(call, arguments, times)
}

fn add_span(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    shift(call, arguments, 1)
}

fn subtract_span(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    shift(call, arguments, -1)
}

fn too_far(what: &Type) -> EvalError {
    EvalError::new("GENERIC_INTERNAL_ERROR", format!("Value exceeds the range of type {what}"))
}

/// Moves the first argument by the second, forwards or backwards.
fn shift(call: &Call<'_>, arguments: &[Argument], sign: i64) -> Result<ArrayRef, EvalError> {
    let [moment, span] = call.arguments else { return Err(EvalError::layout("two operands")) };
    let far = || too_far(moment);
    let months = *span == Type::IntervalYearToMonth;
    match moment {
        Type::Date if months => binary::<Date32Type, IntervalYearMonthType, Date32Type>(
            call,
            arguments,
            |days, months| i32::try_from(add_months(days.into(), sign * i64::from(months))).ok(),
            |_, _| far(),
        ),
        Type::Date => binary::<Date32Type, DurationMillisecondType, Date32Type>(
            call,
            arguments,
            |days, millis| {
                let whole = millis % MILLIS_PER_DAY == 0;
                i32::try_from(i64::from(days) + sign * (millis / MILLIS_PER_DAY)).ok().filter(|_| whole)
            },
            |_, millis| {
                if millis % MILLIS_PER_DAY == 0 {
                    far()
                } else {
                    EvalError::invalid_argument("Cannot add hour, minutes or seconds to a date")
                }
            },
        ),
        Type::Time(_) => binary::<Time64MicrosecondType, DurationMillisecondType, Time64MicrosecondType>(
            call,
            arguments,
            |time, millis| Some((time + sign * (millis % MILLIS_PER_DAY) * 1_000).rem_euclid(MICROS_PER_DAY)),
            |_, _| far(),
        ),
        Type::Timestamp(precision) if *precision > 6 => {
            shift_civil::<TimestampNanosecondType>(call, arguments, sign, months, MICROS_PER_DAY * 1_000, 1_000_000)
        }
        Type::Timestamp(_) => {
            shift_civil::<TimestampMicrosecondType>(call, arguments, sign, months, MICROS_PER_DAY, 1_000)
        }
        Type::TimestampTz(_) => shift_zoned(call, arguments, sign, months),
        Type::TimeTz(_) => shift_offset_time(call, arguments, sign),
        other => Err(EvalError::layout(&other.to_string())),
    }
}

/// Moves a civil timestamp whose day has `day` units and whose millisecond has `milli`.
fn shift_civil<T: ArrowPrimitiveType<Native = i64>>(
    call: &Call<'_>,
    arguments: &[Argument],
    sign: i64,
    months: bool,
    day: i64,
    milli: i64,
) -> Result<ArrayRef, EvalError> {
    if months {
        return binary::<T, IntervalYearMonthType, T>(
            call,
            arguments,
            |value, months| {
                add_months(value.div_euclid(day), sign * i64::from(months))
                    .checked_mul(day)?
                    .checked_add(value.rem_euclid(day))
            },
            |_, _| too_far(call.returns),
        );
    }
    binary::<T, DurationMillisecondType, T>(
        call,
        arguments,
        |value, millis| value.checked_add(millis.checked_mul(sign * milli)?),
        |_, _| too_far(call.returns),
    )
}

fn shift_zoned(call: &Call<'_>, arguments: &[Argument], sign: i64, months: bool) -> Result<ArrayRef, EvalError> {
    let nulls = Nulls::of(arguments);
    if matches!(nulls, Nulls::All) {
        return Ok(new_null_array(&call.returns.to_arrow(), call.rows));
    }
    let expanded = expand(argument(arguments, 0)?, call.rows)?;
    let column = Instants::new(expanded.as_ref())?;
    let span = argument(arguments, 1)?;
    let mut zones = Zones::default();
    let mut shift_one = |row: usize| -> Result<i64, EvalError> {
        let (instant, zone) = column.row(row);
        if months {
            let zone = zones.get(zone).map_err(|_| EvalError::layout("a time zone"))?;
            let local = zone.to_local(instant);
            let days = add_months(
                local.div_euclid(MICROS_PER_DAY),
                sign * i64::from(Column::<IntervalYearMonthType>::new(span)?.value(row)),
            );
            Ok(zone.to_instant(days * MICROS_PER_DAY + local.rem_euclid(MICROS_PER_DAY)))
        } else {
            let millis = Column::<DurationMillisecondType>::new(span)?.value(row);
            millis
                .checked_mul(sign * 1_000)
                .and_then(|micros| instant.checked_add(micros))
                .ok_or_else(|| too_far(call.returns))
        }
    };
    let mut values = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        values.push(if nulls.is_valid(row) { shift_one(row)? } else { 0 });
    }
    zoned::instants(values, column.zones.clone(), nulls.into_buffer(call.rows))
}

fn shift_offset_time(call: &Call<'_>, arguments: &[Argument], sign: i64) -> Result<ArrayRef, EvalError> {
    let nulls = Nulls::of(arguments);
    if matches!(nulls, Nulls::All) {
        return Ok(new_null_array(&call.returns.to_arrow(), call.rows));
    }
    let expanded = expand(argument(arguments, 0)?, call.rows)?;
    let column = OffsetTimes::new(expanded.as_ref())?;
    let span = Column::<DurationMillisecondType>::new(argument(arguments, 1)?)?;
    let mut times = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        times.push(if nulls.is_valid(row) {
            (column.times.value(row) + sign * (span.value(row) % MILLIS_PER_DAY) * 1_000).rem_euclid(MICROS_PER_DAY)
        } else {
            0
        });
    }
    zoned::offset_times(times, column.offsets.values().to_vec(), nulls.into_buffer(call.rows))
}

/// Subtracts two moments of one type, to whole milliseconds.
fn difference(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let far = || EvalError::out_of_range("interval day to second overflow");
    match call.arguments.first() {
        Some(Type::Date) => binary::<Date32Type, Date32Type, DurationMillisecondType>(
            call,
            arguments,
            |left, right| Some((i64::from(left) - i64::from(right)) * MILLIS_PER_DAY),
            |_, _| far(),
        ),
        Some(Type::Time(_)) => binary::<Time64MicrosecondType, Time64MicrosecondType, DurationMillisecondType>(
            call,
            arguments,
            |left, right| round_to(left - right, 1_000).map(|micros| micros / 1_000),
            |_, _| far(),
        ),
        Some(Type::Timestamp(precision)) if *precision > 6 => {
            binary::<TimestampNanosecondType, TimestampNanosecondType, DurationMillisecondType>(
                call,
                arguments,
                |left, right| round_to(left.checked_sub(right)?, 1_000_000).map(|nanos| nanos / 1_000_000),
                |_, _| far(),
            )
        }
        Some(Type::Timestamp(_)) => {
            binary::<TimestampMicrosecondType, TimestampMicrosecondType, DurationMillisecondType>(
                call,
                arguments,
                |left, right| round_to(left.checked_sub(right)?, 1_000).map(|micros| micros / 1_000),
                |_, _| far(),
            )
        }
        Some(Type::TimestampTz(_)) => {
            let part = |place: usize| -> Result<Argument, EvalError> {
                let whole = argument(arguments, place)?;
                // The NULLs of the whole are not those of its part.
                let instants = Instants::new(whole.array.as_ref())?;
                let nulls =
                    arrow::buffer::NullBuffer::union(instants.nulls, arrow::array::Array::nulls(instants.instants));
                let bare = arrow::array::TimestampMicrosecondArray::new(instants.instants.values().clone(), nulls);
                Ok(Argument { array: Arc::new(bare), constant: whole.constant })
            };
            binary::<TimestampMicrosecondType, TimestampMicrosecondType, DurationMillisecondType>(
                call,
                &[part(0)?, part(1)?],
                |left, right| round_to(left.checked_sub(right)?, 1_000).map(|micros| micros / 1_000),
                |_, _| far(),
            )
        }
        Some(Type::TimeTz(_)) => {
            let part = |place: usize| -> Result<Argument, EvalError> {
                let whole = argument(arguments, place)?;
                let times = OffsetTimes::new(whole.array.as_ref())?;
                let utc = (0..whole.array.len())
                    .map(|row| arrow::array::Array::is_valid(&whole.array, row).then(|| times.utc(row)));
                let bare: arrow::array::Time64MicrosecondArray = utc.collect();
                Ok(Argument { array: Arc::new(bare), constant: whole.constant })
            };
            binary::<Time64MicrosecondType, Time64MicrosecondType, DurationMillisecondType>(
                call,
                &[part(0)?, part(1)?],
                |left, right| round_to(left - right, 1_000).map(|micros| micros / 1_000),
                |_, _| far(),
            )
        }
        _ => Err(EvalError::layout("two moments")),
    }
}

fn add_spans(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    match call.returns {
        Type::IntervalYearToMonth => binary::<IntervalYearMonthType, IntervalYearMonthType, IntervalYearMonthType>(
            call,
            arguments,
            i32::checked_add,
            |_, _| too_far(call.returns),
        ),
        _ => binary::<DurationMillisecondType, DurationMillisecondType, DurationMillisecondType>(
            call,
            arguments,
            i64::checked_add,
            |_, _| too_far(call.returns),
        ),
    }
}

fn subtract_spans(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    match call.returns {
        Type::IntervalYearToMonth => binary::<IntervalYearMonthType, IntervalYearMonthType, IntervalYearMonthType>(
            call,
            arguments,
            i32::checked_sub,
            |_, _| too_far(call.returns),
        ),
        _ => binary::<DurationMillisecondType, DurationMillisecondType, DurationMillisecondType>(
            call,
            arguments,
            i64::checked_sub,
            |_, _| too_far(call.returns),
        ),
    }
}

pub(super) fn negate(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    match call.returns {
        Type::IntervalYearToMonth => {
            unary::<IntervalYearMonthType, IntervalYearMonthType>(call, arguments, i32::checked_neg, |_| {
                too_far(call.returns)
            })
        }
        _ => unary::<DurationMillisecondType, DurationMillisecondType>(call, arguments, i64::checked_neg, |_| {
            too_far(call.returns)
        }),
    }
}

fn times_whole(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    match call.returns {
        Type::IntervalYearToMonth => binary::<IntervalYearMonthType, Int64Type, IntervalYearMonthType>(
            call,
            arguments,
            |months, factor| i64::from(months).checked_mul(factor).and_then(|months| i32::try_from(months).ok()),
            |_, _| too_far(call.returns),
        ),
        _ => binary::<DurationMillisecondType, Int64Type, DurationMillisecondType>(
            call,
            arguments,
            i64::checked_mul,
            |_, _| too_far(call.returns),
        ),
    }
}

/// Cuts towards zero and stops at the ends of the range, as Java's cast does.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "Trino computes intervals in doubles")]
fn scaled(value: i64, by: impl Fn(f64) -> f64) -> i64 {
    by(value as f64) as i64
}

fn times(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let wrong = |factor: f64| {
        if factor.is_nan() {
            EvalError::invalid_argument("Cannot multiply by double NaN")
        } else {
            too_far(call.returns)
        }
    };
    let whole = |factor: f64| !factor.is_nan();
    match call.returns {
        Type::IntervalYearToMonth => binary::<IntervalYearMonthType, Float64Type, IntervalYearMonthType>(
            call,
            arguments,
            |months, factor| {
                i32::try_from(scaled(months.into(), |months| months * factor)).ok().filter(|_| whole(factor))
            },
            |_, factor| wrong(factor),
        ),
        _ => binary::<DurationMillisecondType, Float64Type, DurationMillisecondType>(
            call,
            arguments,
            |millis, factor| whole(factor).then(|| scaled(millis, |millis| millis * factor)),
            |_, factor| wrong(factor),
        ),
    }
}

fn divided(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let usable = |divisor: f64| !divisor.is_nan() && divisor != 0.0;
    let wrong = |divisor: f64| {
        if usable(divisor) {
            too_far(call.returns)
        } else {
            EvalError::invalid_argument(format!(
                "Cannot divide by double {}",
                crate::sql::text::number::java_double(divisor)
            ))
        }
    };
    match call.returns {
        Type::IntervalYearToMonth => binary::<IntervalYearMonthType, Float64Type, IntervalYearMonthType>(
            call,
            arguments,
            |months, divisor| {
                i32::try_from(scaled(months.into(), |months| months / divisor)).ok().filter(|_| usable(divisor))
            },
            |_, divisor| wrong(divisor),
        ),
        _ => binary::<DurationMillisecondType, Float64Type, DurationMillisecondType>(
            call,
            arguments,
            |millis, divisor| usable(divisor).then(|| scaled(millis, |millis| millis / divisor)),
            |_, divisor| wrong(divisor),
        ),
    }
}
