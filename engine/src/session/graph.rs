//! The tasks of one attempt with the indexes that let an event be applied without looking at all of them.
//!
//! INVARIANT: between two calls of `transition::apply` the counters of every task equal what a full scan would count
//! (`transition::tests` recounts them after every event).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

mod insert;

pub(crate) use insert::count;

use super::retry::RetryPolicy;
use super::task::{Role, Task, TaskId, TaskState};
use crate::workflow::turns::lasting_name;
use crate::workflow::{Bound, Parallel, TaskDef};

/// How deep tasks are nested at most. No workflow that somebody wrote comes near; one that calls itself without end takes time that
/// grows with the square of its depth, and would need minutes to reach the limit of tasks.
const MAX_DEPTH: usize = 500;

/// Why a tree of tasks cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The attempt would have more tasks than it may.
    #[error("too many tasks: the attempt has {current}, {adding} more would pass the limit of {limit}")]
    TooManyTasks {
        /// The setting.
        limit: usize,
        /// Tasks so far.
        current: usize,
        /// Tasks that were to be added.
        adding: usize,
    },
    /// A task would stand deeper than one may.
    #[error("tasks are nested more than {MAX_DEPTH} deep: does a `call>` lead back to itself?")]
    TooDeep,
    /// `_after` names no earlier sibling.
    #[error("`_after` of `{task}` names `{name}`, which is no earlier task of the same group")]
    UnknownUpstream {
        /// The task's own name.
        task: String,
        /// What it names.
        name: String,
    },
    /// The `_retry` of a group cannot be read.
    #[error("`_retry` of `{task}`: {message}")]
    Retry {
        /// The task's own name.
        task: String,
        /// What was expected and what was found.
        message: String,
    },
    /// Stored tasks do not form a tree.
    #[error("the stored tasks do not form a tree: {message}")]
    Broken {
        /// What is wrong.
        message: String,
    },
}

/// How many tasks an attempt has and may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskRoom {
    limit: usize,
    current: usize,
}

impl TaskRoom {
    /// Checks that so many more tasks have room.
    ///
    /// # Errors
    /// `TooManyTasks` when they have not.
    pub fn check(self, adding: usize) -> Result<(), GraphError> {
        let Self { limit, current } = self;
        if current.saturating_add(adding) > limit {
            return Err(GraphError::TooManyTasks { limit, current, adding });
        }
        Ok(())
    }
}

/// A task as it is stored, and as a graph is rebuilt from.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTask {
    /// Its id.
    pub id: TaskId,
    /// Its parent.
    pub parent: Option<TaskId>,
    /// Why it is there.
    pub role: Role,
    /// Its own name.
    pub name: Arc<str>,
    /// Data that it was made with.
    pub bound: Bound,
    /// Its definition without name, data and children; tasks of the same definition share it.
    pub def: Arc<TaskDef>,
    /// The siblings that must succeed first.
    pub upstreams: Vec<TaskId>,
    /// What changes as it runs.
    pub progress: Progress,
}

impl StoredTask {
    /// Returns a task of a graph as it is stored.
    pub fn of(task: &Task) -> Self {
        Self {
            id: task.id,
            parent: task.parent,
            role: task.role,
            name: Arc::clone(&task.name),
            bound: task.bound.clone(),
            def: Arc::clone(&task.def),
            upstreams: task.upstreams.clone(),
            progress: task.progress(),
        }
    }
}

/// The part of a task that changes as it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// See [`Task::state`].
    pub state: TaskState,
    /// See [`Task::retry_count`].
    pub retry_count: u32,
    /// See [`Task::retries_used`].
    pub retries_used: u32,
    /// See [`Task::retry_at`].
    pub retry_at: Option<Timestamp>,
    /// See [`Task::retry`].
    pub retry: RetryPolicy,
    /// See [`Task::failed_as`].
    pub failed_as: Option<TaskState>,
    /// See [`Task::superseded`].
    pub superseded: bool,
    /// See [`Task::skipped`].
    pub skipped: bool,
    /// See [`Task::has_state`].
    pub has_state: bool,
}

