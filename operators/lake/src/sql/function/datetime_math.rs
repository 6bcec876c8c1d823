//! Times cut to a unit, moved by units, and counted between: `date_trunc`, `date_add`, `date_diff`.
//!
//! A month's end stays within the month. Days and longer units of a time with a zone are moved on the clock of the zone;
//! hours and shorter ones in time.

use std::sync::Arc;

use arrow::array::{Date32Builder, Int64Builder, PrimitiveBuilder, StringBuilder};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    Date32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType,
};

use super::kernel::{Columns, Evaluated, Prepared, bigint, broken, date, each, form, invalid, primitive, text};
use super::moment::{
    Calendar, MICROS_PER_MILLI, MILLIS_PER_DAY, Moments, Unit, day_of_week, instant_near, is_leap, zone_of,
};
use super::{Argument, Call, EvalError, Function};
use crate::sql::temporal::zoned::instants;
use crate::sql::temporal::{
    MICROS_PER_DAY, Zones, add_months, civil_from_days, days_from_civil, days_in_month, micros_of_precision, round_to,
};
use crate::sql::types::Type;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function {
        name: "date_trunc",
        overloads: &[
            form("(varchar(x), date) -> date", truncate_date),
            form("(varchar(x), time(p)) -> time(p)", truncate_time),
            form("(varchar(x), timestamp(p)) -> timestamp(p)", truncate_timestamp),
            form("(varchar(x), timestamp(p) with time zone) -> timestamp(p) with time zone", truncate_zoned),
        ],
    },
    Function {
        name: "date_add",
        overloads: &[
            form("(varchar(x), bigint, date) -> date", add_to_date),
            form("(varchar(x), bigint, time(p)) -> time(p)", add_to_time),
            form("(varchar(x), bigint, timestamp(p)) -> timestamp(p)", add_to_timestamp),
            form("(varchar(x), bigint, timestamp(p) with time zone) -> timestamp(p) with time zone", add_to_zoned),
        ],
    },
    Function {
        name: "date_diff",
        overloads: &[
            form("(varchar(x), date, date) -> bigint", difference_of_dates),
            form("(varchar(x), time(p), time(p)) -> bigint", difference_of_times),
            form("(varchar(x), timestamp(p), timestamp(p)) -> bigint", difference_of_timestamps),
            form(
                "(varchar(x), timestamp(p) with time zone, timestamp(p) with time zone) -> bigint",
                difference_of_zoned,
            ),
        ],
    },
    Function {
        name: "last_day_of_month",
        overloads: &[
            form("(date) -> date", last_day_of_month),
            form("(timestamp(p)) -> date", last_day_of_month),
            form("(timestamp(p) with time zone) -> date", last_day_of_month),
        ],
    },
];

/// The first day of the unit that a day is in.
fn truncated_days(unit: Unit, days: i64) -> i64 {
    let (year, month, _) = civil_from_days(days);
    match unit {
        Unit::Week => days - day_of_week(days) + 1,
        Unit::Month => days_from_civil(year, month, 1),
        Unit::Quarter => days_from_civil(year, month - (month - 1) % 3, 1),
        Unit::Year => days_from_civil(year, 1, 1),
        _ => days,
    }
}

/// The start of the unit that a civil time is in.
fn truncated_local(unit: Unit, local: i64) -> i64 {
    match unit.millis() {
        Some(millis) => {
            let micros = millis * MICROS_PER_MILLI;
            local.div_euclid(micros) * micros
        }
        None => truncated_days(unit, local.div_euclid(MICROS_PER_DAY)) * MICROS_PER_DAY,
    }
}

/// A day that a date can hold.
fn as_date(days: Option<i64>) -> Result<i32, EvalError> {
    days.and_then(|days| i32::try_from(days).ok())
        .ok_or_else(|| EvalError { name: "GENERIC_INTERNAL_ERROR", message: "integer overflow".to_owned() })
}

