//! Slots, against an oracle that looks at every minute (or day) of the days around each change of the clock.

use jiff::civil::Date;
use serde_json::json;

use super::*;

/// Zones with the changes of an hour, half an hour, at midnight, a whole day left out, and none.
const ZONES: &[(&str, &[&str])] = &[
    ("America/New_York", &["2024-03-10", "2024-11-03"]),
    ("Europe/London", &["2024-03-31", "2024-10-27"]),
    ("Australia/Lord_Howe", &["2024-04-07", "2024-10-06"]),
    ("America/Sao_Paulo", &["2018-02-18", "2018-11-04"]),
    ("America/Havana", &["2024-03-10", "2024-11-03"]),
    ("Asia/Beirut", &["2024-03-31", "2024-10-27"]),
    ("Africa/Casablanca", &["2024-03-10", "2024-04-14"]),
    ("Pacific/Apia", &["2011-12-30"]),
    ("America/St_Johns", &["2010-03-14", "2010-11-07"]),
    ("Asia/Tokyo", &["2024-02-29"]),
];

fn parse(schedule: &serde_json::Value, zone: &TimeZone) -> Schedule {
    let (schedule, problems) = Schedule::parse(schedule, zone);
    assert_eq!(problems, []);
    schedule.unwrap()
}

/// Every minute from three days before a date to three days after.
fn minutes(around: &str, zone: &TimeZone) -> Vec<Zoned> {
    let middle: Date = around.parse().unwrap();
    let from =
        middle.checked_sub(3.days()).unwrap().to_zoned(zone.clone()).unwrap().start_of_day().unwrap().timestamp();
    (0..7 * 24 * 60).map(|n| (from + SignedDuration::from_mins(n)).to_zoned(zone.clone())).collect()
}

/// Asserts that the slots of a schedule between two instants are these, forwards and backwards.
fn assert_slots(schedule: &Schedule, from: Timestamp, to: Timestamp, expected: &[Timestamp], name: &str) {
    let shown = |times: &[Timestamp]| times.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let mut forwards = Vec::new();
    let mut at = from - SignedDuration::from_nanos(1);
    while let Some(slot) = schedule.next_after(at).filter(|slot| slot.session_time.timestamp() <= to) {
        assert!(slot.session_time.timestamp() > at, "{name}: {slot:?} does not come after {at}");
        at = slot.session_time.timestamp();
        forwards.push(at);
    }
    assert_eq!(shown(&forwards), shown(expected), "{name}, forwards");
    let mut backwards = Vec::new();
    let mut at = to + SignedDuration::from_nanos(1);
    while let Some(slot) = schedule.last_before(at).filter(|slot| slot.session_time.timestamp() >= from) {
        assert!(slot.session_time.timestamp() < at, "{name}: {slot:?} does not come before {at}");
        at = slot.session_time.timestamp();
        backwards.push(at);
    }
    backwards.reverse();
    assert_eq!(shown(&backwards), shown(expected), "{name}, backwards");
}

fn check(rule: &serde_json::Value, is_slot: impl Fn(&[Zoned], usize) -> bool) {
    for (zone, changes) in ZONES {
        let zone_name = zone;
        let zone = TimeZone::get(zone).unwrap();
        let schedule = parse(rule, &zone);
        for change in *changes {
            let minutes = minutes(change, &zone);
            // The first and last day only give the oracle something to look back at.
            let inner = 24 * 60..minutes.len() - 24 * 60;
            let expected: Vec<Timestamp> =
                inner.clone().filter(|i| is_slot(&minutes, *i)).map(|i| minutes[i].timestamp()).collect();
            let (from, to) = (minutes[inner.start].timestamp(), minutes[inner.end - 1].timestamp());
            assert_slots(&schedule, from, to, &expected, &format!("{rule} {zone_name} {change}"));
        }
    }
}

/// Whether a minute is the first one of its date.
fn begins_day(minutes: &[Zoned], i: usize) -> bool {
    let date = minutes[i].date();
    !minutes[..i].iter().rev().take(25 * 60).any(|earlier| earlier.date() == date)
}

#[test]
fn daily_slots_are_the_first_instants_of_days() {
    check(&json!({"daily>": "02:30:00"}), begins_day);
}

#[test]
fn weekly_and_monthly_slots_are_the_first_instants_of_their_days() {
    check(&json!({"weekly>": "Sun,02:30:00"}), |minutes, i| {
        begins_day(minutes, i) && minutes[i].weekday() == Weekday::Sunday
    });
    check(&json!({"monthly>": "10,02:30:00"}), |minutes, i| begins_day(minutes, i) && minutes[i].day() == 10);
}

#[test]
fn interval_slots_are_what_the_clock_shows() {
    check(&json!({"hourly>": "30:00"}), |minutes, i| minutes[i].minute() == 0);
    check(&json!({"minutes_interval>": 7}), |minutes, i| minutes[i].minute() % 7 == 0);
    check(&json!({"minutes_interval>": 45}), |minutes, i| minutes[i].minute() % 45 == 0);
    check(&json!({"cron>": "*/20 1-3 * * *"}), |minutes, i| {
        minutes[i].minute() % 20 == 0 && (1..=3).contains(&minutes[i].hour())
    });
    check(&json!({"cron>": "15 * * * *|0 4 * * *"}), |minutes, i| {
        minutes[i].minute() == 15 || (minutes[i].minute() == 0 && minutes[i].hour() == 4)
    });
}

