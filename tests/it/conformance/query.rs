//! What every query engine does.

use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt as _;
use lake::catalog::{Column, Database, Expect, Table, TableFormat};
use lake::name::{Location, TableName};
use lake::publish::Layout;
use lake::query::{Destination, Query, QueryEngine, QueryId, QueryOptions, QueryStats, QueryStatus, QueryTable};
use lake::{Error, ErrorKind, Lake, Result};

/// The bucket that the laws may write to.
const BUCKET: &str = "bucket-b";

/// Waits for the end of a query.
async fn ended(engine: &dyn QueryEngine, id: &QueryId) -> QueryStatus {
    loop {
        match engine.poll(id).await.unwrap() {
            QueryStatus::Queued | QueryStatus::Running(_) => tokio::task::yield_now().await,
            status => return status,
        }
    }
}

async fn failed(engine: &dyn QueryEngine, query: &Query) -> Error {
    let id = engine.start(query).await.unwrap();
    match ended(engine, &id).await {
        QueryStatus::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

async fn fetched(engine: &dyn QueryEngine, id: &QueryId) -> Result<Vec<String>> {
    let (_, stream) = engine.fetch(id).await?;
    let batches: Vec<_> = stream.try_collect().await.unwrap();
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            rows.push(cells.join("|"));
        }
    }
    Ok(rows)
}

async fn rows(engine: &dyn QueryEngine, sql: &str) -> Vec<String> {
    let id = engine.start(&Query::new(sql, None, format!("rows of {sql}"))).await.unwrap();
    fetched(engine, &id).await.unwrap()
}

fn objects(sql: &str, prefix: &str, token: &str, partition_by: &[&str]) -> Query {
    Query {
        destination: Destination::Objects {
            prefix: Location::parse(prefix).unwrap(),
            layout: Layout::default(),
            partition_by: partition_by.iter().map(|key| (*key).to_owned()).collect(),
        },
        ..Query::new(sql, None, token)
    }
}

/// Runs every law. `is_billed` says whether queries cost something.
pub(super) async fn run(lake: &Lake, is_billed: bool) {
    let engine = lake.engine.as_ref();
    starting_and_fetching(engine, is_billed).await;
    values_come_back(engine).await;
    large_results_come_back(engine).await;
    failures(engine).await;
    writing(lake).await;
    tables_of_one_query(lake).await;
    stopping(engine).await;
    describing(engine).await;
}

async fn starting_and_fetching(engine: &dyn QueryEngine, is_billed: bool) {
    let query = Query::new("SELECT 1 AS a, 'x' AS b;", None, "one");
    let id = engine.start(&query).await.unwrap();
    assert_eq!(engine.start(&query).await.unwrap(), id, "the same token gives the same query");
    let other = Query { sql: "SELECT 2".to_owned(), ..query.clone() };
    assert_eq!(engine.start(&other).await.unwrap_err().kind, ErrorKind::InvalidInput);
    assert_eq!(fetched(engine, &id).await.unwrap(), ["1|x"]);
    assert_eq!(fetched(engine, &id).await.unwrap(), ["1|x"], "a result may be fetched again");
    let (columns, _) = engine.fetch(&id).await.unwrap();
    let columns: Vec<String> = columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect();
    assert_eq!(columns, ["a integer", "b varchar(1)"]);
    let QueryStatus::Succeeded(stats) = ended(engine, &id).await else { panic!() };
    assert_eq!(stats.rows, 1);
    let billed = if is_billed { (10 << 20, 48) } else { (0, 0) };
    assert_eq!((stats.billed_bytes, stats.cost_micro_usd), billed, "10 MB at $5 a TB are the least");

    assert!(matches!(engine.poll(&QueryId("absent".to_owned())).await.unwrap(), QueryStatus::Unknown));
    assert_eq!(engine.fetch(&QueryId("absent".to_owned())).await.err().unwrap().kind, ErrorKind::NotFound);
    engine.cancel(&QueryId("absent".to_owned())).await.unwrap();

    let keep = Query { destination: Destination::Keep, ..Query::new("SELECT 7 AS n", None, "kept") };
    let id = engine.start(&keep).await.unwrap();
    assert_eq!(fetched(engine, &id).await.unwrap(), ["7"]);
    engine.release(&id).await;
    assert_eq!(fetched(engine, &id).await.unwrap(), ["7"], "a kept result stays");
    let QueryStatus::Succeeded(stats) = ended(engine, &id).await else { panic!() };
    assert!(stats.output.is_some(), "it is said where");
}

