//! The folder of a warehouse: `s3://bucket/key` is the file `WAREHOUSE/s3/bucket/key`.

use std::path::{Path, PathBuf};

use crate::name::Location;

/// The folder of all buckets of a warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub(super) root: PathBuf,
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
}
