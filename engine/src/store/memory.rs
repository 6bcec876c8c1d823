//! A state store in memory, for tests and for trying things out: the same promises but the one that it survives.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::record::{AttemptRecord, Claim, Holder, NewAttempt, SessionRecord, TaskRecord, TaskUpdate, Tick};
use super::{KillRequest, StateStore, StoreError};
use crate::session::graph::StoredTask;
use crate::session::{AttemptId, AttemptState, SessionId, SessionKey, TaskId};

/// Keeps the state for as long as the value lives.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    sessions: Vec<(SessionId, SessionKey, String)>,
    attempts: BTreeMap<AttemptId, AttemptRecord>,
    tasks: BTreeMap<(AttemptId, TaskId), TaskRecord>,
}

impl Tables {
    fn attempts_of(&self, session: SessionId) -> impl Iterator<Item = &AttemptRecord> {
        self.attempts.values().rev().filter(move |attempt| attempt.session == session)
    }

    fn record(&self, (id, key, uuid): &(SessionId, SessionKey, String)) -> Option<SessionRecord> {
        let last_attempt = self.attempts_of(*id).next()?.clone();
        Some(SessionRecord { id: *id, key: key.clone(), uuid: uuid.clone(), last_attempt })
    }

    /// Returns the attempt of a claim that still holds.
    fn fenced(&mut self, claim: &Claim) -> Result<&mut AttemptRecord, StoreError> {
        let lost = |by: Option<Holder>| StoreError::LeaseLost { attempt: claim.attempt, by: by.map(Box::new) };
        let attempt = self.attempts.get_mut(&claim.attempt).ok_or_else(|| lost(None))?;
        if attempt.epoch == claim.epoch && attempt.finished_at.is_none() {
            Ok(attempt)
        } else {
            Err(lost(attempt.holder.clone()))
        }
    }

    fn insert_tasks(&mut self, attempt: AttemptId, tasks: &[StoredTask]) -> Result<(), StoreError> {
        for task in tasks {
            let record = TaskRecord {
                task: task.clone(),
                operator_state: Value::Null,
                result: None,
                failure: None,
                started_at: None,
                finished_at: None,
            };
            if self.tasks.insert((attempt, task.id), record).is_some() {
                return Err(StoreError::Conflict { what: "the list of tasks" });
            }
        }
        Ok(())
    }

    fn update(&mut self, attempt: AttemptId, update: &TaskUpdate) {
        let Some(record) = self.tasks.get_mut(&(attempt, update.id)) else { return };
        if let Some(progress) = &update.progress {
            record.task.progress = progress.clone();
        }
        if let Some(state) = &update.operator_state {
            record.operator_state = state.clone();
        }
        record.task.progress.has_state = !record.operator_state.is_null();
        if let Some(result) = &update.result {
            record.result = Some(Box::new(result.clone()));
        }
        if let Some(failure) = &update.failure {
            record.failure = Some(Box::new(failure.clone()));
        }
        record.started_at = update.started_at.or(record.started_at);
        record.finished_at = update.finished_at.or(record.finished_at);
    }
}

impl MemoryStore {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn session(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        let tables = self.tables();
        Ok(tables.sessions.iter().find(|session| session.1 == *key).and_then(|session| tables.record(session)))
    }

