mod memory;

use std::path::Path;

use super::*;
use crate::catalog::{Column, Database, Expect, Table, TableFormat};
use crate::lake::{Lake, LakeSettings};
use crate::name::{Location, TableName};
use crate::query::QueryTable;
use crate::query::testing::{ended, rows, texts, written};
use crate::storage::Put;
use bytes::Bytes;

/// Returns a statement that gives the numbers 0, 1, … below 10 to the power of `digits` as `n`.
fn numbers(digits: u32) -> String {
    let tables: Vec<String> = (0..digits).map(|digit| format!("d AS d{digit}")).collect();
    let sum: Vec<String> = (0..digits).map(|digit| format!("d{digit}.x * {}", 10_u64.pow(digit))).collect();
    format!(
        "WITH d AS (SELECT CAST(x AS bigint) AS x FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS v (x)) \
         SELECT {} AS n FROM {}",
        sum.join(" + "),
        tables.join(" CROSS JOIN ")
    )
}

struct Fixture {
    lake: Lake,
    folder: tempfile::TempDir,
}

async fn open(folder: &Path) -> Lake {
    let settings =
        LakeSettings { parallelism: Some(2), ..LakeSettings::new(folder.join(".suiro"), folder.join("warehouse")) };
    Lake::open(settings).await.unwrap()
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    lake.catalog.create_database(&Database::new("web")).await.unwrap();
    Fixture { lake, folder }
}

impl Fixture {
    async fn rows(&self, sql: &str) -> Vec<String> {
        rows(self.lake.engine.as_ref(), sql).await.unwrap()
    }

    async fn fails(&self, sql: &str) -> Error {
        rows(self.lake.engine.as_ref(), sql).await.unwrap_err()
    }

    async fn put(&self, location: &str, bytes: impl Into<Bytes>) {
        self.lake.storage.put(&Location::parse(location).unwrap(), bytes.into(), Put::Replace).await.unwrap();
    }

    async fn table(&self, name: &str, columns: &[(&str, &str)], keys: &[(&str, &str)], format: TableFormat) -> Table {
        let made = |columns: &[(&str, &str)]| columns.iter().map(|(name, hive)| Column::new(name, hive)).collect();
        let table = Table::new(
            TableName::new("web", name).unwrap(),
            made(columns),
            made(keys),
            Location::parse(&format!("s3://b/{name}/")).unwrap(),
            format,
        );
        self.lake.catalog.put_table(&table, Expect::Any).await.unwrap()
    }

