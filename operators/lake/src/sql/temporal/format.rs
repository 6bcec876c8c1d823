//! Dates, times and intervals as Trino's text.

use std::fmt::Write;

use super::{MICROS_PER_DAY, MILLIS_PER_DAY, civil_from_days};

/// How a year after 9999 is written: Trino does not agree with itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FarYear {
    /// `12024`: dates cast to text.
    Plain,
    /// `+12024`: everything else.
    Signed,
}

/// Writes `2024-02-29`.
pub fn date(out: &mut String, days: i64, far: FarYear) {
    let (year, month, day) = civil_from_days(days);
    if year < 0 {
        out.push('-');
    } else if year > 9_999 && far == FarYear::Signed {
        out.push('+');
    }
    // Writing to a string cannot fail.
    let _ = write!(out, "{:04}-{month:02}-{day:02}", year.abs());
}

/// Writes `10:11:12.345` with so many digits of a second; `nanos` counts from midnight.
pub fn time(out: &mut String, nanos: i64, precision: u8) {
    let (seconds, fraction) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match precision {
        0 => {}
        1..=9 => {
            let digits = usize::from(precision);
            let shown = fraction / 10_i64.pow(u32::from(9 - precision));
            let _ = write!(out, ".{shown:0digits$}");
        }
        _ => {
            let _ = write!(out, ".{fraction:09}");
            out.extend(std::iter::repeat_n('0', usize::from(precision) - 9));
        }
    }
}

/// Writes `2024-02-29 10:11:12.345` from microseconds of civil time.
pub fn timestamp_micros(out: &mut String, micros: i64, precision: u8) {
    date(out, micros.div_euclid(MICROS_PER_DAY), FarYear::Signed);
    out.push(' ');
    time(out, micros.rem_euclid(MICROS_PER_DAY) * 1_000, precision);
}

/// Writes `2024-02-29 10:11:12.345678901` from nanoseconds of civil time.
pub fn timestamp_nanos(out: &mut String, nanos: i64, precision: u8) {
    date(out, nanos.div_euclid(MICROS_PER_DAY * 1_000), FarYear::Signed);
    out.push(' ');
    time(out, nanos.rem_euclid(MICROS_PER_DAY * 1_000), precision);
}

/// Writes `+09:00`.
pub fn offset(out: &mut String, minutes: i64) {
    let sign = if minutes < 0 { '-' } else { '+' };
    let _ = write!(out, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
}

/// Writes an interval of days to seconds: `-1 02:03:04.500`.
pub fn interval_day_to_second(out: &mut String, millis: i64) {
    if millis < 0 {
        out.push('-');
    }
    let millis = i128::from(millis).abs();
    let day = i128::from(MILLIS_PER_DAY);
    let (days, rest) = (millis / day, millis % day);
    let (seconds, fraction) = (rest / 1_000, rest % 1_000);
    let _ = write!(out, "{days} {:02}:{:02}:{:02}.{fraction:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
}

/// Writes an interval of years to months: `-1-2`.
pub fn interval_year_to_month(out: &mut String, months: i32) {
    if months < 0 {
        out.push('-');
    }
    let months = i64::from(months).abs();
    let _ = write!(out, "{}-{}", months / 12, months % 12);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::temporal::days_from_civil;

    fn text(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn dates_and_times() {
        let days = |year| days_from_civil(year, 2, 3);
        assert_eq!(text(|out| date(out, days(224), FarYear::Signed)), "0224-02-03");
        assert_eq!(text(|out| date(out, days(12_024), FarYear::Signed)), "+12024-02-03");
        assert_eq!(text(|out| date(out, days(12_024), FarYear::Plain)), "12024-02-03");
        assert_eq!(text(|out| date(out, days(-5), FarYear::Signed)), "-0005-02-03");
        assert_eq!(text(|out| timestamp_micros(out, -1, 6)), "1969-12-31 23:59:59.999999");
        assert_eq!(text(|out| timestamp_micros(out, 0, 0)), "1970-01-01 00:00:00");
        assert_eq!(text(|out| timestamp_nanos(out, 123_456_789, 9)), "1970-01-01 00:00:00.123456789");
    }

    #[test]
    fn intervals() {
        assert_eq!(text(|out| interval_day_to_second(out, 93_784_500)), "1 02:03:04.500");
        assert_eq!(text(|out| interval_day_to_second(out, -500)), "-0 00:00:00.500");
        assert_eq!(text(|out| interval_year_to_month(out, -14)), "-1-2");
    }
}
