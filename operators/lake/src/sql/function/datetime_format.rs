//! Times written and read by patterns: `date_format`, `date_parse`, `format_datetime`, `parse_datetime`.
//!
//! Reading starts from 1970, or from the leap year 2000 where the text says a month or a day but no year, and takes the
//! fields from long to short, as Joda-Time does.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::StringBuilder;
use arrow::datatypes::TimestampMicrosecondType;

use super::datetime::session_zone;
use super::datetime_convert::{fraction, strict_instant, zoned_column};
use super::datetime_pattern::{Field, Token, has_zone, joda, mysql};
use super::kernel::{Evaluated, Prepared, each, form, invalid, text, unsupported};
use super::moment::{
    MICROS_PER_MILLI, MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE, MILLIS_PER_SECOND, Moments, day_of_week,
    day_of_year, first_monday, is_leap, week_of, zone_of,
};
use super::{Argument, Call, EvalError, Function};
use crate::sql::temporal::{MICROS_PER_DAY, Zone, Zones, civil_from_days, days_from_civil, days_in_month};
use crate::sql::types::Type;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function {
        name: "date_format",
        overloads: &[
            form("(timestamp(p), varchar(x)) -> varchar", date_format),
            form("(timestamp(p) with time zone, varchar(x)) -> varchar", date_format),
        ],
    },
    Function { name: "date_parse", overloads: &[form("(varchar(x), varchar(y)) -> timestamp(3)", date_parse)] },
    Function {
        name: "format_datetime",
        overloads: &[
            form("(timestamp(p), varchar(x)) -> varchar", format_datetime),
            form("(timestamp(p) with time zone, varchar(x)) -> varchar", format_datetime),
        ],
    },
    Function {
        name: "parse_datetime",
        overloads: &[form("(varchar(x), varchar(y)) -> timestamp(3) with time zone", parse_datetime)],
    },
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// The year of a text that says none, a leap year.
const DEFAULT_YEAR: i64 = 2_000;
/// How many letters short names have.
const SHORT: usize = 3;

/// The names of a field.
fn names(field: Field) -> &'static [&'static str] {
    if field == Field::Month { &MONTHS } else { &DAYS }
}

/// A point in time as its parts are written.
struct Parts<'a> {
    /// Civil microseconds since 1970.
    local: i64,
    /// The zone and its offset then, in seconds.
    zone: Option<(&'a str, i64)>,
}

impl Parts<'_> {
    fn days(&self) -> i64 {
        self.local.div_euclid(MICROS_PER_DAY)
    }

    fn millis(&self) -> i64 {
        self.local.rem_euclid(MICROS_PER_DAY) / MICROS_PER_MILLI
    }

    /// The value of a field.
    fn field(&self, field: Field) -> i64 {
        let (year, month, day) = civil_from_days(self.days());
        let year_of_era = if year > 0 { year } else { 1 - year };
        let hour = self.millis() / MILLIS_PER_HOUR;
        match field {
            Field::Year => year,
            Field::YearOfEra => year_of_era,
            Field::Century => year_of_era / 100,
            Field::Weekyear => week_of(self.days()).0,
            Field::Month => month,
            Field::Week => week_of(self.days()).1,
            Field::DayOfYear => day_of_year(self.days()),
            Field::DayOfMonth => day,
            Field::DayOfWeek => day_of_week(self.days()),
            Field::Hour => hour,
            Field::ClockHour => (hour + 23) % 24 + 1,
            Field::HourOfHalfday => hour % 12,
            Field::ClockHourOfHalfday => (hour + 11) % 12 + 1,
            Field::Minute => self.millis() / MILLIS_PER_MINUTE % 60,
            Field::Second => self.millis() / MILLIS_PER_SECOND % 60,
        }
    }

    /// Writes all parts.
    fn write(&self, tokens: &[Token], out: &mut String) -> Result<(), EvalError> {
        for token in tokens {
            match token {
                Token::Literal(text) => out.push_str(text),
                Token::Number { field, least, .. } => {
                    let value = self.field(*field);
                    if value < 0 {
                        out.push('-');
                    }
                    // Writing to a string cannot fail.
                    let _ = write!(out, "{:0least$}", value.abs());
                }
                Token::ShortYear(field) => {
                    let _ = write!(out, "{:02}", self.field(*field).abs() % 100);
                }
                Token::Name { field, short } => {
                    let index = usize::try_from(self.field(*field) - 1).unwrap_or_default();
                    let name = names(*field)[index];
                    out.push_str(if *short { &name[..SHORT] } else { name });
                }
                Token::Halfday => out.push_str(if self.field(Field::Hour) < 12 { "AM" } else { "PM" }),
                Token::Era => out.push_str(if self.field(Field::Year) > 0 { "AD" } else { "BC" }),
                Token::Fraction { digits, .. } => {
                    let millis = format!("{:03}", self.millis() % MILLIS_PER_SECOND);
                    out.extend(millis.chars().chain(std::iter::repeat('0')).take(*digits));
                }
                Token::Offset { colon } => {
                    let (_, seconds) = self.zone.ok_or_else(|| unsupported("an offset without a zone"))?;
                    let minutes = seconds / 60;
                    let sign = if minutes < 0 { '-' } else { '+' };
                    let colon = if *colon { ":" } else { "" };
                    let _ = write!(out, "{sign}{:02}{colon}{:02}", minutes.abs() / 60, minutes.abs() % 60);
                }
                Token::Zone => {
                    out.push_str(self.zone.ok_or_else(|| unsupported("a zone's name without a zone"))?.0);
                }
            }
        }
        Ok(())
    }
}

