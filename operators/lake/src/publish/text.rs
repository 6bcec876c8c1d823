//! Rows as lines of text, as Hive's `LazySimpleSerDe` and its JSON `SerDe` read them. A value that the form cannot tell from its own
//! signs stops the query.

use std::collections::HashSet;
use std::io::{self, Write as _};

use arrow::array::{Array as _, ArrayRef, AsArray as _, ListArray, MapArray, RecordBatch, StructArray};
use arrow::datatypes::DataType;
use base64::Engine as _;
use flate2::write::GzEncoder;
use indexmap::IndexMap;

use crate::catalog::descriptor::parameter;
use crate::catalog::{Storage, TableFormat};
use crate::sql::Type;
use crate::sql::text::display;

/// The delimiter of Hive where none is named.
const DELIMITER: char = '\u{1}';

/// The separators of the nested levels: elements, keys of maps, and deeper. The first is the table's own.
const NESTED: [char; 7] = ['\u{2}', '\u{3}', '\u{4}', '\u{5}', '\u{6}', '\u{7}', '\u{8}'];

/// The level of zstd that Parquet's pages have too.
const ZSTD_LEVEL: i32 = 3;

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextForm {
    /// Values between delimiters; NULL is `\N`.
    Delimited(char),
    /// A JSON object.
    Json,
}

/// The compression of a whole object, which its name tells readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextCompression {
    /// Gzip, which every reader of text knows, and is what Athena writes unless told.
    #[default]
    Gzip,
    /// Zstandard, level 3.
    Zstd,
    /// None.
    None,
}

impl Default for TextForm {
    fn default() -> Self {
        Self::Delimited(DELIMITER)
    }
}

impl TextForm {
    /// Makes the form of values between delimiters; none for a character that no values can stand between: readers of Hive's text
    /// compare bytes, NULL is `\N`, and ^B to ^H stand between the parts of nested values.
    pub fn delimited(delimiter: char) -> Option<Self> {
        let is_sign = matches!(delimiter, '\0' | '\n' | '\r' | '\\' | 'N' | '\u{2}'..='\u{8}');
        (delimiter.is_ascii() && !is_sign).then_some(Self::Delimited(delimiter))
    }

    /// Tells which lines a table is made of; none for a table of another format.
    ///
    /// # Errors
    /// What of its properties lines are not written with, as the end of a sentence about the table.
    pub fn of_table(storage: &Storage, parameters: &IndexMap<String, String>) -> Option<Result<Self, String>> {
        let parameter = |key: &str| parameter(storage, parameters, key);
        let set = |keys: &[&str], usual: &str| {
            let unusual = keys.iter().find(|key| parameter(key).is_some_and(|value| value != usual));
            unusual.map_or(Ok(()), |key| Err(format!("its property `{key}`")))
        };
        let delimited = || {
            set(&["collection.delim", "colelction.delim", "mapkey.delim", "escape.delim"], "")?;
            set(&["serialization.null.format"], "\\N")?;
            let delimiter = match (parameter("field.delim"), parameter("serialization.format")) {
                (Some(text), _) => one(text),
                // As a number it is the character's: `1` for ^A.
                (None, Some(text)) => text.parse::<u8>().ok().map(char::from).or_else(|| one(text)),
                (None, None) => Some(DELIMITER),
            };
            let delimiter = delimiter.ok_or_else(|| "its delimiter of more than one character".to_owned())?;
            Self::delimited(delimiter).ok_or_else(|| format!("its delimiter `{}`", delimiter.escape_debug()))
        };
        let lines = || {
            // Readers would take the first or the last rows away.
            set(&["skip.header.line.count", "skip.footer.line.count"], "0")?;
            set(&["line.delim"], "\n")?;
            set(&["timestamp.formats"], "")
        };
        match TableFormat::of(storage)? {
            TableFormat::Delimited => Some(lines().and_then(|()| delimited())),
            TableFormat::HiveJson => Some(lines().map(|()| Self::Json)),
            _ => None,
        }
    }

