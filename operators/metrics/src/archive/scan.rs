//! Reads archived objects: whole series, in the order of their names.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use lake::storage::Storage;
use lake::{Error, ErrorKind, Result};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use tokio::sync::mpsc;

use super::SeriesRows;
use super::file::refuse_other_bytes;
use super::object::ArchivedObject;
use super::pick::pick;
use crate::ledger::ArchivedFile;
use crate::merge::SideBySide;
use crate::point::SeriesName;
use crate::store::{SCAN_POINTS, Selection};

/// Rows that are decoded at a time.
const ROWS: usize = 32_768;

/// Rows that are decoded at a time at least, where many objects are read side by side.
const FEWEST_ROWS: usize = 1_024;

/// Batches that a scan is ahead of its reader.
const AHEAD: usize = 2;

/// An object of at most so many bytes is read in one piece: asking for parts of it costs more than its bytes.
pub(super) const SMALL_BYTES: u64 = 1 << 20;

/// Series of an archive on their way, in the order of names.
pub(crate) type ArchiveBatches<S> = BoxStream<'static, Result<Vec<S>>>;

/// Reads objects: those of a version that is split by the hash of the series side by side, others one after the other, as they
/// are in the order of the series in them.
pub(crate) fn scan<S: SeriesRows>(
    storage: &Storage,
    files: &[ArchivedFile],
    selection: Selection<'_>,
) -> ArchiveBatches<S> {
    let names = match selection {
        Selection::All => None,
        Selection::Names(names) => Some(sorted(names)),
    };
    if files.iter().all(|file| file.slot.is_none()) {
        return in_order(storage, files, names, SCAN_POINTS);
    }
    let wanted: Vec<(&ArchivedFile, Option<Vec<SeriesName>>)> = files
        .iter()
        .map(|file| {
            (file, names.as_ref().map(|names| names.iter().filter(|name| holds(file, name)).cloned().collect()))
        })
        .filter(|(_, names): &(_, Option<Vec<SeriesName>>)| names.as_ref().is_none_or(|names| !names.is_empty()))
        .collect();
    // All of them together are as far ahead as one alone.
    let batch_rows = SCAN_POINTS / wanted.len().max(1);
    let scans =
        wanted.into_iter().map(|(file, names)| in_order(storage, std::slice::from_ref(file), names, batch_rows));
    side_by_side(scans.collect())
}

/// Reads some series of objects, all at once: what [`scan`] gives, without a task and a way to it that cost more than a small object.
///
/// # Errors
/// As those of a scan.
pub(crate) async fn read_named<S: SeriesRows>(
    storage: &Storage,
    files: &[ArchivedFile],
    names: &[SeriesName],
) -> Result<Vec<S>> {
    let mut gathered = Gathered::<S> {
        whole: Vec::new(),
        rows: 0,
        batch_rows: usize::MAX,
        current: None,
        names: Some(sorted(names)),
        sender: None,
    };
    // Of a version that is split by the hash of the series each object has an order of its own.
    let pieces = if files.iter().all(|file| file.slot.is_none()) { files.len() } else { 1 };
    for piece in files.chunks(pieces.max(1)) {
        gathered.read_all(storage, piece).await?;
    }
    gathered.whole.sort_by(|left, right| left.name().cmp(right.name()));
    Ok(gathered.whole)
}

fn sorted(names: &[SeriesName]) -> Vec<SeriesName> {
    let mut names = names.to_vec();
    names.sort();
    names.dedup();
    names
}

/// Tells whether an object may hold a series.
fn holds(file: &ArchivedFile, name: &SeriesName) -> bool {
    match &file.slot {
        Some(slot) => slot.holds(name),
        None => (file.first.as_str()..=file.last.as_str()).contains(&name.as_str()),
    }
}

/// Puts the series of several scans into one order.
fn side_by_side<S: SeriesRows>(mut scans: Vec<ArchiveBatches<S>>) -> ArchiveBatches<S> {
    if scans.len() == 1
        && let Some(only) = scans.pop()
    {
        return only;
    }
    let series = SideBySide::new(scans);
    futures::stream::try_unfold(series, |mut series| async move {
        let (mut batch, mut rows) = (Vec::new(), 0);
        while rows < SCAN_POINTS
            && let Some((_, found)) = series.next().await?
        {
            for (_, found) in found {
                rows += found.len();
                batch.push(found);
            }
        }
        Ok((!batch.is_empty()).then_some((batch, series)))
    })
    .boxed()
}

/// Reads objects one after the other.
fn in_order<S: SeriesRows>(
    storage: &Storage,
    files: &[ArchivedFile],
    names: Option<Vec<SeriesName>>,
    batch_rows: usize,
) -> ArchiveBatches<S> {
    let (storage, files) = (storage.clone(), files.to_vec());
    let (sender, mut receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let listener = Some(sender.clone());
        let mut gathered = Gathered { whole: Vec::new(), rows: 0, batch_rows, current: None, names, sender: listener };
        if let Err(error) = gathered.read_all(&storage, &files).await {
            // Nobody listens any more when this fails.
            let _given_up = sender.send(Err(error)).await;
        }
    });
    futures::stream::poll_fn(move |context| receiver.poll_recv(context)).boxed()
}

