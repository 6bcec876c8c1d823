//! `fail>`: fails with a message.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::Text;
use crate::diagnostic::code;
use crate::operator::{TaskContext, TaskError, TaskOutcome, TypedOperator};

/// Fails with a message.
#[derive(Debug)]
pub(super) struct Fail;

/// The parameters of `fail>`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailParams {
    /// The message; it may be left out.
    #[serde(rename = "_command", default)]
    message: Option<Text>,
}

impl TypedOperator for Fail {
    const NAME: &'static str = "fail";
    const SUMMARY: &'static str = "Fails the task with a message.";
    const COMMAND: Option<&'static str> = Some("the message");
    const DETAILS: &'static str = "\
The task fails, and with it the tasks around it. `_error` finds the message in `${error.message}`.

Unlike Digdag's, a `fail>` with `_retry` is tried again.";
    const EXAMPLE: &'static str =
        "+guard:\n  if>: ${session_date == '2000-01-01'}\n  _do:\n    fail>: no data before 2000-01-02\n";

    type Params = FailParams;

    async fn run(&self, _context: &TaskContext, params: FailParams) -> Result<TaskOutcome, TaskError> {
        Err(TaskError::failed(code::FAIL, params.message.map(|message| message.0).unwrap_or_default()))
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
