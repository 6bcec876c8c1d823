//! Writes rows as lines of text, as Hive's `LazySimpleSerDe` and its JSON `SerDe` read them, in a folder per partition.
//!
//! The query engine writes Parquet itself; text is what `UNLOAD`, `CREATE TABLE AS` and `INSERT` of Athena write besides, from
//! rows that were fetched. A value that the form cannot tell from its own signs stops the query.

use std::collections::HashMap;
use std::io::Write as _;

use arrow::array::{Array as _, ArrayRef, AsArray as _, ListArray, MapArray, RecordBatch, StructArray};
use arrow::datatypes::DataType;
use base64::Engine as _;
use flate2::write::GzEncoder;
use tokio::io::AsyncWriteExt as _;

use super::parquet::StoredColumn;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{HIVE_DEFAULT_PARTITION, Location, hive_path};
use crate::query::WrittenObject;
use crate::sql::Type;
use crate::sql::cast::cast;
use crate::sql::function::Session;
use crate::sql::text::display;
use crate::storage::{ObjectWriter, Storage};

/// Bytes of lines that an object takes at a time.
const PIECE_BYTES: usize = 1 << 16;

/// The separators of the nested levels: elements, keys of maps, and deeper. The first is the table's own.
const NESTED: [char; 7] = ['\u{2}', '\u{3}', '\u{4}', '\u{5}', '\u{6}', '\u{7}', '\u{8}'];

const OPERATION: &str = "write text";

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    /// Values between delimiters; NULL is `\N`.
    Delimited(char),
    /// A JSON object.
    Json,
}

/// The compression of a whole object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextCompression {
    /// None.
    None,
    /// Gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Where lines go and what they look like.
#[derive(Debug, Clone)]
pub struct TextTarget {
    /// The prefix.
    pub prefix: Location,
    /// The name of each object, without what the compression adds.
    pub name: String,
    /// The columns, keys last.
    pub columns: Vec<StoredColumn>,
    /// How many of the last columns are keys of partitions: they are in the path, and not in the lines.
    pub keys: usize,
    /// How many partitions they may be.
    pub max_partitions: usize,
    /// The form.
    pub form: TextForm,
    /// The compression.
    pub compression: TextCompression,
}

/// Writes lines to one object a partition.
#[derive(Debug)]
pub struct TextWriter {
    storage: Storage,
    target: TextTarget,
    keys: Vec<StoredColumn>,
    columns: Vec<StoredColumn>,
    session: Session,
    by_values: HashMap<Vec<String>, usize>,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    values: Vec<String>,
    writer: ObjectWriter,
    encoder: Encoder,
    rows: u64,
}

/// Lines on their way to the object.
enum Encoder {
    Plain(Vec<u8>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Gzip(_) => "Gzip",
            Self::Zstd(_) => "Zstd",
        })
    }
}

