//! Loads into tables whose partition keys are not text, and whose columns are guessed.

use super::*;
use crate::catalog::{Column, Database, Expect, Table, TableFormat};

fn config(partition: &str, max_rejected: u64) -> serde_json::Value {
    serde_json::json!({
        "in": {"type": "file", "path": "in/*.csv", "parser": {"type": "csv",
               "columns": [{"name": "m", "type": "string"}, {"name": "n", "type": "bigint"}]}},
        "out": {"type": "table", "database": "shop", "table": "sales", "partition_by": {"month": partition}},
        "max_rejected": max_rejected,
    })
}

/// Makes a table with a key of whole numbers and the partitions `month=08` and `month=9`.
async fn with_months(lake: &Lake) -> TableName {
    lake.catalog.create_database(&Database::new("shop")).await.unwrap();
    let name = TableName::new("shop", "sales").unwrap();
    let columns = vec![Column::new("m", "string"), Column::new("n", "bigint")];
    let place = Location::parse("s3://warehouse/shop/sales/").unwrap();
    let table = Table::new(name.clone(), columns, vec![Column::new("month", "int")], place, TableFormat::Parquet);
    let table = lake.catalog.put_table(&table, Expect::Absent).await.unwrap();
    for month in ["08", "9"] {
        let values = vec![month.to_owned()];
        let partition = table.new_partition(values.clone(), table.hive_location(&values).unwrap());
        lake.catalog.put_partition(&name, &partition, Expect::Absent).await.unwrap();
    }
    name
}

#[tokio::test]
async fn a_partition_is_written_under_the_text_that_the_catalog_has_of_it() {
    let fixture = Fixture::new();
    let lake = fixture.lake().await;
    let name = with_months(&lake).await;
    fixture.write("in/a.csv", "8,1\n09,2\n+10,3\n");
    let mut given = config("m", 0);
    given["out"]["mode"] = "append".into();
    fixture.run(&given, "one").await.unwrap();
    // A new one has the text that a query writes.
    let rows = |ten: &str| owned(&[("08", &["8|1"]), ("10", &[ten]), ("9", &["09|2"])]);
    assert_eq!(table(&lake, "shop", "sales").await, rows("+10|3"));
    // The versions in the ledger are those partitions', too: by their values they are retired when they are replaced.
    let mut versions: Vec<_> =
        lake.versions.of_table(&name).await.unwrap().into_iter().filter_map(|version| version.values).collect();
    versions.sort();
    assert_eq!(versions, [["08"], ["10"], ["9"]]);
    // Again with another text for ten: the same partition.
    fixture.write("in/a.csv", "8,1\n09,2\n10,4\n");
    fixture.run(&given, "one").await.unwrap();
    assert_eq!(table(&lake, "shop", "sales").await, rows("10|4"));
}

#[tokio::test]
async fn a_partition_that_was_registered_meanwhile_by_another_text_is_the_one() {
    let fixture = Fixture::new();
    let lake = fixture.lake().await;
    let name = with_months(&lake).await;
    fixture.write("in/a.csv", "7,1\n");
    let mut state = plan(&read(&config("m", 0)), &lake, token("one"), fixture.base()).await.unwrap();
    while state.written().is_none() {
        state = advance(&lake, state, &LoadControl::default()).await.unwrap();
    }
    let values = vec!["07".to_owned()];
    let sales = lake.catalog.table(&name).await.unwrap().unwrap();
    let partition = sales.new_partition(values.clone(), sales.hive_location(&values).unwrap());
    lake.catalog.put_partition(&name, &partition, Expect::Absent).await.unwrap();
    while state.report().is_none() {
        state = advance(&lake, state, &LoadControl::default()).await.unwrap();
    }
    assert_eq!(table(&lake, "shop", "sales").await, owned(&[("07", &["7|1"]), ("08", &[]), ("9", &[])]));
}

#[tokio::test]
async fn one_partition_in_two_texts_is_refused_before_anything_is_written() {
    let fixture = Fixture::new();
    let lake = fixture.lake().await;
    let name = with_months(&lake).await;
    for (rows, first, second) in [("8,1\n08,2\n", "08", "8"), ("010,1\n10,2\n", "010", "10")] {
        fixture.write("in/a.csv", rows);
        let error = fixture.run(&config("m", 0), "one").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidData);
        assert_eq!(
            error.message,
            format!("the load gives two partitions of `shop.sales` that are one: {first} and {second}")
        );
        assert!(lake.versions.of_table(&name).await.unwrap().is_empty());
    }
    assert_eq!(table(&lake, "shop", "sales").await, owned(&[("08", &[]), ("9", &[])]));
}

