//! One line a finished task: for logs and pipes.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use engine::run::{RunEvent, RunObserver};
use engine::session::TaskId;

use super::{line, sign};
use crate::output::Output;

/// Prints a line for each task that comes to its end.
#[derive(Debug)]
pub(super) struct Lines {
    output: Output,
    quiet: bool,
    tasks: Mutex<HashMap<TaskId, (String, usize)>>,
}

impl Lines {
    pub(super) fn new(output: Output, quiet: bool) -> Self {
        Self { output, quiet, tasks: Mutex::default() }
    }

    /// Returns a task's own name and how deep it is.
    fn place(&self, task: &engine::run::observer::TaskRef<'_>) -> (String, usize) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, depth) = match task.parent.and_then(|parent| tasks.get(&parent)) {
            Some((parent, depth)) => (task.name.strip_prefix(parent.as_str()).unwrap_or(task.name), depth + 1),
            None => (task.name, 0),
        };
        let own = own.to_owned();
        tasks.insert(task.id, (task.name.to_owned(), depth));
        (own, depth)
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
            RunEvent::TaskWaits { task, until: _, failure: Some(failure) } if !self.quiet => {
                let (name, depth) = self.place(task);
                self.output.note(&format!(
                    "↻ {:indent$}{name}: {}; tried again",
                    "",
                    failure.message,
                    indent = depth * 2
                ));
            }
            RunEvent::TaskFinished { task, state, skipped, duration, report, .. } if !self.quiet => {
                let (name, depth) = self.place(task);
                let line = line(depth, &name, *duration, *skipped, *report);
                self.output.note(&format!("{} {line}", sign(*state, *skipped, self.output.color)));
            }
            _ => {}
        }
    }
}
