//! The promises, one check each.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt;
use lake::ErrorKind;

use super::{batch, everything, scanned};
use crate::duplicate::DuplicateRule;
use crate::point::{Merged, SeriesName};
use crate::store::{PointStore, SCAN_POINTS, Selection, SeriesSummary};
use crate::time::{END_MS, TimeRange};

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

/// 2024-02-29T00:00:00Z.
const START: i64 = 1_709_164_800_000;

/// Names that hold what somewhere separates, quotes, ends or matches something.
fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "a",
        "A",
        "1m:cpu",
        "cpu:1m",
        "::",
        "/",
        "a/b/../c",
        "a|b",
        "a#b",
        "{name}",
        "{}",
        "*",
        "a?[b]*",
        "\\",
        "'",
        "\"",
        "`",
        "'; DROP TABLE points; --",
        "%20%00",
        " ",
        " a ",
        "a b",
        "é",
        "e\u{301}",
        "ß",
        "日本語",
        "🐙",
        "👩‍👩‍👧",
        "\u{feff}a",
        "\u{200b}",
        "ｆｕｌｌ",
        "NULL",
        "null",
        "0",
        "-1",
        "$set",
        "#name",
        ":name",
    ]
    .map(ToOwned::to_owned)
    .into();
    names.push("x".repeat(1_000));
    names.push("🐙".repeat(1_000));
    names.push("日".repeat(999));
    names
}

fn hostile_values() -> Vec<(i64, f64)> {
    let values = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1 + 0.2,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        f64::EPSILON,
        1e21,
        123_456_789.123_456_79,
        f64::NAN,
        -f64::NAN,
        f64::from_bits(0x7ff0_0000_0000_0001),
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    (0..).map(|number| START + number * MINUTE).zip(values).collect()
}

pub(super) async fn an_empty_store_has_nothing(store: &impl PointStore) {
    assert!(everything(store).await.is_empty());
    assert_eq!(store.summaries(Selection::All).await.unwrap(), []);
    assert_eq!(store.days().await.unwrap(), BTreeSet::new());
    assert_eq!(store.write(&batch([]), DuplicateRule::Last).await.unwrap(), Merged::default());
    assert_eq!(store.delete_exact(&batch([])).await.unwrap(), 0);
    assert_eq!(store.delete_exact(&batch([("a", vec![(START, 1.0)])])).await.unwrap(), 0);
    let names = [SeriesName::new("a").unwrap()];
    assert!(scanned(store, TimeRange::ALL, Selection::Names(&names)).await.unwrap().is_empty());
    assert!(scanned(store, TimeRange::ALL, Selection::Names(&[])).await.unwrap().is_empty());
}

pub(super) async fn what_is_written_is_read(store: &impl PointStore) {
    let names = hostile_names();
    let mut values = hostile_values();
    values.extend([(0, 1.0), (999, 2.0), (END_MS - 1, 3.0)]);
    let written = batch(names.iter().map(|name| (name.as_str(), values.clone())));
    let count = u64::try_from(written.count()).unwrap();
    let merged = store.write(&written, DuplicateRule::Last).await.unwrap();
    assert_eq!(merged, Merged { added: count, same: 0, changed: 0 });
    // The comparison is by bits: "not a number" is equal to itself, and there is no −0.
    assert_eq!(everything(store).await, written);

    for name in &names {
        let chosen = [SeriesName::new(name).unwrap()];
        let found = scanned(store, TimeRange::ALL, Selection::Names(&chosen)).await.unwrap();
        assert_eq!(found, batch([(name.as_str(), values.clone())]), "{name}");
    }
    assert_eq!(store.delete_exact(&written).await.unwrap(), count);
    assert!(everything(store).await.is_empty());
    assert_eq!(store.summaries(Selection::All).await.unwrap(), []);
}