/// Puts rows together to whole series, and those to batches.
struct Gathered<S> {
    whole: Vec<S>,
    rows: usize,
    /// How many rows make a batch.
    batch_rows: usize,
    current: Option<S>,
    names: Option<Vec<SeriesName>>,
    /// Who takes batches as soon as they are whole; none where all of them are kept.
    sender: Option<mpsc::Sender<Result<Vec<S>>>>,
}

impl<S: SeriesRows> Gathered<S> {
    async fn read_all(&mut self, storage: &Storage, files: &[ArchivedFile]) -> Result<()> {
        for file in files {
            let may_hold = self.names.as_ref().is_none_or(|names| names.iter().any(|name| holds(file, name)));
            if may_hold {
                self.read(storage, file).await.map_err(|error| error.with("location", file.location.to_string()))?;
            }
        }
        self.whole.extend(self.current.take());
        self.send().await;
        Ok(())
    }

    async fn read(&mut self, storage: &Storage, file: &ArchivedFile) -> Result<()> {
        let batch_rows = ROWS.min(self.batch_rows.max(FEWEST_ROWS));
        let policy = if self.names.is_some() { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
        let options = ArrowReaderOptions::new().with_schema(S::FORM.schema()).with_page_index_policy(policy);
        if file.bytes <= SMALL_BYTES {
            let bytes = storage.read(&file.location).await?;
            // Whoever reads all of it compares what it finds, and names the series; who asks for some must not be told wrong ones.
            if self.names.is_some() {
                refuse_other_bytes(file, &bytes)?;
            }
            let metadata = ArrowReaderMetadata::load(&bytes, options).map_err(damaged)?;
            let mut builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata).with_batch_size(batch_rows);
            if let Some(names) = &self.names {
                let picked = pick(builder.metadata(), &texts(names));
                builder = builder.with_row_groups(picked.row_groups).with_row_selection(picked.rows);
            }
            for rows in builder.build().map_err(damaged)? {
                let rows = rows.map_err(|error| damaged(ParquetError::from(error)))?;
                if !self.take(&rows, file).await? {
                    return Ok(());
                }
            }
            return Ok(());
        }
        let path = Storage::store_path(&file.location)?;
        // As above.
        let end = file.end.clone().filter(|_| self.names.is_some());
        let reader = ArchivedObject::new(storage.object_store(), path, file.bytes, end);
        let mut builder = ParquetRecordBatchStreamBuilder::new_with_options(reader, options)
            .await
            .map_err(damaged)?
            .with_batch_size(batch_rows);
        if let Some(names) = &self.names {
            let picked = pick(builder.metadata(), &texts(names));
            builder = builder.with_row_groups(picked.row_groups).with_row_selection(picked.rows);
        }
        let mut stream = builder.build().map_err(damaged)?;
        while let Some(rows) = stream.try_next().await.map_err(damaged)? {
            if !self.take(&rows, file).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes rows; returns whether anybody still listens.
    async fn take(&mut self, rows: &RecordBatch, file: &ArchivedFile) -> Result<bool> {
        for series in S::from_rows(rows, self.names.as_deref())? {
            if let Some(slot) = file.slot.filter(|slot| !slot.holds(series.name())) {
                let message = format!(
                    "found `{}` in the object of the series whose hashes have the remainder {} by {}",
                    series.name(),
                    slot.number,
                    slot.of
                );
                return Err(Error::new(ErrorKind::InvalidData, "read an archive", message));
            }
            match &mut self.current {
                Some(current) if current.name() == series.name() => current.append(series)?,
                Some(current) if current.name() > series.name() => {
                    let message = format!("expected `{}` before `{}`", series.name(), current.name());
                    return Err(Error::new(ErrorKind::InvalidData, "read an archive", message));
                }
                _ => {
                    if let Some(ended) = self.current.replace(series) {
                        self.rows += ended.len();
                        self.whole.push(ended);
                    }
                }
            }
        }
        Ok(self.rows < self.batch_rows || self.send().await)
    }

    /// Sends the series that are whole; returns whether anybody still listens.
    async fn send(&mut self) -> bool {
        self.rows = 0;
        let Some(sender) = &self.sender else { return true };
        let whole = std::mem::take(&mut self.whole);
        whole.is_empty() || sender.send(Ok(whole)).await.is_ok()
    }
}

fn texts(names: &[SeriesName]) -> Vec<&str> {
    names.iter().map(SeriesName::as_str).collect()
}

/// Makes our error of Parquet's: one of ours inside it comes out again, a missing object is one, everything else is damage or the
/// storage.
fn damaged(error: ParquetError) -> Error {
    let error = match error {
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => return *ours,
            Err(inner) => ParquetError::External(inner),
        },
        other => other,
    };
    let kind = match &error {
        ParquetError::External(inner) => match inner.downcast_ref::<object_store::Error>() {
            Some(object_store::Error::NotFound { .. }) => ErrorKind::NotFound,
            Some(_) => ErrorKind::External,
            None => ErrorKind::InvalidData,
        },
        _ => ErrorKind::InvalidData,
    };
    Error::new(kind, "read an archive", format!("cannot read Parquet: {error}")).source(Arc::new(error).to_string())
}
