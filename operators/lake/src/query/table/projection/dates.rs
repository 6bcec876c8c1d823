//! Dates of a projection: a range, a step, and the pattern that they are written by (`java.time`'s).
//!
//! <https://docs.oracle.com/javase/8/docs/api/java/time/format/DateTimeFormatter.html>.

use std::fmt::Write as _;

use jiff::civil::DateTime;
use jiff::{Span, Timestamp, tz};

use super::Parameters;
use crate::error::Result;

/// The dates that a partition key has.
#[derive(Debug)]
pub(super) struct Dates {
    pattern: Vec<Token>,
    first: DateTime,
    last: DateTime,
    interval: i64,
    unit: Unit,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    /// A field with so many digits; one letter is as many as it needs.
    Field(Field, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Years,
    Months,
    Weeks,
    Days,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

impl Unit {
    /// Reads `DAYS`, or `DAY`.
    fn read(text: &str) -> Option<Self> {
        let name = text.trim().to_ascii_uppercase();
        Some(match name.strip_suffix('S').unwrap_or(&name) {
            "YEAR" => Self::Years,
            "MONTH" => Self::Months,
            "WEEK" => Self::Weeks,
            "DAY" => Self::Days,
            "HOUR" => Self::Hours,
            "MINUTE" => Self::Minutes,
            "SECOND" => Self::Seconds,
            "MILLISECOND" | "MILLI" => Self::Milliseconds,
            _ => return None,
        })
    }

    /// Returns a time that is so many units later; none beyond the years that can be counted.
    fn after(self, time: DateTime, count: i64) -> Option<DateTime> {
        let span = Span::new();
        let span = match self {
            Self::Years => span.try_years(count),
            Self::Months => span.try_months(count),
            Self::Weeks => span.try_weeks(count),
            Self::Days => span.try_days(count),
            Self::Hours => span.try_hours(count),
            Self::Minutes => span.try_minutes(count),
            Self::Seconds => span.try_seconds(count),
            Self::Milliseconds => span.try_milliseconds(count),
        };
        time.checked_add(span.ok()?).ok()
    }
}

impl Dates {
    pub(super) fn read(parameters: &Parameters<'_>, now_us: i64) -> Result<Self> {
        let format = parameters.required("format")?;
        let pattern = tokens(format).map_err(|found| {
            let why = format!(
                "expected the letters `yyyy MM dd HH mm ss SSS` and texts in quotes, found `{found}` in `{format}`"
            );
            parameters.wrong("format", &why)
        })?;
        let (first, last) = parameters.range()?;
        let end = |text: &str| {
            now(text, now_us).or_else(|| parse(text, &pattern)).ok_or_else(|| {
                let why = format!("expected `NOW`, `NOW-3YEARS` or a date as `{format}` says, found `{text}`");
                parameters.wrong("range", &why)
            })
        };
        let (first, last) = (end(first)?, end(last)?);
        let has = |field: Field| pattern.iter().any(|token| matches!(token, Token::Field(found, _) if *found == field));
        let finer = [Field::Hour, Field::Minute, Field::Second, Field::Millisecond].into_iter().any(has);
        let unit = match parameters.get("interval.unit") {
            Some(text) => Unit::read(text)
                .ok_or_else(|| parameters.wrong("interval.unit", &format!("expected `DAYS`, say, found `{text}`")))?,
            None if !finer && has(Field::Day) => Unit::Days,
            None if !finer && has(Field::Month) => Unit::Months,
            None => {
                return Err(
                    parameters.wrong("interval.unit", "it is missing, and the pattern is not one of days or months")
                );
            }
        };
        let interval = parameters.count("interval")?.unwrap_or(1);
        Ok(Self { pattern, first, last, interval, unit })
    }

    /// Writes all of them; none when they are more than `most`.
    pub(super) fn texts(&self, most: usize) -> Option<Vec<String>> {
        let mut texts: Vec<String> = Vec::new();
        for step in 0.. {
            // From the first one each time: a month after the 31st of January is the end of February, two are not its 28th.
            let count = i64::checked_mul(step, self.interval);
            let Some(time) = count.and_then(|count| self.unit.after(self.first, count)) else { break };
            if time > self.last {
                break;
            }
            // Steps count, not texts: those of a unit finer than the pattern repeat a text again and again.
            if usize::try_from(step).is_ok_and(|step| step > most) {
                return None;
            }
            let text = self.write(time);
            if texts.last() != Some(&text) {
                texts.push(text);
            }
            if texts.len() > most {
                return None;
            }
        }
        Some(texts)
    }

    fn write(&self, time: DateTime) -> String {
        let mut text = String::new();
        for token in &self.pattern {
            match token {
                Token::Text(literal) => text.push_str(literal),
                Token::Field(field, digits) => {
                    let digits = *digits;
                    let value: i64 = match field {
                        Field::Year => time.year().into(),
                        Field::Month => time.month().into(),
                        Field::Day => time.day().into(),
                        Field::Hour => time.hour().into(),
                        Field::Minute => time.minute().into(),
                        Field::Second => time.second().into(),
                        Field::Millisecond => time.millisecond().into(),
                    };
                    // Writing to a text does not fail.
                    let _written = write!(text, "{value:0digits$}");
                }
            }
        }
        text
    }
}

/// Takes a pattern apart.
///
/// # Errors
/// What in it is not known.
fn tokens(pattern: &str) -> std::result::Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut literal = String::new();
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\'' {
            // Two quotes are one, also within quotes.
            if characters.next_if_eq(&'\'').is_some() {
                literal.push('\'');
                continue;
            }
            loop {
                match characters.next() {
                    Some('\'') if characters.next_if_eq(&'\'').is_some() => literal.push('\''),
                    Some('\'') => break,
                    Some(other) => literal.push(other),
                    None => return Err("a quote without its end".to_owned()),
                }
            }
            continue;
        }
        if !character.is_ascii_alphabetic() {
            literal.push(character);
            continue;
        }
        let mut count = 1;
        while characters.next_if_eq(&character).is_some() {
            count += 1;
        }
        let field = match (character, count) {
            ('y' | 'u', 4) => Field::Year,
            ('M', 1 | 2) => Field::Month,
            ('d', 1 | 2) => Field::Day,
            ('H', 1 | 2) => Field::Hour,
            ('m', 1 | 2) => Field::Minute,
            ('s', 1 | 2) => Field::Second,
            ('S', 3) => Field::Millisecond,
            _ => return Err(character.to_string().repeat(count)),
        };
        if !literal.is_empty() {
            tokens.push(Token::Text(std::mem::take(&mut literal)));
        }
        tokens.push(Token::Field(field, count));
    }
    if !literal.is_empty() {
        tokens.push(Token::Text(literal));
    }
    Ok(tokens)
}

