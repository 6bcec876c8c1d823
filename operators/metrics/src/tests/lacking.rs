//! A store that loses points after they were dumped and verified.

use super::dumped::Dumped;
use super::world::*;
use crate::*;

async fn lacking(dumped: &Dumped) -> Vec<Window> {
    dumped.metrics.lacking_windows(&tier("warm"), &tier("cold")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_a_store_has_lost_are_found_without_a_word_and_there_is_a_way_on() {
    let dumped = Dumped::new().await;
    let metrics = &dumped.metrics;
    let (warm, cold) = (tier("warm"), tier("cold"));
    assert!(lacking(&dumped).await.is_empty());
    // Points of windows that are open do not stand for those that are lost.
    let open = batch(&[("host00.cpu", &[(ms("2026-02-05T12:00:00Z"), 5.0)])]);
    metrics.write(&warm, &open, Dumped::now()).await.unwrap();
    assert!(lacking(&dumped).await.is_empty());
    let gone = batch(&[("host07.cpu", &[(ms("2026-02-01T00:10:00Z"), 3.7)])]);
    let store = metrics.store(&warm).await.unwrap();
    assert_eq!(store.delete_exact(&gone).await.unwrap(), 1);
    assert!(metrics.due_verifications(&cold, None).await.unwrap().is_empty());
    assert_eq!(lacking(&dumped).await, [day("2026-02-01")]);
    let lost = [
        "the store holds 3999 of the 4000 points of the window that were dumped",
        "the series `host07.cpu` lacks 1 of its 100 archived points in the store",
    ];
    for is_known in [false, true] {
        let report = dumped.verify().await;
        assert_eq!((report.outcome, report.way_on), (Outcome::Failed, Some(WayOn::DumpFromStore)));
        assert_eq!((report.is_known, report.mismatches), (is_known, lost.map(str::to_owned).to_vec()));
    }
    // It is due for its verification by that from now on.
    assert!(lacking(&dumped).await.is_empty());
    assert_eq!(metrics.due_verifications(&cold, None).await.unwrap(), [day("2026-02-01")]);
    // Nothing hides it that was not asked to.
    let due = async |window| metrics.due_dumps(&warm, &cold, window, Dumped::now()).await.unwrap();
    assert_eq!(due(None).await, [day("2026-02-05")]);
    assert_eq!(due(Some(day("2026-02-01").range())).await, [day("2026-02-01")]);
    let report = dumped.dump().await;
    assert_eq!((report.outcome, report.generation, report.figures.count), (Outcome::Unchanged, 1, 4_000));
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
    assert!(lacking(&dumped).await.is_empty());
    assert_eq!(dumped.expire().await.outcome, Outcome::Made);
    assert_eq!(read_all(metrics, &[name("host07.cpu")]).await.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_are_brought_back_mend_a_store_that_has_lost_them() {
    let dumped = Dumped::new().await;
    let store = dumped.metrics.store(&tier("warm")).await.unwrap();
    let gone = batch(&[("host07.cpu", &[(ms("2026-02-01T00:10:00Z"), 3.7)])]);
    assert_eq!(store.delete_exact(&gone).await.unwrap(), 1);
    assert_eq!(dumped.verify().await.outcome, Outcome::Failed);
    dumped.metrics.write(&tier("warm"), &gone, Dumped::now()).await.unwrap();
    assert_eq!(dumped.dump().await.outcome, Outcome::Unchanged);
    assert_eq!(dumped.verify().await.outcome, Outcome::Made);
}

/// While a window is expired its store holds fewer and fewer points.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_being_expired_lacks_nothing() {
    let dumped = Dumped::new().await;
    let row = dumped.metrics.windows(&tier("cold"), None).await.unwrap().remove(0);
    assert!(dumped.metrics.ledger.begin_expiry(&tier("cold"), &row).await.unwrap());
    let store = dumped.metrics.store(&tier("warm")).await.unwrap();
    let gone = batch(&[("host07.cpu", &[(ms("2026-02-01T00:10:00Z"), 3.7)])]);
    assert_eq!(store.delete_exact(&gone).await.unwrap(), 1);
    assert!(lacking(&dumped).await.is_empty());
}
