//! Ledgers that are older than the catalog: two machines that share a lake, and a copy of a ledger that was put back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use lake::catalog::Expect;
use lake::crash::CrashPoints;
use lake::name::{Location, TableName};
use lake::{ErrorKind, Lake};

use super::drop::{NOW, archive, expire, give_up, points, roll_up};
use super::undone::undo;
use super::world::*;
use crate::*;

/// What is passed only where a ledger takes in what another machine did.
pub(super) const OF_LAGS: [&str; 2] =
    ["metrics: note that a roll-up alone is left of a window", "metrics: note that another machine emptied the stores"];

/// One of several machines: its ledger is its own, the stores are those of all.
pub(super) async fn machine(world: &World, lake: &Lake, ledger: &str) -> Metrics {
    machine_with(world, lake, ledger, CrashPoints::default()).await
}

async fn machine_with(world: &World, lake: &Lake, ledger: &str, crash_points: CrashPoints) -> Metrics {
    let folder = world.folder.path().join("stores");
    let stores = EmbeddedStores { folder, crash_points: CrashPoints::default() };
    let lake = World::part(lake, ledger, crash_points);
    Metrics::open(&lake, tiers(DuplicateRule::Last), Arc::new(stores)).await.unwrap()
}

fn taken(tier_name: &str, label: &str) -> TakenIn {
    let unit = if tier_name == "cold" { PartitionUnit::Day } else { PartitionUnit::Month };
    TakenIn { tier: tier(tier_name), windows: vec![Window::parse(unit, label).unwrap()] }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_machine_archived_is_taken_in() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let first = machine(&world, &lake, "first").await;
    first.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&first).await.unwrap();
    roll_up(&first).await.unwrap();
    // It finds all of that when it begins.
    let second = machine(&world, &lake, "second").await;
    assert_eq!(second.catch_up().await.unwrap(), []);
    let names = [name("a"), name("b")];
    assert_eq!(read_all(&second, &names).await.len(), 4);
    // A window that is new to it, and one that has got a late point.
    let more = batch(&[("a", &[(ms("2026-02-01T05:00:00Z"), 3.0), (ms("2026-02-05T05:00:00Z"), 4.0)])]);
    first.write(&tier("warm"), &more, at(NOW)).await.unwrap();
    archive(&first).await.unwrap();
    roll_up(&first).await.unwrap();
    for day in ["2026-02-01", "2026-02-05"] {
        let expired = first.expire(&tier("warm"), super::world::day(day), 0, at(NOW)).await.unwrap();
        assert_eq!(expired.outcome, Outcome::Made);
    }
    let cold = TakenIn { tier: tier("cold"), windows: vec![day("2026-02-01"), day("2026-02-05")] };
    let all = [cold, taken("hourly", "2026-02"), taken("daily", "2026-02")];
    assert_eq!(second.catch_up().await.unwrap(), all);
    assert_eq!(second.catch_up().await.unwrap(), []);
    assert_eq!(read_all(&second, &names).await, read_all(&first, &names).await);
    assert_eq!(read_all(&second, &names).await.len(), 6);
    // And the other way round: a late point that the second one archives.
    let late = batch(&[("b", &[(ms("2026-02-05T06:00:00Z"), 5.0)])]);
    second.write(&tier("warm"), &late, at(NOW)).await.unwrap();
    archive(&second).await.unwrap();
    let expired = second.expire(&tier("warm"), day("2026-02-05"), 0, at(NOW)).await.unwrap();
    assert_eq!(expired.outcome, Outcome::Made);
    assert_eq!(first.catch_up().await.unwrap(), [taken("cold", "2026-02-05")]);
    assert_eq!(read_all(&first, &names).await.len(), 7);
    // What came to it since is not known: it is looked at once more.
    archive(&first).await.unwrap();
    roll_up(&first).await.unwrap();
    assert_eq!(second.catch_up().await.unwrap().len(), 2, "the hours and the days of the month");
}

