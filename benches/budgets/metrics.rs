//! Metric tiers: writing into the embedded store and into Redis, the dump to Parquet beside other people's, and the read over all
//! tiers. What has a budget of memory runs in a process of its own.

mod others;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use ::metrics::{
    DuplicateRule, EmbeddedStores, FlushRule, MakeOptions, Metrics, OnDamage, OnGap, OnLate, Outcome, PartitionUnit,
    PointBatch, Points, ReadRequest, SeriesName, SeriesPoints, Step, Tier, TierKind, TierName, Tiers, TimeRange,
    Window,
};
use jiff::Timestamp;
use lake::name::TableName;
use lake::{Lake, LakeSettings};

use crate::figure::{Figure, kibibytes, median, megabytes, milliseconds, per_second, seconds, times};
use crate::worker::{self, Numbers};
use crate::{Result, Scale, loads};

/// Series of a day.
const SERIES: u64 = 2_000;

/// Points of a series a day: one a minute.
const MINUTES: u64 = 1_440;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// 2026-01-01.
const START_MS: i64 = 1_767_225_600_000;

/// Minutes of one write: what an hour brings.
const WRITE_MINUTES: u64 = 60;

/// Days of the read.
const READ_DAYS: u64 = 365;

/// Series that lie beside the one that is read.
const READ_SERIES: u64 = 20;

/// How much more memory the dump of ten times as many series may take: what does not depend on their number, it does not.
const FLAT: f64 = 1.25;

pub(crate) use others::write_redis;

/// Writing and dumping a day, the same of ten times as many series, writing into Redis, and a year's read.
pub(crate) fn measure(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let series = SERIES / scale.divisor;
    let small = dumped(&folder.join("small"), series, scale.runs)?;
    let large = dumped(&folder.join("large"), series * 10, scale.runs)?;
    let points = points_of(series);
    let what = format!("dump of {series} × {MINUTES} points");
    let mut figures = vec![
        Figure::informative("metrics: embedded write, hour by hour", per_second("points")(points / small.write_s)),
        Figure::at_least(
            "metrics: embedded write → Parquet dump",
            points / (small.write_s + small.dump_s),
            500_000.0,
            per_second("points"),
        ),
        Figure::at_most(&format!("{what}: wall"), small.dump_s, 2.0, seconds),
        Figure::at_most(&format!("{what}: bytes a point"), small.bytes / points, 3.5, |bytes| format!("{bytes:.2} B")),
        Figure::at_most(&format!("{what}: peak memory"), small.peak_kib, kibibytes(150.0), megabytes),
        Figure::informative("ten times as many series: wall", seconds(large.dump_s)),
        Figure::at_most("ten times as many series: peak memory", large.peak_kib, kibibytes(150.0), megabytes),
        Figure::at_most("ten times as many series: memory against that", large.peak_kib / small.peak_kib, FLAT, times),
    ];
    figures.extend(others::by_others(&loads::readers_python(), &small.folder, series)?);
    figures.push(others::redis(&folder.join("redis"), series, scale)?);
    let read = worker::run("metric-read", &folder.join("read"), READ_DAYS / scale.divisor)?;
    let what = format!(
        "read of one of {READ_SERIES} series over {} days of minutes from three tiers",
        READ_DAYS / scale.divisor
    );
    figures.push(Figure::at_most(&what, read.get("read_s")?, 0.05, milliseconds));
    figures.push(Figure::informative("the same: rows", format!("{:.0}", read.get("rows")?)));
    figures
        .push(Figure::informative("the same, when it is read for the first time", milliseconds(read.get("first_s")?)));
    Ok(figures)
}

/// What writing and dumping took.
struct Dumped {
    write_s: f64,
    dump_s: f64,
    bytes: f64,
    peak_kib: f64,
    /// Where the last of them is.
    folder: PathBuf,
}

