//! JSON text: parsing, formatting, and reading values by the paths of `json_extract` (`$.a[0]["b c"]`).
//!
//! The SQL/JSON functions (`json_value`, `json_query`, …) have other paths and are not here.

use std::sync::Arc;

use arrow::array::{BooleanBuilder, Int64Builder};
use arrow::datatypes::Int64Type;

use super::json_reader::{Reader, Reading, Start, Stop, or_null};
use super::kernel::{
    Columns, Evaluated, Prepared, argument, bigint, boolean, double, each, expand, form, invalid, text,
};
use super::{Argument, Call, EvalError, Function};
use crate::sql::json::Json;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function { name: "json_parse", overloads: &[form("(varchar(x)) -> json", parse)] },
    Function { name: "json_format", overloads: &[form("(json) -> varchar", format)] },
    Function {
        name: "json_extract",
        overloads: &[form("(varchar(x), varchar) -> json", extract), form("(json, varchar) -> json", extract)],
    },
    Function {
        name: "json_extract_scalar",
        overloads: &[
            form("(varchar(x), varchar) -> varchar(x)", extract_scalar),
            form("(json, varchar) -> varchar", extract_scalar),
        ],
    },
    Function {
        name: "json_array_length",
        overloads: &[form("(varchar(x)) -> bigint", array_length), form("(json) -> bigint", array_length)],
    },
    Function {
        name: "json_array_get",
        overloads: &[form("(varchar(x), bigint) -> json", array_get), form("(json, bigint) -> json", array_get)],
    },
    Function {
        name: "json_array_contains",
        overloads: &[
            form("(varchar(x), boolean) -> boolean", array_contains_boolean),
            form("(varchar(x), bigint) -> boolean", array_contains_bigint),
            form("(varchar(x), double) -> boolean", array_contains_double),
            form("(varchar(x), varchar(y)) -> boolean", array_contains_text),
            form("(json, boolean) -> boolean", array_contains_boolean),
            form("(json, bigint) -> boolean", array_contains_bigint),
            form("(json, double) -> boolean", array_contains_double),
            form("(json, varchar(x)) -> boolean", array_contains_text),
        ],
    },
    Function {
        name: "json_size",
        overloads: &[form("(varchar(x), varchar) -> bigint", size), form("(json, varchar) -> bigint", size)],
    },
    Function {
        name: "is_json_scalar",
        overloads: &[form("(varchar(x)) -> boolean", is_scalar), form("(json) -> boolean", is_scalar)],
    },
];

fn parse(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).text(|text, out| {
        Json::parse(text).ok_or_else(|| invalid(format!("Cannot convert value to JSON: '{text}'")))?.write(out);
        Ok(())
    })
}

fn format(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    expand(argument(arguments, 0)?, call.rows)
}

/// Reads a path: names and indices, which are names in digits.
fn path(text: &str) -> Result<Vec<String>, EvalError> {
    let bad = || invalid(format!("Invalid JSON path: '{text}'"));
    let is_plain = |next: char| next.is_alphanumeric() || next == '_';
    let mut rest = text.strip_prefix('$').ok_or_else(bad)?;
    let mut steps = Vec::new();
    while let Some(kind) = rest.chars().next() {
        rest = &rest[kind.len_utf8()..];
        if kind == '.' {
            let end = rest.find(|next| !is_plain(next) && next != ':').unwrap_or(rest.len());
            if end == 0 {
                return Err(bad());
            }
            steps.push(rest[..end].to_owned());
            rest = &rest[end..];
            continue;
        }
        if kind != '[' {
            return Err(bad());
        }
        let mut step = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut characters = quoted.chars();
            loop {
                match characters.next().ok_or_else(bad)? {
                    '"' => break,
                    '\\' => match characters.next() {
                        Some(escaped @ ('"' | '\\')) => step.push(escaped),
                        _ => return Err(bad()),
                    },
                    next => step.push(next),
                }
            }
            rest = characters.as_str();
        } else {
            let end = rest.find(|next| !is_plain(next)).unwrap_or(rest.len());
            if end == 0 {
                return Err(bad());
            }
            step.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        rest = rest.strip_prefix(']').ok_or_else(bad)?;
        steps.push(step);
    }
    Ok(steps)
}

