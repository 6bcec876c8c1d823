//! Windows of Parquet tiers that are given up: what must be there before, what is left, and stops in between. What keeps one that
//! is old enough is in `drop_kept.rs`.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use lake::ErrorKind;
use lake::crash::CrashPoints;

use super::world::*;
use crate::*;

pub(super) const NOW: &str = "2026-03-10T00:00:00Z";

/// Points of two days.
pub(super) fn points() -> PointBatch {
    let minute = |day: &str, minute: i64| (ms(day) + minute * 60_000, 1.5);
    let (first, second) = ("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z");
    batch(&[("a", &[minute(first, 0), minute(first, 90), minute(second, 5)]), ("b", &[minute(second, 7)])])
}

pub(super) async fn archive(metrics: &Metrics) -> lake::Result<()> {
    let (warm, cold, now) = (tier("warm"), tier("cold"), at(NOW));
    for window in metrics.due_dumps(&warm, &cold, None, now).await? {
        metrics.dump(&warm, &cold, window, &options(), now).await?;
    }
    for window in metrics.due_verifications(&cold, None).await? {
        metrics.verify(&warm, &cold, window, now).await?;
    }
    Ok(())
}

pub(super) async fn roll_up(metrics: &Metrics) -> lake::Result<()> {
    for (from, to) in [("cold", "hourly"), ("hourly", "daily")] {
        let (from, to) = (tier(from), tier(to));
        for window in metrics.due_rollups(&from, &to, None, RollupSource::Verified).await? {
            metrics.rollup(&from, &to, window, RollupSource::Verified, &options(), at(NOW)).await?;
        }
        for window in metrics.due_verifications(&to, None).await? {
            metrics.verify(&from, &to, window, at(NOW)).await?;
        }
    }
    Ok(())
}

pub(super) async fn expire(metrics: &Metrics) -> lake::Result<()> {
    for window in metrics.due_expiries(&tier("warm"), None, 0, at(NOW)).await? {
        metrics.expire(&tier("warm"), window, 0, at(NOW)).await?;
    }
    Ok(())
}

/// Gives up whatever may go; returns what became of each window.
pub(super) async fn give_up(metrics: &Metrics, text: &str) -> lake::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for window in metrics.due_drops(&tier(text), None, 0, at(NOW)).await? {
        outcomes.push(metrics.drop_window(&tier(text), window, 0, at(NOW)).await?.outcome);
    }
    Ok(outcomes)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_tier_gives_nothing_up_before_its_time() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let table = lake::name::TableName::new("metrics", "days").unwrap();
    let kind = TierKind::Archive { table, unit: PartitionUnit::Day, location: None };
    let day_ms = 86_400_000;
    let step = Step::from_ms(day_ms).unwrap();
    let first = Tier { name: tier("hot"), step, keep_ms: None, kind: TierKind::Store { flush: None } };
    let last = Tier { name: tier("daily"), step, keep_ms: Some(40 * day_ms), kind };
    let tiers = Tiers::new(vec![first, last], DuplicateRule::Last, 0).unwrap();
    let folder = lake.settings.state_dir.join("metrics");
    let stores = EmbeddedStores { folder, crash_points: CrashPoints::default() };
    let metrics = Metrics::open(&lake, tiers, Arc::new(stores)).await.unwrap();
    let early = metrics.due_drops(&tier("daily"), None, day_ms, at(NOW)).await.unwrap_err();
    assert_eq!(early.kind, ErrorKind::InvalidInput);
    assert_eq!(early.message, "`daily` keeps its windows for 40d, and those older than 1d were to go");
    assert!(metrics.due_drops(&tier("daily"), None, 40 * day_ms, at(NOW)).await.unwrap().is_empty());
}

