//! `--session`: which session a run is for.
//!
//! Without the flag it is the latest slot of the schedule, or today's midnight in the workflow's zone when there is none.
//!
//! DIFFERENCE(digdag): without the flag Digdag takes up the last session it finds on disk, even days later; here that takes
//! `--session last`. `now` and times with a zone are read too.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::Schedule;

/// Why a `--session` cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionFlagError {
    /// It is none of the forms.
    #[error(
        "expected `--session` to be `daily`, `hourly`, `schedule`, `last`, `now`, `yyyy-MM-dd`, `yyyy-MM-dd HH:mm:ss` or a time \
         such as `2024-02-29T00:00:00+09:00`, found `{0}`"
    )]
    Form(String),
    /// `schedule` was asked for and the workflow has none.
    #[error("`--session schedule` needs a workflow with a `schedule:`")]
    NoSchedule,
    /// `last` was asked for and the workflow has never run here.
    #[error("`--session last` needs a session of this workflow, and there is none yet")]
    NoLast,
    /// The time is out of the range of years -9999 to 9999.
    #[error("`--session {0}` is out of the range of dates")]
    Range(String),
}

/// Finds the time of the session to run, in the workflow's zone, in whole seconds.
///
/// `last` is the time of the workflow's session that was started last. A local time that the clock jumps over moves forward by
/// the jump; of a time that comes twice the first is taken.
///
/// # Errors
/// When the flag is none of the forms, or asks for what is not there.
pub fn resolve(
    flag: Option<&str>,
    zone: &TimeZone,
    schedule: Option<&Schedule>,
    now: Timestamp,
    last: Option<Timestamp>,
) -> Result<Zoned, SessionFlagError> {
    let range = || SessionFlagError::Range(flag.unwrap_or_default().to_owned());
    let whole =
        Timestamp::from_second(now.as_millisecond().div_euclid(1000)).map_err(|_| range())?.to_zoned(zone.clone());
    let today = || whole.start_of_day().map_err(|_| range());
    let slot = || schedule.map(|schedule| schedule.latest(now).map(|slot| slot.session_time).ok_or_else(range));
    match flag {
        None => slot().unwrap_or_else(today),
        Some("schedule") => slot().unwrap_or(Err(SessionFlagError::NoSchedule)),
        Some("last") => last.map(|last| last.to_zoned(zone.clone())).ok_or(SessionFlagError::NoLast),
        Some("now") => Ok(whole),
        Some("daily") => today(),
        Some("hourly") => {
            let into_hour = i64::from(whole.minute()) * 60 + i64::from(whole.second());
            whole.checked_sub(jiff::SignedDuration::from_secs(into_hour)).map_err(|_| range())
        }
        Some(text) => {
            if let Some(local) = local_time(text) {
                return local.to_zoned(zone.clone()).map_err(|_| range());
            }
            instant(text).map(|at| at.to_zoned(zone.clone())).ok_or_else(|| SessionFlagError::Form(text.to_owned()))
        }
    }
}

/// Reads `yyyy-MM-dd` or `yyyy-MM-dd HH:mm:ss` (a `T` between is fine).
fn local_time(text: &str) -> Option<DateTime> {
    match text.len() {
        10 => text.parse::<Date>().ok().map(|date| date.to_datetime(jiff::civil::Time::midnight())),
        19 => text.parse::<DateTime>().ok(),
        _ => None,
    }
}

/// Reads a date and time with an offset: `2024-02-29T01:02:03+09:00`, `2024-02-29 01:02:03 +0900`, `…Z`.
fn instant(text: &str) -> Option<Timestamp> {
    let (local, zone) = text.split_at_checked(19)?;
    let zone = zone.strip_prefix(' ').unwrap_or(zone);
    if zone.is_empty() || !(zone == "Z" || zone.starts_with(['+', '-'])) {
        return None;
    }
    let offset = super::time_zone(zone).ok()?;
    offset.to_timestamp(local.parse::<DateTime>().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-11-20T09:28:13.5Z";

    fn resolved(flag: Option<&str>, zone: &str, schedule: Option<serde_json::Value>) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let schedule = schedule.map(|schedule| Schedule::parse(&schedule, &zone).0.unwrap());
        let last = Some("2026-11-18T00:00:00Z".parse().unwrap());
        match resolve(flag, &zone, schedule.as_ref(), NOW.parse().unwrap(), last) {
            Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// The recorded cases 11, 13, 17, 18 and 19 of a real Digdag, and the forms that are ours.
    #[test]
    fn every_form() {
        let table = [
            (None, "UTC", "2026-11-20T00:00:00+00:00"),
            (None, "Asia/Tokyo", "2026-11-20T00:00:00+09:00"),
            (Some("daily"), "Asia/Tokyo", "2026-11-20T00:00:00+09:00"),
            (Some("hourly"), "Asia/Tokyo", "2026-11-20T18:00:00+09:00"),
            (Some("hourly"), "Asia/Kolkata", "2026-11-20T14:00:00+05:30"),
            (Some("now"), "UTC", "2026-11-20T09:28:13+00:00"),
            (Some("last"), "Asia/Tokyo", "2026-11-18T09:00:00+09:00"),
            (Some("2024-01-02"), "UTC", "2024-01-02T00:00:00+00:00"),
            (Some("2024-01-02 03:04:05"), "Asia/Tokyo", "2024-01-02T03:04:05+09:00"),
            (Some("2024-01-02T03:04:05"), "Asia/Tokyo", "2024-01-02T03:04:05+09:00"),
            (Some("2024-01-02T03:04:05+09:00"), "UTC", "2024-01-01T18:04:05+00:00"),
            (Some("2024-01-02 03:04:05 +0900"), "UTC", "2024-01-01T18:04:05+00:00"),
            (Some("2024-01-02T03:04:05Z"), "Asia/Tokyo", "2024-01-02T12:04:05+09:00"),
            (Some("2024-03-10 02:30:00"), "America/New_York", "2024-03-10T03:30:00-04:00"),
            (Some("2024-11-03 01:30:00"), "America/New_York", "2024-11-03T01:30:00-04:00"),
            (Some("schedule"), "UTC", "`--session schedule` needs a workflow with a `schedule:`"),
        ];
        for (flag, zone, expected) in table {
            assert_eq!(resolved(flag, zone, None), expected, "{flag:?} {zone}");
        }
        for flag in ["2024-01-02 03:04", "yesterday", "20240102", "", "2024-02-30", "2024-01-02 25:00:00", "été"] {
            assert!(resolved(Some(flag), "UTC", None).ends_with(&format!("found `{flag}`")), "{flag}");
        }
    }

    #[test]
    fn a_schedule_decides_without_the_flag() {
        assert_eq!(resolved(None, "UTC", Some(json!({"minutes_interval>": 7}))), "2026-11-20T09:28:00+00:00");
        assert_eq!(
            resolved(Some("schedule"), "UTC", Some(json!({"monthly>": "1,09:00:00"}))),
            "2026-11-01T00:00:00+00:00"
        );
        assert_eq!(resolved(None, "Asia/Tokyo", Some(json!({"daily>": "23:00:00"}))), "2026-11-20T00:00:00+09:00");
    }

    #[test]
    fn last_needs_a_session() {
        let result = resolve(Some("last"), &TimeZone::UTC, None, NOW.parse().unwrap(), None);
        assert_eq!(result, Err(SessionFlagError::NoLast));
    }
}
