//! Reading windows whose archived objects are damaged or missing: from where their points are still held, or not at all, and never
//! with a hole that nobody is told of.

use std::path::Path;

use lake::ErrorKind;

use super::dumped::Dumped;
use super::world::*;
use crate::*;

async fn read(metrics: &Metrics, step_ms: i64, on_gap: OnGap) -> lake::Result<ReadAnswer> {
    let request = ReadRequest {
        names: vec![name("host07.cpu"), name("host00.cpu")],
        range: TimeRange::new(ms("2026-02-01T00:00:00Z"), ms("2026-02-02T00:00:00Z")),
        step: Some(Step::from_ms(step_ms).unwrap()),
        aggregate: (step_ms > MINUTE).then_some(Aggregate::Sum),
        on_gap,
    };
    metrics.read(&request, Dumped::now()).await
}

/// The rows, and the tiers that they come from.
fn rows(answer: &ReadAnswer) -> (Vec<(String, i64, u64)>, Vec<String>) {
    let rows = answer
        .series
        .iter()
        .flat_map(|series| series.rows.iter().map(|row| (series.name.to_string(), row.time_ms, row.value.to_bits())));
    let segments = answer.series.iter().flat_map(|series| &series.segments);
    (rows.collect(), segments.map(|segment| answer.tiers[segment.tier].to_string()).collect())
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;

/// The ways in which a file is broken that a reader meets.
const WAYS: [&str; 4] = ["cut", "flipped", "changed", "gone"];

/// Breaks a file, whose bytes are whole, in a way.
fn break_file(file: &Path, whole: &[u8], how: &str) {
    match how {
        "cut" => std::fs::write(file, &whole[..whole.len() / 2]).unwrap(),
        "flipped" => {
            let mut flipped = whole.to_vec();
            // In the length of Parquet's own description, before the last word.
            let place = whole.len() - 5;
            flipped[place] ^= 0xff;
            std::fs::write(file, flipped).unwrap();
        }
        "changed" => {
            let mut changed = whole.to_vec();
            // In the values, which nothing in the file says what they were.
            changed[whole.len() / 3] ^= 1;
            std::fs::write(file, changed).unwrap();
        }
        _ => std::fs::remove_file(file).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn points_are_read_from_the_stores_while_they_hold_all_that_was_dumped() {
    let dumped = Dumped::new().await;
    let metrics = &dumped.metrics;
    let (expected, tiers) = rows(&read(metrics, MINUTE, OnGap::Fail).await.unwrap());
    assert_eq!((expected.len(), tiers), (200, vec!["cold".to_owned(), "cold".to_owned()]));
    let (location, file) = dumped.object().await;
    let whole = std::fs::read(&file).unwrap();
    for how in WAYS {
        break_file(&file, &whole, how);
        for on_gap in [OnGap::Fail, OnGap::Name] {
            let answer = read(metrics, MINUTE, on_gap).await.unwrap();
            let (found, tiers) = rows(&answer);
            assert_eq!(found, expected, "{how}");
            assert_eq!(tiers, ["warm", "warm"], "{how}");
            assert!(answer.gaps.is_empty(), "{how}");
            let [instead] = answer.instead.as_slice() else { panic!("{how}: {:?}", answer.instead) };
            assert_eq!((instead.tier.as_str(), instead.range), ("cold", day("2026-02-01").range()), "{how}");
            assert!(instead.why.contains(&location), "{how}: {}", instead.why);
        }
        std::fs::write(&file, &whole).unwrap();
    }
    assert!(read(metrics, MINUTE, OnGap::Fail).await.unwrap().instead.is_empty(), "it is whole again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_store_holds_any_more_is_an_error_or_a_named_gap() {
    let dumped = Dumped::new().await;
    let metrics = &dumped.metrics;
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    let (location, file) = dumped.object().await;
    let whole = std::fs::read(&file).unwrap();
    for how in WAYS {
        break_file(&file, &whole, how);
        let error = read(metrics, MINUTE, OnGap::Fail).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::InvalidData | ErrorKind::NotFound), "{how}: {error}");
        assert!(error.to_string().contains(&location), "{how}: {error}");
        assert_eq!(error.context.iter().filter(|(key, _)| *key == "tier").count(), 1, "{how}: {error}");
        let answer = read(metrics, MINUTE, OnGap::Name).await.unwrap();
        assert!(rows(&answer).0.is_empty() && answer.instead.is_empty(), "{how}");
        let [gap] = answer.gaps.as_slice() else { panic!("{how}: {:?}", answer.gaps) };
        assert_eq!((gap.tier.as_str(), gap.range), ("cold", day("2026-02-01").range()), "{how}");
        assert!(gap.why.contains(&location) && !gap.why.contains("tier: "), "{how}: {}", gap.why);
        std::fs::write(&file, &whole).unwrap();
    }
}

/// The store has been emptied behind the ledger's back, and a verification has found that.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_known_to_lack_points_stands_for_nothing() {
    let dumped = Dumped::new().await;
    let metrics = &dumped.metrics;
    let gone = batch(&[("host00.cpu", &[(ms("2026-02-01T00:01:00Z"), 0.37)])]);
    assert_eq!(metrics.store(&tier("warm")).await.unwrap().delete_exact(&gone).await.unwrap(), 1);
    assert_eq!(dumped.verify().await.outcome, Outcome::Failed);
    let (_, file) = dumped.object().await;
    std::fs::remove_file(&file).unwrap();
    // The window is not settled: what the store still has is there, and the gap is named all the same.
    let answer = read(metrics, MINUTE, OnGap::Name).await.unwrap();
    assert_eq!((rows(&answer).0.len(), answer.gaps.len(), answer.instead.len()), (199, 1, 0));
    assert!(read(metrics, MINUTE, OnGap::Fail).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_up_is_read_from_what_it_is_made_of_until_that_is_given_up() {
    let dumped = Dumped::new().await;
    let metrics = &dumped.metrics;
    let (cold, hourly) = (tier("cold"), tier("hourly"));
    let month = Window::parse(PartitionUnit::Month, "2026-02").unwrap();
    let later = at("2026-03-10T00:00:00Z");
    metrics.rollup(&cold, &hourly, month, RollupSource::Verified, &options(), later).await.unwrap();
    metrics.verify(&cold, &hourly, month, later).await.unwrap();
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    let (expected, tiers) = rows(&read(metrics, HOUR, OnGap::Fail).await.unwrap());
    assert_eq!((expected.len(), tiers), (4, vec!["hourly".to_owned(), "hourly".to_owned()]));
    let location = metrics.windows(&hourly, None).await.unwrap()[0].standing.clone().unwrap().files[0].location.clone();
    let file = metrics.lake.storage.file(&location).unwrap();
    let whole = std::fs::read(&file).unwrap();
    for how in WAYS {
        break_file(&file, &whole, how);
        let answer = read(metrics, HOUR, OnGap::Fail).await.unwrap();
        let (found, tiers) = rows(&answer);
        assert_eq!((found, tiers), (expected.clone(), vec!["cold".to_owned(), "cold".to_owned()]), "{how}");
        assert!(answer.gaps.is_empty(), "{how}");
        assert_eq!(answer.instead.iter().map(|instead| instead.tier.as_str()).collect::<Vec<_>>(), ["hourly"], "{how}");
        std::fs::write(&file, &whole).unwrap();
    }
    // Whoever reads is told as well when a verification was first, be the object readable or not.
    for how in WAYS {
        break_file(&file, &whole, how);
        assert_eq!(metrics.verify(&cold, &hourly, month, later).await.unwrap().outcome, Outcome::Failed, "{how}");
        let answer = read(metrics, HOUR, OnGap::Fail).await.unwrap();
        assert_eq!(rows(&answer), (expected.clone(), vec!["cold".to_owned(), "cold".to_owned()]), "{how}");
        let instead = Instead {
            range: day("2026-02-01").range(),
            tier: hourly.clone(),
            why: "`metrics.verify>` found its objects damaged, or its partition gone".to_owned(),
        };
        assert_eq!((answer.instead, answer.gaps), (vec![instead], vec![]), "{how}");
        std::fs::write(&file, &whole).unwrap();
    }
    assert_eq!(metrics.verify(&cold, &hourly, month, later).await.unwrap().outcome, Outcome::Unchanged);
    assert!(read(metrics, HOUR, OnGap::Fail).await.unwrap().instead.is_empty());
    assert_eq!(metrics.drop_window(&cold, day("2026-02-01"), 0, later).await.unwrap().outcome, Outcome::Made);
    assert_eq!(rows(&read(metrics, HOUR, OnGap::Fail).await.unwrap()).0, expected);
    for how in WAYS {
        break_file(&file, &whole, how);
        assert!(read(metrics, HOUR, OnGap::Fail).await.is_err(), "{how}");
        let answer = read(metrics, HOUR, OnGap::Name).await.unwrap();
        assert!(rows(&answer).0.is_empty() && answer.instead.is_empty(), "{how}");
        assert_eq!(answer.gaps.iter().map(|gap| gap.tier.as_str()).collect::<Vec<_>>(), ["hourly"], "{how}");
        std::fs::write(&file, &whole).unwrap();
    }
    // Also when a verification has found it.
    break_file(&file, &whole, "changed");
    assert_eq!(metrics.verify(&cold, &hourly, month, later).await.unwrap().outcome, Outcome::Failed);
    assert!(read(metrics, HOUR, OnGap::Fail).await.is_err());
    let answer = read(metrics, HOUR, OnGap::Name).await.unwrap();
    assert_eq!(answer.gaps.iter().map(|gap| gap.tier.as_str()).collect::<Vec<_>>(), ["hourly"]);
}
