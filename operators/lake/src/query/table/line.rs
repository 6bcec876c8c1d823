//! Lines of text tables: delimited (`LazySimpleSerDe`), CSV (`OpenCSVSerde`), JSON, and those that a pattern takes apart, from text
//! to columns.
//!
//! As in Hive, a record is a line: a line end inside quotes ends the record.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, StringArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::DataType;
use indexmap::IndexMap;

use super::delimited::Delimited;
use super::json_lines::{JsonLines, Openx};
use super::pattern::PatternLines;
use super::time_formats::{self, TimeFormats};
use super::typed_text::{Rules, typed};
use crate::catalog::{Storage as Descriptor, TableFormat, descriptor};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Type;

/// How the lines of a table are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineForm {
    kind: Kind,
    /// Lines at the beginning of an object that are no records.
    pub(super) header: usize,
    /// Lines at its end that are none.
    pub(super) footer: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Delimited(Delimited),
    Csv { separator: char, quote: char, escape: char },
    Json(JsonLines),
    Pattern(PatternLines),
}

/// How many lines an object may have behind its records: they are held until its end is known.
const MOST_FOOTER_LINES: usize = 1_000;

impl LineForm {
    /// Reads the form from a descriptor.
    pub(super) fn try_new(format: TableFormat, storage: &Descriptor, table: &IndexMap<String, String>) -> Result<Self> {
        let parameter = |name: &str| descriptor::parameter(storage, table, name);
        let lines = |name: &str| match parameter(name) {
            None => Ok(0),
            Some(text) => text.trim().parse::<usize>().map_err(|_| wrong(name, text, "a number of lines")),
        };
        let (header, footer) = (lines("skip.header.line.count")?, lines("skip.footer.line.count")?);
        if footer > MOST_FOOTER_LINES {
            let text = footer.to_string();
            return Err(wrong("skip.footer.line.count", &text, &format!("at most {MOST_FOOTER_LINES} lines")));
        }
        if let Some(text) = parameter("line.delim").filter(|text| *text != "\n") {
            return Err(wrong("line.delim", text, "a line feed, the one that is supported"));
        }
        let times = TimeFormats::new(parameter(time_formats::PARAMETER));
        let kind = match format {
            TableFormat::OpenCsv => Kind::Csv {
                separator: one(parameter("separatorChar"), "separatorChar")?.unwrap_or(','),
                quote: one(parameter("quoteChar"), "quoteChar")?.unwrap_or('"'),
                escape: one(parameter("escapeChar"), "escapeChar")?.unwrap_or('\\'),
            },
            TableFormat::HiveJson => Kind::Json(JsonLines::Hive(times)),
            TableFormat::OpenxJson => {
                let parameters = storage.serde_parameters.iter().chain(table);
                let parameters = parameters.map(|(key, value)| (key.as_str(), value.as_str()));
                Kind::Json(JsonLines::Openx(Openx::new(&parameters), times))
            }
            TableFormat::Regex => Kind::Pattern(PatternLines::regex(&parameter)?),
            TableFormat::Grok => Kind::Pattern(PatternLines::grok(&parameter)?),
            TableFormat::Delimited | TableFormat::Parquet | TableFormat::Avro | TableFormat::Orc => {
                let delimited = Delimited::new(
                    match parameter("field.delim") {
                        Some(text) => one(Some(text), "field.delim")?,
                        None => serialization_format(parameter("serialization.format"))?,
                    },
                    // Hive itself writes the name with this slip: HIVE-11785.
                    one(parameter("collection.delim").or_else(|| parameter("colelction.delim")), "collection.delim")?,
                    one(parameter("mapkey.delim"), "mapkey.delim")?,
                    one(parameter("escape.delim"), "escape.delim")?,
                    parameter("serialization.null.format"),
                );
                let rest = parameter("serialization.last.column.takes.rest");
                Kind::Delimited(delimited.with_rest(rest).with_times(times))
            }
        };
        Ok(Self { kind, header, footer })
    }

