//! Publishing: how a SELECT or a load becomes visible by one catalog call.
//!
//! Everything before the call writes under a version prefix where nobody looks; everything after it is collection.

mod batch;
mod collect;
mod commit;
pub mod decide;
pub mod dml;
mod in_place;
mod late;
mod lease;
mod lost;
mod note;
pub mod parquet;
mod parquet_file;
pub(crate) mod partitioned;
pub(crate) mod reader;
pub mod record;
mod references;
mod request;
mod roots;
pub mod schema;
mod step;
#[cfg(test)]
mod tests;
pub mod text;
mod undo;
pub mod validate;
pub mod version;
mod versions;
mod whole;

pub use collect::Collected;
pub use commit::{NewPartition, NewVersion, Published};
pub use decide::{OnEmpty, PublishMode, RowLimit, RowLimits, SaveMode};
pub(crate) use lease::Leases;
pub use parquet_file::ParquetFile;
pub(crate) use references::Elsewhere;
pub use request::{
    Batching, Check, Contents, Plan, Probed, PublishOptions, PublishOutcome, PublishRequest, PublishResult,
    PublishState, Staging, Step, Submitted, Target, Waiting, Written, WrittenBatch,
};
pub use schema::{OnMissingColumn, OnSchemaChange};
pub use undo::{Direction, OtherVersion, Undone};
pub use version::{VersionName, version_root};
pub use versions::{IntendedVersion, VersionRoot, VersionState, Versions, WrittenVersion};

/// A format of written objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Format {
    /// Parquet.
    Parquet(Compression),
}

/// The compression inside Parquet pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Zstandard, level 3.
    #[default]
    Zstd,
    /// Snappy.
    Snappy,
    /// Gzip.
    Gzip,
    /// None.
    None,
}

impl Default for Format {
    fn default() -> Self {
        Self::Parquet(Compression::default())
    }
}

impl Format {
    /// Returns the descriptor of objects in this format.
    pub fn storage(self) -> crate::catalog::Storage {
        match self {
            Self::Parquet(_) => crate::catalog::TableFormat::Parquet.storage(),
        }
    }
}
