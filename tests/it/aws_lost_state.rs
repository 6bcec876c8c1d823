//! The state of a profile on AWS is lost, with the ledger of versions: the next run goes on with what the
//! catalog and the objects say, and collects what nobody points to any more.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lake::catalog::{Column, Database, Expect, Table, TableFormat};
use lake::name::{Location, TableName};
use serde_json::json;

use crate::aws_crash::world::World;
use crate::support::{Outcome, Project, files_below};

const ALL: &str = r"
timezone: UTC
+parts:
  for_each>: {value: [a, b, c, d]}
  _do:
    athena.apas>: SELECT CAST(date_diff('day', DATE '2024-01-01', DATE '${session_date}') AS bigint) AS n
    database: web
    table: daily
    partition_kv: {k: '${value}'}
";

const ONE: &str = r"
timezone: UTC
+one:
  athena.apas>: SELECT CAST(date_diff('day', DATE '2024-01-01', DATE '${session_date}') AS bigint) AS n
  database: web
  table: daily
  partition_kv: {k: a}
";

fn name(database: &str, table: &str) -> TableName {
    TableName::new(database, table).unwrap()
}

/// Runs a workflow; what is replaced is kept so long.
fn run(world: &World<'_>, project: &Project, workflow: &str, session: &str, retention: &str) -> Outcome {
    let mut command = world.command(&["run", workflow, "--session", session]);
    let outcome = Outcome::of(project, &command.env("SUIRO_RETENTION", retention).output().unwrap());
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    outcome
}

/// Where readers of each partition are pointed.
fn current(world: &World<'_>) -> BTreeMap<String, Location> {
    world.with_lake(async |lake| {
        let partitions = lake.catalog.partitions(&name("web", "daily")).await.unwrap();
        partitions.into_iter().map(|partition| (partition.values[0].clone(), partition.location)).collect()
    })
}

fn folder(project: &Project, location: &Location) -> PathBuf {
    project.path().join(".suiro/warehouse/s3").join(location.bucket()).join(location.key())
}

fn has_objects(folder: &Path) -> bool {
    folder.is_dir() && !files_below(folder).is_empty()
}

fn query(world: &World<'_>, project: &Project, sql: &str) -> String {
    let mut command = world.command(&["query", "--format", "csv", sql]);
    let outcome = Outcome::of(project, &command.output().unwrap());
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    outcome.stdout
}

/// Makes objects three days old.
fn age(folder: &Path) {
    let old = SystemTime::now() - Duration::from_hours(72);
    for file in files_below(folder) {
        OpenOptions::new().write(true).open(file).unwrap().set_modified(old).unwrap();
    }
}

