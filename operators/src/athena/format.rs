//! `format` and `compression`: what these tasks write, and what a table asks for.

use engine::operator::TaskError;
use lake::publish::{Compression, Format};
use schemars::JsonSchema;
use serde::Deserialize;

use super::options::problem;

/// The formats of digdag-operator-athena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FormatName {
    /// Parquet.
    Parquet,
    /// ORC; not written yet, on any profile.
    Orc,
    /// Avro; not written yet, on any profile.
    Avro,
    /// JSON lines; not written yet, on any profile.
    Json,
    /// Delimited text; not written yet, on any profile.
    Textfile,
}

/// The compressions of Parquet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum CompressionName {
    /// Zstandard.
    Zstd,
    /// Snappy.
    Snappy,
    /// Gzip.
    Gzip,
    /// None.
    None,
}

/// Decides how objects are written; none when the task leaves it to the table.
///
/// # Errors
/// Of the workflow's author, for a format that is not written: on all profiles the same, so that a task does on each what it
/// does on the others.
pub(super) fn format(
    format: Option<FormatName>,
    compression: Option<CompressionName>,
) -> Result<Option<Format>, TaskError> {
    match format {
        None | Some(FormatName::Parquet) => {}
        Some(other) => {
            let name = format!("{other:?}").to_lowercase();
            return Err(problem("format", format!("`{name}` is not written yet, on any profile: expected `parquet`")));
        }
    }
    let compression = match compression {
        Some(CompressionName::Zstd) => Compression::Zstd,
        Some(CompressionName::Snappy) => Compression::Snappy,
        Some(CompressionName::Gzip) => Compression::Gzip,
        Some(CompressionName::None) => Compression::None,
        None if format.is_some() => Compression::default(),
        None => return Ok(None),
    };
    Ok(Some(Format::Parquet(compression)))
}
