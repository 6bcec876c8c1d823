//! Metric tiers from end to end: recorded series, other people's readers, replays, damage, and stops at every point.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use engine::secret::Secrets;
use jiff::Timestamp;
use lake::name::Location;
use lake::{Lake, LakeSettings};
use metrics::{Aggregate, OnGap, ReadRequest, SeriesName, TimeRange};
use regex::Regex;

use crate::crash::{in_pairs, traced};
use crate::readers::python;
use crate::support::{Outcome, Project, copy, files_below, root};

/// The session of the recorded series: all of them have ended by then.
const SESSION: [&str; 2] = ["--session", "2014-05-01"];

/// The example with other series.
fn project_of(data: &Path) -> Project {
    let project = Project::copy_of(&root().join("examples/05_metric_tiers"));
    std::fs::remove_dir_all(project.path().join("data")).unwrap();
    copy(data, &project.path().join("data"));
    project
}

/// The recorded series of `CloudWatch`, where they are.
#[expect(clippy::print_stdout, reason = "a test says what it skips")]
fn cloudwatch() -> Option<PathBuf> {
    let data = root().join("../shared/data/cloudwatch");
    if data.is_dir() {
        return Some(data);
    }
    println!("skipped: no ../shared/data/cloudwatch");
    None
}

/// The files of a table's partitions that readers are pointed to.
fn files(project: &Project, table: &str) -> Vec<String> {
    let listed = project.succeed(&["--json", "partition", "list", table]).stdout;
    let mut files = Vec::new();
    for line in listed.lines() {
        let partition: serde_json::Value = serde_json::from_str(line).unwrap();
        let location = raw_location(project, table, partition["partition"].as_str().unwrap());
        for entry in std::fs::read_dir(location).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "parquet") {
                files.push(path.display().to_string());
            }
        }
    }
    files
}

/// The folder of a partition. What a run says is made steady, so that the place is read from the catalog itself.
fn raw_location(project: &Project, table: &str, partition: &str) -> PathBuf {
    let output = project.command(&["--json", "partition", "show", table, partition]).output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let location = Location::parse(shown["location"].as_str().unwrap()).unwrap();
    project.path().join(".suiro/warehouse/s3").join(location.bucket()).join(location.key())
}

#[test]
fn recorded_series_are_whole_in_every_tier() {
    let Some(data) = cloudwatch() else { return };
    let project = project_of(&data);
    let run = project.succeed(&[&["run", "tiers.dig"][..], &SESSION].concat());
    for place in [
        "data/ec2_disk_write_bytes_1ef3de.csv:2121-2131: 11 rows repeat the time [MOMENT] of line 2120",
        "data/ec2_network_in_5abac7.csv:2120-2130: 11 rows repeat the time [MOMENT] of line 2119",
    ] {
        assert!(run.stderr.contains(place), "{run}");
    }
    let points = project.query("SELECT count(*) AS n, count(DISTINCT name) AS series FROM metrics.points_1m");
    assert_eq!(points, "n,series\n67718,17\n", "67,740 rows, 22 of which repeat a time");
    let buckets = "SELECT sum(\"count\") AS n, count(DISTINCT name) AS series FROM metrics.";
    assert_eq!(project.query(&format!("{buckets}points_1h")), "n,series\n67718,17\n");
    assert_eq!(project.query(&format!("{buckets}points_1d")), "n,series\n67718,17\n");

    // Replayed once more, nothing changes: not a point, not a version of a partition.
    let before = crate::cases::lake_files(&project);
    let again = project.succeed(&[&["run", "tiers.dig", "--rerun"][..], &SESSION].concat());
    assert_eq!(crate::cases::lake_files(&project), before, "{again}");

    let Some(python) = python() else { return };
    let mut command = project.program(python);
    command.arg(root().join("tests/readers/metrics.py")).arg(&data);
    for (tier, table) in [("raw", "points_1m"), ("1h", "points_1h"), ("1d", "points_1d")] {
        command.arg(format!("{tier}={}", files(&project, &format!("metrics.{table}")).join(",")));
    }
    let read = Outcome::of(&project, &command.output().unwrap());
    assert_eq!(read.exit, Some(0), "{read}");
    assert_eq!(read.stdout, "raw: 17 series, 67718 points\n1h: 17 series, 67718 points\n1d: 17 series, 67718 points\n");
}

/// The series of the example.
const SERIES: [&str; 4] = ["db-1.disk used %", "rack-4.temperature", "web-1.cpu", "web-1.requests"];

