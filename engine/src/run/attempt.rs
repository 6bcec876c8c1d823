//! An attempt that this process holds: its tasks, what they left behind, and what the next commit has to store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::observer::{RunEvent, TaskRef};
use super::shared::AttemptShared;
use super::task::{Ending, Job, Report, Work};
use crate::diagnostic::code;
use crate::operator::{TaskError, TaskReport};
use crate::params::Params;
use crate::params::scope::Layer;
use crate::session::graph::{GraphError, StoredTask, TaskGraph};
use crate::session::resume::{Skippable, generated_by};
use crate::session::transition::Move;
use crate::session::{Event, RetryPolicy, Role, TaskId, TaskState, apply};
use crate::store::{AttemptRecord, Failure, StoredResult, TaskRecord, TaskUpdate, Tick, attempt_state};
use crate::workflow::turns::FOR_EACH;

/// The earlier attempt whose successful tasks are skipped.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    skippable: Skippable,
    graph: Option<TaskGraph>,
    results: HashMap<TaskId, Box<StoredResult>>,
}

impl Earlier {
    /// Reads what may be skipped out of the tasks of an earlier attempt.
    pub(super) fn of(tasks: Vec<TaskRecord>) -> Result<Self, GraphError> {
        let mut results = HashMap::new();
        let mut stored = Vec::with_capacity(tasks.len());
        for record in tasks {
            if let Some(result) = record.result {
                results.insert(record.task.id, result);
            }
            stored.push(record.task);
        }
        let graph = TaskGraph::restore(stored, usize::MAX, false)?;
        Ok(Self { skippable: Skippable::of(&graph), graph: Some(graph), results })
    }
}

/// A change that observers are told of once it is durable.
#[derive(Debug)]
pub(super) struct Notice {
    id: TaskId,
    to: TaskState,
    duration: Duration,
    until: Option<Timestamp>,
    skipped: bool,
    retry_count: u32,
    report: Option<TaskReport>,
    failure: Option<Failure>,
}

/// What one tick brings: rows to store, then notices to tell and jobs to start.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) tick: Tick,
    pub(super) notices: Vec<Notice>,
    pub(super) warnings: Vec<(TaskId, String)>,
}

/// An attempt that this process holds.
#[derive(Debug)]
pub(super) struct ActiveAttempt {
    pub(super) shared: Arc<AttemptShared>,
    pub(super) record: AttemptRecord,
    pub(super) graph: TaskGraph,
    pub(super) running: HashMap<TaskId, CancellationToken>,
    /// Whether observers have yet to be told what was done before the attempt was taken over.
    pub(super) tells_found: bool,
    /// Whether observers are told of its tasks at all.
    pub(super) is_told: bool,
    earlier: Earlier,
    states: HashMap<TaskId, Value>,
    results: HashMap<TaskId, Arc<StoredResult>>,
    /// For each task, which of its children have stored something, themselves or below.
    storing: HashMap<TaskId, BTreeSet<TaskId>>,
    pub(super) failures: BTreeMap<TaskId, Failure>,
    started: HashMap<TaskId, Timestamp>,
    reports: HashMap<TaskId, TaskReport>,
    inherited: HashMap<TaskId, Vec<Layer>>,
    inserted: BTreeSet<TaskId>,
    updates: BTreeMap<TaskId, TaskUpdate>,
    changed: BTreeSet<TaskId>,
    moves: Vec<Move>,
    warnings: Vec<(TaskId, String)>,
    /// The tasks that observers were told of that their log is not whole: it is said once, however often they wait.
    without_log: BTreeSet<TaskId>,
}

impl ActiveAttempt {
    /// Starts with a new attempt, whose tasks are stored already.
    pub(super) fn new(shared: Arc<AttemptShared>, record: AttemptRecord, graph: TaskGraph, earlier: Earlier) -> Self {
        Self {
            shared,
            record,
            graph,
            running: HashMap::new(),
            tells_found: false,
            is_told: true,
            earlier,
            states: HashMap::new(),
            results: HashMap::new(),
            storing: HashMap::new(),
            failures: BTreeMap::new(),
            started: HashMap::new(),
            reports: HashMap::new(),
            inherited: HashMap::new(),
            inserted: BTreeSet::new(),
            updates: BTreeMap::new(),
            changed: BTreeSet::new(),
            moves: Vec::new(),
            warnings: Vec::new(),
            without_log: BTreeSet::new(),
        }
    }

