//! Lines of Hive's own text (`LazySimpleSerDe`): one separator for each level of nesting, and no quotes.
//!
//! <https://cwiki.apache.org/confluence/display/Hive/LanguageManual+DDL#LanguageManualDDL-RowFormats&SerDe>.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListArray, MapArray, StructArray, new_null_array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, Fields};

use super::line::cast_failed;
use super::typed_text::{Kept, Rules, distinct, typed};
use crate::error::Result;
use crate::sql::Type;

/// How many levels of nesting have a separator of their own: Hive's limit without `hive.serialization.extend.nesting.levels`.
const LEVELS: usize = 8;

/// How the lines of a table are delimited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delimited {
    /// By level: fields, elements, keys of maps, and what is nested deeper.
    separators: [char; LEVELS],
    escape: Option<char>,
    null: String,
}

impl Delimited {
    pub(super) fn new(
        fields: Option<char>,
        elements: Option<char>,
        keys: Option<char>,
        escape: Option<char>,
        null: Option<&str>,
    ) -> Self {
        Self {
            separators: [
                fields.unwrap_or('\u{1}'),
                elements.unwrap_or('\u{2}'),
                keys.unwrap_or('\u{3}'),
                '\u{4}',
                '\u{5}',
                '\u{6}',
                '\u{7}',
                '\u{8}',
            ],
            escape,
            null: null.unwrap_or("\\N").to_owned(),
        }
    }

    /// Turns lines into the wanted columns (by index among all of the table's); what does not fit its type is NULL.
    pub(super) fn columns(
        &self,
        lines: &[String],
        columns: &[(String, Type)],
        wanted: &[usize],
    ) -> Result<Vec<ArrayRef>> {
        let rows: Vec<Vec<&str>> = lines.iter().map(|line| self.split(line, 0)).collect();
        wanted
            .iter()
            .filter_map(|index| columns.get(*index).map(|column| (*index, column)))
            .map(|(index, (name, data_type))| {
                let values: Vec<Option<&str>> =
                    rows.iter().map(|row| row.get(index).copied().and_then(|field| self.present(field))).collect();
                self.column(name, &values, data_type, 1)
            })
            .collect()
    }

