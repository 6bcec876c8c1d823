//! The one call of STS that clients of a lake make: whose keys these are. dbt asks for the account before it asks Glue.
//!
//! The protocol is AWS Query: a form in, XML out
//! (<https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>).

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response};
use quick_xml::escape::escape;

use crate::ACCOUNT;
use crate::auth::canonical::{decode, header_value};
use crate::body::{self, ResponseBody};
use crate::error::{ApiError, ApiResult};

/// The name space of its answers.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// How long the form of a call may be.
pub(crate) const MAX_BODY_BYTES: usize = 64 << 10;

/// Tells whether a request is one of STS: a form for the root, which no other service takes.
pub(crate) fn is_asked(parts: &Parts) -> bool {
    let form = header_value(parts, "content-type")
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded"));
    form && parts.method == Method::POST && parts.uri.path() == "/" && parts.uri.query().is_none()
}

/// Returns which operation a form asks for; empty when it names none.
pub(crate) fn operation(form: &[u8]) -> String {
    let text = std::str::from_utf8(form).unwrap_or_default();
    let action = text.split('&').find_map(|pair| pair.strip_prefix("Action="));
    action.and_then(decode).unwrap_or_default()
}

/// Answers a call.
pub(crate) fn call(operation: &str) -> ApiResult<String> {
    if operation == "GetCallerIdentity" {
        return Ok(format!(
            "<Arn>arn:aws:iam::{ACCOUNT}:user/suiro</Arn><UserId>suiro</UserId><Account>{ACCOUNT}</Account>"
        ));
    }
    Err(ApiError::client("InvalidAction", format!("STS's `{operation}` is not served here: `GetCallerIdentity` is")))
}

/// Makes the answer of a call.
pub(crate) fn respond(operation: &str, result: ApiResult<String>, request_id: &str) -> Response<ResponseBody> {
    let (status, text) = match result {
        Ok(result) => (
            hyper::StatusCode::OK,
            format!(
                "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{result}</{operation}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
            ),
        ),
        Err(error) => {
            let side = if error.status.is_server_error() { "Receiver" } else { "Sender" };
            let (code, message) = (escape(&*error.code), escape(&error.message));
            (
                error.status,
                format!(
                    "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{side}</Type><Code>{code}</Code>\
                     <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
                ),
            )
        }
    };
    let mut response = Response::new(body::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
