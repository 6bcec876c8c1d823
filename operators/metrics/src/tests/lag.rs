//! Ledgers that are older than the catalog: two machines that share a lake, and a copy of a ledger that was put back.

use std::sync::Arc;

use lake::Lake;
use lake::crash::CrashPoints;

use super::drop::{NOW, archive, points, roll_up};
use super::undone::undo;
use super::world::*;
use crate::*;

/// One of several machines: its ledger is its own, the stores are those of all.
async fn machine(world: &World, lake: &Lake, ledger: &str) -> Metrics {
    let folder = world.folder.path().join("stores");
    let stores = EmbeddedStores { folder, crash_points: CrashPoints::default() };
    let lake = World::part(lake, ledger, CrashPoints::default());
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

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_is_no_later_generation() {
    let world = World::new();
    let metrics = world.open().await;
    metrics.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&metrics).await.unwrap();
    let late = batch(&[("a", &[(ms("2026-02-01T05:00:00Z"), 3.0)])]);
    metrics.write(&tier("warm"), &late, at(NOW)).await.unwrap();
    archive(&metrics).await.unwrap();
    undo(&metrics, "cold", "1m", "2026-02-01").await;
    assert_eq!(metrics.catch_up().await.unwrap(), []);
    assert!(metrics.status(at(NOW)).await.unwrap().iter().any(|status| status.astray.is_some()));
}