    async fn sessions(
        &self,
        project: &str,
        workflow: Option<&str>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let tables = self.tables();
        let wanted =
            |key: &SessionKey| key.project == project && workflow.is_none_or(|workflow| key.workflow == workflow);
        let mut found: Vec<_> = tables
            .sessions
            .iter()
            .filter(|session| wanted(&session.1))
            .filter_map(|session| tables.record(session))
            .collect();
        found.sort_by_key(|session| std::cmp::Reverse((session.key.session_time, session.id)));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn recent_attempts(
        &self,
        project: &str,
        workflow: &str,
        limit: u32,
    ) -> Result<Vec<(SessionKey, AttemptRecord)>, StoreError> {
        let tables = self.tables();
        let found = tables.attempts.values().rev().filter_map(|attempt| {
            let (_, key, _) = tables.sessions.iter().find(|(id, ..)| *id == attempt.session)?;
            (key.project == project && key.workflow == workflow).then(|| (key.clone(), attempt.clone()))
        });
        Ok(found.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
    }

    async fn create_attempt(
        &self,
        new: &NewAttempt,
        tasks: &[StoredTask],
        holder: &Holder,
    ) -> Result<Claim, StoreError> {
        let mut tables = self.tables();
        let session = tables.sessions.iter().find(|session| session.1 == new.key).map(|session| session.0);
        let last = session.and_then(|session| tables.attempts_of(session).next().cloned());
        if last.as_ref().map(|last| last.id) != new.after
            || last.as_ref().is_some_and(|last| last.finished_at.is_none())
        {
            return Err(StoreError::Conflict { what: "the session" });
        }
        let session = session.unwrap_or_else(|| {
            let id = SessionId(i64::try_from(tables.sessions.len()).unwrap_or(i64::MAX).saturating_add(1));
            tables.sessions.push((id, new.key.clone(), new.session_uuid.clone()));
            id
        });
        let id = AttemptId(tables.attempts.keys().next_back().map_or(1, |last| last.0 + 1));
        let attempt = AttemptRecord {
            id,
            session,
            number: last.map_or(1, |last| last.number + 1),
            resumes: new.resumes,
            spec: Arc::clone(&new.spec),
            state: AttemptState::Running,
            kill_requested: false,
            created_at: new.created_at,
            finished_at: None,
            epoch: 1,
            holder: Some(holder.clone()),
        };
        tables.attempts.insert(id, attempt);
        tables.insert_tasks(id, tasks)?;
        Ok(Claim { attempt: id, session, epoch: 1 })
    }

    async fn claim(&self, attempt: AttemptId, epoch: i64, holder: &Holder) -> Result<Claim, StoreError> {
        let mut tables = self.tables();
        let found =
            tables.attempts.get_mut(&attempt).filter(|found| found.epoch == epoch && found.finished_at.is_none());
        let found = found.ok_or(StoreError::Conflict { what: "the holder of the attempt" })?;
        found.epoch += 1;
        found.holder = Some(holder.clone());
        Ok(Claim { attempt, session: found.session, epoch: found.epoch })
    }

    async fn heartbeat(&self, claim: &Claim, until: Timestamp) -> Result<KillRequest, StoreError> {
        let mut tables = self.tables();
        let attempt = tables.fenced(claim)?;
        if let Some(holder) = &mut attempt.holder {
            holder.lease_until = until;
        }
        Ok(if attempt.kill_requested { KillRequest::Requested } else { KillRequest::None })
    }

    async fn release(&self, claim: &Claim) -> Result<(), StoreError> {
        self.tables().fenced(claim)?.holder = None;
        Ok(())
    }

    async fn save(&self, claim: &Claim, tick: &Tick) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let attempt = tables.fenced(claim)?;
        if let Some((state, at)) = tick.finished {
            attempt.state = state;
            attempt.finished_at = Some(at);
            attempt.holder = None;
        }
        tables.insert_tasks(claim.attempt, &tick.inserted)?;
        for update in &tick.updated {
            tables.update(claim.attempt, update);
        }
        Ok(())
    }

    async fn tasks(&self, attempt: AttemptId) -> Result<Vec<TaskRecord>, StoreError> {
        let tables = self.tables();
        let range = (attempt, TaskId::ROOT)..=(attempt, TaskId(u32::MAX));
        Ok(tables.tasks.range(range).map(|(_, record)| record.clone()).collect())
    }

    async fn attempt(&self, attempt: AttemptId) -> Result<Option<AttemptRecord>, StoreError> {
        Ok(self.tables().attempts.get(&attempt).cloned())
    }

    async fn attempts(&self, session: SessionId) -> Result<Vec<AttemptRecord>, StoreError> {
        Ok(self.tables().attempts_of(session).cloned().collect())
    }

    async fn request_kill(&self, attempt: AttemptId) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let open = tables.attempts.get_mut(&attempt).filter(|found| found.finished_at.is_none());
        Ok(open.map(|found| found.kill_requested = true).is_some())
    }
}
