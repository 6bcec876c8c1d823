use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use lake::Result;
use lake::crash::CrashPoints;

use super::*;
use crate::point::Merged;
use crate::store::Selection;
use crate::store::memory::MemoryStore;
use crate::tests::world::*;
use crate::{DuplicateRule, Metrics, PointStore, StoreOpener, Tier, TierKind, TimeRange};

/// Counts what a store is asked for.
#[derive(Debug, Default)]
struct Counting {
    store: MemoryStore,
    /// How often it was asked for all series.
    all: AtomicUsize,
    /// How many series it was asked for by name.
    named: AtomicUsize,
}

#[async_trait]
impl PointStore for Counting {
    async fn write(&self, batch: &PointBatch, rule: DuplicateRule) -> Result<Merged> {
        self.store.write(batch, rule).await
    }

    async fn delete_exact(&self, batch: &PointBatch) -> Result<u64> {
        self.store.delete_exact(batch).await
    }

    fn scan<'a>(&'a self, range: TimeRange, selection: Selection<'a>) -> BoxStream<'a, Result<PointBatch>> {
        self.store.scan(range, selection)
    }

    async fn summaries(&self, selection: Selection<'_>) -> Result<Vec<SeriesSummary>> {
        match selection {
            Selection::All => self.all.fetch_add(1, Ordering::SeqCst),
            Selection::Names(names) => self.named.fetch_add(names.len(), Ordering::SeqCst),
        };
        self.store.summaries(selection).await
    }

    async fn days(&self) -> Result<BTreeSet<i64>> {
        self.store.days().await
    }
}

#[derive(Debug, Clone, Default)]
struct Opener {
    hot: Arc<Counting>,
    warm: Arc<Counting>,
}

#[async_trait]
impl StoreOpener for Opener {
    async fn open(&self, tier: &Tier) -> Result<Arc<dyn PointStore>> {
        let store = if tier.name.as_str() == "hot" { &self.hot } else { &self.warm };
        Ok(Arc::clone(store) as _)
    }
}

impl Opener {
    fn asked(&self) -> (usize, usize) {
        (self.hot.all.load(Ordering::SeqCst), self.hot.named.load(Ordering::SeqCst))
    }
}

const MINUTE: i64 = 60_000;
const START: &str = "2026-02-01T00:00:00Z";

/// Opens tiers whose hot store is flushed with four points, or after an hour.
async fn open(world: &World, opener: &Opener) -> Metrics {
    open_with(world, opener, FlushRule { count: Some(4), age_ms: Some(60 * MINUTE) }).await
}

async fn open_with(world: &World, opener: &Opener, rule: FlushRule) -> Metrics {
    let lake = world.lake(CrashPoints::default()).await;
    let mut list: Vec<Tier> = tiers(DuplicateRule::Last).all().to_vec();
    list[0].kind = TierKind::Store { flush: Some(rule) };
    let tiers = crate::Tiers::new(list, DuplicateRule::Last, 0).unwrap();
    Metrics::open(&lake, tiers, Arc::new(opener.clone())).await.unwrap()
}

/// Writes a point of a series; returns how many points the stores hold then.
async fn write(metrics: &Metrics, series: &str, minute: i64) -> (usize, usize) {
    let time_ms = ms(START) + minute * MINUTE;
    let now = Timestamp::from_millisecond(time_ms).unwrap();
    metrics.write(&tier("hot"), &batch(&[(series, &[(time_ms, 1.0)])]), now).await.unwrap();
    (stored(metrics, "hot").await, stored(metrics, "warm").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_asks_for_the_series_that_it_makes_due_and_no_others() {
    let world = World::in_memory();
    let opener = Opener::default();
    let metrics = open(&world, &opener).await;
    for number in 0..50 {
        write(&metrics, &format!("other {number}"), 0).await;
    }
    assert_eq!(opener.asked(), (1, 0), "all series once, at the first write");
    for minute in 0..3 {
        assert_eq!(write(&metrics, "busy", minute).await.1, 0);
    }
    assert_eq!(opener.asked(), (1, 0));
    assert_eq!(write(&metrics, "busy", 3).await, (50, 4), "the fourth point moves all of them");
    assert_eq!(opener.asked(), (1, 1), "the series is looked at before it moves");
    // It begins anew.
    for minute in 4..7 {
        assert_eq!(write(&metrics, "busy", minute).await.1, 4);
    }
    assert_eq!(opener.asked(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_are_written_again_do_not_make_a_series_due() {
    let world = World::in_memory();
    let opener = Opener::default();
    let metrics = open(&world, &opener).await;
    for _ in 0..5 {
        assert_eq!(write(&metrics, "same", 0).await, (1, 0));
    }
    assert_eq!(opener.asked(), (1, 1), "counted as four, looked at, and found to be one");
    assert_eq!(write(&metrics, "same", 1).await, (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn series_that_nobody_touches_are_flushed_when_they_are_old_and_after_a_restart() {
    let world = World::in_memory();
    let opener = Opener::default();
    {
        let metrics = open(&world, &opener).await;
        write(&metrics, "old", 0).await;
        write(&metrics, "later", 30).await;
        metrics.ledger.close().await;
    }
    let metrics = open(&world, &opener).await;
    assert_eq!(write(&metrics, "new", 59).await, (3, 0));
    assert_eq!(write(&metrics, "new", 60).await, (3, 1), "`old` is an hour old");
    assert_eq!(write(&metrics, "new", 90).await, (3, 2), "and now `later`");
    assert_eq!(opener.asked(), (2, 2), "all of them once in each process, and then the two");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_age_a_series_that_falls_silent_is_flushed_when_its_window_is_due() {
    let world = World::in_memory();
    let opener = Opener::default();
    let metrics = open_with(&world, &opener, FlushRule { count: Some(4), age_ms: None }).await;
    write(&metrics, "silent", 0).await;
    assert_eq!(write(&metrics, "other", 24 * 60 - 1).await, (2, 0));
    assert_eq!(write(&metrics, "new", 24 * 60).await, (1, 2), "the day of the two has ended");
    assert_eq!(write(&metrics, "new", 24 * 60 + 1).await, (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_moved_is_found_out() {
    let world = World::in_memory();
    let opener = Opener::default();
    let metrics = open(&world, &opener).await;
    for minute in 0..3 {
        write(&metrics, "busy", minute).await;
    }
    let other = open(&world, &opener).await;
    other.flush(&tier("hot"), &tier("warm"), FlushRule::default(), Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(write(&metrics, "busy", 3).await, (1, 3), "one point is there, not four");
}
