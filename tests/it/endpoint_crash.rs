//! The endpoint is stopped before and after every durable effect of an `INSERT` and a `CREATE TABLE … AS`; started again, it has
//! finished the statement or undone it, and says which.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::support::{Project, files_below, root};

const INSERT: &str = "INSERT INTO web.t VALUES (2, 'a'), (3, 'b')";

#[test]
fn an_insert_is_whole_wherever_the_endpoint_stops() {
    for point in points("insert: ") {
        for moment in ["before", "after"] {
            let known = point != "insert: store the intent" || moment == "after";
            is_whole(&format!("{point}:{moment}"), known);
        }
    }
    // In the middle of several objects.
    is_whole("insert: place an object:before:2", true);
}

#[test]
fn a_table_that_is_made_of_a_query_is_there_if_its_statement_has_succeeded() {
    for point in points("create: ") {
        for moment in ["before", "after"] {
            let known = point != "create: store the intent" || moment == "after";
            let create = |external: &str| {
                format!(
                    "CREATE TABLE web.made WITH (partitioned_by = ARRAY['dt']{external}) AS SELECT 1 AS n, 'a' AS dt"
                )
            };
            for sql in [create(""), create(", external_location = 's3://b/made/'")] {
                is_made(&sql, &format!("{point}:{moment}"), known);
            }
        }
    }
}

/// Stops a `CREATE TABLE … AS` and starts the endpoint again: its table is there if it was `known` to the endpoint by then.
fn is_made(sql: &str, stop: &str, known: bool) {
    let project = Project::new();
    for bucket in ["results", "b"] {
        std::fs::create_dir_all(project.path().join(".suiro/warehouse/s3").join(bucket)).unwrap();
    }
    let endpoint = Endpoint::start(&project, &[], &[]);
    let id = start(&endpoint, "CREATE DATABASE web").unwrap();
    assert_eq!(ended(&endpoint, &id).as_deref(), Some("SUCCEEDED"));
    assert_eq!(endpoint.stop(), Some(0));

    let endpoint = Endpoint::start(&project, &[], &[("SUIRO_CRASH_AT", stop)]);
    if let Some(id) = start(&endpoint, sql) {
        assert_eq!(ended(&endpoint, &id), None, "not stopped {stop}");
    }
    assert_eq!(endpoint.stop(), None, "not stopped {stop}");

    let endpoint = Endpoint::start(&project, &[], &[]);
    let id = start(&endpoint, sql).unwrap();
    let execution = execution(&endpoint, &id).unwrap();
    let expected = if known { "SUCCEEDED" } else { "FAILED" };
    assert_eq!(execution["Status"]["State"], expected, "stopped {stop}: {execution}");
    let listed = execution["Statistics"]["DataManifestLocation"].as_str();
    assert_eq!(listed.is_some(), known, "stopped {stop}: {execution}");
    if let Some(location) = listed {
        let objects = project.path().join(".suiro/warehouse/s3");
        let list = std::fs::read_to_string(objects.join(location.trim_start_matches("s3://"))).unwrap();
        assert!(list.lines().count() == 1 && list.contains("/dt=a/"), "stopped {stop}: {list}");
    }
    let asked = json!({ "DatabaseName": "web", "Name": "made" });
    let found = call_json(endpoint.url(), "AWSGlue.GetTable", &asked).unwrap();
    assert_eq!(found.get("Table").is_some(), known, "stopped {stop}: {found}");
    assert_eq!(endpoint.stop(), Some(0));
    if known {
        assert_eq!(project.query("SELECT n, dt FROM web.made"), "n,dt\n1,a\n", "stopped {stop}");
    }
}