impl TextWriter {
    /// Makes a writer.
    ///
    /// # Errors
    /// `InvalidInput` for keys that cannot be in a path.
    pub fn new(storage: &Storage, target: TextTarget) -> Result<Self> {
        let mut columns = target.columns.clone();
        let keys = columns.split_off(columns.len().saturating_sub(target.keys));
        let unusable: Vec<String> =
            keys.iter().filter_map(|key| super::schema::unusable_key(&key.name, &key.data_type)).collect();
        if !unusable.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, unusable.join("; ")));
        }
        Ok(Self {
            storage: storage.clone(),
            target,
            keys,
            columns,
            session: Session { time_zone: "UTC".to_owned(), start_us: 0, database: None },
            by_values: HashMap::new(),
            parts: Vec::new(),
        })
    }

    /// Takes rows: the columns in order, the keys last, of the Arrow types of their [`Type`]s.
    ///
    /// # Errors
    /// `QueryFailed` for a value that a line cannot hold, or more than 100 partitions; those of the storage.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let (lines_of, keys_of) = batch.columns().split_at(self.columns.len().min(batch.num_columns()));
        let keys = keys_of
            .iter()
            .zip(&self.keys)
            .map(|(array, key)| {
                let text = cast(&self.session, &key.data_type, &Type::Varchar(None), array)
                    .map_err(|error| Error::new(ErrorKind::QueryFailed, OPERATION, error.message))?;
                arrow::compute::cast(&text, &DataType::Utf8)
                    .map_err(|error| Error::new(ErrorKind::External, OPERATION, error.to_string()))
            })
            .collect::<Result<Vec<ArrayRef>>>()?;
        let mut line = String::new();
        for row in 0..batch.num_rows() {
            line.clear();
            self.line(&mut line, lines_of, row)?;
            let values = keys
                .iter()
                .zip(&self.keys)
                .map(|(array, key)| key_text(&key.name, array, row))
                .collect::<Result<Vec<String>>>()?;
            let index = match self.by_values.get(&values) {
                Some(index) => *index,
                None => self.open(values)?,
            };
            if let Some(part) = self.parts.get_mut(index) {
                part.take(line.as_bytes()).await?;
            }
        }
        Ok(())
    }

    /// Ends all objects and returns them in the order of their places: they survive the loss of power. Without rows there is
    /// none.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn finish(self) -> Result<Vec<WrittenObject>> {
        let mut objects = Vec::with_capacity(self.parts.len());
        for part in self.parts {
            objects.push(part.finish().await?);
        }
        objects.sort_by(|left, right| left.location.cmp(&right.location));
        Ok(objects)
    }

    fn open(&mut self, values: Vec<String>) -> Result<usize> {
        let most = self.target.max_partitions;
        if !self.keys.is_empty() && self.parts.len() >= most {
            return Err(Error::new(
                ErrorKind::TooManyPartitions,
                OPERATION,
                format!(
                    "HIVE_TOO_MANY_OPEN_PARTITIONS: expected at most {most} partitions, found more: write fewer at a \
                     time with WHERE"
                ),
            ));
        }
        let path = hive_path(self.keys.iter().map(|key| key.name.as_str()).zip(values.iter().map(String::as_str)))?;
        let (ending, encoder) = match self.target.compression {
            TextCompression::None => ("", Encoder::Plain(Vec::new())),
            TextCompression::Gzip => {
                (".gz", Encoder::Gzip(Box::new(GzEncoder::new(Vec::new(), flate2::Compression::default()))))
            }
            TextCompression::Zstd => {
                let encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).map_err(|error| encoding(&error))?;
                (".zst", Encoder::Zstd(Box::new(encoder)))
            }
        };
        let location = self.target.prefix.join(&format!("{path}{}{ending}", self.target.name))?;
        let writer = self.storage.writer(&location)?;
        self.by_values.insert(values.clone(), self.parts.len());
        self.parts.push(Part { values, writer, encoder, rows: 0 });
        Ok(self.parts.len() - 1)
    }

    fn line(&self, out: &mut String, arrays: &[ArrayRef], row: usize) -> Result<()> {
        match self.target.form {
            TextForm::Delimited(delimiter) => {
                for (index, (column, array)) in self.columns.iter().zip(arrays).enumerate() {
                    if index > 0 {
                        out.push(delimiter);
                    }
                    delimited(out, &column.name, delimiter, &column.data_type, array, row, 0)?;
                }
            }
            TextForm::Json => {
                out.push('{');
                for (index, (column, array)) in self.columns.iter().zip(arrays).enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    quoted(out, &column.name);
                    out.push(':');
                    json(out, &column.name, &column.data_type, array, row)?;
                }
                out.push('}');
            }
        }
        out.push('\n');
        Ok(())
    }
}

impl Part {
    async fn take(&mut self, line: &[u8]) -> Result<()> {
        self.rows += 1;
        let written = match &mut self.encoder {
            Encoder::Plain(bytes) => {
                bytes.extend_from_slice(line);
                Ok(())
            }
            Encoder::Gzip(encoder) => encoder.write_all(line),
            Encoder::Zstd(encoder) => encoder.write_all(line),
        };
        written.map_err(|error| encoding(&error))?;
        let ready = match &mut self.encoder {
            Encoder::Plain(bytes) => bytes,
            Encoder::Gzip(encoder) => encoder.get_mut(),
            Encoder::Zstd(encoder) => encoder.get_mut(),
        };
        if ready.len() >= PIECE_BYTES {
            let piece = std::mem::take(ready);
            if let Err(error) = self.writer.write_all(&piece).await {
                return Err(self.writer.failed(error));
            }
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<WrittenObject> {
        let rest = match self.encoder {
            Encoder::Plain(bytes) => Ok(bytes),
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
        };
        let rest = rest.map_err(|error| encoding(&error))?;
        if let Err(error) = self.writer.write_all(&rest).await {
            return Err(self.writer.failed(error));
        }
        let location = self.writer.location().clone();
        let bytes = self.writer.finish().await?;
        Ok(WrittenObject { location, bytes, rows: self.rows, partition: self.values })
    }
}

fn encoding(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::External, OPERATION, format!("cannot compress: {error}"))
}

/// Returns the value of a key as the catalog keeps it.
fn key_text(key: &str, array: &ArrayRef, row: usize) -> Result<String> {
    if array.is_null(row) {
        return Ok(HIVE_DEFAULT_PARTITION.to_owned());
    }
    let text = array.as_string::<i32>().value(row);
    if text.is_empty() || text == HIVE_DEFAULT_PARTITION {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            OPERATION,
            format!("the value `{text}` of partition key `{key}` cannot be used: a path cannot tell it from NULL"),
        ));
    }
    Ok(text.to_owned())
}

