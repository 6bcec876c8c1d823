//! Markers of version roots that hold nothing any more.

use super::*;
use crate::storage::{MARKER, Put};

const ROOT: &str = "s3://b/web/daily--versions/";

fn root() -> Location {
    Location::parse(ROOT).unwrap()
}

/// Drops the only partition, with its version.
async fn drop_all(lake: &Lake) {
    let values = ["d".to_owned()];
    let partition = lake.catalog.partition(&daily(), &values).await.unwrap().unwrap();
    lake.versions.retire(&partition.location, Duration::ZERO).await.unwrap();
    lake.catalog.drop_partition(&daily(), &values).await.unwrap();
}

async fn is_marked(lake: &Lake) -> bool {
    lake.storage.marker(&root()).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_marker_of_a_root_goes_after_its_last_version() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    publish(&lake, &request("d", ONE)).await.unwrap();
    lake.collect().await.unwrap();
    assert!(is_marked(&lake).await, "a version is below it");
    drop_all(&lake).await;
    lake.collect().await.unwrap();
    assert!(world.files().is_empty(), "{:?}", world.files());
    assert!(!world.folder.path().join("warehouse/s3/b/web/daily--versions").try_exists().unwrap());
    // Whoever publishes there again makes its own.
    world.tick();
    publish(&lake, &request("d", TWO)).await.unwrap();
    assert!(is_marked(&lake).await);
    drop_all(&lake).await;
    lake.collect().await.unwrap();
    assert!(world.files().is_empty(), "{:?}", world.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_with_anything_else_below_keeps_its_marker() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    publish(&lake, &request("d", ONE)).await.unwrap();
    let theirs = root().join("notes/theirs.txt").unwrap();
    lake.storage.put(&theirs, Bytes::from_static(b"theirs"), Put::Create).await.unwrap();
    drop_all(&lake).await;
    lake.collect().await.unwrap();
    let left: Vec<String> =
        lake.storage.list(&root()).await.unwrap().into_iter().map(|object| object.location.to_string()).collect();
    assert_eq!(left, [format!("{ROOT}{MARKER}"), format!("{ROOT}notes/theirs.txt")]);
    publish(&lake, &request("d", TWO)).await.unwrap();
    assert_eq!(shown(&lake, "SELECT k, n FROM web.daily").await, ["b|2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_a_root_is_gone_on_from_or_published_over() {
    for stops_before in [true, false] {
        for publishes_next in [true, false] {
            let world = World::new().await;
            let lake = world.open(CrashPoints::default()).await;
            publish(&lake, &request("d", ONE)).await.unwrap();
            drop_all(&lake).await;
            let moment = if stops_before { "before" } else { "after" };
            let hook = move |name: &str| !(name.contains("collect: forget a root") && name.contains(moment));
            world.open(CrashPoints::new(Arc::new(hook))).await.collect().await.unwrap_err();
            assert_eq!(is_marked(&lake).await, stops_before);
            if publishes_next {
                world.tick();
                publish(&lake, &request("d", TWO)).await.unwrap();
                lake.collect().await.unwrap();
                assert!(is_marked(&lake).await);
                assert_eq!(shown(&lake, "SELECT k, n FROM web.daily").await, ["b|2"]);
            } else {
                lake.collect().await.unwrap();
                assert!(world.files().is_empty(), "{:?}", world.files());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_begun_meanwhile_has_a_marked_root() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    publish(&lake, &request("d", ONE)).await.unwrap();
    drop_all(&lake).await;
    let hook = |name: &str| !name.contains("collect: forget a root");
    world.open(CrashPoints::new(Arc::new(hook))).await.collect().await.unwrap_err();
    // Another process with connections of its own begins a version at the moment when the marker goes.
    let other = world.open(CrashPoints::default()).await;
    let prefix = root().join("0123456789abcdef/20260102T030405Z-0123456789ab-g1/").unwrap();
    let begun = Mutex::new(None);
    let clear = async {
        let prefix = prefix.clone();
        let begin = async move { other.begin_version(&root(), &prefix, &daily(), Some(&["e".to_owned()])).await };
        let begin = tokio::spawn(begin);
        lake.storage.remove_empty_root(&root()).await?;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!begin.is_finished(), "the ledger is held until the root is forgotten");
        *begun.lock().unwrap() = Some(begin);
        Ok(())
    };
    lake.versions.forget_root(&root(), clear).await.unwrap();
    let begin = begun.lock().unwrap().take().unwrap();
    begin.await.unwrap().unwrap();
    assert!(is_marked(&lake).await);
    assert!(lake.storage.owns(&prefix).await.unwrap());
    // The next collection sees the version.
    lake.collect().await.unwrap();
    assert!(is_marked(&lake).await);
}