/// Reads a time as a pattern says; what the pattern leaves out is the beginning of what it names.
fn parse(text: &str, pattern: &[Token]) -> Option<DateTime> {
    let (mut year, mut month, mut day, mut hour, mut minute, mut second, mut millisecond) = (1970, 1, 1, 0, 0, 0, 0);
    let mut rest = text;
    for token in pattern {
        match token {
            Token::Text(literal) => rest = rest.strip_prefix(literal.as_str())?,
            Token::Field(field, digits) => {
                let most = if *digits == 1 { 2 } else { *digits };
                let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
                if length < *digits {
                    return None;
                }
                let (number, after) = rest.split_at_checked(length)?;
                let number: i16 = number.parse().ok()?;
                rest = after;
                match field {
                    Field::Year => year = number,
                    Field::Month => month = i8::try_from(number).ok()?,
                    Field::Day => day = i8::try_from(number).ok()?,
                    Field::Hour => hour = i8::try_from(number).ok()?,
                    Field::Minute => minute = i8::try_from(number).ok()?,
                    Field::Second => second = i8::try_from(number).ok()?,
                    Field::Millisecond => millisecond = i32::from(number),
                }
            }
        }
    }
    if !rest.is_empty() {
        return None;
    }
    DateTime::new(year, month, day, hour, minute, second, millisecond * 1_000_000).ok()
}

