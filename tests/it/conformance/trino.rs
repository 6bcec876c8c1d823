//! The engine Trino is stopped at each effect that it has: what is there after the next process has gone on is the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use arrow::record_batch::RecordBatch;
use futures::TryStreamExt as _;
use lake::aws::{AwsSettings, EngineKind};
use lake::crash::CrashPoints;
use lake::name::Location;
use lake::publish::Layout;
use lake::query::{Destination, Query, QueryId, QueryStatus, TrinoSettings};
use lake::{Lake, LakeSettings, Result};
use regex::Regex;
use serde_json::json;

use super::server::{Emulated, OnAws};
use crate::support::{files_below, root};
use crate::trino::{Connected, Trino};

/// The database of tables that are there while a query writes; nobody has made it.
const SCRATCH: &str = "scratch";

/// Opens a lake whose queries run on Trino.
pub(super) async fn open(server: &Emulated, lake: &Connected, state: &Path, crash_points: CrashPoints) -> Lake {
    let trino =
        TrinoSettings { scratch_database: SCRATCH.to_owned(), ..TrinoSettings::new(lake.url(), "etl", &lake.catalog) };
    let settings = AwsSettings { engine: EngineKind::Trino(Box::new(trino)), ..server.settings() };
    Lake::open(LakeSettings { crash_points, ..LakeSettings::aws(state, settings) }).await.unwrap()
}

/// Stops at the n-th pass of a point of Trino, and at all after it: whoever has stopped does nothing any more.
fn stop_at(pass: usize) -> (CrashPoints, Arc<Mutex<Option<String>>>) {
    let (passes, stopped) = (AtomicUsize::new(0), Arc::new(Mutex::new(None)));
    let told = Arc::clone(&stopped);
    let hook = move |point: &str| {
        let mut told = told.lock().unwrap();
        if told.is_none() && point.contains(" trino: ") && passes.fetch_add(1, Ordering::SeqCst) == pass {
            *told = Some(point.to_owned());
        }
        told.is_none()
    };
    (CrashPoints::new(Arc::new(hook)), stopped)
}

async fn ended(lake: &Lake, id: &QueryId) -> Result<QueryStatus> {
    loop {
        match lake.engine.poll(id).await? {
            QueryStatus::Queued | QueryStatus::Running(_) => tokio::task::yield_now().await,
            QueryStatus::Failed(error) => return Err(error),
            status => return Ok(status),
        }
    }
}

fn write(sql: &str, prefix: &str, token: String) -> Query {
    Query {
        destination: Destination::Objects {
            prefix: Location::parse(prefix).unwrap(),
            layout: Layout::default(),
            partition_by: Vec::new(),
        },
        ..Query::new(sql, None, token)
    }
}

/// A query of some seconds.
fn long() -> String {
    let digits = "(VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)";
    let many: Vec<String> = (0..9).map(|number| format!("{digits} AS d{number} (x)")).collect();
    format!("SELECT count(*) AS n FROM {}", many.join(" CROSS JOIN "))
}

/// Starts a query in a process that is gone when it runs: with its runtime everything of it ends at once.
async fn left_by_another(lake: &Lake, query: &Query) -> QueryId {
    let settings = LakeSettings { crash_points: CrashPoints::default(), ..lake.settings.clone() };
    let query = query.clone();
    let started = move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let id = runtime.block_on(async {
            let lake = Lake::open(settings).await.unwrap();
            let id = lake.engine.start(&query).await.unwrap();
            while !matches!(lake.engine.poll(&id).await.unwrap(), QueryStatus::Running(_)) {
                tokio::task::yield_now().await;
            }
            id
        });
        runtime.shutdown_background();
        id
    };
    tokio::task::spawn_blocking(started).await.unwrap()
}

/// Keeps a result, writes rows, stops a long query, and takes over from processes that are gone; under the same names each
/// time. Returns the rows that were written.
async fn work(lake: &Lake, name: &str) -> Result<u64> {
    let keep = Query { destination: Destination::Keep, ..Query::new("SELECT 7 AS n", None, format!("{name} kept")) };
    let id = lake.engine.start(&keep).await?;
    let (_, batches) = lake.engine.fetch(&id).await?;
    let batches: Vec<_> = batches.try_collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);

    let rows = write("SELECT 1 AS a UNION ALL SELECT 2", "s3://bucket-b/written/", format!("{name} written"));
    let id = lake.engine.start(&rows).await?;
    let QueryStatus::Succeeded(stats) = ended(lake, &id).await? else { panic!("{id:?}") };

    let id = lake.engine.start(&Query::new(long(), None, format!("{name} long"))).await?;
    lake.engine.cancel(&id).await?;
    assert!(matches!(lake.engine.poll(&id).await?, QueryStatus::Canceled));

    // One is started again, of the other one is asked.
    let left = write(&long(), "s3://bucket-b/left/", format!("{name} left"));
    left_by_another(lake, &left).await;
    let id = lake.engine.start(&left).await?;
    lake.engine.cancel(&id).await?;
    let id = left_by_another(lake, &write(&long(), "s3://bucket-b/asked/", format!("{name} asked"))).await;
    assert!(matches!(lake.engine.poll(&id).await?, QueryStatus::Unknown));
    Ok(stats.rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_effect_of_trino_changes_nothing_in_the_end() {
    let Some(trino) = Trino::find() else { return };
    let mut reached = BTreeSet::new();
    for pass in 0.. {
        let server = Emulated::start();
        server.make_buckets();
        let connected = trino.connect(&format!("http://{}", server.address()));
        let state = tempfile::tempdir().unwrap();
        let (points, stopped) = stop_at(pass);
        let lake = open(&server, &connected, state.path(), points).await;
        let done = work(&lake, &connected.catalog).await;
        drop(lake);
        let Some(point) = stopped.lock().unwrap().take() else {
            assert_eq!(done.unwrap(), 2);
            break;
        };
        done.unwrap_err();
        let lake = open(&server, &connected, state.path(), CrashPoints::default()).await;
        let rows = work(&lake, &connected.catalog).await;
        assert_eq!(rows.unwrap_or_else(|error| panic!("after a stop {point}: {error}")), 2, "after a stop {point}");
        let written = format!(
            "SELECT count(*) FROM system.runtime.queries WHERE state = 'FINISHED' AND source = 'suiro' AND query LIKE \
             'CREATE TABLE \"{}\"%'",
            connected.catalog
        );
        assert_eq!(connected.ask(&[&written]), json!([[1]]), "after a stop {point}: rows are written once");
        let tables = lake.catalog.tables(SCRATCH).await.unwrap();
        assert!(tables.is_empty(), "after a stop {point}: {tables:?}");
        reached.insert(point);
    }
    let both: BTreeSet<String> =
        points_of_trino().iter().flat_map(|point| [format!("before {point}"), format!("after {point}")]).collect();
    assert_eq!(reached, both, "every point on both sides");
}

/// The points that only Trino has, as they stand in the sources.
fn points_of_trino() -> BTreeSet<String> {
    static POINT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\.around(?:_now)?\(\s*"(trino: [^"]+)""#).unwrap());
    let files = files_below(&root().join("operators/lake/src/query/trino"));
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    texts.flat_map(|text| POINT.captures_iter(&text).map(|found| found[1].to_owned()).collect::<Vec<_>>()).collect()
}
