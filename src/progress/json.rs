//! One JSON object an event on stdout: for programs. The objects' keys are kept; new ones may come.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::params::Params;
use engine::run::{RunEvent, RunObserver};
use engine::session::TaskId;
use engine::workflow::Bound;
use serde_json::{Value, json};

use super::Show;
use super::pace::Every;
use crate::output::Output;

/// How often a task says how far it is.
const PROGRESS_PAUSE: Duration = Duration::from_secs(1);

/// Prints events as JSON.
#[derive(Debug)]
pub(super) struct JsonLines {
    output: Output,
    going: Mutex<HashMap<TaskId, Every>>,
}

impl JsonLines {
    pub(super) fn new(output: Output) -> Self {
        Self { output, going: Mutex::default() }
    }

    /// Says whether it is time that a task says how far it is.
    fn is_due(&self, task: TaskId) -> bool {
        let now = Instant::now();
        let mut going = self.going.lock().unwrap_or_else(PoisonError::into_inner);
        going.entry(task).or_insert_with(|| Every::new(PROGRESS_PAUSE, now)).is_due(now)
    }

    fn print(&self, value: &Value) {
        // A reader that has gone must not end the run.
        let _lost = self.output.json_line(value);
    }
}

impl RunObserver for JsonLines {
    fn event(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::TaskFound { task, bound, state, report } => {
                self.print(&json!({
                    "event": "task_found",
                    "task": task.name,
                    "operator": task.operator,
                    "values": values(bound),
                    "state": state.as_str(),
                    "report": report,
                }));
            }
            RunEvent::TaskStarted { task, bound, retry_count } => {
                self.print(&json!({
                    "event": "task_started",
                    "task": task.name,
                    "operator": task.operator,
                    "values": values(bound),
                    "retry_count": retry_count,
                }));
            }
            RunEvent::TaskWaits { task, until, failure } => {
                self.print(
                    &json!({"event": "task_waits", "task": task.name, "until": until.to_string(), "failure": failure}),
                );
            }
            RunEvent::TaskFinished { task, state, skipped, duration, report, failure } => {
                self.going.lock().unwrap_or_else(PoisonError::into_inner).remove(&task.id);
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
            RunEvent::TaskProgress { task, progress } if self.is_due(task.id) => {
                self.print(&json!({
                    "event": "task_progress",
                    "task": task.name,
                    "rows": progress.rows,
                    "bytes": progress.bytes,
                    "bytes_total": progress.bytes_total,
                }));
            }
            RunEvent::Log { task, line } => self.print(&json!({"event": "log", "task": task.name, "line": line})),
            RunEvent::Warning { task, line } => {
                self.print(&json!({"event": "warning", "task": task.name, "line": line}));
            }
            RunEvent::Output { task, bytes } => {
                self.print(&json!({"event": "output", "task": task.name, "text": String::from_utf8_lossy(bytes)}));
            }
            RunEvent::AttemptFinished { attempt, state } => {
                // Another attempt's tasks have the same numbers.
                self.going.lock().unwrap_or_else(PoisonError::into_inner).clear();
                self.print(&json!({"event": "attempt_finished", "attempt": attempt, "state": state.as_str()}));
            }
            _ => {}
        }
    }
}

/// Returns the values that a loop made a task with; null for a task of no loop.
fn values(bound: &Bound) -> Option<Params> {
    (!bound.is_empty()).then(|| bound.params())
}

impl Show for JsonLines {
    fn say(&self, line: &str) {
        self.output.note(line);
    }

    fn finish(&self) {}
}
