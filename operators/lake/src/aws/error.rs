//! From errors of AWS to ours: what happened, whether a repeat may help, who said so, and what a user can do about it.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_glue::operation::RequestId;
use aws_smithy_types::error::ErrorMetadata;
use aws_types::os_shim_internal::Env;

use super::chain;
use super::reach::Unreachable;
use super::settings::AwsSettings;
use crate::error::{Error, ErrorKind, Retryable};

/// A call of an AWS service, as errors speak of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// What was being done, for us: `read a table`.
    pub operation: &'static str,
    /// The IAM action that it needs: `glue:GetTable`.
    pub action: &'static str,
}

/// What an answer of a service means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Denied,
    Expired,
    WrongKeys,
    ClockOff,
    WrongRegion,
    Throttled,
    Failing,
    NotFound,
    AlreadyExists,
    Conflict,
    Invalid,
    Limit,
    Unknown,
}

/// What AWS calls its errors: <https://docs.aws.amazon.com/glue/latest/webapi/CommonErrors.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>, and the errors of each operation of Glue and Athena.
fn meaning(code: &str) -> Meaning {
    match code {
        "AccessDeniedException"
        | "AccessDenied"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "AllAccessDisabled"
        | "AccountProblem"
        | "OptInRequired"
        | "GlueEncryptionException" => Meaning::Denied,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "InvalidToken" => Meaning::Expired,
        "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "InvalidSecurity" => Meaning::WrongKeys,
        "RequestTimeTooSkewed" | "RequestExpired" => Meaning::ClockOff,
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            Meaning::WrongRegion
        }
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "SlowDown"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "ProvisionedThroughputExceededException" => Meaning::Throttled,
        "InternalServiceException"
        | "InternalServerError"
        | "InternalFailureException"
        | "TransactionConflictException"
        | "InternalServerException"
        | "InternalFailure"
        | "InternalError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "OperationTimeoutException"
        | "RequestTimeout"
        | "ResourceNotReadyException" => Meaning::Failing,
        "EntityNotFoundException"
        | "NoSuchKey"
        | "NoSuchBucket"
        | "NoSuchUpload"
        | "NotFound"
        | "ResourceNotFoundException" => Meaning::NotFound,
        "AlreadyExistsException" => Meaning::AlreadyExists,
        "ConcurrentModificationException"
        | "VersionMismatchException"
        | "ConditionCheckFailureException"
        | "ConditionalCheckFailedException"
        | "OperationAborted"
        | "ConditionalRequestConflict" => Meaning::Conflict,
        "InvalidInputException"
        | "InvalidRequestException"
        | "InvalidArgumentException"
        | "SerializationException"
        | "ValidationException"
        | "InvalidArgument"
        | "InvalidRequest"
        | "InvalidTag"
        | "MetadataException"
        | "KeyTooLongError"
        | "EntityTooLarge" => Meaning::Invalid,
        "ResourceNumberLimitExceededException"
        | "LimitExceededException"
        | "ItemCollectionSizeLimitExceededException" => Meaning::Limit,
        _ => Meaning::Unknown,
    }
}

/// Makes our error of one that a client of the SDK returned.
pub fn of<E, R>(call: Call, error: SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
    SdkError<E, R>: RequestId,
{
    if let Some(failed) = cause_of::<CredentialsError>(&error) {
        return with_credentials(failed, call.operation).source(error);
    }
    let request_id = error.request_id().map(ToOwned::to_owned);
    let made = match &error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("an error without a name");
            answered(call, code, service.err().message().unwrap_or_default())
        }
        SdkError::ResponseError(_) => Error::new(
            ErrorKind::External,
            call.operation,
            format!("cannot {}: AWS answered something that cannot be read", call.operation),
        )
        .retryable(),
        SdkError::TimeoutError(_) => {
            let message = format!("cannot {}: AWS did not answer in time", call.operation);
            Error::new(ErrorKind::External, call.operation, message).retryable()
        }
        SdkError::ConstructionFailure(_) => Error::new(
            ErrorKind::InvalidInput,
            call.operation,
            format!("cannot {}: the request cannot be made: {}", call.operation, root_cause(&error)),
        ),
        _ => unreachable_service(call.operation, &error),
    };
    let made = match request_id {
        Some(request_id) => made.with("request id", request_id),
        None => made,
    };
    made.source(error)
}

/// Makes the error of a service that nobody answers for.
pub(crate) fn unreachable_service(operation: &'static str, error: &(dyn std::error::Error + 'static)) -> Error {
    // It was tried for as long as it makes sense.
    if let Some(unreachable) = cause_of::<Unreachable>(error) {
        return Error::new(ErrorKind::External, operation, format!("cannot {operation}: {unreachable}"))
            .help(unreachable.help());
    }
    let cause = root_cause(error);
    Error::new(ErrorKind::External, operation, format!("cannot {operation}: AWS cannot be reached: {cause}"))
        .retryable()
        .help("look at the network, at the region, and at the endpoint if one is set")
}

