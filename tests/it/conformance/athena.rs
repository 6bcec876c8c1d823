//! Publishing by Athena: a process is stopped at each effect that the query engine has, and the same work goes on. Each query is
//! paid for once, and nothing is left in the catalog.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use lake::aws::AwsClients;
use lake::clock::SystemClock;
use lake::crash::CrashPoints;
use lake::publish::{Check, PublishRequest, PublishState, Step};
use lake::{ErrorKind, Lake, LakeSettings};
use regex::Regex;

use super::publish::{go_on, partition, rows, world};
use super::server::{Emulated, OnAws};
use crate::support::{files_below, root};

async fn open(server: &Emulated, state: &Path, crash_points: CrashPoints) -> Lake {
    let settings = LakeSettings::aws(state, server.settings());
    Lake::open(LakeSettings { crash_points, ..settings }).await.unwrap()
}

/// A new version with a check that reads it.
fn checked() -> PublishRequest {
    let mut request = partition("SELECT CAST(2 AS bigint) AS n");
    let sql = "SELECT n FROM new_version WHERE n <> 2 UNION ALL SELECT n FROM daily WHERE n <> 2";
    request.options.checks = vec![Check { name: "two".to_owned(), sql: sql.to_owned() }];
    request
}

/// The points of the query engine, as they stand in its sources.
fn points() -> BTreeSet<String> {
    static POINT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\.around\(\s*"(aws: [^"]+)""#).unwrap());
    let files = files_below(&root().join("operators/lake/src/query/athena"));
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    texts.flat_map(|text| POINT.captures_iter(&text).map(|found| found[1].to_owned()).collect::<Vec<_>>()).collect()
}

/// Stops at the n-th pass of these points, and tells which it was.
fn stop_at(pass: usize) -> (CrashPoints, Arc<Mutex<Option<String>>>) {
    let (passes, stopped) = (AtomicUsize::new(0), Arc::new(Mutex::new(None)));
    let (told, points) = (Arc::clone(&stopped), points());
    let hook = move |point: &str| {
        let name = point.split_once(' ').map_or(point, |(_, name)| name);
        let is_meant = points.contains(name) && passes.fetch_add(1, Ordering::SeqCst) == pass;
        if is_meant {
            *told.lock().unwrap() = Some(point.to_owned());
        }
        !is_meant
    };
    (CrashPoints::new(Arc::new(hook)), stopped)
}

/// How many queries the endpoint was asked to run.
async fn queries(server: &Emulated) -> usize {
    let clients = AwsClients::open(&server.settings(), Arc::new(SystemClock)).await.unwrap();
    clients.athena.list_query_executions().send().await.unwrap().query_execution_ids.unwrap().len()
}

async fn nothing_is_left(lake: &Lake) {
    let tables = lake.catalog.tables("web").await.unwrap();
    let tables: Vec<String> = tables.into_iter().map(|table| table.name.table).collect();
    assert_eq!(tables, ["daily"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_effect_of_a_query_runs_none_twice() {
    let mut reached = BTreeSet::new();
    for pass in 0.. {
        let server = Emulated::start();
        let state = tempfile::tempdir().unwrap();
        drop(world(&server, state.path()).await);
        let (points, stopped) = stop_at(pass);
        let lake = open(&server, state.path(), points).await;
        let mut kept = None;
        let ended = go_on(&lake, &checked(), &mut kept).await;
        drop(lake);
        let stop = stopped.lock().unwrap().take();
        let lake = open(&server, state.path(), CrashPoints::default()).await;
        if let Some(point) = &stop {
            assert_eq!(ended.unwrap_err().kind, ErrorKind::Canceled, "{point}");
            go_on(&lake, &checked(), &mut kept).await.unwrap_or_else(|error| panic!("after a stop {point}: {error}"));
        } else {
            let stats = ended.unwrap().stats;
            assert_eq!((stats.billed_bytes, stats.cost_micro_usd), (20 << 20, 96), "the write and its check");
        }
        assert_eq!(queries(&server).await, 2, "the write and its check, once each, after a stop {stop:?}");
        assert_eq!(rows(&lake, "SELECT * FROM web.daily").await, ["2|d"], "after a stop {stop:?}");
        nothing_is_left(&lake).await;
        match stop {
            Some(point) => reached.insert(point),
            None => break,
        };
    }
    let mut both: BTreeSet<String> =
        points().iter().flat_map(|point| [format!("before {point}"), format!("after {point}")]).collect();
    // Only work that is cancelled has the one (the next test), only a new database the other (`aws_crash.rs`).
    let elsewhere = ["aws: stop the query", "aws: make the database of temporary tables"];
    both.retain(|point| !elsewhere.iter().any(|elsewhere| point.ends_with(elsewhere)));
    assert_eq!(reached, both, "every point on both sides");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_work_stops_its_query_and_shows_nothing() {
    let server = Emulated::start();
    let state = tempfile::tempdir().unwrap();
    drop(world(&server, state.path()).await);
    let digits = "(VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)";
    let many: Vec<String> = (0..9).map(|number| format!("{digits} AS d{number} (x)")).collect();
    let long = partition(&format!("SELECT CAST(sum(d0.x * d1.x) AS bigint) AS n FROM {}", many.join(" CROSS JOIN ")));
    for side in ["before", "after"] {
        let point = format!("{side} aws: stop the query");
        let meant = point.clone();
        let points = CrashPoints::new(Arc::new(move |passed: &str| passed != meant));
        let lake = open(&server, state.path(), points).await;
        let mut kept: Option<PublishState> = None;
        while !matches!(kept, Some(PublishState::Submitted(_))) {
            let step = match &kept {
                None => lake.plan_publish(&long).await.unwrap(),
                Some(state) => lake.publish_step(&long, state).await.unwrap(),
            };
            let Step::Next(next) = step else { panic!("{step:?}") };
            kept = Some(next);
        }
        let kept = kept.unwrap();
        assert_eq!(lake.cancel_publish(&long, &kept).await.unwrap_err().kind, ErrorKind::Canceled, "{point}");
        drop(lake);
        let lake = open(&server, state.path(), CrashPoints::default()).await;
        lake.cancel_publish(&long, &kept).await.unwrap_or_else(|error| panic!("after a stop {point}: {error}"));
        assert!(
            lake.catalog.partitions(&lake::name::TableName::new("web", "daily").unwrap()).await.unwrap().is_empty()
        );
        nothing_is_left(&lake).await;
    }
}
