//! When two answers are the same.

use std::fmt;

use lake::sql::Type;
use serde_json::Value;

use crate::Statement;

/// What the engine answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Rows { columns: Vec<(String, Type)>, rows: Vec<Vec<Value>> },
    Error { name: String, message: String },
    Refused(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows { columns, rows } => {
                let columns: Vec<_> = columns.iter().map(|(name, data_type)| (name, data_type.to_string())).collect();
                let rows: Vec<Value> = rows.iter().take(8).cloned().map(Value::from).collect();
                write!(f, "{columns:?} {}", Value::from(rows))
            }
            Self::Error { name, message } => write!(f, "{name}: {message}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

/// How an answer stands to Trino's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Equal,
    Refused,
    Different,
}

pub(crate) fn verdict(statement: &Statement, given: &Answer, rounded: bool) -> Verdict {
    match (statement.status.as_str(), given) {
        ("ok", Answer::Rows { columns, rows }) => {
            if same_columns(statement, columns) && same_rows(statement, rows, rounded) {
                Verdict::Equal
            } else {
                Verdict::Different
            }
        }
        (_, Answer::Error { name, .. }) if *name == statement.error => Verdict::Equal,
        // What Trino answers is not the user's mistake: a refusal says that it is not supported yet.
        ("ok", Answer::Error { .. }) | (_, Answer::Rows { .. }) => Verdict::Different,
        (_, Answer::Refused(_) | Answer::Error { .. }) => Verdict::Refused,
    }
}

fn same_columns(statement: &Statement, given: &[(String, Type)]) -> bool {
    statement.columns.len() == given.len()
        && statement.columns.iter().zip(given).all(|((name, data_type), (own, own_type))| {
            name == own && Type::from_trino(data_type).is_ok_and(|data_type| data_type == *own_type)
        })
}

fn same_rows(statement: &Statement, given: &[Vec<Value>], rounded: bool) -> bool {
    if statement.rows.len() != given.len() {
        return false;
    }
    let mut expected: Vec<&Vec<Value>> = statement.rows.iter().collect();
    let mut given: Vec<&Vec<Value>> = given.iter().collect();
    if !statement.ordered {
        let key = |row: &&Vec<Value>| row.iter().map(|value| canonical(value, rounded)).collect::<Vec<_>>();
        expected.sort_by_cached_key(key);
        given.sort_by_cached_key(key);
    }
    let approximate = statement.approximate;
    expected.iter().zip(&given).all(|(left, right)| {
        left.len() == right.len()
            && left.iter().zip(*right).all(|(left, right)| same(left, right, rounded, approximate))
    })
}

fn canonical(value: &Value, rounded: bool) -> String {
    match value {
        Value::Number(number) if rounded && number.is_f64() => format!("{:.9e}", number.as_f64().unwrap_or(f64::NAN)),
        Value::Object(entries) => {
            let mut entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key}:{}", canonical(value, rounded))).collect();
            entries.sort();
            entries.join(",")
        }
        other => other.to_string(),
    }
}

fn same(left: &Value, right: &Value, rounded: bool, approximate: bool) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64())
                && !approximate
            {
                return left == right;
            }
            let (Some(left), Some(right)) = (left.as_f64(), right.as_f64()) else { return left == right };
            let tolerance = match (approximate, rounded) {
                (true, _) => 0.06 * left.abs(),
                (false, true) => 1e-11 * left.abs(),
                (false, false) => 0.0,
            };
            // Infinities are their own neighbours.
            left.total_cmp(&right).is_eq() || (left - right).abs() <= tolerance
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right, rounded, approximate))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right, rounded, approximate)))
        }
        (left, right) => left == right,
    }
}