    /// Turns lines into the wanted columns (by index among all of the table's).
    ///
    /// # Errors
    /// `InvalidData` that names the column and the value, where the `SerDe` does not take a bad value for NULL.
    pub(super) fn columns(
        &self,
        lines: &[String],
        columns: &[(String, Type)],
        wanted: &[usize],
    ) -> Result<Vec<ArrayRef>> {
        match &self.kind {
            Kind::Delimited(form) => form.columns(lines, columns, wanted),
            Kind::Pattern(form) => form.columns(lines, columns, wanted),
            Kind::Json(form) => form.columns(lines, columns, wanted),
            Kind::Csv { separator, quote, escape } => {
                let rows: Vec<Vec<Option<String>>> =
                    lines.iter().map(|line| split_csv(line, *separator, *quote, *escape)).collect();
                texts(&rows, columns, wanted)
            }
        }
    }
}

fn one(text: Option<&str>, name: &str) -> Result<Option<char>> {
    let Some(text) = text else { return Ok(None) };
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Ok(Some(character)),
        // Hive also takes the number of the character: `9` is a tab only when longer than a digit, `1` is the digit.
        _ => match text.parse::<u32>().ok().and_then(char::from_u32) {
            Some(character) => Ok(Some(character)),
            None => Err(wrong(name, text, "one character")),
        },
    }
}

/// Reads the parameter that stands for all separators: a number is the character's, as `1` for ^A.
fn serialization_format(text: Option<&str>) -> Result<Option<char>> {
    match text.and_then(|text| text.parse::<u8>().ok()) {
        Some(number) => Ok(Some(char::from(number))),
        None => one(text, "serialization.format"),
    }
}

pub(super) fn wrong(name: &str, text: &str, expected: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "read a table",
        format!("expected {expected} in the SerDe's parameter `{name}`, found `{}`", text.escape_debug()),
    )
}

/// Takes a line apart as `OpenCSV`'s parser does.
///
/// An escape and a doubled quote count only inside a field: in quotes or behind its first character. A quote in the middle of a
/// field is kept. A field that ends inside its quotes is none, and neither is one of an empty line.
fn split_csv(line: &str, separator: char, quote: char, escape: char) -> Vec<Option<String>> {
    let characters: Vec<char> = line.chars().collect();
    let mut fields = Vec::new();
    let mut field = String::new();
    let (mut in_quotes, mut in_field) = (false, false);
    let mut at = 0;
    while let Some(character) = characters.get(at).copied() {
        let next = characters.get(at + 1).copied();
        let is_inside = in_quotes || in_field;
        if character == escape {
            if let Some(next) = next.filter(|next| is_inside && (*next == quote || *next == escape)) {
                field.push(next);
                at += 1;
            }
        } else if character == quote {
            if is_inside && next == Some(quote) {
                field.push(quote);
                at += 1;
            } else {
                let is_behind_separator = at > 2 && characters.get(at - 1) == Some(&separator);
                if at > 2 && !is_behind_separator && next.is_some_and(|next| next != separator) {
                    if !field.is_empty() && field.chars().all(char::is_whitespace) {
                        field.clear();
                    } else {
                        field.push(quote);
                    }
                }
                in_quotes = !in_quotes;
            }
            in_field = !in_field;
        } else if character == separator && !in_quotes {
            fields.push(Some(std::mem::take(&mut field)));
            in_field = false;
        } else {
            field.push(character);
            in_field = true;
        }
        at += 1;
    }
    fields.push((!in_quotes && !characters.is_empty()).then_some(field));
    fields
}

fn texts(rows: &[Vec<Option<String>>], columns: &[(String, Type)], wanted: &[usize]) -> Result<Vec<ArrayRef>> {
    wanted
        .iter()
        .filter_map(|index| columns.get(*index).map(|column| (*index, column)))
        .map(|(index, (name, data_type))| {
            let values: Vec<Option<&str>> =
                rows.iter().map(|row| row.get(index).and_then(|field| field.as_deref())).collect();
            from_csv(name, &values, data_type)
        })
        .collect()
}

