//! Points that are gone before they were archived.

use super::dumped::Dumped;
use super::world::*;
use crate::ledger::Touch;
use crate::store::Selection;
use crate::*;

const NOW: &str = "2026-03-10T00:00:00Z";

fn dumped() -> (TierName, TierName, Window) {
    (tier("warm"), tier("cold"), day("2026-02-01"))
}

/// Takes all points out of a store past the tiers.
async fn empty(metrics: &Metrics) {
    use futures::TryStreamExt as _;
    let store = metrics.store(&tier("warm")).await.unwrap();
    let all: Vec<PointBatch> = store.scan(TimeRange::ALL, Selection::All).try_collect().await.unwrap();
    for batch in &all {
        store.delete_exact(batch).await.unwrap();
    }
}

fn point() -> PointBatch {
    batch(&[("a", &[(ms("2026-02-01T03:00:00Z"), 1.0)])])
}

/// A window with a point that is gone.
async fn lost(world: &World) -> Metrics {
    let metrics = world.open().await;
    metrics.write(&tier("warm"), &point(), at(NOW)).await.unwrap();
    empty(&metrics).await;
    metrics
}

fn request(on_gap: OnGap) -> ReadRequest {
    ReadRequest { names: vec![name("a")], range: day("2026-02-01").range(), step: None, aggregate: None, on_gap }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_whose_points_are_gone_is_not_archived_empty() {
    let world = World::new();
    let metrics = lost(&world).await;
    let (warm, cold, window) = dumped();
    // It is known to who reads it before any dump has looked.
    let refused = metrics.read(&request(OnGap::Fail), at(NOW)).await.unwrap_err();
    assert!(refused.message.contains("nor has it been archived: the window 2026-02-01"), "{refused}");
    for is_known in [false, true] {
        assert_eq!(metrics.due_dumps(&warm, &cold, None, at(NOW)).await.unwrap(), [window]);
        let report = metrics.dump(&warm, &cold, window, &options(), at(NOW)).await.unwrap();
        assert_eq!(
            (report.outcome, report.way_on, report.state),
            (Outcome::Failed, Some(WayOn::BringBack), WindowState::Open)
        );
        assert_eq!(report.is_known, is_known);
        let why = "points were written for it, and no store holds any of them: nothing of it is in `hot`, `warm`";
        assert_eq!(report.mismatches, [why]);
    }
    let refused = metrics.read(&request(OnGap::Fail), at(NOW)).await.unwrap_err();
    assert!(refused.message.contains("nor has it been archived: the window 2026-02-01"), "{refused}");
    let answer = metrics.read(&request(OnGap::Name), at(NOW)).await.unwrap();
    assert_eq!((answer.gaps.len(), answer.gaps[0].range), (1, window.range()));
    let status = metrics.status(at(NOW)).await.unwrap().remove(0);
    assert_eq!((status.fault, status.is_due, status.generation), (Some(Fault::Store), true, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_are_brought_back_are_archived_as_ever() {
    let world = World::new();
    let metrics = lost(&world).await;
    let (warm, cold, window) = dumped();
    assert_eq!(metrics.dump(&warm, &cold, window, &options(), at(NOW)).await.unwrap().outcome, Outcome::Failed);
    metrics.write(&warm, &point(), at(NOW)).await.unwrap();
    assert!(metrics.read(&request(OnGap::Fail), at(NOW)).await.unwrap().gaps.is_empty());
    let report = metrics.dump(&warm, &cold, window, &options(), at(NOW)).await.unwrap();
    assert_eq!((report.outcome, report.figures.count), (Outcome::Made, 1));
    assert_eq!(metrics.verify(&warm, &cold, window, at(NOW)).await.unwrap().outcome, Outcome::Made);
    assert_eq!(metrics.status(at(NOW)).await.unwrap().remove(0).fault, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_points_are_gone_can_be_accepted() {
    let world = World::new();
    let metrics = lost(&world).await;
    let (warm, cold, window) = dumped();
    let accept = MakeOptions { on_damage: OnDamage::Replace, ..options() };
    let report = metrics.dump(&warm, &cold, window, &accept, at(NOW)).await.unwrap();
    assert_eq!((report.outcome, report.figures.count), (Outcome::Made, 0));
    assert_eq!(report.given_up, ["all points that were written for it"]);
    assert_eq!(metrics.verify(&warm, &cold, window, at(NOW)).await.unwrap().outcome, Outcome::Made);
    assert!(metrics.read(&request(OnGap::Fail), at(NOW)).await.unwrap().gaps.is_empty());
}

/// A write whose process was stopped before it wrote.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_for_which_a_write_only_began_is_an_empty_one() {
    let world = World::new();
    let metrics = world.open().await;
    let (warm, cold, window) = dumped();
    metrics.ledger.touch(&cold, &[window], Touch::Before).await.unwrap();
    let report = metrics.dump(&warm, &cold, window, &options(), at(NOW)).await.unwrap();
    assert_eq!((report.outcome, report.figures.count), (Outcome::Made, 0));
}

/// A window that is archived, and out of its store.
async fn expired() -> Dumped {
    let dumped = Dumped::new().await;
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    dumped
}

#[tokio::test(flavor = "multi_thread")]
async fn late_points_of_an_archived_window_that_are_gone_are_told() {
    for is_expired in [true, false] {
        let dumped = if is_expired { expired().await } else { Dumped::new().await };
        dumped.write_late().await;
        empty(&dumped.metrics).await;
        let report = dumped.dump().await;
        assert_eq!((report.outcome, report.figures.count), (Outcome::Unchanged, 4_000));
        assert_eq!(report.given_up, [crate::lost::SINCE]);
        let again = dumped.dump().await;
        assert_eq!((again.outcome, again.given_up.len()), (Outcome::Unchanged, 0));
        // What is brought back is archived, and nothing is told of what came and went as it should.
        dumped.write_late().await;
        let report = dumped.dump().await;
        assert_eq!((report.outcome, report.figures.count, report.given_up.len()), (Outcome::Made, 4_001, 0));
        assert_eq!(dumped.verify().await.outcome, Outcome::Made);
        assert_eq!(dumped.expire().await.outcome, Outcome::Made);
        assert_eq!(dumped.dump().await.given_up.len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_of_a_slow_write_whose_points_are_archived_and_expired_before_it_ends() {
    let dumped = expired().await;
    let (cold, windows) = (tier("cold"), [day("2026-02-01")]);
    let ledger = &dumped.metrics.ledger;
    ledger.touch(&cold, &windows, Touch::Before).await.unwrap();
    let store = dumped.metrics.store(&tier("warm")).await.unwrap();
    let late = batch(&[("host00.cpu", &[(ms("2026-02-01T12:00:00Z"), 5.0)])]);
    store.write(&late, DuplicateRule::Last).await.unwrap();
    assert_eq!(dumped.dump().await.figures.count, 4_001);
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    ledger.touch(&cold, &windows, Touch::After).await.unwrap();
    assert_eq!(dumped.dump().await.given_up.len(), 0);
    // Nor of one that only began.
    ledger.touch(&cold, &windows, Touch::Before).await.unwrap();
    let report = dumped.dump().await;
    assert_eq!((report.outcome, report.given_up.len()), (Outcome::Unchanged, 0));
}