    /// Goes on with a stored attempt: tasks that ran when the last holder went away become ready again.
    pub(super) fn restore(
        shared: Arc<AttemptShared>,
        record: AttemptRecord,
        tasks: Vec<TaskRecord>,
        earlier: Earlier,
        now: Timestamp,
    ) -> Result<Self, GraphError> {
        let limit = shared.engine.settings.task_limit;
        let mut stored = Vec::with_capacity(tasks.len());
        let mut details = Vec::new();
        for record in tasks {
            let id = record.task.id;
            let is_final = record.task.progress.state.is_final();
            stored.push(record.task);
            details.push((id, is_final, record.operator_state, record.result, record.failure, record.started_at));
        }
        let graph = TaskGraph::restore(stored, limit, false)?;
        let mut attempt = Self::new(shared, record, graph, earlier);
        for (id, is_final, state, result, failure, started_at) in details {
            if !state.is_null() {
                attempt.states.insert(id, state);
            }
            if let Some(result) = result {
                attempt.keep_result(id, *result);
            }
            if let Some(failure) = failure {
                attempt.failures.insert(id, *failure);
            }
            if let Some(started_at) = started_at.filter(|_| !is_final) {
                attempt.started.insert(id, started_at);
            }
        }
        let running: Vec<TaskId> = attempt
            .graph
            .tasks()
            .iter()
            .filter(|task| task.state == TaskState::Running && !task.superseded)
            .map(|task| task.id)
            .collect();
        for task in running {
            attempt.apply(Event::Stopped { task }, now);
        }
        Ok(attempt)
    }

    /// Applies an event and notes what has to be stored.
    pub(super) fn apply(&mut self, event: Event, now: Timestamp) {
        let changes = match apply(&mut self.graph, event, now) {
            Ok(changes) => changes,
            Err(misplaced) => {
                // A report of a task that was stopped and started again meanwhile; the later one counts.
                tracing::debug!(%misplaced, "an event came too late");
                return;
            }
        };
        self.inserted.extend(changes.inserted);
        self.changed.extend(changes.changed);
        for (id, error) in changes.refused {
            let Some(task) = self.graph.get(id) else { continue };
            let error = TaskError::config(code::TOO_MANY_TASKS, error.to_string());
            let failure = Failure::of(&error, &task.def);
            self.update(id).failure = Some(failure.clone());
            self.failures.insert(id, failure);
        }
        for step in changes.moves {
            let (id, to) = (step.task, step.to);
            if matches!(to, TaskState::Running | TaskState::Planned) && !self.started.contains_key(&id) {
                self.started.insert(id, now);
                self.update(id).started_at = Some(now);
            }
            if to.is_final() {
                self.update(id).finished_at = Some(now);
                self.inherited.remove(&id);
            }
            self.moves.push(step);
        }
    }

    fn update(&mut self, id: TaskId) -> &mut TaskUpdate {
        self.updates.entry(id).or_insert_with(|| TaskUpdate::new(id))
    }

    /// Takes in how a task's step ended.
    pub(super) fn report(&mut self, report: Report, now: Timestamp) {
        let id = report.task;
        self.running.remove(&id);
        if let Some(state) = report.checkpointed {
            self.remember(id, state);
        }
        if let Some(text) = report.log_failure
            && self.without_log.insert(id)
        {
            self.warnings.push((id, text));
        }
        match report.ending {
            Ending::Done(result) => {
                if self.states.remove(&id).is_some() {
                    self.update(id).operator_state = Some(Value::Null);
                }
                let stored = StoredResult {
                    export: result.export,
                    store: result.store,
                    reset: result.reset,
                    report: result.report,
                };
                if stored != StoredResult::default() {
                    self.update(id).result = Some(stored.clone());
                    self.keep_result(id, stored);
                }
                self.apply(
                    Event::Done { task: id, retry: report.retry, subtasks: result.subtasks, skipped: false },
                    now,
                );
            }
            Ending::Waits { state, after } => {
                self.remember(id, state.clone());
                self.update(id).operator_state = Some(state);
                let until = now.saturating_add(after).unwrap_or(Timestamp::MAX);
                self.apply(Event::Waits { task: id, until }, now);
            }
            Ending::Failed(error) => {
                if let Some(task) = self.graph.get(id) {
                    let failure = Failure::of(&error, &task.def);
                    self.update(id).failure = Some(failure.clone());
                    self.failures.insert(id, failure);
                }
                self.apply(Event::Failed { task: id, again: error.retry, retry: report.retry }, now);
            }
            Ending::Stopped => self.apply(Event::Stopped { task: id }, now),
            Ending::Left => {}
        }
    }