/// Writes a civil time, in microseconds since 1970, by tokens that show no zone.
pub(super) fn write_local(local: i64, tokens: &[Token], out: &mut String) -> Result<(), EvalError> {
    Parts { local, zone: None }.write(tokens, out)
}

/// Writes times by patterns.
fn write_by(
    call: &Call<'_>,
    arguments: &[Argument],
    read_pattern: fn(&str) -> Result<Vec<Token>, EvalError>,
    check: fn(&[Token], &Type) -> Result<(), EvalError>,
) -> Evaluated {
    let moments = Moments::new(call, arguments, 0)?;
    let of = call.arguments.first().unwrap_or(&Type::Unknown);
    let patterns = text(arguments, 1)?;
    let (mut prepared, mut zones) = (Prepared::new(), Zones::default());
    let mut builder = StringBuilder::new();
    let mut out = String::new();
    for row in 0..call.rows {
        let (Some(local), Some(pattern)) = (moments.local(row, &mut zones)?, patterns.get(row)) else {
            builder.append_null();
            continue;
        };
        let tokens = prepared.get(pattern, |pattern| {
            let tokens = read_pattern(pattern)?;
            check(&tokens, of)?;
            Ok(tokens)
        })?;
        let zone = match moments.zoned(row) {
            Some((instant, name)) => Some((name, zone_of(&mut zones, name)?.offset_seconds(instant))),
            None => None,
        };
        out.clear();
        Parts { local, zone }.write(tokens, &mut out)?;
        builder.append_value(&out);
    }
    Ok(Arc::new(builder.finish()))
}

fn date_format(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    write_by(call, arguments, mysql, |_, _| Ok(()))
}

fn format_datetime(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    write_by(call, arguments, joda, |tokens, of| {
        if has_zone(tokens) && matches!(of, Type::Timestamp(_)) {
            return Err(invalid(
                "format_datetime for TIMESTAMP type, cannot use 'Z' nor 'z' in format, as this type does not contain TZ \
                 information",
            ));
        }
        Ok(())
    })
}

/// What was read from a text.
#[derive(Default)]
pub(super) struct Found {
    /// Fields and their values; the last of a field counts.
    fields: Vec<(Field, i64)>,
    halfday: Option<i64>,
    millis: Option<i64>,
    pub(super) zone: Option<Zone>,
}

/// Reads a text by tokens.
struct Reading<'a> {
    whole: &'a str,
    rest: &'a str,
}