#[test]
fn a_fixed_time_of_cron_comes_once_on_every_day_that_there_is() {
    for (hour, minute) in [(0_i8, 30_i8), (1, 30), (2, 15), (2, 30), (3, 0)] {
        check(&json!({"cron>": format!("{minute} {hour} * * *")}), |minutes, i| {
            let now = &minutes[i];
            let (date, wanted) = (now.date(), (hour, minute));
            let at = |minute: &Zoned| (minute.hour(), minute.minute());
            let before = &minutes[i - 1];
            // The clock jumps over the time: the first minute after the jump, on the same date.
            let jumped = now.date() == before.date() && at(before) < wanted && wanted < at(now)
                || now.date() != before.date()
                    && wanted < at(now)
                    && begins_day(minutes, i)
                    && now.datetime().duration_since(before.datetime()) < SignedDuration::from_hours(3);
            let same_day = |earlier: &&Zoned| earlier.date() == date;
            (at(now) == wanted || jumped)
                && !minutes[..i].iter().rev().take(25 * 60).filter(same_day).any(|earlier| at(earlier) == wanted)
        });
    }
}

#[test]
fn both_days_of_a_cron_pattern_must_match() {
    let schedule = parse(&json!({"cron>": "0 0 13 * FRI"}), &TimeZone::UTC);
    let slot = schedule.next_after("2024-01-01T00:00:00Z".parse().unwrap()).unwrap();
    assert_eq!(slot.session_time.date().to_string(), "2024-09-13");
}

#[test]
fn a_month_without_the_day_is_skipped() {
    let schedule = parse(&json!({"monthly>": "31,00:00:00"}), &TimeZone::UTC);
    let mut at: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    let mut months = Vec::new();
    while months.len() < 7 {
        at = schedule.next_after(at).unwrap().session_time.timestamp();
        months.push(at.to_zoned(TimeZone::UTC).month());
    }
    assert_eq!(months, [1, 3, 5, 7, 8, 10, 12]);
}

#[test]
fn seconds_are_counted_from_the_epoch() {
    let schedule = parse(&json!({"seconds_interval>": 90, "delay": 5}), &TimeZone::UTC);
    let slot = schedule.next_after("1970-01-01T00:01:30Z".parse().unwrap()).unwrap();
    assert_eq!(slot.session_time.timestamp().as_second(), 180);
    assert_eq!(slot.run_time.timestamp().as_second(), 185);
    assert_eq!(
        schedule.last_before("1970-01-01T00:03:00Z".parse().unwrap()).unwrap().session_time.timestamp().as_second(),
        90
    );
    assert_eq!(
        schedule.last_before("1970-01-01T00:03:00.1Z".parse().unwrap()).unwrap().session_time.timestamp().as_second(),
        180
    );
    assert_eq!(
        schedule.last_before("1969-12-31T23:59:59Z".parse().unwrap()).unwrap().session_time.timestamp().as_second(),
        -90
    );
}

/// The first runs that Digdag's manual gives for 2019-02-24 14:20:10 in Tokyo.
#[test]
fn first_runs_are_those_of_digdag() {
    let zone = TimeZone::get("Asia/Tokyo").unwrap();
    let now = "2019-02-24T14:20:10+09:00".parse().unwrap();
    for (rule, session, run) in [
        (json!({"daily>": "10:32:32"}), "2019-02-25T00:00:00", "2019-02-25T10:32:32"),
        (json!({"hourly>": "32:32"}), "2019-02-24T14:00:00", "2019-02-24T14:32:32"),
        (json!({"weekly>": "2,10:32:32"}), "2019-02-26T00:00:00", "2019-02-26T10:32:32"),
        (json!({"monthly>": "2,10:32:32"}), "2019-03-02T00:00:00", "2019-03-02T10:32:32"),
        (json!({"daily>": "10:32:32", "start": "2019-03-05"}), "2019-03-05T00:00:00", "2019-03-05T10:32:32"),
    ] {
        let slot = parse(&rule, &zone).next_due(now).unwrap();
        assert_eq!(
            (slot.session_time.datetime().to_string(), slot.run_time.datetime().to_string()),
            (session.into(), run.into()),
            "{rule}"
        );
    }
    assert_eq!(parse(&json!({"daily>": "10:32:32", "end": "2019-02-24"}), &zone).next_due(now), None);
}

#[test]
fn a_day_is_due_by_its_own_clock() {
    let zone = TimeZone::get("America/New_York").unwrap();
    for (rule, after, run) in [
        ("10:00:00", "2024-03-10T00:00:00-05:00", "2024-03-10T10:00:00-04:00"),
        ("10:00:00", "2024-11-03T00:00:00-04:00", "2024-11-03T10:00:00-05:00"),
        ("02:30:00", "2024-03-10T00:00:00-05:00", "2024-03-10T03:30:00-04:00"),
        ("01:30:00", "2024-11-03T00:00:00-04:00", "2024-11-03T01:30:00-04:00"),
    ] {
        let slot = parse(&json!({"daily>": rule}), &zone).next_due(after.parse().unwrap()).unwrap();
        assert_eq!(slot.run_time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(), run);
    }
}
