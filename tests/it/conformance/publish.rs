//! Publishing on S3 and Glue: a stop at any effect that only AWS has changes nothing in the end, and writers on several
//! machines lose nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use futures::TryStreamExt as _;
use indexmap::IndexMap;
use lake::aws::{AwsSettings, EngineKind};
use lake::catalog::{Column, Database, Expect, Table, TableFormat};
use lake::crash::CrashPoints;
use lake::name::{Location, TableName};
use lake::publish::{Check, Direction, PublishOptions, PublishOutcome, PublishRequest, PublishState, Step, Target};
use lake::query::Query;
use lake::{ErrorKind, Lake, LakeSettings};
use regex::Regex;

use super::server::{Emulated, OnAws};
use crate::support::{files_below, root};

pub(crate) async fn open(server: &Emulated, state: &Path, crash_points: CrashPoints) -> Lake {
    // What is looked at here is S3 and Glue, whoever runs the queries: this engine is the quick one.
    let settings = AwsSettings { engine: EngineKind::Embedded, ..server.settings() };
    let settings = LakeSettings::aws(state, settings);
    Lake::open(LakeSettings { crash_points, parallelism: Some(1), ..settings }).await.unwrap()
}

/// A lake on AWS with the table `web.daily`, partitioned by `dt`.
pub(crate) async fn world(server: &Emulated, state: &Path) -> Lake {
    server.make_buckets();
    let lake = open(server, state, CrashPoints::default()).await;
    lake.catalog.create_database(&Database::new("web")).await.unwrap();
    let table = Table::new(
        TableName::new("web", "daily").unwrap(),
        vec![Column::new("n", "bigint")],
        vec![Column::new("dt", "string")],
        Location::parse("s3://bucket-b/web/daily/").unwrap(),
        TableFormat::Parquet,
    );
    lake.catalog.put_table(&table, Expect::Absent).await.unwrap();
    lake
}

pub(crate) fn partition(sql: &str) -> PublishRequest {
    PublishRequest {
        target: Target::Partition {
            table: TableName::new("web", "daily").unwrap(),
            values: IndexMap::from([("dt".to_owned(), "d".to_owned())]),
        },
        sql: sql.to_owned(),
        database: Some("web".to_owned()),
        options: PublishOptions::default(),
        attempt: "1".to_owned(),
        token: "+daily".to_owned(),
        query: lake::query::QueryOptions::default(),
    }
}

pub(super) fn whole(sql: &str, keys: &[&str]) -> PublishRequest {
    let partitioned_by = keys.iter().map(|key| (*key).to_owned()).collect();
    PublishRequest {
        target: Target::Table { table: TableName::new("web", "made").unwrap(), partitioned_by },
        ..partition(sql)
    }
}

/// Goes on from a state to the end, as an operator does.
pub(crate) async fn go_on(
    lake: &Lake,
    request: &PublishRequest,
    kept: &mut Option<PublishState>,
) -> lake::Result<PublishOutcome> {
    loop {
        let step = match &kept {
            None => lake.plan_publish(request).await?,
            Some(state) => lake.publish_step(request, state).await?,
        };
        match step {
            Step::Next(state) => *kept = Some(state),
            Step::Wait(_) => tokio::task::yield_now().await,
            Step::Done(outcome) => return Ok(outcome),
        }
    }
}

pub(crate) async fn publish(lake: &Lake, request: &PublishRequest) -> PublishOutcome {
    go_on(lake, request, &mut None).await.unwrap()
}

/// Runs a query, and returns its rows as text.
pub(crate) async fn rows(lake: &Lake, sql: &str) -> Vec<String> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let token = format!("rows {}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let id = lake.engine.start(&Query::new(sql, Some("web"), token)).await.unwrap();
    let (_columns, batches) = lake.engine.fetch(&id).await.unwrap();
    let batches: Vec<_> = batches.try_collect().await.unwrap();
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cell = |column| arrow::util::display::array_value_to_string(column, row).unwrap();
            rows.push(batch.columns().iter().map(|column| cell(column.as_ref())).collect::<Vec<_>>().join("|"));
        }
    }
    rows.sort();
    rows
}

/// What is run until it is stopped.
enum Work {
    Publish(Box<PublishRequest>),
    Undo,
}

fn publishing(request: PublishRequest) -> Work {
    Work::Publish(Box::new(request))
}

/// Work that is stopped: what is published before it, and what is there after it.
struct Scenario {
    before: Vec<PublishRequest>,
    work: Work,
    shown: &'static str,
    after: &'static [&'static str],
}

