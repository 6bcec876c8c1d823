//! The queries that have not ended: their number is bounded by class, and each can be stopped until it is too late for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lake::query::QueryId;
use lake::{Error, ErrorKind, Result};
use tokio_util::sync::CancellationToken;

use super::STOPPED;
use crate::athena::DEFAULT_DATABASE;
use crate::athena::model::Execution;
use crate::athena::refusal::too_many;
use crate::athena::statement::Class;
use crate::error::ApiResult;

/// How many queries may be active (queued or running) at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Of DML; none for no limit.
    pub dml: Option<usize>,
    /// Of DDL and utility statements; none for no limit.
    pub ddl: Option<usize>,
}

/// The queries that have not ended.
#[derive(Debug)]
pub(in crate::athena) struct Jobs {
    pub(super) running: Mutex<HashMap<String, Arc<Job>>>,
    quotas: Quotas,
    active: Arc<Mutex<Active>>,
}

#[derive(Debug, Default)]
struct Active {
    dml: usize,
    ddl: usize,
}

/// A place among the active queries; dropped, it is free.
#[derive(Debug)]
pub(in crate::athena) struct Place {
    active: Arc<Mutex<Active>>,
    class: Class,
}

/// A query that has not ended.
#[derive(Debug)]
pub(in crate::athena) struct Job {
    pub(super) execution: Mutex<Execution>,
    pub(super) stop: CancellationToken,
    /// Whether it is too late to stop it.
    sealed: Mutex<bool>,
    /// The query of the engine that works for it now.
    pub(super) query: Mutex<Option<QueryId>>,
    _place: Option<Place>,
}

impl Jobs {
    pub(in crate::athena) fn new(quotas: Quotas) -> Self {
        Self { running: Mutex::default(), quotas, active: Arc::default() }
    }

    /// Takes a place for a query of a class.
    ///
    /// # Errors
    /// The service's own when the quota is used up.
    pub(in crate::athena) fn reserve(&self, class: Class) -> ApiResult<Place> {
        let mut active = locked(&self.active);
        let (name, count, limit) = match class {
            Class::Dml => ("DML", &mut active.dml, self.quotas.dml),
            Class::Ddl | Class::Utility => ("DDL", &mut active.ddl, self.quotas.ddl),
        };
        if let Some(limit) = limit.filter(|limit| *count >= *limit) {
            return Err(too_many(name, limit));
        }
        *count += 1;
        drop(active);
        Ok(Place { active: Arc::clone(&self.active), class })
    }

    /// Returns a query that has not ended, as it is now.
    pub(in crate::athena) fn execution(&self, id: &str) -> Option<Execution> {
        let job = locked(&self.running).get(id).cloned();
        job.map(|job| locked(&job.execution).clone())
    }

    /// Asks a query to stop; one that has ended, or for which it is too late, stays as it is.
    pub(in crate::athena) fn stop(&self, id: &str) {
        let job = locked(&self.running).get(id).cloned();
        if let Some(job) = job {
            let sealed = locked(&job.sealed);
            if !*sealed {
                job.stop.cancel();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut active = locked(&self.active);
        let count = match self.class {
            Class::Dml => &mut active.dml,
            Class::Ddl | Class::Utility => &mut active.ddl,
        };
        *count = count.saturating_sub(1);
    }
}

impl Job {
    pub(in crate::athena) fn new(execution: Execution, place: Option<Place>) -> Arc<Self> {
        Arc::new(Self {
            execution: Mutex::new(execution),
            stop: CancellationToken::new(),
            sealed: Mutex::new(false),
            query: Mutex::new(None),
            _place: place,
        })
    }

    /// Makes it too late to stop the query.
    ///
    /// # Errors
    /// `Canceled` when it was stopped before.
    pub(super) fn seal(&self) -> Result<()> {
        let mut sealed = locked(&self.sealed);
        if self.stop.is_cancelled() {
            return Err(Error::new(ErrorKind::Canceled, "run a query", STOPPED));
        }
        *sealed = true;
        Ok(())
    }

    /// Returns its id.
    pub(super) fn id(&self) -> String {
        locked(&self.execution).id.clone()
    }

    /// Returns the database of names without one. A client may name it in backticks, as its DDL does.
    pub(super) fn database(&self) -> String {
        let execution = locked(&self.execution);
        let named = execution.database.as_deref().unwrap_or(DEFAULT_DATABASE);
        named.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or(named).to_owned()
    }

    pub(super) fn output_location(&self) -> String {
        locked(&self.execution).output_location.clone()
    }

    pub(super) fn workgroup(&self) -> String {
        locked(&self.execution).workgroup.clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Execution)) {
        change(&mut locked(&self.execution));
    }
}

/// Takes a lock; a thread that panicked under it changes nothing of what it guards.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
