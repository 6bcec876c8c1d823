//! A stream of Kinesis (moto's server) that is replayed by whole runs: once, twice, and after records were lost.

use std::process::Command;

use serde_json::{Value, json};

use super::servers::{Stream, with_keys};
use super::stores::archived;
use super::throttled::Throttled;
use super::{RUN, SERIES, example, read_of_each};
use crate::conformance::server::{Moto, OnAws as _};
use crate::support::{Outcome, Project};

/// The rows of the example's files as records, each series with a key of its own: its records stay in their order.
fn records(project: &Project) -> Vec<(String, Value)> {
    let mut records = Vec::new();
    for series in SERIES {
        let text = std::fs::read_to_string(project.path().join(format!("data/{series}.csv"))).unwrap();
        for line in text.lines().skip(1) {
            let (time, value) = line.split_once(',').unwrap();
            let (time, value): (_, f64) = (format!("{}Z", time.replace(' ', "T")), value.parse().unwrap());
            records.push((series.to_owned(), json!({"name": series, "ts": time, "value": value})));
        }
    }
    records
}

/// The example whose points come from the stream.
fn from_stream(url: &str, more: &str) -> Project {
    let project = example();
    let workflow = std::fs::read_to_string(project.path().join("tiers.dig")).unwrap();
    let of_files = "metrics.replay>: \"${data}\", to: hot";
    assert!(workflow.contains(of_files));
    let of_stream = format!("metrics.replay>: \"kinesis://points\", endpoint: \"{url}\", {more}to: hot");
    let told = "+told: {echo>: \"${metrics.last_replay.rows} rows, ${metrics.last_replay.added} new\"}\n+flush:";
    project.write("tiers.dig", workflow.replace(of_files, &of_stream).replace("+flush:", told));
    project
}

fn command(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    with_keys(&mut command);
    command
}

fn suiro(project: &Project, arguments: &[&str]) -> Outcome {
    Outcome::of(project, &command(project, arguments).output().unwrap())
}

fn succeed(project: &Project, arguments: &[&str]) -> Outcome {
    let outcome = suiro(project, arguments);
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    outcome
}

#[test]
fn a_stream_that_is_replayed_twice_is_the_files_that_are_replayed_once() {
    let Some(moto) = Moto::start() else { return };
    let url = format!("http://{}", moto.address());
    let stream = Stream::make(&url, 3);
    let embedded = example();
    embedded.succeed(&RUN);
    stream.put(&records(&embedded));
    // It throttles as well.
    let busy = Throttled::before(&url);
    let project = from_stream(&busy.url, "");
    let first = succeed(&project, &RUN);
    assert!(first.stdout.starts_with("925 rows, 924 new\n"), "{first}");
    let read = |project: &Project| read_of_each(|arguments| succeed(project, arguments).stdout);
    assert_eq!(archived(&project), archived(&embedded), "the same bytes");
    assert_eq!(read(&project), read(&embedded));
    assert!(busy.refused() > 2, "{}", busy.refused());
    // Without a word of where to begin, it goes on behind what was read.
    let other = succeed(&project, &["run", "tiers.dig", "--session", "2024-03-11"]);
    assert!(other.stdout.starts_with("0 rows, 0 new\n"), "{other}");
    // The whole stream once more. Nothing is in the stores any more, so each point comes again and is found archived.
    let workflow = std::fs::read_to_string(project.path().join("tiers.dig")).unwrap();
    project.write("tiers.dig", workflow.replace("\", endpoint: ", "\", start: trim_horizon, endpoint: "));
    let before = crate::cases::lake_files(&project);
    let again = succeed(&project, &[&RUN[..], &["--rerun"]].concat());
    assert!(again.stdout.starts_with("925 rows, 924 new\n"), "{again}");
    assert_eq!(crate::cases::lake_files(&project), before, "no point and no version has changed\n{again}");
    assert_eq!(read(&project), read(&embedded));
    // Twice into a store that has them still.
    let twice = ["run", "tiers.dig", "+replay", "--session", "2024-03-12"];
    succeed(&project, &twice);
    let before = read(&project);
    succeed(&project, &[&twice[..], &["--rerun"]].concat());
    assert_eq!(read(&project), before);
}

