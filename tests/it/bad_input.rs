//! Bad input that needs more than files: a document of great depth, a state folder that cannot be written, a full disk,
//! a session that another process holds. What files can show is in `tests/cases/bad_input`.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::support::{Outcome, Project, SUIRO};

/// A load that fills a table of one column.
const LOAD: &str = "\
+load:
  load>:
    in: {type: file, path: rows.csv, parser: {type: csv, columns: [{name: a, type: varchar}]}}
    out: {type: table, database: web, table: rows, mode: replace}
";

#[test]
fn a_document_of_great_depth_is_refused_at_its_place() {
    let project = Project::new();
    for (name, text) in [
        ("flow.dig", format!("+a:\n  echo>: {}{}\n", "[".repeat(10_000), "]".repeat(10_000))),
        ("block.dig", format!("+a:\n  echo>:\n    {}x\n", "- ".repeat(10_000))),
        ("mapping.dig", format!("+a:\n  echo>: {}{}\n", "{a: ".repeat(10_000), "}".repeat(10_000))),
    ] {
        project.write(name, text);
        let outcome = project.suiro(&["run", name]);
        assert_eq!(outcome.exit, Some(2), "{name}\n{outcome}");
        assert!(outcome.stderr.contains("error[E01") && outcome.stderr.contains(&format!("{name}:")), "{outcome}");
        assert!(outcome.stderr.len() < 10_000, "the error of {name} is longer than anyone reads");
    }
    assert!(!project.path().join(".suiro").is_dir());
}

#[test]
fn a_document_that_explodes_is_refused() {
    let project = Project::new();
    let mut text = "_export:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "  a{level}: &a{level} [{below}]").unwrap();
    }
    project.write("bomb.dig", text + "+say:\n  echo>: ${a11}\n");
    let outcome = project.suiro(&["run", "bomb.dig"]);
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("error[E01") && outcome.stderr.contains("bomb.dig:"), "{outcome}");
    assert!(!project.path().join(".suiro").is_dir());
}

#[test]
fn a_statement_of_great_depth_is_refused_wherever_it_stands() {
    let project = Project::new();
    let chain = |term: &str, operator: &str, terms: usize| vec![term; terms].join(operator);
    for (name, sql) in [
        ("sum.sql", format!("select {}", chain("1", "+", 2_100))),
        ("text.sql", format!("select {}", chain("'a'", " || ", 2_200))),
        ("terms.sql", format!("select {}", chain("true", " and ", 20_000))),
        ("columns.sql", format!("select {} from (values 1) t(a)", chain("a", "+", 2_000))),
        ("brackets.sql", format!("select {}1{}", "array[".repeat(3_000), "]".repeat(3_000))),
    ] {
        project.write(name, sql);
        project.write("main.dig", format!("+a:\n  athena.query>: {name}\n  database: web\n"));
        for arguments in [&["query", name][..], &["check", "main.dig"], &["run", "main.dig"]] {
            let outcome = project.suiro(arguments);
            assert_eq!((outcome.exit, outcome.stdout.as_str()), (Some(2), ""), "{name} {arguments:?} {outcome}");
            assert!(outcome.stderr.contains("levels"), "{name} {arguments:?} {outcome}");
        }
    }
    project.write("rows.csv", "1\n");
    project.write(
        "load.yml",
        format!(
            "in: {{type: file, path: rows.csv, parser: {{type: csv, columns: [{{name: a, type: bigint}}]}}}}\nout: {{type: table, \
             database: web, table: rows, partition_by: {{k: \"{}\"}}, mode: replace}}\n",
            chain("a", "+", 3_000)
        ),
    );
    let outcome = project.suiro(&["load", "run", "load.yml"]);
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("levels"), "{outcome}");

    // Queries of WITH that read each other twice, and what is as deep as may be.
    let doubled: Vec<String> = (1..30)
        .map(|level| format!("q{level} as (select l.n from q{0} l join q{0} r on l.n = r.n)", level - 1))
        .collect();
    project.write("with.sql", format!("with q0 as (select 1 as n), {} select * from q29", doubled.join(", ")));
    let outcome = project.suiro(&["query", "with.sql"]);
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("a statement of more than 20000 steps"), "{outcome}");
    for (name, sql, expected) in [
        ("sum.sql", format!("select {} as n", chain("1", "+", 1_000)), "n\n1000\n"),
        ("columns.sql", format!("select {} as n from (values 1) t(a)", chain("a", "+", 1_000)), "n\n1000\n"),
        ("terms.sql", format!("select {} as n", chain("true", " and ", 1_000)), "n\ntrue\n"),
    ] {
        project.write(name, sql);
        assert_eq!(project.succeed(&["query", name]).stdout, expected, "{name}");
    }
}

