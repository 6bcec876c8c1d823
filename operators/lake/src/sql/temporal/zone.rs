//! Time zones by name or offset, with the rules of the IANA database that is built into the binary.
//!
//! Names are Java's `ZoneId` (case matters; `EST`, `MST` and `HST` are not among them); offsets reach from -14:00 to
//! +14:00 in whole minutes, as Trino's zone keys do.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use super::MICROS_PER_SECOND;

/// A time zone.
#[derive(Debug, Clone)]
pub struct Zone {
    id: Arc<str>,
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    /// Seconds east of UTC.
    Fixed(i64),
    Named(TimeZone),
}

/// Why a text is not a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneError {
    /// There is no such zone.
    Unknown,
    /// There is, but Trino cannot keep it: an offset with seconds or beyond 14 hours.
    NotSupported,
}

/// Names of the zone database that Java's `ZoneId` does not have.
const NOT_IN_JAVA: &[&str] = &["EST", "MST", "HST", "ROC", "Factory", "localtime", "posixrules"];
/// Names that stand for UTC.
const UTC_NAMES: &[&str] =
    &["UTC", "Z", "UT", "GMT", "UCT", "GMT0", "Greenwich", "Universal", "Zulu", "Etc/UTC", "Etc/GMT", "Etc/UCT"];

impl Zone {
    /// Returns UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self { id: "UTC".into(), rule: Rule::Fixed(0) }
    }

    /// Returns the zone of a fixed offset, in minutes east of UTC.
    ///
    /// # Errors
    /// `NotSupported` beyond 14 hours.
    pub fn fixed(minutes: i64) -> Result<Self, ZoneError> {
        if minutes.abs() > 14 * 60 {
            return Err(ZoneError::NotSupported);
        }
        if minutes == 0 {
            return Ok(Self::utc());
        }
        let mut id = String::with_capacity(6);
        super::format::offset(&mut id, minutes);
        Ok(Self { id: id.into(), rule: Rule::Fixed(minutes * 60) })
    }

    /// Reads `Asia/Tokyo`, `UTC`, `Z`, `+09:00`, `+0900`, `+9`, `UTC+9`, `Etc/GMT-9`.
    ///
    /// # Errors
    /// When there is no such zone, or Trino does not keep it.
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        if UTC_NAMES.contains(&text) {
            return Ok(Self::utc());
        }
        if text.starts_with(['+', '-']) {
            return offset_minutes(text).and_then(Self::fixed);
        }
        if let Some(offset) = text.strip_prefix("Etc/GMT").filter(|rest| rest.starts_with(['+', '-'])) {
            // POSIX counts westwards.
            return offset_minutes(offset).and_then(|minutes| Self::fixed(-minutes));
        }
        for prefix in ["UTC", "GMT", "UT"] {
            if let Some(offset) = text.strip_prefix(prefix).filter(|rest| rest.starts_with(['+', '-'])) {
                return offset_minutes(offset).and_then(Self::fixed);
            }
        }
        if NOT_IN_JAVA.contains(&text) || text.starts_with("Etc/") {
            return Err(ZoneError::Unknown);
        }
        let zone = TimeZoneDatabase::bundled().get(text).map_err(|_| ZoneError::Unknown)?;
        // The database forgives case, Java does not.
        match zone.iana_name() {
            Some(name) if name == text => Ok(Self { id: text.into(), rule: Rule::Named(zone) }),
            _ => Err(ZoneError::Unknown),
        }
    }

    /// Returns its name as Trino writes it: `UTC`, `+09:00`, `Asia/Tokyo`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the seconds east of UTC at an instant, in microseconds since 1970.
    #[must_use]
    pub fn offset_seconds(&self, instant_us: i64) -> i64 {
        match &self.rule {
            Rule::Fixed(seconds) => *seconds,
            Rule::Named(zone) => i64::from(zone.to_offset(within_rules(instant_us)).seconds()),
        }
    }

    /// Returns the civil time at an instant, as microseconds since 1970-01-01 00:00 of that civil time.
    #[must_use]
    pub fn to_local(&self, instant_us: i64) -> i64 {
        instant_us.saturating_add(self.offset_seconds(instant_us) * MICROS_PER_SECOND)
    }

    /// Returns the instant of a civil time: the earlier one of two, and past a gap as far as the time was in it.
    #[must_use]
    pub fn to_instant(&self, local_us: i64) -> i64 {
        let seconds = match &self.rule {
            Rule::Fixed(seconds) => *seconds,
            Rule::Named(zone) => match ambiguity(zone, local_us) {
                AmbiguousOffset::Unambiguous { offset } => i64::from(offset.seconds()),
                AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => {
                    i64::from(before.seconds())
                }
            },
        };
        local_us.saturating_sub(seconds * MICROS_PER_SECOND)
    }

    /// Tells whether the clock jumps over a civil time.
    #[must_use]
    pub fn is_in_gap(&self, local_us: i64) -> bool {
        match &self.rule {
            Rule::Fixed(_) => false,
            Rule::Named(zone) => matches!(ambiguity(zone, local_us), AmbiguousOffset::Gap { .. }),
        }
    }
}