impl Reading<'_> {
    fn malformed(&self) -> EvalError {
        if self.rest.len() == self.whole.len() {
            invalid(format!("Invalid format: \"{}\"", self.whole))
        } else if self.rest.is_empty() {
            invalid(format!("Invalid format: \"{}\" is too short", self.whole))
        } else {
            invalid(format!("Invalid format: \"{}\" is malformed at \"{}\"", self.whole, self.rest))
        }
    }

    /// Takes so many bytes.
    fn take(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    /// Takes a text in any case.
    fn take_text(&mut self, text: &str) -> bool {
        let taken = self.rest.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
        if taken {
            self.take(text.len());
        }
        taken
    }

    /// Takes digits, with a sign where one is allowed.
    fn number(&mut self, most: usize, signed: bool) -> Result<i64, EvalError> {
        let sign = usize::from(signed && self.rest.starts_with(['-', '+']));
        let digits = self.rest.bytes().skip(sign).take(most).take_while(u8::is_ascii_digit).count();
        let number: i64 = self.rest[..sign + digits].parse().map_err(|_| self.malformed())?;
        self.take(sign + digits);
        Ok(number)
    }

    fn token(&mut self, token: &Token, found: &mut Found) -> Result<(), EvalError> {
        match token {
            Token::Literal(text) => {
                if !self.take_text(text) {
                    // What stands before the difference was read.
                    let same =
                        self.rest.bytes().zip(text.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
                    if self.rest.is_char_boundary(same) {
                        self.take(same);
                    }
                    return Err(self.malformed());
                }
            }
            Token::Number { field, most, .. } => {
                let signed = matches!(field, Field::Year | Field::Weekyear);
                if matches!(field, Field::Century | Field::YearOfEra) {
                    return Err(unsupported("reading years of an era or centuries"));
                }
                let value = self.number(*most, signed)?;
                found.fields.push((*field, value));
            }
            Token::ShortYear(Field::Year) => {
                // Two digits are the years from 1970 to 2069.
                if self.rest.bytes().take(2).filter(u8::is_ascii_digit).count() < 2 {
                    return Err(self.malformed());
                }
                let year = self.number(2, false)?;
                found.fields.push((Field::Year, if year < 70 { 2_000 + year } else { 1_900 + year }));
            }
            Token::ShortYear(_) => return Err(unsupported("reading years of two digits")),
            Token::Name { field, .. } => {
                let names = names(*field);
                let index = (0..names.len())
                    .find(|index| self.take_text(names[*index]))
                    .or_else(|| (0..names.len()).find(|index| self.take_text(&names[*index][..SHORT])))
                    .ok_or_else(|| self.malformed())?;
                found.fields.push((*field, i64::try_from(index + 1).unwrap_or_default()));
            }
            Token::Halfday => {
                let halfday = if self.take_text("AM") {
                    0
                } else if self.take_text("PM") {
                    1
                } else {
                    return Err(self.malformed());
                };
                found.halfday = Some(halfday);
            }
            Token::Era => return Err(unsupported("reading eras")),
            Token::Fraction { most, .. } => {
                let digits = self.rest.bytes().take(*most).take_while(u8::is_ascii_digit).count();
                found.millis = Some(fraction(&self.rest[..digits]));
                self.take(digits);
            }
            Token::Offset { .. } => found.zone = Some(self.offset()?),
            Token::Zone => {
                let length = self
                    .rest
                    .find(|next: char| !next.is_ascii_alphanumeric() && !matches!(next, '+' | '-' | ':' | '/' | '_'))
                    .unwrap_or(self.rest.len());
                let name = self.rest.get(..length).unwrap_or_default();
                let is_named = name.starts_with(|first: char| first.is_ascii_alphabetic());
                let zone = if is_named { Zone::parse(name).ok() } else { None };
                found.zone = Some(zone.ok_or_else(|| self.unknown_zone())?);
                self.take(length);
            }
        }
        Ok(())
    }

    fn unknown_zone(&self) -> EvalError {
        unsupported(format!("reading the zone of \"{}\"", self.whole))
    }

    /// Takes `Z`, or an offset of hours, minutes and seconds with or without colons: whatever the pattern says, as Joda-Time does.
    fn offset(&mut self) -> Result<Zone, EvalError> {
        if self.take_text("Z") {
            return Ok(Zone::utc());
        }
        let sign = match self.rest.bytes().next() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(self.malformed()),
        };
        self.take(1);
        let hours = self.two_digits(23)?;
        let has_colons = self.rest.starts_with(':');
        let mut parts = [0, 0];
        for part in &mut parts {
            let digits = self.rest.bytes().skip(usize::from(has_colons)).take_while(u8::is_ascii_digit).count();
            let goes_on = if has_colons { self.rest.starts_with(':') } else { digits > 0 };
            if !goes_on {
                break;
            }
            self.take(usize::from(has_colons));
            *part = self.two_digits(59)?;
        }
        let [minutes, seconds] = parts;
        let zone = if seconds == 0 { Zone::fixed(sign * (hours * 60 + minutes)).ok() } else { None };
        zone.ok_or_else(|| self.unknown_zone())
    }

    fn two_digits(&mut self, most: i64) -> Result<i64, EvalError> {
        if self.rest.bytes().take(2).filter(u8::is_ascii_digit).count() < 2 {
            return Err(self.malformed());
        }
        let number = self.number(2, false)?;
        if number > most { Err(self.malformed()) } else { Ok(number) }
    }
}