/// Makes the error of what a service answered.
pub(crate) fn answered(call: Call, code: &str, message: &str) -> Error {
    let operation = call.operation;
    let said = message.trim().trim_end_matches('.');
    let said = if said.is_empty() { code } else { said };
    let (kind, retryable, help) = match meaning(code) {
        Meaning::Denied => {
            let action = denied_action(message).unwrap_or(call.action);
            (ErrorKind::PermissionDenied, Retryable::No, Some(format!("allow `{action}` to who suiro acts as")))
        }
        Meaning::Expired => (
            ErrorKind::PermissionDenied,
            Retryable::No,
            Some("the credentials have expired: sign in again (`aws sso login`), or set new ones".to_owned()),
        ),
        // A signature is of a region, and the right keys sign wrongly for another one.
        Meaning::WrongKeys if message.contains("region") => (
            ErrorKind::InvalidInput,
            Retryable::No,
            Some("set `region:` of the profile to the region of the service".to_owned()),
        ),
        Meaning::WrongKeys => (
            ErrorKind::PermissionDenied,
            Retryable::No,
            Some("AWS does not know these keys: look at the access key, at its secret, and at the profile".to_owned()),
        ),
        Meaning::ClockOff => {
            (ErrorKind::PermissionDenied, Retryable::No, Some("set the clock of this machine".to_owned()))
        }
        Meaning::WrongRegion => (
            ErrorKind::InvalidInput,
            Retryable::No,
            Some("set `region:` of the profile to the region of the bucket".to_owned()),
        ),
        Meaning::Throttled | Meaning::Failing => (ErrorKind::External, Retryable::Yes, None),
        Meaning::NotFound => (ErrorKind::NotFound, Retryable::No, None),
        Meaning::AlreadyExists => (ErrorKind::AlreadyExists, Retryable::No, None),
        Meaning::Conflict => (ErrorKind::Conflict, Retryable::No, None),
        Meaning::Invalid => (ErrorKind::InvalidInput, Retryable::No, None),
        Meaning::Limit => (
            ErrorKind::ResourcesExhausted,
            Retryable::No,
            Some("remove what is not needed, or ask AWS for a higher quota".to_owned()),
        ),
        Meaning::Unknown => (ErrorKind::External, Retryable::No, None),
    };
    let mut made = Error::new(kind, operation, format!("cannot {operation}: {said}")).with("code", code);
    made.retryable = retryable;
    made.help = help;
    made
}

/// Finds the action in `User: arn:… is not authorized to perform: glue:GetTable on resource: …`.
fn denied_action(message: &str) -> Option<&str> {
    let after = message.split("not authorized to perform: ").nth(1)?;
    let action = after.split_whitespace().next()?;
    action.contains(':').then_some(action)
}

/// Makes the error of credentials that were asked for before any call.
pub(crate) fn of_credentials(error: &CredentialsError, settings: &AwsSettings) -> Error {
    let operation = "open the AWS lake";
    let is_of_chain = settings.credentials_profile.is_none() && settings.keys.is_none();
    let told = is_of_chain.then(|| chain::failed(error, &Env::real(), operation)).flatten();
    let made = told.unwrap_or_else(|| with_credentials(error, operation));
    let made = match &settings.credentials_profile {
        Some(profile) => made.with("credentials profile", profile),
        None => made,
    };
    match settings.roles.last() {
        Some(role) => made.with("role", &role.arn),
        None => made,
    }
}

/// Makes the error of a chain that gave no credentials.
pub(crate) fn no_credentials() -> Error {
    Error::new(ErrorKind::PermissionDenied, "open the AWS lake", "found no AWS credentials").help(
        "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, name a profile of `~/.aws` (`credentials_profile:` or \
         `AWS_PROFILE`; after `aws sso login` for one of SSO), or run where a role is attached",
    )
}