/// A project with a workflow and a load, and something in the place of a folder.
fn with_in_the_way(make: &str) -> Project {
    let project = Project::new();
    project.write("main.dig", "+say:\n  echo>: hi\n");
    project.write("load.dig", LOAD);
    project.write("rows.csv", "1\n");
    project.write(
        "load.yml",
        "in: {type: file, path: rows.csv, parser: {type: csv}}\nout: {type: table, database: web, table: rows, mode: replace}\n",
    );
    project.shell(make);
    project
}

#[test]
fn what_stands_in_the_place_of_the_state_is_said() {
    for (make, found, help) in [
        ("touch .suiro", "a file", "move `[PROJECT]/.suiro` away: a directory of that name is needed"),
        (
            "ln -s /nowhere/at/all .suiro",
            "a link to `/nowhere/at/all`, which is not there",
            "make the directory `/nowhere/at/all` (or mount the disk that it is on), or remove the link `[PROJECT]/.suiro`",
        ),
        (
            "ln -s rows.csv .suiro",
            "a link to `rows.csv`, which is no directory",
            "remove the link `[PROJECT]/.suiro`, or let it lead to a directory",
        ),
    ] {
        let project = with_in_the_way(make);
        for arguments in [
            &["run", "main.dig"][..],
            &["plan", "main.dig"],
            &["log", "main.dig"],
            &["load", "run", "load.yml"],
            &["table", "list"],
            &["partition", "list", "web.rows"],
            &["query", "SELECT a FROM web.rows"],
            &["emulate", "--port", "0"],
        ] {
            let outcome = project.suiro(arguments);
            assert_eq!((outcome.exit, outcome.stdout.as_str()), (Some(2), ""), "{arguments:?} {outcome}");
            assert_eq!(
                outcome.stderr,
                format!(
                    "error[S0105]: `[PROJECT]/.suiro` cannot be the directory of the state: `[PROJECT]/.suiro` is {found}\n  = \
                     help: {help}\n  = more: suiro explain S0105\n"
                ),
                "{arguments:?}"
            );
        }
        assert_eq!(project.succeed(&["query", "SELECT 1 AS a"]).stdout, "a\n1\n", "that needs no state");
        project.succeed(&["check", "main.dig"]);
    }
}

#[test]
fn a_part_of_a_workflow_is_no_workflow_of_its_own() {
    let project = Project::new();
    project.write("main.dig", "_export:\n  mysql:\n    !include : config/mysql.dig\n+a: {echo>: \"${mysql.user}\"}\n");
    project.write("config/mysql.dig", "user: x\n");
    for arguments in [&["check", "."][..], &["check"]] {
        assert_eq!(project.succeed(arguments).stderr, "1 workflow with 1 task: no errors\n");
    }
    // Who names it asks for it.
    let outcome = project.suiro(&["check", "config/mysql.dig"]);
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    // What nothing includes may be meant as one.
    project.write("config/other.dig", "user: x\n");
    assert_eq!(project.suiro(&["check", "."]).exit, Some(2));
}

#[test]
fn a_folder_with_a_link_to_itself_is_checked_once() {
    let project = Project::new();
    project.write("a/main.dig", "+a: {echo>: a}\n");
    project.write("b/other.dig", "+b: {echo>: b}\n");
    project.shell("ln -s . a/self; ln -s ../a b/a; ln -s ../b a/b; ln -s .. a/up");
    let outcome = project.succeed(&["check", "b"]);
    // `b/a` is looked at, and of what it leads to only that which it is not in.
    assert_eq!(outcome.stderr, "2 workflows with 2 tasks: no errors\n");
}

