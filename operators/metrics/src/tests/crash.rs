//! Every durable effect is stopped before and after it; the same step is then done again by a new process, and in the end all
//! points are where they belong. Readers find all of them all the while.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lake::clock::ManualClock;
use lake::crash::CrashPoints;
use lake::{ErrorKind, Lake, Result};

use super::lag::OF_LAGS;
use super::world::*;
use crate::*;

/// Where a run is stopped: after so many passes of crash points, again and again.
#[derive(Debug, Default)]
struct Fuses {
    left: VecDeque<u64>,
    passed: u64,
    /// The points that were passed, in their order.
    trace: Vec<String>,
    /// The points at which it was stopped.
    stopped: BTreeSet<String>,
    /// Where the next step is stopped once, whatever else happens.
    trap: Option<&'static str>,
}

const STEPS: usize = 12;

/// The step in which an object is damaged.
const DAMAGE: usize = 11;

/// Giving up windows of a Parquet tier has a test of its own (`drop.rs`).
pub(super) const OF_DROPS: [&str; 4] = [
    "metrics: note that a window is about to be dropped",
    "metrics: set the tombstone of a dropped window",
    "metrics: drop the partition of a window",
    "metrics: note that a window is dropped",
];

struct Run {
    /// It stands while a step is done, and goes on between two.
    clock: Arc<ManualClock>,
    lake: Lake,
    database: String,
    fuses: Arc<Mutex<Fuses>>,
    /// Whether the object has been damaged.
    is_damaged: AtomicBool,
}

impl Run {
    fn new(world: &World, lake: &Lake, number: u64, fuses: &[u64]) -> Self {
        let fuses = Fuses { left: fuses.iter().copied().collect(), ..Fuses::default() };
        let fuses = Arc::new(Mutex::new(fuses));
        let stops = Arc::clone(&fuses);
        let crash_points = CrashPoints::new(Arc::new(move |point: &str| {
            let mut fuses = stops.lock().unwrap();
            if fuses.trap.take_if(|trap| *trap == point).is_some() {
                return false;
            }
            fuses.passed += 1;
            fuses.trace.push(point.to_owned());
            if fuses.left.front() == Some(&(fuses.passed - 1)) {
                fuses.left.pop_front();
                fuses.passed = 0;
                fuses.stopped.insert(point.to_owned());
                return false;
            }
            true
        }));
        let database = format!("metrics{number}");
        let (clock, is_damaged) = (Arc::clone(&world.clock), AtomicBool::new(false));
        Self { clock, lake: World::part(lake, &database, crash_points), database, fuses, is_damaged }
    }

    async fn open(&self) -> Result<Metrics> {
        let settings = &self.lake.settings;
        let stores =
            EmbeddedStores { folder: settings.state_dir.join("metrics"), crash_points: settings.crash_points.clone() };
        Metrics::open(&self.lake, tiers_in(&self.database, DuplicateRule::Last), Arc::new(stores)).await
    }

    /// Does all steps, each again until it is done; returns what a reader finds in the end.
    async fn to_the_end(&self) -> AllPoints {
        let mut metrics = None;
        for step in 0..STEPS {
            loop {
                self.clock.advance(Duration::from_secs(1));
                match self.step(&mut metrics, step).await {
                    Ok(()) => break,
                    Err(error) => {
                        assert_eq!(error.kind, ErrorKind::Canceled, "{error}");
                        close(&mut metrics).await;
                    }
                }
            }
        }
        let metrics = metrics.unwrap();
        assert_eq!((stored(&metrics, "hot").await, stored(&metrics, "warm").await), (0, 0));
        read_all(&metrics, &names()).await
    }

    /// Dumps and verifies what is due.
    async fn dump_and_verify(&self, metrics: &Metrics, now: jiff::Timestamp) -> Result<()> {
        let (warm, cold) = (tier("warm"), tier("cold"));
        for window in metrics.due_dumps(&warm, &cold, None, now).await? {
            metrics.dump(&warm, &cold, window, &options(), now).await?;
        }
        for window in metrics.due_verifications(&cold, None).await? {
            let report = metrics.verify(&warm, &cold, window, now).await?;
            assert!(report.mismatches.is_empty(), "{report:?}");
        }
        Ok(())
    }