#[tokio::test]
async fn a_value_of_another_type_is_a_rejected_line() {
    let fixture = Fixture::new();
    let lake = fixture.lake().await;
    with_months(&lake).await;
    fixture.write("in/a.csv", "8,1\nAugust,2\n");
    let error = fixture.run(&config("m", 0), "one").await.unwrap_err();
    assert!(error.message.contains("the value `August` of partition key `month` is no integer"), "{}", error.message);
    let report = fixture.run(&config("m", 1), "one").await.unwrap();
    assert_eq!((report.rows, report.rejected), (1, 1));
    assert_eq!(table(&lake, "shop", "sales").await, owned(&[("08", &["8|1"]), ("9", &[])]));
}

#[tokio::test]
async fn a_row_lies_on_the_day_that_it_shows() {
    let fixture = Fixture::new();
    fixture.write("in/a.csv", "2024-01-31T23:59:59.9996Z\n2024-01-31T23:59:59.9994Z\n1969-12-31T23:59:59.9996Z\n");
    let config = serde_json::json!({
        "in": {"type": "file", "path": "in/*.csv", "parser": {"type": "csv", "columns": [{"name": "at", "type": "timestamp"}]}},
        "out": {"type": "table", "database": "web", "table": "log", "partition_by": {"dt": "CAST(at AS date)"}},
    });
    fixture.run(&config, "one").await.unwrap();
    // Not a digit of the file is lost; queries of a `timestamp` round as the partition did.
    let expected: &[(&str, &[&str])] = &[
        ("1970-01-01", &["1969-12-31T23:59:59.999600"]),
        ("2024-01-31", &["2024-01-31T23:59:59.999400"]),
        ("2024-02-01", &["2024-01-31T23:59:59.999600"]),
    ];
    assert_eq!(table(&fixture.lake().await, "web", "log").await, owned(expected));
}

#[tokio::test]
async fn guessed_columns_follow_the_table() {
    let fixture = Fixture::new();
    let config = serde_json::json!({
        "in": {"type": "file", "path": "in/*.csv", "parser": {"type": "csv"}},
        "out": {"type": "table", "database": "web", "table": "t", "mode": "append", "on_empty": "publish"},
    });
    for (day, text) in [("one", "id,price\na1,1.5\n"), ("two", "id,price\n7,2\n"), ("three", "id,price\n")] {
        fixture.write("in/a.csv", text);
        fixture.run(&config, day).await.unwrap();
    }
    let mut rows = table(&fixture.lake().await, "web", "t").await;
    rows[0].1.sort();
    assert_eq!(rows, owned(&[("", &["7|2.0", "a1|1.5"])]));
    // Rows behind those that it was guessed from keep to its rules.
    let more: String = (0..10_001).map(|_| "x,0.5\n").collect();
    fixture.write("in/a.csv", format!("id,price\n{more}007,0.12345678901234567890\n"));
    let error = fixture.run(&config, "five").await.unwrap_err();
    assert!(
        error.message.contains("a.csv:10003: column `price`: expected double, found `0.12345678901234567890`"),
        "{error}"
    );
    // What does not fit is told as before.
    fixture.write("in/a.csv", "id,price\n7,2024-02-29\n");
    let error = fixture.run(&config, "four").await.unwrap_err();
    assert_eq!(
        error.message,
        "the load does not fit table `web.t`: column `price` is double in the table, and date in the load"
    );
}

#[tokio::test]
async fn a_first_line_that_is_longer_than_what_is_looked_at_is_guessed_from_whole() {
    let fixture = Fixture::new();
    let config = serde_json::json!({
        "in": {"type": "file", "path": "in/*.jsonl", "parser": {"type": "jsonl"}},
        "out": {"type": "table", "database": "web", "table": "t"},
    });
    fixture.write("in/a.jsonl", format!("{{\"text\": \"{}\", \"n\": 1}}\n{{\"n\": 2}}\n", "x".repeat(9 << 20)));
    let report = fixture.run(&config, "one").await.unwrap();
    assert_eq!((report.rows, report.rejected), (2, 0));
    let columns =
        fixture.lake().await.catalog.table(&TableName::new("web", "t").unwrap()).await.unwrap().unwrap().columns;
    let columns: Vec<_> = columns.iter().map(|column| (column.name.as_str(), column.hive_type.as_str())).collect();
    assert_eq!(columns, [("text", "string"), ("n", "bigint")]);
}

#[tokio::test]
async fn a_table_with_a_log_of_its_own_is_not_loaded_into() {
    let fixture = Fixture::new();
    let lake = fixture.lake().await;
    let name = with_months(&lake).await;
    let mut of_iceberg = lake.catalog.table(&name).await.unwrap().unwrap();
    of_iceberg.parameters.insert("table_type".to_owned(), "ICEBERG".to_owned());
    lake.catalog.put_table(&of_iceberg, Expect::Any).await.unwrap();
    fixture.write("in/a.csv", "8,1\n");
    assert_eq!(
        fixture.run(&config("m", 0), "one").await.unwrap_err().message,
        "the load does not fit table `shop.sales`: it is an Iceberg table, whose own log says which objects are its rows: a load \
         does not write such tables"
    );
}
