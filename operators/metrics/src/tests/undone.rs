//! Windows whose partition was undone, and tasks that do not ask for them: an error once, and everything else goes on.

use lake::name::TableName;
use lake::publish::Direction;

use super::drop::{NOW, archive, expire, give_up, points, roll_up};
use super::world::*;
use crate::*;

/// Points the partition of a window to the version before.
pub(super) async fn undo(metrics: &Metrics, table: &str, step: &str, label: &str) {
    let table = TableName::new("metrics", table).unwrap();
    let values = [step.to_owned(), label.to_owned()];
    let undone = metrics.lake.undo_partition(&table, &values, Direction::Undo).await.unwrap();
    assert!(undone.from.is_some());
}

/// Two versions of a day and of its month.
async fn two_versions(world: &World) -> Metrics {
    let metrics = world.open().await;
    metrics.write(&tier("warm"), &points(), at(NOW)).await.unwrap();
    archive(&metrics).await.unwrap();
    roll_up(&metrics).await.unwrap();
    another(&metrics, "2026-02-01T05:00:00Z").await;
    metrics
}

async fn another(metrics: &Metrics, time: &str) {
    metrics.write(&tier("warm"), &batch(&[("a", &[(ms(time), 3.0)])]), at(NOW)).await.unwrap();
    archive(metrics).await.unwrap();
    roll_up(metrics).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undone_roll_up_is_told_once_and_the_coarser_ones_go_on() {
    let world = World::new();
    let metrics = two_versions(&world).await;
    undo(&metrics, "hourly", "1h", "2026-02").await;
    metrics.write(&tier("warm"), &batch(&[("a", &[(ms("2026-02-05T00:00:00Z"), 3.0)])]), at(NOW)).await.unwrap();
    archive(&metrics).await.unwrap();
    let (cold, hourly, daily) = (tier("cold"), tier("hourly"), tier("daily"));
    let month = Window::parse(PartitionUnit::Month, "2026-02").unwrap();
    let source = RollupSource::Archived;
    for is_known in [false, true] {
        let due = metrics.due_rollups(&cold, &hourly, None, source).await.unwrap();
        assert_eq!(due, [month]);
        let report = metrics.rollup(&cold, &hourly, month, source, &options(), at(NOW)).await.unwrap();
        assert_eq!((report.outcome, report.is_known), (Outcome::Failed, is_known));
        assert_eq!(report.way_on, Some(WayOn::RedoOrRollUp));
        assert!(report.mismatches[0].starts_with("the catalog points to"), "{:?}", report.mismatches);
        // Other months are rolled up, and what is made of this one stays.
        for window in metrics.due_rollups(&hourly, &daily, None, source).await.unwrap() {
            let report = metrics.rollup(&hourly, &daily, window, source, &options(), at(NOW)).await.unwrap();
            assert!(matches!(report.outcome, Outcome::NotDue(_)), "{report:?}");
        }
    }
    another(&metrics, "2026-01-05T00:00:00Z").await;
    assert!(metrics.windows(&daily, None).await.unwrap().iter().any(|row| row.window.label() == "2026-01"));
    expire(&metrics).await.unwrap();
    assert_eq!(stored(&metrics, "warm").await, 0);
    give_up(&metrics, "hourly").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undone_window_is_not_expired_and_that_is_no_conflict() {
    let world = World::new();
    let metrics = two_versions(&world).await;
    undo(&metrics, "cold", "1m", "2026-02-01").await;
    let (warm, window) = (tier("warm"), day("2026-02-01"));
    assert_eq!(metrics.due_expiries(&warm, None, 0, at(NOW)).await.unwrap().len(), 2);
    let report = metrics.expire(&warm, window, 0, at(NOW)).await.unwrap();
    assert_eq!((report.outcome, report.way_on), (Outcome::Failed, Some(WayOn::RedoOrDump)));
    assert_eq!(metrics.due_expiries(&warm, None, 0, at(NOW)).await.unwrap(), [day("2026-02-02")]);
    let report = metrics.drop_window(&tier("cold"), window, 0, at(NOW)).await.unwrap();
    assert_eq!((report.outcome, report.is_known), (Outcome::Failed, true));
    assert_eq!(stored(&metrics, "warm").await, 5);
}
