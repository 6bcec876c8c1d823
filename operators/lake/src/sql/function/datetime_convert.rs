//! Times from and to numbers, ISO 8601 text and zones; durations in words.
//!
//! Left out: nanoseconds with a zone, which the engine does not hold.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Date32Builder, Float64Builder, StringBuilder};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Date32Type, DurationMillisecondType, Float64Type, TimestampMicrosecondType};

use super::datetime::session_zone;
use super::kernel::{
    Columns, Evaluated, bad_cast, bigint, double, each, form, invalid, primitive, text, typed, unsupported,
};
use super::math::truncated;
use super::moment::{
    MICROS_PER_MILLI, MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE, MILLIS_PER_SECOND, Moments, first_monday,
    is_leap, week_of, zone_of,
};
use super::{Argument, Call, EvalError, Function};
use crate::sql::temporal::format::{self, FarYear};
use crate::sql::temporal::zone::ZoneError;
use crate::sql::temporal::zoned::instants;
use crate::sql::temporal::{MICROS_PER_DAY, Zone, Zones, civil_from_days, days_from_civil, days_in_month, parse};
use crate::sql::types::Type;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function {
        name: "from_unixtime",
        overloads: &[
            form("(double) -> timestamp(3) with time zone", from_unixtime),
            form("(double, bigint, bigint) -> timestamp(3) with time zone", from_unixtime_with_offset),
            form("(double, varchar(x)) -> timestamp(3) with time zone", from_unixtime_in_zone),
        ],
    },
    Function { name: "to_unixtime", overloads: &[form("(timestamp(p) with time zone) -> double", to_unixtime)] },
    Function {
        name: "date",
        overloads: &[
            form("(varchar(x)) -> date", date_of_text),
            form("(timestamp(p)) -> date", date_of_moment),
            form("(timestamp(p) with time zone) -> date", date_of_moment),
        ],
    },
    Function { name: "from_iso8601_date", overloads: &[form("(varchar(x)) -> date", from_iso8601_date)] },
    Function {
        name: "from_iso8601_timestamp",
        overloads: &[form("(varchar(x)) -> timestamp(3) with time zone", from_iso8601_timestamp)],
    },
    Function {
        name: "to_iso8601",
        overloads: &[
            form("(date) -> varchar(16)", date_to_iso8601),
            typed("(timestamp(p)) -> varchar", iso8601_type, timestamp_to_iso8601),
            typed("(timestamp(p) with time zone) -> varchar", iso8601_type, zoned_to_iso8601),
        ],
    },
    Function {
        name: "at_timezone",
        overloads: &[form("(timestamp(p) with time zone, varchar(x)) -> timestamp(p) with time zone", at_timezone)],
    },
    Function {
        name: "with_timezone",
        overloads: &[form("(timestamp(p), varchar(x)) -> timestamp(p) with time zone", with_timezone)],
    },
    Function { name: "human_readable_seconds", overloads: &[form("(double) -> varchar", human_readable_seconds)] },
    Function { name: "parse_duration", overloads: &[form("(varchar(x)) -> interval day to second", parse_duration)] },
];

/// The nearest bigint, halves upwards; what is no number is zero.
fn nearest(value: f64) -> i64 {
    let floor = value.floor();
    truncated(if value - floor >= 0.5 { floor + 1.0 } else { floor })
}

/// A column of times with zones, from instants in microseconds and zones' names.
pub(super) fn zoned_column<C: Columns>(
    call: &Call<'_>,
    columns: &C,
    mut compute: impl FnMut(C::Item, &mut StringBuilder) -> Result<i64, EvalError>,
) -> Evaluated {
    let mut values = Vec::with_capacity(call.rows);
    let mut names = StringBuilder::new();
    let mut valid = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if let Some(item) = columns.row(row) {
            values.push(compute(item, &mut names)?);
            valid.push(true);
        } else {
            values.push(0);
            names.append_value("");
            valid.push(false);
        }
    }
    instants(values, names.finish(), Some(NullBuffer::from(valid)))
}

