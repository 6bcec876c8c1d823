//! Time zones by the names that workflows use.

use jiff::tz::{Offset, TimeZone};

use crate::diagnostic::suggest;

/// A name that is no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an IANA time zone such as `Asia/Tokyo` or an offset such as `+09:00`, found `{name}`")]
pub struct ZoneError {
    /// The name as written.
    pub name: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Abbreviations that people write and no time zone database can know: each has several meanings or lacks its summer time.
const ABBREVIATIONS: &[(&str, &str)] = &[
    ("AEST", "Australia/Sydney"),
    ("BST", "Europe/London"),
    ("CEST", "Europe/Paris"),
    ("CST", "America/Chicago"),
    ("EDT", "America/New_York"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("PDT", "America/Los_Angeles"),
    ("PST", "America/Los_Angeles"),
];

/// Finds a time zone by its IANA name or its offset from UTC (`+09:00`, `-0330`, `+09`).
///
/// # Errors
/// When there is no such zone.
pub fn time_zone(name: &str) -> Result<TimeZone, ZoneError> {
    if let Some(offset) = offset(name) {
        return Ok(TimeZone::fixed(offset));
    }
    // The default needs no database, which is read from some hundred files when it is first asked.
    if matches!(name, "UTC" | "Z") {
        return Ok(TimeZone::UTC);
    }
    // The database has a zone of its own for what is unknown; nobody means it.
    if !name.eq_ignore_ascii_case("etc/unknown")
        && let Ok(zone) = TimeZone::get(name)
    {
        return Ok(zone);
    }
    let known =
        ABBREVIATIONS.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)).map(|(_, zone)| (*zone).to_owned());
    let help = known.or_else(|| nearest(name)).map(|zone| format!("did you mean `{zone}`?"));
    Err(ZoneError { name: name.to_owned(), help })
}

fn offset(name: &str) -> Option<Offset> {
    let (sign, rest) = match name.as_bytes().first()? {
        b'+' => (1, &name[1..]),
        b'-' => (-1, &name[1..]),
        _ => return None,
    };
    let digits = match rest.split_once(':') {
        Some((hours, minutes)) if hours.len() == 2 && minutes.len() == 2 => format!("{hours}{minutes}"),
        Some(_) => return None,
        None if rest.len() == 2 => format!("{rest}00"),
        None => rest.to_owned(),
    };
    if digits.len() != 4 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    // The widest offset of ISO 8601 that anybody uses is 14 hours; Java, and so Digdag, stops at 18.
    if hours > 18 || minutes > 59 || (hours == 18 && minutes > 0) {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// Finds the zone that was probably meant: that of a city, or one that is spelt much the same.
fn nearest(name: &str) -> Option<String> {
    let names: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
    let city = names.iter().find(|zone| zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(name)));
    city.map(String::as_str).or_else(|| suggest::nearest(name, names.iter().map(String::as_str))).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_offsets() {
        for (name, expected) in [
            ("Asia/Tokyo", "Asia/Tokyo"),
            ("UTC", "UTC"),
            ("America/New_York", "America/New_York"),
            ("+09:00", "+09"),
            ("-0330", "-03:30"),
            ("+05", "+05"),
            ("Z", "UTC"),
        ] {
            let zone = time_zone(name).unwrap();
            let shown = zone.iana_name().map_or_else(|| zone.to_fixed_offset().unwrap().to_string(), str::to_owned);
            assert_eq!(shown, expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_zone_is_refused_with_a_way_out() {
        for (name, help) in [
            ("JST", Some("did you mean `Asia/Tokyo`?")),
            ("Asia/Tokio", Some("did you mean `Asia/Tokyo`?")),
            ("Tokyo", Some("did you mean `Asia/Tokyo`?")),
            ("Nowhere/Bad", None),
            ("", None),
            ("+25:00", None),
            ("+9", None),
            ("é", None),
            ("+é9", None),
        ] {
            assert_eq!(time_zone(name).unwrap_err().help.as_deref(), help, "{name}");
        }
    }
}
