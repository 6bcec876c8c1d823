//! What an operator is: the contract between the engine and everything that does work.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

pub mod builtin;
pub mod context;
pub mod error;
pub mod exports;
pub mod registry;
mod schema;
pub mod surroundings;
pub mod typed;

pub use context::TaskContext;
pub use error::{TaskError, TaskErrorKind};
pub use exports::Exports;
pub use registry::Registry;
pub use surroundings::{Piece, Surroundings};
pub use typed::TypedOperator;

use crate::diagnostic::{Code, code};
use crate::params::{ParamPath, Params};
use crate::workflow::TaskDef;

/// An operator as the engine calls it. Authors implement [`TypedOperator`] instead.
#[async_trait]
pub trait Operator: Debug + Send + Sync + 'static {
    /// Describes the operator: its name, its page, the schema of its parameters.
    fn info(&self) -> &OperatorInfo;

    /// Returns the exported mappings that give defaults for its parameters; see [`TypedOperator::DEFAULTS`].
    fn defaults(&self) -> &'static [&'static str];

    /// Checks the keys of a task before anything runs: unknown keys, types, what is required.
    ///
    /// Values that hold a `${…}` are taken as being of any type; what is missing and an export may give is no problem. Pure; all
    /// problems at once.
    fn check(&self, params: &Params, exports: &Exports<'_>) -> Vec<ParamProblem>;

    /// Looks at what the parameters name or hold besides values: files, and texts in a language of their own.
    ///
    /// Of what a `${…}` decides nothing is said. Changes nothing; all problems at once.
    fn inspect(&self, params: &Params, surroundings: &Surroundings<'_>) -> Vec<ParamProblem>;

    /// Does one step and never waits: starts, polls or ends the work.
    ///
    /// # Errors
    /// When the step failed; [`TaskError::retry`] says whether a retry can help.
    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError>;

    /// Stops the work named in the context's state, when the task is killed or has run out of time.
    ///
    /// # Errors
    /// When the work could not be stopped.
    async fn cancel(&self, context: &TaskContext) -> Result<(), TaskError>;

    /// Leaves the work named in the context's state to the next holder, because this process was told to stop: what the next
    /// one cannot go on with is stopped, what goes on meanwhile is told by [`TaskHost::warn`](context::TaskHost::warn).
    ///
    /// Called for operators that say [`OperatorInfo::works_elsewhere`], for some seconds at most. The state stays as it is.
    ///
    /// # Errors
    /// When what should be stopped could not be.
    async fn leave(&self, context: &TaskContext) -> Result<(), TaskError>;
}

/// What an operator says of itself; its docs page and editor schema are made of it.
#[derive(Debug, Clone)]
pub struct OperatorInfo {
    /// The name without `>`: `athena.apas`.
    pub name: &'static str,
    /// One sentence in the third person.
    pub summary: &'static str,
    /// What the value after `name>:` is, or `None` when it takes none.
    pub command: Option<&'static str>,
    /// The rest of the page, in Markdown: what matters, output parameters, IAM actions, source.
    pub details: &'static str,
    /// An example in YAML that `check` passes.
    pub example: &'static str,
    /// The JSON schema of the parameters.
    pub schema: Value,
    /// Whether its work is done outside of this process: see [`TypedOperator::WORKS_ELSEWHERE`].
    pub works_elsewhere: bool,
}

/// A problem with one parameter, found before or while a task runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamProblem {
    /// Which problem it is.
    pub code: Code,
    /// Which parameter; empty for the task as a whole.
    pub path: ParamPath,
    /// What was expected and what was found.
    pub message: String,
    /// What to do, such as `did you mean …`.
    pub help: Option<String>,
    /// Where in the text that the parameter holds or names; none when the parameter is wrong as a whole.
    pub inside: Option<Piece>,
    /// The parameter that stands first, when this one is it again.
    pub first: Option<ParamPath>,
}

impl ParamProblem {
    /// Makes a problem with the value of a parameter.
    #[must_use]
    pub fn new(path: ParamPath, message: impl Into<String>) -> Self {
        Self { code: code::PARAM_VALUE, path, message: message.into(), help: None, inside: None, first: None }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Says under which code it is explained.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// Makes the problem of a key that is one that stands above it, written otherwise.
    #[must_use]
    pub fn again(path: ParamPath, first: ParamPath, message: impl Into<String>) -> Self {
        let problem = Self::new(path, message).code(code::DUPLICATE_KEY).help("rename or remove one of the two");
        Self { first: Some(first), ..problem }
    }

    /// Says where in the text that the parameter holds or names.
    #[must_use]
    pub fn inside(mut self, piece: Piece) -> Self {
        self.inside = Some(piece);
        self
    }
}

/// How one step ended well.
#[derive(Debug, Clone)]
pub enum TaskOutcome {
    /// The work is done.
    Done(Box<TaskResult>),
    /// Nothing to do for a while: the state is stored, the slot given back, `run` called again later.
    Wait {
        /// What to remember; [`TaskContext::state`] of the next call.
        state: Value,
        /// How long from now.
        after: Duration,
    },
}

/// What a finished task leaves behind.
#[derive(Debug, Clone, Default)]
pub struct TaskResult {
    /// Children to run now, under this task.
    pub subtasks: Vec<TaskDef>,
    /// Parameters for the children only. Data: never evaluated again.
    pub export: Params,
    /// Parameters for later tasks. Data: never evaluated again.
    pub store: Params,
    /// Stored parameters to remove before `store` is merged.
    pub reset: Vec<ParamPath>,
    /// What to tell the user.
    pub report: TaskReport,
}

impl TaskResult {
    /// Wraps the result as an outcome.
    pub fn done(self) -> TaskOutcome {
        TaskOutcome::Done(Box::new(self))
    }
}

/// Figures and lines for the task tree and the closing table.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TaskReport {
    /// Rows written or read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Bytes scanned by queries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scanned_bytes: Option<u64>,
    /// What it cost, in millionths of a US dollar; none for what is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<u64>,
    /// Rows rejected and kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<u64>,
    /// What became visible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<Published>,
}

/// How far a running task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskProgress {
    /// Rows so far.
    pub rows: u64,
    /// Bytes read so far.
    pub bytes: u64,
    /// The bytes that there are to read, where that is known.
    pub bytes_total: Option<u64>,
}

/// A table or partition that became visible (or was seen to be there already).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Published {
    /// `database.table`, a database with a dot in quotes; empty for files of no table.
    pub table: String,
    /// `dt=2015-05-17/h=1`; empty for a whole table.
    pub partition: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Where its objects are.
    pub location: String,
}