/// The instant of Unix time, to the millisecond.
fn instant_of(seconds: f64) -> Result<i64, EvalError> {
    /// Trino keeps milliseconds in 52 bits beside the zone.
    const BOUND: i64 = 1 << 51;
    let millis = nearest(seconds * 1_000.0);
    if (-BOUND..BOUND).contains(&millis) {
        Ok(millis * MICROS_PER_MILLI)
    } else {
        Err(invalid(format!("Millis overflow: {millis}")))
    }
}

fn from_unixtime(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let zone = session_zone(call)?;
    zoned_column(call, &double(arguments, 0)?, |seconds, names| {
        names.append_value(zone.id());
        instant_of(seconds)
    })
}

fn from_unixtime_with_offset(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (double(arguments, 0)?, bigint(arguments, 1)?, bigint(arguments, 2)?);
    zoned_column(call, &columns, |(seconds, hours, minutes), names| {
        let offset = hours
            .checked_mul(60)
            .and_then(|offset| offset.checked_add(minutes))
            .ok_or_else(|| invalid("Invalid offset minutes"))?;
        let zone = Zone::fixed(offset).map_err(|_| invalid(format!("Invalid offset minutes {offset}")))?;
        names.append_value(zone.id());
        instant_of(seconds)
    })
}

fn from_unixtime_in_zone(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut zones = Zones::default();
    zoned_column(call, &(double(arguments, 0)?, text(arguments, 1)?), |(seconds, name), names| {
        if name.is_empty() {
            return Err(invalid("Zone id is an empty string"));
        }
        let zone =
            zones.get(name).map_err(|_| EvalError::new("NOT_SUPPORTED", format!("Time zone not supported: {name}")))?;
        names.append_value(zone.id());
        instant_of(seconds)
    })
}

fn to_unixtime(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let moments = Moments::new(call, arguments, 0)?;
    let mut builder = Float64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        builder.append_option(moments.zoned(row).map(|(instant, _)| {
            let (millis, rest) = (instant.div_euclid(MICROS_PER_MILLI), instant.rem_euclid(MICROS_PER_MILLI));
            let seconds = super::math::as_double(millis) / 1_000.0;
            // Whole milliseconds first, as Trino adds them.
            if rest == 0 { seconds } else { seconds + super::math::as_double(rest) * 1e6 / 1e12 }
        }));
    }
    Ok(Arc::new(builder.finish()))
}

fn date_of_text(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).primitive::<Date32Type>(|text| {
        parse::date(text).map_err(|_| bad_cast(format!("Value cannot be cast to date: {text}")))
    })
}

fn date_of_moment(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let moments = Moments::new(call, arguments, 0)?;
    let mut zones = Zones::default();
    let mut builder = Date32Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        builder.append_option(match moments.local(row, &mut zones)? {
            Some(local) => Some(
                i32::try_from(local.div_euclid(MICROS_PER_DAY))
                    .map_err(|_| bad_cast("Value cannot be cast to date"))?,
            ),
            None => None,
        });
    }
    Ok(Arc::new(builder.finish()))
}

/// What is left of an ISO 8601 text.
struct Iso<'a> {
    whole: &'a str,
    rest: &'a str,
}

impl<'a> Iso<'a> {
    fn new(text: &'a str) -> Self {
        Self { whole: text, rest: text }
    }

    /// The text has not the form.
    fn malformed(&self) -> EvalError {
        if self.rest.len() == self.whole.len() {
            invalid(format!("Invalid format: \"{}\"", self.whole))
        } else {
            invalid(format!("Invalid format: \"{}\" is malformed at \"{}\"", self.whole, self.rest))
        }
    }