    async fn step(&self, opened: &mut Option<Metrics>, step: usize) -> Result<()> {
        let metrics = match opened {
            Some(metrics) => metrics,
            None => opened.insert(self.open().await?),
        };
        // A reader does not pass over a damaged object.
        if step >= 2 && step != DAMAGE {
            let found = read_all(metrics, &names()).await;
            assert!(written(0).keys().all(|key| found.contains_key(key)), "step {step}");
        }
        let (hot, warm, cold) = (tier("hot"), tier("warm"), tier("cold"));
        let now = at("2026-02-10T00:00:00Z");
        match step {
            0 | 4 | 6 | 9 => {
                metrics.write(&hot, &points(step), now).await?;
                metrics.note_stream_position("points@", &hot, &stream::StreamPosition::default(), &[]).await?;
                if step == 6 {
                    metrics.reopen(&cold, day("2026-02-01")).await?;
                }
            }
            1 | 5 => drop(metrics.flush(&hot, &warm, FlushRule::default(), now).await?),
            2 | 3 | 7 => {
                metrics.flush(&hot, &warm, FlushRule::default(), now).await?;
                self.dump_and_verify(metrics, now).await?;
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
                if step == 3 {
                    // A writer that knows no ledger.
                    let foreign = batch(&[("b", &[(ms("2026-02-05T01:00:00Z"), 8.0)])]);
                    metrics.store(&warm).await?.write(&foreign, DuplicateRule::Last).await?;
                }
                for window in metrics.due_expiries(&warm, None, 0, now).await? {
                    metrics.expire(&warm, window, 0, now).await?;
                }
            }
            DAMAGE => {
                metrics.write(&warm, &points(step), now).await?;
                self.dump_and_verify(metrics, now).await?;
                let window = day("2026-02-06");
                if !self.is_damaged.swap(true, Ordering::SeqCst) {
                    let row = metrics.ledger.row(&cold, window).await?.unwrap();
                    let file = self.lake.storage.file(&row.standing.unwrap().files[0].location).unwrap();
                    let bytes = std::fs::read(&file).unwrap();
                    std::fs::write(&file, &bytes[1..]).unwrap();
                }
                metrics.verify(&warm, &cold, window, now).await?;
                self.dump_and_verify(metrics, now).await?;
                for window in metrics.due_expiries(&warm, None, 0, now).await? {
                    metrics.expire(&warm, window, 0, now).await?;
                }
            }
            8 | 10 => {
                if step == 10 {
                    // In the middle of a dump, whose next try begins in the same millisecond: the clock stands.
                    metrics.flush(&hot, &warm, FlushRule::default(), now).await?;
                    self.fuses.lock().unwrap().trap = Some("after metrics: write the objects");
                    for window in metrics.due_dumps(&warm, &cold, None, now).await? {
                        let Err(error) = metrics.dump(&warm, &cold, window, &options(), now).await else { continue };
                        if self.fuses.lock().unwrap().trap.is_none() {
                            break;
                        }
                        // It was stopped elsewhere.
                        return Err(error);
                    }
                    self.fuses.lock().unwrap().trap = None;
                }
                // The ledger is lost.
                close(opened).await;
                for end in ["", "-wal", "-shm"] {
                    let file = self.lake.settings.state_dir.join(format!("{}{end}", crate::ledger::FILE));
                    if file.try_exists().unwrap() {
                        std::fs::remove_file(file).unwrap();
                    }
                }
                let metrics = opened.insert(self.open().await?);
                metrics.rebuild().await?;
                Box::pin(self.step(opened, 2)).await?;
            }
            _ => unreachable!("there are {STEPS} steps"),
        }
        Ok(())
    }
}

async fn close(opened: &mut Option<Metrics>) {
    if let Some(metrics) = opened.take() {
        metrics.ledger.close().await;
    }
}

fn names() -> [SeriesName; 2] {
    [name("a"), name("b")]
}

fn points(step: usize) -> PointBatch {
    let minute = |day: &str, minute: i64| ms(day) + minute * 60_000;
    let (first, second) = ("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z");
    match step {
        0 => batch(&[("a", &[(minute(first, 0), 1.0), (minute(second, 5), 2.0)]), ("b", &[(minute(first, 90), 3.0)])]),
        DAMAGE => batch(&[("a", &[(minute("2026-02-06T00:00:00Z", 3), 6.0)])]),
        // Late ones, then the same again.
        _ => batch(&[("a", &[(minute(first, 1), 4.0)]), ("b", &[(minute(second, 0), 5.0)])]),
    }
}

fn written(step: usize) -> AllPoints {
    let batch = points(step);
    let points = batch.series().iter().flat_map(|series| {
        series.points.iter().map(|(time_ms, value)| ((series.name.to_string(), time_ms), value.to_bits()))
    });
    points.collect()
}

/// The names of the points of this crate, as they stand in the sources.
fn in_the_sources() -> BTreeSet<String> {
    fn walk(folder: &std::path::Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let points = text.split("around(\"").skip(1).filter_map(|rest| rest.split('"').next());
            found.extend(points.filter(|point| point.starts_with("metrics: ")).map(str::to_owned));
        }
    }
    let mut found = BTreeSet::new();
    walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_or_after_any_effect_loses_nothing() {
    let world = World::in_memory();
    let lake = world.lake(CrashPoints::default()).await;
    let undisturbed = Run::new(&world, &lake, 0, &[]);
    let mut expected = written(0);
    expected.extend(written(4));
    expected.extend(written(DAMAGE));
    expected.insert(("b".to_owned(), ms("2026-02-05T01:00:00Z")), 8.0_f64.to_bits());
    assert_eq!(undisturbed.to_the_end().await, expected);
    // Where each point is passed for the first time and for the last one.
    let trace = undisturbed.fuses.lock().unwrap().trace.clone();
    let mut passes = BTreeSet::new();
    for point in &trace {
        passes.extend(trace.iter().position(|other| other == point));
        passes.extend(trace.iter().rposition(|other| other == point));
    }
    println!("{} of {} passes", passes.len(), trace.len());
    let mut stopped = BTreeSet::new();
    for pass in passes {
        let pass = pass as u64;
        // What comes after the first stop is stopped too, here or there.
        let run = Run::new(&world, &lake, pass + 1, &[pass, pass % 13, pass % 7]);
        let found = run.to_the_end().await;
        let mut fuses = run.fuses.lock().unwrap();
        assert_eq!(found, expected, "stopped at pass {pass}: {:?}", fuses.stopped);
        stopped.append(&mut fuses.stopped);
    }
    let mut missing = Vec::new();
    let elsewhere = |point: &String| OF_DROPS.contains(&point.as_str()) || OF_LAGS.contains(&point.as_str());
    for point in in_the_sources().into_iter().filter(|point| !elsewhere(point)) {
        for moment in ["before", "after"] {
            if !stopped.contains(&format!("{moment} {point}")) {
                missing.push(format!("{moment} {point}"));
            }
        }
    }
    assert!(missing.is_empty(), "no run was stopped at {missing:#?}");
}
