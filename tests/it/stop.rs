//! Signals and time limits end whatever runs: also a query that looks at pairs of rows for hours and finds none.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::support::{Outcome, Project, files_below};

/// A trillion pairs of rows, of which none is wanted.
const ENDLESS: &str = "WITH n AS (SELECT a * 1000 + b AS x FROM UNNEST(sequence(1, 1000)) AS t (a) \
                       CROSS JOIN UNNEST(sequence(1, 1000)) AS u (b)) \
                       SELECT count(*) AS pairs FROM n AS p CROSS JOIN n AS q WHERE p.x + q.x < 0";

/// After this a process that should have ended counts as hanging.
const PATIENCE: Duration = Duration::from_mins(3);

/// A process that is told to stop.
struct Running<'a> {
    project: &'a Project,
    child: Child,
}

impl<'a> Running<'a> {
    fn start(project: &'a Project, arguments: &[&str]) -> Self {
        let mut command = project.command_that_hears_hang_up(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { project, child }
    }

    fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits until something has happened; the process must not end before.
    fn wait_until(&mut self, what: &str, happened: impl Fn() -> bool) {
        while !happened() {
            assert!(self.child.try_wait().unwrap().is_none(), "the process ended before {what}");
            std::thread::yield_now();
        }
    }

    /// Waits for the end.
    fn end(self) -> Outcome {
        let (done, waiting) = channel::<()>();
        let id = self.child.id();
        let watchdog = std::thread::spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                signal(id, "KILL");
            }
        });
        let output = self.child.wait_with_output().unwrap();
        drop(done);
        watchdog.join().unwrap();
        Outcome::of(self.project, &output)
    }
}

fn signal(process: u32, name: &str) {
    // It may have ended by itself meanwhile.
    let _ended = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).stderr(Stdio::null()).status();
}

/// Says whether a query's result is being written: its plan is at work then.
fn is_querying(project: &Path) -> bool {
    project.join(".suiro/warehouse/s3/suiro-results").is_dir()
}

fn project() -> Project {
    let project = Project::new();
    let workflow = |operator: &str, options: &str| {
        format!("timezone: UTC\n+busy:\n  {operator}: endless.sql\n  database: web\n{options}")
    };
    project.write("endless.sql", ENDLESS);
    project.write("endless.dig", workflow("athena.query>", ""));
    project.write("limited.dig", workflow("athena.query>", "  timeout: 1s\n"));
    project.write("table.dig", workflow("athena.ctas>", "  table: t\n  timeout: 1s\n"));
    project
        .write("partition.dig", workflow("athena.apas>", "  table: p\n  partition_kv: {dt: \"1\"}\n  timeout: 1s\n"));
    project
}

#[test]
fn a_signal_stops_a_run_whatever_its_query_does() {
    for name in ["INT", "TERM", "HUP"] {
        let project = project();
        let mut run = Running::start(&project, &["run", "endless.dig"]);
        run.wait_until("its query was started", || is_querying(project.path()));
        run.signal(name);
        let outcome = run.end();
        assert_eq!(outcome.exit, Some(130), "{outcome}");
        assert!(outcome.stderr.contains("Interrupted. The same command continues."), "{outcome}");
        // The state was stored: another run of the session goes on with the attempt.
        project.write("endless.sql", "SELECT 1");
        let mut run = Running::start(&project, &["run", "endless.dig"]);
        let heading = run.child.stderr.take().unwrap();
        let heading = std::io::BufRead::lines(std::io::BufReader::new(heading)).next().unwrap().unwrap();
        assert!(heading.ends_with("attempt 1, continued"), "{heading}");
        run.signal("KILL");
        run.end();
    }
}

#[test]
fn a_signal_stops_an_ad_hoc_query_whatever_it_does() {
    for name in ["INT", "TERM", "HUP"] {
        let project = project();
        project.write("first.dig", "timezone: UTC\n+first:\n  athena.query>: SELECT 1\n  database: web\n");
        assert_eq!(project.suiro(&["run", "first.dig"]).exit, Some(0));
        let mut query = Running::start(&project, &["query", "endless.sql"]);
        query.wait_until("the lake was opened", || !files_below(&project.path().join(".suiro/tmp")).is_empty());
        query.signal(name);
        let outcome = query.end();
        assert_eq!((outcome.exit, outcome.stderr.as_str()), (Some(130), "the query was stopped\n"), "{outcome}");
    }
}

#[test]
fn a_time_limit_stops_a_query_whatever_it_does() {
    let project = project();
    for workflow in ["limited.dig", "table.dig", "partition.dig"] {
        let outcome = Running::start(&project, &["run", workflow]).end();
        assert_eq!(outcome.exit, Some(1), "{workflow}: {outcome}");
        assert!(outcome.stderr.contains("the query was stopped after its timeout of 1 s"), "{workflow}: {outcome}");
    }
    let left = files_below(&project.path().join(".suiro/warehouse"));
    assert!(left.iter().all(|path| path.extension().is_none_or(|extension| extension != "parquet")), "{left:?}");
}

#[test]
fn the_second_signal_does_not_wait() {
    let project = Project::new();
    // A script that does not stop when it is told to, but with the project's folder.
    let script = "trap '' TERM; touch started; while [ -e started ]; do sleep 0.1; done";
    project.write("stubborn.dig", format!("timezone: UTC\n+script:\n  sh>: \"{script}\"\n"));
    let mut run = Running::start(&project, &["run", "stubborn.dig"]);
    let started = project.path().join("started");
    run.wait_until("its script was started", || started.is_file());
    run.signal("INT");
    let said = run.child.stderr.take().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(said)).map(Result::unwrap);
    assert!(lines.any(|line| line == "stopping the tasks and storing their state; once more stops at once"));
    run.signal("INT");
    let rest: Vec<String> = lines.collect();
    let outcome = run.end();
    assert_eq!(outcome.exit, Some(130), "{outcome}\n{rest:?}");
    assert_eq!(rest, ["stopped at once; the same command continues"]);
}
