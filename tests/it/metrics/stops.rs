//! The process is stopped before and after every effect of metrics, and the same command then continues: the tiers together
//! hold exactly what was written, always, and a reader that reads without a pause all the while finds nothing else.
//!
//! `SCENARIO="late points" cargo test --test it metrics::stops` runs one of them alone, without asking for all points.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use metrics::{DuplicateRule, Ledger, TierName, TimeRange};
use regex::Regex;

use super::meanwhile::Meanwhile;
use super::sampler::{Expected, Sampler, union};
use super::{NEXT_RUN, RUN, embedded_store, example, point, written};
use crate::crash::{in_pairs, traced};
use crate::support::{Outcome, Project, files_below, root};

/// A plan that stops nowhere, so that all passes are traced.
const NOWHERE: &str = "nowhere:before";

/// What is run and stopped, and what was taken by then: from that on the tiers hold all of it, always.
struct Scenario {
    name: &'static str,
    before: fn() -> Project,
    command: &'static [&'static str],
    /// Whether the points of the files are written by the command itself.
    writes: bool,
    /// Whether it is stopped also where an earlier scenario was.
    stops_everywhere: bool,
    /// What somebody else does while the command is under way.
    meanwhile: Option<Meanwhile>,
}

const SCENARIO: Scenario = Scenario {
    name: "from the replay on",
    before: replayed,
    command: &RUN,
    writes: false,
    stops_everywhere: false,
    meanwhile: None,
};

const SCENARIOS: [Scenario; 7] = [
    Scenario { stops_everywhere: true, ..SCENARIO },
    Scenario { name: "from nothing", before: example, writes: true, ..SCENARIO },
    Scenario { name: "late points", before: with_late_points, command: &NEXT_RUN, stops_everywhere: true, ..SCENARIO },
    Scenario { name: "a try that was stopped", before: stopped_while_it_wrote, command: &NEXT_RUN, ..SCENARIO },
    Scenario { name: "a lost ledger", before: without_ledger, command: &NEXT_RUN, ..SCENARIO },
    Scenario {
        name: "points of somebody else",
        before: with_points_of_somebody_else,
        command: &["run", "moves.dig", "--session", "2024-03-11"],
        ..SCENARIO
    },
    Scenario {
        name: "objects of a forgotten try",
        meanwhile: Some(Meanwhile {
            asleep_at: "metrics: note what is about to be made:after",
            done: leave_objects_where_they_are_about_to_be,
        }),
        ..SCENARIO
    },
];

/// The first four take points away for good, which no scenario here may, and the next is passed by damage alone
/// (`operators/metrics/src/tests`); then those of files in place of a replay (`metrics_input.rs`), of streams, and of a ledger that is
/// behind the catalog (`operators/metrics/src/tests/lag.rs`).
const ELSEWHERE: [&str; 9] = [
    "metrics: note that a window is about to be dropped",
    "metrics: set the tombstone of a dropped window",
    "metrics: drop the partition of a window",
    "metrics: note that a window is dropped",
    "metrics: note that a window is not as it should be",
    "metrics: remove the rows of an input",
    "metrics: note how far a stream is read",
    "metrics: note that a roll-up alone is left of a window",
    "metrics: note that another machine emptied the stores",
];

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

/// All is dumped; then somebody writes into the store who knows of no archive, and so touches no window.
fn with_points_of_somebody_else() -> Project {
    let project = example();
    project.write(
        "dump.dig",
        "timezone: UTC\n+replay: {metrics.replay>: data, to: hot}\n+flush: {metrics.flush>: hot, to: warm, age: 0s}\n\
         +dump: {metrics.dump>: warm, to: cold}\n",
    );
    project.write(
        "moves.dig",
        "timezone: UTC\n+late: {metrics.verify>: [warm, cold]}\n+dump: {metrics.dump>: warm, to: cold}\n\
         +verify: {metrics.verify>: [warm, cold]}\n+expire: {metrics.expire>: warm, older_than: 0d}\n",
    );
    project.succeed(&["run", "dump.dig", "--session", "2024-03-10"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let other = point("web-1.cpu", "2024-03-02T00:00:30Z", 77.5);
        embedded_store(&project, "warm").await.write(&other, DuplicateRule::Last).await.unwrap();
    });
    let file = "data/web-1.cpu.csv";
    let text = std::fs::read_to_string(project.path().join(file)).unwrap();
    project.write(file, format!("{text}2024-03-02 00:00:30,77.5\n"));
    project
}

/// What a try left that nobody remembers lies where the next one is about to write: its ledger was lost, and the clock of the
/// machine was set back. One object has a name that is written again, the other one has not.
fn leave_objects_where_they_are_about_to_be(project: &Project) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rows = runtime.block_on(async {
        let ledger = Ledger::open(&project.path().join(".suiro").join(metrics::ledger::FILE)).await.unwrap();
        ledger.rows(&TierName::new("cold").unwrap(), TimeRange::ALL).await.unwrap()
    });
    let prefix = rows.into_iter().find_map(|row| row.making).unwrap().prefix;
    let folder = project.path().join(".suiro/warehouse/s3").join(prefix.bucket()).join(prefix.key());
    std::fs::create_dir_all(&folder).unwrap();
    for object in ["part-00000.parquet", "part-00001.parquet"] {
        std::fs::write(folder.join(object), "what another try wrote").unwrap();
    }
}

