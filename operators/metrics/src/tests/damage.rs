//! Archived objects that are damaged: nothing is made of them, and no point goes that they stand for.

use super::dumped::Dumped;
use super::world::*;
use crate::*;

/// What is said of an object in which one value of `host07.cpu` was changed, after the bytes.
const CHANGED: &str = "1 of the 256 sums of the objects differ from the ledger's: the series `host07.cpu` has changed";

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_object_does_not_come_into_the_next_version() {
    let names: Vec<SeriesName> = (0..40).map(|number| name(&format!("host{number:02}.cpu"))).collect();
    let mut outcomes = Vec::new();
    // In the middle are the values.
    for part in 4..8 {
        let dumped = Dumped::new().await;
        let mut expected = read_all(&dumped.metrics, &names).await;
        let (location, file) = dumped.object().await;
        let mut bytes = std::fs::read(&file).unwrap();
        let place = part * bytes.len() / 16;
        bytes[place] ^= 0x04;
        std::fs::write(&file, &bytes).unwrap();
        // With two late points of one series nothing proves that the store has all others of it.
        for time in ["2026-02-01T12:00:00Z", "2026-02-01T13:00:00Z"] {
            dumped.write_late_at(time).await;
            expected.insert(("host00.cpu".to_owned(), ms(time)), 5.0_f64.to_bits());
        }
        let report = dumped.dump().await;
        if report.outcome == Outcome::Failed {
            let other = format!("the object `{location}` has other bytes than were written: their hash is ");
            assert!(report.mismatches[0].starts_with(&other), "byte {place}: {:?}", report.mismatches);
            assert_eq!(report.generation, 1, "byte {place}");
        } else {
            // Where that series can be read, the others come from the store.
            assert_eq!(read_all(&dumped.metrics, &names).await, expected, "byte {place}");
            assert_eq!(dumped.verify().await.outcome, Outcome::Made, "byte {place}");
        }
        outcomes.push(report.outcome);
    }
    assert!(outcomes.contains(&Outcome::Failed), "{outcomes:?}");
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

    let report = dumped.roll_up("cold", "hourly").await;
    assert_eq!((report.tier, report.window, report.outcome), (tier("cold"), day("2026-02-01"), Outcome::Failed));
    assert_eq!(report.mismatches[2], CHANGED);
    let made = dumped.metrics.windows(&tier("hourly"), None).await.unwrap();
    assert!(made.iter().all(|row| row.standing.is_none()));

    // All others are whole in it, and the store has this one.
    dumped.write_late().await;
    let report = dumped.dump().await;
    assert_eq!((report.outcome, report.figures.count), (Outcome::Made, 4_001));
    assert!(report.given_up.is_empty(), "{:?}", report.given_up);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_verification_is_kept_until_the_window_holds_again() {
    let dumped = Dumped::new().await;
    let (_, file) = dumped.object().await;
    let whole = std::fs::read(&file).unwrap();
    let metrics = &dumped.metrics;
    assert!(dumped.due_verifications("cold").await.is_empty());
    std::fs::write(&file, &whole[1..]).unwrap();
    assert_eq!(dumped.verify().await.outcome, Outcome::Failed);
    // It waits for its verification, and for nothing else.
    assert_eq!(dumped.due_verifications("cold").await, [day("2026-02-01")]);
    assert!(metrics.due_expiries(&tier("warm"), None, 0, Dumped::now()).await.unwrap().is_empty());
    let why = "it was not as it should be when it was verified last".to_owned();
    assert_eq!(dumped.expire().await.outcome, Outcome::NotDue(why));
    let status = &metrics.status(Dumped::now()).await.unwrap()[0];
    assert_eq!((status.state, status.fault, status.is_due), (WindowState::Verified, Some(Fault::Objects), true));
    // Made without it, a roll-up would pass for whole: it is tried, and names what is damaged, each time.
    assert_eq!(dumped.due_roll_ups("cold", "hourly").await, [Dumped::month()]);
    for _ in 0..2 {
        let report = dumped.roll_up("cold", "hourly").await;
        assert_eq!((report.tier, report.outcome), (tier("cold"), Outcome::Failed));
    }
    // Somebody puts the object back.
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(dumped.dump().await.outcome, Outcome::Unchanged);
    assert_eq!(dumped.verify().await.outcome, Outcome::Unchanged);
    assert!(dumped.due_verifications("cold").await.is_empty());
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
    assert_eq!(dumped.due_verifications("cold").await, [day("2026-02-01")]);
    // Nothing has its points any more: only who asks for it is told so.
    let due =
        async |window| dumped.metrics.due_dumps(&tier("warm"), &tier("cold"), window, Dumped::now()).await.unwrap();
    assert!(due(None).await.is_empty());
    assert_eq!(due(Some(day("2026-02-01").range())).await, [day("2026-02-01")]);
    let report = dumped.dump().await;
    assert_eq!((&report.outcome, report.generation), (&Outcome::Failed, 1));
    assert_eq!(report.mismatches[0], missing[0]);
    let expected = "it is not written again: the store and what can be read of the objects hold 0 points of 0 series with the \
                    checksum 0, and 4000 of 40 with ";
    assert!(report.mismatches[1].starts_with(expected), "{:?}", report.mismatches);
    let all = format!(
        "4000 points of which not even the series can be read, but for those that the store has: of the series `host00.cpu` to \
         `host39.cpu` in `{location}`"
    );
    assert_eq!(report.mismatches[2..], [format!("gone are {all}")]);
    // Nothing is left, and whoever says that this is all has a window that is whole.
    let replaced = dumped.dump_again().await;
    assert_eq!((replaced.outcome, replaced.generation, replaced.figures.count), (Outcome::Made, 3, 0));
    assert_eq!(replaced.given_up, [all]);
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    assert!(due(None).await.is_empty());
    // What comes then is archived as ever.
    dumped.write_late().await;
    assert_eq!(dumped.dump().await.figures.count, 1);
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
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
async fn a_late_point_does_not_hide_that_the_store_has_all_others() {
    let dumped = Dumped::new().await;
    let (_, file) = dumped.object().await;
    std::fs::remove_file(&file).unwrap();
    dumped.write_late().await;
    let report = dumped.dump().await;
    assert_eq!((&report.outcome, report.figures.count, report.given_up.len()), (&Outcome::Made, 4_001, 0));
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_does_not_hold_is_given_up_only_when_that_is_asked_for() {
    let dumped = Dumped::new().await;
    let (_, file) = dumped.object().await;
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 100]).unwrap();
    dumped.write_late().await;
    dumped.write_late_at("2026-02-01T13:00:00Z").await;
    // With two late points of one series nothing proves that all others of it are there.
    let report = dumped.dump().await;
    assert_eq!((&report.outcome, report.generation), (&Outcome::Failed, 1));
    let expected =
        "it is not written again: the store and what can be read of the objects hold 4002 points of 40 series";
    assert!(report.mismatches[1].starts_with(expected), "{:?}", report.mismatches);
    let report = dumped.dump_again().await;
    // Two generations were given up.
    assert_eq!((&report.outcome, report.generation, report.figures.count), (&Outcome::Made, 4, 4_002));
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_whose_partition_was_dropped_is_written_again() {
    let dumped = Dumped::new().await;
    let metrics = &dumped.metrics;
    assert_eq!(dumped.roll_up("cold", "hourly").await.outcome, Outcome::Made);
    assert_eq!(dumped.verify_roll_up("cold", "hourly").await.outcome, Outcome::Made);
    for text in ["hourly", "cold"] {
        let table = lake::name::TableName::new("metrics", text).unwrap();
        assert!(metrics.lake.catalog.drop_table(&table).await.unwrap());
    }
    let status = async || metrics.status(at("2026-03-10T00:00:00Z")).await.unwrap();
    assert!(status().await.iter().all(|status| status.astray.is_some() && status.is_due));
    assert_eq!(dumped.due_verifications("hourly").await, [Dumped::month()]);
    let told = dumped.verify_roll_up("cold", "hourly").await.mismatches;
    assert!(told[0].starts_with("the catalog has no partition of it, and the ledger knows `s3://"), "{told:?}");
    assert_eq!(dumped.verify().await.outcome, Outcome::Failed);
    let due = metrics.due_dumps(&tier("warm"), &tier("cold"), None, Dumped::now()).await.unwrap();
    assert_eq!(due, [day("2026-02-01")]);
    assert_eq!(dumped.dump().await.outcome, Outcome::Made);
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
    assert_eq!(dumped.due_roll_ups("cold", "hourly").await, [Dumped::month()]);
    let report = dumped.roll_up("cold", "hourly").await;
    assert_eq!((report.outcome, report.generation, report.figures.count), (Outcome::Made, 2, 80));
    assert_eq!(dumped.verify_roll_up("cold", "hourly").await.outcome, Outcome::Made);
    assert!(status().await.iter().all(|status| !status.is_due));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_roll_up_is_made_again() {
    let dumped = Dumped::new().await;
    let metrics = &dumped.metrics;
    dumped.roll_up("cold", "hourly").await;
    assert_eq!(dumped.verify_roll_up("cold", "hourly").await.outcome, Outcome::Made);
    let rows = metrics.windows(&tier("hourly"), None).await.unwrap();
    let file = metrics.lake.storage.file(&rows[0].standing.clone().unwrap().files[0].location).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x01;
    std::fs::write(&file, bytes).unwrap();
    let failed = dumped.verify_roll_up("cold", "hourly").await;
    assert_eq!((failed.outcome, failed.way_on), (Outcome::Failed, Some(WayOn::RollUpAgain)));
    assert_eq!(dumped.due_verifications("hourly").await, [Dumped::month()]);
    assert_eq!(dumped.due_roll_ups("cold", "hourly").await, [Dumped::month()]);
    let report = dumped.roll_up("cold", "hourly").await;
    assert_eq!((report.outcome, report.generation), (Outcome::Made, 2));
    assert_eq!(dumped.verify_roll_up("cold", "hourly").await.outcome, Outcome::Made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_up_of_an_older_window_is_due() {
    let dumped = Dumped::new().await;
    dumped.roll_up("cold", "hourly").await;
    assert_eq!(dumped.verify_roll_up("cold", "hourly").await.outcome, Outcome::Made);
    assert_eq!(dumped.stale_and_due().await, [(false, false); 2]);
    dumped.write_late().await;
    dumped.dump().await;
    dumped.verify().await;
    assert_eq!(dumped.stale_and_due().await, [(false, false), (true, true)]);
    assert_eq!(dumped.due_verifications("hourly").await, [Dumped::month()]);
    assert_eq!(dumped.verify_roll_up("cold", "hourly").await.outcome, Outcome::Late);
    assert_eq!(dumped.roll_up("cold", "hourly").await.outcome, Outcome::Made);
    assert_eq!(dumped.verify_roll_up("cold", "hourly").await.outcome, Outcome::Made);
    assert_eq!(dumped.stale_and_due().await, [(false, false); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_up_of_a_roll_up_of_an_older_window_is_due_at_once() {
    const LINKS: [(&str, &str); 2] = [("cold", "hourly"), ("hourly", "daily")];
    let dumped = Dumped::new().await;
    let make_all = async || {
        for (from, to) in LINKS {
            assert_eq!(dumped.roll_up(from, to).await.outcome, Outcome::Made);
            assert_eq!(dumped.verify_roll_up(from, to).await.outcome, Outcome::Made);
        }
    };
    make_all().await;
    assert_eq!(dumped.stale_and_due().await, [(false, false); 3]);
    assert!(dumped.due_roll_ups("hourly", "daily").await.is_empty());
    dumped.write_late().await;
    dumped.dump().await;
    dumped.verify().await;
    // Hours are made of an older day, and days of those hours.
    assert_eq!(dumped.stale_and_due().await, [(false, false), (true, true), (true, true)]);
    for (from, to) in LINKS {
        assert_eq!(dumped.due_roll_ups(from, to).await, [Dumped::month()], "{to}");
        assert_eq!(dumped.due_verifications(to).await, [Dumped::month()], "{to}");
        assert_eq!(dumped.verify_roll_up(from, to).await.outcome, Outcome::Late, "{to}");
    }
    let first = "the window 2026-02 of `hourly` is made of older windows than stand now: roll it up again first";
    assert_eq!(dumped.roll_up("hourly", "daily").await.outcome, Outcome::NotDue(first.to_owned()));
    make_all().await;
    assert_eq!(dumped.stale_and_due().await, [(false, false); 3]);
    assert!(dumped.due_roll_ups("hourly", "daily").await.is_empty());
}