pub(super) async fn writing_again_changes_nothing(store: &impl PointStore) {
    let written = batch([("a", hostile_values()), ("b", vec![(START, 1.0)])]);
    let count = u64::try_from(written.count()).unwrap();
    for (number, rule) in [DuplicateRule::Last, DuplicateRule::Max, DuplicateRule::Error].into_iter().enumerate() {
        let merged = store.write(&written, rule).await.unwrap();
        let first = Merged { added: count, same: 0, changed: 0 };
        let again = Merged { added: 0, same: count, changed: 0 };
        assert_eq!(merged, if number == 0 { first } else { again });
        assert_eq!(everything(store).await, written);
    }
    let more = batch([("a", vec![(START, 0.0), (START + 1, 9.0)]), ("c", vec![(START, 1.0)])]);
    let merged = store.write(&more, DuplicateRule::Error).await.unwrap();
    assert_eq!(merged, Merged { added: 2, same: 1, changed: 0 });
    assert_eq!(everything(store).await.count(), written.count() + 2);
}

pub(super) async fn the_last_value_wins(store: &impl PointStore) {
    let values = [1.0, 2.0, f64::NAN, f64::NEG_INFINITY, 0.5, 0.0];
    for (number, value) in values.into_iter().enumerate() {
        let merged = store.write(&batch([("a", vec![(START, value)])]), DuplicateRule::Last).await.unwrap();
        let (added, changed) = if number == 0 { (1, 0) } else { (0, 1) };
        assert_eq!(merged, Merged { added, same: 0, changed });
        assert_eq!(everything(store).await, batch([("a", vec![(START, value)])]));
    }
}

pub(super) async fn the_largest_value_wins(store: &impl PointStore) {
    // What is written, what stands then, and whether it was another value.
    let table = [
        (f64::NAN, f64::NAN),
        (f64::NEG_INFINITY, f64::NEG_INFINITY),
        (f64::NAN, f64::NEG_INFINITY),
        (-1.0, -1.0),
        (-2.0, -1.0),
        (0.0, 0.0),
        (1e300, 1e300),
        (9.0, 1e300),
        (f64::INFINITY, f64::INFINITY),
        (1.0, f64::INFINITY),
    ];
    for (written, stands) in table {
        let before = everything(store).await;
        let merged = store.write(&batch([("a", vec![(START, written)])]), DuplicateRule::Max).await.unwrap();
        if !before.is_empty() {
            assert_eq!(merged, Merged { added: 0, same: 0, changed: 1 }, "{written}");
        }
        assert_eq!(everything(store).await, batch([("a", vec![(START, stands)])]), "{written}");
    }
}

pub(super) async fn a_second_value_is_refused(store: &impl PointStore) {
    let first = batch([("ö:x", vec![(START, 1.5), (START + MINUTE, f64::NAN)])]);
    store.write(&first, DuplicateRule::Error).await.unwrap();
    for (other, message) in [
        ((START, 2.5), "expected one value of `ö:x` at 2024-02-29T00:00:00Z, found 2.5 where 1.5 stands"),
        ((START, f64::NAN), "expected one value of `ö:x` at 2024-02-29T00:00:00Z, found NaN where 1.5 stands"),
        ((START + MINUTE, 7.0), "expected one value of `ö:x` at 2024-02-29T00:01:00Z, found 7 where NaN stands"),
    ] {
        let error = store.write(&batch([("ö:x", vec![other])]), DuplicateRule::Error).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert_eq!(error.to_string(), message);
        assert_eq!(everything(store).await, first, "the first one stays");
    }
}

pub(super) async fn only_exact_points_are_deleted(store: &impl PointStore) {
    let written = batch([("a", hostile_values()), ("b", vec![(START, 1.0), (START + 1, 2.0)])]);
    store.write(&written, DuplicateRule::Last).await.unwrap();
    let others: Vec<(i64, f64)> = hostile_values().iter().map(|(time_ms, _)| (*time_ms, 77.0)).collect();
    let missing = batch([("a", others), ("b", vec![(START + 2, 1.0)]), ("c", vec![(START, 1.0)])]);
    assert_eq!(store.delete_exact(&missing).await.unwrap(), 0);
    assert_eq!(everything(store).await, written);

    let some = batch([("a", hostile_values()), ("b", vec![(START, 1.0), (START + 1, 3.0)])]);
    let count = u64::try_from(hostile_values().len()).unwrap() + 1;
    assert_eq!(store.delete_exact(&some).await.unwrap(), count);
    assert_eq!(everything(store).await, batch([("b", vec![(START + 1, 2.0)])]));
    assert_eq!(store.delete_exact(&some).await.unwrap(), 0, "once more changes nothing");
    assert_eq!(everything(store).await, batch([("b", vec![(START + 1, 2.0)])]));
}