#[test]
fn what_stands_in_the_place_of_a_part_of_the_state_is_said() {
    let project = with_in_the_way("mkdir -p .suiro/state.db");
    for command in ["run", "plan"] {
        let outcome = project.suiro(&[command, "main.dig"]);
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (Some(2), ""), "{outcome}");
        assert_eq!(
            outcome.stderr,
            "error[S0105]: cannot open the state store `[PROJECT]/.suiro/state.db`: it is a directory\n  = help: move the directory \
             away: the state is a file of that name\n  = more: suiro explain S0105\n"
        );
    }

    let project = with_in_the_way("mkdir .suiro; touch .suiro/aws; echo 'profiles: {aws: {type: aws}}' > suiro.yml");
    let outcome = project.suiro(&["run", "main.dig", "--profile", "aws"]);
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert!(
        outcome.stderr.starts_with(
            "error[S0105]: `[PROJECT]/.suiro/aws` cannot be the directory of the state: `[PROJECT]/.suiro/aws` is a file\n"
        ),
        "{outcome}"
    );

    let project = with_in_the_way("mkdir .suiro; touch .suiro/logs");
    let outcome = project.succeed(&["run", "main.dig"]);
    assert_eq!(outcome.stdout, "hi\n");
    let warning =
        "warning: +main+say: its log `[PROJECT]/.suiro/logs/1/000001+main+say.log` cannot be written: Not a directory";
    assert!(outcome.stderr.contains(warning), "{outcome}");

    for (make, found) in [
        ("mkdir .suiro; touch .suiro/warehouse", "no folder but a file"),
        ("mkdir .suiro; ln -s /nowhere/at/all .suiro/warehouse", "a link to `/nowhere/at/all`, which is not there"),
    ] {
        let project = with_in_the_way(make);
        let plan = project.suiro(&["plan", "load.dig"]);
        assert_eq!(plan.exit, Some(2), "{plan}");
        let problem = format!("    problem: cannot make a folder: `[PROJECT]/.suiro/warehouse` is {found}\n");
        assert!(plan.stdout.contains(&problem), "{plan}");
        for arguments in [&["run", "load.dig"][..], &["load", "run", "load.yml"]] {
            let outcome = project.suiro(arguments);
            assert_eq!(outcome.exit, Some(2), "{arguments:?} {outcome}");
            assert!(outcome.stderr.contains("error[T0204]"), "{outcome}");
            assert!(outcome.stderr.contains(&format!(": `[PROJECT]/.suiro/warehouse` is {found}\n")), "{outcome}");
            let help = "  = help: move `[PROJECT]/.suiro/warehouse` away, or name another folder\n";
            assert!(outcome.stderr.contains(help), "{outcome}");
        }
    }
}

#[test]
fn a_damaged_state_is_said_and_what_to_do_about_it() {
    let project = Project::new();
    project.write("main.dig", "+say:\n  echo>: hi\n");
    project.write(".suiro/state.db", "this was a database once, and is none any more\n".repeat(100));
    let outcome = project.suiro(&["run", "main.dig", "--session", "2024-03-01"]);
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert!(
        outcome.stderr.contains("error[S0105]: cannot open the state store `[PROJECT]/.suiro/state.db`: ")
            && outcome.stderr.contains(
                "= help: put a copy of `state.db` back, or move it away together with `state.db-wal`: without it no session is \
                 known to have run; tables and their data do not depend on it\n"
            ),
        "{outcome}"
    );
    project.shell("rm .suiro/state.db");
    assert_eq!(project.succeed(&["run", "main.dig", "--session", "2024-03-01"]).stdout, "hi\n");
}

