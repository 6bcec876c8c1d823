//! `format` and `compression`: what these tasks write, and what a table asks for.

use engine::operator::TaskError;
use lake::publish::{AvroCompression, Compression, Format, OrcCompression};
use schemars::JsonSchema;
use serde::Deserialize;

use super::options::problem;

/// The formats of digdag-operator-athena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FormatName {
    /// Parquet.
    Parquet,
    /// ORC.
    Orc,
    /// Avro. Names of columns have letters, digits and `_`, and keys of maps are text.
    Avro,
    /// JSON lines; not written yet, on any profile.
    Json,
    /// Delimited text; not written yet, on any profile.
    Textfile,
}

/// The compressions of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum CompressionName {
    /// Zstandard.
    Zstd,
    /// Snappy.
    Snappy,
    /// Gzip, of Parquet.
    Gzip,
    /// Zlib, of ORC.
    Zlib,
    /// LZ4, of ORC.
    Lz4,
    /// Deflate, of Avro.
    Deflate,
    /// None.
    None,
}

/// Decides how objects are written; none when the task leaves it to the table.
///
/// # Errors
/// Of the workflow's author, for a format that is not written, and for a compression that the format does not have: on all
/// profiles the same, so that a task does on each what it does on the others.
pub(super) fn format(
    format: Option<FormatName>,
    compression: Option<CompressionName>,
) -> Result<Option<Format>, TaskError> {
    use CompressionName as Name;
    let of_other = |format: &str, mine: &str, likely: Name| {
        let given = compression.map(|name| format!("{name:?}").to_lowercase()).unwrap_or_default();
        // What is named after the same method elsewhere is what was meant.
        let meant = match compression {
            Some(Name::Gzip | Name::Zlib | Name::Deflate) => {
                format!("; did you mean `{}`?", format!("{likely:?}").to_lowercase())
            }
            _ => String::new(),
        };
        problem("compression", format!("`{given}` is no compression of {format}: expected {mine}{meant}"))
    };
    let written = match format {
        None if compression.is_none() => return Ok(None),
        None | Some(FormatName::Parquet) => Format::Parquet(match compression {
            Some(Name::Snappy) => Compression::Snappy,
            Some(Name::Gzip) => Compression::Gzip,
            Some(Name::None) => Compression::None,
            Some(Name::Zstd) | None => Compression::Zstd,
            Some(Name::Zlib | Name::Lz4 | Name::Deflate) => {
                return Err(of_other("Parquet", "`zstd`, `snappy`, `gzip` or `none`", Name::Gzip));
            }
        }),
        Some(FormatName::Orc) => Format::Orc(match compression {
            Some(Name::Snappy) => OrcCompression::Snappy,
            Some(Name::Zlib) => OrcCompression::Zlib,
            Some(Name::Lz4) => OrcCompression::Lz4,
            Some(Name::None) => OrcCompression::None,
            Some(Name::Zstd) | None => OrcCompression::Zstd,
            Some(Name::Gzip | Name::Deflate) => {
                return Err(of_other("ORC", "`zstd`, `snappy`, `zlib`, `lz4` or `none`", Name::Zlib));
            }
        }),
        Some(FormatName::Avro) => Format::Avro(match compression {
            Some(Name::Snappy) => AvroCompression::Snappy,
            Some(Name::Deflate) => AvroCompression::Deflate,
            Some(Name::None) => AvroCompression::None,
            Some(Name::Zstd) | None => AvroCompression::Zstd,
            Some(Name::Gzip | Name::Zlib | Name::Lz4) => {
                return Err(of_other("Avro", "`zstd`, `snappy`, `deflate` or `none`", Name::Deflate));
            }
        }),
        Some(other @ (FormatName::Json | FormatName::Textfile)) => {
            let name = format!("{other:?}").to_lowercase();
            let message = format!("`{name}` is not written yet, on any profile: expected `parquet`, `orc` or `avro`");
            return Err(problem("format", message));
        }
    };
    Ok(Some(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compression_is_one_of_its_format() {
        let of = |name, compression| format(name, compression).map_err(|error| error.params[0].message.clone());
        assert_eq!(of(None, None).unwrap(), None);
        assert_eq!(of(Some(FormatName::Parquet), None).unwrap(), Some(Format::Parquet(Compression::Zstd)));
        assert_eq!(
            of(Some(FormatName::Orc), Some(CompressionName::Zlib)).unwrap(),
            Some(Format::Orc(OrcCompression::Zlib))
        );
        assert_eq!(
            of(Some(FormatName::Avro), Some(CompressionName::None)).unwrap(),
            Some(Format::Avro(AvroCompression::None))
        );
        assert_eq!(
            of(Some(FormatName::Orc), Some(CompressionName::Gzip)).unwrap_err(),
            "`gzip` is no compression of ORC: expected `zstd`, `snappy`, `zlib`, `lz4` or `none`; did you mean `zlib`?"
        );
        assert_eq!(
            of(Some(FormatName::Avro), Some(CompressionName::Lz4)).unwrap_err(),
            "`lz4` is no compression of Avro: expected `zstd`, `snappy`, `deflate` or `none`"
        );
        assert_eq!(
            of(None, Some(CompressionName::Zlib)).unwrap_err(),
            "`zlib` is no compression of Parquet: expected `zstd`, `snappy`, `gzip` or `none`; did you mean `gzip`?"
        );
        assert_eq!(
            of(Some(FormatName::Json), None).unwrap_err(),
            "`json` is not written yet, on any profile: expected `parquet`, `orc` or `avro`"
        );
    }
}