    /// Takes a character when it comes next.
    fn take(&mut self, characters: &[char]) -> Option<char> {
        let next = self.rest.chars().next().filter(|next| characters.contains(next))?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    /// How many digits come next.
    fn digits(&self) -> usize {
        self.rest.bytes().take_while(u8::is_ascii_digit).count()
    }

    /// Takes a number of one to so many digits, within bounds.
    fn number(&mut self, most: usize, name: &str, least: i64, greatest: i64) -> Result<i64, EvalError> {
        let length = self.digits().min(most);
        let value: i64 = self.rest[..length].parse().map_err(|_| self.malformed())?;
        if !(least..=greatest).contains(&value) {
            return Err(invalid(format!(
                "Cannot parse \"{}\": Value {value} for {name} must be in the range [{least},{greatest}]",
                self.whole
            )));
        }
        self.rest = &self.rest[length..];
        Ok(value)
    }

    /// Takes a date: `2024-05-17`, `2024-05`, `2024`, `2024-W20-5`, `2024-138`.
    fn date(&mut self) -> Result<i64, EvalError> {
        const MOST_YEAR_DIGITS: usize = 9;
        let sign = if self.take(&['-', '+']) == Some('-') { -1 } else { 1 };
        let year = sign * self.number(MOST_YEAR_DIGITS, "year", 0, 292_278_993)?;
        if self.take(&['-']).is_none() {
            return Ok(days_from_civil(year, 1, 1));
        }
        if self.take(&['W']).is_some() {
            let weeks = week_of(first_monday(year + 1) - 1).1;
            let week = self.number(2, "weekOfWeekyear", 1, weeks)?;
            let day = if self.take(&['-']).is_some() { self.number(1, "dayOfWeek", 1, 7)? } else { 1 };
            return Ok(first_monday(year) + (week - 1) * 7 + day - 1);
        }
        if self.digits() == 3 {
            let day = self.number(3, "dayOfYear", 1, if is_leap(year) { 366 } else { 365 })?;
            return Ok(days_from_civil(year, 1, 1) + day - 1);
        }
        let month = self.number(2, "monthOfYear", 1, 12)?;
        let day =
            if self.take(&['-']).is_some() { self.number(2, "dayOfMonth", 1, days_in_month(year, month))? } else { 1 };
        Ok(days_from_civil(year, month, day))
    }

    /// Takes a time of day in milliseconds: `10`, `10:11`, `10:11:12`, `10:11:12.345`.
    fn time(&mut self) -> Result<i64, EvalError> {
        if self.rest.is_empty() {
            return Ok(0);
        }
        let mut millis = self.number(2, "hourOfDay", 0, 23)? * MILLIS_PER_HOUR;
        if self.take(&[':']).is_some() {
            millis += self.number(2, "minuteOfHour", 0, 59)? * MILLIS_PER_MINUTE;
            if self.take(&[':']).is_some() {
                millis += self.number(2, "secondOfMinute", 0, 59)? * MILLIS_PER_SECOND;
                if self.rest.starts_with(['.', ',']) && self.rest[1..].starts_with(|next: char| next.is_ascii_digit()) {
                    self.rest = &self.rest[1..];
                    millis += fraction(&self.rest[..self.digits()]);
                    self.rest = &self.rest[self.digits()..];
                }
                return Ok(millis);
            }
        }
        if self.rest.starts_with(['.', ',']) {
            return Err(unsupported("a fraction of an hour or a minute in ISO 8601 text"));
        }
        Ok(millis)
    }

    /// Takes an offset, `Z`, `+05`, `+05:30` or `+0530`, as minutes; or nothing.
    fn offset(&mut self) -> Result<Option<i64>, EvalError> {
        if self.take(&['Z', 'z']).is_some() {
            return Ok(Some(0));
        }
        let Some(sign) = self.take(&['+', '-']) else { return Ok(None) };
        if self.digits() != 2 && self.digits() != 4 {
            return Err(self.malformed());
        }
        let hours = self.number(2, "hours", 0, 23)?;
        let colon = self.take(&[':']).is_some();
        let minutes = if colon || self.digits() == 2 { self.number(2, "minutes", 0, 59)? } else { 0 };
        if self.rest.starts_with(':') {
            return Err(EvalError::new("NOT_SUPPORTED", "Time zone not supported"));
        }
        let minutes = hours * 60 + minutes;
        Ok(Some(if sign == '-' { -minutes } else { minutes }))
    }

    fn end(&self) -> Result<(), EvalError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }
}

/// The milliseconds that digits after the point are.
pub(super) fn fraction(digits: &str) -> i64 {
    digits.bytes().chain(std::iter::repeat(b'0')).take(3).fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0'))
}

