//! Reads Parquet objects of the storage in pieces.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::error::Result;
use crate::name::Location;
use crate::storage::Storage;

/// A Parquet object whose size is known.
#[derive(Debug, Clone)]
pub(crate) struct ParquetObject {
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
}

impl ParquetObject {
    pub(crate) fn new(storage: &Storage, location: &Location, bytes: u64) -> Result<Self> {
        Ok(Self { store: storage.object_store(), path: Storage::store_path(location)?, bytes })
    }
}

impl AsyncFileReader for ParquetObject {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            let pieces = self.store.get_ranges(&self.path, std::slice::from_ref(&range)).await;
            let pieces = pieces.map_err(|error| ParquetError::External(Box::new(error)))?;
            pieces.into_iter().next().ok_or_else(|| ParquetError::General("the store gave no bytes".to_owned()))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let options = options.map(|options| options.metadata_options().clone());
            let bytes = self.bytes;
            let reader = ParquetMetaDataReader::new().with_metadata_options(options);
            Ok(Arc::new(reader.load_and_finish(self, bytes).await?))
        }
        .boxed()
    }
}
