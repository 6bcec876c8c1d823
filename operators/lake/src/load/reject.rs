//! Rejected lines: where they stood, why, and what they were.

use std::fmt;
use std::fmt::Write as _;

use super::config::ColumnType;

/// A record that did not become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// The file's place in the list of inputs.
    pub file: usize,
    /// Its first line, from 1.
    pub line_number: u64,
    /// Why.
    pub reason: String,
    /// The record as text: bytes that are not text are written `\xHH`.
    pub line: String,
}

impl Rejected {
    /// Keeps a record.
    pub(crate) fn new(file: usize, line_number: u64, reason: &Reason, bytes: &[u8]) -> Self {
        Self { file, line_number, reason: reason.to_string(), line: readable(bytes) }
    }
}

/// Why a record was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A NUL byte at this place, from 1.
    Nul {
        /// The place in the record.
        at: usize,
    },
    /// Bytes that are no UTF-8 at this place, from 1.
    NotUtf8 {
        /// The place in the record.
        at: usize,
    },
    /// A control character at this place, from 1.
    Control {
        /// The place in the record.
        at: usize,
    },
    /// Too few fields.
    TooFewFields {
        /// The columns.
        expected: usize,
        /// The fields.
        found: usize,
    },
    /// Too many fields.
    TooManyFields {
        /// The columns.
        expected: usize,
        /// The fields.
        found: usize,
    },
    /// A quote that does not end.
    UnclosedQuote {
        /// The field, from 1.
        field: usize,
        /// How many bytes were looked through, when it may end behind them.
        within: Option<usize>,
    },
    /// Text between a closing quote and the delimiter.
    AfterQuote {
        /// The field, from 1.
        field: usize,
    },
    /// A value that is none of its column's type.
    BadValue {
        /// The column.
        column: String,
        /// Its type.
        expected: ColumnType,
        /// The text.
        found: String,
    },
    /// No JSON object.
    Json {
        /// What was expected.
        expected: &'static str,
        /// Where, from 1.
        at: usize,
    },
    /// A key that is no column.
    UnknownKey {
        /// The key.
        key: String,
        /// Whether the columns were guessed.
        guessed: bool,
    },
    /// A key that stands twice.
    RepeatedKey {
        /// The key.
        key: String,
    },
    /// No line of an access log.
    AccessLog {
        /// What was expected.
        expected: &'static str,
        /// Where, from 1.
        at: usize,
    },
    /// No value for a partition key: NULL or an empty text.
    NoPartitionValue {
        /// The key.
        key: String,
    },
    /// A row that whoever runs the load does not take.
    NotTaken {
        /// Why not.
        why: String,
    },
    /// A value that must not come near a path.
    PartitionValue {
        /// Which value of which key, and why not.
        why: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nul { at } => write!(f, "expected text, found a NUL at byte {at}"),
            Self::NotUtf8 { at } => write!(f, "expected text in UTF-8, found other bytes at byte {at}"),
            Self::Control { at } => write!(f, "expected text, found a control character at byte {at}"),
            Self::TooFewFields { expected, found } => write!(f, "expected {expected} fields, found {found}: too short"),
            Self::TooManyFields { expected, found } => write!(f, "expected {expected} fields, found {found}: too long"),
            Self::UnclosedQuote { field, within: None } => {
                write!(f, "field {field}: expected a closing quote, found none")
            }
            Self::UnclosedQuote { field, within: Some(most) } => write!(
                f,
                "field {field}: expected a closing quote within {most} bytes (`max_quoted_size_limit`), found none"
            ),
            Self::AfterQuote { field } => {
                write!(f, "field {field}: expected a delimiter or the line's end after the closing quote")
            }
            Self::BadValue { column, expected, found } => {
                write!(f, "column `{column}`: expected {expected}, found `{found}`")
            }
            Self::UnknownKey { key, guessed: true } => write!(
                f,
                "key `{key}` is not among the columns guessed from the first lines: declare `columns`, or set `unknown_keys: ignore`"
            ),
            Self::RepeatedKey { key } => {
                write!(f, "the key `{key}` stands twice: which value is meant cannot be known")
            }
            Self::UnknownKey { key, guessed: false } => write!(f, "key `{key}` is no column"),
            Self::Json { expected, at } | Self::AccessLog { expected, at } => {
                write!(f, "expected {expected} at byte {at}")
            }
            Self::NoPartitionValue { key } => write!(f, "partition key `{key}`: expected a value, found none"),
            Self::PartitionValue { why } | Self::NotTaken { why } => f.write_str(why),
        }
    }
}

impl Reason {
    /// A value that is none of its column's type.
    pub(crate) fn bad_value(column: &super::column::ReadColumn, found: &[u8]) -> Self {
        Self::BadValue {
            column: column.name.clone(),
            expected: column.column_type,
            found: shortened(found, VALUE_CHARACTERS),
        }
    }
}

/// Returns the text, its bytes that are not text written `\xHH`.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for part in bytes.utf8_chunks() {
        for character in part.valid().chars() {
            if character.is_control() && !matches!(character, '\t' | '\n' | '\r') {
                let mut buffer = [0; 4];
                for byte in character.encode_utf8(&mut buffer).bytes() {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            } else {
                text.push(character);
            }
        }
        for byte in part.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// How much of a value a reason shows.
pub(crate) const VALUE_CHARACTERS: usize = 100;

/// Returns the first `most` characters of a text, for a message on one line.
pub(crate) fn shortened(bytes: &[u8], most: usize) -> String {
    let text = readable(&bytes[..bytes.len().min(most * 4)]);
    let mut short: String =
        text.chars()
            .take(most)
            .flat_map(|character| {
                if character.is_control() { character.escape_default().collect::<Vec<_>>() } else { vec![character] }
            })
            .collect();
    if text.chars().nth(most).is_some() || bytes.len() > most * 4 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_text_stay_readable() {
        assert_eq!(readable(b"a\0b\xFF\x16\xC3\xA9\tc"), "a\\x00b\\xff\\x16é\tc");
        assert_eq!(shortened("é".repeat(200).as_bytes(), 100).chars().count(), 101);
        assert_eq!(shortened(b"a\nb", 100), "a\\nb");
    }
}
