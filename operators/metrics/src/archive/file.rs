//! Writes series to `part-00000.parquet` below a prefix, and hashes objects.

use std::hash::Hasher as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryStreamExt as _};
use lake::name::Location;
use lake::storage::{ObjectWriter, Storage};
use lake::{Error, ErrorKind, Result};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::async_writer::{AsyncArrowWriter, AsyncFileWriter};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use tokio::io::AsyncWriteExt as _;
use twox_hash::XxHash64;

use super::SeriesRows;
use super::block::{BlockHasher, KEY};
use super::scan::SMALL_BYTES;
use crate::ledger::{ArchivedFile, HashSlot};
use crate::point::SeriesName;

const OPERATION: &str = "write an archive";

/// Rows of an object at most, about: 128 MB of points. More of them become several objects.
const OBJECT_ROWS: usize = 38_000_000;

/// Writes series, which come in the order of their names: one object, or several by the hash of the series ([`super::split`]),
/// so that a reader of one series opens one object.
pub(crate) struct ArchiveWriter {
    pub(super) storage: Storage,
    prefix: Location,
    object_rows: usize,
    current: Option<Current>,
}

/// The object that is being written.
pub(super) struct Current {
    writer: AsyncArrowWriter<Sink>,
    /// Shared with the sink, which the writer does not show.
    blocks: Arc<Mutex<BlockHasher>>,
    rows: usize,
    first: SeriesName,
    last: SeriesName,
}

impl Current {
    /// Takes whole series that come after all before.
    pub(super) async fn write<S: SeriesRows>(&mut self, series: &[S]) -> Result<()> {
        let Some(last) = series.last() else { return Ok(()) };
        let rows = S::to_rows(series)?;
        self.writer.write(&rows).await.map_err(failed)?;
        self.rows += rows.num_rows();
        self.last = last.name().clone();
        Ok(())
    }

    /// Returns how many rows are in the memory, encoded.
    pub(super) fn rows_in_memory(&self) -> usize {
        self.writer.in_progress_rows()
    }

    /// Ends the row group.
    pub(super) async fn end_row_group(&mut self) -> Result<()> {
        self.writer.flush().await.map_err(failed)
    }

    /// Ends the object.
    pub(super) async fn close(mut self, slot: Option<HashSlot>) -> Result<ArchivedFile> {
        // All rows are with the sink before their blocks are told of.
        self.writer.flush().await.map_err(failed)?;
        let hashes = {
            let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
            // A small object is read whole, and compared as such. Half of it is more than is said of that few rows.
            (blocks.bytes() > SMALL_BYTES / 2).then(|| blocks.end_rows())
        };
        if let Some(hashes) = hashes {
            self.writer.append_key_value_metadata(KeyValue::new(KEY.to_owned(), hashes));
        }
        self.writer.finish().await.map_err(failed)?;
        let end = self.blocks.lock().unwrap_or_else(PoisonError::into_inner).end();
        let sink = self.writer.into_inner();
        let location = sink.writer.location().clone();
        let bytes = sink.writer.finish().await?;
        Ok(ArchivedFile {
            location,
            bytes,
            hash: shown(&sink.hash),
            first: self.first.as_str().to_owned(),
            last: self.last.as_str().to_owned(),
            slot,
            end,
        })
    }
}

/// The bytes of an object on their way to the storage.
struct Sink {
    writer: ObjectWriter,
    hash: XxHash64,
    blocks: Arc<Mutex<BlockHasher>>,
}

impl AsyncFileWriter for Sink {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, parquet::errors::Result<()>> {
        async move {
            self.hash.write(&bytes);
            self.blocks.lock().unwrap_or_else(PoisonError::into_inner).write(&bytes);
            match self.writer.write_all(&bytes).await {
                Ok(()) => Ok(()),
                Err(error) => Err(ParquetError::External(Box::new(self.writer.failed(error)))),
            }
        }
        .boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, parquet::errors::Result<()>> {
        // The archive finishes the object itself, because only then is it on the disk.
        async { Ok(()) }.boxed()
    }
}

impl ArchiveWriter {
    /// Begins to write below a prefix.
    pub(crate) fn new(storage: &Storage, prefix: &Location) -> Self {
        Self { storage: storage.clone(), prefix: prefix.as_prefix(), object_rows: OBJECT_ROWS, current: None }
    }

