//! Reads days and times: formats in `strptime` directives, ISO 8601, and the access logs' own form.
//!
//! The directives are those of Ruby's `strptime`, as Embulk reads them, with fewer surprises. `DIFFERENCE(embulk)`: a text
//! that goes on after the format, a day that does not exist (`2023-02-29`) and a year of less than four digits are
//! refused instead of guessed, and `%3N`, `%6N`, `%9N` are known to the reader too.
//!
//! Times end as microseconds since 1970 in UTC; digits beyond the microsecond are cut off.

mod cursor;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use self::cursor::{Cursor, offset};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A zone of times whose text names none.
#[derive(Debug, Clone)]
pub(crate) enum Zone {
    /// So many seconds east of UTC.
    Fixed(i32),
    /// A zone with rules.
    Named(TimeZone),
}

/// Reads a zone: `UTC`, `+09:00`, `Asia/Tokyo`, `JST`.
pub(crate) fn zone(name: &str) -> Result<Zone, String> {
    if let Some((seconds, used)) = offset(name.as_bytes())
        && used == name.len()
    {
        return Ok(Zone::Fixed(seconds));
    }
    TimeZone::get(name)
        .map(Zone::Named)
        .map_err(|_| format!("expected a time zone as `UTC`, `+09:00` or `Asia/Tokyo`, found `{name}`"))
}

/// Reads `2024-02-29` as days since 1970.
pub(crate) fn parse_date(text: &[u8]) -> Option<i32> {
    let text: &[u8; 10] = text.try_into().ok()?;
    let two = |at: usize| two_digits(text[at], text[at + 1]);
    (text[4] == b'-' && text[7] == b'-').then_some(())?;
    days(two(0)? * 100 + two(2)?, two(5)?, two(8)?)
}

/// Reads `17/May/2015:10:05:03 +0000` as microseconds since 1970.
pub(crate) fn parse_access_log_time(text: &[u8]) -> Option<i64> {
    let text: &[u8; 26] = text.try_into().ok()?;
    let two = |at: usize| two_digits(text[at], text[at + 1]);
    let separators = [(2, b'/'), (6, b'/'), (11, b':'), (14, b':'), (17, b':'), (20, b' ')];
    if separators.iter().any(|(at, byte)| text[*at] != *byte) {
        return None;
    }
    let month = MONTHS.iter().zip(1..).find(|(name, _)| name[..3].eq_ignore_ascii_case(&text[3..6]))?.1;
    let day = days(two(7)? * 100 + two(9)?, month, two(0)?)?;
    let (hour, minute, second) = (two(12)?, two(15)?, two(18)?);
    let sign = match text[21] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (offset_hours, offset_minutes) = (two(22)?, two(24)?);
    if hour > 23 || minute > 59 || second > 60 || offset_hours > 23 || offset_minutes > 59 {
        return None;
    }
    let local = i64::from(day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second.min(59);
    Some((local - sign * (offset_hours * 3600 + offset_minutes * 60)) * MICROS_PER_SECOND)
}

fn two_digits(high: u8, low: u8) -> Option<i64> {
    let (high, low) = (high.wrapping_sub(b'0'), low.wrapping_sub(b'0'));
    (high < 10 && low < 10).then(|| i64::from(high) * 10 + i64::from(low))
}

/// Reads `2024-02-29T12:34:56`, whatever stands in place of the `T`, as seconds since 1970: the common case. None says nothing:
/// [`TimeFormat::parse`] looks closer.
fn iso_seconds(text: &[u8; 19]) -> Option<i64> {
    let two = |at: usize| two_digits(text[at], text[at + 1]);
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| text[*at] != *byte) {
        return None;
    }
    let day = days(two(0)? * 100 + two(2)?, two(5)?, two(8)?)?;
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    (hour < 24 && minute < 60 && second < 60).then_some(())?;
    Some(i64::from(day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second)
}

/// What fills the gaps of a text: the zone and the day.
#[derive(Debug, Clone)]
pub(crate) struct TimeDefaults {
    /// The zone of texts that name none.
    pub zone: Zone,
    /// Year, month and day of texts that have none.
    pub date: (i64, i64, i64),
}

impl TimeDefaults {
    /// Returns year, month and day of so many days since 1970.
    pub(crate) fn civil(days: i32) -> (i64, i64, i64) {
        let epoch = jiff::civil::Date::constant(1970, 1, 1);
        let date = epoch.saturating_add(jiff::SignedDuration::from_hours(i64::from(days) * 24));
        (date.year().into(), date.month().into(), date.day().into())
    }
}

impl Default for TimeDefaults {
    fn default() -> Self {
        Self { zone: Zone::Fixed(0), date: (1970, 1, 1) }
    }
}

/// A format that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeFormat {
    kind: Kind,
    /// What it means by `2024-02-29` is what [`parse_date`] does.
    has_iso_day: bool,
    /// What it may have in place of the `T` of `2024-02-29T12:34:56` for [`iso_seconds`] to read it.
    iso_separators: &'static [u8],
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Iso,
    Items(Vec<Item>),
}

