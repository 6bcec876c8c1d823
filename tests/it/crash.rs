//! The process is stopped before and after every durable effect of a load, a ctas and an apas; the same command then
//! continues. What is published is the same to the byte as undisturbed, nothing is left over, and a reader that looks at the
//! catalog all the while finds every partition as it was or as it becomes, never between.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::LazyLock;

use lake::name::{Location, TableName};
use lake::publish::VersionState;
use lake::publish::record::Record;
use lake::{Lake, LakeSettings};
use regex::Regex;

use crate::support::{Outcome, Project, copy, files_below, root};

/// A load with a rejected line, a table from a SELECT, and a partition from a SELECT with a check.
const WORKFLOW: &str = r#"
timezone: UTC
+load:
  load>:
    in:
      type: file
      path: fruit-${session_date}.csv
      parser:
        type: csv
        columns: [{name: name, type: varchar}, {name: price, type: "decimal(10,2)"}, {name: day, type: date}]
    out:
      type: table
      database: web
      table: fruit
      partition_by: {dt: "cast(day AS varchar)"}
      mode: replace_partitions
    max_rejected: 1
+copy:
  athena.ctas>: SELECT name, price * 2 AS twice FROM fruit ORDER BY name
  database: web
  table: twice
  save_mode: overwrite
+summary:
  athena.apas>: SELECT count(*) AS n, sum(price) AS total FROM fruit
  database: web
  table: summary
  partition_kv: {kind: all}
  checks:
    - SELECT n FROM new_version WHERE n < 1
"#;

/// The first session's rows, and the second's, which replace them.
const FIRST: (&str, &str) = ("2024-03-01", "apple,1.20,2024-03-01\npear,2.05,2024-03-01\nplum,0.35,2024-03-02\nbad\n");
const SECOND: (&str, &str) =
    ("2024-03-02", "apple,1.30,2024-03-01\npear,2.15,2024-03-01\nfig,0.80,2024-03-01\nplum,0.45,2024-03-02\nworse\n");

/// The passes of a point at which the process is stopped, as long as there are that many.
const PASSES: [u32; 3] = [1, 2, 5];

/// What a reader finds: table or partition → rows that the catalog tells, and the bytes of the objects.
type Found = BTreeMap<String, (Option<u64>, Vec<(usize, u64)>)>;

#[test]
fn a_stop_at_any_durable_effect_changes_nothing() {
    let empty = project();
    let before = project();
    run(&before, FIRST.0, &[]);
    let first = find(before.path());
    let undisturbed = Project::copy_of(before.path());
    copy(&before.path().join(".suiro"), &undisturbed.path().join(".suiro"));
    run(&undisturbed, SECOND.0, &[]);
    let second = find(undisturbed.path());
    assert!(first.len() >= 4 && first.keys().all(|name| second.contains_key(name)), "{first:?}\n{second:?}");
    assert!(first.iter().all(|(name, found)| name.contains("__rejected") || second[name] != *found));
    assert_eq!(leftovers(undisturbed.path()), Vec::<String>::new(), "undisturbed");

    let points = points();
    let mut stopped: BTreeSet<&str> = BTreeSet::new();
    let mut samples = 0;
    let mut wrong = Vec::new();
    for point in &points {
        for moment in ["before", "after"] {
            // From nothing: databases and tables are made on the way.
            if let Some((project, _)) = stop(&empty, FIRST.0, &format!("{point}:{moment}:1"), None) {
                stopped.insert(point);
                wrong.extend(end(&project, FIRST.0, &format!("{point}:{moment}:1, from nothing"), &first));
            }
            // Over what is there.
            for pass in PASSES {
                let plan = format!("{point}:{moment}:{pass}");
                let Some((project, seen)) = stop(&before, SECOND.0, &plan, Some((&first, &second))) else { break };
                stopped.insert(point);
                samples += seen.len();
                wrong.extend(seen.into_iter().flatten().map(|problem| format!("{plan}: a reader saw {problem}")));
                wrong.extend(end(&project, SECOND.0, &plan, &second));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} points stopped at\n{}", stopped.len(), points.len(), wrong.join("\n"));
    let never: Vec<&String> = points.iter().filter(|point| !stopped.contains(point.as_str())).collect();
    println!("stopped at {} points, looked {samples} times; not passed by this workflow: {never:?}", stopped.len());
    for needed in ["run: checkpoint", "run: tick", "load: write objects", "publish: the catalog call"] {
        assert!(stopped.contains(needed), "the process was never stopped at `{needed}`");
    }
}

fn project() -> Project {
    let project = Project::new();
    project.write("main.dig", WORKFLOW);
    for (session, rows) in [FIRST, SECOND] {
        project.write(&format!("fruit-{session}.csv"), rows);
    }
    project
}

fn run(project: &Project, session: &str, env: &[(&str, &str)]) -> Outcome {
    let mut command = project.command(&["run", "main.dig", "--session", session]);
    command.envs(env.iter().copied());
    let outcome = Outcome::of(project, &command.output().unwrap());
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    outcome
}

/// Runs a session in a copy of a project until it stops at a crash point, looking at the catalog meanwhile; none when the run
/// came to its end, because the point is not passed that often.
fn stop(
    from: &Project,
    session: &str,
    plan: &str,
    versions: Option<(&Found, &Found)>,
) -> Option<(Project, Vec<Option<String>>)> {
    let project = Project::new();
    copy(from.path(), project.path());
    if from.path().join(".suiro").is_dir() {
        copy(&from.path().join(".suiro"), &project.path().join(".suiro"));
    }
    let mut child = project
        .command(&["run", "main.dig", "--session", session, "-q"])
        .env("SUIRO_CRASH_AT", plan)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let seen = versions.map_or_else(Vec::new, |(old, new)| watch(project.path(), &mut child, old, new));
    match child.wait().unwrap().code() {
        // A signal: it stopped itself.
        None => Some((project, seen)),
        Some(0) => None,
        Some(code) => panic!("{plan}: the run ended with {code}"),
    }
}

/// Looks at the catalog until the process has ended, and once more.
fn watch(project: &Path, child: &mut Child, old: &Found, new: &Found) -> Vec<Option<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let lake = open(project).await;
        let mut seen = Vec::new();
        loop {
            let ended = child.try_wait().unwrap().is_some();
            let found = read(&lake).await;
            let missing = old.keys().find(|name| !found.contains_key(*name));
            let between =
                found.iter().find(|(name, found)| old.get(*name) != Some(found) && new.get(*name) != Some(found));
            seen.push(match (missing, between) {
                (Some(name), _) => Some(format!("no {name}")),
                (None, Some((name, found))) => Some(format!("{name} as {found:?}")),
                (None, None) => None,
            });
            if ended {
                return seen;
            }
        }
    })
}

