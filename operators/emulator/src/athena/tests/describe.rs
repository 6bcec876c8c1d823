//! What `DESCRIBE` tells of one partition.

use super::*;

async fn with_partition() -> Fixture {
    let fixture = fixture().await;
    fixture.run("CREATE DATABASE IF NOT EXISTS web").await;
    fixture
        .run(
            "CREATE EXTERNAL TABLE web.log (n int) PARTITIONED BY (dt string, h string)
             ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE LOCATION 's3://b/log/'",
        )
        .await;
    fixture.run("ALTER TABLE log ADD PARTITION (dt='2024-02-02', h='10') LOCATION 's3://b/elsewhere/'").await;
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_described_with_its_values_and_its_own_place() {
    let fixture = with_partition().await;
    let lines = fixture.run("DESCRIBE FORMATTED log PARTITION (dt='2024-02-02', h='10')").await.rows;
    let at = lines.iter().position(|line| line.starts_with("# Detailed")).unwrap();
    assert_eq!(
        lines[at..at + 6],
        [
            "# Detailed Partition Information\t \t ",
            "Partition Value:    \t[2024-02-02, 10]    \t ",
            "Database:           \tweb                 \t ",
            "Table:              \tlog                 \t ",
            "Location:           \ts3://b/elsewhere/   \t ",
            "Partition Parameters:\t \t ",
        ]
    );
    assert!(!lines.iter().any(|line| line.contains("s3://b/log/")), "{lines:?}");

    let lines = fixture.run("DESCRIBE EXTENDED log PARTITION (dt='2024-02-02', h='10')").await.rows;
    let told = lines.last().unwrap();
    let begin =
        "Detailed Partition Information\tPartition(values:[2024-02-02, 10], dbName:web, tableName:log, createTime:";
    assert!(told.starts_with(begin), "{told}");
    assert!(told.contains("sd:StorageDescriptor(location:s3://b/elsewhere/, "), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_not_there_is_not_described() {
    let fixture = with_partition().await;
    for detail in ["FORMATTED", "EXTENDED"] {
        assert_eq!(
            fixture.fails(&format!("DESCRIBE {detail} log PARTITION (dt='2024-02-02', h='11')")).await,
            "FAILED: SemanticException [Error 10006]: Partition not found (dt=2024-02-02, h=11)"
        );
    }
    fixture.fails("DESCRIBE FORMATTED log PARTITION (dt='2024-02-02')").await;
}