    /// Sets how many rows an object has, about.
    #[cfg(test)]
    pub(crate) fn object_rows(mut self, rows: usize) -> Self {
        self.object_rows = rows;
        self
    }

    /// Takes whole series that come after all before.
    ///
    /// # Errors
    /// `ResourcesExhausted` on a full disk; `PermissionDenied`; `External`.
    pub(crate) async fn write<S: SeriesRows>(&mut self, series: &[S]) -> Result<()> {
        let Some(first) = series.first() else { return Ok(()) };
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.open::<S>("part-00000.parquet", first.name())?,
        };
        current.write(series).await?;
        self.current = Some(current);
        Ok(())
    }

    /// Opens an object.
    pub(super) fn open<S: SeriesRows>(&self, name: &str, first: &SeriesName) -> Result<Current> {
        let location = self.prefix.join(name)?;
        let blocks = Arc::new(Mutex::new(BlockHasher::new()));
        let writer = self.storage.writer(&location)?;
        let sink = Sink { writer, hash: XxHash64::with_seed(0), blocks: Arc::clone(&blocks) };
        let options = ArrowWriterOptions::new().with_properties(S::FORM.properties()?).with_skip_arrow_metadata(true);
        let writer = AsyncArrowWriter::try_new_with_options(sink, S::FORM.schema(), options).map_err(failed)?;
        Ok(Current { writer, blocks, rows: 0, first: first.clone(), last: first.clone() })
    }

    /// Ends the object, and splits it when it has too many rows: what is there then survives the loss of power.
    ///
    /// # Errors
    /// As [`ArchiveWriter::write`].
    pub(crate) async fn finish<S: SeriesRows>(mut self) -> Result<Vec<ArchivedFile>> {
        let Some(current) = self.current.take() else { return Ok(Vec::new()) };
        let rows = current.rows;
        let whole = current.close(None).await?;
        if rows <= self.object_rows {
            return Ok(vec![whole]);
        }
        let objects = rows.div_ceil(self.object_rows);
        self.split::<S>(whole, objects).await
    }
}

/// Reads an object from the storage and returns its bytes' number and hash.
///
/// # Errors
/// `NotFound`, `PermissionDenied`, `External`.
pub(crate) async fn hash_of_object(storage: &Storage, location: &Location) -> Result<(u64, String)> {
    let mut chunks = storage.stream(location).await?;
    let (mut bytes, mut hash) = (0, XxHash64::with_seed(0));
    while let Some(chunk) = chunks.try_next().await? {
        bytes += chunk.len() as u64;
        hash.write(&chunk);
    }
    Ok((bytes, shown(&hash)))
}

/// Compares the bytes of an object with those that were written.
///
/// # Errors
/// `InvalidData` for others.
pub(super) fn refuse_other_bytes(file: &ArchivedFile, bytes: &[u8]) -> Result<()> {
    let hash = format!("{:016x}", XxHash64::oneshot(0, bytes));
    if hash == file.hash {
        return Ok(());
    }
    let message = format!("the object has other bytes than were written: their hash is {hash}, not {}", file.hash);
    Err(Error::new(ErrorKind::InvalidData, "read an archive", message))
}

fn shown(hash: &XxHash64) -> String {
    format!("{:016x}", hash.finish())
}

/// Makes our error of Parquet's; one of ours inside it comes out again.
fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::new(ErrorKind::External, OPERATION, format!("cannot write Parquet: {other}")),
        },
        other => Error::new(ErrorKind::External, OPERATION, format!("cannot write Parquet: {other}")),
    }
}