fn from_iso8601_date(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).primitive::<Date32Type>(|text| {
        let mut iso = Iso::new(text);
        let days = iso.date()?;
        iso.end()?;
        i32::try_from(days).map_err(|_| {
            EvalError::new("GENERIC_INTERNAL_ERROR", format!("Value {days} exceeds MAX_INT for type date"))
        })
    })
}

/// The instant of a civil time in a zone, which must have it.
pub(super) fn strict_instant(zone: &Zone, local: i64) -> Result<i64, EvalError> {
    if zone.is_in_gap(local) {
        return Err(invalid("Illegal instant due to time zone offset transition"));
    }
    Ok(zone.to_instant(local))
}

fn from_iso8601_timestamp(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let session = session_zone(call)?;
    zoned_column(call, &text(arguments, 0)?, |text, names| {
        if text.starts_with('T') {
            return Err(unsupported("a time without a date in ISO 8601 text"));
        }
        let mut iso = Iso::new(text);
        let days = iso.date()?;
        let (time, offset) = if iso.take(&['T']).is_some() { (iso.time()?, iso.offset()?) } else { (0, None) };
        iso.end()?;
        let local = days
            .checked_mul(MILLIS_PER_DAY)
            .and_then(|millis| millis.checked_add(time)?.checked_mul(MICROS_PER_MILLI))
            .ok_or_else(|| unsupported("such a far year"))?;
        let zone = match offset {
            Some(minutes) => {
                Zone::fixed(minutes).map_err(|_| EvalError::new("NOT_SUPPORTED", "Time zone not supported"))?
            }
            None => session.clone(),
        };
        names.append_value(zone.id());
        strict_instant(&zone, local)
    })
}

/// The longest text that `to_iso8601` gives for a type.
fn iso8601_type(arguments: &[Type]) -> Option<Type> {
    let (precision, without_fraction) = match arguments {
        [Type::Timestamp(precision)] => (*precision, 22),
        [Type::TimestampTz(precision)] => (*precision, 28),
        _ => return None,
    };
    let fraction = if precision == 0 { 0 } else { u32::from(precision) + 1 };
    Some(Type::Varchar(Some(without_fraction + fraction)))
}

/// Writes a civil time with `T` between its date and its time of day.
fn write_local(out: &mut String, days: i64, nanos: i64, precision: u8) {
    format::date(out, days, FarYear::Signed);
    out.push('T');
    format::time(out, nanos, precision);
}

/// Years that are written alike everywhere.
fn plain_year(days: i64) -> Result<(), EvalError> {
    if (0..=9_999).contains(&civil_from_days(days).0) {
        Ok(())
    } else {
        Err(unsupported("the text of such a far year"))
    }
}

fn date_to_iso8601(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, super::kernel::date(arguments, 0)?).text(|days, out| {
        format::date(out, i64::from(days), FarYear::Plain);
        Ok(())
    })
}

fn timestamp_to_iso8601(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let Some(Type::Timestamp(precision)) = call.arguments.first() else {
        return Err(super::kernel::broken("another type than a timestamp"));
    };
    if *precision > 6 {
        return Err(unsupported("to_iso8601 of more than microseconds"));
    }
    each(call, primitive::<TimestampMicrosecondType>(arguments, 0)?).text(|micros, out| {
        let days = micros.div_euclid(MICROS_PER_DAY);
        plain_year(days)?;
        write_local(out, days, micros.rem_euclid(MICROS_PER_DAY) * 1_000, *precision);
        Ok(())
    })
}

fn zoned_to_iso8601(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let Some(Type::TimestampTz(precision)) = call.arguments.first() else {
        return Err(super::kernel::broken("another type than a time with a zone"));
    };
    let moments = Moments::new(call, arguments, 0)?;
    let mut zones = Zones::default();
    let mut builder = StringBuilder::new();
    let mut out = String::new();
    for row in 0..call.rows {
        let Some((instant, name)) = moments.zoned(row) else {
            builder.append_null();
            continue;
        };
        let offset = zone_of(&mut zones, name)?.offset_seconds(instant);
        let local = instant + offset * 1_000_000;
        let days = local.div_euclid(MICROS_PER_DAY);
        plain_year(days)?;
        out.clear();
        write_local(&mut out, days, local.rem_euclid(MICROS_PER_DAY) * 1_000, *precision);
        if offset == 0 {
            out.push('Z');
        } else {
            format::offset(&mut out, offset / 60);
        }
        builder.append_value(&out);
    }
    Ok(Arc::new(builder.finish()))
}

