//! Runs that end before their time: by a signal, by `kill -9`, by a second run, for want of room or of permission. Each says
//! why, loses nothing, and the same command continues.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use engine::store::{AttemptRecord, SqliteStore, StateStore as _};

use crate::support::{Outcome, Project, SUIRO};

const RUN: [&str; 4] = ["run", "main.dig", "--session", "2024-03-01"];

/// Starts a run whose script says `ready`, and waits until it did.
fn start_until_ready(project: &Project) -> Child {
    let mut child = project.command(&RUN).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    read_line(&mut lines, &mut line);
    assert_eq!(line, "ready\n");
    child
}

fn read_line(lines: &mut BufReader<ChildStdout>, line: &mut String) {
    lines.read_line(line).unwrap();
}

/// The processes that work in a folder, where the system tells.
fn working_in(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder))
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}

fn attempts(project: &Project) -> Vec<AttemptRecord> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&project.path().join(".suiro/state.db")).await.unwrap();
        let session = store.sessions("local", None, 1).await.unwrap().remove(0);
        store.attempts(session.id).await.unwrap()
    })
}

/// A query that reads more rows than anybody waits for.
const LONG_QUERY: &str = "
+before:
  athena.apas>: SELECT CAST(1 AS bigint) AS n
  database: web
  table: daily
  partition_kv: {dt: before}
+long:
  athena.apas>: >
    SELECT count(*) AS n FROM UNNEST(sequence(1, ${rows})) AS a (x)
    CROSS JOIN UNNEST(sequence(1, ${rows})) AS b (y) CROSS JOIN UNNEST(sequence(1, ${rows})) AS c (z)
  database: web
  table: daily
  partition_kv: {dt: long}
";

#[test]
fn an_interrupt_while_a_query_runs_is_continued_however_often() {
    let project = Project::new();
    project.write("main.dig", format!("_export: {{rows: 9000}}\n{LONG_QUERY}"));
    // More often than a query that fails is begun anew: a stop is no failure of the query.
    for _ in 0..7 {
        let mut child = project.command(&RUN).args(["--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let versions = project.path().join(".suiro/warehouse/s3/warehouse/web/daily--versions");
        // The state that says that the query was started is stored when its version is noted and the task waits.
        while !is_started(&project, &versions) {
            assert_eq!(child.try_wait().unwrap(), None, "it is still at work");
            std::thread::yield_now();
        }
        project.shell(&format!("kill -INT {}", child.id()));
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut lines, &mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    }
    assert_eq!(attempts(&project).len(), 1, "the attempt goes on");
    assert_eq!(project.query("SELECT dt FROM web.daily"), "dt\nbefore\n", "nothing half done is there");
}

/// Whether the task `+long` has stored that its query was started.
fn is_started(project: &Project, versions: &Path) -> bool {
    if !versions.is_dir() {
        return false;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&project.path().join(".suiro/state.db")).await.unwrap();
        let session = store.sessions("local", None, 1).await.unwrap().remove(0);
        let attempt = session.last_attempt;
        let tasks = store.tasks(attempt.id).await.unwrap();
        let long = tasks.iter().find(|task| &*task.task.name == "+long").unwrap();
        attempt.holder.is_some() && long.operator_state.to_string().contains("submitted")
    })
}

#[test]
fn an_interrupt_in_the_middle_of_a_load_is_continued() {
    use std::fmt::Write as _;

    let mut rows = String::new();
    for n in 0..600_000 {
        writeln!(rows, "{n},name of {n}").unwrap();
    }
    let project = || {
        let project = Project::new();
        let load = "in: {type: file, path: rows.csv, parser: {type: csv, columns: [{name: n, type: bigint}, {name: name, type: varchar}]}}";
        project.write("main.dig", format!("+load:\n  load>:\n    {load}\n    out: {{type: file, path: out/}}\n"));
        project.write("rows.csv", &rows);
        project
    };
    let (undisturbed, stopped) = (project(), project());
    undisturbed.succeed(&RUN);

    let mut child = stopped.command(&RUN).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The first rows are being written, many more are still to be read.
    while files_of(&stopped).is_empty() {
        assert_eq!(child.try_wait().unwrap(), None, "it is still at work");
        std::thread::yield_now();
    }
    stopped.shell(&format!("kill -INT {}", child.id()));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(files_of(&stopped).is_empty(), "nothing half done is there");
    stopped.succeed(&RUN);
    assert_eq!(attempts(&stopped).len(), 1, "the attempt goes on");
    assert!(files_of(&stopped) == files_of(&undisturbed), "it is as if nothing had happened");
}