/// Goes to the value of a path and reads it; the first member of a name counts.
fn at<T>(
    reader: &mut Reader<'_>,
    steps: &[String],
    read: &mut dyn FnMut(&mut Reader<'_>) -> Reading<Option<T>>,
) -> Reading<Option<T>> {
    let Some((step, deeper)) = steps.split_first() else { return read(reader) };
    let mut found = None;
    match reader.start()? {
        Start::Object => {
            reader.members(|reader, name| {
                if name != step {
                    reader.skip()?;
                    return Ok(true);
                }
                found = at(reader, deeper, read)?;
                Ok(false)
            })?;
        }
        Start::Array => {
            let wanted: Option<usize> = step.parse().ok();
            reader.elements(|reader, index| {
                if wanted != Some(index) {
                    reader.skip()?;
                    return Ok(true);
                }
                found = at(reader, deeper, read)?;
                Ok(false)
            })?;
        }
        _ => {}
    }
    Ok(found)
}

fn extract(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut paths = Prepared::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).text_or_null(|(text, steps), out| {
        let steps = paths.get(steps, path)?;
        or_null(at(&mut Reader::new(text), steps, &mut |reader| reader.copy(out).map(Some)))
    })
}

/// Reads a value that is no container and not null as its text.
fn scalar(reader: &mut Reader<'_>, out: &mut String) -> Reading<Option<()>> {
    match reader.start()? {
        Start::Object | Start::Array => return Ok(None),
        Start::Text => reader.text(out)?,
        Start::Number => out.push_str(reader.number()?),
        Start::Null => {
            reader.constant(Start::Null)?;
            return Ok(None);
        }
        start => out.push_str(reader.constant(start)?),
    }
    Ok(Some(()))
}

fn extract_scalar(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut paths = Prepared::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).text_or_null(|(text, steps), out| {
        let steps = paths.get(steps, path)?;
        let mut reader = Reader::new(text);
        let found = or_null(at(&mut reader, steps, &mut |reader| scalar(reader, out)))?;
        // A number at the top must not run into something else.
        if steps.is_empty()
            && found.is_some()
            && !reader.is_at_end()
            && out.ends_with(|last: char| last.is_ascii_digit())
        {
            return Ok(None);
        }
        Ok(found)
    })
}

/// How many elements an array has; nothing for other values.
fn count(reader: &mut Reader<'_>) -> Reading<Option<i64>> {
    if reader.start()? != Start::Array {
        return Ok(None);
    }
    let mut length = 0;
    reader.elements(|reader, _| {
        length += 1;
        reader.skip()?;
        Ok(true)
    })?;
    Ok(Some(length))
}

fn array_length(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let lengths =
        each(call, text(arguments, 0)?).nullable::<Int64Type>(|text| or_null(count(&mut Reader::new(text))))?;
    Ok(Arc::new(lengths))
}

/// Reads the element at an index: texts as they say, other values as type `json` has them, numbers as written.
fn element(text: &str, index: i64, out: &mut String) -> Reading<Option<()>> {
    let mut reader = Reader::new(text);
    if reader.start()? != Start::Array {
        return Ok(None);
    }
    let wanted = if index >= 0 {
        usize::try_from(index).ok()
    } else {
        let length = count(&mut reader.clone())?.unwrap_or(0);
        usize::try_from(length.saturating_add(index)).ok()
    };
    let Some(wanted) = wanted else { return Ok(None) };
    let mut found = None;
    reader.elements(|reader, index| {
        if index < wanted {
            reader.skip()?;
            return Ok(true);
        }
        found = match reader.start()? {
            Start::Object | Start::Array => reader.copy(out).map(Some)?,
            _ => scalar(reader, out)?,
        };
        Ok(false)
    })?;
    Ok(found)
}

fn array_get(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, bigint(arguments, 1)?))
        .text_or_null(|(text, index), out| or_null(element(text, index, out)))
}

