//! `metrics.write>` from files, stopped before and after every effect: the next run goes on, and in the end the tier holds what
//! an undisturbed run writes, the rejected lines are kept once, and nothing else is left.

use crate::crash::{in_pairs, traced};
use crate::support::{Outcome, Project, copy, files_below, root};

/// Two of the six lines are points, and the others are kept apart.
const RUN: [&str; 6] = ["run", "most.dig", "--session", "2024-03-13", "-p", "most=4"];

/// A plan that stops nowhere, so that all passes are traced.
const TRACED: [(&str, &str); 2] = [("SUIRO_CRASH_AT", "nowhere:before"), ("SUIRO_LOG", "error,crash_point=trace")];

fn project() -> Project {
    let project = Project::in_memory();
    copy(&root().join("tests/cases/metrics/write"), project.path());
    project
}

/// What the tier and the table of rejected lines hold.
fn held(project: &Project) -> String {
    let read = ["metrics", "read", "--name", "good", "--from", "2024-02-01", "--to", "2024-04-01", "--step", "raw"];
    let points = project.succeed(&[&read[..], &["--format", "csv"]].concat()).stdout;
    let rejected = project.query("SELECT line_number, reason FROM metrics.points_1m__rejected ORDER BY 1");
    format!("{points}{rejected}")
}

#[test]
fn a_stop_anywhere_is_gone_on_from() {
    let undisturbed = project();
    let output = undisturbed.command(&RUN).envs(TRACED).output().unwrap();
    let outcome = Outcome::of(&undisturbed, &output);
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    let expected = held(&undisturbed);
    assert_eq!(expected.lines().count(), 3 + 5, "{expected}");
    let mut stops = Vec::new();
    for (point, count) in traced(&outcome.stderr) {
        if !["load: ", "metrics: ", "publish: ", "version: "].iter().any(|start| point.starts_with(start)) {
            continue;
        }
        for pass in std::collections::BTreeSet::from([1, count]) {
            stops.extend(["before", "after"].map(|moment| format!("{point}:{moment}:{pass}")));
        }
    }
    assert!(stops.iter().any(|stop| stop.starts_with("metrics: remove the rows of an input")), "{stops:?}");
    let wrong: Vec<String> = in_pairs(stops, |stop| stopped_at(&stop, &expected)).into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn stopped_at(stop: &str, expected: &str) -> Vec<String> {
    let project = project();
    let stopped = project.command(&RUN).env("SUIRO_CRASH_AT", stop).output().unwrap();
    let mut wrong = Vec::new();
    if stopped.status.code().is_some() {
        wrong.push(format!("{stop}: the run was not stopped\n{}", Outcome::of(&project, &stopped)));
    }
    let next = project.suiro(&RUN);
    if next.exit != Some(0) {
        wrong.push(format!("{stop}: the next run failed\n{next}"));
        return wrong;
    }
    let found = held(&project);
    if found != expected {
        wrong.push(format!("{stop}: held\n{found}\ninstead of\n{expected}"));
    }
    let incoming = project.path().join(".suiro/metrics/incoming");
    if incoming.is_dir() && !files_below(&incoming).is_empty() {
        wrong.push(format!("{stop}: left over: {:?}", files_below(&incoming)));
    }
    wrong
}

/// Rows that were read and are gone before they are points are no points that were written: the run says so, and a new one reads
/// the input anew.
#[test]
fn rows_that_are_lost_before_they_are_points_are_noticed() {
    let undisturbed = project();
    undisturbed.succeed(&RUN);
    let expected = held(&undisturbed);
    let project = self::project();
    // All is read, and nothing is written yet.
    let at = "metrics: touch the windows before a write:before";
    let stopped = project.command(&RUN).env("SUIRO_CRASH_AT", at).output().unwrap();
    assert_eq!(stopped.status.code(), None, "{}", Outcome::of(&project, &stopped));
    let incoming = project.path().join(".suiro/metrics/incoming");
    assert!(!files_below(&incoming).is_empty());
    std::fs::remove_dir_all(&incoming).unwrap();
    let noticed = project.suiro(&RUN);
    assert_eq!(noticed.exit, Some(2), "{noticed}");
    let said = "error[T0402] +most+write (most.dig:1:1)\n  2 rows were read, and 0 of them are still below the project's state\n";
    assert!(noticed.stderr.contains(said), "{noticed}");
    let help = "run it again with `--rerun`: the input is read anew, and points that were written stay as they are";
    assert!(noticed.stderr.contains(help), "{noticed}");
    project.succeed(&[&RUN[..], &["--rerun"]].concat());
    assert_eq!(held(&project), expected);
    assert!(!incoming.is_dir() || files_below(&incoming).is_empty());
}