fn scenarios() -> Vec<Scenario> {
    const TABLE: &str = "SELECT * FROM web.made";
    let old = || whole("SELECT 1 AS n, 'a' AS k UNION ALL SELECT 2, 'b'", &["k"]);
    vec![
        Scenario {
            before: vec![partition("SELECT CAST(1 AS bigint) AS n")],
            work: publishing(partition("SELECT CAST(2 AS bigint) AS n")),
            shown: "SELECT * FROM web.daily",
            after: &["2|d"],
        },
        Scenario {
            before: vec![partition("SELECT CAST(1 AS bigint) AS n"), partition("SELECT CAST(2 AS bigint) AS n")],
            work: Work::Undo,
            shown: "SELECT * FROM web.daily",
            after: &["1|d"],
        },
        // The same keys: one value stays, one goes, one comes.
        Scenario {
            before: vec![old()],
            work: publishing(whole("SELECT 3 AS n, 'b' AS k UNION ALL SELECT 4, 'c'", &["k"])),
            shown: TABLE,
            after: &["3|b", "4|c"],
        },
        Scenario {
            before: vec![old()],
            work: publishing(whole("SELECT 5 AS n, 'x' AS other", &["other"])),
            shown: TABLE,
            after: &["5|x"],
        },
        Scenario { before: Vec::new(), work: publishing(old()), shown: TABLE, after: &["1|a", "2|b"] },
    ]
}

async fn work(lake: &Lake, work: &Work, kept: &mut Option<PublishState>) -> lake::Result<()> {
    match work {
        Work::Publish(request) => go_on(lake, request, kept).await.map(|_| ()),
        Work::Undo => {
            let name = TableName::new("web", "daily").unwrap();
            lake.undo_partition(&name, &["d".to_owned()], Direction::Undo).await.map(|_| ())
        }
    }
}