/// What all tiers together hold, read as one: a line `series,timestamp,value` for each point. Read in a copy: a lost ledger is
/// made again by whoever looks first.
fn union(project: &Project) -> BTreeSet<String> {
    let project = copy_with_state(project);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let text = std::fs::read_to_string(project.path().join("tiers.yml")).unwrap();
        let config = operators::read_tiers_config("tiers.yml", &text, &mut |text| Ok(text.to_owned())).unwrap();
        let state = project.path().join(".suiro");
        let warehouse = state.join("warehouse");
        let lake = Box::pin(Lake::open(LakeSettings::new(state, warehouse))).await.unwrap();
        let tiers = Box::pin(operators::open_metrics(&lake, &config, &Secrets::none())).await.unwrap();
        let request = ReadRequest {
            names: SERIES.iter().map(|name| SeriesName::new(name).unwrap()).collect(),
            range: TimeRange::ALL,
            step: Some(tiers.tiers().raw_step()),
            aggregate: Aggregate::Last,
            on_gap: OnGap::Fail,
        };
        Box::pin(tiers.read(&request, Timestamp::now())).await.unwrap()
    });
    let mut points = BTreeSet::new();
    for series in answer.series {
        for row in series.rows {
            let time = Timestamp::from_millisecond(row.time_ms).unwrap();
            assert!(points.insert(format!("{},{time},{}", series.name, row.value)), "{time} has two owners");
        }
    }
    points
}

/// What was written: the rows of the files, of a time that stands twice the last.
fn written(project: &Project) -> BTreeSet<String> {
    let mut points = BTreeMap::new();
    for series in SERIES {
        let text = std::fs::read_to_string(project.path().join(format!("data/{series}.csv"))).unwrap();
        for line in text.lines().skip(1) {
            let (time, value) = line.split_once(',').unwrap();
            let value: f64 = value.parse().unwrap();
            points.insert(format!("{series},{}Z", time.replace(' ', "T")), value);
        }
    }
    points.into_iter().map(|(point, value)| format!("{point},{value}")).collect()
}

fn copy_with_state(project: &Project) -> Project {
    let made = Project::in_memory();
    copy(project.path(), made.path());
    let state = project.path().join(".suiro");
    if state.is_dir() {
        copy(&state, &made.path().join(".suiro"));
    }
    made
}

/// A plan that stops nowhere, so that all passes are traced.
const TRACED: [(&str, &str); 2] = [("SUIRO_CRASH_AT", "nowhere:before"), ("SUIRO_LOG", "error,crash_point=trace")];

/// The run of the example.
const RUN: [&str; 4] = ["run", "tiers.dig", "--session", "2024-03-10"];

/// The same for another session.
const NEXT_RUN: [&str; 4] = ["run", "tiers.dig", "--session", "2024-03-11"];

/// What is run and stopped, and what was taken by then: from that on the tiers hold all of it, always.
struct Scenario {
    name: &'static str,
    before: fn() -> Project,
    command: &'static [&'static str],
    /// Whether the points of the files are written by the command itself.
    writes: bool,
    /// Whether it is stopped also where an earlier scenario was.
    stops_everywhere: bool,
}

const SCENARIOS: [Scenario; 5] = [
    Scenario { name: "from the replay on", before: replayed, command: &RUN, writes: false, stops_everywhere: true },
    Scenario { name: "from nothing", before: example, command: &RUN, writes: true, stops_everywhere: false },
    Scenario {
        name: "late points",
        before: with_late_points,
        command: &NEXT_RUN,
        writes: false,
        stops_everywhere: false,
    },
    Scenario {
        name: "a forgotten try",
        before: stopped_while_it_wrote,
        command: &NEXT_RUN,
        writes: false,
        stops_everywhere: false,
    },
    Scenario {
        name: "a lost ledger",
        before: without_ledger,
        command: &NEXT_RUN,
        writes: false,
        stops_everywhere: false,
    },
];

fn example() -> Project {
    Project::copy_of(&root().join("examples/05_metric_tiers"))
}

/// The example after its replay: every point was taken, and nothing has moved but what writing moves.
fn replayed() -> Project {
    let project = example();
    project.succeed(&["run", "tiers.dig", "+replay", "--session", "2024-03-10"]);
    project
}

/// All was archived and expired; then a series gets points in old windows, and a value changes.
fn with_late_points() -> Project {
    let project = example();
    project.succeed(&RUN);
    let file = "data/web-1.cpu.csv";
    let text = std::fs::read_to_string(project.path().join(file)).unwrap();
    let (first, _) = text.lines().nth(1).unwrap().split_once(',').unwrap();
    project.write(file, format!("{text}2024-03-02 00:01:00,77.5\n{first},11.25\n"));
    project.succeed(&["run", "tiers.dig", "+replay", "--session", "2024-03-11"]);
    project
}

/// The objects of a window were written, and nobody was told.
fn stopped_while_it_wrote() -> Project {
    let project = replayed();
    let stopped = project.command(&RUN).env("SUIRO_CRASH_AT", "metrics: write the objects:after").output().unwrap();
    assert_eq!(stopped.status.code(), None, "{}", Outcome::of(&project, &stopped));
    project
}

/// All is archived and expired, and what knows how far each window is, is gone.
fn without_ledger() -> Project {
    let project = example();
    project.succeed(&RUN);
    project.shell("rm .suiro/metrics.sqlite*");
    project
}

/// No run of this process comes here: the first only a ledger that is lost in the middle of a dump whose next try begins in the
/// same millisecond, the second only points that somebody else writes into a store (`operators/metrics/src/tests`).
const ELSEWHERE: [&str; 2] = ["metrics: delete objects of a forgotten try", "metrics: note that a window is late"];

