//! `CREATE TABLE AS`, `INSERT INTO` and `UNLOAD`: what they write, and what they refuse.

use super::*;

async fn with_database() -> Fixture {
    let fixture = fixture().await;
    fixture.run("CREATE SCHEMA web").await;
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_made_of_a_query() {
    let fixture = with_database().await;
    let ran = fixture
        .run(
            "CREATE TABLE t WITH (format = 'PARQUET', write_compression = 'SNAPPY', partitioned_by = ARRAY['dt'],
               external_location = 's3://b/t/') AS SELECT n, dt FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a')) v (n, dt)",
        )
        .await;
    assert_eq!(columns(&ran.results), ["rows bigint 19 0"]);
    assert_eq!((ran.rows.len(), &ran.results["UpdateCount"]), (0, &json!(3)));
    assert_eq!(ran.execution["SubstatementType"], "CREATE_TABLE_AS_SELECT");
    let id = ran.execution["QueryExecutionId"].as_str().unwrap();
    let manifest = ran.execution["Statistics"]["DataManifestLocation"].as_str().unwrap();
    assert_eq!(manifest, format!("s3://results/q/tables/{id}-manifest.csv"));
    assert_eq!(fixture.object(manifest).await, "s3://b/t/dt=a/part-00000.parquet\ns3://b/t/dt=b/part-00000.parquet\n");
    assert_eq!(fixture.rows("SELECT n FROM t WHERE dt = 'a' ORDER BY n").await, ["1", "3"]);
    assert_eq!(
        fixture.fails("CREATE TABLE t AS SELECT 1 AS n").await,
        "TABLE_ALREADY_EXISTS: line 1:1: Destination table 'awsdatacatalog.web.t' already exists"
    );
    assert_eq!(
        fixture.fails("CREATE TABLE u WITH (external_location = 's3://b/t/') AS SELECT 1 AS n").await,
        "HIVE_PATH_ALREADY_EXISTS: Target directory for table already exists: s3://b/t/"
    );
    assert_eq!(
        fixture.fails("CREATE TABLE u AS SELECT 1").await,
        "MISSING_COLUMN_NAME: line 1:1: Column name not specified at position 1"
    );
    let ran = fixture.run("CREATE TABLE u (\"a\", b) AS SELECT n, 'x' FROM t -- the end").await;
    let id = ran.execution["QueryExecutionId"].as_str().unwrap();
    assert_eq!(fixture.objects(&format!("s3://results/q/tables/{id}/")).await.len(), 1);
    assert_eq!(fixture.rows("SELECT sum(a), max(b) FROM u").await, ["6|x"]);
    fixture.run("CREATE TABLE IF NOT EXISTS u AS SELECT 1 AS n").await;
    fixture.run("CREATE TABLE empty AS SELECT n FROM t WITH NO DATA").await;
    assert_eq!(fixture.rows("SELECT count(*) FROM empty").await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_inserted_by_name_and_by_place() {
    let fixture = with_database().await;
    fixture
        .run(
            "CREATE EXTERNAL TABLE t (n bigint, s string, d decimal(10,2)) PARTITIONED BY (dt date) STORED AS PARQUET
             LOCATION 's3://b/t/' TBLPROPERTIES ('parquet.compression'='SNAPPY')",
        )
        .await;
    let ran = fixture.run("INSERT INTO t SELECT 1, 'x', 1.5, DATE '2026-01-01'").await;
    assert_eq!(ran.results["UpdateCount"], 1);
    assert_eq!(columns(&ran.results), ["rows bigint 19 0"]);
    fixture.run("INSERT INTO web.t (dt, n) VALUES (DATE '2026-01-01', 2), (DATE '2026-01-02', 3)").await;
    assert_eq!(
        fixture.rows("SELECT n, s, d, dt FROM t ORDER BY n").await,
        ["1|x|1.50|2026-01-01", "2|NULL|NULL|2026-01-01", "3|NULL|NULL|2026-01-02"]
    );
    assert_eq!(fixture.run("SHOW PARTITIONS t").await.rows, ["dt=2026-01-01", "dt=2026-01-02"]);
    assert_eq!(fixture.objects("s3://b/t/").await.len(), 3);
    assert_eq!(
        fixture.objects("s3://suiro-results/athena-insert/").await,
        Vec::<String>::new(),
        "nothing is left aside"
    );
    assert_eq!(
        fixture.fails("INSERT INTO t SELECT 'x', 'x', 1.5, DATE '2026-01-01'").await,
        "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [bigint, varchar, decimal(10,2), date], \
         Query: [varchar(1), varchar(1), decimal(2,1), date]"
    );
    assert_eq!(
        fixture.fails("INSERT INTO nope SELECT 1").await,
        "TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.web.nope' does not exist"
    );
}

/// What Trino 476 answers.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_inserted_becomes_the_columns_type_or_is_an_error() {
    let fixture = with_database().await;
    fixture
        .run(
            "CREATE EXTERNAL TABLE t (i int, v varchar(3), c char(3), d decimal(5,2), av array<varchar(2)>, dt date, ts timestamp,
             x double, b boolean) PARTITIONED BY (p varchar(2)) STORED AS PARQUET LOCATION 's3://b/t/'",
        )
        .await;
    let taken = [
        ("i", "BIGINT '5'", "5"),
        ("i", "1.5", "2"),
        ("i", "1.5e0", "2"),
        ("v", "'ABC  '", "ABC"),
        ("v", "CAST('ab' AS char(9))", "ab "),
        ("c", "'AB   '", "AB "),
        ("d", "1.234", "1.23"),
        ("d", "1.5e0", "1.50"),
        ("av", "ARRAY['ab']", "[ab]"),
        ("dt", "TIMESTAMP '2020-01-01 10:00:00'", "2020-01-01"),
        ("ts", "DATE '2020-01-01'", "2020-01-01 00:00:00.000"),
        ("ts", "TIMESTAMP '2020-01-01 10:00:00 UTC'", "2020-01-01 10:00:00.000"),
        ("x", "REAL '1.5'", "1.5"),
    ];
    for (number, (column, value, expected)) in taken.into_iter().enumerate() {
        fixture.run(&format!("INSERT INTO t ({column}, p) VALUES ({value}, '{number}')")).await;
        let found = fixture.rows(&format!("SELECT {column} FROM t WHERE p = '{number}'")).await;
        assert_eq!(found, [expected], "{column} {value}");
    }
    for (column, value, expected) in [
        ("i", "5000000000", "NUMERIC_VALUE_OUT_OF_RANGE: Out of range for integer: 5000000000"),
        ("d", "12345", "INVALID_CAST_ARGUMENT: Cannot cast INTEGER '12345' to DECIMAL(5, 2)"),
        (
            "v",
            "'ABCDEF'",
            "INVALID_CAST_ARGUMENT: Cannot truncate non-space characters when casting from varchar(6) to varchar(3) on INSERT",
        ),
        (
            "c",
            "'ABCDEF'",
            "INVALID_CAST_ARGUMENT: Cannot truncate non-space characters when casting from varchar(6) to char(3) on INSERT",
        ),
        (
            "v",
            "CAST('abcd' AS char(9))",
            "INVALID_CAST_ARGUMENT: Cannot truncate non-space characters when casting from char(9) to varchar(3) on INSERT",
        ),
        (
            "av",
            "ARRAY['abc']",
            "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [array(varchar(2)), varchar(2)], Query: [array(varchar(3)), varchar(1)]",
        ),
        (
            "x",
            "'1.5'",
            "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [double, varchar(2)], Query: [varchar(3), varchar(1)]",
        ),
        (
            "b",
            "1",
            "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [boolean, varchar(2)], Query: [integer, varchar(1)]",
        ),
    ] {
        assert_eq!(fixture.fails(&format!("INSERT INTO t ({column}, p) VALUES ({value}, 'a')")).await, expected);
    }
    assert_eq!(
        fixture.fails("INSERT INTO t (i, p) VALUES (1, 'abc')").await,
        "INVALID_CAST_ARGUMENT: Cannot truncate non-space characters when casting from varchar(3) to varchar(2) on INSERT"
    );
    // A key that is not given is NULL.
    fixture.run("INSERT INTO t (i) VALUES (77)").await;
    assert_eq!(fixture.rows("SELECT i, p FROM t WHERE i = 77").await, ["77|NULL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_that_cannot_place_an_object_leaves_none() {
    let fixture = with_database().await;
    fixture
        .run(
            "CREATE EXTERNAL TABLE t (n int) PARTITIONED BY (dt string) STORED AS PARQUET
             LOCATION 's3://b/t/'",
        )
        .await;
    // An object stands where the folder of the second partition would be.
    fixture.put("s3://b/file", "in the way").await;
    fixture.run("ALTER TABLE t ADD PARTITION (dt = 'b') LOCATION 's3://b/file/'").await;
    fixture.fails("INSERT INTO t VALUES (1, 'a'), (2, 'b')").await;
    assert_eq!(fixture.objects("s3://b/").await, ["s3://b/file"]);
    assert_eq!(fixture.objects("s3://suiro-results/athena-insert/").await, Vec::<String>::new());
    let kept: Vec<(String, Value)> =
        fixture.athena.inner.store.list(crate::athena::store::Kind::Insertion, "").await.unwrap();
    assert!(kept.is_empty(), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_column_without_a_name_has_none() {
    let fixture = with_database().await;
    fixture.run("CREATE TABLE t AS SELECT 1 AS _color, 2 AS _col, 3 AS _col0").await;
    assert_eq!(fixture.rows("SELECT _color, _col, _col0 FROM t").await, ["1|2|3"]);
    assert_eq!(
        fixture.fails("CREATE TABLE u AS SELECT 1 AS a, 2").await,
        "MISSING_COLUMN_NAME: line 1:1: Column name not specified at position 2"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_inserted_and_unloaded() {
    let fixture = with_database().await;
    fixture
        .run(
            "CREATE EXTERNAL TABLE t (a int, b string) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t'
             LINES TERMINATED BY '\\n' STORED AS TEXTFILE LOCATION 's3://b/t/'",
        )
        .await;
    fixture.run("INSERT INTO t (a, b) VALUES (1, 'foo')").await;
    fixture.run("INSERT INTO t VALUES (2, NULL), (3, 'jim o''rourke')").await;
    assert_eq!(fixture.rows("SELECT * FROM t ORDER BY a").await, ["1|foo", "2|NULL", "3|jim o'rourke"]);

    let ran = fixture
        .run("UNLOAD (SELECT a, b FROM t WHERE a < 3 ORDER BY a) TO 's3://b/u/' WITH (format = 'JSON', compression = 'NONE')")
        .await;
    assert_eq!(ran.results["UpdateCount"], 2);
    let manifest = ran.execution["Statistics"]["DataManifestLocation"].as_str().unwrap();
    let objects = fixture.object(manifest).await;
    assert_eq!(fixture.object(objects.trim()).await, "{\"a\":1,\"b\":\"foo\"}\n{\"a\":2,\"b\":null}\n");
    let ran =
        fixture.run("UNLOAD (SELECT a FROM t) TO 's3://b/p' WITH (format = 'PARQUET', compression = 'SNAPPY')").await;
    let manifest = ran.execution["Statistics"]["DataManifestLocation"].as_str().unwrap();
    assert_eq!(fixture.object(manifest).await, "s3://b/p/part-00000.parquet\n");
    assert_eq!(
        fixture.fails("UNLOAD (SELECT 1 AS a) TO 's3://b/p/' WITH (format = 'PARQUET')").await,
        "HIVE_PATH_ALREADY_EXISTS: Target directory for table already exists: s3://b/p/"
    );
    assert_eq!(
        fixture.fails("UNLOAD (SELECT 1 AS a) TO 's3://b/o/' WITH (format = 'ION')").await,
        "NOT_SUPPORTED: writing the format ION is not supported by this endpoint yet"
    );
    assert_eq!(
        fixture.fails("UNLOAD (\nSELECT\n missing) TO 's3://b/x/' WITH (format = 'PARQUET')").await,
        "COLUMN_NOT_FOUND: line 3:2: Column 'missing' cannot be resolved",
        "places are those of the whole statement"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn orc_and_avro_are_made_inserted_unloaded_and_read() {
    let fixture = with_database().await;
    for (format, compression) in [("ORC", "ZLIB"), ("ORC", "NONE"), ("AVRO", "DEFLATE"), ("AVRO", "SNAPPY")] {
        let table = format!("{format}_{compression}").to_lowercase();
        fixture
            .run(&format!(
                "CREATE TABLE {table} WITH (format = '{format}', write_compression = '{compression}',
                   partitioned_by = ARRAY['p']) AS
                 SELECT * FROM (VALUES (1, 'a', DATE '2026-01-02', CAST(1.5 AS decimal(5,2)), ARRAY[1, NULL], 'x'),
                   (2, NULL, NULL, NULL, NULL, 'y')) AS t (n, s, d, c, l, p)"
            ))
            .await;
        fixture.run(&format!("INSERT INTO {table} VALUES (3, 'c', NULL, DECIMAL '-0.01', ARRAY[], 'x')")).await;
        assert_eq!(
            fixture.rows(&format!("SELECT n, s, d, c, l, p FROM {table} ORDER BY n")).await,
            ["1|a|2026-01-02|1.50|[1, null]|x", "2|NULL|NULL|NULL|NULL|y", "3|c|NULL|-0.01|[]|x"],
            "{table}"
        );
        let ran = fixture
            .run(&format!("UNLOAD (SELECT n FROM {table}) TO 's3://b/u-{table}/' WITH (format = '{format}')"))
            .await;
        assert_eq!(ran.results["UpdateCount"], 3);
        let manifest = ran.execution["Statistics"]["DataManifestLocation"].as_str().unwrap();
        let ending = format.to_lowercase();
        assert_eq!(fixture.object(manifest).await, format!("s3://b/u-{table}/part-00000.{ending}\n"));
    }
    // What a format has no form for is told before anything is written.
    assert_eq!(
        fixture.fails("CREATE TABLE m WITH (format = 'AVRO') AS SELECT MAP(ARRAY[1], ARRAY[2]) AS m").await,
        "NOT_SUPPORTED: rows cannot be written in the format AVRO: column `m` of type map(integer, integer): the keys of a map in \
         Avro are text"
    );
    for data_type in ["tinyint", "smallint"] {
        assert_eq!(
            fixture
                .fails(&format!("CREATE TABLE m WITH (format = 'AVRO') AS SELECT CAST(1 AS {data_type}) AS a"))
                .await,
            format!(
                "NOT_SUPPORTED: rows cannot be written in the format AVRO: column `a` of type {data_type}: {data_type} has no form \
                 in Avro: CAST it to integer"
            )
        );
    }
    assert_eq!(fixture.run("SHOW TABLES 'm'").await.rows, Vec::<String>::new());
    assert_eq!(
        fixture.fails("UNLOAD (SELECT 1 AS \"a b\") TO 's3://b/n/' WITH (format = 'AVRO')").await,
        "NOT_SUPPORTED: rows cannot be written in the format AVRO: column `a b`: a name in Avro begins with a letter or `_`, and has \
         letters, digits and `_` behind it"
    );
    assert_eq!(
        fixture
            .fails("UNLOAD (SELECT TIMESTAMP '1969-12-31 23:59:59.500' AS t) TO 's3://b/t/' WITH (format = 'ORC')")
            .await,
        "HIVE_WRITER_DATA_ERROR: a time lies in the last second before 1970-01-01, and ORC has no form for it: readers would take it \
         for one in the second behind; write another format, or whole seconds"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_makes_a_bucket() {
    let fixture = with_database().await;
    fixture.run("CREATE EXTERNAL TABLE t (n int) STORED AS PARQUET LOCATION 's3://nowhere/t/'").await;
    for (statement, place) in [
        ("UNLOAD (SELECT 1 AS n) TO 's3://nowhere/u' WITH (format = 'PARQUET')", "s3://nowhere/u/"),
        ("UNLOAD (SELECT 1 AS n) TO 's3://nowhere/u/' WITH (format = 'JSON')", "s3://nowhere/u/"),
        ("CREATE TABLE u WITH (external_location = 's3://nowhere/c/') AS SELECT 1 AS n", "s3://nowhere/c/"),
        ("INSERT INTO t VALUES 1", "s3://nowhere/t/"),
    ] {
        let reason = fixture.fails(statement).await;
        assert_eq!(
            reason,
            format!(
                "HIVE_FILESYSTEM_ERROR: Failed checking path: {place}: The specified bucket does not exist (Service: S3, \
                 Status Code: 404, Error Code: NoSuchBucket)"
            ),
            "{statement}"
        );
    }
    assert!(!fixture.folder.path().join("warehouse/s3/nowhere").try_exists().unwrap());
    assert_eq!(fixture.run("SHOW TABLES").await.rows, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_hundred_partitions_are_refused() {
    let fixture = with_database().await;
    let digits = "(VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)";
    let reason = fixture
        .fails(&format!(
            "CREATE TABLE t WITH (partitioned_by = ARRAY['k']) AS \
             SELECT 1 AS n, a.x * 100 + b.x * 10 + c.x AS k FROM {digits} a (x), {digits} b (x), (VALUES 0, 1) c (x)"
        ))
        .await;
    assert!(reason.starts_with("HIVE_TOO_MANY_OPEN_PARTITIONS: "), "{reason}");
    assert_eq!(fixture.run("SHOW TABLES").await.rows, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_not_there_when_its_statement_could_not_end() {
    let fixture = fixture().await;
    fixture.run("CREATE DATABASE web").await;
    // Nothing can be written below what is an object.
    fixture.put("s3://results/taken", "x").await;
    let start = json!({
        "QueryString": "CREATE TABLE web.t WITH (external_location = 's3://b/t/') AS SELECT 1 AS n",
        "ClientRequestToken": "t".repeat(32),
        "ResultConfiguration": { "OutputLocation": "s3://results/taken/" },
    });
    let started = fixture.call("StartQueryExecution", start).await;
    let execution = fixture.ended(started["QueryExecutionId"].as_str().unwrap()).await;
    assert_eq!(execution["Status"]["State"], "FAILED", "{execution}");
    let name = lake::name::TableName::new("web", "t").unwrap();
    assert_eq!(fixture.athena.inner.lake.catalog.table(&name).await.unwrap(), None);
}

/// What else a table is stands in its parameters, or in its classes; it was made by other programs.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_a_log_of_its_own_is_neither_read_nor_written() {
    let fixture = with_database().await;
    fixture.run("CREATE TABLE rows WITH (external_location = 's3://b/rows/') AS SELECT 1 AS n").await;
    for (name, property, kind) in [
        ("ice", "'table_type'='iceberg'", "an Iceberg"),
        ("delta", "'spark.sql.sources.provider'='delta'", "a Delta Lake"),
        ("hudi", "'spark.sql.sources.provider'='hudi'", "a Hudi"),
        ("acid", "'transactional'='true'", "a transactional"),
    ] {
        fixture.run(&format!("CREATE EXTERNAL TABLE {name} (n int) STORED AS PARQUET LOCATION 's3://b/rows/'")).await;
        fixture.run(&format!("ALTER TABLE {name} SET TBLPROPERTIES ({property})")).await;
        let described = format!("it is {kind} table, whose own log says which objects are its rows");
        let word = kind.split_once(' ').unwrap().1;
        assert_eq!(
            fixture.fails(&format!("SELECT * FROM {name}")).await,
            format!("UNSUPPORTED_TABLE_TYPE: Cannot query {word} table 'web.{name}': {described}")
        );
        assert_eq!(
            fixture.fails(&format!("INSERT INTO {name} VALUES (7)")).await,
            format!("NOT_SUPPORTED: writing to table `web.{name}` is not supported: {described}")
        );
        fixture.run(&format!("DROP TABLE {name}")).await;
    }
    assert_eq!(fixture.objects("s3://b/rows/").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_format_that_is_not_the_serdes_own_is_neither_read_nor_written() {
    let fixture = with_database().await;
    fixture.put("s3://b/links/manifest", "s3://b/elsewhere/real.csv\n").await;
    let delimited = "`org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe`";
    let (symlinks, sequences) =
        ("org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat", "org.apache.hadoop.mapred.SequenceFileInputFormat");
    let by_classes = format!("INPUTFORMAT '{symlinks}' OUTPUTFORMAT 'org.apache.hadoop.mapred.TextOutputFormat'");
    for (name, stored_as, input) in [("links", by_classes.as_str(), symlinks), ("sequence", "SEQUENCEFILE", sequences)]
    {
        fixture
            .run(&format!(
                "CREATE EXTERNAL TABLE {name} (a string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS {stored_as}
                 LOCATION 's3://b/links/'"
            ))
            .await;
        assert_eq!(
            fixture.fails(&format!("SELECT * FROM {name}")).await,
            format!(
                "HIVE_UNSUPPORTED_FORMAT: table `web.{name}` is in a format that is not read yet: {delimited} with the input \
                 format `{input}`"
            )
        );
        assert_eq!(
            fixture.fails(&format!("INSERT INTO {name} VALUES ('x')")).await,
            format!(
                "NOT_SUPPORTED: writing to table `web.{name}` is not supported: its SerDe {delimited} with the input format \
                 `{input}`, which is neither written nor read"
            )
        );
    }
    assert_eq!(fixture.objects("s3://b/links/").await, ["s3://b/links/manifest"]);
}