    fn remember(&mut self, id: TaskId, state: Value) {
        let has_state = !state.is_null();
        if has_state {
            self.states.insert(id, state);
        } else {
            self.states.remove(&id);
        }
        self.graph.set_has_state(id, has_state);
    }

    fn keep_result(&mut self, id: TaskId, result: StoredResult) {
        if result.report != TaskReport::default() {
            self.reports.insert(id, result.report.clone());
        }
        if !result.store.is_empty() || !result.reset.is_empty() {
            let mut child = id;
            while let Some(parent) = self.graph.get(child).and_then(|task| task.parent) {
                if !self.storing.entry(parent).or_default().insert(child) {
                    break;
                }
                child = parent;
            }
        }
        if !result.store.is_empty() || !result.reset.is_empty() || !result.export.is_empty() {
            self.results.insert(id, Arc::new(result));
        }
    }

    /// Starts up to `slots` ready tasks; those that succeeded in an earlier attempt are done at once and take no slot.
    pub(super) fn start(&mut self, slots: usize, now: Timestamp) -> Vec<Job> {
        let mut jobs = Vec::new();
        loop {
            let ready = self.graph.ready(slots.saturating_sub(jobs.len()).max(1));
            let mut progressed = false;
            for id in ready {
                let name = self.graph.full_name(id);
                if self.skip(id, &name, now) {
                    progressed = true;
                } else if jobs.len() < slots {
                    progressed = true;
                    self.apply(Event::Started { task: id }, now);
                    jobs.extend(self.job(id, name));
                }
            }
            if !progressed {
                return jobs;
            }
        }
    }

    fn skip(&mut self, id: TaskId, name: &str, now: Timestamp) -> bool {
        let Some(earlier_id) = self.earlier.skippable.get(name).filter(|_| !self.graph.cancel_requested()) else {
            return false;
        };
        if self.below_error_handler(id) || self.graph.get(id).is_some_and(|task| task.retry_count > 0) {
            return false;
        }
        let subtasks = self.earlier.graph.as_ref().map(|graph| generated_by(graph, earlier_id)).unwrap_or_default();
        self.apply(Event::Started { task: id }, now);
        if let Some(result) = self.earlier.results.get(&earlier_id).cloned() {
            self.update(id).result = Some(StoredResult::clone(&result));
            self.keep_result(id, *result);
        }
        self.apply(Event::Done { task: id, retry: RetryPolicy::NONE, subtasks, skipped: true }, now);
        true
    }

    fn below_error_handler(&self, id: TaskId) -> bool {
        let is_handler = |id: &TaskId| self.graph.get(*id).is_some_and(|task| task.role == Role::Error);
        is_handler(&id) || self.graph.ancestors(id).iter().any(is_handler)
    }

    /// Returns the jobs that leave to the next holder what goes on elsewhere, once nothing of the attempt runs here any more.
    pub(super) fn leave(&mut self) -> Vec<Job> {
        if self.graph.cancel_requested() {
            return Vec::new();
        }
        let registry = &self.shared.engine.registry;
        let goes_on = |id: &TaskId| {
            let Some(task) = self.graph.get(*id).filter(|task| !task.state.is_final() && !task.superseded) else {
                return false;
            };
            let operator = task.operator().and_then(|name| registry.get(name));
            operator.is_some_and(|operator| operator.info().works_elsewhere)
        };
        let mut left: Vec<TaskId> = self.states.keys().copied().filter(goes_on).collect();
        left.sort_unstable();
        left.into_iter().filter_map(|id| self.job_of(id, self.graph.full_name(id), Work::Leave)).collect()
    }

    fn job(&mut self, id: TaskId, name: String) -> Option<Job> {
        let work = if self.graph.cancel_requested() { Work::Cancel } else { Work::Run };
        self.job_of(id, name, work)
    }