/// A time that a timestamp can hold.
fn as_timestamp(micros: Option<i64>) -> Result<i64, EvalError> {
    micros.ok_or_else(|| invalid("long overflow"))
}

fn truncate_date(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut units = Prepared::new();
    each(call, (text(arguments, 0)?, date(arguments, 1)?)).primitive::<Date32Type>(|(unit, days)| {
        let unit = *units.get(unit, Unit::of_date)?;
        as_date(Some(truncated_days(unit, i64::from(days))))
    })
}

fn truncate_time(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut units = Prepared::new();
    each(call, (text(arguments, 0)?, primitive::<Time64MicrosecondType>(arguments, 1)?))
        .primitive::<Time64MicrosecondType>(|(unit, time)| Ok(truncated_local(*units.get(unit, Unit::of_time)?, time)))
}

fn truncate_timestamp(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut units = Prepared::new();
    if let Some(Type::Timestamp(7..)) = call.arguments.get(1) {
        return each(call, (text(arguments, 0)?, primitive::<TimestampNanosecondType>(arguments, 1)?))
            .primitive::<TimestampNanosecondType>(|(unit, nanos)| {
            let unit = *units.get(unit, Unit::of_timestamp)?;
            as_timestamp(truncated_local(unit, nanos.div_euclid(1_000)).checked_mul(1_000))
        });
    }
    each(call, (text(arguments, 0)?, primitive::<TimestampMicrosecondType>(arguments, 1)?))
        .primitive::<TimestampMicrosecondType>(|(unit, micros)| {
            Ok(truncated_local(*units.get(unit, Unit::of_timestamp)?, micros))
        })
}

/// A column of times with zones, each from the unit, the instant and the zone.
fn map_zoned<C: Columns>(
    call: &Call<'_>,
    arguments: &[Argument],
    position: usize,
    others: &C,
    mut compute: impl FnMut(C::Item, i64, &crate::sql::temporal::Zone) -> Result<i64, EvalError>,
) -> Evaluated {
    let moments = Moments::new(call, arguments, position)?;
    let mut zones = Zones::default();
    let mut values = Vec::with_capacity(call.rows);
    let mut names = StringBuilder::new();
    let mut valid = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if let (Some(item), Some((instant, name))) = (others.row(row), moments.zoned(row)) {
            values.push(compute(item, instant, zone_of(&mut zones, name)?)?);
            names.append_value(name);
            valid.push(true);
        } else {
            values.push(0);
            names.append_value("");
            valid.push(false);
        }
    }
    instants(values, names.finish(), Some(NullBuffer::from(valid)))
}

fn truncate_zoned(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut units = Prepared::new();
    map_zoned(call, arguments, 1, &text(arguments, 0)?, |unit, instant, zone| {
        let unit = *units.get(unit, Unit::of_timestamp)?;
        let local = zone.to_local(instant);
        let truncated = truncated_local(unit, local);
        Ok(match unit.millis() {
            Some(_) => instant - (local - truncated),
            None => instant_near(zone, truncated, instant),
        })
    })
}

/// A day moved by so many units.
fn moved_days(unit: Unit, count: i64, days: i64) -> Option<i64> {
    /// More months than any date is away from another.
    const MOST_MONTHS: i64 = 12 * 1_000_000_000;
    match unit.calendar() {
        Calendar::Days(length) => count.checked_mul(length).and_then(|moved| days.checked_add(moved)),
        Calendar::Months(length) => {
            let months = count.checked_mul(length).filter(|months| months.abs() <= MOST_MONTHS)?;
            Some(add_months(days, months))
        }
    }
}

/// A civil time moved by so many units of a day or longer.
fn moved_local(unit: Unit, count: i64, local: i64) -> Option<i64> {
    moved_days(unit, count, local.div_euclid(MICROS_PER_DAY))?
        .checked_mul(MICROS_PER_DAY)?
        .checked_add(local.rem_euclid(MICROS_PER_DAY))
}