impl Task {
    /// Returns the part of the task that changes as it runs.
    pub fn progress(&self) -> Progress {
        Progress {
            state: self.state,
            retry_count: self.retry_count,
            retries_used: self.retries_used,
            retry_at: self.retry_at,
            retry: self.retry,
            failed_as: self.failed_as,
            superseded: self.superseded,
            skipped: self.skipped,
            has_state: self.has_state,
        }
    }
}

/// The tasks of one attempt.
#[derive(Debug, Clone)]
pub struct TaskGraph {
    pub(super) tasks: Vec<Task>,
    pub(super) limit: usize,
    pub(super) cancel_requested: bool,
    /// Tasks in `Ready` in the order in which they became so; may hold some that have left it.
    pub(super) ready: VecDeque<TaskId>,
    /// Tasks in `RetryWaiting` and `GroupRetryWaiting` by the time they go on.
    pub(super) waiting: BTreeSet<(Timestamp, TaskId)>,
}

impl TaskGraph {
    /// Makes the graph of a new attempt: the root and everything written under it, all `Blocked`.
    ///
    /// # Errors
    /// When the tree is larger than `limit`, or its `_after` or `_retry` is wrong.
    pub fn new(root: TaskDef, limit: usize) -> Result<Self, GraphError> {
        let mut graph = Self {
            tasks: Vec::new(),
            limit,
            cancel_requested: false,
            ready: VecDeque::new(),
            waiting: BTreeSet::new(),
        };
        graph.insert(root, None, Role::Written)?;
        Ok(graph)
    }

    /// Rebuilds the graph of a stored attempt.
    ///
    /// # Errors
    /// When the rows do not form a tree.
    pub fn restore(stored: Vec<StoredTask>, limit: usize, cancel_requested: bool) -> Result<Self, GraphError> {
        let mut graph = Self {
            tasks: Vec::with_capacity(stored.len()),
            limit,
            cancel_requested,
            ready: VecDeque::new(),
            waiting: BTreeSet::new(),
        };
        for row in stored {
            let id = graph.next_id();
            let earlier = |other: &TaskId| other.index() < graph.tasks.len();
            if row.id != id
                || row.parent.is_none() != (id == TaskId::ROOT)
                || !row.parent.iter().all(earlier)
                || !row.upstreams.iter().all(earlier)
            {
                return Err(GraphError::Broken { message: format!("task {} is out of place", row.id) });
            }
            let mut task = Task::new(row.id, row.parent, row.role, row.def, row.upstreams);
            task.name = row.name;
            task.bound = row.bound;
            let progress = row.progress;
            task.state = progress.state;
            task.retry_count = progress.retry_count;
            task.retries_used = progress.retries_used;
            task.retry_at = progress.retry_at;
            task.retry = progress.retry;
            task.failed_as = progress.failed_as;
            task.superseded = progress.superseded;
            task.skipped = progress.skipped;
            task.has_state = progress.has_state;
            graph.tasks.push(task);
        }
        if graph.tasks.is_empty() {
            return Err(GraphError::Broken { message: "there is no root".to_owned() });
        }
        graph.rebuild_indexes();
        Ok(graph)
    }

    fn rebuild_indexes(&mut self) {
        for index in 0..self.tasks.len() {
            let task = &self.tasks[index];
            let (id, state, role, background) = (task.id, task.state, task.role, task.def.background);
            match (task.superseded, state, task.retry_at) {
                (false, TaskState::Ready, _) => self.ready.push_back(id),
                (false, TaskState::RetryWaiting | TaskState::GroupRetryWaiting, at) => {
                    self.waiting.insert((at.unwrap_or(Timestamp::MIN), id));
                }
                _ => {}
            }
            if task.superseded {
                continue;
            }
            let upstreams = task.upstreams.clone();
            let mut n_unmet = 0;
            for upstream in upstreams {
                let upstream = &mut self.tasks[upstream.index()];
                upstream.downstreams.push(id);
                n_unmet += u32::from(upstream.state != TaskState::Success);
            }
            self.tasks[index].n_unmet = n_unmet;
            if let Some(parent) = self.tasks[index].parent {
                let limited = matches!(self.tasks[parent.index()].def.parallel, Parallel::Limit(_));
                let parent = &mut self.tasks[parent.index()];
                parent.children.push(id);
                parent.n_open += u32::from(!state.is_final());
                parent.n_failed += u32::from(state.is_failure());
                parent.checked |= role == Role::Check;
                parent.has_background |= background;
                if limited {
                    parent.n_slots += u32::from(state.holds_slot());
                    if state == TaskState::Blocked && n_unmet == 0 && parent.state == TaskState::Planned {
                        parent.queue.push_back(id);
                    }
                }
            }
        }
    }

