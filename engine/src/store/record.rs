//! What a store keeps: rows as plain data.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::FileHashes;
use crate::operator::error::TaskErrorKind;
use crate::operator::{ParamProblem, TaskError, TaskReport};
use crate::params::{ParamPath, Params};
use crate::session::graph::{Progress, StoredTask};
use crate::session::{AttemptId, AttemptState, SessionId, SessionKey, TaskId};
use crate::workflow::{Place, TaskDef, Workflow};

/// A session with its latest attempt.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// What makes it unique.
    pub key: SessionKey,
    /// Its UUID, for the parameter `session_uuid`.
    pub uuid: String,
    /// Its latest attempt.
    pub last_attempt: AttemptRecord,
}

/// What an attempt is of: all that its tasks are made of, so that it can go on without the files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptSpec {
    /// The workflow; its root still has its children.
    pub workflow: Workflow,
    /// Parameters of the settings file.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub settings_params: Params,
    /// Parameters of `-P FILE`.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub file_params: Params,
    /// Parameters of `-p`.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub command_line_params: Params,
    /// Only this task and what is under it runs, by its full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// The files that were read for it, and what they held. Tasks read those of their own when they run, so another content makes
    /// no other work.
    #[serde(default, skip_serializing_if = "FileHashes::is_empty")]
    pub files: FileHashes,
}

/// An attempt to be made.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// Whose attempt.
    pub key: SessionKey,
    /// The UUID of the session, should it be new.
    pub session_uuid: String,
    /// The attempt that was the session's latest when this one was decided on.
    pub after: Option<AttemptId>,
    /// The earlier attempt whose successful tasks are skipped.
    pub resumes: Option<AttemptId>,
    /// What it is of.
    pub spec: Arc<AttemptSpec>,
    /// When it was submitted.
    pub created_at: Timestamp,
}

/// An attempt.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// Its id.
    pub id: AttemptId,
    /// Its session.
    pub session: SessionId,
    /// 1 for the first of its session.
    pub number: u32,
    /// The earlier attempt whose successful tasks are skipped.
    pub resumes: Option<AttemptId>,
    /// What it is of.
    pub spec: Arc<AttemptSpec>,
    /// How far it is.
    pub state: AttemptState,
    /// Whether its kill was requested.
    pub kill_requested: bool,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it came to its end.
    pub finished_at: Option<Timestamp>,
    /// The fencing number of its latest claim.
    pub epoch: i64,
    /// Who holds it, if anybody.
    pub holder: Option<Holder>,
}

/// Who works on an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// What tells this process from a later one with the same number; empty where the system does not say.
    pub process_mark: String,
    /// Since when it holds the attempt.
    pub since: Timestamp,
    /// Until when nobody else may take it, unless the process is seen to be gone.
    pub lease_until: Timestamp,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on host `{}` (since {})", self.pid, self.host, self.since)
    }
}

/// The right to write to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Its session.
    pub session: SessionId,
    /// The fencing number: larger than that of every earlier claim of the attempt.
    pub epoch: i64,
}

/// What changed in a task. `None` leaves what is stored.
#[derive(Debug, Clone)]
pub struct TaskUpdate {
    /// Which task.
    pub id: TaskId,
    /// Where it stands, when that changed.
    pub progress: Option<Progress>,
    /// What its operator remembers; null forgets.
    pub operator_state: Option<Value>,
    /// What it left behind.
    pub result: Option<StoredResult>,
    /// Why it failed the last time.
    pub failure: Option<Failure>,
    /// When its operator was first called.
    pub started_at: Option<Timestamp>,
    /// When it came to its end.
    pub finished_at: Option<Timestamp>,
}

impl TaskUpdate {
    /// Makes an update that changes nothing yet.
    pub fn new(id: TaskId) -> Self {
        Self {
            id,
            progress: None,
            operator_state: None,
            result: None,
            failure: None,
            started_at: None,
            finished_at: None,
        }
    }
}

/// All that one tick changed.
#[derive(Debug, Clone, Default)]
pub struct Tick {
    /// New tasks.
    pub inserted: Vec<StoredTask>,
    /// Tasks that changed, each at most once; stored after `inserted`.
    pub updated: Vec<TaskUpdate>,
    /// The attempt's end; the claim ends with it.
    pub finished: Option<(AttemptState, Timestamp)>,
}

