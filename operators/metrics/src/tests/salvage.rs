//! Damaged windows that no store holds any more: what can be read of them stays, and what cannot is named.

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::PageIndexPolicy;

use super::dumped::Dumped;
use super::world::*;
use crate::*;

const LOST: &str = "100 points of `host07.cpu`, among which something has changed";

fn names_but(gone: &str) -> Vec<SeriesName> {
    let all = (0..40).map(|number| format!("host{number:02}.cpu"));
    all.filter(|text| text != gone).map(|text| name(&text)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_point_for_a_damaged_day_costs_no_series_that_is_whole() {
    let dumped = Dumped::new().await;
    let others = names_but("host07.cpu");
    let mut expected = read_all(&dumped.metrics, &others).await;
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    dumped.change_a_value().await;
    dumped.write_late().await;
    for is_known in [false, true] {
        let report = dumped.dump().await;
        assert_eq!((&report.outcome, report.way_on), (&Outcome::Failed, Some(WayOn::DumpWhatIsLeft)));
        assert_eq!(report.is_known, is_known, "it is found once");
        assert_eq!(report.mismatches.last().unwrap(), &format!("gone are {LOST}"));
    }
    let report = dumped.dump_again().await;
    assert_eq!((&report.outcome, report.figures.count, report.figures.series), (&Outcome::Made, 3_901, 39));
    assert_eq!(report.given_up, [LOST]);
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    expected.insert(("host00.cpu".to_owned(), ms("2026-02-01T12:00:00Z")), 5.0_f64.to_bits());
    assert_eq!(read_all(&dumped.metrics, &others).await, expected);
    assert!(read_all(&dumped.metrics, &[name("host07.cpu")]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_point_of_the_series_that_is_damaged_is_kept() {
    let dumped = Dumped::new().await;
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    dumped.change_a_value().await;
    let late = batch(&[("host07.cpu", &[(ms("2026-02-01T12:00:00Z"), 5.0)])]);
    dumped.metrics.write(&tier("warm"), &late, Dumped::now()).await.unwrap();
    let report = dumped.dump_again().await;
    assert_eq!((&report.outcome, report.figures.count, report.figures.series), (&Outcome::Made, 3_901, 40));
    assert_eq!(report.given_up, [LOST]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_which_every_point_reads_is_written_again_with_nothing_asked() {
    let dumped = Dumped::new().await;
    let names = names_but("");
    let expected = read_all(&dumped.metrics, &names).await;
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    let (_, file) = dumped.object().await;
    let mut bytes = std::fs::read(&file).unwrap();
    // The word at the begin says what the file is, which is known.
    bytes[0] ^= 0x01;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(dumped.verify().await.outcome, Outcome::Failed);
    let report = dumped.dump().await;
    assert_eq!((&report.outcome, report.figures.count, report.given_up.len()), (&Outcome::Made, 4_000, 0));
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
    assert_eq!(read_all(&dumped.metrics, &names).await, expected);
}

/// The rows of a page of values, and where it begins in the file.
fn page_of_values(bytes: &[u8], page: usize) -> (std::ops::Range<usize>, usize) {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = ArrowReaderMetadata::load(&Bytes::copy_from_slice(bytes), options).unwrap();
    let pages = metadata.metadata().offset_index().unwrap()[0][2].page_locations();
    let row = |page: usize| usize::try_from(pages[page].first_row_index).unwrap();
    (row(page)..row(page + 1), usize::try_from(pages[page].offset).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_read_costs_its_points_and_no_others() {
    let world = World::new();
    let metrics = world.open().await;
    let (warm, cold, now) = (tier("warm"), tier("cold"), at("2026-02-10T00:00:00Z"));
    let start_ms = ms("2026-02-01T00:00:00Z");
    let points: Vec<(i64, f64)> =
        (0..3_000).map(|number| (start_ms + i64::from(number) * 20_000, f64::from(number) * 0.37)).collect();
    let texts: Vec<String> = (0..10).map(|number| format!("s{number}")).collect();
    let all: Vec<(&str, &[(i64, f64)])> = texts.iter().map(|text| (text.as_str(), points.as_slice())).collect();
    metrics.write(&warm, &batch(&all), now).await.unwrap();
    metrics.dump(&warm, &cold, day("2026-02-01"), &options(), now).await.unwrap();
    metrics.verify(&warm, &cold, day("2026-02-01"), now).await.unwrap();
    let names: Vec<SeriesName> = texts.iter().map(|text| name(text)).collect();
    let mut expected = read_all(&metrics, &names).await;
    assert_eq!(metrics.expire(&warm, day("2026-02-01"), 0, now).await.unwrap().outcome, Outcome::Made);

    let standing = metrics.windows(&cold, None).await.unwrap()[0].standing.clone().unwrap();
    let file = metrics.lake.storage.file(&standing.files[0].location).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let (rows, place) = page_of_values(&bytes, 3);
    bytes[place..place + 8].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    let dump = async |on_damage| {
        let options = MakeOptions { on_damage, ..options() };
        metrics.dump(&warm, &cold, day("2026-02-01"), &options, now).await.unwrap()
    };
    // An expired window is looked at when something is found wrong with it.
    assert_eq!(metrics.verify(&warm, &cold, day("2026-02-01"), now).await.unwrap().outcome, Outcome::Failed);
    let lost: Vec<String> = (0..10)
        .filter_map(|series| {
            let lost = rows.clone().filter(|row| row / 3_000 == series).count();
            (lost > 0).then(|| format!("{lost} points of `s{series}`, which cannot be read"))
        })
        .collect();
    assert_eq!(lost.len(), 2, "a page of 4,096 rows and series of 3,000");
    let failed = dump(OnDamage::Fail).await;
    assert_eq!(failed.outcome, Outcome::Failed);
    assert!(failed.mismatches.ends_with(&lost.iter().map(|lost| format!("gone are {lost}")).collect::<Vec<_>>()));
    let made = dump(OnDamage::Replace).await;
    assert_eq!((&made.outcome, &made.given_up), (&Outcome::Made, &lost));
    assert_eq!(made.figures.count, 30_000 - rows.len() as u64);
    assert_eq!(metrics.verify(&warm, &cold, day("2026-02-01"), now).await.unwrap().outcome, Outcome::Made);
    for row in rows {
        let time_ms = start_ms + i64::try_from(row % 3_000).unwrap() * 20_000;
        assert!(expected.remove(&(format!("s{}", row / 3_000), time_ms)).is_some());
    }
    assert_eq!(read_all(&metrics, &names).await, expected);
}
