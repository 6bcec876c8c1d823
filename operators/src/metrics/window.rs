//! `window: "a .. b"`: a span of time, written out or counted from the time of the session.

use jiff::Timestamp;
use metrics::TimeRange;
use metrics::config::Period;
use metrics::replay::csv::parse_bound;

/// What a text must be to be a window.
const EXPECTED: &str = "a window such as `2024-03-01 .. 2024-03-02`, `-3h .. now` or `-2d .. +1d`";

/// One end of a window as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// `now`: the time of the session.
    Now,
    /// `-3h`.
    Before(Period),
    /// `+1h`.
    After(Period),
    /// A time, in milliseconds since 1970.
    At(i64),
}

/// A window as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrittenWindow {
    start: End,
    end: End,
}

impl WrittenWindow {
    /// Reads `a .. b`.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected {EXPECTED}, found `{}`", text.escape_debug());
        let (start, end) = text.split_once("..").ok_or_else(wrong)?;
        let window = Self { start: end_of(start).ok_or_else(wrong)?, end: end_of(end).ok_or_else(wrong)? };
        match window {
            // Counted from what?
            Self { start: End::After(_), .. } => Err(wrong()),
            window if window.is_empty() => {
                Err(format!("expected a window that ends after it starts, found `{}`", text.escape_debug()))
            }
            window => Ok(window),
        }
    }

    /// Tells whether it ends before it starts, whenever the session is.
    fn is_empty(&self) -> bool {
        let before_session_ms = |end: End| match end {
            End::Now => Some(0),
            End::Before(period) => Some(period.as_millis()),
            End::After(_) | End::At(_) => None,
        };
        match (self.start, self.end) {
            (End::At(start), End::At(end)) => start >= end,
            (start, end) => before_session_ms(start)
                .zip(before_session_ms(end))
                .is_some_and(|(start_ms, end_ms)| start_ms <= end_ms),
        }
    }

    /// Returns the span of time; `now` is the time of the session. `+1h` is counted from the start.
    ///
    /// # Errors
    /// That nothing is left of it.
    pub(super) fn at(&self, now: Timestamp) -> Result<TimeRange, String> {
        let now_ms = now.as_millisecond();
        let start_ms = match self.start {
            End::At(time_ms) => time_ms,
            End::Before(period) => now_ms.saturating_sub(period.as_millis()),
            End::Now | End::After(_) => now_ms,
        };
        let end_ms = match self.end {
            End::At(time_ms) => time_ms,
            End::Before(period) => now_ms.saturating_sub(period.as_millis()),
            End::After(period) => start_ms.saturating_add(period.as_millis()),
            End::Now => now_ms,
        };
        let range = TimeRange::new(start_ms, end_ms);
        if range.is_empty() {
            return Err(format!("expected a window that ends after it starts, found {range}"));
        }
        Ok(range)
    }

    /// Returns when it starts, in milliseconds since 1970, where that is written out.
    pub(super) fn starts_at(&self) -> Option<i64> {
        match self.start {
            End::At(time_ms) => Some(time_ms),
            _ => None,
        }
    }

    /// Returns how long before the session it starts, where that is written.
    pub(super) fn starts_before(&self) -> Option<Period> {
        match self.start {
            End::Before(period) => Some(period),
            _ => None,
        }
    }
}

/// Reads a time of a command line: written out, `now`, or `-3d` before now; in milliseconds since 1970.
///
/// # Errors
/// What was expected and what was found.
pub fn read_time(text: &str, now: Timestamp) -> Result<i64, String> {
    let now_ms = now.as_millisecond();
    match end_of(text) {
        Some(End::At(time_ms)) => Ok(time_ms),
        Some(End::Now) => Ok(now_ms),
        Some(End::Before(period)) => Ok(now_ms.saturating_sub(period.as_millis())),
        Some(End::After(_)) | None => Err(format!(
            "expected a time such as `2024-03-01`, `2024-03-01T05:00:00Z`, `-3d` or `now`, found `{}`",
            text.escape_debug()
        )),
    }
}

/// Reads one end.
fn end_of(text: &str) -> Option<End> {
    let text = text.trim();
    if text == "now" {
        return Some(End::Now);
    }
    if let Some(period) = text.strip_prefix('-') {
        return Period::parse(period).map(End::Before);
    }
    if let Some(period) = text.strip_prefix('+') {
        return Period::parse(period).map(End::After);
    }
    parse_bound(text).map(End::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_is_finer_than_points_begins_at_the_next_one() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(read_time("2024-03-01T00:00:59.9999Z", now), read_time("2024-03-01T00:01:00Z", now));
        assert_eq!(
            read_time("2024-03-01T00:00:59.999Z", now).unwrap() + 1,
            read_time("2024-03-01T00:01:00Z", now).unwrap()
        );
        // The last point that there can be is inside.
        assert_eq!(read_time("9999-12-31T23:59:59.9999Z", now), Ok(metrics::time::END_MS));
    }

    #[test]
    fn windows_are_times_or_counted_from_the_session() {
        let now: Timestamp = "2024-03-10T06:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2024-03-01 .. 2024-03-02", "2024-03-01T00:00:00Z .. 2024-03-02T00:00:00Z"),
            ("2024-03-01T09:00:00+09:00 .. +1d", "2024-03-01T00:00:00Z .. 2024-03-02T00:00:00Z"),
            ("-3h .. now", "2024-03-10T03:00:00Z .. 2024-03-10T06:00:00Z"),
            ("-2d..-1d", "2024-03-08T06:00:00Z .. 2024-03-09T06:00:00Z"),
            ("-2d .. +1h", "2024-03-08T06:00:00Z .. 2024-03-08T07:00:00Z"),
        ] {
            let range = WrittenWindow::parse(text).unwrap().at(now).unwrap();
            assert_eq!(range.to_string(), expected, "{text}");
        }
        for text in
            ["", "now", "a .. b", "+1h .. now", "2024-03-02 .. 2024-03-01", "-1x .. now", "now .. -3h", "-1h .. -2h"]
        {
            assert!(WrittenWindow::parse(text).is_err(), "{text}");
        }
        assert!(WrittenWindow::parse("now .. 2024-03-01").unwrap().at(now).is_err());
    }
}
