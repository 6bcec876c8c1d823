//! Rows for whoever runs the load: they are kept in files of this machine until they are taken. Rejected lines are limited and
//! kept as with every load.
//!
//! All of the input is read before the first row can be taken, so that nothing of a broken input is used.

use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio::sync::mpsc;

use super::config::{ColumnType, OutputConfig, StagedOutput};
use super::file_output::{self, FolderDestination};
use super::job::{LoadControl, LoadState, Plan, WrittenLoad, run_pipeline, wrote};
use super::sink::{Sink, io_error};
use super::stream::{Destination, StreamKey};
use super::table_output::{self, NewPart, TableDestination};
use super::unreadable;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;

/// Batches that are read ahead of whoever takes them.
const AHEAD: usize = 2;

/// Rows that are taken at a time.
const ROWS: usize = 8_192;

/// Opens files for the rows, and objects of the lake for the rejected lines.
struct StagedDestination {
    rows: FolderDestination,
    rejected: Option<TableDestination>,
}

impl Destination for StagedDestination {
    fn prepare(&self, keys: &[StreamKey]) -> Result<()> {
        let rejected: Vec<StreamKey> = keys.iter().filter(|key| **key == StreamKey::Rejected).cloned().collect();
        match &self.rejected {
            Some(table) if !rejected.is_empty() => table.prepare(&rejected),
            _ => Ok(()),
        }
    }

    fn open(&self, key: &StreamKey, part: usize) -> Result<Sink> {
        match (key, &self.rejected) {
            (StreamKey::Rejected, Some(table)) => table.open(key, part),
            _ => self.rows.open(key, part),
        }
    }
}

/// Reads the input into files; what an earlier try left goes away.
pub(super) async fn write(
    lake: &Lake,
    plan: &Plan,
    output: &StagedOutput,
    control: &LoadControl,
) -> Result<WrittenLoad> {
    let points = &lake.settings.crash_points;
    let table = match &output.rejected {
        Some(table) => {
            let generation = table_output::next_generation(lake, plan, table).await?;
            Some(TableDestination::new(lake, plan, table, generation).await?)
        }
        None => None,
    };
    let destination = StagedDestination {
        rows: FolderDestination::new(plan, &output.files, points.clone()),
        rejected: table.clone(),
    };
    let finished = match run_pipeline(lake, plan, control, destination).await {
        Ok(outcome) => finish(plan, table.as_ref(), outcome).await,
        Err(error) => Err(error),
    };
    if finished.is_err() {
        if let Some(table) = &table {
            // What fails here is given up by the next try: the ledger lists it.
            let _given_up = table.abandon().await;
        }
        let _replaced_by_the_next_try =
            file_output::give_up(plan, &file_output::folder(plan, &output.files), points).await;
    }
    finished
}

async fn finish(
    plan: &Plan,
    table: Option<&TableDestination>,
    outcome: super::pipeline::Outcome,
) -> Result<WrittenLoad> {
    let report = wrote(plan, &outcome);
    unreadable::refuse_any(plan, &report)?;
    let (rejected, rows): (Vec<_>, Vec<_>) =
        outcome.written.into_iter().partition(|written| written.key == StreamKey::Rejected);
    let parts = rows.iter().map(|written| NewPart::file(Vec::new(), &written.files)).collect();
    let rejected = match table {
        Some(table) if !rejected.is_empty() => table.finish_all(&rejected).await?.pop(),
        _ => None,
    };
    Ok(WrittenLoad { report, parts, rejected, replaced: 0 })
}

/// Returns the columns of a load's rows, each with its type.
#[must_use]
pub fn columns(state: &LoadState) -> Vec<(String, ColumnType)> {
    state.plan().layout.columns.iter().map(|column| (column.name.clone(), column.column_type)).collect()
}

/// Reads the rows of a done load, in the order of the input.
///
/// # Errors
/// Each batch may fail with `NotFound`, `PermissionDenied` or `InvalidData`: somebody else was in the folder.
pub fn staged_rows(state: &LoadState) -> BoxStream<'static, Result<RecordBatch>> {
    let (sender, mut receiver) = mpsc::channel(AHEAD);
    let plan = state.plan().clone();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = send_rows(&plan, &sender) {
            // Nobody listens any more when this fails.
            let _given_up = sender.blocking_send(Err(error));
        }
    });
    futures::stream::poll_fn(move |context| receiver.poll_recv(context)).boxed()
}

fn send_rows(plan: &Plan, sender: &mpsc::Sender<Result<RecordBatch>>) -> Result<()> {
    let OutputConfig::Staged(output) = &plan.config.out else { return Ok(()) };
    let folder = file_output::folder(plan, &output.files);
    for path in files(plan, &folder)? {
        let at = |error: Error| error.with("path", path.display().to_string());
        let file = std::fs::File::open(&path).map_err(|error| at(io_error("read staged rows", error)))?;
        let damaged = |error: &dyn std::fmt::Display| {
            at(Error::new(ErrorKind::InvalidData, "read staged rows", format!("cannot read Parquet: {error}")))
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(&error))?;
        let reader = reader.with_batch_size(ROWS).build().map_err(|error| damaged(&error))?;
        for batch in reader {
            let batch = batch.map_err(|error| damaged(&error));
            if sender.blocking_send(batch).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Lists the files of the rows in their order.
fn files(plan: &Plan, folder: &Path) -> Result<Vec<PathBuf>> {
    let at = |error| io_error("read staged rows", error).with("path", folder.display().to_string());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // An input without rows.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(error)),
    };
    let start = format!("load-{}-", plan.load_id());
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(at)?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&start)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Removes the rows of a load that were taken, or that nobody takes any more. Repeating it is fine.
///
/// # Errors
/// `PermissionDenied` or `External` with the path.
pub async fn remove_staged(state: &LoadState) -> Result<()> {
    let plan = state.plan();
    let OutputConfig::Staged(output) = &plan.config.out else { return Ok(()) };
    let folder = file_output::folder(plan, &output.files);
    let removed = tokio::fs::remove_dir_all(&folder).map(|removed| match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io_error("remove staged rows", error).with("path", folder.display().to_string()))
        }
        _ => Ok(()),
    });
    removed.await
}
