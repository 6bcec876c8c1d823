//! A process that sleeps beyond the term of its lease, on AWS: another machine takes the lease over and
//! publishes; the one that wakes up finds that it is late, gives up what it wrote, and computes anew.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::aws_crash::world::World;
use crate::support::{Outcome, Project, files_below};

const FIRST: &str = r"
timezone: UTC
+first:
  athena.apas>: SELECT CAST(1 AS bigint) AS n
  database: web
  table: daily
  partition_kv: {k: a}
";

/// Whoever publishes on what was there before loses what came between.
const ONE_MORE: &str = r"
timezone: UTC
+one_more:
  athena.apas>: SELECT max(n) + 1 AS n FROM daily WHERE k = 'a'
  database: web
  table: daily
  partition_kv: {k: a}
";

/// The versions of the partition, and what lies beside them.
fn beside(project: &Project) -> BTreeSet<String> {
    let root = project.path().join(".suiro/warehouse/s3/warehouse/web/daily--versions");
    let values =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let entries = std::fs::read_dir(values).unwrap().map(|entry| entry.unwrap().path());
    let there = entries.filter(|path| path.is_file() || !files_below(path).is_empty());
    there.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn run(project: &Project, mut command: Command) {
    let outcome = Outcome::of(project, &command.output().unwrap());
    assert_eq!(outcome.exit, Some(0), "{outcome}");
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_process_that_slept_beyond_its_lease_overwrites_nothing() {
    let project = Project::in_memory();
    let world = World::start(&project, "");
    project.write("first.dig", FIRST);
    run(&project, world.command(&["run", "first.dig", "--session", "2024-01-01"]));

    // It has written the next version, holds the lease, and falls asleep before it publishes.
    project.write("more.dig", ONE_MORE);
    let mut sleeper = world.command(&["run", "more.dig", "--session", "2024-01-02"]);
    sleeper.env("SUIRO_CRASH_AT", "pause aws: take the lease:after").env("SUIRO_LOG", "error,crash_point=trace");
    let mut sleeper = sleeper.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(sleeper.stderr.take().unwrap()).lines().map(Result::unwrap);
    said.by_ref().find(|line| line.contains("after aws: take the lease")).unwrap();
    let before = beside(&project);
    assert_eq!(before.len(), 3, "two versions and the lease: {before:?}");

    // Another machine waits until nobody has renewed the lease for its term.
    let other = Project::in_memory();
    other.write("more.dig", ONE_MORE);
    run(&other, world.command_in(&other, &["run", "more.dig", "--session", "2024-01-02"]));
    let shown = |expected: &str| {
        let mut query = world.command(&["query", "--format", "csv", "SELECT k, n FROM web.daily"]);
        let outcome = Outcome::of(&project, &query.output().unwrap());
        assert_eq!(outcome.stdout, expected, "{outcome}");
    };
    shown("k,n\na,2\n");
    let others: BTreeSet<String> = beside(&project).difference(&before).cloned().collect();
    assert_eq!(others.len(), 1, "the version of the other machine: {others:?}");

    signal(&sleeper, "-CONT");
    // Nobody else reads what it says.
    let said: Vec<String> = said.collect();
    assert_eq!(sleeper.wait().unwrap().code(), Some(0), "{said:#?}");
    shown("k,n\na,3\n");
    let left = beside(&project);
    assert!(left.is_superset(&others), "{left:?}");
    let gone: Vec<&String> = before.difference(&left).collect();
    assert!(gone.iter().any(|name| name.contains("lease")), "no lease is left: {left:?}");
    assert_eq!(gone.len(), 2, "the lease, and the version that came too late: {before:?}, then {left:?}");
    world.stop();
}
