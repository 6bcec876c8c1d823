//! `CREATE EXTERNAL TABLE`: columns, partition keys, and how objects are read.
//!
//! <https://docs.aws.amazon.com/athena/latest/ug/create-table.html>; the classes are Hive's:
//! <https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html>.

use indexmap::IndexMap;
use lake::catalog::{Column, EXTERNAL_TABLE, Storage, StorageDetail, Table, TableDetail};
use lake::name::{Location, TableName};
use lake::sql::Type;
use lake::{Error, ErrorKind, Result};

use super::reader::Reader;
use super::{Class, Name, Statement, SyntaxError, unsupported};

const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const TEXT_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";
const LAZY_SIMPLE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";

/// A table to make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::athena) struct CreateTable {
    pub(in crate::athena) name: Option<Name>,
    pub(in crate::athena) external: bool,
    pub(in crate::athena) if_not_exists: bool,
    pub(in crate::athena) columns: Vec<WrittenColumn>,
    pub(in crate::athena) partition_keys: Vec<WrittenColumn>,
    pub(in crate::athena) comment: Option<String>,
    pub(in crate::athena) bucketed: bool,
    pub(in crate::athena) serde: Option<String>,
    pub(in crate::athena) serde_properties: IndexMap<String, String>,
    pub(in crate::athena) stored_as: Option<StoredAs>,
    pub(in crate::athena) location: Option<String>,
    pub(in crate::athena) properties: IndexMap<String, String>,
}

/// `STORED AS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::athena) enum StoredAs {
    /// A format by its word.
    Format(String),
    /// The classes.
    Classes { input: String, output: String },
}

/// A column as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::athena) struct WrittenColumn {
    pub(in crate::athena) name: String,
    pub(in crate::athena) data_type: String,
    pub(in crate::athena) comment: Option<String>,
}

impl WrittenColumn {
    /// Returns the column as the catalog keeps it: its type in Hive's own words.
    ///
    /// # Errors
    /// `InvalidInput` for a type that is none.
    pub(in crate::athena) fn column(&self) -> Result<Column> {
        let failed = |why: String| {
            Error::new(
                ErrorKind::InvalidInput,
                "make a table",
                format!(
                    "FAILED: ParseException: the type `{}` of column `{}` is none of Hive's{why}",
                    self.data_type, self.name
                ),
            )
        };
        let data_type = Type::from_hive(&self.data_type).map_err(|error| failed(format!(": {}", error.message)))?;
        let hive_type = data_type.to_hive().ok_or_else(|| failed(String::new()))?;
        Ok(Column { comment: self.comment.clone(), ..Column::new(&self.name, &hive_type) })
    }
}

/// The classes of a format that `STORED AS` names; its `SerDe` stands unless `ROW FORMAT` says another.
struct Classes {
    word: &'static str,
    serde: &'static str,
    input: &'static str,
    output: &'static str,
}

const FORMATS: &[Classes] = &[
    Classes { word: "TEXTFILE", serde: LAZY_SIMPLE, input: TEXT_INPUT, output: TEXT_OUTPUT },
    Classes {
        word: "PARQUET",
        serde: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        input: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        output: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    },
    Classes {
        word: "ORC",
        serde: "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
        input: "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
        output: "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
    },
    Classes {
        word: "AVRO",
        serde: "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
        input: "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
        output: "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
    },
    Classes {
        word: "RCFILE",
        serde: "org.apache.hadoop.hive.serde2.columnar.LazyBinaryColumnarSerDe",
        input: "org.apache.hadoop.hive.ql.io.RCFileInputFormat",
        output: "org.apache.hadoop.hive.ql.io.RCFileOutputFormat",
    },
    Classes {
        word: "SEQUENCEFILE",
        serde: LAZY_SIMPLE,
        input: "org.apache.hadoop.mapred.SequenceFileInputFormat",
        output: "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
    },
    Classes {
        word: "ION",
        serde: "com.amazon.ionhiveserde.IonHiveSerDe",
        input: "com.amazon.ionhiveserde.formats.IonInputFormat",
        output: "com.amazon.ionhiveserde.formats.IonOutputFormat",
    },
];