    /// Splits at the separator of a level; what an escape stands before is none.
    fn split<'t>(&self, text: &'t str, level: usize) -> Vec<&'t str> {
        let Some(separator) = self.separators.get(level).copied() else { return vec![text] };
        let Some(escape) = self.escape else { return text.split(separator).collect() };
        let mut parts = Vec::new();
        let mut start = 0;
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            if character == escape {
                characters.next();
            } else if character == separator {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + separator.len_utf8();
            }
        }
        parts.push(text.get(start..).unwrap_or_default());
        parts
    }

    /// Splits an entry of a map at the first separator of a level: what stands behind it is the value, whatever it holds.
    fn key_and_value<'t>(&self, entry: &'t str, level: usize) -> (&'t str, Option<&'t str>) {
        let Some(separator) = self.separators.get(level) else { return (entry, None) };
        let key = self.split(entry, level).first().copied().unwrap_or_default();
        (key, entry.get(key.len() + separator.len_utf8()..))
    }

    /// Splits a nested value; an empty text is one without elements, not one with an empty element.
    fn parts<'t>(&self, text: Option<&'t str>, level: usize) -> Vec<&'t str> {
        match text {
            Some("") | None => Vec::new(),
            Some(text) => self.split(text, level),
        }
    }

    fn present<'t>(&self, text: &'t str) -> Option<&'t str> {
        (text != self.null).then_some(text)
    }

    fn unescaped(&self, text: &str) -> String {
        let mut plain = String::with_capacity(text.len());
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            if Some(character) == self.escape {
                plain.extend(characters.next());
            } else {
                plain.push(character);
            }
        }
        plain
    }

    /// Turns the texts of a column, or of what is nested in one, into its type.
    fn column(&self, name: &str, values: &[Option<&str>], data_type: &Type, level: usize) -> Result<ArrayRef> {
        let nulls = || -> NullBuffer { values.iter().map(Option::is_some).collect() };
        let failed = |error| cast_failed(name, &error);
        match data_type {
            Type::Array(element) => {
                let rows: Vec<Vec<&str>> = values.iter().map(|text| self.parts(*text, level)).collect();
                let elements: Vec<Option<&str>> = rows.iter().flatten().map(|text| self.present(text)).collect();
                let items = self.column(name, &elements, element, level + 1)?;
                let field = Arc::new(Field::new("item", element.to_arrow(), true));
                let offsets = OffsetBuffer::from_lengths(rows.iter().map(Vec::len));
                Ok(Arc::new(ListArray::try_new(field, offsets, items, Some(nulls())).map_err(failed)?))
            }
            Type::Map(key, value) => {
                let rows: Vec<Vec<&str>> = values.iter().map(|text| self.parts(*text, level)).collect();
                let entries: Vec<(&str, Option<&str>)> =
                    rows.iter().flatten().map(|entry| self.key_and_value(entry, level + 1)).collect();
                let (keys, items): (Vec<Option<&str>>, Vec<Option<&str>>) = entries
                    .into_iter()
                    .map(|(key, value)| (self.present(key), value.and_then(|text| self.present(text))))
                    .unzip();
                let keys = self.column(name, &keys, key, level + 2)?;
                let items = self.column(name, &items, value, level + 2)?;
                // A key that is NULL cannot be kept; Hive leaves such an entry out, and so do we.
                let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
                let (keys, items, lengths) = distinct(name, &keys, &items, &lengths, Kept::First)?;
                let fields = Fields::from(vec![
                    Field::new("key", key.to_arrow(), false),
                    Field::new("value", value.to_arrow(), true),
                ]);
                let columns = vec![keys, items];
                let entries = StructArray::try_new(fields.clone(), columns, None).map_err(failed)?;
                let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
                let map = MapArray::try_new(field, OffsetBuffer::from_lengths(lengths), entries, Some(nulls()), false);
                Ok(Arc::new(map.map_err(failed)?))
            }
            Type::Row(fields) => {
                let rows: Vec<Vec<&str>> = values.iter().map(|text| self.parts(*text, level)).collect();
                let columns = fields
                    .iter()
                    .enumerate()
                    .map(|(index, (_, field))| {
                        let texts: Vec<Option<&str>> = rows
                            .iter()
                            .map(|row| row.get(index).copied().and_then(|text| self.present(text)))
                            .collect();
                        self.column(name, &texts, field, level + 1)
                    })
                    .collect::<Result<Vec<_>>>()?;
                let DataType::Struct(fields) = data_type.to_arrow() else {
                    return Ok(new_null_array(&data_type.to_arrow(), values.len()));
                };
                if fields.is_empty() {
                    return Ok(Arc::new(StructArray::new_empty_fields(values.len(), Some(nulls()))));
                }
                Ok(Arc::new(StructArray::try_new(fields, columns, Some(nulls())).map_err(failed)?))
            }
            _ if self.escape.is_some() => {
                let texts: Vec<Option<String>> =
                    values.iter().map(|text| text.map(|text| self.unescaped(text))).collect();
                let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
                typed(name, &texts, data_type, Rules::Lazy)
            }
            _ => typed(name, values, data_type, Rules::Lazy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::text::display;

    fn shown(form: &Delimited, lines: &[&str], columns: &[(&str, Type)]) -> Vec<String> {
        let columns: Vec<(String, Type)> = columns.iter().map(|(name, t)| ((*name).to_owned(), t.clone())).collect();
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let wanted: Vec<usize> = (0..columns.len()).collect();
        let arrays = form.columns(&lines, &columns, &wanted).unwrap();
        (0..lines.len())
            .map(|row| {
                let cells = arrays
                    .iter()
                    .zip(&columns)
                    .map(|(array, (_, data_type))| display(data_type, array, row).unwrap_or_else(|| "NULL".to_owned()));
                cells.collect::<Vec<_>>().join("|")
            })
            .collect()
    }

    #[test]
    fn every_level_has_its_separator() {
        let form = Delimited::new(Some('\t'), None, None, None, None);
        let list = Type::Array(Arc::new(Type::Integer));
        let map = Type::Map(Arc::new(Type::Integer), Arc::new(Type::Integer));
        let row = Type::Row(Arc::from([(Some("a".to_owned()), Type::Integer), (Some("b".to_owned()), list.clone())]));
        let columns = [("l", list), ("m", map), ("r", row)];
        let lines =
            ["1\u{2}2\t1\u{3}2\u{2}3\u{3}\\N\t1\u{2}5\u{3}6", "\\N\t\\N\t\\N", "\t\t", "\\N\u{2}x\t\\N\u{3}1\t7"];
        assert_eq!(
            shown(&form, &lines, &columns),
            [
                "[1, 2]|{1=2, 3=null}|{a=1, b=[5, 6]}",
                "NULL|NULL|NULL",
                "[]|{}|{a=null, b=null}",
                "[null, null]|{}|{a=7, b=null}"
            ]
        );
    }

    /// Seen with Trino 476: `u:http://x:80/` is one entry.
    #[test]
    fn the_value_of_a_map_goes_to_the_end_of_its_entry() {
        let map = [("m", Type::Map(Arc::new(Type::Varchar(None)), Arc::new(Type::Varchar(None))))];
        let form = Delimited::new(Some(','), Some('|'), Some(':'), None, None);
        assert_eq!(
            shown(&form, &["u:http://x:80/|p:80", "k|e:|n:\\N"], &map),
            ["{u=http://x:80/, p=80}", "{k=null, e=, n=null}"]
        );
        let form = Delimited::new(Some(','), Some('|'), Some(':'), Some('\\'), None);
        assert_eq!(shown(&form, &[r"a\:b:c:d\|e"], &map), ["{a:b=c:d|e}"]);
    }

    /// What Trino 476 answers.
    #[test]
    fn of_a_key_that_stands_twice_in_a_map_the_first_counts() {
        let map = [("m", Type::Map(Arc::new(Type::Integer), Arc::new(Type::Varchar(None))))];
        let form = Delimited::new(Some(','), Some('|'), Some(':'), None, None);
        let lines = ["1:a|2:b|1:c", "", "01:x|1:y|z:q"];
        assert_eq!(shown(&form, &lines, &map), ["{1=a, 2=b}", "{}", "{1=x}"]);
    }

    #[test]
    fn an_escape_takes_a_separator_its_meaning() {
        let form = Delimited::new(Some(','), Some(';'), None, Some('\\'), None);
        let columns = [("s", Type::Varchar(None)), ("l", Type::Array(Arc::new(Type::Varchar(None))))];
        assert_eq!(shown(&form, &[r"a\,b,x\;y;z\\"], &columns), [r"a,b|[x;y, z\]"]);
    }
}
