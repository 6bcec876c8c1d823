//! Values of JSON as the texts that openx's reader makes of them.

use std::borrow::Cow;

use super::super::number;
use crate::load::parse::json::{self, Kind, Value};

/// Returns the text of a number or a boolean as openx shows it.
pub(super) fn unquoted(value: Value<'_>) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(value.text);
    if value.kind != Kind::Number || number::whole_number(&text).is_some_and(|number| number.to_string() == text) {
        return text;
    }
    match number::of_any_base(&text) {
        Some(number) => number.to_string().into(),
        None => number::canonical(&text).map_or(text, Cow::Owned),
    }
}

/// Writes a value without blanks, as openx shows it.
pub(super) fn compact(value: Value<'_>, out: &mut String) {
    match value.kind {
        Kind::Object => {
            let mut separator = '{';
            json::for_members(value, &mut |key, value| {
                out.push(std::mem::replace(&mut separator, ','));
                out.push_str(&serde_json::Value::from(String::from_utf8_lossy(&key)).to_string());
                out.push(':');
                compact(value, out);
            });
            out.push_str(if separator == '{' { "{}" } else { "}" });
        }
        Kind::Array => {
            let mut separator = '[';
            for element in json::elements(value) {
                out.push(std::mem::replace(&mut separator, ','));
                compact(element, out);
            }
            out.push_str(if separator == '[' { "[]" } else { "]" });
        }
        Kind::String { .. } => {
            let text = json::unescape(value.text).unwrap_or(Cow::Borrowed(b""));
            out.push_str(&serde_json::Value::from(String::from_utf8_lossy(&text)).to_string());
        }
        _ => out.push_str(&unquoted(value)),
    }
}

/// Tells whether a value is text of nothing but blanks.
pub(super) fn is_blank(value: Value<'_>) -> bool {
    matches!(value.kind, Kind::String { .. })
        && json::unescape(value.text).is_some_and(|text| text.iter().all(u8::is_ascii_whitespace))
}

/// Puts `?` in the place of escapes that name half of a character, as Java writes them: a text that was cut in the middle of an emoji
/// is no reason to lose its line.
pub(super) fn without_half_characters(string: &[u8]) -> Vec<u8> {
    let unit = |at: usize| -> Option<u16> {
        let digits = string.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut out = Vec::with_capacity(string.len());
    let mut at = 0;
    while let Some(byte) = string.get(at) {
        let length = match unit(at) {
            _ if *byte != b'\\' => 1,
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => 12,
            Some(0xD800..=0xDFFF) => {
                out.push(b'?');
                at += 6;
                continue;
            }
            Some(_) => 6,
            None => 2,
        };
        out.extend_from_slice(string.get(at..string.len().min(at + length)).unwrap_or_default());
        at += length;
    }
    out
}
