//! What goes on after a stop alone, and between machines: a batch that failed, a version that nobody knew of and that is in use
//! again. Each stops at its points too; the points that were reached are told.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use lake::catalog::{Column, Database, Expect, Table, TableFormat};
use lake::clock::ManualClock;
use lake::crash::CrashPoints;
use lake::name::{Location, TableName};
use lake::publish::{PublishRequest, PublishState, Step, Target};
use lake::storage::Put;
use lake::{ErrorKind, Lake, LakeSettings};
use serde_json::json;

use super::publish::{go_on, open, partition, publish, rows, stop_at, whole, world};
use super::server::Emulated;

/// Opens the lake of a machine whose clock is that much ahead.
async fn open_later(server: &Emulated, state: &Path, later: Duration, crash_points: CrashPoints) -> Lake {
    let settings = open(server, state, crash_points).await.settings;
    let clock = Arc::new(ManualClock::new(Timestamp::now() + later));
    Lake::open(LakeSettings { clock, ..settings }).await.unwrap()
}

/// A batch of partitions whose process was stopped is written once more, and what it left is deleted.
pub(super) async fn a_batch_that_was_stopped() -> BTreeSet<String> {
    const POINT: &str = "aws: delete what a batch left";
    let mut reached = BTreeSet::new();
    for side in ["before", "after"] {
        let server = Emulated::start();
        let state = tempfile::tempdir().unwrap();
        let lake = world(&server, state.path()).await;
        let request = whole("SELECT n AS a, n AS k FROM UNNEST(sequence(1, 101)) AS t (n)", &["k"]);
        let mut kept = None;
        while !matches!(&kept, Some(PublishState::Batching(batching)) if batching.running.is_some()) {
            let step = match &kept {
                None => lake.plan_publish(&request).await.unwrap(),
                Some(state) => lake.publish_step(&request, state).await.unwrap(),
            };
            match step {
                Step::Next(state) => kept = Some(state),
                Step::Wait(_) => tokio::task::yield_now().await,
                Step::Done(outcome) => panic!("{outcome:?}"),
            }
        }
        drop(lake);
        let meant = format!("{side} {POINT}");
        let (points, stopped) = stop_at(0, move |point| point == meant);
        let lake = open(&server, state.path(), points).await;
        assert_eq!(go_on(&lake, &request, &mut kept).await.unwrap_err().kind, ErrorKind::Canceled);
        reached.extend(stopped.lock().unwrap().take());
        drop(lake);
        let lake = open(&server, state.path(), CrashPoints::default()).await;
        go_on(&lake, &request, &mut kept).await.unwrap();
        assert_eq!(rows(&lake, "SELECT count(*), sum(a), sum(k) FROM web.made").await, ["101|5151|5151"]);
    }
    reached
}

/// A version of a ledger that was lost is not collected when something points to it again, nor while somebody publishes the
/// partition.
pub(super) async fn a_version_that_is_in_use_again() -> BTreeSet<String> {
    const POINT: &str = "aws: leave a version to others";
    const DAY: Duration = Duration::from_hours(24);
    let mut reached = BTreeSet::new();
    for side in ["before", "after"] {
        let server = Emulated::start();
        let states = tempfile::tempdir().unwrap();
        let first = world(&server, &states.path().join("first")).await;
        publish(&first, &partition("SELECT CAST(1 AS bigint) AS n")).await;
        let current = async || {
            let name = TableName::new("web", "daily").unwrap();
            first.catalog.partition(&name, &["d".to_owned()]).await.unwrap().unwrap().location
        };
        let version = current().await;
        publish(&first, &partition("SELECT CAST(2 AS bigint) AS n")).await;
        let newest = current().await;

        // Three days later a machine without its ledger publishes another partition of the table.
        let state = states.path().join("second");
        let second = open_later(&server, &state, DAY * 3, CrashPoints::default()).await;
        let values = [("dt".to_owned(), "other".to_owned())].into();
        let target = Target::Partition { table: TableName::new("web", "daily").unwrap(), values };
        publish(&second, &PublishRequest { target, ..partition("SELECT CAST(3 AS bigint) AS n") }).await;
        let known = second.versions.version(&version).await.unwrap().unwrap();
        assert_eq!(known.values.as_deref(), Some(&["d".to_owned()][..]));
        assert_eq!(second.versions.version(&newest).await.unwrap(), None, "it is in use");
        drop(second);

        // When its time has come, a table of another database points to it.
        let other = TableName::new("other", "copy").unwrap();
        let copy = Table::new(
            other.clone(),
            vec![Column::new("n", "bigint")],
            Vec::new(),
            version.clone(),
            TableFormat::Parquet,
        );
        first.catalog.create_database(&Database::new("other")).await.unwrap();
        first.catalog.put_table(&copy, Expect::Absent).await.unwrap();
        let meant = format!("{side} {POINT}");
        let (points, stopped) = stop_at(0, move |point| point == meant);
        let later = open_later(&server, &state, DAY * 5, points).await;
        assert_eq!(later.collect().await.unwrap_err().kind, ErrorKind::Canceled);
        reached.extend(stopped.lock().unwrap().take());
        drop(later);
        let later = open_later(&server, &state, DAY * 5, CrashPoints::default()).await;
        later.collect().await.unwrap();
        assert_eq!(rows(&later, "SELECT n FROM other.copy").await, ["1"]);
        first.catalog.drop_table(&other).await.unwrap();
        drop(later);

        // It is found once more, a day later, and goes another day later; not while its partition is being published.
        let third = states.path().join("third");
        let open_third = async |days| open_later(&server, &third, DAY * days, CrashPoints::default()).await;
        let lake = open_third(7).await;
        let values = [("dt".to_owned(), "third".to_owned())].into();
        let target = Target::Partition { table: TableName::new("web", "daily").unwrap(), values };
        publish(&lake, &PublishRequest { target, ..partition("SELECT CAST(4 AS bigint) AS n") }).await;
        drop(lake);
        let lake = open_third(9).await;
        let lease = version.parent().unwrap().join("_suiro_lease.json").unwrap();
        let expires_ms = lake.settings.clock.now().as_millisecond() + 60_000;
        let held = json!({ "holder": newest.to_string(), "fence": 1, "expires_ms": expires_ms }).to_string();
        lake.storage.put(&lease, Bytes::from(held), Put::Create).await.unwrap();
        lake.collect().await.unwrap();
        assert!(!lake.storage.is_empty(&version).await.unwrap(), "its partition is being published");
        lake.storage.delete(&[lease]).await.unwrap();
        lake.collect().await.unwrap();
        assert!(lake.storage.is_empty(&version).await.unwrap());
        assert!(!lake.storage.is_empty(&newest).await.unwrap());
        let left = lake.storage.list(&Location::parse("s3://bucket-b/").unwrap()).await.unwrap();
        assert!(left.iter().all(|object| !object.location.file_name().contains("lease")), "{left:?}");
    }
    reached
}

