//! Writes series to `part-00000.parquet`, `part-00001.parquet`, … below a prefix, and hashes objects.

use std::hash::Hasher as _;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryStreamExt as _};
use lake::name::Location;
use lake::storage::{ObjectWriter, Storage};
use lake::{Error, ErrorKind, Result};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::async_writer::{AsyncArrowWriter, AsyncFileWriter};
use parquet::errors::ParquetError;
use tokio::io::AsyncWriteExt as _;
use twox_hash::XxHash64;

use super::SeriesRows;
use crate::ledger::ArchivedFile;
use crate::point::SeriesName;

const OPERATION: &str = "write an archive";

/// Rows of an object, about: 128 MB of points. A series is whole in one object, and objects are in the order of the series, so
/// that a reader of one series opens one object.
const OBJECT_ROWS: usize = 38_000_000;

/// Writes series, which come in the order of their names.
pub(crate) struct ArchiveWriter {
    storage: Storage,
    prefix: Location,
    object_rows: usize,
    current: Option<Current>,
    files: Vec<ArchivedFile>,
}

/// The object that is being written.
struct Current {
    writer: AsyncArrowWriter<Sink>,
    rows: usize,
    first: SeriesName,
    last: SeriesName,
}

/// The bytes of an object on their way to the storage.
struct Sink {
    writer: ObjectWriter,
    hash: XxHash64,
}

impl AsyncFileWriter for Sink {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, parquet::errors::Result<()>> {
        async move {
            self.hash.write(&bytes);
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
        let (storage, prefix) = (storage.clone(), prefix.as_prefix());
        Self { storage, prefix, object_rows: OBJECT_ROWS, current: None, files: Vec::new() }
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
        let (Some(first), Some(last)) = (series.first(), series.last()) else { return Ok(()) };
        let rows = S::to_rows(series)?;
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.open::<S>(first.name())?,
        };
        current.writer.write(&rows).await.map_err(failed)?;
        current.rows += rows.num_rows();
        current.last = last.name().clone();
        if current.rows >= self.object_rows {
            self.close(current).await
        } else {
            self.current = Some(current);
            Ok(())
        }
    }

    fn open<S: SeriesRows>(&self, first: &SeriesName) -> Result<Current> {
        let location = self.prefix.join(&format!("part-{:05}.parquet", self.files.len()))?;
        let sink = Sink { writer: self.storage.writer(&location)?, hash: XxHash64::with_seed(0) };
        let options = ArrowWriterOptions::new().with_properties(S::FORM.properties()?).with_skip_arrow_metadata(true);
        let writer = AsyncArrowWriter::try_new_with_options(sink, S::FORM.schema(), options).map_err(failed)?;
        Ok(Current { writer, rows: 0, first: first.clone(), last: first.clone() })
    }

    async fn close(&mut self, mut current: Current) -> Result<()> {
        current.writer.finish().await.map_err(failed)?;
        let sink = current.writer.into_inner();
        let location = sink.writer.location().clone();
        let bytes = sink.writer.finish().await?;
        self.files.push(ArchivedFile {
            location,
            bytes,
            hash: shown(&sink.hash),
            first: current.first.as_str().to_owned(),
            last: current.last.as_str().to_owned(),
        });
        Ok(())
    }

    /// Ends the last object and returns all: they survive the loss of power.
    ///
    /// # Errors
    /// As [`ArchiveWriter::write`].
    pub(crate) async fn finish(mut self) -> Result<Vec<ArchivedFile>> {
        if let Some(current) = self.current.take() {
            self.close(current).await?;
        }
        Ok(self.files)
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