    /// Returns a task.
    pub fn get(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(id.index())
    }

    /// Returns the root task.
    pub fn root(&self) -> &Task {
        &self.tasks[0]
    }

    /// Returns all tasks, superseded ones included, in the order of their ids.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// Says whether the attempt was killed.
    pub fn cancel_requested(&self) -> bool {
        self.cancel_requested
    }

    /// Says whether the root is in a final state.
    pub fn is_done(&self) -> bool {
        self.root().state.is_final()
    }

    /// Returns a task's full name: the names of its ancestors and its own, such as `+daily+load^sub+loop-0`.
    pub fn full_name(&self, id: TaskId) -> String {
        let mut names = Vec::new();
        let mut next = Some(id);
        while let Some(task) = next.and_then(|id| self.get(id)) {
            names.push(&*task.name);
            next = task.parent;
        }
        names.reverse();
        names.concat()
    }

    /// Returns the full name of a task in which the turns of `for_each>` are told by their values alone.
    pub fn lasting_name(&self, id: TaskId) -> String {
        let mut ids = self.ancestors(id);
        ids.push(id);
        ids.into_iter().filter_map(|id| self.get(id)).map(|task| lasting_name(&task.name, &task.bound)).collect()
    }

    /// Returns the ancestors of a task from the root down, without itself.
    pub fn ancestors(&self, id: TaskId) -> Vec<TaskId> {
        let mut ancestors = Vec::new();
        let mut next = self.get(id).and_then(|task| task.parent);
        while let Some(parent) = next {
            ancestors.push(parent);
            next = self.get(parent).and_then(|task| task.parent);
        }
        ancestors.reverse();
        ancestors
    }

    /// Returns up to `limit` tasks that may start, oldest first, without starting them.
    pub fn ready(&self, limit: usize) -> Vec<TaskId> {
        let is_ready =
            |id: &TaskId| self.tasks[id.index()].state == TaskState::Ready && !self.tasks[id.index()].superseded;
        self.ready.iter().copied().filter(is_ready).take(limit).collect()
    }

