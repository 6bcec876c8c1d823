//! Queries: their results, pages, errors and parameters.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_select_gives_a_header_rows_and_objects() {
    let fixture = fixture().await;
    let ran = fixture
        .run("SELECT n, s, CAST(1.5 AS decimal(4,1)) AS d, ARRAY[1, NULL] AS a FROM (VALUES (1, 'x'), (2, NULL)) t (n, s) ORDER BY n;")
        .await;
    assert_eq!(ran.rows, ["n|s|d|a", "1|x|1.5|[1, null]", "2|NULL|1.5|[1, null]"]);
    assert_eq!(columns(&ran.results), ["n integer 10 0", "s varchar 1 0", "d decimal 4 1", "a array 0 0"]);
    assert_eq!(ran.results["UpdateCount"], 0);
    let execution = &ran.execution;
    assert_eq!(
        (execution["StatementType"].as_str(), execution["SubstatementType"].as_str()),
        (Some("DML"), Some("SELECT"))
    );
    let id = execution["QueryExecutionId"].as_str().unwrap();
    let output = execution["ResultConfiguration"]["OutputLocation"].as_str().unwrap();
    assert_eq!(output, format!("s3://results/q/{id}.csv"));
    assert_eq!(
        fixture.object(output).await,
        "\"n\",\"s\",\"d\",\"a\"\n\"1\",\"x\",\"1.5\",\"[1, null]\"\n\"2\",,\"1.5\",\"[1, null]\"\n"
    );
    assert!(fixture.object(&format!("{output}.metadata")).await.contains("varchar"));
    assert!(execution["Statistics"]["TotalExecutionTimeInMillis"].as_i64().unwrap() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_result_comes_in_pages_without_a_gap() {
    let fixture = fixture().await;
    let digits = "(VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)";
    let id = fixture
        .start(&format!(
            "SELECT a.x * 1000 + b.x * 100 + c.x * 10 + d.x AS n, 'a \"quoted\"\nline' AS s \
             FROM {digits} a (x), {digits} b (x), {digits} c (x), {digits} d (x) ORDER BY 1"
        ))
        .await;
    fixture.ended(&id).await;
    let mut numbers = Vec::new();
    let mut pages = 0;
    let mut token = Value::Null;
    loop {
        let mut body = json!({ "QueryExecutionId": id, "MaxResults": 999 });
        if !token.is_null() {
            body["NextToken"] = token.clone();
        }
        let page = fixture.call("GetQueryResults", body).await;
        let rows = page["ResultSet"]["Rows"].as_array().unwrap();
        assert!(rows.len() <= 999);
        for row in rows.iter().skip(usize::from(pages == 0)) {
            numbers.push(row["Data"][0]["VarCharValue"].as_str().unwrap().parse::<usize>().unwrap());
            assert_eq!(row["Data"][1]["VarCharValue"], "a \"quoted\"\nline");
        }
        pages += 1;
        match page.get("NextToken") {
            Some(next) => token = next.clone(),
            None => break,
        }
    }
    assert_eq!(pages, 11, "10,001 lines");
    assert!(numbers.iter().copied().eq(0..10_000));
    let (code, message) =
        fixture.refused("GetQueryResults", json!({ "QueryExecutionId": id, "MaxResults": 1001 })).await;
    assert_eq!(code, "InvalidRequestException");
    assert!(message.ends_with("Member must have value less than or equal to 1000"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_at_once_or_fails_with_its_name() {
    let fixture = fixture().await;
    let start = |sql: &str| {
        json!({
            "QueryString": sql,
            "ClientRequestToken": uuid::Uuid::new_v4().to_string(),
            "ResultConfiguration": { "OutputLocation": "s3://results/q/" },
        })
    };
    let (code, message) = fixture.refused("StartQueryExecution", start("SELEC 1")).await;
    assert_eq!(code, "InvalidRequestException");
    assert!(message.starts_with("line 1:1: mismatched input 'SELEC'"), "{message}");
    let (_, message) = fixture.refused("StartQueryExecution", start("SELECT 1 FROM")).await;
    assert!(message.starts_with("line 1:"), "{message}");
    assert_eq!(fixture.fails("SELECT x").await, "COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved");
    assert_eq!(fixture.fails("SELECT 1/0").await, "DIVISION_BY_ZERO: Division by zero");
    assert_eq!(
        fixture.fails("SELECT * FROM nope").await,
        "TABLE_NOT_FOUND: line 1:15: Table 'web.nope' does not exist"
    );
    let id = fixture.start("SELECT * FROM nope").await;
    let execution = fixture.ended(&id).await;
    assert_eq!(execution["Status"]["AthenaError"]["ErrorType"], 1301);
    assert_eq!(execution["Status"]["AthenaError"]["ErrorCategory"], 2);
    let (code, message) = fixture.refused("GetQueryResults", json!({ "QueryExecutionId": id })).await;
    assert_eq!(code, "InvalidRequestException");
    assert_eq!(message, "Query did not finish successfully. Final query state: FAILED");
    let unknown = json!({ "QueryExecutionId": "9d0c9d6e-0000-4000-8000-000000000000" });
    let (_, message) = fixture.refused("GetQueryExecution", unknown).await;
    assert_eq!(message, "QueryExecution 9d0c9d6e-0000-4000-8000-000000000000 was not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_and_prepared_statements_are_values() {
    let fixture = fixture().await;
    let started = fixture
        .call(
            "StartQueryExecution",
            json!({
                "QueryString": "SELECT ? AS a, ? AS b, '?' AS c",
                "ExecutionParameters": ["1", "it's"],
                "ClientRequestToken": uuid::Uuid::new_v4().to_string(),
            }),
        )
        .await;
    let id = started["QueryExecutionId"].as_str().unwrap();
    fixture.ended(id).await;
    let results = fixture.call("GetQueryResults", json!({ "QueryExecutionId": id })).await;
    assert_eq!(shown(&results["ResultSet"]["Rows"][1]), "1|it's|?");

    fixture.run("PREPARE q FROM SELECT n FROM (VALUES 1, 2, 3) t (n) WHERE n > ? ORDER BY n").await;
    assert_eq!(fixture.rows("EXECUTE q USING 1").await, ["2", "3"]);
    assert_eq!(
        fixture.fails("EXECUTE q USING 1, 2").await,
        "INVALID_PARAMETER_USAGE: Incorrect number of parameters: expected 1 but found 2"
    );
    let listed = fixture.call("ListPreparedStatements", json!({ "WorkGroup": "primary" })).await;
    assert_eq!(listed["PreparedStatements"][0]["StatementName"], "q");
    fixture.run("DEALLOCATE PREPARE q").await;
    let body = json!({
        "QueryString": "EXECUTE q USING 1",
        "ClientRequestToken": uuid::Uuid::new_v4().to_string(),
    });
    let (_, message) = fixture.refused("StartQueryExecution", body).await;
    assert_eq!(message, "PreparedStatement q was not found in workGroup primary");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_explained() {
    let fixture = fixture().await;
    let ran = fixture.run("EXPLAIN SELECT 1 AS n").await;
    assert_eq!(ran.rows[0], "Output: n integer");
    let location = ran.execution["ResultConfiguration"]["OutputLocation"].as_str().unwrap();
    assert_eq!(location.rsplit_once('.').map(|(_, ending)| ending), Some("txt"));
    assert_eq!(
        fixture.fails("EXPLAIN ANALYZE SELECT 1").await,
        "NOT_SUPPORTED: `EXPLAIN ANALYZE` is not supported by this endpoint yet"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn information_schema_describes_the_catalog() {
    let fixture = fixture().await;
    fixture.run("CREATE SCHEMA web").await;
    fixture
        .run(
            "CREATE EXTERNAL TABLE log (n bigint COMMENT 'how many', tags array<string>) PARTITIONED BY (dt date)
             STORED AS PARQUET LOCATION 's3://b/log/'",
        )
        .await;
    fixture.run("CREATE VIEW v AS SELECT n, 'x' AS s FROM log").await;
    let of = |table: &str, columns: &str| {
        format!("SELECT {columns} FROM information_schema.{table} WHERE table_schema = 'web' ORDER BY 1, 2")
    };
    assert_eq!(
        fixture.rows(&of("tables", "table_name, table_type, table_catalog")).await,
        ["log|BASE TABLE|awsdatacatalog", "v|VIEW|awsdatacatalog"]
    );
    assert_eq!(
        fixture
            .rows(&of(
                "columns",
                "table_name, ordinal_position, column_name, data_type, is_nullable, comment, extra_info"
            ))
            .await,
        [
            "log|1|n|bigint|YES|how many|NULL",
            "log|2|tags|array(varchar)|YES|NULL|NULL",
            "log|3|dt|date|YES|NULL|partition key",
            "v|1|n|bigint|YES|NULL|NULL",
            "v|2|s|varchar(1)|YES|NULL|NULL",
        ]
    );
    assert_eq!(fixture.rows(&of("views", "table_name, view_definition")).await, ["v|SELECT n, 'x' AS s FROM log"]);
    assert_eq!(
        fixture.rows("SELECT schema_name FROM awsdatacatalog.information_schema.schemata ORDER BY 1").await,
        ["default", "information_schema", "web"]
    );
    assert_eq!(
        fixture
            .rows("SELECT count(*), count(DISTINCT table_name) FROM information_schema.columns WHERE table_schema = 'information_schema'")
            .await,
        ["20|4"]
    );
    assert_eq!(
        fixture.fails("SELECT * FROM information_schema.roles").await,
        "NOT_SUPPORTED: line 1:34: not supported yet: information_schema.roles"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_a_bucket_that_is_not_there_is_an_error_and_one_without_objects_is_empty() {
    let fixture = fixture().await;
    fixture.run("CREATE DATABASE web").await;
    let create = |name: &str, keys: &str, location: &str| {
        format!("CREATE EXTERNAL TABLE web.{name} (n int) {keys} STORED AS PARQUET LOCATION '{location}'")
    };
    fixture.run(&create("gone", "", "s3://nobody/t/")).await;
    let why = fixture.fails("SELECT * FROM web.gone").await;
    assert!(
        why.starts_with(
            "HIVE_FILESYSTEM_ERROR: Failed to list directory: s3://nobody/t/: The specified bucket does not exist"
        ),
        "{why}"
    );
    fixture.run(&create("bare", "", "s3://b/bare/")).await;
    assert_eq!(fixture.rows("SELECT count(*) FROM web.bare").await, ["0"]);

    // Of a partitioned table the partitions count that are read.
    fixture.run(&create("parts", "PARTITIONED BY (dt string)", "s3://nobody/parts/")).await;
    assert_eq!(fixture.rows("SELECT count(*) FROM web.parts").await, ["0"]);
    fixture.run("ALTER TABLE web.parts ADD PARTITION (dt = 'a') LOCATION 's3://b/a/' PARTITION (dt = 'b')").await;
    assert_eq!(fixture.rows("SELECT count(*) FROM web.parts WHERE dt = 'a'").await, ["0"]);
    let why = fixture.fails("SELECT count(*) FROM web.parts").await;
    assert!(why.starts_with("HIVE_FILESYSTEM_ERROR: "), "{why}");

    // A bucket stays when its folder goes with its last object.
    std::fs::remove_dir_all(fixture.folder.path().join("warehouse/s3/b")).unwrap();
    assert_eq!(fixture.rows("SELECT count(*) FROM web.bare").await, ["0"]);
}
