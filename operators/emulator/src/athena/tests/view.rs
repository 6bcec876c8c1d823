//! Views that other programs made.

use lake::catalog::{Column, Expect};
use lake::name::TableName;

use super::*;

/// Trino writes them so: <https://github.com/trinodb/trino/blob/476/plugin/trino-hive/src/main/java/io/trino/plugin/hive/TrinoViewUtil.java>.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_trino_is_described_by_the_columns_of_its_text() {
    let fixture = fixture().await;
    fixture.run("CREATE SCHEMA web").await;
    fixture.run("CREATE VIEW web.of_trino AS SELECT 1 AS x, 'a' AS y").await;
    let catalog = &fixture.athena.inner.lake.catalog;
    let name = TableName::new("web", "of_trino").unwrap();
    let mut view = catalog.table(&name).await.unwrap().unwrap();
    view.columns = vec![Column::new("dummy", "string")];
    catalog.put_table(&view, Expect::Any).await.unwrap();

    let names = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'of_trino'";
    assert_eq!(fixture.rows(names).await, ["x|integer", "y|varchar(1)"]);
    let trimmed = |lines: Vec<String>| -> Vec<String> {
        lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(trimmed(fixture.run("DESCRIBE web.of_trino").await.rows), ["x int", "y varchar(1)"]);
    assert_eq!(trimmed(fixture.run("SHOW COLUMNS IN web.of_trino").await.rows), ["x", "y"]);
    let asked = json!({"CatalogName": "AwsDataCatalog", "DatabaseName": "web", "TableName": "of_trino"});
    let found = fixture.call("GetTableMetadata", asked).await;
    let columns = found["TableMetadata"]["Columns"].as_array().unwrap();
    let named: Vec<&str> = columns.iter().map(|column| column["Name"].as_str().unwrap()).collect();
    assert_eq!(named, ["x", "y"]);
}
