//! The statements that go to Athena.

use crate::name::{Location, TableName};
use crate::publish::dml::{identifier, literal};
use crate::publish::text::{TextCompression, TextForm};
use crate::publish::{AvroCompression, Buckets, Compression, Format, OrcCompression};
use crate::sql::without_semicolon;

/// How many lines a statement that writes has before the query in it.
pub(super) const LINES_BEFORE: u32 = 1;

/// Which of Athena's two quotas a statement counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It reads or writes rows.
    Dml,
    /// It changes or shows the catalog.
    Ddl,
}

impl Class {
    /// Tells the class of a statement by its first word, as Athena's `StatementType` does: CREATE TABLE AS is DML, and so is
    /// all that Trino's grammar knows (<https://docs.aws.amazon.com/athena/latest/ug/ddl-sql-reference.html>).
    pub(super) fn of(statement: &str) -> Self {
        let statement = without_comments(statement);
        let first = statement.split(|character: char| !character.is_ascii_alphabetic()).next().unwrap_or_default();
        match first.to_ascii_lowercase().as_str() {
            "alter" | "create" | "describe" | "drop" | "msck" | "show" => Self::Ddl,
            _ => Self::Dml,
        }
    }
}

/// Passes over blanks and comments at the beginning.
fn without_comments(statement: &str) -> &str {
    let mut rest = statement.trim_start();
    loop {
        let behind = if rest.starts_with("--") {
            rest.split_once('\n').map(|(_, behind)| behind)
        } else if rest.starts_with("/*") {
            rest.split_once("*/").map(|(_, behind)| behind)
        } else {
            return rest;
        };
        rest = behind.unwrap_or_default().trim_start();
    }
}

/// Returns the statement that writes the rows of a query to objects:
/// <https://docs.aws.amazon.com/athena/latest/ug/unload.html>.
pub(super) fn unload(sql: &str, prefix: &Location, format: Format, partition_by: &[String]) -> String {
    let delimiter = delimiter_of(format);
    let (format, compression) = words(format);
    let keys: Vec<String> = partition_by.iter().map(|key| literal(key)).collect();
    let keys = if keys.is_empty() { String::new() } else { format!(", partitioned_by = ARRAY[{}]", keys.join(", ")) };
    // The query stands on lines of its own, so that a comment at its end does not swallow the bracket.
    format!(
        "UNLOAD (\n{}\n) TO {} WITH (format = '{format}', compression = '{compression}'{delimiter}{keys})",
        without_semicolon(sql),
        literal(&prefix.as_prefix().to_string()),
    )
}

/// Returns the statement that writes the rows of a query to objects through a table of its own, which UNLOAD has no need of: it writes
/// no buckets (<https://docs.aws.amazon.com/athena/latest/ug/create-table-as.html>).
pub(super) fn create_table(
    through: &TableName,
    sql: &str,
    prefix: &Location,
    (format, buckets): (Format, &Buckets),
    partition_by: &[String],
) -> String {
    let list = |names: &[String]| names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
    let delimiter = delimiter_of(format);
    let (format, compression) = words(format);
    let keys = if partition_by.is_empty() {
        String::new()
    } else {
        format!(", partitioned_by = ARRAY[{}]", list(partition_by))
    };
    format!(
        "CREATE TABLE {}.{} WITH (format = '{format}', write_compression = '{compression}'{delimiter}, external_location = {}, \
         bucketed_by = ARRAY[{}], bucket_count = {}{keys}) AS\n{}",
        identifier(&through.database),
        identifier(&through.table),
        literal(&prefix.as_prefix().to_string()),
        list(&buckets.columns),
        buckets.count,
        without_semicolon(sql),
    )
}

/// Returns the property of a format that has a delimiter.
fn delimiter_of(format: Format) -> String {
    match format {
        Format::Text(TextForm::Delimited(delimiter), _) => {
            format!(", field_delimiter = {}", literal(&delimiter.to_string()))
        }
        _ => String::new(),
    }
}