#[test]
fn records_that_are_gone_behind_a_replay_that_was_stopped_are_an_error() {
    let Some(moto) = Moto::start() else { return };
    let url = format!("http://{}", moto.address());
    let stream = Stream::make(&url, 1);
    // More than one answer of the service holds.
    let second = |number: i64| json!({"name": "steady", "ts": 1_709_251_200_000_i64 + number * 1_000, "value": number});
    let all: Vec<(String, Value)> = (0..10_200).map(|number| ("k".to_owned(), second(number))).collect();
    stream.put(&all);
    let project = example();
    // Into a store that passes nothing on: each piece of the stream is one write.
    project.write(
        "replay.dig",
        format!("+replay: {{metrics.replay>: \"kinesis://points\", endpoint: \"{url}\", to: warm}}\n"),
    );
    let replay = ["run", "replay.dig", "--session", "2024-03-10"];
    let stopped = command(&project, &replay).env("SUIRO_CRASH_AT", "metrics: write points:before:2").output().unwrap();
    assert_eq!(stopped.status.code(), None, "{}", Outcome::of(&project, &stopped));
    // While nobody reads, the records go; then others come.
    stream.lose_all(1);
    for more in [&[][..], &[("k".to_owned(), second(20_000))]] {
        stream.put(more);
        let project = project.copy_with_state();
        let outcome = suiro(&project, &replay);
        assert_eq!(outcome.exit, Some(2), "{outcome}");
        let message = "error[T0402] +replay+replay (replay.dig:1:1)\n  the stream has a gap: the shard `shardId-000000000000` was \
                       read up to 5000, which is gone\n    stream: points\n";
        assert!(outcome.stderr.contains(message), "{outcome}");
    }
    // What was read by then is there.
    let read = ["metrics", "read", "--name", "steady", "--from", "2024-03-01", "--to", "2024-03-02", "--step", "raw"];
    assert_eq!(succeed(&project, &[&read[..], &["--format", "csv"]].concat()).stdout.lines().count(), 1 + 5_000);
}

#[test]
fn the_next_session_sees_that_the_stream_is_another_one() {
    let Some(moto) = Moto::start() else { return };
    let url = format!("http://{}", moto.address());
    let stream = Stream::make(&url, 1);
    let second = |number: i64| json!({"name": "steady", "ts": 1_709_251_200_000_i64 + number * 1_000, "value": number});
    let some = |numbers: std::ops::Range<i64>| -> Vec<(String, Value)> {
        numbers.map(|number| ("k".to_owned(), second(number))).collect()
    };
    let project = example();
    let replay = |more: &str| {
        let task = format!("{{metrics.replay>: \"kinesis://points\", endpoint: \"{url}\", {more}to: warm}}");
        let told = "+told: {echo>: \"${metrics.last_replay.rows} rows\"}\n";
        project.write("replay.dig", format!("+replay: {task}\n{told}"));
    };
    let run = |session: &str| suiro(&project, &["run", "replay.dig", "--session", session]);
    replay("");
    stream.put(&some(0..50));
    assert_eq!(run("2025-03-01").stdout, "50 rows\n");
    stream.put(&some(50..53));
    assert_eq!(run("2025-03-02").stdout, "3 rows\n");
    // Nobody has read these.
    stream.put(&some(53..103));
    stream.lose_all(1);
    stream.put(&some(200..205));
    let outcome = run("2025-03-03");
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    for part in ["was read up to 53, which is gone\n    stream: points\n    stream made anew: ", "oldest record: 1\n"] {
        assert!(outcome.stderr.contains(part), "{part}: {outcome}");
    }
    replay("start: latest, ");
    let outcome = suiro(&project, &["check", "replay.dig"]);
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("expected `trim_horizon` or a time such as"), "{outcome}");
    // The way out that the error names.
    replay("start: trim_horizon, ");
    assert_eq!(run("2025-03-03").stdout, "5 rows\n");
    replay("");
    assert_eq!(run("2025-03-04").stdout, "0 rows\n");
}

