//! Queries in tests. What every query engine does is tested by the suite in `tests/it/conformance`.

use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt as _;

use super::{Destination, Query, QueryEngine, QueryId, QueryStats, QueryStatus};
use crate::error::Result;
use crate::name::Location;
use crate::publish::Layout;

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
    Ok(texts(stream).await)
}

/// Returns rows as text.
pub(crate) async fn texts(stream: SendableRecordBatchStream) -> Vec<String> {
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
    rows
}

/// Runs a statement into objects and returns what was written.
pub(crate) async fn written(engine: &dyn QueryEngine, sql: &str, prefix: &str, token: &str) -> QueryStats {
    let query = Query {
        destination: Destination::Objects {
            prefix: Location::parse(prefix).unwrap(),
            layout: Layout::default(),
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
