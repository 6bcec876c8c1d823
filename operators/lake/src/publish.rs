//! Publishing: how a SELECT or a load becomes visible by one catalog call.
//!
//! Everything before the call writes under a version prefix where nobody looks; everything after it is collection.

pub mod version;
mod versions;

pub use version::{VersionName, version_root};
pub use versions::{VersionState, Versions, WrittenVersion};

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
