//! A process that is killed while Trino writes for it: the next one stops that query, and writes once more elsewhere.

use std::process::{Command, Stdio};

use serde_json::json;

use super::Trino;
use super::profiles::{on_trino, prepare};
use crate::endpoint::Endpoint;
use crate::profiles::make_buckets;
use crate::support::{Outcome, Project};

#[test]
fn ctrl_c_stops_a_query_that_no_other_process_can_follow() {
    let Some(trino) = Trino::find() else { return };
    let mark = format!("interrupted of {}", std::process::id());
    let project = Project::new();
    project.write("slow.sql", slow_sql(&mark));
    project.write(
        "slow.dig",
        "timezone: UTC\n+slow:\n  athena.apas>: slow.sql\n  database: web\n  table: slow\n  partition_kv: {dt: d}\n",
    );
    make_buckets(&project);
    let endpoint = Endpoint::start(&project, &[], &[]);
    let lake = trino.connect(endpoint.url());
    prepare(&project, endpoint.url(), &lake);
    let run = || {
        let mut command = project.command(&["run", "slow.dig", "--session", "2026-01-01"]);
        on_trino(&endpoint, &mut command);
        command
    };
    let states = format!(
        "SELECT state, error_code, query_id FROM system.runtime.queries WHERE source = 'suiro' AND query LIKE '%{mark}%' \
         ORDER BY created"
    );
    let first = run().stderr(Stdio::piped()).spawn().unwrap();
    let id = loop {
        match lake.ask(&[&states]).as_array().unwrap().as_slice() {
            [state] if state[0] == "RUNNING" => break state[2].as_str().unwrap().to_owned(),
            [state] => assert_ne!(state[0], "FINISHED", "too fast to be stopped"),
            _ => {}
        }
    };
    let sent = Command::new("kill").args(["-INT", &first.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let first = Outcome::of(&project, &first.wait_with_output().unwrap());
    assert_eq!(first.exit, Some(130), "{first}");
    let said = format!("warning: +slow+slow: the query {id} was stopped, the next run begins it anew");
    assert!(first.stderr.contains(&said), "{first}");
    assert_eq!(lake.ask(&[&states])[0][0], "FAILED");
    let second = Outcome::of(&project, &run().output().unwrap());
    assert_eq!(second.exit, Some(0), "{second}");
    assert_eq!(project.query("SELECT n, dt FROM web.slow"), "n,dt\n1000000000,d\n");
    drop(lake);
    assert_eq!(endpoint.stop(), Some(0));
}

/// A query of some seconds: a thousand million pairs.
fn slow_sql(mark: &str) -> String {
    let digits = "(VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)";
    let many: Vec<String> = (0..9).map(|number| format!("{digits} AS d{number} (x)")).collect();
    format!("-- {mark}\nSELECT count(*) AS n FROM {}\n", many.join(" CROSS JOIN "))
}

#[test]
fn a_query_that_lost_its_process_is_stopped_and_run_once_more() {
    let Some(trino) = Trino::find() else { return };
    let mark = format!("slow of {}", std::process::id());
    let project = Project::new();
    project.write("slow.sql", slow_sql(&mark));
    project.write(
        "slow.dig",
        "timezone: UTC\n+slow:\n  athena.apas>: slow.sql\n  database: web\n  table: slow\n  partition_kv: {dt: d}\n",
    );
    make_buckets(&project);
    let endpoint = Endpoint::start(&project, &[], &[]);
    let lake = trino.connect(endpoint.url());
    prepare(&project, endpoint.url(), &lake);
    let run = || {
        let mut command = project.command(&["run", "slow.dig", "--session", "2026-01-01"]);
        on_trino(&endpoint, &mut command);
        command
    };
    let states = format!(
        "SELECT state, error_code FROM system.runtime.queries WHERE source = 'suiro' AND query LIKE '%{mark}%' ORDER BY created"
    );
    let mut first = run().spawn().unwrap();
    loop {
        match lake.ask(&[&states]).as_array().unwrap().as_slice() {
            [state] if state[0] == "RUNNING" => break,
            [state] => assert_ne!(state[0], "FINISHED", "too fast to be killed"),
            _ => assert!(first.try_wait().unwrap().is_none(), "it ended before it asked Trino"),
        }
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let second = Outcome::of(&project, &run().output().unwrap());
    assert_eq!(second.exit, Some(0), "{second}");
    assert_eq!(lake.ask(&[&states]), json!([["FAILED", "ADMINISTRATIVELY_KILLED"], ["FINISHED", null]]));
    assert_eq!(project.query("SELECT n, dt FROM web.slow"), "n,dt\n1000000000,d\n");
    assert_eq!(project.succeed(&["table", "list"]).stdout.matches("suiro_temporary").count(), 0);
    drop(lake);
    assert_eq!(endpoint.stop(), Some(0));
}
