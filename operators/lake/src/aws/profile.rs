//! A profile of `~/.aws` that is asked for by its name: its credentials, and those of nothing else.
//!
//! In the SDK's default chain a profile is one link behind the variables of the environment, and a name that is not there leads
//! to the next link: the role of the machine. Who names a profile means this one.

use aws_config::SdkConfig;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use super::error::{root_cause, with_credentials};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::resolve::nearest;

/// What is being done, for errors.
const OPERATION: &str = "open the AWS lake";

/// How many profiles an error lists at most.
const LISTED: usize = 10;

/// Finds a profile by its name, and makes what reads its credentials. The region and how services are called are those of
/// `config`, for a profile that signs in by SSO or assumes a role.
///
/// # Errors
/// `InvalidInput` that lists the profiles there are, or says why their files cannot be read.
pub(super) async fn provider(name: &str, config: &SdkConfig) -> Result<SharedCredentialsProvider> {
    let files = EnvConfigFiles::default();
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &files, None).await.map_err(|error| {
        let message = format!("the profiles of AWS cannot be read: {}", root_cause(&error));
        Error::new(ErrorKind::InvalidInput, OPERATION, message)
            .help(format!("look at {}", places()))
            .with("credentials profile", name)
    })?;
    if profiles.get_profile(name).is_none() {
        return Err(no_profile(name, profiles.profiles().collect()));
    }
    let mut asks = ProviderConfig::without_region().with_region(config.region().cloned());
    if let Some(http) = config.http_client() {
        asks = asks.with_http_client(http);
    }
    if let Some(retries) = config.retry_config() {
        asks = asks.with_retry_config(retries.clone());
    }
    if let Some(timeouts) = config.timeout_config() {
        asks = asks.with_timeout_config(timeouts.clone());
    }
    let provider = ProfileFileCredentialsProvider::builder().profile_name(name).configure(&asks).build();
    Ok(SharedCredentialsProvider::new(provider))
}

/// Makes the error of a profile that is there and gave no credentials.
pub(super) fn failed(name: &str, error: &CredentialsError) -> Error {
    let made = match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            let why = std::error::Error::source(error).map(|cause| format!(": {}", root_cause(cause)));
            let why = why.unwrap_or_else(|| ": it has no keys, no sign-in of SSO, no role and no program".to_owned());
            Error::new(
                ErrorKind::PermissionDenied,
                OPERATION,
                format!("the profile `{}` of {} gives no credentials{why}", name.escape_debug(), places()),
            )
            .help(format!(
                "give it some (`aws configure --profile {name}`, or `aws configure sso --profile {name}`), or leave out \
                 `credentials_profile:`, for those of the environment or of the machine's role"
            ))
        }
        _ => with_credentials(error, OPERATION),
    };
    made.with("credentials profile", name)
}

fn no_profile(name: &str, mut there: Vec<&str>) -> Error {
    there.sort_unstable();
    let mut listed: Vec<String> = there.iter().take(LISTED).map(|name| format!("`{}`", name.escape_debug())).collect();
    if there.len() > LISTED {
        listed.push(format!("{} more", there.len() - LISTED));
    }
    let listed = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") };
    let help = match nearest(name, there.into_iter()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            format!("name one that is there as `credentials_profile:`, or make it: `aws configure --profile {name}`")
        }
    };
    let message = format!("there is no profile `{}` in {}; there are: {listed}", name.escape_debug(), places());
    Error::new(ErrorKind::InvalidInput, OPERATION, message).help(help)
}

/// Names the files that profiles are read from.
fn places() -> String {
    let environment = Env::real();
    let file = |variable, usual: &str| environment.get(variable).unwrap_or_else(|_unset| usual.to_owned());
    format!(
        "`{}` and `{}`",
        file("AWS_CONFIG_FILE", "~/.aws/config"),
        file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_profile_is_told_with_those_there_are() {
        let error = no_profile("goood", vec!["good", "default"]);
        assert_eq!(
            error.to_string(),
            format!("there is no profile `goood` in {}; there are: `default`, `good`", places())
        );
        assert_eq!(error.help.as_deref(), Some("did you mean `good`?"));

        let many: Vec<String> = (10..22).map(|number| format!("team-{number}")).collect();
        let error = no_profile("etl", many.iter().map(String::as_str).collect());
        assert!(error.to_string().ends_with("`team-18`, `team-19`, 2 more"), "{error}");
        assert_eq!(
            error.help.as_deref(),
            Some("name one that is there as `credentials_profile:`, or make it: `aws configure --profile etl`")
        );
        let error = no_profile("etl", Vec::new());
        assert!(error.to_string().ends_with("; there are: none"), "{error}");
    }

    #[test]
    fn a_profile_without_credentials_is_named_with_its_cause() {
        let error = failed("etl", &CredentialsError::not_loaded_no_source());
        assert_eq!(
            error.to_string(),
            format!(
                "the profile `etl` of {} gives no credentials: it has no keys, no sign-in of SSO, no role and no program\n  \
                 credentials profile: etl",
                places()
            )
        );
        assert!(error.help.unwrap().starts_with("give it some (`aws configure --profile etl`"));
        let error = failed("etl", &CredentialsError::not_loaded("profile `base` was not defined"));
        assert!(error.to_string().contains(" gives no credentials: profile `base` was not defined\n"), "{error}");
    }
}
