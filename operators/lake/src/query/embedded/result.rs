//! Results that wait for whoever fetches them: small ones in memory, large ones in a temporary file, kept ones in the lake.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::SpillManager;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt as _, TryStreamExt as _};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use serde::{Deserialize, Serialize};

use super::failure;
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;
use crate::publish::parquet::{ParquetWriter, StoredColumn};
use crate::publish::reader::ParquetObject;
use crate::query::{QueryId, QueryStats, ResultColumn};
use crate::sql::Type;
use crate::storage::{Marker, MarkerKind, Storage};

/// Bytes of a result that stay in memory.
const MEMORY_BYTES: usize = 4 << 20;

const OPERATION: &str = "run a query";

/// The rows of a finished query.
#[derive(Clone)]
pub(in crate::query) struct FetchedResult {
    columns: Vec<ResultColumn>,
    schema: SchemaRef,
    rows: Rows,
}

impl std::fmt::Debug for FetchedResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FetchedResult").field("columns", &self.columns).finish_non_exhaustive()
    }
}

#[derive(Clone)]
enum Rows {
    Memory(Arc<Vec<RecordBatch>>),
    File(SpillManager, Arc<dyn datafusion::execution::SpillFile>),
}

impl FetchedResult {
    /// Takes the rows of a stream; returns the result and its number of rows.
    pub(in crate::query) async fn collect(
        columns: Vec<ResultColumn>,
        mut rows: SendableRecordBatchStream,
        runtime: &Arc<RuntimeEnv>,
    ) -> Result<(Self, u64)> {
        let failed = |error| failure::of(OPERATION, error);
        let schema = rows.schema();
        let mut count = 0_u64;
        let mut bytes = 0_usize;
        let mut batches = Vec::new();
        let mut spilled = None;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(failed)?;
            count += u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
            bytes = bytes.saturating_add(batch.get_array_memory_size());
            if spilled.is_none() && bytes > MEMORY_BYTES {
                let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
                let manager = SpillManager::new(Arc::clone(runtime), metrics, Arc::clone(&schema));
                let mut file = manager.create_in_progress_file("a query's result").map_err(failed)?;
                for batch in batches.drain(..) {
                    file.append_batch(&batch).map_err(failed)?;
                }
                spilled = Some((manager, file));
            }
            match &mut spilled {
                Some((_, file)) => {
                    file.append_batch(&batch).map_err(failed)?;
                }
                None => batches.push(batch),
            }
        }
        let rows = match spilled {
            None => Rows::Memory(Arc::new(batches)),
            Some((manager, mut file)) => match file.finish().map_err(failed)? {
                Some(file) => Rows::File(manager, file),
                None => Rows::Memory(Arc::new(Vec::new())),
            },
        };
        Ok((Self { columns, schema, rows }, count))
    }

    /// Returns the columns, and the rows as a stream.
    pub(in crate::query) fn open(&self) -> Result<(Vec<ResultColumn>, SendableRecordBatchStream)> {
        let stream: SendableRecordBatchStream = match &self.rows {
            Rows::Memory(batches) => {
                let batches: Vec<_> = batches.iter().cloned().map(Ok).collect();
                Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), futures::stream::iter(batches)))
            }
            Rows::File(manager, file) => {
                manager.read_spill_as_stream(Arc::clone(file), None).map_err(|error| failure::of(OPERATION, error))?
            }
        };
        Ok((self.columns.clone(), stream))
    }
}

/// What is written beside a kept result.
#[derive(Debug, Serialize, Deserialize)]
struct KeptRecord {
    columns: Vec<(String, String)>,
    stats: QueryStats,
}

/// Returns where the result of a query is kept.
pub(in crate::query) fn kept_location(storage: &Storage, id: &QueryId) -> Result<Location> {
    let results = storage.results()?.ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, OPERATION, "there is no place for results that are kept")
            .help("set `warehouse:` of the profile to a prefix of yours, `s3://bucket/prefix/`")
    })?;
    results.join(&format!("{}/", id.0))
}

/// Columns of a result under names that no two share, as objects need them.
fn numbered(columns: &[ResultColumn]) -> Vec<StoredColumn> {
    columns
        .iter()
        .enumerate()
        .map(|(index, column)| StoredColumn { name: format!("c{index}"), data_type: column.data_type.clone() })
        .collect()
}

