//! Random schedules of writers, movers and readers with crashes between any two durable effects, against a plain map.
//!
//! `SEED=17 cargo test -p metrics model` runs one schedule alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use lake::crash::CrashPoints;
use lake::{ErrorKind, Lake, Result};

use super::world::*;
use crate::point::Merged;
use crate::store::memory::MemoryStore;
use crate::store::{Selection, SeriesSummary};
use crate::*;

const SCHEDULES: u64 = 500;

/// How many things happen in a schedule.
const STEPS: u64 = 24;

/// Numbers that look random: splitmix64 (<https://prng.di.unimi.it/splitmix64.c>).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

const NAMES: [&str; 5] = ["a", "b'", "c/ü", "d", "e"];

fn names() -> Vec<SeriesName> {
    NAMES.iter().map(|text| name(text)).collect()
}

/// The time before which nothing happens.
fn start_ms() -> i64 {
    ms("2026-01-30T00:00:00Z")
}

/// What was written and taken, and what a write that stopped may have left.
#[derive(Debug, Default)]
struct Model {
    points: AllPoints,
    unsure: BTreeMap<(String, i64), BTreeSet<u64>>,
}

impl Model {
    /// Notes a write that may stop.
    fn begin(&mut self, batch: &PointBatch) {
        for ((name, time_ms), bits) in points_of(batch) {
            self.unsure.entry((name, time_ms)).or_default().insert(bits);
        }
    }

    fn taken(&mut self, batch: &PointBatch) {
        for (key, bits) in points_of(batch) {
            self.unsure.remove(&key);
            self.points.insert(key, bits);
        }
    }

    /// Compares with what a reader found.
    fn check(&self, found: &AllPoints, when: &str) {
        let keys: BTreeSet<_> = self.points.keys().chain(found.keys()).collect();
        for key in keys {
            let (expected, found) = (self.points.get(key), found.get(key));
            let may_be = found.is_some_and(|found| self.unsure.get(key).is_some_and(|bits| bits.contains(found)));
            assert!(expected == found || may_be, "{when}: {key:?} is {found:?}, not {expected:?}");
        }
    }
}

fn points_of(batch: &PointBatch) -> AllPoints {
    let series = batch.series().iter();
    let points = series.flat_map(|series| {
        series.points.iter().map(|(time_ms, value)| ((series.name.to_string(), time_ms), value.to_bits()))
    });
    points.collect()
}

/// What all parts of a schedule share, over restarts.
struct Shared {
    random: Mutex<Random>,
    model: Mutex<Model>,
    /// The crash point to stop at, counted down; below 0 none.
    fuse: AtomicI64,
    /// Whether something may happen between the calls of a step.
    between: AtomicBool,
    metrics: OnceLock<Mutex<Weak<Metrics>>>,
    now_ms: AtomicI64,
}

impl Shared {
    fn below(&self, end: u64) -> u64 {
        self.random.lock().unwrap().below(end)
    }

    fn model(&self) -> std::sync::MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms.load(Ordering::SeqCst)).unwrap()
    }

    /// Makes points: most of them lately, some late.
    fn points(&self) -> PointBatch {
        let mut series: BTreeMap<&str, Vec<(i64, f64)>> = BTreeMap::new();
        let now_ms = self.now_ms.load(Ordering::SeqCst);
        for _ in 0..=self.below(12) {
            let back = if self.below(4) == 0 { self.below(60 * 24 * 3) } else { self.below(120) };
            let minute_ms = now_ms - now_ms.rem_euclid(60_000) - i64::try_from(back).unwrap() * 60_000;
            let value = [1.0, 2.5, -0.0, f64::NAN, f64::INFINITY, -7.0][usize::try_from(self.below(6)).unwrap()];
            let name = NAMES[usize::try_from(self.below(NAMES.len() as u64)).unwrap()];
            series.entry(name).or_default().push((minute_ms.max(start_ms()), value));
        }
        let series: Vec<(&str, &[(i64, f64)])> =
            series.iter().map(|(name, points)| (*name, points.as_slice())).collect();
        batch(&series)
    }

    /// Lets another process do something while a step is under way: a writer or a reader.
    async fn meanwhile(&self) {
        if self.below(3) > 0 || !self.between.swap(false, Ordering::SeqCst) {
            return;
        }
        let metrics = self.metrics.get().and_then(|metrics| metrics.lock().unwrap().upgrade());
        if let Some(metrics) = metrics {
            // The other process does not crash when this one does.
            let fuse = self.fuse.swap(-1, Ordering::SeqCst);
            if self.below(2) == 0 {
                let batch = self.points();
                self.model().begin(&batch);
                Box::pin(metrics.write(&tier("hot"), &batch, self.now())).await.unwrap();
                self.model().taken(&batch);
            }
            let found = Box::pin(read_all(&metrics, &names())).await;
            self.model().check(&found, "meanwhile");
            self.fuse.store(fuse, Ordering::SeqCst);
        }
        self.between.store(true, Ordering::SeqCst);
    }
}

