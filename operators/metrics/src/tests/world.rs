//! Tiers in a folder of their own, with all that tests ask of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use lake::clock::ManualClock;
use lake::crash::CrashPoints;
use lake::name::TableName;
use lake::{Lake, LakeSettings};

use crate::*;

/// Every point of every series.
pub(crate) type AllPoints = BTreeMap<(String, i64), u64>;

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) fn tier(name: &str) -> TierName {
    TierName::new(name).unwrap()
}

pub(crate) fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn day(label: &str) -> Window {
    Window::parse(PartitionUnit::Day, label).unwrap()
}

pub(crate) fn name(text: &str) -> SeriesName {
    SeriesName::new(text).unwrap()
}

pub(crate) fn options() -> MakeOptions {
    MakeOptions { attempt: "7".to_owned(), on_late: OnLate::Rewrite, on_damage: OnDamage::Fail }
}

pub(crate) fn batch(series: &[(&str, &[(i64, f64)])]) -> PointBatch {
    let series = series.iter().map(|(text, points)| {
        let (points, _) = Points::of_written(points, DuplicateRule::Last).unwrap();
        SeriesPoints { name: name(text), points }
    });
    PointBatch::new(series.collect()).unwrap()
}

/// hot and warm in stores, cold by days, hourly and daily by months.
pub(crate) fn tiers(duplicate: DuplicateRule) -> Tiers {
    tiers_in("metrics", duplicate)
}

/// The same with tables in a database of their own.
pub(crate) fn tiers_in(database: &str, duplicate: DuplicateRule) -> Tiers {
    let step = |ms| Step::from_ms(ms).unwrap();
    let store = |text: &str| Tier {
        name: tier(text),
        step: step(60_000),
        keep_ms: None,
        kind: TierKind::Store { flush: None },
    };
    let archive = |text: &str, step_ms, unit| Tier {
        name: tier(text),
        step: step(step_ms),
        keep_ms: None,
        kind: TierKind::Archive { table: TableName::new(database, text).unwrap(), unit, location: None },
    };
    let list = vec![
        store("hot"),
        store("warm"),
        archive("cold", 60_000, PartitionUnit::Day),
        archive("hourly", 3_600_000, PartitionUnit::Month),
        archive("daily", 86_400_000, PartitionUnit::Month),
    ];
    Tiers::new(list, duplicate, 2 * 3_600_000).unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::new(at("2026-03-01T00:00:00Z"))) }
    }

    /// A world that no disk is needed for: what survives a stop of the process is looked at, not the loss of power.
    pub(crate) fn in_memory() -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { folder: folder.unwrap(), ..Self::new() }
    }

    /// The same lake for one of many that do not know each other: its ledger and stores are in a folder of its own. Opening
    /// a lake takes longer than all that a test does with it.
    pub(crate) fn part(lake: &Lake, name: &str, crash_points: CrashPoints) -> Lake {
        let mut lake = lake.clone();
        lake.settings.state_dir = lake.settings.state_dir.join(name);
        lake.settings.crash_points = crash_points;
        lake
    }

    pub(crate) async fn lake(&self, crash_points: CrashPoints) -> Lake {
        let path = self.folder.path();
        let settings = LakeSettings {
            clock: Arc::clone(&self.clock) as _,
            crash_points,
            parallelism: Some(2),
            ..LakeSettings::new(path.join(".suiro"), path.join("warehouse"))
        };
        Lake::open(settings).await.unwrap()
    }

    /// Opens the tiers with embedded stores.
    pub(crate) async fn open(&self) -> Metrics {
        self.open_with(DuplicateRule::Last).await
    }

    /// The same where a time may be written twice with two values.
    pub(crate) async fn open_with(&self, rule: DuplicateRule) -> Metrics {
        let lake = self.lake(CrashPoints::default()).await;
        let opener =
            EmbeddedStores { folder: lake.settings.state_dir.join("metrics"), crash_points: CrashPoints::default() };
        Metrics::open(&lake, tiers(rule), Arc::new(opener)).await.unwrap()
    }
}

/// Reads every point of some series from all tiers.
pub(crate) async fn read_all(metrics: &Metrics, names: &[SeriesName]) -> AllPoints {
    let request = ReadRequest {
        names: names.to_vec(),
        range: TimeRange::ALL,
        step: Some(metrics.tiers().raw_step()),
        aggregate: None,
        on_gap: OnGap::Fail,
    };
    let answer = metrics.read(&request, Timestamp::UNIX_EPOCH).await.unwrap();
    let mut all = AllPoints::new();
    for series in answer.series {
        assert!(series.rows.is_sorted_by(|left, right| left.time_ms < right.time_ms));
        for row in series.rows {
            all.insert((series.name.to_string(), row.time_ms), row.value.to_bits());
        }
    }
    all
}

/// Counts the points that a store holds.
pub(crate) async fn stored(metrics: &Metrics, text: &str) -> usize {
    let store = metrics.store(&tier(text)).await.unwrap();
    let batches: Vec<PointBatch> = store.scan(TimeRange::ALL, store::Selection::All).try_collect().await.unwrap();
    batches.iter().map(PointBatch::count).sum()
}
