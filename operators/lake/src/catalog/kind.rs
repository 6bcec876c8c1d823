//! Tables that are more than folders of objects: which of the objects are rows, a log of their own tells.
//!
//! They stand in the catalog beside the others, some with the classes of a plain table. The signs are those that Trino goes by
//! (<https://github.com/trinodb/trino/blob/476/plugin/trino-hive/src/main/java/io/trino/plugin/hive/util/HiveUtil.java>), and
//! what Athena and Hudi's own sync to Glue write besides.

use std::fmt;

use super::Table;

/// What else a table is than a plain one of Hive's, whose rows are those of all objects where it and its partitions are.
///
/// Who reads such a table as a plain one sees rows that were deleted or replaced; who writes into it as such leaves objects that
/// its readers do not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// Iceberg.
    Iceberg,
    /// Delta Lake.
    DeltaLake,
    /// Hudi.
    Hudi,
    /// A transactional table of Hive's.
    Transactional,
}

impl fmt::Display for TableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Iceberg => "Iceberg",
            Self::DeltaLake => "Delta Lake",
            Self::Hudi => "Hudi",
            Self::Transactional => "transactional",
        })
    }
}

/// What the input formats of Hudi have in their names, those of its first years as well.
const HUDI_INPUTS: [&str; 2] = ["org.apache.hudi.", "com.uber.hoodie."];

impl TableKind {
    /// Finds what a table is besides; none for a plain one.
    pub fn of(table: &Table) -> Option<Self> {
        let is = |key: &str, value: &str| {
            table.parameters.iter().any(|(found, of)| found.eq_ignore_ascii_case(key) && of.eq_ignore_ascii_case(value))
        };
        let named = |value: &str| is("table_type", value) || is("spark.sql.sources.provider", value);
        if named("iceberg") {
            Some(Self::Iceberg)
        } else if named("delta") {
            Some(Self::DeltaLake)
        } else if named("hudi") || HUDI_INPUTS.iter().any(|input| table.storage.input_format.starts_with(input)) {
            Some(Self::Hudi)
        } else if is("transactional", "true") {
            Some(Self::Transactional)
        } else {
            None
        }
    }

    /// Says what a table is, as the end of a sentence about it.
    pub fn described(self) -> String {
        let article = if self == Self::Iceberg { "an" } else { "a" };
        format!("{article} {self} table, whose own log says which objects are its rows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TableFormat;
    use crate::name::{Location, TableName};

    #[test]
    fn a_table_with_a_log_of_its_own_is_told_by_its_parameters_and_formats() {
        let plain = || {
            let (name, place) = (TableName::new("web", "t").unwrap(), Location::parse("s3://b/t/").unwrap());
            Table::new(name, Vec::new(), Vec::new(), place, TableFormat::Parquet)
        };
        assert_eq!(TableKind::of(&plain()), None);
        for (key, value, kind) in [
            ("table_type", "ICEBERG", Some(TableKind::Iceberg)),
            ("table_type", "iceberg", Some(TableKind::Iceberg)),
            ("table_type", "DELTA", Some(TableKind::DeltaLake)),
            ("table_type", "hive", None),
            ("spark.sql.sources.provider", "delta", Some(TableKind::DeltaLake)),
            ("spark.sql.sources.provider", "hudi", Some(TableKind::Hudi)),
            ("spark.sql.sources.provider", "parquet", None),
            ("transactional", "TRUE", Some(TableKind::Transactional)),
            ("transactional", "false", None),
        ] {
            let mut table = plain();
            table.parameters.insert(key.to_owned(), value.to_owned());
            assert_eq!(TableKind::of(&table), kind, "{key}={value}");
        }
        for input in [
            "org.apache.hudi.hadoop.HoodieParquetInputFormat",
            "org.apache.hudi.hadoop.realtime.HoodieParquetRealtimeInputFormat",
            "com.uber.hoodie.hadoop.HoodieInputFormat",
        ] {
            let mut table = plain();
            table.storage.input_format = input.to_owned();
            assert_eq!(TableKind::of(&table), Some(TableKind::Hudi), "{input}");
        }
    }
}
