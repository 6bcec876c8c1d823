//! Sessions, attempts and tasks, and the pure state machine that moves them.
//!
//! A session is one logical run of a workflow for a time; an attempt is one try at it; a task is a node of an attempt.
//! Nothing here does I/O: [`transition`] turns events into changes, `store` keeps them, `run` makes them happen.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub mod graph;
pub mod resume;
pub mod retry;
pub mod task;
pub mod transition;

pub use graph::{GraphError, TaskGraph};
pub use retry::RetryPolicy;
pub use task::{Role, Task, TaskId, TaskState};
pub use transition::{Changes, Event, apply};

/// Identifies an attempt in its store; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(pub i64);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies a session in its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub i64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What makes a session unique.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionKey {
    /// The project's name.
    pub project: String,
    /// The workflow's name: its path in the project without the extension.
    pub workflow: String,
    /// The time the session is for, to the second.
    pub session_time: Timestamp,
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Not at its end; whether anybody works on it is a matter of its lease.
    Running,
    /// The root task succeeded.
    Success,
    /// The root task failed.
    Failed,
    /// The attempt was killed.
    Canceled,
}

impl AttemptState {
    /// Returns the word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Returns the state of a stored word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Running, Self::Success, Self::Failed, Self::Canceled].into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for AttemptState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
