//! Looking at a project that can be read and not written, and asking where there is no project: nothing is made there.

use crate::support::{Outcome, Project, SUIRO};

/// A load that fills a table, and then a task that ends suiro as a power cut does: its catalog's log is not tidied up.
const WORKFLOW: &str = "\
+load:
  load>:
    in: {type: file, path: rows.csv, parser: {type: csv, header_line: true, columns: [{name: a, type: bigint}]}}
    out: {type: table, database: web, table: rows, partition_by: {dt: \"'1'\"}, mode: replace_partitions}
+end:
  sh>: test -e keep_on || kill -KILL $PPID
+summary:
  athena.apas>: SELECT sum(a) AS total FROM rows
  database: web
  table: summary
  partition_kv: {dt: \"1\"}
";

/// Runs lines of shell in a copy of the project on a file system that is read-only by then; none where that cannot be had.
#[expect(clippy::print_stdout, reason = "a test says what it skips")]
fn read_only(project: &Project, before: &str, lines: &str) -> Option<Outcome> {
    let probe = project.program("unshare").args(["-rm", "true"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: a read-only file system (no `unshare -rm` here)");
        return None;
    }
    let script = format!(
        "mkdir -p disk scratch
         mount -t tmpfs tmpfs disk || exit 99
         cp -r *.dig *.csv .suiro disk
         {before}
         mount -o remount,ro disk || exit 99
         export TMPDIR=\"$PWD/scratch\"
         cd disk
         touch x 2>/dev/null && exit 98
         {lines}
         ls -A ../scratch"
    );
    let outcome =
        Outcome::of(project, &project.program("unshare").args(["-rm", "sh", "-c", &script]).output().unwrap());
    if outcome.exit == Some(99) {
        println!("skipped: a read-only file system (none can be mounted here)");
        return None;
    }
    Some(outcome)
}

/// A project whose catalog has a log beside it.
fn project() -> Project {
    let project = Project::new();
    project.write("main.dig", WORKFLOW);
    project.write("rows.csv", "a\n1\n2\n");
    let killed = project.suiro(&["run", "main.dig", "--session", "2024-03-01"]);
    assert_eq!(killed.exit, None, "{killed}");
    for name in ["catalog.sqlite-wal", "state.db-wal"] {
        let log = project.path().join(".suiro").join(name);
        assert!(log.metadata().is_ok_and(|found| found.len() > 0), "{name} was not tidied up");
    }
    project
}

/// What can be asked without writing.
fn questions() -> String {
    format!(
        "{SUIRO} query 'SELECT dt, sum(a) AS total FROM web.rows GROUP BY dt ORDER BY dt'; echo \"exit $?\"
         {SUIRO} table list | cut -d' ' -f1; echo
         {SUIRO} table show web.rows | head -n 1
         {SUIRO} --json partition list web.rows | cut -d, -f1-3
         {SUIRO} plan main.dig --session 2024-03-01 | tail -n 1; echo \"exit $?\"
         {SUIRO} log main.dig +load | cut -d' ' -f2-; {SUIRO} log main.dig +nothing; echo \"exit $?\"
         {SUIRO} log other.dig; echo \"exit $?\""
    )
}

/// What is answered.
const ANSWERS: &str = "\
dt,total
1,3
exit 0
table
web.rows

web.rows  (external table)
{\"table\":\"web.rows\",\"partition\":\"dt=1\",\"rows\":2
3 tasks, at most 298 B to scan by those whose tables are there. Nothing was run. What a task stores is not known to the tasks after it yet.
exit 0
+main+load (success) <==
reading 1 file with 6 bytes
  rows.csv (6 bytes)
read 6 bytes: 2 rows, 0 lines rejected, 1 skipped (headers, blank lines, comments)
published web.rows dt=1 with 2 rows at s3://warehouse/web/rows--versions/[HASH]/[VERSION]/
exit 2
exit 2
";

#[test]
fn a_project_that_cannot_be_written_can_be_looked_at() {
    let project = project();
    project.write("other.dig", "+say:\n  echo>: hi\n");
    // The last of several that have a file open moves its log into it and removes it.
    let tidy = "python3 -c 'import sqlite3
sqlite3.connect(\"disk/.suiro/catalog.sqlite\").execute(\"SELECT 1 FROM catalog_table\")
sqlite3.connect(\"disk/.suiro/state.db\").execute(\"SELECT 1 FROM attempt\")'
         test ! -e disk/.suiro/catalog.sqlite-wal -a ! -e disk/.suiro/state.db-wal || exit 97";
    // As it was left, without the index of the log, and with everything in the file.
    for before in ["", "rm disk/.suiro/catalog.sqlite-shm disk/.suiro/state.db-shm", tidy] {
        let Some(outcome) = read_only(&project, before, &questions()) else { return };
        assert_eq!(outcome.stdout, ANSWERS, "{before}\n{outcome}");
        assert_eq!(
            outcome.stderr.lines().skip(1).collect::<Vec<_>>(),
            [
                "warning: a run would not start here: cannot open the state store `[PROJECT]/disk/.suiro/state.db`: Read-only file \
                 system (os error 30); make the directory writable for whoever runs suiro",
                "error[T0106]: attempt 1 of `main` has no task `+nothing`",
                "  = more: suiro explain T0106",
                "error[T0201]: `other` has never run here",
                "  = more: suiro explain T0201"
            ],
            "{outcome}"
        );
    }
}

#[test]
fn what_would_change_a_project_that_cannot_be_written_is_refused() {
    let project = project();
    let lines = format!(
        "{SUIRO} table drop web.rows --yes; echo \"exit $?\"
         {SUIRO} run main.dig --session 2024-03-02; echo \"exit $?\"
         {SUIRO} --json plan main.dig --session 2024-03-01 | tail -n 1 | grep -o '\"warnings\".*'
         {SUIRO} --project new plan new/main.dig --session 2024-03-01 > /dev/null"
    );
    let Some(outcome) = read_only(&project, "mkdir disk/new; cp disk/main.dig disk/new", &lines) else { return };
    let refused = "cannot open the state store `[PROJECT]/disk/.suiro/state.db`: Read-only file system (os error 30)";
    let help = "make the directory writable for whoever runs suiro";
    assert_eq!(
        outcome.stdout,
        format!("exit 2\nexit 2\n\"warnings\":[\"a run would not start here: {refused}; {help}\"]}}\n"),
        "{outcome}"
    );
    let dropped = format!(
        "error[T0503]: cannot open the folder of temporary files: the file system is read-only\n  path: [PROJECT]/disk/.suiro/tmp\n  \
         = help: {help}\n"
    );
    assert!(outcome.stderr.contains(&dropped), "{outcome}");
    assert!(!outcome.stderr.contains("WARN"), "{outcome}");
    assert!(outcome.stderr.contains("the state is in `[PROJECT]/disk/.suiro`"), "{outcome}");
    let run = "error[S0106]: cannot make an attempt in the state store: error returned from database: (code: 8) attempt to write a \
               readonly database\n";
    assert!(outcome.stderr.contains(run), "{outcome}");
    let new = "warning: a run would not start here: cannot make the directory `[PROJECT]/disk/new/.suiro`: Read-only file system (os";
    assert!(outcome.stderr.contains(new), "{outcome}");
    assert!(outcome.stderr.contains(&format!("  = help: {help}\n")), "{outcome}");
}

#[test]
fn a_query_where_there_is_no_project_is_answered_and_makes_nothing() {
    let project = Project::new();
    let outcome = project.succeed(&["query", "--format", "csv", "SELECT 1 + 1 AS two"]);
    assert_eq!(outcome.stdout, "two\n2\n", "{outcome}");
    for (sql, code) in [("SELECT a FROM web.b", "C0104"), ("SELECT 1 +", "T0301"), ("SELECT 1 / 0", "T0303")] {
        let outcome = project.suiro(&["query", sql]);
        assert!(outcome.stderr.contains(&format!("error[{code}]")), "{sql}\n{outcome}");
    }
    assert_eq!(project.shell("ls -A").stdout, "");
}
