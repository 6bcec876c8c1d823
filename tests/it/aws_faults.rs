//! One call in twenty goes wrong, whatever it is, while workflows run on the profile of AWS: no task fails, no query is run
//! twice, and what is published is the same to the byte.
//!
//! `SUIRO_TEST_SOAK=600` goes on for so many seconds; then the time that a session took is printed beside that without faults.

use std::time::{Duration, Instant};

use lake::name::TableName;

use crate::aws_crash::scenario::Session;
use crate::aws_crash::world::{Found, Target, World};
use crate::support::{Outcome, Project};

/// Each for one call in a hundred, with a seed: 5 % of all calls.
const FAULTS: &str = "{probability: 0.01, effect: throttle}\n{probability: 0.01, effect: internal_error}\n\
                      {probability: 0.01, effect: unavailable}\n{probability: 0.01, effect: refuse}\n\
                      {probability: 0.01, effect: lost_reply}\n";

/// A load, partitions side by side with a check each, a table, and a query whose result is read.
const WORKFLOW: &str = r"
timezone: UTC
+load:
  load>:
    in: {type: file, path: 'rows-${session_date}.csv', parser: {type: csv, columns: [{name: name, type: varchar}, {name: day, type: varchar}]}}
    out: {type: table, database: web, table: loaded, partition_by: {dt: day}, mode: replace_partitions}
+daily:
  for_each>: {value: [a, b, c]}
  _parallel: true
  _do:
    athena.apas>: SELECT name, '${value}' AS letter FROM loaded
    database: web
    table: daily
    partition_kv: {k: '${value}'}
    checks:
      - SELECT name FROM new_version WHERE letter <> '${value}'
+made:
  athena.ctas>: SELECT k, count(*) AS n, min(name) AS name FROM daily GROUP BY k ORDER BY k
  database: web
  table: made
  save_mode: overwrite
+read:
  athena.query>: SELECT * FROM made
  database: web
  preview: true
";

/// The queries of a session: the writing one and the check of three partitions, a table, a result.
const QUERIES: usize = 8;

/// How many sessions `./test` runs.
const SESSIONS: i32 = 4;

fn targets() -> Vec<Target> {
    let partition = |table: &str, value: &str| (TableName::new("web", table).unwrap(), Some(vec![value.to_owned()]));
    let mut targets: Vec<Target> = ["a", "b", "c"].map(|value| partition("daily", value)).into();
    targets.extend(["d1", "d2"].map(|value| partition("loaded", value)));
    targets.push((TableName::new("web", "made").unwrap(), None));
    targets
}

fn project() -> Project {
    let project = Project::in_memory();
    project.write("main.dig", WORKFLOW);
    project
}

/// Runs a session, which must succeed; returns how long it took.
fn run(world: &World<'_>, project: &Project, session: &Session) -> Duration {
    session.write_rows(project);
    let begun = Instant::now();
    let output = world.command(&["run", "main.dig", "--session", &session.date]).output().unwrap();
    let took = begun.elapsed();
    let outcome = Outcome::of(project, &output);
    assert_eq!(outcome.exit, Some(0), "session {}\n{outcome}", session.date);
    took
}

#[test]
fn no_task_fails_and_no_query_runs_twice_when_calls_go_wrong() {
    let soak = std::env::var("SUIRO_TEST_SOAK").ok().map(|seconds| Duration::from_secs(seconds.parse().unwrap()));
    let calm = project();
    let world = World::start(&calm, "");
    let sessions = if soak.is_some() { 20 } else { 2 };
    let mut sides: [Vec<Found>; 2] = [Vec::new(), Vec::new()];
    let mut undisturbed = Duration::ZERO;
    for number in 0..sessions {
        let session = Session::of(number);
        undisturbed += run(&world, &calm, &session);
        sides[session.side()] = world.found(&targets());
    }
    world.stop();
    let undisturbed = undisturbed / sessions.unsigned_abs();
    assert_ne!(sides[0], sides[1]);

    let project = project();
    let world = World::start(&project, FAULTS);
    let begun = Instant::now();
    let (mut number, mut disturbed) = (0, Duration::ZERO);
    while number < SESSIONS || soak.is_some_and(|soak| begun.elapsed() < soak) {
        let session = Session::of(number);
        disturbed += run(&world, &project, &session);
        assert_eq!(world.found(&targets()), sides[session.side()], "session {}", session.date);
        number += 1;
    }
    let sessions = usize::try_from(number).unwrap();
    let queries = world.queries();
    assert_eq!(queries.get("SUCCEEDED"), Some(&(QUERIES * sessions)), "{queries:?}");
    assert_eq!(queries.len(), 1, "{queries:?}");
    let left = world.left_over();
    assert!(left.is_empty(), "{left:?}");
    world.stop();
    let disturbed = disturbed / number.unsigned_abs();
    println!(
        "{sessions} sessions of {QUERIES} queries, {disturbed:.2?} each with faults and {undisturbed:.2?} without: {:.2} times",
        disturbed.as_secs_f64() / undisturbed.as_secs_f64()
    );
}