    /// Returns how a table of such lines is read.
    pub(super) fn storage(self) -> Storage {
        let mut storage = self.table_format().storage();
        if let Self::Delimited(delimiter) = self {
            for key in ["field.delim", "serialization.format"] {
                storage.serde_parameters.insert(key.to_owned(), delimiter.to_string());
            }
        }
        storage
    }

    /// Returns the format of tables of such lines.
    pub(super) fn table_format(self) -> TableFormat {
        match self {
            Self::Delimited(_) => TableFormat::Delimited,
            Self::Json => TableFormat::HiveJson,
        }
    }

    /// Returns how the name of an object ends.
    pub(super) fn ending(self, compression: TextCompression) -> &'static str {
        match (self, compression) {
            (Self::Delimited(_), TextCompression::Gzip) => "txt.gz",
            (Self::Delimited(_), TextCompression::Zstd) => "txt.zst",
            (Self::Delimited(_), TextCompression::None) => "txt",
            (Self::Json, TextCompression::Gzip) => "json.gz",
            (Self::Json, TextCompression::Zstd) => "json.zst",
            (Self::Json, TextCompression::None) => "json",
        }
    }
}

/// Returns the character of a text of one.
fn one(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

/// Encodes rows as lines.
#[derive(Debug)]
pub(super) struct LineEncoder {
    form: TextForm,
    columns: Vec<(String, Type)>,
    line: String,
    out: Compressed,
}

/// Lines on their way to the object.
enum Compressed {
    Plain(Vec<u8>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl std::fmt::Debug for Compressed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Gzip(_) => "Gzip",
            Self::Zstd(_) => "Zstd",
        })
    }
}

impl LineEncoder {
    /// Makes an encoder of one object.
    ///
    /// # Errors
    /// Those of the compression's library.
    pub(super) fn new(columns: &[(String, Type)], form: TextForm, compression: TextCompression) -> io::Result<Self> {
        let out = match compression {
            TextCompression::None => Compressed::Plain(Vec::new()),
            TextCompression::Gzip => {
                Compressed::Gzip(Box::new(GzEncoder::new(Vec::new(), flate2::Compression::default())))
            }
            TextCompression::Zstd => {
                Compressed::Zstd(Box::new(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?))
            }
        };
        Ok(Self { form, columns: columns.to_vec(), line: String::new(), out })
    }

    /// Takes rows.
    ///
    /// # Errors
    /// `InvalidData` for a value that a line cannot hold.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> io::Result<()> {
        for row in 0..rows.num_rows() {
            self.line.clear();
            line(&mut self.line, self.form, &self.columns, rows.columns(), row)?;
            self.out.write_all(self.line.as_bytes())?;
        }
        Ok(())
    }

    /// Ends the object.
    ///
    /// # Errors
    /// Those of the compression's library.
    pub(super) fn end(&mut self) -> io::Result<()> {
        match &mut self.out {
            Compressed::Plain(_) => Ok(()),
            Compressed::Gzip(encoder) => encoder.try_finish(),
            Compressed::Zstd(encoder) => encoder.do_finish(),
        }
    }

    /// Takes the bytes that are ready.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(match &mut self.out {
            Compressed::Plain(bytes) => bytes,
            Compressed::Gzip(encoder) => encoder.get_mut(),
            Compressed::Zstd(encoder) => encoder.get_mut(),
        })
    }
}

impl Compressed {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }
}

