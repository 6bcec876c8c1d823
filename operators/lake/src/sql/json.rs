//! JSON values and their one text: what Trino's type `json` holds.
//!
//! The text has no blanks, objects in the order of their keys (by UTF-16 units), whole numbers as written, others as Java
//! writes doubles. Equal values of type `json` have equal texts. Grammar: <https://www.rfc-editor.org/rfc/rfc8259>.

use std::fmt::Write;

use super::text::number::java_double;

/// How deep values may be nested.
const DEPTH_LIMIT: usize = 1_000;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean(bool),
    /// A whole number of any size, as digits with an optional minus.
    Integer(String),
    /// A number with a point or exponent.
    Double(f64),
    /// A text.
    Text(String),
    /// A list.
    Array(Vec<Self>),
    /// Names and values in the order of the names; each name once.
    Object(Vec<(String, Self)>),
}

impl Json {
    /// Reads a text; none when it is not JSON.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let value = reader.value(0)?;
        reader.skip_blanks();
        reader.rest.is_empty().then_some(value)
    }

    /// Returns its text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// Writes its text.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Integer(digits) => out.push_str(digits),
            Self::Double(value) => write_double(out, *value),
            Self::Text(text) => write_text(out, text),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(entries) => {
                out.push('{');
                for (at, (name, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    write_text(out, name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Makes an object: names in order, the last of equal names wins.
    #[must_use]
    pub fn object(entries: Vec<(String, Self)>) -> Self {
        Self::Object(in_order(entries))
    }
}

/// Orders the members of an object by their names; the last of equal names wins.
pub fn in_order<T>(mut members: Vec<(String, T)>) -> Vec<(String, T)> {
    members.sort_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
    let mut kept: Vec<(String, T)> = Vec::with_capacity(members.len());
    for member in members {
        match kept.last_mut() {
            Some(last) if last.0 == member.0 => *last = member,
            _ => kept.push(member),
        }
    }
    kept
}

/// Writes a number; JSON has no NaN and no infinity, so these are texts.
pub fn write_double(out: &mut String, value: f64) {
    if value.is_finite() {
        out.push_str(&java_double(value));
    } else {
        let _ = write!(out, "\"{}\"", java_double(value));
    }
}

/// Writes a text with its quotes.
pub fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04X}", u32::from(control));
            }
            // Trino writes what UTF-16 needs two units for as escapes.
            beyond if beyond > '\u{ffff}' => {
                for unit in beyond.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04X}");
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, text: &str) -> bool {
        self.skip_blanks();
        self.rest.strip_prefix(text).map(|rest| self.rest = rest).is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        self.skip_blanks();
        match self.rest.as_bytes().first()? {
            b'{' => {
                self.take("{");
                let mut entries = Vec::new();
                if self.take("}") {
                    return Some(Json::Object(entries));
                }
                loop {
                    self.skip_blanks();
                    let name = self.text()?;
                    if !self.take(":") {
                        return None;
                    }
                    entries.push((name, self.value(depth + 1)?));
                    if self.take("}") {
                        return Some(Json::object(entries));
                    }
                    if !self.take(",") {
                        return None;
                    }
                }
            }
            b'[' => {
                self.take("[");
                let mut items = Vec::new();
                if self.take("]") {
                    return Some(Json::Array(items));
                }
                loop {
                    items.push(self.value(depth + 1)?);
                    if self.take("]") {
                        return Some(Json::Array(items));
                    }
                    if !self.take(",") {
                        return None;
                    }
                }
            }
            b'"' => self.text().map(Json::Text),
            b't' => self.take("true").then_some(Json::Boolean(true)),
            b'f' => self.take("false").then_some(Json::Boolean(false)),
            b'n' => self.take("null").then_some(Json::Null),
            _ => self.number(),
        }
    }

    fn digits(&mut self) -> Option<&'a str> {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        (count > 0).then_some(digits)
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.rest;
        if let Some(rest) = self.rest.strip_prefix('-') {
            self.rest = rest;
        }
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let mut is_whole = true;
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            self.digits()?;
            is_whole = false;
        }
        if let Some(rest) = self.rest.strip_prefix(['e', 'E']) {
            self.rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
            self.digits()?;
            is_whole = false;
        }
        let text = &start[..start.len() - self.rest.len()];
        Some(match is_whole {
            // There is no whole number -0.
            true if whole == "0" => Json::Integer("0".to_owned()),
            true => Json::Integer(text.to_owned()),
            false => Json::Double(text.parse().ok()?),
        })
    }

    fn text(&mut self) -> Option<String> {
        let mut characters = self.rest.strip_prefix('"')?.chars();
        let mut text = String::new();
        loop {
            match characters.next()? {
                '"' => {
                    self.rest = characters.as_str();
                    return Some(text);
                }
                '\\' => text.push(match characters.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'u' => escaped(&mut characters)?,
                    same @ ('"' | '\\' | '/') => same,
                    _ => return None,
                }),
                control if control < ' ' => return None,
                other => text.push(other),
            }
        }
    }
}

/// Reads what stands behind `\u`: one unit of UTF-16, or two that make one character.
fn escaped(characters: &mut std::str::Chars<'_>) -> Option<char> {
    let mut unit = || -> Option<u32> {
        let mut value = 0;
        for _ in 0..4 {
            value = value * 16 + characters.next()?.to_digit(16)?;
        }
        Some(value)
    };
    let first = unit()?;
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first);
    }
    if (characters.next()?, characters.next()?) != ('\\', 'u') {
        return None;
    }
    let mut second = 0;
    for _ in 0..4 {
        second = second * 16 + characters.next()?.to_digit(16)?;
    }
    (0xDC00..0xE000)
        .contains(&second)
        .then(|| char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_for_one_value() {
        for (written, text) in [
            ("1.50", "1.5"),
            ("1e2", "100.0"),
            ("12345678901234567890.5", "1.2345678901234567E19"),
            ("1E400", "\"Infinity\""),
            ("0.1e-5", "1.0E-6"),
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("100000000000000000000000", "100000000000000000000000"),
            (" { \"b\" : 1 , \"a\" : [ 1.0 , \"é\\u00e9\\n\" ] } ", "{\"a\":[1.0,\"éé\\n\"],\"b\":1}"),
            ("{\"a\":1,\"a\":2}", "{\"a\":2}"),
            ("\"\\ud83d\\ude00\\/\\u0001\"", "\"\\uD83D\\uDE00/\\u0001\""),
            ("[]", "[]"),
            ("{}", "{}"),
        ] {
            assert_eq!(Json::parse(written).unwrap().to_text(), text);
        }
        for bad in ["", "abc", "01", "1.", "[1,]", "{\"a\"}", "\"\\x\"", "\"\\ud800\"", "1 2", "'a'", "NaN", "\"\n\""] {
            assert_eq!(Json::parse(bad), None, "{bad}");
        }
        assert_eq!(Json::parse(&"[".repeat(100_000)), None);
    }
}
