//! One call in twenty goes wrong, whatever it is, while workflows run on the profile of AWS: no task fails, no query is run
//! twice, and what is published is the same to the byte.
//!
//! `SUIRO_TEST_SOAK=600` goes on for so many seconds of workflow with faults. Each session runs in turn on an endpoint without
//! them, and the time that one took is printed beside that.

use std::io::Write as _;
use std::time::{Duration, Instant};

use lake::name::TableName;

use crate::aws_crash::scenario::Session;
use crate::aws_crash::world::{Target, World};
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
    let projects = [project(), project()];
    let worlds = [World::start(&projects[0], ""), World::start(&projects[1], FAULTS)];
    let mut took = [Duration::ZERO; 2];
    let mut before = Vec::new();
    let mut number = 0;
    while number < SESSIONS || soak.is_some_and(|soak| took[1] < soak) {
        let session = Session::of(number);
        // In turn, and each first as often: whatever else the machine does meanwhile, and however long the history is by then,
        // weighs on both alike.
        let order = if session.side() == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            took[which] += run(&worlds[which], &projects[which], &session);
        }
        let found = worlds[0].found(&targets());
        assert_eq!(worlds[1].found(&targets()), found, "session {}", session.date);
        assert_ne!(found, before, "session {}", session.date);
        before = found;
        number += 1;
    }
    let sessions = usize::try_from(number).unwrap();
    for world in worlds {
        let queries = world.queries();
        assert_eq!(queries, [("SUCCEEDED".to_owned(), QUERIES * sessions)].into());
        let left = world.left_over();
        assert!(left.is_empty(), "{left:?}");
        world.stop();
    }
    let [undisturbed, disturbed] = took.map(|took| took / number.unsigned_abs());
    // Not by the macro, which shows nothing of a test that passes.
    writeln!(
        std::io::stderr(),
        "{sessions} sessions of {QUERIES} queries, {disturbed:.2?} each with faults and {undisturbed:.2?} without: {:.2} times",
        disturbed.as_secs_f64() / undisturbed.as_secs_f64()
    )
    .unwrap();
}

#[test]
fn calls_at_once_outlast_an_outage_together() {
    // More repeats than the quota of the SDK has, which its calls of a service would share: 500 for ten each.
    const CALLS: usize = 16;
    let project = Project::in_memory();
    let world = World::start(&project, "{operation: GetDatabases, times: 128, effect: unavailable}\n");
    let answers =
        world.with_lake(async |lake| futures::future::join_all((0..CALLS).map(|_| lake.catalog.databases())).await);
    for answer in answers {
        answer.unwrap();
    }
    world.stop();
}
