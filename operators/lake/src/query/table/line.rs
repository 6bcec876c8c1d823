//! Lines of text tables: delimited (`LazySimpleSerDe`), CSV (`OpenCSVSerde`), JSON, and those that a pattern takes apart, from text
//! to columns.
//!
//! As in Hive, a record is a line: a line end inside quotes ends the record.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, ListArray, MapArray, StringArray, StructArray, new_null_array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field};
use indexmap::IndexMap;
use serde_json::Value;

use super::delimited::Delimited;
use super::pattern::PatternLines;
use crate::catalog::{Storage as Descriptor, TableFormat, descriptor};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Type;

/// How the lines of a table are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineForm {
    kind: Kind,
    /// Lines at the beginning of an object that are no records.
    pub(super) skip: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Delimited(Delimited),
    Csv { separator: char, quote: char, escape: char },
    Json { ignore_malformed: bool },
    Pattern(PatternLines),
}

impl LineForm {
    /// Reads the form from a descriptor.
    pub(super) fn try_new(format: TableFormat, storage: &Descriptor, table: &IndexMap<String, String>) -> Result<Self> {
        let parameter = |name: &str| descriptor::parameter(storage, table, name);
        let skip = match parameter("skip.header.line.count") {
            None => 0,
            Some(text) => text.parse().map_err(|_| wrong("skip.header.line.count", text, "a number of lines"))?,
        };
        if let Some(text) = parameter("line.delim").filter(|text| *text != "\n") {
            return Err(wrong("line.delim", text, "a line feed, the one that is supported"));
        }
        let kind = match format {
            TableFormat::OpenCsv => Kind::Csv {
                separator: one(parameter("separatorChar"), "separatorChar")?.unwrap_or(','),
                quote: one(parameter("quoteChar"), "quoteChar")?.unwrap_or('"'),
                escape: one(parameter("escapeChar"), "escapeChar")?.unwrap_or('\\'),
            },
            TableFormat::HiveJson => Kind::Json { ignore_malformed: false },
            TableFormat::OpenxJson => {
                Kind::Json { ignore_malformed: parameter("ignore.malformed.json") == Some("true") }
            }
            TableFormat::Regex => Kind::Pattern(PatternLines::regex(&parameter)?),
            TableFormat::Grok => Kind::Pattern(PatternLines::grok(&parameter)?),
            TableFormat::Delimited | TableFormat::Parquet | TableFormat::Avro | TableFormat::Orc => {
                Kind::Delimited(Delimited::new(
                    match parameter("field.delim") {
                        Some(text) => one(Some(text), "field.delim")?,
                        None => serialization_format(parameter("serialization.format"))?,
                    },
                    // Hive itself writes the name with this slip: HIVE-11785.
                    one(parameter("collection.delim").or_else(|| parameter("colelction.delim")), "collection.delim")?,
                    one(parameter("mapkey.delim"), "mapkey.delim")?,
                    one(parameter("escape.delim"), "escape.delim")?,
                    parameter("serialization.null.format"),
                ))
            }
        };
        Ok(Self { kind, skip })
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
            Kind::Csv { separator, quote, escape } => {
                let rows: Vec<Vec<Option<String>>> =
                    lines.iter().map(|line| split_csv(line, *separator, *quote, *escape)).collect();
                texts(&rows, columns, wanted)
            }
            Kind::Json { ignore_malformed } => {
                let rows = lines
                    .iter()
                    .map(|line| match serde_json::from_str::<Value>(line) {
                        Ok(Value::Object(object)) => Ok(Some(object)),
                        _ if *ignore_malformed => Ok(None),
                        Ok(_) => Err(bad_line(line, "it is no JSON object")),
                        Err(error) => Err(bad_line(line, &error.to_string())),
                    })
                    .collect::<Result<Vec<_>>>()?;
                wanted
                    .iter()
                    .filter_map(|index| columns.get(*index))
                    .map(|(name, data_type)| {
                        let values: Vec<Option<&Value>> = rows
                            .iter()
                            .map(|row| {
                                let row = row.as_ref()?;
                                row.get(name).or_else(|| {
                                    row.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
                                })
                            })
                            .collect();
                        from_json(name, &values, data_type)
                    })
                    .collect()
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

fn bad_line(line: &str, why: &str) -> Error {
    let shown: String = line.chars().take(80).collect();
    Error::new(
        ErrorKind::InvalidData,
        "read a JSON line",
        format!("HIVE_CURSOR_ERROR: the line `{}` cannot be read: {why}", shown.escape_debug()),
    )
}

/// What a value that does not fit its type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Badness {
    /// NULL, as in Hive's lazy types.
    Null,
    /// An error.
    Error,
}

fn split_csv(line: &str, separator: char, quote: char, escape: char) -> Vec<Option<String>> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        if quoted && character == quote && characters.peek() == Some(&quote) {
            field.push(quote);
            characters.next();
        } else if quoted && character == escape && escape != quote {
            match characters.peek() {
                Some(next) if *next == quote || *next == escape => {
                    field.push(*next);
                    characters.next();
                }
                _ => {}
            }
        } else if character == quote {
            quoted = !quoted;
        } else if character == separator && !quoted {
            fields.push(Some(std::mem::take(&mut field)));
        } else {
            field.push(character);
        }
    }
    fields.push(Some(field));
    fields
}

