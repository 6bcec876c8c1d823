//! What somebody breaks by hand is found and named.

use super::dumped::Dumped;
use super::world::*;
use crate::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_anywhere_in_an_object_is_found_and_the_object_named() {
    let dumped = Dumped::new().await;
    let (location, file) = dumped.object().await;
    let whole = std::fs::read(&file).unwrap();
    let footer = whole.len()
        - 8
        - usize::try_from(u32::from_le_bytes(*whole[whole.len() - 8..].first_chunk().unwrap())).unwrap();
    let spread = (0..24).map(|part| part * whole.len() / 24);
    // The magic at both ends, the first page, the page index before the footer, the footer, its length.
    let regions = [0, 3, 4, 5, footer - 40, footer, footer + 20, whole.len() - 8, whole.len() - 1];
    for place in spread.chain(regions) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x04;
        std::fs::write(&file, &damaged).unwrap();
        let report = dumped.verify().await;
        assert_eq!(report.outcome, Outcome::Failed, "byte {place}");
        let expected = format!("the object `{location}` has other bytes than were written: their hash is ");
        assert!(report.mismatches[0].starts_with(&expected), "byte {place}: {:?}", report.mismatches);
        assert_eq!(report.state, WindowState::Verified);
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(dumped.verify().await.outcome, Outcome::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_a_missing_and_a_foreign_object_are_found_and_named() {
    let dumped = Dumped::new().await;
    let (location, file) = dumped.object().await;
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 100]).unwrap();
    let (short, long) = (whole.len() - 100, whole.len());
    assert_eq!(dumped.verify().await.mismatches, [format!("the object `{location}` has {short} bytes, not {long}")]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(dumped.verify().await.mismatches, [format!("the object `{location}` is missing")]);
    std::fs::write(&file, &whole).unwrap();
    let foreign = file.with_file_name("part-00001.parquet");
    std::fs::write(&foreign, &whole).unwrap();
    let mismatches = dumped.verify().await.mismatches;
    assert_eq!(
        mismatches,
        [format!("the object `{}` is not one of the tier's", location.replace("part-00000", "part-00001"))]
    );
    std::fs::remove_file(&foreign).unwrap();
    assert_eq!(dumped.verify().await.outcome, Outcome::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_go_or_change_in_the_store_are_found_and_their_series_named() {
    let dumped = Dumped::new().await;
    let store = dumped.metrics.store(&tier("warm")).await.unwrap();
    let at_ms = ms("2026-02-01T00:10:00Z");
    let gone = batch(&[("host07.cpu", &[(at_ms, 3.7)])]);
    assert_eq!(store.delete_exact(&gone).await.unwrap(), 1);
    let report = dumped.verify().await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(
        report.mismatches,
        [
            "the store holds 3999 of the 4000 points of the window that were dumped",
            "the series `host07.cpu` lacks 1 of its 100 archived points in the store"
        ]
    );
    // Putting it back by hand mends it.
    store.write(&gone, DuplicateRule::Last).await.unwrap();
    assert_eq!(dumped.verify().await.outcome, Outcome::Unchanged);
    store.write(&batch(&[("host31.cpu", &[(at_ms, 99.0)])]), DuplicateRule::Last).await.unwrap();
    let report = dumped.verify().await;
    assert_eq!(
        report.mismatches,
        ["the series `host31.cpu` has other values at 1 times in the store than in the archive"]
    );
    // Whoever knows that the store is right has the window looked at once more.
    dumped.metrics.reopen(&tier("cold"), day("2026-02-01")).await.unwrap();
    dumped.metrics.dump(&tier("warm"), &tier("cold"), day("2026-02-01"), &options(), Dumped::now()).await.unwrap();
    let report = dumped.verify().await;
    assert_eq!((report.outcome, report.generation), (Outcome::Made, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_came_without_a_touch_make_the_window_late_and_are_not_expired() {
    let dumped = Dumped::new().await;
    let store = dumped.metrics.store(&tier("warm")).await.unwrap();
    let foreign = batch(&[
        ("host00.cpu", &[(ms("2026-02-01T12:00:00Z"), 5.0)]),
        ("stranger", &[(ms("2026-02-01T12:00:00Z"), 6.0)]),
    ]);
    store.write(&foreign, DuplicateRule::Last).await.unwrap();
    let expired = dumped.metrics.expire(&tier("warm"), day("2026-02-01"), 0, Dumped::now()).await.unwrap();
    assert_eq!((expired.outcome, expired.moved), (Outcome::Late, 4_000));
    assert_eq!(stored(&dumped.metrics, "warm").await, 2);
    let names = [name("host00.cpu"), name("stranger")];
    assert_eq!(read_all(&dumped.metrics, &names).await.len(), 102);
    dumped.metrics.dump(&tier("warm"), &tier("cold"), day("2026-02-01"), &options(), Dumped::now()).await.unwrap();
    let report = dumped.verify().await;
    assert_eq!((report.outcome, report.figures.count), (Outcome::Made, 4_002));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_was_undone_is_not_written_over() {
    let dumped = Dumped::new().await;
    let late = batch(&[("host00.cpu", &[(ms("2026-02-01T12:00:00Z"), 5.0)])]);
    dumped.metrics.write(&tier("warm"), &late, Dumped::now()).await.unwrap();
    dumped.world.clock.advance(std::time::Duration::from_secs(1));
    let (warm, cold) = (tier("warm"), tier("cold"));
    dumped.metrics.dump(&warm, &cold, day("2026-02-01"), &options(), Dumped::now()).await.unwrap();
    let table = lake::name::TableName::new("metrics", "cold").unwrap();
    let values = ["1m".to_owned(), "2026-02-01".to_owned()];
    let lake = &dumped.metrics.lake;
    lake.undo_partition(&table, &values, lake::publish::Direction::Undo).await.unwrap();
    // It is named without being asked for, and nothing is made of it.
    assert_eq!(dumped.metrics.due_verifications(&cold, None).await.unwrap(), [day("2026-02-01")]);
    let status = &dumped.metrics.status(Dumped::now()).await.unwrap()[0];
    assert!(status.astray.is_some() && status.is_due);
    let report = dumped.verify().await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(report.mismatches[0].starts_with("the catalog points to `s3://"), "{:?}", report.mismatches);
    assert!(report.mismatches[0].contains("`, and the ledger knows `s3://"), "{:?}", report.mismatches);
    assert!(dumped.metrics.due_dumps(&warm, &cold, None, Dumped::now()).await.unwrap().is_empty());
    assert_eq!(dumped.dump().await.outcome, Outcome::Failed);
    let report = dumped.metrics.expire(&warm, day("2026-02-01"), 0, Dumped::now()).await.unwrap();
    assert_eq!((report.outcome, report.moved, report.way_on), (Outcome::Failed, 0, Some(WayOn::RedoOrDump)));
    lake.undo_partition(&table, &values, lake::publish::Direction::Redo).await.unwrap();
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_window_that_was_undone_is_written_again_from_the_version_before() {
    let dumped = Dumped::new().await;
    dumped.write_late().await;
    dumped.world.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(dumped.dump().await.generation, 2);
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    let (_, file) = dumped.object().await;
    std::fs::remove_file(file).unwrap();
    assert_eq!(dumped.verify().await.outcome, Outcome::Failed);
    let table = lake::name::TableName::new("metrics", "cold").unwrap();
    let values = ["1m".to_owned(), "2026-02-01".to_owned()];
    dumped.metrics.lake.undo_partition(&table, &values, lake::publish::Direction::Undo).await.unwrap();
    assert_eq!(dumped.dump().await.outcome, Outcome::Failed);
    dumped.world.clock.advance(std::time::Duration::from_secs(1));
    let report = dumped.dump_again().await;
    assert_eq!((report.outcome, report.figures.count), (Outcome::Made, 4_000));
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
    assert_eq!(read_all(&dumped.metrics, &[name("host00.cpu")]).await.len(), 100);
}
