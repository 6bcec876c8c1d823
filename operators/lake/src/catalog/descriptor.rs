//! Formats and the Hive classes that stand for them in a storage descriptor.
//!
//! Classes as Glue and Athena write them: <https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html>.

use indexmap::IndexMap;

use super::Storage;

const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const TEXT_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";

/// A format that tables are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TableFormat {
    /// Parquet.
    Parquet,
    /// Text with a delimiter, Hive's own (`LazySimpleSerDe`): no quotes, values typed by the columns.
    Delimited,
    /// CSV with quotes (`OpenCSVSerde`).
    OpenCsv,
    /// One JSON object a line, by Hive's `hcatalog` `SerDe`.
    HiveJson,
    /// One JSON object a line, by openx's `SerDe`.
    OpenxJson,
    /// Lines that a regular expression takes apart (`RegexSerDe`): read only.
    Regex,
    /// Lines that a pattern of Grok takes apart (`GrokSerDe`): read only.
    Grok,
    /// Avro's object container files.
    Avro,
    /// ORC.
    Orc,
}

impl std::fmt::Display for TableFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Parquet => "Parquet",
            Self::Delimited => "text with a delimiter",
            Self::OpenCsv => "CSV",
            Self::HiveJson | Self::OpenxJson => "JSON lines",
            Self::Regex => "text by a regular expression",
            Self::Grok => "text by a Grok pattern",
            Self::Avro => "Avro",
            Self::Orc => "ORC",
        })
    }
}

struct Classes {
    format: TableFormat,
    classification: &'static str,
    serdes: &'static [&'static str],
    input: &'static str,
    output: &'static str,
    parameters: &'static [(&'static str, &'static str)],
}

/// The first `SerDe` of a format is the one that is written; the others are read as well.
static FORMATS: [Classes; 9] = [
    Classes {
        format: TableFormat::Parquet,
        classification: "parquet",
        serdes: &["org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"],
        input: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        output: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        parameters: &[("serialization.format", "1")],
    },
    Classes {
        format: TableFormat::Delimited,
        classification: "csv",
        serdes: &["org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"],
        input: TEXT_INPUT,
        output: TEXT_OUTPUT,
        parameters: &[("field.delim", "\u{1}"), ("serialization.format", "\u{1}")],
    },
    Classes {
        format: TableFormat::OpenCsv,
        classification: "csv",
        serdes: &["org.apache.hadoop.hive.serde2.OpenCSVSerde"],
        input: TEXT_INPUT,
        output: TEXT_OUTPUT,
        parameters: &[("separatorChar", ","), ("quoteChar", "\""), ("escapeChar", "\\")],
    },
    Classes {
        format: TableFormat::HiveJson,
        classification: "json",
        serdes: &["org.apache.hive.hcatalog.data.JsonSerDe", "org.apache.hadoop.hive.serde2.JsonSerDe"],
        input: TEXT_INPUT,
        output: TEXT_OUTPUT,
        parameters: &[("serialization.format", "1")],
    },
    Classes {
        format: TableFormat::OpenxJson,
        classification: "json",
        serdes: &["org.openx.data.jsonserde.JsonSerDe"],
        input: TEXT_INPUT,
        output: TEXT_OUTPUT,
        parameters: &[("serialization.format", "1")],
    },
    Classes {
        format: TableFormat::Regex,
        classification: "regex",
        serdes: &["org.apache.hadoop.hive.serde2.RegexSerDe"],
        input: TEXT_INPUT,
        output: TEXT_OUTPUT,
        parameters: &[("serialization.format", "1")],
    },
    Classes {
        format: TableFormat::Grok,
        classification: "grok",
        serdes: &["com.amazonaws.glue.serde.GrokSerDe"],
        input: TEXT_INPUT,
        output: TEXT_OUTPUT,
        parameters: &[("serialization.format", "1")],
    },
    Classes {
        format: TableFormat::Avro,
        classification: "avro",
        serdes: &["org.apache.hadoop.hive.serde2.avro.AvroSerDe"],
        input: "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
        output: "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
        parameters: &[("serialization.format", "1")],
    },
    Classes {
        format: TableFormat::Orc,
        classification: "orc",
        serdes: &["org.apache.hadoop.hive.ql.io.orc.OrcSerde"],
        input: "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
        output: "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
        parameters: &[("serialization.format", "1")],
    },
];

