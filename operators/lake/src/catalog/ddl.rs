//! Writes a table as Hive DDL, the form of Athena's `SHOW CREATE TABLE`.
//!
//! Identifiers stand in backticks, literals in single quotes with Hive's escapes:
//! <https://docs.aws.amazon.com/athena/latest/ug/create-table.html>.

use std::fmt::Write as _;

use super::{Column, Table};

/// Returns an identifier in backticks; a backtick in it is doubled.
pub fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Returns a string literal of Hive, where a backslash escapes.
pub fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for character in text.chars() {
        match character {
            '\'' => literal.push_str("\\'"),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            other if other.is_control() => {
                // Writing into a string cannot fail.
                let _infallible = write!(literal, "\\u{:04X}", u32::from(other));
            }
            other => literal.push(other),
        }
    }
    literal.push('\'');
    literal
}

/// Returns the statement that would make the table (or view).
pub fn create_table(table: &Table) -> String {
    let name = format!("{}.{}", identifier(&table.name.database), identifier(&table.name.table));
    if let Some(text) = table.view_text.as_ref().filter(|_| table.is_view()) {
        let text = super::View::of(table).map_or_else(|_| text.clone(), |view| view.sql);
        return format!("CREATE VIEW {name} AS\n{text}");
    }
    let mut ddl = format!("CREATE EXTERNAL TABLE {name} (\n{}\n)", columns(&table.columns));
    if !table.partition_keys.is_empty() {
        let _infallible = write!(ddl, "\nPARTITIONED BY (\n{}\n)", columns(&table.partition_keys));
    }
    if let (columns @ [_, ..], Some(count @ 1..)) =
        (table.storage.detail.bucket_columns.as_slice(), table.storage.detail.bucket_count)
    {
        let columns: Vec<String> = columns.iter().map(|name| identifier(name)).collect();
        let _infallible = write!(ddl, "\nCLUSTERED BY (\n  {})\nINTO {count} BUCKETS", columns.join(",\n  "));
    }
    let _infallible = write!(ddl, "\nROW FORMAT SERDE {}", literal(&table.storage.serde));
    if !table.storage.serde_parameters.is_empty() {
        let _infallible = write!(ddl, "\nWITH SERDEPROPERTIES (\n{}\n)", properties(&table.storage.serde_parameters));
    }
    let _infallible = write!(
        ddl,
        "\nSTORED AS INPUTFORMAT {}\nOUTPUTFORMAT {}",
        literal(&table.storage.input_format),
        literal(&table.storage.output_format)
    );
    if let Some(location) = &table.location {
        let _infallible = write!(ddl, "\nLOCATION {}", literal(&location.to_string()));
    }
    if !table.parameters.is_empty() {
        let _infallible = write!(ddl, "\nTBLPROPERTIES (\n{}\n)", properties(&table.parameters));
    }
    ddl
}

fn columns(columns: &[Column]) -> String {
    let lines: Vec<String> = columns
        .iter()
        .map(|column| {
            let comment =
                column.comment.as_ref().map(|comment| format!(" COMMENT {}", literal(comment))).unwrap_or_default();
            format!("  {} {}{comment}", identifier(&column.name), column.hive_type)
        })
        .collect();
    lines.join(",\n")
}

fn properties<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let lines: Vec<String> =
        pairs.into_iter().map(|(key, value)| format!("  {}={}", literal(key), literal(value))).collect();
    lines.join(",\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TableFormat;
    use crate::name::{Location, TableName};

    #[test]
    fn a_table_reads_as_hive_ddl() {
        let mut table = Table::new(
            TableName::new("web", "a`b").unwrap(),
            vec![Column { comment: Some("it's".to_owned()), ..Column::new("n", "bigint") }],
            vec![Column::new("dt", "string")],
            Location::parse("s3://b/t").unwrap(),
            TableFormat::Delimited,
        );
        table.parameters.clear();
        insta::assert_snapshot!(create_table(&table), @r"
        CREATE EXTERNAL TABLE `web`.`a``b` (
          `n` bigint COMMENT 'it\'s'
        )
        PARTITIONED BY (
          `dt` string
        )
        ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe'
        WITH SERDEPROPERTIES (
          'field.delim'='\u0001',
          'serialization.format'='\u0001'
        )
        STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'
        OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
        LOCATION 's3://b/t/'
        ");
    }
}