    async fn partition(&self, table: &Table, values: &[&str], sql: &str) {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        let location = table.hive_location(&values).unwrap();
        written(self.lake.engine.as_ref(), sql, &location.to_string(), &format!("{values:?}")).await;
        let partition = table.new_partition(values, location);
        self.lake.catalog.put_partition(&table.name, &partition, Expect::Any).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_pruned_by_keys_of_any_type() {
    let fixture = fixture().await;
    let table = fixture.table("t", &[("n", "bigint")], &[("dt", "date"), ("hour", "int")], TableFormat::Parquet).await;
    for (day, hour) in [("2026-01-01", "1"), ("2026-01-01", "10"), ("2026-01-02", "1")] {
        fixture.partition(&table, &[day, hour], &format!("SELECT CAST({hour} AS bigint) AS n")).await;
    }
    let all = fixture.lake.engine.describe("SELECT * FROM web.t", None).await.unwrap().predicted_bytes.unwrap();
    let bytes = |sql: &'static str| {
        let engine = Arc::clone(&fixture.lake.engine);
        async move { engine.describe(sql, None).await.unwrap().predicted_bytes.unwrap() }
    };
    assert!(all > 0);
    assert_eq!(bytes("SELECT * FROM web.t WHERE dt = DATE '2026-01-02'").await * 3, all);
    assert_eq!(bytes("SELECT * FROM web.t WHERE hour > 2").await * 3, all, "numbers are compared as numbers");
    assert_eq!(bytes("SELECT * FROM web.t WHERE hour = 5").await, 0);
    assert_eq!(
        fixture.rows("SELECT n, hour FROM web.t WHERE dt = DATE '2026-01-01' ORDER BY n").await,
        ["1|1", "10|10"]
    );
    assert_eq!(fixture.rows("SELECT count(*) FROM web.t").await, ["3"]);
    // The object of a pruned partition is not even opened.
    fixture.put("s3://b/t/dt=2026-01-02/hour=1/part-00000.parquet", "broken").await;
    assert_eq!(fixture.rows("SELECT sum(n) FROM web.t WHERE dt < DATE '2026-01-02'").await, ["11"]);
    assert_eq!(fixture.fails("SELECT sum(n) FROM web.t").await.kind, ErrorKind::InvalidData);
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_columns_say_where_a_row_comes_from() {
    let fixture = fixture().await;
    let table =
        fixture.table("t", &[("n", "bigint")], &[("dt", "string"), ("k", "string")], TableFormat::Parquet).await;
    fixture.partition(&table, &["2026-01-01", "a:b"], "SELECT BIGINT '1' AS n").await;
    fixture.partition(&table, &["2026-01-02", "c"], "SELECT BIGINT '2' AS n").await;
    assert_eq!(fixture.rows("SELECT * FROM web.t ORDER BY n").await, ["1|2026-01-01|a:b", "2|2026-01-02|c"]);
    assert_eq!(
        fixture.rows("SELECT n, \"$path\", \"$partition\" FROM web.t ORDER BY n").await,
        [
            "1|s3://b/t/dt=2026-01-01/k=a%3Ab/part-00000.parquet|dt=2026-01-01/k=a%3Ab",
            "2|s3://b/t/dt=2026-01-02/k=c/part-00000.parquet|dt=2026-01-02/k=c"
        ]
    );
    assert_eq!(
        fixture
            .rows(
                "SELECT typeof(\"$path\"), typeof(\"$partition\"), typeof(\"$file_size\"), typeof(\"$file_modified_time\") \
                 FROM web.t LIMIT 1"
            )
            .await,
        ["varchar|varchar|bigint|timestamp(3) with time zone"]
    );
    let object = Location::parse("s3://b/t/dt=2026-01-02/k=c/part-00000.parquet").unwrap();
    let found = fixture.lake.storage.head(&object).await.unwrap().unwrap();
    assert_eq!(
        fixture
            .rows(
                "SELECT \"$FILE_SIZE\", date_diff('millisecond', from_unixtime(0), \"$file_modified_time\") FROM web.t \
                 WHERE n = 2"
            )
            .await,
        [format!("{}|{}", found.bytes, found.modified_ms)]
    );
    assert_eq!(
        fixture.rows("SELECT n FROM web.t WHERE \"$path\" LIKE '%/dt=2026-01-02/%' AND dt > '2026'").await,
        ["2"]
    );
    assert_eq!(fixture.rows("SELECT count(DISTINCT \"$path\"), count(*) FROM web.t").await, ["2|2"]);
    assert_eq!(
        fixture.fails("SELECT \"$bucket\" FROM web.t").await.to_string(),
        "line 1:8: Column '$bucket' cannot be resolved\n  error: COLUMN_NOT_FOUND"
    );

    fixture.table("u", &[("n", "string")], &[], TableFormat::HiveJson).await;
    fixture.put("s3://b/u/a.json", "{\"n\": \"x\"}\n{\"n\": \"y\"}\n").await;
    assert_eq!(
        fixture.rows("SELECT \"$path\", n FROM web.u ORDER BY n").await,
        ["s3://b/u/a.json|x", "s3://b/u/a.json|y"]
    );
    assert_eq!(
        fixture.fails("SELECT \"$partition\" FROM web.u").await.to_string(),
        "line 1:8: Column '$partition' cannot be resolved\n  error: COLUMN_NOT_FOUND"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_read_as_the_catalogs_types() {
    let fixture = fixture().await;
    written(
        fixture.lake.engine.as_ref(),
        "SELECT CAST(1 AS int) AS \"N\", CAST(1.5 AS decimal(4,1)) AS d, TIMESTAMP '2026-01-02 03:04:05.678' AS at, 'abc' AS s",
        "s3://b/t/",
        "t",
    )
    .await;
    fixture
        .table(
            "t",
            &[("at", "timestamp"), ("absent", "string"), ("n", "bigint"), ("d", "decimal(10,2)"), ("s", "varchar(2)")],
            &[],
            TableFormat::Parquet,
        )
        .await;
    assert_eq!(
        fixture.rows("SELECT n, d, at, absent, s FROM web.t WHERE n = 1").await,
        ["1|1.50|2026-01-02T03:04:05.678|NULL|ab"]
    );
    assert_eq!(fixture.rows("SELECT s FROM web.t").await, ["ab"]);
    assert_eq!(fixture.rows("SELECT count(*) FROM web.t WHERE at >= TIMESTAMP '2026-01-02 03:04:05.679'").await, ["0"]);
    for (name, hive_type, found) in [
        ("s", "bigint", "BINARY (STRING)"),
        ("n", "string", "INT32"),
        ("n", "double", "INT32"),
        ("n", "struct<a:int>", "INT32"),
    ] {
        fixture.table("t", &[(name, hive_type)], &[], TableFormat::Parquet).await;
        let error = fixture.fails(&format!("SELECT {name} FROM web.t")).await;
        assert_eq!(
            error.message,
            format!(
                "HIVE_BAD_DATA: Field {name}'s type {found} in parquet is incompatible with type {hive_type} defined in table schema"
            )
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_tables_are_read_whatever_their_compression() {
    use std::io::Write as _;
    let fixture = fixture().await;
    let mut table = fixture.table("c", &[("a", "int"), ("b", "string")], &[], TableFormat::OpenCsv).await;
    table.parameters.insert("skip.header.line.count".to_owned(), "1".to_owned());
    fixture.lake.catalog.put_table(&table, Expect::Any).await.unwrap();
    let text = "a,b\n1,\"x, y\"\n2,z\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    fixture.put("s3://b/c/plain.csv", text).await;
    fixture.put("s3://b/c/named_wrongly.csv", gzip.clone()).await;
    fixture.put("s3://b/c/z", zstd::encode_all(text.as_bytes(), 3).unwrap()).await;
    fixture.put("s3://b/c/_hidden", "no record").await;
    assert_eq!(fixture.rows("SELECT a, b, count(*) FROM web.c GROUP BY a, b ORDER BY a").await, ["1|x, y|3", "2|z|3"]);
    assert_eq!(fixture.rows("SELECT count(*) FROM web.c").await, ["6"]);
    fixture.put("s3://b/c/truncated", gzip.split_at(gzip.len() - 9).0.to_vec()).await;
    let error = fixture.fails("SELECT a FROM web.c").await;
    assert_eq!(error.kind, ErrorKind::InvalidData, "{error}");
    assert!(error.to_string().contains("s3://b/c/truncated"), "{error}");

    fixture.table("j", &[("id", "bigint"), ("tags", "array<string>")], &[], TableFormat::HiveJson).await;
    fixture.put("s3://b/j/x", "{\"id\":1,\"tags\":[\"a\"]}\n{\"ID\":2}\n").await;
    assert_eq!(fixture.rows("SELECT id, tags FROM web.j ORDER BY id").await, ["1|[a]", "2|NULL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_query_writes_the_same_bytes() {
    let fixture = fixture().await;
    let table = fixture.table("src", &[("n", "bigint")], &[("p", "int")], TableFormat::Parquet).await;
    for part in 0..5 {
        fixture.partition(&table, &[&part.to_string()], &numbers(3)).await;
    }
    let sql = "SELECT n % 97 AS k, count(*) AS c, sum(n) AS s FROM web.src GROUP BY n % 97";
    let mut bytes = Vec::new();
    for run in 0..3 {
        let stats =
            written(fixture.lake.engine.as_ref(), sql, &format!("s3://b/out{run}/"), &format!("run {run}")).await;
        assert_eq!(stats.objects.len(), 1);
        assert!(stats.scanned_bytes > 0);
        bytes.push(fixture.lake.storage.read(&stats.objects[0].location).await.unwrap());
    }
    assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_result_survives_a_restart_and_others_are_unknown() {
    let fixture = fixture().await;
    let keep = Query { destination: Destination::Keep, ..Query::new("SELECT 7 AS n, NULL AS nothing", None, "kept") };
    let kept = fixture.lake.engine.start(&keep).await.unwrap();
    let status = ended(fixture.lake.engine.as_ref(), &kept).await;
    assert!(matches!(status, QueryStatus::Succeeded(_)), "{status:?}");
    let lost = fixture.lake.engine.start(&Query::new("SELECT 1", None, "lost")).await.unwrap();
    ended(fixture.lake.engine.as_ref(), &lost).await;
    let second = open(fixture.folder.path()).await;
    assert!(matches!(second.engine.poll(&lost).await.unwrap(), QueryStatus::Unknown));
    assert!(matches!(second.engine.poll(&kept).await.unwrap(), QueryStatus::Succeeded(_)));
    assert_eq!(second.engine.start(&keep).await.unwrap(), kept);
    let (columns, stream) = second.engine.fetch(&kept).await.unwrap();
    assert_eq!(columns[1], ResultColumn::of_result(1, "nothing".to_owned(), crate::sql::Type::Unknown));
    let batches: Vec<_> = futures::TryStreamExt::try_collect(stream).await.unwrap();
    let batches: Vec<datafusion::arrow::record_batch::RecordBatch> = batches;
    assert_eq!(batches.iter().map(datafusion::arrow::record_batch::RecordBatch::num_rows).sum::<usize>(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_cancelled_promptly() {
    let fixture = fixture().await;
    let million = numbers(6);
    for (name, sql) in [
        ("rows without end", format!("SELECT count(*) FROM ({}) AS t WHERE n % 7 = -1", numbers(15))),
        ("pairs", format!("SELECT count(*) FROM ({million}) AS a CROSS JOIN ({million}) AS b WHERE a.n + b.n < 0")),
        (
            "one key",
            format!(
                "WITH m AS (SELECT n, n * 0 AS k FROM ({million}) AS t) \
                 SELECT a.n FROM m AS a JOIN m AS b ON a.k = b.k AND a.n < b.n AND b.n < a.n"
            ),
        ),
    ] {
        for destination in [
            Destination::Fetch,
            Destination::Keep,
            Destination::Objects {
                prefix: Location::parse(&format!("s3://b/{}/", name.replace(' ', "_"))).unwrap(),
                layout: crate::publish::Layout::default(),
                partition_by: Vec::new(),
            },
        ] {
            let fetched = !matches!(destination, Destination::Objects { .. });
            let token = format!("{name} {destination:?}");
            let query = Query { destination, ..Query::new(sql.as_str(), None, token) };
            let id = fixture.lake.engine.start(&query).await.unwrap();
            while !matches!(fixture.lake.engine.poll(&id).await.unwrap(), QueryStatus::Running(_)) {
                tokio::task::yield_now().await;
            }
            fixture.lake.engine.cancel(&id).await.unwrap();
            assert!(matches!(fixture.lake.engine.poll(&id).await.unwrap(), QueryStatus::Canceled), "{name}");
            if fetched {
                assert_eq!(fixture.lake.engine.fetch(&id).await.err().unwrap().kind, ErrorKind::Canceled);
            }
        }
    }
}

#[tokio::test]
async fn busy_queries_keep_nobody_from_being_served() {
    // One thread for everything but the plans; more queries than that, which do not look up.
    let fixture = fixture().await;
    let million = numbers(6);
    let sql = format!("SELECT count(*) FROM ({million}) AS a CROSS JOIN ({million}) AS b WHERE a.n + b.n < 0");
    let mut busy = Vec::new();
    for number in 0..3 {
        busy.push(fixture.lake.engine.start(&Query::new(sql.as_str(), None, format!("busy {number}"))).await.unwrap());
    }
    assert_eq!(fixture.rows("SELECT 1").await, ["1"]);
    for id in busy {
        assert!(matches!(fixture.lake.engine.poll(&id).await.unwrap(), QueryStatus::Running(_)));
        fixture.lake.engine.cancel(&id).await.unwrap();
    }
    assert_eq!(fixture.rows("SELECT 2").await, ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_many_operators_within_each_other_comes_to_its_end() {
    let fixture = fixture().await;
    // Each is a join whose left side is all before it.
    for operator in [" INTERSECT SELECT 1", " EXCEPT SELECT 2"] {
        assert_eq!(fixture.rows(&format!("SELECT 1{}", operator.repeat(80))).await, ["1"], "{operator}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_sees_tables_of_its_own() {
    let fixture = fixture().await;
    let table = fixture.table("t", &[("n", "bigint")], &[("dt", "string")], TableFormat::Parquet).await;
    fixture.partition(&table, &["a"], "SELECT CAST(1 AS bigint) AS n").await;
    written(fixture.lake.engine.as_ref(), "SELECT CAST(2 AS bigint) AS n", "s3://b/new/", "new").await;
    let version = table.new_partition(vec!["b".to_owned()], Location::parse("s3://b/new/").unwrap());
    let query = Query {
        tables: vec![QueryTable { table: table.clone(), partitions: vec![version] }],
        ..Query::new("SELECT n, dt FROM t", Some("web"), "own tables")
    };
    let id = fixture.lake.engine.start(&query).await.unwrap();
    assert!(matches!(
        ended(fixture.lake.engine.as_ref(), &id).await,
        QueryStatus::Succeeded(QueryStats { rows: 1, .. })
    ));
    assert_eq!(fixture.rows("SELECT n, dt FROM web.t").await, ["1|a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_goes_through_a_temporary_file() {
    let fixture = fixture().await;
    let id = fixture.lake.engine.start(&Query::new(numbers(6), None, "large")).await.unwrap();
    let (_, stream) = fixture.lake.engine.fetch(&id).await.unwrap();
    let batches: Vec<datafusion::arrow::record_batch::RecordBatch> =
        futures::TryStreamExt::try_collect(stream).await.unwrap();
    assert_eq!(batches.iter().map(datafusion::arrow::record_batch::RecordBatch::num_rows).sum::<usize>(), 1_000_000);
}

#[tokio::test]
async fn a_key_of_a_join_is_computed_for_the_rows_that_its_side_keeps() {
    let fixture = fixture().await;
    let (left, right) = ("(VALUES (1, 4), (2, 4), (5, 8)) a(k, x)", "(VALUES (1, 2), (3, 0)) b(k, y)");
    for (from, expected) in [
        (format!("{left} JOIN {right} ON a.k = 10 / b.y AND b.y <> 0"), &["5|1"][..]),
        (format!("{left} LEFT JOIN {right} ON b.y <> 0 AND 10 / b.y = a.k"), &["1|NULL", "2|NULL", "5|1"]),
        (format!("{left}, {right} WHERE b.y <> 0 AND 10 / b.y = a.k"), &["5|1"]),
    ] {
        let sql = format!("SELECT a.k, b.k FROM {from} ORDER BY 1, 2");
        assert_eq!(fixture.rows(&sql).await, expected, "{sql}");
    }
    // No NaN is another one, and both zeros are one.
    let numbers = "(VALUES (1, DOUBLE '0.0'), (2, nan()), (3, DOUBLE '1.5'), (4, NULL))";
    let sql = |join: &str| {
        format!(
            "SELECT a.k, b.k FROM {numbers} a(k, x) {join} (SELECT k, abs(x) * -1 AS x FROM {numbers} n(k, x)) b ON a.x = b.x ORDER BY 1, 2"
        )
    };
    assert_eq!(fixture.rows(&sql("JOIN")).await, ["1|1"]);
    assert_eq!(fixture.rows(&sql("LEFT JOIN")).await, ["1|1", "2|NULL", "3|NULL", "4|NULL"]);
    // A term about the other side keeps nobody from computing it, and a row that stays without a pair has a key, too. So says Trino.
    for from in [
        format!("{left} JOIN {right} ON 10 / b.y = a.k AND a.x < 100"),
        format!("{left} LEFT JOIN {right} ON 10 / b.y = a.k AND a.x < 100"),
        format!("{left} RIGHT JOIN {right} ON b.y <> 0 AND 10 / b.y = a.k"),
        format!("{left} FULL JOIN {right} ON b.y <> 0 AND 10 / b.y = a.k"),
    ] {
        let error = fixture.fails(&format!("SELECT a.k, b.k FROM {from}")).await;
        assert!(error.message.contains("DIVISION_BY_ZERO"), "{from}: {error}");
    }
}

#[tokio::test]
async fn names_are_identifiers_and_given_once() {
    let fixture = fixture().await;
    for (sql, message) in [
        (
            "WITH a AS (SELECT 1 x), A AS (SELECT 2 x) SELECT * FROM a",
            "line 1:25: WITH query name 'A' specified more than once\n  error: DUPLICATE_NAMED_QUERY",
        ),
        ("SELECT 'a' 'b'", "mismatched input ''b''"),
        ("SELECT 1 AS 'x'", "mismatched input ''x''"),
        ("SELECT * FROM (VALUES 1) 't'", "mismatched input ''t''"),
        ("SELECT * FROM (VALUES 1) t ('c')", "mismatched input ''c''"),
        ("WITH 'a' AS (SELECT 1) SELECT 1", "mismatched input ''a''"),
        ("SELECT 1\nFROM", "line 2:5: "),
    ] {
        let error = fixture.fails(sql).await.to_string();
        assert!(error.contains(message), "{sql}: {error}");
    }
    // A name of an outer query may be given anew inside.
    assert_eq!(
        fixture.rows("WITH a AS (SELECT 1 x) SELECT * FROM (WITH a AS (SELECT 2 x) SELECT * FROM a)").await,
        ["2"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_of_rows_is_answered() {
    let fixture = fixture().await;
    let pairs: Vec<String> = (0..2_000).map(|number| format!("({number}, {})", number % 7)).collect();
    let sql =
        format!("SELECT count(*) FROM UNNEST(sequence(1, 3000)) AS t (x) WHERE (x, x % 7) IN ({})", pairs.join(", "));
    assert_eq!(fixture.rows(&sql).await, ["1999"]);
    assert_eq!(fixture.rows(&sql.replace(" IN (", " NOT IN (")).await, ["1001"]);
    // A NULL in the list that no row was equal before makes no row one that is not in it.
    let with_null = sql.replace(" IN (", " NOT IN ((CAST(NULL AS integer), 5), ");
    assert_eq!(fixture.rows(&with_null).await, ["858"]);
    let doubles: Vec<String> = (0..2_000).map(|number| format!("{number}e0")).collect();
    let sql = format!(
        "SELECT count(*) FROM UNNEST(sequence(1, 3000)) AS t (x) WHERE CAST(x AS double) NOT IN ({})",
        doubles.join(", ")
    );
    assert_eq!(fixture.rows(&sql).await, ["1001"]);
    let instants: Vec<String> = (0..2_000).map(|number| format!("from_unixtime({number})")).collect();
    let sql = format!(
        "SELECT count(*) FROM UNNEST(sequence(1, 3000)) AS t (x) WHERE from_unixtime(x) NOT IN ({})",
        instants.join(", ")
    );
    assert_eq!(fixture.rows(&sql).await, ["1001"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_knows_three_truths() {
    let fixture = fixture().await;
    for (sql, expected) in [
        ("SELECT 1e0 IN (2e0, 1e0, NULL), 1e0 IN (2e0, NULL), 1e0 NOT IN (2e0, 3e0)", "true|NULL|true"),
        ("SELECT CAST(NULL AS double) IN (1e0, 2e0), nan() IN (nan(), 1e0), -0e0 IN (0e0, 1e0)", "NULL|false|true"),
        (
            "SELECT (1, 'a') IN ((1, 'b'), (1, 'a')), (1, NULL) IN ((1, 'b'), (2, 'a')), (1, 2) NOT IN ((2, NULL), (3, 4))",
            "true|NULL|true",
        ),
        ("SELECT x IN (2e0, x, 1e0 / x), x NOT IN (y, 3e0) FROM (VALUES (1e0, NULL)) AS t (x, y)", "true|NULL"),
    ] {
        assert_eq!(fixture.rows(sql).await, [expected], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exists_is_a_value_wherever_values_are() {
    let fixture = fixture().await;
    let exists = "exists (SELECT 1 FROM (VALUES 1, 3) AS z (a) WHERE z.a = x.a)";
    let x = "(VALUES 1, 2, 2) AS x (a)";
    for (sql, expected) in [
        (format!("SELECT DISTINCT a, {exists} FROM {x} ORDER BY 1"), ["1|true", "2|false"]),
        (format!("SELECT DISTINCT a, NOT {exists} FROM {x} ORDER BY 1"), ["1|false", "2|true"]),
        (
            format!("WITH q AS (SELECT a, {exists} AS e FROM {x}) SELECT e, count(*) FROM q GROUP BY e ORDER BY e"),
            ["false|2", "true|1"],
        ),
        (format!("SELECT a, {exists} FROM {x} GROUP BY 1, 2 ORDER BY 1"), ["1|true", "2|false"]),
        (format!("SELECT count(*), a IN (SELECT 2) FROM {x} GROUP BY 2 ORDER BY 2"), ["1|false", "2|true"]),
        (format!("SELECT a, (SELECT count(*) FROM {x}) FROM {x} GROUP BY 1, 2 ORDER BY 1"), ["1|3", "2|3"]),
    ] {
        assert_eq!(fixture.rows(&sql).await, expected, "{sql}");
    }
    let again = format!("SELECT {exists} FROM {x} GROUP BY {exists}");
    assert!(fixture.fails(&again).await.message.ends_with("not supported yet: a subquery in GROUP BY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_side_of_is_distinct_from_ends_at_and() {
    let fixture = fixture().await;
    for (sql, expected) in [
        ("SELECT 1 IS DISTINCT FROM 2 AND false, 1 IS NOT DISTINCT FROM 2 OR true", "false|true"),
        ("SELECT NOT 1 IS DISTINCT FROM 1 + 0, 'ab' IS NOT DISTINCT FROM 'a' || 'b' AND NOT false", "true|true"),
        ("SELECT NOT 1 IN (2), NOT 'a' LIKE 'b', NOT 1 BETWEEN 2 AND 3 AND true, NOT 1 IS NULL", "true|true|true|true"),
        (
            "SELECT a.x FROM (VALUES (1, 2)) AS a (x, y) JOIN (VALUES (1, 2)) AS b (x, y) ON a.x IS NOT DISTINCT FROM b.x AND a.y = b.y",
            "1",
        ),
    ] {
        assert_eq!(fixture.rows(sql).await, [expected], "{sql}");
    }
    // A predicate is no operand of another.
    for sql in [
        "SELECT 1 IS DISTINCT FROM 2 = true",
        "SELECT 1 = 2 IS DISTINCT FROM true",
        "SELECT 1 IS DISTINCT FROM NOT true",
        "SELECT 1 IS NULL IS NULL",
        "SELECT 1 IN (1) = true",
        "SELECT 'a' LIKE 'b' IS NULL",
        "SELECT 1 BETWEEN 0 AND 2 IS NOT NULL",
    ] {
        assert!(fixture.fails(sql).await.message.contains("must stand in parentheses here"), "{sql}");
    }
}

/// What a real Trino 476 answered.
#[tokio::test(flavor = "multi_thread")]
async fn null_is_the_same_as_null_in_the_keys_that_say_so_and_in_no_others() {
    const RELATIONS: &str = "WITH t (a, b) AS (VALUES (NULL, true), (2, false)), u (a) AS (VALUES NULL, 2, 1), \
                             v (a, c) AS (VALUES (1, CAST(NULL AS integer)), (2, 3))";
    let fixture = fixture().await;
    for (sql, expected) in [
        ("SELECT t.a, u.a FROM t JOIN u ON t.a IS NOT DISTINCT FROM u.a", "2|2 NULL|NULL"),
        (
            "SELECT t.a, u.a FROM t JOIN u ON t.a IS NOT DISTINCT FROM u.a WHERE t.a IN (SELECT a FROM u) OR t.b",
            "2|2 NULL|NULL",
        ),
        (
            "SELECT t.a, u.a FROM t JOIN u ON t.a IS NOT DISTINCT FROM u.a \
             JOIN t AS w ON w.a IS NOT DISTINCT FROM u.a AND w.b = t.b",
            "2|2 NULL|NULL",
        ),
        ("SELECT t.a, u.a FROM t CROSS JOIN u WHERE t.a IS NOT DISTINCT FROM u.a AND t.b", "NULL|NULL"),
        ("SELECT v.a, w.c FROM v JOIN v AS w ON v.a IS NOT DISTINCT FROM w.a WHERE v.c = w.c", "2|3"),
        ("SELECT t.a, u.a FROM t FULL JOIN u ON t.a IS NOT DISTINCT FROM u.a", "2|2 NULL|1 NULL|NULL"),
        (
            "SELECT v.a, w.a FROM v LEFT JOIN v AS w ON CAST(v.c AS double) IS NOT DISTINCT FROM CAST(w.c AS double)",
            "1|1 2|2",
        ),
        ("SELECT a FROM t WHERE a IS DISTINCT FROM 2 OR a IS NOT DISTINCT FROM NULL", "NULL"),
    ] {
        let mut rows = fixture.rows(&format!("{RELATIONS} {sql}")).await;
        rows.sort_unstable();
        assert_eq!(rows.join(" "), expected, "{sql}");
    }
}

/// What a real Trino 476 answered.
#[tokio::test(flavor = "multi_thread")]
async fn infinities_and_values_without_spread_are_aggregated_as_they_are() {
    let fixture = fixture().await;
    for (sql, expected) in [
        (
            "SELECT g, min(c), max(c) FROM (VALUES (1, infinity()), (2, -infinity()), (3, nan()), (3, NULL), (4, NULL), \
             (5, nan()), (5, infinity()), (6, DOUBLE '-0.0'), (6, DOUBLE '0.0')) AS t (g, c) GROUP BY g ORDER BY g",
            "1|inf|inf 2|-inf|-inf 3|NaN|NaN 4|NULL|NULL 5|inf|inf 6|-0.0|-0.0",
        ),
        ("SELECT min(c), max(c) FROM (VALUES infinity(), infinity()) AS t (c)", "inf|inf"),
        (
            "SELECT g, min(c), max(c) FROM (VALUES (1, REAL '1.5'), (1, CAST(nan() AS real)), (2, CAST(infinity() AS real))) \
             AS t (g, c) GROUP BY g ORDER BY g",
            "1|1.5|1.5 2|inf|inf",
        ),
        (
            "SELECT corr(a, c), corr(c, a), regr_slope(a, c), covar_pop(a, c), covar_samp(a, c) \
             FROM (SELECT CAST(x AS double) AS a, 1.1e0 AS c FROM UNNEST(sequence(1, 14)) AS u (x))",
            "NULL|NULL|NULL|0.0|0.0",
        ),
        (
            "SELECT g, corr(x, y), regr_slope(x, y), covar_pop(x, y) FROM (VALUES (1, 1e0, 2e0), (1, 2e0, 5e0), (1, 3e0, 6e0), \
             (2, 1e0, 1e0)) AS t (g, x, y) GROUP BY g ORDER BY g",
            "1|0.9607689228305227|0.46153846153846145|1.3333333333333333 2|NULL|NULL|0.0",
        ),
        (
            "SELECT regr_slope(a, c), regr_intercept(a, c), corr(a, c) FROM (VALUES (1e0, nan()), (2e0, 1e0)) AS t (a, c)",
            "NULL|NULL|NULL",
        ),
    ] {
        assert_eq!(fixture.rows(sql).await.join(" "), expected, "{sql}");
    }
    let error = fixture.fails("SELECT approx_percentile(c, 0.5) FROM (VALUES nan(), 1e0, 2e0) AS t (c)").await;
    assert_eq!(error.message, "INVALID_FUNCTION_ARGUMENT: value must be finite; was NaN");
}

/// What a real Trino 476 answered.
#[tokio::test(flavor = "multi_thread")]
async fn nan_is_the_smallest_number_where_null_comes_first() {
    const VALUES: &str = "(VALUES nan(), 1e0, infinity(), -1e0, NULL, nan()) AS t (d)";
    let fixture = fixture().await;
    for (sql, expected) in [
        ("SELECT d FROM {} ORDER BY d NULLS FIRST", "NULL NaN NaN -1.0 1.0 inf"),
        ("SELECT d FROM {} ORDER BY 1 DESC NULLS FIRST LIMIT 3", "NULL inf 1.0"),
        ("SELECT d FROM {} ORDER BY d DESC", "NaN NaN inf 1.0 -1.0 NULL"),
        ("SELECT CAST(d AS real) FROM {} ORDER BY 1 NULLS FIRST", "NULL NaN NaN -1.0 1.0 inf"),
        ("SELECT array_agg(d ORDER BY d DESC NULLS FIRST) FROM {}", "[NULL, inf, 1.0, -1.0, NaN, NaN]"),
        ("SELECT rank() OVER (ORDER BY d NULLS FIRST) FROM {} ORDER BY 1", "1 2 2 4 5 6"),
    ] {
        let found = fixture.rows(&sql.replace("{}", VALUES)).await.join(" ");
        assert_eq!(found, expected, "{sql}");
    }
    let sorted = "SELECT x FROM (VALUES ARRAY[2], ARRAY[1, 3]) AS t (x) ORDER BY x";
    assert_eq!(fixture.rows(sorted).await, ["[1, 3]", "[2]"]);
    for values in ["(1, ARRAY[1, NULL]), (2, ARRAY[1, 2])", "(1, ROW(1, ROW(NULL))), (2, ROW(1, ROW(2)))"] {
        let error = fixture.fails(&format!("SELECT n FROM (VALUES {values}) AS t (n, x) ORDER BY x")).await;
        assert_eq!(error.kind, ErrorKind::UnsupportedSql);
        assert!(error.message.contains("with NULL inside"), "{}", error.message);
    }
}

/// What a real Trino 476 answered.
#[tokio::test(flavor = "multi_thread")]
async fn small_decimals_have_an_exponent_in_json() {
    let fixture = fixture().await;
    let decimals =
        ["0.0000001", "0.000001", "0.0000000", "0.000000", "-0.00000012345", "123.4500", "-12", "0.00000010"];
    let casts: Vec<String> = decimals.iter().map(|value| format!("CAST(DECIMAL '{value}' AS json)")).collect();
    assert_eq!(
        fixture.rows(&format!("SELECT {}", casts.join(", "))).await,
        ["1E-7|0.000001|0E-7|0.000000|-1.2345E-7|123.4500|-12|1.0E-7"]
    );
}

/// A real Trino 476 refuses them.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_function_takes_is_refused() {
    let fixture = fixture().await;
    for (sql, message) in [
        ("SELECT extract(HOUR FROM DATE '2024-02-29')", "Cannot extract HOUR from date"),
        (
            "SELECT extract(TIMEZONE_HOUR FROM TIMESTAMP '2024-01-31 23:59:59.123')",
            "Cannot extract TIMEZONE_HOUR from timestamp(3)",
        ),
        ("SELECT extract(YEAR FROM NULL)", "Cannot extract YEAR from unknown"),
        ("SELECT substring(x'00ff61', 1)", "Unexpected parameters (varbinary, integer) for function substring"),
        ("SELECT coutn(*) FROM (VALUES 1) AS t (a)", "Function 'coutn' not registered; did you mean `count`?"),
    ] {
        let error = fixture.fails(sql).await;
        assert!(error.message.contains(message), "{sql}: {}", error.message);
    }
}