/// Reads a text by a pattern.
pub(super) fn read(whole: &str, tokens: &[Token]) -> Result<Found, EvalError> {
    let mut reading = Reading { whole, rest: whole };
    let mut found = Found::default();
    for token in tokens {
        reading.token(token, &mut found)?;
    }
    if reading.rest.is_empty() { Ok(found) } else { Err(reading.malformed()) }
}

impl Found {
    /// The value of a field, within bounds.
    fn get(&self, whole: &str, field: Field, name: &str, least: i64, most: i64) -> Result<Option<i64>, EvalError> {
        let value = self.fields.iter().rev().find(|(known, _)| *known == field).map(|(_, value)| *value);
        match value {
            Some(value) if !(least..=most).contains(&value) => Err(invalid(format!(
                "Cannot parse \"{whole}\": Value {value} for {name} must be in the range [{least},{most}]"
            ))),
            _ => Ok(value),
        }
    }

    /// The civil time in milliseconds since 1970; a text that says a month or a day but no year is of the default year.
    fn millis(&self, whole: &str, default_year: i64) -> Result<i64, EvalError> {
        const YEARS: i64 = 292_278_993;
        let has = |wanted: &[Field]| self.fields.iter().any(|(field, _)| wanted.contains(field));
        let years = has(&[Field::Year, Field::Weekyear]);
        let calendar = has(&[Field::Month, Field::Week, Field::DayOfYear, Field::DayOfMonth, Field::DayOfWeek]);
        let mut days = if calendar && !years { days_from_civil(default_year, 1, 1) } else { 0 };
        if let Some(year) = self.get(whole, Field::Year, "year", -YEARS, YEARS)? {
            days = days_from_civil(year, 1, 1);
        }
        if let Some(year) = self.get(whole, Field::Weekyear, "weekyear", -YEARS, YEARS)? {
            days = first_monday(year);
        }
        if let Some(month) = self.get(whole, Field::Month, "monthOfYear", 1, 12)? {
            days = days_from_civil(civil_from_days(days).0, month, 1);
        }
        if has(&[Field::Week]) {
            let year = week_of(days).0;
            let weeks = week_of(first_monday(year + 1) - 1).1;
            let week = self.get(whole, Field::Week, "weekOfWeekyear", 1, weeks)?.unwrap_or(1);
            days = first_monday(year) + (week - 1) * 7;
        }
        if has(&[Field::DayOfYear]) {
            let year = civil_from_days(days).0;
            let most = if is_leap(year) { 366 } else { 365 };
            let day = self.get(whole, Field::DayOfYear, "dayOfYear", 1, most)?.unwrap_or(1);
            days = days_from_civil(year, 1, 1) + day - 1;
        }
        if has(&[Field::DayOfMonth]) {
            let (year, month, _) = civil_from_days(days);
            let most = days_in_month(year, month);
            let day = self.get(whole, Field::DayOfMonth, "dayOfMonth", 1, most)?.unwrap_or(1);
            days = days_from_civil(year, month, day);
        }
        if let Some(day) = self.get(whole, Field::DayOfWeek, "dayOfWeek", 1, 7)? {
            days += day - day_of_week(days);
        }
        let in_day = self.time_of_day(whole)?;
        days.checked_mul(MILLIS_PER_DAY)
            .and_then(|millis| millis.checked_add(in_day))
            .ok_or_else(|| invalid("long overflow"))
    }

