//! Which link of the SDK's default chain gave no credentials, where its own error does not say it.

use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_types::os_shim_internal::Env;

use super::error::{cause_of, no_credentials, root_cause};
use crate::error::{Error, ErrorKind};

/// The variables with the address of a container's credentials
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).
const CONTAINER: [&str; 2] = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

/// The variable with the file of a web identity's token
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>).
const WEB_IDENTITY: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// Makes the error of a link that failed; none for one whose own words say enough.
pub(super) fn failed(error: &CredentialsError, environment: &Env, operation: &'static str) -> Option<Error> {
    let cause = root_cause(error);
    let cause = cause.trim_end_matches('.');
    if cause.contains("HTTP credential provider") {
        let (variable, place) = CONTAINER.iter().find_map(|name| Some((*name, environment.get(name).ok()?)))?;
        let message = format!("cannot get the credentials of the container at `{place}`: {cause}");
        return Some(
            Error::new(ErrorKind::PermissionDenied, operation, message)
                .help(format!("look at `{variable}`, and at who answers there")),
        );
    }
    // Of the machine's role nothing was set: it is asked because all others had nothing.
    if cause.contains("IMDS") {
        let nobody = no_credentials();
        let message = format!("{}; the machine's role was asked last: {cause}", nobody.message);
        return Some(Error { operation, message, ..nobody });
    }
    let is_file = cause_of::<io::Error>(error).is_some();
    let token = environment.get(WEB_IDENTITY).ok().filter(|_| is_file)?;
    let message = format!("cannot read the token of the web identity, `{token}`: {cause}");
    Some(Error::new(ErrorKind::PermissionDenied, operation, message).help(format!("look at `{WEB_IDENTITY}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: &CredentialsError, environment: &[(&str, &str)]) -> Option<(String, String)> {
        let error = failed(error, &Env::from_slice(environment), "open the AWS lake")?;
        Some((error.message, error.help.unwrap_or_default()))
    }

    #[test]
    fn a_link_that_failed_is_told_with_its_place() {
        let missing = || CredentialsError::provider_error(io::Error::from_raw_os_error(2));
        let (message, help) = told(&missing(), &[(WEB_IDENTITY, "/nope")]).unwrap();
        assert_eq!(
            message,
            "cannot read the token of the web identity, `/nope`: No such file or directory (os error 2)"
        );
        assert_eq!(help, "look at `AWS_WEB_IDENTITY_TOKEN_FILE`");
        assert_eq!(told(&missing(), &[]), None);

        let refused = "Non-success status from HTTP credential provider: StatusCode(404)";
        let (message, help) =
            told(&CredentialsError::provider_error(refused), &[(CONTAINER[1], "http://127.0.0.1:9/x")]).unwrap();
        assert_eq!(
            message,
            format!("cannot get the credentials of the container at `http://127.0.0.1:9/x`: {refused}")
        );
        assert_eq!(help, "look at `AWS_CONTAINER_CREDENTIALS_FULL_URI`, and at who answers there");

        let forbidden = "request forbidden: IMDS is disabled or the caller has insufficient permissions";
        let (message, help) = told(&CredentialsError::provider_error(forbidden), &[]).unwrap();
        assert_eq!(message, format!("found no AWS credentials; the machine's role was asked last: {forbidden}"));
        assert!(help.starts_with("set `AWS_ACCESS_KEY_ID`"), "{help}");
        assert_eq!(told(&CredentialsError::provider_error("another"), &[(WEB_IDENTITY, "/nope")]), None);
    }
}
