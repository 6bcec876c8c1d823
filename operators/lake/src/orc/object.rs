//! Parts of an object of a store, for a thread that waits.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::Ranges;

/// An object of a store.
#[derive(Debug)]
pub(crate) struct StoredObject {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    pub(crate) bytes: u64,
    pub(crate) runtime: tokio::runtime::Handle,
}

impl StoredObject {
    /// Reads a part.
    ///
    /// # Errors
    /// Those of the store; `UnexpectedEof` when the object is shorter.
    pub(crate) async fn get(&self, range: Range<u64>) -> io::Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let wanted = range.end - range.start;
        let bytes = self.store.get_range(&self.path, range).await.map_err(io::Error::other)?;
        if u64::try_from(bytes.len()).ok() == Some(wanted) {
            Ok(bytes)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

impl Ranges for StoredObject {
    fn length(&self) -> u64 {
        self.bytes
    }

    fn read(&mut self, range: Range<u64>) -> io::Result<Bytes> {
        self.runtime.block_on(self.get(range))
    }
}