impl From<Vec<Item>> for TimeFormat {
    fn from(items: Vec<Item>) -> Self {
        const DAY: [Item; 5] = [Item::Year, Item::Literal(b'-'), Item::Month, Item::Literal(b'-'), Item::Day];
        const TIME: [Item; 5] = [Item::Hour, Item::Literal(b':'), Item::Minute, Item::Literal(b':'), Item::Second];
        let iso_separators: &[u8] = match items.strip_prefix(&DAY).and_then(|rest| rest.strip_suffix(&TIME)) {
            Some([Item::Literal(b'T')]) => b"T",
            Some([Item::Blanks]) => b" ",
            _ => b"",
        };
        Self { has_iso_day: items == DAY, iso_separators, kind: Kind::Items(items) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Literal(u8),
    Blanks,
    Year,
    YearOfCentury,
    Month,
    MonthName,
    Day,
    DayOfYear,
    Weekday,
    Hour,
    Hour12,
    Minute,
    Second,
    Fraction(Option<u8>),
    HalfOfDay,
    Offset,
    EpochSeconds,
    EpochMillis,
}

#[derive(Debug, Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    afternoon: Option<bool>,
    offset: Option<i32>,
    epoch_micros: Option<i64>,
}

impl TimeFormat {
    /// The format of timestamps without one: `2024-02-29`, `2024-02-29 12:34`, `2024-02-29T12:34:56.789+09:00`, `… UTC`.
    pub(crate) const ISO: Self = Self { kind: Kind::Iso, has_iso_day: true, iso_separators: b"T " };

    /// Understands a format.
    ///
    /// # Errors
    /// A message that names the directive that is not known.
    pub(crate) fn compile(format: &str) -> Result<Self, String> {
        let format = format.strip_prefix("ruby:").unwrap_or(format);
        if format.starts_with("java:") {
            return Err(format!(
                "expected directives as `%Y-%m-%d %H:%M:%S`, found `{format}`: Java patterns are not known"
            ));
        }
        let mut items = Vec::new();
        let mut bytes = format.bytes().peekable();
        while let Some(byte) = bytes.next() {
            if byte.is_ascii_whitespace() {
                items.push(Item::Blanks);
                continue;
            }
            if byte != b'%' {
                items.push(Item::Literal(byte));
                continue;
            }
            let mut directive = bytes.next();
            let mut width = None;
            while let Some(flag) = directive {
                match flag {
                    b'-' | b'0' | b'^' | b'#' | b':' | b'E' | b'O' if width.is_none() => {}
                    b'1'..=b'9' if width.is_none() => width = Some(flag - b'0'),
                    _ => break,
                }
                directive = bytes.next();
            }
            let found = directive.map_or_else(|| "%".to_owned(), |byte| format!("%{}", char::from(byte)));
            match directive.filter(|byte| width.is_none() || matches!(byte, b'N' | b'L')) {
                Some(b'Y') => items.push(Item::Year),
                Some(b'y') => items.push(Item::YearOfCentury),
                Some(b'm') => items.push(Item::Month),
                Some(b'b' | b'B' | b'h') => items.push(Item::MonthName),
                Some(b'd' | b'e') => items.push(Item::Day),
                Some(b'j') => items.push(Item::DayOfYear),
                Some(b'a' | b'A') => items.push(Item::Weekday),
                Some(b'H' | b'k') => items.push(Item::Hour),
                Some(b'I' | b'l') => items.push(Item::Hour12),
                Some(b'M') => items.push(Item::Minute),
                Some(b'S') => items.push(Item::Second),
                Some(b'N' | b'L' | b'f') => items.push(Item::Fraction(width)),
                Some(b'p' | b'P') => items.push(Item::HalfOfDay),
                Some(b'z' | b'Z') => items.push(Item::Offset),
                Some(b's') => items.push(Item::EpochSeconds),
                Some(b'Q') => items.push(Item::EpochMillis),
                Some(b'F') => items.extend(Self::compile_items("%Y-%m-%d")),
                Some(b'T' | b'X') => items.extend(Self::compile_items("%H:%M:%S")),
                Some(b'R') => items.extend(Self::compile_items("%H:%M")),
                Some(b'D' | b'x') => items.extend(Self::compile_items("%m/%d/%y")),
                Some(b'n' | b't') => items.push(Item::Blanks),
                Some(b'%') => items.push(Item::Literal(b'%')),
                _ => return Err(format!("expected a directive as `%Y` or `%H`, found `{found}` in `{format}`")),
            }
        }
        if items.is_empty() {
            return Err("expected a format as `%Y-%m-%d %H:%M:%S`, found an empty one".to_owned());
        }
        Ok(items.into())
    }

