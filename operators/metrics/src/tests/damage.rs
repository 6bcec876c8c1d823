//! Archived objects that are damaged: nothing is made of them, and no point goes that they stand for.

use super::dumped::Dumped;
use super::world::*;
use crate::*;

/// What is said of an object in which one value of `host07.cpu` was changed, after the bytes.
const CHANGED: &str = "1 of the 256 sums of the objects differ from the ledger's: the series `host07.cpu` has changed";

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_object_does_not_come_into_the_next_version() {
    let dumped = Dumped::new().await;
    let (location, file) = dumped.object().await;
    let whole = std::fs::read(&file).unwrap();
    dumped.write_late().await;
    let mut refused = 0;
    // In the middle are the values; a byte that nobody reads changes no point.
    for place in (whole.len() / 4..whole.len() / 2).step_by(whole.len() / 16) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x04;
        std::fs::write(&file, &damaged).unwrap();
        let report = dumped.dump().await;
        assert_eq!((&report.outcome, report.generation), (&Outcome::Failed, 1), "byte {place}");
        let expected = format!("the object `{location}` has other bytes than were written: their hash is ");
        assert!(report.mismatches[0].starts_with(&expected), "byte {place}: {:?}", report.mismatches);
        refused += 1;
    }
    assert!(refused > 2);
    std::fs::write(&file, &whole).unwrap();
    let report = dumped.dump().await;
    assert_eq!((report.outcome, report.figures.count), (Outcome::Made, 4_001));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_reads_well_and_holds_another_value_is_found_by_whoever_reads_it() {
    let dumped = Dumped::new().await;
    dumped.change_a_value().await;
    let expired = dumped.expire().await;
    assert_eq!((&expired.outcome, expired.moved), (&Outcome::Failed, 0));
    assert_eq!(expired.mismatches[2], CHANGED);
    assert_eq!(stored(&dumped.metrics, "warm").await, 4_000);

    let report = dumped.verify().await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(report.mismatches.len(), 3, "{:?}", report.mismatches);
    assert_eq!(report.mismatches[2], CHANGED);

    let month = Window::parse(PartitionUnit::Month, "2026-02").unwrap();
    let (cold, hourly) = (tier("cold"), tier("hourly"));
    let options = options();
    let rollup = dumped.metrics.rollup(&cold, &hourly, month, RollupSource::Archived, &options, Dumped::now());
    let report = rollup.await.unwrap();
    assert_eq!((report.tier, report.window, report.outcome), (cold, day("2026-02-01"), Outcome::Failed));
    assert_eq!(report.mismatches[2], CHANGED);
    let made = dumped.metrics.windows(&hourly, None).await.unwrap();
    assert!(made.iter().all(|row| row.standing.is_none()));

    dumped.write_late().await;
    let report = dumped.dump().await;
    assert_eq!((report.outcome, report.generation), (Outcome::Failed, 1));
    assert_eq!(report.mismatches[2], CHANGED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_verification_is_kept_until_the_window_holds_again() {
    let dumped = Dumped::new().await;
    let (_, file) = dumped.object().await;
    let whole = std::fs::read(&file).unwrap();
    let (warm, cold) = (tier("warm"), tier("cold"));
    let metrics = &dumped.metrics;
    assert!(metrics.due_verifications(&cold, None).await.unwrap().is_empty());
    std::fs::write(&file, &whole[1..]).unwrap();
    assert_eq!(dumped.verify().await.outcome, Outcome::Failed);
    // It waits for its verification, and for nothing else.
    assert_eq!(metrics.due_verifications(&cold, None).await.unwrap(), [day("2026-02-01")]);
    assert!(metrics.due_expiries(&warm, None, 0, Dumped::now()).await.unwrap().is_empty());
    let why = "it was not as it should be when it was verified last".to_owned();
    assert_eq!(dumped.expire().await.outcome, Outcome::NotDue(why));
    let status = &metrics.status(Dumped::now()).await.unwrap()[0];
    assert_eq!((status.state, status.fault, status.is_due), (WindowState::Verified, Some(Fault::Objects), true));
    // Made without it, a roll-up would pass for whole: it is tried, and names what is damaged, each time.
    let hourly = tier("hourly");
    let due = metrics.due_rollups(&cold, &hourly, None, RollupSource::Verified).await.unwrap();
    let options = options();
    for _ in 0..2 {
        let rollup = metrics.rollup(&cold, &hourly, due[0], RollupSource::Verified, &options, Dumped::now());
        let report = rollup.await.unwrap();
        assert_eq!((report.tier, report.outcome), (cold.clone(), Outcome::Failed));
    }
    // Somebody puts the object back.
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(dumped.dump().await.outcome, Outcome::Unchanged);
    assert_eq!(dumped.verify().await.outcome, Outcome::Unchanged);
    assert!(metrics.due_verifications(&cold, None).await.unwrap().is_empty());
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_window_that_is_damaged_is_due_for_its_verification() {
    let dumped = Dumped::new().await;
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    let (location, file) = dumped.object().await;
    std::fs::remove_file(&file).unwrap();
    let missing = [format!("the object `{location}` is missing")];
    assert_eq!(dumped.verify().await.mismatches, missing);
    assert_eq!(dumped.metrics.due_verifications(&tier("cold"), None).await.unwrap(), [day("2026-02-01")]);
    // Nothing has its points any more: only who asks for it is told so.
    let due =
        async |window| dumped.metrics.due_dumps(&tier("warm"), &tier("cold"), window, Dumped::now()).await.unwrap();
    assert!(due(None).await.is_empty());
    assert_eq!(due(Some(day("2026-02-01").range())).await, [day("2026-02-01")]);
    let report = dumped.dump().await;
    assert_eq!((&report.outcome, report.generation), (&Outcome::Failed, 1));
    assert_eq!(report.mismatches[0], missing[0]);
    let expected = "it is not written again: the store and the objects that are whole hold 0 points of 0 series with the \
                    checksum 0, and 4000 of 40 with ";
    assert!(report.mismatches[1].starts_with(expected), "{:?}", report.mismatches);
    let replaced = dumped.dump_again().await;
    assert_eq!((replaced.outcome, replaced.generation), (Outcome::Failed, 1), "nothing is no version");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_window_is_written_again_from_the_store_that_has_all_of_it() {
    let dumped = Dumped::new().await;
    let names: Vec<SeriesName> = (0..40).map(|number| name(&format!("host{number:02}.cpu"))).collect();
    let expected = read_all(&dumped.metrics, &names).await;
    for (generation, damage) in (2..).zip(["flip", "cut", "remove"]) {
        let (_, file) = dumped.object().await;
        let mut bytes = std::fs::read(&file).unwrap();
        match damage {
            "flip" => {
                let middle = bytes.len() / 3;
                bytes[middle] ^= 0x01;
                std::fs::write(&file, bytes).unwrap();
            }
            "cut" => std::fs::write(&file, &bytes[..bytes.len() - 100]).unwrap(),
            _ => std::fs::remove_file(&file).unwrap(),
        }
        assert_eq!(dumped.verify().await.outcome, Outcome::Failed, "{damage}");
        let due = dumped.metrics.due_dumps(&tier("warm"), &tier("cold"), None, Dumped::now()).await.unwrap();
        assert_eq!(due, [day("2026-02-01")]);
        let report = dumped.dump().await;
        assert_eq!((report.outcome, report.generation), (Outcome::Made, generation), "{damage}");
        assert_eq!(dumped.verify().await.outcome, Outcome::Made);
        assert_eq!(read_all(&dumped.metrics, &names).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_does_not_hold_is_given_up_only_when_that_is_asked_for() {
    let dumped = Dumped::new().await;
    let (_, file) = dumped.object().await;
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 100]).unwrap();
    dumped.write_late().await;
    // With a late point nothing proves that all others are there.
    let report = dumped.dump().await;
    assert_eq!((&report.outcome, report.generation), (&Outcome::Failed, 1));
    let expected = "it is not written again: the store and the objects that are whole hold 4001 points of 40 series";
    assert!(report.mismatches[1].starts_with(expected), "{:?}", report.mismatches);
    let report = dumped.dump_again().await;
    // Two generations were given up.
    assert_eq!((&report.outcome, report.generation, report.figures.count), (&Outcome::Made, 4, 4_001));
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_whose_partition_was_dropped_is_written_again() {
    let dumped = Dumped::new().await;
    let metrics = &dumped.metrics;
    let (cold, hourly) = (tier("cold"), tier("hourly"));
    let month = Window::parse(PartitionUnit::Month, "2026-02").unwrap();
    let roll_up = async || {
        metrics.rollup(&cold, &hourly, month, RollupSource::Verified, &options(), Dumped::now()).await.unwrap()
    };
    assert_eq!(roll_up().await.outcome, Outcome::Made);
    assert_eq!(metrics.verify(&cold, &hourly, month, Dumped::now()).await.unwrap().outcome, Outcome::Made);
    for text in ["hourly", "cold"] {
        let table = lake::name::TableName::new("metrics", text).unwrap();
        assert!(metrics.lake.catalog.drop_table(&table).await.unwrap());
    }
    let status = async || metrics.status(at("2026-03-10T00:00:00Z")).await.unwrap();
    assert!(status().await.iter().all(|status| status.astray.is_some() && status.is_due));
    assert_eq!(metrics.due_verifications(&hourly, None).await.unwrap(), [month]);
    let told = metrics.verify(&cold, &hourly, month, Dumped::now()).await.unwrap().mismatches;
    assert!(told[0].starts_with("the catalog has no partition of it, and the ledger knows `s3://"), "{told:?}");
    assert_eq!(dumped.verify().await.outcome, Outcome::Failed);
    let due = metrics.due_dumps(&tier("warm"), &cold, None, Dumped::now()).await.unwrap();
    assert_eq!(due, [day("2026-02-01")]);
    assert_eq!(dumped.dump().await.outcome, Outcome::Made);
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
    assert_eq!(metrics.due_rollups(&cold, &hourly, None, RollupSource::Verified).await.unwrap(), [month]);
    let report = roll_up().await;
    assert_eq!((report.outcome, report.generation, report.figures.count), (Outcome::Made, 2, 80));
    assert_eq!(metrics.verify(&cold, &hourly, month, Dumped::now()).await.unwrap().outcome, Outcome::Made);
    assert!(status().await.iter().all(|status| !status.is_due));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_roll_up_is_made_again() {
    let dumped = Dumped::new().await;
    let metrics = &dumped.metrics;
    let (cold, hourly) = (tier("cold"), tier("hourly"));
    let month = Window::parse(PartitionUnit::Month, "2026-02").unwrap();
    let roll_up = async || {
        metrics.rollup(&cold, &hourly, month, RollupSource::Verified, &options(), Dumped::now()).await.unwrap()
    };
    let verify = async || metrics.verify(&cold, &hourly, month, Dumped::now()).await.unwrap();
    roll_up().await;
    assert_eq!(verify().await.outcome, Outcome::Made);
    let location = metrics.windows(&hourly, None).await.unwrap()[0].standing.clone().unwrap().files[0].location.clone();
    let file = metrics.lake.storage.file(&location).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x01;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(verify().await.outcome, Outcome::Failed);
    assert_eq!(metrics.due_verifications(&hourly, None).await.unwrap(), [month]);
    assert_eq!(metrics.due_rollups(&cold, &hourly, None, RollupSource::Verified).await.unwrap(), [month]);
    let report = roll_up().await;
    assert_eq!((report.outcome, report.generation), (Outcome::Made, 2));
    assert_eq!(verify().await.outcome, Outcome::Made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_up_of_an_older_window_is_due() {
    let dumped = Dumped::new().await;
    let metrics = &dumped.metrics;
    let (cold, hourly) = (tier("cold"), tier("hourly"));
    let month = Window::parse(PartitionUnit::Month, "2026-02").unwrap();
    let roll_up = async || {
        metrics.rollup(&cold, &hourly, month, RollupSource::Verified, &options(), Dumped::now()).await.unwrap()
    };
    let verify = async || metrics.verify(&cold, &hourly, month, Dumped::now()).await.unwrap();
    let status = async || {
        let all = metrics.status(at("2026-03-10T00:00:00Z")).await.unwrap();
        all.into_iter().map(|status| (status.is_stale, status.is_due)).collect::<Vec<_>>()
    };
    roll_up().await;
    assert_eq!(verify().await.outcome, Outcome::Made);
    assert_eq!(status().await, [(false, false), (false, false)]);
    dumped.write_late().await;
    dumped.dump().await;
    dumped.verify().await;
    assert_eq!(status().await, [(false, false), (true, true)]);
    assert_eq!(metrics.due_verifications(&hourly, None).await.unwrap(), [month]);
    assert_eq!(verify().await.outcome, Outcome::Late);
    assert_eq!(roll_up().await.outcome, Outcome::Made);
    assert_eq!(verify().await.outcome, Outcome::Made);
    assert_eq!(status().await, [(false, false), (false, false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_up_of_a_roll_up_of_an_older_window_is_due_at_once() {
    let dumped = Dumped::new().await;
    let metrics = &dumped.metrics;
    let (cold, hourly, daily) = (tier("cold"), tier("hourly"), tier("daily"));
    let month = Window::parse(PartitionUnit::Month, "2026-02").unwrap();
    let roll_up = async |from: &TierName, to: &TierName| {
        metrics.rollup(from, to, month, RollupSource::Verified, &options(), Dumped::now()).await.unwrap().outcome
    };
    let verify = async |from, to| metrics.verify(from, to, month, Dumped::now()).await.unwrap().outcome;
    for (from, to) in [(&cold, &hourly), (&hourly, &daily)] {
        assert_eq!(roll_up(from, to).await, Outcome::Made);
        assert_eq!(verify(from, to).await, Outcome::Made);
    }
    let status = async || {
        let all = metrics.status(at("2026-03-10T00:00:00Z")).await.unwrap();
        all.into_iter().map(|status| (status.is_stale, status.is_due)).collect::<Vec<_>>()
    };
    let due = async |from, to| metrics.due_rollups(from, to, None, RollupSource::Verified).await.unwrap();
    assert_eq!(status().await, [(false, false); 3]);
    assert!(due(&hourly, &daily).await.is_empty());
    dumped.write_late().await;
    dumped.dump().await;
    dumped.verify().await;
    // Hours are made of an older day, and days of those hours.
    assert_eq!(status().await, [(false, false), (true, true), (true, true)]);
    for (from, to) in [(&cold, &hourly), (&hourly, &daily)] {
        assert_eq!(due(from, to).await, [month], "{to}");
        assert_eq!(metrics.due_verifications(to, None).await.unwrap(), [month], "{to}");
        assert_eq!(verify(from, to).await, Outcome::Late, "{to}");
    }
    let first = "the window 2026-02 of `hourly` is made of older windows than stand now: roll it up again first";
    assert_eq!(roll_up(&hourly, &daily).await, Outcome::NotDue(first.to_owned()));
    for (from, to) in [(&cold, &hourly), (&hourly, &daily)] {
        assert_eq!(roll_up(from, to).await, Outcome::Made);
        assert_eq!(verify(from, to).await, Outcome::Made);
    }
    assert_eq!(status().await, [(false, false); 3]);
    assert!(due(&hourly, &daily).await.is_empty());
}