/// Stops an `INSERT` and starts the endpoint again: it is done if it was `known` to the endpoint by then.
fn is_whole(stop: &str, known: bool) {
    let project = Project::new();
    for bucket in ["results", "b"] {
        std::fs::create_dir_all(project.path().join(".suiro/warehouse/s3").join(bucket)).unwrap();
    }
    let endpoint = Endpoint::start(&project, &[], &[]);
    for sql in [
        "CREATE DATABASE web",
        "CREATE EXTERNAL TABLE web.t (n int) PARTITIONED BY (dt string) STORED AS PARQUET LOCATION 's3://b/t/'",
        "INSERT INTO web.t VALUES (1, 'a')",
    ] {
        let id = start(&endpoint, sql).unwrap();
        assert_eq!(ended(&endpoint, &id).as_deref(), Some("SUCCEEDED"), "{sql}");
    }
    assert_eq!(endpoint.stop(), Some(0));

    let endpoint = Endpoint::start(&project, &[], &[("SUIRO_CRASH_AT", stop)]);
    // The answer may be lost; the token leads to the query all the same.
    if let Some(id) = start(&endpoint, INSERT) {
        assert_eq!(ended(&endpoint, &id), None, "not stopped {stop}");
    }
    assert_eq!(endpoint.stop(), None, "not stopped {stop}");

    let endpoint = Endpoint::start(&project, &[], &[]);
    let id = start(&endpoint, INSERT).unwrap();
    let execution = execution(&endpoint, &id).unwrap();
    let expected = if known { "SUCCEEDED" } else { "FAILED" };
    assert_eq!(execution["Status"]["State"], expected, "stopped {stop}: {execution}");
    assert_eq!(endpoint.stop(), Some(0));

    let rows = if known { "n,dt\n1,a\n2,a\n3,b\n" } else { "n,dt\n1,a\n" };
    assert_eq!(project.query("SELECT n, dt FROM web.t ORDER BY n"), rows, "stopped {stop}");
    let objects = project.path().join(".suiro/warehouse/s3");
    let manifest: BTreeSet<String> = match execution["Statistics"]["DataManifestLocation"].as_str() {
        Some(location) => {
            let text = std::fs::read_to_string(objects.join(location.trim_start_matches("s3://"))).unwrap();
            text.lines().map(str::to_owned).collect()
        }
        None => BTreeSet::new(),
    };
    assert_eq!(manifest.len(), if known { 2 } else { 0 }, "stopped {stop}: {manifest:?}");
    let placed = files_below(&objects.join("b")).len();
    assert_eq!(placed, manifest.len() + 1, "stopped {stop}");
    let aside = objects.join("suiro-results/athena-insert");
    let left = if aside.exists() { files_below(&aside) } else { Vec::new() };
    assert!(left.is_empty(), "stopped {stop}: left over {left:?}");
}

/// Starts a query, and returns its id.
fn start(endpoint: &Endpoint<'_>, sql: &str) -> Option<String> {
    let body = json!({
        "QueryString": sql,
        "ClientRequestToken": format!("{sql:x<40}").get(..40).unwrap(),
        "ResultConfiguration": { "OutputLocation": "s3://results/" },
    });
    let started = call(endpoint, "StartQueryExecution", &body)?;
    Some(started["QueryExecutionId"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned())
}

/// Waits for the end of a query, or of the endpoint: then there is no state.
fn ended(endpoint: &Endpoint<'_>, id: &str) -> Option<String> {
    loop {
        let state = execution(endpoint, id)?["Status"]["State"].as_str().unwrap().to_owned();
        if !matches!(state.as_str(), "QUEUED" | "RUNNING") {
            return Some(state);
        }
        std::thread::yield_now();
    }
}

fn execution(endpoint: &Endpoint<'_>, id: &str) -> Option<Value> {
    Some(call(endpoint, "GetQueryExecution", &json!({ "QueryExecutionId": id }))?["QueryExecution"].take())
}

/// Calls Athena; none when the endpoint is gone.
fn call(endpoint: &Endpoint<'_>, operation: &str, body: &Value) -> Option<Value> {
    call_json(endpoint.url(), &format!("AmazonAthena.{operation}"), body)
}

/// Makes a call of Athena (`AmazonAthena.…`) or Glue (`AWSGlue.…`) with nothing of ours; none when the endpoint is gone.
pub(crate) fn call_json(url: &str, target: &str, body: &Value) -> Option<Value> {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).ok()?;
    let body = body.to_string();
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: {target}\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(serde_json::from_str(body).unwrap())
}

/// The names of the endpoint's crash points that begin in a way, as they stand in the sources.
fn points(area: &str) -> Vec<String> {
    static POINT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\.around(?:_now)?\(\s*"([^"]+: [^"]+)""#).unwrap());
    let mut points = BTreeSet::new();
    for file in files_below(&root().join("operators/emulator/src")) {
        let text = std::fs::read_to_string(file).unwrap();
        points.extend(POINT.captures_iter(&text).map(|found| found[1].to_owned()));
    }
    points.retain(|point| point.starts_with(area));
    assert!(points.len() >= 2, "{points:?}");
    points.into_iter().collect()
}