/// Writes a value between delimiters; `level` counts the nesting around it.
fn delimited(
    out: &mut String,
    column: &str,
    delimiter: char,
    data_type: &Type,
    array: &ArrayRef,
    row: usize,
    level: usize,
) -> Result<()> {
    if array.data_type() == &DataType::Null || array.is_null(row) {
        out.push_str("\\N");
        return Ok(());
    }
    let separator = |level: usize| {
        NESTED.get(level).copied().ok_or_else(|| {
            Error::new(
                ErrorKind::QueryFailed,
                OPERATION,
                format!("column `{column}` is nested deeper than text can tell: use another format"),
            )
        })
    };
    let broken = || Error::new(ErrorKind::External, OPERATION, format!("column `{column}` is not of its type"));
    match data_type {
        Type::Array(element) => {
            let items = array.as_any().downcast_ref::<ListArray>().ok_or_else(broken)?.value(row);
            for at in 0..items.len() {
                if at > 0 {
                    out.push(separator(level)?);
                }
                delimited(out, column, delimiter, element, &items, at, level + 1)?;
            }
        }
        Type::Map(key, value) => {
            let entries = array.as_any().downcast_ref::<MapArray>().ok_or_else(broken)?.value(row);
            for at in 0..entries.len() {
                if at > 0 {
                    out.push(separator(level)?);
                }
                delimited(out, column, delimiter, key, entries.column(0), at, level + 2)?;
                out.push(separator(level + 1)?);
                delimited(out, column, delimiter, value, entries.column(1), at, level + 2)?;
            }
        }
        Type::Row(fields) => {
            let columns = array.as_any().downcast_ref::<StructArray>().ok_or_else(broken)?;
            for (at, (_, field)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(separator(level)?);
                }
                delimited(out, column, delimiter, field, columns.column(at), row, level + 1)?;
            }
        }
        Type::Varbinary => {
            let bytes = array.as_binary_opt::<i32>().ok_or_else(broken)?.value(row);
            base64::engine::general_purpose::STANDARD.encode_string(bytes, out);
        }
        _ => {
            let text = display(data_type, array, row).unwrap_or_default();
            let mut open = NESTED.iter().take(level);
            if text == "\\N" || text.contains(['\n', '\r', delimiter]) || open.any(|sign| text.contains(*sign)) {
                return Err(Error::new(
                    ErrorKind::QueryFailed,
                    OPERATION,
                    format!(
                        "a value of column `{column}` holds a line end, a delimiter or the sign of NULL, which a table of \
                         delimited text cannot tell apart: use another delimiter or another format"
                    ),
                ));
            }
            out.push_str(&text);
        }
    }
    Ok(())
}

