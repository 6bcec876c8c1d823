//! Submitting: which attempt a request means, a new one, one to continue, or none because all is done.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use tokio_util::sync::CancellationToken;

use super::attempt::{ActiveAttempt, Earlier};
use super::error::EngineError;
use super::leftover;
use super::shared::AttemptShared;
use super::{Deadline, Engine, is_conflict, succeeded};
use crate::diagnostic::suggest;
use crate::params::builtin::{self, SessionFacts};
use crate::params::scope::Layer;
use crate::params::template::TemplateSettings;
use crate::schedule::Schedule;
use crate::session::graph::StoredTask;
use crate::session::{AttemptId, SessionKey, TaskGraph};
use crate::store::{AttemptRecord, AttemptSpec, Change, Claim, NewAttempt, SessionRecord};
use crate::workflow::TaskDef;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AttemptRequest {
    /// The project's name.
    pub project: String,
    /// The time the session is for; cut to whole seconds.
    pub session_time: Timestamp,
    /// The workflow and its parameters; `only` by the end of a task's full name (`+load`, `+group+task`).
    pub spec: AttemptSpec,
    /// What to do again.
    pub rerun: Rerun,
}

/// What of a session is done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rerun {
    /// What has not succeeded yet.
    #[default]
    Unfinished,
    /// Everything, in a new attempt.
    All,
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// A new attempt.
    Started {
        /// Which.
        attempt: AttemptId,
        /// 1 for the first of its session.
        number: u32,
        /// The earlier attempt whose successful tasks are skipped.
        skips_those_of: Option<AttemptId>,
        /// The number of an unfinished attempt that was ended for this one, because the workflow or the parameters are others now.
        replaces: Option<u32>,
    },
    /// An attempt that was interrupted, or whose process died.
    Continued {
        /// Which.
        attempt: AttemptId,
        /// 1 for the first of its session.
        number: u32,
    },
    /// Nothing to do: the session succeeded.
    AlreadyDone {
        /// By which attempt.
        attempt: AttemptId,
        /// When.
        finished_at: Option<Timestamp>,
        /// What is not as it was then.
        changes: Vec<Change>,
    },
}

impl Submitted {
    /// Returns the attempt.
    pub fn attempt(&self) -> AttemptId {
        match self {
            Self::Started { attempt, .. } | Self::Continued { attempt, .. } | Self::AlreadyDone { attempt, .. } => {
                *attempt
            }
        }
    }
}

impl Engine {
    /// Submits an attempt of a session, or takes up the one that is unfinished.
    ///
    /// - no attempt yet: a new one;
    /// - an unfinished one whose holder is dead, of the same workflow and parameters: it goes on;
    /// - the same, but of another workflow or parameters (the file was edited): it is killed, then as below;
    /// - a failed one: a new one that skips the tasks that succeeded;
    /// - a successful one: nothing, unless [`Rerun::All`].
    ///
    /// # Errors
    /// [`EngineError::Held`] when a live process has it; when the workflow's tree cannot be used; when the store fails.
    pub async fn submit(&self, request: AttemptRequest) -> Result<Submitted, EngineError> {
        let time_zone = time_zone(&request.spec.workflow.time_zone)?;
        let mut spec = request.spec;
        if let Some(wanted) = &spec.only {
            spec.only = Some(find_task(&spec.workflow.root, &spec.workflow.name, wanted)?);
        }
        let spec = Arc::new(spec);
        let whole_second = Timestamp::from_second(request.session_time.as_second()).unwrap_or(request.session_time);
        let key =
            SessionKey { project: request.project, workflow: spec.workflow.name.clone(), session_time: whole_second };
        // Twice at most: somebody else may make the first attempt at the same moment.
        let mut conflict = None;
        for _ in 0..2 {
            match self.try_submit(&key, &spec, &time_zone, request.rerun).await {
                Err(EngineError::Store(error)) if is_conflict(&error) => conflict = Some(error),
                result => return result,
            }
        }
        Err(conflict.map_or_else(|| EngineError::TimeZone(String::new()), EngineError::Store))
    }

