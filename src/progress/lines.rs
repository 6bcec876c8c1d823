//! One line a finished task, and one now and then for a long one: for logs and pipes.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::operator::{TaskProgress, TaskReport};
use engine::run::observer::TaskRef;
use engine::run::{RunEvent, RunObserver};
use engine::session::{TaskId, TaskState};
use engine::workflow::Bound;

use super::Show;
use super::line::{Figures, before, line, sign, time};
use super::pace::{Every, Pace};
use super::place::{Places, plain};
use crate::output::{Output, duration};

/// How often a task that goes on says how far it is.
const PROGRESS_PAUSE: Duration = Duration::from_secs(10);

/// Prints a line for each task that comes to its end.
#[derive(Debug)]
pub(super) struct Lines {
    output: Output,
    quiet: bool,
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    places: Places,
    /// The tasks that say how far they are.
    going: HashMap<TaskId, Going>,
}

/// A task that says how far it is.
#[derive(Debug)]
struct Going {
    since: Instant,
    pace: Pace,
    every: Every,
}

impl Going {
    fn new(now: Instant) -> Self {
        Self { since: now, pace: Pace::new(now), every: Every::new(PROGRESS_PAUSE, now) }
    }
}

impl Lines {
    pub(super) fn new(output: Output, quiet: bool) -> Self {
        Self { output, quiet, tasks: Mutex::default() }
    }

    /// Returns what is shown of a task and how deep, if it is shown.
    fn place(&self, task: &TaskRef<'_>, bound: Option<&Bound>) -> Option<(String, usize)> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let place = tasks.places.of(task, bound);
        place.label.clone().map(|label| (label, place.depth))
    }

    /// Prints how a task ended.
    fn ended(&self, task: &TaskRef<'_>, state: TaskState, was_before: bool, time: &str, report: Option<&TaskReport>) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).going.remove(&task.id);
        let Some((label, depth)) = self.place(task, None).filter(|_| !self.quiet) else { return };
        let figures = report.map(Figures::of_report).unwrap_or_default();
        let sign = sign(state, was_before, self.output.color);
        self.output.note(&format!("{sign} {}", line(depth, &label, time, &figures, None)));
    }

    fn forget(&self, task: TaskId, state: TaskState) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).places.forget(task, state);
    }

    /// Prints how far a task is, when it has not done so for a while.
    fn goes_on(&self, task: &TaskRef<'_>, progress: &TaskProgress, now: Instant) {
        let Some((label, depth)) = self.place(task, None).filter(|_| !self.quiet) else { return };
        let (since, rate, is_due) = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            let going = tasks.going.entry(task.id).or_insert_with(|| Going::new(now));
            (going.since, going.pace.note(progress.bytes, now), going.every.is_due(now))
        };
        if is_due {
            let time = duration(now.saturating_duration_since(since));
            let figures = Figures::of_progress(progress, rate);
            self.output.note(&format!("… {}", line(depth, &label, &time, &figures, None)));
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
            RunEvent::TaskFound { task, bound, state, report } => {
                self.place(task, Some(bound));
                if state.is_final() {
                    self.ended(task, *state, true, before(*state), *report);
                }
            }
            RunEvent::TaskStarted { task, bound, .. } => {
                self.place(task, Some(bound));
                if task.operator.is_some() && !self.quiet {
                    let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
                    tasks.going.entry(task.id).or_insert_with(|| Going::new(Instant::now()));
                }
            }
            // Also when nothing else is to be said: it may be about money, or about what is lost.
            RunEvent::Warning { task, line } => {
                self.output.note(&format!("warning: {}: {}", task.name, plain(line)));
            }
            RunEvent::TaskProgress { task, progress } => self.goes_on(task, progress, Instant::now()),
            RunEvent::TaskWaits { task, failure: Some(failure), .. } if !self.quiet => {
                let Some((label, depth)) = self.place(task, None) else { return };
                let why = plain(failure.message.lines().next().unwrap_or_default());
                self.output.note(&format!("↻ {:indent$}{label}: {why}; tried again", "", indent = depth * 2));
            }
            RunEvent::TaskFinished { task, state, skipped, duration, report, .. } if *state != TaskState::Unreached => {
                self.ended(task, *state, *skipped, &time(*duration, *skipped), *report);
                self.forget(task.id, *state);
            }
            RunEvent::TaskFinished { task, state, .. } => self.forget(task.id, *state),
            // Another attempt's tasks have the same numbers.
            RunEvent::AttemptFinished { .. } => {
                *self.tasks.lock().unwrap_or_else(PoisonError::into_inner) = Tasks::default();
            }
            _ => {}
        }
    }
}

impl Show for Lines {
    fn say(&self, line: &str) {
        self.output.note(line);
    }

    fn finish(&self) {}
}