fn quoted(out: &mut String, text: &str) {
    // A text always has a JSON form.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Writes a value as Hive's JSON `SerDe` does: rows as objects, decimals as numbers.
fn json(out: &mut String, column: &str, data_type: &Type, array: &ArrayRef, row: usize) -> Result<()> {
    if array.data_type() == &DataType::Null || array.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match data_type {
        Type::Array(element) => {
            let items = array.as_list::<i32>().value(row);
            out.push('[');
            for at in 0..items.len() {
                if at > 0 {
                    out.push(',');
                }
                json(out, column, element, &items, at)?;
            }
            out.push(']');
        }
        Type::Map(key, value) => {
            let entries = array.as_map().value(row);
            out.push('{');
            for at in 0..entries.len() {
                if at > 0 {
                    out.push(',');
                }
                quoted(out, &display(key, entries.column(0), at).unwrap_or_default());
                out.push(':');
                json(out, column, value, entries.column(1), at)?;
            }
            out.push('}');
        }
        Type::Row(fields) => {
            let columns = array.as_struct();
            out.push('{');
            for (at, (name, field)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                quoted(out, &name.clone().unwrap_or_else(|| format!("field{at}")));
                out.push(':');
                json(out, column, field, columns.column(at), row)?;
            }
            out.push('}');
        }
        Type::Varbinary => {
            // Readers take the characters of a text for its bytes.
            let bytes = array.as_binary::<i32>().value(row);
            let Ok(text) = std::str::from_utf8(bytes) else {
                return Err(no_json(column, &format!("`{}` is no UTF-8 and", bytes.escape_ascii())));
            };
            quoted(out, text);
        }
        Type::Boolean | Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint | Type::Decimal(..) => {
            out.push_str(&display(data_type, array, row).unwrap_or_default());
        }
        Type::Real | Type::Double => {
            let text = display(data_type, array, row).unwrap_or_default();
            // JSON has no NaN and no infinity, and no reader takes a number out of quotes.
            if text.starts_with("NaN") || text.contains("Infinity") {
                return Err(no_json(column, &format!("`{text}`")));
            }
            out.push_str(&text);
        }
        _ => quoted(out, &display(data_type, array, row).unwrap_or_default()),
    }
    Ok(())
}

fn no_json(column: &str, value: &str) -> Error {
    Error::new(
        ErrorKind::QueryFailed,
        "write JSON",
        format!(
            "HIVE_WRITER_DATA_ERROR: the value {value} has no form in JSON: column `{column}` of another type, or NULL, has one"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use std::io::Read as _;

    use super::*;

    fn column(name: &str, data_type: Type) -> StoredColumn {
        StoredColumn { name: name.to_owned(), data_type }
    }

    async fn write(form: TextForm, keys: usize, texts: &[Option<&str>]) -> Result<Vec<(String, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).await?;
        let target = TextTarget {
            prefix: Location::parse("s3://b/t/")?,
            name: "q".to_owned(),
            columns: vec![column("n", Type::Bigint), column("s", Type::Varchar(None))],
            keys,
            max_partitions: 100,
            form,
            compression: TextCompression::Gzip,
        };
        let mut writer = TextWriter::new(&storage, target)?;
        let numbers: Vec<i64> = (0..).take(texts.len()).collect();
        let batch = RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from(numbers)) as ArrayRef),
            ("s", Arc::new(StringArray::from(texts.to_vec())) as ArrayRef),
        ])
        .unwrap();
        writer.write(&batch).await?;
        let mut found = Vec::new();
        for object in writer.finish().await? {
            let bytes = storage.read(&object.location).await?;
            let mut text = String::new();
            flate2::read::GzDecoder::new(bytes.as_ref()).read_to_string(&mut text).unwrap();
            found.push((object.location.to_string(), text));
        }
        Ok(found)
    }

    #[tokio::test]
    async fn lines_have_the_form_and_the_folder_of_their_partition() {
        let delimited = write(TextForm::Delimited(','), 0, &[Some("x"), None]).await.unwrap();
        assert_eq!(delimited, [("s3://b/t/q.gz".to_owned(), "0,x\n1,\\N\n".to_owned())]);
        let json = write(TextForm::Json, 1, &[Some("b"), None, Some("b")]).await.unwrap();
        assert_eq!(
            json,
            [
                ("s3://b/t/s=__HIVE_DEFAULT_PARTITION__/q.gz".to_owned(), "{\"n\":1}\n".to_owned()),
                ("s3://b/t/s=b/q.gz".to_owned(), "{\"n\":0}\n{\"n\":2}\n".to_owned())
            ]
        );
    }

    #[test]
    fn a_number_that_json_does_not_have_stops_the_query() {
        let numbers: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![1.5, f64::NAN, f64::NEG_INFINITY]));
        let mut out = String::new();
        json(&mut out, "x", &Type::Double, &numbers, 0).unwrap();
        assert_eq!(out, "1.5");
        let error = json(&mut out, "x", &Type::Double, &numbers, 1).unwrap_err();
        assert_eq!(
            error.message,
            "HIVE_WRITER_DATA_ERROR: the value `NaN` has no form in JSON: column `x` of another type, or NULL, has one"
        );
        assert!(json(&mut out, "x", &Type::Double, &numbers, 2).is_err());
    }

    #[tokio::test]
    async fn a_value_that_looks_like_a_sign_stops_the_query() {
        for text in ["a,b", "a\nb", "\\N"] {
            let error = write(TextForm::Delimited(','), 0, &[Some(text)]).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::QueryFailed, "{text:?}");
        }
        let json = write(TextForm::Json, 0, &[Some("a\n\"b")]).await.unwrap();
        assert_eq!(json[0].1, "{\"n\":0,\"s\":\"a\\n\\\"b\"}\n");
    }
}