    async fn try_submit(
        &self,
        key: &SessionKey,
        spec: &Arc<AttemptSpec>,
        time_zone: &TimeZone,
        rerun: Rerun,
    ) -> Result<Submitted, EngineError> {
        let Some(mut session) = self.parts.store.session(key).await? else {
            return self.start(key, spec, time_zone, None, None, None).await;
        };
        let mut replaces = None;
        if session.last_attempt.finished_at.is_none() {
            let is_same_work = session.last_attempt.spec.is_same_work(spec);
            let same = is_same_work && rerun == Rerun::Unfinished && !session.last_attempt.kill_requested;
            let mut attempt = self.take_over(&session, time_zone).await?;
            let (id, number) = (attempt.shared.claim.attempt, attempt.record.number);
            if same {
                attempt.tells_found = true;
                self.hand_over(attempt);
                return Ok(Submitted::Continued { attempt: id, number });
            }
            replaces = (!is_same_work).then_some(number);
            // What is shown of a run is the attempt that it is to end with.
            attempt.is_told = false;
            self.hand_over(attempt);
            self.cancel(id).await?;
            self.advance(Deadline::End).await?;
            let Some(again) = self.parts.store.session(key).await? else {
                return self.start(key, spec, time_zone, None, None, replaces).await;
            };
            session = again;
        }
        let last = &session.last_attempt;
        let covers_all = last.spec.only.is_none() || last.spec.is_same_work(spec);
        if rerun == Rerun::Unfinished && succeeded(last.state) && covers_all {
            let changes = spec.changes_since(&last.spec);
            return Ok(Submitted::AlreadyDone { attempt: last.id, finished_at: last.finished_at, changes });
        }
        let resumes = (rerun == Rerun::Unfinished).then_some(last.id);
        self.start(key, spec, time_zone, Some(&session), resumes, replaces).await
    }

    fn hand_over(&self, attempt: ActiveAttempt) {
        self.inbox.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(attempt);
        self.wake.notify_one();
    }

    async fn start(
        &self,
        key: &SessionKey,
        spec: &Arc<AttemptSpec>,
        time_zone: &TimeZone,
        session: Option<&SessionRecord>,
        resumes: Option<AttemptId>,
        replaces: Option<u32>,
    ) -> Result<Submitted, EngineError> {
        let now = self.parts.clock.now();
        let mut root = spec.workflow.root.clone();
        if let Some(only) = &spec.only {
            keep_only(&mut root, only);
        }
        let graph = TaskGraph::new(root, self.parts.settings.task_limit)?;
        let earlier = match resumes {
            Some(earlier) => Earlier::of(self.parts.store.tasks(earlier).await?)?,
            None => Earlier::default(),
        };
        let tasks: Vec<StoredTask> = graph.tasks().iter().map(StoredTask::of).collect();
        let session_uuid = session.map_or_else(|| uuid::Uuid::new_v4().to_string(), |session| session.uuid.clone());
        let new = NewAttempt {
            key: key.clone(),
            session_uuid: session_uuid.clone(),
            after: session.map(|session| session.last_attempt.id),
            resumes,
            spec: Arc::clone(spec),
            created_at: now,
        };
        let holder = self.parts.identity.holder(now, self.lease_end(now));
        let effect = self.parts.store.create_attempt(&new, &tasks, &holder);
        let claim = self.parts.settings.crash_points.around("run: create attempt", effect).await?;
        let number = session.map_or(1, |session| session.last_attempt.number + 1);
        let record = AttemptRecord {
            id: claim.attempt,
            session: claim.session,
            number,
            resumes,
            spec: Arc::clone(spec),
            state: crate::session::AttemptState::Running,
            kill_requested: false,
            created_at: now,
            finished_at: None,
            epoch: claim.epoch,
            holder: Some(holder),
        };
        let shared = self.share(key, &record, claim, &session_uuid, time_zone);
        self.hand_over(ActiveAttempt::new(shared, record, graph, earlier));
        Ok(Submitted::Started { attempt: claim.attempt, number, skips_those_of: resumes, replaces })
    }

    /// Takes an unfinished attempt from a holder that is dead, or that gave it back.
    async fn take_over(&self, session: &SessionRecord, time_zone: &TimeZone) -> Result<ActiveAttempt, EngineError> {
        let now = self.parts.clock.now();
        let mut record = session.last_attempt.clone();
        if let Some(holder) = record.holder.clone().filter(|holder| self.parts.identity.is_alive(holder, now)) {
            return Err(EngineError::Held { attempt: record.id, holder: Box::new(holder) });
        }
        let holder = self.parts.identity.holder(now, self.lease_end(now));
        let effect = self.parts.store.claim(record.id, record.epoch, &holder);
        let claim = self.parts.settings.crash_points.around("run: claim", effect).await?;
        record.epoch = claim.epoch;
        record.holder = Some(holder);
        let earlier = match record.resumes {
            Some(earlier) => Earlier::of(self.parts.store.tasks(earlier).await?)?,
            None => Earlier::default(),
        };
        let tasks = self.parts.store.tasks(record.id).await?;
        let shared = self.share(&session.key, &record, claim, &session.uuid, time_zone);
        leftover::remove_of(&self.parts, record.id).await;
        Ok(ActiveAttempt::restore(shared, record, tasks, earlier, now)?)
    }

