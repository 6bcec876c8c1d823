//! Fields of dates, times and intervals: `year` to `millisecond`, weeks by ISO 8601, the zone's hour and minute.

use std::sync::Arc;

use arrow::array::{Int64Builder, StringBuilder};
use arrow::datatypes::{DurationMillisecondType, IntervalYearMonthType, Time64MicrosecondType};

use super::kernel::{Evaluated, each, form, invalid, primitive, unsupported};
use super::moment::{
    MICROS_PER_MILLI, MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE, MILLIS_PER_SECOND, Moments, day_of_week,
    day_of_year, week_of, zone_of,
};
use super::{Argument, Call, Function, Overload};
use crate::sql::temporal::{MICROS_PER_DAY, Zone, Zones, civil_from_days};

/// A list of forms of a field of dates and points in time.
macro_rules! dated {
    ($kernel:ident $(, $more:expr)*) => {
        &[
            form("(date) -> bigint", $kernel),
            form("(timestamp(p)) -> bigint", $kernel),
            form("(timestamp(p) with time zone) -> bigint", $kernel),
            $($more,)*
        ]
    };
}

/// A list of forms of a field of points in time, times of day and intervals.
macro_rules! timed {
    ($kernel:ident, $of_time:ident, $of_interval:ident) => {
        &[
            form("(timestamp(p)) -> bigint", $kernel),
            form("(timestamp(p) with time zone) -> bigint", $kernel),
            form("(time(p)) -> bigint", $of_time),
            form("(interval day to second) -> bigint", $of_interval),
        ]
    };
}

static DAY: &[Overload] = dated!(day, form("(interval day to second) -> bigint", interval_day));
static DAY_OF_WEEK: &[Overload] = dated!(weekday);
static DAY_OF_YEAR: &[Overload] = dated!(yearday);
static WEEK: &[Overload] = dated!(week);
static YEAR_OF_WEEK: &[Overload] = dated!(year_of_week);

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function { name: "year", overloads: dated!(year, form("(interval year to month) -> bigint", interval_year)) },
    Function { name: "quarter", overloads: dated!(quarter) },
    Function { name: "month", overloads: dated!(month, form("(interval year to month) -> bigint", interval_month)) },
    Function { name: "week", overloads: WEEK },
    Function { name: "week_of_year", overloads: WEEK },
    Function { name: "year_of_week", overloads: YEAR_OF_WEEK },
    Function { name: "yow", overloads: YEAR_OF_WEEK },
    Function { name: "day", overloads: DAY },
    Function { name: "day_of_month", overloads: DAY },
    Function { name: "day_of_week", overloads: DAY_OF_WEEK },
    Function { name: "dow", overloads: DAY_OF_WEEK },
    Function { name: "day_of_year", overloads: DAY_OF_YEAR },
    Function { name: "doy", overloads: DAY_OF_YEAR },
    Function { name: "hour", overloads: timed!(hour, time_hour, interval_hour) },
    Function { name: "minute", overloads: timed!(minute, time_minute, interval_minute) },
    Function { name: "second", overloads: timed!(second, time_second, interval_second) },
    Function { name: "millisecond", overloads: timed!(millisecond, time_millisecond, interval_millisecond) },
    Function { name: "timezone_hour", overloads: &[form("(timestamp(p) with time zone) -> bigint", zone_hour)] },
    Function { name: "timezone_minute", overloads: &[form("(timestamp(p) with time zone) -> bigint", zone_minute)] },
    Function { name: "timezone", overloads: &[form("(timestamp(p) with time zone) -> varchar", zone_name)] },
    Function { name: "current_timezone", overloads: &[form("() -> varchar", current_zone)] },
    Function { name: "to_milliseconds", overloads: &[form("(interval day to second) -> bigint", milliseconds)] },
];

/// A field of civil times.
fn of_local(call: &Call<'_>, arguments: &[Argument], field: fn(i64) -> i64) -> Evaluated {
    let moments = Moments::new(call, arguments, 0)?;
    let mut zones = Zones::default();
    let mut builder = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        builder.append_option(moments.local(row, &mut zones)?.map(field));
    }
    Ok(Arc::new(builder.finish()))
}

/// The day of a civil time.
fn days(local: i64) -> i64 {
    local.div_euclid(MICROS_PER_DAY)
}

/// A part of the day: how many of a unit, of so many of them.
fn part(micros: i64, millis: i64, of: i64) -> i64 {
    micros.div_euclid(millis * MICROS_PER_MILLI).rem_euclid(of)
}

macro_rules! local_fields {
    ($($name:ident = $field:expr;)*) => {$(
        fn $name(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            of_local(call, arguments, $field)
        }
    )*};
}