/// So many units below a day, in microseconds.
fn micros_of(millis: i64, count: i64) -> Option<i64> {
    count.checked_mul(millis)?.checked_mul(MICROS_PER_MILLI)
}

fn add_to_date(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut units = Prepared::new();
    each(call, (text(arguments, 0)?, bigint(arguments, 1)?, date(arguments, 2)?)).primitive::<Date32Type>(
        |(unit, count, days)| as_date(moved_days(*units.get(unit, Unit::of_date)?, count, i64::from(days))),
    )
}

/// The digits of a second that the result has.
fn unit_of_result(call: &Call<'_>) -> i64 {
    match call.returns {
        Type::Time(precision) | Type::Timestamp(precision) | Type::TimestampTz(precision) => {
            micros_of_precision((*precision).min(6))
        }
        _ => 1,
    }
}

fn add_to_time(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut units = Prepared::new();
    let digits = unit_of_result(call);
    each(call, (text(arguments, 0)?, bigint(arguments, 1)?, primitive::<Time64MicrosecondType>(arguments, 2)?))
        .primitive::<Time64MicrosecondType>(|(unit, count, time)| {
        let millis = units.get(unit, Unit::of_time)?.millis().ok_or_else(|| broken("a unit of days"))?;
        let moved = micros_of(millis, count % (MILLIS_PER_DAY / millis)).and_then(|moved| time.checked_add(moved));
        let rounded = moved.and_then(|moved| round_to(moved.rem_euclid(MICROS_PER_DAY), digits));
        Ok(as_timestamp(rounded)?.rem_euclid(MICROS_PER_DAY))
    })
}

/// A civil time or an instant moved in time, rounded to the digits of the type.
fn moved_in_time(millis: i64, count: i64, micros: i64, digits: i64) -> Option<i64> {
    round_to(micros.checked_add(micros_of(millis, count)?)?, digits)
}

fn add_to_timestamp(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut units = Prepared::new();
    let digits = unit_of_result(call);
    if let Some(Type::Timestamp(7..)) = call.arguments.get(2) {
        let columns = (text(arguments, 0)?, bigint(arguments, 1)?, primitive::<TimestampNanosecondType>(arguments, 2)?);
        return each(call, columns).primitive::<TimestampNanosecondType>(|(unit, count, nanos)| {
            let unit = *units.get(unit, Unit::of_timestamp)?;
            let micros = nanos.div_euclid(1_000);
            let moved = match unit.millis() {
                Some(millis) => micros_of(millis, count).and_then(|moved| micros.checked_add(moved)),
                None => moved_local(unit, count, micros),
            };
            let moved = moved.and_then(|moved| moved.checked_mul(1_000)?.checked_add(nanos.rem_euclid(1_000)));
            as_timestamp(moved)
        });
    }
    let columns = (text(arguments, 0)?, bigint(arguments, 1)?, primitive::<TimestampMicrosecondType>(arguments, 2)?);
    each(call, columns).primitive::<TimestampMicrosecondType>(|(unit, count, micros)| {
        let unit = *units.get(unit, Unit::of_timestamp)?;
        as_timestamp(match unit.millis() {
            Some(millis) => moved_in_time(millis, count, micros, digits),
            None => moved_local(unit, count, micros),
        })
    })
}

fn add_to_zoned(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut units = Prepared::new();
    let digits = unit_of_result(call);
    map_zoned(call, arguments, 2, &(text(arguments, 0)?, bigint(arguments, 1)?), |(unit, count), instant, zone| {
        let unit = *units.get(unit, Unit::of_timestamp)?;
        as_timestamp(match unit.millis() {
            Some(millis) => moved_in_time(millis, count, instant, digits),
            None => moved_local(unit, count, zone.to_local(instant)).map(|local| instant_near(zone, local, instant)),
        })
    })
}