    fn job_of(&mut self, id: TaskId, name: String, work: Work) -> Option<Job> {
        let scope = self.scope(id);
        let task = self.graph.get(id)?;
        let name: Arc<str> = Arc::from(name);
        let lasting_name =
            if name.contains(FOR_EACH) { Arc::from(self.graph.lasting_name(id)) } else { Arc::clone(&name) };
        let token = self.shared.stop.child_token();
        self.running.insert(id, token.clone());
        Some(Job {
            shared: Arc::clone(&self.shared),
            task: id,
            parent: task.parent,
            name,
            lasting_name,
            def: Arc::clone(&task.def),
            room: self.graph.room(),
            retry_count: task.retry_count,
            state: self.states.get(&id).cloned().unwrap_or(Value::Null),
            scope,
            token,
            work,
        })
    }

    /// Takes everything that has to be stored now.
    pub(super) fn batch(&mut self, now: Timestamp) -> Batch {
        let mut tick = Tick::default();
        for id in std::mem::take(&mut self.inserted) {
            self.changed.remove(&id);
            let Some(task) = self.graph.get(id) else { continue };
            tick.inserted.push(StoredTask::of(task));
        }
        for id in std::mem::take(&mut self.changed) {
            let progress = self.graph.get(id).map(crate::session::Task::progress);
            self.update(id).progress = progress;
        }
        tick.updated = std::mem::take(&mut self.updates).into_values().collect();
        if self.graph.is_done() && !self.moves.is_empty() {
            tick.finished = Some((attempt_state(self.graph.root().state), now));
        }
        let moves = std::mem::take(&mut self.moves);
        let notices = moves.into_iter().filter_map(|step| self.notice(step, now)).collect();
        Batch { tick, notices, warnings: std::mem::take(&mut self.warnings) }
    }

    fn notice(&mut self, step: Move, now: Timestamp) -> Option<Notice> {
        let task = self.graph.get(step.task)?;
        let (id, to) = (step.task, step.to);
        let told = to.is_final()
            || matches!(to, TaskState::Running | TaskState::RetryWaiting | TaskState::GroupRetryWaiting)
            || (to == TaskState::Planned && task.is_group() && step.from != TaskState::Running);
        if !told {
            return None;
        }
        let started = if to.is_final() { self.started.remove(&id) } else { self.started.get(&id).copied() };
        let elapsed = started.map(|started| now.duration_since(started));
        let failed = to.is_failure() || (matches!(to, TaskState::RetryWaiting) && task.retries_used > 0);
        Some(Notice {
            id,
            to,
            duration: elapsed.and_then(|elapsed| Duration::try_from(elapsed).ok()).unwrap_or_default(),
            until: task.retry_at,
            skipped: task.skipped,
            retry_count: task.retry_count,
            report: self.reports.get(&id).filter(|_| to.is_final()).cloned(),
            failure: self.failures.get(&id).filter(|_| failed).cloned(),
        })
    }

    /// Returns the figures of a task that is at its end.
    pub(super) fn report_of(&self, id: TaskId) -> Option<&TaskReport> {
        self.reports.get(&id)
    }

    /// Tells observers what became durable.
    pub(super) fn tell(&self, batch: &Batch) {
        if !self.is_told {
            return;
        }
        let observer = &self.shared.engine.observer;
        for (id, line) in &batch.warnings {
            let name = self.graph.full_name(*id);
            if let Some(task) = self.reference(*id, &name) {
                observer.event(&RunEvent::Warning { task, line });
            }
        }
        for notice in &batch.notices {
            let Some(task) = self.graph.get(notice.id) else { continue };
            let name = self.graph.full_name(notice.id);
            let Some(reference) = self.reference(notice.id, &name) else { continue };
            let event = match notice.to {
                TaskState::Running | TaskState::Planned => {
                    RunEvent::TaskStarted { task: reference, bound: &task.bound, retry_count: notice.retry_count }
                }
                state if state.is_final() => RunEvent::TaskFinished {
                    task: reference,
                    state,
                    skipped: notice.skipped,
                    duration: notice.duration,
                    report: notice.report.as_ref(),
                    failure: notice.failure.as_ref(),
                },
                _ => RunEvent::TaskWaits {
                    task: reference,
                    until: notice.until.unwrap_or(Timestamp::MAX),
                    failure: notice.failure.as_ref(),
                },
            };
            observer.event(&event);
        }
    }