/// Stopped before and after every effect, the tiers together hold exactly what was written; then they go on.
#[test]
fn a_stop_anywhere_loses_no_point() {
    let mut reached: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut wrong: Vec<String> = Vec::new();
    for scenario in &SCENARIOS {
        let before = (scenario.before)();
        let expected = written(&before);
        if !scenario.writes {
            assert_eq!(union(&before), expected, "{}", scenario.name);
        }
        let mut stops = Vec::new();
        for (point, count) in passes(&before, scenario.command) {
            // A point that an earlier scenario stopped at is passed in the same way by the later ones.
            if reached.contains_key(&point) && !scenario.stops_everywhere {
                continue;
            }
            let mut numbers = vec![1, count];
            numbers.dedup();
            for number in numbers {
                stops.extend(["before", "after"].map(|moment| (point.clone(), moment, number)));
            }
        }
        for (point, moment, _) in &stops {
            reached.entry(point.clone()).or_default().insert(moment);
        }
        wrong.extend(in_pairs(stops, |stop| stopped_at(scenario, &before, &expected, &stop)).into_iter().flatten());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let is_due = |point: &String| !reached.contains_key(point) && !ELSEWHERE.contains(&point.as_str());
    let never: Vec<String> = points().into_iter().filter(is_due).collect();
    assert!(never.is_empty(), "no process was stopped before and after {never:?}");
}

/// Runs a command to its end and returns which points of metrics it passed how often.
fn passes(before: &Project, command: &[&str]) -> Vec<(String, usize)> {
    let project = copy_with_state(before);
    let output = project.command(command).envs(TRACED).output().unwrap();
    let outcome = Outcome::of(&project, &output);
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    traced(&outcome.stderr).into_iter().filter(|(point, _)| point.starts_with("metrics: ")).collect()
}

/// Stops a command, looks at what the tiers hold, and runs it to its end.
fn stopped_at(
    scenario: &Scenario,
    before: &Project,
    expected: &BTreeSet<String>,
    (point, moment, pass): &(String, &str, usize),
) -> Vec<String> {
    let stop = format!("{point}:{moment}:{pass}");
    let what = format!("{}, stopped {stop}", scenario.name);
    let project = copy_with_state(before);
    let stopped = project.command(scenario.command).env("SUIRO_CRASH_AT", &stop).output().unwrap();
    let mut wrong = Vec::new();
    if stopped.status.code().is_some() && *pass == 1 {
        wrong.push(format!("{what}: the run was not stopped\n{}", Outcome::of(&project, &stopped)));
    }
    // A point that the command was about to write may be there or not; all others are.
    if project.path().join(".suiro/catalog.sqlite").is_file() {
        let held = union(&project);
        let is_whole = if scenario.writes { held.is_subset(expected) } else { held == *expected };
        if !is_whole {
            wrong.push(format!("{what}: the tiers do not hold what was written"));
        }
    }
    let next = project.suiro(scenario.command);
    if next.exit != Some(0) {
        wrong.push(format!("{what}: the next run failed\n{next}"));
    } else if union(&project) != *expected {
        wrong.push(format!("{what}, and then run to the end: the tiers do not hold what was written"));
    }
    wrong
}

/// The names of the crash points of metric tiers, as they stand in the sources. Those of stores that need a server have tests of
/// their own.
fn points() -> BTreeSet<String> {
    let pattern = Regex::new(r#""(metrics: [^"]+)""#).unwrap();
    let mut points = BTreeSet::new();
    for folder in ["operators/metrics/src", "operators/src/metrics"] {
        for file in files_below(&root().join(folder)) {
            let path = file.to_string_lossy();
            if path.contains("/tests/") || path.ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            points.extend(pattern.captures_iter(&text).map(|found| found[1].to_owned()));
        }
    }
    points
}

#[test]
fn a_flipped_byte_and_a_missing_point_are_found_and_named() {
    let project = example();
    // Nothing is expired, so that both sides can be compared.
    let workflow = std::fs::read_to_string(project.path().join("tiers.dig")).unwrap();
    project.write("tiers.dig", workflow.lines().filter(|line| !line.contains("expire")).collect::<Vec<_>>().join("\n"));
    project.succeed(&["run", "tiers.dig", "--session", "2024-03-10"]);

    // With a window named, everything that is archived in it is looked at again.
    project.write("again.dig", "+verify: {metrics.verify>: [warm, cold], window: 2024-03-01 .. 2024-03-04}\n");
    let reads = ["run", "again.dig", "--session", "2024-03-11"];
    let whole = copy_with_state(&project);
    whole.succeed(&reads);

    let damaged = copy_with_state(&project);
    let file = PathBuf::from(files(&damaged, "metrics.points_1m").remove(0));
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&file, bytes).unwrap();
    let outcome = damaged.suiro(&reads);
    assert_eq!(outcome.exit, Some(3), "{outcome}");
    assert!(outcome.stderr.contains("error[T0401]") && outcome.stderr.contains("cold 2024-03-0"), "{outcome}");
}
