//! The properties of `WITH (…)`: formats, compressions, places. What is not known is refused by its name.

use indexmap::IndexMap;
use lake::name::Location;
use lake::publish::text::{TextCompression, TextForm};
use lake::publish::{AvroCompression, Buckets, Compression, Format, OrcCompression};
use lake::{Error, ErrorKind, Result};

use crate::athena::statement::Property;

const OPERATION: &str = "read the properties of a statement";

/// What the properties say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) format: Format,
    pub(super) buckets: Option<Buckets>,
    pub(super) partitioned_by: Vec<String>,
    pub(super) external_location: Option<Location>,
}

/// The words of the properties, before they are put together.
#[derive(Default)]
struct Words {
    format: Option<String>,
    compression: Option<(String, String)>,
    delimiter: Option<String>,
    options: Option<Vec<String>>,
    bucketed_by: Option<Vec<String>>,
    bucket_count: Option<String>,
    location: Option<String>,
}

impl Options {
    /// Reads the properties of `CREATE TABLE … AS`.
    pub(super) fn of_create(properties: &IndexMap<String, Property>) -> Result<Self> {
        let mut words = Words::default();
        for (name, value) in properties {
            match name.as_str() {
                "external_location" => words.location = Some(scalar(name, value)?),
                "write_compression" | "parquet_compression" | "orc_compression" => {
                    if let Some((other, _)) = &words.compression {
                        return Err(Error::new(
                            ErrorKind::InvalidInput,
                            OPERATION,
                            format!(
                                "INVALID_TABLE_PROPERTY: line 1:1: `{other}` and `{name}` say the same thing: give one of them"
                            ),
                        ));
                    }
                    words.compression = Some((name.clone(), scalar(name, value)?));
                }
                "is_external" => {
                    if scalar(name, value)? != "true" {
                        return Err(unsupported("the property `is_external` = false"));
                    }
                }
                "table_type" => {
                    if !scalar(name, value)?.eq_ignore_ascii_case("hive") {
                        return Err(unsupported(&format!("the property `table_type` = '{}'", scalar(name, value)?)));
                    }
                }
                "bucketed_by" => words.bucketed_by = Some(columns(name, value)?),
                "bucket_count" => words.bucket_count = Some(scalar(name, value)?),
                "partitioning" | "location" | "compression_level" => {
                    return Err(unsupported(&format!("the property `{name}`")));
                }
                _ => common(&mut words, name, value, "CREATE TABLE AS")?,
            }
        }
        words.options("PARQUET")
    }

    /// Reads the properties of `UNLOAD`.
    pub(super) fn of_unload(properties: &IndexMap<String, Property>) -> Result<Self> {
        let mut words = Words::default();
        for (name, value) in properties {
            match name.as_str() {
                "compression" => words.compression = Some((name.clone(), scalar(name, value)?)),
                "compression_level" => return Err(unsupported("the property `compression_level`")),
                _ => common(&mut words, name, value, "UNLOAD")?,
            }
        }
        if words.format.is_none() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                OPERATION,
                "SYNTAX_ERROR: line 1:1: UNLOAD needs the property `format`",
            ));
        }
        words.options("PARQUET")
    }
}

fn common(words: &mut Words, name: &str, value: &Property, statement: &str) -> Result<()> {
    match name {
        "format" => words.format = Some(scalar(name, value)?.to_ascii_uppercase()),
        "field_delimiter" => words.delimiter = Some(scalar(name, value)?),
        "partitioned_by" => words.options = Some(columns(name, value)?),
        _ => {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                OPERATION,
                format!("INVALID_TABLE_PROPERTY: line 1:1: {statement} has no property `{name}`"),
            ));
        }
    }
    Ok(())
}

