//! The state machine: (tasks, event, now) → changes. No I/O, no clock, no randomness.
//!
//! All of Digdag's meaning of groups, `_parallel`, `_after`, `_background`, `_check`, `_error`, `_retry` and kill is here and
//! nowhere else. What differs on purpose (design D5):
//! - `DIFFERENCE(digdag)`: `_parallel: {limit}` is a sliding window, not chunks.
//! - `DIFFERENCE(digdag)`: `_check` runs on groups and at the top level too.
//! - `DIFFERENCE(digdag)`: `_retry` works on every operator.
//! - `DIFFERENCE(digdag)`: a task behind a failed one ends as `unreached` instead of staying `blocked` for ever.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::graph::{GraphError, TaskGraph};
use super::retry::RetryPolicy;
use super::task::{Role, TaskId, TaskState};
use crate::operator::error::Retry;
use crate::workflow::{Parallel, TaskDef};

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The root opens: the first event of every attempt.
    Begin,
    /// A ready task was handed to its operator.
    Started {
        /// Which.
        task: TaskId,
    },
    /// The operator is done.
    Done {
        /// Which.
        task: TaskId,
        /// The task's `_retry`, evaluated: its generated children may fail yet.
        retry: RetryPolicy,
        /// What the operator generated, to run under the task one after the other.
        subtasks: Vec<TaskDef>,
        /// Whether nothing was done, because the task succeeded in an earlier attempt.
        skipped: bool,
    },
    /// The operator waits for something.
    Waits {
        /// Which.
        task: TaskId,
        /// When it is called again.
        until: Timestamp,
    },
    /// The operator failed.
    Failed {
        /// Which.
        task: TaskId,
        /// What the error says of trying again.
        again: Retry,
        /// The task's `_retry`, evaluated.
        retry: RetryPolicy,
    },
    /// The task stopped because it was told to: killed, if the attempt is; else interrupted, and it runs again later.
    Stopped {
        /// Which.
        task: TaskId,
    },
    /// Time has passed.
    Tick,
    /// The attempt is killed.
    Cancel,
}

/// What an event changed. All of it is stored in one commit, together with results that came with the event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// New tasks.
    pub inserted: Vec<TaskId>,
    /// Tasks whose [`Progress`](super::graph::Progress) is another one now, each once, in the order of the first change.
    pub changed: Vec<TaskId>,
    /// States that were left and reached, in order.
    pub moves: Vec<Move>,
    /// Tasks whose `_error` or retry could not be made; the task failed without it.
    pub refused: Vec<(TaskId, GraphError)>,
}

/// One change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Which task.
    pub task: TaskId,
    /// What it was.
    pub from: TaskState,
    /// What it is.
    pub to: TaskState,
}

impl Changes {
    /// Adds what later events changed.
    pub fn extend(&mut self, later: Self) {
        self.inserted.extend(later.inserted);
        self.changed.extend(later.changed);
        self.moves.extend(later.moves);
        self.refused.extend(later.refused);
    }

    /// Says whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.changed.is_empty()
    }
}

/// Why an event is refused: it does not fit the state of its task, so whoever sent it no longer holds the task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("task {task} is `{state}`, which this event does not fit")]
pub struct Misplaced {
    /// Which task.
    pub task: TaskId,
    /// Where it stands.
    pub state: TaskState,
}

/// Applies an event and everything that follows from it.
///
/// The graph is settled afterwards: nothing more happens to it without another event. Events of tasks that are not where
/// the event expects them change nothing.
///
/// # Errors
/// When the event does not fit the state of its task.
pub fn apply(graph: &mut TaskGraph, event: Event, now: Timestamp) -> Result<Changes, Misplaced> {
    let mut step =
        Step { graph, now, changes: Changes::default(), opening: VecDeque::new(), evaluate: VecDeque::new() };
    step.event(event)?;
    step.settle();
    let mut changes = step.changes;
    let mut seen = std::collections::HashSet::with_capacity(changes.changed.len());
    changes.changed.retain(|task| seen.insert(*task));
    Ok(changes)
}

struct Step<'a> {
    graph: &'a mut TaskGraph,
    now: Timestamp,
    changes: Changes,
    /// Groups whose turn has come; opened one after the other, however deep they are nested.
    opening: VecDeque<TaskId>,
    /// Open tasks that may have come to their end.
    evaluate: VecDeque<TaskId>,
}