/// Reads `NOW`, and `NOW - 3 YEARS`.
fn now(text: &str, now_us: i64) -> Option<DateTime> {
    let rest = text.trim().strip_prefix("NOW")?.trim_start();
    let now = tz::TimeZone::UTC.to_datetime(Timestamp::from_microsecond(now_us).ok()?);
    if rest.is_empty() {
        return Some(now);
    }
    let (sign, rest) = match rest.split_at_checked(1)? {
        ("+", rest) => (1, rest.trim_start()),
        ("-", rest) => (-1, rest.trim_start()),
        _ => return None,
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = rest.split_at_checked(digits)?;
    let count: i64 = count.parse().ok()?;
    Unit::read(unit)?.after(now, sign * count)
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::catalog::{Column, Table, TableFormat};
    use crate::name::{Location, TableName};

    /// Noon of the third of March, 2026.
    const NOON: &str = "2026-03-03T12:00:00Z";

    fn dates(parameters: &[(&str, &str)]) -> std::result::Result<Vec<String>, String> {
        read(parameters).map(|dates| dates.texts(100).unwrap())
    }

    fn read(parameters: &[(&str, &str)]) -> std::result::Result<Dates, String> {
        let name = TableName::new("web", "log").unwrap();
        let keys = vec![Column::new("dt", "string")];
        let location = Location::parse("s3://b/log/").unwrap();
        let mut table = Table::new(name, Vec::new(), keys, location, TableFormat::Parquet);
        table.parameters = parameters
            .iter()
            .map(|(key, value)| (format!("projection.dt.{key}"), (*value).to_owned()))
            .collect::<IndexMap<_, _>>();
        let now: Timestamp = NOON.parse().unwrap();
        Dates::read(&Parameters { table: &table, key: "dt" }, now.as_microsecond()).map_err(|error| error.to_string())
    }

    /// Ranges that would keep a query busy for ever, or for ages.
    #[test]
    fn dates_without_end_are_too_many_or_end() {
        let all = "0001-01-01,9999-12-31";
        let days = read(&[("range", all), ("format", "yyyy-MM-dd")]).unwrap();
        assert_eq!(days.texts(1_000_000), None);
        // A step that changes nothing of the text: it is steps that are counted.
        let finer = [("range", all), ("format", "yyyy-MM-dd"), ("interval.unit", "MILLISECONDS")];
        assert_eq!(read(&finer).unwrap().texts(1_000_000), None);
        let within = [("range", "2026-03-03,2026-03-04"), ("format", "yyyy-MM-dd"), ("interval.unit", "HOURS")];
        assert_eq!(read(&within).unwrap().texts(100).unwrap(), ["2026-03-03", "2026-03-04"]);
        // A step beyond what can be counted is the last.
        let huge = i64::MAX.to_string();
        for unit in ["YEARS", "DAYS", "MILLISECONDS"] {
            let parameters = [("range", all), ("format", "yyyy-MM-dd"), ("interval", &huge), ("interval.unit", unit)];
            assert_eq!(read(&parameters).unwrap().texts(100).unwrap(), ["0001-01-01"], "{unit}");
        }
        let last = [("range", "9999-12-30,9999-12-31"), ("format", "yyyy-MM-dd")];
        assert_eq!(dates(&last).unwrap(), ["9999-12-30", "9999-12-31"]);
        for interval in ["0", "-1", "9223372036854775808"] {
            assert_eq!(
                read(&[("range", all), ("format", "yyyy-MM-dd"), ("interval", interval)]).unwrap_err(),
                format!(
                    "HIVE_METASTORE_ERROR: table `web.log` has partition projection, and its parameter `projection.dt.interval` is \
                     wrong: expected a number from 1, found `{interval}`"
                )
            );
        }
    }

    #[test]
    fn ranges_steps_and_patterns() {
        for (parameters, expected) in [
            (
                &[("range", "2026-02-27,2026-03-02"), ("format", "yyyy-MM-dd")][..],
                &["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"][..],
            ),
            (
                &[("range", "2026/1/31,NOW"), ("format", "yyyy/M/d"), ("interval", "1"), ("interval.unit", "MONTHS")],
                &["2026/1/31", "2026/2/28"],
            ),
            (&[("range", "NOW-2MONTHS,NOW"), ("format", "yyyyMM")], &["202601", "202602", "202603"]),
            (
                &[("range", "NOW - 1 DAYS,NOW+1DAY"), ("format", "yyyy-MM-dd")],
                &["2026-03-02", "2026-03-03", "2026-03-04"],
            ),
            (
                &[
                    ("range", "2026-03-03T00,2026-03-03T12"),
                    ("format", "yyyy-MM-dd'T'HH"),
                    ("interval", "6"),
                    ("interval.unit", "HOURS"),
                ],
                &["2026-03-03T00", "2026-03-03T06", "2026-03-03T12"],
            ),
            (&[("range", "2026-03-04,2026-03-03"), ("format", "yyyy-MM-dd")], &[]),
        ] {
            assert_eq!(dates(parameters).unwrap(), expected, "{parameters:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let head = "HIVE_METASTORE_ERROR: table `web.log` has partition projection, and its parameter `projection.dt.";
        for (parameters, expected) in [
            (&[("range", "1,2")][..], "format` is wrong: it is missing"),
            (
                &[("range", "1,2"), ("format", "yyyy-ww")],
                "format` is wrong: expected the letters `yyyy MM dd HH mm ss SSS` and texts in quotes, found `ww` in `yyyy-ww`",
            ),
            (
                &[("range", "NOW,2026-1-1"), ("format", "yyyy-MM-dd")],
                "range` is wrong: expected `NOW`, `NOW-3YEARS` or a date as `yyyy-MM-dd` says, found `2026-1-1`",
            ),
            (
                &[("range", "2026,NOW"), ("format", "yyyy")],
                "interval.unit` is wrong: it is missing, and the pattern is not one of days or months",
            ),
        ] {
            assert_eq!(dates(parameters).unwrap_err(), format!("{head}{expected}"), "{parameters:?}");
        }
    }
}
