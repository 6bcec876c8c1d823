//! The errors that every service has, each in the words of the one that is called.

use hyper::StatusCode;

use super::Service;
use crate::ACCOUNT;
use crate::body::CollectError;
use crate::error::ApiError;

/// Makes the error of a call that is refused for now.
pub(super) fn throttled(service: Service) -> ApiError {
    match service {
        Service::S3 => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate."),
        Service::Athena | Service::Glue => ApiError::client("ThrottlingException", "Rate exceeded"),
        Service::Sts => ApiError::client("Throttling", "Rate exceeded"),
    }
}

/// Makes the error of a call that no policy allows.
pub(super) fn denied(service: Service, operation: &str) -> ApiError {
    let action = format!("{}:{operation}", service.signing_name());
    let message = format!("User: arn:aws:iam::{ACCOUNT}:user/suiro is not authorized to perform: {action}");
    match service {
        Service::S3 | Service::Sts => ApiError::new(StatusCode::FORBIDDEN, "AccessDenied", message),
        Service::Athena | Service::Glue => ApiError::client("AccessDeniedException", message),
    }
}

/// Makes the error of a service that failed.
pub(super) fn internal(service: Service) -> ApiError {
    let code = match service {
        Service::S3 => "InternalError",
        Service::Sts => "InternalFailure",
        Service::Athena => "InternalServerException",
        Service::Glue => "InternalServiceException",
    };
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, code, "an internal error, by a fault rule")
}

/// Makes the error of a service that is not there for now.
pub(super) fn unavailable(service: Service) -> ApiError {
    let code = match service {
        Service::S3 | Service::Sts => "ServiceUnavailable",
        Service::Athena | Service::Glue => "ServiceUnavailableException",
    };
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, "the service is unavailable, by a fault rule")
}

/// Makes the error of a body that cannot be read whole.
pub(super) fn unreadable(service: Service, error: &CollectError) -> ApiError {
    let message = match error {
        CollectError::TooLong { limit } => format!("the body is longer than {limit} bytes"),
        CollectError::Broken(error) => format!("the body broke off: {error}"),
    };
    match service {
        Service::S3 => ApiError::client("IncompleteBody", message),
        Service::Athena | Service::Glue => ApiError::client("SerializationException", message),
        Service::Sts => ApiError::client("MalformedInput", message),
    }
}