    /// Tells observers which tasks did not stop within a time: nobody waits for them any longer.
    pub(super) fn tell_unstopped(&self, time: Duration) {
        if !self.is_told {
            return;
        }
        let line = format!("it was told to stop, and goes on after {} s", time.as_secs());
        let running: BTreeSet<TaskId> = self.running.keys().copied().collect();
        for id in running {
            let name = self.graph.full_name(id);
            if let Some(task) = self.reference(id, &name) {
                self.shared.engine.observer.event(&RunEvent::Warning { task, line: &line });
            }
        }
    }

    fn reference<'a>(&'a self, id: TaskId, name: &'a str) -> Option<TaskRef<'a>> {
        let task = self.graph.get(id)?;
        let attempt = self.shared.claim.attempt;
        Some(TaskRef { attempt, id, parent: task.parent, name, operator: task.operator() })
    }

    /// Lays the layers of parameters that a task sees, lowest first; see `params::scope`.
    fn scope(&mut self, id: TaskId) -> Vec<Layer> {
        let mut layers = self.shared.base_layers.clone();
        let ancestors = self.graph.ancestors(id);
        for ancestor in ancestors {
            self.push_upstream_stores(ancestor, &mut layers);
            self.push_inherited(ancestor, &mut layers);
            if let Some(result) = self.results.get(&ancestor) {
                if !result.export.is_empty() {
                    layers.push(Layer::generated(result.export.clone()));
                }
                push_store(result, &mut layers);
            }
        }
        self.push_upstream_stores(id, &mut layers);
        layers.extend(self.own_layers(id));
        layers
    }

    /// Lays what an ancestor's definition says; kept, because all its children need it. What a turn of a loop was made with
    /// is not: thousands of turns may be open, and each has a few children.
    fn push_inherited(&mut self, id: TaskId, layers: &mut Vec<Layer>) {
        if let Some(known) = self.inherited.get(&id) {
            layers.extend(known.iter().cloned());
            return;
        }
        let own = self.own_layers(id);
        layers.extend(own.iter().cloned());
        if self.graph.get(id).is_some_and(|task| !task.def.export.is_empty() || task.role == Role::Error) {
            self.inherited.insert(id, own);
        }
    }

    /// Returns what a task's definition lays: data it was made with, the error it handles, its `_export`.
    fn own_layers(&self, id: TaskId) -> Vec<Layer> {
        let mut layers = Vec::new();
        let Some(task) = self.graph.get(id) else { return layers };
        if !task.bound.is_empty() {
            layers.push(Layer::generated(task.bound.params()));
        }
        if let (Role::Error, Some(parent)) = (task.role, task.parent) {
            let mut params = Params::new();
            params.insert("error".to_owned(), Value::Object(self.error_of(parent)));
            layers.push(Layer::generated(params));
        }
        if !task.def.export.is_empty() {
            layers.push(Layer::export(&self.graph.full_name(id), task.def.export.clone()));
        }
        layers
    }

    /// Merges the errors of a task and everything under it, in the order of their ids: the last one's words win.
    fn error_of(&self, id: TaskId) -> Params {
        let mut merged = Params::new();
        for (failed, failure) in &self.failures {
            let living =
                self.graph.get(*failed).is_some_and(|task| !task.superseded && task.state != TaskState::Success);
            let handled = self.below_error_handler(*failed);
            let concerned = *failed == id || self.graph.ancestors(*failed).contains(&id);
            if !living || handled || !concerned {
                continue;
            }
            if let Value::Object(error) = failure.as_param(&self.graph.full_name(*failed)) {
                crate::params::merge(&mut merged, &error);
            }
        }
        merged
    }

    fn push_upstream_stores(&self, id: TaskId, layers: &mut Vec<Layer>) {
        let Some(parent) = self.graph.get(id).and_then(|task| task.parent) else { return };
        let Some(storing) = self.storing.get(&parent) else { return };
        let mut open = self.graph.upstream_siblings(id, storing);
        open.reverse();
        while let Some(next) = open.pop() {
            if let Some(result) = self.results.get(&next) {
                push_store(result, layers);
            }
            if let Some(children) = self.storing.get(&next) {
                let living = |child: &&TaskId| self.graph.get(**child).is_some_and(|child| !child.superseded);
                open.extend(children.iter().rev().filter(living));
            }
        }
    }
}

fn push_store(result: &StoredResult, layers: &mut Vec<Layer>) {
    if !result.store.is_empty() || !result.reset.is_empty() {
        layers.push(Layer::store(result.store.clone(), result.reset.clone()));
    }
}