#[test]
fn versions_of_a_lost_ledger_are_collected_and_what_is_in_use_stays() {
    let project = Project::in_memory();
    let world = World::start(&project, "");
    project.write("all.dig", ALL);
    project.write("one.dig", ONE);
    run(&world, &project, "all.dig", "2024-01-02", "24h");
    let first = current(&world);
    run(&world, &project, "all.dig", "2024-01-03", "24h");
    let second = current(&world);
    let is_there = |location: &Location| has_objects(&folder(&project, location));
    assert!(first.values().chain(second.values()).all(is_there));

    // All of it is old, but one that may be on its way to being published.
    let root = first["a"].parent().unwrap().parent().unwrap();
    let notes = folder(&project, &root).join("0123456789abcdef/notes");
    std::fs::create_dir(notes.parent().unwrap()).unwrap();
    std::fs::create_dir(&notes).unwrap();
    std::fs::write(notes.join("x.parquet"), "not a version").unwrap();
    for folder in [folder(&project, &root), notes.clone()] {
        age(&folder);
    }
    let now = SystemTime::now();
    for file in files_below(&folder(&project, &first["d"])) {
        OpenOptions::new().write(true).open(file).unwrap().set_modified(now).unwrap();
    }
    // One is what a table of another database points to, and one has a live lease.
    let copy = || {
        let columns = vec![Column::new("n", "bigint")];
        Table::new(name("other", "copy"), columns, Vec::new(), first["b"].clone(), TableFormat::Parquet)
    };
    world.with_lake(async |lake| {
        lake.catalog.create_database(&Database::new("other")).await.unwrap();
        lake.catalog.put_table(&copy(), Expect::Absent).await.unwrap();
    });
    let lease = folder(&project, &first["c"]).parent().unwrap().join("_suiro_lease.json");
    let expires_ms = Timestamp::now().as_millisecond() + 60_000;
    let held = json!({ "holder": first["c"].to_string(), "fence": 1, "expires_ms": expires_ms });
    std::fs::write(&lease, held.to_string()).unwrap();

    std::fs::remove_dir_all(project.path().join(".suiro/aws")).unwrap();
    run(&world, &project, "one.dig", "2024-01-04", "0s");
    assert!(!is_there(&first["a"]), "nobody points to it");
    assert!(!is_there(&second["a"]), "nobody points to it any more");
    assert!(is_there(&first["b"]), "a table of another database points to it");
    assert!(is_there(&first["c"]), "somebody is about to publish it");
    assert!(is_there(&first["d"]), "it is young");
    assert!(notes.join("x.parquet").is_file(), "it is no version");
    assert_eq!(query(&world, &project, "SELECT n FROM other.copy"), "n\n1\n");
    let all = "SELECT k, n FROM web.daily ORDER BY k";
    assert_eq!(query(&world, &project, all), "k,n\na,3\nb,2\nc,2\nd,2\n");

    // Nothing holds them any more.
    std::fs::remove_file(&lease).unwrap();
    world.with_lake(async |lake| assert!(lake.catalog.drop_table(&name("other", "copy")).await.unwrap()));
    age(&folder(&project, &first["d"]));
    std::fs::remove_dir_all(project.path().join(".suiro/aws")).unwrap();
    run(&world, &project, "one.dig", "2024-01-05", "0s");
    for value in ["b", "c", "d"] {
        assert!(!is_there(&first[value]), "{value}");
        assert!(is_there(&second[value]), "{value}");
    }
    assert!(notes.join("x.parquet").is_file(), "it is no version");
    assert_eq!(query(&world, &project, all), "k,n\na,4\nb,2\nc,2\nd,2\n");
    world.stop();
}

/// What is said to a role that may not list the databases.
const UNLISTED: &str = "warning: old versions were not collected, the next run tries again: nothing is collected: the databases may \
                        not be listed (`glue:GetDatabases`), and could point to what would go. Versions that were replaced, and \
                        those of a state that was lost, stay and cost room until that is allowed; no reader is affected\n  = help: \
                        let who suiro acts as read all databases: `glue:GetDatabases` (docs/aws_permissions.md)\n";

#[test]
fn nothing_is_collected_where_not_all_databases_may_be_seen() {
    let project = Project::in_memory();
    let world = World::start(&project, "{operation: GetDatabases, effect: deny}");
    project.write("one.dig", ONE);
    run(&world, &project, "one.dig", "2024-01-02", "0s");
    let first = current(&world);
    let outcome = run(&world, &project, "one.dig", "2024-01-03", "0s");
    assert!(outcome.stderr.contains(UNLISTED), "{outcome}");
    assert!(has_objects(&folder(&project, &first["a"])));
    assert_eq!(query(&world, &project, "SELECT n FROM web.daily"), "n\n2\n");

    // The ledger is lost: nothing is known that is due, and what is lost cannot be told from what is in use.
    let root = first["a"].parent().unwrap().parent().unwrap();
    age(&folder(&project, &root));
    std::fs::remove_dir_all(project.path().join(".suiro/aws")).unwrap();
    let outcome = run(&world, &project, "one.dig", "2024-01-04", "24h");
    assert_eq!(outcome.stderr.matches(UNLISTED).count(), 1, "{outcome}");
    assert!(has_objects(&folder(&project, &first["a"])));
    world.stop();
}
