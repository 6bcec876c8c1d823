//! Windows: the spans of time that partitions are of, in UTC.

use std::fmt;

use jiff::civil::DateTime;
use jiff::{SignedDuration, ToSpan as _};
use lake::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::{EPOCH, TimeRange};

/// How much time a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartitionUnit {
    /// An hour, key `hour`: `2026-01-02-03`.
    Hour,
    /// A day, key `dt`: `2026-01-02`.
    Day,
    /// A month, key `month`: `2026-01`.
    Month,
    /// A year, key `year`: `2026`.
    Year,
}

impl PartitionUnit {
    /// Returns the name of the partition key.
    pub fn key(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "dt",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Returns what messages call it.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    fn label_format(self) -> &'static str {
        match self {
            Self::Hour => "%Y-%m-%d-%H",
            Self::Day => "%Y-%m-%d",
            Self::Month => "%Y-%m",
            Self::Year => "%Y",
        }
    }

    /// Returns the first moment of the window that holds a moment.
    fn floor(self, at: DateTime) -> DateTime {
        match self {
            Self::Hour => at.date().at(at.hour(), 0, 0, 0),
            Self::Day => at.date().at(0, 0, 0, 0),
            Self::Month => at.date().first_of_month().at(0, 0, 0, 0),
            Self::Year => at.date().first_of_year().at(0, 0, 0, 0),
        }
    }
}

/// A span of time that is one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    range: TimeRange,
    unit: PartitionUnit,
}

impl Window {
    /// Returns the window that holds a time.
    pub fn of(unit: PartitionUnit, time_ms: i64) -> Self {
        let time_ms = time_ms.clamp(TimeRange::ALL.start_ms, TimeRange::ALL.end_ms - 1);
        let start = unit.floor(civil(time_ms));
        let end = match unit {
            PartitionUnit::Hour => start.checked_add(1.hour()),
            PartitionUnit::Day => start.checked_add(1.day()),
            PartitionUnit::Month => start.checked_add(1.month()),
            PartitionUnit::Year => start.checked_add(1.year()),
        };
        // Only the last window of all ends where jiff's calendar does.
        let end_ms = end.map_or(TimeRange::ALL.end_ms, millis);
        Self { range: TimeRange::new(millis(start), end_ms), unit }
    }

    /// Reads a window's label, the value of its partition key.
    ///
    /// # Errors
    /// `InvalidData` for any other text.
    pub fn parse(unit: PartitionUnit, label: &str) -> Result<Self> {
        let (text, format) = match unit {
            PartitionUnit::Hour => (format!("{label}:00"), "%Y-%m-%d-%H:%M"),
            PartitionUnit::Day => (format!("{label} 00:00"), "%Y-%m-%d %H:%M"),
            PartitionUnit::Month => (format!("{label}-01 00:00"), "%Y-%m-%d %H:%M"),
            PartitionUnit::Year => (format!("{label}-01-01 00:00"), "%Y-%m-%d %H:%M"),
        };
        let parsed = DateTime::strptime(format, &text).ok().map(|start| Self::of(unit, millis(start)));
        parsed.filter(|window| window.label() == label).ok_or_else(|| {
            let message = format!(
                "expected the value of a partition key `{}`, like `{}`, found `{}`",
                unit.key(),
                Self::of(unit, 1_767_323_045_000).label(),
                label.escape_debug()
            );
            Error::new(ErrorKind::InvalidData, "read a window", message)
        })
    }

    /// Returns its span.
    pub fn range(&self) -> TimeRange {
        self.range
    }

    /// Returns its unit.
    pub fn unit(&self) -> PartitionUnit {
        self.unit
    }

    /// Returns the value of its partition key.
    pub fn label(&self) -> String {
        civil(self.range.start_ms).strftime(self.unit.label_format()).to_string()
    }

    /// Returns the window after it.
    #[must_use]
    pub fn next(&self) -> Self {
        Self::of(self.unit, self.range.end_ms)
    }

    /// Lists the windows that hold a part of a span.
    pub fn all_in(unit: PartitionUnit, range: &TimeRange) -> Vec<Self> {
        let range = range.intersection(&TimeRange::ALL);
        let mut windows = Vec::new();
        let mut at_ms = range.start_ms;
        while at_ms < range.end_ms {
            let window = Self::of(unit, at_ms);
            at_ms = window.range.end_ms;
            windows.push(window);
        }
        windows
    }

    /// Widens a span to whole windows.
    pub fn widened(unit: PartitionUnit, range: &TimeRange) -> TimeRange {
        let range = range.intersection(&TimeRange::ALL);
        if range.is_empty() {
            return range;
        }
        TimeRange::new(Self::of(unit, range.start_ms).range.start_ms, Self::of(unit, range.end_ms - 1).range.end_ms)
    }

    /// Tells whether no point is expected any more: the window's end and the lateness have passed.
    pub fn is_closed(&self, lateness_ms: i64, now_ms: i64) -> bool {
        self.range.end_ms.saturating_add(lateness_ms) <= now_ms
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

fn civil(time_ms: i64) -> DateTime {
    // INVARIANT: times are between 1970 and 9999, which jiff's calendar holds; its time stamps end a day earlier.
    EPOCH.checked_add(SignedDuration::from_millis(time_ms)).unwrap_or(EPOCH)
}

fn millis(at: DateTime) -> i64 {
    at.duration_since(EPOCH).as_secs() * 1_000
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn windows_are_whole_units_of_the_calendar() {
        let at = ms("2024-02-29T23:59:59.999Z");
        for (unit, label, start, end) in [
            (PartitionUnit::Hour, "2024-02-29-23", "2024-02-29T23:00:00Z", "2024-03-01T00:00:00Z"),
            (PartitionUnit::Day, "2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            (PartitionUnit::Month, "2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            (PartitionUnit::Year, "2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ] {
            let window = Window::of(unit, at);
            assert_eq!(window.label(), label);
            assert_eq!(window.range(), TimeRange::new(ms(start), ms(end)));
            assert_eq!(Window::parse(unit, label).unwrap(), window);
            assert!(window.is_closed(0, ms(end)) && !window.is_closed(1, ms(end)));
        }
        for wrong in ["2024-2", "2024-13", "x", "2024-02-01", ""] {
            assert!(Window::parse(PartitionUnit::Month, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_ends_of_time_are_in_windows() {
        for unit in [PartitionUnit::Hour, PartitionUnit::Day, PartitionUnit::Month, PartitionUnit::Year] {
            assert_eq!(Window::of(unit, 0).range().start_ms, 0);
            assert_eq!(Window::of(unit, crate::time::END_MS - 1).range().end_ms, crate::time::END_MS, "{unit:?}");
        }
        let range = TimeRange::new(ms("2026-01-31T12:00:00Z"), ms("2026-02-02T00:00:00Z"));
        let labels: Vec<_> = Window::all_in(PartitionUnit::Day, &range).iter().map(Window::label).collect();
        assert_eq!(labels, ["2026-01-31", "2026-02-01"]);
        let widened = Window::widened(PartitionUnit::Month, &range);
        assert_eq!(widened, TimeRange::new(ms("2026-01-01T00:00:00Z"), ms("2026-03-01T00:00:00Z")));
    }
}
