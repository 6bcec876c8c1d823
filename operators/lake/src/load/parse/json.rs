//! Reads JSON (RFC 8259) without building values: where members start and end, and the text of strings.
//!
//! Numbers and nested values stay the text they were, so no digit is lost. It is strict: no comments, no `NaN`, no trailing
//! commas, no control characters in strings. Values may be nested 256 deep.

use std::borrow::Cow;

const MAX_DEPTH: usize = 256;

/// A value: where it stands, and of which kind it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    /// The value's kind.
    pub kind: Kind,
    /// Its text as it was written.
    pub text: &'a [u8],
}

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string; the text includes its quotes.
    String {
        /// Whether it has escapes.
        escaped: bool,
    },
    /// An object.
    Object,
    /// An array.
    Array,
}

/// Where reading stopped, and what was expected there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// The place, in bytes from the start.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

type Result<T> = std::result::Result<T, SyntaxError>;

/// Tells whether the text is one JSON value.
pub(crate) fn is_value(text: &[u8]) -> bool {
    let mut reader = Reader { text, at: 0 };
    reader.blanks();
    reader.value(0).is_ok() && {
        reader.blanks();
        reader.at == text.len()
    }
}

/// Calls `member` with the key (unescaped) and the value of each member of the object that the text is.
///
/// # Errors
/// The first place where the text is not one JSON object.
pub(crate) fn read_object<'a>(text: &'a [u8], member: &mut dyn FnMut(&[u8], Value<'a>)) -> Result<()> {
    let mut reader = Reader { text, at: 0 };
    reader.blanks();
    if reader.peek() != Some(b'{') {
        return Err(reader.expected("an object"));
    }
    reader.object(0, &mut |key, value| member(&key, value))?;
    reader.blanks();
    if reader.at == text.len() { Ok(()) } else { Err(reader.expected("the end of the line after the object")) }
}

/// Reads one value.
///
/// # Errors
/// The first place where the text is not one JSON value.
pub(crate) fn read_value(text: &[u8]) -> Result<Value<'_>> {
    let mut reader = Reader { text, at: 0 };
    reader.blanks();
    let value = reader.value(0)?;
    reader.blanks();
    if reader.at == text.len() { Ok(value) } else { Err(reader.expected("the end of the line after the value")) }
}

/// Calls `member` with the key (unescaped) and the value of each member of an object; never for another value.
pub(crate) fn for_members<'a>(value: Value<'a>, member: &mut dyn FnMut(Cow<'a, [u8]>, Value<'a>)) {
    if value.kind == Kind::Object {
        let _read_before = Reader { text: value.text, at: 0 }.object(0, member);
    }
}

/// Returns the elements of an array; none of another value.
pub(crate) fn elements(value: Value<'_>) -> Vec<Value<'_>> {
    let mut elements = Vec::new();
    if value.kind == Kind::Array {
        let _read_before = Reader { text: value.text, at: 0 }.array(0, &mut |element| elements.push(element));
    }
    elements
}

/// Finds a value by the parts of a JSON pointer (RFC 6901, unescaped already).
///
/// # Errors
/// The key on the way that stands twice in its object.
pub(crate) fn find<'a>(value: Value<'a>, pointer: &[String]) -> std::result::Result<Option<Value<'a>>, Vec<u8>> {
    let Some((part, rest)) = pointer.split_first() else { return Ok(Some(value)) };
    let mut found = None;
    let mut twice = false;
    let mut reader = Reader { text: value.text, at: 0 };
    match value.kind {
        Kind::Object => {
            let _read_before = reader.object(0, &mut |key, value| {
                if key.as_ref() == part.as_bytes() {
                    twice |= found.replace(value).is_some();
                }
            });
        }
        Kind::Array => {
            let index: Option<usize> = part.parse().ok();
            let mut at = 0;
            let _read_before = reader.array(0, &mut |value| {
                if Some(at) == index {
                    found = Some(value);
                }
                at += 1;
            });
        }
        _ => {}
    }
    match found {
        _ if twice => Err(part.clone().into_bytes()),
        Some(found) => find(found, rest),
        None => Ok(None),
    }
}

/// Returns the text that a string value means; none when an escape names half of a surrogate pair.
pub(crate) fn unescape(string: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inner = string.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(string);
    if memchr::memchr(b'\\', inner).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let escape = *rest.get(at + 1)?;
        rest = &rest[at + 2..];
        let byte = match escape {
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let high = hex(rest)?;
                rest = &rest[4..];
                let code = if (0xD800..0xDC00).contains(&high) {
                    let low = hex(rest.strip_prefix(b"\\u")?).filter(|low| (0xDC00..0xE000).contains(low))?;
                    rest = &rest[6..];
                    0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
                } else {
                    high
                };
                let mut buffer = [0; 4];
                out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut buffer).as_bytes());
                continue;
            }
            other => other,
        };
        out.push(byte);
    }
    out.extend_from_slice(rest);
    Some(Cow::Owned(out))
}