/// Runs lines of shell that mount small file systems, of which nothing is left afterwards; none where that cannot be had.
#[expect(clippy::print_stdout, reason = "a test says what it skips")]
fn with_own_mounts(project: &Project, script: &str) -> Option<Outcome> {
    let probe = project.program("unshare").args(["-rm", "true"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: a full disk (no `unshare -rm` here)");
        return None;
    }
    let output = project.program("unshare").args(["-rm", "sh", "-c", script]).output().unwrap();
    let outcome = Outcome::of(project, &output);
    if outcome.exit == Some(99) {
        println!("skipped: a full disk (a small file system cannot be mounted here)");
        return None;
    }
    Some(outcome)
}

#[test]
fn a_disk_that_gets_full_while_tasks_run_is_said_once() {
    let project = Project::new();
    project.write(
        "main.dig",
        "+fill:\n  sh>: test -e room || dd if=/dev/zero of=filled bs=4k 2>/dev/null; echo filled; true\n+after:\n  echo>: after\n",
    );
    let script = format!(
        "mkdir small && mount -t tmpfs -o size=512k tmpfs small || exit 99
         cp main.dig small && cd small
         {SUIRO} run main.dig --session 2024-03-01; echo \"exit $?\"
         rm filled; touch room
         {SUIRO} run main.dig --session 2024-03-01 2>/dev/null; echo \"exit $?\""
    );
    let Some(outcome) = with_own_mounts(&project, &script) else { return };
    // Which commit finds no room any more depends on what the tasks before it gave back.
    assert!(outcome.stdout.starts_with("filled\n") && outcome.stdout.contains("exit 2\n"), "{outcome}");
    assert!(outcome.stdout.ends_with("after\nexit 0\n"), "{outcome}");
    let error = "error[S0106]: cannot store the progress of an attempt in the state store: error returned from database: \
                 (code: 13) database or disk is full\n  = help: free some room on the disk that holds the state directory; then \
                 the same command goes on from what is stored\n  = help: the state is in `[PROJECT]/small/.suiro`\n  = more: suiro explain S0106\n";
    let before = outcome.stderr.strip_suffix(error).unwrap_or_else(|| panic!("{outcome}"));
    for line in before.lines().skip(1) {
        assert!(line.starts_with("✓ +") || line.starts_with("warning: +main+"), "one error, said once\n{outcome}");
    }
}

/// A claim that finds no room is none: it was told as one of the process that was there before.
#[test]
fn a_disk_that_is_still_full_is_said_again() {
    let project = Project::new();
    project
        .write("main.dig", "+say:\n  echo>: hi\n+fill:\n  sh>: test -e room || sh fill.sh\n+after:\n  echo>: after\n");
    project.write("fill.sh", "dd if=/dev/zero of=filled bs=1k 2>/dev/null; true\n");
    let script = format!(
        "mkdir small && mount -t tmpfs -o size=1m tmpfs small || exit 99
         cp main.dig fill.sh small && cd small
         run() {{ {SUIRO} run main.dig --session 2024-03-01 > ../out; echo \"exit $?\"; }}
         run; sh fill.sh; run; run
         rm filled; touch room; run; tail -n 1 ../out"
    );
    let Some(outcome) = with_own_mounts(&project, &script) else { return };
    assert_eq!(outcome.stdout, "exit 2\nexit 2\nexit 2\nexit 0\nafter\n", "{outcome}");
    assert_eq!(outcome.stderr.matches("error[S0106]").count(), 3, "{outcome}");
    assert_eq!(outcome.stderr.matches("error[").count(), 3, "{outcome}");
}

/// A project on a file system of a few pages that are all used, before the state is made and after.
#[test]
fn a_full_disk_below_the_state_is_said_and_what_to_do_about_it() {
    let project = Project::new();
    project.write("main.dig", "+say:\n  echo>: hi\n");
    let script = format!(
        "mkdir small && mount -t tmpfs -o size=256k tmpfs small || exit 99
         cp main.dig small && cd small
         fill() {{ dd if=/dev/zero of=filled bs=4k 2>/dev/null; }}
         fill; {SUIRO} run main.dig --session 2024-03-01; echo \"exit $?\"
         rm filled; mkdir -p .suiro; echo '*' > .suiro/.gitignore
         fill; {SUIRO} run main.dig --session 2024-03-01; echo \"exit $?\"
         rm filled; {SUIRO} run main.dig --session 2024-03-01; echo \"exit $?\""
    );
    let Some(outcome) = with_own_mounts(&project, &script) else { return };
    assert_eq!(outcome.stdout, "exit 2\nexit 2\nhi\nexit 0\n", "{outcome}");
    let help = "= help: free some room on the disk that holds the state directory; then the same command goes on from what is stored";
    assert_eq!(outcome.stderr.matches("error[S0105]").count(), 2, "{outcome}");
    assert_eq!(outcome.stderr.matches(help).count(), 2, "{outcome}");
}

#[test]
fn a_session_is_run_by_one_process_at_a_time() {
    let project = Project::new();
    project.write("main.dig", "+hold:\n  sh>: echo holding; cat gate\n+after:\n  echo>: after\n");
    project.shell("mkfifo gate");
    let arguments = ["run", "main.dig", "--session", "2024-03-01"];
    let mut holder = project.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "holding");

    let second = project.suiro(&arguments);
    assert_eq!(second.exit, Some(2), "{second}");
    assert!(second.stderr.contains("error[S0107]"), "{second}");
    assert!(
        second.stderr.contains(&holder.id().to_string()) || second.stderr.contains("[PID]"),
        "who holds it\n{second}"
    );
    assert_eq!(second.stdout, "");
    // Another session is nobody's.
    project.write("other.dig", "+say:\n  echo>: other\n");
    assert_eq!(project.succeed(&["run", "other.dig", "--session", "2024-03-01"]).stdout, "other\n");

    std::fs::OpenOptions::new().write(true).open(project.path().join("gate")).unwrap().write_all(b"open\n").unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(rest, ["open", "after"]);
    assert_eq!(holder.wait().unwrap().code(), Some(0));
}

#[test]
fn an_interrupt_stops_the_tasks_and_the_next_run_continues() {
    let project = Project::new();
    project.write(
        "main.dig",
        "+once:\n  echo>: once\n+hold:\n  sh>: echo holding; test -e open || exec tail -f /dev/null\n+after:\n  echo>: after\n",
    );
    let arguments = ["run", "main.dig", "--session", "2024-03-01"];
    let mut first = project.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "once");
    assert_eq!(lines.next().unwrap().unwrap(), "holding");
    project.shell(&format!("kill -INT {}", first.id()));
    assert_eq!(first.wait().unwrap().code(), Some(130));

    project.write("open", "");
    let outcome = project.succeed(&arguments);
    assert_eq!(outcome.stdout, "holding\nafter\n", "{outcome}");
    assert_eq!(shown(&outcome), ["- +once done before", "✓ +hold [TIME]", "✓ +after [TIME]"], "{outcome}");
}

#[test]
fn a_killed_process_is_continued() {
    let project = Project::new();
    project.write(
        "main.dig",
        "+once:\n  echo>: once\n+hold:\n  sh>: echo holding; test -e open || exec tail -f /dev/null\n+after:\n  echo>: after\n",
    );
    let arguments = ["run", "main.dig", "--session", "2024-03-01"];
    let mut first = project.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "once");
    assert_eq!(lines.next().unwrap().unwrap(), "holding");
    first.kill().unwrap();
    assert_eq!(first.wait().unwrap().code(), None);

    project.write("open", "");
    let outcome = project.succeed(&arguments);
    assert_eq!(outcome.stdout, "holding\nafter\n", "{outcome}");
    assert_eq!(shown(&outcome), ["- +once done before", "✓ +hold [TIME]", "✓ +after [TIME]"], "{outcome}");
}

