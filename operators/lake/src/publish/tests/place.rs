//! Publishing at a place that others may write to as well.

use super::*;
use crate::storage::Put;

async fn put(lake: &Lake, location: &str) {
    let location = Location::parse(location).unwrap();
    lake.storage.put(&location, Bytes::from_static(b"foreign"), Put::Create).await.unwrap();
}

fn in_place(sql: &str) -> PublishRequest {
    let mut request = request("d", sql);
    request.options.mode = PublishMode::InPlace;
    request
}

fn data_only(sql: &str, keys: &[&str]) -> PublishRequest {
    let partitioned_by = keys.iter().map(|key| (*key).to_owned()).collect();
    let mut request = PublishRequest {
        target: Target::Table { table: TableName::new("nowhere", "made").unwrap(), partitioned_by },
        database: None,
        ..request("x", sql)
    };
    request.options.register = false;
    request.options.create_table = true;
    request.options.location = Some(Location::parse("s3://out/numbers").unwrap());
    request
}

async fn names(lake: &Lake, place: &str) -> Vec<String> {
    let place = Location::parse(place).unwrap();
    let objects = lake.storage.list_data(&place).await.unwrap();
    objects.iter().map(|object| object.location.key()[place.key().len()..].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_objects_are_named_and_never_deleted() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let place = "s3://b/web/daily/dt=d/";
    put(&lake, &format!("{place}theirs.parquet")).await;
    let error = publish(&lake, &in_place(ONE)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert_eq!(
        error.message,
        "expected no objects but our own below `s3://b/web/daily/dt=d/`, found `theirs.parquet`: suiro did not write them and \
         will not delete them, move them or publish elsewhere"
    );
    assert_eq!(world.files().len(), 1, "nothing was written: {:?}", world.files());

    lake.storage.delete(&[Location::parse(&format!("{place}theirs.parquet")).unwrap()]).await.unwrap();
    publish(&lake, &in_place(ONE)).await.unwrap();
    let location = Location::parse(place).unwrap();
    assert!(lake.storage.owns(&location).await.unwrap());

    // One that comes later is foreign all the same: before the query runs, and at the last moment.
    world.tick();
    let Step::Next(planned) = lake.plan_publish(&in_place(TWO)).await.unwrap() else { panic!("it proceeds") };
    put(&lake, &format!("{place}late.parquet")).await;
    let error = go_on(&lake, &in_place(TWO), &Mutex::new(Some(planned))).await.unwrap_err();
    assert!(error.message.contains("found `late.parquet`"), "{error}");
    assert!(publish(&lake, &in_place(TWO)).await.unwrap_err().message.contains("found `late.parquet`"));
    assert!(!lake.storage.owns(&location).await.unwrap(), "nor is the place deleted as a whole");
    let found = names(&lake, place).await;
    assert_eq!((found.len(), found.contains(&"late.parquet".to_owned())), (2, true), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_without_a_table_go_to_their_place() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let sql = "SELECT * FROM (VALUES (1, 5), (2, 6)) AS t (a, b)";
    let outcome = publish(&lake, &data_only(sql, &["b"])).await.unwrap();
    assert_eq!(outcome.location.unwrap().to_string(), "s3://out/numbers/");
    let first = names(&lake, "s3://out/numbers/").await;
    assert_eq!(first.iter().map(|name| name.split('/').next().unwrap()).collect::<Vec<_>>(), ["b=5", "b=6"]);
    assert!(lake.catalog.database("nowhere").await.unwrap().is_none(), "the catalog was not told");

    world.tick();
    let mut next = data_only("SELECT 3 AS a, 7 AS b", &["b"]);
    next.options.save_mode = SaveMode::SkipIfExists;
    assert_eq!(publish(&lake, &next).await.unwrap().result, PublishResult::Skipped);
    next.options.save_mode = SaveMode::ErrorIfExists;
    assert_eq!(publish(&lake, &next).await.unwrap_err().kind, ErrorKind::AlreadyExists);
    next.options.save_mode = SaveMode::Overwrite;
    publish(&lake, &next).await.unwrap();
    let second = names(&lake, "s3://out/numbers/").await;
    assert_eq!(second.iter().map(|name| name.split('/').next().unwrap()).collect::<Vec<_>>(), ["b=7"]);
    // One object, and the marker of its place.
    assert_eq!(world.files().len(), 2, "{:?}", world.files());

    put(&lake, "s3://out/numbers/b=5/theirs.parquet").await;
    assert_eq!(publish(&lake, &next).await.unwrap_err().kind, ErrorKind::InvalidInput);
    next.options.location = None;
    assert_eq!(
        publish(&lake, &next).await.unwrap_err().message,
        "objects without a table need a `location`: nothing else names them"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_point_of_objects_without_a_table_ends_well() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    publish(&lake, &data_only(ONE, &[])).await.unwrap();
    for stop_at in 0.. {
        world.tick();
        let sql = format!("SELECT {stop_at} AS a");
        let passed = Arc::new(AtomicUsize::new(0));
        let hook = {
            let passed = Arc::clone(&passed);
            move |name: &str| name.contains(" lake: ") || passed.fetch_add(1, Ordering::SeqCst) != stop_at
        };
        let kept = Mutex::new(None);
        let stopped = go_on(&world.open(CrashPoints::new(Arc::new(hook))).await, &data_only(&sql, &[]), &kept).await;
        if stopped.is_ok() {
            assert!(stop_at >= 12, "{stop_at}");
            break;
        }
        let lake = world.open(CrashPoints::default()).await;
        go_on(&lake, &data_only(&sql, &[]), &kept).await.unwrap();
        assert_eq!(names(&lake, "s3://out/numbers/").await.len(), 1, "stopped at {stop_at}");
        world.clock.advance(Duration::from_hours(72));
        lake.collect().await.unwrap();
        // One object, and the marker of its place.
        assert_eq!(world.files().len(), 2, "stopped at {stop_at}: {:?}", world.files());
    }
}
