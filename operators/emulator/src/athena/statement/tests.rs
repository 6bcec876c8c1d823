use super::*;

fn read(sql: &str) -> Statement {
    parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn refused(sql: &str) -> String {
    parse(sql).unwrap_err().to_string()
}

fn made(sql: &str) -> lake::catalog::Table {
    let Statement::CreateTable(create) = read(sql) else { panic!("{sql}") };
    let name = create.name.clone().unwrap().full("web").unwrap();
    create.table(name, 1_000).unwrap()
}

#[test]
fn a_table_has_all_that_is_written() {
    let table = made(
        r"CREATE EXTERNAL TABLE IF NOT EXISTS `t` (
            `A` INT COMMENT 'it\'s', b array< struct<x: int, y:decimal(10, 2)> >, c map<string,int>)
          COMMENT 'about' PARTITIONED BY (dt string, `hour` int)
          ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' ESCAPED BY '\\' COLLECTION ITEMS TERMINATED BY '|'
            MAP KEYS TERMINATED BY ':' LINES TERMINATED BY '\n' NULL DEFINED AS ''
          STORED AS TEXTFILE LOCATION 's3://b/t' TBLPROPERTIES ('skip.header.line.count'='1', 'n'=2);",
    );
    let columns: Vec<(&str, &str)> =
        table.columns.iter().map(|column| (column.name.as_str(), column.hive_type.as_str())).collect();
    assert_eq!(columns, [("a", "int"), ("b", "array<struct<x:int,y:decimal(10,2)>>"), ("c", "map<string,int>")]);
    assert_eq!(table.columns[0].comment.as_deref(), Some("it's"));
    assert_eq!(table.partition_keys[1].hive_type, "int");
    assert_eq!(table.location.unwrap().to_string(), "s3://b/t/");
    assert_eq!(table.storage.serde_parameters["field.delim"], "\t");
    assert_eq!(table.storage.serde_parameters["escape.delim"], "\\");
    assert_eq!(table.storage.serde_parameters["mapkey.delim"], ":");
    assert_eq!(table.storage.serde_parameters["serialization.null.format"], "");
    assert_eq!(table.parameters["n"], "2");
    assert_eq!(table.parameters["comment"], "about");
}

#[test]
fn a_serde_has_the_classes_of_its_format() {
    let table = made("CREATE EXTERNAL TABLE web.t (a int) STORED AS ORC LOCATION 's3://b/t/'");
    assert_eq!(table.storage.serde, "org.apache.hadoop.hive.ql.io.orc.OrcSerde");
    let table = made(
        r#"CREATE EXTERNAL TABLE t (a string) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
           WITH SERDEPROPERTIES ("input.regex" = "^(\\S+) (\\d+)$") LOCATION 's3://b/t/'"#,
    );
    assert_eq!(table.storage.serde_parameters["input.regex"], r"^(\S+) (\d+)$");
    assert_eq!(table.storage.input_format, "org.apache.hadoop.mapred.TextInputFormat");
}

#[test]
fn what_the_lake_writes_of_a_table_reads_back() {
    let table = made(
        "CREATE EXTERNAL TABLE web.t (a struct<x:int> COMMENT 'a\\nb', `select` string) PARTITIONED BY (dt date)
         ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('ignore.malformed.json'='true')
         LOCATION 's3://b/t/' TBLPROPERTIES ('k'='it''s \\\\')",
    );
    assert_eq!(made(&lake::catalog::ddl::create_table(&table)), table);
}

