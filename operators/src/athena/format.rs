//! `format`, `compression` and `field_delimiter`: what these tasks write, and what a table asks for.

use engine::operator::TaskError;
use lake::publish::text::{TextCompression, TextForm};
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
    /// A JSON object a line.
    Json,
    /// Values between delimiters, a row a line. On the embedded lake a value that holds a line end or the delimiter fails the task;
    /// Athena and Trino write it as it is, and it is read back as other values.
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
    /// Gzip, of Parquet, JSON and text.
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
    field_delimiter: Option<&str>,
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
    if let (Some(_), None | Some(FormatName::Parquet | FormatName::Orc | FormatName::Avro | FormatName::Json)) =
        (field_delimiter, format)
    {
        let message = "only text has a delimiter: give `format: textfile` with it, or leave it out";
        return Err(problem("field_delimiter", message.to_owned()));
    }
    let text = |form: TextForm| {
        let compression = match compression {
            Some(Name::Zstd) => TextCompression::Zstd,
            Some(Name::None) => TextCompression::None,
            Some(Name::Gzip) | None => TextCompression::Gzip,
            Some(Name::Snappy | Name::Zlib | Name::Lz4 | Name::Deflate) => {
                return Err(of_other("text", "`gzip`, `zstd` or `none`", Name::Gzip));
            }
        };
        Ok(Format::Text(form, compression))
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
        Some(FormatName::Json) => text(TextForm::Json)?,
        Some(FormatName::Textfile) => text(field_delimiter.map_or_else(|| Ok(TextForm::default()), delimited)?)?,
    };
    Ok(Some(written))
}

/// Reads the delimiter of text.
fn delimited(text: &str) -> Result<TextForm, TaskError> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        // Readers of Hive's text compare bytes; ^B to ^H stand between the parts of nested values.
        (Some(delimiter), None)
            if delimiter.is_ascii() && !matches!(delimiter, '\0' | '\n' | '\r' | '\u{2}'..='\u{8}') =>
        {
            Ok(TextForm::Delimited(delimiter))
        }
        _ => {
            let expected = "one ASCII character that is no line end and no sign of nested values (^B to ^H)";
            let message = format!("expected {expected}, such as `,` or `\\t`, found `{}`", text.escape_debug());
            Err(problem("field_delimiter", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compression_is_one_of_its_format() {
        let of = |name, compression| format(name, compression, None).map_err(|error| error.params[0].message.clone());
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
            of(Some(FormatName::Json), None).unwrap(),
            Some(Format::Text(TextForm::Json, TextCompression::Gzip))
        );
        assert_eq!(
            of(Some(FormatName::Textfile), Some(CompressionName::Snappy)).unwrap_err(),
            "`snappy` is no compression of text: expected `gzip`, `zstd` or `none`"
        );
    }

    #[test]
    fn a_delimiter_is_one_character_of_text() {
        let of = |name, delimiter| format(name, None, Some(delimiter)).map_err(|error| error.params[0].message.clone());
        assert_eq!(
            of(Some(FormatName::Textfile), "\t").unwrap(),
            Some(Format::Text(TextForm::Delimited('\t'), TextCompression::Gzip))
        );
        let expected = "expected one ASCII character that is no line end and no sign of nested values (^B to ^H), such as `,` or \
                        `\\t`, found";
        for (text, found) in [("", "``"), (", ", "`, `"), ("\n", "`\\n`"), ("\u{2}", "`\\u{2}`"), ("é", "`é`")] {
            assert_eq!(of(Some(FormatName::Textfile), text).unwrap_err(), format!("{expected} {found}"));
        }
        let alone = "only text has a delimiter: give `format: textfile` with it, or leave it out";
        assert_eq!(of(None, ",").unwrap_err(), alone);
        assert_eq!(of(Some(FormatName::Json), ",").unwrap_err(), alone);
    }
}
