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
    let many = "SELECT 1 AS a, n AS k FROM UNNEST(sequence(1, 101)) AS t (n)";
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
        (
            keyed(many, &["k"]),
            "HIVE_TOO_MANY_OPEN_PARTITIONS: expected at most 100 partitions by `k`, found more: write fewer at a time with WHERE",
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
