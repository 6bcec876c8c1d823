//! Collection on AWS, where the places that it looks at are unusual.

use lake::name::Location;

use crate::aws_crash::world::World;
use crate::support::{Outcome, Project};

const WITH_A_BLANK: &str = r"
timezone: UTC
+blank:
  athena.ctas>: SELECT 1 AS n
  database: web
  table: blank
  location: s3://warehouse/with a blank/x/
";

const DAILY: &str = r"
timezone: UTC
+daily:
  athena.apas>: SELECT 1 AS n
  database: web
  table: daily
  partition_kv: {k: a}
";

const ELSEWHERE: &str = r"
timezone: UTC
+elsewhere:
  athena.ctas>: SELECT 1 AS n
  database: web
  table: elsewhere
  location: s3://nobody-made-it/x/
";

fn run(world: &World<'_>, project: &Project, workflow: &str, session: &str) -> Outcome {
    Outcome::of(project, &world.command(&["run", workflow, "--session", session]).output().unwrap())
}

/// Counts the objects with rows in the warehouse.
fn with_rows(world: &World<'_>) -> usize {
    world.with_lake(async |lake| {
        let objects = lake.storage.list(&Location::parse("s3://warehouse/").unwrap()).await.unwrap();
        objects.iter().filter(|object| object.location.file_name().ends_with(".parquet")).count()
    })
}

/// Versions are listed before they are published, and before they go.
#[test]
fn a_version_below_a_prefix_with_a_blank_is_published_and_collected() {
    let project = Project::in_memory();
    let world = World::start(&project, "");
    project.write("blank.dig", WITH_A_BLANK);
    for session in ["2024-01-01", "2024-01-02"] {
        let outcome = run(&world, &project, "blank.dig", session);
        assert_eq!(outcome.exit, Some(0), "{outcome}");
        assert_eq!(with_rows(&world), 1, "{session}");
    }
    world.stop();
}

/// Nothing was written there, and nothing of it is left to collect; what is elsewhere goes as ever.
#[test]
fn a_publish_into_a_bucket_that_is_not_there_leaves_nothing_to_collect() {
    let project = Project::in_memory();
    let world = World::start(&project, "");
    project.write("daily.dig", DAILY);
    project.write("elsewhere.dig", ELSEWHERE);
    assert_eq!(run(&world, &project, "daily.dig", "2024-01-01").exit, Some(0));
    let failed = run(&world, &project, "elsewhere.dig", "2024-01-01");
    assert!(failed.exit != Some(0) && failed.stderr.contains("there is no bucket `nobody-made-it`"), "{failed}");
    for session in ["2024-01-02", "2024-01-03"] {
        let outcome = run(&world, &project, "daily.dig", session);
        assert_eq!(outcome.exit, Some(0), "{outcome}");
        assert!(!outcome.stderr.contains("warning"), "{outcome}");
        assert_eq!(with_rows(&world), 1, "{session}");
    }
    world.stop();
}