#[test]
fn a_run_of_a_file_that_was_edited_shows_its_own_tasks() {
    let project = Project::new();
    let hold = "+hold:\n  sh>: echo holding; exec tail -f /dev/null\n";
    project.write("main.dig", format!("+once:\n  echo>: once\n+group:\n  +first:\n    echo>: first\n{hold}"));
    let arguments = ["run", "main.dig", "--session", "2024-03-01"];
    let mut first = project.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"));
    project.shell(&format!("kill -INT {}", first.id()));
    assert_eq!(first.wait().unwrap().code(), Some(130));

    project.write(
        "main.dig",
        "+new:\n  echo>: new\n+once:\n  echo>: once\n+group:\n  +other:\n    echo>: other\n  +first:\n    echo>: first\n",
    );
    let outcome = project.succeed(&arguments);
    assert_eq!(outcome.stdout, "new\nother\n", "{outcome}");
    assert_eq!(
        outcome.stderr.lines().take(2).collect::<Vec<_>>(),
        [
            "main  session 2024-03-01T00:00:00+00:00  attempt 2, skipping what succeeded before",
            "Attempt 1 is not continued: the workflow or its parameters were changed since.",
        ],
        "{outcome}"
    );
    assert_eq!(
        shown(&outcome),
        ["✓ +new [TIME]", "- +once done before", "✓ +other [TIME]", "- +first done before", "✓ +group [TIME]"],
        "{outcome}"
    );
}

