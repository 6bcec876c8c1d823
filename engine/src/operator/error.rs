//! Why a task failed: kind × retry × context.

use std::time::Duration;

use super::ParamProblem;
use crate::diagnostic::{Code, code};

/// What went wrong, as far as it decides who can fix it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskErrorKind {
    /// A parameter, template or file of the workflow is wrong: its author.
    Config,
    /// The data is not as it should be (a failed check, too many rejected rows): the owner of the data. Exit code 3.
    DataQuality,
    /// The program or query of the task failed: its author.
    Failed,
    /// Something outside failed (disk, network, service): whoever runs it.
    External,
    /// The task was killed.
    Canceled,
    /// Another holder has the task: nobody, it goes on there.
    LeaseLost,
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Never: the same input fails the same way. `_retry` is not used up on it.
    Never,
    /// As `_retry` says.
    AsTold,
    /// At once after a pause, whatever `_retry` says: a throttle.
    After(Duration),
}

/// Why a task failed.
#[derive(Debug)]
pub struct TaskError {
    /// What went wrong.
    pub kind: TaskErrorKind,
    /// Whether trying again can help.
    pub retry: Retry,
    /// The code of the page that explains it.
    pub code: Code,
    /// One line: what was expected and what was found.
    pub message: String,
    /// The parameters that are wrong, all of them; each is shown over its line of the workflow.
    pub params: Vec<ParamProblem>,
    /// What to do about it, a line each.
    pub help: Vec<String>,
    /// Keys for `error.*` in `_error`, besides `message`.
    pub details: crate::params::Params,
    /// The cause.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TaskError {
    /// Makes an error that may be retried as the task's `_retry` says.
    pub fn failed(code: Code, message: impl Into<String>) -> Self {
        Self::new(TaskErrorKind::Failed, Retry::AsTold, code, message)
    }

    /// Makes an error of the workflow's author; never retried.
    pub fn config(code: Code, message: impl Into<String>) -> Self {
        Self::new(TaskErrorKind::Config, Retry::Never, code, message)
    }

    /// Makes an error.
    pub fn new(kind: TaskErrorKind, retry: Retry, code: Code, message: impl Into<String>) -> Self {
        Self {
            kind,
            retry,
            code,
            message: message.into(),
            params: Vec::new(),
            help: Vec::new(),
            details: crate::params::Params::new(),
            source: None,
        }
    }

    /// Makes the error of a task whose parameters are wrong: all of them, with the code of the first.
    pub fn wrong_params(problems: Vec<ParamProblem>) -> Self {
        let code = problems.first().map_or(code::PARAM_VALUE, |problem| problem.code);
        let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        let mut error = Self::config(code, messages.join("; "));
        error.params = problems;
        error
    }

    /// Names a wrong parameter.
    #[must_use]
    pub fn param(mut self, problem: ParamProblem) -> Self {
        self.params.push(problem);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl From<crate::secret::SecretError> for TaskError {
    fn from(error: crate::secret::SecretError) -> Self {
        Self::config(code::SECRET_MISSING, error.to_string()).help(error.help())
    }
}

impl std::fmt::Display for TaskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TaskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}
