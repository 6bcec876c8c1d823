//! What goes wrong once costs no task: answers of S3 that break off, and queries that fail in a way that may go well the next time.

use std::collections::BTreeMap;

use lake::catalog::Database;

use crate::aws_crash::world::World;
use crate::support::{Outcome, Project};

/// The first answers of S3 break off; the query, the writing query and the check fail once each.
const FAULTS: &str = "{service: s3, operation: GetObject, nth: [1, 2], effect: truncate}\n\
                      {service: s3, operation: ListObjectsV2, nth: [1, 2], effect: truncate}\n\
                      {service: athena, operation: StartQueryExecution, nth: [1, 3, 5], effect: fail_query}\n";

const WORKFLOW: &str = "
timezone: UTC
+read:
  athena.query>: SELECT 1 AS n
  database: web
+daily:
  athena.apas>: SELECT 1 AS n
  database: web
  table: daily
  partition_kv: {k: a}
  checks:
    - SELECT n FROM new_version WHERE n <> 1
";

#[test]
fn a_fault_of_each_kind_costs_no_task() {
    let project = Project::in_memory();
    project.write("main.dig", WORKFLOW);
    let world = World::start(&project, FAULTS);
    world.with_lake(async |lake| lake.catalog.create_database(&Database::new("web")).await.unwrap());
    let output = world.command(&["run", "main.dig", "--session", "2026-01-01"]).output().unwrap();
    let outcome = Outcome::of(&project, &output);
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    let expected = BTreeMap::from([("FAILED".to_owned(), 3), ("SUCCEEDED".to_owned(), 3)]);
    assert_eq!(world.queries(), expected, "{outcome}");
    let left = world.left_over();
    assert!(left.is_empty(), "{left:?}");
    world.stop();
}
