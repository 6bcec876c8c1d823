//! Work on AWS that is stopped: what Ctrl-C leaves to Athena and what a time limit stops there, and a service that nobody
//! answers for.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::endpoint_crash::call_json;
use crate::profiles::{make_buckets, on_aws, prepare};
use crate::support::{Outcome, Project};

/// A query that does not end while anybody waits.
const ENDLESS: &str = "SELECT count(*) AS n FROM UNNEST(sequence(1, 9000)) AS a (x) CROSS JOIN UNNEST(sequence(1, 9000)) AS b (y)\n\
                       CROSS JOIN UNNEST(sequence(1, 9000)) AS c (z) CROSS JOIN UNNEST(sequence(1, 9000)) AS d (w)\n";

fn project(operator: &str, options: &str) -> Project {
    let project = Project::new();
    project.write("endless.sql", ENDLESS);
    project
        .write("main.dig", format!("timezone: UTC\n+endless:\n  {operator}: endless.sql\n  database: web\n{options}"));
    make_buckets(&project);
    project
}

const RUN: [&str; 4] = ["run", "main.dig", "--session", "2026-01-01"];

fn command(project: &Project, endpoint: &Endpoint<'_>, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    on_aws(endpoint, &mut command);
    command
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn athena(endpoint: &Endpoint<'_>, operation: &str, body: &Value) -> Value {
    call_json(endpoint.url(), &format!("AmazonAthena.{operation}"), body).unwrap()
}

/// The one query that Athena was asked to run: its id and its state.
fn the_query(endpoint: &Endpoint<'_>) -> (String, String) {
    let ids = athena(endpoint, "ListQueryExecutions", &json!({}))["QueryExecutionIds"].clone();
    let [id] = ids.as_array().unwrap().as_slice() else { panic!("one query was expected: {ids}") };
    let execution = athena(endpoint, "GetQueryExecution", &json!({ "QueryExecutionId": id }));
    let state = execution["QueryExecution"]["Status"]["State"].as_str().unwrap();
    (id.as_str().unwrap().to_owned(), state.to_owned())
}

/// The same when it is not queued any more: one that is left to Athena comes to run, however busy Athena is.
fn the_query_that_was_queued(endpoint: &Endpoint<'_>) -> (String, String) {
    loop {
        let (id, state) = the_query(endpoint);
        if state != "QUEUED" {
            return (id, state);
        }
    }
}

#[test]
fn ctrl_c_leaves_a_query_to_athena_and_says_so() {
    for (operator, options) in [
        ("athena.query>", ""),
        ("athena.apas>", "  table: t\n  partition_kv: {dt: d}\n"),
        ("athena.ctas>", "  table: t\n"),
    ] {
        let project = project(operator, options);
        let endpoint = Endpoint::start(&project, &[], &[]);
        prepare(&project, endpoint.url(), "");
        let arguments = [&["--json"][..], &RUN].concat();
        let mut child = command(&project, &endpoint, &arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut events = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| {
            let line = line.unwrap();
            serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
        });
        // It waits for the query that it started: its state names it.
        assert!(events.any(|event| event["event"] == "task_waits" && event["task"] == "+main+endless"));
        interrupt(&child);
        let rest: Vec<Value> = events.collect();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
        let (id, state) = the_query_that_was_queued(&endpoint);
        assert_eq!(state, "RUNNING", "{operator}");
        let said: Vec<&Value> = rest.iter().filter(|event| event["event"] == "warning").collect();
        assert_eq!(
            said,
            [&json!({
                "event": "warning",
                "task": "+main+endless",
                "line": format!(
                    "the query {id} goes on and is paid for once: the next run takes up where it is then. To stop it: aws athena \
                     stop-query-execution --query-execution-id {id} --region us-east-1 --endpoint-url {}",
                    endpoint.url()
                ),
            })],
            "{operator}"
        );
        // The next run follows that query and no other one.
        athena(&endpoint, "StopQueryExecution", &json!({ "QueryExecutionId": id }));
        let outcome = Outcome::of(&project, &command(&project, &endpoint, &RUN).output().unwrap());
        assert_eq!(outcome.exit, Some(1), "{operator}: {outcome}");
        assert!(outcome.stderr.contains("attempt 1, continued"), "{operator}: {outcome}");
        assert_eq!(the_query(&endpoint), (id, "CANCELLED".to_owned()), "{operator}: {outcome}");
        assert_eq!(endpoint.stop(), Some(0));
    }
}

#[test]
fn a_time_limit_stops_the_query_on_athena() {
    for (operator, options) in [("athena.query>", "  timeout: 1s\n"), ("athena.ctas>", "  table: t\n  timeout: 1s\n")] {
        let project = project(operator, options);
        let endpoint = Endpoint::start(&project, &[], &[]);
        prepare(&project, endpoint.url(), "");
        let outcome = Outcome::of(&project, &command(&project, &endpoint, &RUN).output().unwrap());
        assert_eq!(outcome.exit, Some(1), "{operator}: {outcome}");
        assert!(outcome.stderr.contains("the query was stopped after its timeout of 1 s"), "{operator}: {outcome}");
        assert_eq!(the_query(&endpoint).1, "CANCELLED", "{operator}");
        assert_eq!(endpoint.stop(), Some(0));
    }
}

/// An address at which nobody answers.
const NOBODY: &str = "http://127.0.0.1:1";

/// Prepares a command on the profile whose endpoint does not run.
fn without_endpoint(project: &Project, arguments: &[&str]) -> Command {
    prepare(project, NOBODY, "");
    let mut command = project.command(arguments);
    crate::endpoint::alone(&mut command);
    command.env("SUIRO_PROFILE", "aws").env("AWS_ACCESS_KEY_ID", "suiro").env("AWS_SECRET_ACCESS_KEY", "suiro");
    command
}

#[test]
fn a_service_that_cannot_be_reached_is_told_at_once_and_given_up_soon() {
    let project = Project::new();
    for (service, arguments) in [("Athena", &["query", "SELECT 1"][..]), ("Glue", &["table", "list"])] {
        let outcome = Outcome::of(&project, &without_endpoint(&project, arguments).output().unwrap());
        assert_ne!(outcome.exit, Some(0), "{outcome}");
        let first = outcome.stderr.lines().next().unwrap_or_default();
        assert_eq!(
            first,
            format!(
                "{service} cannot be reached at {NOBODY}: Connection refused (os error 111); it is tried again (try 2) for up to \
                 10 s"
            ),
            "{outcome}"
        );
        let error = outcome.stderr.lines().find(|line| line.starts_with("error[")).unwrap_or_default();
        assert!(error.contains(&format!(": {service} cannot be reached at {NOBODY} (tried ")), "{outcome}");
        assert!(error.ends_with(" times): Connection refused (os error 111)"), "{outcome}");
        assert!(outcome.stderr.contains("  = help: does `suiro emulate` run there?"), "{outcome}");
    }
}

#[test]
fn ctrl_c_does_not_wait_for_a_service_that_cannot_be_reached() {
    let load = "+load:\n  load>:\n    in: {type: file, path: rows.csv, parser: {type: csv, columns: [{name: n, type: bigint}]}}\n    \
                out: {type: table, database: web, table: t, mode: append}\n";
    let query = "+query:\n  athena.query>: SELECT 1\n  database: web\n";
    for (workflow, arguments, farewell) in [
        (query, &RUN[..], "Interrupted. The same command continues."),
        (load, &RUN, "Interrupted. The same command continues."),
        ("", &["query", "SELECT 1"], "nobody answers: it is not known whether the query was started"),
    ] {
        let project = Project::new();
        project.write("main.dig", workflow);
        project.write("rows.csv", "1\n2\n");
        let mut child = without_endpoint(&project, arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("it is tried again (try 2)") {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "{arguments:?} ended before it tried again");
        }
        interrupt(&child);
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{arguments:?}\n{rest}");
        // Nobody has given up: there is no error.
        assert!(rest.contains(farewell) && !rest.contains("error["), "{arguments:?}\n{rest}");
    }
}

#[test]
fn the_endpoint_says_its_last_words_at_any_signal() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let project = Project::new();
        let mut command = project.command_that_hears_hang_up(&["emulate", "--port", "0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It listens by then.
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("export AWS_ENDPOINT_URL=http://127.0.0.1:"), "{line}");
        assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{name}\n{said}");
        assert!(said.ends_with("stopping: requests under way are answered\n"), "{name}\n{said}");
    }
}
