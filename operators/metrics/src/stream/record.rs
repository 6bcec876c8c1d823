//! Records of a stream: points as JSON.
//!
//! `{"name": "cpu.user", "ts": 1709164800000, "value": 1.5}`: one of them, a list of them, or several one below the other. `ts` is in
//! milliseconds since 1970, or a text such as `2024-02-29T00:00:00Z`; `value` is a number, or the text `NaN`, `Infinity` or
//! `-Infinity`. Other keys are passed over.

use lake::{Error, ErrorKind, Result};
use serde_json::Value;

use super::StreamPoint;
use crate::point::{SeriesName, canonical};
use crate::time::{WHOLE_MS, check_time, instant};

/// Reads the points of a record.
///
/// # Errors
/// `InvalidData` that says what was expected and what is there.
pub(super) fn points(data: &[u8]) -> Result<Vec<StreamPoint>> {
    let mut points = Vec::new();
    let text =
        std::str::from_utf8(data).map_err(|_| wrong("expected JSON, found bytes that are no text".to_owned()))?;
    for found in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        match found.map_err(|error| wrong(format!("expected JSON: {error}")))? {
            Value::Array(items) => {
                for item in &items {
                    points.push(point(item)?);
                }
            }
            item => points.push(point(&item)?),
        }
    }
    Ok(points)
}

fn point(item: &Value) -> Result<StreamPoint> {
    let Value::Object(keys) = item else {
        return Err(wrong(format!("expected a point such as `{EXAMPLE}`, found {}", shown(item))));
    };
    let key =
        |name: &str| keys.get(name).ok_or_else(|| wrong(format!("expected the key `{name}`, found {}", shown(item))));
    let name =
        key("name")?.as_str().ok_or_else(|| wrong(format!("expected a text as `name`, found {}", shown(item))))?;
    let ts = key("ts")?;
    let time_ms = match ts {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => match instant(text) {
            Some((_, false)) => return Err(wrong(format!("{WHOLE_MS} as `ts`, found {}", shown(ts)))),
            read => read.map(|(time_ms, _)| time_ms),
        },
        _ => None,
    };
    let time_ms = time_ms.ok_or_else(|| {
        wrong(format!("expected whole milliseconds since 1970 as `ts`, or `2024-02-29T00:00:00Z`, found {}", shown(ts)))
    })?;
    let value = key("value")?;
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    };
    let number = number.ok_or_else(|| wrong(format!("expected a number as `value`, found {}", shown(value))))?;
    check_time(time_ms)?;
    Ok(StreamPoint { name: SeriesName::new(name)?, time_ms, value: canonical(number) })
}

const EXAMPLE: &str = r#"{"name": "cpu", "ts": 1709164800000, "value": 1.5}"#;

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidData, "read a record", message)
}

/// Returns the beginning of a value as it is written.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 100;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, i64, f64)> {
        let points = points(text.as_bytes()).unwrap();
        points.into_iter().map(|point| (point.name.to_string(), point.time_ms, point.value)).collect()
    }

    #[test]
    fn a_record_holds_one_point_or_many() {
        let one = ("a".to_owned(), 1_709_164_800_000, 1.5);
        assert_eq!(
            read(r#"{"name": "a", "ts": 1709164800000, "value": 1.5, "host": "h"}"#),
            std::slice::from_ref(&one)
        );
        assert_eq!(
            read(r#"{"value": 1.5, "ts": "2024-02-29T01:00:00+01:00", "name": "a"}"#),
            std::slice::from_ref(&one)
        );
        let two = r#"[{"name": "a", "ts": 1709164800000, "value": 1.5}, {"name": "b", "ts": 0, "value": "-Infinity"}]"#;
        assert_eq!(read(two), [one.clone(), ("b".to_owned(), 0, f64::NEG_INFINITY)]);
        let lines =
            "{\"name\": \"a\", \"ts\": 1709164800000, \"value\": 1.5}\n{\"name\": \"é\", \"ts\": 1, \"value\": 2}\n";
        assert_eq!(read(lines), [one, ("é".to_owned(), 1, 2.0)]);
        assert_eq!(read(" \n[]"), []);
    }

    #[test]
    fn what_is_no_point_is_named() {
        for (text, message) in [
            ("x", "expected JSON: expected value at line 1 column 1"),
            ("1", "expected a point such as `{\"name\": \"cpu\", \"ts\": 1709164800000, \"value\": 1.5}`, found `1`"),
            (r#"{"ts": 1, "value": 1}"#, "expected the key `name`, found `{\"ts\":1,\"value\":1}`"),
            (
                r#"{"name": 1, "ts": 1, "value": 1}"#,
                "expected a text as `name`, found `{\"name\":1,\"ts\":1,\"value\":1}`",
            ),
            (
                r#"{"name": "a", "ts": 1.5, "value": 1}"#,
                "expected whole milliseconds since 1970 as `ts`, or `2024-02-29T00:00:00Z`, found `1.5`",
            ),
            (
                r#"{"name": "a", "ts": "2024-02-29T00:00:00.0001Z", "value": 1}"#,
                "expected a time of whole milliseconds as `ts`, found `\"2024-02-29T00:00:00.0001Z\"`",
            ),
            (r#"{"name": "a", "ts": 1, "value": null}"#, "expected a number as `value`, found `null`"),
            (r#"{"name": "a", "ts": 1, "value": "1"}"#, "expected a number as `value`, found `\"1\"`"),
            (
                r#"{"name": "a", "ts": -1, "value": 1}"#,
                "expected a time from 1970 to 9999, found -1 milliseconds since 1970",
            ),
            (r#"{"name": "", "ts": 1, "value": 1}"#, "expected a series' name, found an empty text"),
        ] {
            let error = points(text.as_bytes()).unwrap_err();
            assert_eq!((error.kind, error.message.as_str()), (ErrorKind::InvalidData, message), "{text}");
        }
        assert_eq!(points(b"\xff").unwrap_err().message, "expected JSON, found bytes that are no text");
    }
}