/// Stopped before and after every effect, the tiers together hold exactly what was written; then they go on.
#[test]
fn a_stop_anywhere_loses_no_point_and_no_reader_misses_one() {
    let only = std::env::var("SCENARIO").ok();
    let mut reached: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let (mut wrong, mut samples) = (Vec::new(), 0);
    for scenario in SCENARIOS.iter().filter(|scenario| only.as_ref().is_none_or(|only| scenario.name == only)) {
        let before = (scenario.before)();
        let expected = written(&before);
        if !scenario.writes {
            assert_eq!(union(&before), expected, "{}", scenario.name);
        }
        let mut stops = Vec::new();
        for (point, count) in passes(scenario, &before) {
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
        let count = stops.len();
        let ended = in_pairs(stops, |stop| scenario.stopped_at(&before, &expected, &stop));
        let looks: usize = ended.iter().map(|ended| ended.samples).sum();
        println!("{count:4} stops, {looks:5} looks: {}", scenario.name);
        samples += looks;
        wrong.extend(ended.into_iter().flat_map(|ended| ended.wrong));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if only.is_some() {
        return;
    }
    let stopped = |point: &String| reached.get(point).is_some_and(|moments| moments.len() == 2);
    let is_here = |point: &String| !ELSEWHERE.contains(&point.as_str());
    let never: Vec<String> = points().into_iter().filter(|point| is_here(point) && !stopped(point)).collect();
    assert!(never.is_empty(), "no process was stopped before and after {never:?}");
    assert!(samples > reached.len(), "the reader looked {samples} times");
}

/// What came of a stop.
#[derive(Default)]
struct Ended {
    samples: usize,
    wrong: Vec<String>,
}

/// Runs a command to its end and returns which points of metrics it passed how often.
fn passes(scenario: &Scenario, before: &Project) -> Vec<(String, usize)> {
    let project = before.copy_with_state();
    let outcome = Outcome::of(&project, &scenario.run(&project, NOWHERE));
    assert_eq!(outcome.exit, Some(0), "{}\n{outcome}", scenario.name);
    traced(&outcome.stderr).into_iter().filter(|(point, _)| point.starts_with("metrics: ")).collect()
}

impl Scenario {
    fn command(&self, project: &Project) -> Command {
        project.command(self.command)
    }

    /// Runs the command with a plan, and lets others do what they do meanwhile.
    fn run(&self, project: &Project, plan: &str) -> Output {
        let mut command = self.command(project);
        command.env("SUIRO_LOG", "error,crash_point=trace");
        match self.meanwhile {
            Some(meanwhile) => {
                command.env("SUIRO_CRASH_AT", meanwhile.plan(plan));
                meanwhile.run(&mut command, project)
            }
            None => command.env("SUIRO_CRASH_AT", plan).output().unwrap(),
        }
    }

    /// Stops a command, looks at what the tiers hold, and runs it to its end; a reader reads all the while.
    fn stopped_at(
        &self,
        before: &Project,
        expected: &BTreeSet<String>,
        (point, moment, pass): &(String, &str, usize),
    ) -> Ended {
        let stop = format!("{point}:{moment}:{pass}");
        let what = format!("{}, stopped {stop}", self.name);
        let project = before.copy_with_state();
        let mut reader = Sampler::new(&project, Expected { points: expected, is_growing: self.writes });
        let stopped = reader.while_done(|| self.run(&project, &stop));
        let mut wrong = Vec::new();
        if stopped.status.code().is_some() && *pass == 1 {
            wrong.push(format!("the run was not stopped\n{}", Outcome::of(&project, &stopped)));
        }
        // A point that the command was about to write may be there or not; all others are.
        if project.path().join(".suiro/catalog.sqlite").is_file() {
            let held = union(&project);
            let is_whole = if self.writes { held.is_subset(expected) } else { held == *expected };
            if !is_whole {
                wrong.push("the tiers do not hold what was written".to_owned());
            }
        }
        let next = Outcome::of(&project, &reader.watch(&mut self.command(&project)));
        if next.exit != Some(0) {
            wrong.push(format!("the next run failed\n{next}"));
        } else if union(&project) != *expected {
            wrong.push("and then run to the end: the tiers do not hold what was written".to_owned());
        }
        wrong.append(&mut reader.wrong);
        let wrong = wrong.into_iter().map(|wrong| format!("{what}: {wrong}"));
        Ended { samples: reader.samples, wrong: wrong.collect() }
    }
}

/// The names of the crash points of metric tiers, as they stand in the sources.
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
