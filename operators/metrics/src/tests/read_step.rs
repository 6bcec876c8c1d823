//! What the rows of an answer are: points or steps, of tiers that still hold the span, and of series that there are.

use super::drop::{NOW, archive, expire, give_up, points, roll_up};
use super::world::*;
use crate::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 86_400_000;

fn step(ms: i64) -> Step {
    Step::from_ms(ms).unwrap()
}

/// Reads the two days of the points.
async fn read(metrics: &Metrics, series: &str, step: Option<Step>, aggregate: Option<Aggregate>) -> ReadAnswer {
    let request = ReadRequest {
        names: vec![name(series)],
        range: TimeRange::new(ms("2026-02-01T00:00:00Z"), ms("2026-02-03T00:00:00Z")),
        step,
        aggregate,
        on_gap: OnGap::Fail,
    };
    metrics.read(&request, at(NOW)).await.unwrap()
}

/// Times and values of the only series.
fn rows(answer: &ReadAnswer) -> Vec<(String, f64)> {
    let row = |row: &ReadRow| (crate::time::shown(row.time_ms), row.value);
    answer.series[0].rows.iter().map(row).collect()
}

/// The tiers that the rows come from.
fn tiers_of(answer: &ReadAnswer) -> Vec<&str> {
    answer.series[0].segments.iter().map(|segment| answer.tiers[segment.tier].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_points_of_the_smallest_step_are_one_value() {
    let world = World::new();
    let metrics = world.open().await;
    let second = |second: i64| ms("2026-02-01T00:00:00Z") + second * 1_000;
    let written = batch(&[("a", &[(second(5), 1.0), (second(35), 4.0), (second(70), 7.0)])]);
    metrics.write(&tier("warm"), &written, at(NOW)).await.unwrap();
    let row = |time: &str, value: f64| (format!("2026-02-01T{time}Z"), value);
    for of in ["warm", "cold"] {
        for (aggregate, first, then) in [
            (Aggregate::Mean, 2.5, 7.0),
            (Aggregate::Sum, 5.0, 7.0),
            (Aggregate::Count, 2.0, 1.0),
            (Aggregate::Last, 4.0, 7.0),
        ] {
            let answer = read(&metrics, "a", Some(step(MINUTE)), Some(aggregate)).await;
            assert_eq!(rows(&answer), [row("00:00:00", first), row("00:01:00", then)], "{aggregate:?}");
            assert!(!answer.are_points);
            assert_eq!(tiers_of(&answer), [of]);
        }
        // No step, and what is made of it: the finest step that makes sense, and one value for each.
        assert_eq!(rows(&read(&metrics, "a", None, Some(Aggregate::Max)).await)[0], row("00:00:00", 4.0));
        for step in [Some(step(MINUTE)), None] {
            let answer = read(&metrics, "a", step, None).await;
            assert!(answer.are_points);
            assert_eq!(rows(&answer), [row("00:00:05", 1.0), row("00:00:35", 4.0), row("00:01:10", 7.0)]);
        }
        archive(&metrics).await.unwrap();
        expire(&metrics).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_step_is_chosen_that_the_tiers_still_hold() {
    let world = World::new();
    let metrics = world.open().await;
    metrics.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&metrics).await.unwrap();
    roll_up(&metrics).await.unwrap();
    expire(&metrics).await.unwrap();
    let answer = read(&metrics, "a", None, None).await;
    assert_eq!((answer.step.ms(), answer.are_points, tiers_of(&answer)), (MINUTE, true, vec!["cold"]));
    assert_eq!((answer.given_up.len(), answer.coarser_for.len()), (0, 0));

    give_up(&metrics, "cold").await.unwrap();
    let both = TimeRange::new(ms("2026-02-01T00:00:00Z"), ms("2026-02-03T00:00:00Z"));
    let gone = |text: &str, held_by: Option<(&str, i64)>| GivenUp {
        range: both,
        tier: tier(text),
        held_by: held_by.map(|(text, ms)| (tier(text), step(ms))),
    };
    let answer = read(&metrics, "a", None, None).await;
    assert_eq!((answer.step.ms(), answer.are_points, tiers_of(&answer)), (HOUR, false, vec!["hourly"]));
    assert_eq!(answer.series[0].rows.len(), 3);
    assert_eq!((answer.given_up, answer.coarser_for), (vec![], vec![gone("cold", Some(("hourly", HOUR)))]));
    // Who says which step is told what it shows no longer.
    for (asked, aggregate) in [(MINUTE, None), (MINUTE, Some(Aggregate::Sum)), (5 * MINUTE, None)] {
        let answer = read(&metrics, "a", Some(step(asked)), aggregate).await;
        assert!(rows(&answer).is_empty());
        assert_eq!((answer.given_up, answer.coarser_for), (vec![gone("cold", Some(("hourly", HOUR)))], vec![]));
    }
    assert!(read(&metrics, "a", Some(step(HOUR)), None).await.given_up.is_empty());

    give_up(&metrics, "hourly").await.unwrap();
    let answer = read(&metrics, "a", None, None).await;
    assert_eq!((answer.step.ms(), tiers_of(&answer)), (DAY, vec!["daily"]));
    assert_eq!(answer.coarser_for, [gone("cold", Some(("daily", DAY)))]);
    let answer = read(&metrics, "a", Some(step(2 * HOUR)), None).await;
    assert_eq!(answer.given_up, [gone("hourly", Some(("daily", DAY)))]);

    // And when nothing holds it, that is said.
    give_up(&metrics, "daily").await.unwrap();
    let answer = read(&metrics, "a", None, None).await;
    assert_eq!((answer.given_up, answer.coarser_for), (vec![gone("cold", None)], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_up_that_is_not_made_yet_is_read_from_the_finer_one() {
    let world = World::new();
    let metrics = world.open().await;
    metrics.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&metrics).await.unwrap();
    let (cold, hourly) = (tier("cold"), tier("hourly"));
    for window in metrics.due_rollups(&cold, &hourly, None, RollupSource::Verified).await.unwrap() {
        metrics.rollup(&cold, &hourly, window, RollupSource::Verified, &options(), at(NOW)).await.unwrap();
        metrics.verify(&cold, &hourly, window, at(NOW)).await.unwrap();
    }
    expire(&metrics).await.unwrap();
    give_up(&metrics, "cold").await.unwrap();
    let answer = read(&metrics, "a", Some(step(DAY)), Some(Aggregate::Count)).await;
    let expected = [("2026-02-01T00:00:00Z".to_owned(), 2.0), ("2026-02-02T00:00:00Z".to_owned(), 1.0)];
    assert_eq!((rows(&answer), tiers_of(&answer)), (expected.to_vec(), vec!["hourly"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_is_known_while_any_tier_has_a_point_of_it() {
    let world = World::new();
    let metrics = world.open().await;
    let is_known = async |text: &str| metrics.knows(&name(text)).await.unwrap();
    let at_hand = async |metrics: &Metrics| {
        let names = metrics.names_at_hand(10).await.unwrap();
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(!is_known("a").await);
    metrics.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    assert!(is_known("a").await && is_known("b").await && !is_known("c").await);
    assert_eq!(at_hand(&metrics).await, ["a", "b"]);
    archive(&metrics).await.unwrap();
    roll_up(&metrics).await.unwrap();
    expire(&metrics).await.unwrap();
    for gives_up in ["cold", "hourly"] {
        assert!(is_known("a").await && is_known("b").await && !is_known("c").await, "before {gives_up} goes");
        give_up(&metrics, gives_up).await.unwrap();
    }
    assert!(is_known("a").await && is_known("b").await && !is_known("c").await);
    give_up(&metrics, "daily").await.unwrap();
    assert!(!is_known("a").await);
}
