//! The conditions of `GetPartitions`: a small language over the partition keys, with values compared by the keys' types.
//!
//! The language is that of <https://docs.aws.amazon.com/glue/latest/webapi/API_GetPartitions.html>: `=`, `<>`, `!=`, `<`, `<=`,
//! `>`, `>=`, `IN`, `BETWEEN`, `LIKE`, `IS NULL`, with `AND`, `OR`, `NOT` and parentheses.

mod lexer;
mod number;
mod parser;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use jiff::civil::{Date, DateTime};
use lake::catalog::Column;
use lake::name::HIVE_DEFAULT_PARTITION;

use crate::error::{ApiError, ApiResult};
use number::Number;

/// How long a condition may be, in characters.
const MAX_LENGTH: usize = 2048;

/// A condition that was read: what it compares is known to be keys, and the values have the keys' types.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// All hold.
    All(Vec<Self>),
    /// One holds.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A key compares to a value in this way.
    Compare { key: Key, comparison: Comparison, value: Value },
    /// A key is one of the values.
    In { key: Key, values: Vec<Value> },
    /// A key is between two values, both included.
    Between { key: Key, from: Value, to: Value },
    /// A key is like a pattern of `%` and `_`.
    Like { key: Key, pattern: Vec<char> },
    /// A key has no value.
    IsNull { key: Key },
}

/// A partition key: where its value stands, and its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    index: usize,
    kind: Kind,
}

/// How the values of a key compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Real,
    Date,
    Timestamp,
}

/// A value of a key's type.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Value {
    Text(String),
    Number(Number),
    Real(f64),
    Date(Date),
    Timestamp(DateTime),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    /// Returns the comparison with its sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }
}

impl Kind {
    /// Returns how values of a Hive type compare; types that Glue does not compare compare as text.
    fn of(hive_type: &str) -> Self {
        let name = hive_type.trim().to_ascii_lowercase();
        match name.split('(').next().unwrap_or_default().trim() {
            "tinyint" | "smallint" | "int" | "integer" | "bigint" | "long" | "decimal" => Self::Number,
            "double" | "float" | "real" => Self::Real,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            _ => Self::Text,
        }
    }

    /// Reads a value; none when the text is no value of the type.
    fn read(self, text: &str) -> Option<Value> {
        let trimmed = text.trim();
        match self {
            Self::Text => Some(Value::Text(text.to_owned())),
            Self::Number => Number::parse(trimmed).map(Value::Number),
            Self::Real => trimmed.parse().ok().filter(|real: &f64| !real.is_nan()).map(Value::Real),
            Self::Date => trimmed.parse().ok().map(Value::Date),
            Self::Timestamp => read_timestamp(trimmed).map(Value::Timestamp),
        }
    }

    /// Returns what messages call the type.
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number | Self::Real => "a number",
            Self::Date => "a date such as `2026-01-02`",
            Self::Timestamp => "a time such as `2026-01-02 03:04:05`",
        }
    }
}

/// Reads `2026-01-02 03:04:05.6`, also with a `T`, or a day alone.
fn read_timestamp(text: &str) -> Option<DateTime> {
    text.parse::<DateTime>()
        .ok()
        .or_else(|| Some(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())))
}

impl Condition {
    /// Reads a condition over the partition keys of a table; none for an empty one, which all partitions meet.
    pub(super) fn parse(text: &str, keys: &[Column]) -> ApiResult<Option<Self>> {
        if text.chars().count() > MAX_LENGTH {
            let message =
                format!("expected an expression of at most {MAX_LENGTH} characters, found {}", text.chars().count());
            return Err(ApiError::client("ValidationException", message));
        }
        if text.trim().is_empty() {
            return Ok(None);
        }
        parser::parse(text, keys)
            .map(Some)
            .map_err(|why| ApiError::invalid_input(format!("the expression `{text}` cannot be read: {why}")))
    }

    /// Tells whether a partition meets the condition. A value that is not there or not of the key's type meets none, nor
    /// its contrary.
    pub(super) fn holds(&self, values: &[String]) -> bool {
        self.evaluate(values) == Some(true)
    }

    /// Evaluates in three values; none is unknown.
    fn evaluate(&self, values: &[String]) -> Option<bool> {
        let value = |key: &Key| values.get(key.index).and_then(|text| key.kind.read(text));
        match self {
            Self::All(conditions) => fold(conditions, values, false),
            Self::Any(conditions) => fold(conditions, values, true),
            Self::Not(condition) => condition.evaluate(values).map(|holds| !holds),
            Self::Compare { key, comparison, value: wanted } => {
                value(key)?.partial_cmp(wanted).map(|ordering| comparison.holds(ordering))
            }
            Self::In { key, values: wanted } => {
                let found = value(key)?;
                Some(wanted.contains(&found))
            }
            Self::Between { key, from, to } => {
                let found = value(key)?;
                Some(found >= *from && found <= *to)
            }
            Self::Like { key, pattern } => {
                let text: Vec<char> = values.get(key.index)?.chars().collect();
                Some(is_like(&text, pattern))
            }
            Self::IsNull { key } => values.get(key.index).map(|text| text == HIVE_DEFAULT_PARTITION),
        }
    }
}

/// Joins conditions: `decisive` is what one alone decides.
fn fold(conditions: &[Condition], values: &[String], decisive: bool) -> Option<bool> {
    let mut known = Some(!decisive);
    for condition in conditions {
        match condition.evaluate(values) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => known = None,
        }
    }
    known
}

/// Matches `%` (any characters) and `_` (one), going back to the last `%` only: never more than length × length steps.
fn is_like(text: &[char], pattern: &[char]) -> bool {
    let (mut at, mut in_pattern) = (0, 0);
    let mut last_any: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some('%') => {
                last_any = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(wanted) if *wanted == '_' || *wanted == text[at] => {
                at += 1;
                in_pattern += 1;
            }
            _ => {
                let Some((any, from)) = last_any else { return false };
                last_any = Some((any, from + 1));
                at = from + 1;
                in_pattern = any + 1;
            }
        }
    }
    pattern[in_pattern..].iter().all(|character| *character == '%')
}
