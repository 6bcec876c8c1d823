//! The built-in parameters (`session_time`, `task_name`, …) as one table with docs.

use jiff::{Timestamp, Zoned};
use serde_json::Value;

use super::Params;
use crate::schedule::Schedule;

/// A built-in parameter, as its page describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn {
    /// The name.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub summary: &'static str,
    /// A value, for a daily schedule in `Asia/Tokyo`.
    pub example: &'static str,
    /// Whether only workflows with a `schedule:` have it.
    pub needs_schedule: bool,
}

const fn always(name: &'static str, summary: &'static str, example: &'static str) -> BuiltIn {
    BuiltIn { name, summary, example, needs_schedule: false }
}

const fn scheduled(name: &'static str, summary: &'static str, example: &'static str) -> BuiltIn {
    BuiltIn { name, summary, example, needs_schedule: true }
}

const TABLE: &[BuiltIn] = &[
    always("timezone", "The workflow's time zone, as written.", "Asia/Tokyo"),
    always("project_id", "The number of the project.", "1"),
    always("session_id", "The number of the session.", "12"),
    always("attempt_id", "The number of the attempt.", "34"),
    always(
        "session_uuid",
        "The unique name of the session; the same for all of its attempts.",
        "414a8b9e-b365-4394-916a-f0ed9987bd2b",
    ),
    always("retry_attempt_name", "The name of the retry that made this attempt; empty for the first one.", ""),
    always("task_name", "The full name of the task.", "+daily+load"),
    always("session_time", "The time the session is for, with its offset.", "2024-02-29T00:00:00+09:00"),
    always("session_date", "The date of `session_time`.", "2024-02-29"),
    always("session_date_compact", "The date of `session_time`, digits only.", "20240229"),
    always("session_local_time", "The local time of `session_time`.", "2024-02-29 00:00:00"),
    always("session_tz_offset", "The offset of `session_time`.", "+0900"),
    always("session_unixtime", "`session_time` in seconds since 1970-01-01 UTC.", "1709132400"),
    scheduled(
        "last_session_time",
        "The schedule's slot before `session_time`, whether or not it ran.",
        "2024-02-28T00:00:00+09:00",
    ),
    scheduled("last_session_date", "The date of `last_session_time`.", "2024-02-28"),
    scheduled("last_session_date_compact", "The date of `last_session_time`, digits only.", "20240228"),
    scheduled("last_session_local_time", "The local time of `last_session_time`.", "2024-02-28 00:00:00"),
    scheduled("last_session_tz_offset", "The offset of `last_session_time`.", "+0900"),
    scheduled("last_session_unixtime", "`last_session_time` in seconds since 1970-01-01 UTC.", "1709046000"),
    scheduled("next_session_time", "The schedule's slot after `session_time`.", "2024-03-01T00:00:00+09:00"),
    scheduled("next_session_date", "The date of `next_session_time`.", "2024-03-01"),
    scheduled("next_session_date_compact", "The date of `next_session_time`, digits only.", "20240301"),
    scheduled("next_session_local_time", "The local time of `next_session_time`.", "2024-03-01 00:00:00"),
    scheduled("next_session_tz_offset", "The offset of `next_session_time`.", "+0900"),
    scheduled("next_session_unixtime", "`next_session_time` in seconds since 1970-01-01 UTC.", "1709218800"),
    always(
        "last_executed_session_time",
        "The session that the scheduler started before this one; empty when there is none.",
        "2024-02-28T00:00:00+09:00",
    ),
    always("last_executed_session_date", "The date of `last_executed_session_time`, or empty.", "2024-02-28"),
    always(
        "last_executed_session_date_compact",
        "The date of `last_executed_session_time`, digits only, or empty.",
        "20240228",
    ),
    always(
        "last_executed_session_local_time",
        "The local time of `last_executed_session_time`, or empty.",
        "2024-02-28 00:00:00",
    ),
    always(
        "last_executed_session_tz_offset",
        "The offset of `last_executed_session_time`; that of 1970-01-01 UTC when there is none.",
        "+0900",
    ),
    always(
        "last_executed_session_unixtime",
        "`last_executed_session_time` in seconds since 1970-01-01 UTC, or empty.",
        "1709046000",
    ),
];

/// Returns all built-in parameters, in the order of their page.
pub fn table() -> &'static [BuiltIn] {
    TABLE
}

