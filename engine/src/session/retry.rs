//! `_retry`: how often a task or group is tried again, and after which pause.
//!
//! Digdag's forms (`docs.digdag.io`, "Retrying failed tasks"): a number, or a mapping with `limit`, `interval`,
//! `max_interval` (seconds) and `interval_type`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How the pause grows from one retry to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalType {
    /// The same pause every time.
    #[default]
    Constant,
    /// Twice the pause every time.
    Exponential,
}

/// How often a task is tried again, and after which pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// How many retries follow the first try; 0 for none.
    pub limit: u32,
    /// The pause before the first retry, in seconds; 0 unless given.
    #[serde(default, skip_serializing_if = "is_default")]
    pub interval: u64,
    /// The longest pause, in seconds; none unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_interval: Option<u64>,
    /// How the pause grows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub interval_type: IntervalType,
}

/// Left out of what is stored: nearly every task has no `_retry`.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What is wrong with a `_retry`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RetryProblem {
    /// The key inside `_retry`, or empty for the whole.
    pub key: &'static str,
    /// What was expected and what was found.
    pub message: String,
}

impl RetryPolicy {
    /// Never tries again.
    pub const NONE: Self = Self { limit: 0, interval: 0, max_interval: None, interval_type: IntervalType::Constant };

    /// Reads `_retry` with its templates evaluated; nothing, zero and negative numbers mean no retry.
    ///
    /// # Errors
    /// When the value has another form; [`RetryProblem::key`] says which part.
    pub fn parse(value: Option<&Value>) -> Result<Self, RetryProblem> {
        match value {
            None | Some(Value::Null) => Ok(Self::NONE),
            Some(Value::Object(map)) => Self::parse_mapping(map),
            Some(value) => Ok(Self { limit: count("", value)?, ..Self::NONE }),
        }
    }

    fn parse_mapping(map: &crate::params::Params) -> Result<Self, RetryProblem> {
        if let Some(key) =
            map.keys().find(|key| !["limit", "interval", "max_interval", "interval_type"].contains(&key.as_str()))
        {
            let message =
                format!("expected `limit`, `interval`, `max_interval` or `interval_type` in `_retry`, found `{key}`");
            return Err(RetryProblem { key: "", message });
        }
        let limit = map.get("limit").ok_or_else(|| RetryProblem {
            key: "",
            message: "expected `limit` in the mapping `_retry`, found none".to_owned(),
        })?;
        let interval_type = match map.get("interval_type") {
            None | Some(Value::Null) => IntervalType::Constant,
            Some(Value::String(word)) if word.eq_ignore_ascii_case("constant") => IntervalType::Constant,
            Some(Value::String(word)) if word.eq_ignore_ascii_case("exponential") => IntervalType::Exponential,
            Some(other) => {
                let message = format!("expected `constant` or `exponential`, found `{}`", shown(other));
                return Err(RetryProblem { key: "interval_type", message });
            }
        };
        Ok(Self {
            limit: count("limit", limit)?,
            interval: map.get("interval").map_or(Ok(0), |value| count("interval", value))?.into(),
            max_interval: map.get("max_interval").map(|value| count("max_interval", value)).transpose()?.map(u64::from),
            interval_type,
        })
    }

    /// Returns the pause before the next retry, or `None` when all retries are used up.
    pub fn pause(&self, retries_used: u32) -> Option<Duration> {
        if retries_used >= self.limit {
            return None;
        }
        let seconds = match self.interval_type {
            IntervalType::Constant => self.interval,
            IntervalType::Exponential => {
                let factor = 1_u64.checked_shl(retries_used).unwrap_or(u64::MAX);
                let seconds = self.interval.saturating_mul(factor);
                seconds.min(self.max_interval.unwrap_or(u64::MAX))
            }
        };
        Some(Duration::from_secs(seconds))
    }
}

/// Reads a whole number that may be written as text, with a fraction (cut off, as Digdag does) or negative (taken as 0).
fn count(key: &'static str, value: &Value) -> Result<u32, RetryProblem> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    let problem = || RetryProblem { key, message: format!("expected a whole number, found `{}`", shown(value)) };
    let number = number.filter(|number| number.is_finite()).ok_or_else(problem)?.trunc().max(0.0);
    if number > f64::from(u32::MAX) {
        return Err(problem());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and u32::MAX, without a fraction"
    )]
    Ok(number as u32)
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn limit(value: impl Into<Value>) -> Result<u32, String> {
        RetryPolicy::parse(Some(&value.into())).map(|policy| policy.limit).map_err(|problem| problem.message)
    }

    #[test]
    fn forms_that_digdag_reads() {
        assert_eq!(limit(json!(3)), Ok(3));
        assert_eq!(limit(json!(0)), Ok(0));
        assert_eq!(limit(json!(-1)), Ok(0));
        assert_eq!(limit(json!("2")), Ok(2));
        assert_eq!(limit(json!(1.5)), Ok(1));
        assert_eq!(limit(json!({"limit": 2, "interval": 2})), Ok(2));
        assert_eq!(RetryPolicy::parse(None), Ok(RetryPolicy::NONE));
    }

    #[test]
    fn forms_that_digdag_refuses() {
        assert_eq!(limit(json!(true)), Err("expected a whole number, found `true`".to_owned()));
        assert_eq!(limit(json!("abc")), Err("expected a whole number, found `abc`".to_owned()));
        assert_eq!(
            limit(json!({"interval": 1})),
            Err("expected `limit` in the mapping `_retry`, found none".to_owned())
        );
        assert_eq!(
            limit(json!({"limit": 1, "interval_type": "linear"})),
            Err("expected `constant` or `exponential`, found `linear`".to_owned())
        );
        assert_eq!(
            limit(json!({"limit": 1, "intervall": 1})),
            Err("expected `limit`, `interval`, `max_interval` or `interval_type` in `_retry`, found `intervall`"
                .to_owned())
        );
    }

    #[test]
    fn pauses() {
        let pauses = |policy: Value| -> Vec<Option<u64>> {
            let policy = RetryPolicy::parse(Some(&policy)).unwrap();
            (0..5).map(|used| policy.pause(used).map(|pause| pause.as_secs())).collect::<Vec<_>>()
        };
        assert_eq!(pauses(json!({"limit": 2, "interval": 7})), [Some(7), Some(7), None, None, None]);
        assert_eq!(
            pauses(json!({"limit": 4, "interval": 10, "interval_type": "Exponential"})),
            [Some(10), Some(20), Some(40), Some(80), None]
        );
        assert_eq!(
            pauses(json!({"limit": 4, "interval": 1, "max_interval": 3, "interval_type": "exponential"})),
            [Some(1), Some(2), Some(3), Some(3), None]
        );
        let long = RetryPolicy {
            limit: u32::MAX,
            interval: 1,
            max_interval: Some(60),
            interval_type: IntervalType::Exponential,
        };
        assert_eq!(long.pause(5_000), Some(Duration::from_mins(1)));
    }
}
