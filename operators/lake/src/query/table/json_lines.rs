//! Lines that are JSON: Hive's `JsonSerDe` and openx's. Numbers stay the text they are until their column's type is known, so no
//! digit is lost.
//!
//! <https://docs.aws.amazon.com/athena/latest/ug/hive-json-serde.html>,
//! <https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html>.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array as _, ArrayRef, ListArray, MapArray, StructArray, new_null_array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field};

mod keys;
mod shown;

use keys::Keys;
use shown::{compact, is_blank, unquoted, without_half_characters};

use super::line::{bad_value, cast_failed};
use super::time_formats::TimeFormats;
use super::typed_text::{Kept, Rules, distinct, typed, typed_by};
use crate::error::{Error, ErrorKind, Result};
use crate::load::parse::json::{self, Kind, Value};
use crate::sql::Type;

/// How the lines of a table are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JsonLines {
    /// Hive's `SerDe`: what is not as it should be is an error.
    Hive(TimeFormats),
    /// openx's: much is taken for NULL. Its formats of times are of another language.
    Openx(Openx, TimeFormats),
}

/// The parameters of openx's `SerDe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Openx {
    ignore_malformed: bool,
    case_insensitive: bool,
    dots_in_keys: bool,
    /// From columns to the keys that stand for them.
    mappings: Vec<(String, String)>,
}

impl Openx {
    /// Reads the parameters.
    pub(super) fn new<'p>(parameters: &(impl Iterator<Item = (&'p str, &'p str)> + Clone)) -> Self {
        let word = |name: &str| parameters.clone().find(|(key, _)| *key == name).map(|(_, value)| value);
        let is_true = |name: &str| word(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let case_insensitive = word("case.insensitive").is_none_or(|value| value.eq_ignore_ascii_case("true"));
        let mappings = parameters
            .clone()
            .filter_map(|(key, value)| Some((key.strip_prefix("mapping.")?.to_owned(), value.to_owned())));
        Self {
            ignore_malformed: is_true("ignore.malformed.json"),
            case_insensitive,
            dots_in_keys: is_true("dots.in.keys"),
            mappings: mappings.collect(),
        }
    }
}

impl JsonLines {
    /// Turns lines into the wanted columns (by index among all of the table's).
    ///
    /// # Errors
    /// `InvalidData` for a line that is no JSON, and for a value that does not fit where the `SerDe` does not take it for NULL.
    pub(super) fn columns(
        &self,
        lines: &[String],
        columns: &[(String, Type)],
        wanted: &[usize],
    ) -> Result<Vec<ArrayRef>> {
        let wanted: Vec<(usize, &(String, Type))> =
            wanted.iter().filter_map(|index| columns.get(*index).map(|column| (*index, column))).collect();
        let names: Vec<(usize, Option<&str>)> =
            wanted.iter().map(|(index, (name, _))| (*index, Some(name.as_str()))).collect();
        let keys = Keys::new(self, &names);
        let rows = lines.iter().map(|line| self.row(line, &keys)).collect::<Result<Vec<_>>>()?;
        wanted
            .iter()
            .enumerate()
            .map(|(at, (_, (name, data_type)))| {
                let values: Vec<Option<Value<'_>>> = rows.iter().map(|row| row.get(at).copied().flatten()).collect();
                self.column(name, &values, data_type)
            })
            .collect()
    }