/// Clears what a process that stopped left of a result, and marks the prefix as ours before anything is written there.
pub(in crate::query) async fn prepare_kept(storage: &Storage, id: &QueryId) -> Result<()> {
    let prefix = kept_location(storage, id)?;
    if !storage.is_empty(&prefix).await? {
        storage.delete_prefix(&prefix).await?;
    }
    storage.mark(&prefix, &Marker::new(MarkerKind::Prefix, None)).await
}

/// Makes the writer of a kept result.
pub(in crate::query) fn kept_writer(
    storage: &Storage,
    id: &QueryId,
    columns: &[ResultColumn],
) -> Result<ParquetWriter> {
    let writer = ParquetWriter::new(
        storage,
        &kept_location(storage, id)?,
        &numbered(columns),
        crate::publish::Compression::Zstd,
    )?;
    Ok(writer.keep_arrow_schema())
}

/// Completes a kept result: with the record in its marker it counts as there.
pub(in crate::query) async fn keep(
    storage: &Storage,
    id: &QueryId,
    columns: &[ResultColumn],
    stats: &QueryStats,
) -> Result<()> {
    let record = KeptRecord {
        columns: columns.iter().map(|column| (column.name.clone(), column.data_type.to_string())).collect(),
        stats: stats.clone(),
    };
    let record = serde_json::to_value(record)
        .map_err(|error| Error::new(ErrorKind::External, OPERATION, error.to_string()).source(error))?;
    storage.mark(&kept_location(storage, id)?, &Marker::new(MarkerKind::Prefix, Some(record))).await
}

/// Reads what is known of a kept result.
pub(in crate::query) async fn kept(storage: &Storage, id: &QueryId) -> Result<Option<(Vec<ResultColumn>, QueryStats)>> {
    if storage.results()?.is_none() {
        return Ok(None);
    }
    let marker = storage.marker(&kept_location(storage, id)?).await?;
    let Some(record) = marker.and_then(|marker| marker.record) else { return Ok(None) };
    let record: KeptRecord = serde_json::from_value(record).map_err(|error| {
        Error::new(ErrorKind::InvalidData, "read a kept result", format!("the marker cannot be read: {error}"))
    })?;
    let columns = record
        .columns
        .into_iter()
        .enumerate()
        .map(|(index, (name, data_type))| Ok(ResultColumn::of_result(index, name, Type::from_trino(&data_type)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(Some((columns, record.stats)))
}

/// Opens a kept result.
pub(in crate::query) async fn open_kept(
    storage: &Storage,
    columns: Vec<ResultColumn>,
    stats: &QueryStats,
) -> Result<(Vec<ResultColumn>, SendableRecordBatchStream)> {
    let schema = Arc::new(Schema::new(
        numbered(&columns)
            .iter()
            .map(|column| Field::new(&column.name, column.data_type.to_arrow(), true))
            .collect::<Vec<_>>(),
    ));
    let mut parts = Vec::with_capacity(stats.objects.len());
    for object in &stats.objects {
        let reader = ParquetObject::new(storage, &object.location, object.bytes)?;
        let builder = ParquetRecordBatchStreamBuilder::new(reader)
            .await
            .map_err(|error| failure::of("read a kept result", DataFusionError::from(error)))?;
        let stream =
            builder.build().map_err(|error| failure::of("read a kept result", DataFusionError::from(error)))?;
        parts.push(stream.map_err(DataFusionError::from));
    }
    let target = Arc::clone(&schema);
    let rows = futures::stream::iter(parts).flatten().map(move |batch| {
        let batch = batch?;
        let columns = batch
            .columns()
            .iter()
            .zip(target.fields())
            .map(|(column, field)| restore(column, field.data_type()))
            .collect::<datafusion::common::Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&target), columns)?)
    });
    Ok((columns, Box::pin(RecordBatchStreamAdapter::new(schema, rows))))
}

/// Gives a stored column the form it had in the query.
fn restore(
    column: &datafusion::arrow::array::ArrayRef,
    target: &datafusion::arrow::datatypes::DataType,
) -> datafusion::common::Result<datafusion::arrow::array::ArrayRef> {
    if column.data_type().is_nested() {
        return crate::publish::parquet::relabel(column, target).map_err(crate::query::table::external);
    }
    Ok(datafusion::arrow::compute::cast(column, target)?)
}
