//! Whole tables with partitions.

use super::*;
use crate::publish::record::Record;

fn keyed(sql: &str, keys: &[&str]) -> PublishRequest {
    let partitioned_by = keys.iter().map(|key| (*key).to_owned()).collect();
    PublishRequest {
        target: Target::Table { table: TableName::new("web", "made").unwrap(), partitioned_by },
        ..request("x", sql)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_point_of_a_partitioned_table_changes_nothing_in_the_end() {
    let make = |sql: &str| {
        let sql = sql.trim_end_matches(';');
        keyed(
            &format!("SELECT n, k, 'x' AS p FROM ({sql}) AS q UNION ALL SELECT n + 1, k, 'y' FROM ({sql}) AS r"),
            &["k", "p"],
        )
    };
    // Two objects, the marker of the version and that of the root.
    let points = Box::pin(stop_everywhere(&make, true, 4)).await;
    assert!(points.len() >= 12, "{points:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_columns_become_partitions() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let sql = "SELECT * FROM (VALUES (1, DATE '2026-01-02', 'x y:z'), (2, NULL, 'b'), (3, DATE '2026-01-02', 'x y:z')) AS t (A, Day, c)";
    let mut request = keyed(sql, &["day", "C"]);
    let check = "SELECT a FROM new_version WHERE day IS NULL AND a <> 2";
    request.options.checks = vec![Check { name: "null.sql".to_owned(), sql: check.to_owned() }];
    let outcome = publish(&lake, &request).await.unwrap();
    let location = outcome.location.unwrap();
    assert_eq!((outcome.stats.rows, outcome.stats.objects.len()), (3, 2));
    assert_eq!(
        shown(&lake, "SELECT a, day, c FROM web.made ORDER BY a").await,
        ["1|2026-01-02|x y:z", "2|NULL|b", "3|2026-01-02|x y:z"]
    );
    assert_eq!(shown(&lake, "SELECT a FROM web.made WHERE day = DATE '2026-01-02' AND a > 1").await, ["3"]);
    let name = request.target.table();
    let table = lake.catalog.table(name).await.unwrap().unwrap();
    assert_eq!(table.location.as_ref(), Some(&location));
    assert_eq!(table.columns, [Column::new("a", "int")]);
    assert_eq!(table.partition_keys, [Column::new("day", "date"), Column::new("c", "varchar(5)")]);
    let partitions = lake.catalog.partitions(name).await.unwrap();
    let below = |partition: &crate::catalog::Partition| partition.location.key()[location.key().len()..].to_owned();
    assert_eq!(
        partitions.iter().map(below).collect::<Vec<_>>(),
        ["day=2026-01-02/c=x y%3Az/", "day=__HIVE_DEFAULT_PARTITION__/c=b/"]
    );
    let record = Record::read(&partitions[0].parameters).unwrap().unwrap();
    assert_eq!((record.rows, &record.version), (2, &partitions[0].location));
}

/// More than 500 are taken for 500.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_writes_as_many_partitions_as_the_settings_say() {
    let world = World::new().await;
    let settings = LakeSettings { max_partitions: 550, ..world.settings(world.folder.path(), CrashPoints::default()) };
    let lake = Lake::open(settings).await.unwrap();
    let sql = "SELECT x AS n, x AS k, x % 2 AS l FROM UNNEST(sequence(1, 560)) AS t (x)";
    let outcome = publish(&lake, &keyed(sql, &["k", "l"])).await.unwrap();
    assert_eq!((outcome.stats.rows, outcome.stats.objects.len()), (560, 560));
    let batch_of = |object: &crate::query::WrittenObject| {
        object.location.key().split('/').find(|part| part.starts_with("batch-")).map(str::to_owned)
    };
    let batches: BTreeSet<String> = outcome.stats.objects.iter().filter_map(batch_of).collect();
    assert_eq!(batches.into_iter().collect::<Vec<_>>(), ["batch-00001", "batch-00002"]);
    let read = "SELECT count(*), count(DISTINCT k), sum(n) FROM web.made WHERE k = n AND l = n % 2";
    assert_eq!(shown(&lake, read).await, ["560|560|157080"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partitioned_table_is_replaced_with_all_that_it_had() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let name = TableName::new("web", "made").unwrap();
    publish(&lake, &keyed("SELECT 1 AS a, 'p' AS k", &["k"])).await.unwrap();
    // A partition that is published by itself goes with the table, and is collected with it.
    world.tick();
    let values = IndexMap::from([("k".to_owned(), "p".to_owned())]);
    let target = Target::Partition { table: name.clone(), values };
    publish(&lake, &PublishRequest { target, ..request("x", "SELECT 2 AS a") }).await.unwrap();
    assert_eq!(shown(&lake, "SELECT a, k FROM web.made").await, ["2|p"]);
    let error = lake.undo_partition(&name, &["p".to_owned()], Direction::Undo).await.unwrap_err();
    assert_eq!(error.message, "cannot undo: the version before it is a part of a table's version");

    world.tick();
    publish(&lake, &table_request("made", "SELECT 3 AS b")).await.unwrap();
    assert_eq!(shown(&lake, "SELECT * FROM web.made").await, ["3"]);
    assert!(lake.catalog.partitions(&name).await.unwrap().is_empty());
    let error = lake.undo_table(&name, Direction::Undo).await.unwrap_err();
    assert_eq!(error.message, "cannot undo: the version before of table `web.made` has other columns or keys");

    world.tick();
    publish(&lake, &keyed("SELECT 4 AS a, 5 AS k, 6 AS l", &["k", "l"])).await.unwrap();
    assert_eq!(shown(&lake, "SELECT * FROM web.made").await, ["4|5|6"]);
    let error = lake.undo_table(&name, Direction::Undo).await.unwrap_err();
    assert_eq!(error.message, "cannot undo: table `web.made` is partitioned, undo its partitions one by one");

    world.clock.advance(Duration::from_hours(25));
    lake.collect().await.unwrap();
    // One object, its version's marker, and the marker of the version root.
    assert_eq!(world.files().len(), 3, "{:?}", world.files());
    assert_eq!(shown(&lake, "SELECT * FROM web.made").await, ["4|5|6"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_become_partitions_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let cases = [
        (
            keyed("SELECT 1 AS a, 2 AS b, 3 AS c", &["c", "b"]),
            "expected the partition keys as the last columns of the query, in their order, and another column before them: the \
             keys are `c`, `b`, the columns are `a`, `b`, `c`",
        ),
        (
            keyed("SELECT 1 AS a", &["a"]),
            "expected the partition keys as the last columns of the query, in their order, and another column before them: the \
             keys are `a`, the columns are `a`",
        ),
        (
            keyed("SELECT 1 AS a, ARRAY[1] AS k", &["k"]),
            "the query cannot become a partitioned table: `k` cannot be a partition key: it is array(integer), which has no \
             place in a path",
        ),
        (
            keyed("SELECT 1 AS a, 'x/y' AS k", &["k"]),
            "the value `x/y` of partition key `k` cannot be used: it holds `/` or `\\`",
        ),
        (
            keyed("SELECT 1 AS a, '' AS k", &["k"]),
            "the value `` of partition key `k` cannot be used: it is empty, which a path cannot tell from NULL: use NULLIF or \
             another value",
        ),
    ];
    for (request, message) in cases {
        assert_eq!(publish(&lake, &request).await.unwrap_err().message, message);
    }
    assert!(lake.catalog.table(&TableName::new("web", "made").unwrap()).await.unwrap().is_none());
    assert!(world.files().len() <= 1, "at most the marker of the version root: {:?}", world.files());

    let mut shape = keyed("SELECT 1 AS a, 'x' AS k", &["k"]);
    shape.options.contents = Contents::Nothing;
    publish(&lake, &shape).await.unwrap();
    assert!(shown(&lake, "SELECT a, k FROM web.made").await.is_empty());
}

/// 250 partitions by a text with a quote, in one of them NULL, and a flag.
const MANY: &str = "SELECT n AS a, CASE WHEN n = 7 THEN NULL ELSE concat('it''s ', CAST(n AS varchar)) END AS k, n % 2 = 0 AS even \
                    FROM UNNEST(sequence(1, 250), repeat(1, 250)) AS t (n, one) CROSS JOIN UNNEST(sequence(1, 2)) AS u (twice)";

async fn all_of_many(lake: &Lake) {
    let sums = "SELECT count(*), sum(a), count(DISTINCT k), count_if(even) FROM web.made";
    assert_eq!(shown(lake, sums).await, ["500|62750|249|250"]);
    assert_eq!(shown(lake, "SELECT a, even FROM web.made WHERE k IS NULL").await, ["7|false", "7|false"]);
    assert_eq!(shown(lake, "SELECT DISTINCT a FROM web.made WHERE k = 'it''s 250' AND even").await, ["250"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_partitions_than_one_query_may_write_are_written_in_batches() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let mut request = keyed(MANY, &["k", "even"]);
    let check = "SELECT a FROM new_version WHERE k IS NULL AND a <> 7";
    request.options.checks = vec![Check { name: "null.sql".to_owned(), sql: check.to_owned() }];
    let outcome = publish(&lake, &request).await.unwrap();
    assert_eq!((outcome.stats.rows, outcome.stats.objects.len()), (500, 250));
    all_of_many(&lake).await;
    let location = outcome.location.unwrap();
    assert!(location.to_string().ends_with("-g2/"), "the second generation: {location}");
    let partitions = lake.catalog.partitions(request.target.table()).await.unwrap();
    let mut batches: IndexMap<String, usize> = IndexMap::new();
    for partition in &partitions {
        let below = partition.location.key().strip_prefix(location.key()).unwrap();
        *batches.entry(below.split('/').next().unwrap().to_owned()).or_default() += 1;
    }
    batches.sort_keys();
    let expected = [("batch-00001", 100), ("batch-00002", 100), ("batch-00003", 50)];
    assert_eq!(batches, expected.map(|(name, count)| (name.to_owned(), count)).into());

    // As many in one partition less are written by one query.
    world.tick();
    publish(&lake, &keyed("SELECT 1 AS a, n AS k FROM UNNEST(sequence(1, 100)) AS t (n)", &["k"])).await.unwrap();
    assert_eq!(shown(&lake, "SELECT sum(k) FROM web.made").await, ["5050"]);
    world.clock.advance(Duration::from_hours(25));
    lake.collect().await.unwrap();
    let results = world.files().into_iter().filter(|file| !file.contains("suiro-results")).count();
    assert_eq!(results, 102, "100 objects, the marker of the version and that of the root: {:?}", world.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_process_is_gone_is_written_anew_and_the_others_stay() {
    let world = World::new().await;
    let request = keyed(MANY, &["k", "even"]);
    let kept = Mutex::new(None);
    let mut stopped = BTreeSet::new();
    let mut lake = world.open(CrashPoints::default()).await;
    let outcome = loop {
        let state = kept.lock().unwrap().clone();
        if let Some(PublishState::Batching(Batching { written, running, listing, .. })) = &state {
            // Once while the list is made, once in each batch.
            if stopped.insert((written.len(), running.is_some())) {
                let query = running.clone().unwrap_or_else(|| listing.clone());
                lake.engine.cancel(&query).await.unwrap();
                lake = world.open(CrashPoints::default()).await;
            }
        }
        let step = match &state {
            None => lake.plan_publish(&request).await.unwrap(),
            Some(state) => lake.publish_step(&request, state).await.unwrap(),
        };
        match step {
            Step::Next(state) => *kept.lock().unwrap() = Some(state),
            Step::Wait(_) => tokio::task::yield_now().await,
            Step::Done(outcome) => break outcome,
        }
    };
    assert_eq!(stopped.len(), 7, "{stopped:?}");
    all_of_many(&lake).await;
    let version = lake.storage.file(&outcome.location.unwrap()).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(version)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("batch-"))
        .collect();
    names.sort();
    assert_eq!(names, ["batch-00001-2", "batch-00002-2", "batch-00003-2"], "what a stopped try left is gone");
}

/// Takes a publish to the state before its second batch, does something then, and goes on to its end.
async fn disturbed(lake: &Lake, request: &PublishRequest, disturb: impl AsyncFnOnce()) -> Result<PublishOutcome> {
    let mut disturb = Some(disturb);
    let mut kept = None;
    loop {
        if let Some(PublishState::Batching(batching)) = &kept
            && batching.written.len() == 1
            && batching.running.is_none()
            && let Some(disturb) = disturb.take()
        {
            disturb().await;
        }
        let step = match &kept {
            None => lake.plan_publish(request).await?,
            Some(state) => lake.publish_step(request, state).await?,
        };
        match step {
            Step::Next(state) => kept = Some(state),
            Step::Wait(_) => tokio::task::yield_now().await,
            Step::Done(outcome) => return Ok(outcome),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_batches_are_of_one_run_of_the_query() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    publish(&lake, &request("x", ONE)).await.unwrap();
    let sql = "SELECT m.n AS a, CAST(current_timestamp AS timestamp(3)) AS run, t.n AS k FROM daily AS m \
               CROSS JOIN UNNEST(sequence(1, 101)) AS t (n)";
    let request_of_many = keyed(sql, &["k"]);
    let outcome = disturbed(&lake, &request_of_many, async || {
        // What is read becomes twice as much.
        world.tick();
        publish(&lake, &request("y", ONE)).await.unwrap();
    });
    let outcome = outcome.await.unwrap();
    assert_eq!(outcome.stats.rows, 101);
    let sums = "SELECT count(*), sum(a), count(DISTINCT run), count(DISTINCT k) FROM web.made";
    assert_eq!(shown(&lake, sums).await, ["101|101|1|101"]);
    let left: Vec<String> = world.files().into_iter().filter(|file| file.contains("rows-aside")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_gone_between_two_batches_are_missed() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let request = keyed("SELECT 1 AS a, n AS k FROM UNNEST(sequence(1, 101)) AS t (n)", &["k"]);
    let error = disturbed(&lake, &request, async || {
        let aside = lake.storage.list(&Location::parse("s3://warehouse/").unwrap()).await.unwrap();
        let aside = aside.into_iter().map(|object| object.location);
        let aside: Vec<Location> = aside.filter(|location| location.to_string().contains("/rows-aside/")).collect();
        assert_eq!(aside.len(), 1, "{aside:?}");
        lake.storage.delete(&aside).await.unwrap();
    });
    let error = error.await.unwrap_err();
    assert_eq!(error.message, "expected 1 row in batch 2 of 2, found 0");
    assert!(lake.catalog.table(request.target.table()).await.unwrap().is_none());
    assert!(world.files().iter().all(|file| !file.contains("batch-")), "{:?}", world.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_without_a_table_lie_where_their_partitions_are_whichever_batch_wrote_them() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let mut request = keyed("SELECT 1 AS a, n AS k FROM UNNEST(sequence(1, 101)) AS t (n)", &["k"]);
    let place = Location::parse("s3://b/place/").unwrap();
    request.options.register = false;
    request.options.location = Some(place.clone());
    request.options.mode = PublishMode::Versioned;
    publish(&lake, &request).await.unwrap();
    let objects = lake.storage.list_data(&place).await.unwrap();
    let folders: BTreeSet<String> =
        objects.iter().map(|object| object.location.parent().unwrap().to_string()).collect();
    let expected: BTreeSet<String> = (1..=101).map(|number| format!("s3://b/place/k={number}/")).collect();
    assert_eq!(folders, expected);
}

/// A version would be one more folder to their readers, and the pointer to the log would be gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_a_log_of_its_own_is_not_published_to() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let mut table = lake.catalog.table(&daily()).await.unwrap().unwrap();
    for (key, value, kind) in [
        ("table_type", "ICEBERG", "an Iceberg"),
        ("spark.sql.sources.provider", "delta", "a Delta Lake"),
        ("spark.sql.sources.provider", "hudi", "a Hudi"),
        ("transactional", "true", "a transactional"),
    ] {
        table.parameters = IndexMap::from([(key.to_owned(), value.to_owned())]);
        let standing = lake.catalog.put_table(&table, Expect::Any).await.unwrap();
        for request in [request("2026-01-01", ONE), table_request("daily", ONE)] {
            let refused = publish(&lake, &request).await.unwrap_err();
            assert_eq!(
                refused.message,
                format!(
                    "`web.daily` is {kind} table, whose own log says which objects are its rows: it cannot be published to"
                )
            );
            assert_eq!(
                refused.help.as_deref(),
                Some("drop the table first (`athena.drop_table>`), or publish to one of another name")
            );
        }
        assert_eq!(lake.catalog.table(&daily()).await.unwrap(), Some(standing));
    }
}
