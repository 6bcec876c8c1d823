//! What the engine tells while it works: for the live task tree, the JSON stream, a server's event stream.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;

use crate::operator::{TaskProgress, TaskReport};
use crate::session::{AttemptId, AttemptState, TaskId, TaskState};
use crate::store::Failure;
use crate::workflow::Bound;

/// Which task an event is about.
#[derive(Debug, Clone, Copy)]
pub struct TaskRef<'a> {
    /// Its attempt.
    pub attempt: AttemptId,
    /// Its id.
    pub id: TaskId,
    /// Its parent's id.
    pub parent: Option<TaskId>,
    /// Its full name.
    pub name: &'a str,
    /// Its operator without `>`; `None` for a group.
    pub operator: Option<&'a str>,
}

/// Something that happened. State changes are told after they are durable.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum RunEvent<'a> {
    /// A task of an attempt that is continued, as it was left: open, or at its end. Told before everything else, parents before
    /// children.
    TaskFound {
        /// Which.
        task: TaskRef<'a>,
        /// The values that a loop made it with.
        bound: &'a Bound,
        /// How it stands.
        state: TaskState,
        /// Figures.
        report: Option<&'a TaskReport>,
    },
    /// A task's operator is called (for the n-th time: `retry_count` is n − 1), or a group opened.
    TaskStarted {
        /// Which.
        task: TaskRef<'a>,
        /// The values that a loop made it with.
        bound: &'a Bound,
        /// How often it was tried before.
        retry_count: u32,
    },
    /// A task waits: for something outside, or for its retry.
    TaskWaits {
        /// Which.
        task: TaskRef<'a>,
        /// Until when.
        until: Timestamp,
        /// Why it failed, when it is retried.
        failure: Option<&'a Failure>,
    },
    /// A task came to its end.
    TaskFinished {
        /// Which.
        task: TaskRef<'a>,
        /// How it ended.
        state: TaskState,
        /// Whether nothing was done, because it succeeded in an earlier attempt.
        skipped: bool,
        /// From its first start to its end.
        duration: Duration,
        /// Figures.
        report: Option<&'a TaskReport>,
        /// Why it failed.
        failure: Option<&'a Failure>,
    },
    /// How far a running task is.
    TaskProgress {
        /// Which.
        task: TaskRef<'a>,
        /// How far.
        progress: TaskProgress,
    },
    /// A line of a task's log.
    Log {
        /// Which task.
        task: TaskRef<'a>,
        /// The line, without its end.
        line: &'a str,
    },
    /// Something about a task that goes on is not as its author may expect; it is in the task's log too.
    Warning {
        /// Which task.
        task: TaskRef<'a>,
        /// What, on one line.
        line: &'a str,
    },
    /// What a task's program wrote.
    Output {
        /// Which task.
        task: TaskRef<'a>,
        /// The bytes as they came.
        bytes: &'a [u8],
    },
    /// An attempt came to its end.
    AttemptFinished {
        /// Which.
        attempt: AttemptId,
        /// How it ended.
        state: AttemptState,
    },
}

/// Is told what happens. Called from many threads, and waited for: be quick.
pub trait RunObserver: Debug + Send + Sync + 'static {
    /// Takes note of an event.
    fn event(&self, event: &RunEvent<'_>);
}

/// Takes no note of anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl RunObserver for Unobserved {
    fn event(&self, _event: &RunEvent<'_>) {}
}
