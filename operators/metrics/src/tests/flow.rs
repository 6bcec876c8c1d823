//! How many points came, where nothing is archived yet, where all of it is, and where nothing came at all.

use super::world::*;
use crate::*;

#[tokio::test]
async fn the_last_window_that_ended_counts_wherever_its_points_are_and_also_without_any() {
    let world = World::new();
    let metrics = world.open().await;
    let (hot, warm, cold) = (tier("hot"), tier("warm"), tier("cold"));
    let counted = async |now: &str| -> Vec<(String, u64)> {
        let counts = metrics.flow(2, &[], at(now)).await.unwrap();
        counts.into_iter().map(|count| (count.window.label(), count.points)).collect()
    };
    let of = |counts: &[(&str, u64)]| -> Vec<(String, u64)> {
        counts.iter().map(|(label, points)| ((*label).to_owned(), *points)).collect()
    };
    let rows = |day: &str, count: i64| -> Vec<(i64, f64)> { (0..count).map(|n| (ms(day) + n * 60_000, 1.0)).collect() };
    assert_eq!(counted("2026-02-05T00:00:00Z").await, []);
    for (day, count) in [("2026-02-01T00:00:00Z", 5), ("2026-02-02T00:00:00Z", 6), ("2026-02-03T00:00:00Z", 7)] {
        metrics.write(&hot, &batch(&[("a", &rows(day, count)), ("b", &rows(day, 1))]), at(day)).await.unwrap();
    }
    // Two hours of lateness.
    assert_eq!(counted("2026-02-02T01:59:59Z").await, []);
    assert_eq!(counted("2026-02-02T02:00:00Z").await, of(&[("2026-02-01", 6)]));
    assert_eq!(counted("2026-02-04T02:00:00Z").await, of(&[("2026-02-01", 6), ("2026-02-02", 7), ("2026-02-03", 8)]));
    // A half below, archived and still above: the same points.
    let now = at("2026-02-04T02:00:00Z");
    metrics.flush(&hot, &warm, FlushRule::default(), now).await.unwrap();
    metrics.write(&hot, &batch(&[("a", &rows("2026-02-03T00:00:00Z", 7))]), now).await.unwrap();
    assert_eq!(counted("2026-02-04T02:00:00Z").await, of(&[("2026-02-01", 6), ("2026-02-02", 7), ("2026-02-03", 8)]));
    metrics.flush(&hot, &warm, FlushRule::default(), now).await.unwrap();
    for day in metrics.due_dumps(&warm, &cold, None, now).await.unwrap() {
        metrics.dump(&warm, &cold, day, &options(), now).await.unwrap();
        metrics.verify(&warm, &cold, day, now).await.unwrap();
        metrics.expire(&warm, day, 0, now).await.unwrap();
    }
    assert_eq!(stored(&metrics, "warm").await, 0);
    assert_eq!(counted("2026-02-04T02:00:00Z").await, of(&[("2026-02-01", 6), ("2026-02-02", 7), ("2026-02-03", 8)]));
    // Nothing came any more: for one day, for many.
    assert_eq!(counted("2026-02-05T02:00:00Z").await, of(&[("2026-02-02", 7), ("2026-02-03", 8), ("2026-02-04", 0)]));
    assert_eq!(counted("2026-02-25T00:00:00Z").await, of(&[("2026-02-02", 7), ("2026-02-03", 8), ("2026-02-23", 0)]));
}

/// Figures that are written whether anything else comes or not do not hide that nothing does, wherever they are.
#[tokio::test]
async fn series_that_do_not_count_hide_no_silence() {
    let world = World::new();
    let metrics = world.open().await;
    let (warm, cold) = (tier("warm"), tier("cold"));
    let own = [name("suiro.windows_due")];
    let rows = |day: &str, count: i64| -> Vec<(i64, f64)> { (0..count).map(|n| (ms(day) + n * 60_000, 1.0)).collect() };
    for (day, count) in [("2026-02-01T00:00:00Z", 8), ("2026-02-02T00:00:00Z", 8)] {
        metrics.write(&warm, &batch(&[("a", &rows(day, count))]), at(day)).await.unwrap();
    }
    for day in 1..9 {
        let day = format!("2026-02-0{day}T00:00:00Z");
        metrics.write(&warm, &batch(&[("suiro.windows_due", &rows(&day, 5))]), at(&day)).await.unwrap();
    }
    let counted = async |except: &[SeriesName]| -> Vec<(String, u64)> {
        let counts = metrics.flow(3, except, at("2026-02-09T02:00:00Z")).await.unwrap();
        counts.into_iter().map(|count| (count.window.label(), count.points)).collect()
    };
    let of = |counts: &[(&str, u64)]| -> Vec<(String, u64)> {
        counts.iter().map(|(label, points)| ((*label).to_owned(), *points)).collect()
    };
    let all = of(&[("2026-02-05", 5), ("2026-02-06", 5), ("2026-02-07", 5), ("2026-02-08", 5)]);
    let counting = of(&[("2026-02-01", 8), ("2026-02-02", 8), ("2026-02-08", 0)]);
    assert_eq!((counted(&[]).await, counted(&own).await), (all.clone(), counting.clone()));
    let now = at("2026-02-09T02:00:00Z");
    for day in metrics.due_dumps(&warm, &cold, None, now).await.unwrap() {
        metrics.dump(&warm, &cold, day, &options(), now).await.unwrap();
        metrics.verify(&warm, &cold, day, now).await.unwrap();
        metrics.expire(&warm, day, 0, now).await.unwrap();
    }
    assert_eq!((counted(&[]).await, counted(&own).await), (all, counting));
}