/// Stops at the n-th pass of the points that are meant, and tells which it was.
pub(super) fn stop_at(
    pass: usize,
    meant: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> (CrashPoints, Arc<Mutex<Option<String>>>) {
    let (passes, stopped) = (AtomicUsize::new(0), Arc::new(Mutex::new(None)));
    let told = Arc::clone(&stopped);
    let hook = move |point: &str| {
        let is_meant = meant(point) && passes.fetch_add(1, Ordering::SeqCst) == pass;
        if is_meant {
            *told.lock().unwrap() = Some(point.to_owned());
        }
        !is_meant
    };
    (CrashPoints::new(Arc::new(hook)), stopped)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_effect_of_aws_changes_nothing_in_the_end() {
    let mut reached = BTreeSet::new();
    for scenario in scenarios() {
        for pass in 0.. {
            let server = Emulated::start();
            let state = tempfile::tempdir().unwrap();
            let lake = world(&server, state.path()).await;
            for request in &scenario.before {
                publish(&lake, request).await;
            }
            drop(lake);
            let (points, stopped) = stop_at(pass, |point| point.contains(" aws: "));
            let lake = open(&server, state.path(), points).await;
            let mut kept = None;
            let ended = work(&lake, &scenario.work, &mut kept).await;
            drop(lake);
            let Some(point) = stopped.lock().unwrap().take() else {
                ended.unwrap();
                break;
            };
            assert_eq!(ended.unwrap_err().kind, ErrorKind::Canceled, "{point}");
            // What is done only after a stop is stopped once more.
            for moment in ["before", "after"] {
                let again = ["aws: complete the partitions", "aws: remove a lease that was left"];
                let again = again.map(|point| format!("{moment} {point}"));
                let (points, stopped) = stop_at(0, move |point| again.iter().any(|again| again == point));
                let lake = open(&server, state.path(), points).await;
                let ended = work(&lake, &scenario.work, &mut kept).await;
                let Some(again) = stopped.lock().unwrap().take() else {
                    ended.unwrap_or_else(|error| panic!("after a stop {point}: {error}"));
                    break;
                };
                assert_eq!(ended.unwrap_err().kind, ErrorKind::Canceled, "{point}, {again}");
                reached.insert(again);
            }
            let lake = open(&server, state.path(), CrashPoints::default()).await;
            work(&lake, &scenario.work, &mut kept)
                .await
                .unwrap_or_else(|error| panic!("after a stop {point}: {error}"));
            assert_eq!(rows(&lake, scenario.shown).await, scenario.after, "after a stop {point}");
            let left = lake.storage.list(&Location::parse("s3://bucket-b/").unwrap()).await.unwrap();
            let leases: Vec<_> = left.iter().filter(|object| object.location.file_name().contains("lease")).collect();
            assert!(leases.is_empty(), "after a stop {point}: {leases:?}");
            reached.insert(point);
        }
    }
    reached.extend(Box::pin(super::lost::a_batch_that_was_stopped()).await);
    reached.extend(Box::pin(super::lost::a_version_that_is_in_use_again()).await);
    reached.extend(Box::pin(super::lost::a_write_that_comes_late()).await);
    let both: BTreeSet<String> =
        points_of_aws().iter().flat_map(|point| [format!("before {point}"), format!("after {point}")]).collect();
    assert_eq!(reached, both, "every point on both sides");
}

/// The points that only AWS has, as they stand in the sources of storage, catalog and publishing.
fn points_of_aws() -> BTreeSet<String> {
    static POINT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\.around(?:_now)?\(\s*"(aws: [^"]+)""#).unwrap());
    let parts = ["aws", "catalog", "publish", "storage"].map(|part| root().join("operators/lake/src").join(part));
    let files = parts.iter().flat_map(|part| files_below(part));
    let texts = files.map(|file| std::fs::read_to_string(file).unwrap());
    texts.flat_map(|text| POINT.captures_iter(&text).map(|found| found[1].to_owned()).collect::<Vec<_>>()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_on_several_machines_lose_nothing() {
    const MACHINES: i64 = 3;
    const EACH: i64 = 5;
    let server = Emulated::start();
    let state = tempfile::tempdir().unwrap();
    let first = world(&server, state.path()).await;
    publish(&first, &partition("SELECT CAST(0 AS bigint) AS n")).await;
    let machines = (0..MACHINES).map(|machine| {
        let (server, state) = (&server, state.path().join(machine.to_string()));
        async move {
            let lake = open(server, &state, CrashPoints::default()).await;
            for turn in 0..EACH {
                let one_more = PublishRequest {
                    attempt: format!("{machine}/{turn}"),
                    ..partition("SELECT n + 1 AS n FROM web.daily WHERE dt = 'd'")
                };
                publish(&lake, &one_more).await;
            }
        }
    });
    futures::future::join_all(machines).await;
    assert_eq!(rows(&first, "SELECT n FROM web.daily").await, [(MACHINES * EACH).to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_a_place_that_nobody_named() {
    let server = Emulated::start();
    server.make_buckets();
    let state = tempfile::tempdir().unwrap();
    let settings = AwsSettings { warehouse: None, engine: EngineKind::Embedded, ..server.settings() };
    let lake = Lake::open(LakeSettings::aws(state.path(), settings)).await.unwrap();
    lake.catalog.create_database(&Database::new("web")).await.unwrap();
    let error = go_on(&lake, &whole("SELECT 1 AS n", &[]), &mut None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no place for table `web.made`: its database has no location in the catalog"
    );
    let kept = Query { destination: lake::query::Destination::Keep, ..Query::new("SELECT 1", None, "kept") };
    let id = lake.engine.start(&kept).await.unwrap();
    let error = lake.engine.fetch(&id).await.err().unwrap();
    assert_eq!(error.message, "there is no place for results that are kept");
    lake.collect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_collected_does_not_hide_why_a_version_was_given_up() {
    let server = Emulated::start();
    let state = tempfile::tempdir().unwrap();
    let first = world(&server, state.path()).await;
    let settings = AwsSettings { engine: EngineKind::Embedded, ..server.settings() };
    let settings = LakeSettings { retention: std::time::Duration::ZERO, ..LakeSettings::aws(state.path(), settings) };
    drop(first);
    let lake = Lake::open(settings).await.unwrap();
    assert!(server.ask("PUT", "/elsewhere").starts_with("HTTP/1.1 200 "));
    let elsewhere = PublishOptions {
        version_location: Some(Location::parse("s3://elsewhere/versions/").unwrap()),
        ..PublishOptions::default()
    };
    let first = publish(&lake, &PublishRequest { options: elsewhere, ..partition("SELECT 1 AS n") }).await;
    // What is replaced is due at once, and cannot be deleted: it does not say any more that it is ours.
    let mut place = first.location;
    let mut markers = Vec::new();
    while let Some(above) = place {
        markers.push(above.join("_suiro.json").unwrap());
        place = above.parent();
    }
    lake.storage.delete(&markers).await.unwrap();
    publish(&lake, &PublishRequest { attempt: "2".to_owned(), ..partition("SELECT 2 AS n") }).await;
    let left = lake.collect().await.unwrap_err();
    assert!(left.message.contains("it carries no marker of suiro"), "{left}");

    let checks = vec![Check { name: "few".to_owned(), sql: "SELECT n FROM new_version WHERE n > 2".to_owned() }];
    let checked = PublishOptions { checks, ..PublishOptions::default() };
    let wrong = PublishRequest { options: checked, attempt: "3".to_owned(), ..partition("SELECT 3 AS n") };
    let error = go_on(&lake, &wrong, &mut None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DataQuality, "{error}");
    assert_eq!(rows(&lake, "SELECT n FROM web.daily").await, ["2"]);
}