    /// Reads the fields of a line; one that has none is a row of NULLs.
    fn row<'l>(&self, line: &'l str, keys: &Keys) -> Result<Vec<Option<Value<'l>>>> {
        let Self::Openx(openx, _) = self else {
            return match json::read_value(line.as_bytes()) {
                Ok(value) if value.kind == Kind::Object => Ok(Self::fields(value, keys)),
                Ok(_) => Err(bad_line(line, "it is no JSON object")),
                Err(error) => Err(bad_syntax(line, error)),
            };
        };
        // Neither an object nor an array: its reader sees nothing in it.
        if !line.trim_start().starts_with(['{', '[']) {
            return Ok(Vec::new());
        }
        match json::read_value(line.as_bytes()) {
            Ok(value) => Ok(Self::fields(value, keys)),
            Err(_) if openx.ignore_malformed => Ok(Vec::new()),
            Err(error) => Err(bad_syntax(line, error)),
        }
    }

    /// Finds the fields of an object by name, and of an array by their place.
    fn fields<'l>(value: Value<'l>, keys: &Keys) -> Vec<Option<Value<'l>>> {
        if value.kind == Kind::Array {
            let elements = json::elements(value);
            return keys.places.iter().map(|place| elements.get(*place).copied()).collect();
        }
        let mut found = vec![None; keys.places.len()];
        let mut dotted = vec![None; keys.places.len()];
        json::for_members(value, &mut |key, value| {
            let Ok(key) = std::str::from_utf8(&key) else { return };
            for at in keys.of(key) {
                // Of a key that stands there twice, the last counts.
                if let Some(found) = found.get_mut(*at) {
                    *found = Some(value);
                }
            }
            for at in keys.of_dotted(key) {
                if let Some(first @ None) = dotted.get_mut(*at) {
                    *first = Some(value);
                }
            }
        });
        found.into_iter().zip(dotted).map(|(found, dotted)| found.or(dotted)).collect()
    }

    fn is_openx(&self) -> bool {
        matches!(self, Self::Openx(..))
    }

    /// Turns the values of a column, or of what is nested in one, into its type.
    fn column(&self, name: &str, values: &[Option<Value<'_>>], data_type: &Type) -> Result<ArrayRef> {
        match data_type {
            Type::Array(element) => self.list(name, values, data_type, element),
            Type::Map(key, value) => self.map(name, values, data_type, (key, value)),
            Type::Row(fields) => self.object(name, values, data_type, fields),
            _ => self.scalars(name, values, data_type),
        }
    }

    fn list(&self, name: &str, values: &[Option<Value<'_>>], data_type: &Type, element: &Type) -> Result<ArrayRef> {
        let mut lengths = Vec::with_capacity(values.len());
        let mut elements = Vec::new();
        let mut present = Vec::with_capacity(values.len());
        for value in values {
            let items = match value {
                None => None,
                Some(value) if value.kind == Kind::Null => None,
                Some(value) if value.kind == Kind::Array => Some(json::elements(*value)),
                Some(value) if !self.is_openx() => return Err(bad_json(name, *value, data_type)),
                Some(value) if value.text == b"\"\"" => None,
                // openx takes one value for a list of one.
                Some(value) => Some(vec![*value]),
            };
            present.push(items.is_some());
            lengths.push(items.as_ref().map_or(0, Vec::len));
            elements.extend(items.into_iter().flatten().map(Some));
        }
        let items = self.column(name, &elements, element)?;
        let field = Arc::new(Field::new("item", element.to_arrow(), true));
        let list =
            ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), items, Some(NullBuffer::from(present)));
        Ok(Arc::new(list.map_err(|error| cast_failed(name, &error))?))
    }

    fn map(
        &self,
        name: &str,
        values: &[Option<Value<'_>>],
        data_type: &Type,
        (key_type, value_type): (&Type, &Type),
    ) -> Result<ArrayRef> {
        let mut lengths = Vec::with_capacity(values.len());
        let mut keys: Vec<Option<String>> = Vec::new();
        let mut items = Vec::new();
        let mut present = Vec::with_capacity(values.len());
        for value in values {
            let before = items.len();
            let is_present = match value {
                None => false,
                Some(value) if value.kind == Kind::Null => false,
                Some(value) if value.kind == Kind::Object => {
                    json::for_members(*value, &mut |key, value| {
                        keys.push(Some(String::from_utf8_lossy(&key).into_owned()));
                        items.push(Some(value));
                    });
                    true
                }
                Some(value) if self.is_openx() && is_blank(*value) => false,
                Some(value) => return Err(bad_json(name, *value, data_type)),
            };
            present.push(is_present);
            lengths.push(items.len() - before);
        }
        let keys: Vec<Option<&str>> = keys.iter().map(Option::as_deref).collect();
        let rules = if self.is_openx() { Rules::OpenxJson } else { Rules::HiveJsonKey };
        let keys = self.typed(name, &keys, key_type, rules)?;
        let items = self.column(name, &items, value_type)?;
        let (keys, items, lengths) = distinct(name, &keys, &items, &lengths, Kept::Last)?;
        let entries = StructArray::try_new(
            vec![Field::new("key", key_type.to_arrow(), false), Field::new("value", value_type.to_arrow(), true)]
                .into(),
            vec![keys, items],
            None,
        )
        .map_err(|error| cast_failed(name, &error))?;
        let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
        let offsets = OffsetBuffer::from_lengths(lengths);
        let map = MapArray::try_new(field, offsets, entries, Some(NullBuffer::from(present)), false);
        Ok(Arc::new(map.map_err(|error| cast_failed(name, &error))?))
    }

    fn object(
        &self,
        name: &str,
        values: &[Option<Value<'_>>],
        data_type: &Type,
        fields: &[(Option<String>, Type)],
    ) -> Result<ArrayRef> {
        let names: Vec<(usize, Option<&str>)> =
            fields.iter().enumerate().map(|(index, (field, _))| (index, field.as_deref())).collect();
        let keys = Keys::new(self, &names);
        let mut rows = Vec::with_capacity(values.len());
        let mut present = Vec::with_capacity(values.len());
        for value in values {
            let row = match value {
                None => None,
                Some(value) if value.kind == Kind::Null => None,
                Some(value) if value.kind == Kind::Object => Some(Self::fields(*value, &keys)),
                Some(value) if self.is_openx() && value.kind == Kind::Array => Some(Self::fields(*value, &keys)),
                Some(value) if self.is_openx() && is_blank(*value) => Some(Vec::new()),
                Some(value) => return Err(bad_json(name, *value, data_type)),
            };
            present.push(row.is_some());
            rows.push(row.unwrap_or_default());
        }
        let columns = fields
            .iter()
            .enumerate()
            .map(|(at, (_, field_type))| {
                let inner: Vec<Option<Value<'_>>> = rows.iter().map(|row| row.get(at).copied().flatten()).collect();
                self.column(name, &inner, field_type)
            })
            .collect::<Result<Vec<_>>>()?;
        let DataType::Struct(fields) = data_type.to_arrow() else {
            return Ok(new_null_array(&data_type.to_arrow(), values.len()));
        };
        let nulls = Some(NullBuffer::from(present));
        if fields.is_empty() {
            return Ok(Arc::new(StructArray::new_empty_fields(values.len(), nulls)));
        }
        let row = StructArray::try_new(fields, columns, nulls);
        Ok(Arc::new(row.map_err(|error| cast_failed(name, &error))?))
    }

    fn scalars(&self, name: &str, values: &[Option<Value<'_>>], data_type: &Type) -> Result<ArrayRef> {
        let texts = values
            .iter()
            .map(|value| match value {
                None => Ok(None),
                Some(value) if value.kind == Kind::Null => Ok(None),
                Some(value) => self.scalar(name, *value, data_type).map(Some),
            })
            .collect::<Result<Vec<Option<Cow<'_, str>>>>>()?;
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        self.typed(name, &texts, data_type, if self.is_openx() { Rules::OpenxJson } else { Rules::HiveJson })
    }

    fn typed(&self, name: &str, texts: &[Option<&str>], data_type: &Type, rules: Rules) -> Result<ArrayRef> {
        match self {
            Self::Hive(times) => typed_by(name, texts, data_type, rules, times),
            Self::Openx(_, times) => {
                if matches!(data_type, Type::Timestamp(_)) {
                    times.refuse("openx's JsonSerDe")?;
                }
                typed(name, texts, data_type, rules)
            }
        }
    }

    /// Returns the text of a value that a column of no nested type holds.
    fn scalar<'v>(&self, name: &str, value: Value<'v>, data_type: &Type) -> Result<Cow<'v, str>> {
        let is_text = matches!(data_type, Type::Varchar(_) | Type::Char(_));
        let is_quoted = matches!(value.kind, Kind::String { .. });
        let fits = match value.kind {
            Kind::Object | Kind::Array => self.is_openx() && is_text,
            // Jackson takes no number out of quotes.
            Kind::String { .. } | Kind::Boolean if !self.is_openx() => {
                !(data_type.is_integer() || matches!(data_type, Type::Real | Type::Double))
            }
            _ => !(self.is_openx() && *data_type == Type::Varbinary && !is_quoted),
        };
        if !fits {
            return Err(bad_json(name, value, data_type));
        }
        match value.kind {
            Kind::String { .. } => json::unescape(value.text)
                .or_else(|| {
                    let whole = without_half_characters(value.text);
                    json::unescape(&whole).map(|text| Cow::Owned(text.into_owned()))
                })
                .and_then(|text| match text {
                    Cow::Borrowed(text) => std::str::from_utf8(text).ok().map(Cow::Borrowed),
                    Cow::Owned(text) => String::from_utf8(text).ok().map(Cow::Owned),
                })
                .ok_or_else(|| bad_json(name, value, data_type)),
            Kind::Object | Kind::Array => {
                let mut text = String::new();
                compact(value, &mut text);
                Ok(text.into())
            }
            _ if self.is_openx() && is_text => Ok(unquoted(value)),
            _ => Ok(String::from_utf8_lossy(value.text)),
        }
    }
}

fn bad_json(name: &str, value: Value<'_>, data_type: &Type) -> Error {
    bad_value(name, &String::from_utf8_lossy(value.text), data_type)
}

fn bad_syntax(line: &str, error: json::SyntaxError) -> Error {
    bad_line(line, &format!("expected {} at byte {}", error.expected, error.at + 1))
}

fn bad_line(line: &str, why: &str) -> Error {
    let shown: String = line.chars().take(80).collect();
    Error::new(
        ErrorKind::InvalidData,
        "read a JSON line",
        format!("HIVE_CURSOR_ERROR: the line `{}` cannot be read: {why}", shown.escape_debug()),
    )
}

#[cfg(test)]
mod tests;