/// Runs the same command to its end and returns what is not as it should be.
fn end(project: &Project, session: &str, plan: &str, expected: &Found) -> Vec<String> {
    let outcome = project.suiro(&["run", "main.dig", "--session", session]);
    if outcome.exit != Some(0) {
        return vec![format!("{plan}: the next run failed\n{outcome}")];
    }
    let found = find(project.path());
    let mut wrong = Vec::new();
    if found != *expected {
        wrong.push(format!("{plan}: published\n{found:?}\ninstead of\n{expected:?}"));
    }
    wrong.extend(leftovers(project.path()).into_iter().map(|object| format!("{plan}: left over: {object}")));
    wrong
}

async fn open(project: &Path) -> Lake {
    let state = project.join(".suiro");
    let warehouse = state.join("warehouse");
    Lake::open(LakeSettings::new(state, warehouse)).await.unwrap()
}

fn find(project: &Path) -> Found {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { read(&open(project).await).await })
}

/// Returns the folder that a partition of one key points to.
pub(crate) fn partition_location(project: &Path, database: &str, table: &str, value: &str) -> PathBuf {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let lake = open(project).await;
        let name = TableName::new(database, table).unwrap();
        let partition = lake.catalog.partition(&name, &[value.to_owned()]).await.unwrap().unwrap();
        lake.storage.file(&partition.location)
    })
}

/// Reads all that the catalog points to.
async fn read(lake: &Lake) -> Found {
    let mut found = Found::new();
    for database in lake.catalog.databases().await.unwrap() {
        for table in lake.catalog.tables(&database.name).await.unwrap() {
            if table.partition_keys.is_empty() {
                let rows = Record::read(&table.parameters).unwrap().map(|record| record.rows);
                found.insert(table.name.to_string(), (rows, objects(lake, table.location.as_ref().unwrap()).await));
            } else {
                for partition in lake.catalog.partitions(&table.name).await.unwrap() {
                    let rows = Record::read(&partition.parameters).unwrap().map(|record| record.rows);
                    // A partition of rejected lines is called by its load.
                    let name = format!("{} {}", table.name, partition.values.join("/"));
                    found.insert(name, (rows, objects(lake, &partition.location).await));
                }
            }
        }
    }
    found
}

/// The objects below a location, in the order of their names: length and hash.
async fn objects(lake: &Lake, location: &Location) -> Vec<(usize, u64)> {
    let mut contents = Vec::new();
    for object in lake.storage.list_data(location).await.unwrap() {
        let bytes = lake.storage.read(&object.location).await.unwrap();
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        contents.push((bytes.len(), hasher.finish()));
    }
    contents
}

/// Lists the objects that nothing points to and that no tombstone is set for.
fn leftovers(project: &Path) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let lake = open(project).await;
        let mut known: Vec<Location> = Vec::new();
        for database in lake.catalog.databases().await.unwrap() {
            for table in lake.catalog.tables(&database.name).await.unwrap() {
                let partitions = lake.catalog.partitions(&table.name).await.unwrap();
                known.extend(partitions.iter().map(|partition| partition.location.as_prefix()));
                if table.partition_keys.is_empty() {
                    known.extend(table.location.iter().map(Location::as_prefix));
                }
                let versions = lake.versions.of_table(&table.name).await.unwrap();
                let waiting = versions
                    .into_iter()
                    .filter(|version| matches!(version.state, VersionState::Retired | VersionState::Abandoned));
                known.extend(waiting.map(|version| version.location));
            }
        }
        let folder = project.join(".suiro/warehouse/s3");
        let mut left = Vec::new();
        for file in files_below(&folder) {
            if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('_')) {
                continue;
            }
            let location = format!("s3://{}", file.strip_prefix(&folder).unwrap().display());
            let object = Location::parse(&location).unwrap();
            if !known.iter().any(|prefix| prefix.contains(&object)) {
                left.push(location);
            }
        }
        left
    })
}

/// The names of all crash points, as they stand in the sources.
fn points() -> Vec<String> {
    static POINT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\.around\(\s*"([^"]+: [^"]+)""#).unwrap());
    let mut points = BTreeSet::new();
    for folder in ["engine/src", "operators/lake/src", "operators/src"] {
        for file in files_below(&root().join(folder)) {
            if file.file_name().is_some_and(|name| name != "crash.rs" && name != "tests.rs") {
                let text = std::fs::read_to_string(file).unwrap();
                points.extend(POINT.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    assert!(points.len() > 10, "{points:?}");
    points.into_iter().collect()
}