fn dumped(folder: &Path, series: u64, runs: usize) -> Result<Dumped> {
    let (mut writes, mut dumps, mut peaks, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
    let mut last = PathBuf::new();
    for run in 0..runs {
        if run > 0 {
            std::fs::remove_dir_all(&last)?;
        }
        let folder = folder.join(run.to_string());
        last.clone_from(&folder);
        std::fs::create_dir_all(&folder)?;
        writes.push(worker::run("metric-write", &folder, series)?.get("write_s")?);
        let dump = worker::run("metric-dump", &folder, series)?;
        dumps.push(dump.get("dump_s")?);
        peaks.push(dump.get("peak_kib")?);
        bytes = dump.get("bytes")?;
    }
    Ok(Dumped { write_s: median(&writes), dump_s: median(&dumps), bytes, peak_kib: median(&peaks), folder: last })
}

/// Writes a day, hour by hour.
pub(crate) async fn write(folder: &Path, series: u64) -> Result<Numbers> {
    let (metrics, warm) = (open(folder).await?, TierName::new("warm")?);
    let now = at(START_MS + 2 * DAY_MS)?;
    let mut batches = Vec::new();
    for hour in 0..MINUTES / WRITE_MINUTES {
        batches.push(batch(series, hour * WRITE_MINUTES..(hour + 1) * WRITE_MINUTES)?);
    }
    let begun = Instant::now();
    for batch in &batches {
        metrics.write(&warm, batch, now).await?;
    }
    Ok(Numbers::default().with("write_s", begun.elapsed().as_secs_f64()))
}

/// Dumps the day.
pub(crate) async fn dump(folder: &Path, series: u64) -> Result<Numbers> {
    let metrics = open(folder).await?;
    let (warm, cold) = (TierName::new("warm")?, TierName::new("cold")?);
    let begun = Instant::now();
    let window = Window::of(PartitionUnit::Day, START_MS);
    let report = metrics.dump(&warm, &cold, window, &options(), at(START_MS + 2 * DAY_MS)?).await?;
    let wall_s = begun.elapsed().as_secs_f64();
    if report.outcome != Outcome::Made || report.figures.count != series * MINUTES {
        return Err(format!("expected the dump of all points, found {report:?}").into());
    }
    #[expect(clippy::cast_precision_loss, reason = "a file has fewer bytes than a double has whole numbers")]
    let bytes = report.bytes as f64;
    Ok(Numbers::default().with("dump_s", wall_s).with("bytes", bytes))
}

/// Reads one series over many days: the last day is in the hot store, the five before in the warm one, the rest archived.
pub(crate) async fn read(folder: &Path, days: u64) -> Result<Numbers> {
    std::fs::create_dir_all(folder)?;
    let metrics = open(folder).await?;
    let (hot, warm, cold) = (TierName::new("hot")?, TierName::new("warm")?, TierName::new("cold")?);
    let end_ms = START_MS + i64::try_from(days)? * DAY_MS;
    let now = at(end_ms)?;
    for day in 0..days {
        let tier = if day + 1 == days { &hot } else { &warm };
        metrics.write(tier, &batch(READ_SERIES, day * MINUTES..(day + 1) * MINUTES)?, now).await?;
        let window = Window::of(PartitionUnit::Day, START_MS + i64::try_from(day)? * DAY_MS);
        if day + 6 < days {
            metrics.dump(&warm, &cold, window, &options(), now).await?;
            metrics.verify(&warm, &cold, window, now).await?;
            metrics.expire(&warm, window, 0, now).await?;
        }
    }
    let request = ReadRequest {
        names: vec![name(7)?],
        range: TimeRange::new(START_MS, end_ms),
        step: Some(Step::from_ms(MINUTE_MS)?),
        aggregate: None,
        on_gap: OnGap::Fail,
    };
    let (mut walls, mut rows) = (Vec::new(), 0);
    for _ in 0..9 {
        let begun = Instant::now();
        // As every reader does first.
        if !metrics.catch_up().await?.is_empty() {
            return Err("expected a ledger that knows what the catalog does".into());
        }
        let answer = metrics.read(&request, now).await?;
        walls.push(begun.elapsed().as_secs_f64());
        rows = answer.series.iter().map(|series| series.rows.len()).sum();
        let tiers = answer.series.iter().map(|series| series.segments.len()).sum::<usize>();
        if rows as u64 != days * MINUTES || tiers != 3 {
            return Err(format!("expected {days} days from three tiers, found {rows} rows of {tiers}").into());
        }
    }
    let first_s = walls.first().copied().unwrap_or_default();
    let rows = f64::from(u32::try_from(rows)?);
    Ok(Numbers::default().with("read_s", median(&walls)).with("first_s", first_s).with("rows", rows))
}

async fn open(folder: &Path) -> Result<Metrics> {
    let lake = lake_of(folder).await?;
    let stores = EmbeddedStores {
        folder: lake.settings.state_dir.join("metrics"),
        crash_points: lake.settings.crash_points.clone(),
    };
    Ok(Metrics::open(&lake, tiers()?, Arc::new(stores)).await?)
}

async fn lake_of(folder: &Path) -> Result<Lake> {
    Ok(Lake::open(LakeSettings::new(folder.join(".suiro"), folder.join("warehouse"))).await?)
}

fn tiers() -> Result<Tiers> {
    let step = Step::from_ms(MINUTE_MS)?;
    let tier =
        |name: &str, kind| -> Result<Tier> { Ok(Tier { name: TierName::new(name)?, step, keep_ms: None, kind }) };
    let table = TableName::new("metrics", "points_1m")?;
    let list = vec![
        tier("hot", TierKind::Store { flush: None::<FlushRule> })?,
        tier("warm", TierKind::Store { flush: None })?,
        tier("cold", TierKind::Archive { table, unit: PartitionUnit::Day, location: None })?,
    ];
    Ok(Tiers::new(list, DuplicateRule::Last, 0)?)
}

fn options() -> MakeOptions {
    MakeOptions { attempt: "bench".to_owned(), on_late: OnLate::Rewrite, on_damage: OnDamage::Fail }
}

fn at(time_ms: i64) -> Result<Timestamp> {
    Ok(Timestamp::from_millisecond(time_ms)?)
}

fn name(series: u64) -> Result<SeriesName> {
    let kind = ["cpu.user.percentage", "interface.eth0.rxBytes.delta", "custom.queue.length", "loadavg5"];
    let kind = kind.get(usize::try_from(series % 4)?).copied().unwrap_or_default();
    Ok(SeriesName::new(&format!("org1.service{:02}.host{series:05}.{kind}", series % 37))?)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of series and minutes are small")]
fn points_of(series: u64) -> f64 {
    (series * MINUTES) as f64
}

/// Makes points: a quarter percentages, a quarter counters, a quarter mostly the same small numbers, a quarter noise.
#[expect(clippy::cast_precision_loss, reason = "numbers of series and minutes are small")]
fn batch(series: u64, minutes: std::ops::Range<u64>) -> Result<PointBatch> {
    let value = |series: u64, minute: u64| {
        let mixed = mix(series << 32 | minute);
        match series % 4 {
            0 => (mixed % 1_000) as f64 / 10.0,
            1 => (minute * 1_000 + mixed % 1_000) as f64,
            2 => (if mixed.is_multiple_of(10) { mixed / 10 % 5 } else { 0 }) as f64,
            _ => (mixed >> 11) as f64 / (1_u64 << 53) as f64,
        }
    };
    let all = (0..series).map(|series| {
        let times_ms = minutes.clone().map(|minute| START_MS + i64::try_from(minute).unwrap_or_default() * MINUTE_MS);
        let values = minutes.clone().map(|minute| value(series, minute));
        Ok(SeriesPoints { name: name(series)?, points: Points::of_sorted(times_ms.collect(), values.collect())? })
    });
    Ok(PointBatch::new(all.collect::<Result<Vec<_>>>()?)?)
}

/// Mixes a number: the end of splitmix64 (<https://prng.di.unimi.it/splitmix64.c>).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