/// Whether an array has an element that is wanted; nothing for other values.
fn has(text: &str, mut is_wanted: impl FnMut(&mut Reader<'_>, Start) -> Reading<bool>) -> Reading<Option<bool>> {
    let mut reader = Reader::new(text);
    if reader.start()? != Start::Array {
        return Ok(None);
    }
    let ended = reader.elements(|reader, _| {
        let start = reader.start()?;
        Ok(!is_wanted(reader, start)?)
    })?;
    Ok(Some(!ended))
}

fn array_contains_boolean(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, boolean(arguments, 1)?)).boolean(|(text, wanted)| {
        let wanted = if wanted { Start::True } else { Start::False };
        or_null(has(text, |reader, start| {
            reader.skip()?;
            Ok(start == wanted)
        }))
    })
}

fn array_contains_bigint(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, bigint(arguments, 1)?)).boolean(|(text, wanted)| {
        or_null(has(text, |reader, start| match start {
            Start::Number => Ok(reader.number()?.parse() == Ok(wanted)),
            _ => reader.skip().map(|()| false),
        }))
    })
}

fn array_contains_double(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, double(arguments, 1)?)).boolean(|(text, wanted)| {
        or_null(has(text, |reader, start| match start {
            Start::Number => {
                let number = reader.number()?;
                let value: f64 = number.parse().map_err(|_| Stop::Malformed)?;
                // Whole numbers are no doubles.
                Ok(number.contains(['.', 'e', 'E']) && value.total_cmp(&wanted).is_eq())
            }
            _ => reader.skip().map(|()| false),
        }))
    })
}

fn array_contains_text(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (text(arguments, 0)?, text(arguments, 1)?);
    let mut builder = BooleanBuilder::with_capacity(call.rows);
    let mut said = String::new();
    for row in 0..call.rows {
        let Some((text, wanted)) = columns.row(row) else {
            builder.append_null();
            continue;
        };
        builder.append_option(or_null(has(text, |reader, start| match start {
            Start::Text => {
                said.clear();
                reader.text(&mut said)?;
                Ok(said == wanted)
            }
            _ => reader.skip().map(|()| false),
        }))?);
    }
    Ok(Arc::new(builder.finish()))
}

fn size(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (text(arguments, 0)?, text(arguments, 1)?);
    let mut paths = Prepared::new();
    let mut builder = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some((text, steps)) = columns.row(row) else {
            builder.append_null();
            continue;
        };
        let steps = paths.get(steps, path)?;
        builder.append_option(or_null(at(&mut Reader::new(text), steps, &mut |reader| match reader.start()? {
            Start::Array => count(reader),
            Start::Object => {
                let mut members = 0;
                reader.members(|reader, _| {
                    members += 1;
                    reader.skip()?;
                    Ok(true)
                })?;
                Ok(Some(members))
            }
            _ => reader.skip().map(|()| Some(0)),
        }))?);
    }
    Ok(Arc::new(builder.finish()))
}

