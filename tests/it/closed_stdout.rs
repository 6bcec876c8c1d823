//! Nobody reads stdout any more (`suiro query … | head`): no command takes that for a failure, and what was begun goes on.

use std::process::Stdio;

use crate::support::{Outcome, Project};

/// Makes a table, and then fails where it is told to.
const WORKFLOW: &str = "\
+load:
  load>:
    in: {type: file, path: rows.csv, parser: {type: csv, header_line: true, columns: [{name: a, type: bigint}]}}
    out: {type: table, database: web, table: rows, partition_by: {dt: \"'1'\"}, mode: replace_partitions}
+say:
  echo>: said
+script:
  sh>: echo printed; test ! -e broken
";

fn project() -> Project {
    let project = Project::new();
    project.write("main.dig", WORKFLOW);
    project.write("rows.csv", "a\n1\n2\n");
    project
}

/// Runs the binary with a stdout whose reader has gone.
fn unread(project: &Project, arguments: &[&str]) -> Outcome {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = project.command(arguments);
    Outcome::of(project, &command.stdout(writer).stderr(Stdio::piped()).output().unwrap())
}

#[test]
fn what_prints_ends_quietly_and_well() {
    let project = project();
    project.succeed(&["run", "main.dig", "--session", "2024-03-01"]);
    project.write("wrong.dig", "+a: {ehco>: x}\n");
    for arguments in [
        &["query", "SELECT a FROM web.rows"][..],
        &["query", "--format", "table", "SELECT a FROM web.rows"],
        &["query", "--format", "json", "SELECT a FROM web.rows"],
        &["table", "list"],
        &["table", "show", "web.rows"],
        &["partition", "list", "web.rows"],
        &["partition", "show", "web.rows", "dt=1"],
        &["plan", "main.dig"],
        &["log", "main.dig"],
        &["explain"],
        &["explain", "E0201"],
        &["init", "--list"],
        &["--json", "table", "list"],
        &["--json", "plan", "main.dig"],
        &["--json", "log", "main.dig"],
        &["--json", "check", "main.dig"],
        &["--help"],
    ] {
        let outcome = unread(&project, arguments);
        assert_eq!((outcome.exit, outcome.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
    // What was found is found, whoever reads it.
    assert_eq!(unread(&project, &["--json", "check", "wrong.dig"]).exit, Some(2));
    assert_eq!(unread(&project, &["--json", "table", "show", "web.nothing"]).exit, Some(2));
}

#[test]
fn what_works_goes_on_to_its_end() {
    for json in [&[][..], &["--json"]] {
        let project = project();
        let run =
            |more: &[&str]| unread(&project, &[json, &["run", "main.dig", "--session", "2024-03-01"], more].concat());
        let outcome = run(&[]);
        assert_eq!(outcome.exit, Some(0), "{outcome}");
        assert_eq!(project.query("SELECT a FROM web.rows ORDER BY a"), "a\n1\n2\n");
        assert_eq!(run(&[]).exit, Some(0), "done already");
        project.write("broken", "");
        assert_eq!(run(&["--rerun"]).exit, Some(1), "how it ended is told all the same");
        let log = project.succeed(&["log", "main.dig", "+script"]);
        assert!(log.stdout.contains("printed\n"), "{log}");
    }
    let project = project();
    project.write(
        "load.yml",
        "in: {type: file, path: rows.csv, parser: {type: csv}}\nout: {type: table, database: web, table: t, mode: replace}\n",
    );
    assert_eq!(unread(&project, &["--json", "load", "run", "load.yml"]).exit, Some(0));
    assert_eq!(project.query("SELECT count(*) AS n FROM web.t"), "n\n2\n");
}