async fn values_come_back(engine: &dyn QueryEngine) {
    let sql = "SELECT * FROM (VALUES \
        (1, 'a,\"b\"', '', CAST(NULL AS varchar), true, 1.5E0, CAST(12.34 AS decimal(10,2)), DATE '2024-02-29', \
         TIMESTAMP '2024-02-29 01:02:03.004', X'41ff'), \
        (2, 'c\nd', ' ', 'x', CAST(NULL AS boolean), CAST(NULL AS double), CAST(NULL AS decimal(10,2)), CAST(NULL AS date), \
         CAST(NULL AS timestamp(3)), CAST(NULL AS varbinary))) AS v (n, t, e, u, b, d, m, day, at, bytes) ORDER BY n";
    assert_eq!(
        rows(engine, sql).await,
        [
            "1|a,\"b\"||NULL|true|1.5|12.34|2024-02-29|2024-02-29T01:02:03.004|41ff",
            "2|c\nd| |x|NULL|NULL|NULL|NULL|NULL|NULL",
        ]
    );
    assert_eq!(rows(engine, "SELECT CAST(NULL AS varchar) AS only").await, ["NULL"], "a NULL alone is a row");
    assert_eq!(rows(engine, "SELECT 1 AS n WHERE false").await, Vec::<String>::new());
}

async fn large_results_come_back(engine: &dyn QueryEngine) {
    let digits = "(VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)";
    let sql = format!(
        "SELECT a.x + 10 * b.x + 100 * c.x + 1000 * d.x AS n, 'row ' || CAST(a.x AS varchar) AS t \
         FROM {digits} AS a (x) CROSS JOIN {digits} AS b (x) CROSS JOIN {digits} AS c (x) CROSS JOIN {digits} AS d (x) \
         ORDER BY n"
    );
    let id = engine.start(&Query::new(&sql, None, "large")).await.unwrap();
    let rows = fetched(engine, &id).await.unwrap();
    assert_eq!(rows.len(), 10_000);
    assert_eq!((rows[0].as_str(), rows[9_999].as_str()), ("0|row 0", "9999|row 9"));
    assert!(matches!(ended(engine, &id).await, QueryStatus::Succeeded(QueryStats { rows: 10_000, .. })));
}

async fn failures(engine: &dyn QueryEngine) {
    let error = failed(engine, &Query::new("SELECT\n  nothing FROM nowhere", Some("default"), "wrong")).await;
    assert_eq!(error.kind, ErrorKind::InvalidSql, "{error}");
    assert_eq!(error.position, Some((2, 16)), "{error}");
    assert!(error.message.contains("does not exist"), "{error}");
    let error = failed(engine, &Query::new("SELECT 1 / n AS x FROM (VALUES 0) AS v (n)", None, "division")).await;
    assert_eq!(error.kind, ErrorKind::QueryFailed, "{error}");
    assert!(error.message.starts_with("DIVISION_BY_ZERO: Division by zero"), "{error}");
    let id = engine.start(&Query::new("SELECT\n  nothing FROM nowhere", Some("default"), "wrong")).await.unwrap();
    assert_eq!(engine.fetch(&id).await.err().unwrap().kind, ErrorKind::InvalidSql, "a failed query fails again");
}

async fn writing(lake: &Lake) {
    let engine = lake.engine.as_ref();
    let prefix = format!("s3://{BUCKET}/objects/");
    let query = objects("SELECT 1 AS a UNION ALL SELECT 2", &prefix, "objects", &[]);
    let id = engine.start(&query).await.unwrap();
    let QueryStatus::Succeeded(stats) = ended(engine, &id).await else { panic!() };
    assert_eq!(stats.rows, 2);
    assert_eq!(stats.objects.iter().map(|object| object.rows).sum::<u64>(), 2);
    assert_eq!(stats.objects.iter().map(|object| object.bytes).sum::<u64>(), stats.written_bytes);
    for object in &stats.objects {
        let found = lake.storage.head(&object.location).await.unwrap().unwrap();
        assert_eq!(found.bytes, object.bytes);
    }
    assert_eq!(engine.fetch(&id).await.err().unwrap().kind, ErrorKind::InvalidInput);
    assert_eq!(engine.start(&query).await.unwrap(), id);
    let error = failed(engine, &objects("SELECT 3 AS a", &prefix, "objects again", &[])).await;
    assert_eq!(error.kind, ErrorKind::AlreadyExists, "{error}");

    let prefix = format!("s3://{BUCKET}/parts/");
    let sql = "SELECT * FROM (VALUES (1, 'x y'), (2, 'b:c'), (3, 'x y'), (4, NULL)) AS v (n, k)";
    let id = engine.start(&objects(sql, &prefix, "parts", &["k"])).await.unwrap();
    let QueryStatus::Succeeded(stats) = ended(engine, &id).await else { panic!() };
    let mut parts: Vec<(Vec<String>, u64)> =
        stats.objects.into_iter().map(|object| (object.partition, object.rows)).collect();
    parts.sort();
    let part = |value: &str, rows| (vec![value.to_owned()], rows);
    assert_eq!(parts, [part("__HIVE_DEFAULT_PARTITION__", 1), part("b:c", 1), part("x y", 2)]);

    let nothing = format!("s3://{BUCKET}/nothing/");
    let id = engine.start(&objects("SELECT 1 AS a WHERE false", &nothing, "no rows", &[])).await.unwrap();
    let QueryStatus::Succeeded(stats) = ended(engine, &id).await else { panic!() };
    assert_eq!(stats.rows, 0);
    let error =
        failed(engine, &objects("SELECT\nmissing", &nothing.replace("nothing", "wrong"), "wrong rows", &[])).await;
    assert_eq!((error.kind, error.position), (ErrorKind::InvalidSql, Some((2, 1))), "{error}");
}

