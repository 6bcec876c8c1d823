//! `wait>`: waits for some time, without a slot.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::value::{Condition, Text, literal, wrong};
use crate::diagnostic::code;
use crate::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use crate::params::{Params, duration};

/// Waits for some time.
#[derive(Debug)]
pub(super) struct Wait;

/// The parameters of `wait>`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitParams {
    /// How long: days, hours, minutes and seconds, such as `30s`, `5m` or `1h 30m`. At least one second.
    #[serde(rename = "_command")]
    duration: Text,
    /// Accepted for Digdag's files; a waiting task never takes a slot.
    #[serde(default)]
    blocking: Option<Condition>,
    /// Accepted for Digdag's files, not together with `blocking: true`; the task goes on when the time is over, not sooner or later.
    #[serde(default)]
    poll_interval: Option<Text>,
}

impl TypedOperator for Wait {
    const NAME: &'static str = "wait";
    const SUMMARY: &'static str = "Waits for some time.";
    const COMMAND: Option<&'static str> = Some("how long");
    const DETAILS: &'static str = "\
A waiting task takes no slot. The time counts from the first start of the task: one that is interrupted does not wait anew.";
    const EXAMPLE: &'static str = "+pause:\n  wait>: 1m 30s\n";

    type Params = WaitParams;

    fn inspect(&self, params: &Params, _surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let mut problems = Vec::new();
        for path in ["_command", "poll_interval"] {
            let wrong = literal::<Text>(params, path).and_then(|text| duration(path, &text.0).err());
            problems.extend(wrong.map(|error| error.params).unwrap_or_default());
        }
        let blocking = literal::<Condition>(params, "blocking");
        // A text that is still to be evaluated is there, too.
        let has_interval = params.get("poll_interval").is_some_and(|interval| !interval.is_null());
        problems.extend(refuse_both(blocking, has_interval).map_err(|error| error.params).err().unwrap_or_default());
        problems
    }

    async fn run(&self, context: &TaskContext, params: WaitParams) -> Result<TaskOutcome, TaskError> {
        let duration = duration("_command", &params.duration.0)?;
        if let Some(interval) = &params.poll_interval {
            self::duration("poll_interval", &interval.0)?;
        }
        refuse_both(params.blocking, params.poll_interval.is_some())?;
        let now = context.clock.now();
        let until = context
            .state
            .get("until")
            .and_then(serde_json::Value::as_str)
            .and_then(|until| until.parse::<Timestamp>().ok());
        let until = until.unwrap_or_else(|| now.saturating_add(duration).unwrap_or(Timestamp::MAX));
        if until <= now {
            return Ok(TaskResult::default().done());
        }
        let after = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        Ok(TaskOutcome::Wait { state: json!({ "until": until.to_string() }), after })
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

/// Refuses an interval for a wait that blocks.
fn refuse_both(blocking: Option<Condition>, has_interval: bool) -> Result<(), TaskError> {
    if has_interval && blocking.is_some_and(|blocking| blocking.0) {
        let message = "expected `blocking: true` or `poll_interval`, found both";
        return Err(wrong(code::PARAM_VALUE, "poll_interval", message));
    }
    Ok(())
}

/// Reads a duration of at least a second.
fn duration(path: &str, text: &str) -> Result<Duration, TaskError> {
    let found = duration::parse(text).map_err(|error| wrong(code::WAIT_DURATION, path, error.to_string()))?;
    if found.is_zero() {
        return Err(wrong(code::WAIT_DURATION, path, format!("expected at least a second, found `{text}`")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let seconds =
            |text: &str| duration("_command", text).map(|duration| duration.as_secs()).map_err(|error| error.message);
        assert_eq!(seconds("10s"), Ok(10));
        assert_eq!(seconds("1H30m"), Ok(5_400));
        assert_eq!(seconds(" 1d 1s "), Ok(86_401));
        assert_eq!(seconds("0s"), Err("expected at least a second, found `0s`".to_owned()));
        for text in ["1", "abc", "", "10s 1m", "1.5s", "99999999999999999999d"] {
            assert_eq!(seconds(text), Err(format!("expected a duration such as `1h 30m` or `10s`, found `{text}`")));
        }
    }
}