pub(super) async fn a_span_has_its_start_and_not_its_end(store: &impl PointStore) {
    let points: Vec<(i64, f64)> = (0..240_u8).map(|n| (START + i64::from(n) * MINUTE, f64::from(n))).collect();
    store.write(&batch([("a", points.clone()), ("b", vec![(START, 1.0)])]), DuplicateRule::Last).await.unwrap();
    for (from, to) in [(0, 240), (0, 1), (59, 60), (59, 61), (60, 120), (1, 239), (30, 30), (90, 30)] {
        let range = TimeRange::new(START + from * MINUTE, START + to * MINUTE);
        let mut expected = Vec::new();
        let within: Vec<_> = points.iter().copied().filter(|(time_ms, _)| range.contains(*time_ms)).collect();
        if !within.is_empty() {
            expected.push(("a", within));
        }
        if range.contains(START) {
            expected.push(("b", vec![(START, 1.0)]));
        }
        assert_eq!(scanned(store, range, Selection::All).await.unwrap(), batch(expected), "{from}..{to}");
    }
    let at = TimeRange::new(START + 1, START + MINUTE);
    assert!(scanned(store, at, Selection::All).await.unwrap().is_empty());
}

pub(super) async fn series_are_chosen_by_name(store: &impl PointStore) {
    let of = |name| (name, vec![(START, 1.0)]);
    store.write(&batch(["a", "aa", "b", "B", "a:b"].map(of)), DuplicateRule::Last).await.unwrap();
    let names = ["b", "a", "missing", "a", "a:b"].map(|name| SeriesName::new(name).unwrap());
    let found = scanned(store, TimeRange::ALL, Selection::Names(&names)).await.unwrap();
    assert_eq!(found, batch(["a", "a:b", "b"].map(of)));
}

pub(super) async fn many_points_come_in_whole_series(store: &impl PointStore) {
    let names: Vec<String> = (0..130).map(|number| format!("series {number:03}")).collect();
    let points = |_| (0..1_000_u16).map(|n| (START + i64::from(n) * 1_000, f64::from(n) / 3.0)).collect();
    let written = batch(names.iter().map(|name| (name.as_str(), points(name))));
    let merged = store.write(&written, DuplicateRule::Last).await.unwrap();
    assert_eq!(merged, Merged { added: 130_000, same: 0, changed: 0 });
    let batches: Vec<_> = store.scan(TimeRange::ALL, Selection::All).try_collect().await.unwrap();
    assert!(batches.len() > 1 && batches.iter().all(|batch| batch.count() <= 2 * SCAN_POINTS), "{}", batches.len());
    assert_eq!(everything(store).await, written);
}

pub(super) async fn summaries_and_days_follow_the_points(store: &impl PointStore) {
    let a = vec![(START - 1, 1.0), (START, 2.0), (START + 3 * DAY, 3.0)];
    store.write(&batch([("a", a), ("b", vec![(0, 1.0)])]), DuplicateRule::Last).await.unwrap();
    let summary = |name, count, oldest_ms, newest_ms| SeriesSummary {
        name: SeriesName::new(name).unwrap(),
        count,
        oldest_ms,
        newest_ms,
    };
    let expected = [summary("a", 3, START - 1, START + 3 * DAY), summary("b", 1, 0, 0)];
    assert_eq!(store.summaries(Selection::All).await.unwrap(), expected);
    let asked = [SeriesName::new("nobody").unwrap(), expected[1].name.clone(), expected[1].name.clone()];
    assert_eq!(store.summaries(Selection::Names(&asked)).await.unwrap(), [expected[1].clone()]);
    assert_eq!(store.summaries(Selection::Names(&[])).await.unwrap(), []);
    let days = store.days().await.unwrap();
    for day in [0, START - DAY, START, START + 3 * DAY] {
        assert!(days.contains(&day), "{day} in {days:?}");
    }
    store.delete_exact(&batch([("a", vec![(START - 1, 1.0)]), ("b", vec![(0, 1.0)])])).await.unwrap();
    assert_eq!(store.summaries(Selection::All).await.unwrap(), [summary("a", 2, START, START + 3 * DAY)]);
}

