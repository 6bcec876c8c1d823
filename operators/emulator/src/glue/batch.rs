//! What calls on many things have in common: their limits, and an error for each thing that failed.

use serde::Serialize;

use crate::error::{ApiError, ApiResult};

/// Why one of many failed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ErrorDetail {
    error_code: String,
    error_message: String,
}

impl ErrorDetail {
    pub(super) fn of(error: &ApiError) -> Self {
        Self { error_code: error.code.to_string(), error_message: error.message.clone() }
    }
}

/// Refuses a list that is longer than the service takes.
pub(super) fn check_size(name: &str, found: usize, most: usize) -> ApiResult<()> {
    if found <= most {
        return Ok(());
    }
    Err(ApiError::client("ValidationException", format!("expected at most {most} members of `{name}`, found {found}")))
}
