use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use indexmap::IndexMap;

use super::*;
use crate::catalog::{Column, Database, Expect, Table, TableFormat};
use crate::clock::ManualClock;
use crate::crash::CrashPoints;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::{Lake, LakeSettings};
use crate::name::{Location, TableName};
use crate::query::testing::rows;

mod form;
mod place;
mod race;
mod retried_check;
mod roots;
mod whole;

struct World {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

fn daily() -> TableName {
    TableName::new("web", "daily").unwrap()
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(jiff::Timestamp::from_second(1_767_323_045).unwrap()));
        let world = Self { folder: tempfile::tempdir().unwrap(), clock };
        let lake = world.open(CrashPoints::default()).await;
        lake.catalog.create_database(&Database::new("web")).await.unwrap();
        let table = Table::new(
            daily(),
            vec![Column::new("k", "string"), Column::new("n", "bigint")],
            vec![Column::new("dt", "string")],
            Location::parse("s3://b/web/daily/").unwrap(),
            TableFormat::Parquet,
        );
        lake.catalog.put_table(&table, Expect::Absent).await.unwrap();
        world
    }

    async fn open(&self, crash_points: CrashPoints) -> Lake {
        Lake::open(self.settings(self.folder.path(), crash_points)).await.unwrap()
    }

    fn settings(&self, folder: &Path, crash_points: CrashPoints) -> LakeSettings {
        LakeSettings {
            clock: Arc::clone(&self.clock) as _,
            crash_points,
            parallelism: Some(2),
            ..LakeSettings::new(folder.join(".suiro"), folder.join("warehouse"))
        }
    }

    fn tick(&self) {
        self.clock.advance(Duration::from_secs(1));
    }

    fn files(&self) -> BTreeSet<String> {
        fn walk(folder: &Path, files: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // Unfinished objects are those of a process; the lock of this one is there.
                if path.ends_with(".staging") {
                    let is_lock = |path: &Path| path.extension().is_some_and(|extension| extension == "lock");
                    let mut unfinished = BTreeSet::new();
                    walk(&path, &mut unfinished);
                    assert!(unfinished.iter().all(|path| is_lock(Path::new(path))), "{unfinished:?}");
                } else if path.is_dir() {
                    walk(&path, files);
                } else {
                    assert!(files.insert(path.display().to_string()));
                }
            }
        }
        let mut files = BTreeSet::new();
        walk(&self.folder.path().join("warehouse"), &mut files);
        files
    }
}

fn request(dt: &str, sql: &str) -> PublishRequest {
    PublishRequest {
        target: Target::Partition { table: daily(), values: IndexMap::from([("dt".to_owned(), dt.to_owned())]) },
        sql: sql.to_owned(),
        database: Some("web".to_owned()),
        options: PublishOptions::default(),
        attempt: "1".to_owned(),
        token: "+main+daily".to_owned(),
        query: crate::query::QueryOptions::default(),
    }
}

fn table_request(table: &str, sql: &str) -> PublishRequest {
    PublishRequest {
        target: Target::Table { table: TableName::new("web", table).unwrap(), partitioned_by: Vec::new() },
        ..request("x", sql)
    }
}

/// Goes on from a state to the end, as an operator does: each state goes through its text, as a database would keep it.
async fn go_on(lake: &Lake, request: &PublishRequest, kept: &Mutex<Option<PublishState>>) -> Result<PublishOutcome> {
    loop {
        let state = kept.lock().unwrap().clone();
        let step = match &state {
            None => lake.plan_publish(request).await?,
            Some(state) => lake.publish_step(request, state).await?,
        };
        match step {
            Step::Next(state) => {
                let text = serde_json::to_string(&state).unwrap();
                *kept.lock().unwrap() = Some(serde_json::from_str(&text).unwrap());
            }
            Step::Wait(_) => tokio::task::yield_now().await,
            Step::Done(outcome) => return Ok(outcome),
        }
    }
}

async fn publish(lake: &Lake, request: &PublishRequest) -> Result<PublishOutcome> {
    go_on(lake, request, &Mutex::new(None)).await
}

