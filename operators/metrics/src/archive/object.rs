//! An object of the storage as Parquet's reader wants it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::block::{Blocks, refuse_other_end};
use crate::ledger::ObjectEnd;

/// Bytes at the end of an object that are read with its length: what is in them needs no second request.
const END_BYTES: usize = 64 << 10;

/// An object whose bytes are read in parts.
#[derive(Debug)]
pub(super) struct ArchivedObject {
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
    /// What its end is, when what is read of it is to be compared with what was written.
    end: Option<ObjectEnd>,
    /// The hashes of its blocks, once its end was read.
    blocks: Option<Blocks>,
}

impl ArchivedObject {
    /// Makes an object of so many bytes. With an `end` what is read of it is compared with what was written.
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: Path, bytes: u64, end: Option<ObjectEnd>) -> Self {
        Self { store, path, bytes, end, blocks: None }
    }

    async fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let Some(blocks) = &self.blocks else {
            return self.store.get_ranges(&self.path, ranges).await.map_err(failed);
        };
        let around: Vec<Range<u64>> = ranges.iter().map(|range| blocks.around(range)).collect();
        let found = self.store.get_ranges(&self.path, &around).await.map_err(failed)?;
        let cut = found.iter().zip(around.iter().zip(ranges)).map(|(bytes, (around, range))| {
            blocks.cut(bytes, around, range).map_err(|error| ParquetError::External(Box::new(error)))
        });
        cut.collect()
    }

    /// Reads Parquet's description from an end that is as it was written, and the hashes of the blocks from that.
    async fn described(&mut self, end: &ObjectEnd, options: Option<&ArrowReaderOptions>) -> Result<ParquetMetaData> {
        let rows_end = self.bytes.saturating_sub(end.bytes);
        let bytes = self.store.get_range(&self.path, rows_end..self.bytes).await.map_err(failed)?;
        refuse_other_end(end, &bytes).map_err(|error| ParquetError::External(Box::new(error)))?;
        let mut reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
        reader.try_parse_sized(&bytes, self.bytes)?;
        let metadata = reader.finish()?;
        let blocks = Blocks::of(&metadata, rows_end).map_err(|error| ParquetError::External(Box::new(error)))?;
        self.blocks = Some(blocks);
        Ok(metadata)
    }
}

impl AsyncFileReader for ArchivedObject {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { Ok(self.read(&[range]).await?.pop().unwrap_or_default()) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.read(&ranges).await }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            if let Some(end) = self.end.clone() {
                return self.described(&end, options).await.map(Arc::new);
            }
            let reader =
                ParquetMetaDataReader::new().with_arrow_reader_options(options).with_prefetch_hint(Some(END_BYTES));
            let bytes = self.bytes;
            reader.load_and_finish(self, bytes).await.map(Arc::new)
        }
        .boxed()
    }
}

fn failed(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