fn hex(text: &[u8]) -> Option<u32> {
    let mut value = 0;
    for byte in text.get(..4)? {
        value = value * 16 + char::from(*byte).to_digit(16)?;
    }
    Some(value)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn expected(&self, expected: &'static str) -> SyntaxError {
        SyntaxError { at: self.at, expected }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => {
                self.object(depth, &mut |_, _| ())?;
                Kind::Object
            }
            Some(b'[') => {
                self.array(depth, &mut |_| ())?;
                Kind::Array
            }
            Some(b'"') => Kind::String { escaped: self.string()? },
            Some(b't') => self.word(b"true", Kind::Boolean)?,
            Some(b'f') => self.word(b"false", Kind::Boolean)?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Kind::Number
            }
            _ => return Err(self.expected("a value")),
        };
        Ok(Value { kind, text: &self.text[start..self.at] })
    }

    fn object(&mut self, depth: usize, member: &mut dyn FnMut(Cow<'a, [u8]>, Value<'a>)) -> Result<()> {
        if depth >= MAX_DEPTH {
            return Err(self.expected("at most 256 values inside each other"));
        }
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blanks();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key in quotes"));
            }
            self.string()?;
            let key = unescape(&self.text[start..self.at])
                .ok_or(SyntaxError { at: start, expected: "a key of characters" })?;
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.expected("`:`"));
            }
            self.at += 1;
            self.blanks();
            let value = self.value(depth + 1)?;
            member(key, value);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.expected("`,` or `}`")),
            }
        }
    }

    fn array(&mut self, depth: usize, element: &mut dyn FnMut(Value<'a>)) -> Result<()> {
        if depth >= MAX_DEPTH {
            return Err(self.expected("at most 256 values inside each other"));
        }
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blanks();
            let value = self.value(depth + 1)?;
            element(value);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.expected("`,` or `]`")),
            }
        }
    }

    /// Passes a string and tells whether it has escapes.
    fn string(&mut self) -> Result<bool> {
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                        Some(b'u') if self.text.get(self.at + 1..).and_then(hex).is_some() => self.at += 5,
                        _ => return Err(self.expected("an escape as `\\n` or `\\u00e9`")),
                    }
                }
                Some(0..0x20) => return Err(self.expected("no control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.expected("the end of the string")),
            }
        }
    }

    fn number(&mut self) -> Result<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.expected("a digit")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(kind)
        } else {
            Err(self.expected("a value"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_what_is_json_and_nothing_else() {
        for text in
            ["null", "true", "-0.5e+3", "\"a\\u00e9\\n\"", "[]", "[1, 2]", "{}", " {\"a\": [{\"b\": null}]} ", "0"]
        {
            assert!(is_value(text.as_bytes()), "{text}");
        }
        for text in
            ["", "nul", "01", "1.", "+1", "NaN", "'a'", "[1,]", "{\"a\"}", "{a:1}", "1 2", "\"\\q\"", "\"\n\"", "// x"]
        {
            assert!(!is_value(text.as_bytes()), "{text}");
        }
        assert!(is_value(format!("{}{}", "[".repeat(256), "]".repeat(256)).as_bytes()));
        assert!(!is_value("[".repeat(100_000).as_bytes()));
    }

    #[test]
    fn members_and_pointers_are_found() {
        let mut seen = Vec::new();
        let text = br#"{"a": 1.50, "b\u0041": {"c": [10, {"d": "x\ty"}]}, "a": 2}"#;
        read_object(text, &mut |key, value| seen.push((String::from_utf8(key.to_vec()).unwrap(), value))).unwrap();
        assert_eq!(seen.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a", "bA", "a"]);
        assert_eq!(seen[0].1, Value { kind: Kind::Number, text: b"1.50" });
        let found = find(seen[1].1, &["c".to_owned(), "1".to_owned(), "d".to_owned()]).unwrap().unwrap();
        assert_eq!(unescape(found.text).unwrap().as_ref(), b"x\ty");
        assert_eq!(find(seen[1].1, &["c".to_owned(), "7".to_owned()]), Ok(None));
        let twice = Value { kind: Kind::Object, text: br#"{"a": 1, "a": 1}"# };
        assert_eq!(find(twice, &["a".to_owned()]), Err(b"a".to_vec()));
    }

    #[test]
    fn surrogates_come_in_pairs() {
        assert_eq!(unescape(br#""\ud83d\ude00""#).unwrap().as_ref(), "😀".as_bytes());
        assert_eq!(unescape(br#""\ud83d""#), None);
        assert_eq!(unescape(br#""\ud83dx""#), None);
    }

    proptest::proptest! {
        #[test]
        fn it_agrees_with_a_known_reader(text in "[ \\[\\]{}:,\"a\\\\u0-9.eE+tfn-]{0,24}") {
            let known = serde_json::from_str::<serde_json::Value>(&text);
            // The known reader refuses numbers beyond a double and lone surrogates; the syntax allows them.
            let about_values = known.as_ref().err().is_some_and(|error| {
                let error = error.to_string();
                error.contains("number out of range") || error.contains("surrogate") || error.contains("hex escape")
            });
            proptest::prop_assert!(about_values || known.is_ok() == is_value(text.as_bytes()), "{:?}", known);
        }
    }
}
