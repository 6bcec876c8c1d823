//! One line a finished task: for logs and pipes.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use engine::run::observer::TaskRef;
use engine::run::{RunEvent, RunObserver};
use engine::session::{TaskId, TaskState};

use super::{Place, line, sign};
use crate::output::Output;

/// Prints a line for each task that comes to its end.
#[derive(Debug)]
pub(super) struct Lines {
    output: Output,
    quiet: bool,
    tasks: Mutex<HashMap<TaskId, Place>>,
}

impl Lines {
    pub(super) fn new(output: Output, quiet: bool) -> Self {
        Self { output, quiet, tasks: Mutex::default() }
    }

    /// Returns what is shown of a task and how deep, if it is shown.
    fn place(&self, task: &TaskRef<'_>) -> Option<(String, usize)> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let parent = task.parent.and_then(|parent| tasks.get(&parent));
        let place = Place::below(parent, task);
        let shown = place.own_name.clone().map(|own_name| (own_name, place.depth));
        tasks.insert(task.id, place);
        shown
    }

    /// Forgets a task that came to its end. A canceled group is told of before what is under it.
    fn forget(&self, task: &TaskRef<'_>, state: TaskState) {
        if state != TaskState::Canceled {
            self.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(&task.id);
        }
    }
}

impl RunObserver for Lines {
    fn event(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Output { bytes, .. } => {
                let mut stdout = std::io::stdout().lock();
                // A reader that has gone must not end the run.
                let _lost = stdout.write_all(bytes).and_then(|()| stdout.flush());
            }
            RunEvent::TaskStarted { task, .. } => {
                self.place(task);
            }
            RunEvent::TaskWaits { task, failure: Some(failure), .. } if !self.quiet => {
                let Some((name, depth)) = self.place(task) else { return };
                self.output.note(&format!(
                    "↻ {:indent$}{name}: {}; tried again",
                    "",
                    failure.message,
                    indent = depth * 2
                ));
            }
            RunEvent::TaskFinished { task, state, skipped, duration, report, .. }
                if !self.quiet && *state != TaskState::Unreached =>
            {
                let place = self.place(task);
                self.forget(task, *state);
                let Some((name, depth)) = place else { return };
                let line = line(depth, &name, *duration, *skipped, *report);
                self.output.note(&format!("{} {line}", sign(*state, *skipped, self.output.color)));
            }
            RunEvent::TaskFinished { task, state, .. } => self.forget(task, *state),
            _ => {}
        }
    }
}
