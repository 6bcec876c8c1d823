//! The statements that go to Trino.

use crate::name::{Location, TableName};
use crate::publish::dml::{identifier, literal};
use crate::publish::text::{TextCompression, TextForm};
use crate::publish::{AvroCompression, Buckets, Compression, Format, Layout, OrcCompression};
use crate::sql::without_semicolon;

/// How many lines stand before the query in a statement that writes, or that asks for columns.
pub(super) const LINES_BEFORE: u32 = 1;

/// Returns the statement that writes the rows of a query to objects: it makes an external table over the prefix
/// (<https://trino.io/docs/476/connector/hive.html>, `external_location`).
pub(super) fn write(
    catalog: &str,
    through: &TableName,
    sql: &str,
    prefix: &Location,
    layout: &Layout,
    partition_by: &[String],
) -> String {
    let Layout { format, buckets } = layout;
    let buckets = buckets.as_ref().map_or_else(String::new, |Buckets { columns, count }| {
        let columns: Vec<String> = columns.iter().map(|name| literal(name)).collect();
        format!(", bucketed_by = ARRAY[{}], bucket_count = {count}", columns.join(", "))
    });
    let delimiter = match format {
        Format::Text(TextForm::Delimited(delimiter), _) => {
            format!(", textfile_field_separator = {}", literal(&delimiter.to_string()))
        }
        _ => String::new(),
    };
    let format = match format {
        Format::Parquet(_) => "PARQUET",
        Format::Orc(_) => "ORC",
        Format::Avro(_) => "AVRO",
        Format::Text(TextForm::Json, _) => "JSON",
        Format::Text(TextForm::Delimited(_), _) => "TEXTFILE",
    };
    let keys: Vec<String> = partition_by.iter().map(|key| literal(&key.to_lowercase())).collect();
    let keys = if keys.is_empty() { String::new() } else { format!(", partitioned_by = ARRAY[{}]", keys.join(", ")) };
    // The query stands on lines of its own, so that its places are only some lines further down.
    format!(
        "CREATE TABLE {} WITH (external_location = {}, format = '{format}'{delimiter}{buckets}{keys}) AS\n{}",
        qualified(catalog, through),
        literal(&prefix.as_prefix().to_string()),
        without_semicolon(sql),
    )
}

/// Returns the session property that says how objects are compressed. Trino's words are those of Parquet: GZIP is ZLIB in ORC, and
/// DEFLATE in Avro.
pub(super) fn compression(catalog: &str, format: Format) -> (String, String) {
    let codec = match format {
        Format::Parquet(Compression::Zstd)
        | Format::Orc(OrcCompression::Zstd)
        | Format::Avro(AvroCompression::Zstd)
        | Format::Text(_, TextCompression::Zstd) => "ZSTD",
        Format::Parquet(Compression::Snappy)
        | Format::Orc(OrcCompression::Snappy)
        | Format::Avro(AvroCompression::Snappy) => "SNAPPY",
        Format::Parquet(Compression::Gzip)
        | Format::Orc(OrcCompression::Zlib)
        | Format::Avro(AvroCompression::Deflate)
        | Format::Text(_, TextCompression::Gzip) => "GZIP",
        Format::Orc(OrcCompression::Lz4) => "LZ4",
        Format::Parquet(Compression::None)
        | Format::Orc(OrcCompression::None)
        | Format::Avro(AvroCompression::None)
        | Format::Text(_, TextCompression::None) => "NONE",
    };
    (format!("{catalog}.compression_codec"), codec.to_owned())
}

/// Returns the statement that gives the columns of a query and reads nothing.
pub(super) fn columns(sql: &str) -> String {
    format!("SELECT * FROM (\n{}\n) AS query LIMIT 0", without_semicolon(sql))
}

fn qualified(catalog: &str, table: &TableName) -> String {
    format!("{}.{}.{}", identifier(catalog), identifier(&table.database), identifier(&table.table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_through_a_table_to_a_quoted_prefix() {
        let table = TableName::new("default", "suiro_temporary_0").unwrap();
        let prefix = Location::parse("s3://b/it's/v").unwrap();
        assert_eq!(
            write("lake", &table, "SELECT 1 AS a -- one;\n;", &prefix, &Layout::default(), &[]),
            "CREATE TABLE \"lake\".\"default\".\"suiro_temporary_0\" WITH (external_location = 's3://b/it''s/v/', \
             format = 'PARQUET') AS\nSELECT 1 AS a -- one;\n"
        );
        let keys = ["Dt".to_owned(), "o'clock".to_owned()];
        assert!(
            write("lake", &table, "SELECT 1", &prefix, &Layout::default(), &keys)
                .contains(", partitioned_by = ARRAY['dt', 'o''clock']) AS\nSELECT 1")
        );
        assert_eq!(compression("lake", Format::default()), ("lake.compression_codec".to_owned(), "ZSTD".to_owned()));
        let orc = Format::Orc(OrcCompression::Zlib);
        assert!(write("lake", &table, "SELECT 1", &prefix, &orc.into(), &[]).contains("format = 'ORC')"));
        assert_eq!(compression("lake", orc).1, "GZIP");
        let text = Format::Text(TextForm::Delimited(';'), TextCompression::default());
        let buckets = Buckets { columns: vec!["a".to_owned()], count: 4 };
        let with =
            ", format = 'TEXTFILE', textfile_field_separator = ';', bucketed_by = ARRAY['a'], bucket_count = 4) AS";
        assert!(
            write("lake", &table, "SELECT 1", &prefix, &Layout { format: text, buckets: Some(buckets) }, &[])
                .contains(with)
        );
        assert_eq!(columns("SELECT 1;"), "SELECT * FROM (\nSELECT 1\n) AS query LIMIT 0");
    }
}
