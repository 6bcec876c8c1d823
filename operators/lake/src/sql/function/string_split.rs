//! Text taken apart: lists and maps of its pieces.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field};

use super::kernel::{Columns, Evaluated, bigint, each, form, invalid, map_of, prefix_bytes, text};
use super::{Argument, Call, EvalError, Function};

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function {
        name: "split",
        overloads: &[
            form("(varchar(x), varchar(y)) -> array(varchar(x))", split),
            form("(varchar(x), varchar(y), bigint) -> array(varchar(x))", split_at_most),
        ],
    },
    Function { name: "split_part", overloads: &[form("(varchar(x), varchar(y), bigint) -> varchar(x)", split_part)] },
    Function {
        name: "split_to_map",
        overloads: &[form("(varchar, varchar, varchar) -> map(varchar,varchar)", split_to_map)],
    },
    Function {
        name: "split_to_multimap",
        overloads: &[form("(varchar, varchar, varchar) -> map(varchar,array(varchar))", split_to_multimap)],
    },
];

/// A builder of lists of text, with the field that the dialect's lists have.
pub(super) fn text_lists(rows: usize) -> ListBuilder<StringBuilder> {
    ListBuilder::with_capacity(StringBuilder::new(), rows).with_field(Field::new("item", DataType::Utf8, true))
}

fn split(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (text(arguments, 0)?, text(arguments, 1)?);
    let mut lists = text_lists(call.rows);
    for row in 0..call.rows {
        let Some((text, delimiter)) = columns.row(row) else {
            lists.append_null();
            continue;
        };
        not_empty(delimiter)?;
        text.split(delimiter).for_each(|part| lists.values().append_value(part));
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

/// A delimiter must have a character.
fn not_empty(delimiter: &str) -> Result<(), EvalError> {
    if delimiter.is_empty() { Err(invalid("The delimiter may not be the empty string")) } else { Ok(()) }
}

fn split_at_most(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (text(arguments, 0)?, text(arguments, 1)?, bigint(arguments, 2)?);
    let mut lists = text_lists(call.rows);
    for row in 0..call.rows {
        let Some((text, delimiter, limit)) = columns.row(row) else {
            lists.append_null();
            continue;
        };
        if limit <= 0 {
            return Err(invalid("Limit must be positive"));
        }
        if limit > i64::from(i32::MAX) {
            return Err(invalid("Limit is too large"));
        }
        not_empty(delimiter)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        text.splitn(limit, delimiter).for_each(|part| lists.values().append_value(part));
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

/// The part of a text at a position between delimiters; an empty delimiter stands between all characters.
fn part<'a>(text: &'a str, delimiter: &str, position: usize) -> Option<&'a str> {
    if delimiter.is_empty() {
        let rest = &text[prefix_bytes(text, position)..];
        return (!rest.is_empty()).then(|| &rest[..prefix_bytes(rest, 1)]);
    }
    text.split(delimiter).nth(position)
}

fn split_part(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?, bigint(arguments, 2)?)).slices(
        |(text, delimiter, position)| {
            if position <= 0 {
                return Err(invalid("Index must be greater than zero"));
            }
            Ok(usize::try_from(position - 1).ok().and_then(|position| part(text, delimiter, position)))
        },
    )
}

/// The keys and values of a text; each entry must have one delimiter between them.
fn entries<'a>(
    text: &'a str,
    entry_delimiter: &'a str,
    key_delimiter: &'a str,
) -> Result<Vec<(&'a str, &'a str)>, EvalError> {
    if entry_delimiter.is_empty() {
        return Err(invalid("entryDelimiter is empty"));
    }
    if key_delimiter.is_empty() {
        return Err(invalid("keyValueDelimiter is empty"));
    }
    if entry_delimiter == key_delimiter {
        return Err(invalid("entryDelimiter and keyValueDelimiter must not be the same"));
    }
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(entry_delimiter)
        .map(|entry| {
            entry.split_once(key_delimiter).filter(|(_, value)| !value.contains(key_delimiter)).ok_or_else(|| {
                invalid(format!("Key-value delimiter must appear exactly once in each entry. Bad input: '{entry}'"))
            })
        })
        .collect()
}