impl Tick {
    /// Says whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.updated.is_empty() && self.finished.is_none()
    }
}

/// What a task left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredResult {
    /// Data for its children.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub export: Params,
    /// Data for later tasks.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub store: Params,
    /// What is removed before `store` is merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reset: Vec<ParamPath>,
    /// What to tell the user.
    #[serde(default)]
    pub report: TaskReport,
}

/// Why a task failed, as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong, as far as it decides who can fix it.
    pub kind: FailureKind,
    /// The code of the page that explains it.
    pub code: String,
    /// One line.
    pub message: String,
    /// The parameters that are wrong, with their places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<WrongParam>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// The causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// Keys for `error.*` besides `message`.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub details: Params,
    /// Where the task stands in the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// The stored form of [`TaskErrorKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The workflow's author must act.
    Config,
    /// The owner of the data must act. Exit code 3.
    DataQuality,
    /// The task's program or query failed.
    Failed,
    /// Something outside failed.
    External,
    /// The task was killed.
    Canceled,
    /// Another holder has the task.
    LeaseLost,
}

/// A wrong parameter and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongParam {
    /// Which parameter, as it is written in the workflow: the operator's own value is `echo>`.
    pub path: ParamPath,
    /// What was expected and what was found.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where it stands, when it is written in the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Failure {
    /// Makes the record of an error of a task.
    pub fn of(error: &TaskError, def: &TaskDef) -> Self {
        let mut causes = Vec::new();
        let mut next = std::error::Error::source(error);
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        Self {
            kind: FailureKind::of(error.kind),
            code: error.code.0.to_owned(),
            message: error.message.clone(),
            params: error
                .params
                .iter()
                .map(|problem| WrongParam {
                    place: place_inside(problem).or_else(|| place_of(def, &problem.path)),
                    path: def.written(&problem.path),
                    message: problem.message.clone(),
                    help: problem.help.clone(),
                })
                .collect(),
            help: error.help.clone(),
            causes,
            details: error.details.clone(),
            place: def.place.clone(),
        }
    }

    /// Returns the parameter `error` for `_error` tasks.
    pub fn as_param(&self, task_name: &str) -> Value {
        let mut error = self.details.clone();
        error.insert("message".to_owned(), Value::String(self.message.clone()));
        error.insert("code".to_owned(), Value::String(self.code.clone()));
        error.insert("task_name".to_owned(), Value::String(task_name.to_owned()));
        Value::Object(error)
    }
}

/// Returns the place in the file that a parameter names.
fn place_inside(problem: &ParamProblem) -> Option<Place> {
    let piece = problem.inside.as_ref()?;
    let file = piece.file.as_ref()?;
    let (line, column) = piece.line_column(&file.text);
    Some(Place { file: file.path.to_string(), line, column })
}

/// Returns the place of a parameter, or that of the nearest one around it.
fn place_of(def: &TaskDef, path: &ParamPath) -> Option<Place> {
    let mut path = path.0.as_str();
    loop {
        if let Some(place) = def.param_places.get(path) {
            return Some(place.clone());
        }
        let cut = path.rfind(['.', '['])?;
        path = path.get(..cut)?;
    }
}

impl FailureKind {
    /// Returns the stored form of a kind.
    pub fn of(kind: TaskErrorKind) -> Self {
        match kind {
            TaskErrorKind::Config => Self::Config,
            TaskErrorKind::DataQuality => Self::DataQuality,
            TaskErrorKind::Failed => Self::Failed,
            TaskErrorKind::External => Self::External,
            TaskErrorKind::Canceled => Self::Canceled,
            TaskErrorKind::LeaseLost => Self::LeaseLost,
        }
    }
}

/// A task as stored.
#[derive(Debug, Clone)]
pub struct TaskRecord {
    /// What the state machine needs.
    pub task: StoredTask,
    /// What its operator remembers; null for nothing.
    pub operator_state: Value,
    /// What it left behind.
    pub result: Option<Box<StoredResult>>,
    /// Why it failed the last time.
    pub failure: Option<Box<Failure>>,
    /// When its operator was first called.
    pub started_at: Option<Timestamp>,
    /// When it came to its end.
    pub finished_at: Option<Timestamp>,
}