/// A zone that a function was given.
fn wanted_zone<'a>(zones: &'a mut Zones, name: &str) -> Result<&'a Zone, EvalError> {
    if name.is_empty() {
        return Err(EvalError::new("GENERIC_INTERNAL_ERROR", "Zone id is an empty string"));
    }
    zones.get(name).map_err(|error| match error {
        ZoneError::Unknown | ZoneError::NotSupported => invalid(format!("'{name}' is not a valid time zone")),
    })
}

fn at_timezone(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let moments = Moments::new(call, arguments, 0)?;
    let wanted = text(arguments, 1)?;
    let mut zones = Zones::default();
    let mut values = Vec::with_capacity(call.rows);
    let mut names = StringBuilder::new();
    let mut valid = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if let (Some((instant, _)), Some(name)) = (moments.zoned(row), wanted.get(row)) {
            values.push(instant);
            names.append_value(wanted_zone(&mut zones, name)?.id());
            valid.push(true);
        } else {
            values.push(0);
            names.append_value("");
            valid.push(false);
        }
    }
    instants(values, names.finish(), Some(NullBuffer::from(valid)))
}

fn with_timezone(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    if let Some(Type::Timestamp(7..)) = call.arguments.first() {
        return Err(unsupported("nanoseconds with a time zone"));
    }
    let mut zones = Zones::default();
    let columns = (primitive::<TimestampMicrosecondType>(arguments, 0)?, text(arguments, 1)?);
    zoned_column(call, &columns, |(local, name), names| {
        let zone = wanted_zone(&mut zones, name)?;
        names.append_value(zone.id());
        Ok(zone.to_instant(local))
    })
}

fn human_readable_seconds(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    const UNITS: [(&str, i64); 5] =
        [("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];
    each(call, primitive::<Float64Type>(arguments, 0)?).text(|seconds, out| {
        if !seconds.is_finite() {
            let shown = if seconds.is_nan() {
                "NaN"
            } else if seconds > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            return Err(invalid(format!("Invalid argument found: {shown}")));
        }
        let mut rest = nearest(seconds.abs());
        for (name, length) in UNITS {
            let count = rest / length;
            rest %= length;
            if count > 0 || (length == 1 && out.is_empty()) {
                let comma = if out.is_empty() { "" } else { ", " };
                let plural = if count == 1 { "" } else { "s" };
                // Writing to a string cannot fail.
                let _ = write!(out, "{comma}{count} {name}{plural}");
            }
        }
        Ok(())
    })
}

/// The milliseconds of a duration in words: `1.5h`, `90 s`.
fn duration_millis(text: &str) -> Result<i64, EvalError> {
    let malformed = || invalid(format!("duration is not a valid data duration string: {text}"));
    let trimmed = text.trim();
    let end = trimmed.find(|next: char| next != '.' && !next.is_ascii_digit()).ok_or_else(malformed)?;
    let (number, unit) = trimmed.split_at(end);
    let unit = unit.trim_start();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    };
    if !well_formed || unit.is_empty() || !unit.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(malformed());
    }
    let millis = match unit {
        "ns" => 1.0 / 1_000_000.0,
        "us" => 1.0 / 1_000.0,
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return Err(invalid(format!("Unknown time unit: {unit}"))),
    };
    let value: f64 = number.parse().map_err(|_| malformed())?;
    Ok(truncated((value * millis + 0.5).floor()))
}