#[test]
fn a_create_table_with_a_query_is_told_from_one_with_columns() {
    let Statement::CreateTableAs(create) = read(
        "CREATE TABLE IF NOT EXISTS \"web\".\"t\" WITH (format = 'PARQUET', partitioned_by = ARRAY['a', 'b'], \
         is_external = true, bucket_count = 3) AS SELECT ';' AS x, 'with no data' AS y WITH NO DATA ;",
    ) else {
        panic!()
    };
    assert_eq!(create.name, Name { database: Some("web".to_owned()), table: "t".to_owned() });
    assert_eq!(create.query, "SELECT ';' AS x, 'with no data' AS y");
    assert!(!create.with_data && create.if_not_exists);
    assert_eq!(create.properties["partitioned_by"], Property::Array(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(create.properties["bucket_count"], Property::Scalar("3".to_owned()));
    let Statement::CreateTableAs(create) = read("create table t (a, b) as (select 1, '\\')") else { panic!() };
    assert_eq!(create.columns, ["a", "b"]);
    assert_eq!(create.query, "(select 1, '\\')");
    assert!(matches!(read("CREATE TABLE t (a int) LOCATION 's3://b/t/'"), Statement::CreateTable(_)));
}

#[test]
fn partitions_are_added_and_dropped() {
    let Statement::Alter { change: Alter::AddPartitions { if_not_exists, partitions }, .. } = read(
        "ALTER TABLE t ADD IF NOT EXISTS PARTITION (dt='2026-01-01', h=1) LOCATION 's3://b/x' PARTITION (dt = 'b', h=2)",
    ) else {
        panic!()
    };
    assert!(if_not_exists);
    assert_eq!(partitions.len(), 2);
    assert_eq!(partitions[0].0["h"], "1");
    assert_eq!(partitions[0].1.as_deref(), Some("s3://b/x"));
    let Statement::Alter { change: Alter::DropPartitions { partitions, .. }, .. } =
        read("alter table t drop partition (dt = date '2026-01-01'), partition (dt='x')")
    else {
        panic!()
    };
    assert_eq!(partitions[0]["dt"], "2026-01-01");
    assert_eq!(partitions[1]["dt"], "x");
}

#[test]
fn names_are_quoted_as_hive_and_clients_do() {
    for name in ["d.t", "`d`.t", "d.`t`", "`d`.`t`", "`d.t`", "\"d\".\"t\"", "D.T", "awsdatacatalog.`d`.t", "`d` . t"] {
        for sql in [format!("MSCK REPAIR TABLE {name}"), format!("MSCK REPAIR TABLE {name};")] {
            let Statement::Repair(found) = read(&sql) else { panic!("{sql}") };
            assert_eq!((found.database.as_deref(), found.table.as_str()), (Some("d"), "t"), "{sql}");
        }
        let Statement::Alter { name: found, .. } = read(&format!("ALTER TABLE {name} ADD PARTITION (dt = 'x')")) else {
            panic!("{name}")
        };
        assert_eq!((found.database.as_deref(), found.table.as_str()), (Some("d"), "t"), "{name}");
    }
    assert!(matches!(read("MSCK REPAIR TABLE `t`"), Statement::Repair(name) if name.database.is_none()));
}

#[test]
fn writing_statements_are_read() {
    let Statement::Insert(insert) = read("INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y');") else { panic!() };
    assert_eq!((insert.columns.len(), insert.query.as_str()), (2, "VALUES (1, 'x'), (2, 'y')"));
    let Statement::Insert(insert) = read("insert into d.t (select 1)") else { panic!() };
    assert!(insert.columns.is_empty());
    let Statement::Unload(unload) =
        read("UNLOAD (SELECT ')' AS x) TO 's3://b/u/' WITH (format = 'PARQUET', compression = 'SNAPPY')")
    else {
        panic!()
    };
    assert_eq!((unload.query.as_str(), unload.to.as_str()), ("        SELECT ')' AS x", "s3://b/u/"));
    let Statement::Execute { name, values } = read("EXECUTE q USING 1, 'a, b', f(1, 2)") else { panic!() };
    assert_eq!((name.as_str(), values), ("q", vec!["1".to_owned(), "'a, b'".to_owned(), "f(1,2)".to_owned()]));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    assert_eq!(
        refused("blah_blah"),
        "line 1:1: mismatched input 'blah_blah'. Expecting: 'ALTER', 'CREATE', 'DEALLOCATE', 'DESCRIBE', 'DROP', 'EXECUTE', \
         'EXPLAIN', 'INSERT', 'MSCK', 'PREPARE', 'SELECT', 'SHOW', 'UNLOAD', 'VALUES' or 'WITH'"
    );
    assert_eq!(refused("DROP TABLE\n  t u"), "line 2:5: mismatched input 'u'. Expecting: the end of the statement");
    assert_eq!(refused("MSCK TABLE t"), "line 1:1: mismatched input 'MSCK'. Expecting: `MSCK REPAIR TABLE`");
    assert_eq!(refused("CREATE EXTERNAL TABLE t (a int"), "line 1:31: mismatched input '<EOF>'. Expecting: `)`");
}

#[test]
fn what_is_not_served_has_a_name() {
    for (sql, what) in [
        ("DELETE FROM t", "`DELETE`"),
        ("EXPLAIN ANALYZE SELECT 1", "`EXPLAIN ANALYZE`"),
        ("ALTER TABLE t RENAME TO u", "`ALTER TABLE … RENAME TO`"),
        ("INSERT OVERWRITE t SELECT 1", "`INSERT OVERWRITE`"),
    ] {
        let Statement::Unsupported { what: found, .. } = read(sql) else { panic!("{sql}") };
        assert_eq!(found, what);
    }
    assert_eq!(read("-- x\n/* y */ select 1 ;").kind().substatement, "SELECT");
    assert_eq!(read("show tables in web 'a*'").kind().class, Class::Utility);
}
