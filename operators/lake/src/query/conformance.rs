//! What every query engine does; each implementation runs [`run`] in its tests.

use futures::TryStreamExt as _;

use super::{Destination, Query, QueryEngine, QueryId, QueryStats, QueryStatus};
use crate::error::{ErrorKind, Result};
use crate::name::Location;
use crate::publish::Format;

/// Waits for the end of a query.
pub(crate) async fn ended(engine: &dyn QueryEngine, id: &QueryId) -> QueryStatus {
    loop {
        match engine.poll(id).await.unwrap() {
            QueryStatus::Queued | QueryStatus::Running(_) => tokio::task::yield_now().await,
            status => return status,
        }
    }
}

/// Runs a statement and returns its rows as text.
pub(crate) async fn rows(engine: &dyn QueryEngine, sql: &str) -> Result<Vec<String>> {
    let id = engine.start(&Query::new(sql, None, format!("rows of {sql} {}", uuid::Uuid::new_v4()))).await?;
    fetched(engine, &id).await
}

async fn fetched(engine: &dyn QueryEngine, id: &QueryId) -> Result<Vec<String>> {
    let (_, stream) = engine.fetch(id).await?;
    let batches: Vec<_> = stream.try_collect().await.unwrap();
    let options = datafusion::arrow::util::display::FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| datafusion::arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            rows.push(cells.join("|"));
        }
    }
    Ok(rows)
}

/// Runs a statement into objects and returns what was written.
pub(crate) async fn written(engine: &dyn QueryEngine, sql: &str, prefix: &str, token: &str) -> QueryStats {
    let query = Query {
        destination: Destination::Objects {
            prefix: Location::parse(prefix).unwrap(),
            format: Format::default(),
            partition_by: Vec::new(),
        },
        ..Query::new(sql, None, token)
    };
    let id = engine.start(&query).await.unwrap();
    match ended(engine, &id).await {
        QueryStatus::Succeeded(stats) => stats,
        other => panic!("{other:?}"),
    }
}

/// Runs every law. `bucket` is one that the engine may write to.
pub(crate) async fn run(engine: &dyn QueryEngine, bucket: &str) {
    let query = Query::new("SELECT 1 AS a, 'x' AS b", None, "one");
    let id = engine.start(&query).await.unwrap();
    assert_eq!(engine.start(&query).await.unwrap(), id, "the same token gives the same query");
    let other = Query { sql: "SELECT 2".to_owned(), ..query.clone() };
    assert_eq!(engine.start(&other).await.unwrap_err().kind, ErrorKind::InvalidInput);
    assert_eq!(fetched(engine, &id).await.unwrap(), ["1|x"]);
    assert_eq!(fetched(engine, &id).await.unwrap(), ["1|x"], "a result may be fetched again");
    let (columns, _) = engine.fetch(&id).await.unwrap();
    assert_eq!(columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(matches!(ended(engine, &id).await, QueryStatus::Succeeded(QueryStats { rows: 1, .. })));

    assert!(matches!(engine.poll(&QueryId("absent".to_owned())).await.unwrap(), QueryStatus::Unknown));
    assert_eq!(engine.fetch(&QueryId("absent".to_owned())).await.err().unwrap().kind, ErrorKind::NotFound);

    let wrong = engine.start(&Query::new("SELECT nothing FROM nowhere", None, "wrong")).await.unwrap();
    match ended(engine, &wrong).await {
        QueryStatus::Failed(error) => assert_eq!(error.kind, ErrorKind::InvalidSql, "{error}"),
        other => panic!("{other:?}"),
    }

    let prefix = format!("s3://{bucket}/conformance/");
    let stats = written(engine, "SELECT 1 AS a UNION ALL SELECT 2", &prefix, "objects").await;
    assert_eq!(stats.rows, 2);
    assert_eq!(stats.objects.iter().map(|object| object.rows).sum::<u64>(), 2);
    let again = Query {
        destination: Destination::Objects {
            prefix: Location::parse(&prefix).unwrap(),
            format: Format::default(),
            partition_by: Vec::new(),
        },
        ..Query::new("SELECT 3 AS a", None, "objects again")
    };
    let id = engine.start(&again).await.unwrap();
    match ended(engine, &id).await {
        QueryStatus::Failed(error) => assert_eq!(error.kind, ErrorKind::AlreadyExists, "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.fetch(&id).await.err().unwrap().kind, ErrorKind::InvalidInput);

    let keep = Query { destination: Destination::Keep, ..Query::new("SELECT 7 AS n", None, "kept") };
    let id = engine.start(&keep).await.unwrap();
    assert_eq!(fetched(engine, &id).await.unwrap(), ["7"]);

    let description = engine.describe("SELECT 1 AS a", None).await.unwrap();
    assert_eq!(description.columns.len(), 1);
    assert_eq!(description.predicted_bytes, 0);
}