local_fields! {
    year = |local| civil_from_days(days(local)).0;
    quarter = |local| (civil_from_days(days(local)).1 - 1) / 3 + 1;
    month = |local| civil_from_days(days(local)).1;
    week = |local| week_of(days(local)).1;
    year_of_week = |local| week_of(days(local)).0;
    day = |local| civil_from_days(days(local)).2;
    weekday = |local| day_of_week(days(local));
    yearday = |local| day_of_year(days(local));
    hour = |local| part(local, MILLIS_PER_HOUR, 24);
    minute = |local| part(local, MILLIS_PER_MINUTE, 60);
    second = |local| part(local, MILLIS_PER_SECOND, 60);
    millisecond = |local| part(local, 1, 1_000);
}

macro_rules! time_fields {
    ($($name:ident = $millis:expr, $of:expr;)*) => {$(
        fn $name(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, primitive::<Time64MicrosecondType>(arguments, 0)?).bigint(|time| Ok(part(time, $millis, $of)))
        }
    )*};
}

time_fields! {
    time_hour = MILLIS_PER_HOUR, 24;
    time_minute = MILLIS_PER_MINUTE, 60;
    time_second = MILLIS_PER_SECOND, 60;
    time_millisecond = 1, 1_000;
}

macro_rules! interval_fields {
    ($($name:ident: $kind:ty = $field:expr;)*) => {$(
        fn $name(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, primitive::<$kind>(arguments, 0)?).bigint(|interval| Ok($field(i64::from(interval))))
        }
    )*};
}

interval_fields! {
    interval_year: IntervalYearMonthType = |months: i64| months / 12;
    interval_month: IntervalYearMonthType = |months: i64| months % 12;
    interval_day: DurationMillisecondType = |millis: i64| millis / MILLIS_PER_DAY;
    interval_hour: DurationMillisecondType = |millis: i64| millis / MILLIS_PER_HOUR % 24;
    interval_minute: DurationMillisecondType = |millis: i64| millis / MILLIS_PER_MINUTE % 60;
    interval_second: DurationMillisecondType = |millis: i64| millis / MILLIS_PER_SECOND % 60;
    interval_millisecond: DurationMillisecondType = |millis: i64| millis % 1_000;
    milliseconds: DurationMillisecondType = |millis: i64| millis;
}

/// A figure of the offset in minutes that each value's zone has then.
fn of_offset(call: &Call<'_>, arguments: &[Argument], field: fn(i64) -> i64) -> Evaluated {
    let moments = Moments::new(call, arguments, 0)?;
    let mut zones = Zones::default();
    let mut builder = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        builder.append_option(match moments.zoned(row) {
            Some((instant, zone)) => Some(field(zone_of(&mut zones, zone)?.offset_seconds(instant) / 60)),
            None => None,
        });
    }
    Ok(Arc::new(builder.finish()))
}

fn zone_hour(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    of_offset(call, arguments, |minutes| minutes / 60)
}

fn zone_minute(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    of_offset(call, arguments, |minutes| minutes % 60)
}

fn zone_name(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let moments = Moments::new(call, arguments, 0)?;
    let mut builder = StringBuilder::new();
    for row in 0..call.rows {
        builder.append_option(moments.zoned(row).map(|(_, zone)| zone));
    }
    Ok(Arc::new(builder.finish()))
}

/// The session's zone.
pub(super) fn session_zone(call: &Call<'_>) -> Result<Zone, super::EvalError> {
    Zone::parse(&call.session.time_zone)
        .map_err(|_| unsupported(format!("the session's time zone {} is not supported", call.session.time_zone)))
}

fn current_zone(call: &Call<'_>, _: &[Argument]) -> Evaluated {
    let zone = session_zone(call).map_err(|_| invalid("the session has no valid time zone"))?;
    Ok(Arc::new(arrow::array::StringArray::from(vec![zone.id(); call.rows])))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{date, timestamp, value};
    use crate::sql::types::Type;

    #[test]
    fn weeks_are_those_of_iso() {
        let field = |name, of| value(name, 0, Type::Bigint, &[date(of)]);
        assert_eq!(field("week", "2024-12-30"), "1");
        assert_eq!(field("year_of_week", "2024-12-30"), "2025");
        assert_eq!(field("week", "2021-01-03"), "53");
        assert_eq!(field("dow", "2024-05-19"), "7");
        assert_eq!(field("doy", "2024-12-31"), "366");
        assert_eq!(field("quarter", "2024-12-30"), "4");
    }

    #[test]
    fn times_before_1970_count_forwards() {
        let field = |name| value(name, 0, Type::Bigint, &[timestamp("1969-12-31T23:59:59.5", 3)]);
        assert_eq!(field("second"), "59");
        assert_eq!(field("millisecond"), "500");
        assert_eq!(field("hour"), "23");
    }
}