fn parse_duration(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).primitive::<DurationMillisecondType>(duration_millis)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{double, error, text, timestamp, value};
    use super::duration_millis;
    use crate::sql::types::Type;

    #[test]
    fn unix_time_is_rounded_to_milliseconds() {
        let zoned = |seconds| value("from_unixtime", 0, Type::TimestampTz(3), &[double(seconds)]);
        assert_eq!(zoned(0.0015), "{instant: 1970-01-01T00:00:00.002Z, zone: UTC}");
        assert_eq!(zoned(-0.0005), "{instant: 1970-01-01T00:00:00Z, zone: UTC}");
        assert_eq!(zoned(f64::NAN), "{instant: 1970-01-01T00:00:00Z, zone: UTC}");
        assert_eq!(
            error("from_unixtime", 0, Type::TimestampTz(3), &[double(1e14)]),
            "INVALID_FUNCTION_ARGUMENT: Millis overflow: 100000000000000000"
        );
    }

    #[test]
    fn iso_8601_has_days_weeks_and_months() {
        for (of, expected) in [
            ("2024-05-17", "2024-05-17"),
            ("2024-W01-1", "2024-01-01"),
            ("2024-W20", "2024-05-13"),
            ("2024-060", "2024-02-29"),
            ("2024-05", "2024-05-01"),
            ("2024", "2024-01-01"),
            ("2024-5-7", "2024-05-07"),
        ] {
            assert_eq!(value("from_iso8601_date", 0, Type::Date, &[text(of)]), expected, "{of}");
        }
        assert_eq!(
            error("from_iso8601_date", 0, Type::Date, &[text("2024-05-17T10:00:00")]),
            "INVALID_FUNCTION_ARGUMENT: Invalid format: \"2024-05-17T10:00:00\" is malformed at \"T10:00:00\""
        );
        assert_eq!(
            error("from_iso8601_date", 0, Type::Date, &[text("20240517")]),
            "GENERIC_INTERNAL_ERROR: Value 7391977503 exceeds MAX_INT for type date"
        );
    }

    #[test]
    fn iso_8601_times_have_offsets() {
        let of = |of| value("from_iso8601_timestamp", 0, Type::TimestampTz(3), &[text(of)]);
        assert_eq!(of("2024-05-17T10:11:12.3456789Z"), "{instant: 2024-05-17T10:11:12.345Z, zone: UTC}");
        assert_eq!(of("2024-05-17T10:11:12+05:30"), "{instant: 2024-05-17T04:41:12Z, zone: +05:30}");
        assert_eq!(of("2024-05-17T10:11:12-0330"), "{instant: 2024-05-17T13:41:12Z, zone: -03:30}");
        assert_eq!(of("2024-05-17T10"), "{instant: 2024-05-17T10:00:00Z, zone: UTC}");
        assert_eq!(
            error("from_iso8601_timestamp", 0, Type::TimestampTz(3), &[text("2024-05-17 10:11:12")]),
            "INVALID_FUNCTION_ARGUMENT: Invalid format: \"2024-05-17 10:11:12\" is malformed at \" 10:11:12\""
        );
    }

    #[test]
    fn zones_are_given_to_civil_times() {
        let with = |of, zone| value("with_timezone", 0, Type::TimestampTz(0), &[timestamp(of, 0), text(zone)]);
        assert_eq!(
            with("2024-03-10T02:30:00", "America/New_York"),
            "{instant: 2024-03-10T07:30:00Z, zone: America/New_York}"
        );
        assert_eq!(
            with("2024-11-03T01:30:00", "America/New_York"),
            "{instant: 2024-11-03T05:30:00Z, zone: America/New_York}"
        );
    }

    #[test]
    fn durations_have_words() {
        let words = |seconds| value("human_readable_seconds", 0, Type::Varchar(None), &[double(seconds)]);
        assert_eq!(words(93_784.6), "1 day, 2 hours, 3 minutes, 5 seconds");
        assert_eq!(words(0.4), "0 seconds");
        assert_eq!(words(604_800.0), "1 week");
        assert_eq!(duration_millis("1.2345s"), Ok(1_235));
        assert_eq!(duration_millis("1.5 m"), Ok(90_000));
        assert_eq!(
            duration_millis("1 fortnight").map_err(|error| error.message),
            Err("Unknown time unit: fortnight".to_owned())
        );
        assert!(duration_millis(".5s").is_err());
    }
}