    /// The milliseconds of the day.
    fn time_of_day(&self, whole: &str) -> Result<i64, EvalError> {
        let hour = self.get(whole, Field::Hour, "hourOfDay", 0, 23)?;
        let clock_hour = self.get(whole, Field::ClockHour, "clockhourOfDay", 1, 24)?.map(|hour| hour % 24);
        let half = self.get(whole, Field::HourOfHalfday, "hourOfHalfday", 0, 11)?;
        let clock_half = self.get(whole, Field::ClockHourOfHalfday, "clockhourOfHalfday", 1, 12)?.map(|hour| hour % 12);
        let whole_hour = hour.or(clock_hour);
        let half_hour = half.or(clock_half);
        if whole_hour.is_some() && (half_hour.is_some() || self.halfday.is_some()) {
            return Err(unsupported("reading hours of the day together with halves of the day"));
        }
        let hours = whole_hour.unwrap_or_else(|| half_hour.unwrap_or(0) + 12 * self.halfday.unwrap_or(0));
        let minutes = self.get(whole, Field::Minute, "minuteOfHour", 0, 59)?.unwrap_or(0);
        let seconds = self.get(whole, Field::Second, "secondOfMinute", 0, 59)?.unwrap_or(0);
        Ok(hours * MILLIS_PER_HOUR
            + minutes * MILLIS_PER_MINUTE
            + seconds * MILLIS_PER_SECOND
            + self.millis.unwrap_or(0))
    }

    /// The civil time in microseconds since 1970.
    pub(super) fn micros(&self, whole: &str, default_year: i64) -> Result<i64, EvalError> {
        self.millis(whole, default_year)?.checked_mul(MICROS_PER_MILLI).ok_or_else(|| invalid("long overflow"))
    }
}

fn date_parse(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).primitive::<TimestampMicrosecondType>(|(text, pattern)| {
        read(text, patterns.get(pattern, mysql)?)?.micros(text, DEFAULT_YEAR)
    })
}

