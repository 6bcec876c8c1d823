//! Athena's API: `AmazonAthena.…` calls over the lake's query engine.

use lake::Lake;
use serde_json::Value;

use crate::error::{ApiError, ApiResult};

/// The service.
#[derive(Debug)]
pub(crate) struct Athena {
    #[expect(dead_code, reason = "the calls read it")]
    lake: Lake,
}

impl Athena {
    /// Makes the service of a lake.
    pub(crate) fn new(lake: Lake) -> Self {
        Self { lake }
    }

    /// Answers a call.
    #[expect(clippy::unused_async, reason = "the calls wait for the lake")]
    pub(crate) async fn call(&self, operation: &str, _body: Value) -> ApiResult<Value> {
        Err(ApiError::client("UnknownOperationException", format!("Athena's `{operation}` is not served here")))
    }
}