pub(super) fn create_table(mut reader: Reader<'_>, external: bool) -> Result<Statement, SyntaxError> {
    let mut made = CreateTable { external, ..CreateTable::default() };
    made.if_not_exists = reader.take_words(&["IF", "NOT", "EXISTS"]);
    made.name = Some(reader.name("the name of a table")?);
    if reader.take_word("LIKE") {
        return Ok(unsupported("CREATE TABLE LIKE", Class::Ddl, "CREATE_TABLE"));
    }
    if reader.is_sign(0, '(') {
        made.columns = columns(&mut reader)?;
    }
    while !reader.is_at_end() {
        clause(&mut reader, &mut made)?;
    }
    Ok(Statement::CreateTable(Box::new(made)))
}

/// Reads `(name type [COMMENT 'text'], …)`.
pub(super) fn columns(reader: &mut Reader<'_>) -> Result<Vec<WrittenColumn>, SyntaxError> {
    let mut columns = Vec::new();
    reader.expect_sign('(')?;
    loop {
        let name = reader.identifier("the name of a column")?;
        let data_type = reader.until(&["COMMENT"]);
        if data_type.is_empty() {
            return Err(reader.expected("the type of a column"));
        }
        let comment = if reader.take_word("COMMENT") { Some(reader.text("a comment in quotes")?) } else { None };
        columns.push(WrittenColumn { name, data_type: data_type.to_lowercase(), comment });
        if !reader.take_sign(',') {
            reader.expect_sign(')')?;
            return Ok(columns);
        }
    }
}

fn clause(reader: &mut Reader<'_>, made: &mut CreateTable) -> Result<(), SyntaxError> {
    if reader.take_word("COMMENT") {
        made.comment = Some(reader.text("a comment in quotes")?);
    } else if reader.take_words(&["PARTITIONED", "BY"]) {
        made.partition_keys = columns(reader)?;
    } else if reader.take_words(&["CLUSTERED", "BY"]) {
        made.bucketed = true;
        reader.parenthesised()?;
        if reader.take_words(&["SORTED", "BY"]) {
            reader.parenthesised()?;
        }
        reader.expect_words(&["INTO"])?;
        reader.scalar("a number of buckets")?;
        reader.expect_words(&["BUCKETS"])?;
    } else if reader.take_words(&["ROW", "FORMAT", "SERDE"]) {
        made.serde = Some(reader.text("the class of a SerDe in quotes")?);
    } else if reader.take_words(&["ROW", "FORMAT", "DELIMITED"]) {
        made.serde = Some(LAZY_SIMPLE.to_owned());
        delimited(reader, &mut made.serde_properties)?;
    } else if reader.take_words(&["WITH", "SERDEPROPERTIES"]) {
        made.serde_properties.extend(reader.properties()?);
    } else if reader.take_words(&["STORED", "AS", "INPUTFORMAT"]) {
        let input = reader.text("the class of an input format in quotes")?;
        reader.expect_words(&["OUTPUTFORMAT"])?;
        let output = reader.text("the class of an output format in quotes")?;
        made.stored_as = Some(StoredAs::Classes { input, output });
    } else if reader.take_words(&["STORED", "AS"]) {
        let word = reader.next_word().unwrap_or_default().to_ascii_uppercase();
        let known = FORMATS.iter().find(|format| format.word == word);
        let Some(known) = known else {
            let words: Vec<&str> = FORMATS.iter().map(|format| format.word).collect();
            return Err(reader.expected(&format!("INPUTFORMAT or a format: {}", words.join(", "))));
        };
        reader.take_word(&word);
        made.stored_as = Some(StoredAs::Format(known.word.to_owned()));
    } else if reader.take_word("LOCATION") {
        made.location = Some(reader.text("a location in quotes")?);
    } else if reader.take_word("TBLPROPERTIES") {
        made.properties = reader.properties()?;
    } else {
        return Err(reader.expected(
            "COMMENT, PARTITIONED BY, CLUSTERED BY, ROW FORMAT, STORED AS, WITH SERDEPROPERTIES, LOCATION or TBLPROPERTIES",
        ));
    }
    Ok(())
}

