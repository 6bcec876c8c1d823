//! The way of points through all tiers, and what is asked of them on the way.

use super::world::*;
use crate::*;

/// Two series over two days, one point a minute for three hours of each.
fn two_days() -> PointBatch {
    let points = |factor: f64| -> Vec<(i64, f64)> {
        ["2026-02-01T00:00:00Z", "2026-02-02T10:00:00Z"]
            .iter()
            .flat_map(|start| {
                (0..180).map(move |minute| (ms(start) + i64::from(minute) * 60_000, factor * f64::from(minute)))
            })
            .collect()
    };
    batch(&[("cpu", &points(1.0)), ("disk 'é🚀/..", &points(-0.5))])
}

fn all_of(batch: &PointBatch) -> AllPoints {
    let points = batch.series().iter().flat_map(|series| {
        series.points.iter().map(|(time_ms, value)| ((series.name.to_string(), time_ms), value.to_bits()))
    });
    points.collect()
}

async fn dump_and_verify(metrics: &Metrics, now: jiff::Timestamp) -> Vec<WindowReport> {
    let (warm, cold) = (tier("warm"), tier("cold"));
    let mut reports = Vec::new();
    for window in metrics.due_dumps(&warm, &cold, None, now).await.unwrap() {
        metrics.dump(&warm, &cold, window, &options(), now).await.unwrap();
        reports.push(metrics.verify(&warm, &cold, window, now).await.unwrap());
    }
    reports
}

async fn roll_up(metrics: &Metrics, from: &str, to: &str, now: jiff::Timestamp) -> Vec<WindowReport> {
    let (from, to) = (tier(from), tier(to));
    let mut reports = Vec::new();
    for window in metrics.due_rollups(&from, &to, None, RollupSource::Verified).await.unwrap() {
        let made = metrics.rollup(&from, &to, window, RollupSource::Verified, &options(), now).await.unwrap();
        assert_eq!(made.outcome, Outcome::Made);
        reports.push(metrics.verify(&from, &to, window, now).await.unwrap());
    }
    reports
}

#[tokio::test(flavor = "multi_thread")]
async fn points_go_all_the_way_and_read_back() {
    let world = World::new();
    let metrics = world.open().await;
    let (hot, warm, cold) = (tier("hot"), tier("warm"), tier("cold"));
    let now = at("2026-02-10T00:00:00Z");
    let written = two_days();
    let (names, expected) = ([name("cpu"), name("disk 'é🚀/..")], all_of(&written));

    metrics.write(&hot, &written, now).await.unwrap();
    assert_eq!(read_all(&metrics, &names).await, expected);
    let report = metrics.dump(&warm, &cold, day("2026-02-01"), &options(), now).await.unwrap();
    assert_eq!(report.outcome, Outcome::NotDue("`hot` still holds points of the window: flush them first".to_owned()));
    let flushed = metrics.flush(&hot, &warm, FlushRule::default(), now).await.unwrap();
    assert_eq!(flushed, FlushReport { series: 2, points: 720 });
    assert_eq!((stored(&metrics, "hot").await, stored(&metrics, "warm").await), (0, 720));
    assert_eq!(read_all(&metrics, &names).await, expected);

    let reports = dump_and_verify(&metrics, now).await;
    assert_eq!(reports.len(), 2);
    for report in &reports {
        assert_eq!((&report.outcome, report.state, report.generation), (&Outcome::Made, WindowState::Verified, 1));
        assert_eq!((report.figures.count, report.figures.series), (360, 2));
        assert!(report.mismatches.is_empty() && report.bytes > 0);
    }
    assert!(metrics.due_dumps(&warm, &cold, None, now).await.unwrap().is_empty());
    let again = metrics.dump(&warm, &cold, day("2026-02-01"), &options(), now).await.unwrap();
    assert_eq!((again.outcome, again.generation), (Outcome::Unchanged, 1));
    assert_eq!(read_all(&metrics, &names).await, expected);

    let hourly = roll_up(&metrics, "cold", "hourly", now).await;
    assert_eq!(hourly.len(), 1);
    assert_eq!((&hourly[0].outcome, hourly[0].figures.count), (&Outcome::Made, 12));
    let daily = roll_up(&metrics, "hourly", "daily", now).await;
    assert_eq!((&daily[0].outcome, daily[0].figures.count), (&Outcome::Made, 4));
    assert!(roll_up(&metrics, "cold", "hourly", now).await.is_empty());

    for window in metrics.due_expiries(&warm, None, 0, now).await.unwrap() {
        let report = metrics.expire(&warm, window, 0, now).await.unwrap();
        assert_eq!((report.outcome, report.state, report.moved), (Outcome::Made, WindowState::Expired, 360));
    }
    assert_eq!(stored(&metrics, "warm").await, 0);
    assert_eq!(read_all(&metrics, &names).await, expected);
    let verified = metrics.verify(&warm, &cold, day("2026-02-01"), now).await.unwrap();
    assert_eq!((verified.outcome, verified.state), (Outcome::Unchanged, WindowState::Expired));
}

