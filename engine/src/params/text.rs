//! The text of a value inside a template: what JavaScript's `JSON.stringify` would write, without losing digits.
//!
//! Follows ECMA-262 `Number::toString` and `SerializeJSONProperty`; one departure: an integer keeps all its digits, where
//! JavaScript has only 53 bits of them. <https://tc39.es/ecma262/#sec-numeric-types-number-tostring>

use std::fmt::Write;

use serde_json::{Number, Value};

/// Returns the text of a value: nothing for null, a string as it is, JSON for everything else.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => {
            let mut out = String::new();
            write_json(&mut out, other);
            out
        }
    }
}

fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => write_quoted(out, text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            // An object of JavaScript lists its integer keys first, in numeric order.
            let mut indexed: Vec<(u32, &String, &Value)> =
                map.iter().filter_map(|(key, value)| Some((array_index(key)?, key, value))).collect();
            indexed.sort_by_key(|(index, ..)| *index);
            let named = map.iter().filter(|(key, _)| array_index(key).is_none());
            for (i, (key, value)) in indexed.iter().map(|(_, key, value)| (*key, *value)).chain(named).enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_quoted(out, key);
                out.push(':');
                write_json(out, value);
            }
            out.push('}');
        }
    }
}

/// Reads a key as JavaScript's array index: canonical decimal, below 2^32 - 1.
fn array_index(key: &str) -> Option<u32> {
    let index: u32 = key.parse().ok()?;
    (index != u32::MAX && index.to_string() == key).then_some(index)
}

fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a string cannot fail.
            c if u32::from(c) < 0x20 => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn number_text(number: &Number) -> String {
    if let Some(n) = number.as_i64() {
        n.to_string()
    } else if let Some(n) = number.as_u64() {
        n.to_string()
    } else {
        number.as_f64().map_or_else(|| number.to_string(), float_text)
    }
}

/// Writes a float as JavaScript does; what JSON has no number for is `null`.
fn float_text(x: f64) -> String {
    if !x.is_finite() {
        return "null".to_owned();
    }
    if x == 0.0 {
        return "0".to_owned();
    }
    // Rust's `{:e}` gives the shortest digits that read back as the same float, as ECMA-262 asks; only the layout differs.
    let scientific = format!("{:e}", x.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if x < 0.0 { "-" } else { "" };
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // `point` is ECMA-262's n: where the decimal point stands, counted from the first digit.
    let point = exponent + 1;
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let split = usize::try_from(point).unwrap_or(0);
    if (count..=21).contains(&point) {
        format!("{sign}{digits}{}", zeros(point - count))
    } else if (1..=21).contains(&point) {
        format!("{sign}{}.{}", &digits[..split], &digits[split..])
    } else if (-5..=0).contains(&point) {
        format!("{sign}0.{}{digits}", zeros(-point))
    } else {
        let e = point - 1;
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{sign}{first}{dot}{rest}e{}{}", if e < 0 { '-' } else { '+' }, e.abs())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn writes_values_as_javascript_does() {
        let table = [
            (json!(null), ""),
            (json!("a\"b"), "a\"b"),
            (json!(true), "true"),
            (json!(7), "7"),
            (json!(9_007_199_254_740_993_i64), "9007199254740993"),
            (json!(18_446_744_073_709_551_615_u64), "18446744073709551615"),
            (json!(1.0), "1"),
            (json!(1.5), "1.5"),
            (json!(-0.0), "0"),
            (json!(0.1 + 0.2), "0.30000000000000004"),
            (json!(1e20), "100000000000000000000"),
            (json!(1e21), "1e+21"),
            (json!(1.25e22), "1.25e+22"),
            (json!(0.000_001), "0.000001"),
            (json!(0.000_000_1), "1e-7"),
            (json!(-123.456), "-123.456"),
            (json!([1, null, "x\n\u{1}"]), "[1,null,\"x\\n\\u0001\"]"),
            (json!({"b": 1, "10": 2, "9": 3, "01": 4, "a": {}}), "{\"9\":3,\"10\":2,\"b\":1,\"01\":4,\"a\":{}}"),
        ];
        for (value, expected) in table {
            assert_eq!(text_of(&value), expected, "{value}");
        }
    }
}
