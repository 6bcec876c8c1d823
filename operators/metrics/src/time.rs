//! Times of points and spans of time: milliseconds since 1970 in UTC.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::Pieces;
use jiff::{SignedDuration, Timestamp, Zoned};
use lake::{Error, ErrorKind, Result};

/// The first time that a point may have: 1970-01-01T00:00:00Z. Whoever sends an earlier one has a broken clock.
pub const FIRST_MS: i64 = 0;

/// The first time that a point may no longer have: the year 10000, where the form `YYYY-MM-DD` of partitions ends.
pub const END_MS: i64 = 253_402_300_800_000;

/// What a time that is finer than points' times is refused with.
pub const WHOLE_MS: &str = "expected a time of whole milliseconds";

/// Returns the milliseconds since 1970 of a time; none of one that is finer: two such points would become one.
pub fn whole_ms(time: Timestamp) -> Option<i64> {
    (time.subsec_nanosecond() % 1_000_000 == 0).then(|| time.as_millisecond())
}

/// Reads a time with a zone (ISO 8601), in milliseconds since 1970, and tells whether it is not finer. A leap second is the last
/// second of its minute. A zone by its name in brackets (RFC 9557) must be known, and an offset before it the zone's.
pub(crate) fn instant(text: &str) -> Option<(i64, bool)> {
    if is_annotated(text) {
        let time = text.parse::<Zoned>().ok()?.timestamp();
        return Some((time.as_millisecond(), whole_ms(time).is_some()));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some((time.as_millisecond(), whole_ms(time).is_some()));
    }
    // The library's time stamps end a day before its calendar, in some zones, and before the last points.
    let pieces = Pieces::parse(text).ok()?;
    let offset = pieces.to_numeric_offset()?;
    civil(pieces.date().to_datetime(pieces.time()?), offset.seconds())
}

/// Reads a date and time without a zone as one in UTC, as [`instant`].
pub(crate) fn civil_utc(text: &str) -> Option<(i64, bool)> {
    // The library passes over what stands in brackets.
    if is_annotated(text) { None } else { civil(text.parse::<DateTime>().ok()?, 0) }
}

/// Tells whether a zone or a calendar stands in brackets behind a time.
fn is_annotated(text: &str) -> bool {
    text.contains('[')
}

/// Reads a date and time of a calendar that is so many seconds before UTC, as [`instant`].
pub(crate) fn civil(at: DateTime, offset_seconds: i32) -> Option<(i64, bool)> {
    let nanos = at.duration_since(EPOCH).as_nanos() - i128::from(offset_seconds) * 1_000_000_000;
    Some((i64::try_from(nanos.div_euclid(1_000_000)).ok()?, nanos.rem_euclid(1_000_000) == 0))
}

/// Refuses a time that no point may have.
///
/// # Errors
/// `InvalidData` with the time and the range.
pub fn check_time(time_ms: i64) -> Result<()> {
    if (FIRST_MS..END_MS).contains(&time_ms) {
        return Ok(());
    }
    let message = format!("expected a time from 1970 to 9999, found {time_ms} milliseconds since 1970");
    let error = Error::new(ErrorKind::InvalidData, "read a point", message);
    Err(error.help(
        "times of points are milliseconds since 1970-01-01 in UTC: seconds or microseconds look like other years",
    ))
}

/// A span of time, `[start, end)`, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeRange {
    /// The first millisecond.
    pub start_ms: i64,
    /// The millisecond after the last.
    pub end_ms: i64,
}

impl TimeRange {
    /// All times that points may have.
    pub const ALL: Self = Self { start_ms: FIRST_MS, end_ms: END_MS };

    /// Makes a span.
    pub const fn new(start_ms: i64, end_ms: i64) -> Self {
        Self { start_ms, end_ms }
    }

    /// Tells whether a time is in the span.
    pub const fn contains(&self, time_ms: i64) -> bool {
        self.start_ms <= time_ms && time_ms < self.end_ms
    }

    /// Tells whether the span holds no time.
    pub const fn is_empty(&self) -> bool {
        self.start_ms >= self.end_ms
    }

    /// Tells whether all points are in the span.
    pub fn holds(&self, points: &crate::Points) -> bool {
        let times_ms = points.times_ms();
        times_ms.first().is_none_or(|first| self.contains(*first))
            && times_ms.last().is_none_or(|last| self.contains(*last))
    }

    /// Returns what both spans hold; empty when nothing.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self { start_ms: self.start_ms.max(other.start_ms), end_ms: self.end_ms.min(other.end_ms) }
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} .. {}", shown(self.start_ms), shown(self.end_ms))
    }
}

/// Writes a time for people: `2026-01-02T03:04:05Z`.
pub fn shown(time_ms: i64) -> String {
    match Timestamp::from_millisecond(time_ms) {
        Ok(time) => time.to_string(),
        // The library's time stamps end a day before its calendar.
        Err(_) => EPOCH
            .checked_add(SignedDuration::from_millis(time_ms))
            .map_or_else(|_| format!("{time_ms} ms"), |civil| format!("{civil}Z")),
    }
}

/// The first moment of 1970, in the calendar.
pub(crate) const EPOCH: DateTime = Date::constant(1970, 1, 1).at(0, 0, 0, 0);
