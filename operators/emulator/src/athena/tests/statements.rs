//! Hive's DDL, partitions, views, and what Athena's own calls tell of the catalog.

use indexmap::IndexMap;

use super::*;

async fn with_table() -> Fixture {
    let fixture = fixture().await;
    fixture.run("CREATE DATABASE IF NOT EXISTS web COMMENT 'of the web'").await;
    fixture
        .run(
            "CREATE EXTERNAL TABLE web.log (n int COMMENT 'a number', tags array<string>) PARTITIONED BY (dt string)
             ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE LOCATION 's3://b/log/'",
        )
        .await;
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_made_described_and_dropped() {
    let fixture = with_table().await;
    let described = fixture.run("DESCRIBE log").await;
    assert_eq!(columns(&described.results), ["col_name string 0 0", "data_type string 0 0", "comment string 0 0"]);
    assert_eq!(
        described.rows,
        [
            "n                   \tint                 \ta number            ",
            "tags                \tarray<string>       \t                    ",
            "dt                  \tstring              \t                    ",
            "\t \t ",
            "# Partition Information\t \t ",
            "# col_name            \tdata_type           \tcomment             ",
            "\t \t ",
            "dt                  \tstring              \t                    ",
        ]
    );
    assert!(described.results.get("UpdateCount").is_none());
    assert_eq!(fixture.run("SHOW COLUMNS IN log").await.rows[0], "n                   ");
    assert_eq!(fixture.run("SHOW TABLES IN web '*g'").await.rows, ["log"]);
    assert_eq!(fixture.run("SHOW DATABASES").await.rows, ["default", "web"]);
    assert_eq!(fixture.run("SHOW TBLPROPERTIES log ('EXTERNAL')").await.rows, ["EXTERNAL\tTRUE"]);
    let made = fixture.run("SHOW CREATE TABLE log").await.rows.join("\n");
    fixture.run("DROP TABLE log").await;
    fixture.run(&made).await;
    assert_eq!(fixture.run("SHOW CREATE TABLE log").await.rows.join("\n"), made);

    assert_eq!(
        fixture.fails("DROP DATABASE web").await,
        "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. \
         InvalidOperationException(message:Database web is not empty. One or more tables exist.)"
    );
    fixture.run("DROP DATABASE web CASCADE").await;
    assert_eq!(
        fixture.fails("SHOW TABLES").await,
        "FAILED: SemanticException [Error 10072]: Database does not exist: web"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_added_found_and_dropped() {
    let fixture = with_table().await;
    fixture.put("s3://b/log/dt=2026-01-01/a.csv", "1,x\u{2}y\n").await;
    fixture.put("s3://b/log/dt=a%3Ab/a.csv", "2,\\N\n").await;
    fixture.put("s3://b/log/dt=2026-01-03", "no folder\n").await;
    fixture.put("s3://b/log/dt=/a.csv", "no value\n").await;
    assert_eq!(fixture.rows("SELECT * FROM log").await, Vec::<String>::new());
    let repaired = fixture.run("MSCK REPAIR TABLE log").await.rows;
    assert_eq!(
        repaired,
        [
            "Partitions not in metastore:\tlog:dt=2026-01-01\tlog:dt=a%3Ab",
            "Repair: Added partition to metastore log:dt=2026-01-01",
            "Repair: Added partition to metastore log:dt=a%3Ab",
        ]
    );
    assert_eq!(fixture.run("MSCK REPAIR TABLE log").await.rows, Vec::<String>::new());
    // awswrangler puts the database of its DDL in backticks.
    let quoted = json!({
        "QueryString": "MSCK REPAIR TABLE `log`;",
        "ClientRequestToken": uuid::Uuid::new_v4().to_string(),
        "QueryExecutionContext": { "Database": "`web`" },
        "ResultConfiguration": { "OutputLocation": "s3://results/q/" },
    });
    let id = fixture.call("StartQueryExecution", quoted).await["QueryExecutionId"].as_str().unwrap().to_owned();
    assert_eq!(fixture.ended(&id).await["Status"]["State"], "SUCCEEDED");
    assert_eq!(fixture.rows("SELECT n, tags, dt FROM log ORDER BY n").await, ["1|[x, y]|2026-01-01", "2|NULL|a:b"]);

    fixture.put("s3://b/elsewhere/x.csv", "3,z\n").await;
    fixture.run("ALTER TABLE log ADD PARTITION (dt='x') LOCATION 's3://b/elsewhere' PARTITION (dt='y')").await;
    assert_eq!(
        fixture.fails("ALTER TABLE log ADD PARTITION (dt='x')").await,
        "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. \
         AlreadyExistsException(message:Partition already exists: dt=x)"
    );
    fixture.run("ALTER TABLE log ADD IF NOT EXISTS PARTITION (dt='x')").await;
    assert_eq!(fixture.rows("SELECT n FROM log WHERE dt = 'x'").await, ["3"]);
    fixture.run("ALTER TABLE log PARTITION (dt='x') RENAME TO PARTITION (dt='z')").await;
    fixture.run("ALTER TABLE log DROP PARTITION (dt='y'), PARTITION (dt='a:b')").await;
    assert_eq!(fixture.run("SHOW PARTITIONS log").await.rows, ["dt=2026-01-01", "dt=z"]);
    assert_eq!(
        fixture.fails("ALTER TABLE log DROP PARTITION (dt='y')").await,
        "FAILED: SemanticException [Error 10006]: Partition not found (dt=y)"
    );
    fixture.run("ALTER TABLE log ADD COLUMNS (more double)").await;
    assert_eq!(fixture.rows("SELECT more FROM log WHERE dt = 'z'").await, ["NULL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn views_stand_for_their_queries() {
    let fixture = with_table().await;
    fixture.run("CREATE VIEW v AS SELECT x AS N, x * 2 AS twice FROM (VALUES 1, 2) t (x)").await;
    fixture.run("CREATE OR REPLACE VIEW web.w AS SELECT n, twice + 1 AS more FROM v WHERE n > 1").await;
    assert_eq!(fixture.rows("SELECT w.n, web.w.more FROM w").await, ["2|5"]);
    assert_eq!(fixture.rows("SELECT count(*) FROM v a JOIN v b ON a.n = b.n").await, ["2"]);
    assert_eq!(fixture.run("SHOW VIEWS").await.rows, ["v", "w"]);
    assert_eq!(
        fixture.run("SHOW CREATE VIEW w").await.rows,
        ["CREATE VIEW \"web\".\"w\" AS", "SELECT n, twice + 1 AS more FROM v WHERE n > 1"]
    );
    assert_eq!(
        fixture.fails("CREATE VIEW v AS SELECT 1 AS n").await,
        "TABLE_ALREADY_EXISTS: line 1:1: View already exists: 'awsdatacatalog.web.v'"
    );
    // A view that would come to read itself, by another one too, is refused, and the old one is kept.
    for sql in ["SELECT n, more AS twice FROM w", "SELECT * FROM v"] {
        assert_eq!(
            fixture.fails(&format!("CREATE OR REPLACE VIEW v AS {sql}")).await,
            "VIEW_IS_RECURSIVE: line 1:1: Statement would create a recursive view: web.v"
        );
    }
    assert_eq!(fixture.rows("SELECT n, twice FROM v ORDER BY n").await, ["1|2", "2|4"]);
    assert_eq!(
        fixture.fails("CREATE VIEW nameless AS SELECT 1 AS n, 2").await,
        "MISSING_COLUMN_NAME: line 1:1: Column name not specified at position 2"
    );
    // A name that only looks like none.
    fixture.run("CREATE VIEW named AS SELECT 1 AS _col1, 2 AS _color").await;
    assert_eq!(fixture.rows("SELECT _col1, _color FROM named").await, ["1|2"]);
    fixture.run("CREATE OR REPLACE VIEW v AS SELECT 'a' AS n, 1 AS twice").await;
    let reason = fixture.fails("SELECT * FROM w").await;
    assert!(
        reason.starts_with("INVALID_VIEW: line 1:15: Failed analyzing stored view 'awsdatacatalog.web.w'"),
        "{reason}"
    );
    fixture.run("DROP VIEW v").await;
    assert_eq!(
        fixture.fails("DROP TABLE w").await,
        "FAILED: SemanticException [Error 10000]: Cannot drop a view with DROP TABLE: web.w"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_is_told_by_athenas_own_calls() {
    let fixture = with_table().await;
    let listed = fixture.call("ListDatabases", json!({ "CatalogName": "AwsDataCatalog" })).await;
    assert_eq!(listed["DatabaseList"][1], json!({ "Name": "web", "Description": "of the web" }));
    let body = json!({ "CatalogName": "awsdatacatalog", "DatabaseName": "web", "TableName": "LOG" });
    let table = fixture.call("GetTableMetadata", body).await["TableMetadata"].clone();
    assert_eq!(table["Columns"][0], json!({ "Name": "n", "Type": "int", "Comment": "a number" }));
    assert_eq!(table["PartitionKeys"][0]["Name"], "dt");
    assert_eq!(table["Parameters"]["location"], "s3://b/log");
    assert_eq!(table["Parameters"]["serde.param.field.delim"], ",");
    let matching =
        |expression: &str| json!({ "CatalogName": "AwsDataCatalog", "DatabaseName": "web", "Expression": expression });
    for (expression, count) in [("lo.*", 1), ("lo*", 1), ("*", 1), ("LOG", 1), ("", 1), ("o", 0)] {
        let listed = fixture.call("ListTableMetadata", matching(expression)).await;
        assert_eq!(listed["TableMetadataList"].as_array().unwrap().len(), count, "{expression}");
    }
    let (code, message) = fixture.refused("ListTableMetadata", matching("(")).await;
    assert_eq!(code, "InvalidRequestException");
    assert!(message.starts_with("the expression `(` is no pattern: "), "{message}");
    let body = json!({ "CatalogName": "AwsDataCatalog", "DatabaseName": "web", "TableName": "nope" });
    assert_eq!(
        fixture.refused("GetTableMetadata", body).await,
        ("MetadataException".to_owned(), "Table nope not found.".to_owned())
    );
    assert_eq!(fixture.refused("CreateNotebook", json!({})).await.0, "UnknownOperationException");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_changes_its_name_its_type_and_its_place() {
    let fixture = with_table().await;
    fixture.run("ALTER TABLE log CHANGE COLUMN n number bigint").await;
    fixture.run("ALTER TABLE log CHANGE `tags` words array<string> COMMENT 'of a line' FIRST").await;
    assert_eq!(
        fixture.run("DESCRIBE log").await.rows[..2],
        [
            "words               \tarray<string>       \tof a line           ",
            "number              \tbigint              \ta number            ",
        ]
    );
    fixture.run("ALTER TABLE log CHANGE words words array<string> AFTER number").await;
    assert_eq!(fixture.run("SHOW COLUMNS IN log").await.rows[0], "number              ");
    assert_eq!(
        fixture.fails("ALTER TABLE log CHANGE number dt int").await,
        "FAILED: SemanticException [Error 10036]: Duplicate column name: dt"
    );
    assert_eq!(
        fixture.fails("ALTER TABLE log CHANGE absent x int").await,
        "FAILED: SemanticException [Error 10002]: Invalid column reference absent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_has_values_of_its_keys_types() {
    let fixture = with_table().await;
    fixture
        .run("CREATE EXTERNAL TABLE hours (n int) PARTITIONED BY (h int) STORED AS TEXTFILE LOCATION 's3://b/hours/'")
        .await;
    assert_eq!(
        fixture.fails("ALTER TABLE hours ADD PARTITION (h='abc')").await,
        "FAILED: SemanticException [Error 10248]: Cannot add partition column h of type string as it cannot be converted to type int"
    );
    fixture.run("ALTER TABLE hours ADD PARTITION (h='7')").await;
    assert_eq!(fixture.rows("SELECT count(*) FROM hours").await, ["0"]);
    // Nothing is added beside a folder that is none.
    fixture.put("s3://b/hours/h=8/a.csv", "1\n").await;
    fixture.put("s3://b/hours/h=abc/a.csv", "2\n").await;
    assert_eq!(
        fixture.fails("MSCK REPAIR TABLE hours").await,
        "FAILED: SemanticException [Error 10248]: Cannot add partition column h of type string as it cannot be converted to type int \
         (partition: h=abc)"
    );
    assert_eq!(fixture.run("SHOW PARTITIONS hours").await.rows, ["h=7"]);
    fixture.run("INSERT INTO hours VALUES (3, 9), (4, NULL)").await;
    assert_eq!(fixture.rows("SELECT n, h FROM hours ORDER BY n").await, ["3|9", "4|NULL"]);
    assert_eq!(
        fixture.fails("INSERT INTO hours VALUES (3, 'abc')").await,
        "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [integer, integer], Query: [integer, varchar(3)]"
    );
    assert_eq!(
        fixture
            .fails("CREATE EXTERNAL TABLE lists (n int) PARTITIONED BY (l array<int>) LOCATION 's3://b/lists/'")
            .await,
        "FAILED: SemanticException partition column l is of type array<int>: expected one that a path can hold"
    );
    assert_eq!(
        fixture.fails("CREATE TABLE lists WITH (partitioned_by = ARRAY['l']) AS SELECT 1 AS n, ARRAY[1] AS l").await,
        "FAILED: SemanticException partition column l is of type array<int>: expected one that a path can hold"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_gets_properties() {
    let fixture = with_table().await;
    fixture.run("ALTER DATABASE web SET DBPROPERTIES ('owner'='me', 'level'='1')").await;
    let ran = fixture.run("ALTER SCHEMA `web` SET DBPROPERTIES ('level' = '2')").await;
    assert_eq!(ran.execution["StatementType"], "DDL");
    let kept = fixture.athena.inner.lake.catalog.database("web").await.unwrap().unwrap();
    let expected =
        [("owner", "me"), ("level", "2")].map(|(key, value): (&str, &str)| (key.to_owned(), value.to_owned()));
    assert_eq!(kept.parameters, IndexMap::from(expected));
    assert_eq!(kept.description.as_deref(), Some("of the web"));
    assert_eq!(
        fixture.fails("ALTER DATABASE absent SET DBPROPERTIES ('a'='b')").await,
        "FAILED: SemanticException [Error 10072]: Database does not exist: absent"
    );
    assert_eq!(
        fixture.fails("ALTER DATABASE web SET LOCATION 's3://b/web/'").await,
        "NOT_SUPPORTED: `ALTER DATABASE of anything but DBPROPERTIES` is not supported by this endpoint yet"
    );
}

/// `RegexSerDe` and `GrokSerDe` as their pages of Athena's guide make tables with them.
#[tokio::test(flavor = "multi_thread")]
async fn lines_are_taken_apart_by_patterns() {
    let fixture = with_table().await;
    fixture
        .run(
            r#"CREATE EXTERNAL TABLE requests (host string, status int, bytes bigint, agent string) PARTITIONED BY (dt date)
               ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
               WITH SERDEPROPERTIES ("input.regex" = "^(?!#)([^ ]+) \\[.*\\] \\S+ (\\d+) ([0-9-]+) \"([^\"]*)\"( .*)?$")
               LOCATION 's3://b/requests/' TBLPROPERTIES ('skip.header.line.count'='1')"#,
        )
        .await;
    fixture
        .put(
            "s3://b/requests/dt=2026-01-01/a.log",
            "the header\n1.2.3.4 [01/Jan] / 200 512 \"curl/8 (x)\"\r\n#comment\nb [x] /a 404 - \"\" more\n",
        )
        .await;
    fixture.run("MSCK REPAIR TABLE requests").await;
    assert_eq!(
        fixture.rows("SELECT host, status, bytes, agent, dt FROM requests").await,
        ["1.2.3.4|200|512|curl/8 (x)|2026-01-01", "NULL|NULL|NULL|NULL|2026-01-01", "b|404|NULL||2026-01-01"]
    );
    assert_eq!(fixture.rows("SELECT count(*), count(host) FROM requests WHERE dt = DATE '2026-01-01'").await, ["3|2"]);
    assert_eq!(
        fixture.fails("INSERT INTO requests VALUES ('a', 1, 2, 'b', DATE '2026-01-01')").await,
        "NOT_SUPPORTED: writing to table `web.requests` is not supported: its SerDe `org.apache.hadoop.hive.serde2.RegexSerDe`, which \
         is read and not written"
    );
    fixture
        .run(
            r"CREATE EXTERNAL TABLE mail (syslogbase string, queue_id string, syslog_message string)
               ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe'
               WITH SERDEPROPERTIES ('input.grokCustomPatterns' = 'POSTFIX_QUEUEID [0-9A-F]{7,12}',
                 'input.format'='%{SYSLOGBASE} %{POSTFIX_QUEUEID:queue_id}: %{GREEDYDATA:syslog_message}')
               STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'
               OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat' LOCATION 's3://b/mail/'",
        )
        .await;
    fixture.put("s3://b/mail/a.log", "Feb 9 07:15:00 host postfix/smtpd[1]: B88C4120838: connect\nnothing\n").await;
    assert_eq!(
        fixture.rows("SELECT syslogbase, queue_id, syslog_message FROM mail").await,
        ["Feb 9 07:15:00 host postfix/smtpd[1]:|B88C4120838|connect", "NULL|NULL|NULL"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_format_that_is_neither_written_nor_read_is_told() {
    let fixture = with_table().await;
    fixture
        .run(
            "CREATE EXTERNAL TABLE ions (n int) ROW FORMAT SERDE 'com.amazon.ionhiveserde.IonHiveSerDe'
             LOCATION 's3://b/rows/'",
        )
        .await;
    assert_eq!(
        fixture.fails("INSERT INTO ions SELECT 1").await,
        "NOT_SUPPORTED: writing to table `web.ions` is not supported: its SerDe `com.amazon.ionhiveserde.IonHiveSerDe`, which is \
         neither written nor read"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_versions_and_values_that_the_service_refuses_are_refused() {
    let fixture = with_table().await;
    let prepared = json!({"StatementName": "1bad", "WorkGroup": "primary", "QueryStatement": "SELECT 1"});
    assert_eq!(fixture.refused("CreatePreparedStatement", prepared).await.0, "InvalidRequestException");
    let group =
        |version: &str| json!({"Name": "of", "Configuration": {"EngineVersion": {"SelectedEngineVersion": version}}});
    assert_eq!(
        fixture.refused("CreateWorkGroup", group("foo")).await,
        (
            "InvalidRequestException".to_owned(),
            "Engine version foo cannot be selected: expected AUTO or Athena engine version 3".to_owned()
        )
    );
    fixture.call("CreateWorkGroup", group("Athena engine version 3")).await;
    let surplus = json!({
        "QueryString": "SELECT 1",
        "ClientRequestToken": uuid::Uuid::new_v4().to_string(),
        "ResultConfiguration": { "OutputLocation": "s3://results/q/" },
        "ExecutionParameters": ["1"],
    });
    let id = fixture.call("StartQueryExecution", surplus).await["QueryExecutionId"].as_str().unwrap().to_owned();
    assert_eq!(
        fixture.ended(&id).await["Status"]["StateChangeReason"],
        "INVALID_PARAMETER_USAGE: Incorrect number of parameters: expected 0 but found 1"
    );
}

/// What is not in the catalog is read, and what is there is not.
#[tokio::test(flavor = "multi_thread")]
async fn projected_partitions_are_read() {
    let fixture = with_table().await;
    fixture
        .run(
            "CREATE EXTERNAL TABLE projected (n int) PARTITIONED BY (tenant string, kind string, hour int, dt string)
             ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://b/projected/'
             TBLPROPERTIES ('projection.enabled'='true',
               'projection.tenant.type'='injected',
               'projection.kind.type'='enum', 'projection.kind.values'='a,b',
               'projection.hour.type'='integer', 'projection.hour.range'='0,23', 'projection.hour.digits'='2',
               'projection.dt.type'='date', 'projection.dt.range'='2026/01/01,NOW', 'projection.dt.format'='yyyy/MM/dd',
               'storage.location.template'='s3://b/lines/${tenant}/${kind}-${hour}/${dt}/')",
        )
        .await;
    fixture.put("s3://b/lines/x/a-07/2026/01/02/a.csv", "1\n").await;
    fixture.put("s3://b/lines/x/b-08/2026/01/03/a.csv", "2\n").await;
    fixture.put("s3://b/lines/y/b-08/2026/01/03/a.csv", "3\n").await;
    fixture.put("s3://b/lines/y/b-24/2026/01/03/a.csv", "4\n").await;
    fixture.put("s3://b/registered/a.csv", "5\n").await;
    fixture
        .run("ALTER TABLE projected ADD PARTITION (tenant='x', kind='c', hour=1, dt='d') LOCATION 's3://b/registered/'")
        .await;
    let read = async |condition: &str| {
        fixture.rows(&format!("SELECT n, kind, hour, dt FROM projected WHERE {condition} ORDER BY n")).await
    };
    assert_eq!(read("tenant = 'x' AND dt < '2026/02'").await, ["1|a|7|2026/01/02", "2|b|8|2026/01/03"]);
    assert_eq!(
        read("tenant IN ('x', 'y') AND kind = 'b' AND hour BETWEEN 8 AND 30 AND dt = '2026/01/03'").await,
        ["2|b|8|2026/01/03", "3|b|8|2026/01/03"]
    );
    assert_eq!(read("tenant = 'z' AND dt = '2026/01/03'").await, Vec::<String>::new());
    for condition in ["dt = '2026/01/03'", "tenant > 'a'", "tenant = 'x' OR hour = 8"] {
        let reason = fixture.fails(&format!("SELECT n FROM projected WHERE {condition}")).await;
        assert_eq!(
            reason,
            "CONSTRAINT_VIOLATION: For the injected projected partition column tenant, the WHERE clause must contain only static \
             equality conditions, and at least one such condition must be present.",
            "{condition}"
        );
    }
    fixture.run("ALTER TABLE projected SET TBLPROPERTIES ('projection.kind.type'='list')").await;
    assert_eq!(
        fixture.fails("SELECT n FROM projected WHERE tenant = 'x'").await,
        "HIVE_METASTORE_ERROR: table `web.projected` has partition projection, and its parameter `projection.kind.type` is wrong: \
         expected `date`, `enum`, `injected` or `integer`, found `list`"
    );
    fixture.run("ALTER TABLE projected SET TBLPROPERTIES ('projection.enabled'='false')").await;
    assert_eq!(fixture.rows("SELECT n FROM projected").await, ["5"]);
}