async fn shown(lake: &Lake, sql: &str) -> Vec<String> {
    rows(lake.engine.as_ref(), sql).await.unwrap()
}

const ONE: &str = "SELECT 'a' AS k, CAST(1 AS bigint) AS n";
const TWO: &str = "SELECT CAST(2 AS bigint) AS n, 'b' AS k;";
const NONE: &str = "SELECT k, n FROM (SELECT 'a' AS k, CAST(1 AS bigint) AS n) AS t WHERE n = 2";

#[tokio::test(flavor = "multi_thread")]
async fn a_select_of_the_partition_alone_is_refused_by_name() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let mut new = request("d", "SELECT 'd' AS dt");
    let error = publish(&lake, &new).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SchemaMismatch);
    assert!(error.message.contains("dt      partition key  varchar(1)    leave it out"), "{}", error.message);
    // The same for a table that is made.
    let values = IndexMap::from([("dt".to_owned(), "d".to_owned())]);
    new.target = Target::Partition { table: TableName::new("web", "new").unwrap(), values };
    new.options.create_table = true;
    let error = publish(&lake, &new).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SchemaMismatch);
    assert!(error.message.contains("leave it out: the partition gives its value"), "{}", error.message);
    new.sql = "SELECT 'd' AS dt, 1 AS n".to_owned();
    publish(&lake, &new).await.unwrap();
    assert_eq!(shown(&lake, "SELECT n, dt FROM web.new").await, ["1|d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_cannot_be_deleted_keeps_no_other_from_it() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let mut replaced = Vec::new();
    for table in ["one", "two"] {
        replaced.push(publish(&lake, &table_request(table, ONE)).await.unwrap().location.unwrap());
        world.tick();
        publish(&lake, &table_request(table, TWO)).await.unwrap();
        world.tick();
    }
    // Somebody has taken the markers away, so that it cannot be told to be ours.
    let root = replaced[0].parent().unwrap().parent().unwrap();
    for place in [&replaced[0], &root] {
        lake.storage.delete(&[place.join(crate::storage::MARKER).unwrap()]).await.unwrap();
    }
    world.clock.advance(Duration::from_hours(25));
    let error = lake.collect().await.unwrap_err();
    assert!(error.message.ends_with("it carries no marker of suiro"), "{}", error.message);
    let is_empty = async |location| lake.storage.is_empty(location).await.unwrap();
    assert_eq!((is_empty(&replaced[0]).await, is_empty(&replaced[1]).await), (false, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_published_replaced_undone_and_collected() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let first = publish(&lake, &request("2026-01-01", ONE)).await.unwrap();
    assert_eq!((first.result, first.stats.rows), (PublishResult::Published, 1));
    assert_eq!(shown(&lake, "SELECT k, n, dt FROM web.daily").await, ["a|1|2026-01-01"]);

    world.tick();
    let second = publish(&lake, &request("2026-01-01", TWO)).await.unwrap();
    assert_eq!(second.previous_location, first.location);
    assert_eq!(shown(&lake, "SELECT k, n FROM web.daily").await, ["b|2"]);
    let values = ["2026-01-01".to_owned()];
    let partition = lake.catalog.partition(&daily(), &values).await.unwrap().unwrap();
    let record = record::Record::read(&partition.parameters).unwrap().unwrap();
    assert_eq!((record.rows, record.attempt.as_str()), (1, "1"));
    assert_eq!(record.previous_location, first.location);

    let undone = lake.undo_partition(&daily(), &values, Direction::Undo).await.unwrap();
    assert_eq!((undone.from.as_ref(), Some(&undone.to)), (second.location.as_ref(), first.location.as_ref()));
    assert_eq!(shown(&lake, "SELECT k, n FROM web.daily").await, ["a|1"]);
    let again = lake.undo_partition(&daily(), &values, Direction::Undo).await.unwrap();
    assert_eq!((again.from, Some(again.to)), (None, first.location.clone()), "once undone, it stays so");
    assert_eq!(shown(&lake, "SELECT k, n FROM web.daily").await, ["a|1"]);
    let redone = lake.undo_partition(&daily(), &values, Direction::Redo).await.unwrap();
    assert_eq!((redone.from.as_ref(), Some(&redone.to)), (first.location.as_ref(), second.location.as_ref()));
    assert_eq!(lake.undo_partition(&daily(), &values, Direction::Redo).await.unwrap().from, None);
    assert_eq!(shown(&lake, "SELECT k, n FROM web.daily").await, ["b|2"]);

    world.clock.advance(Duration::from_hours(23));
    assert!(lake.collect().await.unwrap().versions.is_empty(), "kept until the retention is over");
    world.clock.advance(Duration::from_hours(2));
    assert_eq!(lake.collect().await.unwrap().versions, [first.location.unwrap()]);
    let error = lake.undo_partition(&daily(), &values, Direction::Undo).await.unwrap_err();
    assert_eq!(error.message, "cannot undo: the version before it is no longer kept");
    assert_eq!(shown(&lake, "SELECT k, n FROM web.daily").await, ["b|2"]);
    // One object, its marker, and the marker of the version root.
    assert_eq!(world.files().len(), 3, "{:?}", world.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redo_that_cannot_be_done_says_redo() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    for sql in [ONE, TWO] {
        publish(&lake, &request("d", sql)).await.unwrap();
        world.tick();
    }
    let values = ["d".to_owned()];
    let other = async || {
        let partition = lake.catalog.partition(&daily(), &values).await.unwrap().unwrap();
        lake.other_version(&partition).await.unwrap().map(|other| (other.direction, other.is_there))
    };
    assert_eq!(other().await, Some((Direction::Undo, true)));
    lake.undo_partition(&daily(), &values, Direction::Undo).await.unwrap();
    assert_eq!(other().await, Some((Direction::Redo, true)));
    world.clock.advance(Duration::from_hours(25));
    lake.collect().await.unwrap();
    assert_eq!(other().await, Some((Direction::Redo, false)));
    let error = lake.undo_partition(&daily(), &values, Direction::Redo).await.unwrap_err();
    assert_eq!(error.message, "cannot redo: the version that was undone is no longer kept");
    assert_eq!(error.operation, "redo a publish");
    assert_eq!(shown(&lake, "SELECT k, n FROM web.daily").await, ["a|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_point_of_a_partition_changes_nothing_in_the_end() {
    let points = Box::pin(stop_everywhere(&|sql| request("d", sql), true, 3)).await;
    assert!(points.len() >= 12, "{points:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_point_of_a_table_changes_nothing_in_the_end() {
    let points = Box::pin(stop_everywhere(&|sql| table_request("made", sql), true, 3)).await;
    assert!(points.len() >= 12, "{points:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_point_in_place_ends_well() {
    let in_place = |sql: &str| {
        let mut request = request("d", sql);
        request.options.mode = PublishMode::InPlace;
        request
    };
    // The object, the marker of its place, and that of the version root.
    let points = Box::pin(stop_everywhere(&in_place, false, 2)).await;
    assert!(points.len() >= 12, "{points:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_point_of_the_first_publish_in_place_ends_well() {
    // At the place there is nothing yet: what was published before is a version elsewhere.
    let in_place = |sql: &str| {
        let mut request = request("d", sql);
        request.options.mode = if sql == ONE { PublishMode::Versioned } else { PublishMode::InPlace };
        request
    };
    let points = Box::pin(stop_everywhere(&in_place, false, 2)).await;
    assert!(points.len() >= 12, "{points:?}");
}

/// Publishes once, then again with a stop before or after each effect, each time in a new world, and goes on after it.
async fn stop_everywhere(make: &dyn Fn(&str) -> PublishRequest, atomic: bool, files: usize) -> Vec<String> {
    let undisturbed = World::new().await;
    let lake = undisturbed.open(CrashPoints::default()).await;
    publish(&lake, &make(ONE)).await.unwrap();
    undisturbed.tick();
    publish(&lake, &make(TWO)).await.unwrap();
    let expected = visible(&lake, &make(ONE)).await;

    let mut points = Vec::new();
    for stop_at in 0.. {
        let world = World::new().await;
        let lake = world.open(CrashPoints::default()).await;
        publish(&lake, &make(ONE)).await.unwrap();
        let old = visible(&lake, &make(ONE)).await;
        world.tick();
        drop(lake);
        let passed = Arc::new(AtomicUsize::new(0));
        let stopped_in = Arc::new(Mutex::new(None));
        let hook = {
            let (passed, stopped_in) = (Arc::clone(&passed), Arc::clone(&stopped_in));
            move |name: &str| {
                if name.contains(" lake: ") {
                    return true;
                }
                let goes_on = passed.fetch_add(1, Ordering::SeqCst) != stop_at;
                if !goes_on {
                    *stopped_in.lock().unwrap() = Some(name.to_owned());
                }
                goes_on
            }
        };
        let kept = Mutex::new(None);
        let lake = world.open(CrashPoints::new(Arc::new(hook))).await;
        let ended = go_on(&lake, &make(TWO), &kept).await;
        drop(lake);
        let lake = world.open(CrashPoints::default()).await;
        let seen = visible(&lake, &make(ONE)).await;
        let name = stopped_in.lock().unwrap().take();
        assert!(!atomic || seen == old || seen == expected, "stopped {name:?}: {seen:?}");
        if ended.is_err() {
            go_on(&lake, &make(TWO), &kept).await.unwrap();
        }
        let bytes = |objects: &[(String, Bytes)]| objects.iter().map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>();
        assert_eq!(bytes(&visible(&lake, &make(ONE)).await), bytes(&expected), "stopped {name:?}");
        world.clock.advance(Duration::from_hours(72));
        lake.collect().await.unwrap();
        assert_eq!(world.files().len(), files, "stopped {name:?}: {:?}", world.files());
        match name {
            Some(name) => points.push(name),
            None => break,
        }
    }
    points
}

/// Returns the bytes that a reader of the target sees.
async fn visible(lake: &Lake, request: &PublishRequest) -> Vec<(String, Bytes)> {
    let location = match &request.target {
        Target::Partition { table, .. } => {
            lake.catalog.partition(table, &["d".to_owned()]).await.unwrap().unwrap().location
        }
        Target::Table { table, .. } => lake.catalog.table(table).await.unwrap().unwrap().location.unwrap(),
    };
    let mut objects = Vec::new();
    for partition in lake.catalog.partitions(request.target.table()).await.unwrap() {
        let told = format!("{:?} {:?}", partition.values, partition.parameters.get("suiro.rows"));
        objects.push((partition.values.join("/"), Bytes::from(told)));
    }
    for object in lake.storage.list_data(&location).await.unwrap() {
        let bytes = lake.storage.read(&object.location).await.unwrap();
        objects.push((object.location.file_name().to_owned(), bytes));
    }
    objects
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_was_stopped_goes_on_and_takes_nothing_that_is_used() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    for sql in [ONE, TWO] {
        publish(&lake, &request("d", sql)).await.unwrap();
        world.tick();
    }
    world.clock.advance(Duration::from_hours(72));
    drop(lake);
    let stops = Arc::new(|name: &str| name != "before collect: delete the objects");
    let lake = world.open(CrashPoints::new(stops)).await;
    lake.collect().await.unwrap_err();
    let error = lake.undo_partition(&daily(), &["d".to_owned()], Direction::Undo).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "what is being collected is no way back: {error}");
    drop(lake);
    let lake = world.open(CrashPoints::default()).await;
    assert_eq!(lake.collect().await.unwrap().versions.len(), 1);
    assert_eq!(shown(&lake, "SELECT k FROM web.daily").await, ["b"]);
    assert_eq!(world.files().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_the_old_or_the_new() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    publish(&lake, &request("d", ONE)).await.unwrap();
    let sampler = {
        let lake = lake.clone();
        tokio::spawn(async move {
            let mut seen = BTreeSet::new();
            while seen.last().map(String::as_str) != Some("k9") {
                let rows = rows(lake.engine.as_ref(), "SELECT k, n FROM web.daily WHERE dt = 'd'").await.unwrap();
                assert_eq!(rows.len(), 1, "{rows:?}");
                seen.insert(rows[0].split('|').next().unwrap().to_owned());
            }
        })
    };
    for round in 0..10 {
        world.tick();
        let sql = format!("SELECT 'k{round}' AS k, CAST({round} AS bigint) AS n");
        publish(&lake, &request("d", &sql)).await.unwrap();
    }
    sampler.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_begins_anew_at_once_is_another_one() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let mut few = request("d", ONE);
    few.options.limits.min_rows = Some(2);
    for _ in 0..3 {
        assert_eq!(publish(&lake, &few).await.unwrap_err().kind, ErrorKind::DataQuality);
    }
    for _ in 0..3 {
        assert_eq!(publish(&lake, &request("d", ONE)).await.unwrap().result, PublishResult::Published);
    }
    assert_eq!(shown(&lake, "SELECT k FROM web.daily").await, ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_check_publishes_nothing_and_leaves_nothing() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    publish(&lake, &request("d", ONE)).await.unwrap();
    world.tick();
    let mut bad = request("d", TWO);
    bad.options.checks = vec![
        Check { name: "good.sql".to_owned(), sql: "SELECT * FROM web.daily WHERE n < 0".to_owned() },
        Check { name: "bad.sql".to_owned(), sql: "SELECT k, n, dt FROM daily".to_owned() },
    ];
    let error = publish(&lake, &bad).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DataQuality);
    assert_eq!(
        error.message, "the check `bad.sql` returned 1 row, it must return none: {k: b, n: 2, dt: d}",
        "a check sees the new version alone"
    );
    let broken = PublishRequest { sql: "SELECT 'c' AS k".to_owned(), ..request("d", ONE) };
    assert_eq!(publish(&lake, &broken).await.unwrap_err().kind, ErrorKind::SchemaMismatch);
    let mut few = request("d", ONE);
    few.options.limits.min_rows = Some(2);
    assert_eq!(publish(&lake, &few).await.unwrap_err().message, "expected at least 2 rows, found 1");
    assert_eq!(shown(&lake, "SELECT k FROM web.daily").await, ["a"]);
    assert_eq!(world.files().len(), 3, "{:?}", world.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rows_are_what_on_empty_says() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let with = |on_empty: OnEmpty| {
        let mut request = request("d", NONE);
        request.options.on_empty = on_empty;
        request
    };
    let exists = || async { lake.catalog.partition(&daily(), &["d".to_owned()]).await.unwrap().is_some() };
    publish(&lake, &request("d", ONE)).await.unwrap();
    world.tick();
    assert_eq!(publish(&lake, &with(OnEmpty::Error)).await.unwrap_err().kind, ErrorKind::DataQuality);
    world.tick();
    assert_eq!(publish(&lake, &with(OnEmpty::Skip)).await.unwrap().result, PublishResult::KeptEmpty);
    assert_eq!(shown(&lake, "SELECT k FROM web.daily").await, ["a"]);
    world.tick();
    let published = publish(&lake, &with(OnEmpty::Publish)).await.unwrap();
    assert_eq!((published.result, published.stats.rows), (PublishResult::Published, 0));
    assert!(exists().await);
    assert!(shown(&lake, "SELECT k FROM web.daily").await.is_empty());
    world.tick();
    assert_eq!(publish(&lake, &with(OnEmpty::Drop)).await.unwrap().result, PublishResult::DroppedEmpty);
    assert!(!exists().await);
    world.clock.advance(Duration::from_hours(72));
    lake.collect().await.unwrap();
    assert!(world.files().is_empty(), "nothing is left: {:?}", world.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_made_replaced_and_undone() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let first = publish(&lake, &table_request("made", "SELECT 1 AS a, 'x' AS b")).await.unwrap();
    assert_eq!(shown(&lake, "SELECT a, b FROM web.made").await, ["1|x"]);
    world.tick();
    publish(&lake, &table_request("made", "SELECT DATE '2026-01-02' AS day")).await.unwrap();
    assert_eq!(shown(&lake, "SELECT * FROM web.made").await, ["2026-01-02"]);
    let prefix = first.location.unwrap().to_string();
    assert!(prefix.starts_with("s3://warehouse/web/made--versions/"), "{prefix}");

    let mut skip = table_request("made", ONE);
    skip.options.save_mode = SaveMode::SkipIfExists;
    assert_eq!(publish(&lake, &skip).await.unwrap().result, PublishResult::Skipped);
    skip.options.save_mode = SaveMode::ErrorIfExists;
    assert_eq!(publish(&lake, &skip).await.unwrap_err().to_string(), "table `web.made` is there already");

    let mut empty = table_request("shape", "SELECT 1 AS a");
    empty.options.contents = Contents::Nothing;
    empty.options.on_empty = OnEmpty::Error;
    publish(&lake, &empty).await.unwrap();
    assert_eq!(shown(&lake, "SELECT count(*) FROM web.shape").await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_added_to_the_table_first() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    publish(&lake, &request("old", ONE)).await.unwrap();
    let mut wider = request("new", "SELECT 'c' AS k, CAST(3 AS bigint) AS n, 1.5E0 AS extra");
    wider.options.on_schema_change = OnSchemaChange::Append;
    publish(&lake, &wider).await.unwrap();
    assert_eq!(shown(&lake, "SELECT k, extra, dt FROM web.daily ORDER BY k").await, ["a|NULL|old", "c|1.5|new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_leaves_one_copy_where_it_always_is() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let mut in_place = request("2026-01-01 00:00", ONE);
    in_place.options.mode = PublishMode::InPlace;
    for sql in [ONE, TWO] {
        world.tick();
        let outcome = publish(&lake, &PublishRequest { sql: sql.to_owned(), ..in_place.clone() }).await.unwrap();
        assert_eq!(outcome.location.unwrap().to_string(), "s3://b/web/daily/dt=2026-01-01 00%3A00/");
    }
    assert_eq!(shown(&lake, "SELECT k, dt FROM web.daily").await, ["b|2026-01-01 00:00"]);
    assert_eq!(world.files().len(), 2, "the object and its place's marker: {:?}", world.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_to_is_refused_before_anything_runs() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let refused = |request: PublishRequest| {
        let lake = lake.clone();
        async move { publish(&lake, &request).await.unwrap_err() }
    };
    for value in ["..", "a/b", "a\0b"] {
        let error: Error = refused(request(value, ONE)).await;
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{value:?}");
    }
    let mut keys = request("d", ONE);
    keys.target = Target::Partition { table: daily(), values: IndexMap::from([("day".to_owned(), "x".to_owned())]) };
    assert_eq!(
        refused(keys).await.to_string(),
        "the partition does not fit table `web.daily` with the keys `dt`: key `dt` is missing; key `day` is not a partition \
         key"
    );
    let mut table = lake.catalog.table(&daily()).await.unwrap().unwrap();
    table.parameters.insert("projection.enabled".to_owned(), "TRUE".to_owned());
    lake.catalog.put_table(&table, Expect::Any).await.unwrap();
    let error = refused(request("d", ONE)).await;
    assert!(error.message.contains("partition projection"), "{error}");
    table.parameters.clear();
    let buckets = Buckets { columns: vec!["k".to_owned()], count: 2 };
    let mut in_place = request("d", ONE);
    in_place.options.mode = PublishMode::InPlace;
    in_place.options.buckets = Some(buckets.clone());
    assert_eq!(
        refused(in_place).await.message,
        "buckets are told by the names of their objects, which get others in place: use `publish: version`"
    );
    table.storage = Layout { format: Format::default(), buckets: Some(buckets) }.storage(&table.columns);
    table.parameters.insert("bucketing_version".to_owned(), "2".to_owned());
    lake.catalog.put_table(&table, Expect::Any).await.unwrap();
    assert_eq!(
        refused(request("d", ONE)).await.message,
        "`web.daily` has the `bucketing_version` 2, Hive's second way to deal rows out to buckets, which is not written"
    );
    assert!(world.files().is_empty());
}