/// Whole months from an earlier civil time to a later one, in milliseconds since 1970. The last day of a month is as far
/// as any later day of another.
fn whole_months(earlier: i64, later: i64) -> i64 {
    let parts = |millis: i64| (civil_from_days(millis.div_euclid(MILLIS_PER_DAY)), millis.rem_euclid(MILLIS_PER_DAY));
    let ((year, month, day), time) = parts(earlier);
    let ((later_year, later_month, later_day), later_time) = parts(later);
    let months = (later_year - year) * 12 + later_month - month;
    let is_last = later_day == days_in_month(later_year, later_month);
    let day = if is_last { day.min(later_day) } else { day };
    if (later_day, later_time) < (day, time) { months - 1 } else { months }
}

/// Whole years from an earlier civil time to a later one, in milliseconds since 1970: days are counted from the start of
/// the years, without the leap day where only one of them has it.
fn whole_years(earlier: i64, later: i64) -> i64 {
    const LEAP_DAY: i64 = 59 * MILLIS_PER_DAY;
    let parts = |millis: i64| {
        let year = civil_from_days(millis.div_euclid(MILLIS_PER_DAY)).0;
        (year, millis - days_from_civil(year, 1, 1) * MILLIS_PER_DAY)
    };
    let (year, mut rest) = parts(earlier);
    let (later_year, mut later_rest) = parts(later);
    if rest >= LEAP_DAY {
        if is_leap(year) {
            if !is_leap(later_year) {
                rest -= MILLIS_PER_DAY;
            }
        } else if later_rest >= LEAP_DAY && is_leap(later_year) {
            later_rest -= MILLIS_PER_DAY;
        }
    }
    later_year - year - i64::from(later_rest < rest)
}

/// Whole units between two civil times, in milliseconds since 1970.
fn difference(unit: Unit, from: i64, to: i64) -> i64 {
    if let Some(millis) = unit.millis() {
        return (to - from) / millis;
    }
    if to < from && !matches!(unit.calendar(), Calendar::Days(_)) {
        return -difference(unit, to, from);
    }
    match unit.calendar() {
        Calendar::Days(days) => (to - from) / (days * MILLIS_PER_DAY),
        Calendar::Months(12) => whole_years(from, to),
        Calendar::Months(months) => whole_months(from, to) / months,
    }
}

fn difference_of_dates(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut units = Prepared::new();
    each(call, (text(arguments, 0)?, date(arguments, 1)?, date(arguments, 2)?)).bigint(|(unit, from, to)| {
        let unit = *units.get(unit, Unit::of_date)?;
        Ok(difference(unit, i64::from(from) * MILLIS_PER_DAY, i64::from(to) * MILLIS_PER_DAY))
    })
}

fn difference_of_times(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut units = Prepared::new();
    let columns = (
        text(arguments, 0)?,
        primitive::<Time64MicrosecondType>(arguments, 1)?,
        primitive::<Time64MicrosecondType>(arguments, 2)?,
    );
    each(call, columns).bigint(|(unit, from, to)| {
        let millis = units.get(unit, Unit::of_time)?.millis().ok_or_else(|| broken("a unit of days"))?;
        Ok((to - from) / (millis * MICROS_PER_MILLI))
    })
}

fn difference_of_timestamps(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let unit_texts = text(arguments, 0)?;
    let (from, to) = (Moments::new(call, arguments, 1)?, Moments::new(call, arguments, 2)?);
    let (mut units, mut zones) = (Prepared::new(), Zones::default());
    let mut builder = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        let locals = (from.local(row, &mut zones)?, to.local(row, &mut zones)?);
        let (Some(unit), (Some(from), Some(to))) = (unit_texts.get(row), locals) else {
            builder.append_null();
            continue;
        };
        let unit = *units.get(unit, Unit::of_timestamp)?;
        builder.append_value(difference(unit, from.div_euclid(MICROS_PER_MILLI), to.div_euclid(MICROS_PER_MILLI)));
    }
    Ok(Arc::new(builder.finish()))
}