impl TableFormat {
    fn classes(self) -> &'static Classes {
        match self {
            Self::Parquet => &FORMATS[0],
            Self::Delimited => &FORMATS[1],
            Self::OpenCsv => &FORMATS[2],
            Self::HiveJson => &FORMATS[3],
            Self::OpenxJson => &FORMATS[4],
            Self::Regex => &FORMATS[5],
            Self::Grok => &FORMATS[6],
            Self::Avro => &FORMATS[7],
            Self::Orc => &FORMATS[8],
        }
    }

    /// Returns the descriptor that a new table in this format gets.
    pub fn storage(self) -> Storage {
        let classes = self.classes();
        Storage {
            input_format: classes.input.to_owned(),
            output_format: classes.output.to_owned(),
            serde: classes.serdes.first().copied().unwrap_or_default().to_owned(),
            serde_parameters: classes
                .parameters
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            compressed: false,
            detail: super::StorageDetail::default(),
        }
    }

    /// Returns what Glue calls it in the parameter `classification`.
    pub fn classification(self) -> &'static str {
        self.classes().classification
    }

    /// Finds the format of a descriptor by its `SerDe` and its input format; none for one that this lake does not read.
    pub fn of(storage: &Storage) -> Option<Self> {
        let known = Classes::of(storage)?;
        known.takes(&storage.input_format).then_some(known.format)
    }
}

impl Classes {
    fn of(storage: &Storage) -> Option<&'static Self> {
        FORMATS.iter().find(|classes| classes.serdes.contains(&storage.serde.as_str()))
    }

    /// Tells whether objects are taken apart as the `SerDe` is used to: another input format finds other rows in them, or takes
    /// them for a list of the objects that have the rows. One that is not said is the `SerDe`'s own.
    fn takes(&self, input: &str) -> bool {
        input.is_empty() || input == self.input
    }
}

/// Names what reads a descriptor's objects: its `SerDe`, and its input format where that is not the `SerDe`'s own.
pub fn reader(storage: &Storage) -> String {
    let Storage { serde, input_format, .. } = storage;
    match Classes::of(storage) {
        Some(known) if !known.takes(input_format) => format!("`{serde}` with the input format `{input_format}`"),
        _ => format!("`{serde}`"),
    }
}

/// Returns a parameter of the `SerDe`, else of the table.
pub fn parameter<'a>(
    storage: &'a Storage,
    table_parameters: &'a IndexMap<String, String>,
    name: &str,
) -> Option<&'a str> {
    storage.serde_parameters.get(name).or_else(|| table_parameters.get(name)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_names_its_format() {
        for (index, classes) in FORMATS.iter().enumerate() {
            assert_eq!(FORMATS.iter().position(|other| std::ptr::eq(other, classes.format.classes())), Some(index));
            assert_eq!(TableFormat::of(&classes.format.storage()), Some(classes.format));
            for serde in classes.serdes {
                let storage = Storage { serde: (*serde).to_owned(), ..classes.format.storage() };
                assert_eq!(TableFormat::of(&storage), Some(classes.format));
            }
        }
        let symlinks = Storage { input_format: "of.Symlinks".to_owned(), ..TableFormat::Delimited.storage() };
        assert_eq!(TableFormat::of(&symlinks), None);
        let delimited = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
        assert_eq!(reader(&symlinks), format!("`{delimited}` with the input format `of.Symlinks`"));
        let unsaid = Storage { input_format: String::new(), ..TableFormat::Delimited.storage() };
        assert_eq!(
            (TableFormat::of(&unsaid), reader(&unsaid)),
            (Some(TableFormat::Delimited), format!("`{delimited}`"))
        );
        let ion =
            Storage { serde: "com.amazon.ionhiveserde.IonHiveSerDe".to_owned(), ..TableFormat::Parquet.storage() };
        assert_eq!(TableFormat::of(&ion), None);
        assert_eq!(reader(&ion), "`com.amazon.ionhiveserde.IonHiveSerDe`");
    }
}
