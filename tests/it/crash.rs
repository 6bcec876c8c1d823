//! The process is stopped before and after every durable effect; the same command then continues. What is published is the
//! same to the byte as undisturbed, nothing is left over, and a reader that reads all that the catalog points to, all the
//! while, finds every table and partition as it was or as it becomes, never between.
//!
//! Each scenario is run once undisturbed, with the passes of the crash points traced; then it is stopped at each of them.
//! A point that stands in the sources and at which no process was ever stopped, on both sides, fails the test.
//!
//! `SCENARIO="other loads" cargo test --test it crash::` runs one of them alone, without asking for all points.

mod reader;
mod scenario;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

use regex::Regex;

pub(crate) use reader::partition_location;
use reader::{End, Found, Reader};
use scenario::Scenario;

use crate::support::{Outcome, Project, files_below, root};

/// A plan that stops nowhere, so that all passes are traced.
const TRACED: [(&str, &str); 2] = [("SUIRO_CRASH_AT", "nowhere:before"), ("SUIRO_LOG", "error,crash_point=trace")];

/// How a process is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// At once, as by `kill -9`.
    Killed,
    /// By SIGINT, after which it stops its tasks and stores their state.
    Interrupted,
}

/// Where a process is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stop {
    how: How,
    point: String,
    moment: &'static str,
    pass: usize,
}

impl Stop {
    fn plan(&self) -> String {
        let how = if self.how == How::Interrupted { "interrupt " } else { "" };
        format!("{how}{}:{}:{}", self.point, self.moment, self.pass)
    }
}

/// A scenario with what it comes to when nothing stops it.
struct Known {
    scenario: Scenario,
    before: Project,
    old: Found,
    new: End,
    stops: Vec<Stop>,
}

#[test]
fn a_stop_at_any_durable_effect_changes_nothing() {
    let only = std::env::var("SCENARIO").ok();
    let scenarios =
        scenario::all().into_iter().filter(|scenario| only.as_ref().is_none_or(|only| scenario.name == only));
    let known = in_pairs(scenarios.collect(), Known::of);
    for known in &known {
        println!("{:4} stops: {}", known.stops.len(), known.scenario.name);
    }
    let jobs: Vec<(&Known, &Stop)> =
        known.iter().flat_map(|known| known.stops.iter().map(move |stop| (known, stop))).collect();
    let results = in_pairs(jobs, |(known, stop)| (stop, known.run(stop)));

    let mut stopped: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let (mut samples, mut runs, mut wrong) = (0, 0, Vec::new());
    for (stop, result) in &results {
        // The last of several passes need not come again: how often a query is looked at is a matter of time.
        let Some(result) = result else { continue };
        if stop.how == How::Killed {
            stopped.entry(&stop.point).or_default().insert(stop.moment);
        }
        samples += result.samples;
        runs += 1;
        wrong.extend(result.wrong.iter().cloned());
    }
    let points = points();
    println!("stopped {runs} times at {} of {} points; a reader looked {samples} times", stopped.len(), points.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if only.is_some() {
        return;
    }
    let never: Vec<&String> =
        points.iter().filter(|point| stopped.get(point.as_str()).is_none_or(|moments| moments.len() < 2)).collect();
    assert!(never.is_empty(), "no process was stopped before and after {never:?}");
    assert!(samples > runs, "the reader looked {samples} times");
}

/// Does work two at a time, as there are processors; the results are in the order of the work.
pub(crate) fn in_pairs<T: Send, R: Send>(work: Vec<T>, each: impl Fn(T) -> R + Sync) -> Vec<R> {
    let work: Vec<Mutex<Option<T>>> = work.into_iter().map(|item| Mutex::new(Some(item))).collect();
    let results: Vec<Mutex<Option<R>>> = work.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(item) = work.get(at) else { return };
                    let item = item.lock().unwrap().take().unwrap();
                    *results[at].lock().unwrap() = Some(each(item));
                }
            });
        }
    });
    results.into_iter().map(|result| result.into_inner().unwrap().unwrap()).collect()
}

/// What came of a stop.
#[derive(Default)]
struct Ended {
    samples: usize,
    wrong: Vec<String>,
}

impl Known {
    /// Runs a scenario undisturbed and learns its stops.
    fn of(scenario: Scenario) -> Self {
        let before = scenario.before();
        let name = scenario.name;
        let project = before.copy_with_state();
        scenario.lead_in(&project);
        let old = End::of(project.path(), scenario.places, &[]).found;
        scenario.let_go(&project);
        let output = scenario.command(&project, scenario.command).envs(TRACED).output().unwrap();
        let outcome = Outcome::of(&project, &output);
        assert_eq!(outcome.exit, Some(scenario.exit), "{name}\n{outcome}");
        let stops = scenario.stops(&traced(&outcome.stderr));
        for command in scenario.finish {
            let outcome = Outcome::of(&project, &scenario.command(&project, command).output().unwrap());
            assert_eq!(outcome.exit, Some(0), "{name}\n{outcome}");
        }
        let left = reader::temporary(project.path());
        assert!(left.is_empty(), "{name}, undisturbed: {left:?}");
        let new = End::of(project.path(), scenario.places, &scenario.ends_as());
        assert_eq!(new.leftovers.len(), scenario.leaves, "{name}: {:?}", new.leftovers);
        assert!(new.problems.is_empty(), "{name}, undisturbed: {:?}", new.problems);
        Self { scenario, before, old, new, stops }
    }