fn is_scalar(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).boolean(|text| {
        let mut reader = Reader::new(text);
        let scalar = match reader.start() {
            Ok(start) => !matches!(start, Start::Object | Start::Array),
            Err(_) => false,
        };
        match reader.skip() {
            Ok(()) if reader.is_at_end() => Ok(Some(scalar)),
            Err(Stop::Refused(error)) => Err(error),
            _ => Err(invalid(format!("Invalid JSON value: {text}"))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bigint, double, error, text, value};
    use crate::sql::types::Type;

    fn scalar(json: &str, path: &str) -> String {
        value("json_extract_scalar", 0, Type::Varchar(None), &[text(json), text(path)])
    }

    fn extract(json: &str, path: &str) -> String {
        value("json_extract", 0, Type::Json, &[text(json), text(path)])
    }

    #[test]
    fn paths_name_members_and_elements() {
        for (json, path, expected) in [
            (r#"{"a":[{"b":1},{"b":2}]}"#, "$.a[1].b", "2"),
            (r#"{"x.y":2}"#, r#"$["x.y"]"#, "2"),
            (r#"{"a\"b":1}"#, r#"$["a\"b"]"#, "1"),
            (r#"{"a:b":1}"#, "$.a:b", "1"),
            (r#"{"0":5}"#, "$[0]", "5"),
            ("[1,2]", "$.1", "2"),
            ("[5]", "$[00]", "5"),
            (r#"{"a":{"b":1},"a":{"c":2}}"#, "$.a.c", "null"),
            ("[10, 20]", "$[5]", "null"),
            (r#""abc""#, "$", "abc"),
        ] {
            assert_eq!(scalar(json, path), expected, "{json} {path}");
        }
        for path in ["", "a", "$.", "$a", "$..a", "$.user-id", "$.a[*]", "$[-1]", "$['a']", "$.a b", "$.@t", " $.a"] {
            assert_eq!(
                error("json_extract_scalar", 0, Type::Varchar(None), &[text("{}"), text(path)]),
                format!("INVALID_FUNCTION_ARGUMENT: Invalid JSON path: '{path}'")
            );
        }
    }

    #[test]
    fn texts_are_read_only_as_far_as_needed() {
        for (json, path, expected) in [
            (r#"{"b":2,"a":1,}"#, "$.a", "1"),
            (r#"{"a":1 x"#, "$.a", "1"),
            (r#"{"a":12"#, "$.a", "12"),
            (r#"{"a":1x}"#, "$.a", "1"),
            (r#"{"a":"x"#, "$.a", "null"),
            (r#"{"a":truex"#, "$.a", "null"),
            (r#"{"a":01}"#, "$.a", "null"),
            (r"{'a':1}", "$.a", "null"),
            ("1x", "$", "null"),
            ("bad", "$.a", "null"),
            (r#"{"n": 1.50}"#, "$.n", "1.50"),
            (r#"{"o": {}}"#, "$.o", "null"),
            (r#"{"o": null}"#, "$.o", "null"),
        ] {
            assert_eq!(scalar(json, path), expected, "{json} {path}");
        }
    }

    #[test]
    fn values_are_copied_in_their_order() {
        assert_eq!(extract(r#"{"z":1,"b":{"y":1.50,"x":1e3}}"#, "$.b"), r#"{"y":1.5,"x":1000.0}"#);
        assert_eq!(extract(r#"{"a":1,"a":2}"#, "$"), r#"{"a":1,"a":2}"#);
        assert_eq!(extract(r#"{"a": "x\"y"}"#, "$.a"), r#""x\"y""#);
        assert_eq!(extract(r#"{"b":null}"#, "$.b"), "null");
        assert_eq!(extract("[1] x", "$"), "[1]");
        assert_eq!(extract(r#"{"a":[-0, -0.0, 12345678901234567890123]}"#, "$.a"), "[0,-0.0,12345678901234567890123]");
    }

    #[test]
    fn arrays_are_counted_and_searched() {
        let length = |json| value("json_array_length", 0, Type::Bigint, &[text(json)]);
        assert_eq!(length("[1,2,[3]]"), "3");
        assert_eq!(length("[1,2] x"), "2");
        assert_eq!(length("[1"), "null");
        assert_eq!(length("{}"), "null");
        let has = |json, number| value("json_array_contains", 1, Type::Boolean, &[text(json), bigint(number)]);
        assert_eq!(has("[1, 2", 1), "true");
        assert_eq!(has("[1.0]", 1), "false");
        assert_eq!(has("bad", 1), "null");
        assert_eq!(value("json_array_contains", 2, Type::Boolean, &[text("[1]"), double(1.0)]), "false");
        let get = |json, index| value("json_array_get", 0, Type::Json, &[text(json), bigint(index)]);
        assert_eq!(get(r#"[1.50,"a b"]"#, 0), "1.50");
        assert_eq!(get(r#"[1.50,"a b"]"#, -1), "a b");
        assert_eq!(get("[1,2", 0), "1");
        let size = |json| value("json_size", 0, Type::Bigint, &[text(json), text("$.x")]);
        assert_eq!(size(r#"{"x":{"a":1,"b":2}}"#), "2");
        assert_eq!(size(r#"{"x":null}"#), "0");
        assert_eq!(size(r#"{"x":[1,2"#), "null");
        assert!(error("is_json_scalar", 0, Type::Boolean, &[text("1 2")]).contains("Invalid JSON value: 1 2"));
    }
}
