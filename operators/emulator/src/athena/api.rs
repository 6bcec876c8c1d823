//! The calls: each reads its input, checks it, and gives the output that the API reference says.

pub(super) mod catalog;
mod execution;
mod list;
mod named_query;
mod prepared;
mod results;
mod reuse;
mod tag;
pub(super) mod workgroup;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::refusal::{ErrorCode, invalid};
use crate::error::ApiResult;

/// Reads the input of a call; members that are not known are passed over.
fn input<T: DeserializeOwned>(body: Value) -> ApiResult<T> {
    serde_json::from_value(body)
        .map_err(|error| invalid(ErrorCode::InvalidInput, format!("the input cannot be read: {error}")))
}