fn texts(rows: &[Vec<Option<String>>], columns: &[(String, Type)], wanted: &[usize]) -> Result<Vec<ArrayRef>> {
    wanted
        .iter()
        .filter_map(|index| columns.get(*index).map(|column| (*index, column)))
        .map(|(index, (name, data_type))| {
            let values: Vec<Option<&str>> =
                rows.iter().map(|row| row.get(index).and_then(|field| field.as_deref())).collect();
            from_text(name, &values, data_type, Badness::Error)
        })
        .collect()
}

/// Turns the texts of a column into its type.
pub(super) fn from_text(name: &str, values: &[Option<&str>], data_type: &Type, badness: Badness) -> Result<ArrayRef> {
    let target = data_type.to_arrow();
    let text: ArrayRef = match (data_type, badness) {
        (Type::Boolean, _) => {
            let mut booleans = Vec::with_capacity(values.len());
            for value in values {
                booleans.push(match value {
                    Some(text) if text.eq_ignore_ascii_case("true") => Some(true),
                    Some(text) if text.eq_ignore_ascii_case("false") => Some(false),
                    Some(text) if badness == Badness::Error => return Err(bad_value(name, text, data_type)),
                    _ => None,
                });
            }
            return Ok(Arc::new(BooleanArray::from(booleans)));
        }
        (Type::Varbinary, _) => {
            use base64::Engine as _;
            // Hive's text SerDe keeps binary as base64, and takes what is none as it stands.
            let bytes: datafusion::arrow::array::BinaryArray = values
                .iter()
                .map(|value| {
                    value.map(|text| {
                        base64::engine::general_purpose::STANDARD
                            .decode(text)
                            .unwrap_or_else(|_| text.as_bytes().to_vec())
                    })
                })
                .collect();
            return Ok(Arc::new(bytes));
        }
        (Type::Array(_) | Type::Map(_, _) | Type::Row(_), _) => {
            return Err(Error::new(
                ErrorKind::UnsupportedSql,
                "read a table",
                format!(
                    "column `{name}` of type {data_type} in a table of CSV is not supported: OpenCSVSerde has no such values"
                ),
            ));
        }
        // OpenCSV keeps dates as days and timestamps as milliseconds since 1970.
        (Type::Date, Badness::Error) => number_first(name, values, data_type, &DataType::Int32)?,
        (Type::Timestamp(_), Badness::Error) => {
            let millis = number_first(name, values, data_type, &DataType::Int64)?;
            let unit = DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Millisecond, None);
            cast_with_options(&millis, &unit, &CastOptions::default()).map_err(|error| cast_failed(name, &error))?
        }
        _ => Arc::new(values.iter().copied().collect::<StringArray>()),
    };
    let options = CastOptions { safe: badness == Badness::Null, ..CastOptions::default() };
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

