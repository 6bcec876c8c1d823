//! Points of a store that another one is dumped past: nobody would look for them any more.

use std::sync::Arc;

use lake::ErrorKind;
use lake::crash::CrashPoints;

use super::world::*;
use crate::*;

const NOW: &str = "2026-02-10T00:00:00Z";

/// Opens some of the tiers over one lake.
async fn open(lake: &lake::Lake, names: &[&str]) -> Metrics {
    let opener =
        EmbeddedStores { folder: lake.settings.state_dir.join("metrics"), crash_points: CrashPoints::default() };
    let all = tiers(DuplicateRule::Last);
    let list = all.all().iter().filter(|tier| names.contains(&tier.name.as_str())).cloned().collect();
    let tiers = Tiers::new(list, DuplicateRule::Last, all.lateness_ms).unwrap();
    Metrics::open(lake, tiers, Arc::new(opener)).await.unwrap()
}

/// Writes a point of one window.
async fn write(metrics: &Metrics, to: &str, time: &str) {
    let point = batch(&[("a", &[(ms(time), 1.0)])]);
    metrics.write(&tier(to), &point, at(NOW)).await.unwrap();
}

/// Returns what a dump from a store, and each of its parts, is refused with.
async fn refusals(metrics: &Metrics, from: &str) -> Vec<lake::Error> {
    let (from, cold, window) = (tier(from), tier("cold"), day("2026-02-01"));
    vec![
        metrics.due_dumps(&from, &cold, None, at(NOW)).await.unwrap_err(),
        metrics.known_dumps(&from, &cold, None, at(NOW)).await.unwrap_err(),
        metrics.dump(&from, &cold, window, &options(), at(NOW)).await.unwrap_err(),
        metrics.verify(&from, &cold, window, at(NOW)).await.unwrap_err(),
        metrics.lacking_windows(&from, &cold).await.unwrap_err(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_passes_over_no_store() {
    let world = World::new();
    let metrics = world.open().await;
    write(&metrics, "warm", "2026-02-01T00:00:00Z").await;
    write(&metrics, "hot", "2026-02-01T01:00:00Z").await;
    for refused in refusals(&metrics, "hot").await {
        let message = "`warm` stands between `hot` and `cold`: what it holds of a window would be passed over";
        assert_eq!((refused.kind, refused.message.as_str()), (ErrorKind::InvalidInput, message));
    }
    assert_eq!(read_all(&metrics, &[name("a")]).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_leaves_out_a_store_archives_nothing() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let all = open(&lake, &["hot", "warm", "cold"]).await;
    write(&all, "warm", "2026-02-01T00:00:00Z").await;
    write(&all, "hot", "2026-02-01T01:00:00Z").await;
    for (names, from, left_out) in [(["hot", "cold"], "hot", "warm"), (["warm", "cold"], "warm", "hot")] {
        let some = open(&lake, &names).await;
        for refused in refusals(&some, from).await {
            let message = format!(
                "`{left_out}` of this project is a store of `cold`, too: expected it in the file of tiers, found `{from}` alone"
            );
            assert_eq!((refused.kind, refused.message), (ErrorKind::InvalidInput, message));
            assert!(refused.help.unwrap().ends_with(&format!("`suiro metrics accept-loss {left_out}`")));
        }
        // Nor does it answer as if it had all of them.
        let request = |on_gap| ReadRequest {
            names: vec![name("a")],
            range: day("2026-02-01").range(),
            step: None,
            aggregate: None,
            on_gap,
        };
        let refused = some.read(&request(OnGap::Fail), at(NOW)).await.unwrap_err();
        let help = format!(
            "an answer is made of the points of all stores: put `{left_out}` where it was in the file; where what it held is gone for \
             good, say so: `suiro metrics accept-loss {left_out}`"
        );
        assert_eq!((refused.kind, refused.help), (ErrorKind::InvalidInput, Some(help)));
        let answer = some.read(&request(OnGap::Name), at(NOW)).await.unwrap();
        assert_eq!((answer.gaps.len(), answer.gaps[0].range), (1, day("2026-02-01").range()));
        assert!(!answer.series[0].rows.is_empty());
        // Points come by it all the same.
        write(&some, from, "2026-02-01T02:00:00Z").await;
    }
    assert_eq!(read_all(&all, &[name("a")]).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_for_good_is_waited_for_no_more() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    write(&open(&lake, &["hot", "warm", "cold"]).await, "hot", "2026-02-01T00:00:00Z").await;
    let some = open(&lake, &["warm", "cold"]).await;
    write(&some, "warm", "2026-02-01T01:00:00Z").await;
    assert_eq!(some.accept_loss(&tier("hot")).await.unwrap(), AcceptedLoss::Store);
    let (warm, cold, window) = (tier("warm"), tier("cold"), day("2026-02-01"));
    let dumped = some.dump(&warm, &cold, window, &options(), at(NOW)).await.unwrap();
    assert_eq!((dumped.outcome, dumped.figures.count), (Outcome::Made, 1));
    assert_eq!(some.verify(&warm, &cold, window, at(NOW)).await.unwrap().outcome, Outcome::Made);
    // What was never a store of the archive is none that could be lost.
    for other in ["hot", "tepid"] {
        assert_eq!(some.accept_loss(&tier(other)).await.unwrap_err().kind, ErrorKind::NotFound);
    }
    // It is a store again as soon as a point comes into it.
    write(&open(&lake, &["hot", "warm", "cold"]).await, "hot", "2026-02-01T02:00:00Z").await;
    assert_eq!(some.due_dumps(&warm, &cold, None, at(NOW)).await.unwrap_err().kind, ErrorKind::InvalidInput);
}