    fn lease_end(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.parts.settings.lease).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn share(
        &self,
        key: &SessionKey,
        record: &AttemptRecord,
        claim: Claim,
        uuid: &str,
        zone: &TimeZone,
    ) -> Arc<AttemptShared> {
        let session_time = Zoned::new(key.session_time, zone.clone());
        let spec = &record.spec;
        let schedule = spec.workflow.schedule.as_ref().and_then(|schedule| Schedule::parse(schedule, zone).0);
        let facts = SessionFacts {
            // One project a state store, until there is a server.
            project_id: 1,
            session_id: claim.session.0,
            attempt_id: claim.attempt.0,
            session_uuid: uuid,
            retry_attempt_name: None,
            session_time: &session_time,
            time_zone: &spec.workflow.time_zone,
            schedule: schedule.as_ref(),
            last_executed: None,
        };
        let session_params = builtin::session_params(&facts);
        let mut base_layers = Vec::new();
        if !spec.settings_params.is_empty() {
            base_layers.push(Layer::settings(spec.settings_params.clone()));
        }
        if !spec.file_params.is_empty() {
            base_layers.push(Layer::parameters_file(spec.file_params.clone()));
        }
        if !spec.command_line_params.is_empty() {
            base_layers.push(Layer::command_line(spec.command_line_params.clone()));
        }
        let templates = TemplateSettings::of_attempt(zone.clone(), record.created_at, uuid, claim.attempt.0);
        Arc::new(AttemptShared::new(
            Arc::clone(&self.parts),
            claim,
            session_time,
            record.created_at,
            session_params,
            base_layers,
            templates,
            CancellationToken::new(),
        ))
    }
}

/// Returns a time zone by its IANA name or offset.
pub(super) fn time_zone(name: &str) -> Result<TimeZone, EngineError> {
    crate::schedule::time_zone(name).map_err(|_| EngineError::TimeZone(name.to_owned()))
}

/// Finds the one task that is meant: by its full name, or by the end of it.
pub(super) fn find_task(root: &TaskDef, workflow: &str, wanted: &str) -> Result<String, EngineError> {
    let mut names = Vec::new();
    let mut open = vec![(root, String::new())];
    while let Some((task, parent)) = open.pop() {
        let name = parent + &task.name;
        open.extend(task.children.iter().rev().map(|child| (child, name.clone())));
        names.push(name);
    }
    let ends: Vec<&String> = names.iter().filter(|name| name.ends_with(wanted) && wanted.starts_with('+')).collect();
    match ends.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let nearest =
                suggest::nearest(wanted, names.iter().filter_map(|name| name.rfind('+').and_then(|at| name.get(at..))));
            let candidates = nearest.map(str::to_owned).into_iter().collect();
            Err(EngineError::NoSuchTask { workflow: workflow.to_owned(), wanted: wanted.to_owned(), candidates })
        }
        several => {
            let exact = several.iter().find(|name| name.as_str() == wanted);
            let candidates = several.iter().map(|name| (*name).clone()).collect();
            exact.map(|name| (*name).clone()).ok_or_else(|| EngineError::NoSuchTask {
                workflow: workflow.to_owned(),
                wanted: wanted.to_owned(),
                candidates,
            })
        }
    }
}

/// Drops every task but one, its ancestors and what is under it.
pub(super) fn keep_only(root: &mut TaskDef, full_name: &str) {
    let mut task = root;
    let mut rest = full_name.strip_prefix(task.name.as_str()).unwrap_or_default();
    while !rest.is_empty() {
        let kept = task.children.iter().position(|child| {
            rest.strip_prefix(child.name.as_str())
                .is_some_and(|after| after.is_empty() || after.starts_with(['+', '^']))
        });
        let Some(kept) = kept else { return };
        let mut child = task.children.swap_remove(kept);
        child.after.clear();
        rest = rest.get(child.name.len()..).unwrap_or_default();
        task.children = vec![child];
        let Some(next) = task.children.first_mut() else { return };
        task = next;
    }
}