    /// Stops a run, and runs the same command to its end; none when the run came to its end without the stop.
    fn run(&self, stop: &Stop) -> Option<Ended> {
        let scenario = &self.scenario;
        let project = self.before.copy_with_state();
        scenario.lead_in(&project);
        let holds = scenario.holds_for(&stop.point);
        if !holds {
            scenario.let_go(&project);
        }
        let what = format!("{}, stopped {}", scenario.name, stop.plan());
        let mut reader = Reader::new(project.path(), &self.old, &self.new.found, scenario);
        let plan = stop.plan();
        let output = reader.watch(scenario.command(&project, scenario.command).env("SUIRO_CRASH_AT", &plan));
        match output.status.code() {
            // A signal: it stopped itself, or no task had begun when it was interrupted.
            None => {}
            // It may have been at its end when it was interrupted.
            Some(code) if stop.how == How::Interrupted && [130, scenario.exit].contains(&code) => {}
            Some(code) if code == scenario.exit && stop.pass > 1 => return None,
            Some(code) => {
                let outcome = Outcome::of(&project, &output);
                let wrong = vec![format!("{what}: the run ended with {code} and was not stopped\n{outcome}")];
                return Some(Ended { samples: 0, wrong });
            }
        }
        if holds {
            scenario.let_go(&project);
        }
        let mut wrong = Vec::new();
        for outcome in scenario.run_to_end(&project, &mut reader) {
            wrong.push(format!("{what}: the next run failed\n{outcome}"));
        }
        let (samples, seen) = reader.close();
        wrong.extend(seen.into_iter().map(|seen| format!("{what}: a reader saw {seen}")));
        wrong.extend(reader::temporary(project.path()).into_iter().map(|left| format!("{what}: left over: {left}")));
        let end = End::of(project.path(), scenario.places, &scenario.ends_as());
        if end.found != self.new.found {
            wrong.push(format!("{what}: published\n{:?}\ninstead of\n{:?}", end.found, self.new.found));
        }
        if end.leftovers != self.new.leftovers {
            wrong.push(format!("{what}: left over: {:?}\ninstead of {:?}", end.leftovers, self.new.leftovers));
        }
        wrong.extend(end.problems.into_iter().map(|problem| format!("{what}: {problem}")));
        Some(Ended { samples, wrong })
    }
}

/// Reads how often each point was passed out of the trace of a run, in the order of the first passes.
pub(crate) fn traced(stderr: &str) -> Vec<(String, usize)> {
    static PASS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)^TRACE before (.+)$").unwrap());
    let mut passes: Vec<(String, usize)> = Vec::new();
    for pass in PASS.captures_iter(stderr) {
        match passes.iter_mut().find(|(point, _)| *point == pass[1]) {
            Some((_, count)) => *count += 1,
            None => passes.push((pass[1].to_owned(), 1)),
        }
    }
    assert!(!passes.is_empty(), "no pass was traced\n{stderr}");
    passes
}

/// Where points may stand that only AWS has (`aws: …`): the embedded lake never passes them. Tests of their own stop there,
/// which also fail for one that they never reached: `aws_crash.rs` a process, `conformance/publish.rs` and
/// `conformance/athena.rs` a step.
///
/// What a batch left is deleted on every lake, but only after its query has failed, which no scenario here does.
const OF_AWS: [&str; 9] = [
    "catalog/aws",
    "publish/collect.rs",
    "publish/late.rs",
    "publish/lease",
    "publish/lost.rs",
    "publish/step/batch.rs",
    "publish/whole.rs",
    "query/athena",
    "storage/s3",
];

/// The names of all crash points, as they stand in the sources, without those that only AWS has.
fn points() -> Vec<String> {
    static POINT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\.around(?:_now)?\(\s*"([^"]+: [^"]+)""#).unwrap());
    let mut points = BTreeSet::new();
    for folder in ["engine/src", "operators/lake/src", "operators/metrics/src", "operators/src", "src"] {
        for file in files_below(&root().join(folder)) {
            if file.file_name().is_some_and(|name| name != "crash.rs" && name != "tests.rs") {
                let text = std::fs::read_to_string(&file).unwrap();
                let (of_aws, others): (Vec<String>, Vec<String>) = POINT
                    .captures_iter(&text)
                    .map(|found| found[1].to_owned())
                    .partition(|point| point.starts_with("aws: "));
                let path = file.to_string_lossy();
                // Those of Trino have a test of their own too (`conformance/trino.rs`).
                let (of_trino, others): (Vec<String>, Vec<String>) =
                    others.into_iter().partition(|point| point.starts_with("trino: "));
                assert!(
                    of_trino.is_empty() || path.contains("operators/lake/src/query/trino/"),
                    "{path}: {of_trino:?}"
                );
                assert!(
                    of_aws.is_empty()
                        || OF_AWS.iter().any(|place| path.contains(&format!("operators/lake/src/{place}"))),
                    "{path}: {of_aws:?}"
                );
                // Those of metric tiers as well (`metrics.rs`).
                let (of_metrics, others): (Vec<String>, Vec<String>) =
                    others.into_iter().partition(|point| point.starts_with("metrics: "));
                assert!(of_metrics.is_empty() || path.contains("/metrics/"), "{path}: {of_metrics:?}");
                points.extend(others);
            }
        }
    }
    assert!(points.len() > 40, "{points:?}");
    points.into_iter().collect()
}