fn line(
    out: &mut String,
    form: TextForm,
    columns: &[(String, Type)],
    arrays: &[ArrayRef],
    row: usize,
) -> io::Result<()> {
    match form {
        TextForm::Delimited(delimiter) => {
            for (index, ((name, data_type), array)) in columns.iter().zip(arrays).enumerate() {
                if index > 0 {
                    out.push(delimiter);
                }
                delimited(out, name, delimiter, data_type, array, row, 0)?;
            }
        }
        TextForm::Json => {
            out.push('{');
            for (index, ((name, data_type), array)) in columns.iter().zip(arrays).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                quoted(out, name);
                out.push(':');
                json(out, name, data_type, array, row)?;
            }
            out.push('}');
        }
    }
    out.push('\n');
    Ok(())
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
) -> io::Result<()> {
    if array.data_type() == &DataType::Null || array.is_null(row) {
        out.push_str("\\N");
        return Ok(());
    }
    let separator = |level: usize| {
        NESTED.get(level).copied().ok_or_else(|| {
            invalid(format!("column `{column}` is nested deeper than text can tell: use another format"))
        })
    };
    let broken = || io::Error::other(format!("column `{column}` is not of its type"));
    let start = out.len();
    let mut parts = 0;
    match data_type {
        Type::Array(element) => {
            let items = array.as_any().downcast_ref::<ListArray>().ok_or_else(broken)?.value(row);
            parts = items.len();
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
            parts = fields.len();
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
            if out.get(start..).is_some_and(|text| text.contains(delimiter)) {
                return Err(untold(column));
            }
        }
        _ => {
            let text = display(data_type, array, row).unwrap_or_default();
            let mut open = NESTED.iter().take(level);
            if text == "\\N" || text.contains(['\n', '\r', delimiter]) || open.any(|sign| text.contains(*sign)) {
                return Err(untold(column));
            }
            out.push_str(&text);
        }
    }
    // `[NULL]` would be read as NULL, and `['']` as `[]`.
    if parts == 1 && out.get(start..).is_some_and(|text| text.is_empty() || text == "\\N") {
        return Err(invalid(format!(
            "a value of column `{column}` is a list or a row of one part, and that is NULL or empty, which delimited text cannot tell \
             from one without parts: use another format"
        )));
    }
    Ok(())
}

fn untold(column: &str) -> io::Error {
    invalid(format!(
        "a value of column `{column}` holds a line end, a delimiter or the sign of NULL, which a table of delimited text cannot tell \
         apart: use another delimiter or another format"
    ))
}