async fn tables_of_one_query(lake: &Lake) {
    let engine = lake.engine.as_ref();
    lake.catalog.create_database(&Database::new("web")).await.unwrap();
    let name = |table: &str| TableName::new("web", table).unwrap();
    let version = |number: i64| Location::parse(&format!("s3://{BUCKET}/daily-v{number}/")).unwrap();
    for number in [1, 2] {
        let sql = format!("SELECT CAST({number} AS bigint) AS n");
        let id = engine.start(&objects(&sql, &version(number).to_string(), &sql, &[])).await.unwrap();
        assert!(matches!(ended(engine, &id).await, QueryStatus::Succeeded(_)));
    }
    let columns = vec![Column::new("n", "bigint")];
    let keys = vec![Column::new("dt", "string")];
    let table = Table::new(name("daily"), columns, keys, version(1), TableFormat::Parquet);
    let table = lake.catalog.put_table(&table, Expect::Any).await.unwrap();
    let old = table.new_partition(vec!["2024-03-01".to_owned()], version(1));
    lake.catalog.put_partition(&table.name, &old, Expect::Any).await.unwrap();

    let new = table.new_partition(vec!["2024-03-01".to_owned()], version(2));
    let own = |called: &str| QueryTable {
        table: Table { name: name(called), ..table.clone() },
        partitions: vec![new.clone()],
    };
    let query = Query {
        tables: vec![own("daily"), own("new_version")],
        ..Query::new(
            "SELECT daily.n, v.n, v.dt FROM daily JOIN web.new_version AS v ON daily.dt = v.dt",
            Some("web"),
            "a version",
        )
    };
    let id = engine.start(&query).await.unwrap();
    assert_eq!(fetched(engine, &id).await.unwrap(), ["2|2|2024-03-01"]);
    assert_eq!(rows(engine, "SELECT n, dt FROM web.daily").await, ["1|2024-03-01"], "others see what was there");
    let tables = lake.catalog.tables("web").await.unwrap();
    let tables: Vec<String> = tables.into_iter().map(|table| table.name.table).collect();
    assert_eq!(tables, ["daily"], "nothing is left in the catalog");
    let wrong =
        Query { sql: "SELECT n,\n missing FROM new_version".to_owned(), token: "wrong version".to_owned(), ..query };
    let error = failed(engine, &wrong).await;
    assert_eq!((error.kind, error.position), (ErrorKind::InvalidSql, Some((2, 2))), "{error}");
    assert_eq!(lake.catalog.tables("web").await.unwrap().len(), 1, "nor by one that failed");
}

async fn stopping(engine: &dyn QueryEngine) {
    let digits = "(VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)";
    let many: Vec<String> = (0..9).map(|number| format!("{digits} AS d{number} (x)")).collect();
    let sql = format!("SELECT sum(d0.x * d1.x + d2.x) AS s FROM {}", many.join(" CROSS JOIN "));
    let id = engine.start(&Query::new(&sql, None, "long")).await.unwrap();
    engine.cancel(&id).await.unwrap();
    assert!(matches!(ended(engine, &id).await, QueryStatus::Canceled));
    engine.cancel(&id).await.unwrap();
    assert_eq!(engine.fetch(&id).await.err().unwrap().kind, ErrorKind::Canceled);
    let short = engine.start(&Query::new("SELECT 1 AS n", None, "short")).await.unwrap();
    assert!(matches!(ended(engine, &short).await, QueryStatus::Succeeded(_)));
    engine.cancel(&short).await.unwrap();
    assert!(matches!(ended(engine, &short).await, QueryStatus::Succeeded(_)), "one that has ended stays as it is");
    let options = QueryOptions { max_scan_bytes: Some(1 << 40), ..QueryOptions::default() };
    let limited = Query { options, ..Query::new("SELECT 1 AS n", None, "limited") };
    let id = engine.start(&limited).await.unwrap();
    assert!(matches!(ended(engine, &id).await, QueryStatus::Succeeded(_)), "within its limits");
}

async fn describing(engine: &dyn QueryEngine) {
    let description = engine.describe("SELECT 1 AS a, ARRAY[1] AS b", None).await.unwrap();
    let columns: Vec<String> =
        description.columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect();
    assert_eq!(columns, ["a integer", "b array(integer)"]);
    assert_eq!(description.predicted_bytes, Some(0));
    let description = engine.describe("SELECT n FROM web.daily WHERE dt = '2024-03-01'", None).await.unwrap();
    assert!(description.predicted_bytes.is_some_and(|bytes| bytes > 0));
    assert_eq!(description.tables, [TableName::new("web", "daily").unwrap()]);
    let error = engine.describe("SELECT x FROM web.daily", None).await.unwrap_err();
    assert_eq!((error.kind, error.position), (ErrorKind::InvalidSql, Some((1, 8))), "{error}");
}