/// A store between whose calls others do something.
#[derive(Clone)]
struct Busy {
    store: Arc<MemoryStore>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Busy").finish_non_exhaustive()
    }
}

#[async_trait]
impl PointStore for Busy {
    async fn write(&self, batch: &PointBatch, rule: DuplicateRule) -> Result<Merged> {
        self.shared.meanwhile().await;
        let merged = self.store.write(batch, rule).await;
        self.shared.meanwhile().await;
        merged
    }

    async fn delete_exact(&self, batch: &PointBatch) -> Result<u64> {
        self.shared.meanwhile().await;
        let gone = self.store.delete_exact(batch).await;
        self.shared.meanwhile().await;
        gone
    }

    fn scan<'a>(&'a self, range: TimeRange, selection: Selection<'a>) -> BoxStream<'a, Result<PointBatch>> {
        let before = futures::stream::once(self.shared.meanwhile());
        let after = futures::stream::once(async {
            self.shared.meanwhile().await;
            PointBatch::new(Vec::new())
        });
        before.flat_map(move |()| self.store.scan(range, selection)).chain(after).boxed()
    }

    async fn summaries(&self, selection: Selection<'_>) -> Result<Vec<SeriesSummary>> {
        self.store.summaries(selection).await
    }

    async fn days(&self) -> Result<BTreeSet<i64>> {
        self.store.days().await
    }
}

#[derive(Debug, Clone)]
struct Opener(BTreeMap<TierName, Busy>);

#[async_trait]
impl StoreOpener for Opener {
    async fn open(&self, tier: &Tier) -> Result<Arc<dyn PointStore>> {
        Ok(Arc::new(self.0[&tier.name].clone()))
    }
}

/// A schedule under way.
struct Schedule {
    lake: Lake,
    database: String,
    shared: Arc<Shared>,
    opener: Arc<Opener>,
    metrics: Arc<Metrics>,
}

/// Something that a process does.
#[derive(Debug, Clone)]
enum Act {
    Write(PointBatch),
    Flush(FlushRule),
    Dump,
    Verify,
    RollUp,
    Expire,
}

