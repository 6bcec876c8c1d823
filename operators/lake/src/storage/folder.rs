//! The folder of a warehouse: `s3://bucket/key` is the file `WAREHOUSE/s3/bucket/key`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::name::Location;

/// The folder of all buckets of a warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub(super) root: PathBuf,
    /// A file for each bucket that stays when its folder goes with its last object; none where buckets are made by the first object.
    pub(super) bucket_names: Option<PathBuf>,
}

impl Folder {
    /// Returns its path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the file of a location, for messages and for outside readers.
    pub fn file(&self, location: &Location) -> PathBuf {
        // INVARIANT: a `Location` has no empty, `.` or `..` part, so this stays below the root.
        self.root.join(location.bucket()).join(location.key())
    }

    /// Tells whether the bucket of a location is there. Where buckets are made by their first object, each of them is.
    pub(super) async fn has_bucket(&self, location: &Location) -> std::io::Result<bool> {
        let Some(names) = &self.bucket_names else { return Ok(true) };
        let bucket = location.bucket();
        Ok(tokio::fs::try_exists(self.root.join(bucket)).await? || tokio::fs::try_exists(names.join(bucket)).await?)
    }

    /// Reads a whole object by one step of a blocking thread: the store's way takes two, and whoever reads hundreds of small
    /// objects spends a third of the time on changing threads.
    pub(super) async fn read(&self, location: &Location) -> object_store::Result<Bytes> {
        let (path, file) = (location.key().to_owned(), self.file(location));
        let read = tokio::task::spawn_blocking(move || std::fs::read(file));
        match read.await {
            Ok(Ok(bytes)) => Ok(bytes.into()),
            // A folder is no object.
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
                Err(object_store::Error::NotFound { path, source: error.into() })
            }
            Ok(Err(error)) if error.kind() == ErrorKind::PermissionDenied => {
                Err(object_store::Error::PermissionDenied { path, source: error.into() })
            }
            Ok(Err(error)) => Err(object_store::Error::Generic { store: "folder", source: error.into() }),
            Err(error) => Err(object_store::Error::JoinError { source: error }),
        }
    }
}
