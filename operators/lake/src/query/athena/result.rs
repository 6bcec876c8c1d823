//! The rows of a query that has ended: small results come with the answer of `GetQueryResults`, large ones from the CSV that
//! Athena wrote to S3, which is many times as fast as a thousand rows a call.

use std::sync::Arc;

use aws_sdk_athena::operation::get_query_results::GetQueryResultsOutput;
use aws_sdk_athena::types::{QueryExecution, StatementType};
use bytes::Bytes;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use super::api::Api;
use super::csv::{Record, Records};
use super::typed;
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;
use crate::query::ResultColumn;
use crate::query::typed::TypedColumns;
use crate::storage::Storage;

/// How many rows a batch has.
const BATCH_ROWS: usize = 8192;

/// The first page of a result.
#[derive(Debug)]
pub(super) struct FirstPage {
    pub(super) columns: TypedColumns,
    /// Its rows, without the header.
    pub(super) rows: Vec<Record>,
    /// Which columns are of a nested type: they come as text.
    pub(super) nested: Vec<bool>,
    /// What asks for the next page; none when this is all.
    next: Option<String>,
}

impl FirstPage {
    /// Fetches it.
    pub(super) async fn fetch(api: &Api, execution: &QueryExecution) -> Result<Self> {
        let page = api.results(id(execution), None).await?;
        let next = page.next_token.clone();
        let infos = page
            .result_set
            .as_ref()
            .and_then(|set| set.result_set_metadata.as_ref())
            .and_then(|metadata| metadata.column_info.clone())
            .unwrap_or_default();
        let mut rows = rows(page);
        // The first row of a SELECT repeats the names; those of other statements have no such row.
        if has_header(execution) && !rows.is_empty() {
            rows.remove(0);
        }
        let nested = infos.iter().map(|info| matches!(info.r#type.as_str(), "array" | "map" | "row")).collect();
        Ok(Self { columns: typed::columns_of(&infos, &rows), rows, nested, next })
    }

    /// Tells whether it holds all rows.
    pub(super) fn is_whole(&self) -> bool {
        self.next.is_none()
    }

    /// Opens the rows.
    pub(super) async fn open(
        &self,
        api: &Arc<Api>,
        storage: &Storage,
        execution: &QueryExecution,
    ) -> Result<(Vec<ResultColumn>, SendableRecordBatchStream)> {
        let columns = self.columns.clone();
        let batches = match (&self.next, output(execution)) {
            (None, _) => stream::iter(vec![typed::batch(&columns, &self.rows)]).boxed(),
            (Some(_), Some(location)) if has_header(execution) => {
                let records = records(storage.stream(&location).await?);
                batches(columns.clone(), without_header(records))
            }
            (Some(next), _) => {
                let first = typed::batch(&columns, &self.rows);
                stream::iter([first])
                    .chain(pages(Arc::clone(api), id(execution).to_owned(), next.clone(), columns.clone()))
                    .boxed()
            }
        };
        let schema = Arc::clone(&columns.schema);
        let batches = batches.map(|batch| batch.map_err(|error| DataFusionError::External(Box::new(error))));
        Ok((columns.columns, Box::pin(RecordBatchStreamAdapter::new(schema, batches))))
    }

    /// Counts the rows of the whole result.
    ///
    /// # Errors
    /// Those of the calls, and of the storage.
    pub(super) async fn count(&self, api: &Api, storage: &Storage, execution: &QueryExecution) -> Result<u64> {
        let here = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        if self.is_whole() {
            return Ok(here);
        }
        if let Some(rows) = api.output_rows(id(execution)).await?.filter(|rows| *rows >= here) {
            return Ok(rows);
        }
        let Some(location) = output(execution).filter(|_| has_header(execution)) else { return Ok(here) };
        let mut all = records(storage.stream(&location).await?);
        let mut count = 0_u64;
        while let Some(record) = all.next().await {
            record?;
            count += 1;
        }
        Ok(count.saturating_sub(1))
    }
}

/// Returns where Athena wrote the result; none for one that it keeps itself.
pub(super) fn output(execution: &QueryExecution) -> Option<Location> {
    let text = execution.result_configuration.as_ref()?.output_location.as_deref()?;
    Location::parse(text).ok()
}

/// Tells whether the result begins with a row of names.
fn has_header(execution: &QueryExecution) -> bool {
    execution.statement_type == Some(StatementType::Dml)
}

fn id(execution: &QueryExecution) -> &str {
    execution.query_execution_id.as_deref().unwrap_or_default()
}

fn rows(page: GetQueryResultsOutput) -> Vec<Record> {
    let rows = page.result_set.and_then(|set| set.rows).unwrap_or_default();
    rows.into_iter()
        .map(|row| row.data.unwrap_or_default().into_iter().map(|datum| datum.var_char_value).collect())
        .collect()
}

/// Passes over the first record, but not over an error in its place.
fn without_header(records: BoxStream<'static, Result<Record>>) -> BoxStream<'static, Result<Record>> {
    let others = records.enumerate().filter_map(|(index, record)| {
        std::future::ready(if index > 0 || record.is_err() { Some(record) } else { None })
    });
    others.boxed()
}

/// Cuts the pieces of an object into records.
fn records(pieces: BoxStream<'static, Result<Bytes>>) -> BoxStream<'static, Result<Record>> {
    struct Cut {
        pieces: BoxStream<'static, Result<Bytes>>,
        reader: Option<Records>,
    }
    stream::unfold(Cut { pieces, reader: Some(Records::default()) }, |mut cut| async move {
        let mut found = Vec::new();
        while found.is_empty() {
            let reader = cut.reader.as_mut()?;
            match cut.pieces.next().await {
                Some(Ok(piece)) => reader.take(&piece, &mut found),
                Some(Err(error)) => {
                    cut.reader = None;
                    return Some((vec![Err(error)], cut));
                }
                None => {
                    let last = cut.reader.take().and_then(Records::end)?;
                    return Some((vec![Ok(last)], cut));
                }
            }
        }
        Some((found.into_iter().map(Ok).collect(), cut))
    })
    .flat_map(stream::iter)
    .boxed()
}

fn batches(
    columns: TypedColumns,
    records: BoxStream<'static, Result<Record>>,
) -> BoxStream<'static, Result<arrow::record_batch::RecordBatch>> {
    records
        .chunks(BATCH_ROWS)
        .map(move |chunk| {
            let rows = chunk.into_iter().collect::<Result<Vec<Record>>>()?;
            if let Some(short) = rows.iter().find(|row| row.len() != columns.columns.len()) {
                return Err(Error::new(
                    ErrorKind::InvalidData,
                    "read a result",
                    format!(
                        "expected {} values in each line of the result, found {}",
                        columns.columns.len(),
                        short.len()
                    ),
                ));
            }
            typed::batch(&columns, &rows)
        })
        .boxed()
}

/// Fetches the pages behind the first.
fn pages(
    api: Arc<Api>,
    id: String,
    next: String,
    columns: TypedColumns,
) -> BoxStream<'static, Result<arrow::record_batch::RecordBatch>> {
    stream::unfold(Some(next), move |next| {
        let (api, id, columns) = (Arc::clone(&api), id.clone(), columns.clone());
        async move {
            match api.results(&id, Some(next?)).await {
                Ok(page) => {
                    let next = page.next_token.clone();
                    Some((typed::batch(&columns, &rows(page)), next))
                }
                Err(error) => Some((Err(error), None)),
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn records_come_out_of_pieces_and_an_error_ends_them() {
        let pieces = |pieces: Vec<Result<Bytes>>| stream::iter(pieces).boxed();
        let good = pieces(vec![Ok(Bytes::from_static(b"\"a\"\n\"b")), Ok(Bytes::from_static(b"c\"\nd"))]);
        let found: Vec<Record> = records(good).map(|record| record.unwrap()).collect().await;
        assert_eq!(found, [[Some("a".to_owned())], [Some("bc".to_owned())], [Some("d".to_owned())]]);
        let bad = pieces(vec![
            Ok(Bytes::from_static(b"\"a\"\n")),
            Err(Error::new(ErrorKind::External, "read an object", "lost")),
            Ok(Bytes::from_static(b"\"b\"\n")),
        ]);
        let found: Vec<bool> = records(bad).map(|record| record.is_ok()).collect().await;
        assert_eq!(found, [true, false]);
        let lost = pieces(vec![Err(Error::new(ErrorKind::External, "read an object", "lost"))]);
        let found: Vec<bool> = without_header(records(lost)).map(|record| record.is_ok()).collect().await;
        assert_eq!(found, [false], "an error is no header");
    }
}