fn split_to_map(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?);
    let (mut keys, mut values) = (StringBuilder::new(), StringBuilder::new());
    let mut lengths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some((text, entry_delimiter, key_delimiter)) = columns.row(row) else {
            lengths.push(None);
            continue;
        };
        let entries = entries(text, entry_delimiter, key_delimiter)?;
        let mut seen = std::collections::HashSet::with_capacity(entries.len());
        for (key, value) in &entries {
            if !seen.insert(*key) {
                return Err(invalid(format!("Duplicate keys ({key}) are not allowed")));
            }
            keys.append_value(key);
            values.append_value(value);
        }
        lengths.push(Some(entries.len()));
    }
    map_of(call.returns, Arc::new(keys.finish()), Arc::new(values.finish()), &lengths)
}

fn split_to_multimap(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?);
    let (mut keys, mut values) = (StringBuilder::new(), text_lists(call.rows));
    let mut lengths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some((text, entry_delimiter, key_delimiter)) = columns.row(row) else {
            lengths.push(None);
            continue;
        };
        let mut grouped: indexmap::IndexMap<&str, Vec<&str>> = indexmap::IndexMap::new();
        for (key, value) in entries(text, entry_delimiter, key_delimiter)? {
            grouped.entry(key).or_default().push(value);
        }
        for (key, group) in &grouped {
            keys.append_value(key);
            for value in group {
                values.values().append_value(value);
            }
            values.append(true);
        }
        lengths.push(Some(grouped.len()));
    }
    let values: ArrayRef = Arc::new(values.finish());
    map_of(call.returns, Arc::new(keys.finish()), values, &lengths)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{bigint, error, text, value};
    use crate::sql::types::Type;

    fn lists() -> Type {
        Type::Array(Arc::new(Type::Varchar(None)))
    }

    #[test]
    fn pieces_keep_what_is_empty() {
        assert_eq!(value("split", 0, lists(), &[text("a,"), text(",")]), "[a, ]");
        assert_eq!(value("split", 0, lists(), &[text(""), text(",")]), "[]");
        assert_eq!(value("split", 1, lists(), &[text("a,b,c"), text(","), bigint(2)]), "[a, b,c]");
        assert_eq!(
            error("split", 0, lists(), &[text("abc"), text("")]),
            "INVALID_FUNCTION_ARGUMENT: The delimiter may not be the empty string"
        );
        assert_eq!(
            error("split", 1, lists(), &[text("a,b"), text(","), bigint(0)]),
            "INVALID_FUNCTION_ARGUMENT: Limit must be positive"
        );
    }

    #[test]
    fn a_part_beyond_the_last_is_null() {
        let part =
            |of, delimiter, at| value("split_part", 0, Type::Varchar(None), &[text(of), text(delimiter), bigint(at)]);
        assert_eq!(part("a-b", "-", 3), "null");
        assert_eq!(part("", "-", 1), "");
        assert_eq!(part("abc", "", 2), "b");
        assert_eq!(part("", "", 1), "null");
    }

    #[test]
    fn entries_have_one_delimiter_and_keys_of_their_own() {
        let map = Type::Map(Arc::new(Type::Varchar(None)), Arc::new(Type::Varchar(None)));
        let arguments = |of| [text(of), text(";"), text("=")];
        assert_eq!(value("split_to_map", 0, map.clone(), &arguments("a=1;b=2")), "{a: 1, b: 2}");
        assert_eq!(value("split_to_map", 0, map.clone(), &arguments("")), "{}");
        assert_eq!(
            error("split_to_map", 0, map.clone(), &arguments("a=1;b")),
            "INVALID_FUNCTION_ARGUMENT: Key-value delimiter must appear exactly once in each entry. Bad input: 'b'"
        );
        assert_eq!(
            error("split_to_map", 0, map, &arguments("a=1;a=2")),
            "INVALID_FUNCTION_ARGUMENT: Duplicate keys (a) are not allowed"
        );
        let multimap = Type::Map(Arc::new(Type::Varchar(None)), Arc::new(lists()));
        assert_eq!(value("split_to_multimap", 0, multimap, &arguments("a=1;b=2;a=3")), "{a: [1, 3], b: [2]}");
    }
}