/// What the ledger knows of what stands of a day.
async fn standing(metrics: &Metrics, label: &str) -> (Location, u64) {
    let row = metrics.ledger.row(&tier("cold"), day(label)).await.unwrap().unwrap();
    let standing = row.standing.unwrap();
    (standing.prefix, standing.figures.count)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_is_no_later_generation() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let first = machine(&world, &lake, "first").await;
    let (table, values) = (TableName::new("metrics", "cold").unwrap(), ["1m".to_owned(), "2026-02-01".to_owned()]);
    first.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&first).await.unwrap();
    // One that knows the first of three generations.
    let second = machine(&world, &lake, "second").await;
    second.catch_up().await.unwrap();
    let known = standing(&second, "2026-02-01").await;
    let oldest = lake.catalog.partition(&table, &values).await.unwrap().unwrap();
    for hour in ["2026-02-01T05:00:00Z", "2026-02-01T06:00:00Z"] {
        world.clock.advance(std::time::Duration::from_secs(1));
        first.write(&tier("warm"), &batch(&[("a", &[(ms(hour), 3.0)])]), at(NOW)).await.unwrap();
        archive(&first).await.unwrap();
    }
    let newest = standing(&first, "2026-02-01").await;
    // The partition tells of the third one, and points to the objects of the second.
    undo(&first, "cold", "1m", "2026-02-01").await;
    assert_eq!(first.catch_up().await.unwrap(), []);
    assert_eq!(second.catch_up().await.unwrap(), []);
    assert_eq!(standing(&second, "2026-02-01").await, known);
    // Another program puts the first one back as it was.
    lake.catalog.put_partition(&table, &oldest, Expect::Any).await.unwrap();
    assert_eq!(first.catch_up().await.unwrap(), []);
    assert_eq!(standing(&first, "2026-02-01").await, newest);
    assert!(first.status(at(NOW)).await.unwrap().iter().any(|status| status.astray.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_was_dropped_by_hand_and_dumped_anew_is_taken_in_with_its_small_number() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let first = machine(&world, &lake, "first").await;
    first.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&first).await.unwrap();
    let late = batch(&[("a", &[(ms("2026-02-01T05:00:00Z"), 3.0)])]);
    first.write(&tier("warm"), &late, at(NOW)).await.unwrap();
    archive(&first).await.unwrap();
    let table = TableName::new("metrics", "cold").unwrap();
    for label in ["2026-02-01", "2026-02-02"] {
        lake.catalog.drop_partition(&table, &["1m".to_owned(), label.to_owned()]).await.unwrap();
    }
    world.clock.advance(std::time::Duration::from_secs(1));
    let second = machine(&world, &lake, "second").await;
    let more = batch(&[("b", &[(ms("2026-02-01T06:00:00Z"), 5.0)])]);
    second.write(&tier("warm"), &more, at(NOW)).await.unwrap();
    archive(&second).await.unwrap();
    let before = first.ledger.row(&tier("cold"), day("2026-02-01")).await.unwrap().unwrap();
    assert_eq!(first.catch_up().await.unwrap()[0].windows[0], day("2026-02-01"));
    let row = first.ledger.row(&tier("cold"), day("2026-02-01")).await.unwrap().unwrap();
    assert_eq!((before.standing.unwrap().generation, row.standing.unwrap().generation), (2, 1));
    assert!(row.generation > before.generation, "whoever looked before notes nothing of it");
    assert_eq!(first.catch_up().await.unwrap(), []);
    assert_eq!(read_all(&first, &[name("a"), name("b")]).await.len(), 6);
}

/// Stops at a pass after it was armed, and tells where that was.
#[derive(Debug, Clone)]
struct Fuse {
    left: Arc<AtomicU64>,
    at_point: Arc<Mutex<Option<String>>>,
}

impl Fuse {
    fn new() -> Self {
        Self { left: Arc::new(AtomicU64::new(u64::MAX)), at_point: Arc::default() }
    }

    fn arm(&self, passes: u64) {
        self.left.store(passes, Ordering::SeqCst);
    }

