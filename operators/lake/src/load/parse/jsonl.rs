//! JSON lines: one object a line.
//!
//! A line that gives a column two values (the same key twice) is rejected: which one was meant nobody knows. Athena's two
//! JSON readers refuse such lines as well. Numbers keep every digit on their way into `decimal` and `varchar` columns; nested
//! values become JSON text in `json` and `varchar` columns, as they were written, and are refused by others.

use std::collections::HashMap;

use super::json::{self, Kind, Value};
use super::{RecordSink, for_each_line};
use crate::load::column::{BadCell, ColumnBuilder};
use crate::load::config::{ColumnType, UnknownKeys};
use crate::load::reject::{Reason, VALUE_CHARACTERS, shortened};

/// Reads JSON lines into columns.
#[derive(Debug, Clone)]
pub(crate) struct JsonlParser {
    /// Where each column's value stands: the key, and the way down from there.
    paths: Vec<(String, Vec<String>)>,
    /// The columns by the first key.
    by_key: HashMap<Vec<u8>, Vec<usize>>,
    /// Whether a column's value is that of its key, and no other column's.
    direct: Vec<bool>,
    unknown_keys: UnknownKeys,
    guessed: bool,
}

/// Splits a JSON pointer (`/user/id`) into its parts.
pub(crate) fn pointer_parts(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

impl JsonlParser {
    /// Makes a parser; each column's value stands at `paths`, which are not empty.
    pub(crate) fn new(paths: Vec<Vec<String>>, unknown_keys: UnknownKeys, guessed: bool) -> Self {
        let mut by_key: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        let mut split: Vec<(String, Vec<String>)> = Vec::with_capacity(paths.len());
        for (index, path) in paths.into_iter().enumerate() {
            let mut parts = path.into_iter();
            let key = parts.next().unwrap_or_default();
            by_key.entry(key.clone().into_bytes()).or_default().push(index);
            split.push((key, parts.collect()));
        }
        let alone = |key: &str| by_key.get(key.as_bytes()).is_some_and(|columns| columns.len() == 1);
        let direct = split.iter().map(|(key, path)| path.is_empty() && alone(key)).collect();
        Self { paths: split, by_key, direct, unknown_keys, guessed }
    }

    /// Reads the lines of a chunk.
    pub(crate) fn parse(&self, sink: &mut RecordSink<'_>) {
        let bytes = sink.bytes();
        let mut values = Values { found: vec![None; self.paths.len()], seen: vec![false; self.paths.len()] };
        for_each_line(bytes, |start, end, line| {
            let record = &bytes[start..end];
            if record.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
                sink.skip();
                return;
            }
            let read = match sink.not_text(record) {
                Some(reason) => Err(reason),
                None => self.read(record, &mut values).and_then(|()| append(&values.found, sink.rows.columns())),
            };
            match read {
                Ok(()) => sink.accept(start, end, line),
                Err(reason) => sink.reject(start, end, line, &reason),
            }
        });
    }

    fn read<'a>(&self, record: &'a [u8], values: &mut Values<'a>) -> Result<(), Reason> {
        values.found.fill(None);
        values.seen.fill(false);
        let mut wrong = None;
        // Lines mostly have the columns' keys in the columns' order: look there first.
        let mut next = 0;
        let read = json::read_object(record, &mut |key, value| {
            if let Some((expected, _)) = self.paths.get(next)
                && self.direct[next]
                && expected.as_bytes() == key
                && !values.seen[next]
            {
                values.found[next] = Some(value);
                values.seen[next] = true;
                next += 1;
                return;
            }
            let why = match self.by_key.get(key) {
                Some(columns) => {
                    next = columns.last().map_or(next, |column| column + 1);
                    self.take(key, value, columns, values).err()
                }
                None if self.unknown_keys == UnknownKeys::Reject => {
                    Some(Reason::UnknownKey { key: shortened(key, VALUE_CHARACTERS), guessed: self.guessed })
                }
                None => None,
            };
            wrong = wrong.take().or(why);
        });
        match (read, wrong) {
            (Err(error), _) => Err(Reason::Json { expected: error.expected, at: error.at + 1 }),
            (Ok(()), Some(wrong)) => Err(wrong),
            (Ok(()), None) => Ok(()),
        }
    }

    /// Takes the value of a key for its columns.
    fn take<'a>(&self, key: &[u8], value: Value<'a>, columns: &[usize], values: &mut Values<'a>) -> Result<(), Reason> {
        for column in columns {
            if std::mem::replace(&mut values.seen[*column], true) {
                return Err(Reason::RepeatedKey { key: shortened(key, VALUE_CHARACTERS) });
            }
            values.found[*column] = json::find(value, &self.paths[*column].1)
                .map_err(|key| Reason::RepeatedKey { key: shortened(&key, VALUE_CHARACTERS) })?;
        }
        Ok(())
    }
}

/// The values of one line.
struct Values<'a> {
    /// Each column's; none where the line has none.
    found: Vec<Option<Value<'a>>>,
    /// Whether the line had the column's key.
    seen: Vec<bool>,
}