fn difference_of_zoned(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let unit_texts = text(arguments, 0)?;
    let (from, to) = (Moments::new(call, arguments, 1)?, Moments::new(call, arguments, 2)?);
    let (mut units, mut zones) = (Prepared::new(), Zones::default());
    let mut builder = PrimitiveBuilder::<Int64Type>::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(unit), Some((from, zone)), Some((to, _))) = (unit_texts.get(row), from.zoned(row), to.zoned(row))
        else {
            builder.append_null();
            continue;
        };
        let unit = *units.get(unit, Unit::of_timestamp)?;
        // Days and longer are counted on the clock of the first value's zone.
        let zone = zone_of(&mut zones, zone)?;
        let clock = |instant| if unit.millis().is_some() { instant } else { zone.to_local(instant) };
        let millis = |instant| clock(instant).div_euclid(MICROS_PER_MILLI);
        builder.append_value(difference(unit, millis(from), millis(to)));
    }
    Ok(Arc::new(builder.finish()))
}

fn last_day_of_month(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let moments = Moments::new(call, arguments, 0)?;
    let mut zones = Zones::default();
    let mut builder = Date32Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        builder.append_option(match moments.local(row, &mut zones)? {
            Some(local) => {
                let (year, month, _) = civil_from_days(local.div_euclid(MICROS_PER_DAY));
                Some(as_date(Some(days_from_civil(year, month, days_in_month(year, month))))?)
            }
            None => None,
        });
    }
    let dates = builder.finish();
    debug_assert_eq!(dates.len(), call.rows, "one date a row");
    Ok(Arc::new(dates))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bigint, date, error, text, timestamp, value};
    use crate::sql::types::Type;

    #[test]
    fn months_are_whole_up_to_the_last_day() {
        let months = |from, to| value("date_diff", 0, Type::Bigint, &[text("month"), date(from), date(to)]);
        assert_eq!(months("2024-01-31", "2024-02-29"), "1");
        assert_eq!(months("2024-02-29", "2024-01-31"), "-1");
        assert_eq!(months("2024-03-31", "2024-02-29"), "-1");
        assert_eq!(months("2024-03-28", "2024-02-29"), "0");
        let years = |from, to| value("date_diff", 0, Type::Bigint, &[text("year"), date(from), date(to)]);
        assert_eq!(years("2020-02-29", "2021-02-28"), "1");
        assert_eq!(years("2025-02-28", "2024-02-29"), "-1");
    }

    #[test]
    fn differences_are_cut_to_milliseconds_first() {
        let between =
            |unit, from, to| value("date_diff", 2, Type::Bigint, &[text(unit), timestamp(from, 6), timestamp(to, 6)]);
        assert_eq!(between("millisecond", "2024-01-01T00:00:00.0009", "2024-01-01T00:00:00.0011"), "1");
        assert_eq!(between("second", "2024-01-01T00:00:00.9999", "2024-01-01T00:00:01.9998"), "1");
        assert_eq!(between("day", "2024-01-02T01:00:00", "2024-01-01T02:00:00"), "0");
    }

    #[test]
    fn units_fit_their_types() {
        assert_eq!(value("date_trunc", 0, Type::Date, &[text("WEEK"), date("2024-05-19")]), "2024-05-13");
        assert_eq!(
            error("date_trunc", 0, Type::Date, &[text("hour"), date("2024-05-17")]),
            "INVALID_FUNCTION_ARGUMENT: 'hour' is not a valid DATE field"
        );
        assert_eq!(
            value(
                "date_add",
                2,
                Type::Timestamp(0),
                &[text("millisecond"), bigint(500), timestamp("2024-01-01T00:00:00", 0)]
            ),
            "2024-01-01T00:00:01"
        );
        assert_eq!(value("date_add", 0, Type::Date, &[text("month"), bigint(1), date("2024-01-31")]), "2024-02-29");
        assert_eq!(
            error("date_add", 0, Type::Date, &[text("day"), bigint(i64::MAX), date("2024-01-31")]),
            "GENERIC_INTERNAL_ERROR: integer overflow"
        );
    }
}