#[test]
fn a_session_that_is_done_says_which_files_changed_since() {
    let project = Project::new();
    project.write(
        "main.dig",
        "+publish:\n  athena.apas>: queries/fruit.sql\n  database: web\n  table: fruit\n  partition_kv: {dt: \"1\"}\n",
    );
    project.write("queries/fruit.sql", "SELECT 'apple' AS name");
    let arguments = ["run", "main.dig", "--session", "2024-03-01"];
    project.succeed(&arguments);
    let again = project.succeed(&arguments);
    let done = "main  session 2024-03-01T00:00:00+00:00: done already at [MOMENT]";
    assert_eq!(again.stderr, format!("{done}\nNothing to do. `--rerun` runs it again, `--session` another session.\n"));
    project.write("queries/fruit.sql", "SELECT 'pear' AS name");
    let edited = project.succeed(&arguments);
    assert_eq!(
        edited.stderr,
        format!(
            "{done}; changed since: `queries/fruit.sql`\nNothing was run. `--rerun` runs it again as it is now, in a new attempt; \
             `--session` another session.\n"
        )
    );
    // A warning, which is said also by whoever says little.
    assert_eq!(project.succeed(&["run", "-q", "main.dig", "--session", "2024-03-01"]).stderr, edited.stderr);
    let as_json = project.succeed(&["--json", "run", "main.dig", "--session", "2024-03-01"]);
    assert!(as_json.stdout.contains("\"changes\":[{\"file\":\"queries/fruit.sql\"}]"), "{as_json}");
    assert_eq!(project.query("SELECT name FROM web.fruit"), "name\napple\n");
    project.succeed(&["run", "main.dig", "--session", "2024-03-01", "--rerun"]);
    assert_eq!(project.query("SELECT name FROM web.fruit"), "name\npear\n");
}

/// The lines of a run's tasks, their blanks folded.
fn shown(outcome: &Outcome) -> Vec<String> {
    let lines = outcome.stderr.lines().filter(|line| line.contains(" +"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The warehouse on a file system of a few pages. Its namespaces end with the shell, and the mount with them.
#[test]
fn a_full_disk_is_said_and_nothing_is_published() {
    let project = Project::new();
    project.write("main.dig", LOAD);
    // What does not compress, so that the file is as large as its rows.
    project.shell("head -c 3000000 /dev/urandom | base64 -w 60 > rows.csv; mkdir small");
    let script = format!(
        "mount -t tmpfs -o size=1m tmpfs small || exit 99
         SUIRO_WAREHOUSE=small {SUIRO} run main.dig --session 2024-03-01; echo \"exit $?\"
         {SUIRO} table list
         head -n 100 rows.csv > few.csv && mv few.csv rows.csv
         SUIRO_WAREHOUSE=small {SUIRO} run main.dig --session 2024-03-01; echo \"exit $?\"
         {SUIRO} table list"
    );
    let Some(outcome) = with_own_mounts(&project, &script) else { return };
    assert!(outcome.stdout.starts_with("exit 2\n"), "a full disk is said\n{outcome}");
    assert!(outcome.stderr.contains("error[T050") && outcome.stderr.contains("there are no tables"), "{outcome}");
    assert!(outcome.stdout.contains("exit 0\n") && outcome.stdout.contains("web.rows"), "{outcome}");
}