    /// Returns when the next waiting task goes on.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// Returns those of `among` (children of the task's parent) whose stores the task sees, in the order of the file: all
    /// that come before it, directly or not.
    ///
    /// `^check` and `^error` see everything else under their parent.
    pub fn upstream_siblings(&self, id: TaskId, among: &BTreeSet<TaskId>) -> Vec<TaskId> {
        let task = &self.tasks[id.index()];
        let living = |sibling: &TaskId| self.get(*sibling).is_some_and(|sibling| !sibling.superseded);
        let earlier = || among.range(..id).copied().filter(living).collect();
        if matches!(task.role, Role::Check | Role::Error) {
            return earlier();
        }
        let Some(parent) = task.parent.and_then(|parent| self.get(parent)) else { return Vec::new() };
        if task.upstreams.is_empty() || among.is_empty() {
            return Vec::new();
        }
        if parent.def.parallel == Parallel::No && !parent.has_background {
            return earlier();
        }
        let mut seen = BTreeSet::new();
        let mut open = task.upstreams.clone();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(&self.tasks[next.index()].upstreams);
            }
        }
        seen.into_iter().filter(|sibling| among.contains(sibling)).filter(living).collect()
    }

    /// Notes whether a task's operator has something to remember; an operator may say so while it runs.
    pub fn set_has_state(&mut self, id: TaskId, has_state: bool) {
        if let Some(task) = self.tasks.get_mut(id.index()) {
            task.has_state = has_state;
        }
    }

    pub(super) fn next_id(&self) -> TaskId {
        TaskId(u32::try_from(self.tasks.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn task_mut(&mut self, id: TaskId) -> &mut Task {
        &mut self.tasks[id.index()]
    }

    /// Returns how many tasks there are, and how many there may be.
    pub fn room(&self) -> TaskRoom {
        // A task's id has 32 bits, whatever the setting says.
        TaskRoom { limit: self.limit.min(u32::MAX as usize), current: self.tasks.len() }
    }

    fn check_depth(&self, parent: Option<TaskId>) -> Result<(), GraphError> {
        if parent.is_some_and(|parent| self.ancestors(parent).len() >= MAX_DEPTH) {
            return Err(GraphError::TooDeep);
        }
        Ok(())
    }

    /// Tells a parent of a new child.
    fn adopt(&mut self, parent: TaskId, child: TaskId) {
        let is_check = self.tasks[child.index()].role == Role::Check;
        let is_background = self.tasks[child.index()].def.background;
        let parent = self.task_mut(parent);
        parent.has_background |= is_background;
        parent.children.push(child);
        parent.n_open += 1;
        parent.checked |= is_check;
    }

    /// Puts fresh rows of the written children of a group in the place of the old ones, for a retry.
    ///
    /// Generated children, checks and error handlers are dropped: they come back when they are needed.
    pub(super) fn recreate_children(&mut self, group: TaskId) -> Result<(Vec<TaskId>, Vec<TaskId>), GraphError> {
        let written = self.written_below(group);
        self.room().check(written.len())?;
        let dropped = self.supersede_children(group);
        let mut copies: HashMap<TaskId, TaskId> = HashMap::with_capacity(written.len());
        let mut inserted = Vec::with_capacity(written.len());
        for old_id in written {
            let id = self.next_id();
            let old = &self.tasks[old_id.index()];
            let parent = old.parent.map(|parent| copies.get(&parent).copied().unwrap_or(parent));
            let upstreams: Vec<TaskId> =
                old.upstreams.iter().filter_map(|upstream| copies.get(upstream).copied()).collect();
            let mut task = Task::new(id, parent, Role::Written, Arc::clone(&old.def), upstreams);
            task.name = Arc::clone(&old.name);
            task.bound = old.bound.clone();
            task.retry_count = old.retry_count + 1;
            if old.is_group() {
                task.retry = old.retry;
            }
            self.push(task);
            if let Some(parent) = parent {
                self.adopt(parent, id);
            }
            copies.insert(old_id, id);
            inserted.push(id);
        }
        Ok((inserted, dropped))
    }

    /// Returns the written descendants of a group, parents and earlier siblings first.
    fn written_below(&self, group: TaskId) -> Vec<TaskId> {
        let mut found = Vec::new();
        let mut open = VecDeque::from([group]);
        while let Some(id) = open.pop_front() {
            let task = &self.tasks[id.index()];
            if !task.is_group() {
                continue;
            }
            for child in &task.children {
                if self.tasks[child.index()].role == Role::Written {
                    found.push(*child);
                    open.push_back(*child);
                }
            }
        }
        found
    }

    /// Takes all children of a task, and theirs, out of the living tree; all of them are final by then.
    pub(super) fn supersede_children(&mut self, id: TaskId) -> Vec<TaskId> {
        let task = self.task_mut(id);
        let mut open = std::mem::take(&mut task.children);
        task.n_open = 0;
        task.n_failed = 0;
        task.n_slots = 0;
        task.queue.clear();
        task.checked = false;
        let mut dropped = Vec::with_capacity(open.len());
        while let Some(id) = open.pop() {
            let task = self.task_mut(id);
            task.superseded = true;
            open.extend(&task.children);
            dropped.push(id);
        }
        dropped
    }
}
