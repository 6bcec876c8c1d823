//! Values as Digdag's operators take them: a number may come as text (a template always gives text), a boolean too.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

use crate::diagnostic::code;
use crate::operator::typed::is_unevaluated;
use crate::operator::{ParamProblem, TaskContext, TaskError};
use crate::params::{ParamPath, Params};
use crate::session::graph::count;
use crate::workflow::{Bound, Parallel, TaskDef, Turn, Turns};

/// Text; numbers and booleans are taken as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            Value::Bool(value) => Ok(Self(value.to_string())),
            other => Err(D::Error::custom(format!("expected a text, found {}", described(&other)))),
        }
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// A whole number; text that holds one and numbers with a fraction (cut off) are taken too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole(pub(super) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        whole(&value)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("expected a whole number, found {}", described(&value))))
    }
}

impl JsonSchema for Whole {
    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "number", "string"] })
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(cut)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| text.parse().ok().and_then(cut))
        }
        _ => None,
    }
}

/// Cuts a fraction off, as Digdag does.
fn cut(number: f64) -> Option<i64> {
    // 2^53: above it, a number with a fraction no longer is the one that was written.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = number.trunc();
    if number.abs() > EXACT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    Some(number as i64)
}

/// A condition: `true`, `false`, their text (blanks around it do not matter), a number (0 is false), or nothing (false).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition(pub(super) bool);

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        condition(&value)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("expected `true` or `false`, found {}", described(&value))))
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "string", "number"] })
    }
}

fn condition(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        Value::String(text) => match text.trim() {
            "true" | "True" => Some(true),
            "false" | "False" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// `_parallel` of a loop: `true`, `false`, or `{limit: N}`; may be a template, unlike that of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LoopParallel(pub(super) Parallel);

impl<'de> Deserialize<'de> for LoopParallel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let wrong =
            || D::Error::custom(format!("expected `true`, `false` or `{{limit: N}}`, found {}", described(&value)));
        match &value {
            Value::Object(map) => {
                if let Some(key) = map.keys().find(|key| *key != "limit") {
                    return Err(D::Error::custom(format!("expected `limit` in `_parallel`, found `{key}`")));
                }
                let limit = map
                    .get("limit")
                    .and_then(whole)
                    .and_then(|limit| u32::try_from(limit).ok())
                    .filter(|limit| *limit > 0);
                let limit =
                    limit.ok_or_else(|| D::Error::custom("expected a whole number of at least 1 as `limit`"))?;
                Ok(Self(Parallel::Limit(limit)))
            }
            other => {
                condition(other).map(|yes| Self(if yes { Parallel::Unlimited } else { Parallel::No })).ok_or_else(wrong)
            }
        }
    }
}

impl JsonSchema for LoopParallel {
    fn schema_name() -> Cow<'static, str> {
        "LoopParallel".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": ["boolean", "string"] },
                { "type": "object", "properties": { "limit": { "type": ["integer", "string"] } }, "required": ["limit"], "additionalProperties": false }
            ]
        })
    }
}

/// A task of the language: kept as written, its templates are evaluated when it runs.
#[derive(Debug, Clone)]
pub(super) struct Body(pub(super) Value);

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            value @ Value::Object(_) => Ok(Self(value)),
            other => Err(D::Error::custom(format!(
                "expected a mapping that is a task or holds tasks, found {}",
                described(&other)
            ))),
        }
    }
}

impl JsonSchema for Body {
    fn schema_name() -> Cow<'static, str> {
        "Body".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

/// Says what a value is, for messages.
pub(super) fn described(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number `{number}`"),
        Value::String(text) => format!("the text `{text}`"),
        Value::Array(_) => format!("the list `{value}`"),
        Value::Object(_) => format!("the mapping `{value}`"),
    }
}

/// Reads a parameter as it is written; none when it is not there, is still to be evaluated, or is of another type, which the
/// types of the parameters say.
pub(super) fn literal<T: for<'de> Deserialize<'de>>(params: &Params, name: &str) -> Option<T> {
    let value = params.get(name).filter(|value| !value.is_null() && !is_unevaluated(value))?;
    T::deserialize(value.clone()).ok()
}

/// Makes an error about one parameter.
pub(super) fn wrong(code: crate::diagnostic::Code, path: &str, message: impl Into<String>) -> TaskError {
    let message = message.into();
    TaskError::config(code, message.clone()).param(ParamProblem::new(ParamPath::from(path), message))
}

/// Makes the group `^sub` of a loop: the body once for each name, with the data that is its own.
///
/// # Errors
/// When the body is wrong, or so many turns have no room; that is known before any is made.
pub(super) fn repeat(
    context: &TaskContext,
    body: &Body,
    parallel: Option<LoopParallel>,
    turns: impl ExactSizeIterator<Item = (String, Params)>,
) -> Result<TaskDef, TaskError> {
    let template = context.host.compile_body(&body.0, &ParamPath::from("_do"))?;
    let n_tasks = count(&template).saturating_mul(turns.len()).saturating_add(1);
    context.room.check(n_tasks).map_err(|error| TaskError::config(code::TOO_MANY_TASKS, error.to_string()))?;
    let mut group = TaskDef::group("^sub");
    group.parallel = parallel.unwrap_or_default().0;
    group.place.clone_from(&template.place);
    let each = turns.map(|(name, bound)| Turn { name: name.into(), bound: Bound::from(&bound) }).collect();
    group.turns = Some(Box::new(Turns { body: template, each }));
    Ok(group)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn conditions_as_digdag_takes_them() {
        for value in [json!(true), json!("true"), json!(" true "), json!(1), json!("True")] {
            assert!(from_value::<Condition>(value.clone()).unwrap().0, "{value}");
        }
        for value in [json!(false), json!("false"), json!("  false"), json!(0), json!("")] {
            assert!(!from_value::<Condition>(value.clone()).unwrap().0, "{value}");
        }
        for value in [json!("yes"), json!("0"), json!("TRUE"), json!("abc"), json!([]), json!({}), json!(null)] {
            assert!(from_value::<Condition>(value.clone()).is_err(), "{value}");
        }
        let error = from_value::<Condition>(json!("yes")).unwrap_err().to_string();
        assert_eq!(error, "expected `true` or `false`, found the text `yes`");
    }

    #[test]
    fn whole_numbers_as_digdag_takes_them() {
        for (value, number) in [(json!(3), 3), (json!("3"), 3), (json!(2.5), 2), (json!(-1), -1), (json!(" 4 "), 4)] {
            assert_eq!(from_value::<Whole>(value).unwrap().0, number);
        }
        assert!(from_value::<Whole>(json!("abc")).is_err());
        assert!(from_value::<Whole>(json!(1e300)).is_err());
    }

    #[test]
    fn parallel_of_a_loop() {
        let parse =
            |value| from_value::<LoopParallel>(value).map(|parallel| parallel.0).map_err(|error| error.to_string());
        assert_eq!(parse(json!("true")), Ok(Parallel::Unlimited));
        assert_eq!(parse(json!(false)), Ok(Parallel::No));
        assert_eq!(parse(json!({"limit": "2"})), Ok(Parallel::Limit(2)));
        assert_eq!(parse(json!({"limit": 0})), Err("expected a whole number of at least 1 as `limit`".to_owned()));
        assert_eq!(
            parse(json!("tru")),
            Err("expected `true`, `false` or `{limit: N}`, found the text `tru`".to_owned())
        );
    }
}