/// Returns what Athena calls a format and its compression
/// (<https://docs.aws.amazon.com/athena/latest/ug/compression-support-hive.html>).
fn words(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Parquet(Compression::Zstd) => ("PARQUET", "ZSTD"),
        Format::Parquet(Compression::Snappy) => ("PARQUET", "SNAPPY"),
        Format::Parquet(Compression::Gzip) => ("PARQUET", "GZIP"),
        Format::Parquet(Compression::None) => ("PARQUET", "NONE"),
        Format::Orc(OrcCompression::Zstd) => ("ORC", "ZSTD"),
        Format::Orc(OrcCompression::Snappy) => ("ORC", "SNAPPY"),
        Format::Orc(OrcCompression::Zlib) => ("ORC", "ZLIB"),
        Format::Orc(OrcCompression::Lz4) => ("ORC", "LZ4"),
        Format::Orc(OrcCompression::None) => ("ORC", "NONE"),
        Format::Avro(AvroCompression::Zstd) => ("AVRO", "ZSTD"),
        Format::Avro(AvroCompression::Snappy) => ("AVRO", "SNAPPY"),
        Format::Avro(AvroCompression::Deflate) => ("AVRO", "DEFLATE"),
        Format::Avro(AvroCompression::None) => ("AVRO", "NONE"),
        Format::Text(TextForm::Json, compression) => ("JSON", of_text(compression)),
        Format::Text(TextForm::Delimited(_), compression) => ("TEXTFILE", of_text(compression)),
    }
}

fn of_text(compression: TextCompression) -> &'static str {
    match compression {
        TextCompression::Gzip => "GZIP",
        TextCompression::Zstd => "ZSTD",
        TextCompression::None => "NONE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_to_a_quoted_prefix() {
        let prefix = Location::parse("s3://b/it's/v").unwrap();
        let keys = ["dt".to_owned(), "o'clock".to_owned()];
        assert_eq!(
            unload("SELECT 1 -- one;\n;", &prefix, Format::default(), &keys),
            "UNLOAD (\nSELECT 1 -- one;\n\n) TO 's3://b/it''s/v/' WITH (format = 'PARQUET', compression = 'ZSTD', \
             partitioned_by = ARRAY['dt', 'o''clock'])"
        );
        for (format, with) in [
            (Format::Parquet(Compression::None), "(format = 'PARQUET', compression = 'NONE')"),
            (Format::Orc(OrcCompression::Zlib), "(format = 'ORC', compression = 'ZLIB')"),
            (Format::Text(TextForm::Json, TextCompression::Gzip), "(format = 'JSON', compression = 'GZIP')"),
            (
                Format::Text(TextForm::Delimited('\''), TextCompression::None),
                "(format = 'TEXTFILE', compression = 'NONE', field_delimiter = '\'\'')",
            ),
            (Format::Avro(AvroCompression::Deflate), "(format = 'AVRO', compression = 'DEFLATE')"),
        ] {
            assert!(unload("SELECT 1", &prefix, format, &[]).ends_with(with), "{with}");
        }
    }

    #[test]
    fn buckets_go_through_a_table() {
        let through = TableName::new("web", "suiro_temporary_0_written").unwrap();
        let buckets = Buckets { columns: vec!["user".to_owned(), "it's".to_owned()], count: 4 };
        let prefix = Location::parse("s3://b/v/").unwrap();
        assert_eq!(
            create_table(&through, "SELECT 1;", &prefix, (Format::default(), &buckets), &["dt".to_owned()]),
            "CREATE TABLE \"web\".\"suiro_temporary_0_written\" WITH (format = 'PARQUET', write_compression = 'ZSTD', \
             external_location = 's3://b/v/', bucketed_by = ARRAY['user', 'it''s'], bucket_count = 4, partitioned_by = \
             ARRAY['dt']) AS\nSELECT 1"
        );
    }

    #[test]
    fn the_first_word_tells_the_quota() {
        for (statement, class) in [
            ("SELECT 1", Class::Dml),
            ("-- a\n /* b */ (SELECT 1)", Class::Dml),
            ("UNLOAD (SELECT 1) TO 's3://b/'", Class::Dml),
            ("msck repair table t", Class::Ddl),
            ("\n  SHOW TABLES", Class::Ddl),
            ("", Class::Dml),
        ] {
            assert_eq!(Class::of(statement), class, "{statement}");
        }
    }
}