fn delimited(reader: &mut Reader<'_>, properties: &mut IndexMap<String, String>) -> Result<(), SyntaxError> {
    loop {
        let key = if reader.take_words(&["FIELDS", "TERMINATED", "BY"]) {
            "field.delim"
        } else if reader.take_words(&["ESCAPED", "BY"]) {
            "escape.delim"
        } else if reader.take_words(&["COLLECTION", "ITEMS", "TERMINATED", "BY"]) {
            "collection.delim"
        } else if reader.take_words(&["MAP", "KEYS", "TERMINATED", "BY"]) {
            "mapkey.delim"
        } else if reader.take_words(&["LINES", "TERMINATED", "BY"]) {
            "line.delim"
        } else if reader.take_words(&["NULL", "DEFINED", "AS"]) {
            "serialization.null.format"
        } else {
            return Ok(());
        };
        let value = reader.text("a text in quotes")?;
        if key == "field.delim" {
            properties.insert("serialization.format".to_owned(), value.clone());
        }
        properties.insert(key.to_owned(), value);
    }
}

impl CreateTable {
    /// Returns the description for the catalog.
    ///
    /// # Errors
    /// `InvalidInput` for a type, a location or a combination that Athena does not take; `UnsupportedSql` by name.
    pub(in crate::athena) fn table(&self, name: TableName, now_ms: i64) -> Result<Table> {
        let invalid = |why: String| Error::new(ErrorKind::InvalidInput, "make a table", why);
        let missing = |what: &str| {
            Error::new(ErrorKind::UnsupportedSql, "make a table", format!("NOT_SUPPORTED: {what} is not supported yet"))
        };
        if self
            .properties
            .iter()
            .any(|(key, value)| key.eq_ignore_ascii_case("table_type") && value.eq_ignore_ascii_case("iceberg"))
        {
            return Err(missing("`CREATE TABLE` with `table_type`=`ICEBERG`"));
        }
        if !self.external {
            return Err(invalid(
                "FAILED: SemanticException: only external tables can be made: write `CREATE EXTERNAL TABLE`".to_owned(),
            ));
        }
        if self.bucketed {
            return Err(missing("`CLUSTERED BY`"));
        }
        if self.columns.is_empty() {
            return Err(invalid(format!("FAILED: SemanticException: expected columns for table `{name}`, found none")));
        }
        let location = self
            .location
            .as_deref()
            .ok_or_else(|| invalid("FAILED: SemanticException: expected LOCATION 's3://…/', found none".to_owned()))?;
        let columns = self.columns.iter().map(WrittenColumn::column).collect::<Result<Vec<_>>>()?;
        let partition_keys = self.partition_keys.iter().map(WrittenColumn::column).collect::<Result<Vec<_>>>()?;
        let mut parameters = IndexMap::from([("EXTERNAL".to_owned(), "TRUE".to_owned())]);
        if let Some(comment) = &self.comment {
            parameters.insert("comment".to_owned(), comment.clone());
        }
        parameters.extend(self.properties.clone());
        parameters.entry("transient_lastDdlTime".to_owned()).or_insert_with(|| now_ms.div_euclid(1000).to_string());
        Ok(Table {
            name,
            table_type: EXTERNAL_TABLE.to_owned(),
            columns,
            partition_keys,
            location: Some(Location::parse(location)?.into_prefix()),
            storage: self.storage(),
            parameters,
            view_text: None,
            detail: TableDetail::default(),
            created_ms: 0,
            updated_ms: 0,
            version: 0,
        })
    }

    fn storage(&self) -> Storage {
        let classes = |word: &str| FORMATS.iter().find(|format| format.word == word);
        let text = FORMATS.first();
        let (format, input, output) = match &self.stored_as {
            Some(StoredAs::Classes { input, output }) => (text, input.clone(), output.clone()),
            Some(StoredAs::Format(word)) => {
                let format = classes(word).or(text);
                let of = |part: fn(&Classes) -> &'static str| format.map_or_else(String::new, |f| part(f).to_owned());
                (format, of(|format| format.input), of(|format| format.output))
            }
            None => (text, TEXT_INPUT.to_owned(), TEXT_OUTPUT.to_owned()),
        };
        let serde = self.serde.clone().unwrap_or_else(|| format.map_or(LAZY_SIMPLE, |format| format.serde).to_owned());
        let mut serde_parameters = self.serde_properties.clone();
        serde_parameters.entry("serialization.format".to_owned()).or_insert_with(|| "1".to_owned());
        Storage {
            input_format: input,
            output_format: output,
            serde,
            serde_parameters,
            compressed: false,
            detail: StorageDetail::default(),
        }
    }
}
