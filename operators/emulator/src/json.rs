//! The protocol of Athena and Glue: AWS JSON 1.1.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::body::{self, ResponseBody};
use crate::error::{ApiError, ApiResult};

/// How long the body of a call may be.
pub(crate) const MAX_BODY_BYTES: usize = 32 << 20;

/// Reads the input of a call; unknown members are passed over, as the services do.
pub(crate) fn input<T: DeserializeOwned>(body: Value) -> ApiResult<T> {
    serde_json::from_value(body)
        .map_err(|error| ApiError::client("ValidationException", format!("the input cannot be read: {error}")))
}

/// Writes the output of a call.
pub(crate) fn output(value: &impl Serialize) -> ApiResult<Value> {
    serde_json::to_value(value).map_err(|error| ApiError::internal(format!("the output cannot be written: {error}")))
}

/// Returns a time as the protocol writes it: seconds since 1970, with milliseconds behind the point.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay far below 2^53")]
pub(crate) fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Makes the answer of a call.
pub(crate) fn respond(result: ApiResult<Value>, request_id: &str) -> Response<ResponseBody> {
    let (status, value) = match result {
        Ok(value) => (hyper::StatusCode::OK, value),
        Err(error) => {
            let mut value = json!({"__type": error.code, "message": error.message, "Message": error.message});
            if let Some(members) = value.as_object_mut() {
                members
                    .extend(error.details.into_iter().map(|(member, text)| (member.to_owned(), Value::String(text))));
            }
            (error.status, value)
        }
    };
    let mut response = Response::new(body::full(value.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
