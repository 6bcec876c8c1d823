//! What Athena says when it refuses a call, and why a query failed.

use lake::{Error, ErrorKind};

use super::model::Failure;
use crate::error::ApiError;

/// The code inside an `InvalidRequestException`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorCode {
    InvalidInput,
    MalformedQuery,
    IdempotentParameterMismatch,
    QueryExecutionNotFound,
    InvalidQueryExecutionState,
    ResultNotFound,
}

impl ErrorCode {
    fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "INVALID_INPUT",
            Self::MalformedQuery => "MALFORMED_QUERY",
            Self::IdempotentParameterMismatch => "IDEMPOTENT_PARAMETER_MISMATCH",
            Self::QueryExecutionNotFound => "QUERY_EXECUTION_NOT_FOUND",
            Self::InvalidQueryExecutionState => "INVALID_QUERY_EXECUTION_STATE",
            Self::ResultNotFound => "RESULT_NOT_FOUND",
        }
    }
}

/// Makes the error of a request that cannot be done as it is.
pub(super) fn invalid(code: ErrorCode, message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidRequestException", message)
        .with("AthenaErrorCode", code.name())
        .with("ErrorCode", code.name())
}

/// Makes the error of a value out of its bounds, in the service's words.
pub(super) fn constraint(member: &str, constraint: &str) -> ApiError {
    invalid(
        ErrorCode::InvalidInput,
        format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must {constraint}"
        ),
    )
}

/// Makes the error of a query beyond the quota of active ones.
pub(super) fn too_many(class: &str, limit: usize) -> ApiError {
    ApiError::client(
        "TooManyRequestsException",
        format!("You have exceeded the limit for the number of queries you can run concurrently: {limit} active {class} queries"),
    )
    .with("Reason", "CONCURRENT_QUERY_LIMIT_EXCEEDED")
}

/// Makes the error of a call that the lake could not answer.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(super) fn failed(error: Error) -> ApiError {
    match error.kind {
        ErrorKind::InvalidInput => invalid(ErrorCode::InvalidInput, error.to_string()),
        _ => ApiError::new(hyper::StatusCode::INTERNAL_SERVER_ERROR, "InternalServerException", error.to_string()),
    }
}

/// Makes the error of a thing of the catalog that is not there.
pub(super) fn metadata(message: impl Into<String>) -> ApiError {
    ApiError::client("MetadataException", message)
}

/// Makes the error of a prepared statement or another resource that is not there.
pub(super) fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::client("ResourceNotFoundException", message)
}

/// Returns the name that Trino (or Hive) gives an error: it stands in its context, or before its message.
fn name(error: &Error) -> Option<&str> {
    if let Some((_, name)) = error.context.iter().find(|(key, _)| *key == "error") {
        return Some(name);
    }
    let (name, _) = error.message.split_once(": ")?;
    let plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit());
    (plain && name.len() > 3).then_some(name)
}

/// Writes why a query failed, as `StateChangeReason` says it: `TABLE_NOT_FOUND: line 1:15: Table … does not exist`.
pub(super) fn reason(error: &Error) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let named = error.context.iter().find(|(key, _)| *key == "error").map(|(_, name)| name.as_str());
    match named {
        // What this engine does not know is what Athena would call not supported.
        Some(lake::sql::error::UNSUPPORTED) => text.push_str("NOT_SUPPORTED: "),
        Some(name) => {
            let _infallible = write!(text, "{name}: ");
        }
        None => {}
    }
    if let Some((line, column)) = error.position {
        let _infallible = write!(text, "line {line}:{column}: ");
    }
    text.push_str(&error.message);
    for (key, value) in error.context.iter().filter(|(key, _)| *key != "error") {
        let _infallible = write!(text, " ({key}: {value})");
    }
    text
}

/// Classes a failure as `AthenaError` does:
/// <https://docs.aws.amazon.com/athena/latest/ug/error-reference.html>.
pub(super) fn classify(error: &Error) -> Failure {
    let retryable = error.retryable == lake::error::Retryable::Yes;
    let (category, error_type) = match name(error).unwrap_or_default() {
        // A path of S3 that is not there.
        "HIVE_FILESYSTEM_ERROR" if error.kind == ErrorKind::NotFound => (2, 1109),
        "TABLE_NOT_FOUND" | "SCHEMA_NOT_FOUND" => (2, 1301),
        "FUNCTION_NOT_FOUND" => (2, 1303),
        "COLUMN_NOT_FOUND" | "SYNTAX_ERROR" => (2, 1006),
        "TYPE_MISMATCH" => (2, 1002),
        "DIVISION_BY_ZERO" => (2, 1001),
        "INVALID_CAST_ARGUMENT" => (2, 1100),
        "NOT_SUPPORTED" | lake::sql::error::UNSUPPORTED => (2, 1200),
        _ => match error.kind {
            ErrorKind::ResourcesExhausted => (1, 0),
            ErrorKind::PermissionDenied => (2, 1500),
            ErrorKind::External => (1, 200),
            ErrorKind::NotFound => (2, 1300),
            ErrorKind::UnsupportedSql => (2, 1200),
            _ => (2, 1000),
        },
    };
    Failure { category, error_type, retryable }
}
