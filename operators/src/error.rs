//! The lake's errors as the engine's: who can fix it, whether a retry helps, which page explains it.

use engine::diagnostic::{Code, code};
use engine::operator::error::Retry;
use engine::operator::{ParamProblem, TaskError, TaskErrorKind};
use engine::params::ParamPath;
use lake::ErrorKind;

/// Turns an error of the lake into one of a task.
pub(crate) fn task_error(error: lake::Error) -> TaskError {
    let (kind, code) = classify(error.kind);
    let retry = match kind {
        TaskErrorKind::Config | TaskErrorKind::DataQuality => Retry::Never,
        _ => Retry::AsTold,
    };
    let message = error.to_string();
    let mut task_error = TaskError::new(kind, retry, code, message);
    task_error.details.insert("operation".to_owned(), error.operation.into());
    task_error.help.extend(error.help.clone());
    task_error.source(error)
}

/// Points an error of a task at the parameter that is to blame.
pub(crate) trait AtParam {
    /// Names the parameter, unless the error names one already.
    fn at_param(self, path: impl Into<ParamPath>) -> Self;
}

impl AtParam for TaskError {
    fn at_param(self, path: impl Into<ParamPath>) -> Self {
        if !self.params.is_empty() {
            return self;
        }
        let problem = ParamProblem::new(path.into(), self.message.clone()).code(self.code);
        self.param(problem)
    }
}

impl<T> AtParam for Result<T, TaskError> {
    fn at_param(self, path: impl Into<ParamPath>) -> Self {
        self.map_err(|error| error.at_param(path))
    }
}

/// Says whose error it is, and under which code it is explained.
pub(crate) fn classify(kind: ErrorKind) -> (TaskErrorKind, Code) {
    match kind {
        ErrorKind::NotFound => (TaskErrorKind::Config, code::NOT_FOUND),
        ErrorKind::AlreadyExists => (TaskErrorKind::Config, code::EXISTS),
        ErrorKind::Conflict => (TaskErrorKind::Failed, code::CONFLICT),
        ErrorKind::InvalidInput => (TaskErrorKind::Config, code::BAD_NAME),
        ErrorKind::InvalidSql => (TaskErrorKind::Config, code::SQL_WRONG),
        ErrorKind::UnsupportedSql => (TaskErrorKind::Config, code::SQL_UNSUPPORTED),
        ErrorKind::QueryFailed | ErrorKind::TooManyPartitions => (TaskErrorKind::Failed, code::QUERY_FAILED),
        ErrorKind::SchemaMismatch => (TaskErrorKind::Config, code::SCHEMA_MISMATCH),
        ErrorKind::DataQuality => (TaskErrorKind::DataQuality, code::DATA_QUALITY),
        ErrorKind::InvalidData => (TaskErrorKind::Config, code::BROKEN_INPUT),
        ErrorKind::UnreadableLines => (TaskErrorKind::Config, code::UNREADABLE_LINES),
        ErrorKind::ResourcesExhausted => (TaskErrorKind::External, code::RESOURCES),
        ErrorKind::Canceled => (TaskErrorKind::Canceled, code::CANCELED),
        ErrorKind::PermissionDenied => (TaskErrorKind::External, code::PERMISSION),
        _ => (TaskErrorKind::External, code::STORAGE),
    }
}