/// Turns the texts of a column of CSV into its type: a text that is none is an error.
fn from_csv(name: &str, values: &[Option<&str>], data_type: &Type) -> Result<ArrayRef> {
    let target = data_type.to_arrow();
    let text: ArrayRef = match data_type {
        Type::Boolean => {
            let mut booleans = Vec::with_capacity(values.len());
            for value in values {
                booleans.push(match value {
                    Some(text) if text.eq_ignore_ascii_case("true") => Some(true),
                    Some(text) if text.eq_ignore_ascii_case("false") => Some(false),
                    Some(text) => return Err(bad_value(name, text, data_type)),
                    None => None,
                });
            }
            return Ok(Arc::new(BooleanArray::from(booleans)));
        }
        Type::Varbinary => return typed(name, values, data_type, Rules::Lazy),
        Type::Array(_) | Type::Map(_, _) | Type::Row(_) => {
            return Err(Error::new(
                ErrorKind::UnsupportedSql,
                "read a table",
                format!(
                    "column `{name}` of type {data_type} in a table of CSV is not supported: OpenCSVSerde has no such values"
                ),
            ));
        }
        // OpenCSV keeps dates as days and timestamps as milliseconds since 1970.
        Type::Date => number_first(name, values, data_type, &DataType::Int32)?,
        Type::Timestamp(_) => {
            let millis = number_first(name, values, data_type, &DataType::Int64)?;
            let unit = DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Millisecond, None);
            cast_with_options(&millis, &unit, &CastOptions::default()).map_err(|error| cast_failed(name, &error))?
        }
        _ => Arc::new(values.iter().copied().collect::<StringArray>()),
    };
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let array = match (&target, text.data_type()) {
        (DataType::Utf8, DataType::Utf8) => text,
        _ => match cast_with_options(&text, &target, &options) {
            Ok(array) => array,
            Err(error) => return Err(first_bad(name, values, data_type).unwrap_or_else(|| cast_failed(name, &error))),
        },
    };
    super::adapt::adapt(&array, data_type).map_err(|error| cast_failed(name, &error))
}

fn number_first(name: &str, values: &[Option<&str>], data_type: &Type, number: &DataType) -> Result<ArrayRef> {
    let mut numbers = Vec::with_capacity(values.len());
    for value in values {
        numbers.push(match value {
            None => None,
            Some(text) => Some(text.trim().parse::<i64>().map_err(|_| bad_value(name, text, data_type))?),
        });
    }
    let numbers: ArrayRef = Arc::new(datafusion::arrow::array::Int64Array::from(numbers));
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&numbers, number, &options).map_err(|error| cast_failed(name, &error))
}

/// Finds the first text that is no value of a type; none when each of them is one.
fn first_bad(name: &str, values: &[Option<&str>], data_type: &Type) -> Option<Error> {
    let target = data_type.to_arrow();
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let fits = |text: &str| {
        let one: ArrayRef = Arc::new(StringArray::from(vec![text]));
        cast_with_options(&one, &target, &options).is_ok()
    };
    values.iter().flatten().find(|text| !fits(text)).map(|text| bad_value(name, text, data_type))
}

pub(super) fn bad_value(name: &str, text: &str, data_type: &Type) -> Error {
    let shown: String = text.chars().take(80).collect();
    Error::new(
        ErrorKind::InvalidData,
        "read a table",
        format!("HIVE_BAD_DATA: the value `{}` of column `{name}` is no {data_type}", shown.escape_debug()),
    )
}

