//! Stores that cannot be reached: they are waited for together, and each once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lake::crash::CrashPoints;
use lake::{Error, ErrorKind, Lake, Result};
use tokio::sync::Barrier;

use super::drop::{NOW, archive, expire, points};
use super::lag::machine;
use super::world::*;
use crate::*;

/// Stores whose servers are down: each is waited for until the others are.
#[derive(Debug)]
struct Down {
    all: Barrier,
    opened: AtomicU32,
}

impl Down {
    /// Of so many stores.
    fn new(stores: usize) -> Arc<Self> {
        Arc::new(Self { all: Barrier::new(stores), opened: AtomicU32::new(0) })
    }

    fn opened(&self) -> u32 {
        self.opened.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl StoreOpener for Down {
    async fn open(&self, _tier: &Tier) -> Result<Arc<dyn PointStore>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        // One that is waited for alone is found out, rather than waited for without end.
        let met = tokio::time::timeout(Duration::from_secs(30), self.all.wait()).await;
        let message = if met.is_ok() { "down" } else { "waited for alone" };
        Err(Error::new(ErrorKind::External, "open a store", message).retryable())
    }
}

async fn open(lake: &Lake, down: &Arc<Down>) -> Metrics {
    Metrics::open(lake, tiers(DuplicateRule::Last), Arc::clone(down) as Arc<dyn StoreOpener>).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_all_stores_at_once_and_for_each_once() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    // Windows of two days that points were written for, of which a dump found none.
    let (warm, cold) = (tier("warm"), tier("cold"));
    let one = machine(&world, &lake, "one").await;
    one.write(&warm, &points(), at(NOW)).await.unwrap();
    assert_eq!(one.store(&warm).await.unwrap().delete_exact(&points()).await.unwrap(), 4);
    for window in one.due_dumps(&warm, &cold, None, at(NOW)).await.unwrap() {
        assert_eq!(one.dump(&warm, &cold, window, &options(), at(NOW)).await.unwrap().outcome, Outcome::Failed);
    }
    let down = Down::new(2);
    let metrics = open(&World::part(&lake, "one", CrashPoints::default()), &down).await;
    let mut request = ReadRequest {
        names: vec![name("a")],
        range: TimeRange::new(ms("2026-02-01T00:00:00Z"), ms("2026-02-03T00:00:00Z")),
        step: Some(metrics.tiers().raw_step()),
        aggregate: None,
        on_gap: OnGap::Name,
    };
    let answer = metrics.read(&request, at(NOW)).await.unwrap();
    let gaps: Vec<_> = answer.gaps.iter().map(|gap| (gap.tier.as_str(), gap.why.as_str())).collect();
    assert_eq!(gaps, [("hot", "down"), ("warm", "down")]);
    assert_eq!(down.opened(), 2, "that windows may be lost is no reason to wait once more");
    request.on_gap = OnGap::Fail;
    assert_eq!(metrics.read(&request, at(NOW)).await.unwrap_err().to_string(), "down\n  tier: hot");
    assert_eq!(down.opened(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_behind_waits_for_stores_once_however_many_windows_ask() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let (first, second) = (machine(&world, &lake, "first").await, machine(&world, &lake, "second").await);
    first.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&first).await.unwrap();
    second.catch_up().await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    archive(&second).await.unwrap();
    expire(&first).await.unwrap();
    let down = Down::new(2);
    let metrics = open(&World::part(&lake, "second", CrashPoints::default()), &down).await;
    assert_eq!(metrics.catch_up().await.unwrap(), []);
    assert_eq!(down.opened(), 2, "for two windows");
    // When they are there again all of it is known.
    second.catch_up().await.unwrap();
    let rows = second.ledger.rows(&tier("cold"), TimeRange::ALL).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.state == WindowState::Expired).count(), 2);
}