/// The files of a load, hidden ones among them, in the order of their names.
fn files_of(project: &Project) -> Vec<Vec<u8>> {
    // What is not there yet, or goes away meanwhile, is none.
    let Ok(entries) = std::fs::read_dir(project.path().join("out")) else { return Vec::new() };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.into_iter().filter_map(|file| std::fs::read(file).ok()).collect()
}

#[test]
fn what_a_killed_run_left_of_a_script_is_stopped_before_it_runs_again() {
    let project = Project::new();
    // What it starts does not listen to SIGTERM.
    project.write(
        "main.dig",
        "+script:\n  sh>: |\n    test -e go && exit 0\n    sh -c 'trap \"\" TERM; echo ready; exec tail -f /dev/null > /dev/null'\n",
    );
    let mut child = start_until_ready(&project);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(working_in(project.path()).len() >= 2, "the script goes on without its run");
    project.write("go", "");
    project.succeed(&RUN);
    assert_eq!(working_in(project.path()), Vec::<String>::new());
    let log = project.succeed(&["log", "main.dig"]).stdout;
    assert!(log.contains("which an interrupted run of this task left behind"), "{log}");
}

#[test]
fn what_a_script_started_is_found_when_its_shell_is_gone_too() {
    let project = Project::new();
    project.write(
        "main.dig",
        "+script:\n  sh>: |\n    test -e go && exit 0\n    sh -c 'echo $PPID > shell'\n    tail -f /dev/null > /dev/null &\n    echo ready\n    wait\n",
    );
    let mut child = start_until_ready(&project);
    child.kill().unwrap();
    child.wait().unwrap();
    project.shell("kill -9 $(cat shell)");
    assert!(!working_in(project.path()).is_empty(), "what the shell started is still there");
    project.write("go", "");
    project.succeed(&RUN);
    assert_eq!(working_in(project.path()), Vec::<String>::new());
}

#[test]
fn an_interrupt_stops_all_that_a_script_started() {
    let project = Project::new();
    project.write(
        "main.dig",
        "+script:\n  sh>: |\n    test -e go && exit 0\n    (trap '' TERM; exec tail -f /dev/null > /dev/null) &\n    echo ready\n    wait\n+after:\n  echo>: after\n",
    );
    let mut child = start_until_ready(&project);
    project.shell(&format!("kill -INT {}", child.id()));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(working_in(project.path()), Vec::<String>::new());
    let stopped = attempts(&project);
    assert!(stopped[0].finished_at.is_none() && stopped[0].holder.is_none(), "it is given back: {stopped:?}");
    project.write("go", "");
    assert_eq!(project.succeed(&RUN).stdout, "after\n");
    assert_eq!(attempts(&project).len(), 1);
}

#[test]
fn a_second_interrupt_leaves_at_once_and_no_script_goes_on() {
    let project = Project::new();
    project.write(
        "main.dig",
        "+script:\n  sh>: |\n    test -e go && exit 0\n    trap '' TERM INT\n    echo ready\n    tail -f /dev/null > /dev/null\n",
    );
    let mut child = project.command(&RUN).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    read_line(&mut lines, &mut line);
    assert_eq!(line, "ready\n");
    project.shell(&format!("kill -INT {}", child.id()));
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("once more stops at once")));
    project.shell(&format!("kill -INT {}", child.id()));
    let rest: Vec<String> = said.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert_eq!(rest.last().map(String::as_str), Some("stopped at once; the same command continues"));
    // The end of what was killed is not waited for, so it may take a moment.
    let is_gone = (0..10_000).any(|_| working_in(project.path()).is_empty());
    assert!(is_gone, "{:?}", working_in(project.path()));
    project.write("go", "");
    project.succeed(&RUN);
    assert_eq!(attempts(&project).len(), 1, "the attempt goes on");
}

#[test]
fn a_second_run_of_a_session_changes_nothing() {
    let project = Project::new();
    let load = "
+load:
  load>:
    in: {type: file, path: rows.csv, parser: {type: csv, columns: [{name: name, type: varchar}]}}
    out: {type: table, database: web, table: rows}
+hold:
  sh>: echo ready; test -e go || exec tail -f /dev/null > /dev/null
";
    project.write("main.dig", load);
    project.write("rows.csv", "apple\n");
    let mut child = start_until_ready(&project);
    let before = (listing(&project), attempts(&project));
    for arguments in [&RUN[..], &["run", "main.dig", "--session", "2024-03-01", "--rerun"]] {
        let second = project.suiro(arguments);
        assert_eq!(second.exit, Some(2), "{second}");
        assert!(second.stderr.contains("error[S0107]: the session is being run by"), "{second}");
        assert_eq!(second.stdout, "");
    }
    // Another text of the workflow does not take the session away either.
    project.write("main.dig", format!("{load}+more:\n  echo>: more\n"));
    assert_eq!(project.suiro(&RUN).exit, Some(2));
    let after = (listing(&project), attempts(&project));
    let known = |attempts: &[AttemptRecord]| {
        attempts.iter().map(|attempt| (attempt.id, attempt.epoch, attempt.kill_requested)).collect::<Vec<_>>()
    };
    assert_eq!((&before.0, known(&before.1)), (&after.0, known(&after.1)));
    child.kill().unwrap();
    child.wait().unwrap();
    project.write("main.dig", load);
    project.write("go", "");
    project.succeed(&RUN);
}

