//! A task of an attempt: its place in the tree, its state, and what that state means.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::retry::RetryPolicy;
use crate::workflow::{Bound, TaskDef, TaskKind};

/// Identifies a task in its attempt: its position in the order of insertion, 0 for the root. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u32);

impl TaskId {
    /// The root of the tree.
    pub const ROOT: Self = Self(0);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a task stands.
///
/// ```text
/// blocked ─┬→ ready → running ─┬→ success
///          │    ↑        │     ├→ planned → success | error | group_error
///          │    └─ retry_waiting └→ error
///          ├→ planned (a group) ─┬→ success | group_error
///          │        ↑            │
///          │   group_retry_waiting
///          └→ unreached
/// ```
/// and from every state but a final one to `canceled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for its parent to open, for siblings that come first, or for a slot of its parent's `_parallel: {limit}`.
    Blocked,
    /// An action that may run as soon as a slot is free.
    Ready,
    /// An action whose operator is at work.
    Running,
    /// An action that is called again later: after a `Wait`, or after a failure that is retried.
    RetryWaiting,
    /// Open: a group whose children run, or an action whose operator is done and whose generated children run.
    Planned,
    /// A group, or an action with generated children, that failed and starts again later.
    GroupRetryWaiting,
    /// Final: it and all its children succeeded.
    Success,
    /// Final: its operator failed.
    Error,
    /// Final: one of its children failed.
    GroupError,
    /// Final: the attempt was killed before it ended.
    Canceled,
    /// Final: it never started, because a task before it did not succeed.
    Unreached,
}

impl TaskState {
    /// All states, in the order of a task's life.
    pub const ALL: [Self; 11] = [
        Self::Blocked,
        Self::Ready,
        Self::Running,
        Self::RetryWaiting,
        Self::Planned,
        Self::GroupRetryWaiting,
        Self::Success,
        Self::Error,
        Self::GroupError,
        Self::Canceled,
        Self::Unreached,
    ];

    /// Says whether the state is never left.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Error | Self::GroupError | Self::Canceled | Self::Unreached)
    }

    /// Says whether a task that ends so makes its parent fail. A task that was never reached does not: another one that
    /// failed is the reason.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Error | Self::GroupError | Self::Canceled)
    }

    /// Says whether a task in this state takes a slot of its parent's `_parallel: {limit}`.
    pub(super) fn holds_slot(self) -> bool {
        matches!(self, Self::Ready | Self::Running | Self::RetryWaiting | Self::Planned | Self::GroupRetryWaiting)
    }

    /// Returns the word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::RetryWaiting => "retry_waiting",
            Self::Planned => "planned",
            Self::GroupRetryWaiting => "group_retry_waiting",
            Self::Success => "success",
            Self::Error => "error",
            Self::GroupError => "group_error",
            Self::Canceled => "canceled",
            Self::Unreached => "unreached",
        }
    }

    /// Returns the state of a stored word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a task is in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It stands in the definition of its parent; a retry of the parent makes it again.
    Written,
    /// The operator of its parent made it; a retry of the parent drops it.
    Generated,
    /// `^check`: runs when everything else under its parent succeeded.
    Check,
    /// `^error`: runs when its parent failed for good.
    Error,
}

impl Role {
    /// Returns the word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Generated => "generated",
            Self::Check => "check",
            Self::Error => "error",
        }
    }

    /// Returns the role of a stored word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Written, Self::Generated, Self::Check, Self::Error].into_iter().find(|role| role.as_str() == word)
    }
}

/// A task: what is stored of it as far as the state machine needs it, and indexes over its children and siblings.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The task it stands under; `None` for the root.
    pub parent: Option<TaskId>,
    /// Why it is there.
    pub role: Role,
    /// Its own name.
    pub name: Arc<str>,
    /// Data that it was made with, such as a loop variable.
    pub bound: Bound,
    /// Its definition without name, data and children, `_check` and `_error` included; tasks of the same definition share it.
    pub def: Arc<TaskDef>,
    /// The siblings that must succeed first.
    pub upstreams: Vec<TaskId>,
    /// Where it stands.
    pub state: TaskState,
    /// How often it was tried again so far, its group's retries included. Never smaller than that of an earlier row of
    /// the same name.
    pub retry_count: u32,
    /// How many retries of its own `_retry` are used.
    pub retries_used: u32,
    /// When a waiting task goes on.
    pub retry_at: Option<Timestamp>,
    /// Its `_retry` with templates evaluated; known for groups from the start, for actions since their first step.
    pub retry: RetryPolicy,
    /// Set once `^error` is there: the state in which the task ends after it.
    pub failed_as: Option<TaskState>,
    /// Whether a retry of its group has put another row in its place.
    pub superseded: bool,
    /// Whether it counts as successful because it succeeded in an earlier attempt.
    pub skipped: bool,
    /// Whether its operator has asked to remember something, so that a kill must tell it.
    pub has_state: bool,

    /// Its living (not superseded) children in order.
    pub children: Vec<TaskId>,
    pub(super) downstreams: Vec<TaskId>,
    /// Upstreams that have not succeeded yet.
    pub(super) n_unmet: u32,
    /// Living children that are not final.
    pub(super) n_open: u32,
    /// Living children that ended in a failure.
    pub(super) n_failed: u32,
    /// Children that hold a slot, counted for `_parallel: {limit}` alone.
    pub(super) n_slots: u32,
    /// Children that could run but for the limit.
    pub(super) queue: VecDeque<TaskId>,
    /// Whether one of the written children has `_background`.
    pub(super) has_background: bool,
    /// Whether `^check` is among the children.
    pub(super) checked: bool,
}

impl Task {
    pub(super) fn new(
        id: TaskId,
        parent: Option<TaskId>,
        role: Role,
        def: Arc<TaskDef>,
        upstreams: Vec<TaskId>,
    ) -> Self {
        Self {
            id,
            parent,
            role,
            name: Arc::default(),
            bound: Bound::default(),
            def,
            upstreams,
            state: TaskState::Blocked,
            retry_count: 0,
            retries_used: 0,
            retry_at: None,
            retry: RetryPolicy::NONE,
            failed_as: None,
            superseded: false,
            skipped: false,
            has_state: false,
            children: Vec::new(),
            downstreams: Vec::new(),
            n_unmet: 0,
            n_open: 0,
            n_failed: 0,
            n_slots: 0,
            queue: VecDeque::new(),
            has_background: false,
            checked: false,
        }
    }

    /// Says whether the task has no operator of its own.
    pub fn is_group(&self) -> bool {
        matches!(self.def.kind, TaskKind::Group)
    }

    /// Returns the name of its operator, when it has one.
    pub fn operator(&self) -> Option<&str> {
        match &self.def.kind {
            TaskKind::Group => None,
            TaskKind::Action { operator, .. } => Some(operator),
        }
    }
}
