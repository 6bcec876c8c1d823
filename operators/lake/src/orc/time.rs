//! Times of a file: seconds since 2015 by the clock of whoever wrote it, and nanoseconds without their zeros.
//!
//! <https://orc.apache.org/specification/ORCv1/#timestamp-columns>. A time without a zone is what the writer's clock showed.

use std::io;

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::{Offset, TimeZone};

use super::bad;

/// 2015-01-01 in UTC, in seconds since 1970.
pub(super) const EPOCH: i64 = 1_420_070_400;

/// Nanoseconds above which a time before 1970 has its seconds rounded towards it: writers cut them off there.
const WHOLE_MILLISECOND: i64 = 999_999;

/// The clock that times of a stripe are by.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    /// None for UTC.
    zone: Option<TimeZone>,
    /// 2015-01-01 by this clock, in seconds since 1970.
    epoch: i64,
}

impl Clock {
    /// Returns the clock of times that have a zone, and of writers that name none.
    pub(super) fn utc() -> Self {
        Self { zone: None, epoch: EPOCH }
    }

    /// Finds a clock by the name that Java gives its zone.
    pub(super) fn of(name: &str) -> io::Result<Self> {
        if matches!(name, "" | "UTC" | "GMT" | "Z" | "Etc/UTC" | "Etc/GMT" | "UCT" | "Zulu" | "Universal") {
            return Ok(Self::utc());
        }
        let fixed = || TimeZone::fixed(offset(name.strip_prefix("GMT").or_else(|| name.strip_prefix("UTC"))?)?).into();
        let zone = TimeZone::get(name).ok().or_else(fixed);
        let zone = zone.ok_or_else(|| bad(format!("the time zone `{name}` of its writer is not known")))?;
        let epoch = date(2015, 1, 1).to_zoned(zone.clone()).map_err(io::Error::other)?.timestamp().as_second();
        Ok(Self { zone: Some(zone), epoch })
    }

    /// Returns what this clock showed, in microseconds since 1970; what is finer is cut off.
    pub(super) fn microseconds(&self, seconds: i64, nanoseconds: i64) -> io::Result<i64> {
        let nanoseconds = whole_nanoseconds(nanoseconds)?;
        let out_of_range = || bad(format!("a time of {seconds} seconds is out of range"));
        let mut at = seconds.checked_add(self.epoch).ok_or_else(out_of_range)?;
        if at < 0 && nanoseconds > WHOLE_MILLISECOND {
            at -= 1;
        }
        if let Some(zone) = &self.zone {
            let instant = Timestamp::from_second(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX });
            at = at.checked_add(i64::from(zone.to_offset(instant).seconds())).ok_or_else(out_of_range)?;
        }
        at.checked_mul(1_000_000).and_then(|at| at.checked_add(nanoseconds.div_euclid(1000))).ok_or_else(out_of_range)
    }
}

/// Reads `+09:00`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..=18).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// Puts the zeros back that the lowest three bits count: none, or one more than they say. Arrow's writer has nanoseconds below zero
/// for times before 1970, and its seconds are not rounded then.
fn whole_nanoseconds(encoded: i64) -> io::Result<i64> {
    let zeros = encoded & 7;
    let digits = encoded >> 3;
    let scale = if zeros == 0 { 1 } else { 10_i64.pow(u32::try_from(zeros).unwrap_or(7) + 1) };
    digits
        .checked_mul(scale)
        .filter(|nanoseconds| nanoseconds.unsigned_abs() < 1_000_000_000)
        .ok_or_else(|| bad("a time has more nanoseconds than a second"))
}

/// Takes the zeros off nanoseconds.
pub(super) fn encode_nanoseconds(nanoseconds: i64) -> i64 {
    let (mut digits, mut zeros) = (nanoseconds, 0);
    while digits != 0 && digits % 10 == 0 && zeros < 8 {
        digits /= 10;
        zeros += 1;
    }
    match zeros {
        // One zero is not worth a mark.
        0 | 1 => nanoseconds << 3,
        zeros => digits << 3 | (zeros - 1),
    }
}

/// Makes seconds since 2015 and nanoseconds of microseconds since 1970; none for a time that no reader would read as it is.
///
/// Readers take a second off what lies before 1970 and has milliseconds. What lies within the last second before it would have
/// been rounded to 1970, and is read as a time after it.
pub(super) fn encode(microseconds: i64) -> Option<(i64, i64)> {
    let nanoseconds = microseconds.rem_euclid(1_000_000) * 1000;
    let mut seconds = microseconds.div_euclid(1_000_000);
    if seconds < 0 && nanoseconds > WHOLE_MILLISECOND {
        seconds += 1;
        if seconds == 0 {
            return None;
        }
    }
    Some((seconds - EPOCH, encode_nanoseconds(nanoseconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_keep_their_value() {
        for nanoseconds in [0, 1, 10, 100, 1000, 678_000_000, 123_456_789, 100_000_000, 999_999_990] {
            assert_eq!(whole_nanoseconds(encode_nanoseconds(nanoseconds)).unwrap(), nanoseconds);
        }
        // Of the specification.
        assert_eq!(encode_nanoseconds(1000), 0x0a);
        assert_eq!(encode_nanoseconds(100_000), 0x0c);
        assert!(whole_nanoseconds(1_000_000_000 << 3).is_err());
        assert!(whole_nanoseconds(-1_000_000_000 << 3).is_err());
    }

    #[test]
    fn times_are_what_the_clock_of_the_writer_showed() {
        let tokyo = Clock::of("Asia/Tokyo").unwrap();
        assert_eq!(tokyo.microseconds(0, 0).unwrap(), EPOCH * 1_000_000);
        assert_eq!(Clock::of("GMT+09:00").unwrap().microseconds(1, 0).unwrap(), (EPOCH + 1) * 1_000_000);
        // An hour of summer.
        let berlin = Clock::of("Europe/Berlin").unwrap();
        let summer = 200 * 86_400;
        assert_eq!(berlin.microseconds(summer, 0).unwrap(), (EPOCH + summer + 3600) * 1_000_000);
        assert_eq!(
            Clock::of("Mars/Olympus").unwrap_err().to_string(),
            "the time zone `Mars/Olympus` of its writer is not known"
        );
        assert!(Clock::utc().microseconds(i64::MAX, 0).is_err());
        // As Arrow writes half a second before 1970.
        assert_eq!(Clock::utc().microseconds(-EPOCH, (-5 << 3) | 7).unwrap(), -500_000);
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        let clock = Clock::utc();
        for at in [0, 1_234_567, 1_700_000_000_123_000, -1_000_000, -2_500_000, -86_400_000_000_000, -1_001_000] {
            let (seconds, nanoseconds) = encode(at).unwrap();
            assert_eq!(clock.microseconds(seconds, nanoseconds).unwrap(), at);
        }
        assert_eq!(encode(-1_000), None, "the last second before 1970");
    }
}