    fn compile_items(format: &str) -> Vec<Item> {
        match Self::compile(format) {
            Ok(Self { kind: Kind::Items(items), .. }) => items,
            _ => Vec::new(),
        }
    }

    /// Reads a time as microseconds since 1970 in UTC; none when the text does not fit or names no real time.
    pub(crate) fn parse(&self, text: &[u8], defaults: &TimeDefaults) -> Option<i64> {
        if let (Ok(text), Zone::Fixed(offset)) = (<&[u8; 19]>::try_from(text), &defaults.zone)
            && self.iso_separators.contains(&text[10])
            && let Some(seconds) = iso_seconds(text)
        {
            return Some((seconds - i64::from(*offset)) * MICROS_PER_SECOND);
        }
        let mut cursor = Cursor { text, at: 0 };
        let mut parts = Parts::default();
        match &self.kind {
            Kind::Iso => read_iso(&mut cursor, &mut parts)?,
            Kind::Items(items) => {
                for item in items {
                    read_item(*item, &mut cursor, &mut parts)?;
                }
            }
        }
        (cursor.at == text.len()).then_some(())?;
        parts.resolve(defaults)
    }

    /// Reads a day as days since 1970; a time of day in the text is refused unless the format has it.
    pub(crate) fn parse_day(&self, text: &[u8], defaults: &TimeDefaults) -> Option<i32> {
        if self.has_iso_day
            && let Some(day) = parse_date(text)
        {
            return Some(day);
        }
        let utc = TimeDefaults { zone: Zone::Fixed(0), date: defaults.date };
        i32::try_from(self.parse(text, &utc)?.div_euclid(SECONDS_PER_DAY * MICROS_PER_SECOND)).ok()
    }
}

fn read_iso(cursor: &mut Cursor<'_>, parts: &mut Parts) -> Option<()> {
    parts.year = Some(cursor.exact(4)?);
    cursor.byte(b'-')?;
    parts.month = Some(cursor.exact(2)?);
    cursor.byte(b'-')?;
    parts.day = Some(cursor.exact(2)?);
    if cursor.is_end() {
        return Some(());
    }
    if !matches!(cursor.next()?, b'T' | b't' | b' ') {
        return None;
    }
    parts.hour = cursor.exact(2)?;
    cursor.byte(b':')?;
    parts.minute = cursor.exact(2)?;
    if cursor.peek() == Some(b':') {
        cursor.at += 1;
        parts.second = cursor.exact(2)?;
        if matches!(cursor.peek(), Some(b'.' | b',')) {
            cursor.at += 1;
            parts.micros = cursor.fraction(None)?;
        }
    }
    if cursor.peek() == Some(b' ') {
        cursor.at += 1;
        parts.offset = Some(cursor.offset()?);
    } else if !cursor.is_end() {
        parts.offset = Some(cursor.offset()?);
    }
    Some(())
}

fn read_item(item: Item, cursor: &mut Cursor<'_>, parts: &mut Parts) -> Option<()> {
    match item {
        Item::Literal(byte) => cursor.byte(byte)?,
        Item::Blanks => cursor.blanks(),
        Item::Year => parts.year = Some(cursor.exact(4)?),
        Item::YearOfCentury => {
            let year = cursor.exact(2)?;
            parts.year = Some(if year >= 69 { 1900 + year } else { 2000 + year });
        }
        Item::Month => parts.month = Some(cursor.digits(2)?),
        Item::MonthName => parts.month = Some(cursor.name(&MONTHS)?),
        Item::Day => {
            cursor.blanks();
            parts.day = Some(cursor.digits(2)?);
        }
        Item::DayOfYear => parts.day_of_year = Some(cursor.digits(3)?),
        Item::Weekday => {
            cursor.name(&WEEKDAYS)?;
        }
        Item::Hour => {
            cursor.blanks();
            parts.hour = cursor.digits(2)?;
        }
        Item::Hour12 => {
            cursor.blanks();
            parts.hour = Some(cursor.digits(2)?).filter(|hour| (1..=12).contains(hour))? % 12;
            parts.afternoon.get_or_insert(false);
        }
        Item::Minute => parts.minute = cursor.digits(2)?,
        Item::Second => parts.second = cursor.digits(2)?,
        Item::Fraction(width) => parts.micros = cursor.fraction(width)?,
        Item::HalfOfDay => parts.afternoon = Some(cursor.name(&HALVES)? == 2),
        Item::Offset => parts.offset = Some(cursor.offset()?),
        Item::EpochSeconds => parts.epoch_micros = Some(cursor.integer()?.checked_mul(MICROS_PER_SECOND)?),
        Item::EpochMillis => parts.epoch_micros = Some(cursor.integer()?.checked_mul(1000)?),
    }
    Some(())
}

impl Parts {
    fn resolve(&self, defaults: &TimeDefaults) -> Option<i64> {
        if let Some(epoch) = self.epoch_micros {
            // The fraction of `%s.%N` belongs to the sign of the whole number: -1.5 is before -1.
            return if epoch < 0 { epoch.checked_sub(self.micros) } else { epoch.checked_add(self.micros) };
        }
        let (year, month, day) = defaults.date;
        let year = self.year.unwrap_or(year);
        let day = if let Some(day_of_year) = self.day_of_year {
            let length = i64::from(days(year + 1, 1, 1)? - days(year, 1, 1)?);
            (1..=length).contains(&day_of_year).then_some(())?;
            i64::from(days(year, 1, 1)?) + day_of_year - 1
        } else {
            let month = self.month.unwrap_or(if self.year.is_some() { 1 } else { month });
            let day = self.day.unwrap_or(if self.year.is_some() || self.month.is_some() { 1 } else { day });
            i64::from(days(year, month, day)?)
        };
        let hour = if self.afternoon == Some(true) && self.hour < 12 { self.hour + 12 } else { self.hour };
        if !(0..24).contains(&hour) || !(0..60).contains(&self.minute) || !(0..=60).contains(&self.second) {
            return None;
        }
        // A leap second has no place on this time line: it is the last second of its minute.
        let seconds = hour * 3600 + self.minute * 60 + self.second.min(59);
        let offset = match (self.offset, &defaults.zone) {
            (Some(offset), _) => i64::from(offset),
            (None, Zone::Fixed(offset)) => i64::from(*offset),
            (None, Zone::Named(zone)) => {
                let date =
                    jiff::civil::Date::new(1970, 1, 1).ok()?.checked_add(jiff::Span::new().try_days(day).ok()?).ok()?;
                let clock = jiff::civil::Time::new(
                    i8::try_from(hour).ok()?,
                    i8::try_from(self.minute).ok()?,
                    i8::try_from(self.second.min(59)).ok()?,
                    0,
                );
                // In a gap the offset before it, in an overlap the earlier time, as Embulk and Java do.
                let instant = zone.to_ambiguous_timestamp(DateTime::from_parts(date, clock.ok()?)).compatible().ok()?;
                day * SECONDS_PER_DAY + seconds - instant.as_second()
            }
        };
        Some((day * SECONDS_PER_DAY + seconds - offset) * MICROS_PER_SECOND + self.micros)
    }
}

const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];
const WEEKDAYS: [&[u8]; 7] = [b"sunday", b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday"];
const HALVES: [&[u8]; 2] = [b"am", b"pm"];

/// Days since 1970 of a day that exists, in the proleptic Gregorian calendar.
///
/// The year is taken to start in March, so that the leap day is its last; eras are 400 years of 146,097 days.
fn days(year: i64, month: i64, day: i64) -> Option<i32> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if day < 1 || day > length {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let shifted_month = (month + 9) % 12;
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i32::try_from(era * 146_097 + day_of_era - 719_468).ok()
}

#[cfg(test)]
mod tests;