fn quoted(out: &mut String, text: &str) {
    // A text always has a JSON form.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Writes a value as Hive's JSON `SerDe` does: rows as objects, decimals as numbers.
fn json(out: &mut String, column: &str, data_type: &Type, array: &ArrayRef, row: usize) -> io::Result<()> {
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

/// Says which column has no form in JSON, by its type; none when all have one.
pub(super) fn json_problem(columns: &[(String, Type)]) -> Option<String> {
    fn of(data_type: &Type) -> Option<&'static str> {
        match data_type {
            Type::Array(element) => of(element),
            Type::Map(key, _) if **key == Type::Varbinary => Some("the keys of a map in JSON are text"),
            Type::Map(_, value) => of(value),
            Type::Row(fields) => {
                let mut seen = HashSet::new();
                let names = fields.iter().filter_map(|(name, _)| name.as_ref());
                let mut fields = fields.iter().map(|(_, field)| field);
                if names.map(|name| name.to_lowercase()).all(|name| seen.insert(name)) {
                    fields.find_map(of)
                } else {
                    Some("two fields of a row have one name: readers of JSON do not tell upper and lower case")
                }
            }
            _ => None,
        }
    }
    columns
        .iter()
        .find_map(|(name, data_type)| of(data_type).map(|why| format!("column `{name}` of type {data_type}: {why}")))
}

fn no_json(column: &str, value: &str) -> io::Error {
    invalid(format!("the value {value} has no form in JSON: column `{column}` of another type, or NULL, has one"))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn write(form: TextForm, compression: TextCompression, texts: &[Option<&str>]) -> io::Result<Vec<u8>> {
        let columns = [("n".to_owned(), Type::Bigint), ("s".to_owned(), Type::Varchar(None))];
        let mut encoder = LineEncoder::new(&columns, form, compression)?;
        let numbers: Vec<i64> = (0..).take(texts.len()).collect();
        let batch = RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from(numbers)) as ArrayRef),
            ("s", Arc::new(StringArray::from(texts.to_vec())) as ArrayRef),
        ])
        .unwrap();
        encoder.write(&batch)?;
        let mut bytes = encoder.take();
        encoder.end()?;
        bytes.extend(encoder.take());
        Ok(bytes)
    }

    fn lines(form: TextForm, texts: &[Option<&str>]) -> io::Result<String> {
        write(form, TextCompression::None, texts).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn lines_have_the_form() {
        assert_eq!(lines(TextForm::Delimited(','), &[Some("x"), None]).unwrap(), "0,x\n1,\\N\n");
        let json = lines(TextForm::Json, &[Some("a\n\"b"), None]).unwrap();
        assert_eq!(json, "{\"n\":0,\"s\":\"a\\n\\\"b\"}\n{\"n\":1,\"s\":null}\n");
    }

    #[test]
    fn an_object_is_compressed_whole() {
        let plain = lines(TextForm::Json, &[Some("x"), None]).unwrap();
        let gzip = write(TextForm::Json, TextCompression::Gzip, &[Some("x"), None]).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(gzip.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, plain);
        let zstd = write(TextForm::Json, TextCompression::Zstd, &[Some("x"), None]).unwrap();
        assert_eq!(zstd::decode_all(zstd.as_slice()).unwrap(), plain.as_bytes());
    }

    #[test]
    fn a_number_that_json_does_not_have_stops_the_query() {
        let numbers: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![1.5, f64::NAN, f64::NEG_INFINITY]));
        let mut out = String::new();
        json(&mut out, "x", &Type::Double, &numbers, 0).unwrap();
        assert_eq!(out, "1.5");
        let error = json(&mut out, "x", &Type::Double, &numbers, 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the value `NaN` has no form in JSON: column `x` of another type, or NULL, has one"
        );
        assert!(json(&mut out, "x", &Type::Double, &numbers, 2).is_err());
    }

    #[test]
    fn a_value_that_looks_like_a_sign_stops_the_query() {
        for text in ["a,b", "a\nb", "\\N"] {
            let error = lines(TextForm::Delimited(','), &[Some(text)]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text:?}");
        }
    }

    #[test]
    fn a_list_that_would_be_read_as_another_stops_the_query() {
        let list = |items: Vec<Option<&str>>| {
            let mut builder = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
            builder.append_value(items);
            let array: ArrayRef = Arc::new(builder.finish());
            let mut out = String::new();
            let data_type = Type::Array(Arc::new(Type::Varchar(None)));
            delimited(&mut out, "a", ',', &data_type, &array, 0, 0).map(|()| out)
        };
        assert_eq!(list(vec![]).unwrap(), "");
        assert_eq!(list(vec![Some(""), None]).unwrap(), "\u{2}\\N");
        assert!(list(vec![None]).is_err() && list(vec![Some("")]).is_err());
        let bytes: ArrayRef = Arc::new(arrow::array::BinaryArray::from(vec![&[0_u8][..]]));
        assert!(delimited(&mut String::new(), "a", '=', &Type::Varbinary, &bytes, 0, 0).is_err());
    }

    #[test]
    fn what_lines_are_not_written_with_is_named() {
        let of = |format: TableFormat, pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let mut storage = format.storage();
            storage.serde_parameters.clear();
            TextForm::of_table(&storage, &pairs)
        };
        assert_eq!(of(TableFormat::Delimited, &[]), Some(Ok(TextForm::default())));
        assert_eq!(of(TableFormat::Delimited, &[("field.delim", ";")]), Some(Ok(TextForm::Delimited(';'))));
        assert_eq!(of(TableFormat::Delimited, &[("serialization.format", "9")]), Some(Ok(TextForm::Delimited('\t'))));
        assert_eq!(of(TableFormat::HiveJson, &[("skip.header.line.count", "0")]), Some(Ok(TextForm::Json)));
        assert_eq!(of(TableFormat::OpenxJson, &[]), None);
        assert_eq!(of(TableFormat::Parquet, &[]), None);
        for (key, value) in [
            ("escape.delim", "\\"),
            ("serialization.null.format", ""),
            ("skip.header.line.count", "1"),
            ("timestamp.formats", "yyyy"),
        ] {
            let why = Some(Err(format!("its property `{key}`")));
            assert_eq!(of(TableFormat::Delimited, &[(key, value)]), why);
        }
        let why = Some(Err("its delimiter of more than one character".to_owned()));
        assert_eq!(of(TableFormat::Delimited, &[("field.delim", "ab")]), why);
        let why = Some(Err("its delimiter `\\u{2}`".to_owned()));
        assert_eq!(of(TableFormat::Delimited, &[("field.delim", "\u{2}")]), why);
    }
}