pub(super) async fn writers_lose_nothing_to_each_other(store: Arc<impl PointStore>) {
    const WRITERS: i64 = 6;
    // Each has times of its own, and all have the times below zero minutes in common.
    let of = |writer: i64| {
        let own = (0..40).map(move |n| (START + (n * WRITERS + writer) * MINUTE / 6, 1.0));
        let common = (1..20).map(move |n| (START - n * MINUTE, f64::from(u8::try_from(writer).unwrap())));
        let points: Vec<(i64, f64)> = own.chain(common).collect();
        batch([("a", points.clone()), ("b", points)])
    };
    let writes = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.write(&of(writer), DuplicateRule::Max).await })
    });
    let mut merged = Merged::default();
    for write in futures::future::join_all(writes).await {
        merged += write.unwrap().unwrap();
    }
    assert_eq!(merged.added, 2 * (6 * 40 + 19));
    let found = everything(&*store).await;
    assert_eq!(found.series().len(), 2);
    for series in found.series() {
        assert_eq!(series.points.len(), 6 * 40 + 19);
        let common: Vec<f64> =
            series.points.iter().filter(|(time_ms, _)| *time_ms < START).map(|(_, value)| value).collect();
        assert_eq!(common, [5.0; 19], "the largest of all writers");
    }
}

pub(super) async fn a_point_that_came_meanwhile_is_not_deleted(store: Arc<impl PointStore>) {
    let time = |n: i64| START + n * MINUTE;
    let old: Vec<(i64, f64)> = (0..50).map(|n| (time(n), 1.0)).collect();
    store.write(&batch([("a", old.clone())]), DuplicateRule::Last).await.unwrap();
    let deleter = {
        let (store, old) = (Arc::clone(&store), batch([("a", old)]));
        tokio::spawn(async move { store.delete_exact(&old).await })
    };
    for n in 0..50 {
        // A time that nobody deletes; and another value of one that is being deleted.
        let some = batch([("a", vec![(time(n) + 1, 2.0)])]);
        store.write(&some, DuplicateRule::Last).await.unwrap();
        store.write(&batch([("a", vec![(time(n), 3.0)])]), DuplicateRule::Last).await.unwrap();
    }
    deleter.await.unwrap().unwrap();
    let expected = (0..50).flat_map(|n| [(time(n), 3.0), (time(n) + 1, 2.0)]).collect();
    assert_eq!(everything(&*store).await, batch([("a", expected)]));
}

pub(super) async fn a_reader_sees_what_was_there_before(store: Arc<impl PointStore>) {
    let names: Vec<String> = (0..200).map(|number| format!("s{number:03}")).collect();
    let before = batch(names.iter().map(|name| (name.as_str(), vec![(START, 1.0)])));
    store.write(&before, DuplicateRule::Last).await.unwrap();
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for number in 0..20 {
                let (later, new) = (START + number, format!("n{number}"));
                let some = batch([("s000", vec![(later + 1, 2.0)]), (new.as_str(), vec![(later, 1.0)])]);
                store.write(&some, DuplicateRule::Last).await.unwrap();
            }
        })
    };
    for _ in 0..5 {
        let found = scanned(&*store, TimeRange::new(START, START + 1), Selection::All).await.unwrap();
        let names: BTreeSet<&SeriesName> = found.series().iter().map(|series| &series.name).collect();
        for series in before.series() {
            assert!(names.contains(&series.name), "{} is missing", series.name);
        }
    }
    writer.await.unwrap();
}
