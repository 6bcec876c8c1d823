//! `for_each>`: runs a body for every combination of values.

use std::collections::HashMap;
use std::fmt::Write;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::value::{Body, LoopParallel, described, repeat, wrong};
use crate::diagnostic::code;
use crate::operator::typed::is_unevaluated;
use crate::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use crate::params::Params;
use crate::workflow::turns;

/// How much of a key and a value goes into the name of a turn, in characters; Digdag's number, names show in its logs.
const NAME_CHARS: usize = 8;

/// How many turns a loop may have at the very most, whatever the limit of tasks is set to: they are made in memory.
const MAX_TURNS: usize = 10_000_000;

/// Runs a body for every combination of values.
#[derive(Debug)]
pub(super) struct ForEach;

/// The parameters of `for_each>`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ForEachParams {
    /// For each parameter the list of its values. The whole, or each list, may be JSON in a text, such as a template gives.
    #[serde(rename = "_command")]
    #[schemars(schema_with = "values_schema")]
    values: Value,
    /// What to run: a task or a group.
    #[serde(rename = "_do")]
    body: Body,
    /// `true` runs all turns at once, `{limit: N}` at most N at once; one after the other unless given. Templates are allowed.
    #[serde(rename = "_parallel", default)]
    parallel: Option<LoopParallel>,
}

fn values_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["object", "string"] })
}

impl TypedOperator for ForEach {
    const NAME: &'static str = "for_each";
    const SUMMARY: &'static str = "Runs tasks for every combination of values.";
    const COMMAND: Option<&'static str> = Some("the parameters, each with the list of its values");
    const DETAILS: &'static str = "\
The last parameter changes fastest. Values keep their type; they are data and never evaluated as templates. An empty list
means no turn at all.

The number of turns is limited by the tasks that an attempt may have (setting `task_limit`).";
    const EXAMPLE: &'static str = "\
+fruits:
  for_each>:
    fruit: [apple, orange]
    verb: [eat, throw]
  _do:
    echo>: ${verb} ${fruit}
";

    type Params = ForEachParams;

    fn inspect(&self, params: &Params, _surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let problems = match params.get("_command") {
            Some(Value::Object(map)) => map.iter().filter_map(|(key, value)| {
                // A list is one, whatever its values become.
                if value.is_array() || is_unevaluated(value) { None } else { list(key, value.clone()).err() }
            }),
            Some(whole @ Value::String(_)) if !is_unevaluated(whole) => {
                return lists(whole.clone()).err().map(|error| error.params).unwrap_or_default();
            }
            _ => return Vec::new(),
        };
        problems.flat_map(|error| error.params).collect()
    }