fn append(values: &[Option<Value<'_>>], columns: &mut [ColumnBuilder]) -> Result<(), Reason> {
    for (value, column) in values.iter().zip(columns) {
        let Some(value) = value else {
            column.append_null();
            continue;
        };
        let json_column = column.column().column_type == ColumnType::Json;
        let text_column = matches!(column.column().column_type, ColumnType::Varchar(_));
        let appended = match value.kind {
            Kind::Null => {
                column.append_null();
                Ok(())
            }
            _ if json_column => column.append_text(value.text),
            Kind::Boolean => column.append_text(value.text),
            Kind::Number => column.append_number(value.text),
            Kind::String { .. } => match json::unescape(value.text) {
                // NUL has no place in text that other tools read.
                Some(text) if memchr::memchr(0, &text).is_none() => column.append_text(&text),
                _ => Err(BadCell),
            },
            Kind::Object | Kind::Array if text_column => column.append_text(value.text),
            Kind::Object | Kind::Array => Err(BadCell),
        };
        if appended.is_err() {
            return Err(Reason::bad_value(column.column(), value.text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Parser;
    use super::super::tests::{column, run};
    use super::*;
    use crate::load::column::ReadColumn;

    fn columns() -> Vec<ReadColumn> {
        vec![
            column("id", "bigint"),
            column("name", "varchar"),
            column("price", "decimal(10,2)"),
            column("tags", "json"),
        ]
    }

    fn parser(unknown_keys: UnknownKeys) -> Parser {
        let paths = ["/id", "/user/name", "/price", "/tags"].iter().map(|path| pointer_parts(path)).collect();
        Parser::Jsonl(JsonlParser::new(paths, unknown_keys, false))
    }

    #[test]
    fn objects_become_rows() {
        let (rows, rejected, skipped) = run(
            &parser(UnknownKeys::Ignore),
            &columns(),
            br#"{"id": 1, "user": {"name": "a\u00e9\"", "x": 1}, "price": 1.50, "tags": ["a", {"b": 1e3}]}
{"tags": null, "price": "2.5", "id": 9223372036854775807, "other": true, "other": {"x": 1, "x": 2}}

  {}
{"id": "12", "user": {"name": {"first": "x"}}, "tags": "text"}
"#,
        );
        assert_eq!(rejected, Vec::<String>::new());
        assert_eq!(skipped, 1);
        assert_eq!(
            rows,
            [
                r#"1|aé"|1.50|["a", {"b": 1e3}]"#,
                "9223372036854775807|∅|2.50|∅",
                "∅|∅|∅|∅",
                r#"12|{"first": "x"}|∅|"text""#,
            ]
        );
    }

    #[test]
    fn bad_lines_are_rejected_with_their_reason() {
        let (rows, rejected, _) = run(
            &parser(UnknownKeys::Reject),
            &columns(),
            b"{\"id\": 1.5}\n[1]\n{\"id\": 1,}\n{\"id\": 1} {}\n{\"new\": 1}\n{\"price\": 1.005}\n{\"id\": {}}\n{\"id\": \"\xFF\"}\n{\"tags\": [1,]}\n",
        );
        assert_eq!(rows, Vec::<String>::new());
        assert_eq!(
            rejected,
            [
                "1: column `id`: expected bigint, found `1.5`: {\"id\": 1.5}",
                "2: expected an object at byte 1: [1]",
                "3: expected a key in quotes at byte 10: {\"id\": 1,}",
                "4: expected the end of the line after the object at byte 11: {\"id\": 1} {}",
                "5: key `new` is no column: {\"new\": 1}",
                "6: column `price`: expected decimal(10,2), found `1.005`: {\"price\": 1.005}",
                "7: column `id`: expected bigint, found `{}`: {\"id\": {}}",
                "8: expected text in UTF-8, found other bytes at byte 9: {\"id\": \"\\xff\"}",
                "9: expected a value at byte 13: {\"tags\": [1,]}",
            ]
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_a_reason() {
        let (rows, rejected, _) = run(
            &parser(UnknownKeys::Ignore),
            &columns(),
            br#"{"id": 1, "id": 1}
{"price": 1, "id": 2, "price": null}
{"user": {"name": "a"}, "user": null}
{"user": {"name": "a", "name": "b"}}
{"id": 3, "\u0069d": 4}
{"user": {"other": 1, "other": 2}, "tags": {"a": 1, "a": 2}}
"#,
        );
        // What no column reads may stand twice, and what is kept as text stays the text it was.
        assert_eq!(rows, [r#"∅|∅|∅|{"a": 1, "a": 2}"#]);
        let reasons: Vec<&str> = rejected.iter().map(|line| line.split_once(": {").unwrap().0).collect();
        assert_eq!(
            reasons,
            [
                "1: the key `id` stands twice: which value is meant cannot be known",
                "2: the key `price` stands twice: which value is meant cannot be known",
                "3: the key `user` stands twice: which value is meant cannot be known",
                "4: the key `name` stands twice: which value is meant cannot be known",
                "5: the key `id` stands twice: which value is meant cannot be known",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_is_lost(lines in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..30),
            "\\{\"(id|user|price|tags|x)\": ?[0-9\"\\{\\}\\[\\].a-c]{0,6}(, \"id\": 1)?\\}".prop_map(String::into_bytes),
        ], 0..12)) {
            let text = lines.join(&b'\n');
            let count = text.split(|byte| *byte == b'\n').count() - usize::from(text.is_empty() || text.ends_with(b"\n"));
            let (rows, rejected, skipped) = run(&parser(UnknownKeys::Reject), &columns(), &text);
            prop_assert_eq!(rows.len() + rejected.len() + usize::try_from(skipped).unwrap(), count);
        }
    }
}
