//! One JSON object an event on stdout: for programs. The objects' keys are kept; new ones may come.

use engine::run::{RunEvent, RunObserver};
use serde_json::{Value, json};

use crate::output::Output;

/// Prints events as JSON.
#[derive(Debug)]
pub(super) struct JsonLines {
    output: Output,
}

impl JsonLines {
    pub(super) fn new(output: Output) -> Self {
        Self { output }
    }

    fn print(&self, value: &Value) {
        // A reader that has gone must not end the run.
        let _lost = self.output.json_line(value);
    }
}

impl RunObserver for JsonLines {
    fn event(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::TaskStarted { task, retry_count } => {
                self.print(&json!({"event": "task_started", "task": task.name, "operator": task.operator, "retry_count": retry_count}));
            }
            RunEvent::TaskWaits { task, until, failure } => {
                self.print(
                    &json!({"event": "task_waits", "task": task.name, "until": until.to_string(), "failure": failure}),
                );
            }
            RunEvent::TaskFinished { task, state, skipped, duration, report, failure } => {
                self.print(&json!({
                    "event": "task_finished",
                    "task": task.name,
                    "operator": task.operator,
                    "state": state.as_str(),
                    "skipped": skipped,
                    "duration_ms": u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
                    "report": report,
                    "failure": failure,
                }));
            }
            RunEvent::TaskProgress { task, rows, bytes } => {
                self.print(&json!({"event": "task_progress", "task": task.name, "rows": rows, "bytes": bytes}));
            }
            RunEvent::Log { task, line } => self.print(&json!({"event": "log", "task": task.name, "line": line})),
            RunEvent::Output { task, bytes } => {
                self.print(&json!({"event": "output", "task": task.name, "text": String::from_utf8_lossy(bytes)}));
            }
            RunEvent::AttemptFinished { attempt, state } => {
                self.print(&json!({"event": "attempt_finished", "attempt": attempt, "state": state.as_str()}));
            }
            _ => {}
        }
    }
}