impl Words {
    fn options(self, default: &str) -> Result<Options> {
        let format = self.format.as_deref().unwrap_or(default);
        if let Some((name, _)) = &self.compression
            && !matches!(
                (name.as_str(), format),
                ("write_compression" | "compression", _)
                    | ("parquet_compression", "PARQUET")
                    | ("orc_compression", "ORC")
            )
        {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                OPERATION,
                format!("INVALID_TABLE_PROPERTY: line 1:1: `{name}` is no property of the format {format}"),
            ));
        }
        let compression = self.compression.map(|(_, word)| word.to_ascii_uppercase());
        let refused = |word: &str| unsupported(&format!("the compression {word} of the format {format}"));
        let text = |form: TextForm| match compression.as_deref() {
            None | Some("GZIP") => Ok(Format::Text(form, TextCompression::Gzip)),
            Some("NONE") => Ok(Format::Text(form, TextCompression::None)),
            Some("ZSTD") => Ok(Format::Text(form, TextCompression::Zstd)),
            Some(word) => Err(refused(word)),
        };
        if self.delimiter.is_some() && format != "TEXTFILE" {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                OPERATION,
                format!("INVALID_TABLE_PROPERTY: line 1:1: `field_delimiter` is no property of the format {format}"),
            ));
        }
        let format = match format {
            "PARQUET" => Format::Parquet(match compression.as_deref() {
                None | Some("GZIP") => Compression::Gzip,
                Some("SNAPPY") => Compression::Snappy,
                Some("ZSTD") => Compression::Zstd,
                Some("NONE") => Compression::None,
                Some(word) => return Err(refused(word)),
            }),
            "ORC" => Format::Orc(match compression.as_deref() {
                None | Some("ZLIB") => OrcCompression::Zlib,
                Some("SNAPPY") => OrcCompression::Snappy,
                Some("LZ4") => OrcCompression::Lz4,
                Some("ZSTD") => OrcCompression::Zstd,
                Some("NONE") => OrcCompression::None,
                Some(word) => return Err(refused(word)),
            }),
            "AVRO" => Format::Avro(match compression.as_deref() {
                None | Some("DEFLATE") => AvroCompression::Deflate,
                Some("SNAPPY") => AvroCompression::Snappy,
                Some("ZSTD") => AvroCompression::Zstd,
                Some("NONE") => AvroCompression::None,
                Some(word) => return Err(refused(word)),
            }),
            "JSON" => text(TextForm::Json)?,
            "TEXTFILE" => {
                let mut form = TextForm::default();
                if let Some(given) = &self.delimiter {
                    let mut characters = given.chars();
                    let delimiter = characters.next().filter(|_| characters.next().is_none());
                    form = if let Some(form) = delimiter.and_then(TextForm::delimited) {
                        form
                    } else {
                        let value = Property::Scalar(given.clone());
                        return Err(wrong(
                            "field_delimiter",
                            "one character of ASCII that is no line end and none of `\\`, `N` and ^B to ^H",
                            &value,
                        ));
                    };
                }
                text(form)?
            }
            "ION" => return Err(unsupported(&format!("writing the format {format}"))),
            other => {
                let value = Property::Scalar(other.to_owned());
                return Err(wrong("format", "PARQUET, ORC, AVRO, JSON or TEXTFILE", &value));
            }
        };
        let buckets = match (self.bucketed_by.filter(|columns| !columns.is_empty()), self.bucket_count) {
            (None, None) => None,
            (Some(columns), Some(count)) => {
                let number = count.parse().map_err(|_| wrong("bucket_count", "a number", &Property::Scalar(count)))?;
                Some(Buckets { columns, count: number })
            }
            // In words like those of Trino, which Athena is.
            (Some(_), None) | (None, Some(_)) => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    OPERATION,
                    "INVALID_TABLE_PROPERTY: line 1:1: bucketed_by and bucket_count must be specified together",
                ));
            }
        };
        Ok(Options {
            format,
            buckets,
            partitioned_by: self.options.unwrap_or_default(),
            external_location: self
                .location
                .map(|text| Location::parse(&text).map(Location::into_prefix))
                .transpose()?,
        })
    }
}

fn columns(name: &str, value: &Property) -> Result<Vec<String>> {
    match value {
        Property::Array(names) => Ok(names.iter().map(|name| name.to_lowercase()).collect()),
        Property::Scalar(_) => Err(wrong(name, "ARRAY['column', …]", value)),
    }
}

fn scalar(name: &str, value: &Property) -> Result<String> {
    match value {
        Property::Scalar(text) => Ok(text.clone()),
        Property::Array(_) => Err(wrong(name, "one value", value)),
    }
}