pub(crate) fn with_credentials(error: &CredentialsError, operation: &'static str) -> Error {
    let cause = root_cause(error);
    match error {
        CredentialsError::CredentialsNotLoaded(_) => Error { operation, ..no_credentials() },
        CredentialsError::ProviderTimedOut(_) => {
            Error::new(ErrorKind::External, operation, format!("getting AWS credentials took too long: {cause}"))
                .retryable()
        }
        CredentialsError::InvalidConfiguration(_) => {
            Error::new(ErrorKind::InvalidInput, operation, format!("the AWS configuration is wrong: {cause}"))
                .help("look at `~/.aws/config`, and at the profile's name")
        }
        _ => {
            let role = cause.contains("AssumeRole").then_some("sts:AssumeRole");
            // What STS answered, in its own words.
            let answer = cause_of::<ErrorMetadata>(error);
            let cause = answer.and_then(ErrorMetadata::message).map_or(cause, str::to_owned);
            let made = Error::new(
                ErrorKind::PermissionDenied,
                operation,
                format!("cannot get AWS credentials: {}", cause.trim_end_matches('.')),
            );
            let code = answer.and_then(ErrorMetadata::code);
            let made = code.into_iter().fold(made, |made, code| made.with("code", code));
            if code == Some("InvalidAction") {
                return made
                    .help("who answers for STS there assumes no roles: leave `role_arn` out of a profile for it");
            }
            match denied_action(&cause).or(role) {
                Some(action) => made.help(format!(
                    "allow `{action}` to who suiro acts as, and let the role's trust policy name it (with the same external id)"
                )),
                None => made.help("sign in again (`aws sso login`), or look at the profile"),
            }
        }
    }
}

/// Goes through an error and its causes, the outermost first.
pub(crate) fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// Returns the first of an error and its causes that is of a type.
pub(crate) fn cause_of<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref::<E>())
}

/// Returns the text of the innermost cause that says something.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).map(ToString::to_string).filter(|text| !text.is_empty()).last().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call = Call { operation: "read a table", action: "glue:GetTable" };

    #[test]
    fn a_refused_access_names_the_action_that_was_missing() {
        let message =
            "User: arn:aws:iam::1:user/me is not authorized to perform: lakeformation:GetDataAccess on resource: x";
        let error = answered(CALL, "AccessDeniedException", message);
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
        assert_eq!(error.help.unwrap(), "allow `lakeformation:GetDataAccess` to who suiro acts as");
        let error = answered(CALL, "AccessDenied", "Access Denied.");
        assert_eq!(error.to_string(), "cannot read a table: Access Denied\n  code: AccessDenied");
        assert_eq!(error.help.unwrap(), "allow `glue:GetTable` to who suiro acts as");
    }

    #[test]
    fn a_signature_for_another_region_is_no_wrong_key() {
        let said = "the region `eu-west-1` of the signature is wrong: this endpoint is in `us-east-1`";
        let error = answered(CALL, "InvalidSignatureException", said);
        assert_eq!(error.kind, ErrorKind::InvalidInput);
        assert_eq!(error.help.as_deref(), Some("set `region:` of the profile to the region of the service"));
        let error = answered(CALL, "InvalidSignatureException", "The request signature does not match");
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
    }

    #[test]
    fn every_kind_of_answer_has_its_kind_of_error() {
        for (code, kind, retryable) in [
            ("ThrottlingException", ErrorKind::External, Retryable::Yes),
            ("InternalServiceException", ErrorKind::External, Retryable::Yes),
            ("EntityNotFoundException", ErrorKind::NotFound, Retryable::No),
            ("AlreadyExistsException", ErrorKind::AlreadyExists, Retryable::No),
            ("ConcurrentModificationException", ErrorKind::Conflict, Retryable::No),
            ("InvalidInputException", ErrorKind::InvalidInput, Retryable::No),
            ("ExpiredTokenException", ErrorKind::PermissionDenied, Retryable::No),
            ("PermanentRedirect", ErrorKind::InvalidInput, Retryable::No),
            ("SomethingNew", ErrorKind::External, Retryable::No),
        ] {
            let error = answered(CALL, code, "x");
            assert_eq!((error.kind, error.retryable), (kind, retryable), "{code}");
        }
    }

    #[test]
    fn a_role_that_is_not_assumed_says_what_sts_answered() {
        let of = |code: &str, message: &str| {
            let answer = ErrorMetadata::builder().code(code).message(message).build();
            with_credentials(&CredentialsError::provider_error(answer), "open the AWS lake")
        };
        let error = of("InvalidAction", "STS's `AssumeRole` is not served here: `GetCallerIdentity` is");
        assert_eq!(
            error.to_string(),
            "cannot get AWS credentials: STS's `AssumeRole` is not served here: `GetCallerIdentity` is\n  code: InvalidAction"
        );
        assert_eq!(
            error.help.unwrap(),
            "who answers for STS there assumes no roles: leave `role_arn` out of a profile for it"
        );
        let error = of("AccessDenied", "User: me is not authorized to perform: sts:AssumeRole on resource: r");
        assert!(error.help.unwrap().starts_with("allow `sts:AssumeRole` to who suiro acts as"));
    }

    #[test]
    fn missing_credentials_say_what_to_do() {
        let settings = AwsSettings { credentials_profile: Some("etl".to_owned()), ..AwsSettings::default() };
        let error = of_credentials(&CredentialsError::not_loaded_no_source(), &settings);
        assert_eq!(error.to_string(), "found no AWS credentials\n  credentials profile: etl");
        assert!(error.help.unwrap().starts_with("set `AWS_ACCESS_KEY_ID`"));
    }
}
