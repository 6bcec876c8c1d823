//! `loop>`: runs a body so many times.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::value::{Body, LoopParallel, Whole, repeat};
use crate::operator::{TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use crate::params::Params;

/// Runs a body so many times.
#[derive(Debug)]
pub(super) struct LoopTimes;

/// The parameters of `loop>`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoopParams {
    /// How often; 0 and less is never.
    #[serde(rename = "_command")]
    times: Whole,
    /// What to run: a task or a group.
    #[serde(rename = "_do")]
    body: Body,
    /// `true` runs all turns at once, `{limit: N}` at most N at once; one after the other unless given. Templates are allowed.
    #[serde(rename = "_parallel", default)]
    parallel: Option<LoopParallel>,
}

impl TypedOperator for LoopTimes {
    const NAME: &'static str = "loop";
    const SUMMARY: &'static str = "Runs tasks a number of times.";
    const COMMAND: Option<&'static str> = Some("how often");
    const DETAILS: &'static str = "\
Each turn has the parameter `i`, counted from 0. A loop in a loop has an `i` of its own.

The number of turns is limited by the tasks that an attempt may have (setting `task_limit`).";
    const EXAMPLE: &'static str = "+three:\n  loop>: 3\n  _do:\n    echo>: turn ${i}\n";

    type Params = LoopParams;

    async fn run(&self, context: &TaskContext, params: LoopParams) -> Result<TaskOutcome, TaskError> {
        let turns = (0..usize::try_from(params.times.0).unwrap_or_default()).map(|i| {
            let bound = Params::from_iter([("i".to_owned(), Value::from(i))]);
            (format!("+loop-{i}"), bound)
        });
        let group = repeat(context, &params.body, params.parallel, turns)?;
        Ok(TaskResult { subtasks: vec![group], ..TaskResult::default() }.done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