    async fn run(&self, context: &TaskContext, params: ForEachParams) -> Result<TaskOutcome, TaskError> {
        let lists = lists(params.values)?;
        let n_turns = lists.iter().try_fold(1_usize, |turns, (_, values)| turns.checked_mul(values.len()));
        let n_turns = if lists.is_empty() { Some(0) } else { n_turns };
        let Some(n_turns) = n_turns.filter(|turns| *turns <= MAX_TURNS) else {
            let message = format!("expected at most {MAX_TURNS} combinations, found more");
            return Err(wrong(code::PARAM_VALUE, "_command", message));
        };
        let repeats = repeats(&lists);
        let turns = (0..n_turns).map(|turn| combination(&lists, &repeats, turn));
        let group = repeat(context, &params.body, params.parallel, turns)?;
        Ok(TaskResult { subtasks: vec![group], ..TaskResult::default() }.done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

type Lists = Vec<(String, Vec<Value>)>;

fn lists(values: Value) -> Result<Lists, TaskError> {
    let values = parsed("_command", values)?;
    let Value::Object(map) = values else {
        let message = format!("expected a mapping of lists, found {}", described(&values));
        return Err(wrong(code::PARAM_VALUE, "_command", message));
    };
    let mut lists = Vec::with_capacity(map.len());
    for (key, value) in map {
        let values = list(&key, value)?;
        lists.push((key, values));
    }
    Ok(lists)
}

/// Reads the values of one parameter.
fn list(key: &str, value: Value) -> Result<Vec<Value>, TaskError> {
    let path = format!("_command.{key}");
    match parsed(&path, value)? {
        Value::Array(values) => Ok(values),
        other => Err(wrong(code::PARAM_VALUE, &path, format!("expected a list, found {}", described(&other)))),
    }
}

/// Reads a text as JSON; other values are what they are.
fn parsed(path: &str, value: Value) -> Result<Value, TaskError> {
    let Value::String(text) = &value else { return Ok(value) };
    serde_json::from_str(text).map_err(|error| {
        wrong(code::PARAM_VALUE, path, format!("expected a list or JSON, found the text `{text}` ({error})"))
    })
}

/// Returns, for each value of each list, how many equal ones stand before it in its list; nothing at all where none does.
fn repeats(lists: &Lists) -> Vec<Vec<usize>> {
    let counted = |values: &Vec<Value>| {
        let mut seen: HashMap<String, usize> = HashMap::with_capacity(values.len());
        let before = values.iter().map(|value| {
            let times = seen.entry(shown(value)).or_default();
            *times += 1;
            *times - 1
        });
        before.collect()
    };
    let counted: Vec<Vec<usize>> = lists.iter().map(|(_, values)| counted(values)).collect();
    if counted.iter().flatten().all(|before| *before == 0) { Vec::new() } else { counted }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the name and the values of a turn: the last list changes fastest.
///
/// The name of a turn that has the same values as one before it ends in `~` and which of them it is.
fn combination(lists: &Lists, repeats: &[Vec<usize>], turn: usize) -> (String, Params) {
    let mut name = String::from(turns::FOR_EACH);
    let mut bound = Params::new();
    let mut weight: usize = lists.iter().map(|(_, values)| values.len()).product();
    let mut rest = turn;
    let mut which = Vec::new();
    for (position, (key, values)) in lists.iter().enumerate() {
        weight /= values.len().max(1);
        let chosen = rest / weight.max(1);
        rest %= weight.max(1);
        let value = values.get(chosen).cloned().unwrap_or(Value::Null);
        // Most loops repeat nothing, and may have very many turns.
        if !repeats.is_empty() {
            which.push(repeats.get(position).and_then(|before| before.get(chosen)).copied().unwrap_or(0) + 1);
        }
        let separator = if position == 0 { "" } else { "&" };
        // Writing into a string cannot fail.
        let _ = write!(name, "{separator}{position}={}={chosen}={}", escaped(key), escaped(&shown(&value)));
        bound.insert(key.clone(), value);
    }
    if which.iter().any(|which| *which > 1) {
        let which: Vec<String> = which.iter().map(usize::to_string).collect();
        let _ = write!(name, "{}{}", turns::REPEATED, which.join("."));
    }
    (name, bound)
}

/// Shortens a text and escapes it, so that it may stand in a task's name.
fn escaped(text: &str) -> String {
    turns::escaped(text.chars().take(NAME_CHARS))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::params::ParamPath;

    #[test]
    fn names_and_order_are_those_of_digdag() {
        let lists = lists(json!({"a": [1, 2], "b": "[\"x\", \"y z\"]"})).unwrap();
        let turns: Vec<_> = (0..4).map(|turn| combination(&lists, &[], turn)).collect();
        let names: Vec<_> = turns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["+for-0=a=0=1&1=b=0=x", "+for-0=a=0=1&1=b=1=y%20z", "+for-0=a=1=2&1=b=0=x", "+for-0=a=1=2&1=b=1=y%20z"]
        );
        assert_eq!(Value::Object(turns[3].1.clone()), json!({"a": 2, "b": "y z"}));
    }

    #[test]
    fn turns_with_the_same_values_are_told_apart() {
        let lists = lists(json!({"a": ["x", "y", "x", 1, "1"], "b": [2, 2]})).unwrap();
        let repeats = repeats(&lists);
        let names: Vec<String> = (0..10).map(|turn| combination(&lists, &repeats, turn).0).collect();
        assert_eq!(
            names,
            [
                "+for-0=a=0=x&1=b=0=2",
                "+for-0=a=0=x&1=b=1=2~1.2",
                "+for-0=a=1=y&1=b=0=2",
                "+for-0=a=1=y&1=b=1=2~1.2",
                "+for-0=a=2=x&1=b=0=2~2.1",
                "+for-0=a=2=x&1=b=1=2~2.2",
                "+for-0=a=3=1&1=b=0=2",
                "+for-0=a=3=1&1=b=1=2~1.2",
                "+for-0=a=4=1&1=b=0=2~2.1",
                "+for-0=a=4=1&1=b=1=2~2.2",
            ]
        );
    }

    #[test]
    fn long_and_odd_values_are_cut_and_escaped() {
        assert_eq!(escaped("a*b/c:d+e long"), "a%2Ab%2Fc%3Ad%2B");
        assert_eq!(escaped("水路"), "%E6%B0%B4%E8%B7%AF");
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_path() {
        let error = lists(json!({"a": 3})).unwrap_err();
        assert_eq!(error.message, "expected a list, found the number `3`");
        assert_eq!(error.params[0].path, ParamPath::from("_command.a"));
        let error = lists(json!("abc")).unwrap_err();
        assert_eq!(error.message, "expected a list or JSON, found the text `abc` (expected value at line 1 column 1)");
    }
}