#[test]
fn a_start_that_the_stream_does_not_keep_is_an_error() {
    let Some(moto) = Moto::start() else { return };
    let url = format!("http://{}", moto.address());
    Stream::make(&url, 1).put(&records(&example())[..3]);
    let project = from_stream(&url, "start: \"2024-03-01 00:00:00\", ");
    let outcome = suiro(&project, &RUN);
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    let message =
        "the stream has a gap: records of [MOMENT] to [MOMENT] are gone: the stream does not keep them so long\n";
    assert!(outcome.stderr.contains(message), "{outcome}");
    assert!(outcome.stderr.contains("begin at the oldest record that is there (`start: trim_horizon`)"), "{outcome}");
}

#[test]
fn a_record_without_points_stops_a_replay_unless_it_may_be_kept_apart() {
    let Some(moto) = Moto::start() else { return };
    let url = format!("http://{}", moto.address());
    let stream = Stream::make(&url, 1);
    let second = |number: i64| json!({"name": "steady", "ts": 1_709_251_200_000_i64 + number * 1_000, "value": number});
    let bad = json!({"name": "steady", "value": 1});
    let record = |value: &Value| ("k".to_owned(), value.clone());
    stream.put(&[record(&second(0)), record(&bad), record(&second(1)), record(&bad), record(&second(2))]);
    let project = example();
    let replay = |more: &str| {
        let task = format!("{{metrics.replay>: \"kinesis://points\", endpoint: \"{url}\", {more}to: warm}}");
        let told = "+told: {echo>: \"${metrics.last_replay.rows} rows, ${metrics.last_replay.rejected} rejected\"}\n";
        project.write("replay.dig", format!("+replay: {task}\n{told}"));
    };
    let run = |session: &str| suiro(&project, &["run", "replay.dig", "--session", session]);
    let reason = "expected the key `ts`, found `{\"name\":\"steady\",\"value\":1}`";
    replay("");
    let refused = run("2025-03-01");
    assert_eq!(refused.exit, Some(2), "{refused}");
    let message = format!("  {reason}\n    stream: points\n    shard: shardId-000000000000\n    record: ");
    assert!(refused.stderr.contains(&message), "{refused}");
    assert!(refused.stderr.contains("`max_rejected: 10` keeps as many of them apart in each session"), "{refused}");
    replay("max_rejected: 1, ");
    let refused = run("2025-03-01");
    assert_eq!(refused.exit, Some(3), "{refused}");
    let message =
        format!("expected at most 1 record that holds no points, found one more: {reason}\n    stream: points\n");
    assert!(refused.stderr.contains(&message), "{refused}");
    // Nothing was passed over on the way there.
    assert_eq!(succeed(&project, &["metrics", "rejected"]).stderr, "no record was kept apart\n");
    replay("max_rejected: 2, ");
    let taken = run("2025-03-01");
    assert_eq!(taken.stdout, "3 rows, 2 rejected\n", "{taken}");
    assert_eq!(taken.stderr.matches(&format!("of shardId-000000000000: {reason}")).count(), 2, "{taken}");
    let kept = succeed(&project, &["--json", "metrics", "rejected"]).stdout;
    let kept: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(kept.len(), 2);
    for record in kept {
        assert_eq!((&record["tier"], &record["shard"]), (&json!("warm"), &json!("shardId-000000000000")));
        assert_eq!((&record["reason"], &record["record"]), (&json!(reason), &json!(bad.to_string())));
    }
    assert_eq!(succeed(&project, &["metrics", "rejected"]).stdout.lines().count(), 4);
    assert_eq!(run("2025-03-02").stdout, "0 rows, 0 rejected\n");
    project.write("files.dig", "+replay: {metrics.replay>: data, max_rejected: 1, to: warm}\n");
    let refused = suiro(&project, &["check", "files.dig"]);
    let message = "`max_rejected` belongs to a stream: a line of a file that cannot be read is an error";
    assert!(refused.stderr.contains(message), "{refused}");
}
