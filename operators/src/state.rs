//! An operator's state as a type: written before an effect, read by the step after.

use engine::diagnostic::code;
use engine::operator::error::Retry;
use engine::operator::{TaskContext, TaskError, TaskErrorKind, TaskOutcome};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// Reads what the last step stored; none at first.
pub(crate) fn read<T: DeserializeOwned>(context: &TaskContext) -> Result<Option<T>, TaskError> {
    if context.state.is_null() {
        return Ok(None);
    }
    serde_json::from_value(context.state.clone()).map(Some).map_err(|error| unusable(&error))
}

/// Stores the state, durably, before it returns.
pub(crate) async fn write(context: &TaskContext, state: &impl Serialize) -> Result<(), TaskError> {
    context.host.checkpoint(&value(state)?).await
}

/// Gives the slot back and comes again with this state.
pub(crate) fn wait(state: &impl Serialize, after: Duration) -> Result<TaskOutcome, TaskError> {
    Ok(TaskOutcome::Wait { state: value(state)?, after })
}

fn value(state: &impl Serialize) -> Result<Value, TaskError> {
    serde_json::to_value(state).map_err(|error| unusable(&error))
}

/// The state of another version of the program, most likely.
fn unusable(error: &serde_json::Error) -> TaskError {
    TaskError::new(
        TaskErrorKind::External,
        Retry::Never,
        code::STATE_UNUSABLE,
        format!("the stored state of this task cannot be used: {error}"),
    )
    .help("run the session again with `--rerun`")
}
