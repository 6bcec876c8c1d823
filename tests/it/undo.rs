//! Going back to the version before and forward again: what is said of it is how it is.

use crate::support::{Outcome, Project};

/// Publishes `web.fruit dt=1` with the rows of a file, which each run may find changed.
const WORKFLOW: &str = "\
+publish:
  athena.apas>: fruit.sql
  database: web
  table: fruit
  partition_kv: {dt: \"1\"}
+other:
  athena.apas>: SELECT 'fig' AS name
  database: web
  table: fruit
  partition_kv: {dt: \"2\"}
  save_mode: skip_if_exists
";

/// A project with two versions of a partition.
fn two_versions() -> Project {
    let project = Project::new();
    project.write("main.dig", WORKFLOW);
    for name in ["apple", "pear"] {
        project.write("fruit.sql", format!("SELECT '{name}' AS name"));
        project.succeed(&["run", "main.dig", "--session", "2024-03-01", "--rerun"]);
    }
    project
}

/// The columns `partition` and `undo` of the list.
fn listed(project: &Project) -> Vec<(String, String)> {
    let text = project.succeed(&["partition", "list", "web.fruit"]).stdout;
    let head = text.lines().next().unwrap();
    let (from, to) = (head.find("undo").unwrap(), head.find("location").unwrap());
    let row = |line: &str| {
        (line.split_whitespace().next().unwrap().to_owned(), line.get(from..to).unwrap().trim().to_owned())
    };
    text.lines().skip(1).map(row).collect()
}

/// What `--json` says of the first partition.
fn first_as_json(project: &Project) -> (serde_json::Value, serde_json::Value) {
    let text = project.succeed(&["--json", "partition", "list", "web.fruit"]).stdout;
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    (first["undo"].clone(), first["redo"].clone())
}

/// Deletes the Parquet objects of a version of `dt=1`, the `nth` of those that are there, and leaves its marker.
fn lose_objects(project: &Project, nth: usize) {
    // By when they were written: the names of two versions of one second are in no order.
    project.shell(&format!(
        "for folder in .suiro/warehouse/s3/warehouse/web/fruit--versions/*/; do \
         set -- $(ls -tr \"$folder\"*Z-*-g*/part-*); \
         if test $# = 2; then rm \"${{{nth}}}\"; fi; done"
    ));
}

fn refused(outcome: &Outcome, expected: &str) {
    assert_eq!((outcome.exit, outcome.stderr.as_str()), (Some(2), expected), "{outcome}");
}

#[test]
fn the_list_says_what_can_be_undone_and_redone() {
    let project = two_versions();
    let is = |first: &str, second: &str| {
        let expected = [("dt=1".to_owned(), first.to_owned()), ("dt=2".to_owned(), second.to_owned())];
        assert_eq!(listed(&project), expected);
    };
    is("yes", "");
    assert_eq!(first_as_json(&project), (true.into(), false.into()));
    project.succeed(&["partition", "undo", "web.fruit", "dt=1"]);
    is("redo", "");
    assert_eq!(first_as_json(&project), (false.into(), true.into()));
    project.succeed(&["partition", "redo", "web.fruit", "dt=1"]);
    is("yes", "");
}

#[test]
fn a_version_whose_objects_are_gone_cannot_be_gone_back_to() {
    let project = two_versions();
    lose_objects(&project, 1);
    assert_eq!(listed(&project)[0].1, "gone");
    assert_eq!(first_as_json(&project), (false.into(), false.into()));
    refused(
        &project.suiro(&["partition", "undo", "web.fruit", "dt=1"]),
        "error[T0201]: cannot undo: the version before it has lost objects
  location: s3://warehouse/web/fruit--versions/[HASH]/[VERSION]/
  = help: an undo needs a version before: one that a publish of suiro replaced, and that is kept until the retention is over
  = help: `suiro partition list web.fruit` says under `undo` which partitions have one, `suiro partition show web.fruit dt=1` names \
         the versions of this one
  = more: suiro explain T0201
",
    );
    assert_eq!(project.query("SELECT name FROM web.fruit WHERE dt = '1'"), "name\npear\n", "nothing was changed");
}

#[test]
fn a_redo_that_cannot_be_done_says_redo() {
    let project = two_versions();
    project.succeed(&["partition", "undo", "web.fruit", "dt=1"]);
    lose_objects(&project, 2);
    assert_eq!(listed(&project)[0].1, "gone");
    refused(
        &project.suiro(&["partition", "redo", "web.fruit", "dt=1"]),
        "error[T0201]: cannot redo: the version that was undone has lost objects
  location: s3://warehouse/web/fruit--versions/[HASH]/[VERSION]/
  = help: a redo needs the version that was undone, which is kept until the retention is over
  = help: `suiro partition list web.fruit` says with `redo` under `undo` which partitions have one, `suiro partition show web.fruit \
         dt=1` names the versions of this one
  = more: suiro explain T0201
",
    );
    assert_eq!(project.query("SELECT name FROM web.fruit WHERE dt = '1'"), "name\napple\n", "nothing was changed");
}
