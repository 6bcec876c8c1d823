//! A JSON text read only as far as a function needs: what stands behind the answer is never looked at, so a text that is
//! broken further on still has its values, as in Trino.
//!
//! The grammar is RFC 8259's. Values are copied in the one text of type `json`, with names in the order of the text.

use super::EvalError;
use super::kernel::unsupported;
use crate::sql::json::{write_double, write_text};

/// Why reading stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The text is no JSON up to here.
    Malformed,
    /// What this engine does not hold.
    Refused(EvalError),
}

/// What reading gives.
pub(super) type Reading<T> = Result<T, Stop>;

/// How deep values may be nested.
const DEEPEST: usize = 500;

/// What a value begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Object,
    Array,
    Text,
    Number,
    True,
    False,
    Null,
}

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, depth: 0 }
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes a character behind blanks when it comes next.
    fn take(&mut self, character: char) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Whether only blanks are left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.skip_blanks();
        self.rest.is_empty()
    }

    /// What the next value begins with.
    pub(super) fn start(&mut self) -> Reading<Start> {
        self.skip_blanks();
        match self.rest.as_bytes().first() {
            Some(b'{') => Ok(Start::Object),
            Some(b'[') => Ok(Start::Array),
            Some(b'"') => Ok(Start::Text),
            Some(b'-' | b'0'..=b'9') => Ok(Start::Number),
            Some(b't') => Ok(Start::True),
            Some(b'f') => Ok(Start::False),
            Some(b'n') => Ok(Start::Null),
            _ => Err(Stop::Malformed),
        }
    }

    /// Takes a word that must not run on.
    fn word(&mut self, word: &str) -> Reading<()> {
        let rest = self.rest.strip_prefix(word).ok_or(Stop::Malformed)?;
        if rest.starts_with(|next: char| next.is_alphanumeric() || next == '_' || next == '$') {
            return Err(Stop::Malformed);
        }
        self.rest = rest;
        Ok(())
    }

    /// Takes a number as it is written.
    pub(super) fn number(&mut self) -> Reading<&'a str> {
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut at = usize::from(bytes.first() == Some(&b'-'));
        let whole = digits(at);
        if whole == 0 || (whole > 1 && bytes[at] == b'0') {
            return Err(Stop::Malformed);
        }
        at += whole;
        if bytes.get(at) == Some(&b'.') {
            let fraction = digits(at + 1);
            if fraction == 0 {
                return Err(Stop::Malformed);
            }
            at += 1 + fraction;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let exponent = digits(at + 1 + sign);
            if exponent == 0 {
                return Err(Stop::Malformed);
            }
            at += 1 + sign + exponent;
        }
        let (number, rest) = self.rest.split_at(at);
        self.rest = rest;
        Ok(number)
    }

    /// Takes a text and appends what it says.
    pub(super) fn text(&mut self, out: &mut String) -> Reading<()> {
        self.rest = self.rest.strip_prefix('"').ok_or(Stop::Malformed)?;
        loop {
            let end = self.rest.find(|next| next == '"' || next == '\\' || next < ' ').ok_or(Stop::Malformed)?;
            out.push_str(&self.rest[..end]);
            let mut behind = self.rest[end..].chars();
            match behind.next() {
                Some('"') => {
                    self.rest = behind.as_str();
                    return Ok(());
                }
                Some('\\') => {
                    let escaped = behind.next().ok_or(Stop::Malformed)?;
                    self.rest = behind.as_str();
                    out.push(match escaped {
                        '"' | '\\' | '/' => escaped,
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'u' => self.code()?,
                        _ => return Err(Stop::Malformed),
                    });
                }
                _ => return Err(Stop::Malformed),
            }
        }
    }

    /// Takes four digits of a code.
    fn unit(&mut self) -> Reading<u32> {
        let digits = self.rest.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = u32::from_str_radix(digits.ok_or(Stop::Malformed)?, 16).map_err(|_| Stop::Malformed)?;
        self.rest = &self.rest[4..];
        Ok(unit)
    }

    /// Takes the digits behind `\u`, and those of the second half of a pair.
    fn code(&mut self) -> Reading<char> {
        let unit = self.unit()?;
        let half = || Stop::Refused(unsupported("half of a surrogate pair in JSON"));
        if (0xd800..0xdc00).contains(&unit) {
            self.rest = self.rest.strip_prefix("\\u").ok_or_else(half)?;
            let low = self.unit()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(half());
            }
            return char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)).ok_or_else(half);
        }
        char::from_u32(unit).ok_or_else(half)
    }

    /// Goes into a container that is known to start here.
    fn enter(&mut self) -> Reading<()> {
        self.skip_blanks();
        self.rest = self.rest.get(1..).ok_or(Stop::Malformed)?;
        self.depth += 1;
        if self.depth > DEEPEST { Err(Stop::Refused(unsupported("JSON nested so deep"))) } else { Ok(()) }
    }

    /// Walks the members of an object, until told to stop; the visitor must take the value.
    pub(super) fn members(&mut self, mut visit: impl FnMut(&mut Self, &str) -> Reading<bool>) -> Reading<bool> {
        self.enter()?;
        if self.take('}') {
            self.depth -= 1;
            return Ok(true);
        }
        let mut name = String::new();
        loop {
            self.skip_blanks();
            name.clear();
            self.text(&mut name)?;
            if !self.take(':') {
                return Err(Stop::Malformed);
            }
            if !visit(self, &name)? {
                return Ok(false);
            }
            if self.take('}') {
                self.depth -= 1;
                return Ok(true);
            }
            if !self.take(',') {
                return Err(Stop::Malformed);
            }
        }
    }

    /// Walks the elements of an array, until told to stop; the visitor must take the value.
    pub(super) fn elements(&mut self, mut visit: impl FnMut(&mut Self, usize) -> Reading<bool>) -> Reading<bool> {
        self.enter()?;
        if self.take(']') {
            self.depth -= 1;
            return Ok(true);
        }
        for index in 0.. {
            if !visit(self, index)? {
                return Ok(false);
            }
            if self.take(']') {
                break;
            }
            if !self.take(',') {
                return Err(Stop::Malformed);
            }
        }
        self.depth -= 1;
        Ok(true)
    }

    /// Takes a value and writes it as type `json` has it.
    pub(super) fn copy(&mut self, out: &mut String) -> Reading<()> {
        match self.start()? {
            Start::Object => {
                out.push('{');
                let mut is_first = true;
                self.members(|reader, name| {
                    if !std::mem::take(&mut is_first) {
                        out.push(',');
                    }
                    write_text(out, name);
                    out.push(':');
                    reader.copy(out)?;
                    Ok(true)
                })?;
                out.push('}');
            }
            Start::Array => {
                out.push('[');
                self.elements(|reader, index| {
                    if index > 0 {
                        out.push(',');
                    }
                    reader.copy(out)?;
                    Ok(true)
                })?;
                out.push(']');
            }
            Start::Text => {
                let mut text = String::new();
                self.text(&mut text)?;
                write_text(out, &text);
            }
            Start::Number => {
                let number = self.number()?;
                if number.contains(['.', 'e', 'E']) {
                    write_double(out, number.parse().map_err(|_| Stop::Malformed)?);
                } else {
                    out.push_str(if number == "-0" { "0" } else { number });
                }
            }
            start @ (Start::True | Start::False | Start::Null) => out.push_str(self.constant(start)?),
        }
        Ok(())
    }

    /// Takes `true`, `false` or `null`.
    pub(super) fn constant(&mut self, start: Start) -> Reading<&'static str> {
        let word = match start {
            Start::True => "true",
            Start::False => "false",
            _ => "null",
        };
        self.skip_blanks();
        self.word(word)?;
        Ok(word)
    }

    /// Takes a value.
    pub(super) fn skip(&mut self) -> Reading<()> {
        match self.start()? {
            Start::Object => self.members(|reader, _| reader.skip().map(|()| true)).map(|_| ()),
            Start::Array => self.elements(|reader, _| reader.skip().map(|()| true)).map(|_| ()),
            Start::Text => self.text(&mut String::new()),
            Start::Number => self.number().map(|_| ()),
            start => self.constant(start).map(|_| ()),
        }
    }
}

/// What a reading gave; nothing where the text was no JSON.
pub(super) fn or_null<T>(reading: Reading<Option<T>>) -> Result<Option<T>, EvalError> {
    match reading {
        Ok(value) => Ok(value),
        Err(Stop::Malformed) => Ok(None),
        Err(Stop::Refused(error)) => Err(error),
    }
}
