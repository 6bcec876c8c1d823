//! `echo>`: prints a line.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::Text;
use crate::operator::{TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};

/// Prints a line.
#[derive(Debug)]
pub(super) struct Echo;

/// The parameters of `echo>`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EchoParams {
    /// What to print. Numbers and booleans are printed as written.
    #[serde(rename = "_command")]
    message: Text,
}

impl TypedOperator for Echo {
    const NAME: &'static str = "echo";
    const SUMMARY: &'static str = "Prints a message.";
    const COMMAND: Option<&'static str> = Some("the message");
    const DETAILS: &'static str = "The message and a line end go to the standard output and into the task's log.";
    const EXAMPLE: &'static str = "+hello:\n  echo>: session of ${session_date}\n";

    type Params = EchoParams;

    async fn run(&self, context: &TaskContext, params: EchoParams) -> Result<TaskOutcome, TaskError> {
        let mut line = params.message.0;
        line.push('\n');
        context.host.output(line.as_bytes());
        Ok(TaskResult::default().done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