/// A call of Glue that arrives after the next publish hides it; the machine that published it puts that right, and computes on
/// what it had published.
pub(super) async fn a_write_that_comes_late() -> BTreeSet<String> {
    const POINT: &str = "aws: put a late write right";
    let mut reached = BTreeSet::new();
    for side in ["before", "after"] {
        let server = Emulated::start();
        let states = tempfile::tempdir().unwrap();
        let state = states.path().join("first");
        let first = world(&server, &state).await;
        let name = TableName::new("web", "daily").unwrap();
        let values = ["d".to_owned()];
        let current = async || first.catalog.partition(&name, &values).await.unwrap().unwrap();
        publish(&first, &partition("SELECT CAST(1 AS bigint) AS n")).await;
        let late = current().await;
        publish(&first, &partition("SELECT CAST(5 AS bigint) AS n")).await;
        first.catalog.put_partition(&name, &late, Expect::Any).await.unwrap();
        assert_eq!(rows(&first, "SELECT n FROM web.daily").await, ["1"], "the late one is what readers see");

        let one_more = partition("SELECT n + 1 AS n FROM web.daily WHERE dt = 'd'");
        let meant = format!("{side} {POINT}");
        let (points, stopped) = stop_at(0, move |point| point == meant);
        let lake = open(&server, &state, points).await;
        let mut kept = None;
        assert_eq!(go_on(&lake, &one_more, &mut kept).await.unwrap_err().kind, ErrorKind::Canceled);
        reached.extend(stopped.lock().unwrap().take());
        drop(lake);
        let lake = open(&server, &state, CrashPoints::default()).await;
        go_on(&lake, &one_more, &mut kept).await.unwrap();
        assert_eq!(rows(&lake, "SELECT n FROM web.daily").await, ["6"], "one more than what was published last");
        drop(lake);

        // What another program writes is no late write: the next publish begins with that.
        let mut foreign = late.clone();
        foreign.parameters.clear();
        first.catalog.put_partition(&name, &foreign, Expect::Any).await.unwrap();
        let lake = open(&server, &state, CrashPoints::default()).await;
        publish(&lake, &PublishRequest { attempt: "2".to_owned(), ..one_more }).await;
        assert_eq!(rows(&lake, "SELECT n FROM web.daily").await, ["2"]);
        drop(lake);

        // Where nobody publishes it, the collection finds it instead of taking what it hides for replaced.
        let newest = current().await;
        first.catalog.put_partition(&name, &late, Expect::Any).await.unwrap();
        let lake = open_later(&server, &state, Duration::from_hours(72), CrashPoints::default()).await;
        lake.collect().await.unwrap();
        assert_eq!(current().await.location, newest.location);
        assert_eq!(rows(&lake, "SELECT n FROM web.daily").await, ["2"]);
    }
    reached
}
