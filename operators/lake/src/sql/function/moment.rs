//! Arguments that are a date or a civil time, and the calendar that functions on them share.

use arrow::array::{Date32Array, PrimitiveArray, StructArray};
use arrow::datatypes::{TimestampMicrosecondType, TimestampNanosecondType};

use super::kernel::{Column, broken, date, fields, invalid, primitive};
use super::{Argument, Call, EvalError};
use crate::sql::temporal::zoned::Instants;
use crate::sql::temporal::{MICROS_PER_DAY, Zone, Zones, civil_from_days, days_from_civil};
use crate::sql::types::Type;

/// Microseconds of a millisecond.
pub(super) const MICROS_PER_MILLI: i64 = 1_000;
/// Milliseconds of a second, a minute, an hour and a day.
pub(super) const MILLIS_PER_SECOND: i64 = 1_000;
pub(super) const MILLIS_PER_MINUTE: i64 = 60_000;
pub(super) const MILLIS_PER_HOUR: i64 = 3_600_000;
pub(super) const MILLIS_PER_DAY: i64 = 86_400_000;

/// A column of dates or of points in time.
pub(super) enum Moments<'a> {
    Dates(Column<&'a Date32Array>),
    Micros(Column<&'a PrimitiveArray<TimestampMicrosecondType>>),
    Nanos(Column<&'a PrimitiveArray<TimestampNanosecondType>>),
    Zoned(Column<&'a StructArray>, Instants<'a>),
}

impl<'a> Moments<'a> {
    /// The argument at a position.
    pub(super) fn new(call: &Call<'_>, arguments: &'a [Argument], position: usize) -> Result<Self, EvalError> {
        match call.arguments.get(position) {
            Some(Type::Date) => Ok(Self::Dates(date(arguments, position)?)),
            Some(Type::Timestamp(precision)) if *precision > 6 => Ok(Self::Nanos(primitive(arguments, position)?)),
            Some(Type::Timestamp(_)) => Ok(Self::Micros(primitive(arguments, position)?)),
            Some(Type::TimestampTz(_)) => {
                let column = fields(arguments, position)?;
                let instants = Instants::new(*column.array())?;
                Ok(Self::Zoned(column, instants))
            }
            _ => Err(broken("another type than a date or a time")),
        }
    }

    /// The civil time of a row, in microseconds since 1970-01-01 00:00.
    pub(super) fn local(&self, row: usize, zones: &mut Zones) -> Result<Option<i64>, EvalError> {
        Ok(match self {
            Self::Dates(column) => column.get(row).map(|days| i64::from(days) * MICROS_PER_DAY),
            Self::Micros(column) => column.get(row),
            Self::Nanos(column) => column.get(row).map(|nanos| nanos.div_euclid(1_000)),
            Self::Zoned(..) => match self.zoned(row) {
                Some((instant, zone)) => Some(zone_of(zones, zone)?.to_local(instant)),
                None => None,
            },
        })
    }

    /// The instant and the zone of a row, where the column has zones.
    pub(super) fn zoned(&self, row: usize) -> Option<(i64, &'a str)> {
        match self {
            Self::Zoned(column, instants) => {
                let index = column.index(row);
                instants.nulls.is_none_or(|nulls| nulls.is_valid(index)).then(|| instants.row(index))
            }
            _ => None,
        }
    }
}

/// A zone that a value has.
pub(super) fn zone_of<'a>(zones: &'a mut Zones, name: &str) -> Result<&'a Zone, EvalError> {
    zones.get(name).map_err(|_| invalid(format!("'{name}' is not a valid time zone")))
}

/// The day of the week, Monday 1 to Sunday 7.
pub(super) fn day_of_week(days: i64) -> i64 {
    // The first day of the count was a Thursday.
    (days + 3).rem_euclid(7) + 1
}

/// The day of the year, from 1.
pub(super) fn day_of_year(days: i64) -> i64 {
    days - days_from_civil(civil_from_days(days).0, 1, 1) + 1
}

/// The year that a day's ISO week belongs to, and the week's number.
pub(super) fn week_of(days: i64) -> (i64, i64) {
    // A week belongs to the year of its Thursday.
    let thursday = days - day_of_week(days) + 4;
    let year = civil_from_days(thursday).0;
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

/// The Monday that a year of weeks starts with.
pub(super) fn first_monday(year: i64) -> i64 {
    // The fourth of January is always in the first week.
    let fourth = days_from_civil(year, 1, 4);
    fourth - day_of_week(fourth) + 1
}

/// Tells whether a year has a 29th of February.
pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The instant of a civil time that was moved from an instant: with the offset there was, where it still holds, or else
/// as the zone's rules say.
pub(super) fn instant_near(zone: &Zone, local: i64, original: i64) -> i64 {
    let offset = zone.to_local(original) - original;
    let candidate = local - offset;
    if zone.to_local(candidate) == local { candidate } else { zone.to_instant(local) }
}

/// What times are cut to, added in and counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    /// Reads a unit of a kind of value, in any case.
    pub(super) fn of(text: &str, kind: &str, allowed: fn(Self) -> bool) -> Result<Self, EvalError> {
        let unit = match text.to_ascii_lowercase().as_str() {
            "millisecond" => Some(Self::Millisecond),
            "second" => Some(Self::Second),
            "minute" => Some(Self::Minute),
            "hour" => Some(Self::Hour),
            "day" => Some(Self::Day),
            "week" => Some(Self::Week),
            "month" => Some(Self::Month),
            "quarter" => Some(Self::Quarter),
            "year" => Some(Self::Year),
            _ => None,
        };
        unit.filter(|unit| allowed(*unit)).ok_or_else(|| invalid(format!("'{text}' is not a valid {kind} field")))
    }

    /// A unit of dates.
    pub(super) fn of_date(text: &str) -> Result<Self, EvalError> {
        Self::of(text, "DATE", |unit| unit.millis().is_none())
    }

    /// A unit of times of day.
    pub(super) fn of_time(text: &str) -> Result<Self, EvalError> {
        Self::of(text, "TIME", |unit| unit.millis().is_some())
    }

    /// A unit of points in time.
    pub(super) fn of_timestamp(text: &str) -> Result<Self, EvalError> {
        Self::of(text, "TIMESTAMP", |_| true)
    }

    /// How long a unit below a day is.
    pub(super) fn millis(self) -> Option<i64> {
        match self {
            Self::Millisecond => Some(1),
            Self::Second => Some(MILLIS_PER_SECOND),
            Self::Minute => Some(MILLIS_PER_MINUTE),
            Self::Hour => Some(MILLIS_PER_HOUR),
            _ => None,
        }
    }

    /// How many days or months a longer unit is.
    pub(super) fn calendar(self) -> Calendar {
        match self {
            Self::Week => Calendar::Days(7),
            Self::Month => Calendar::Months(1),
            Self::Quarter => Calendar::Months(3),
            Self::Year => Calendar::Months(12),
            _ => Calendar::Days(1),
        }
    }
}

/// A unit of a day or longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calendar {
    Days(i64),
    Months(i64),
}
