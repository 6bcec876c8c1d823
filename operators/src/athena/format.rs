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
    /// Avro. Names of columns have letters, digits and `_`, keys of maps are text, and tinyint and smallint have no form in it.
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
    if let (Some(_), None | Some(FormatName::Parquet | FormatName::Orc | FormatName::Avro | FormatName::Json)) =
        (field_delimiter, format)
    {
        let message = "only text has a delimiter: give `format: textfile` with it, or leave it out";
        return Err(problem("field_delimiter", message.to_owned()));
    }
    let format = match format {
        None if compression.is_none() => return Ok(None),
        None | Some(FormatName::Parquet) => Format::Parquet(Compression::default()),
        Some(FormatName::Orc) => Format::Orc(OrcCompression::default()),
        Some(FormatName::Avro) => Format::Avro(AvroCompression::default()),
        Some(FormatName::Json) => Format::Text(TextForm::Json, TextCompression::default()),
        Some(FormatName::Textfile) => {
            let form = field_delimiter.map_or_else(|| Ok(TextForm::default()), delimited)?;
            Format::Text(form, TextCompression::default())
        }
    };
    compressed(format, compression).map(Some)
}

/// Gives a format a compression, unless that is left to it.
///
/// # Errors
/// Of the workflow's author, for one that the format does not have.
pub(super) fn compressed(format: Format, compression: Option<CompressionName>) -> Result<Format, TaskError> {
    use CompressionName as Name;
    let Some(compression) = compression else { return Ok(format) };
    let of_other = |format: &str, mine: &str, likely: Name| {
        // What is named after the same method elsewhere is what was meant.
        let meant = match compression {
            Name::Gzip | Name::Zlib | Name::Deflate => {
                format!("; did you mean `{}`?", format!("{likely:?}").to_lowercase())
            }
            _ => String::new(),
        };
        let given = format!("{compression:?}").to_lowercase();
        problem("compression", format!("`{given}` is no compression of {format}: expected {mine}{meant}"))
    };
    Ok(match format {
        Format::Parquet(_) => Format::Parquet(match compression {
            Name::Snappy => Compression::Snappy,
            Name::Gzip => Compression::Gzip,
            Name::None => Compression::None,
            Name::Zstd => Compression::Zstd,
            Name::Zlib | Name::Lz4 | Name::Deflate => {
                return Err(of_other("Parquet", "`zstd`, `snappy`, `gzip` or `none`", Name::Gzip));
            }
        }),
        Format::Orc(_) => Format::Orc(match compression {
            Name::Snappy => OrcCompression::Snappy,
            Name::Zlib => OrcCompression::Zlib,
            Name::Lz4 => OrcCompression::Lz4,
            Name::None => OrcCompression::None,
            Name::Zstd => OrcCompression::Zstd,
            Name::Gzip | Name::Deflate => {
                return Err(of_other("ORC", "`zstd`, `snappy`, `zlib`, `lz4` or `none`", Name::Zlib));
            }
        }),
        Format::Avro(_) => Format::Avro(match compression {
            Name::Snappy => AvroCompression::Snappy,
            Name::Deflate => AvroCompression::Deflate,
            Name::None => AvroCompression::None,
            Name::Zstd => AvroCompression::Zstd,
            Name::Gzip | Name::Zlib | Name::Lz4 => {
                return Err(of_other("Avro", "`zstd`, `snappy`, `deflate` or `none`", Name::Deflate));
            }
        }),
        Format::Text(form, _) => Format::Text(
            form,
            match compression {
                Name::Zstd => TextCompression::Zstd,
                Name::None => TextCompression::None,
                Name::Gzip => TextCompression::Gzip,
                Name::Snappy | Name::Zlib | Name::Lz4 | Name::Deflate => {
                    return Err(of_other("text", "`gzip`, `zstd` or `none`", Name::Gzip));
                }
            },
        ),
    })
}

/// Reads the delimiter of text.
fn delimited(text: &str) -> Result<TextForm, TaskError> {
    let mut characters = text.chars();
    let made = match (characters.next(), characters.next()) {
        (Some(delimiter), None) => TextForm::delimited(delimiter),
        _ => None,
    };
    made.ok_or_else(|| {
        let expected = "one ASCII character that is no line end and none of `\\`, `N` and ^B to ^H, which have a meaning of their own";
        let message = format!("expected {expected}, such as `,` or `\\t`, found `{}`", text.escape_debug());
        problem("field_delimiter", message)
    })
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
        let expected = "expected one ASCII character that is no line end and none of `\\`, `N` and ^B to ^H, which have a meaning of \
                        their own, such as `,` or `\\t`, found";
        for (text, found) in
            [("", "``"), (", ", "`, `"), ("\n", "`\\n`"), ("\u{2}", "`\\u{2}`"), ("é", "`é`"), ("N", "`N`")]
        {
            assert_eq!(of(Some(FormatName::Textfile), text).unwrap_err(), format!("{expected} {found}"));
        }
        let alone = "only text has a delimiter: give `format: textfile` with it, or leave it out";
        assert_eq!(of(None, ",").unwrap_err(), alone);
        assert_eq!(of(Some(FormatName::Json), ",").unwrap_err(), alone);
    }
}