fn ambiguity(zone: &TimeZone, local_us: i64) -> AmbiguousOffset {
    zone.to_ambiguous_timestamp(Offset::UTC.to_datetime(within_rules(local_us))).offset()
}

/// Beyond the years of the rules, the first or last rule holds.
fn within_rules(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// Reads `+h`, `+hh`, `+hh:mm`, `+hhmm` (and with seconds, which must be none) as minutes.
fn offset_minutes(text: &str) -> Result<i64, ZoneError> {
    let (sign, digits) = match text.split_at_checked(1) {
        Some(("+", digits)) => (1, digits),
        Some(("-", digits)) => (-1, digits),
        _ => return Err(ZoneError::Unknown),
    };
    let bytes = digits.as_bytes();
    let two = |at: usize| match (bytes.get(at), bytes.get(at + 1)) {
        (Some(tens @ b'0'..=b'9'), Some(ones @ b'0'..=b'9')) => {
            Ok(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
        }
        _ => Err(ZoneError::Unknown),
    };
    let colon = |at: usize| if bytes.get(at) == Some(&b':') { Ok(()) } else { Err(ZoneError::Unknown) };
    let (hours, minutes, seconds) = match bytes.len() {
        1 if bytes[0].is_ascii_digit() => (i64::from(bytes[0] - b'0'), 0, 0),
        2 => (two(0)?, 0, 0),
        4 => (two(0)?, two(2)?, 0),
        5 => {
            colon(2)?;
            (two(0)?, two(3)?, 0)
        }
        6 => (two(0)?, two(2)?, two(4)?),
        8 => {
            colon(2)?;
            colon(5)?;
            (two(0)?, two(3)?, two(6)?)
        }
        _ => return Err(ZoneError::Unknown),
    };
    if hours > 18 || minutes > 59 || seconds > 59 {
        return Err(ZoneError::Unknown);
    }
    if seconds != 0 {
        return Err(ZoneError::NotSupported);
    }
    Ok(sign * (hours * 60 + minutes))
}

/// The zones of a batch, each looked up once.
#[derive(Debug, Default)]
pub struct Zones {
    known: HashMap<String, Zone>,
}

impl Zones {
    /// Returns the zone of a text.
    ///
    /// # Errors
    /// As [`Zone::parse`].
    pub fn get(&mut self, text: &str) -> Result<&Zone, ZoneError> {
        if !self.known.contains_key(text) {
            self.known.insert(text.to_owned(), Zone::parse(text)?);
        }
        self.known.get(text).ok_or(ZoneError::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::temporal::{MICROS_PER_DAY, days_from_civil};

    fn local(year: i64, month: i64, day: i64, minutes: i64) -> i64 {
        days_from_civil(year, month, day) * MICROS_PER_DAY + minutes * 60 * MICROS_PER_SECOND
    }

    #[test]
    fn names_as_java_reads_them() {
        for (text, id) in [
            ("UTC+9", "+09:00"),
            ("GMT+9", "+09:00"),
            ("Z", "UTC"),
            ("+9", "+09:00"),
            ("+0900", "+09:00"),
            ("+14:00", "+14:00"),
            ("+00:00", "UTC"),
            ("Etc/GMT+5", "-05:00"),
            ("Etc/UTC", "UTC"),
            ("GMT", "UTC"),
            ("EST5EDT", "EST5EDT"),
            ("US/Pacific", "US/Pacific"),
            ("-05:30", "-05:30"),
        ] {
            assert_eq!(Zone::parse(text).unwrap().id(), id, "{text}");
        }
        for text in ["america/new_york", "EST", "PST", "utc", "+9:00", "Mars/Base", "", "+", "Europe/paris"] {
            assert_eq!(Zone::parse(text).unwrap_err(), ZoneError::Unknown, "{text}");
        }
        for text in ["+14:01", "+18:00", "+09:30:15"] {
            assert_eq!(Zone::parse(text).unwrap_err(), ZoneError::NotSupported, "{text}");
        }
    }

    #[test]
    fn gaps_and_folds() {
        let zone = Zone::parse("America/New_York").unwrap();
        let in_gap = local(2024, 3, 10, 150);
        assert!(zone.is_in_gap(in_gap));
        assert_eq!(zone.to_local(zone.to_instant(in_gap)), local(2024, 3, 10, 210));
        assert_eq!(zone.to_instant(local(2024, 11, 3, 90)), 1_730_611_800 * MICROS_PER_SECOND);
        // Far beyond the tables the last rule goes on: summer time in July 2500.
        assert_eq!(zone.offset_seconds(local(2500, 7, 1, 0)), -4 * 3_600);
    }
}
