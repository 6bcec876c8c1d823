//! `for_range>`: runs a body for consecutive ranges of numbers.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::value::{Body, LoopParallel, Whole, literal, repeat, wrong};
use crate::diagnostic::code;
use crate::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use crate::params::Params;

/// How many turns a loop may have at the very most, whatever the limit of tasks is set to: they are made in memory.
const MAX_TURNS: i128 = 10_000_000;

/// Runs a body for consecutive ranges of numbers.
#[derive(Debug)]
pub(super) struct ForRange;

/// The parameters of `for_range>`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ForRangeParams {
    /// The range and how it is cut.
    #[serde(rename = "_command")]
    range: RangeParams,
    /// What to run: a task or a group.
    #[serde(rename = "_do")]
    body: Body,
    /// `true` runs all turns at once, `{limit: N}` at most N at once; one after the other unless given. Templates are allowed.
    #[serde(rename = "_parallel", default)]
    parallel: Option<LoopParallel>,
}

/// A range and how it is cut.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RangeParams {
    /// The first number.
    from: Whole,
    /// The number after the last.
    to: Whole,
    /// The length of each piece; the last one may be shorter. This or `slices`.
    #[serde(default)]
    step: Option<Whole>,
    /// The number of pieces; the last one may be shorter. This or `step`.
    #[serde(default)]
    slices: Option<Whole>,
}

impl TypedOperator for ForRange {
    const NAME: &'static str = "for_range";
    const SUMMARY: &'static str = "Runs tasks for consecutive ranges of numbers.";
    const COMMAND: Option<&'static str> = Some("`from`, `to` (not included), and `step` or `slices`");
    const DETAILS: &'static str = "\
Each turn has the parameters `range.from`, `range.to` (not included) and `range.index`, counted from 0. A range with nothing
in it means no turn at all.";
    const EXAMPLE: &'static str = "\
+ranges:
  for_range>:
    from: 10
    to: 50
    step: 10
  _do:
    echo>: from ${range.from} up to ${range.to}
";

    type Params = ForRangeParams;

    fn inspect(&self, params: &Params, _surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let Some(Value::Object(range)) = params.get("_command") else { return Vec::new() };
        let way = |key: &str| match range.get(key) {
            None | Some(Value::Null) => Way::Absent,
            Some(_) => literal::<Whole>(range, key).map_or(Way::Unknown, |number| Way::Known(number.0)),
        };
        let cut = match Cut::new(way("step"), way("slices")) {
            Ok(cut) => cut,
            Err(error) => return error.params,
        };
        let ends = (literal::<Whole>(range, "from"), literal::<Whole>(range, "to"));
        let (Some(cut), (Some(from), Some(to))) = (cut, ends) else { return Vec::new() };
        cut.step(from, to).err().map(|error| error.params).unwrap_or_default()
    }

    async fn run(&self, context: &TaskContext, params: ForRangeParams) -> Result<TaskOutcome, TaskError> {
        let pieces = pieces(&params.range)?;
        let turns = pieces.into_iter().enumerate().map(|(index, (from, to))| {
            let range = json!({ "from": from, "to": to, "index": index });
            (format!("+range-from={from}&to={to}"), Params::from_iter([("range".to_owned(), range)]))
        });
        let group = repeat(context, &params.body, params.parallel, turns)?;
        Ok(TaskResult { subtasks: vec![group], ..TaskResult::default() }.done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

/// One of the two ways to say how a range is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is not given.
    Absent,
    /// It is given, and its number is not known yet.
    Unknown,
    /// It is this number.
    Known(i64),
}

impl From<Option<Whole>> for Way {
    fn from(number: Option<Whole>) -> Self {
        number.map_or(Self::Absent, |number| Self::Known(number.0))
    }
}

/// How a range is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Into pieces of this length.
    Step(i128),
    /// Into so many pieces.
    Slices(i128),
}

impl Cut {
    /// Reads how a range is cut; none when that is not known yet.
    fn new(step: Way, slices: Way) -> Result<Option<Self>, TaskError> {
        let error = |path: &str, message: String| Err(wrong(code::PARAM_VALUE, path, message));
        match (step, slices) {
            (Way::Known(step), Way::Absent) if step >= 1 => Ok(Some(Self::Step(i128::from(step)))),
            (Way::Absent, Way::Known(slices)) if slices >= 1 => Ok(Some(Self::Slices(i128::from(slices)))),
            (Way::Known(step), Way::Absent) => error("_command.step", format!("expected at least 1, found `{step}`")),
            (Way::Absent, Way::Known(slices)) => {
                error("_command.slices", format!("expected at least 1, found `{slices}`"))
            }
            (Way::Unknown, Way::Absent) | (Way::Absent, Way::Unknown) => Ok(None),
            (Way::Absent, Way::Absent) => error("_command", "expected `step` or `slices`, found neither".to_owned()),
            _ => error("_command", "expected `step` or `slices`, found both".to_owned()),
        }
    }

    /// Returns the length of the pieces of a range.
    fn step(self, from: Whole, to: Whole) -> Result<i128, TaskError> {
        let length = (i128::from(to.0) - i128::from(from.0)).max(0);
        let step = match self {
            Self::Step(step) => step,
            Self::Slices(slices) => ((length + slices - 1) / slices).max(1),
        };
        if (length + step - 1) / step > MAX_TURNS {
            let message = format!("expected at most {MAX_TURNS} pieces, found more");
            return Err(wrong(code::PARAM_VALUE, "_command", message));
        }
        Ok(step)
    }
}

fn pieces(range: &RangeParams) -> Result<Vec<(i64, i64)>, TaskError> {
    let (from, to) = (i128::from(range.from.0), i128::from(range.to.0));
    // All numbers are known by now.
    let Some(cut) = Cut::new(range.step.into(), range.slices.into())? else { return Ok(Vec::new()) };
    let step = cut.step(range.from, range.to)?;
    let mut pieces = Vec::new();
    let mut start = from;
    while start < to {
        let end = (start + step).min(to);
        // Both lie between `from` and `to`, which are 64-bit numbers.
        if let (Ok(start), Ok(end)) = (i64::try_from(start), i64::try_from(end)) {
            pieces.push((start, end));
        }
        start = end;
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(range: Value) -> Result<Vec<(i64, i64)>, String> {
        pieces(&serde_json::from_value(range).unwrap()).map_err(|error| error.message)
    }

    #[test]
    fn pieces_are_those_of_digdag() {
        assert_eq!(cut(json!({"from": 0, "to": 10, "step": 3})), Ok(vec![(0, 3), (3, 6), (6, 9), (9, 10)]));
        assert_eq!(cut(json!({"from": 0, "to": 10, "slices": 3})), Ok(vec![(0, 4), (4, 8), (8, 10)]));
        assert_eq!(cut(json!({"from": "2", "to": "2", "step": 1})), Ok(vec![]));
        assert_eq!(cut(json!({"from": 5, "to": 2, "slices": 2})), Ok(vec![]));
        assert_eq!(cut(json!({"from": 0, "to": 1, "step": 0})), Err("expected at least 1, found `0`".to_owned()));
        assert_eq!(cut(json!({"from": 0, "to": 1})), Err("expected `step` or `slices`, found neither".to_owned()));
        assert_eq!(cut(json!({"from": i64::MIN, "to": i64::MAX, "slices": 2})).unwrap().len(), 2);
        assert_eq!(
            cut(json!({"from": 0, "to": i64::MAX, "step": 1})),
            Err("expected at most 10000000 pieces, found more".to_owned())
        );
    }
}