impl Step<'_> {
    fn event(&mut self, event: Event) -> Result<(), Misplaced> {
        match event {
            Event::Begin => {
                if self.graph.root().state == TaskState::Blocked && !self.graph.cancel_requested {
                    self.start(TaskId::ROOT);
                }
            }
            Event::Started { task } => {
                self.expect(task, TaskState::Ready)?;
                self.forget_ready(task);
                self.set_state(task, TaskState::Running);
            }
            Event::Done { task, retry, subtasks, skipped } => {
                self.expect(task, TaskState::Running)?;
                self.done(task, retry, subtasks, skipped);
            }
            Event::Waits { task, until } => {
                self.expect(task, TaskState::Running)?;
                self.graph.task_mut(task).has_state = true;
                self.wait(task, until);
            }
            Event::Failed { task, again, retry } => {
                self.expect(task, TaskState::Running)?;
                self.failed(task, again, retry);
            }
            Event::Stopped { task } => {
                self.expect(task, TaskState::Running)?;
                if self.graph.cancel_requested {
                    self.finish(task, TaskState::Canceled);
                } else {
                    self.set_state(task, TaskState::Ready);
                    self.graph.ready.push_back(task);
                }
            }
            Event::Tick => self.tick(),
            Event::Cancel => self.cancel(),
        }
        Ok(())
    }

    fn expect(&self, task: TaskId, state: TaskState) -> Result<(), Misplaced> {
        match self.graph.get(task) {
            Some(found) if found.state == state && !found.superseded => Ok(()),
            Some(found) => Err(Misplaced { task, state: found.state }),
            None => Err(Misplaced { task, state: TaskState::Blocked }),
        }
    }

    /// Takes a task off the queue of ready ones, and everything stale before it.
    fn forget_ready(&mut self, task: TaskId) {
        let tasks = &self.graph.tasks;
        while self.graph.ready.front().is_some_and(|front| tasks[front.index()].state != TaskState::Ready) {
            self.graph.ready.pop_front();
        }
        if let Some(position) = self.graph.ready.iter().position(|ready| *ready == task) {
            self.graph.ready.remove(position);
        }
    }

    fn set_state(&mut self, id: TaskId, to: TaskState) {
        let task = self.graph.task_mut(id);
        let from = std::mem::replace(&mut task.state, to);
        debug_assert!(!from.is_final(), "{id} leaves the final state {from}");
        self.changes.changed.push(id);
        self.changes.moves.push(Move { task: id, from, to });
    }

    fn done(&mut self, id: TaskId, retry: RetryPolicy, subtasks: Vec<TaskDef>, skipped: bool) {
        let task = self.graph.task_mut(id);
        task.retry = retry;
        task.skipped = skipped;
        task.has_state = false;
        let has_check = task.def.check.is_some() && !skipped;
        if self.graph.cancel_requested && (!subtasks.is_empty() || has_check) {
            self.finish(id, TaskState::Canceled);
            return;
        }
        if subtasks.is_empty() && !has_check {
            self.finish(id, TaskState::Success);
            return;
        }
        let mut first = Vec::with_capacity(subtasks.len());
        for subtask in subtasks {
            match self.insert(subtask, id, Role::Generated) {
                Ok(top) => first.push(top),
                Err(error) => {
                    // The children made so far never start: they go with the task that could not make them all.
                    for child in first {
                        self.abandon(child, TaskState::Canceled);
                    }
                    self.changes.refused.push((id, error));
                    self.fail(id, TaskState::Error);
                    return;
                }
            }
        }
        for pair in first.windows(2) {
            let [earlier, later] = pair else { continue };
            self.graph.task_mut(*earlier).downstreams.push(*later);
            let later = self.graph.task_mut(*later);
            later.upstreams.push(*earlier);
            later.n_unmet += 1;
        }
        self.open(id);
    }

    fn insert(&mut self, def: TaskDef, parent: TaskId, role: Role) -> Result<TaskId, GraphError> {
        let top = self.graph.insert(def, Some(parent), role)?;
        self.changes.inserted.extend((top.0..self.graph.next_id().0).map(TaskId));
        Ok(top)
    }

    fn wait(&mut self, id: TaskId, until: Timestamp) {
        self.graph.task_mut(id).retry_at = Some(until);
        self.graph.waiting.insert((until, id));
        self.set_state(id, TaskState::RetryWaiting);
        if self.graph.cancel_requested {
            self.cancel_waiting(id);
        }
    }

    fn failed(&mut self, id: TaskId, again: Retry, retry: RetryPolicy) {
        self.graph.task_mut(id).retry = retry;
        if self.graph.cancel_requested {
            self.finish(id, TaskState::Canceled);
            return;
        }
        let task = self.graph.task_mut(id);
        let pause = match again {
            Retry::Never => None,
            Retry::After(pause) => Some(pause),
            Retry::AsTold => task.retry.pause(task.retries_used),
        };
        let Some(pause) = pause else {
            self.fail(id, TaskState::Error);
            return;
        };
        if again == Retry::AsTold {
            task.retries_used += 1;
            task.retry_count += 1;
        }
        let until = self.now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        self.wait(id, until);
    }

    /// Ends a task that failed for good: at once, or after its `_error`.
    fn fail(&mut self, id: TaskId, state: TaskState) {
        let handler = self.graph.tasks[id.index()].def.error.clone();
        if let Some(handler) = handler.filter(|_| !self.graph.cancel_requested) {
            match self.insert(*handler, id, Role::Error) {
                Ok(top) => {
                    self.graph.task_mut(id).failed_as = Some(state);
                    if self.graph.tasks[id.index()].state == TaskState::Planned {
                        self.changes.changed.push(id);
                    } else {
                        self.set_state(id, TaskState::Planned);
                    }
                    self.unblock(top);
                    return;
                }
                Err(error) => self.changes.refused.push((id, error)),
            }
        }
        self.finish(id, state);
    }

    /// Starts a task whose turn has come.
    fn start(&mut self, id: TaskId) {
        if self.graph.tasks[id.index()].is_group() {
            self.opening.push_back(id);
        } else {
            self.set_state(id, TaskState::Ready);
            self.graph.ready.push_back(id);
        }
    }

    /// Opens a group, or an action with generated children.
    fn open(&mut self, id: TaskId) {
        self.set_state(id, TaskState::Planned);
        let runnable: Vec<TaskId> = {
            let tasks = &self.graph.tasks;
            let can_run =
                |child: &TaskId| tasks[child.index()].n_unmet == 0 && tasks[child.index()].state == TaskState::Blocked;
            tasks[id.index()].children.iter().copied().filter(can_run).collect()
        };
        for child in runnable {
            self.unblock(child);
        }
        self.evaluate.push_back(id);
    }

    /// Starts a blocked task under an open parent, or queues it for a slot.
    fn unblock(&mut self, id: TaskId) {
        let Some(parent) = self.graph.tasks[id.index()].parent else { return };
        let parent = self.graph.task_mut(parent);
        if let Parallel::Limit(limit) = parent.def.parallel {
            // A limit of 0 would never end; the compiler refuses it, a stored definition may still hold one.
            if parent.n_slots >= limit.max(1) {
                parent.queue.push_back(id);
                return;
            }
            parent.n_slots += 1;
        }
        self.start(id);
    }

    /// Brings a task to a final state and tells its parent and those that wait for it.
    fn finish(&mut self, id: TaskId, state: TaskState) {
        self.set_state(id, state);
        let task = self.graph.task_mut(id);
        task.retry_at = None;
        let downstreams = std::mem::take(&mut task.downstreams);
        if let Some(parent_id) = task.parent {
            let parent = self.graph.task_mut(parent_id);
            parent.n_open -= 1;
            parent.n_failed += u32::from(state.is_failure());
            if matches!(parent.def.parallel, Parallel::Limit(_)) {
                parent.n_slots = parent.n_slots.saturating_sub(1);
                if let Some(next) = parent.queue.pop_front() {
                    parent.n_slots += 1;
                    self.start(next);
                }
            }
            self.evaluate.push_back(parent_id);
        }
        for downstream in &downstreams {
            if state == TaskState::Success {
                let task = self.graph.task_mut(*downstream);
                task.n_unmet -= 1;
                if task.n_unmet == 0 && task.state == TaskState::Blocked {
                    self.unblock(*downstream);
                }
            } else if self.graph.cancel_requested {
                self.abandon(*downstream, TaskState::Canceled);
            } else {
                self.abandon(*downstream, TaskState::Unreached);
            }
        }
        self.graph.task_mut(id).downstreams = downstreams;
    }

    /// Ends a task that never started, with everything under it and everything that waits for it.
    fn abandon(&mut self, id: TaskId, state: TaskState) {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if self.graph.tasks[id.index()].state != TaskState::Blocked {
                continue;
            }
            self.set_state(id, state);
            let task = self.graph.task_mut(id);
            task.n_open = 0;
            open.extend(&task.children);
            open.extend(&task.downstreams);
            if let Some(parent) = task.parent {
                // The children of an abandoned parent were counted off with it.
                let parent_task = self.graph.task_mut(parent);
                if parent_task.state != state || parent_task.n_open > 0 {
                    parent_task.n_open = parent_task.n_open.saturating_sub(1);
                    parent_task.n_failed += u32::from(state.is_failure());
                    self.evaluate.push_back(parent);
                }
            }
        }
    }

    /// Brings everything to its end that has come to it.
    fn settle(&mut self) {
        loop {
            if let Some(id) = self.opening.pop_front() {
                // A kill may have ended it after its turn had come.
                if !self.graph.tasks[id.index()].state.is_final() {
                    self.open(id);
                }
                continue;
            }
            let Some(id) = self.evaluate.pop_front() else { return };
            let task = &self.graph.tasks[id.index()];
            if task.state != TaskState::Planned || task.n_open > 0 || task.superseded {
                continue;
            }
            if self.graph.cancel_requested {
                self.finish(id, TaskState::Canceled);
            } else if let Some(state) = task.failed_as {
                self.finish(id, state);
            } else if task.n_failed > 0 {
                self.children_failed(id);
            } else if let Some(check) = task.def.check.clone().filter(|_| !task.checked && !task.skipped) {
                match self.insert(*check, id, Role::Check) {
                    Ok(top) => self.unblock(top),
                    Err(error) => {
                        self.changes.refused.push((id, error));
                        self.fail(id, TaskState::GroupError);
                    }
                }
            } else {
                self.finish(id, TaskState::Success);
            }
        }
    }

    /// Tries an open task again whose children failed, or ends it.
    fn children_failed(&mut self, id: TaskId) {
        let task = self.graph.task_mut(id);
        let Some(pause) = task.retry.pause(task.retries_used) else {
            self.fail(id, TaskState::GroupError);
            return;
        };
        task.retries_used += 1;
        task.retry_count += 1;
        let until = self.now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        task.retry_at = Some(until);
        self.graph.waiting.insert((until, id));
        self.set_state(id, TaskState::GroupRetryWaiting);
        if pause.is_zero() {
            self.resume_waiting(id);
        }
    }

    fn tick(&mut self) {
        while let Some((at, id)) = self.graph.waiting.first().copied().filter(|(at, _)| *at <= self.now) {
            self.graph.waiting.remove(&(at, id));
            self.resume_waiting(id);
        }
    }

    /// Lets a waiting task go on.
    fn resume_waiting(&mut self, id: TaskId) {
        let task = self.graph.task_mut(id);
        if let Some(at) = task.retry_at.take() {
            self.graph.waiting.remove(&(at, id));
        }
        let task = &self.graph.tasks[id.index()];
        match task.state {
            TaskState::RetryWaiting => self.start(id),
            TaskState::GroupRetryWaiting if task.is_group() => match self.graph.recreate_children(id) {
                Ok((inserted, dropped)) => {
                    self.changes.inserted.extend(inserted);
                    self.changes.changed.extend(dropped);
                    self.open(id);
                }
                Err(error) => {
                    self.changes.refused.push((id, error));
                    self.set_state(id, TaskState::Planned);
                    self.fail(id, TaskState::GroupError);
                }
            },
            TaskState::GroupRetryWaiting => {
                let dropped = self.graph.supersede_children(id);
                self.changes.changed.extend(dropped);
                self.start(id);
            }
            _ => {}
        }
    }

    /// Ends what has not started, and makes ready what must be told of the kill.
    fn cancel(&mut self) {
        if std::mem::replace(&mut self.graph.cancel_requested, true) {
            return;
        }
        for index in 0..self.graph.tasks.len() {
            let task = &self.graph.tasks[index];
            let id = task.id;
            if task.superseded {
                continue;
            }
            match task.state {
                TaskState::Blocked => self.cancel_unstarted(id),
                TaskState::Ready if !task.has_state => self.cancel_unstarted(id),
                TaskState::RetryWaiting => self.cancel_waiting(id),
                TaskState::GroupRetryWaiting => {
                    let task = self.graph.task_mut(id);
                    if let Some(at) = task.retry_at.take() {
                        self.graph.waiting.remove(&(at, id));
                    }
                    self.cancel_unstarted(id);
                }
                TaskState::Planned => self.evaluate.push_back(id),
                _ => {}
            }
        }
    }

    fn cancel_unstarted(&mut self, id: TaskId) {
        self.set_state(id, TaskState::Canceled);
        if let Some(parent_id) = self.graph.tasks[id.index()].parent {
            let parent = self.graph.task_mut(parent_id);
            parent.n_open = parent.n_open.saturating_sub(1);
            parent.n_failed += 1;
            parent.queue.clear();
            self.evaluate.push_back(parent_id);
        }
    }

    /// A killed task that waits is called once more, to stop the work it remembers; without any it ends.
    fn cancel_waiting(&mut self, id: TaskId) {
        let task = self.graph.task_mut(id);
        if let Some(at) = task.retry_at.take() {
            self.graph.waiting.remove(&(at, id));
        }
        if self.graph.tasks[id.index()].has_state {
            self.set_state(id, TaskState::Ready);
            self.graph.ready.push_back(id);
        } else {
            self.finish(id, TaskState::Canceled);
        }
    }
}

#[cfg(test)]
mod tests;