/// Lists the lake's objects.
fn listing(project: &Project) -> String {
    project.shell("find .suiro/warehouse -type f | sort; ls .suiro/logs/*").stdout
}

/// What a project that may not be written says, and that it goes on when it may.
#[test]
fn an_unwritable_state_is_said_and_then_continued() {
    let project = Project::new();
    project.write("main.dig", "+once:\n  sh>: echo once >> done\n+then:\n  sh>: test -e go\n+last:\n  echo>: last\n");
    // Somebody else than root, whom no permission stops.
    let is_root = project.shell("id -u").stdout == "0\n";
    if is_root {
        project.shell("chown -R 65534:65534 .");
    }
    let run = || {
        let mut command = project.command(&RUN);
        if is_root {
            command.uid(65534).gid(65534);
        }
        match command.output() {
            Ok(output) => Some(Outcome::of(&project, &output)),
            // The binary stands where only root may go.
            Err(error) if is_root && error.kind() == std::io::ErrorKind::PermissionDenied => None,
            Err(error) => panic!("{error}"),
        }
    };
    project.shell("chmod 555 .");
    let Some(outcome) = run() else {
        println!("skipped: an unwritable state (another user cannot run {SUIRO})");
        return;
    };
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("error[S0105]: cannot make the directory `[PROJECT]/.suiro`"), "{outcome}");
    assert!(outcome.stderr.contains("make the directory writable"), "{outcome}");
    project.shell("chmod 755 .; mkdir -m 555 .suiro; chown --reference=. .suiro");
    let outcome = run().unwrap();
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("error[S0105]: cannot write to the directory `[PROJECT]/.suiro`"), "{outcome}");
    project.shell("chmod 755 .suiro");
    let outcome = run().unwrap();
    assert_eq!(outcome.exit, Some(1), "the second task fails\n{outcome}");
    project.write("go", "");
    project.shell("chmod 444 .suiro/state.db*; chmod 555 .suiro");
    let outcome = run().unwrap();
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("error[S010") && outcome.stderr.contains("writable"), "{outcome}");
    project.shell("chmod 755 .suiro; chmod 644 .suiro/state.db*");
    let outcome = run().unwrap();
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (Some(0), "last\n"), "{outcome}");
    assert_eq!(project.shell("cat done").stdout, "once\n", "what was done is not done again");
}

/// The state on a file system of a megabyte, which a script's output fills.
#[test]
fn a_full_disk_under_the_state_is_said_and_then_continued() {
    let project = Project::new();
    let probe = Command::new("unshare").args(["-rm", "true"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: a full disk under the state (no `unshare -rm` here)");
        return;
    }
    project.write(
        "main.dig",
        "+once:\n  sh>: echo once >> done\n+fill:\n  sh>: head -c 3000000 /dev/zero | tr '\\0' x\n+last:\n  sh>: echo last >> done\n",
    );
    let script = format!(
        "mkdir .suiro; mount -t tmpfs -o size=1m tmpfs .suiro || exit 99
         {SUIRO} run main.dig --session 2024-03-01 > /dev/null; echo \"exit $?\"
         cat done
         mount -o remount,size=64m .suiro || exit 99
         {SUIRO} run main.dig --session 2024-03-01 > /dev/null; echo \"exit $?\"
         cat done"
    );
    let outcome =
        Outcome::of(&project, &project.program("unshare").args(["-rm", "sh", "-c", &script]).output().unwrap());
    if outcome.exit == Some(99) {
        println!("skipped: a full disk under the state (a small file system cannot be mounted here)");
        return;
    }
    assert_eq!(outcome.stdout, "exit 2\nonce\nexit 0\nonce\nlast\n", "{outcome}");
    assert!(outcome.stderr.contains("error[S0106]") && outcome.stderr.contains("disk is full"), "{outcome}");
    assert!(outcome.stderr.contains("free some room"), "{outcome}");
}