/// How many points each hour has, read with the step of hours, and the tiers that say so.
pub(super) async fn hours(metrics: &Metrics) -> (f64, BTreeSet<String>) {
    let request = ReadRequest {
        names: vec![name("a"), name("b")],
        range: TimeRange::new(ms("2026-02-01T00:00:00Z"), ms("2026-03-01T00:00:00Z")),
        step: Some(Step::from_ms(3_600_000).unwrap()),
        aggregate: Some(Aggregate::Count),
        on_gap: OnGap::Fail,
    };
    let answer = metrics.read(&request, at(NOW)).await.unwrap();
    let rows = || answer.series.iter().flat_map(|series| &series.rows);
    (rows().map(|row| row.value).sum(), rows().map(|row| answer.tiers[row.tier].to_string()).collect())
}

pub(super) fn from_hourly(count: f64) -> (f64, BTreeSet<String>) {
    (count, BTreeSet::from(["hourly".to_owned()]))
}

pub(super) fn not_due(why: &str) -> Outcome {
    Outcome::NotDue(why.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_goes_when_all_of_it_is_in_a_verified_roll_up() {
    let world = World::new();
    let metrics = world.open().await;
    metrics.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    assert!(give_up(&metrics, "cold").await.unwrap().is_empty(), "nothing is archived");
    archive(&metrics).await.unwrap();
    let held = not_due("stores still hold points of it");
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [held.clone(), held]);
    expire(&metrics).await.unwrap();
    let alone = not_due("no verified window of `hourly` is made of it");
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [alone.clone(), alone]);
    roll_up(&metrics).await.unwrap();
    let young = metrics.drop_window(&tier("cold"), day("2026-02-01"), 30 * 86_400_000, at(NOW)).await.unwrap();
    assert_eq!(young.outcome, not_due("it is kept until 2026-03-31T00:00:00Z"));
    assert_eq!(
        give_up(&metrics, "hourly").await.unwrap(),
        [not_due("`cold` still has windows of that time")],
        "the finest goes first"
    );
    let before = hours(&metrics).await;
    assert_eq!(before, from_hourly(4.0));

    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [Outcome::Made, Outcome::Made]);
    assert!(read_all(&metrics, &[name("a"), name("b")]).await.is_empty());
    assert_eq!(hours(&metrics).await, before);
    assert!(give_up(&metrics, "cold").await.unwrap().is_empty());
    assert!(metrics.windows(&tier("cold"), None).await.unwrap().is_empty());
    // What the roll-up is made of is gone: it is not made again from what is left, and stays verified.
    let month = Window::parse(PartitionUnit::Month, "2026-02").unwrap();
    let (cold, hourly) = (tier("cold"), tier("hourly"));
    let again = metrics.rollup(&cold, &hourly, month, RollupSource::Verified, &options(), at(NOW)).await.unwrap();
    assert_eq!(again.outcome, not_due("`cold` has given up windows of it, so that it cannot be made again"));
    let verified = metrics.verify(&cold, &hourly, month, at(NOW)).await.unwrap();
    assert_eq!((verified.outcome, verified.state), (Outcome::Unchanged, WindowState::Verified));

    assert_eq!(give_up(&metrics, "hourly").await.unwrap(), [Outcome::Made]);
    assert_eq!(hours(&metrics).await, (0.0, BTreeSet::new()), "hours are gone, days are left");
    assert_eq!(metrics.windows(&tier("daily"), None).await.unwrap().len(), 1);
    assert_eq!(give_up(&metrics, "daily").await.unwrap(), [Outcome::Made], "nothing is made of the last one");
}

