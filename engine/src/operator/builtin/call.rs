//! `call>`: runs another workflow file of the project as part of this one.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::operator::{TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};

/// Runs another workflow file of the project.
#[derive(Debug)]
pub(super) struct Call;

/// The parameters of `call>`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallParams {
    /// The file, from the directory of the calling workflow; `.dig` or `.yml` may be left out.
    #[serde(rename = "_command")]
    file: String,
}

impl TypedOperator for Call {
    const NAME: &'static str = "call";
    const SUMMARY: &'static str = "Runs the tasks of another workflow file as part of this one.";
    const COMMAND: Option<&'static str> = Some("the file");
    const DETAILS: &'static str = "\
The tasks see the parameters of the call, and what they store is seen by later tasks. The file's own `_export`, `_retry`,
`_parallel`, `_check` and `_error` count; its `timezone:` and `schedule:` do not. Relative paths in the called tasks start at
the directory of the file.

The file must be inside the project.";
    const EXAMPLE: &'static str = "+prepare:\n  call>: common/prepare.dig\n";

    type Params = CallParams;

    async fn run(&self, context: &TaskContext, params: CallParams) -> Result<TaskOutcome, TaskError> {
        let mut root = context.host.load_workflow(&params.file)?;
        "^sub".clone_into(&mut root.name);
        Ok(TaskResult { subtasks: vec![root], ..TaskResult::default() }.done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