fn bad_value(name: &str, text: &str, data_type: &Type) -> Error {
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

/// Turns the JSON values of a column into its type.
fn from_json(name: &str, values: &[Option<&Value>], data_type: &Type) -> Result<ArrayRef> {
    let present = |value: Option<&Value>| value.is_some_and(|value| !value.is_null());
    match data_type {
        Type::Array(element) => {
            let mut lengths = Vec::with_capacity(values.len());
            let mut elements = Vec::new();
            for value in values {
                match value {
                    Some(Value::Array(items)) => {
                        lengths.push(items.len());
                        elements.extend(items.iter().map(Some));
                    }
                    None | Some(Value::Null) => lengths.push(0),
                    Some(other) => return Err(bad_value(name, &other.to_string(), data_type)),
                }
            }
            let nulls: NullBuffer = values.iter().copied().map(present).collect();
            let items = from_json(name, &elements, element)?;
            let field = Arc::new(Field::new("item", element.to_arrow(), true));
            let list = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), items, Some(nulls));
            Ok(Arc::new(list.map_err(|error| cast_failed(name, &error))?))
        }
        Type::Map(key, value_type) => {
            let mut lengths = Vec::with_capacity(values.len());
            let mut keys = Vec::new();
            let mut items = Vec::new();
            for value in values {
                match value {
                    Some(Value::Object(object)) => {
                        lengths.push(object.len());
                        keys.extend(object.keys().map(|key| Some(key.as_str())));
                        items.extend(object.values().map(Some));
                    }
                    None | Some(Value::Null) => lengths.push(0),
                    Some(other) => return Err(bad_value(name, &other.to_string(), data_type)),
                }
            }
            let nulls: NullBuffer = values.iter().copied().map(present).collect();
            let entries = StructArray::try_new(
                vec![Field::new("key", key.to_arrow(), false), Field::new("value", value_type.to_arrow(), true)].into(),
                vec![from_text(name, &keys, key, Badness::Error)?, from_json(name, &items, value_type)?],
                None,
            )
            .map_err(|error| cast_failed(name, &error))?;
            let field =
                Arc::new(Field::new("entries", datafusion::arrow::array::Array::data_type(&entries).clone(), false));
            let map = MapArray::try_new(field, OffsetBuffer::from_lengths(lengths), entries, Some(nulls), false);
            Ok(Arc::new(map.map_err(|error| cast_failed(name, &error))?))
        }
        Type::Row(fields) => {
            for value in values.iter().flatten() {
                if !matches!(value, Value::Object(_) | Value::Null) {
                    return Err(bad_value(name, &value.to_string(), data_type));
                }
            }
            let columns = fields
                .iter()
                .map(|(field, field_type)| {
                    let inner: Vec<Option<&Value>> = values
                        .iter()
                        .map(|value| {
                            let object = value.and_then(Value::as_object)?;
                            let field = field.as_deref()?;
                            object.iter().find(|(key, _)| key.eq_ignore_ascii_case(field)).map(|(_, value)| value)
                        })
                        .collect();
                    from_json(name, &inner, field_type)
                })
                .collect::<Result<Vec<_>>>()?;
            let nulls: NullBuffer = values.iter().copied().map(present).collect();
            let DataType::Struct(fields) = data_type.to_arrow() else {
                return Ok(new_null_array(&data_type.to_arrow(), values.len()));
            };
            let row = StructArray::try_new(fields, columns, Some(nulls));
            Ok(Arc::new(row.map_err(|error| cast_failed(name, &error))?))
        }
        _ => {
            let texts: Vec<Option<String>> = values
                .iter()
                .map(|value| match value {
                    None | Some(Value::Null) => None,
                    Some(Value::String(text)) => Some(text.clone()),
                    Some(other) => Some(other.to_string()),
                })
                .collect();
            let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
            if matches!(data_type, Type::Date | Type::Timestamp(_)) {
                // Dates and times are text in JSON, not the numbers of OpenCSV.
                return from_strict_text(name, &texts, data_type);
            }
            from_text(name, &texts, data_type, Badness::Error)
        }
    }
}

fn from_strict_text(name: &str, values: &[Option<&str>], data_type: &Type) -> Result<ArrayRef> {
    let text: ArrayRef = Arc::new(values.iter().copied().collect::<StringArray>());
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let array = cast_with_options(&text, &data_type.to_arrow(), &options).map_err(|error| cast_failed(name, &error))?;
    super::adapt::adapt(&array, data_type).map_err(|error| cast_failed(name, &error))
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
        let error = shown(&form, &["1", ""], &[("n", Type::Integer)]).unwrap_err();
        assert_eq!(error.to_string(), "HIVE_BAD_DATA: the value `` of column `n` is no integer");
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
