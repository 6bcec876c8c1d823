//! `if>`: runs one of two bodies.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{Body, Condition};
use crate::diagnostic::code;
use crate::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use crate::params::{ParamPath, Params};

/// Runs one of two bodies.
#[derive(Debug)]
pub(super) struct IfThen;

/// The parameters of `if>`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IfParams {
    /// The condition: `true` or `false`, as a boolean or as text; a number is true unless it is 0; an empty text is false.
    #[serde(rename = "_command")]
    condition: Condition,
    /// What runs when the condition is true: a task or a group.
    #[serde(rename = "_do", default)]
    then: Option<Body>,
    /// What runs when it is false.
    #[serde(rename = "_else_do", default)]
    otherwise: Option<Body>,
}

/// Says that nothing would run whatever the condition is.
fn neither() -> TaskError {
    let message = "expected `_do` or `_else_do`, found neither".to_owned();
    TaskError::wrong_params(vec![ParamProblem::new(ParamPath::from("_command"), message).code(code::PARAM_MISSING)])
}

impl TypedOperator for IfThen {
    const NAME: &'static str = "if";
    const SUMMARY: &'static str = "Runs tasks when a condition is true, or others when it is false.";
    const COMMAND: Option<&'static str> = Some("the condition, usually a template");
    const DETAILS: &'static str = "\
At least one of `_do` and `_else_do` is needed. The templates of the body that is not chosen are never evaluated.";
    const EXAMPLE: &'static str = "\
+weekly:
  if>: ${moment(session_time).day() == 1}
  _do:
    echo>: it is Monday
  _else_do:
    echo>: it is some other day
";

    type Params = IfParams;

    fn inspect(&self, params: &Params, _surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let has = |key: &str| params.get(key).is_some_and(|body| !body.is_null());
        if has("_do") || has("_else_do") { Vec::new() } else { neither().params }
    }

    async fn run(&self, context: &TaskContext, params: IfParams) -> Result<TaskOutcome, TaskError> {
        if params.then.is_none() && params.otherwise.is_none() {
            return Err(neither());
        }
        let chosen = if params.condition.0 {
            params.then.map(|body| (body, "_do"))
        } else {
            params.otherwise.map(|body| (body, "_else_do"))
        };
        let subtasks = match chosen {
            Some((body, at)) => vec![context.host.compile_body(&body.0, &ParamPath::from(at))?],
            None => Vec::new(),
        };
        Ok(TaskResult { subtasks, ..TaskResult::default() }.done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
