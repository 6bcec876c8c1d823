//! The state store: what must survive. One trait in domain words; [`sqlite`] keeps it in a file, [`memory`] for tests.
//!
//! INVARIANT: one method call is one transaction, durable when it returns. Everything that a claim writes is fenced by the
//! claim's epoch: after somebody else took the attempt over, nothing of the old holder gets in (`conformance::zombie`).

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::diagnostic::{Code, code};
use crate::session::graph::StoredTask;
use crate::session::{AttemptId, AttemptState, SessionId, SessionKey};

mod change;
#[cfg(test)]
mod conformance;
pub mod memory;
pub mod record;
pub mod sqlite;
mod trouble;

pub use change::Change;
pub use memory::MemoryStore;
pub use record::{
    AttemptRecord, AttemptSpec, Claim, Failure, Holder, NewAttempt, SessionRecord, StoredResult, TaskRecord,
    TaskUpdate, Tick, WrongParam,
};
pub use sqlite::SqliteStore;
pub use trouble::Trouble;

/// Keeps sessions, attempts and tasks.
#[async_trait]
pub trait StateStore: Debug + Send + Sync + 'static {
    /// Finds a session and its latest attempt.
    async fn session(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError>;

    /// Lists the sessions of a project, latest `session_time` first, `limit` of them.
    async fn sessions(
        &self,
        project: &str,
        workflow: Option<&str>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, StoreError>;

    /// Lists the attempts of a workflow with their sessions, the one that was made last first, `limit` of them.
    async fn recent_attempts(
        &self,
        project: &str,
        workflow: &str,
        limit: u32,
    ) -> Result<Vec<(SessionKey, AttemptRecord)>, StoreError>;

    /// Makes the next attempt of a session (and the session, if it is new) with its first tasks, held by `holder`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the session's latest attempt is not `new.after`, or is not at its end: somebody else was
    /// faster.
    async fn create_attempt(
        &self,
        new: &NewAttempt,
        tasks: &[StoredTask],
        holder: &Holder,
    ) -> Result<Claim, StoreError>;

    /// Takes over an attempt whose claim has `epoch` now; the new claim's epoch is larger.
    ///
    /// Whether the old holder is dead is for the caller to judge.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the epoch is another one or the attempt is at its end.
    async fn claim(&self, attempt: AttemptId, epoch: i64, holder: &Holder) -> Result<Claim, StoreError>;

    /// Extends a lease and says whether the attempt's kill was requested.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else has it.
    async fn heartbeat(&self, claim: &Claim, until: Timestamp) -> Result<KillRequest, StoreError>;

    /// Gives a claim back before the attempt's end, so that the next one need not wait for it to expire.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else has it.
    async fn release(&self, claim: &Claim) -> Result<(), StoreError>;

    /// Stores all that one tick changed, in one commit.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else has the attempt: nothing was stored.
    async fn save(&self, claim: &Claim, tick: &Tick) -> Result<(), StoreError>;

    /// Reads all tasks of an attempt in the order of their ids.
    async fn tasks(&self, attempt: AttemptId) -> Result<Vec<TaskRecord>, StoreError>;

    /// Reads an attempt.
    async fn attempt(&self, attempt: AttemptId) -> Result<Option<AttemptRecord>, StoreError>;

    /// Lists the attempts of a session, latest first.
    async fn attempts(&self, session: SessionId) -> Result<Vec<AttemptRecord>, StoreError>;

    /// Asks the holder of an attempt to kill it; says whether there was anything to kill.
    async fn request_kill(&self, attempt: AttemptId) -> Result<bool, StoreError>;
}

/// Whether the kill of an attempt was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillRequest {
    /// No.
    None,
    /// Yes.
    Requested,
}

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else holds the attempt now.
    #[error("the attempt {attempt} was taken over by {}", by.as_deref().map_or_else(|| "another process, which has ended since".to_owned(), Holder::to_string))]
    LeaseLost {
        /// Which attempt.
        attempt: AttemptId,
        /// Who has it.
        by: Option<Box<Holder>>,
    },
    /// Something changed between looking and acting.
    #[error("{what} changed at the same moment")]
    Conflict {
        /// What changed.
        what: &'static str,
    },
    /// The state of another version.
    #[error(
        "`{path}` was written by a newer version of suiro (state format {found}; this version reads up to {supported})"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
        /// What this version knows.
        supported: i64,
    },
    /// A stored value cannot be read.
    #[error("the state store holds an unreadable {what}: {message}")]
    Corrupt {
        /// Which value.
        what: String,
        /// Why.
        message: String,
    },
    /// A directory or file cannot be made or opened.
    #[error("cannot open the state store `{path}`: {message}")]
    Unavailable {
        /// Which.
        path: String,
        /// What it is about.
        trouble: Trouble,
        /// Why.
        message: String,
    },
    /// The database refused.
    #[error("cannot {operation} in the state store: {source}")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// What it said.
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Returns what keeps the state from being read or written, when something outside does.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Unavailable { trouble, .. } => Some(*trouble),
            Self::Database { source, .. } => Some(Trouble::of(source)),
            _ => None,
        }
    }

    /// Returns the code of the page that explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::LeaseLost { .. } => code::LEASE_LOST,
            Self::Conflict { .. } => code::STORE_CONFLICT,
            Self::Newer { .. } => code::STORE_NEWER,
            Self::Corrupt { .. } => code::STORE_CORRUPT,
            Self::Unavailable { .. } => code::STORE_UNAVAILABLE,
            Self::Database { .. } => code::STORE_DATABASE,
        }
    }
}

/// Returns the state that follows from the state of a root task.
pub(crate) fn attempt_state(root: crate::session::TaskState) -> AttemptState {
    use crate::session::TaskState;
    match root {
        TaskState::Success => AttemptState::Success,
        TaskState::Canceled => AttemptState::Canceled,
        state if state.is_final() => AttemptState::Failed,
        _ => AttemptState::Running,
    }
}
