//! Windows of a Parquet tier that are old enough and are not given up all the same, and drops in whose middle something happens.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use lake::ErrorKind;
use lake::crash::CrashPoints;
use lake::name::TableName;

use super::drop::{NOW, archive, expire, from_hourly, give_up, hours, not_due, points, roll_up};
use super::world::*;
use crate::ledger::{FILE, Ledger, Touch};
use crate::*;

/// Two days that are archived, expired from their store, and rolled up.
async fn ready(metrics: &Metrics) {
    metrics.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(metrics).await.unwrap();
    expire(metrics).await.unwrap();
    roll_up(metrics).await.unwrap();
}

/// The file of the one object of the month's roll-up.
async fn object_of_the_roll_up(metrics: &Metrics) -> PathBuf {
    let rows = metrics.windows(&tier("hourly"), None).await.unwrap();
    let location = rows[0].standing.clone().unwrap().files[0].location.clone();
    metrics.lake.storage.file(&location).unwrap()
}

/// The tiers again, with a hook at each crash point.
async fn open_with(world: &World, hook: impl Fn(&str) -> bool + Send + Sync + 'static) -> Metrics {
    let lake = world.lake(CrashPoints::new(Arc::new(hook))).await;
    let folder = lake.settings.state_dir.join("metrics");
    let stores = EmbeddedStores { folder, crash_points: CrashPoints::default() };
    Metrics::open(&lake, tiers(DuplicateRule::Last), Arc::new(stores)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_stays_when_the_roll_up_that_stands_for_it_is_not_whole() {
    let world = World::new();
    let metrics = world.open().await;
    ready(&metrics).await;
    let file = object_of_the_roll_up(&metrics).await;
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x01;
    let kept = not_due("the window 2026-02 of `hourly`, in which it lives on, is not whole: verify it");
    // The ledger says that it is verified, all the while.
    for damage in [Some(&flipped[..]), Some(&whole[1..]), None] {
        match damage {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        assert_eq!(give_up(&metrics, "cold").await.unwrap(), [kept.clone(), kept.clone()]);
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [Outcome::Made, Outcome::Made]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_stays_when_readers_are_not_pointed_to_the_roll_up() {
    let world = World::new();
    let metrics = world.open().await;
    ready(&metrics).await;
    assert!(metrics.lake.catalog.drop_table(&TableName::new("metrics", "hourly").unwrap()).await.unwrap());
    let kept = not_due("the window 2026-02 of `hourly`, in which it lives on, is not whole: verify it");
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [kept.clone(), kept]);
    // It is made again, and then they go.
    roll_up(&metrics).await.unwrap();
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [Outcome::Made, Outcome::Made]);
    assert_eq!(hours(&metrics).await, from_hourly(4.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_stays_when_the_roll_up_leaves_another_one_out_that_goes_with_it() {
    let world = World::new();
    let metrics = world.open().await;
    ready(&metrics).await;
    // Archived, verified and expired since the roll-up: nothing waits but the roll-up.
    let more = batch(&[("b", &[(ms("2026-02-20T00:00:00Z"), 1.0)])]);
    metrics.write(&tier("warm"), &more, at(NOW)).await.unwrap();
    archive(&metrics).await.unwrap();
    expire(&metrics).await.unwrap();
    let left_out =
        not_due("the window 2026-02 of `hourly` is not made of 2026-02-20, which goes with it: roll it up again");
    let alone = not_due("no verified window of `hourly` is made of it");
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [left_out.clone(), left_out, alone]);
    roll_up(&metrics).await.unwrap();
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [Outcome::Made, Outcome::Made, Outcome::Made]);
    assert_eq!(hours(&metrics).await, from_hourly(5.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_stays_in_which_something_was_found_wrong() {
    let world = World::new();
    let metrics = world.open().await;
    ready(&metrics).await;
    let rows = metrics.windows(&tier("cold"), None).await.unwrap();
    metrics.ledger.note_fault(&tier("cold"), &rows[0], Fault::Objects).await.unwrap();
    // It is not even looked at, and whoever asks for it is told why. The other one waits for it: when it is written again, the
    // roll-up has to be made again of both.
    let waits = "the window 2026-02-01, which goes with it, waits to be archived and verified";
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [not_due(waits)]);
    let asked = metrics.drop_window(&tier("cold"), day("2026-02-01"), 0, at(NOW)).await.unwrap();
    assert_eq!(asked.outcome, not_due("something was found wrong with it"));
    let verified = metrics.verify(&tier("warm"), &tier("cold"), day("2026-02-01"), at(NOW)).await.unwrap();
    assert_eq!(verified.outcome, Outcome::Unchanged, "nothing is");
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [Outcome::Made, Outcome::Made]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_comes_just_before_a_drop_begins_keeps_the_window() {
    let world = World::new();
    ready(&world.open().await).await;
    let file = world.folder.path().join(".suiro").join(FILE);
    // Another process touches the window between the look at it and the note of the drop.
    let metrics = open_with(&world, move |point| {
        if point == "before metrics: note that a window is about to be dropped" {
            let file = file.clone();
            let touch = async move {
                let ledger = Ledger::open(&file).await.unwrap();
                ledger.touch(&tier("cold"), &[day("2026-02-01")], Touch::Before).await.unwrap();
                ledger.close().await;
            };
            let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            std::thread::spawn(move || runtime().block_on(touch)).join().unwrap();
        }
        true
    })
    .await;
    let report = metrics.drop_window(&tier("cold"), day("2026-02-01"), 0, at(NOW)).await.unwrap();
    assert_eq!((report.outcome, report.generation), (Outcome::Late, 1));
    assert!(metrics.ledger.dropped(&tier("cold"), TimeRange::ALL).await.unwrap().is_empty());
    assert_eq!(read_all(&metrics, &[name("a"), name("b")]).await.len(), 4, "nothing is gone");
}

/// Stops a drop at a point of its first window; the tiers are opened again by another process.
async fn stopped_at(world: &World, point: &'static str) -> Metrics {
    ready(&world.open().await).await;
    let is_left = Mutex::new(true);
    let metrics = open_with(world, move |passed| {
        let mut is_left = is_left.lock().unwrap();
        let stops = *is_left && passed == point;
        *is_left &= !stops;
        !stops
    })
    .await;
    assert_eq!(give_up(&metrics, "cold").await.unwrap_err().kind, ErrorKind::Canceled);
    metrics.ledger.close().await;
    world.open().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_that_was_begun_is_ended_whatever_came_since_and_that_stays_in_its_store() {
    for point in [
        "after metrics: note that a window is about to be dropped",
        "after metrics: set the tombstone of a dropped window",
        "after metrics: drop the partition of a window",
    ] {
        let world = World::new();
        let metrics = stopped_at(&world, point).await;
        let late = batch(&[("a", &[(ms("2026-02-01T03:00:00Z"), 9.0)])]);
        metrics.write(&tier("warm"), &late, at(NOW)).await.unwrap();
        let outcomes = give_up(&metrics, "cold").await.unwrap();
        assert!(outcomes.contains(&Outcome::Made), "{point}: {outcomes:?}");
        let dropped = metrics.ledger.dropped(&tier("cold"), TimeRange::ALL).await.unwrap();
        assert_eq!(dropped, [day("2026-02-01"), day("2026-02-02")], "{point}");
        let rows = metrics.windows(&tier("cold"), None).await.unwrap();
        let left: Vec<_> = rows.iter().map(|row| (row.window, row.state, row.standing.is_none())).collect();
        assert_eq!(left, [(day("2026-02-01"), WindowState::Open, true)], "{point}");
        assert_eq!(hours(&metrics).await, from_hourly(4.0), "{point}");
        assert_eq!(read_all(&metrics, &[name("a"), name("b")]).await.len(), 1, "{point}: the late one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_that_was_begun_is_ended_when_the_window_is_found_damaged_since() {
    let world = World::new();
    let metrics = stopped_at(&world, "after metrics: note that a window is about to be dropped").await;
    let rows = metrics.windows(&tier("cold"), None).await.unwrap();
    let location = rows[0].standing.clone().unwrap().files[0].location.clone();
    std::fs::remove_file(metrics.lake.storage.file(&location).unwrap()).unwrap();
    let verified = metrics.verify(&tier("warm"), &tier("cold"), day("2026-02-01"), at(NOW)).await.unwrap();
    assert_eq!(verified.outcome, Outcome::Failed);
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [Outcome::Made, Outcome::Made]);
    assert!(metrics.windows(&tier("cold"), None).await.unwrap().is_empty());
    assert!(metrics.status(at(NOW)).await.unwrap().iter().all(|status| !status.is_due));
    assert_eq!(hours(&metrics).await, from_hourly(4.0));
}