impl Schedule {
    async fn new(lake: &Lake, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            random: Mutex::new(Random(seed)),
            model: Mutex::default(),
            fuse: AtomicI64::new(-1),
            between: AtomicBool::new(false),
            metrics: OnceLock::new(),
            now_ms: AtomicI64::new(ms("2026-02-01T12:00:00Z")),
        });
        let busy = || Busy { store: Arc::default(), shared: Arc::clone(&shared) };
        let opener = Arc::new(Opener(BTreeMap::from([(tier("hot"), busy()), (tier("warm"), busy())])));
        let hook = Arc::clone(&shared);
        let crash_points = CrashPoints::new(Arc::new(move |_: &str| hook.fuse.fetch_sub(1, Ordering::SeqCst) != 0));
        let database = format!("metrics{seed}");
        let lake = World::part(lake, &database, crash_points);
        let metrics = open(&lake, &database, &opener).await;
        shared.metrics.set(Mutex::new(Arc::downgrade(&metrics))).unwrap();
        Self { lake, database, shared, opener, metrics }
    }

    /// Does something; stops and starts anew until it is done.
    async fn act(&mut self, act: &Act) {
        if let Act::Write(batch) = act {
            self.shared.model().begin(batch);
        }
        // A write that stops is not taken: only moving is disturbed by others in between.
        self.shared.between.store(!matches!(act, Act::Write(_)), Ordering::SeqCst);
        if self.shared.below(2) == 0 {
            self.shared.fuse.store(i64::try_from(self.shared.below(30)).unwrap(), Ordering::SeqCst);
        }
        loop {
            let done = self.try_to(act).await;
            match done {
                Ok(()) => break,
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::Canceled, "{act:?}: {error} {:?}", error.context);
                    self.shared.between.store(false, Ordering::SeqCst);
                    self.restart().await;
                    self.check("after a crash").await;
                    self.shared.between.store(!matches!(act, Act::Write(_)), Ordering::SeqCst);
                    if self.shared.below(3) == 0 {
                        self.shared.fuse.store(i64::try_from(self.shared.below(12)).unwrap(), Ordering::SeqCst);
                    }
                }
            }
        }
        self.shared.fuse.store(-1, Ordering::SeqCst);
        self.shared.between.store(false, Ordering::SeqCst);
        if let Act::Write(batch) = act {
            self.shared.model().taken(batch);
        }
        self.check(&format!("after {act:?}")).await;
    }

    async fn restart(&mut self) {
        self.shared.fuse.store(-1, Ordering::SeqCst);
        self.metrics = open(&self.lake, &self.database, &self.opener).await;
        *self.shared.metrics.get().unwrap().lock().unwrap() = Arc::downgrade(&self.metrics);
    }

    async fn check(&self, when: &str) {
        let found = read_all(&self.metrics, &names()).await;
        self.shared.model().check(&found, when);
    }

    async fn try_to(&self, act: &Act) -> Result<()> {
        let (metrics, now) = (&self.metrics, self.shared.now());
        let (hot, warm, cold) = (tier("hot"), tier("warm"), tier("cold"));
        match act {
            Act::Write(batch) => drop(metrics.write(&hot, batch, now).await?),
            Act::Flush(rule) => drop(metrics.flush(&hot, &warm, *rule, now).await?),
            Act::Dump => {
                for window in metrics.due_dumps(&warm, &cold, None, now).await? {
                    metrics.dump(&warm, &cold, window, &options(), now).await?;
                }
            }
            Act::Verify => {
                for window in metrics.due_verifications(&cold, None).await? {
                    let report = metrics.verify(&warm, &cold, window, now).await?;
                    assert!(report.mismatches.is_empty(), "{report:?}");
                }
            }
            Act::RollUp => {
                for (from, to) in [("cold", "hourly"), ("hourly", "daily")] {
                    let (from, to) = (tier(from), tier(to));
                    for window in metrics.due_rollups(&from, &to, None, RollupSource::Verified).await? {
                        metrics.rollup(&from, &to, window, RollupSource::Verified, &options(), now).await?;
                    }
                    for window in metrics.due_verifications(&to, None).await? {
                        let report = metrics.verify(&from, &to, window, now).await?;
                        assert!(report.mismatches.is_empty(), "{report:?}");
                    }
                }
            }
            Act::Expire => {
                for window in metrics.due_expiries(&warm, None, 0, now).await? {
                    metrics.expire(&warm, window, 0, now).await?;
                }
            }
        }
        Ok(())
    }

    fn choose(&self) -> Act {
        match self.shared.below(9) {
            0..3 => Act::Write(self.shared.points()),
            3 => Act::Flush(FlushRule { count: Some(self.shared.below(6)), age_ms: None }),
            4 => Act::Flush(FlushRule::default()),
            5 => Act::Dump,
            6 => Act::Verify,
            7 => Act::RollUp,
            _ => Act::Expire,
        }
    }

    async fn run(&mut self) {
        for _ in 0..STEPS {
            let act = self.choose();
            self.act(&act).await;
            let forward_ms = i64::try_from(self.shared.below(8 * 3_600_000)).unwrap();
            self.shared.now_ms.fetch_add(forward_ms, Ordering::SeqCst);
        }
        // In the end all of it is in the archive alone, and rolled up.
        self.shared.now_ms.fetch_add(10 * 86_400_000, Ordering::SeqCst);
        for _ in 0..4 {
            for act in [Act::Flush(FlushRule::default()), Act::Dump, Act::Verify, Act::RollUp, Act::Expire] {
                self.shared.fuse.store(-1, Ordering::SeqCst);
                self.try_to(&act).await.unwrap();
            }
        }
        self.check("in the end").await;
        for text in ["hot", "warm"] {
            assert_eq!(stored(&self.metrics, text).await, 0, "{text}");
        }
        let count = self.shared.model().points.len() as u64;
        let in_cold = self.metrics.windows(&tier("cold"), None).await.unwrap();
        let in_cold = in_cold.iter().filter_map(|row| row.standing.as_ref()).map(|standing| standing.figures.count);
        assert_eq!(in_cold.sum::<u64>(), count);
        let request = ReadRequest {
            names: names(),
            range: TimeRange::new(start_ms(), self.shared.now_ms.load(Ordering::SeqCst)),
            step: Some(Step::from_ms(86_400_000).unwrap()),
            aggregate: Some(Aggregate::Count),
            on_gap: OnGap::Fail,
        };
        let daily = self.metrics.read(&request, self.shared.now()).await.unwrap();
        let rows = daily.series.iter().flat_map(|series| &series.rows);
        assert!(rows.clone().all(|row| daily.tiers[row.tier].as_str() == "daily"));
        let counted = rows.map(|row| row.value).sum::<f64>();
        assert_eq!(format!("{counted}"), count.to_string());
    }
}

async fn open(lake: &Lake, database: &str, opener: &Arc<Opener>) -> Arc<Metrics> {
    let tiers = tiers_in(database, DuplicateRule::Last);
    Arc::new(Metrics::open(lake, tiers, Arc::clone(opener) as _).await.unwrap())
}

#[test]
fn what_was_written_is_read_whatever_is_moved_and_wherever_it_stops() {
    let seeds: Vec<u64> = match std::env::var_os("SEED") {
        Some(seed) => vec![seed.to_str().unwrap().parse().unwrap()],
        None => (0..SCHEDULES).collect(),
    };
    let next = Mutex::new(seeds.into_iter());
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let world = World::in_memory();
        let lake = runtime.block_on(world.lake(CrashPoints::default()));
        loop {
            let Some(seed) = next.lock().unwrap().next() else { return };
            let schedule = || runtime.block_on(async { Schedule::new(&lake, seed).await.run().await });
            if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(schedule)) {
                println!("SEED={seed} fails");
                std::panic::resume_unwind(panic);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(run);
        }
    });
}