#[tokio::test(flavor = "multi_thread")]
async fn late_points_reopen_their_window_and_nothing_is_lost_of_what_only_the_archive_has() {
    let world = World::new();
    let metrics = world.open().await;
    let (hot, warm, cold) = (tier("hot"), tier("warm"), tier("cold"));
    let now = at("2026-02-10T00:00:00Z");
    let written = two_days();
    let names = [name("cpu"), name("disk 'é🚀/.."), name("new")];
    metrics.write(&warm, &written, now).await.unwrap();
    dump_and_verify(&metrics, now).await;
    roll_up(&metrics, "cold", "hourly", now).await;
    for window in metrics.due_expiries(&warm, None, 0, now).await.unwrap() {
        metrics.expire(&warm, window, 0, now).await.unwrap();
    }

    let late = batch(&[
        ("cpu", &[(ms("2026-02-01T00:01:00Z"), 99.0), (ms("2026-02-01T20:00:00Z"), 1.0)]),
        ("new", &[(ms("2026-02-01T05:00:00Z"), f64::NAN)]),
    ]);
    metrics.write(&hot, &late, now).await.unwrap();
    let mut expected = all_of(&written);
    expected.extend(all_of(&late));
    assert_eq!(read_all(&metrics, &names).await, expected);
    let report = metrics.verify(&warm, &cold, day("2026-02-01"), now).await.unwrap();
    assert_eq!(report.outcome, Outcome::Late);
    metrics.flush(&hot, &warm, FlushRule::default(), now).await.unwrap();
    assert_eq!(metrics.due_dumps(&warm, &cold, None, now).await.unwrap(), [day("2026-02-01")]);
    let left = MakeOptions { on_late: OnLate::Leave, ..options() };
    assert_eq!(metrics.dump(&warm, &cold, day("2026-02-01"), &left, now).await.unwrap().outcome, Outcome::Late);
    let reports = dump_and_verify(&metrics, now).await;
    assert_eq!((reports[0].generation, reports[0].figures.count, &reports[0].outcome), (2, 362, &Outcome::Made));
    assert_eq!(read_all(&metrics, &names).await, expected);
    let hourly = roll_up(&metrics, "cold", "hourly", now).await;
    assert_eq!((hourly[0].generation, hourly[0].figures.count), (2, 14));
    metrics.expire(&warm, day("2026-02-01"), 0, now).await.unwrap();
    assert_eq!(stored(&metrics, "warm").await, 0);
    assert_eq!(read_all(&metrics, &names).await, expected);

    // The same points once more change nothing, and publish nothing.
    metrics.write(&hot, &late, now).await.unwrap();
    metrics.flush(&hot, &warm, FlushRule::default(), now).await.unwrap();
    let report = metrics.dump(&warm, &cold, day("2026-02-01"), &options(), now).await.unwrap();
    assert_eq!((report.outcome, report.generation, report.state), (Outcome::Unchanged, 2, WindowState::Written));
    dump_and_verify(&metrics, now).await;
    assert_eq!(read_all(&metrics, &names).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coarser_read_is_that_of_the_points_whatever_is_rolled_up() {
    let world = World::new();
    let metrics = world.open().await;
    let warm = tier("warm");
    let now = at("2026-02-10T00:00:00Z");
    metrics.write(&warm, &two_days(), now).await.unwrap();
    let read = async |step_ms: i64, aggregate| {
        let request = ReadRequest {
            names: vec![name("cpu")],
            range: TimeRange::new(ms("2026-02-01T00:30:00Z"), ms("2026-02-03T00:00:00Z")),
            step: Some(Step::from_ms(step_ms).unwrap()),
            aggregate: Some(aggregate),
            on_gap: OnGap::Fail,
        };
        let answer = metrics.read(&request, now).await.unwrap();
        let series = &answer.series[0];
        let tiers: Vec<String> = series.segments.iter().map(|segment| answer.tiers[segment.tier].to_string()).collect();
        (series.rows.iter().map(|row| (row.time_ms, row.value)).collect::<Vec<_>>(), tiers)
    };
    let mut before = Vec::new();
    for step_ms in [300_000, 3_600_000, 86_400_000] {
        for aggregate in [Aggregate::Mean, Aggregate::Max, Aggregate::Count, Aggregate::Last] {
            let (rows, tiers) = read(step_ms, aggregate).await;
            assert_eq!(tiers, ["warm"]);
            before.push(((step_ms, aggregate), rows));
        }
    }
    assert_eq!(before[4].1[0], (ms("2026-02-01T00:00:00Z"), 29.5));
    dump_and_verify(&metrics, now).await;
    roll_up(&metrics, "cold", "hourly", now).await;
    roll_up(&metrics, "hourly", "daily", now).await;
    for ((step_ms, aggregate), rows) in before {
        let (found, tiers) = read(step_ms, aggregate).await;
        assert_eq!(found, rows, "{step_ms} {aggregate:?}");
        let expected = match step_ms {
            300_000 => "cold",
            3_600_000 => "hourly",
            _ => "daily",
        };
        assert_eq!(tiers, [expected]);
    }
    // A late point is in no roll-up yet.
    metrics.write(&warm, &batch(&[("cpu", &[(ms("2026-02-01T00:00:30Z"), 1e6)])]), now).await.unwrap();
    let (rows, tiers) = read(3_600_000, Aggregate::Max).await;
    assert_eq!(rows[0].1.to_bits(), 1e6_f64.to_bits());
    assert_eq!(tiers, ["warm", "hourly"], "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ledger_is_rebuilt_from_the_partitions() {
    let world = World::new();
    let (warm, cold) = (tier("warm"), tier("cold"));
    let now = at("2026-02-10T00:00:00Z");
    let written = two_days();
    let (names, mut expected) = ([name("cpu"), name("disk 'é🚀/..")], all_of(&written));
    {
        let metrics = world.open().await;
        metrics.write(&warm, &written, now).await.unwrap();
        dump_and_verify(&metrics, now).await;
        roll_up(&metrics, "cold", "hourly", now).await;
        metrics.expire(&warm, day("2026-02-01"), 0, now).await.unwrap();
        let late =
            batch(&[("cpu", &[(ms("2026-02-02T23:00:00Z"), 4.0)]), ("cpu2", &[(ms("2026-02-05T00:00:00Z"), 4.0)])]);
        metrics.write(&warm, &late, now).await.unwrap();
        expected.insert(("cpu".to_owned(), ms("2026-02-02T23:00:00Z")), 4.0_f64.to_bits());
        metrics.ledger.close().await;
    }
    for end in ["", "-wal", "-shm"] {
        let file = world.folder.path().join(format!(".suiro/{}{end}", crate::ledger::FILE));
        if file.try_exists().unwrap() {
            std::fs::remove_file(file).unwrap();
        }
    }
    let metrics = world.open().await;
    assert_eq!(read_all(&metrics, &names).await, expected);
    assert_eq!(metrics.rebuild().await.unwrap(), 0, "opening has found all of it");
    let states = async |text: &str| {
        let rows = metrics.windows(&tier(text), None).await.unwrap();
        rows.iter().map(|row| (row.window.label(), row.state)).collect::<Vec<_>>()
    };
    let (expired, verified, open) = (WindowState::Expired, WindowState::Verified, WindowState::Open);
    let days = [("2026-02-01", expired), ("2026-02-02", verified), ("2026-02-05", open)];
    assert_eq!(states("cold").await, days.map(|(label, state)| (label.to_owned(), state)));
    assert_eq!(states("hourly").await, [("2026-02".to_owned(), verified)]);
    let due = metrics.due_dumps(&warm, &cold, None, now).await.unwrap();
    assert_eq!(due, [day("2026-02-01"), day("2026-02-02"), day("2026-02-05")]);
    let outcomes: Vec<_> = dump_and_verify(&metrics, now)
        .await
        .into_iter()
        .map(|report| (report.generation, report.figures.count, report.outcome))
        .collect();
    assert_eq!(outcomes, [(1, 360, Outcome::Unchanged), (2, 361, Outcome::Made), (1, 1, Outcome::Made)]);
    assert_eq!(read_all(&metrics, &names).await, expected);
    let hourly = roll_up(&metrics, "cold", "hourly", now).await;
    assert_eq!((hourly[0].generation, hourly[0].figures.count), (2, 14));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_larger_value_counts_a_smaller_one_does_not_keep_a_window_from_its_end() {
    let world = World::new();
    let metrics = world.open_with(DuplicateRule::Max).await;
    let (warm, cold) = (tier("warm"), tier("cold"));
    let now = at("2026-02-10T00:00:00Z");
    let times_ms = [ms("2026-02-01T00:00:00Z"), ms("2026-02-01T00:01:00Z"), ms("2026-02-01T00:02:00Z")];
    let all = |values: [f64; 3]| {
        let points: Vec<(i64, f64)> = times_ms.into_iter().zip(values).collect();
        batch(&[("cpu", points.as_slice())])
    };
    let to_the_end = async || {
        dump_and_verify(&metrics, now).await;
        metrics.expire(&warm, day("2026-02-01"), 0, now).await.unwrap()
    };
    metrics.write(&warm, &all([5.0, 5.0, 5.0]), now).await.unwrap();
    assert_eq!(to_the_end().await.state, WindowState::Expired);
    metrics.write(&warm, &all([4.0, 6.0, f64::NAN]), now).await.unwrap();
    let report = to_the_end().await;
    assert_eq!((report.outcome, report.state, report.moved), (Outcome::Made, WindowState::Expired, 3));
    let expected = all_of(&all([5.0, 6.0, 5.0]));
    assert_eq!(read_all(&metrics, &[name("cpu")]).await, expected);
    metrics.write(&warm, &all([5.0, 5.0, 5.0]), now).await.unwrap();
    assert_eq!(to_the_end().await.state, WindowState::Expired);
    assert_eq!(read_all(&metrics, &[name("cpu")]).await, expected);
    assert_eq!(metrics.windows(&cold, None).await.unwrap()[0].standing.as_ref().unwrap().generation, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_second_value_is_an_error_it_is_refused_whatever_tier_has_the_first() {
    let world = World::new();
    let metrics = world.open_with(DuplicateRule::Error).await;
    let (hot, warm) = (tier("hot"), tier("warm"));
    let now = at("2026-02-10T00:00:00Z");
    let point = |value: f64| batch(&[("cpu", &[(ms("2026-02-01T00:00:00Z"), value)])]);
    let refused = async |tier_name: &str| {
        let error = metrics.write(&hot, &point(7.0), now).await.unwrap_err();
        assert_eq!(error.kind, lake::ErrorKind::Conflict);
        assert_eq!(error.message, "expected one value of `cpu` at 2026-02-01T00:00:00Z, found 7 where 5 stands");
        let context: Vec<_> = error.context.iter().map(|(key, value)| (*key, value.as_str())).collect();
        assert_eq!(context, [("tier", tier_name)]);
        assert_eq!(stored(&metrics, "hot").await, 0);
    };
    metrics.write(&warm, &point(5.0), now).await.unwrap();
    refused("warm").await;
    dump_and_verify(&metrics, now).await;
    metrics.expire(&warm, day("2026-02-01"), 0, now).await.unwrap();
    refused("cold").await;
    // The same value is the same point.
    metrics.write(&hot, &point(5.0), now).await.unwrap();
    metrics.flush(&hot, &warm, FlushRule::default(), now).await.unwrap();
    dump_and_verify(&metrics, now).await;
    let expired = metrics.expire(&warm, day("2026-02-01"), 0, now).await.unwrap();
    assert_eq!(expired.state, WindowState::Expired);
}