fn wrong(name: &str, expected: &str, value: &Property) -> Error {
    let found = match value {
        Property::Scalar(text) => format!("'{text}'"),
        Property::Array(items) => format!("ARRAY{items:?}"),
    };
    Error::new(
        ErrorKind::InvalidInput,
        OPERATION,
        format!("INVALID_TABLE_PROPERTY: line 1:1: expected {expected} as the property `{name}`, found {found}"),
    )
}

fn unsupported(what: &str) -> Error {
    Error::new(
        ErrorKind::UnsupportedSql,
        OPERATION,
        format!("NOT_SUPPORTED: {what} is not supported by this endpoint yet"),
    )
}

/// Checks that partition keys are the last columns, in their order.
pub(super) fn keys_are_last(columns: &[String], keys: &[String]) -> Result<()> {
    let first = columns.len().saturating_sub(keys.len());
    if keys.is_empty() || (first > 0 && columns.get(first..).unwrap_or_default() == keys) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidSql,
        OPERATION,
        format!(
            "HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns in the table and in the same order as the \
             table properties: [{}]",
            keys.join(", ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(pairs: &[(&str, Property)]) -> Result<Options> {
        Options::of_create(&pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    fn text(value: &str) -> Property {
        Property::Scalar(value.to_owned())
    }

    #[test]
    fn properties_say_form_and_place() {
        assert_eq!(create(&[]).unwrap().format, Format::Parquet(Compression::Gzip));
        for (format, property, word, expected) in [
            ("orc", "write_compression", "zlib", Format::Orc(OrcCompression::Zlib)),
            ("ORC", "orc_compression", "LZ4", Format::Orc(OrcCompression::Lz4)),
            ("avro", "write_compression", "snappy", Format::Avro(AvroCompression::Snappy)),
        ] {
            let options = create(&[("format", text(format)), (property, text(word))]).unwrap();
            assert_eq!(options.format, expected);
        }
        let options = create(&[
            ("format", text("textfile")),
            ("field_delimiter", text(",")),
            ("write_compression", text("none")),
            ("external_location", text("s3://b/x")),
            ("partitioned_by", Property::Array(vec!["DT".to_owned()])),
            ("bucketed_by", Property::Array(vec!["A".to_owned()])),
            ("bucket_count", text("4")),
        ])
        .unwrap();
        assert_eq!(options.buckets, Some(Buckets { columns: vec!["a".to_owned()], count: 4 }));
        assert_eq!(options.format, Format::Text(TextForm::Delimited(','), TextCompression::None));
        assert_eq!(options.partitioned_by, ["dt"]);
        assert_eq!(options.external_location.unwrap().to_string(), "s3://b/x/");
    }

    #[test]
    fn what_is_not_known_is_refused_by_its_name() {
        for (name, value, message) in [
            (
                "bucketed_by",
                Property::Array(vec!["a".to_owned()]),
                "INVALID_TABLE_PROPERTY: line 1:1: bucketed_by and bucket_count must be specified together",
            ),
            (
                "compression_level",
                text("3"),
                "NOT_SUPPORTED: the property `compression_level` is not supported by this endpoint yet",
            ),
            ("format", text("ION"), "NOT_SUPPORTED: writing the format ION is not supported by this endpoint yet"),
            ("foo", text("1"), "INVALID_TABLE_PROPERTY: line 1:1: CREATE TABLE AS has no property `foo`"),
            (
                "parquet_compression",
                text("LZO"),
                "NOT_SUPPORTED: the compression LZO of the format PARQUET is not supported by this endpoint yet",
            ),
            (
                "orc_compression",
                text("ZLIB"),
                "INVALID_TABLE_PROPERTY: line 1:1: `orc_compression` is no property of the format PARQUET",
            ),
        ] {
            assert_eq!(create(&[(name, value)]).unwrap_err().message, message);
        }
        assert_eq!(
            create(&[("write_compression", text("SNAPPY")), ("parquet_compression", text("ZSTD"))])
                .unwrap_err()
                .message,
            "INVALID_TABLE_PROPERTY: line 1:1: `write_compression` and `parquet_compression` say the same thing: give one of them"
        );
    }
}