/// What the built-in parameters of an attempt are made of.
#[derive(Debug, Clone, Copy)]
pub struct SessionFacts<'a> {
    /// The number of the project.
    pub project_id: i64,
    /// The number of the session.
    pub session_id: i64,
    /// The number of the attempt.
    pub attempt_id: i64,
    /// The unique name of the session.
    pub session_uuid: &'a str,
    /// The name of the retry that made the attempt, if one did.
    pub retry_attempt_name: Option<&'a str>,
    /// The session's time, in the workflow's time zone.
    pub session_time: &'a Zoned,
    /// The workflow's time zone, as written.
    pub time_zone: &'a str,
    /// The workflow's schedule.
    pub schedule: Option<&'a Schedule>,
    /// The session that the scheduler started before this one.
    pub last_executed: Option<Timestamp>,
}

/// Returns the built-in parameters of an attempt: all but `task_name`, which is the task's own.
pub fn session_params(facts: &SessionFacts<'_>) -> Params {
    let mut params = Params::new();
    let mut put = |name: &str, value: Value| params.insert(name.to_owned(), value);
    put("timezone", facts.time_zone.into());
    put("project_id", facts.project_id.into());
    put("session_id", facts.session_id.into());
    put("attempt_id", facts.attempt_id.into());
    put("session_uuid", facts.session_uuid.into());
    put("retry_attempt_name", facts.retry_attempt_name.map_or(Value::Null, Value::from));
    let session_time = facts.session_time;
    put_time(&mut params, "session", session_time);
    if let Some(schedule) = facts.schedule {
        if let Some(last) = schedule.last_before(session_time.timestamp()) {
            put_time(&mut params, "last_session", &last.session_time);
        }
        if let Some(next) = schedule.next_after(session_time.timestamp()) {
            put_time(&mut params, "next_session", &next.session_time);
        }
    }
    let zone = session_time.time_zone();
    if let Some(last) = facts.last_executed {
        put_time(&mut params, "last_executed_session", &last.to_zoned(zone.clone()));
    } else {
        for (suffix, _) in FORMATS {
            params.insert(format!("last_executed_session_{suffix}"), "".into());
        }
        let epoch = Timestamp::UNIX_EPOCH.to_zoned(zone.clone());
        params.insert("last_executed_session_tz_offset".to_owned(), epoch.strftime("%z").to_string().into());
        params.insert("last_executed_session_unixtime".to_owned(), "".into());
    }
    params
}

/// Completes the parameters of an attempt for one of its tasks.
pub fn task_params(session: &Params, task_name: &str) -> Params {
    let mut params = session.clone();
    params.insert("task_name".to_owned(), task_name.into());
    params
}

const FORMATS: [(&str, &str); 5] = [
    ("time", "%Y-%m-%dT%H:%M:%S%:z"),
    ("date", "%Y-%m-%d"),
    ("date_compact", "%Y%m%d"),
    ("local_time", "%Y-%m-%d %H:%M:%S"),
    ("tz_offset", "%z"),
];