#[tokio::test(flavor = "multi_thread")]
async fn late_points_stay_in_their_store_and_hold_nothing_up() {
    let world = World::new();
    let metrics = world.open().await;
    metrics.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&metrics).await.unwrap();
    expire(&metrics).await.unwrap();
    roll_up(&metrics).await.unwrap();
    give_up(&metrics, "cold").await.unwrap();
    let late = batch(&[("a", &[(ms("2026-02-01T03:00:00Z"), 9.0)])]);
    metrics.write(&tier("warm"), &late, at(NOW)).await.unwrap();
    let report = metrics.dump(&tier("warm"), &tier("cold"), day("2026-02-01"), &options(), at(NOW)).await.unwrap();
    assert_eq!(report.outcome, not_due("`cold` has given up the window: what comes late stays in its store"));
    // Nothing is due of it, and it is told.
    let (warm, cold, whole_day) = (tier("warm"), tier("cold"), Some(day("2026-02-01").range()));
    for window in [None, whole_day] {
        assert_eq!(metrics.known_dumps(&warm, &cold, window, at(NOW)).await.unwrap(), [], "{window:?}");
        assert_eq!(metrics.due_dumps(&warm, &cold, window, at(NOW)).await.unwrap(), [], "{window:?}");
        let left_out = metrics.came_after(window).await.unwrap();
        assert_eq!(left_out, [WindowCount { window: day("2026-02-01"), points: 1 }]);
    }
    assert!(metrics.came_after(Some(day("2026-02-02").range())).await.unwrap().is_empty());
    let request = |text: &str, step| ReadRequest {
        names: vec![name(text)],
        range: TimeRange::new(ms("2026-02-01T00:00:00Z"), ms("2026-03-01T00:00:00Z")),
        step,
        aggregate: None,
        on_gap: OnGap::Fail,
    };
    let answer = metrics.read(&request("a", None), at(NOW)).await.unwrap();
    let left_out = LeftOut { range: day("2026-02-01").range(), tier: cold.clone(), points: Ok(1) };
    assert_eq!((answer.step.ms(), answer.left_out), (3_600_000, vec![left_out]));
    assert!(metrics.read(&request("b", None), at(NOW)).await.unwrap().left_out.is_empty());
    let raw_step = Some(metrics.tiers().raw_step());
    assert!(metrics.read(&request("a", raw_step), at(NOW)).await.unwrap().left_out.is_empty());
    // A store that cannot be read does not keep anybody from what the roll-ups say: that is told in place of the number.
    let folder = metrics.lake.settings.state_dir.join("no folder");
    std::fs::write(&folder, "").unwrap();
    let stores = EmbeddedStores { folder, crash_points: CrashPoints::default() };
    let alone = Metrics::open(&metrics.lake, tiers(DuplicateRule::Last), Arc::new(stores)).await.unwrap();
    // Of two days whose hours are rolled up no store is needed, of the whole month it is.
    let days = TimeRange::new(ms("2026-02-01T00:00:00Z"), ms("2026-02-03T00:00:00Z"));
    let hour = request("a", Some(Step::from_ms(3_600_000).unwrap()));
    for request in [ReadRequest { range: days, ..hour.clone() }, ReadRequest { on_gap: OnGap::Name, ..hour }] {
        let answer = alone.read(&request, at(NOW)).await.unwrap();
        let [left_out] = answer.left_out.as_slice() else { panic!("{:?}", answer.left_out) };
        assert_eq!((left_out.range, left_out.points.is_err()), (day("2026-02-01").range(), true));
        assert_eq!(answer.series[0].rows.len(), 3);
    }
    let late_one = metrics.status(at(NOW)).await.unwrap().into_iter().find(|status| status.tier == cold).unwrap();
    assert_eq!((late_one.window, late_one.state, late_one.is_due), (day("2026-02-01"), WindowState::Open, false));
    archive(&metrics).await.unwrap();
    roll_up(&metrics).await.unwrap();
    expire(&metrics).await.unwrap();
    let kept = read_all(&metrics, &[name("a")]).await;
    assert_eq!(kept.len(), 1, "the late one");
    assert_eq!(hours(&metrics).await, from_hourly(4.0));
    assert_eq!(give_up(&metrics, "hourly").await.unwrap(), [Outcome::Made]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_the_same_month_that_waits_keeps_the_others() {
    let world = World::new();
    let metrics = world.open().await;
    metrics.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&metrics).await.unwrap();
    expire(&metrics).await.unwrap();
    roll_up(&metrics).await.unwrap();
    let more = batch(&[("b", &[(ms("2026-02-20T00:00:00Z"), 1.0)])]);
    metrics.write(&tier("warm"), &more, at(NOW)).await.unwrap();
    let why = "the window 2026-02-20, which goes with it, waits to be archived and verified";
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [not_due(why), not_due(why)]);
    archive(&metrics).await.unwrap();
    expire(&metrics).await.unwrap();
    roll_up(&metrics).await.unwrap();
    assert_eq!(give_up(&metrics, "cold").await.unwrap(), [Outcome::Made, Outcome::Made, Outcome::Made]);
    assert_eq!(hours(&metrics).await, from_hourly(5.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ledger_knows_again_what_was_given_up() {
    let world = World::new();
    {
        let metrics = world.open().await;
        metrics.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
        archive(&metrics).await.unwrap();
        expire(&metrics).await.unwrap();
        roll_up(&metrics).await.unwrap();
        give_up(&metrics, "cold").await.unwrap();
        metrics.ledger.close().await;
    }
    for end in ["", "-wal", "-shm"] {
        let file = world.folder.path().join(format!(".suiro/{}{end}", crate::ledger::FILE));
        if file.try_exists().unwrap() {
            std::fs::remove_file(file).unwrap();
        }
    }
    let metrics = world.open().await;
    assert_eq!(hours(&metrics).await, from_hourly(4.0));
    roll_up(&metrics).await.unwrap();
    let dropped = metrics.ledger.dropped(&tier("cold"), TimeRange::ALL).await.unwrap();
    assert_eq!(dropped, [day("2026-02-01"), day("2026-02-02")]);
    assert_eq!(give_up(&metrics, "hourly").await.unwrap(), [Outcome::Made]);
}

/// Stopped before and after each effect, hours are read as before all the while, and the next try goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_anywhere_is_gone_on_from() {
    let world = World::in_memory();
    let lake = world.lake(CrashPoints::default()).await;
    let open = async |database: &str, crash_points: CrashPoints| {
        let lake = World::part(&lake, database, crash_points);
        let stores =
            EmbeddedStores { folder: lake.settings.state_dir.join("metrics"), crash_points: CrashPoints::default() };
        Metrics::open(&lake, tiers_in(database, DuplicateRule::Last), Arc::new(stores)).await.unwrap()
    };
    let mut stopped = BTreeSet::new();
    for fuse in 0.. {
        let database = format!("metrics{fuse}");
        let metrics = open(&database, CrashPoints::default()).await;
        metrics.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
        archive(&metrics).await.unwrap();
        expire(&metrics).await.unwrap();
        roll_up(&metrics).await.unwrap();
        metrics.ledger.close().await;

        // Opening the tiers is stopped elsewhere (`crash.rs`).
        let (passed, at_point) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(Mutex::new(None)));
        let (count, place) = (Arc::clone(&passed), Arc::clone(&at_point));
        let crash_points = CrashPoints::new(Arc::new(move |point: &str| {
            let is_open = count.load(Ordering::SeqCst) != u64::MAX;
            let goes_on = !is_open || count.fetch_add(1, Ordering::SeqCst) != fuse;
            if !goes_on {
                *place.lock().unwrap() = Some(point.to_owned());
            }
            goes_on
        }));
        let metrics = open(&database, crash_points).await;
        passed.store(0, Ordering::SeqCst);
        let ended = give_up(&metrics, "cold").await;
        assert_eq!(hours(&metrics).await, from_hourly(4.0), "stopped at {at_point:?}");
        metrics.ledger.close().await;
        let metrics = open(&database, CrashPoints::default()).await;
        let outcomes = give_up(&metrics, "cold").await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome != Outcome::Late), "{outcomes:?}");
        assert_eq!(hours(&metrics).await, from_hourly(4.0), "gone on from {at_point:?}");
        assert!(read_all(&metrics, &[name("a"), name("b")]).await.is_empty(), "{at_point:?}");
        assert!(metrics.windows(&tier("cold"), None).await.unwrap().is_empty(), "{at_point:?}");
        metrics.ledger.close().await;
        match ended {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind, ErrorKind::Canceled, "{error}"),
        }
        stopped.extend(at_point.lock().unwrap().take());
    }
    for point in super::crash::OF_DROPS {
        for moment in ["before", "after"] {
            assert!(stopped.contains(&format!("{moment} {point}")), "{moment} {point}: {stopped:?}");
        }
    }
}
