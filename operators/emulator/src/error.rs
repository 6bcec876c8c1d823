//! The error that a client sees: a code of the service's API, a text, an HTTP status.

use std::borrow::Cow;

use hyper::StatusCode;
use lake::ErrorKind;

/// The result of a call.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// An error as a service answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The code, as the service's API names it: `EntityNotFoundException`, `NoSuchKey`.
    pub(crate) code: Cow<'static, str>,
    /// What was expected and what was found.
    pub(crate) message: String,
    /// What else the answer says, by the names of its members.
    pub(crate) details: Vec<(&'static str, String)>,
}

impl ApiError {
    /// Makes an error with a status.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code: Cow::Borrowed(code), message: message.into(), details: Vec::new() }
    }

    /// Says something else in the answer.
    #[must_use]
    pub(crate) fn with(mut self, member: &'static str, value: impl Into<String>) -> Self {
        self.details.push((member, value.into()));
        self
    }

    /// Makes an error of the request: status 400.
    pub(crate) fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Makes an error of the service: status 500.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceException", message)
    }

    /// Makes Glue's error of a thing that is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::client("EntityNotFoundException", message)
    }

    /// Makes Glue's error of a thing that is there already.
    pub(crate) fn already_exists(message: impl Into<String>) -> Self {
        Self::client("AlreadyExistsException", message)
    }

    /// Makes Glue's error of a value that cannot be used.
    pub(crate) fn invalid_input(message: impl Into<String>) -> Self {
        Self::client("InvalidInputException", message)
    }
}

/// The codes of Glue, which are those of the catalog; S3 and Athena have their own.
impl From<lake::Error> for ApiError {
    fn from(error: lake::Error) -> Self {
        let message = error.to_string();
        match error.kind {
            ErrorKind::NotFound => Self::not_found(message),
            ErrorKind::AlreadyExists => Self::already_exists(message),
            ErrorKind::Conflict => Self::client("ConcurrentModificationException", message),
            ErrorKind::PermissionDenied => Self::client("AccessDeniedException", message),
            ErrorKind::ResourcesExhausted => Self::client("ResourceNumberLimitExceededException", message),
            ErrorKind::InvalidInput
            | ErrorKind::InvalidSql
            | ErrorKind::UnsupportedSql
            | ErrorKind::SchemaMismatch
            | ErrorKind::DataQuality
            | ErrorKind::InvalidData => Self::invalid_input(message),
            _ => Self::internal(message),
        }
    }
}
