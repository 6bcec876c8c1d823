//! Lines of Hive's own text (`LazySimpleSerDe`): one separator for each level of nesting, and no quotes.
//!
//! <https://cwiki.apache.org/confluence/display/Hive/LanguageManual+DDL#LanguageManualDDL-RowFormats&SerDe>.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListArray, MapArray, StructArray, new_null_array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, Fields};

use super::line::cast_failed;
use super::time_formats::TimeFormats;
use super::typed_text::{Kept, Rules, distinct, typed_by};
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
    /// Whether what stands behind the last column's separator is of the column, as in each row within one.
    last_takes_rest: bool,
    times: TimeFormats,
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
            last_takes_rest: false,
            times: TimeFormats::default(),
        }
    }

    /// Lets the last column have the rest of its line, `true` by the word of the parameter.
    pub(super) fn with_rest(self, word: Option<&str>) -> Self {
        Self { last_takes_rest: word.is_some_and(|word| word.eq_ignore_ascii_case("true")), ..self }
    }

    /// Takes the formats of times.
    pub(super) fn with_times(self, times: TimeFormats) -> Self {
        Self { times, ..self }
    }

    /// Turns lines into the wanted columns (by index among all of the table's); what does not fit its type is NULL.
    pub(super) fn columns(
        &self,
        lines: &[String],
        columns: &[(String, Type)],
        wanted: &[usize],
    ) -> Result<Vec<ArrayRef>> {
        let rows: Vec<Vec<&str>> = lines.iter().map(|line| self.fields(line, 0, columns.len())).collect();
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

    /// Splits what has so many fields. The last one takes the rest only behind a separator: one alone ends at the first, as in Trino.
    fn fields<'t>(&self, text: &'t str, level: usize, count: usize) -> Vec<&'t str> {
        let most = if self.last_takes_rest && count > 1 { count } else { usize::MAX };
        self.split(text, level, most)
    }

    /// Splits at the separator of a level into so many parts at most; what an escape stands before is none.
    fn split<'t>(&self, text: &'t str, level: usize, most: usize) -> Vec<&'t str> {
        let Some(separator) = self.separators.get(level).copied() else { return vec![text] };
        let Some(escape) = self.escape else { return text.splitn(most, separator).collect() };
        let mut parts = Vec::new();
        let mut start = 0;
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            if parts.len() + 1 == most {
                break;
            }
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
        let key = self.split(entry, level, 2).first().copied().unwrap_or_default();
        (key, entry.get(key.len() + separator.len_utf8()..))
    }

    /// Splits a nested value; an empty text is one without elements, not one with an empty element.
    fn parts<'t>(&self, text: Option<&'t str>, level: usize) -> Vec<&'t str> {
        match text {
            Some("") | None => Vec::new(),
            Some(text) => self.split(text, level, usize::MAX),
        }
    }

    /// Splits a row that has so many fields.
    fn row_fields<'t>(&self, text: Option<&'t str>, level: usize, count: usize) -> Vec<&'t str> {
        match text {
            Some("") | None => Vec::new(),
            Some(text) => self.fields(text, level, count),
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
                // At the end it has nothing to take the meaning of, and stands for itself.
                plain.push(characters.next().unwrap_or(character));
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
                let rows: Vec<Vec<&str>> =
                    values.iter().map(|text| self.row_fields(*text, level, fields.len())).collect();
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
                typed_by(name, &texts, data_type, Rules::Lazy, &self.times)
            }
            _ => typed_by(name, values, data_type, Rules::Lazy, &self.times),
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

    /// What Trino 476 answers.
    #[test]
    fn the_last_column_takes_the_rest_where_the_table_says_so() {
        let form = |escape| Delimited::new(Some(','), Some(';'), Some(':'), escape, None).with_rest(Some("TRUE"));
        let text = || Type::Varchar(None);
        let row = |names: &[(&str, Type)]| {
            Type::Row(names.iter().map(|(name, of)| (Some((*name).to_owned()), of.clone())).collect())
        };
        let lines = ["1,2,3,4", "1", "1,", ",,", "\\N,\\N,x", "\\N,\\N"];
        assert_eq!(
            shown(&form(None), &lines, &[("a", text()), ("b", text())]),
            ["1|2,3,4", "1|NULL", "1|", "|,", "NULL|\\N,x", "NULL|NULL"]
        );
        assert_eq!(shown(&form(None), &["1,2,3"], &[("a", text()), ("b", Type::Integer)]), ["1|NULL"]);
        assert_eq!(shown(&form(None), &["1,2,3"], &[("a", text())]), ["1"], "one column has no rest");
        let escaped = form(Some('\\'));
        assert_eq!(shown(&escaped, &["1\\,2,3\\,4,5\\n,6\\"], &[("a", text()), ("b", text())]), ["1,2|3,4,5n,6\\"]);
        // In each row within a column, too.
        let pair = row(&[("x", text()), ("y", row(&[("p", text()), ("q", text())]))]);
        assert_eq!(
            shown(&form(None), &["2;3:4:5:6;7,5;6,7"], &[("r", pair), ("b", text())]),
            ["{x=2, y={p=3, q=4:5:6;7}}|5;6,7"]
        );
        let list = Type::Array(Arc::new(row(&[("x", text()), ("y", text())])));
        assert_eq!(
            shown(&form(None), &["2:3:4;5,5;6,7"], &[("l", list), ("b", text())]),
            ["[{x=2, y=3:4}, {x=5, y=null}]|5;6,7"]
        );
        let other = Delimited::new(Some(','), None, None, None, None).with_rest(Some("yes"));
        assert_eq!(shown(&other, &["1,2,3"], &[("a", text()), ("b", text())]), ["1|2"]);
    }

    /// What Trino 476 answers.
    #[test]
    fn an_escape_at_the_end_stands_for_itself() {
        let form = Delimited::new(Some(','), None, None, Some('\\'), None);
        let columns = [("a", Type::Varchar(None)), ("b", Type::Varchar(None))];
        assert_eq!(shown(&form, &["1,x\\", "y\\,2"], &columns), ["1|x\\", "y,2|NULL"]);
    }

    /// What Trino 476 answers.
    #[test]
    fn times_have_the_formats_of_their_table() {
        let form = Delimited::new(Some(','), None, None, None, None)
            .with_times(TimeFormats::new(Some("dd/MM/yyyy HH:mm,HH:mm")));
        let times = [("t", Type::Timestamp(3)), ("l", Type::Array(Arc::new(Type::Timestamp(3))))];
        assert_eq!(
            shown(&form, &["01/02/2020 03:04,01/02/2020 03:04", "2020-01-02 03:04:05,x", "13:14,"], &times),
            [
                "2020-02-01 03:04:00.000|[2020-02-01 03:04:00.000]",
                "2020-01-02 03:04:05.000|[null]",
                // Shorter than any of Hive's.
                "NULL|[]"
            ]
        );
        // Who asks for no time does not need them.
        let wrong = Delimited::new(Some(','), None, None, None, None).with_times(TimeFormats::new(Some("dd/MM/yy")));
        assert_eq!(shown(&wrong, &["a"], &[("s", Type::Varchar(None))]), ["a"]);
        let lines = ["a".to_owned()];
        let error = wrong.columns(&lines, &[("t".to_owned(), Type::Timestamp(3))], &[0]).unwrap_err();
        assert!(error.message.starts_with("NOT_SUPPORTED: `timestamp.formats` (`dd/MM/yy`) of the table"), "{error}");
    }
}