pub(super) fn cast_failed(name: &str, error: &dyn std::error::Error) -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "read a table",
        format!("HIVE_BAD_DATA: a value of column `{name}` does not fit: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(form: &LineForm, lines: &[&str], columns: &[(&str, Type)]) -> Result<Vec<String>> {
        let columns: Vec<(String, Type)> = columns.iter().map(|(name, t)| ((*name).to_owned(), t.clone())).collect();
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let wanted: Vec<usize> = (0..columns.len()).collect();
        let arrays = form.columns(&lines, &columns, &wanted)?;
        let options = datafusion::arrow::util::display::FormatOptions::default().with_null("NULL");
        Ok((0..lines.len())
            .map(|row| {
                let cells: Vec<String> = arrays
                    .iter()
                    .map(|array| {
                        datafusion::arrow::util::display::ArrayFormatter::try_new(array, &options)
                            .unwrap()
                            .value(row)
                            .to_string()
                    })
                    .collect();
                cells.join("|")
            })
            .collect())
    }

    fn form(format: TableFormat, parameters: &[(&str, &str)]) -> LineForm {
        let mut storage = format.storage();
        for (key, value) in parameters {
            storage.serde_parameters.insert((*key).to_owned(), (*value).to_owned());
        }
        LineForm::try_new(format, &storage, &IndexMap::new()).unwrap()
    }

    #[test]
    fn delimited_values_that_do_not_fit_are_null() {
        let form = form(TableFormat::Delimited, &[("field.delim", ","), ("escape.delim", "\\")]);
        let columns = [("a", Type::Integer), ("b", Type::Varchar(None)), ("c", Type::Decimal(4, 1))];
        let rows = shown(&form, &["1,x\\,y,2.5", "\\N,\\N,\\N", "zz,,9999999", "5"], &columns).unwrap();
        assert_eq!(rows, ["1|x,y|2.5", "NULL|NULL|NULL", "NULL||NULL", "5|NULL|NULL"]);
    }

    #[test]
    fn csv_has_quotes_and_strict_numbers() {
        let form = form(TableFormat::OpenCsv, &[]);
        let columns = [("a", Type::Varchar(None)), ("b", Type::Date), ("c", Type::Timestamp(3))];
        let rows = shown(&form, &[r#""a,""b""",1,1500"#, r#""x\"y",0,0"#], &columns).unwrap();
        assert_eq!(rows, ["a,\"b\"|1970-01-02|1970-01-01T00:00:01.500", "x\"y|1970-01-01|1970-01-01T00:00:00"]);
        let error = shown(&form, &["x"], &[("n", Type::Bigint)]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidData);
        assert_eq!(error.to_string(), "HIVE_BAD_DATA: the value `x` of column `n` is no bigint");
        let error = shown(&form, &["1", "\"\""], &[("n", Type::Integer)]).unwrap_err();
        assert_eq!(error.to_string(), "HIVE_BAD_DATA: the value `` of column `n` is no integer");
    }

    /// What Trino 476 answers.
    #[test]
    fn csv_is_taken_apart_as_by_opencsv() {
        let fields = |line: &str| {
            let fields = split_csv(line, ',', '"', '\\');
            fields.iter().map(|field| field.as_deref().unwrap_or("NULL").to_owned()).collect::<Vec<_>>().join("|")
        };
        for (line, expected) in [
            (r#"2,a\"b,,,"#, r#"2|a"b|||"#),
            (r#""a,""b""",1"#, r#"a,"b"|1"#),
            (r#""x\"y",0"#, r#"x"y|0"#),
            (r#"a,bc"d"ef,g"#, r#"a|bc"d"ef|g"#),
            (r#"1, "a b",2"#, "1|a b|2"),
            (r#"1,"a,b"#, "1|NULL"),
            (r#""","",x"#, "||x"),
            (r"a\b\\c", r"ab\c"),
            ("", "NULL"),
        ] {
            assert_eq!(fields(line), expected, "{line}");
        }
    }

    #[test]
    fn json_reads_nested_values_in_any_case() {
        let row = Type::Row(Arc::from([(Some("x".to_owned()), Type::Bigint)]));
        let columns = [("id", Type::Bigint), ("tags", Type::Array(Arc::new(Type::Varchar(None)))), ("r", row)];
        let form = form(TableFormat::HiveJson, &[]);
        let rows = shown(&form, &[r#"{"ID":1,"tags":["a",null],"r":{"X":2}}"#, r#"{"tags":null}"#], &columns).unwrap();
        assert_eq!(rows, ["1|[a, NULL]|{_0: 2}", "NULL|NULL|NULL"]);
        let error = shown(&form, &["{"], &columns).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidData);
        assert!(error.to_string().starts_with("HIVE_CURSOR_ERROR: the line `{` cannot be read: "), "{error}");
        let lenient = self::form(TableFormat::OpenxJson, &[("ignore.malformed.json", "true")]);
        assert_eq!(shown(&lenient, &["{"], &columns).unwrap(), ["NULL|NULL|NULL"]);
    }
}