fn put_time(params: &mut Params, prefix: &str, time: &Zoned) {
    for (suffix, format) in FORMATS {
        params.insert(format!("{prefix}_{suffix}"), time.strftime(format).to_string().into());
    }
    params.insert(format!("{prefix}_unixtime"), time.timestamp().as_second().into());
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;

    fn params(time: &str, zone: &str, schedule: Option<&Value>, last_executed: Option<&str>) -> Params {
        let time_zone = TimeZone::get(zone).unwrap();
        let schedule = schedule.map(|schedule| Schedule::parse(schedule, &time_zone).0.unwrap());
        let session_time = time.parse::<jiff::civil::DateTime>().unwrap().to_zoned(time_zone).unwrap();
        session_params(&SessionFacts {
            project_id: 1,
            session_id: 2,
            attempt_id: 3,
            session_uuid: "414a8b9e-b365-4394-916a-f0ed9987bd2b",
            retry_attempt_name: None,
            session_time: &session_time,
            time_zone: zone,
            schedule: schedule.as_ref(),
            last_executed: last_executed.map(|time| time.parse().unwrap()),
        })
    }

    /// The recorded cases 11, 13 to 15, 17 and 18 of a real Digdag.
    #[test]
    fn times_are_those_of_digdag() {
        let daily = json!({"daily>": "07:00:00"});
        let weekly = json!({"weekly>": "Tue,09:00:00"});
        let monthly = json!({"monthly>": "1,09:00:00"});
        let minutes = json!({"minutes_interval>": 7});
        let dst = json!({"daily>": "02:30:00"});
        let hourly = json!({"hourly>": "30:00"});
        let cron = json!({"cron>": "42 4 1,15 * *"});
        let table: [(&str, &str, &Value, [&str; 4]); 11] = [
            (
                "2024-02-29 01:02:03",
                "Asia/Tokyo",
                &daily,
                ["2024-02-29T01:02:03+09:00", "2024-02-29T00:00:00+09:00", "2024-03-01T00:00:00+09:00", "+0900"],
            ),
            (
                "2026-11-20 00:00:00",
                "Asia/Tokyo",
                &daily,
                ["2026-11-20T00:00:00+09:00", "2026-11-19T00:00:00+09:00", "2026-11-21T00:00:00+09:00", "+0900"],
            ),
            (
                "2026-11-20 18:00:00",
                "Asia/Tokyo",
                &daily,
                ["2026-11-20T18:00:00+09:00", "2026-11-20T00:00:00+09:00", "2026-11-21T00:00:00+09:00", "+0900"],
            ),
            (
                "2024-02-29 01:02:03",
                "America/New_York",
                &weekly,
                ["2024-02-29T01:02:03-05:00", "2024-02-27T00:00:00-05:00", "2024-03-05T00:00:00-05:00", "-0500"],
            ),
            (
                "2024-02-29 01:02:03",
                "UTC",
                &monthly,
                ["2024-02-29T01:02:03+00:00", "2024-02-01T00:00:00+00:00", "2024-03-01T00:00:00+00:00", "+0000"],
            ),
            (
                "2024-02-29 01:02:03",
                "UTC",
                &minutes,
                ["2024-02-29T01:02:03+00:00", "2024-02-29T01:00:00+00:00", "2024-02-29T01:07:00+00:00", "+0000"],
            ),
            (
                "2024-02-29 01:02:03",
                "Asia/Tokyo",
                &hourly,
                ["2024-02-29T01:02:03+09:00", "2024-02-29T01:00:00+09:00", "2024-02-29T02:00:00+09:00", "+0900"],
            ),
            (
                "2024-02-29 01:02:03",
                "Europe/Paris",
                &cron,
                ["2024-02-29T01:02:03+01:00", "2024-02-15T04:42:00+01:00", "2024-03-01T04:42:00+01:00", "+0100"],
            ),
            (
                "2024-03-10 00:00:00",
                "America/New_York",
                &dst,
                ["2024-03-10T00:00:00-05:00", "2024-03-09T00:00:00-05:00", "2024-03-11T00:00:00-04:00", "-0500"],
            ),
            (
                "2024-11-03 01:30:00",
                "America/New_York",
                &dst,
                ["2024-11-03T01:30:00-04:00", "2024-11-03T00:00:00-04:00", "2024-11-04T00:00:00-05:00", "-0500"],
            ),
            (
                "2024-03-10 02:30:00",
                "America/New_York",
                &dst,
                ["2024-03-10T03:30:00-04:00", "2024-03-10T00:00:00-05:00", "2024-03-11T00:00:00-04:00", "-0500"],
            ),
        ];
        for (time, zone, schedule, expected) in table {
            let params = params(time, zone, Some(schedule), None);
            let names = ["session_time", "last_session_time", "next_session_time", "last_executed_session_tz_offset"];
            assert_eq!(
                names.map(|name| params[name].as_str().unwrap().to_owned()),
                expected,
                "{time} {zone} {schedule}"
            );
            assert_eq!(params["last_executed_session_time"], json!(""));
        }
    }

    #[test]
    fn a_session_without_a_schedule() {
        let params = params("2024-02-29 01:02:03", "UTC", None, Some("2024-02-28T00:00:00Z"));
        let expected = json!({
            "timezone": "UTC", "project_id": 1, "session_id": 2, "attempt_id": 3,
            "session_uuid": "414a8b9e-b365-4394-916a-f0ed9987bd2b", "retry_attempt_name": null,
            "session_time": "2024-02-29T01:02:03+00:00", "session_date": "2024-02-29", "session_date_compact": "20240229",
            "session_local_time": "2024-02-29 01:02:03", "session_tz_offset": "+0000", "session_unixtime": 1_709_168_523,
            "last_executed_session_time": "2024-02-28T00:00:00+00:00", "last_executed_session_date": "2024-02-28",
            "last_executed_session_date_compact": "20240228", "last_executed_session_local_time": "2024-02-28 00:00:00",
            "last_executed_session_tz_offset": "+0000", "last_executed_session_unixtime": 1_709_078_400,
        });
        assert_eq!(Value::Object(params), expected);
    }

    #[test]
    fn the_table_names_what_there_is() {
        let params =
            task_params(&params("2024-02-29 00:00:00", "Asia/Tokyo", Some(&json!({"daily>": "07:00:00"})), None), "+t");
        let mut names: Vec<&str> = params.keys().map(String::as_str).collect();
        let mut listed: Vec<&str> = table().iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        listed.sort_unstable();
        assert_eq!(names, listed);
    }
}