    fn crash_points(&self) -> CrashPoints {
        let fuse = self.clone();
        CrashPoints::new(Arc::new(move |point: &str| {
            let goes_on = fuse.left.fetch_sub(1, Ordering::SeqCst) != 0;
            if !goes_on {
                *fuse.at_point.lock().unwrap() = Some(point.to_owned());
            }
            goes_on
        }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_effect_hides_neither_a_drop_nor_that_stores_are_empty() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let first = machine(&world, &lake, "first").await;
    let mut machines: Vec<(u64, Metrics, Fuse)> = Vec::new();
    for number in 0..20_u64 {
        let fuse = Fuse::new();
        let other = machine_with(&world, &lake, &format!("other{number}"), fuse.crash_points()).await;
        machines.push((number, other, fuse));
    }
    first.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&first).await.unwrap();
    let (cold, days) = (tier("cold"), [day("2026-02-01"), day("2026-02-02")]);
    let mut stopped = BTreeSet::new();
    let mut catch_up = async |number: u64, other: &Metrics, fuse: &Fuse| {
        fuse.arm(number);
        let taken = other.catch_up().await;
        fuse.arm(u64::MAX);
        match taken {
            Ok(_) => assert!(fuse.at_point.lock().unwrap().is_none(), "{number}"),
            Err(error) => assert_eq!(error.kind, ErrorKind::Canceled, "{error}"),
        }
        let at_point = fuse.at_point.lock().unwrap().take();
        let goes_on = at_point.is_some();
        stopped.extend(at_point);
        other.catch_up().await.unwrap();
        goes_on
    };
    // The first ones know the windows before they are emptied, the others learn of their roll-ups when they are given up.
    let (knowing, others) = machines.split_at(5);
    for (_, other, _) in knowing {
        other.catch_up().await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(1));
        archive(other).await.unwrap();
    }
    expire(&first).await.unwrap();
    for (number, other, fuse) in knowing {
        let goes_on = catch_up(*number, other, fuse).await;
        assert_eq!(goes_on, *number < 4, "before and after each of two windows");
        let rows = other.ledger.rows(&cold, TimeRange::ALL).await.unwrap();
        assert!(rows.iter().all(|row| row.state == WindowState::Expired && row.is_settled()), "{rows:?}");
        assert!(other.lacking_windows(&tier("warm"), &cold).await.unwrap().is_empty());
    }
    roll_up(&first).await.unwrap();
    assert_eq!(give_up(&first, "cold").await.unwrap(), [Outcome::Made, Outcome::Made]);
    for (number, other, fuse) in others {
        let number = number - 5;
        let goes_on = catch_up(number, other, fuse).await;
        assert_eq!(other.ledger.dropped(&cold, TimeRange::ALL).await.unwrap(), days, "{number}");
        if !goes_on {
            assert!(number > 8, "{number}");
        }
    }
    for point in OF_LAGS {
        for moment in ["before", "after"] {
            assert!(stopped.contains(&format!("{moment} {point}")), "{moment} {point}: {stopped:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_ledger_lacks_and_the_catalog_has_is_not_given_up() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let second = machine(&world, &lake, "second").await;
    let first = machine(&world, &lake, "first").await;
    first.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&first).await.unwrap();
    roll_up(&first).await.unwrap();
    let month = Window::parse(PartitionUnit::Month, "2026-02").unwrap();
    let made_from = first.ledger.row(&tier("hourly"), month).await.unwrap().unwrap().standing.unwrap().made_from;
    assert_eq!(made_from.len(), 2);
    // The archive was listed before its windows were published, the roll-up after it.
    second.note_dropped(&made_from, &mut crate::rebuild::Listed::default()).await.unwrap();
    assert!(second.ledger.dropped(&tier("cold"), TimeRange::ALL).await.unwrap().is_empty());
    let table = TableName::new("metrics", "cold").unwrap();
    lake.catalog.drop_partition(&table, &["1m".to_owned(), "2026-02-02".to_owned()]).await.unwrap();
    second.note_dropped(&made_from, &mut crate::rebuild::Listed::default()).await.unwrap();
    assert_eq!(second.ledger.dropped(&tier("cold"), TimeRange::ALL).await.unwrap(), [day("2026-02-02")]);
}