fn parse_datetime(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let session = session_zone(call)?;
    let mut patterns = Prepared::new();
    zoned_column(call, &(text(arguments, 0)?, text(arguments, 1)?), |(text, pattern), names| {
        let tokens = patterns.get(pattern, |pattern| {
            let tokens = joda(pattern)?;
            if tokens.iter().any(|token| matches!(token, Token::ShortYear(_))) {
                return Err(unsupported("reading years of two digits, which depends on the present day"));
            }
            Ok(tokens)
        })?;
        let found = read(text, tokens)?;
        let zone = found.zone.as_ref().unwrap_or(&session);
        names.append_value(zone.id());
        strict_instant(zone, found.micros(text, DEFAULT_YEAR)?)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error, text, timestamp, value};
    use crate::sql::types::Type;

    const VARCHAR: Type = Type::Varchar(None);

    #[test]
    fn mysql_words_are_written() {
        let of = |at, pattern| value("date_format", 0, VARCHAR, &[timestamp(at, 6), text(pattern)]);
        assert_eq!(of("2024-03-05T06:07:08.090", "%Y-%m-%d %H:%i:%s.%f"), "2024-03-05 06:07:08.090000");
        assert_eq!(of("2024-03-05T00:04:05", "%a %W %b %M %c/%e %j %y"), "Tue Tuesday Mar March 3/5 065 24");
        assert_eq!(of("2024-03-05T00:04:05", "%I %l %k %p %r"), "12 12 0 AM 12:04:05 AM");
        assert_eq!(of("2021-01-03T00:00:00", "%x-%v"), "2020-53");
        assert_eq!(of("2024-03-05T00:00:00", "year=%Y %% %q %"), "year=2024 % q ");
        assert_eq!(
            error("date_format", 0, VARCHAR, &[timestamp("2024-03-05T00:00:00", 0), text("%w")]),
            "INVALID_FUNCTION_ARGUMENT: %w not supported in date format string"
        );
    }

    #[test]
    fn mysql_words_are_read() {
        let of = |of, pattern| value("date_parse", 0, Type::Timestamp(3), &[text(of), text(pattern)]);
        assert_eq!(of("05/Mar/2024:06:07:08", "%d/%b/%Y:%H:%i:%s"), "2024-03-05T06:07:08");
        assert_eq!(of("20240305", "%Y%m%d"), "2024-03-05T00:00:00");
        assert_eq!(of("2024-060", "%Y-%j"), "2024-02-29T00:00:00");
        assert_eq!(of("2024-10", "%x-%v"), "2024-03-04T00:00:00");
        assert_eq!(of("69", "%y"), "2069-01-01T00:00:00");
        assert_eq!(of("02-29", "%m-%d"), "2000-02-29T00:00:00");
        assert_eq!(of("Monday 2024-03-05", "%W %Y-%m-%d"), "2024-03-04T00:00:00");
        assert_eq!(of("12:30 am", "%h:%i %p"), "1970-01-01T00:30:00");
        assert_eq!(of("24-3-5 1:2:3.5", "%Y-%m-%d %H:%i:%s.%f"), "0024-03-05T01:02:03.500");
        let failed = |of, pattern| error("date_parse", 0, Type::Timestamp(3), &[text(of), text(pattern)]);
        assert_eq!(
            failed("05.03.2024", "%Y-%m-%d"),
            "INVALID_FUNCTION_ARGUMENT: Invalid format: \"05.03.2024\" is malformed at \".03.2024\""
        );
        assert_eq!(
            failed("2024-03-05x", "%Y-%m-%d"),
            "INVALID_FUNCTION_ARGUMENT: Invalid format: \"2024-03-05x\" is malformed at \"x\""
        );
        assert!(failed("2024-02-30", "%Y-%m-%d").starts_with("INVALID_FUNCTION_ARGUMENT"));
        assert!(failed("13:00 PM", "%h:%i %p").starts_with("INVALID_FUNCTION_ARGUMENT"));
    }

    #[test]
    fn joda_words_are_written() {
        let of = |at, pattern| value("format_datetime", 0, VARCHAR, &[timestamp(at, 6), text(pattern)]);
        assert_eq!(
            of(
                "2024-03-05T06:07:08.123456",
                "y yy yyy yyyy yyyyy M MM MMM MMMM d dd D DDD E EEEE e a h hh k K S SS SSSS C G"
            ),
            "2024 24 2024 2024 02024 3 03 Mar March 5 05 65 065 Tue Tuesday 2 AM 6 06 6 6 1 12 1230 20 AD"
        );
        assert_eq!(of("2021-01-03T00:00:00", "xxxx-'W'ww-e"), "2020-W53-7");
        assert_eq!(of("2024-03-05T00:07:08", "h k K H"), "12 24 0 0");
        assert_eq!(of("2024-03-05T06:07:08", "yyyy''HH 'it''s"), "2024'06 it's");
        let failed =
            |pattern| error("format_datetime", 0, VARCHAR, &[timestamp("2024-03-05T00:00:00", 0), text(pattern)]);
        assert_eq!(failed("yyyyTHH"), "INVALID_FUNCTION_ARGUMENT: Illegal pattern component: T");
        assert!(failed("Z").starts_with("INVALID_FUNCTION_ARGUMENT: format_datetime for TIMESTAMP type"));
    }

    #[test]
    fn joda_words_are_read_with_their_zone() {
        let of = |of, pattern| value("parse_datetime", 0, Type::TimestampTz(3), &[text(of), text(pattern)]);
        assert_eq!(of("2024-03-05 06:07", "yyyy-MM-dd HH:mm"), "{instant: 2024-03-05T06:07:00Z, zone: UTC}");
        assert_eq!(
            of("2024-03-05 06:07 +05:30", "yyyy-MM-dd HH:mm ZZ"),
            "{instant: 2024-03-05T00:37:00Z, zone: +05:30}"
        );
        assert_eq!(
            of("2024-03-05 06:07 America/New_York", "yyyy-MM-dd HH:mm ZZZ"),
            "{instant: 2024-03-05T11:07:00Z, zone: America/New_York}"
        );
        assert_eq!(of("Tue Mar 05 2024", "EEE MMM dd yyyy"), "{instant: 2024-03-05T00:00:00Z, zone: UTC}");
        for (written, zone) in [("06+01", "+01:00"), ("06+01:00", "+01:00"), ("06-0130", "-01:30"), ("06z", "UTC")] {
            assert!(of(written, "HHZ").ends_with(&format!("zone: {zone}}}")), "{written}");
        }
        for written in ["06UTC", "06+1", "06+01:0010", "06+24", "06+01:"] {
            let failed = error("parse_datetime", 0, Type::TimestampTz(3), &[text(written), text("HHZ")]);
            assert!(failed.starts_with("INVALID_FUNCTION_ARGUMENT: Invalid format"), "{written}: {failed}");
        }
        assert_eq!(
            error("parse_datetime", 0, Type::TimestampTz(3), &[text("2024-13-05"), text("yyyy-MM-dd")]),
            "INVALID_FUNCTION_ARGUMENT: Cannot parse \"2024-13-05\": Value 13 for monthOfYear must be in the range [1,12]"
        );
    }
}
